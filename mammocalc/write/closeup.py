"""One calcification close up, with what was measured drawn on it and what was decided written beside it."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mammocalc.write.display import Bounds, display_of
from mammocalc.write.overlay import NOTICE, overlay_name
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mammocalc.findings import Findings

Points = NDArray[np.float64]

_LEAST_SIDE_MM, _MARGIN_MM = 4.0, 1.2
# What is longer than this many times its calibre has an axis worth drawing.
_AXIS_ELONGATION = 1.5
# Bends that are tried to lay the axis along a long one; a shorter one bends by less than can be seen.
_BENT_MM = 2.0
_BOWS, _TWISTS = np.arange(-0.5, 0.51, 0.05), np.zeros(1)
_AXIS, _CALIBRE, _RIM, _QUIET = "#ffd24d", "#4deaff", "#ff8ad8", "#c0c0c0"
_LINE_LETTERS, _TEXT_LINES = 92, 38

_SHOWN = (
    "length_mm", "width_mm", "elongation", "diameter_mm", "width_variation", "straightness", "roughness", "branches",
    "circularity", "lucency", "ring_closure", "wall_thickness_mm", "nipple_angle_deg", "cnr",
)  # fmt: skip


def closeup_name(path: str, calcification_id: int, frame: int = 0) -> str:
    """File name of a close-up, unique to the input's `path`, its 0-based `frame` and the 1-based number."""
    return f"{overlay_name(path, frame).removesuffix('.png')}-calcification{calcification_id}.png"


