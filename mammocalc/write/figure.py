"""Findings as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from mammocalc.errors import InvalidParameter
from mammocalc.write.display import Bounds, breast_bounds, display_of
from mammocalc.write.overlay import chain_label, cluster_caption, cluster_hull
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, hexadecimal, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mammocalc.findings import Findings

# More pixels than this along a side are not seen in a figure, and cost time.
_LONGEST_SIDE = 1600


def plot(
    findings: Findings, ax: Axes | None, bounds: Bounds | None, image_arguments: Mapping[str, Any]
) -> Axes:
    """Draw `findings`; see `mammocalc.findings.Findings.plot`.

    Raises
    ------
    InvalidParameter
        The bounds hold no pixel of the image.
    """
    shown = _inside(findings, bounds)
    if ax is None:
        ax = _new_axes(shown)
    _draw_image(ax, findings, shown, image_arguments)
    _draw_chains(ax, findings)
    _draw_clusters(ax, findings)
    _draw_outlines(ax, findings, shown)
    _draw_scale_bar(ax, findings.mammogram.pixel_spacing_mm, shown)
    row_min, col_min, row_max, col_max = shown
    ax.set_xlim(col_min - 0.5, col_max - 0.5)
    ax.set_ylim(row_max - 0.5, row_min - 0.5)
    ax.set_xlabel("column (px)")
    ax.set_ylabel("row (px)")
    image = findings.mammogram
    side = " ".join(word for word in (image.laterality, image.view) if word)
    ax.set_title(f"{side}: {len(findings)} calcifications" if side else f"{len(findings)} calcifications")
    return ax


def _inside(findings: Findings, bounds: Bounds | None) -> Bounds:
    if bounds is None:
        return breast_bounds(findings.mammogram, findings.scene)
    rows, columns = findings.mammogram.pixels.shape
    row_min, col_min, row_max, col_max = bounds
    cut = (max(row_min, 0), max(col_min, 0), min(row_max, rows), min(col_max, columns))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise InvalidParameter(f"bounds: {bounds} holds no pixel of the image of {rows} x {columns}")
    return cut


def _new_axes(bounds: Bounds) -> Axes:
    from matplotlib import pyplot as plt

    height, width = bounds[2] - bounds[0], bounds[3] - bounds[1]
    # Room for the legend at the right.
    size = (9.0 * min(width / height, 1.6) + 2.6, 9.0 * min(1.0, 1.6 * height / width))
    return plt.subplots(figsize=size, layout="constrained")[1]


def _draw_image(ax: Axes, findings: Findings, bounds: Bounds, image_arguments: Mapping[str, Any]) -> None:
    display = display_of(findings.mammogram, findings.scene)
    row_min, col_min, row_max, col_max = bounds
    stored = findings.mammogram.pixels[row_min:row_max, col_min:col_max]
    scale = _LONGEST_SIDE / max(stored.shape)
    if scale < 1:
        stored = cv2.resize(stored, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    arguments = {
        "cmap": "gray",
        "vmin": display.low,
        "vmax": display.high,
        "extent": (col_min - 0.5, col_max - 0.5, row_max - 0.5, row_min - 0.5),
        **image_arguments,
    }
    ax.imshow(display.shown(stored, bounds), **arguments)


def _draw_outlines(ax: Axes, findings: Findings, bounds: Bounds) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    # A little outside, so that the calcification itself stays visible.
    distance_px = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 600
    label, suspicion = findings.classification.label, findings.classification.suspicion
    present, counts = np.unique(label, return_counts=True)
    count_of = dict(zip(present.tolist(), counts.tolist(), strict=True))
    handles = []
    for name in (name for name in LABEL_COLOURS if name in count_of):
        members = np.flatnonzero(label == name)
        width = [1.8 if suspicion[k] == "suspicious" else 1.0 for k in members]
        colour = hexadecimal(LABEL_COLOURS[name])
        polygons = [findings.outline(int(k) + 1, distance_px)[:, ::-1] for k in members]
        closed = [np.vstack((polygon, polygon[:1])) for polygon in polygons]
        ax.add_collection(LineCollection(closed, colors=colour, linewidths=width, label=name), autolim=False)
        handles.append(
            Line2D([], [], color=colour, linewidth=max(width), label=f"{words(name)} ({count_of[name]})")
        )
    if handles:
        ax.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, facecolor="0.25",
            labelcolor="0.95", fontsize="small",
        )  # fmt: skip


def _draw_chains(ax: Axes, findings: Findings) -> None:
    for number, curve in enumerate(findings.arrangement.chains, 1):
        colour = hexadecimal(LABEL_COLOURS[chain_label(findings, number)])
        ax.plot(curve[:, 1], curve[:, 0], color=colour, linewidth=0.8, linestyle=(0, (6, 4)))


def _draw_clusters(ax: Axes, findings: Findings) -> None:
    from matplotlib.patches import Polygon

    colour = hexadecimal(CLUSTER_COLOUR)
    for place in range(len(findings.arrangement.clusters["cluster_id"])):
        hull = cluster_hull(findings, place)[:, ::-1]
        suspicious = findings.classification.cluster_suspicion[place] == "suspicious"
        ax.add_patch(Polygon(hull, fill=False, edgecolor=colour, linewidth=1.6 if suspicious else 0.8))
        ax.annotate(
            cluster_caption(findings, place), (hull[:, 0].min(), hull[:, 1].min()), color=colour, fontsize="x-small",
            xytext=(0, 2), textcoords="offset points", clip_on=True,
        )  # fmt: skip


def _draw_scale_bar(ax: Axes, pixel_spacing_mm: float, bounds: Bounds) -> None:
    height, width = bounds[2] - bounds[0], bounds[3] - bounds[1]
    most = 0.25 * width * pixel_spacing_mm
    length_mm = max((mm for mm in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if mm <= most), default=0.1)
    left, row = bounds[1] + 0.04 * width, bounds[2] - 0.03 * height
    right = left + length_mm / pixel_spacing_mm
    ax.plot((left, right), (row, row), color="0.9", linewidth=2, marker="|", markersize=8)
    ax.annotate(
        f"{length_mm:g} mm", ((left + right) / 2, row), color="0.9", fontsize="small", ha="center", xytext=(0, 5),
        textcoords="offset points",
    )  # fmt: skip
