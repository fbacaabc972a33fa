"""One image as a page shows it: a picture of the breast in full resolution, what was found as vectors and text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mammocalc.write.display import Bounds, Display, breast_bounds, display_of
from mammocalc.write.html.document import as_json
from mammocalc.write.html.trace import Texts, traces
from mammocalc.write.overlay import chain_label, cluster_caption, cluster_hull
from mammocalc.write.palette import LABEL_COLOURS
from mammocalc.write.tables import CALCIFICATIONS

if TYPE_CHECKING:
    from mammocalc.findings import Findings

# Four views are to fit into 15 MB of text; the rest of a view's share is for what was found in it.
VIEW_BYTES = 3_680_000
LEAST_PICTURE_BYTES = 1_000_000
# Whose rules are told of condition by condition.
TOLD_IN_FULL = 500
_QUALITIES = (95, 92, 86, 80, 72, 64, 55, 45, 35, 25, 15)
_THUMBNAIL_SIDE = 220
# Room for another window below and above the one that is shown first, as shares of it.
_BELOW, _ABOVE = 0.05, 0.2
WINDOW = (_BELOW / (1 + _BELOW + _ABOVE), (1 + _BELOW) / (1 + _BELOW + _ABOVE))
"""Shares of the picture's grey range that are shown as black and as white at first."""

MEASURES = (
    "length_mm", "width_mm", "elongation", "diameter_mm", "area_mm2", "lucency", "ring_closure", "contrast", "cnr",
    "edge_width_mm", "circularity", "solidity", "straightness", "branches", "orientation_deg", "nipple_angle_deg",
    "skin_distance_mm", "nipple_distance_mm", "vessel_fraction", "margin",
)  # fmt: skip
"""Columns of the table of calcifications whose values a page states."""


class View(NamedTuple):
    """What a page needs of an image.

    Attributes
    ----------
    description : bytes
        JSON: positions are (x, y) of the picture, in its pixels, (0, 0) at the upper left corner of the first one.
    picture, thumbnail : bytes
        JPEG, grey; the thumbnail is in colour.
    """

    description: bytes
    picture: bytes
    thumbnail: bytes


class _Place:
    """Where stored positions lie on the picture."""

    def __init__(self, bounds: Bounds, mirrored: bool) -> None:
        self._bounds = bounds
        self._mirrored = mirrored
        self.height, self.width = bounds[2] - bounds[0], bounds[3] - bounds[1]

    def points(self, row_col: NDArray[Any]) -> NDArray[np.float64]:
        """(row, col) of stored pixels, shape (k, 2), as (x, y) of the picture."""
        at = np.asarray(row_col, np.float64)[:, ::-1] - (self._bounds[1], self._bounds[0]) + 0.5
        if self._mirrored:
            at[:, 0] = self.width - at[:, 0]
        return at

    def point(self, row: float, col: float) -> list[float]:
        """One of them."""
        return _short(self.points(np.array([[row, col]]))[0])

    def path(self, row_col: NDArray[Any], closed: bool = True) -> str:
        """A polygon or a curve as the data of an SVG path."""
        pairs = (f"{_number(x)} {_number(y)}" for x, y in self.points(row_col))
        return f"M{'L'.join(pairs)}{'Z' if closed else ''}"


