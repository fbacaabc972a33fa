"""Breasts without tissue, and candidates put into them by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mammocalc.measure.features import FEATURES
from mammocalc.measure.measurements import Measurements
from mammocalc.prepare.scene import Anatomy, Scene

SPACING_MM = 0.1
ROWS, COLUMNS = 1500, 1000
WHOLE = ("row_min", "col_min", "row_max", "col_max")

SPECK = {
    "length_mm": 0.3,
    "width_mm": 0.3,
    "elongation": 1.0,
    "straightness": 1.0,
    "width_variation": 0.05,
    "diameter_mm": 0.3,
    "orientation_deg": 0.0,
    "lucency": 0.0,
    "ring_closure": 0.0,
    "skin_distance_mm": 30.0,
    "cnr": 10.0,
    "circularity": 0.98,
    "irregularity": 0.0,
    "edge_width_mm": 0.1,
    "flatness": 0.4,
    "score": 0.9,
}


class Candidates:
    """Collects candidates by position in mm and hands them over as columns."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def speck(self, y_mm: float, x_mm: float, **features: float) -> int:
        """One candidate at (y, x) in mm of the stored image; returns its row."""
        self.rows.append({**SPECK, **features, "row": y_mm / SPACING_MM, "col": x_mm / SPACING_MM})
        return len(self.rows) - 1

    def strand(
        self,
        y_mm: float,
        x_mm: float,
        angle_deg: float,
        length_mm: float,
        width_mm: float = 0.3,
        **features: float,
    ) -> int:
        """One elongated candidate; the angle is counter-clockwise as displayed, from the +column axis."""
        folded = (angle_deg + 90) % 180 - 90
        form = {
            "length_mm": length_mm,
            "width_mm": width_mm,
            "elongation": length_mm / width_mm,
            "orientation_deg": folded,
            "width_variation": 0.35,
            "diameter_mm": math.sqrt(length_mm * width_mm * 4 / math.pi),
        }
        return self.speck(y_mm, x_mm, **{**form, **features})

    def wall(
        self, line: np.ndarray, offset_mm: float, rng: np.random.Generator, **features: float
    ) -> list[int]:
        """Strands of 1 to 2.5 mm with gaps of 0.4 to 1.5 mm along a polyline (y, x) in mm, moved sideways."""
        step = np.linalg.norm(np.diff(line, axis=0), axis=1)
        arc = np.concatenate([[0.0], np.cumsum(step)])
        made, at = [], 0.3 * float(rng.random())
        while True:
            length = float(rng.uniform(1.0, 2.5))
            if at + length > arc[-1]:
                return made
            (y0, y1), (x0, x1) = (np.interp([at, at + length], arc, line[:, k]) for k in (0, 1))
            tangent = np.array([y1 - y0, x1 - x0]) / math.hypot(y1 - y0, x1 - x0)
            y = 0.5 * (y0 + y1) - offset_mm * tangent[1]
            x = 0.5 * (x0 + x1) + offset_mm * tangent[0]
            angle = math.degrees(math.atan2(-tangent[0], tangent[1]))
            made.append(self.strand(y, x, angle + float(rng.normal(0, 4)), length, **features))
            at += length + float(rng.uniform(0.4, 1.5))

    def draw(self, plane: np.ndarray) -> None:
        """Add every strand to a plane, well above its noise."""
        import cv2

        for row in self.rows:
            half_px = 0.5 * row["length_mm"] / SPACING_MM
            if not half_px > 5:
                continue
            angle = math.radians(row["orientation_deg"])
            along = half_px * np.array([math.cos(angle), -math.sin(angle)])
            centre = np.array([row["col"], row["row"]])
            ends = [tuple(map(int, np.round(centre + sign * along))) for sign in (-1, 1)]
            body = np.zeros(plane.shape, np.float32)
            cv2.line(body, *ends, 30.0, max(1, round(row["width_mm"] / SPACING_MM)))
            plane += body

    def measurements(self) -> Measurements:
        """All of them, with every column of the catalogue."""
        columns: dict[str, Any] = {}
        for name in FEATURES:
            values = np.array([row.get(name, math.nan) for row in self.rows], np.float64)
            columns[name] = np.nan_to_num(values).astype(np.int64) if name in WHOLE else values
        return Measurements(columns, 0.05)


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


@pytest.fixture
def make_scene(candidates: Candidates) -> Callable[..., Scene]:
    """A flat breast of 150 x 100 mm with unit noise and the strands put in so far, drawn as straight bars.

    `vessel` (y, x in mm) lays a soft ridge into it.
    """

    def make(
        chest_wall: str = "left",
        vessel: np.ndarray | None = None,
        vessel_width_mm: float = 1.6,
        vessel_height: float = 3.0,
        nipple: bool = True,
    ) -> Scene:
        rng = np.random.default_rng(7)
        plane = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32) + np.float32(100.0)
        if vessel is not None:
            import cv2

            line = np.zeros((ROWS, COLUMNS), np.uint8)
            corners = np.round(vessel[:, ::-1] / SPACING_MM).astype(np.int32)
            cv2.polylines(line, [corners], False, 1)
            away = cv2.distanceTransform(1 - line, cv2.DIST_L2, 5) * SPACING_MM
            plane += vessel_height * np.sqrt(np.maximum(0.0, 1 - (2 * away / vessel_width_mm) ** 2)).astype(
                np.float32
            )
        candidates.draw(plane)
        step = 5
        cells = (ROWS // step, COLUMNS // step)
        anatomy = Anatomy(
            step=step,
            breast=np.ones(cells, np.bool_),
            pectoral=np.zeros(cells, np.bool_),
            foreign=np.zeros(cells, np.bool_),
            skin_distance_mm=np.full(cells, 30.0, np.float32),
            nipple=(ROWS / 2, COLUMNS - 10.0 if chest_wall == "left" else 10.0) if nipple else None,
            chest_wall="left" if chest_wall == "left" else "right",
            breast_area_mm2=ROWS * COLUMNS * SPACING_MM**2,
        )
        curve = np.array([0.0, 1.0], np.float32)
        noise = np.array([0.0, 1.0])
        return Scene(plane, (0, 0), SPACING_MM, anatomy, curve, curve, curve, noise, noise)

    return make


def _winding(start: tuple[float, float], angle_deg: float, length_mm: float, bend_deg: float) -> np.ndarray:
    """A polyline (y, x) in mm that bends to and fro by `bend_deg`, 0.25 mm a step."""
    count = int(length_mm / 0.25)
    heading = np.radians(angle_deg + bend_deg * np.sin(np.linspace(0, 2 * np.pi, count)))
    steps = 0.25 * np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    return np.array(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


@pytest.fixture
def winding() -> Callable[..., np.ndarray]:
    """``winding(start, angle_deg, length_mm, bend_deg)``: a polyline (y, x) in mm."""
    return _winding
