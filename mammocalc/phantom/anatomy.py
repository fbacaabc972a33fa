"""The shape of a compressed breast: outline, thickness, nipple, pectoral muscle, ducts.

Everything here is drawn with the chest wall at column 0; right breasts are mirrored at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.curves import STEP_MM, arc_length, normals, piece, stream, winding_curve
from mammocalc.phantom.settings import DETECTORS, PhantomSettings

SKIN_MM = 1.5


@dataclass(frozen=True, eq=False)
class Breast:
    """Shape of one breast, chest wall at column 0.

    Attributes
    ----------
    pitch_mm : float
    skin_distance_mm : ndarray of float64, shape (rows, columns)
        Distance to the skin line, 0 outside.
    thickness_mm : ndarray of float64, same shape
        Length of the beam's path through the breast.
    muscle : ndarray of float64, same shape
        Share of that path inside the pectoral muscle.
    skin_line, muscle_line : ndarray of float64, shape (n, 2)
        (y, x) in mm; `muscle_line` may be empty.
    nipple : ndarray of float64, shape (2,)
        (y, x) in mm.
    ducts : tuple of ndarray
        Polylines from the nipple inwards.
    """

    pitch_mm: float
    skin_distance_mm: NDArray[np.float64]
    thickness_mm: NDArray[np.float64]
    muscle: NDArray[np.float64]
    skin_line: NDArray[np.float64]
    muscle_line: NDArray[np.float64]
    nipple: NDArray[np.float64]
    ducts: tuple[NDArray[np.float64], ...]

    def at(self, plane: NDArray[np.float64], y_mm: float, x_mm: float) -> float:
        """Value of a plane at a position, the nearest pixel's; the edge's beyond the image."""
        row = min(max(round(y_mm / self.pitch_mm), 0), plane.shape[0] - 1)
        column = min(max(round(x_mm / self.pitch_mm), 0), plane.shape[1] - 1)
        return float(plane[row, column])


def make_breast(seed: int, settings: PhantomSettings) -> Breast:
    """Draw the outline and what follows from it."""
    rng = stream(seed, "anatomy")
    pitch = DETECTORS[settings.detector].pixel_spacing_mm
    height, width = settings.rows * pitch, settings.columns * pitch
    outline = _mlo_outline if settings.view == "MLO" else _cc_outline
    line, nipple_index = outline(rng, height, width)
    line = _with_nipple(rng, line, nipple_index, min(height, width))
    nipple = line[nipple_index]
    distance = _skin_distance(line, settings.rows, settings.columns, pitch)
    depth = float(line[:, 1].max())
    rolloff = min(0.5 * settings.thickness_mm, 0.28 * depth) * rng.uniform(0.8, 1.1)
    inner = np.minimum(distance / rolloff, 1.0)
    thickness = settings.thickness_mm * np.sqrt(1.0 - (1.0 - inner) ** 2)
    # The paddle tilts: a little thinner towards the nipple.
    tilt = 1.0 - rng.uniform(0.0, 0.12) * np.arange(settings.columns) * pitch / depth
    thickness *= tilt[None, :]
    muscle_line = np.empty((0, 2))
    muscle = np.zeros_like(thickness)
    if settings.view == "MLO":
        muscle_line = _muscle_line(rng, height, depth)
        muscle = _muscle_share(muscle_line, settings.rows, settings.columns, pitch)
    ducts = _ducts(rng, nipple, line, depth)
    return Breast(pitch, distance, thickness, muscle, line, muscle_line, nipple, ducts)


def _cc_outline(rng: np.random.Generator, height: float, width: float) -> tuple[NDArray[np.float64], int]:
    half = min(0.45 * height, rng.uniform(80, 105))
    depth = min(0.74 * width, rng.uniform(75, 120), 1.25 * half)
    middle = height * rng.uniform(0.48, 0.52)
    power = rng.uniform(1.6, 2.0)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 721)
    wobble = sum(
        rng.normal(0, 0.012 / k) * np.sin(k * angle + rng.uniform(0, 2 * np.pi)) for k in range(1, 6)
    )
    x = depth * np.cos(angle) ** (2 / power) * (1 + wobble)
    y = middle + half * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power) * (1 + wobble)
    nipple = int(360 + rng.integers(-25, 26))
    return np.stack([y, np.maximum(x, 0.0)], axis=1), nipple


def _mlo_outline(rng: np.random.Generator, height: float, width: float) -> tuple[NDArray[np.float64], int]:
    from scipy import ndimage
    from scipy.interpolate import PchipInterpolator

    depth = min(0.76 * width, rng.uniform(80, 125))
    tall = min(height, 2.1 * depth) if height > 2.3 * depth else height
    knots = np.array([-0.3, 0.0, 0.18, 0.38, 0.60, 0.74, 0.86, 0.935, 0.97])
    reach = np.array([0.36, 0.42, 0.58, 0.84, 1.0, 0.93, 0.66, 0.27, 0.0])
    reach[1:-2] *= 1 + rng.normal(0, 0.02, len(reach) - 3)
    reach[4] = 1.0
    y = np.concatenate([np.linspace(-0.3, 0.9, 600), 0.9 + 0.07 * np.sin(np.linspace(0, np.pi / 2, 121))[1:]])
    x = PchipInterpolator(knots, reach)(y)
    # Even points, then no corner sharper than a few centimetres.
    line = np.stack([y * tall, depth * x], axis=1)
    line = piece(line, 0.0, float(arc_length(line)[-1]), 0.5)
    line = ndimage.gaussian_filter1d(line, 0.06 * depth / 0.5, axis=0, mode="nearest")
    line[-1, 1] = 0.0
    return line, int(np.argmin(np.abs(line[:, 0] / tall - 0.60 - rng.uniform(-0.03, 0.03))))


def _with_nipple(
    rng: np.random.Generator, line: NDArray[np.float64], index: int, size: float
) -> NDArray[np.float64]:
    scale = min(1.0, size / 110)
    tall, wide = rng.uniform(1.5, 4.5) * scale, rng.uniform(4.0, 6.0) * max(scale, 0.6)
    away = arc_length(line) - arc_length(line)[index]
    bump = tall * np.exp(-((np.abs(away) / wide) ** 3))
    outward = normals(line)
    if outward[index, 1] < 0:
        outward = -outward
    return line + bump[:, None] * outward


def _skin_distance(line: NDArray[np.float64], rows: int, columns: int, pitch: float) -> NDArray[np.float64]:
    import cv2

    # The breast goes on beyond the image at the chest wall (and at the top of an MLO): only the skin is an edge.
    pad = round(40 / pitch)
    canvas = np.zeros((rows + 2 * pad, columns + pad), np.uint8)
    first, last = line[0].copy(), line[-1].copy()
    first[1], last[1] = -80.0, -80.0
    corners = np.vstack([first, line, last]) / pitch + pad
    cv2.fillPoly(canvas, [np.round(corners[:, ::-1] * 16).astype(np.int32)], 1, shift=4)
    distance = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The mask's edge goes in steps of a pixel, the skin does not.
    distance = np.where(canvas, cv2.GaussianBlur(distance, (0, 0), 1.5), 0.0)
    inside = distance[pad : pad + rows, pad : pad + columns].astype(np.float64)
    return np.ascontiguousarray(np.maximum(inside - 0.5, 0.0) * pitch)


def _muscle_line(rng: np.random.Generator, height: float, depth: float) -> NDArray[np.float64]:
    top, bottom = depth * rng.uniform(0.28, 0.40), height * rng.uniform(0.45, 0.66)
    along = np.linspace(-0.2, 1.0, 121)
    bulge = rng.uniform(0.0, 0.10) * top * np.sin(np.pi * np.clip(along, 0, 1))
    return np.stack([along * bottom, top * (1 - along) + bulge], axis=1)


def _muscle_share(line: NDArray[np.float64], rows: int, columns: int, pitch: float) -> NDArray[np.float64]:
    y = np.arange(rows) * pitch
    edge = np.interp(y, line[:, 0], line[:, 1], right=-20.0)
    slope = np.gradient(edge, pitch)
    steep = 1 / np.sqrt(1 + np.minimum(slope**2, 9.0))
    inward = (edge[:, None] - np.arange(columns)[None, :] * pitch) * steep[:, None]
    # The muscle thickens over a few millimetres behind a sharp fascia.
    return (1.0 - 0.45 * np.exp(-np.maximum(inward, 0.0) / 5.0)) * (0.5 + 0.5 * np.tanh(inward / 0.5))


def _ducts(
    rng: np.random.Generator, nipple: NDArray[np.float64], line: NDArray[np.float64], depth: float
) -> tuple[NDArray[np.float64], ...]:
    inwards = np.array([line[:, 0].mean(), 0.0]) - nipple
    axis = np.arctan2(inwards[0] * 0.4, inwards[1])
    ducts: list[NDArray[np.float64]] = []
    for fan in np.linspace(-1.0, 1.0, 11) + rng.uniform(-0.07, 0.07, 11):
        trunk = winding_curve(rng, tuple(nipple), axis + fan, depth * rng.uniform(0.6, 0.85), 0.02, 12.0)
        ducts.append(trunk)
        for _ in range(2):
            fork = int(len(trunk) * rng.uniform(0.25, 0.6))
            ahead = trunk[fork + 1] - trunk[fork]
            turn = np.arctan2(ahead[0], ahead[1]) + rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.55)
            branch = winding_curve(
                rng, tuple(trunk[fork]), turn, depth * rng.uniform(0.25, 0.45), 0.025, 12.0
            )
            ducts.append(_without_kink(np.vstack([trunk[:fork], branch])))
    return tuple(piece(duct, 0.0, np.hypot(*np.diff(duct, axis=0).T).sum(), 0.4) for duct in ducts)


def _without_kink(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A branch leaves its trunk in a curve of some millimetres."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter1d(points, 2.0 / STEP_MM, axis=0, mode="nearest"))
