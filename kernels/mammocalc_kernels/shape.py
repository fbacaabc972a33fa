"""Candidates on the grey values: background, patch, outline, and what the outline tells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mammocalc_kernels import outline
from mammocalc_kernels.candidate_state import (
    BENT,
    BORDER,
    BROAD,
    CENTRE_X,
    CENTRE_Y,
    COMPACT,
    DEVIATION,
    FORM,
    HEIGHT,
    HOLLOWED,
    LEFT,
    LEVEL,
    LUMEN,
    NOTHING,
    PATCH,
    POLYGON_AREA,
    POLYGON_COV,
    POLYGON_VAR_X,
    POLYGON_VAR_Y,
    SOLID_AREA,
    SOLIDITY_TOLD,
    STRAIGHT,
    TALL,
    TOP,
    VERTICES,
)
from mammocalc_kernels.compact_size import SMOOTHING_VARIANCE
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import (
    DIAGONAL,
    bounding_box,
    chamfer_distance,
    fit_background,
    select,
)
from mammocalc_kernels.local_background import STEP as STRAIGHT_STEP
from mammocalc_kernels.measured_columns import (
    AREA,
    BACKGROUND,
    BRANCHES,
    CIRCULARITY,
    COL,
    CORE_LUCENCY,
    EDGE_WIDTH,
    FILLED_AREA,
    HETEROGENEITY,
    LUCENCY,
    NOISE,
    PEAK,
    RING_CLOSURE,
    ROUGHNESS,
    ROW,
    SOLIDITY,
    THICKNESS,
)

# Central differences add to the smoothing's variance.
_GRADIENT_VARIANCE = SMOOTHING_VARIANCE + 1.0 / 3.0
_EDGE_WIDTH_OF_SIGMA = math.sqrt(2.0 * math.pi)
# Marks of pixels near a candidate.
_FREE, _SAMPLED, OTHERS, _OFF = 0, 1, 2, 3
# From this area and depth (px) on a region has a core and a band around it.
_LEAST_CORE_AREA, _LEAST_CORE_DEPTH = 50.0, 4.0
# Mark of pixels within the hull of a region, and the least share of the peak at which they belong to a shell.
_WITHIN, _LUMEN_SHARE = 2, 0.12


@kernel
def smooth(contrast: Any, distance: Any, limit: int, smoothed: Any) -> None:
    """Binomial 3 x 3 smoothing of the contrast where the distance is at most `limit`; 0 elsewhere."""
    h, w = contrast.shape
    for y in range(h):
        smoothed[y, 0] = 0.0
        smoothed[y, w - 1] = 0.0
    for x in range(w):
        smoothed[0, x] = 0.0
        smoothed[h - 1, x] = 0.0
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            corners = (
                contrast[y - 1, x - 1]
                + contrast[y - 1, x + 1]
                + contrast[y + 1, x - 1]
                + contrast[y + 1, x + 1]
            )
            sides = contrast[y - 1, x] + contrast[y + 1, x] + contrast[y, x - 1] + contrast[y, x + 1]
            mean = 0.0625 * (corners + 2.0 * sides + 4.0 * contrast[y, x])
            smoothed[y, x] = mean if distance[y, x] <= limit else 0.0


@kernel
def _ring_met(inside: Any, cy: float, cx: float) -> float:
    """Fraction of 36 directions from a point in which the region is met; 0 where the point itself is inside."""
    h, w = inside.shape
    y, x = int(cy + 0.5), int(cx + 0.5)
    for ny in range(max(y - 1, 0), min(y + 2, h)):
        for nx in range(max(x - 1, 0), min(x + 2, w)):
            if inside[ny, nx] == 1:
                return 0.0
    met = 0
    for ny in range(h):
        for nx in range(w):
            if inside[ny, nx] == 1:
                met |= 1 << int((math.atan2(ny - cy, nx - cx) + math.pi) * (35.9999 / (2.0 * math.pi)))
    count = 0
    for k in range(36):
        count += (met >> k) & 1
    return count / 36.0


@kernel
def _mark_polygon(inside: Any, ys: Any, xs: Any, n: int) -> None:
    """Make `inside` 2 at every pixel within a convex polygon of `n` vertices where it is 0."""
    h, w = inside.shape
    for y in range(1, h - 1):
        low, high = 1e30, -1e30
        for i in range(n):
            j = i + 1 if i + 1 < n else 0
            if min(ys[i], ys[j]) <= y <= max(ys[i], ys[j]):
                x = xs[i]
                if ys[i] != ys[j]:
                    x += (y - ys[i]) / (ys[j] - ys[i]) * (xs[j] - xs[i])
                else:
                    low, high = min(low, xs[j]), max(high, xs[j])
                low, high = min(low, x), max(high, x)
        for x in range(max(math.ceil(low), 1), min(math.floor(high), w - 2) + 1):
            if inside[y, x] == 0:
                inside[y, x] = _WITHIN


@kernel
def _settle_lumen(inside: Any, contrast: Any, distance: Any, least: float) -> bool:
    """Whether what was marked stands above the background: then it becomes part of the region, else it is let go.

    A shell is seen through its lumen too, twice its wall; what a bent wire goes around is as dark as the background.
    Only what lies more than three pixels from the candidate is asked; without such pixels the answer is yes.
    """
    h, w = inside.shape
    total = count = 0.0
    for y in range(h):
        for x in range(w):
            if inside[y, x] == _WITHIN and distance[y, x] > 3 * STRAIGHT_STEP:
                total += contrast[y, x]
                count += 1.0
    stands = total >= least * count
    for y in range(h):
        for x in range(w):
            if inside[y, x] == _WITHIN:
                inside[y, x] = 1 if stands else 0
    return stands


@kernel
def _edge_width(smoothed: Any, ys: Any, xs: Any, n: int, peak: float) -> float:
    """Peak over the mean slope across the outline, smoothing undone, px; NaN where the slope is not positive."""
    h, w = smoothed.shape
    total = 0.0
    for i in range(n):
        before, after = (i - 1 if i > 0 else n - 1), (i + 1 if i + 1 < n else 0)
        # The outline runs clockwise: inwards is to its right.
        ty, tx = ys[after] - ys[before], xs[after] - xs[before]
        norm = math.hypot(ty, tx)
        if norm == 0.0:
            continue
        y = min(max(int(ys[i] + 0.5), 1), h - 2)
        x = min(max(int(xs[i] + 0.5), 1), w - 2)
        slope_y = 0.5 * (smoothed[y + 1, x] - smoothed[y - 1, x])
        slope_x = 0.5 * (smoothed[y, x + 1] - smoothed[y, x - 1])
        total += (slope_y * tx - slope_x * ty) / norm
    if total <= 0.0:
        return math.nan
    sigma = peak / (total / n) / _EDGE_WIDTH_OF_SIGMA
    return _EDGE_WIDTH_OF_SIGMA * math.sqrt(max(sigma * sigma - _GRADIENT_VARIANCE, 0.0))


@kernel
def _heterogeneity(contrast: Any, inside: Any, peak: float) -> float:
    """Deviation of the contrast two pixels or more inside the outline, pixel noise taken off, over `peak`; or NaN."""
    h, w = contrast.shape
    count = total = square = 0.0
    for y in range(2, h - 2):
        for x in range(2, w - 2):
            if inside[y, x] == 0 or inside[y, x + 2] == 0 or inside[y, x - 2] == 0:
                continue
            if inside[y - 2, x] == 0 or inside[y + 2, x] == 0:
                continue
            if inside[y + 1, x + 1] == 0 or inside[y + 1, x - 1] == 0:
                continue
            if inside[y - 1, x + 1] == 0 or inside[y - 1, x - 1] == 0:
                continue
            count += 1.0
            total += contrast[y, x]
            square += contrast[y, x] * contrast[y, x]
    if count < 6.0:
        return math.nan
    variance = (square - total * total / count) / (count - 1.0)
    return math.sqrt(max(variance - 1.0, 0.0)) / peak


@kernel
def core_lucency(contrast: Any, depth: Any, deepest: int) -> float:
    """1 minus the mean contrast of the core of a region over that of the band around it, by depth below the outline.

    The core is what lies deeper than 0.6 of the deepest pixel, the band what lies at 0.25 to 0.5 of it and deeper than
    1.5 px: a lump without an axis or a centre has both.

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
    depth : ndarray of int16, shape (h, w)
        Distance to the outside, thirds of a pixel; the outermost rows and columns are not looked at.
    deepest : int
        Its largest value.
    """
    h, w = depth.shape
    core = core_count = band = band_count = 0.0
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            d = depth[y, x]
            if d > 0.6 * deepest:
                core += contrast[y, x]
                core_count += 1.0
            elif 0.25 * deepest < d <= 0.5 * deepest and d > 1.5 * STRAIGHT_STEP:
                band += contrast[y, x]
                band_count += 1.0
    if band <= 0.0:
        return math.nan
    return 1.0 - core / core_count * band_count / band


@kernel
def _ring_scale(tall: int, broad: int, reach: float) -> float:
    """The ring grows with the candidate, slowly: a plane under 5 mm needs more support than one under a speck."""
    return min(1.0 + 0.15 * max(max(tall, broad) - 2.0 * reach, 0.0) / reach, 2.0)


@kernel
def ring_samples(
    plane: Any,
    taken: Any,
    bounds: Any,
    own: Any,
    distance: Any,
    margin: int,
    by_box: bool,
    near: float,
    far: float,
    centre_y: float,
    centre_x: float,
    ys: Any,
    xs: Any,
    vs: Any,
) -> int:
    """Pixels of the plane in a ring around a candidate that are not within two pixels of another one.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
    taken : ndarray of uint8, shape (h, w)
        1 for pixels of any candidate.
    bounds : ndarray of int32, shape (4,)
        row_min, col_min, row_max, col_max of the candidate, half open.
    own, distance : ndarray of uint8 and int16
        The candidate painted on a patch that reaches `margin` pixels beyond its bounds, and scratch; not looked at for
        `by_box`, where the distance is that to the bounding box.
    near, far : float
        Radii of the ring, px (3-4 chamfer).
    centre_y, centre_x : float
        Origin of the positions that are written to `ys`, `xs`, plane pixels.
    vs : ndarray of float64
        Written: values.

    Returns
    -------
    int
        Number of samples.
    """
    height, width = plane.shape
    least, most = int(3.0 * near), int(3.0 * far)
    if not by_box:
        chamfer_distance(own, margin, distance)
    count = 0
    for y in range(max(bounds[0] - margin, 0), min(bounds[2] + margin, height)):
        dy = max(bounds[0] - y, y - bounds[2] + 1, 0)
        for x in range(max(bounds[1] - margin, 0), min(bounds[3] + margin, width)):
            if by_box:
                dx = max(bounds[1] - x, x - bounds[3] + 1, 0)
                away = STRAIGHT_STEP * max(dy, dx) + (DIAGONAL - STRAIGHT_STEP) * min(dy, dx)
            else:
                away = distance[y - bounds[0] + margin, x - bounds[1] + margin]
            if away <= least or away > most or taken[y, x] != 0:
                continue
            if taken[y, max(x - 2, 0)] != 0 or taken[y, min(x + 2, width - 1)] != 0:
                continue
            if taken[max(y - 2, 0), x] != 0 or taken[min(y + 2, height - 1), x] != 0:
                continue
            ys[count] = y - centre_y
            xs[count] = x - centre_x
            vs[count] = plane[y, x]
            count += 1
    return count


@kernel
def load_patch(
    plane: Any,
    taken: Any,
    own: Any,
    distance: Any,
    top: int,
    left: int,
    centre_y: float,
    centre_x: float,
    background: Any,
    limit: float,
    contrast: Any,
    usable: Any,
) -> None:
    """Contrast above the background plane around a candidate, and which pixels may be sampled.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
    taken : ndarray of uint8, shape (h, w)
        1 for pixels of any candidate.
    own, distance : ndarray of uint8 and int16, shape (p, q)
        The candidate on the patch and the distance to it in thirds of a pixel.
    top, left : int
        Plane position of the patch's first pixel; the patch may reach beyond the plane.
    centre_y, centre_x : float
        Plane position that `background` (level, slope along y, slope along x) counts from.
    limit : float
        Largest distance of sampled pixels, px.
    contrast : ndarray of float32, shape (p, q)
        Written: 0 off the plane.
    usable : ndarray of uint8, shape (p, q)
        Written: 1 for pixels within `limit` that neither belong to another candidate nor touch one (one's own
        pixels may touch), 2 for pixels of others, 3 off the plane, else 0.
    """
    height, width = plane.shape
    h, w = contrast.shape
    most = int(3.0 * limit)
    first, end = min(max(-left, 0), w), max(min(width - left, w), 0)
    at_centre, slope_y, slope_x = background[0], background[1], background[2]
    _, near_left, _, near_right = bounding_box(own)
    near_left -= int(limit) + 1
    near_right += int(limit) + 1
    for y in range(h):
        py = y + top
        if py < 0 or py >= height:
            usable[y, :] = _OFF
            contrast[y, :] = 0.0
            continue
        usable[y, :] = _OFF
        contrast[y, :] = 0.0
        # Without a branch first, and on slices, whose places need no check: nearly all of a patch is far away and free.
        level = at_centre + slope_y * (py - centre_y)
        values, marks = plane[py, first + left : end + left], taken[py, first + left : end + left]
        above, free = contrast[y, first:end], usable[y, first:end]
        for x in range(len(values)):
            above[x] = values[x] - (level + slope_x * (np.float64(x + first + left) - centre_x))
        for x in range(len(marks)):
            free[x] = OTHERS * (marks[x] != 0)
        for x in range(max(first, near_left), min(end, near_right)):
            if distance[y, x] > most:
                continue
            px = x + left
            if own[y, x] != 0:
                usable[y, x] = _SAMPLED
            elif usable[y, x] == _FREE:
                touches = taken[max(py - 1, 0), px] != 0 and own[max(y - 1, 0), x] == 0
                touches |= taken[min(py + 1, height - 1), px] != 0 and own[min(y + 1, h - 1), x] == 0
                touches |= taken[py, max(px - 1, 0)] != 0 and own[y, max(x - 1, 0)] == 0
                touches |= taken[py, min(px + 1, width - 1)] != 0 and own[y, min(x + 1, w - 1)] == 0
                usable[y, x] = _FREE if touches else _SAMPLED


@kernel
def measure_backgrounds(
    plane: Any,
    taken: Any,
    offsets: Any,
    run_row: Any,
    run_start: Any,
    run_stop: Any,
    bounds: Any,
    chosen: Any,
    gap: float,
    ring: float,
    own_pool: Any,
    distance_pool: Any,
    samples: Any,
    state: Any,
    out: Any,
) -> None:
    """Position and area by the mask, and the tissue around each candidate.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        Bright = dense, noise of deviation 1.
    taken : ndarray of uint8, shape (h, w)
        1 for pixels of any candidate.
    offsets, run_row, run_start, run_stop, bounds : ndarray
        Candidates as runs, int64 and int32.
    chosen : ndarray of int64, shape (m,)
        Numbers of the candidates to measure.
    gap, ring : float
        Distance from the candidate to the ring that its background is taken from, and the ring's thickness, px.
    own_pool, distance_pool : ndarray of uint8 and int16
        Scratch for the largest candidate with `gap` and twice `ring` around.
    samples : ndarray of float64, shape (4, as many)
        Scratch.
    state : ndarray of float64, shape (m, SLOTS)
        The background is written; the form becomes COMPACT where there is one.
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns row, col, area, filled area, background and noise of the chosen are written.
    """
    for k in range(len(chosen)):
        c = chosen[k]
        row_min, col_min = bounds[c, 0], bounds[c, 1]
        tall, broad = bounds[c, 2] - row_min, bounds[c, 3] - col_min
        area = sum_y = sum_x = 0.0
        for r in range(offsets[c], offsets[c + 1]):
            run = run_stop[r] - run_start[r]
            area += run
            sum_y += run * run_row[r]
            sum_x += 0.5 * run * (run_start[r] + run_stop[r] - 1)
        centre_y, centre_x = sum_y / area, sum_x / area
        out[c, ROW] = centre_y
        out[c, COL] = centre_x
        out[c, AREA] = area
        out[c, FILLED_AREA] = area
        state[k, FORM] = NOTHING
        if state[k, TALL] == 0.0:
            continue
        # From a ring around the bounding box for a speck, around the region itself for more.
        ring_here = ring * _ring_scale(tall, broad, gap + ring)
        far = int(gap + ring_here) + 2
        by_box = max(tall, broad) <= 2.0 * gap + 2.0
        h, w = tall + 2 * far, broad + 2 * far
        own = own_pool[: h * w].reshape(h, w)
        distance = distance_pool[: h * w].reshape(h, w)
        if not by_box:
            paint_runs(
                run_row, run_start, run_stop, offsets[c], offsets[c + 1], row_min - far, col_min - far, own
            )
        n = ring_samples(
            plane, taken, bounds[c], own, distance, far, by_box, gap, gap + ring_here, centre_y, centre_x,
            samples[0], samples[1], samples[2],
        )  # fmt: skip
        if n < 8:
            continue
        fitted = state[k, LEVEL : LEVEL + 3]
        noise = max(fit_background(samples[0], samples[1], samples[2], n, samples[3], fitted), 1.0)
        out[c, BACKGROUND] = state[k, LEVEL]
        out[c, NOISE] = noise
        state[k, DEVIATION] = noise
        state[k, CENTRE_Y] = centre_y
        state[k, CENTRE_X] = centre_x
        state[k, FORM] = COMPACT


@kernel
def load_patches(
    plane: Any,
    taken: Any,
    offsets: Any,
    run_row: Any,
    run_start: Any,
    run_stop: Any,
    chosen: Any,
    limit: float,
    own_pool: Any,
    distance_pool: Any,
    contrast_pool: Any,
    smooth_pool: Any,
    usable_pool: Any,
    values: Any,
    state: Any,
    out: Any,
) -> None:
    """The neighbourhood of each candidate above its background, and its peak.

    Parameters
    ----------
    plane, taken, offsets, run_row, run_start, run_stop, chosen
        As for `measure_backgrounds`.
    limit : float
        Largest distance of sampled pixels from the candidate, px.
    own_pool, distance_pool, contrast_pool, smooth_pool, usable_pool : ndarray
        uint8, int16, float32, float32 and uint8 pools, written: the candidate, the chamfer distance to it, contrast,
        contrast after binomial 3 x 3 smoothing, marks of `load_patch`.
    values : ndarray of float64
        Scratch for the pixels of the largest candidate.
    state : ndarray of float64, shape (m, SLOTS)
        The height is written; the form becomes NOTHING where nothing stands out.
    out : ndarray of float64, shape (n, len(COLUMNS))
        Column peak of the chosen is written.
    """
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING:
            continue
        c = chosen[k]
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        top, left = int(state[k, TOP]), int(state[k, LEFT])
        pool = int(state[k, PATCH])
        own = own_pool[pool : pool + h * w].reshape(h, w)
        distance = distance_pool[pool : pool + h * w].reshape(h, w)
        contrast = contrast_pool[pool : pool + h * w].reshape(h, w)
        smoothed = smooth_pool[pool : pool + h * w].reshape(h, w)
        usable = usable_pool[pool : pool + h * w].reshape(h, w)
        paint_runs(run_row, run_start, run_stop, offsets[c], offsets[c + 1], top, left, own)
        chamfer_distance(own, int(limit) + 2, distance)
        load_patch(
            plane, taken, own, distance, top, left, state[k, CENTRE_Y], state[k, CENTRE_X],
            state[k, LEVEL : LEVEL + 3], limit, contrast, usable,
        )  # fmt: skip
        smooth(contrast, distance, 9, smoothed)
        first_row, first_column, end_row, end_column = bounding_box(own)
        n = 0
        for y in range(first_row, end_row):
            for x in range(first_column, end_column):
                if own[y, x] == 1:
                    values[n] = smoothed[y, x]
                    n += 1
        peak = select(values, n, int(0.85 * (n - 1) + 0.5))
        out[c, PEAK] = peak
        state[k, HEIGHT] = peak
        if peak <= 0.0:
            state[k, FORM] = NOTHING


@kernel
def outline_candidates(
    chosen: Any,
    own_pool: Any,
    distance_pool: Any,
    contrast_pool: Any,
    smooth_pool: Any,
    usable_pool: Any,
    inside_pool: Any,
    outline_y: Any,
    outline_x: Any,
    stack: Any,
    hull_y: Any,
    hull_x: Any,
    moments: Any,
    state: Any,
    out: Any,
) -> None:
    """The outline of each candidate at half of its peak, holes filled.

    Parameters
    ----------
    chosen, own_pool, distance_pool, contrast_pool, smooth_pool, state, out
        As for `load_patches`.
    usable_pool : ndarray of uint8
        Pixels of the lumen become usable.
    inside_pool : ndarray of uint8
        Written: 1 for the region.
    outline_y, outline_x : ndarray of float64
        Pools, written: vertices, patch pixels.
    stack, hull_y, hull_x, moments : ndarray of int32 and float64
        Scratch: pixels of the largest patch, twice as many and one, and 7.
    """
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING:
            continue
        c = chosen[k]
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        end = pool + h * w
        own = own_pool[pool:end].reshape(h, w)
        distance = distance_pool[pool:end].reshape(h, w)
        contrast = contrast_pool[pool:end].reshape(h, w)
        smoothed = smooth_pool[pool:end].reshape(h, w)
        usable = usable_pool[pool:end].reshape(h, w)
        inside = inside_pool[pool:end].reshape(h, w)
        ys, xs = outline_y[pool:end], outline_x[pool:end]
        state[k, FORM] = NOTHING
        level = 0.5 * state[k, HEIGHT]
        for y in range(h):
            for x in range(w):
                s = smoothed[y, x]
                near = distance[y, x] <= 6 and usable[y, x] < OTHERS
                inside[y, x] = near and (s >= level or (own[y, x] == 1 and s >= 0.5 * level))
        border = int(state[k, BORDER])
        solid_area = outline.keep_largest(inside, border, stack)
        lumen = float(outline.fill_holes(inside, border, stack))
        n, solidity, hull = 0, 0.0, 0.0
        for turn in range(2):
            n = outline.trace_outline(inside, smoothed, level, ys, xs)
            outline.polygon_moments(ys, xs, n, moments)
            if moments[0] <= 0.0:
                break
            if turn == 1:
                solidity = min(moments[0] / hull, 1.0)
                break
            hull, n_hull = outline.convex_hull(ys, xs, n, stack, hull_y, hull_x)
            solidity = min(moments[0] / hull, 1.0)
            if lumen > 0.0 or solidity >= 0.8 or solid_area < 20:
                break
            # A ring with a gap has no hole to fill: its hull is its outline.
            outline.polygon_moments(hull_y, hull_x, n_hull, moments)
            ring = _ring_met(inside, moments[1], moments[2]) >= 0.7
            if ring:
                _mark_polygon(inside, hull_y, hull_x, n_hull)
                ring = _settle_lumen(inside, contrast, distance, _LUMEN_SHARE * state[k, HEIGHT])
            if not ring:
                outline.polygon_moments(ys, xs, n, moments)
                break
            lumen = moments[0] - solid_area
        if moments[0] <= 0.0:
            continue
        if lumen > 0.0:
            # The lumen may lie beyond the reach of the candidate's own pixels, and is to be sampled.
            for y in range(h):
                for x in range(w):
                    if inside[y, x] == 1 and usable[y, x] == _FREE:
                        usable[y, x] = _SAMPLED
        out[c, FILLED_AREA] = moments[0]
        out[c, AREA] = max(moments[0] - lumen, 1.0)
        out[c, SOLIDITY] = solidity
        out[c, ROW] = moments[1] + state[k, TOP]
        out[c, COL] = moments[2] + state[k, LEFT]
        out[c, LUCENCY] = 0.0
        out[c, RING_CLOSURE] = 0.0
        out[c, BRANCHES] = 0.0
        for i in range(7):
            state[k, POLYGON_AREA + i] = moments[i]
        state[k, VERTICES] = n
        state[k, SOLID_AREA] = solid_area
        state[k, LUMEN] = lumen
        state[k, SOLIDITY_TOLD] = solidity
        state[k, FORM] = COMPACT


@kernel
def describe_outlines(
    chosen: Any,
    distance_pool: Any,
    contrast_pool: Any,
    smooth_pool: Any,
    inside_pool: Any,
    own_pool: Any,
    outline_y: Any,
    outline_x: Any,
    smooth_y: Any,
    smooth_x: Any,
    moments: Any,
    state: Any,
    out: Any,
) -> None:
    """Roughness, edge, evenness and thickness of each candidate, and whether it is compact, straight or bent.

    Parameters
    ----------
    chosen, contrast_pool, smooth_pool, inside_pool, outline_y, outline_x, state, out
        As for `outline_candidates`.
    distance_pool, own_pool : ndarray of int16 and uint8
        Overwritten for large ones and where the outline is far from convex: the depth inside it, and what lies outside.
    smooth_y, smooth_x, moments : ndarray of float64
        Scratch: vertices of the longest outline, and 7.
    """
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING:
            continue
        c = chosen[k]
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        end = pool + h * w
        smoothed = smooth_pool[pool:end].reshape(h, w)
        inside = inside_pool[pool:end].reshape(h, w)
        ys, xs = outline_y[pool:end], outline_x[pool:end]
        n, peak = int(state[k, VERTICES]), state[k, HEIGHT]
        # Roughness is what smoothing by about two pixels takes off an outline already freed of its steps.
        smooth_length = 0.0
        for passes in (16, 2):
            if passes == 16 and n < 16:
                continue
            outline.smooth_polygon(ys, xs, n, passes, smooth_y, smooth_x)
            outline.polygon_moments(smooth_y, smooth_x, n, moments)
            if moments[0] <= 0.0:
                continue
            relative_length = moments[6] / math.sqrt(moments[0])
            if passes == 16:
                smooth_length = relative_length
            else:
                out[c, CIRCULARITY] = min(4.0 * math.pi / relative_length**2, 1.0)
                if smooth_length > 0.0:
                    out[c, ROUGHNESS] = max(relative_length / smooth_length - 1.0, 0.0)
        out[c, EDGE_WIDTH] = _edge_width(smoothed, ys, xs, n, peak)
        out[c, HETEROGENEITY] = _heterogeneity(contrast_pool[pool:end].reshape(h, w), inside, peak)
        var_y, var_x = state[k, POLYGON_VAR_Y], state[k, POLYGON_VAR_X]
        split = math.hypot(var_y - var_x, 2.0 * state[k, POLYGON_COV])
        long_axis = 4.0 * math.sqrt(max(0.5 * (var_y + var_x + split), 1e-6))
        short_axis = 4.0 * math.sqrt(max(0.5 * (var_y + var_x - split), 1e-6))
        area, solidity = state[k, POLYGON_AREA], state[k, SOLIDITY_TOLD]
        lengthy = long_axis > 2.2 * short_axis and long_axis >= 6.0
        bent = False
        deepest = 0
        state[k, HOLLOWED] = solidity < 0.9 and state[k, SOLID_AREA] >= 12
        if state[k, HOLLOWED] != 0.0 or area >= _LEAST_CORE_AREA:
            outside = own_pool[pool:end].reshape(h, w)
            depth = distance_pool[pool:end].reshape(h, w)
            _complement(inside, outside)
            chamfer_distance(outside, 1, depth)
            for y in range(1, h - 1):
                for x in range(1, w - 1):
                    if inside[y, x] == 1:
                        deepest = max(deepest, depth[y, x])
            if deepest >= _LEAST_CORE_DEPTH * STRAIGHT_STEP:
                out[c, CORE_LUCENCY] = core_lucency(contrast_pool[pool:end].reshape(h, w), depth, deepest)
        if state[k, HOLLOWED] != 0.0:
            # Thin all along, or a lump with lobes? A wire is its own thickness wide everywhere.
            thickness = max(2.0 * deepest / STRAIGHT_STEP - 1.0, 1.0)
            out[c, THICKNESS] = thickness
            bent = solidity < 0.78 and state[k, LUMEN] < 0.3 * area and area >= 3.0 * thickness * thickness
        if lengthy and solidity >= 0.85:
            state[k, FORM] = STRAIGHT
        elif lengthy or bent:
            state[k, FORM] = BENT


@kernel
def _complement(inside: Any, outside: Any) -> None:
    """1 where `inside` is 0, but 0 in the outermost rows and columns."""
    h, w = inside.shape
    for y in range(h):
        for x in range(w):
            outside[y, x] = 1 - inside[y, x] if 0 < y < h - 1 and 0 < x < w - 1 else 0


@kernel
def paint_runs(
    run_row: Any, run_start: Any, run_stop: Any, first: int, end: int, top: int, left: int, mask: Any
) -> None:
    """Make `mask` (uint8, shape (h, w), first pixel at (top, left)) 1 on runs ``first`` to ``end - 1`` and else 0."""
    h, w = mask.shape
    for y in range(h):
        for x in range(w):
            mask[y, x] = 0
    for r in range(first, end):
        for x in range(run_start[r], run_stop[r]):
            mask[run_row[r] - top, x - left] = 1


@kernel
def add_runs(run_row: Any, run_start: Any, run_stop: Any, mask: Any) -> None:
    """Make `mask` (uint8, shape (h, w)) 1 on every run and leave the rest, so that untouched pages stay untouched."""
    for r in range(len(run_row)):
        for x in range(run_start[r], run_stop[r]):
            mask[run_row[r], x] = 1


@kernel
def rough_strength(
    plane: Any, taken: Any, offsets: Any, run_row: Any, run_start: Any, run_stop: Any, bounds: Any, out: Any
) -> None:
    """Mean of each candidate above the free pixels two off its bounding box, times the root of its pixels.

    Parameters
    ----------
    plane, taken, offsets, run_row, run_start, run_stop, bounds
        As for `measure_backgrounds`.
    out : ndarray of float64, shape (n,)
        Written: units of the noise; 0 for fewer than 16 pixels or no free surroundings.
    """
    height, width = plane.shape
    for c in range(len(out)):
        count = total = 0.0
        for r in range(offsets[c], offsets[c + 1]):
            for x in range(run_start[r], run_stop[r]):
                total += plane[run_row[r], x]
                count += 1.0
        out[c] = 0.0
        if count < 16.0:
            continue
        around = free = 0.0
        top, bottom = max(bounds[c, 0] - 3, 0), min(bounds[c, 2] + 2, height - 1)
        left, right = max(bounds[c, 1] - 3, 0), min(bounds[c, 3] + 2, width - 1)
        for y in range(top, bottom + 1):
            step = 1 if y in (top, bottom) else max(right - left, 1)
            for x in range(left, right + 1, step):
                if taken[y, x] == 0:
                    around += plane[y, x]
                    free += 1.0
        if free > 0.0:
            out[c] = (total / count - around / free) * math.sqrt(count)
