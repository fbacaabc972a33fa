"""``run.json``: what made a set of findings, in full, so that it can be made again."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammocalc.errors import UnreadableInput

if TYPE_CHECKING:
    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters

# Everything whose version can change a result or its form.
DEPENDENCIES = (
    "numpy", "numba", "llvmlite", "scipy", "scikit-image", "opencv-python-headless", "pydicom", "imagecodecs",
    "pyarrow", "pandas", "matplotlib",
)  # fmt: skip


def count_labels(labels: Iterable[str]) -> dict[str, int]:
    """How often each label occurs, in alphabetical order."""
    return dict(sorted(Counter(str(label) for label in labels).items()))


def dependency_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; empty where one is not installed."""
    versions = {"python": platform.python_version()}
    for name in DEPENDENCIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions


def machine() -> dict[str, Any]:
    """Kind of machine, without a name that would identify it."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def run_manifest(
    parameters: Parameters, lexicon: Lexicon, counts: Mapping[str, Any], **further: Any
) -> dict[str, Any]:
    """What ``run.json`` holds.

    Parameters
    ----------
    parameters : Parameters
    lexicon : Lexicon
    counts : mapping
        Images by status, calcifications by label, clusters.
    **further
        More that a run has to say about itself, e.g. its failures by reason; no patient data.
    """
    from mammocalc import __version__

    return {
        "software": "mammocalc",
        "version": __version__,
        "notice": "Research software, not a medical device.",
        "counts": dict(counts),
        **further,
        "parameters_hash": parameters.hash,
        "parameters": parameters.as_dict(),
        "rules_hash": lexicon.hash,
        "rules": lexicon.as_dict(),
        "machine": machine(),
        "dependencies": dependency_versions(),
    }


def write_manifest(out: str | os.PathLike[str], manifest: Mapping[str, Any]) -> Path:
    """Write ``run.json`` into the folder `out`, by temporary file and rename."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    temporary = folder / f".run.json.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def read_manifest(out: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``run.json`` from the folder of a finished run.

    Raises
    ------
    UnreadableInput
        It is not there or damaged.
    """
    path = Path(out) / "run.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnreadableInput(f"{path.parent}: no run.json; is it the --out folder of a run?") from None
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{path}: cannot be read: {error}") from None
    if not isinstance(manifest, dict):
        raise UnreadableInput(f"{path}: is not a run manifest")
    return manifest
