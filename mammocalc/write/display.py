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
_BLACK_SHARE, _WHITE_SHARE = 0.01, 0.9995
# Beyond this distance from the skin the breast is as thick as the paddle leaves it.
_THICK_MM = 30.0
_FAT_SHARE = 0.2
_FADE_MM = 1.5
# An outline is traced on the region's mask at this magnification, finer where it follows the region itself; corners
# that stand out by less than a step of the magnified mask are left out.
_TRACE_SCALE, _DISTANT_TRACE_SCALE = 4, 2
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
    lift : ndarray of float32 or None
        Added to the density where the breast is thinner towards the skin, on the cells of the anatomy; None for images
        whose vendor has done so.
    step : int
        Side of a cell, stored pixels.
    """

    density: NDArray[np.float32]
    low: float
    high: float
    lift: NDArray[np.float32] | None = None
    step: int = 1

    def shown(self, stored: NDArray[np.uint16], bounds: Bounds) -> NDArray[np.float32]:
        """Density, lifted, of the part `bounds` of the image; `stored` are its values, possibly reduced."""
        from mammocalc_kernels.lookup import look_up

        values = look_up(np.ascontiguousarray(stored), self.density)
        if self.lift is None:
            return values
        import cv2

        height, width = stored.shape
        down = (bounds[2] - bounds[0]) / height / self.step
        right = (bounds[3] - bounds[1]) / width / self.step
        # Where on the cells the picture's pixel (x, y) lies, centre on centre.
        way = np.array(
            [
                [right, 0.0, 0.5 * right + bounds[1] / self.step - 0.5],
                [0.0, down, 0.5 * down + bounds[0] / self.step - 0.5],
            ]
        )
        lift = cv2.warpAffine(
            self.lift,
            way,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        lifted: NDArray[np.float32] = cv2.add(values, lift, dst=lift)
        return lifted

    def grey(self, stored: NDArray[np.uint16], bounds: Bounds) -> NDArray[np.uint8]:
        """8-bit grey values of the part `bounds` of the image; `stored` are its values, possibly reduced."""
        if self.lift is None:
            return _grey(self.density, self.low, self.high)[stored]
        return _grey(self.shown(stored, bounds), self.low, self.high)

    def grey_of_detail(self, stored: NDArray[np.uint16], bounds: Bounds) -> NDArray[np.uint8]:
        """As `grey`, with a window of its own for a detail with little contrast."""
        from mammocalc_kernels.quantiles import quantile

        shown = self.shown(stored, bounds)
        # Air in a corner does not count.
        low = max(quantile(shown.ravel(), 0.01), self.low)
        high = max(quantile(shown.ravel(), 0.999), low + 0.1 * (self.high - self.low))
        return _grey(shown, low, high)


def _grey(density: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (density - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8)


def display_of(mammogram: Mammogram, scene: Scene) -> Display:
    """The display of an image: density from the scene, window from the grey values inside the breast."""
    from mammocalc_kernels.quantiles import quantile

    density = np.interp(scene.stabiliser, scene.density_plane, scene.density).astype(np.float32)
    if mammogram.padding is not None:
        density[mammogram.padding[0] : mammogram.padding[1] + 1] = density.min()
    anatomy = scene.anatomy
    inside = anatomy.breast & ~anatomy.foreign
    if not inside.any():
        return Display(density, float(density.min()), float(density.min()) + 1.0)
    rows, cols = np.nonzero(inside)
    half = anatomy.step // 2
    last_row, last_col = (side - 1 for side in mammogram.pixels.shape)
    values = density[
        mammogram.pixels[
            np.minimum(rows * anatomy.step + half, last_row), np.minimum(cols * anatomy.step + half, last_col)
        ]
    ]
    lift = None
    if mammogram.linear_in_exposure:
        distance_mm = anatomy.skin_distance_mm[inside]
        lift = _lift(values, distance_mm, anatomy.skin_distance_mm)
        lifted = (values + lift[inside])[distance_mm > _FADE_MM]
        values = lifted if len(lifted) else values
    low, high = quantile(values, _BLACK_SHARE), quantile(values, _WHITE_SHARE)
    return Display(density, low, max(high, low + 1e-6), lift, anatomy.step)


def _lift(
    values: NDArray[np.float32], distance_mm: NDArray[np.float32], everywhere_mm: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What the breast lacks in thickness towards the skin, as density, for each cell.

    Fat is what thickness shows in: its density, a low quantile at each distance from the skin, is brought to what it is
    in the middle (thickness equalisation, Byng, Critten & Yaffe 1997, Radiology 203:564-568).
    """
    from mammocalc_kernels.quantiles import quantile

    edges = np.arange(0.0, _THICK_MM + 1.0)
    bins = np.digitize(distance_mm, edges) - 1
    fat = np.full(len(edges), np.nan)
    for i in np.unique(bins[bins >= 0]):
        fat[i] = quantile(values[bins == i], _FAT_SHARE)
    known = np.flatnonzero(~np.isnan(fat))
    if not len(known):
        return np.zeros_like(everywhere_mm)
    # From the middle outwards it can only grow.
    lack = np.maximum.accumulate((fat[known[-1]] - fat[known])[::-1])[::-1].clip(0.0)
    lift = np.interp(everywhere_mm, edges[known] + 0.5, lack)
    # The skin line itself fades into the dark around it.
    faded = lift * np.minimum(everywhere_mm / _FADE_MM, 1.0)
    return faded.astype(np.float32)


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
