"""The long axis of an elongated region, and the samples of contrast along and across it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import bounding_box

_FAR = 1 << 28
_STEP, _DIAGONAL = 5, 7


@kernel
def geodesic_distance(inside: Any, seed: int, distance: Any) -> int:
    """Length of the shortest 8-connected way inside a region from `seed` to every pixel, in fifths of a pixel.

    Parameters
    ----------
    inside : ndarray of uint8, shape (h, w)
        1 for pixels of the region; the outermost rows and columns are 0.
    seed : int
        Flat index of a pixel inside.
    distance : ndarray of int32, shape (h, w)
        Written (5-7 chamfer); 2**28 outside.

    Returns
    -------
    int
        Flat index of the farthest pixel, the first in raster order of equals.
    """
    h, w = inside.shape
    for y in range(h):
        for x in range(w):
            distance[y, x] = _FAR
    distance[seed // w, seed % w] = 0
    top, left, bottom, right = bounding_box(inside)
    changed = True
    while changed:
        changed = False
        for y in range(top, bottom):
            for x in range(left, right):
                if inside[y, x] == 1:
                    best = min(distance[y, x - 1], distance[y - 1, x]) + _STEP
                    best = min(best, min(distance[y - 1, x - 1], distance[y - 1, x + 1]) + _DIAGONAL)
                    if best < distance[y, x]:
                        distance[y, x] = best
                        changed = True
        for y in range(bottom - 1, top - 1, -1):
            for x in range(right - 1, left - 1, -1):
                if inside[y, x] == 1:
                    best = min(distance[y, x + 1], distance[y + 1, x]) + _STEP
                    best = min(best, min(distance[y + 1, x + 1], distance[y + 1, x - 1]) + _DIAGONAL)
                    if best < distance[y, x]:
                        distance[y, x] = best
                        changed = True
    farthest, reached = seed, 0
    for y in range(top, bottom):
        for x in range(left, right):
            if inside[y, x] == 1 and reached < distance[y, x] < _FAR:
                farthest, reached = y * w + x, distance[y, x]
    return farthest


@kernel
def longest_path(inside: Any, seed: int, distance: Any, ys: Any, xs: Any) -> int:
    """Pixels of a longest shortest way through a region, end to end; their number (0 where they do not fit).

    `distance` is int32 scratch of the region's shape; `ys`, `xs` (float64) receive the pixel centres.
    """
    w = inside.shape[1]
    one_end = geodesic_distance(inside, seed, distance)
    other_end = geodesic_distance(inside, one_end, distance)
    y, x = other_end // w, other_end % w
    n = 0
    while True:
        if n == len(ys):
            return 0
        ys[n] = y
        xs[n] = x
        n += 1
        here = distance[y, x]
        if here == 0:
            return n
        next_y, next_x = y, x
        for ny in range(y - 1, y + 2):
            for nx in range(x - 1, x + 2):
                step = _DIAGONAL if ny != y and nx != x else _STEP
                if distance[ny, nx] == here - step:
                    next_y, next_x = ny, nx
        if next_y == y and next_x == x:
            return n
        y, x = next_y, next_x


@kernel
def smooth_path(ys: Any, xs: Any, n: int, passes: int) -> None:
    """Binomial smoothing (1 2 1) / 4 of an open path in place, `passes` times; the ends stay."""
    for _ in range(passes):
        before_y, before_x = ys[0], xs[0]
        for i in range(1, n - 1):
            here_y, here_x = ys[i], xs[i]
            ys[i] = 0.25 * (before_y + 2.0 * here_y + ys[i + 1])
            xs[i] = 0.25 * (before_x + 2.0 * here_x + xs[i + 1])
            before_y, before_x = here_y, here_x


@kernel
def resample_path(ys: Any, xs: Any, n: int, out_y: Any, out_x: Any) -> int:
    """Equal steps of about one pixel along a path, first and last point kept; the number of points (at least 2)."""
    arc = 0.0
    for i in range(1, n):
        arc += math.hypot(ys[i] - ys[i - 1], xs[i] - xs[i - 1])
    count = max(2, min(int(arc + 0.5) + 1, len(out_y)))
    step = arc / (count - 1)
    out_y[0] = ys[0]
    out_x[0] = xs[0]
    k = 1
    walked = 0.0
    for i in range(1, n):
        leg = math.hypot(ys[i] - ys[i - 1], xs[i] - xs[i - 1])
        while k < count - 1 and leg > 0.0 and k * step <= walked + leg:
            share = (k * step - walked) / leg
            out_y[k] = ys[i - 1] + share * (ys[i] - ys[i - 1])
            out_x[k] = xs[i - 1] + share * (xs[i] - xs[i - 1])
            k += 1
        walked += leg
    while k < count:
        out_y[k] = ys[n - 1]
        out_x[k] = xs[n - 1]
        k += 1
    return count


@kernel
def axis_coordinates(
    contrast: Any,
    usable: Any,
    ys: Any,
    xs: Any,
    n: int,
    reach: float,
    beyond: float,
    along: Any,
    across: Any,
    value: Any,
) -> int:
    """Arc position, distance from the axis and contrast of the usable pixels beside a path.

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
    usable : ndarray of uint8, shape (h, w)
        1 for pixels that may be sampled.
    ys, xs : ndarray of float64
        The path, `n` points at equal steps, px.
    reach, beyond : float
        Largest distance across the path, and along it beyond its straight continuation at the ends, px.
    along, across, value : ndarray of float64, shape (>= h * w,)
        Written. `across` is positive to the right of the path as it runs, as displayed.

    Returns
    -------
    int
        Number of samples.
    """
    h, w = contrast.shape
    step = math.hypot(ys[1] - ys[0], xs[1] - xs[0])
    stride = 4
    # What is sampled lies within this distance of a point of the path: for each row the columns, and for each row and
    # each column the coarse points that can be the nearest.
    limit = math.hypot(reach, beyond) + 1e-6
    left, right = np.full(h, w, np.int64), np.zeros(h, np.int64)
    for k in range(n):
        for y in range(max(math.ceil(ys[k] - limit), 0), min(math.floor(ys[k] + limit) + 1, h)):
            left[y] = min(left[y], max(math.ceil(xs[k] - limit), 0))
            right[y] = max(right[y], min(math.floor(xs[k] + limit) + 1, w))
    further = limit + stride * step
    first, end = np.full(h, n, np.int64), np.zeros(h, np.int64)
    first_across, end_across = np.full(w, n, np.int64), np.zeros(w, np.int64)
    for k in range(0, n, stride):
        for y in range(max(math.ceil(ys[k] - further), 0), min(math.floor(ys[k] + further) + 1, h)):
            first[y] = min(first[y], k)
            end[y] = max(end[y], k + 1)
        for x in range(max(math.ceil(xs[k] - further), 0), min(math.floor(xs[k] + further) + 1, w)):
            first_across[x] = min(first_across[x], k)
            end_across[x] = max(end_across[x], k + 1)
    tangent_y, tangent_x = np.empty(n, np.float64), np.empty(n, np.float64)
    for k in range(n):
        before, after = max(k - 1, 0), min(k + 1, n - 1)
        ty, tx = ys[after] - ys[before], xs[after] - xs[before]
        norm = math.hypot(ty, tx)
        tangent_y[k] = ty / norm if norm > 0.0 else math.nan
        tangent_x[k] = tx / norm if norm > 0.0 else math.nan
    count = 0
    for y in range(h):
        for x in range(left[y], right[y]):
            if usable[y, x] != 1:
                continue
            nearest, least = 0, 1e30
            k, stop = max(first[y], first_across[x]), min(end[y], end_across[x])
            while k < stop:
                gap = (ys[k] - y) ** 2 + (xs[k] - x) ** 2
                if gap < least:
                    nearest, least = k, gap
                k += stride
            if least > further * further:
                continue
            for k in range(max(nearest - stride + 1, 0), min(nearest + stride, n)):
                gap = (ys[k] - y) ** 2 + (xs[k] - x) ** 2
                if gap < least:
                    nearest, least = k, gap
            ty, tx = tangent_y[nearest], tangent_x[nearest]
            if math.isnan(ty):
                continue
            forward = (y - ys[nearest]) * ty + (x - xs[nearest]) * tx
            aside = (y - ys[nearest]) * tx - (x - xs[nearest]) * ty
            if abs(aside) > reach or forward < -beyond or forward > beyond:
                continue
            if 0 < nearest < n - 1 and abs(forward) > 1.5 * step:
                continue
            along[count] = nearest * step + forward
            across[count] = aside
            value[count] = contrast[y, x]
            count += 1
    return count


@kernel
def centre_path(
    along: Any,
    across: Any,
    value: Any,
    count: int,
    ys: Any,
    xs: Any,
    n: int,
    spread: float,
    stretch: float,
    weight: Any,
    moment: Any,
) -> None:
    """Shift every point of a path across itself to the ridge of contrast around it.

    The shift is twice the Gaussian-weighted centroid of the contrast, which is where a ridge as wide as the weight
    lies, smoothed along the path and held to 1 px.

    Parameters
    ----------
    along, across, value : ndarray of float64
        From `axis_coordinates`, `count` of them.
    ys, xs : ndarray of float64
        The path, changed in place.
    spread, stretch : float
        Deviation of the weight across and half length of the window along the path, px.
    weight, moment : ndarray of float64, shape (>= n,)
        Scratch.
    """
    step = math.hypot(ys[1] - ys[0], xs[1] - xs[0])
    for k in range(n):
        weight[k] = 0.0
        moment[k] = 0.0
    for i in range(count):
        g = math.exp(-0.5 * (across[i] / spread) ** 2) * value[i]
        first = max(math.ceil((along[i] - stretch) / step), 0)
        last = min(math.floor((along[i] + stretch) / step), n - 1)
        for k in range(first, last + 1):
            weight[k] += g
            moment[k] += g * across[i]
    peak = 0.0
    for k in range(n):
        peak = max(peak, weight[k])
    for k in range(n):
        shift = 2.0 * moment[k] / weight[k] if weight[k] > 0.1 * peak else 0.0
        moment[k] = min(max(shift, -1.0), 1.0)
    for k in range(n):
        weight[k] = moment[k]
        before, after = max(k - 1, 0), min(k + 1, n - 1)
        weight[k] = 0.25 * moment[before] + 0.5 * moment[k] + 0.25 * moment[after]
    ty = tx = 0.0
    last_y, last_x = ys[0], xs[0]
    for k in range(n):
        after = min(k + 1, n - 1)
        ty, tx = ys[after] - last_y, xs[after] - last_x
        last_y, last_x = ys[k], xs[k]
        norm = math.hypot(ty, tx)
        if norm > 0.0:
            ys[k] += weight[k] * tx / norm
            xs[k] -= weight[k] * ty / norm


@kernel
def bin_samples(
    positions: Any,
    values: Any,
    keys: Any,
    count: int,
    key_low: float,
    key_high: float,
    low: float,
    high: float,
    width: float,
    xs: Any,
    vs: Any,
    ws: Any,
) -> int:
    """Mean position, mean value and number of samples in equal bins of position, of those whose key is in a range.

    Parameters
    ----------
    positions, values, keys : ndarray of float64, shape (>= count,)
    key_low, key_high : float
        Inclusive range of keys.
    low, high, width : float
        First edge, last edge and width of the bins.
    xs, vs, ws : ndarray of float64
        Written; `ws` is 0 for an empty bin.

    Returns
    -------
    int
        Number of bins.
    """
    n = min(math.ceil((high - low) / width), len(xs))
    for k in range(n):
        xs[k] = 0.0
        vs[k] = 0.0
        ws[k] = 0.0
    for i in range(count):
        if keys[i] < key_low or keys[i] > key_high or positions[i] < low:
            continue
        k = int((positions[i] - low) / width)
        if k < n:
            xs[k] += positions[i]
            vs[k] += values[i]
            ws[k] += 1.0
    for k in range(n):
        if ws[k] > 0.0:
            xs[k] /= ws[k]
            vs[k] /= ws[k]
    return n
