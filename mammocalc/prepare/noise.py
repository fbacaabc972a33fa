"""The noise curve of an image and the look-up table that gives its noise unit variance everywhere.

Raw images follow variance = a * exposure + b (quanta and electronics) with a quadratic term for the detector's fixed
pattern; processed images follow no physical law, so their curve is a free table. Either is estimated from the image
itself: robust deviation of a small high-pass residual against the grey level [1]_. The look-up table is the integral
of one over the deviation, the transform that stabilises the variance of any such curve [2]_.

References
----------
.. [1] Bria A., Marrocco C., Mordang J.-J., Karssemeijer N., Molinara M., Tortorella F. (2016). LUT-QNE: look-up-table
   quantum noise equalization in digital mammograms. IWDM 2016, doi 10.1007/978-3-319-41546-8_4.
.. [2] Bartlett M. S. (1947). The use of transformations. Biometrics 3, 39-52, doi 10.2307/3001536.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from mammocalc.read.mammogram import Mammogram

# Standard deviation of the error of rounding to whole steps.
QUANTISATION = 12**-0.5
# Median of the absolute value of a unit normal deviate, inverted.
NORMAL_MEDIAN = 1.482602218505602
BINS = 48
SMALLEST_BIN = 150
# Part of the samples beyond which a free table may fall, but not rise, towards dense.
DENSEST = 0.97
# The deviation is nowhere taken smaller than this part of its greatest value: in the flat ends of a
# processed image's curve there is next to no signal left, and what little there is must not be blown up.
SMALLEST_PART = 0.08


@dataclass(frozen=True, eq=False)
class NoiseCurve:
    """Standard deviation of the pixel noise against grey level, both in dense order (bright = dense).

    Attributes
    ----------
    level, sigma : ndarray of float64, shape (m,)
        Ascending levels and the deviation there, stored units.
    law : tuple of float or None
        (b, a, c) of variance = b + a * exposure + c * exposure**2 where the raw image obeys it.
    floor : float
        Least deviation, stored units: that of rounding, and for a free table a part of the greatest.
    """

    level: NDArray[np.float64]
    sigma: NDArray[np.float64]
    law: tuple[float, float, float] | None
    floor: float

    def at(self, dense: NDArray[np.float64], top: int) -> NDArray[np.float64]:
        """Deviation at dense-order values; beyond the levels seen by the law, or else constant."""
        if self.law is not None:
            offset, slope, square = self.law
            exposure = top - dense
            sigma = np.sqrt(offset + slope * exposure + square * exposure * exposure)
        else:
            sigma = np.exp(np.interp(dense, self.level, np.log(self.sigma)))
        return np.maximum(sigma, self.floor)


@dataclass(frozen=True, eq=False)
class NoiseSamples:
    """Pixels on a sparse lattice, as `mammocalc_kernels.noise.sample_noise` finds them.

    Attributes
    ----------
    level, residual : ndarray of float32, shape (n,)
        Mean of the neighbours, and how far the pixel stands from it, stored values.
    centre : ndarray of uint16, shape (n,)
        The pixels themselves.
    """

    level: NDArray[np.float32]
    residual: NDArray[np.float32]
    centre: NDArray[np.uint16]


def noise_samples(
    mammogram: Mammogram,
    cells: NDArray[np.bool_],
    step: int,
    stored_range: tuple[int, int],
    samples: int = 60_000,
    threads: int = 1,
) -> NoiseSamples:
    """Samples of the noise from the given cells, or from everywhere if there are too few.

    Parameters
    ----------
    mammogram : Mammogram
    cells : ndarray of bool
        Where to look: inside the breast, off the skin line and foreign objects.
    step : int
        Side of a cell, pixels.
    stored_range : tuple of int
        Least and greatest stored value of the image.
    samples : int
        About how many pixels to sample.
    threads : int
        The result does not depend on it.
    """
    from mammocalc_kernels.noise import sample_noise

    pixels = mammogram.pixels
    stride = max(1, int((cells.sum() * float(step * step) / samples) ** 0.5))
    low, high = _clipped_ends(*stored_range, mammogram.padding)
    found = sample_noise(pixels, cells, step, stride, low, high, threads)
    if len(found[0]) < SMALLEST_BIN:
        found = sample_noise(pixels, cells, step, stride)
    if len(found[0]) < SMALLEST_BIN:
        found = sample_noise(pixels, np.ones_like(cells), step, stride)
    return NoiseSamples(*found)


def noise_curve(mammogram: Mammogram, samples: NoiseSamples, top: int) -> NoiseCurve:
    """Noise curve of an image from samples of its noise.

    Parameters
    ----------
    mammogram : Mammogram
    samples : NoiseSamples
    top : int
        Greatest value the stored bits can hold.
    """
    level, residual = samples.level, samples.residual
    quantum = _quantum(samples.centre)
    if len(level) == 0:
        return NoiseCurve(np.array([0.0, float(top)]), np.full(2, QUANTISATION), None, QUANTISATION)
    if not mammogram.dense_is_bright:
        level, residual = top - level, -residual
    binned_level, binned_sigma, weight = _binned(level, residual, quantum)
    floor = QUANTISATION * quantum
    if mammogram.linear_in_exposure:
        law = _fitted_law(top - binned_level, binned_sigma, weight)
        if law is not None:
            offset, slope, square = law
            exposure = top - binned_level
            fitted = np.sqrt(offset + slope * exposure + square * exposure**2)
            return NoiseCurve(binned_level, np.maximum(fitted, floor), law, floor)
    sigma = _smoothed(binned_sigma, weight)
    # The few densest samples lie on and about calcifications: what rises there is their edges, not the noise.
    last = int(np.searchsorted(np.cumsum(weight), DENSEST * weight.sum()))
    sigma[last:] = np.minimum(sigma[last:], sigma[last])
    floor = max(floor, SMALLEST_PART * float(sigma.max()))
    return NoiseCurve(binned_level, np.maximum(sigma, floor), None, floor)


def _clipped_ends(low: int, high: int, padding: tuple[int, int] | None) -> tuple[int, int]:
    """Stored values at and beyond which a pixel says nothing of its own noise: the least, the greatest, padding."""
    if padding is not None:
        first, last = padding
        if first <= low:
            low = max(low, last)
        if last >= high:
            high = min(high, first)
    return low, high


def _quantum(centre: NDArray[np.uint16]) -> float:
    """Usual distance between neighbouring stored values: 1, or 16 where 12 bits were stretched to 16."""
    if len(centre) == 0:
        return 1.0
    gaps = np.sort(np.diff(np.flatnonzero(np.bincount(centre))))
    return float(gaps[len(gaps) // 4]) if len(gaps) else 1.0


def _binned(
    level: NDArray[np.float32], residual: NDArray[np.float32], quantum: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Median level, robust deviation and number of samples of bins of equal count, finer in both tails."""
    from mammocalc_kernels.quantiles import upper_medians

    count = len(level)
    # Coarsely rounded noise has only a few residual values, and a median of few values is no measure. An even spread
    # over one rounding step is added and its variance taken off again; it is a fixed sequence, not chance.
    spread = np.arange(count) * 0.6180339887498949
    spread -= np.floor(spread) + 0.5
    dithered = np.abs(residual + spread * quantum)
    order = np.argsort(np.clip(np.rint(level), 0, 65535).astype(np.uint16), kind="stable")
    level, dithered = level[order], dithered[order]
    bins = max(1, min(BINS, count // SMALLEST_BIN))
    edges = {count * k // bins for k in range(bins + 1)}
    tail = count // bins // 2
    while tail >= SMALLEST_BIN:
        edges |= {tail, count - tail}
        tail //= 2
    cuts = sorted(edges)
    middle, sigma, weight = [], [], []
    medians = upper_medians(dithered, np.array(cuts, np.int64)).tolist()
    for (start, stop), median in zip(pairwise(cuts), medians, strict=True):
        middle.append(float(np.mean(level[start:stop])))
        deviation = NORMAL_MEDIAN * median
        variance = deviation**2 - (quantum * QUANTISATION) ** 2
        sigma.append(max(variance, (quantum * QUANTISATION) ** 2) ** 0.5)
        weight.append(stop - start)
    # Few grey levels put several bins on one level: keep one.
    levels, inverse = np.unique(np.round(middle, 2), return_inverse=True)
    if len(levels) < len(middle):
        weights = np.bincount(inverse, weight).astype(np.float64)
        variance_sum = np.bincount(inverse, np.square(sigma) * weight)
        return levels, np.sqrt(variance_sum / weights), weights
    return np.array(middle), np.array(sigma), np.array(weight, np.float64)


def _smoothed(sigma: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve over its bins, outliers taken out by a running median, then smoothed in the logarithm."""
    values = np.log(sigma)
    count = len(values)
    if count >= 5:
        padded = np.pad(values, 2, mode="edge")
        values = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    distance = np.arange(count)[:, None] - np.arange(count)[None, :]
    kernel = np.exp(-0.5 * (distance / 1.5) ** 2) * weight[None, :]
    # A straight line is fitted in each window, so that the ends of a slope are not drawn flat.
    total = kernel.sum(1)
    centre = (kernel * distance).sum(1) / total
    offset = distance - centre[:, None]
    mean = kernel @ values / total
    spread = (kernel * offset**2).sum(1)
    slope = np.divide((kernel * offset) @ values, spread, out=np.zeros(count), where=spread > 0)
    return np.exp(mean - slope * centre)


def _fitted_law(
    exposure: NDArray[np.float64], sigma: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """Non-negative (b, a, c) of variance = b + a x + c x**2, or None where the bins do not follow it."""
    variance = sigma**2
    scale = max(float(exposure.max()), 1.0)
    terms = np.stack([np.ones_like(exposure), exposure / scale, (exposure / scale) ** 2], axis=1)
    robust = np.sqrt(weight)
    law = np.zeros(3)
    for _ in range(5):
        law = _non_negative(terms * (robust / variance)[:, None], robust)
        miss = np.abs(np.log(np.maximum(terms @ law, 1e-12) / variance))
        usual = max(_middle(miss), 1e-3)
        robust = np.sqrt(weight / np.maximum(1.0, miss / (3 * usual)))
    if not law.any() or _middle(miss) > 0.2:
        return None
    return float(law[0]), float(law[1] / scale), float(law[2] / scale**2)


def _non_negative(columns: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coefficients of three columns, none negative, that come nearest to `wanted`; fewer where that is as good."""
    every = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    if (every > 0).all():
        error = float(np.square(columns @ every - wanted).sum())
        # What the error gains where one of them is left out.
        if (every**2 > 1e-6 * error * np.diag(np.linalg.inv(columns.T @ columns))).all():
            return np.asarray(every, np.float64)
    best = np.inf
    coefficients = np.zeros(3)
    for size in (1, 2, 3):
        for chosen in map(list, combinations(range(3), size)):
            part = columns[:, chosen]
            found = np.linalg.lstsq(part, wanted, rcond=None)[0]
            error = float(np.square(part @ found - wanted).sum())
            if (found > 0).all() and error < best * (1 - 1e-9):
                best = error
                coefficients = np.zeros(3)
                coefficients[chosen] = found
    return coefficients


def _middle(values: NDArray[np.float64]) -> float:
    """The median of a few values; what `numpy.median` checks besides takes longer."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def make_stabiliser(
    curve: NoiseCurve, top: int, dense_is_bright: bool, zero_level: float
) -> NDArray[np.float32]:
    """Look-up table from stored value to plane value, unit noise and bright = dense.

    The integral of one over the deviation along the dense-order levels, by the trapezium rule, zero at `zero_level`
    (dense order). Monotone, because a deviation is positive everywhere.
    """
    dense = np.arange(top + 1, dtype=np.float64)
    rate = 1.0 / curve.at(dense, top)
    table = np.zeros(top + 1)
    np.cumsum(0.5 * (rate[1:] + rate[:-1]), out=table[1:])
    table -= np.interp(zero_level, dense, table)
    if not dense_is_bright:
        table = table[::-1]
    return np.ascontiguousarray(table, np.float32)
