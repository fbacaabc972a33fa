"""The sub-pixel outline of one region at a level of grey, and the measures of a polygon."""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.compile import kernel


@kernel
def keep_largest(inside: Any, border: int, stack: Any) -> int:
    """Keep the largest 8-connected part of a region; its pixel count.

    Parameters
    ----------
    inside : ndarray of uint8, shape (h, w)
        0 and 1, changed in place. Of equal parts the first in raster order stays.
    border : int
        At least 1: that many outermost rows and columns are known to be 0.
    stack : ndarray of int32, shape (>= h * w,)
        Scratch.
    """
    h, w = inside.shape
    best = 0
    # Parts are painted 2, the largest so far 3; at the end 3 becomes 1 and all else 0.
    for y in range(border, h - border):
        for x in range(border, w - border):
            if inside[y, x] != 1:
                continue
            size = _paint(inside, y, x, stack)
            if size > best:
                if best > 0:
                    for p in range(h * w):
                        if inside[p // w, p % w] == 3:
                            inside[p // w, p % w] = 2
                _paint(inside, y, x, stack)
                best = size
    for y in range(border, h - border):
        for x in range(border, w - border):
            inside[y, x] = 1 if inside[y, x] == 3 else 0
    return best


@kernel
def _paint(inside: Any, y: int, x: int, stack: Any) -> int:
    """Add 1 to the 8-connected part of equal value that holds (y, x); its pixel count."""
    w = inside.shape[1]
    old = inside[y, x]
    new = old + 1
    inside[y, x] = new
    stack[0] = y * w + x
    top, size = 1, 0
    while top > 0:
        top -= 1
        size += 1
        py, px = stack[top] // w, stack[top] % w
        for ny in range(py - 1, py + 2):
            for nx in range(px - 1, px + 2):
                if inside[ny, nx] == old:
                    inside[ny, nx] = new
                    stack[top] = ny * w + nx
                    top += 1
    return size


@kernel
def fill_holes(inside: Any, border: int, stack: Any) -> int:
    """Fill what cannot be reached from outside by 4-connected steps; the number of pixels filled.

    Parameters
    ----------
    inside : ndarray of uint8, shape (h, w)
        0 and 1, changed in place.
    border : int
        At least 1: that many outermost rows and columns are known to be 0.
    stack : ndarray of int32, shape (>= h * w,)
        Scratch.
    """
    h, w = inside.shape
    low, bottom, right = border - 1, h - border, w - border
    inside[low, low] = 2
    stack[0] = low * w + low
    top = 1
    while top > 0:
        top -= 1
        y, x = stack[top] // w, stack[top] % w
        for side in range(4):
            ny = y + (side == 0) - (side == 1)
            nx = x + (side == 2) - (side == 3)
            if low <= ny <= bottom and low <= nx <= right and inside[ny, nx] == 0:
                inside[ny, nx] = 2
                stack[top] = ny * w + nx
                top += 1
    filled = 0
    for y in range(low, bottom + 1):
        for x in range(low, right + 1):
            if inside[y, x] == 2:
                inside[y, x] = 0
            elif inside[y, x] == 0:
                inside[y, x] = 1
                filled += 1
    return filled


@kernel
def trace_outline(inside: Any, values: Any, level: float, ys: Any, xs: Any) -> int:
    """The closed outline of a filled, 8-connected region, one vertex for every pixel side that it crosses.

    Marching squares (Lorensen and Cline 1987, 10.1145/37402.37422) led by the region: a vertex lies on the line
    between a pixel inside and its 4-neighbour outside, where the values pass `level`; halfway where the one outside is
    not below.

    Parameters
    ----------
    inside : ndarray of uint8, shape (h, w)
        1 for pixels of the region; the outermost rows and columns are 0.
    values : ndarray of float32, shape (h, w)
    level : float
    ys, xs : ndarray of float64
        Written: vertices in pixels, clockwise as displayed (rows down). Their length bounds the outline.

    Returns
    -------
    int
        Number of vertices; 0 where the region is empty or the outline does not fit.
    """
    h, w = inside.shape
    first = -1
    for p in range(h * w):
        if inside[p // w, p % w] == 1:
            first = p
            break
    if first < 0:
        return 0
    # Side 0 faces up, 1 right, 2 down, 3 left.
    dy = (-1, 0, 1, 0)
    dx = (0, 1, 0, -1)
    y, x, side = first // w, first % w, 0
    n = 0
    while True:
        if n == len(ys):
            return 0
        here = values[y, x]
        there = values[y + dy[side], x + dx[side]]
        share = 0.5
        if there < level:
            share = (here - level) / (here - there) if here > level else 0.0
            share = min(max(share, 0.02), 0.98)
        ys[n] = y + share * dy[side]
        xs[n] = x + share * dx[side]
        n += 1
        along = (side + 1) & 3
        ay, ax = y + dy[along], x + dx[along]
        if inside[ay + dy[side], ax + dx[side]] == 1:
            y, x, side = ay + dy[side], ax + dx[side], (side + 3) & 3
        elif inside[ay, ax] == 1:
            y, x = ay, ax
        else:
            side = along
        if side == 0 and y * w + x == first:
            return n


@kernel
def polygon_moments(ys: Any, xs: Any, n: int, out: Any) -> None:
    """Area, centroid, central second moments and perimeter of a polygon, by Green's theorem.

    `out` (float64, 7) receives area, y, x, var_y, var_x, cov_yx, perimeter; variances are per unit area. All are 0 for
    fewer than 3 vertices or an area below 1e-9.
    """
    out[:7] = 0.0
    if n < 3:
        return
    # Measured from the first vertex, which keeps the digits.
    oy, ox = ys[0], xs[0]
    area = sy = sx = syy = sxx = syx = perimeter = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        y0, x0, y1, x1 = ys[i] - oy, xs[i] - ox, ys[j] - oy, xs[j] - ox
        cross = x0 * y1 - x1 * y0
        area += cross
        sy += (y0 + y1) * cross
        sx += (x0 + x1) * cross
        syy += (y0 * y0 + y0 * y1 + y1 * y1) * cross
        sxx += (x0 * x0 + x0 * x1 + x1 * x1) * cross
        syx += (x0 * y1 + 2.0 * x0 * y0 + 2.0 * x1 * y1 + x1 * y0) * cross
        perimeter += math.hypot(y1 - y0, x1 - x0)
    area *= 0.5
    if abs(area) < 1e-9:
        return
    cy, cx = sy / (6.0 * area), sx / (6.0 * area)
    out[0] = abs(area)
    out[1] = oy + cy
    out[2] = ox + cx
    out[3] = syy / (12.0 * area) - cy * cy
    out[4] = sxx / (12.0 * area) - cx * cx
    out[5] = syx / (24.0 * area) - cy * cx
    out[6] = perimeter


@kernel
def smooth_polygon(ys: Any, xs: Any, n: int, passes: int, out_y: Any, out_x: Any) -> None:
    """Binomial smoothing (1 2 1) / 4 of a closed polygon's vertices, `passes` times, into `out_y`, `out_x`."""
    for i in range(n):
        out_y[i] = ys[i]
        out_x[i] = xs[i]
    for _ in range(passes):
        first_y, first_x = out_y[0], out_x[0]
        before_y, before_x = out_y[n - 1], out_x[n - 1]
        for i in range(n):
            here_y, here_x = out_y[i], out_x[i]
            after_y = out_y[i + 1] if i + 1 < n else first_y
            after_x = out_x[i + 1] if i + 1 < n else first_x
            out_y[i] = 0.25 * (before_y + 2.0 * here_y + after_y)
            out_x[i] = 0.25 * (before_x + 2.0 * here_x + after_x)
            before_y, before_x = here_y, here_x


@kernel
def _sort_points(ys: Any, xs: Any, n: int, order: Any) -> None:
    """Indices of points by x, then y, into `order` (Shell 1959, 10.1145/368370.368387)."""
    for i in range(n):
        order[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            k = order[i]
            j = i
            while j >= gap:
                other = order[j - gap]
                if xs[other] < xs[k] or (xs[other] == xs[k] and ys[other] <= ys[k]):
                    break
                order[j] = other
                j -= gap
            order[j] = k
        gap //= 3


@kernel
def convex_hull(ys: Any, xs: Any, n: int, order: Any, hull_y: Any, hull_x: Any) -> tuple[float, int]:
    """Area and number of vertices of the convex hull of points (Andrew 1979, 10.1016/0020-0190(79)90072-3).

    The vertices are left in `hull_y` and `hull_x`, float64 of at least ``2 n + 1`` entries; the first comes again last.
    `order` is int32 scratch of at least `n` entries.
    """
    if n < 3:
        return 0.0, 0
    _sort_points(ys, xs, n, order)
    size = 0
    for turn in range(2):
        base = size + 1 if turn == 0 else size
        for step in range(n):
            i = order[step] if turn == 0 else order[n - 1 - step]
            while size > base and (hull_x[size - 1] - hull_x[size - 2]) * (ys[i] - hull_y[size - 2]) <= (
                hull_y[size - 1] - hull_y[size - 2]
            ) * (xs[i] - hull_x[size - 2]):
                size -= 1
            hull_y[size] = ys[i]
            hull_x[size] = xs[i]
            size += 1
    area = 0.0
    for i in range(size):
        j = i + 1 if i + 1 < size else 0
        area += hull_x[i] * hull_y[j] - hull_x[j] * hull_y[i]
    return 0.5 * abs(area), size
