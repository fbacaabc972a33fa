"""The overlay picture of an image: the breast in grey, outlines coloured by label, legend, scale bar, details."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mammocalc.write.captions import Extent, Room, around
from mammocalc.write.display import Bounds, Display, breast_bounds, display_of
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, NIPPLE_COLOUR, Colour, words
from mammocalc.write.png import png_bytes

if TYPE_CHECKING:
    from mammocalc.findings import Findings

Canvas = NDArray[np.uint8]

LONGEST_SIDE = 2000
LARGEST_MAGNIFICATION = 2.0
PANEL_WIDTH = 640
NOTICE = "Research software, not a medical device"

_INK: Colour = (0xE6, 0xE6, 0xE6)
# One level for all colours: to spread three of them over a large canvas takes as long as to draw on it.
_SHADE = 0x18
# An outline runs this many pixels of the picture outside its calcification, which stays visible.
_OUTLINE_DISTANCE = 4.5
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# cv2 takes sub-pixel positions as integers with this many fractional bits.
_FRACTION_BITS = 4
_DETAIL_SIDE = 300
_DETAIL_GAP = 12
_DETAIL_LARGEST_MM = 30.0
_LETTERS = "ABCDEF"
_LEGEND_TOP, _LEGEND_STEP = 102, 32


def overlay_name(path: str, frame: int = 0) -> str:
    """File name of the overlay of an input: readable, unique to `path` and `frame`, safe on every file system.

    Parameters
    ----------
    path : str
        As it stands in the column ``path`` of the tables.
    frame : int
        0-based.
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", path).strip("._")[-80:]
    key = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{key}{f'-frame{frame}' if frame else ''}.png"


@dataclass(frozen=True)
class _View:
    """Where stored positions lie on a canvas: the part of the image shown, and its magnification."""

    bounds: Bounds
    scale: float

    def points(self, row_col: NDArray[Any]) -> NDArray[np.int32]:
        """Stored (row, col) as fixed-point (x, y) of the canvas, pixel centres on pixel centres."""
        at = (np.asarray(row_col, np.float64) - self.bounds[:2] + 0.5) * self.scale - 0.5
        return np.rint(at[:, ::-1] * (1 << _FRACTION_BITS)).astype(np.int32)

    def place(self, row: float, col: float) -> tuple[int, int]:
        """Whole (x, y) of the canvas."""
        x, y = self.points(np.array([[row, col]]))[0] >> _FRACTION_BITS
        return int(x), int(y)


def draw_overlay(findings: Findings) -> Canvas:
    """Draw the overlay picture.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green, blue. The breast's bounding box at the left, at most `LONGEST_SIDE` pixels high or wide; legend and
        magnified details at the right.
    """
    display, view = _display_and_view(findings, LONGEST_SIDE)
    details = list(_detail_bounds(findings))
    grey = _grey_picture(findings, display, view)
    height, width = grey.shape
    canvas = np.empty((max(height, _panel_height(findings, len(details))), width + PANEL_WIDTH, 3), np.uint8)
    canvas[height:, :width] = 0
    canvas[:, width:] = _SHADE
    _draw_breast(canvas[:height, :width], grey, findings, view, details)
    _draw_panel(canvas[:, width:], findings, display, details)
    return canvas


def overlay_png(findings: Findings) -> bytes:
    """The overlay picture as a PNG file's bytes, the same for the same findings."""
    return png_bytes(draw_overlay(findings))


