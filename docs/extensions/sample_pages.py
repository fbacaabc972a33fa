"""What the first run left behind, and what identifies this version."""

from __future__ import annotations

import math

from markup import listed, plain
from sample_run import RUN

from mammocalc import __version__, read_tables

FEW = {
    "images": ("path", "laterality", "view", "pixel_spacing_mm", "n_calcifications", "status", "reason"),
    "calcifications": (
        "path",
        "calcification_id",
        "row",
        "col",
        "length_mm",
        "width_mm",
        "label",
        "suspicion",
        "rule",
    ),
    "clusters": (
        "path",
        "cluster_id",
        "n_calcifications",
        "extent_mm",
        "distribution",
        "morphology",
        "suspicion",
    ),
}
# Columns of longer texts, by how much wider they are.
WIDE = {"path": 2, "reason": 3}


def table(name: str) -> list[str]:
    """Some columns of the first rows of one table."""
    columns = FEW[name]
    rows = read_tables(RUN)[name].head(6)
    cells = [[plain(cell(value)) for value in row] for row in rows[list(columns)].itertuples(index=False)]
    return listed(columns, cells, [WIDE.get(name, 1) for name in columns])


def cell(value: object) -> str:
    """A value as it fits a page."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def files(_: str) -> list[str]:
    """Every file of the run, folders of many shown by their first."""
    lines = [".. code-block:: text", ""]
    for path in sorted(RUN.iterdir()):
        if path.is_file():
            lines.append(f"   {path.name}")
        else:
            names = sorted(str(inner.relative_to(RUN)) for inner in path.rglob("*") if inner.is_file())
            lines += [
                f"   {names[0]}",
                *([f"   … {len(names) - 1} more in {path.name}/"] if len(names) > 1 else []),
            ]
    return [*lines, ""]


def overlay(name: str) -> list[str]:
    """The overlay picture of one of the images."""
    (picture,) = (RUN / "overlays").glob(f"{name}*.png")
    return [
        f".. image:: /{picture.relative_to(RUN.parents[1])}",
        "   :alt: a mammogram with outlines in the colours of the labels, a legend and a scale bar",
        "   :width: 85%",
        "",
    ]


def citation(_: str) -> list[str]:
    """An entry for a bibliography."""
    entry = [
        "@software{mammocalc,",
        "  author  = {{The mammocalc authors}},",
        "  title   = {{mammocalc: calcifications on mammograms, measured and labelled}},",
        f"  version = {{{__version__}}},",
        "  note    = {Research software. Parameters sha256:..., rules sha256:... (run.json)}",
        "}",
    ]
    return [".. code-block:: bibtex", "", *(f"   {line}" for line in entry), ""]
