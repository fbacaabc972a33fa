"""Findings as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import InvalidParameter
from mammocalc.write.captions import Extent, Room
from mammocalc.write.display import Bounds, breast_bounds, display_of
from mammocalc.write.overlay import chain_label, cluster_caption, cluster_hull
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, hexadecimal, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mammocalc.findings import Findings

# More pixels than this along a side are not seen in a figure, and cost time.
_LONGEST_SIDE = 1600


def plot(
    findings: Findings,
    ax: Axes | None,
    bounds: Bounds | None,
    figsize: tuple[float, float] | None,
    legend: bool,
    image_arguments: Mapping[str, Any],
) -> Axes:
    """Draw `findings`; see `mammocalc.findings.Findings.plot`.

    Raises
    ------
    InvalidParameter
        The bounds hold no pixel of the image, or a size is given for the figure of axes that are there.
    """
    shown = _inside(findings, bounds)
    if ax is not None and figsize is not None:
        raise InvalidParameter("figsize: the axes are given, and with them the figure and its size")
    is_new = ax is None
    if ax is None:
        ax = _new_axes(shown, figsize, legend)
    members = _within(findings, shown)
    _draw_image(ax, findings, shown, image_arguments)
    _draw_chains(ax, findings)
    _draw_clusters(ax, findings, shown)
    _draw_outlines(ax, findings, shown, members)
    if legend and len(members):
        _draw_legend(ax, findings, members, is_new)
    _draw_scale_bar(ax, findings.mammogram.pixel_spacing_mm, shown)
    row_min, col_min, row_max, col_max = shown
    ax.set_xlim(col_min - 0.5, col_max - 0.5)
    ax.set_ylim(row_max - 0.5, row_min - 0.5)
    ax.set_xlabel("column (px)")
    ax.set_ylabel("row (px)")
    ax.set_title(_title(findings, len(members)))
    return ax


def _title(findings: Findings, count: int) -> str:
    image = findings.mammogram
    side = " ".join(word for word in (image.laterality, image.view) if word)
    of_all = f" of {len(findings)}" if count < len(findings) else ""
    counted = f"{count}{of_all} calcification{'' if len(findings) == 1 else 's'}"
    return f"{side}: {counted}" if side else counted


def _within(findings: Findings, bounds: Bounds) -> NDArray[np.intp]:
    """Rows of the calcifications of which any part lies inside."""
    columns = findings.measurements.columns
    row_min, col_min, row_max, col_max = bounds
    inside = (columns["row_max"] > row_min) & (columns["row_min"] < row_max)
    inside &= (columns["col_max"] > col_min) & (columns["col_min"] < col_max)
    return np.flatnonzero(inside)


def _inside(findings: Findings, bounds: Bounds | None) -> Bounds:
    if bounds is None:
        return breast_bounds(findings.mammogram, findings.scene)
    rows, columns = findings.mammogram.pixels.shape
    row_min, col_min, row_max, col_max = bounds
    cut = (max(row_min, 0), max(col_min, 0), min(row_max, rows), min(col_max, columns))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise InvalidParameter(f"bounds: {bounds} holds no pixel of the image of {rows} x {columns}")
    return cut


def _new_axes(bounds: Bounds, figsize: tuple[float, float] | None, legend: bool) -> Axes:
    from matplotlib import pyplot as plt

    height, width = bounds[2] - bounds[0], bounds[3] - bounds[1]
    # Room for the legend at the right.
    room = 2.6 if legend else 0.8
    fitting = (9.0 * min(width / height, 1.6) + room, 9.0 * min(1.0, 1.6 * height / width))
    return plt.subplots(figsize=figsize or fitting, layout="constrained")[1]


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
    if image_arguments.get("norm") is not None:
        # A norm has its own window.
        for name in ("vmin", "vmax"):
            if name not in image_arguments:
                del arguments[name]
    ax.imshow(display.shown(stored, bounds), **arguments)


def _draw_outlines(ax: Axes, findings: Findings, bounds: Bounds, members: NDArray[np.intp]) -> None:
    from matplotlib.collections import LineCollection

    # A little outside, so that the calcification itself stays visible.
    distance_px = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 600
    for name, of_label, widths in _by_label(findings, members):
        polygons = [findings.outline(int(k) + 1, distance_px)[:, ::-1] for k in of_label]
        closed = [np.vstack((polygon, polygon[:1])) for polygon in polygons]
        colour = hexadecimal(LABEL_COLOURS[name])
        ax.add_collection(LineCollection(closed, colors=colour, linewidths=widths, label=name), autolim=False)


def _by_label(
    findings: Findings, members: NDArray[np.intp]
) -> Iterator[tuple[str, NDArray[np.intp], list[float]]]:
    """Each label among `members` with its rows and their widths of line: suspicious ones are heavier."""
    label, suspicion = findings.classification.label, findings.classification.suspicion
    for name in LABEL_COLOURS:
        of_label = members[label[members] == name]
        if len(of_label):
            yield name, of_label, [1.8 if suspicion[k] == "suspicious" else 1.0 for k in of_label]


def _draw_legend(ax: Axes, findings: Findings, members: NDArray[np.intp], beside: bool) -> None:
    """Labels and how many there are of each, beside the picture or in its corner away from the chest wall."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=hexadecimal(LABEL_COLOURS[name]),
            linewidth=max(widths),
            label=f"{words(name)} ({len(of_label)})",
        )
        for name, of_label, widths in _by_label(findings, members)
    ]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    if not beside:
        free = "left" if findings.scene.anatomy.chest_wall == "right" else "right"
        place = {"loc": f"upper {free}", "framealpha": 0.6}
    ax.legend(
        handles=handles,
        facecolor="0.25",
        labelcolor="0.95",
        fontsize="small" if beside else "x-small",
        **place,
    )


