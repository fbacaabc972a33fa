"""Sorting indices by key inside a kernel."""

from __future__ import annotations

from mammocalc_kernels.compile import kernel

_SHORT = 8


@kernel
def sort_stably(key, order, spare, n):  # type: ignore[no-untyped-def]
    """Reorder ``order[:n]`` so that its keys ascend and equal ones keep their order; runs merged bottom up.

    Parameters
    ----------
    key : ndarray of float32
        Not NaN.
    order, spare : ndarray of int32, shape (>= n,)
        Indices into `key`, and scratch.
    n : int
    """
    for first in range(0, n, _SHORT):
        for i in range(first + 1, min(first + _SHORT, n)):
            moved = order[i]
            j = i
            while j > first and key[order[j - 1]] > key[moved]:
                order[j] = order[j - 1]
                j -= 1
            order[j] = moved
    length = _SHORT
    while length < n:
        for first in range(0, n, 2 * length):
            middle, end = min(first + length, n), min(first + 2 * length, n)
            for i in range(first, middle):
                spare[i] = order[i]
            i, j, k = first, middle, first
            while i < middle:
                if j < end and key[order[j]] < key[spare[i]]:
                    order[k] = order[j]
                    j += 1
                else:
                    order[k] = spare[i]
                    i += 1
                k += 1
        length *= 2