def write_overlay(findings: Findings, path: str | os.PathLike[str]) -> Path:
    """Write the overlay picture as PNG, by temporary file and rename; folders are made."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_bytes(overlay_png(findings))
    temporary.replace(file)
    return file


def draw_preview(findings: Findings, longest_side: int) -> Canvas:
    """Draw a smaller picture without a legend: captions stay readable, and the details fit beside the breast.

    Parameters
    ----------
    findings : Findings
    longest_side : int
        Of the breast's picture, pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green, blue.
    """
    display, view = _display_and_view(findings, longest_side)
    grey = _grey_picture(findings, display, view)
    height, width = grey.shape
    step = _DETAIL_SIDE + _DETAIL_GAP
    down = max(height // step, 1)
    details = list(_detail_bounds(findings))[: 2 * down]
    across = -(-len(details) // down)
    tall = max(height, _DETAIL_SIDE) if details else height
    canvas = np.full((tall, width + across * step, 3), _SHADE, np.uint8)
    _draw_breast(canvas[:height, :width], grey, findings, view, details)
    for i, bounds in enumerate(details):
        top, left = (i // across) * step, width + _DETAIL_GAP + (i % across) * step
        square = canvas[top : top + _DETAIL_SIDE, left : left + _DETAIL_SIDE]
        _draw_detail(square, findings, display, bounds, _LETTERS[i])
    return canvas


def _display_and_view(findings: Findings, longest_side: int) -> tuple[Display, _View]:
    bounds = breast_bounds(findings.mammogram, findings.scene)
    longest = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    scale = min(longest_side / longest, LARGEST_MAGNIFICATION)
    return display_of(findings.mammogram, findings.scene), _View(bounds, scale)


def _draw_breast(
    picture: Canvas, grey: Canvas, findings: Findings, view: _View, details: Sequence[Bounds]
) -> None:
    """The breast with all that was found, and the frames of its details."""
    cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR, picture)
    _draw_chains(picture, findings, view)
    _draw_clusters(picture, findings, view)
    _draw_outlines(picture, findings, view)
    frames = [(*view.place(*detail[:2]), *view.place(*detail[2:])) for detail in details]
    for left, top, right, bottom in frames:
        cv2.rectangle(picture, (left, top), (right, bottom), _INK, 1)
    _write_captions(picture, findings, view, frames)
    corner = (24, picture.shape[0] - 28)
    _draw_scale_bar(picture, findings.mammogram.pixel_spacing_mm / view.scale, corner)


def _grey_picture(findings: Findings, display: Display, view: _View) -> NDArray[np.uint8]:
    row_min, col_min, row_max, col_max = view.bounds
    stored = findings.mammogram.pixels[row_min:row_max, col_min:col_max]
    if view.scale < 1:
        # Reduced before the grey values are looked up: less to look up, and nothing is rounded twice.
        stored = cv2.resize(stored, None, fx=view.scale, fy=view.scale, interpolation=cv2.INTER_AREA)
        return display.grey(stored, view.bounds)
    grey = display.grey(stored, view.bounds)
    enlarged: NDArray[np.uint8] = cv2.resize(
        grey, None, fx=view.scale, fy=view.scale, interpolation=cv2.INTER_CUBIC
    )
    return enlarged


def _draw_outlines(
    picture: Canvas, findings: Findings, view: _View, among: Sequence[int] | None = None
) -> None:
    """Outline all calcifications, or the rows `among`, a little outside; suspicious ones heavier."""
    distance_px = _OUTLINE_DISTANCE / view.scale
    by_style: dict[tuple[Colour, int], list[NDArray[np.int32]]] = {}
    label, suspicion = findings.classification.label, findings.classification.suspicion
    for k in range(len(findings)) if among is None else among:
        style = (LABEL_COLOURS[str(label[k])], 3 if suspicion[k] == "suspicious" else 2)
        polygon = view.points(findings.outline(k + 1, distance_px))
        by_style.setdefault(style, []).append(polygon)
    for (pen, thickness), polygons in by_style.items():
        cv2.polylines(picture, polygons, True, pen, thickness, cv2.LINE_AA, _FRACTION_BITS)


def chain_label(findings: Findings, number: int) -> str:
    """The label that most members of a chain have; `number` counts from 1."""
    members = findings.arrangement.columns["chain_id"] == number
    names, counts = np.unique(findings.classification.label[members], return_counts=True)
    return str(names[counts.argmax()]) if len(names) else "unclassified"


def _draw_chains(picture: Canvas, findings: Findings, view: _View) -> None:
    curves = findings.arrangement.chains
    for number, curve in enumerate(curves, 1):
        pen = LABEL_COLOURS[chain_label(findings, number)]
        cv2.polylines(picture, [view.points(curve)], False, pen, 1, cv2.LINE_AA, _FRACTION_BITS)


def _write_captions(
    picture: Canvas, findings: Findings, view: _View, frames: Sequence[tuple[int, int, int, int]]
) -> None:
    """Details, clusters, nipple and chains by name, over everything else."""
    room = Room(picture.shape[1], picture.shape[0], _mark_boxes(findings, view))
    for letter, (left, top, right, bottom) in zip(_LETTERS, frames, strict=False):
        corners = [(x, y) for y in (top + 16, bottom) for x in (right + 6, left - 20)]
        _caption(picture, room, letter, corners, 0.7, _INK)
    suspicion = findings.classification.cluster_suspicion
    for place in sorted(range(len(suspicion)), key=lambda k: bool(suspicion[k] != "suspicious")):
        hull = view.points(cluster_hull(findings, place)) >> _FRACTION_BITS
        top, bottom = hull[hull[:, 1].argmin()], hull[hull[:, 1].argmax()]
        caption = cluster_caption(findings, place)
        _caption(picture, room, caption, _beside((top, bottom), caption, 0.55), 0.55, CLUSTER_COLOUR)
    nipple = findings.scene.anatomy.nipple
    if nipple is not None:
        x, y = view.place(*nipple)
        cv2.circle(picture, (x, y), 14, NIPPLE_COLOUR, 1, cv2.LINE_AA)
        _caption(picture, room, "nipple", [(x - 24, y + 32), (x - 24, y - 22)], 0.5, NIPPLE_COLOUR)
    for number, curve in enumerate(findings.arrangement.chains, 1):
        pixels = float(np.hypot(*np.diff(curve, axis=0).T).sum())
        caption = f"track {number}: {pixels * findings.mammogram.pixel_spacing_mm:.0f} mm"
        ends = [view.place(*curve[k]) for k in (0, -1, len(curve) // 2)]
        _caption(picture, room, caption, _beside(ends, caption, 0.55), 0.55, _INK, is_needed=False)


def _caption(
    picture: Canvas,
    room: Room,
    text: str,
    places: Sequence[tuple[float, float]],
    size: float,
    colour: Colour,
    is_needed: bool = True,
) -> None:
    """A text at the best of its places, or none."""
    place = room.take(places, _extent(text, size), is_needed=is_needed)
    if place is not None:
        _write(picture, text, place, size, colour)


def _beside(points: Iterable[tuple[int, int]], text: str, size: float) -> list[tuple[float, float]]:
    """Places of a text at any of some points."""
    return [place for x, y in points for place in around(float(x), float(y), _extent(text, size), 20.0)]


def _extent(text: str, size: float) -> Extent:
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    return Extent(width, height, below)


def _mark_boxes(findings: Findings, view: _View) -> NDArray[np.float64]:
    """Left, top, right and bottom of every outline on the picture."""
    corners = (findings.regions.bounds + np.tile(findings.scene.origin, 2)).reshape(-1, 2) - 0.5
    boxes = view.points(corners).reshape(-1, 4) / (1 << _FRACTION_BITS)
    grown: NDArray[np.float64] = boxes + _OUTLINE_DISTANCE * np.array([-1, -1, 1, 1])
    return grown


def cluster_hull(findings: Findings, place: int, margin_mm: float = 1.5) -> NDArray[np.float64]:
    """The convex hull of a cluster's members with a rounded margin, as a closed polygon.

    Parameters
    ----------
    findings : Findings
    place : int
        Row in the table of clusters, 0-based.
    margin_mm : float

    Returns
    -------
    ndarray of float64, shape (k, 2)
        (row, col) of stored pixels.
    """
    members = np.flatnonzero(
        findings.arrangement.columns["cluster_id"] == findings.arrangement.clusters["cluster_id"][place]
    )
    columns = findings.measurements.columns
    margin = margin_mm / findings.mammogram.pixel_spacing_mm
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = margin * np.column_stack((np.sin(angle), np.cos(angle)))
    around = (np.column_stack((columns["row"][members], columns["col"][members]))[:, None] + ring).reshape(
        -1, 2
    )
    hull: NDArray[np.float64] = cv2.convexHull(around.astype(np.float32))[:, 0].astype(np.float64)
    return hull


def cluster_caption(findings: Findings, place: int) -> str:
    """What a picture says of a cluster, e.g. "cluster 2: 14, grouped, fine pleomorphic"."""
    clusters = findings.arrangement.clusters
    number, count = int(clusters["cluster_id"][place]), int(clusters["n_calcifications"][place])
    morphology = words(str(findings.classification.cluster_morphology[place]))
    return f"cluster {number}: {count}, {clusters['distribution'][place]}, {morphology}"


def _draw_clusters(picture: Canvas, findings: Findings, view: _View) -> None:
    for place in range(len(findings.arrangement.clusters["cluster_id"])):
        points = view.points(cluster_hull(findings, place))
        suspicious = findings.classification.cluster_suspicion[place] == "suspicious"
        thickness = 2 if suspicious else 1
        cv2.polylines(picture, [points], True, CLUSTER_COLOUR, thickness, cv2.LINE_AA, _FRACTION_BITS)


def _write(canvas: Canvas, text: str, origin: tuple[int, int], size: float, colour: Colour) -> None:
    """Text with a dark halo, moved so that it stays on the canvas; `origin` is its lower left corner."""
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    x = max(min(origin[0], canvas.shape[1] - width - 4), 4)
    y = max(min(origin[1], canvas.shape[0] - below - 2), height + 4)
    # Shifted copies, not a thicker pen: newer versions of cv2 have wider letters for a thicker pen.
    for right, down in ((-1, -1), (-1, 1), (1, -1), (1, 1), (2, 0), (-2, 0), (0, 2), (0, -2)):
        cv2.putText(canvas, text, (x + right, y + down), _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), _FONT, size, colour, 1, cv2.LINE_AA)


def _draw_scale_bar(
    canvas: Canvas, mm_per_pixel: float, corner: tuple[int, int], share: float = 0.25
) -> None:
    """A scale bar of a round length, at most `share` of the canvas wide; `corner` is its left end."""
    most = share * canvas.shape[1] * mm_per_pixel
    length_mm = max((mm for mm in (0.5, 1, 2, 5, 10, 20, 50) if mm <= most), default=0.5)
    x, y = corner
    right = x + round(length_mm / mm_per_pixel)
    for colour, thickness in (((0, 0, 0), 6), (_INK, 2)):
        cv2.line(canvas, (x, y), (right, y), colour, thickness)
        for end in (x, right):
            cv2.line(canvas, (end, y - 6), (end, y + 6), colour, thickness)
    _write(canvas, f"{length_mm:g} mm", (x, y - 12), 0.55, _INK)


def _detail_bounds(findings: Findings) -> Iterator[Bounds]:
    """Squares worth a closer look: clusters, suspicious ones first, then what lies outside them, surest first."""
    spacing = findings.mammogram.pixel_spacing_mm
    classification = findings.classification
    shown = np.zeros(len(findings), np.bool_)
    found: list[Bounds] = []
    extent_mm = findings.arrangement.clusters["extent_mm"]
    order = sorted(
        np.flatnonzero(extent_mm <= _DETAIL_LARGEST_MM).tolist(),
        key=lambda place: (
            classification.cluster_suspicion[place] != "suspicious",
            -int(findings.arrangement.clusters["n_calcifications"][place]),
        ),
    )
    cluster_id = findings.arrangement.columns["cluster_id"]
    for place in order:
        members = np.flatnonzero(cluster_id == findings.arrangement.clusters["cluster_id"][place])
        found.append(_square(findings, members, 1.5 / spacing))
        shown[members] = True
    columns = findings.measurements.columns
    row, col = columns["row"], columns["col"]
    for k in np.lexsort((-columns["score"], classification.suspicion != "suspicious")):
        if len(found) >= len(_LETTERS):
            break
        if not shown[k]:
            near = np.hypot(row - row[k], col - col[k]) < 5.0 / spacing
            found.append(_square(findings, np.flatnonzero(near & ~shown), 1.5 / spacing))
            shown |= near
    yield from found[: len(_LETTERS)]


def _square(findings: Findings, members: NDArray[np.intp], margin: float) -> Bounds:
    """The smallest square around calcifications with a margin, of limited width, moved into the image."""
    corner = np.asarray(findings.scene.origin)
    bounds = findings.regions.bounds[members]
    low, high = bounds[:, :2].min(axis=0) + corner - margin, bounds[:, 2:].max(axis=0) + corner + margin
    rows, columns = findings.mammogram.pixels.shape
    largest = _DETAIL_LARGEST_MM / findings.mammogram.pixel_spacing_mm
    side = round(min(float((high - low).max()), largest, rows, columns))
    middle = (low + high) / 2
    top = int(np.clip(round(middle[0] - side / 2), 0, rows - side))
    left = int(np.clip(round(middle[1] - side / 2), 0, columns - side))
    return top, left, top + side, left + side


def _draw_detail(canvas: Canvas, findings: Findings, display: Display, bounds: Bounds, letter: str) -> None:
    """A magnified part of the image with its outlines, letter and scale bar, filling the square `canvas`."""
    row_min, col_min, row_max, col_max = bounds
    view = _View(bounds, _DETAIL_SIDE / (row_max - row_min))
    grey = display.grey_of_detail(findings.mammogram.pixels[row_min:row_max, col_min:col_max], bounds)
    way = cv2.INTER_CUBIC if view.scale > 1 else cv2.INTER_AREA
    cv2.cvtColor(
        cv2.resize(grey, (_DETAIL_SIDE, _DETAIL_SIDE), interpolation=way), cv2.COLOR_GRAY2BGR, canvas
    )
    boxes = findings.regions.bounds + np.tile(findings.scene.origin, 2)
    inside = (
        (boxes[:, 2] > row_min) & (boxes[:, 0] < row_max) & (boxes[:, 3] > col_min) & (boxes[:, 1] < col_max)
    )
    _draw_outlines(canvas, findings, view, np.flatnonzero(inside).tolist())
    cv2.rectangle(canvas, (0, 0), (_DETAIL_SIDE - 1, _DETAIL_SIDE - 1), _INK, 1)
    _write(canvas, letter, (8, 24), 0.7, _INK)
    _draw_scale_bar(canvas, findings.mammogram.pixel_spacing_mm / view.scale, (12, _DETAIL_SIDE - 14))


def _legend(findings: Findings) -> list[tuple[str, int, bool]]:
    """Label, count, and whether any is suspicious, in the order of the palette."""
    label, suspicion = findings.classification.label, findings.classification.suspicion
    found = []
    for name in LABEL_COLOURS:
        members = label == name
        if members.any():
            found.append((name, int(members.sum()), bool((suspicion[members] == "suspicious").any())))
    return found


def _panel_height(findings: Findings, details: int) -> int:
    return _details_top(len(_legend(findings))) + (details + 1) // 2 * (_DETAIL_SIDE + _DETAIL_GAP)


def _details_top(labels: int) -> int:
    return _LEGEND_TOP + labels * _LEGEND_STEP + 34


def _draw_panel(panel: Canvas, findings: Findings, display: Display, details: Sequence[Bounds]) -> None:
    """View, counts, legend, and the details two by two."""
    image = findings.mammogram
    view = " ".join(word for word in (image.laterality, image.view, *image.view_modifiers) if word)
    clusters = len(findings.arrangement.clusters["cluster_id"])
    counts = f"pixel {image.pixel_spacing_mm:.4g} mm; calcifications {len(findings)}; clusters {clusters}"
    _write(panel, view or "view not stated", (_DETAIL_GAP, 40), 0.65, _INK)
    _write(panel, counts, (_DETAIL_GAP, 70), 0.55, _INK)
    y = _LEGEND_TOP
    for name, count, suspicious in _legend(findings):
        middle = (_DETAIL_GAP + 10, y - 6)
        cv2.circle(panel, middle, 9, LABEL_COLOURS[name], 4 if suspicious else 2, cv2.LINE_AA)
        _write(panel, f"{words(name)}  {count}", (_DETAIL_GAP + 34, y), 0.6, _INK)
        y += _LEGEND_STEP
    _write(panel, NOTICE, (_DETAIL_GAP, y), 0.5, NIPPLE_COLOUR)
    for i, bounds in enumerate(details):
        top = _details_top(len(_legend(findings))) + (i // 2) * (_DETAIL_SIDE + _DETAIL_GAP)
        left = _DETAIL_GAP + (i % 2) * (_DETAIL_SIDE + _DETAIL_GAP)
        square = panel[top : top + _DETAIL_SIDE, left : left + _DETAIL_SIDE]
        _draw_detail(square, findings, display, bounds, _LETTERS[i])