def view_of_findings(findings: Findings) -> View:
    """What a page needs of an image that was searched."""
    bounds = breast_bounds(findings.mammogram, findings.scene)
    mirrored = is_mirrored(findings.mammogram.laterality, findings.scene.anatomy.chest_wall)
    place = _Place(bounds, mirrored)
    description = as_json(_description(findings, place, mirrored))
    grey = _grey(findings, bounds, mirrored)
    room = max(VIEW_BYTES - len(description), LEAST_PICTURE_BYTES)
    return View(description.encode("ascii"), _fitting(grey, room * 3 // 4), _thumbnail(grey, findings, place))


def is_mirrored(laterality: str, chest_wall: str) -> bool:
    """Whether an image has to be mirrored to be hung with the chest wall inwards: the right breast is at the left."""
    return (laterality, chest_wall) in (("R", "left"), ("L", "right"))


def _grey(findings: Findings, bounds: Bounds, mirrored: bool) -> NDArray[np.uint8]:
    shown = display_of(findings.mammogram, findings.scene)
    grey = _wide(shown).grey(findings.mammogram.pixels[bounds[0] : bounds[2], bounds[1] : bounds[3]], bounds)
    return np.ascontiguousarray(grey[:, ::-1]) if mirrored else grey


def _wide(display: Display) -> Display:
    """The same display with room for other windows."""
    span = display.high - display.low
    return dataclasses.replace(display, low=display.low - _BELOW * span, high=display.high + _ABOVE * span)


def _fitting(grey: NDArray[np.uint8], most_bytes: int) -> bytes:
    """The best JPEG of at most so many bytes, or the coarsest."""
    encoded = b""
    for quality in _QUALITIES:
        encoded = _jpeg(grey, quality)
        if len(encoded) <= most_bytes:
            break
    return encoded


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    encoded: bytes = cv2.imencode(".jpg", picture, settings)[1].tobytes()
    return encoded


def _thumbnail(grey: NDArray[np.uint8], findings: Findings, place: _Place) -> bytes:
    """A small picture with a dot in the colour of its label for each calcification."""
    scale = _THUMBNAIL_SIDE / max(grey.shape)
    size = max(round(place.width * scale), 1), max(round(place.height * scale), 1)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = (255 * share for share in WINDOW)
    windowed = np.clip((small - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    canvas = cv2.cvtColor(windowed, cv2.COLOR_GRAY2BGR)
    columns = findings.measurements.columns
    dots = np.rint(place.points(np.column_stack((columns["row"], columns["col"]))) * scale).astype(int)
    for (x, y), label in zip(dots.tolist(), findings.classification.label, strict=True):
        cv2.circle(canvas, (x, y), 2, LABEL_COLOURS[str(label)][::-1], -1, cv2.LINE_AA)
    return _jpeg(canvas, 80)


def _description(findings: Findings, place: _Place, mirrored: bool) -> dict[str, Any]:
    image, nipple = findings.mammogram, findings.scene.anatomy.nipple
    texts = Texts()
    return {
        "width": place.width,
        "height": place.height,
        "mirrored": mirrored,
        "chest_wall": findings.scene.anatomy.chest_wall,
        "modifiers": list(image.view_modifiers),
        "nipple": place.point(*nipple) if nipple is not None else None,
        "calcifications": list(_calcifications(findings, place, texts)),
        "clusters": list(_clusters(findings, place)),
        "tracks": list(_tracks(findings, place)),
        "texts": texts.all(),
    }


def _calcifications(findings: Findings, place: _Place, texts: Texts) -> Iterable[dict[str, Any]]:
    table = findings.record()["calcifications"]
    why = traces(findings, texts, TOLD_IN_FULL)
    for k in range(len(findings)):
        corners = np.array(
            [[table["row_min"][k], table["col_min"][k]], [table["row_max"][k], table["col_max"][k]]]
        )
        box = np.sort(place.points(corners - 0.5), axis=0)
        yield {
            "id": k + 1,
            "label": str(table["label"][k]),
            "suspicion": str(table["suspicion"][k]),
            "score": round(float(table["score"][k]), 3),
            "row": round(float(table["row"][k]), 1),
            "col": round(float(table["col"][k]), 1),
            "at": place.point(table["row"][k], table["col"][k]),
            "box": _short(box.ravel()),
            "path": place.path(findings.outline(k + 1)),
            "track": int(table["chain_id"][k]),
            "cluster": int(table["cluster_id"][k]),
            "measures": [_figure(table[name][k]) for name in MEASURES],
            "why": why[k],
        }


def _clusters(findings: Findings, place: _Place) -> Iterable[dict[str, Any]]:
    clusters = findings.arrangement.clusters
    for number in range(len(clusters["cluster_id"])):
        hull = cluster_hull(findings, number)
        top = place.points(hull)
        yield {
            "id": int(clusters["cluster_id"][number]),
            "caption": cluster_caption(findings, number),
            "suspicion": str(findings.classification.cluster_suspicion[number]),
            "extent_mm": _figure(clusters["extent_mm"][number]),
            "density_per_cm2": _figure(clusters["density_per_cm2"][number]),
            "at": _short(top[top[:, 1].argmin()]),
            "path": place.path(hull),
        }


def _tracks(findings: Findings, place: _Place) -> Iterable[dict[str, Any]]:
    for number, curve in enumerate(findings.arrangement.chains, 1):
        pixels = float(np.hypot(*np.diff(curve, axis=0).T).sum())
        yield {
            "id": number,
            "caption": f"track {number}: {pixels * findings.mammogram.pixel_spacing_mm:.0f} mm",
            "label": chain_label(findings, number),
            "at": place.point(*curve[0]),
            "path": place.path(curve, closed=False),
        }


def measures() -> list[dict[str, str]]:
    """Name, unit and meaning of `MEASURES`."""
    column = {column.name: column for column in CALCIFICATIONS}
    return [{"name": name, "unit": column[name].unit, "meaning": column[name].meaning} for name in MEASURES]


def _figure(value: Any) -> float | None:
    """A measured value to four digits; None where there is none."""
    return float(f"{float(value):.4g}") if np.isfinite(float(value)) else None


def _short(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 2) for value in values]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
