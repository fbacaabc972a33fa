"""Length, calibre and lucent centre of an elongated region, from the profiles along and across its axis."""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.axis_profile import (
    axis_coordinates,
    bin_samples,
    centre_path,
    longest_path,
    resample_path,
    smooth_path,
)
from mammocalc_kernels.blurred_profiles import BAR, BODIES
from mammocalc_kernels.body_profile import BIN
from mammocalc_kernels.candidate_state import (
    BENT,
    BODY_BASE,
    BODY_HEIGHT,
    BROAD,
    CENTRE_CONTRAST,
    COMPACT,
    DEVIATION,
    DOME_PART,
    FIRST,
    FITTED,
    FORM,
    HALF,
    HOLLOW,
    LAST,
    PATCH,
    POINTS,
    POLYGON_AREA,
    POLYGON_PERIMETER,
    REACH,
    SAMPLES,
    START,
    STEP,
    STRAIGHT,
    TALL,
    VERTICES,
    WALL_AT,
    WALL_CONTRAST,
)
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import select
from mammocalc_kernels.measured_columns import (
    BULGE,
    DIAMETER,
    LENGTH,
    ORIENTATION,
    RING_CLOSURE,
    STRAIGHTNESS,
    TAPER,
    WIDTH,
    WIDTH_MAX,
    WIDTH_VARIATION,
)
from mammocalc_kernels.profile_fit import ERROR, FLAT, HALF_WIDTH, find_tip, fit_local_width
from mammocalc_kernels.rim_profile import closure, wall_noise

# Stretches (share of the length: middle, half span) whose calibres make the taper.
_TAPER_AT = (0.15, 0.5, 0.85)
_TAPER_SPAN = (0.07, 0.15, 0.07)