def _draw_chains(ax: Axes, findings: Findings) -> None:
    for number, curve in enumerate(findings.arrangement.chains, 1):
        colour = hexadecimal(LABEL_COLOURS[chain_label(findings, number)])
        ax.plot(curve[:, 1], curve[:, 0], color=colour, linewidth=0.8, linestyle=(0, (6, 4)))


def _draw_clusters(ax: Axes, findings: Findings, bounds: Bounds) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Polygon
    from matplotlib.patheffects import withStroke

    colour = hexadecimal(CLUSTER_COLOUR)
    size = FontProperties(size="x-small").get_size_in_points()
    # Points of paper a pixel of the image, about: what is laid out later may still change the axes.
    width, height = ax.bbox.width * 72 / ax.figure.dpi, ax.bbox.height * 72 / ax.figure.dpi
    scale = min(width / (bounds[3] - bounds[1]), height / (bounds[2] - bounds[0]))
    room = Room(round(width), round(height), np.zeros((0, 4)))
    halo = [withStroke(linewidth=2, foreground="black")]
    middle = (bounds[1] + bounds[3]) / 2
    for place in range(len(findings.arrangement.clusters["cluster_id"])):
        hull = cluster_hull(findings, place)[:, ::-1]
        suspicious = findings.classification.cluster_suspicion[place] == "suspicious"
        ax.add_patch(Polygon(hull, fill=False, edgecolor=colour, linewidth=1.6 if suspicious else 0.8))
        # Towards the middle, where there is room for it.
        is_left = hull[:, 0].mean() < middle
        corner = max(hull[:, 0].min(), bounds[1]) if is_left else min(hull[:, 0].max(), bounds[3] - 1)
        text = cluster_caption(findings, place)
        extent = Extent(round(0.55 * size * len(text)), round(size), round(0.3 * size))
        top, bottom = (hull[:, 1].min() - bounds[0]) * scale, (hull[:, 1].max() - bounds[0]) * scale
        left = (corner - bounds[1]) * scale - (0 if is_left else extent.width)
        over = [(left, top - 2 - k * 1.5 * size) for k in range(4)]
        under = [(left, bottom + 2 + extent.above + k * 1.5 * size) for k in range(4)]
        lines = [line for pair in zip(over, under, strict=True) for line in pair]
        found = room.take(lines, extent, is_needed=True) or lines[0]
        ax.annotate(
            text, (corner, bounds[0] + found[1] / scale), color=colour, fontsize="x-small",
            ha="left" if is_left else "right", va="baseline", clip_on=True, path_effects=halo,
        )  # fmt: skip


def _draw_scale_bar(ax: Axes, pixel_spacing_mm: float, bounds: Bounds) -> None:
    from matplotlib.patheffects import withStroke

    height, width = bounds[2] - bounds[0], bounds[3] - bounds[1]
    most = 0.25 * width * pixel_spacing_mm
    length_mm = max((mm for mm in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if mm <= most), default=0.1)
    left, row = bounds[1] + 0.04 * width, bounds[2] - 0.03 * height
    right = left + length_mm / pixel_spacing_mm
    halo = [withStroke(linewidth=3, foreground="black")]
    ax.plot((left, right), (row, row), color="0.9", linewidth=2, marker="|", markersize=8, path_effects=halo)
    ax.annotate(
        f"{length_mm:g} mm", ((left + right) / 2, row), color="0.9", fontsize="small", ha="center", xytext=(0, 5),
        textcoords="offset points", path_effects=halo,
    )  # fmt: skip
