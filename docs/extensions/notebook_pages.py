"""The notebooks that are there, as a table of contents."""

from __future__ import annotations

from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def listed_notebooks(_: str) -> list[str]:
    """Every executed notebook, by name."""
    names = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    return (
        [".. toctree::", "   :maxdepth: 1", "", *(f"   /notebooks/{name}" for name in names), ""]
        if names
        else []
    )
