"""How the pictures of the gallery look: the same for every script, and readable on a light and a dark page."""

from __future__ import annotations

from typing import Any


def reset_pictures(gallery_conf: dict[str, Any], fname: str) -> None:
    """Set matplotlib's defaults before a script runs; the gallery calls it after its own reset."""
    import matplotlib

    matplotlib.rcParams.update(
        {
            "figure.dpi": 120,
            "figure.facecolor": "white",
            "image.cmap": "gray",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
        }
    )
