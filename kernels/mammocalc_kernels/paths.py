"""Points as a graph of what lies near each other: its connected parts, and the longest way through it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

# Added to every step, so that points in one place are not one point.
_LEAST_STEP = 1e-3


@kernel
def _connect(one, other, part):  # type: ignore[no-untyped-def]
    """Write the first point of each connected part in `part`, which holds each point's own number at first."""
    for i in range(len(one)):
        a, b = one[i], other[i]
        while part[a] != a:
            part[a] = part[part[a]]
            a = part[a]
        while part[b] != b:
            part[b] = part[part[b]]
            b = part[b]
        if a != b:
            part[max(a, b)] = min(a, b)
    # A root comes before all that hangs on it.
    for k in range(len(part)):
        part[k] = part[part[k]]


def first_of_part(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each point of a graph the first one of its connected part.

    Parameters
    ----------
    count : int
        Number of points.
    one, other : ndarray of int64, shape (pairs,)
        Numbers of the points that are joined.

    Returns
    -------
    ndarray of int64, shape (count,)
    """
    part: Any = np.arange(count)
    _connect(np.ascontiguousarray(one, np.int64), np.ascontiguousarray(other, np.int64), part)
    return np.asarray(part, np.int64)


def connected_parts(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The connected parts of a graph.

    Parameters
    ----------
    count : int
        Number of points.
    one, other : ndarray of int64, shape (pairs,)
        Numbers of the points that are joined.

    Returns
    -------
    list of ndarray of int64
        The points of each part in ascending order; parts by their first point.
    """
    if count == 0:
        return []
    first = first_of_part(count, one, other)
    order = np.argsort(first, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(first[order])) + 1)


@kernel
def _shortest_ways(row, col, reach, start, squared, length, before):  # type: ignore[no-untyped-def]
    """Lengths of the shortest ways from `start` by steps of at most `reach`, and the point before each on its way.

    Dijkstra's algorithm on all pairs: the points of one track are few, and most are within reach of many.
    """
    count = len(row)
    done = np.zeros(count, np.bool_)
    length[:] = np.inf
    before[:] = -1
    length[start] = 0.0
    limit = reach * reach
    here = start
    while here >= 0:
        done[here] = True
        following, least = -1, np.inf
        for k in range(count):
            if done[k]:
                continue
            down, right = row[k] - row[here], col[k] - col[here]
            square = down * down + right * right
            if square <= limit:
                step = np.sqrt(square) + _LEAST_STEP
                if squared:
                    step *= step
                if length[here] + step < length[k]:
                    length[k] = length[here] + step
                    before[k] = here
            if length[k] < least:
                following, least = k, length[k]
        here = following


@kernel
def _longest_way(row, col, reach, way):  # type: ignore[no-untyped-def]
    count = len(row)
    length, before = np.empty(count, np.float64), np.empty(count, np.int64)
    start, end = 0, 0
    for _ in range(2):
        start = end
        _shortest_ways(row, col, reach, start, False, length, before)
        furthest = -1.0
        for k in range(count):
            if length[k] < np.inf and length[k] > furthest:
                end, furthest = k, length[k]
    _shortest_ways(row, col, reach, start, True, length, before)
    steps = 0
    here = end
    while here >= 0:
        way[steps] = here
        steps += 1
        here = before[here]
    return steps


def longest_way(row: NDArray[np.float64], col: NDArray[np.float64], reach: float) -> NDArray[np.int64]:
    """The way between the two points of a cloud that lie farthest apart along it, by small steps if possible.

    The ends are found by two searches for the farthest point; the way between them is the one with the smallest sum
    of squares of its steps.

    Parameters
    ----------
    row, col : ndarray of float64, shape (n,)
        Any one unit; not NaN; n at least 1. What cannot be reached from the first point does not count.
    reach : float
        The longest step, in that unit.

    Returns
    -------
    ndarray of int64
        Numbers of the points on the way, in its order.

    References
    ----------
    E. W. Dijkstra, "A note on two problems in connexion with graphs", Numerische Mathematik 1 (1959) 269-271.
    """
    if len(row) == 0:
        raise ValueError("there is no point to start from")
    way = np.empty(len(row), np.int64)
    steps = _longest_way(np.ascontiguousarray(row), np.ascontiguousarray(col), float(reach), way)
    return way[:steps][::-1].copy()