def write_closeup(findings: Findings, calcification_id: int, path: str | os.PathLike[str]) -> Path:
    """Write the close-up of a calcification as PNG, by temporary file and rename; folders are made.

    Raises
    ------
    InvalidParameter
        There is no such calcification.
    """
    file = Path(path)
    figure = draw_closeup(findings, calcification_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    # Without the version of matplotlib the file is the same for the same findings.
    figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
    temporary.replace(file)
    return file


def find_image(path: str, places: Iterable[Path]) -> Path | None:
    """The first existing file of the relative `path` in one of the folders `places` or in a folder right below one."""
    for place in places:
        if (place / path).is_file():
            return place / path
        below = sorted(entry for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
        for entry in below:
            if (entry / path).is_file():
                return entry / path
    return None


def draw_closeup(findings: Findings, calcification_id: int) -> Figure:
    """The calcification plain, the same with its axis, calibre and rim, and the decision in words and numbers.

    Parameters
    ----------
    findings : Findings
    calcification_id : int
        1-based, as in the table.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidParameter
        There is no such calcification.
    """
    from matplotlib.figure import Figure

    explanation = findings.explain(calcification_id)
    k = calcification_id - 1
    bounds = closeup_bounds(findings, k)
    figure = Figure(figsize=(19.0, 6.6))
    plain = figure.add_axes((0.035, 0.09, 0.30, 0.84))
    drawn = figure.add_axes((0.345, 0.09, 0.30, 0.84))
    for ax in (plain, drawn):
        _draw_image(ax, findings, bounds)
    _draw_company(drawn, findings, k, bounds)
    _draw_form(drawn, findings, k)
    _draw_scale_bar(plain, findings.mammogram.pixel_spacing_mm, bounds)
    _draw_way_to_nipple(drawn, findings, bounds)
    drawn.set_yticks([])
    plain.set_xlabel("column (px)")
    plain.set_ylabel("row (px)")
    drawn.set_xlabel("column (px)")
    lines = [*_values(findings, k), "", *explanation.brief().splitlines(), "", NOTICE]
    wrapped = [
        part
        for line in lines
        for part in textwrap.wrap(line, _LINE_LETTERS, subsequent_indent="      ", drop_whitespace=False)
        or [""]
    ]
    size = min(8.0, 8.0 * _TEXT_LINES / len(wrapped))
    figure.text(0.66, 0.95, "\n".join(wrapped), family="monospace", fontsize=size, va="top", parse_math=False)
    label = str(findings.classification.label[k])
    plain.set_title(f"calcification {calcification_id}")
    drawn.set_title(words(label))
    return figure


def closeup_bounds(findings: Findings, k: int) -> Bounds:
    """The square around row `k` that a close-up shows, stored pixels; it may reach beyond the image."""
    box = findings.regions.bounds[k] + np.tile(findings.scene.origin, 2)
    spacing = findings.mammogram.pixel_spacing_mm
    side = max(float(max(box[2] - box[0], box[3] - box[1])) * 1.25, _LEAST_SIDE_MM / spacing)
    half = round(0.5 * side + _MARGIN_MM / spacing)
    row, col = round((box[0] + box[2] - 1) / 2), round((box[1] + box[3] - 1) / 2)
    return row - half, col - half, row + half + 1, col + half + 1


def axis_of(findings: Findings, k: int) -> Points:
    """The long axis of row `k` from end to end, bent as the image shows it.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        (row, col) of stored pixels, evenly spaced.
    """
    from mammocalc_kernels.bows import trace_bows

    columns = findings.measurements.columns
    spacing = findings.mammogram.pixel_spacing_mm
    angle = math.radians(float(columns["orientation_deg"][k]))
    along = np.array([-math.sin(angle), math.cos(angle)])
    across = np.array([-along[1], along[0]])
    centre = np.array([columns["row"][k], columns["col"][k]], np.float64)
    straightness = float(np.nan_to_num(columns["straightness"][k], nan=1.0))
    half = 0.5 * float(columns["length_mm"][k]) * straightness / spacing
    bow = 0.0
    if columns["length_mm"][k] >= _BENT_MM:
        place = (centre - np.asarray(findings.scene.origin))[None]
        bow = float(
            trace_bows(findings.scene.plane, place, along[None], np.array([half]), _BOWS, _TWISTS)[0, 0]
        )
    t = np.linspace(-1.0, 1.0, 41)[:, None]
    line: Points = centre + half * (t * along + bow * (1.0 / 3.0 - t**2) * across)
    return line


def _draw_image(ax: Axes, findings: Findings, bounds: Bounds) -> None:
    rows, columns = findings.mammogram.pixels.shape
    row_min, col_min, row_max, col_max = bounds
    seen = (max(row_min, 0), max(col_min, 0), min(row_max, rows), min(col_max, columns))
    stored = findings.mammogram.pixels[seen[0] : seen[2], seen[1] : seen[3]]
    shown = display_of(findings.mammogram, findings.scene).shown(stored, seen)
    extent = (seen[1] - 0.5, seen[3] - 0.5, seen[2] - 0.5, seen[0] - 0.5)
    low, high = float(np.percentile(shown, 1.0)), float(shown.max())
    ax.imshow(shown, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bicubic")
    ax.set(xlim=(col_min - 0.5, col_max - 0.5), ylim=(row_max - 0.5, row_min - 0.5), aspect="equal")
    ax.set_facecolor("black")
    ax.tick_params(labelsize=8)


def _draw_company(ax: Axes, findings: Findings, k: int, bounds: Bounds) -> None:
    """Outlines, the calcification's own heavier, and the chain that it belongs to."""
    boxes = findings.regions.bounds + np.tile(findings.scene.origin, 2)
    inside = (
        (boxes[:, 2] > bounds[0])
        & (boxes[:, 0] < bounds[2])
        & (boxes[:, 3] > bounds[1])
        & (boxes[:, 1] < bounds[3])
    )
    for other in np.flatnonzero(inside).tolist():
        polygon = findings.outline(other + 1, 0.8)
        colour = hexadecimal(LABEL_COLOURS[str(findings.classification.label[other])])
        ax.fill(
            polygon[:, 1], polygon[:, 0], fill=False, edgecolor=colour, linewidth=1.8 if other == k else 0.7
        )
    chain = int(findings.arrangement.columns["chain_id"][k])
    if chain:
        curve = findings.arrangement.chains[chain - 1]
        ax.plot(curve[:, 1], curve[:, 0], color=_QUIET, linewidth=1.0, linestyle=(0, (6, 4)))


def _draw_form(ax: Axes, findings: Findings, k: int) -> None:
    columns = {name: float(values[k]) for name, values in findings.measurements.columns.items()}
    if math.isfinite(columns["wall_thickness_mm"]) and columns["lucency"] > 0:
        _draw_rim(ax, columns, findings.mammogram.pixel_spacing_mm)
    elif columns["elongation"] >= _AXIS_ELONGATION:
        _draw_axis(ax, findings, k, columns)
    elif math.isfinite(columns["diameter_mm"]):
        _draw_diameter(ax, columns, findings.mammogram.pixel_spacing_mm)


def _draw_axis(ax: Axes, findings: Findings, k: int, columns: dict[str, float]) -> None:
    """The axis with its length, both sides half a calibre away from it, and the calibre across its middle."""
    line = axis_of(findings, k)
    half = 0.5 * columns["width_mm"] / findings.mammogram.pixel_spacing_mm
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    ax.plot(line[:, 1], line[:, 0], color=_AXIS, linewidth=1.3)
    for side in (-half, half):
        wall = line + side * normal
        ax.plot(wall[:, 1], wall[:, 0], color=_CALIBRE, linewidth=0.9, linestyle=(0, (4, 3)))
    middle = len(line) // 2
    ends = line[middle] + np.array([[-half], [half]]) * normal[middle]
    ax.plot(ends[:, 1], ends[:, 0], color=_CALIBRE, linewidth=2.0, marker="o", markersize=3)
    _note(ax, line[0], f"length {columns['length_mm']:.2f} mm", _AXIS)
    _note(ax, ends[1], f"calibre {columns['width_mm']:.2f} mm", _CALIBRE)


def _draw_rim(ax: Axes, columns: dict[str, float], spacing_mm: float) -> None:
    """Outer and inner edge of the wall as ellipses of the measured length and calibre."""
    from matplotlib.patches import Ellipse

    wall = columns["wall_thickness_mm"]
    centre = np.array([columns["row"], columns["col"]])
    for inward, style in ((0.0, "-"), (wall, (0, (4, 3)))):
        sides = [max(columns[name] - 2 * inward, 0.0) / spacing_mm for name in ("length_mm", "width_mm")]
        ax.add_patch(
            Ellipse(
                (centre[1], centre[0]), *sides, angle=-columns["orientation_deg"], fill=False, edgecolor=_RIM,
                linewidth=1.3, linestyle=style,
            )
        )  # fmt: skip
    half = 0.5 * columns["length_mm"] / spacing_mm
    angle = math.radians(columns["orientation_deg"])
    end = centre + half * np.array([-math.sin(angle), math.cos(angle)])
    inner = centre + (half - wall / spacing_mm) * np.array([-math.sin(angle), math.cos(angle)])
    ax.plot([end[1], inner[1]], [end[0], inner[0]], color=_CALIBRE, linewidth=2.0, marker="o", markersize=3)
    closed = f", closed over {columns['ring_closure']:.0%}" if math.isfinite(columns["ring_closure"]) else ""
    _note(ax, end, f"wall {wall:.2f} mm{closed}", _RIM)


def _draw_diameter(ax: Axes, columns: dict[str, float], spacing_mm: float) -> None:
    from matplotlib.patches import Circle

    radius = 0.5 * columns["diameter_mm"] / spacing_mm
    row, col = columns["row"], columns["col"]
    ax.add_patch(
        Circle((col, row), radius, fill=False, edgecolor=_CALIBRE, linewidth=1.1, linestyle=(0, (4, 3)))
    )
    ax.plot([col - radius, col + radius], [row, row], color=_CALIBRE, linewidth=1.5)
    _note(ax, np.array([row, col + radius]), f"diameter {columns['diameter_mm']:.2f} mm", _CALIBRE)


def _draw_way_to_nipple(ax: Axes, findings: Findings, bounds: Bounds) -> None:
    """An arrow in the corner that points to the nipple."""
    nipple = findings.scene.anatomy.nipple
    if nipple is None:
        return
    side = bounds[2] - bounds[0]
    start = np.array([bounds[0] + 0.09 * side, bounds[1] + 0.09 * side])
    way = np.asarray(nipple, np.float64) - start
    end = start + 0.07 * side * way / max(float(np.linalg.norm(way)), 1e-9)
    arrow = {"arrowstyle": "->", "color": _QUIET}
    ax.annotate("", (end[1], end[0]), (start[1], start[0]), arrowprops=arrow)
    ax.text(start[1] + 0.08 * side, start[0], "to the nipple", color=_QUIET, fontsize=8, va="center")


def _draw_scale_bar(ax: Axes, spacing_mm: float, bounds: Bounds) -> None:
    side = bounds[3] - bounds[1]
    length_mm = max((mm for mm in (0.5, 1.0, 2.0, 5.0) if mm <= 0.3 * side * spacing_mm), default=0.5)
    left, row = bounds[1] + 0.05 * side, bounds[2] - 0.05 * side
    right = left + length_mm / spacing_mm
    ax.plot([left, right], [row, row], color="0.9", linewidth=2, marker="|", markersize=9)
    ax.text((left + right) / 2, row - 0.02 * side, f"{length_mm:g} mm", color="0.9", fontsize=9, ha="center")


def _note(ax: Axes, at: Points, text: str, colour: str) -> None:
    box = {"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 1.5}
    ax.annotate(
        text, (at[1], at[0]), xytext=(7, 7), textcoords="offset points", color=colour, fontsize=9, bbox=box,
        annotation_clip=False,
    )  # fmt: skip


def _values(findings: Findings, k: int) -> list[str]:
    """What was measured, two to a line."""
    from mammocalc.measure.features import FEATURES

    cells = []
    for name in _SHOWN:
        value = float(findings.measurements.columns[name][k])
        unit = FEATURES[name].unit
        shown = "not measurable" if math.isnan(value) else f"{value:.3g} {unit}".strip()
        cells.append(f"{name} {shown}")
    return [f"{left:46s}{right}" for left, right in zip(cells[::2], cells[1::2], strict=True)]
