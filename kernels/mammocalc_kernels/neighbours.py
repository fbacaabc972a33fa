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
    row, col = np.ascontiguousarray(row, np.float64), np.ascontiguousarray(col, np.float64)
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


@kernel
def _nearest(points, among, nearest, distance):  # type: ignore[no-untyped-def]
    for i in range(len(points)):
        least, best = np.inf, 0
        for k in range(len(among)):
            down, right = points[i, 0] - among[k, 0], points[i, 1] - among[k, 1]
            square = down * down + right * right
            if square < least:
                least, best = square, k
        nearest[i], distance[i] = best, np.sqrt(least)


def nearest_among(
    points: NDArray[np.float64], among: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each point the nearest of some others, by looking at all of them.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in any one unit; not NaN.
    among : ndarray of float64, shape (m, 2)
        At least one.

    Returns
    -------
    nearest : ndarray of int64, shape (n,)
        Its place in `among`, of equally near ones the first.
    distance : ndarray of float64, shape (n,)
    """
    if len(among) == 0:
        raise ValueError("there is nothing that could be nearest")
    nearest, distance = np.empty(len(points), np.int64), np.empty(len(points))
    _nearest(
        np.ascontiguousarray(points, np.float64), np.ascontiguousarray(among, np.float64), nearest, distance
    )
    return nearest, distance


@kernel
def _few_nearest(row, col, order, squares, numbers):  # type: ignore[no-untyped-def]
    count, wanted = squares.shape
    for i in range(count):
        a = order[i]
        best, number = squares[a], numbers[a]
        for way in (-1, 1):
            j = i + way
            while 0 <= j < count:
                b = order[j]
                down, right = row[b] - row[a], col[b] - col[a]
                if down * down > best[wanted - 1]:
                    break
                square = down * down + right * right
                place = wanted
                while place > 0 and (
                    square < best[place - 1] or (square == best[place - 1] and b < number[place - 1])
                ):
                    place -= 1
                for k in range(wanted - 1, place, -1):
                    best[k], number[k] = best[k - 1], number[k - 1]
                if place < wanted:
                    best[place], number[place] = square, b
                j += way


def few_nearest(
    row: NDArray[np.float64], col: NDArray[np.float64], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each point its nearest others, by a sweep along the rows in both directions.

    Parameters
    ----------
    row, col : ndarray of float64, shape (n,)
        Any one unit; not NaN.
    wanted : int
        How many others, at least 1 and fewer than n.

    Returns
    -------
    number : ndarray of int64, shape (n, wanted)
        The nearest first, of equally near ones the lowest.
    distance : ndarray of float64, shape (n, wanted)
    """
    if not 1 <= wanted < len(row):
        raise ValueError(f"{len(row)} points have no {wanted} others each")
    squares = np.full((len(row), wanted), np.inf)
    numbers = np.full((len(row), wanted), -1, np.int64)
    row, col = np.ascontiguousarray(row, np.float64), np.ascontiguousarray(col, np.float64)
    _few_nearest(row, col, np.argsort(row, kind="stable"), squares, numbers)
    return numbers, np.sqrt(squares)


@kernel
def _add_support(row, col, form, score, supporters, reach, near, around, alike):  # type: ignore[no-untyped-def]
    near_square, around_square = reach * reach, 4.0 * reach * reach
    for i in range(row.size):
        for j in range(supporters.size):
            k = supporters[j]
            down, right = row[k] - row[i], col[k] - col[i]
            apart = down * down + right * right
            if apart > around_square or k == i:
                continue
            if apart <= near_square:
                near[i] += score[k]
            around[i] += score[k]
            unlike = 0.0
            for axis in range(form.shape[1]):
                unlike += (form[i, axis] - form[k, axis]) ** 2
            alike[i] += score[k] * np.exp(-0.5 * unlike)


def support_of(
    row: NDArray[np.float64],
    col: NDArray[np.float64],
    form: NDArray[np.float64],
    score: NDArray[np.float64],
    *,
    least: float,
    reach: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each point the summed scores of the others near it.

    Parameters
    ----------
    row, col : ndarray of float64, shape (n,)
        Any one unit; not NaN.
    form : ndarray of float64, shape (n, axes)
        In standard deviations: by their distance in it, two points are alike.
    score : ndarray of float64, shape (n,)
        Points of a lower score than `least` do not count.
    least, reach : float
        `reach` in the unit of the places.

    Returns
    -------
    near, around, alike : ndarray of float64, shape (n,)
        Sum within the reach, within twice the reach, and there weighed by how alike they are.
    """
    row, col = np.ascontiguousarray(row, np.float64), np.ascontiguousarray(col, np.float64)
    form, score = np.ascontiguousarray(form, np.float64), np.ascontiguousarray(score, np.float64)
    near, around, alike = np.zeros((3, row.size))
    _add_support(row, col, form, score, np.flatnonzero(score >= least), float(reach), near, around, alike)
    return near, around, alike
