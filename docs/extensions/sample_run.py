"""The first run of the README, made anew for every build: its tables and pictures are on the pages."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from mammocalc import detect_folder

SAMPLES = Path(__file__).parents[2] / "sample_images"
RUN = Path(__file__).parents[1] / "_build" / "findings"


def run(app: Sphinx) -> None:
    """Search the sample images."""
    shutil.rmtree(RUN, ignore_errors=True)
    detect_folder(SAMPLES, RUN, jobs=2, write=("overlay", "html"))


def copy_pages(app: Sphinx, failure: Exception | None) -> None:
    """The pages for a browser join the documentation."""
    if failure is None and app.builder.format == "html":
        shutil.copytree(RUN / "html", Path(app.outdir) / "sample_pages", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", run)
    app.connect("build-finished", copy_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
