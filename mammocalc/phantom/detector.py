"""From attenuation to exposure on the detector: scatter, blur, quantum and electronic noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.settings import Detector

Plane = NDArray[np.float64]

SCATTER_TO_PRIMARY = 0.15
"""Behind the grid."""

RAW_BITS = 14
RAW_LEVEL = 800.0
"""Stored value of a FOR PROCESSING image in the middle of the breast."""


def expose(rng: np.random.Generator, attenuation: Plane, reference: float, detector: Detector) -> Plane:
    """Exposure behind the breast, 1 where the attenuation is `reference`.

    Noise variance is a constant plus a part proportional to the exposure (quantum noise); a share of it passes through
    the detector's blur as the signal does.
    """
    import cv2

    sigma = detector.blur_sigma_mm / detector.pixel_spacing_mm
    primary = np.exp(reference - attenuation)
    exposure = cv2.GaussianBlur(primary, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    del primary
    exposure += SCATTER_TO_PRIMARY * _wide_blur(np.minimum(exposure, 4.0), 6.0 / detector.pixel_spacing_mm)
    exposure /= 1 + SCATTER_TO_PRIMARY
    variance = (1 - detector.electronic_share) * exposure
    variance += detector.electronic_share
    np.sqrt(variance, out=variance)
    variance *= _noise(rng, exposure.shape, sigma, detector.correlated_share) / detector.signal_to_noise
    exposure += variance
    return exposure


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, correlated: float) -> Plane:
    import cv2

    noise = np.sqrt(1 - correlated) * rng.standard_normal(shape)
    grains = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), max(sigma, 0.5))
    noise += grains * (np.sqrt(correlated) / grains.std())
    return noise


def _wide_blur(plane: Plane, sigma: float) -> Plane:
    import cv2

    step = max(1, int(sigma / 4))
    size = (max(1, plane.shape[1] // step), max(1, plane.shape[0] // step))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
