"""Whether a score is a probability: of the marks with score 0.7, are seven in ten true?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Agreement of scores with what turned out to be true.

    Attributes
    ----------
    mean_score, share_true, count : ndarray of float64, shape (bins,)
        By score in bins of equal width; NaN in empty bins.
    brier : float
        Mean squared difference of score and truth (Brier 1950); lower is better.
    brier_of_base_rate : float
        The same for a constant score that is right on average: what a score must beat.
    expected_calibration_error : float
        Mean difference of `mean_score` and `share_true` over the bins, weighted by their marks (Naeini 2015).
    calibration_error_of_likely : float
        The same without the lowest bin, where most candidates are and nobody looks; NaN where there are no others.
    """

    mean_score: Floats
    share_true: Floats
    count: Floats
    brier: float
    brier_of_base_rate: float
    expected_calibration_error: float
    calibration_error_of_likely: float


def reliability(score: Floats, true: NDArray[np.bool_], bins: int = 10) -> Reliability | None:
    """Reliability of scores from 0 to 1; None where there are no marks."""
    if not len(score):
        return None
    index = np.minimum((score * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins).astype(np.float64)
    mean_score, share_true = (
        np.divide(np.bincount(index, values, bins), count, out=np.full(bins, np.nan), where=count > 0)
        for values in (score, true.astype(np.float64))
    )
    apart = np.abs(mean_score - share_true)
    rate = float(true.mean())
    likely = float(count[1:].sum())
    return Reliability(
        mean_score,
        share_true,
        count,
        float(np.mean((score - true) ** 2)),
        rate * (1 - rate),
        float(np.nansum(apart * count) / len(score)),
        float(np.nansum((apart * count)[1:]) / likely) if likely else float("nan"),
    )
