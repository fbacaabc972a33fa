"""How clearly a strip along a curve stands above the strips beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

# A row of a strip counts from this share of seen samples on, a place along the curve from so many rows.
_SEEN, _LEAST_ROWS = 0.3, 2.5


@kernel
def _sums_before(profile, seen, total):  # type: ignore[no-untyped-def]
    """How many samples of each place are seen before each one, and their sum."""
    for i in range(len(profile)):
        count, value = 0.0, 0.0
        seen[i, 0] = total[i, 0] = 0.0
        for k in range(profile.shape[1]):
            if not np.isnan(profile[i, k]):
                count += 1.0
                value += profile[i, k]
            seen[i, k + 1], total[i, k + 1] = count, value


@kernel
def _strip_means(seen, total, first, end, window, weight, value, mean, error):  # type: ignore[no-untyped-def]
    """Mean of a strip and its standard error in a window around each place, NaN where too little is seen."""
    count, before = len(seen), window // 2
    # The places, with the ends repeated as far as windows reach.
    for k in range(count + window - 1):
        i = min(max(k - before, 0), count - 1)
        here = seen[i, end] - seen[i, first]
        enough = here >= _SEEN * (end - first)
        weight[k] = 1.0 if enough else 0.0
        value[k] = (total[i, end] - total[i, first]) / max(here, 1.0) if enough else 0.0
    for i in range(count):
        rows = sums = squares = 0.0
        weights, values = weight[i : i + window], value[i : i + window]
        for k in range(len(values)):
            rows += weights[k]
            sums += values[k]
            squares += values[k] * values[k]
        mean[i] = error[i] = np.nan
        if rows >= _LEAST_ROWS:
            mean[i] = sums / rows
            error[i] = np.sqrt(max(squares / rows - mean[i] * mean[i], 1e-12) / max(rows - 1.0, 0.5))


@kernel
def _significance(profile, strips, window, out):  # type: ignore[no-untyped-def]
    count, samples = profile.shape
    seen, total = np.empty((count, samples + 1), np.float64), np.empty((count, samples + 1), np.float64)
    _sums_before(profile, seen, total)
    weight, value = np.empty(count + window - 1, np.float64), np.empty(count + window - 1, np.float64)
    mean, error = np.empty((3, count), np.float64), np.empty((3, count), np.float64)
    for place in range(len(out)):
        for part in range(3):
            first, end = strips[place, part, 0], strips[place, part, 1]
            _strip_means(seen, total, first, end, window, weight, value, mean[part], error[part])
        for i in range(count):
            least = np.inf
            for flank in (1, 2):
                spread = np.sqrt(error[0, i] * error[0, i] + error[flank, i] * error[flank, i])
                above = (mean[0, i] - mean[flank, i]) / spread
                least = -np.inf if np.isnan(above) else min(least, above)
            out[place, i] = least


def ridge_significance(
    profile: NDArray[np.float64], strips: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """How many standard errors a strip stands above the higher of its two flanks, all along a curve.

    Parameters
    ----------
    profile : ndarray of float64, shape (n, k)
        Samples across the curve at n places along it, from `cross_profiles`; NaN where nothing is seen.
    strips : ndarray of int64, shape (m, 3, 2)
        First and end sample of a strip and of its two flanks.
    window : int
        Places along the curve that are taken together, half of them before; at the ends the last one is repeated.

    Returns
    -------
    ndarray of float64, shape (m, n)
        Minus infinity where too little is seen of the strip or of a flank.
    """
    if profile.ndim != 2 or strips.ndim != 3 or strips.shape[1:] != (3, 2):
        raise ValueError(f"(n, k) and (m, 3, 2) are needed, got {profile.shape} and {strips.shape}")
    if window < 1:
        raise ValueError(f"window: at least 1, got {window}")
    out = np.empty((len(strips), len(profile)))
    _significance(np.ascontiguousarray(profile, np.float64), np.ascontiguousarray(strips), int(window), out)
    return out
