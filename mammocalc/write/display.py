"""What every picture is made of: the grey image as a reader expects it, and outlines in stored coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mammocalc.prepare.scene import Scene
    from mammocalc.read.mammogram import Mammogram

Bounds = tuple[int, int, int, int]
"""row_min, col_min, row_max, col_max in stored pixels, half open."""

# Shares of the breast's pixels that may be shown as plain black and plain white.
_BLACK_PERCENT, _WHITE_PERCENT = 1.0, 99.95
# An outline is traced on the region's mask at this magnification, finer where it follows the region itself; corners
# that stand out by less than a step of the magnified mask are left out.
_TRACE_SCALE, _DISTANT_TRACE_SCALE = 4, 3
_TRACE_TOLERANCE = 0.75


@dataclass(frozen=True, eq=False)
class Display:
    """How stored values are shown: density for each, and the window that spans the breast.

    Attributes
    ----------
    density : ndarray of float32, shape (2**bits,)
        Density of every stored value, bright = dense; padding has the lowest.
    low, high : float
        Density shown as black and as white.
    """

    density: NDArray[np.float32]
    low: float
    high: float

    def grey(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """`pixels` as 8-bit grey values."""
        return self._grey_of_value(self.low, self.high)[pixels]

    def grey_of_detail(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """`pixels` as 8-bit grey values, with a window of their own for a detail with little contrast."""
        low, high = np.percentile(self.density[pixels], (1.0, 99.9))
        return self._grey_of_value(float(low), max(float(high), float(low) + 0.1 * (self.high - self.low)))[
            pixels
        ]

    def _grey_of_value(self, low: float, high: float) -> NDArray[np.uint8]:
        shown = np.clip((self.density - low) * (255.0 / (high - low)), 0.0, 255.0)
        return shown.astype(np.uint8)


def display_of(mammogram: Mammogram, scene: Scene) -> Display:
    """The display of an image: density from the scene, window from the grey values inside the breast."""
    density = np.interp(scene.stabiliser, scene.density_plane, scene.density).astype(np.float32)
    if mammogram.padding is not None:
        density[mammogram.padding[0] : mammogram.padding[1] + 1] = density.min()
    anatomy = scene.anatomy
    rows, cols = np.nonzero(anatomy.breast & ~anatomy.foreign)
    half = anatomy.step // 2
    last_row, last_col = (side - 1 for side in mammogram.pixels.shape)
    values = mammogram.pixels[
        np.minimum(rows * anatomy.step + half, last_row), np.minimum(cols * anatomy.step + half, last_col)
    ]
    low, high = (
        np.percentile(density[values], (_BLACK_PERCENT, _WHITE_PERCENT)) if len(values) else (0.0, 1.0)
    )
    return Display(density, float(low), max(float(high), float(low) + 1e-6))


def breast_bounds(mammogram: Mammogram, scene: Scene, margin_mm: float = 3.0) -> Bounds:
    """The breast's bounding box with a margin, inside the image."""
    margin = round(margin_mm / scene.pixel_spacing_mm)
    rows, columns = mammogram.pixels.shape
    height, width = scene.plane.shape
    row, col = scene.origin
    return (
        max(row - margin, 0),
        max(col - margin, 0),
        min(row + height + margin, rows),
        min(col + width + margin, columns),
    )


def outline(mask: NDArray[Any], row: float, col: float, distance_px: float = 0.0) -> NDArray[np.float64]:
    """The outer outline of a mask as a closed polygon, sub-pixel.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        One connected region.
    row, col : float
        Position of ``mask[0, 0]``.
    distance_px : float
        How far outside the region the outline runs, pixels of the mask.

    Returns
    -------
    ndarray of float64, shape (k, 2)
        (row, col), first point not repeated.
    """
    import cv2

    pad = int(np.ceil(distance_px)) + 1
    height, width = mask.shape
    padded = np.zeros((height + 2 * pad, width + 2 * pad), np.uint8)
    padded[pad : pad + height, pad : pad + width] = mask
    padded *= 255
    scale = _DISTANT_TRACE_SCALE if distance_px > 0 else _TRACE_SCALE
    enlarged = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    inside = cv2.threshold(enlarged, 127, 255, cv2.THRESH_BINARY)[1]
    if distance_px > 0:
        away = cv2.distanceTransform(255 - inside, cv2.DIST_L2, cv2.DIST_MASK_5)
        inside = (away <= distance_px * scale).astype(np.uint8)
    contours = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    points = cv2.approxPolyDP(max(contours, key=len), _TRACE_TOLERANCE, True)[:, 0, ::-1]
    # A pixel of the enlarged mask is centred at (i + 0.5) / scale - 0.5 of the mask's.
    polygon: NDArray[np.float64] = (points + 0.5) / scale - 0.5 - pad + (row, col)
    return polygon
