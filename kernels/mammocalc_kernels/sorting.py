"""Sorting inside a kernel."""

from __future__ import annotations

from mammocalc_kernels.compile import kernel

_SHORT = 12


@kernel
def sort_ascending(values, spare, n):  # type: ignore[no-untyped-def]
    """Sort ``values[:n]`` in place: short stretches by insertion, then merged bottom up.

    Parameters
    ----------
    values, spare : ndarray of uint64, shape (>= n,)
        What to sort, and scratch.
    n : int
    """
    for first in range(0, n, _SHORT):
        for i in range(first + 1, min(first + _SHORT, n)):
            moved = values[i]
            j = i
            while j > first and values[j - 1] > moved:
                values[j] = values[j - 1]
                j -= 1
            values[j] = moved
    length = _SHORT
    while length < n:
        for first in range(0, n - length, 2 * length):
            middle, end = first + length, min(first + 2 * length, n)
            spare[first:middle] = values[first:middle]
            i, j, k = first, middle, first
            while i < middle and j < end:
                one, other = spare[i], values[j]
                later = other < one
                values[k] = other if later else one
                j += later
                i += not later
                k += 1
            values[k : k + middle - i] = spare[i:middle]
        length *= 2