@kernel
def follow_axis(
    contrast: Any,
    usable: Any,
    inside: Any,
    geodesic: Any,
    outline_y: Any,
    outline_x: Any,
    n_outline: int,
    moments: Any,
    straight: bool,
    half: float,
    sigma: float,
    path_y: Any,
    path_x: Any,
    spare_y: Any,
    spare_x: Any,
    along: Any,
    across: Any,
    value: Any,
    scratch: Any,
) -> int:
    """The ridge of an elongated region without its end caps, at equal steps in `path_y`, `path_x`; the points, or 0.

    A straight region starts from its principal axis, any other from the longest way inside it; both are then drawn to
    the ridge of contrast and smoothed over about a calibre. `half` is half the calibre, roughly, px.
    """
    if straight:
        angle = 0.5 * math.atan2(2.0 * moments[5], moments[4] - moments[3])
        ty, tx = math.sin(angle), math.cos(angle)
        low, high = 1e30, -1e30
        for i in range(n_outline):
            t = (outline_y[i] - moments[1]) * ty + (outline_x[i] - moments[2]) * tx
            low, high = min(low, t), max(high, t)
        cut = min(half, 0.3 * (high - low))
        spare_y[0] = moments[1] + (low + cut) * ty
        spare_x[0] = moments[2] + (low + cut) * tx
        spare_y[1] = moments[1] + (high - cut) * ty
        spare_x[1] = moments[2] + (high - cut) * tx
        n = 2
    else:
        _h, w = inside.shape
        seed = 0
        while inside[seed // w, seed % w] == 0:
            seed += 1
        n = longest_path(inside, seed, geodesic, spare_y, spare_x)
        if n < 3:
            return 0
        smooth_path(spare_y, spare_x, n, 4 + int(4.0 * half))
        cut_points = int(min(half, 0.3 * n))
        n -= 2 * cut_points
        for k in range(n):
            spare_y[k] = spare_y[k + cut_points]
            spare_x[k] = spare_x[k + cut_points]
    spread = math.sqrt(0.4 * half * half + sigma * sigma)
    reach = 1.3 * half + 2.0 * sigma + 0.5
    for turn in range(3 if straight else 5):
        if n < 2:
            return 0
        n = resample_path(spare_y, spare_x, n, path_y, path_x)
        if turn == (2 if straight else 4):
            break
        count = axis_coordinates(contrast, usable, path_y, path_x, n, reach, half, along, across, value)
        centre_path(
            along, across, value, count, path_y, path_x, n, spread, max(2.0, half), scratch[0], scratch[1]
        )
        smooth_path(path_y, path_x, n, 4 + int(half * half))
        for k in range(n):
            spare_y[k] = path_y[k]
            spare_x[k] = path_x[k]
    return n


@kernel
def extend_path(ys: Any, xs: Any, n: int, extra: int, stretch: int, out_y: Any, out_x: Any) -> float:
    """A path continued straight by `extra` steps at both ends, by the direction of its last `stretch` steps.

    Returns the step, px; 0 where the path has no direction.
    """
    step = math.hypot(ys[1] - ys[0], xs[1] - xs[0])
    for end in range(2):
        tip, inner = (0, stretch) if end == 0 else (n - 1, n - 1 - stretch)
        dy, dx = ys[tip] - ys[inner], xs[tip] - xs[inner]
        norm = math.hypot(dy, dx)
        if norm == 0.0:
            return 0.0
        for k in range(extra):
            place = extra - 1 - k if end == 0 else extra + n + k
            out_y[place] = ys[tip] + (k + 1) * step * dy / norm
            out_x[place] = xs[tip] + (k + 1) * step * dx / norm
    for k in range(n):
        out_y[extra + k] = ys[k]
        out_x[extra + k] = xs[k]
    return step


@kernel
def _rough_width(area: float, perimeter: float) -> float:
    """The shorter side of the rectangle of this area and perimeter, px."""
    long_side = 0.25 * (perimeter + math.sqrt(max(perimeter * perimeter - 16.0 * area, 0.0)))
    return max(area / long_side, 0.5)


@kernel
def follow_axes(
    chosen: Any,
    sigma: float,
    contrast_pool: Any,
    usable_pool: Any,
    inside_pool: Any,
    geodesic_pool: Any,
    outline_y: Any,
    outline_x: Any,
    path_y: Any,
    path_x: Any,
    along_pool: Any,
    across_pool: Any,
    depth_pool: Any,
    value_pool: Any,
    short_y: Any,
    short_x: Any,
    scratch: Any,
    state: Any,
) -> None:
    """The axis of each elongated candidate and the samples beside it; the form becomes COMPACT where there is none.

    Parameters
    ----------
    chosen : ndarray of int64, shape (m,)
    sigma : float
        Blur of detector and pixel aperture together, px.
    contrast_pool, usable_pool, inside_pool : ndarray of float32, uint8, uint8
        Plane minus background (noise units); 1 for pixels that may be sampled; 1 for the filled region.
    geodesic_pool : ndarray of int32
        Scratch pool.
    outline_y, outline_x : ndarray of float64
        Pools of outlines at half contrast, patch pixels.
    path_y, path_x : ndarray of float64
        Pools, written: the axis, continued straight at both ends, at equal steps.
    along_pool, across_pool, depth_pool, value_pool : ndarray of float64
        Pools, written: of each sample the position along the axis, the distance to its right, its amount, contrast.
    short_y, short_x, scratch : ndarray of float64
        Scratch: pixels of the largest patch, and two rows of as many.
    state : ndarray of float64, shape (m, SLOTS)
    """
    for k in range(len(chosen)):
        if state[k, FORM] != STRAIGHT and state[k, FORM] != BENT:
            continue
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        end = pool + h * w
        contrast = contrast_pool[pool:end].reshape(h, w)
        usable = usable_pool[pool:end].reshape(h, w)
        ys, xs = path_y[pool:end], path_x[pool:end]
        along, across, value = along_pool[pool:end], across_pool[pool:end], value_pool[pool:end]
        straight = state[k, FORM] == STRAIGHT
        state[k, FORM] = COMPACT
        half = max(0.5 * _rough_width(state[k, POLYGON_AREA], state[k, POLYGON_PERIMETER]), 0.5)
        n = follow_axis(
            contrast, usable, inside_pool[pool:end].reshape(h, w), geodesic_pool[pool:end].reshape(h, w),
            outline_y[pool:end], outline_x[pool:end], int(state[k, VERTICES]),
            state[k, POLYGON_AREA : POLYGON_PERIMETER + 1], straight, half, sigma,
            short_y, short_x, ys, xs, along, across, value, scratch,
        )  # fmt: skip
        extra = int(half + 4.0 * sigma + 4.0) + 1
        if n < 2 or n + 2 * extra > len(ys):
            continue
        step = extend_path(short_y, short_x, n, extra, max(min(int(3.0 * half + 2.0), n - 1), 1), ys, xs)
        if step == 0.0:
            continue
        reach = 1.3 * half + 3.5 * sigma + 1.0
        points = n + 2 * extra
        count = axis_coordinates(contrast, usable, ys, xs, points, reach, 0.5, along, across, value)
        for i in range(count):
            depth_pool[pool + i] = abs(across[i])
        state[k, FORM] = STRAIGHT if straight else BENT
        state[k, SAMPLES] = count
        state[k, START] = half
        state[k, REACH] = reach
        state[k, POINTS] = points
        state[k, STEP] = step
        state[k, FIRST] = extra * step
        state[k, LAST] = (extra + n - 1) * step


@kernel
def measure_lengths(
    chosen: Any,
    sigma: float,
    correlation: float,
    path_y: Any,
    path_x: Any,
    along_pool: Any,
    across_pool: Any,
    depth_pool: Any,
    value_pool: Any,
    bins_scratch: Any,
    state: Any,
    out: Any,
) -> None:
    """Tips, length, direction and wall of each elongated candidate; the form becomes COMPACT where it has no length.

    Parameters
    ----------
    chosen, sigma, path_y, path_x, depth_pool, value_pool, state
        As for `follow_axes`.
    correlation, bins_scratch
        As for `body_profile.fit_bodies`.
    along_pool, across_pool : ndarray of float64
        Pools of samples.
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns length, width, width_max, diameter, orientation, straightness, ring_closure of the chosen are written.
        `FIRST` and `LAST` of the state become the tips.
    """
    xs, vs, ws, place = bins_scratch[0], bins_scratch[1], bins_scratch[2], bins_scratch[3]
    for k in range(len(chosen)):
        if state[k, FORM] != STRAIGHT and state[k, FORM] != BENT:
            continue
        straight = state[k, FORM]
        state[k, FORM] = COMPACT
        if state[k, FITTED] == 0.0:
            continue
        row = out[chosen[k]]
        count, half, step = int(state[k, SAMPLES]), state[k, HALF], state[k, STEP]
        first, last = state[k, FIRST], state[k, LAST]
        pool = int(state[k, PATCH])
        end_of_pool = pool + int(state[k, TALL]) * int(state[k, BROAD])
        along, across = along_pool[pool:end_of_pool], across_pool[pool:end_of_pool]
        depth, value = depth_pool[pool:end_of_pool], value_pool[pool:end_of_pool]
        hollow = state[k, HOLLOW] != 0.0
        if hollow:
            # One wall is the first half of the rim, the other the second; `across` is not needed any more.
            for i in range(count):
                share = min(max((along[i] - first) / max(last - first, 1.0), 0.0), 1.0)
                across[i] = 0.5 * share if across[i] < 0.0 else 0.5 + 0.5 * share
            row[RING_CLOSURE] = closure(
                across, depth, value, count, state[k, CENTRE_CONTRAST], state[k, WALL_CONTRAST], state[k, WALL_AT],
                wall_noise(state[k, DEVIATION], correlation),
            )  # fmt: skip
        # Tips, by the core of the body from three half widths inwards.
        # A hollow body has no core: it is judged by its whole width.
        core = half if hollow else max(0.8, 0.35 * half)
        core_height = weight = 0.0
        for i in range(count):
            if depth[i] <= core and first <= along[i] <= last:
                core_height += value[i]
                weight += 1.0
        core_height /= max(weight, 1.0)
        begin = end = 0.0
        for turn in range(2):
            for i in range(count):
                along[i] = -along[i]
            inner, outer = (-first, -last) if turn == 0 else (last, first)
            low = max(inner - 3.0 * half - 2.0 * sigma - 2.0, outer)
            high = inner + half + 4.0 * sigma + 3.0
            bins = bin_samples(along, value, depth, count, 0.0, core, low, high, BIN, xs, vs, ws)
            tip = find_tip(xs, vs, ws, bins, core_height, state[k, DEVIATION] * correlation, sigma)
            if turn == 0:
                begin = -tip
            else:
                end = tip
        length = end - begin
        if not length > 0.0:
            continue
        state[k, FORM] = straight
        state[k, FIRST] = begin
        state[k, LAST] = end
        row[LENGTH] = length
        row[WIDTH] = 2.0 * half
        row[WIDTH_MAX] = 2.0 * half
        # Chord over arc, between the tips.
        for turn in range(2):
            here = (begin if turn == 0 else end) / step
            i = min(max(int(here), 0), int(state[k, POINTS]) - 2)
            place[turn] = path_y[pool + i] + (here - i) * (path_y[pool + i + 1] - path_y[pool + i])
            place[2 + turn] = path_x[pool + i] + (here - i) * (path_x[pool + i + 1] - path_x[pool + i])
        row[STRAIGHTNESS] = min(math.hypot(place[1] - place[0], place[3] - place[2]) / length, 1.0)
        row[ORIENTATION] = math.atan2(place[0] - place[1], place[3] - place[2])
        area = state[k, POLYGON_AREA]
        row[DIAMETER] = _corrected_diameter(area, state[k, POLYGON_PERIMETER], row[WIDTH])


@kernel
def _corrected_diameter(area: float, perimeter: float, width: float) -> float:
    """Diameter of the disc of an outline's area at half contrast, corrected as the calibre is."""
    return 2.0 * math.sqrt(area / math.pi * min(max(width / _rough_width(area, perimeter), 0.2), 2.0))


@kernel
def _amount_across(vs: Any, ws: Any, n: int, base: float) -> float:
    """Sum of a profile across the axis over its base: as much as there is of calcium in a slice, whatever the blur."""
    total = weight = 0.0
    for i in range(n):
        if ws[i] > 0.0:
            total += vs[i] - base
            weight += 1.0
    return total * n / max(weight, 1.0)


@kernel
def _bulge(amounts: Any, n: int) -> float:
    """The largest of some amounts over their median."""
    largest = amounts[0]
    for i in range(n):
        largest = max(largest, amounts[i])
    middle = select(amounts, n, n // 2)
    return largest / middle if middle > 0.0 else math.nan


@kernel
def measure_calibres(
    chosen: Any,
    sigma: float,
    correlation: float,
    table: Any,
    along_pool: Any,
    across_pool: Any,
    value_pool: Any,
    bins_scratch: Any,
    state: Any,
    out: Any,
) -> None:
    """Calibre of each solid elongated candidate by stretches of its axis: middle, largest, variation, taper.

    Parameters
    ----------
    chosen, sigma, along_pool, across_pool, value_pool, state
        As for `follow_axes`.
    correlation, table
        As for `body_profile.fit_bodies`.
    bins_scratch : ndarray of float64, shape (8, bins)
        Scratch.
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns width, width_max, width_variation, bulge, taper and diameter of the chosen are written.
    """
    xs, vs, ws, fit = bins_scratch[0], bins_scratch[1], bins_scratch[2], bins_scratch[3]
    widths, errors, places, amounts = bins_scratch[4], bins_scratch[5], bins_scratch[6], bins_scratch[7]
    for k in range(len(chosen)):
        if (state[k, FORM] != STRAIGHT and state[k, FORM] != BENT) or state[k, HOLLOW] != 0.0:
            continue
        row = out[chosen[k]]
        count, half, reach = int(state[k, SAMPLES]), state[k, HALF], state[k, REACH]
        begin, length = state[k, FIRST], row[LENGTH]
        noise = state[k, DEVIATION] * correlation
        pool = int(state[k, PATCH])
        end = pool + int(state[k, TALL]) * int(state[k, BROAD])
        # End caps are left out; the last three stretches are those of the taper.
        window = max(2.0, half)
        free = max(length - 2.0 * half, 0.0)
        n_windows = max(1, int(free / window))
        n_widths = 0
        near_ends = middle_width = 0.0
        n_taper = 0
        for i in range(n_windows + 3 if length >= 6.0 * half else n_windows):
            taper = i - n_windows
            if taper < 0:
                middle, span = begin + half + free * (i + 0.5) / n_windows, 0.5 * window
            else:
                middle, span = begin + _TAPER_AT[taper] * length, max(_TAPER_SPAN[taper] * length, 1.0)
            bins = bin_samples(
                across_pool[pool:end], value_pool[pool:end], along_pool[pool:end], count,
                middle - span, middle + span, -reach, reach, BIN, xs, vs, ws,
            )  # fmt: skip
            if taper < 0:
                amounts[i] = _amount_across(vs, ws, bins, state[k, BODY_BASE])
            fit_local_width(
                table,
                BODIES[BAR],
                state[k, DOME_PART],
                xs,
                vs,
                ws,
                bins,
                half,
                sigma,
                state[k, BODY_BASE],
                fit,
            )
            if fit[FLAT] < 0.15 * state[k, BODY_HEIGHT] or not fit[ERROR] < 0.5 * fit[HALF_WIDTH] + 0.5:
                continue
            if taper < 0:
                widths[n_widths] = fit[HALF_WIDTH]
                errors[n_widths] = fit[ERROR]
                places[n_widths] = (middle - begin) / length
                n_widths += 1
            else:
                n_taper += 1
                if taper == 1:
                    middle_width = fit[HALF_WIDTH]
                else:
                    near_ends += 0.5 * fit[HALF_WIDTH]
        if n_windows >= 3:
            row[BULGE] = _bulge(amounts, n_windows)
        if n_taper == 3:
            row[TAPER] = near_ends / middle_width
        if n_widths < 3:
            continue
        for i in range(n_widths):
            xs[i] = widths[i]
        row[WIDTH] = 2.0 * select(xs, n_widths, n_widths // 2)
        largest = 0.5 * row[WIDTH]
        weight = total = square = error_square = 0.0
        for i in range(n_widths):
            if errors[i] < 0.25 * widths[i]:
                largest = max(largest, widths[i])
            if 0.1 <= places[i] <= 0.9:
                weight += 1.0
                total += widths[i]
                square += widths[i] * widths[i]
                error_square += errors[i] * errors[i]
        row[WIDTH_MAX] = 2.0 * largest
        if weight >= 3.0:
            variance = (square - total * total / weight) / (
                weight - 1.0
            ) - noise * noise * error_square / weight
            row[WIDTH_VARIATION] = math.sqrt(max(variance, 0.0)) * weight / total
        row[DIAMETER] = _corrected_diameter(state[k, POLYGON_AREA], state[k, POLYGON_PERIMETER], row[WIDTH])
