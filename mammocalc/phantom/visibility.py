"""How visible a calcification is: its band-pass response against that of the tissue and the noise around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.anatomy import Breast
from mammocalc.phantom.settings import Detector

Plane = NDArray[np.float64]

SCALES_MM = (0.06, 0.12, 0.24, 0.48)
"""Standard deviations of the inner Gaussian of each band (difference of two Gaussians)."""

OUTER = 1.6
"""Outer over inner standard deviation."""

CELL_MM = 1.0
NEIGHBOURHOOD_MM = 7.0


@dataclass(frozen=True, eq=False)
class Band:
    """One scale: Gaussians in px, deviation of the tissue's response on a coarse grid, gain for white noise."""

    inner: float
    outer: float
    texture: Plane
    noise_gain: float


def bands(tissue: Plane, breast: Breast, detector: Detector) -> tuple[Band, ...]:
    """What the tissue answers at each scale, near every place of the breast."""
    import cv2

    pitch = breast.pitch_mm
    blur = detector.blur_sigma_mm / pitch
    cells = (
        max(1, round(tissue.shape[1] * pitch / CELL_MM)),
        max(1, round(tissue.shape[0] * pitch / CELL_MM)),
    )
    window = 2 * round(0.5 * NEIGHBOURHOOD_MM / CELL_MM) + 1

    def around(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(cv2.resize(plane, cells, interpolation=cv2.INTER_AREA), (window, window)))

    # The skin line answers at every scale and is no texture.
    weight = (breast.skin_distance_mm > 2.0).astype(np.float64)
    out = []
    for scale in SCALES_MM:
        inner = max(scale / pitch, 0.6)
        outer = OUTER * inner
        step = max(1, int(inner / 1.5))
        size = (tissue.shape[1] // step, tissue.shape[0] // step)
        small = cv2.resize(tissue, size, interpolation=cv2.INTER_AREA)
        narrow, wide = (
            cv2.GaussianBlur(small, (0, 0), math.hypot(sigma, blur) / step) for sigma in (inner, outer)
        )
        inside = cv2.resize(weight, size, interpolation=cv2.INTER_NEAREST)
        power = around((narrow - wide) ** 2 * inside) / np.maximum(around(inside), 1e-3)
        texture = np.sqrt(np.maximum(power, 0.0))
        gain = 1 / (4 * inner**2) + 1 / (4 * outer**2) - 1 / (inner**2 + outer**2)
        out.append(Band(inner, outer, texture, math.sqrt(gain / math.pi)))
    return tuple(out)


def visibility(
    blurred: Plane, row: float, col: float, noise: float, scales: Sequence[Band], pitch: float
) -> float:
    """Highest ratio, over the bands, of an object's response to the deviation of tissue and noise together.

    Parameters
    ----------
    blurred : ndarray of float64
        The object's added attenuation after the detector's blur, on pixels.
    row, col : float
        Where it lies, px of the whole plate.
    noise : float
        Standard deviation of the noise of one pixel there.
    """
    from scipy import ndimage

    best = 0.0
    for band in scales:
        padded = np.pad(blurred, math.ceil(2 * band.inner))
        response = ndimage.gaussian_filter(padded, band.inner, truncate=3.0)
        response -= ndimage.gaussian_filter(padded, band.outer, truncate=3.0)
        i = min(int(row * pitch / CELL_MM), band.texture.shape[0] - 1)
        j = min(int(col * pitch / CELL_MM), band.texture.shape[1] - 1)
        deviation = math.hypot(float(band.texture[i, j]), noise * band.noise_gain)
        best = max(best, float(response.max()) / deviation)
    return best
