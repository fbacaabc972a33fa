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
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import select
from mammocalc_kernels.measured_columns import (
    BLUR,
    BLUR_ERROR,
    DIAMETER,
    LENGTH,
    LUCENCY,
    ORIENTATION,
    RING_CLOSURE,
    STRAIGHTNESS,
    TAPER,
    WALL_THICKNESS,
    WIDTH,
    WIDTH_ERROR,
    WIDTH_MAX,
    WIDTH_VARIATION,
)
from mammocalc_kernels.profile_fit import (
    BASE,
    COST,
    DOME,
    ERROR,
    FLAT,
    HALF_WIDTH,
    find_tip,
    fit_blur,
    fit_body,
    fit_local_width,
)
from mammocalc_kernels.rim_profile import (
    CORE_LUCENCY,
    INNER,
    LEAST_DIP,
    OUTER,
    closure,
    dip,
    fit_hollow,
    is_hollow,
)

BIN = 0.5
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
def measure_elongated(
    contrast: Any,
    usable: Any,
    inside: Any,
    geodesic: Any,
    outline_y: Any,
    outline_x: Any,
    n_outline: int,
    moments: Any,
    straight: bool,
    peak: float,
    noise: float,
    table: Any,
    sigma: float,
    base_sigma: float,
    sigmas: Any,
    path_y: Any,
    path_x: Any,
    spare_y: Any,
    spare_x: Any,
    along: Any,
    across: Any,
    value: Any,
    offset: Any,
    scratch: Any,
    row: Any,
) -> bool:
    """Fill the columns of an elongated region from its axis; False where no axis could be followed.

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
        Plane minus background, noise units.
    usable, inside : ndarray of uint8, shape (h, w)
        1 for pixels that may be sampled; 1 for the filled region at half contrast.
    geodesic : ndarray of int32, shape (h, w)
        Scratch.
    outline_y, outline_x : ndarray of float64
        The outline at half contrast, `n_outline` vertices, and `moments` of it (`outline.polygon_moments`).
    straight : bool
        Whether the principal axis will do for a start.
    peak, noise : float
        Contrast, and deviation of noise and texture, noise units.
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    sigma, base_sigma : float
        Blur of detector and aperture, px; how far the background may be off, noise units.
    sigmas : ndarray of float64
        Blurs to try where the blur itself is wanted; empty to measure sizes only.
    path_y, path_x, spare_y, spare_x : ndarray of float64
        Scratch; their length bounds the axis.
    along, across, value, offset : ndarray of float64, shape (>= h * w,)
        Scratch.
    scratch : ndarray of float64, shape (>= 10, >= 8 * (h + w))
        Scratch.
    row : ndarray of float64, shape (len(COLUMNS),)
        Written.
    """
    area, perimeter = moments[0], moments[6]
    # The rectangle of this area and perimeter.
    rough_length = 0.25 * (perimeter + math.sqrt(max(perimeter * perimeter - 16.0 * area, 0.0)))
    rough_width = max(area / rough_length, 0.5)
    half = max(0.5 * rough_width, 0.5)
    n = follow_axis(
        contrast, usable, inside, geodesic, outline_y, outline_x, n_outline, moments, straight, half, sigma,
        path_y, path_x, spare_y, spare_x, along, across, value, scratch,
    )  # fmt: skip
    extra = int(half + 4.0 * sigma + 4.0) + 1
    if n < 2 or n + 2 * extra > len(spare_y):
        return False
    stretch = max(min(int(3.0 * half + 2.0), n - 1), 1)
    step = extend_path(path_y, path_x, n, extra, stretch, spare_y, spare_x)
    if step == 0.0:
        return False
    first, last = extra * step, (extra + n - 1) * step
    n += 2 * extra
    reach = 1.3 * half + 3.5 * sigma + 1.0
    count = axis_coordinates(contrast, usable, spare_y, spare_x, n, reach, 0.5, along, across, value)
    for i in range(count):
        offset[i] = abs(across[i])
    xs, vs, ws, fit = scratch[0], scratch[1], scratch[2], scratch[3]
    bins = bin_samples(offset, value, along, count, first, last, 0.0, reach, BIN, xs, vs, ws)
    if len(sigmas) > 0:
        if dip(xs, vs, ws, bins, half, noise, scratch[6]) > LEAST_DIP:
            return True
        fit_blur(table, BODIES[BAR], xs, vs, ws, bins, half, peak, base_sigma, sigmas, fit)
        row[BLUR] = fit[0]
        row[BLUR_ERROR] = fit[1]
        return True
    rough_half = half
    fit_body(table, BODIES[BAR], xs, vs, ws, bins, half, sigma, peak, base_sigma, fit)
    half = fit[HALF_WIDTH]
    height = fit[FLAT] + fit[DOME]
    if height <= 0.0:
        return False
    dome_share = fit[DOME] / height
    base = fit[BASE]
    row[WIDTH_ERROR] = 2.0 * fit[ERROR] * noise
    hollow = False
    wall = scratch[6]
    if rough_half > 1.5 * sigma and dip(xs, vs, ws, bins, rough_half, noise, wall) > LEAST_DIP:
        tube = scratch[4]
        fit_hollow(table, BODIES[BAR], xs, vs, ws, bins, rough_half, sigma, base_sigma, tube)
        hollow = is_hollow(tube, fit[COST], noise)
        if hollow:
            half = tube[OUTER]
            dome_share = 0.0
            row[LUCENCY] = tube[CORE_LUCENCY]
            row[WALL_THICKNESS] = half - tube[INNER]
            # One wall is the first half of the rim, the other the second; `across` is not needed any more.
            for i in range(count):
                share = min(max((along[i] - first) / max(last - first, 1.0), 0.0), 1.0)
                across[i] = 0.5 * share if across[i] < 0.0 else 0.5 + 0.5 * share
            row[RING_CLOSURE] = closure(across, offset, value, count, wall[0], wall[1], wall[2], noise)
    # Tips, by the core of the body from three half widths inwards.
    # A hollow body has no core: it is judged by its whole width.
    core = half if hollow else max(0.8, 0.35 * half)
    core_height = weight = 0.0
    for i in range(count):
        if offset[i] <= core and first <= along[i] <= last:
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
        bins = bin_samples(along, value, offset, count, 0.0, core, low, high, BIN, xs, vs, ws)
        tip = find_tip(xs, vs, ws, bins, core_height, sigma)
        if turn == 0:
            begin = -tip
        else:
            end = tip
    length = end - begin
    if not length > 0.0:
        return False
    row[LENGTH] = length
    row[WIDTH] = 2.0 * half
    row[WIDTH_MAX] = 2.0 * half
    if not hollow:
        # Calibre by stretches, end caps left out; the last three stretches are those of the taper.
        widths, errors, places = scratch[4], scratch[5], scratch[6]
        window = max(2.0, half)
        free = max(length - 2.0 * half, 0.0)
        n_windows = max(1, int(free / window))
        n_widths = 0
        near_ends = middle_width = 0.0
        n_taper = 0
        for k in range(n_windows + 3 if length >= 6.0 * half else n_windows):
            taper = k - n_windows
            if taper < 0:
                middle, span = begin + half + free * (k + 0.5) / n_windows, 0.5 * window
            else:
                middle, span = begin + _TAPER_AT[taper] * length, max(_TAPER_SPAN[taper] * length, 1.0)
            bins = bin_samples(
                across, value, along, count, middle - span, middle + span, -reach, reach, BIN, xs, vs, ws
            )
            fit_local_width(table, BODIES[BAR], dome_share, xs, vs, ws, bins, half, sigma, base, fit)
            if fit[FLAT] < 0.15 * height or not fit[ERROR] < 0.5 * fit[HALF_WIDTH] + 0.5:
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
        if n_taper == 3:
            row[TAPER] = near_ends / middle_width
        if n_widths >= 3:
            for k in range(n_widths):
                xs[k] = widths[k]
            row[WIDTH] = 2.0 * select(xs, n_widths, n_widths // 2)
            largest = 0.5 * row[WIDTH]
            weight = total = square = error_square = 0.0
            for k in range(n_widths):
                if errors[k] < 0.25 * widths[k]:
                    largest = max(largest, widths[k])
                if 0.1 <= places[k] <= 0.9:
                    weight += 1.0
                    total += widths[k]
                    square += widths[k] * widths[k]
                    error_square += errors[k] * errors[k]
            row[WIDTH_MAX] = 2.0 * largest
            if weight >= 3.0:
                variance = (square - total * total / weight) / (
                    weight - 1.0
                ) - noise * noise * error_square / weight
                row[WIDTH_VARIATION] = math.sqrt(max(variance, 0.0)) * weight / total
    # Chord over arc, between the tips.
    tip_y, tip_x = scratch[7], scratch[8]
    for turn in range(2):
        here = (begin if turn == 0 else end) / step
        k = min(max(int(here), 0), n - 2)
        tip_y[turn] = spare_y[k] + (here - k) * (spare_y[k + 1] - spare_y[k])
        tip_x[turn] = spare_x[k] + (here - k) * (spare_x[k + 1] - spare_x[k])
    row[STRAIGHTNESS] = min(math.hypot(tip_y[1] - tip_y[0], tip_x[1] - tip_x[0]) / length, 1.0)
    row[ORIENTATION] = math.atan2(tip_y[0] - tip_y[1], tip_x[1] - tip_x[0])
    # The outline's area at half contrast, corrected as the calibre is.
    row[DIAMETER] = 2.0 * math.sqrt(area / math.pi * min(max(row[WIDTH] / rough_width, 0.2), 2.0))
    return True
