"""The two walls of a vessel: which points face each other, the middle between them, how they run along it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel
from mammocalc_kernels.neighbours import near_pairs


@kernel
def _face(points, directions, one, other, bounds, opposite, distance):  # type: ignore[no-untyped-def]
    least_cosine, least_across, most_across, most_along = bounds
    cost = np.full(len(points), np.inf)
    for i in range(len(one)):
        a, b = one[i], other[i]
        cosine = directions[a, 0] * directions[b, 0] + directions[a, 1] * directions[b, 1]
        if abs(cosine) < least_cosine:
            continue
        turn = -1.0 if cosine < 0.0 else 1.0
        row, col = directions[a, 0] + turn * directions[b, 0], directions[a, 1] + turn * directions[b, 1]
        norm = max(np.sqrt(row * row + col * col), 1e-9)
        row, col = row / norm, col / norm
        down, right = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
        along, across = abs(down * row + right * col), abs(down * col - right * row)
        if along > most_along or across < least_across or across > most_across:
            continue
        for turn_about in range(2):
            here, there = (a, b) if turn_about == 0 else (b, a)
            here_cost = across + along
            if here_cost < cost[here] or (here_cost == cost[here] and there < opposite[here]):
                opposite[here], distance[here], cost[here] = there, across, here_cost


def facing_points(
    points: NDArray[np.float64],
    directions: NDArray[np.float64],
    least_cosine: float,
    least_across: float,
    most_across: float,
    most_along: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each point the nearest one that lies across from it on a parallel wall.

    Parameters
    ----------
    points, directions : ndarray of float64, shape (n, 2)
        (row, col) in any one unit; unit vectors along the walls, of either sign.
    least_cosine : float
        Of the angle between the directions of two that face each other.
    least_across, most_across, most_along : float
        How far apart they may lie across, and along, the mean of their directions.

    Returns
    -------
    opposite : ndarray of int64, shape (n,)
        Its number, the one with the smallest sum of both distances, of equals the lowest; -1 for none.
    across : ndarray of float64, shape (n,)
        NaN for none.
    """
    opposite, across = np.full(len(points), -1, np.int64), np.full(len(points), np.nan)
    one, other, _ = near_pairs(points[:, 0], points[:, 1], most_across + most_along)
    bounds = (float(least_cosine), float(least_across), float(most_across), float(most_along))
    _face(
        np.ascontiguousarray(points), np.ascontiguousarray(directions), one, other, bounds, opposite, across
    )
    return opposite, across


@kernel
def _follow(points, aside, known, count, rest, out):  # type: ignore[no-untyped-def]
    wanted = 5
    square, number = np.empty(wanted, np.float64), np.empty(wanted, np.int64)
    least = np.full(len(rest), np.inf)
    new = 0
    for _ in range(len(rest)):
        first, nearest = -1, np.inf
        for i in range(len(rest)):
            if rest[i] < 0:
                continue
            one = rest[i]
            for k in range(new, count):
                down, right = points[one, 0] - known[k, 0], points[one, 1] - known[k, 1]
                least[i] = min(least[i], down * down + right * right)
            if least[i] < nearest:
                first, nearest = i, least[i]
        new = count
        one = rest[first]
        found = 0
        for k in range(count):
            down, right = points[one, 0] - known[k, 0], points[one, 1] - known[k, 1]
            here = down * down + right * right
            place = found
            while place > 0 and here < square[place - 1]:
                if place < wanted:
                    square[place], number[place] = square[place - 1], number[place - 1]
                place -= 1
            if place < wanted:
                square[place], number[place] = here, k
            found = min(found + 1, wanted)
        row = col = 0.0
        for k in range(found):
            row += known[number[k], 0]
            col += known[number[k], 1]
        row, col = row / found, col / found
        least_away = np.inf
        for side in (1.0, -1.0):
            y, x = points[one, 0] + side * aside[one, 0], points[one, 1] + side * aside[one, 1]
            away = (y - row) ** 2 + (x - col) ** 2
            if away < least_away:
                least_away = away
                out[one, 0], out[one, 1] = y, x
        known[count, 0], known[count, 1] = out[one, 0], out[one, 1]
        count += 1
        rest[first] = -1


def middle_points(
    points: NDArray[np.float64], aside: NDArray[np.float64], opposite: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Every point of two walls moved to the middle between them.

    One with an opposite goes half of the way to it. The others go by `aside` to one side or the other, the nearest to
    any known middle first: to the side on which the mean of the five nearest known middles lies.

    Parameters
    ----------
    points, aside : ndarray of float64, shape (n, 2)
        (row, col) in any one unit.
    opposite : ndarray of int64, shape (n,)
        From `facing_points`; at least one is not -1.

    Returns
    -------
    ndarray of float64, shape (n, 2)
    """
    paired = opposite >= 0
    if not paired.any():
        raise ValueError("no point has an opposite: there are not two walls")
    out = np.array(points, np.float64, order="C")
    out[paired] = 0.5 * (points[paired] + points[opposite[paired]])
    known = np.empty_like(out)
    count = int(paired.sum())
    known[:count] = out[paired]
    _follow(
        np.ascontiguousarray(points), np.ascontiguousarray(aside), known, count, np.flatnonzero(~paired), out
    )
    return out


@kernel
def _wall_courses(along, across, at, reach, least_aside, centre, scatter):  # type: ignore[no-untyped-def]
    for side in range(2):
        sign = -1.0 if side == 0 else 1.0
        for i in range(len(at)):
            count = 0
            total = 0.0
            for k in range(len(along)):
                if abs(along[k] - at[i]) <= reach and sign * across[k] >= least_aside:
                    count += 1
                    total += across[k]
            centre[side, i], scatter[side, i] = np.nan, 0.0
            if count == 0:
                continue
            mean = total / count
            square = 0.0
            for k in range(len(along)):
                if abs(along[k] - at[i]) <= reach and sign * across[k] >= least_aside:
                    square += (across[k] - mean) ** 2
            centre[side, i], scatter[side, i] = mean, np.sqrt(square / count)


def wall_courses(
    along: NDArray[np.float64],
    across: NDArray[np.float64],
    at: NDArray[np.float64],
    reach: float,
    least_aside: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the points on either side of a curve lie, in windows along it.

    Parameters
    ----------
    along, across : ndarray of float64, shape (n,)
        Position of each point along the curve, and its signed distance from it.
    at : ndarray of float64, shape (k,)
        Middles of the windows.
    reach : float
        Half of a window's length.
    least_aside : float
        Points nearer to the curve are on neither side.

    Returns
    -------
    centre, scatter : ndarray of float64, shape (2, k)
        Mean and standard deviation of the signed distance, of the negative side first; NaN and 0 without a point.
    """
    centre, scatter = np.empty((2, len(at))), np.empty((2, len(at)))
    _wall_courses(along, across, at, float(reach), float(least_aside), centre, scatter)
    return centre, scatter
