"""From plane value back to density: what a contrast in noise units is worth in attenuation or grey range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.read.mammogram import Mammogram

POINTS = 256


def density_curve(
    mammogram: Mammogram,
    stabiliser: NDArray[np.float32],
    grey_range: tuple[float, float],
    lowest: int,
    highest: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Monotone curve from plane value to density, shapes (k,), float32, plane values strictly ascending.

    Parameters
    ----------
    mammogram : Mammogram
    stabiliser : ndarray of float32
        Look-up table from stored value to plane value.
    grey_range : tuple of float
        Dense-order grey levels of the breast's 1 and 99 % quantiles.
    lowest, highest : int
        Dense-order range of values to cover.

    Returns
    -------
    plane, density : ndarray of float32
        Density is the natural logarithm of attenuation against the breast's 1 % level for images linear in exposure,
        else the fraction of `grey_range`.
    """
    top = len(stabiliser) - 1
    levels = np.linspace(lowest, highest, POINTS)
    if mammogram.linear_in_exposure:
        # The logarithm bends most where little exposure is left.
        exposures = np.geomspace(max(top - highest, 1), max(top - lowest, 1), POINTS)
        levels = np.concatenate([levels, top - exposures])
    dense = np.unique(np.clip(np.rint(levels), 0, top).astype(np.int64))
    plane = stabiliser[dense if mammogram.dense_is_bright else top - dense]
    if mammogram.linear_in_exposure:
        reference = max(top - grey_range[0], 1.0)
        density = np.log(reference / np.maximum(top - dense, 1.0))
    else:
        density = (dense - grey_range[0]) / max(grey_range[1] - grey_range[0], 1.0)
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(plane)) > 0])
    return plane[rising].astype(np.float32), density[rising].astype(np.float32)
