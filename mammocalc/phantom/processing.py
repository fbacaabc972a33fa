"""Processing for presentation, in the manner of digital systems, and the characteristic curve of a film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.settings import Style

Plane = NDArray[np.float64]

SCALES_MM = (0.12, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Standard deviations of the Gaussians between which the image is split into bands."""


@dataclass(frozen=True)
class Look:
    """How a processing style treats an image.

    Attributes
    ----------
    evening : float
        Share of the thickness roll-off that is taken out.
    gains : tuple of float
        Amplification of the bands, finest first, one more than `SCALES_MM`; the last is for what is coarser than all.
    middle, contrast : float
        The S-curve: the grey at the breast's median and its slope.
    """

    evening: float
    gains: tuple[float, float, float, float, float, float, float]
    middle: float
    contrast: float


LOOKS: Mapping[Style, Look] = {
    "enhanced": Look(0.90, (1.7, 2.0, 1.9, 1.8, 1.5, 1.2, 0.55), 0.22, 2.9),
    "equalised": Look(0.97, (1.0, 1.5, 1.8, 1.7, 1.5, 1.2, 0.50), 0.34, 3.0),
    "soft": Look(0.80, (0.8, 1.1, 1.3, 1.3, 1.2, 1.0, 0.60), 0.30, 3.0),
    "film": Look(0.00, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), 0.33, 2.6),
}


def to_presentation(
    exposure: Plane,
    thickness_attenuation: Plane,
    inside: NDArray[np.bool_],
    pitch_mm: float,
    style: Style,
    bits: int,
) -> NDArray[np.uint16]:
    """Stored values of a FOR PRESENTATION image, bright is dense, black outside the breast.

    Parameters
    ----------
    exposure : ndarray of float64
        1 in the middle of the breast.
    thickness_attenuation : ndarray of float64
        What fat of the breast's thickness would attenuate: the roll-off that is evened out.
    inside : ndarray of bool
        The breast.
    """
    look = LOOKS[style]
    dense = -np.log(np.maximum(exposure, 2e-3))
    full = float(thickness_attenuation.max())
    dense += look.evening * (full - np.maximum(thickness_attenuation, 0.2 * full))
    if style != "film":
        dense = _with_bands(dense, inside, pitch_mm, look.gains)
    middle = float(np.median(dense[inside]))
    grey = 1 / (1 + (1 / look.middle - 1) * np.exp(-look.contrast * (dense - middle)))
    if style != "film":
        grey *= _fading(inside, pitch_mm)
    top = 2**bits - 1
    return np.clip(np.rint(grey * top), 0, top).astype(np.uint16)


def _with_bands(dense: Plane, inside: NDArray[np.bool_], pitch: float, gains: tuple[float, ...]) -> Plane:
    """Split into bands within the breast (its edge leaves no overshoot) and put together again with gains."""
    import cv2

    weight = inside.astype(np.float64)
    remaining = dense * weight
    out = np.zeros_like(dense)
    for scale, gain in zip(SCALES_MM, gains[:-1], strict=True):
        sigma = scale / pitch
        step = max(1, int(sigma / 3))
        size = (max(1, dense.shape[1] // step), max(1, dense.shape[0] // step))
        level, share = (
            cv2.GaussianBlur(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / step)
            for plane in (remaining, weight)
        )
        smooth = cv2.resize(
            level / np.maximum(share, 1e-6), dense.shape[::-1], interpolation=cv2.INTER_LINEAR
        )
        smooth *= weight
        out += gain * (remaining - smooth)
        remaining = smooth
    return out + gains[-1] * remaining


def _fading(inside: NDArray[np.bool_], pitch: float) -> Plane:
    """1 in the breast, falling to 0 over the last half millimetre before its edge."""
    import cv2

    near = cv2.GaussianBlur(inside.astype(np.float64), (0, 0), 0.35 / pitch)
    return np.clip(2.0 * near - 1.0, 0.0, 1.0)
