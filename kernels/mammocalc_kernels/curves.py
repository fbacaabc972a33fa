"""Curves through points: even steps along them, smoothing along them, and what lies beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _even_steps(line, step):  # type: ignore[no-untyped-def]
    n = len(line)
    arc = np.empty(n, np.float64)
    arc[0] = 0.0
    for i in range(1, n):
        down, right = line[i, 0] - line[i - 1, 0], line[i, 1] - line[i - 1, 1]
        arc[i] = arc[i - 1] + np.sqrt(down * down + right * right)
    count = int(arc[n - 1] / step) + 1
    apart = arc[n - 1] / max(count - 1, 1)
    out = np.empty((count, 2), np.float64)
    k = 0
    for i in range(count):
        at = arc[n - 1] if 0 < i == count - 1 else i * apart
        while k + 1 < n and arc[k + 1] <= at:
            k += 1
        for axis in range(2):
            out[i, axis] = line[k, axis]
            if arc[k] < at and k + 1 < n:
                slope = (line[k + 1, axis] - line[k, axis]) / (arc[k + 1] - arc[k])
                out[i, axis] = slope * (at - arc[k]) + line[k, axis]
    return out


@kernel
def _smoothed(line, taps):  # type: ignore[no-untyped-def]
    n, reach = len(line), len(taps) // 2
    pad = min(n - 1, reach)
    if pad < 1:
        return line
    # A short line is mirrored as far as it goes; beyond that its last positions are repeated.
    longer = np.empty((n + 2 * reach, 2), np.float64)
    for i in range(len(longer)):
        place = min(max(i - reach, -pad), n - 1 + pad)
        for axis in range(2):
            if place < 0:
                longer[i, axis] = 2.0 * line[0, axis] - line[-place, axis]
            elif place < n:
                longer[i, axis] = line[place, axis]
            else:
                longer[i, axis] = 2.0 * line[n - 1, axis] - line[2 * (n - 1) - place, axis]
    out = np.empty((n, 2), np.float64)
    for i in range(n):
        for axis in range(2):
            # From the middle out: the two ends are alike, whichever comes first.
            total = taps[reach] * longer[i + reach, axis]
            for k in range(reach):
                total += taps[k] * (longer[i + k, axis] + longer[i + 2 * reach - k, axis])
            out[i, axis] = total
    return out


@kernel
def _smooth_curve(points, step, taps):  # type: ignore[no-untyped-def]
    return _even_steps(_smoothed(_even_steps(points, step), taps), step)


@kernel
def _tangents(line, out):  # type: ignore[no-untyped-def]
    last = len(line) - 1
    for i in range(last + 1):
        before, after = max(i - 1, 0), min(i + 1, last)
        down, right = line[after, 0] - line[before, 0], line[after, 1] - line[before, 1]
        if after - before == 2:
            down, right = down / 2.0, right / 2.0
        length = max(np.sqrt(down * down + right * right), 1e-9)
        out[i, 0], out[i, 1] = down / length, right / length


@kernel
def _beside(line, points, step, along, across, tangent):  # type: ignore[no-untyped-def]
    tangents = np.empty(line.shape, np.float64)
    _tangents(line, tangents)
    for i in range(len(points)):
        least, nearest = np.inf, 0
        for k in range(len(line)):
            down, right = points[i, 0] - line[k, 0], points[i, 1] - line[k, 1]
            square = down * down + right * right
            if square < least:
                least, nearest = square, k
        down, right = points[i, 0] - line[nearest, 0], points[i, 1] - line[nearest, 1]
        by_row, by_col = tangents[nearest, 0], tangents[nearest, 1]
        along[i] = step * nearest + (down * by_row + right * by_col)
        across[i] = by_row * right - by_col * down
        tangent[i, 0], tangent[i, 1] = by_row, by_col


def even_steps(line: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """The same curve with points evenly apart, `step` or a little more, from its first to its last.

    Parameters
    ----------
    line : ndarray of float64, shape (n, 2)
        (row, col) in any one unit, at least one point.
    step : float
        In that unit.

    Returns
    -------
    ndarray of float64, shape (k, 2)
        One point where the curve is shorter than a step.
    """
    points: NDArray[np.float64] = _even_steps(np.ascontiguousarray(line, np.float64), float(step))
    return points


def smooth_curve(points: NDArray[np.float64], step: float, taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve through points, smoothed along itself; its ends stay in place, being mirrored through themselves.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in any one unit, at least one, in their order along the curve.
    step : float
        Distance of points before and after the smoothing.
    taps : ndarray of float64, shape (2 * reach + 1,)
        Symmetric weights of neighbouring points; their sum is 1.

    Returns
    -------
    ndarray of float64, shape (k, 2)
    """
    curve: NDArray[np.float64] = _smooth_curve(np.ascontiguousarray(points, np.float64), float(step), taps)
    return curve


def tangents_of(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit tangents of a curve at its points, shape (n, 2), n at least 2."""
    out = np.empty((len(line), 2))
    _tangents(np.ascontiguousarray(line, np.float64), out)
    return out


def beside(
    line: NDArray[np.float64], points: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where points lie against a curve.

    Parameters
    ----------
    line : ndarray of float64, shape (k, 2)
        (row, col) of at least two points that lie `step` apart.
    points : ndarray of float64, shape (n, 2)
    step : float

    Returns
    -------
    along : ndarray of float64, shape (n,)
        Arc length of the nearest position on the curve; beyond the ends by as much as the point overshoots.
    across : ndarray of float64, shape (n,)
        Signed distance from the curve.
    tangent : ndarray of float64, shape (n, 2)
        Unit tangent of the curve there.
    """
    along, across, tangent = np.empty(len(points)), np.empty(len(points)), np.empty((len(points), 2))
    lines = np.ascontiguousarray(line, np.float64), np.ascontiguousarray(points, np.float64)
    _beside(*lines, float(step), along, across, tangent)
    return along, across, tangent
