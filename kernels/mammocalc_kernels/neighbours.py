"""Which points lie near each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel
from mammocalc_kernels.growing import with_room


@kernel
def _pairs(row, col, order, reach):  # type: ignore[no-untyped-def]
    one, other = np.empty(1024, np.int64), np.empty(1024, np.int64)
    distance = np.empty(1024, np.float64)
    count = 0
    for i in range(len(order)):
        a = order[i]
        for j in range(i + 1, len(order)):
            b = order[j]
            down, right = row[b] - row[a], col[b] - col[a]
            if down > reach:
                break
            if abs(right) > reach or down * down + right * right > reach * reach:
                continue
            one, other = with_room(one, count, 1), with_room(other, count, 1)
            distance = with_room(distance, count, 1)
            one[count], other[count] = min(a, b), max(a, b)
            distance[count] = np.sqrt(down * down + right * right)
            count += 1
    return one[:count].copy(), other[:count].copy(), distance[:count].copy()


def near_pairs(
    row: NDArray[np.float64], col: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All pairs of points not farther apart than `reach`, by a sweep along the rows.

    Parameters
    ----------
    row, col : ndarray of float64, shape (n,)
        Any one unit; not NaN.
    reach : float
        In that unit.

    Returns
    -------
    one, other : ndarray of int64, shape (pairs,)
        Numbers of the points, ``one < other``, in the order of the sweep.
    distance : ndarray of float64, shape (pairs,)
    """
    one, other, distance = _pairs(row, col, np.argsort(row, kind="stable"), float(reach))
    return one, other, distance


@kernel
def _nearest_above(one, other, distance, value, nearest, shortest):  # type: ignore[no-untyped-def]
    for i in range(len(one)):
        a, b = one[i], other[i]
        if value[a] == value[b]:
            continue
        if value[a] > value[b]:
            a, b = b, a
        if distance[i] < shortest[a] or (distance[i] == shortest[a] and b < nearest[a]):
            nearest[a], shortest[a] = b, distance[i]


def nearest_above(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    distance: NDArray[np.float64],
    value: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each point the nearest one of greater value among those it is paired with.

    Parameters
    ----------
    one, other, distance
        As from `near_pairs`.
    value : ndarray of float64, shape (n,)

    Returns
    -------
    nearest : ndarray of int64, shape (n,)
        Its number, of equally near ones the lowest; -1 where there is none.
    distance : ndarray of float64, shape (n,)
        Infinite where there is none.
    """
    nearest: Any = np.full(len(value), -1, np.int64)
    shortest = np.full(len(value), np.inf)
    _nearest_above(one, other, distance, np.asarray(value, np.float64), nearest, shortest)
    return nearest, shortest
