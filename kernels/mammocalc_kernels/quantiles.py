"""Quantiles of many values, without sorting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

# What float64 stores for infinity, as a whole number.
_INFINITY = 0x7FF0000000000000


@kernel
def _in_order(values, n):  # type: ignore[no-untyped-def]
    """In place: floats as whole numbers of the same order, and back; lower bits of negative ones are inverted."""
    for k in range(n):
        values[k] ^= (values[k] >> np.int32(31)) & np.int32(0x7FFFFFFF)


@kernel
def order_statistic(values, n, rank):  # type: ignore[no-untyped-def]
    """The value of 0-based `rank` among ``values[:n]``, float32 without NaN.

    By bisection of what the value may be, bit by bit: counting is vector code without a branch, unlike exchanging.
    """
    ordered = values.view(np.int32)
    _in_order(ordered, n)
    low, high = np.int64(-(2**31)), np.int64(2**31 - 1)
    while low < high:
        middle = (low + high) >> 1
        limit = np.int32(middle)
        below = np.int32(0)
        for k in range(n):
            below = np.int32(below + (ordered[k] <= limit))
        if below > rank:
            high = middle
        else:
            low = middle + 1
    _in_order(ordered, n)
    found = np.empty(1, np.int32)
    found[0] = low
    _in_order(found, 1)
    return found.view(np.float32)[0]


@kernel
def _quantile(values, part):  # type: ignore[no-untyped-def]
    place = part * (values.size - 1)
    below = int(np.floor(place))
    above = min(below + 1, values.size - 1)
    scratch = values.copy()
    low = order_statistic(scratch, values.size, below)
    high = order_statistic(scratch, values.size, above) if place > below else low
    rest = place - below
    # From the nearer side, as NumPy does it.
    difference = np.float64(high - low)
    return low + difference * rest if rest < 0.5 else high - difference * (1.0 - rest)


@kernel
def _median(values):  # type: ignore[no-untyped-def]
    scratch = values.copy()
    low = order_statistic(scratch, values.size, (values.size - 1) // 2)
    high = order_statistic(scratch, values.size, values.size // 2) if values.size % 2 == 0 else low
    return (low + high) / np.float32(2)


def quantile(values: NDArray[np.float32], part: float) -> float:
    """The value below which a part of all lies, linear between neighbours, as ``np.quantile``.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Without NaN; at least one.
    part : float
        0 to 1.

    Raises
    ------
    ValueError
        Not a row of float32, or nothing in it.
    """
    return float(_quantile(_checked(values), part))


def median(values: NDArray[np.float32]) -> float:
    """The middle value, or the mean of the two, as ``np.median``.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Without NaN; at least one.

    Raises
    ------
    ValueError
        Not a row of float32, or nothing in it.
    """
    return float(_median(_checked(values)))


def _checked(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if values.ndim != 1 or values.dtype != np.float32 or not values.size:
        raise ValueError(
            f"a row of float32 with a value at least is needed, not {values.dtype} of {values.shape}"
        )
    return np.ascontiguousarray(values)


@kernel
def _upper_medians(values, cuts, out):  # type: ignore[no-untyped-def]
    whole = values.view(np.int64)
    for part in range(out.size):
        # Positive floats as whole numbers keep their order; then by bisection as `order_statistic`.
        some = whole[cuts[part] : cuts[part + 1]]
        rank = some.size // 2
        low, high = np.int64(0), np.int64(_INFINITY)
        while low < high:
            middle = low + ((high - low) >> 1)
            below = 0
            for k in range(some.size):
                below += some[k] <= middle
            if below > rank:
                high = middle
            else:
                low = middle + 1
        out.view(np.int64)[part] = low


def upper_medians(values: NDArray[np.float64], cuts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median of each part of a row; of an even number of values the greater of the two in the middle.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        C-contiguous, none of them negative or NaN.
    cuts : ndarray of int64, shape (parts + 1,)
        Ascending: where each part begins, and where the last one ends; none is empty.

    Returns
    -------
    ndarray of float64, shape (parts,)

    Raises
    ------
    ValueError
        A part is empty or leaves the row.
    """
    if cuts[0] < 0 or cuts[-1] > len(values) or (np.diff(cuts) < 1).any():
        raise ValueError("cuts: ascending places in the row are needed")
    out = np.empty(len(cuts) - 1)
    _upper_medians(values, cuts, out)
    return out
