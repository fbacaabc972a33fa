"""Every candidate measured on the grey values: background, outline, size, axis, rim, edge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mammocalc_kernels import axis_profile, outline, profile_fit, rim_profile, skeleton
from mammocalc_kernels.blurred_profiles import BAR, DISC
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import chamfer_distance, fit_background, select

# Columns of the result, in pixels and plane coordinates.
COLUMNS = (
    "row",
    "col",
    "area",
    "filled_area",
    "diameter",
    "length",
    "width",
    "width_error",
    "width_max",
    "width_variation",
    "taper",
    "straightness",
    "branches",
    "orientation",
    "solidity",
    "circularity",
    "roughness",
    "lucency",
    "ring_closure",
    "wall_thickness",
    "background",
    "peak",
    "noise",
    "edge_width",
    "heterogeneity",
)
(
    ROW,
    COL,
    AREA,
    FILLED_AREA,
    DIAMETER,
    LENGTH,
    WIDTH,
    WIDTH_ERROR,
    WIDTH_MAX,
    WIDTH_VARIATION,
    TAPER,
    STRAIGHTNESS,
    BRANCHES,
    ORIENTATION,
    SOLIDITY,
    CIRCULARITY,
    ROUGHNESS,
    LUCENCY,
    RING_CLOSURE,
    WALL_THICKNESS,
    BACKGROUND,
    PEAK,
    NOISE,
    EDGE_WIDTH,
    HETEROGENEITY,
) = range(len(COLUMNS))

_SECTORS = 64
_BIN = 0.5
# The binomial smoothing of the outline has this variance along each axis, and central differences add to it.
_SMOOTHING_VARIANCE = 0.5
_GRADIENT_VARIANCE = _SMOOTHING_VARIANCE + 1.0 / 3.0
_EDGE_WIDTH_OF_SIGMA = math.sqrt(2.0 * math.pi)


@kernel
def adaptive_moments(
    contrast: Any, usable: Any, y: float, x: float, variance: float, least_variance: float, out: Any
) -> None:
    """Centre and covariance of a speck by Gaussian weights matched to it (Bernstein and Jarvis 2002, 10.1086/338085).

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
    usable : ndarray of uint8, shape (h, w)
        1 for pixels that may be sampled.
    y, x, variance : float
        Where to start, px and px squared.
    least_variance : float
        Floor of the covariance's eigenvalues: the blur's variance.
    out : ndarray of float64, shape (6,)
        Written: y, x, var_y, var_x, cov_yx, and the expected square of the anisotropy that noise of deviation 1 alone
        brings about.
    """
    h, w = contrast.shape
    cyy = cxx = variance
    cyx = 0.0
    start_y, start_x = y, x
    noise = 0.0
    for _ in range(8):
        determinant = cyy * cxx - cyx * cyx
        iyy, ixx, iyx = cxx / determinant, cyy / determinant, -cyx / determinant
        reach = 3.5 * math.sqrt(max(cyy, cxx))
        flux = sy = sx = syy = sxx = syx = nd = nc = 0.0
        for py in range(max(int(y - reach), 0), min(int(y + reach) + 2, h)):
            dy = py - y
            for px in range(max(int(x - reach), 0), min(int(x + reach) + 2, w)):
                dx = px - x
                q = iyy * dy * dy + 2.0 * iyx * dy * dx + ixx * dx * dx
                if usable[py, px] != 1 or q > 12.25:
                    continue
                g = math.exp(-0.5 * q)
                v = g * contrast[py, px]
                flux += v
                sy += v * dy
                sx += v * dx
                syy += v * dy * dy
                sxx += v * dx * dx
                syx += v * dy * dx
                nd += (g * (dy * dy - dx * dx)) ** 2
                nc += (g * dy * dx) ** 2
        if flux <= 0.0:
            break
        my, mx = sy / flux, sx / flux
        # Weighting halves shifts and variances of a Gaussian speck; doubling them leads to the matched weight.
        y = min(max(y + 2.0 * my, start_y - 2.0), start_y + 2.0)
        x = min(max(x + 2.0 * mx, start_x - 2.0), start_x + 2.0)
        cyy = 2.0 * (syy / flux - my * my)
        cxx = 2.0 * (sxx / flux - mx * mx)
        cyx = 2.0 * (syx / flux - my * mx)
        noise = 16.0 * (nd + 4.0 * nc) / (flux * flux)
        trace = max(cyy + cxx, 2.0 * least_variance)
        split = math.hypot(cyy - cxx, 2.0 * cyx)
        large = min(max(0.5 * (trace + split), least_variance), 9.0 * variance)
        small = min(max(0.5 * (trace - split), least_variance), large)
        cosine = (cyy - cxx) / split if split > 0.0 else 1.0
        sine = 2.0 * cyx / split if split > 0.0 else 0.0
        cyy = 0.5 * (large + small) + 0.5 * (large - small) * cosine
        cxx = 0.5 * (large + small) - 0.5 * (large - small) * cosine
        cyx = 0.5 * (large - small) * sine
    out[0] = y
    out[1] = x
    out[2] = cyy
    out[3] = cxx
    out[4] = cyx
    out[5] = noise


@kernel
def _smooth(contrast: Any, distance: Any, limit: int, smoothed: Any) -> None:
    """Binomial 3 x 3 smoothing of the contrast where the distance is at most `limit`; 0 elsewhere."""
    h, w = contrast.shape
    for y in range(h):
        for x in range(w):
            if distance[y, x] > limit or y == 0 or x == 0 or y == h - 1 or x == w - 1:
                smoothed[y, x] = 0.0
                continue
            corners = (
                contrast[y - 1, x - 1]
                + contrast[y - 1, x + 1]
                + contrast[y + 1, x - 1]
                + contrast[y + 1, x + 1]
            )
            sides = contrast[y - 1, x] + contrast[y + 1, x] + contrast[y, x - 1] + contrast[y, x + 1]
            smoothed[y, x] = 0.0625 * (corners + 2.0 * sides + 4.0 * contrast[y, x])


@kernel
def _ring_met(inside: Any, cy: float, cx: float) -> float:
    """Fraction of 36 directions from a point in which the region is met; 0 where the point itself is inside."""
    h, w = inside.shape
    y, x = int(cy + 0.5), int(cx + 0.5)
    for ny in range(max(y - 1, 0), min(y + 2, h)):
        for nx in range(max(x - 1, 0), min(x + 2, w)):
            if inside[ny, nx] == 1:
                return 0.0
    met = np.zeros(36, np.uint8)
    for ny in range(h):
        for nx in range(w):
            if inside[ny, nx] == 1:
                met[int((math.atan2(ny - cy, nx - cx) + math.pi) * (35.9999 / (2.0 * math.pi)))] = 1
    return met.sum() / 36.0


@kernel
def _fill_polygon(inside: Any, ys: Any, xs: Any, n: int) -> None:
    """Set `inside` at every pixel within a convex polygon of `n` vertices."""
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
            inside[y, x] = 1


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
def _radial_profile(
    contrast: Any,
    usable: Any,
    cy: float,
    cx: float,
    radii: Any,
    mean_radius: float,
    reach: float,
    rho: Any,
    angle: Any,
    value: Any,
) -> int:
    """Pixels around a centre by distance, each scaled so that the outline (`radii` by direction) lies at `mean_radius`.

    `rho`, `angle` (0 to 64, in sectors) and `value` receive the samples with ``rho <= reach``.
    """
    h, w = contrast.shape
    largest = 0.0
    for k in range(_SECTORS):
        largest = max(largest, radii[k])
    box = reach * largest / mean_radius
    count = 0
    for y in range(max(int(cy - box), 0), min(int(cy + box) + 2, h)):
        for x in range(max(int(cx - box), 0), min(int(cx + box) + 2, w)):
            if usable[y, x] != 1:
                continue
            dy, dx = y - cy, x - cx
            sector = (math.atan2(dy, dx) + math.pi) * (_SECTORS / (2.0 * math.pi))
            k = int(sector)
            share = sector - k
            radius = (1.0 - share) * radii[k & (_SECTORS - 1)] + share * radii[(k + 1) & (_SECTORS - 1)]
            distance = math.hypot(dy, dx)
            # Beyond the outline the blur does not stretch with the radius.
            scaled = distance * mean_radius / radius if distance < radius else mean_radius + distance - radius
            if scaled <= reach:
                rho[count] = scaled
                angle[count] = sector
                value[count] = contrast[y, x]
                count += 1
    return count


@kernel
def _outline_radii(ys: Any, xs: Any, n: int, cy: float, cx: float, radii: Any) -> None:
    """Distance of the outline from a point in 64 directions (-pi first): the farthest crossing, gaps interpolated."""
    for k in range(_SECTORS):
        radii[k] = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        for part in range(4):
            dy = ys[i] + 0.25 * part * (ys[j] - ys[i]) - cy
            dx = xs[i] + 0.25 * part * (xs[j] - xs[i]) - cx
            k = int((math.atan2(dy, dx) + math.pi) * (_SECTORS / (2.0 * math.pi)) + 0.5) & (_SECTORS - 1)
            radii[k] = max(radii[k], math.hypot(dy, dx))
    for k in range(_SECTORS):
        if radii[k] > 0.0:
            continue
        before, after = 1, 1
        while before < _SECTORS and radii[(k - before) & (_SECTORS - 1)] <= 0.0:
            before += 1
        while after < _SECTORS and radii[(k + after) & (_SECTORS - 1)] <= 0.0:
            after += 1
        left, right = radii[(k - before) & (_SECTORS - 1)], abs(radii[(k + after) & (_SECTORS - 1)])
        # Filled values are negative until all gaps are closed, so that they do not pass for crossings.
        radii[k] = -(left * after + right * before) / (before + after)
    for k in range(_SECTORS):
        radii[k] = max(abs(radii[k]), 0.3)


@kernel
def _ellipse_radii(major: float, minor: float, angle: float, radii: Any) -> None:
    """Radius of an ellipse in 64 directions (-pi first); `angle` of the major axis from +x towards +y, rad."""
    for k in range(_SECTORS):
        direction = 2.0 * math.pi * k / _SECTORS - math.pi - angle
        radii[k] = major * minor / math.hypot(minor * math.cos(direction), major * math.sin(direction))


@kernel
def _dip(xs: Any, vs: Any, ws: Any, n: int, half_width: float, noise: float) -> float:
    """How many standard errors the best wall bin pair stands above the centre, 0 where there is no such wall."""
    total = weight = 0.0
    core = max(0.35 * half_width, 0.75)
    for i in range(n):
        if ws[i] > 0.0 and xs[i] <= core:
            total += ws[i] * vs[i]
            weight += ws[i]
    if weight == 0.0:
        return 0.0
    centre = total / weight
    best = 0.0
    for i in range(n - 1):
        pair = ws[i] + ws[i + 1]
        if pair == 0.0 or xs[i] <= core or xs[i] > half_width:
            continue
        wall = (ws[i] * vs[i] + ws[i + 1] * vs[i + 1]) / pair
        if wall > 1.08 * centre:
            best = max(best, (wall - centre) / (noise * math.sqrt(1.0 / pair + 1.0 / weight)))
    return best


@kernel
def _closure(
    along: Any, depth: Any, value: Any, count: int, cells: int, wall_low: float, wall_high: float, core: float
) -> float:
    """Fraction of `cells` (equal ranges of `along`, 0 to 1) in which the wall stands above the centre.

    The wall is the samples with `depth` in a range, the centre those with depth at most `core`. A wall stands where its
    mean lies above the centre by more than 40 % of what it does in the median cell.
    """
    total = np.zeros(cells)
    weight = np.zeros(cells)
    centre = centre_weight = 0.0
    for i in range(count):
        if depth[i] <= core:
            centre += value[i]
            centre_weight += 1.0
        elif wall_low <= depth[i] <= wall_high:
            k = min(max(int(along[i] * cells), 0), cells - 1)
            total[k] += value[i]
            weight[k] += 1.0
    if centre_weight == 0.0:
        return 0.0
    centre /= centre_weight
    rise = np.zeros(cells)
    n = 0
    for k in range(cells):
        if weight[k] > 0.0:
            rise[n] = total[k] / weight[k] - centre
            n += 1
    if n == 0:
        return 0.0
    order = rise[:n].copy()
    usual = max(select(order, n, (2 * n) // 3), 0.0)
    stands = 0
    for k in range(n):
        if rise[k] > 0.4 * usual:
            stands += 1
    return stands / n


@kernel
def _measure_axis(
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
    path_y: Any,
    path_x: Any,
    spare_y: Any,
    spare_x: Any,
    along: Any,
    across: Any,
    value: Any,
    scratch: Any,
    row: Any,
) -> bool:
    """Fill the columns of an elongated region from its axis; False where no axis could be followed."""
    area, perimeter = moments[0], moments[6]
    root = math.sqrt(max(perimeter * perimeter - 16.0 * area, 0.0))
    rough_length = 0.25 * (perimeter + root)
    rough_width = area / rough_length
    half = max(0.5 * rough_width, 0.5)
    angle = 0.5 * math.atan2(2.0 * moments[5], moments[4] - moments[3])
    ty, tx = math.sin(angle), math.cos(angle)
    if straight:
        low, high = 1e30, -1e30
        for i in range(n_outline):
            t = (outline_y[i] - moments[1]) * ty + (outline_x[i] - moments[2]) * tx
            low, high = min(low, t), max(high, t)
        cut = min(half, 0.3 * (high - low))
        spare_y[0] = moments[1] + (low + cut) * ty
        spare_x[0] = moments[2] + (low + cut) * tx
        spare_y[1] = moments[1] + (high - cut) * ty
        spare_x[1] = moments[2] + (high - cut) * tx
        n = axis_profile.resample_path(spare_y, spare_x, 2, path_y, path_x)
    else:
        h, w = inside.shape
        seed = -1
        for p in range(h * w):
            if inside[p // w, p % w] == 1:
                seed = p
                break
        n = axis_profile.longest_path(inside, seed, geodesic, spare_y, spare_x)
        if n < 3:
            return False
        axis_profile.smooth_path(spare_y, spare_x, n, 4 + int(4.0 * half))
        n = axis_profile.resample_path(spare_y, spare_x, n, path_y, path_x)
        cut_points = int(min(half, 0.3 * n))
        n -= 2 * cut_points
        for k in range(n):
            path_y[k] = path_y[k + cut_points]
            path_x[k] = path_x[k + cut_points]
    spread = math.sqrt(0.4 * half * half + sigma * sigma)
    reach = 1.3 * half + 2.0 * sigma + 0.5
    for _ in range(2 if straight else 4):
        if n < 2:
            return False
        count = axis_profile.axis_coordinates(
            contrast, usable, path_y, path_x, n, reach, half, along, across, value
        )
        axis_profile.centre_path(
            along, across, value, count, path_y, path_x, n, spread, max(2.0, half), scratch[0], scratch[1]
        )
        axis_profile.smooth_path(path_y, path_x, n, 4 + int(half * half))
        for k in range(n):
            spare_y[k] = path_y[k]
            spare_x[k] = path_x[k]
        n = axis_profile.resample_path(spare_y, spare_x, n, path_y, path_x)
    # Continue the path straight, by the direction of its last stretch, to beyond both tips.
    beyond = half + 4.0 * sigma + 4.0
    stretch = max(min(int(3.0 * half + 2.0), n - 1), 1)
    extra = int(beyond) + 1
    if n + 2 * extra > len(path_y):
        return False
    step = math.hypot(path_y[1] - path_y[0], path_x[1] - path_x[0])
    head_y, head_x = path_y[0] - path_y[stretch], path_x[0] - path_x[stretch]
    tail_y, tail_x = path_y[n - 1] - path_y[n - 1 - stretch], path_x[n - 1] - path_x[n - 1 - stretch]
    head, tail = math.hypot(head_y, head_x), math.hypot(tail_y, tail_x)
    if head == 0.0 or tail == 0.0:
        return False
    for k in range(extra):
        spare_y[k] = path_y[0] + (extra - k) * step * head_y / head
        spare_x[k] = path_x[0] + (extra - k) * step * head_x / head
    for k in range(n):
        spare_y[extra + k] = path_y[k]
        spare_x[extra + k] = path_x[k]
    for k in range(extra):
        spare_y[extra + n + k] = path_y[n - 1] + (k + 1) * step * tail_y / tail
        spare_x[extra + n + k] = path_x[n - 1] + (k + 1) * step * tail_x / tail
    first, last = extra * step, (extra + n - 1) * step
    n += 2 * extra
    reach = 1.3 * half + 3.5 * sigma + 1.0
    count = axis_profile.axis_coordinates(
        contrast, usable, spare_y, spare_x, n, reach, 0.5, along, across, value
    )
    offset = scratch[0]
    for i in range(count):
        offset[i] = abs(across[i])
    xs, vs, ws, fit = scratch[1], scratch[2], scratch[3], scratch[4]
    bins = axis_profile.bin_samples(offset, value, along, count, first, last, 0.0, reach, _BIN, xs, vs, ws)
    profile_fit.fit_body(table, BAR, xs, vs, ws, bins, half, sigma, peak, base_sigma, fit)
    half = fit[profile_fit.HALF_WIDTH]
    solid_cost = fit[profile_fit.COST]
    body_height = fit[profile_fit.FLAT] + fit[profile_fit.DOME]
    if body_height <= 0.0:
        return False
    dome_share = fit[profile_fit.DOME] / body_height
    base = fit[profile_fit.BASE]
    width_error = fit[profile_fit.ERROR]
    global_half = half
    hollow = False
    if half > 1.5 * sigma and _dip(xs, vs, ws, bins, half, noise) > 4.0:
        rim_profile.fit_hollow(table, BAR, xs, vs, ws, bins, half, sigma, base_sigma, scratch[5])
        result = scratch[5]
        hollow = (
            solid_cost - result[rim_profile.COST] > 12.0 * noise * noise and result[rim_profile.LUCENCY] > 0.1
        )
        if hollow:
            half = result[rim_profile.OUTER]
            inner = result[rim_profile.INNER]
            row[LUCENCY] = result[rim_profile.LUCENCY]
            row[WALL_THICKNESS] = half - inner
            for i in range(count):
                xs[i] = (along[i] - first) / max(last - first, 1.0)
                if across[i] < 0.0:
                    xs[i] = 0.5 * min(max(xs[i], 0.0), 1.0)
                else:
                    xs[i] = 0.5 + 0.5 * min(max(xs[i], 0.0), 1.0)
            cells = max(4, min(32, 2 * int((last - first) / max(half, 2.0))))
            row[RING_CLOSURE] = _closure(
                xs,
                offset,
                value,
                count,
                cells,
                max(inner - 0.3 * sigma, 0.6 * half),
                half,
                max(0.4 * inner, 0.75),
            )
    # Tips: the core of the body, inwards by three half widths.
    core = max(0.8, 0.5 * half)
    inwards = 3.0 * half + 2.0 * sigma + 2.0
    outwards = half + 4.0 * sigma + 3.0
    bins = axis_profile.bin_samples(
        along, value, offset, count, 0.0, core, max(last - inwards, first), last + outwards, _BIN, xs, vs, ws
    )
    profile_fit.fit_tip(table, 0.0 if hollow else dome_share, half, xs, vs, ws, bins, last + half, sigma, fit)
    end = fit[profile_fit.CENTRE]
    for i in range(count):
        along[i] = -along[i]
    bins = axis_profile.bin_samples(
        along,
        value,
        offset,
        count,
        0.0,
        core,
        max(-first - inwards, -last),
        -first + outwards,
        _BIN,
        xs,
        vs,
        ws,
    )
    profile_fit.fit_tip(
        table, 0.0 if hollow else dome_share, half, xs, vs, ws, bins, -first + half, sigma, fit
    )
    begin = -fit[profile_fit.CENTRE]
    for i in range(count):
        along[i] = -along[i]
    length = end - begin
    if length <= 0.0:
        return False
    row[LENGTH] = length
    # Calibre along the axis, end caps left out.
    widths, errors, places = scratch[6], scratch[7], scratch[8]
    n_widths = 0
    window = max(2.0, half)
    if not hollow:
        free = max(length - 2.0 * half, 0.0)
        n_windows = max(1, int(free / window))
        for k in range(n_windows):
            middle = begin + half + (free * (k + 0.5) / n_windows if free > 0.0 else 0.0)
            bins = axis_profile.bin_samples(
                across,
                value,
                along,
                count,
                middle - 0.5 * window,
                middle + 0.5 * window,
                -reach,
                reach,
                _BIN,
                xs,
                vs,
                ws,
            )
            profile_fit.fit_local_width(table, BAR, dome_share, xs, vs, ws, bins, half, sigma, base, fit)
            told = fit[profile_fit.ERROR] < 0.5 * fit[profile_fit.HALF_WIDTH] + 0.5
            if not told or fit[profile_fit.FLAT] < 0.15 * body_height:
                continue
            widths[n_widths] = fit[profile_fit.HALF_WIDTH]
            errors[n_widths] = fit[profile_fit.ERROR]
            places[n_widths] = (middle - begin) / length
            n_widths += 1
    row[WIDTH] = 2.0 * half
    row[WIDTH_ERROR] = 2.0 * width_error
    row[WIDTH_MAX] = 2.0 * half
    if n_widths >= 3:
        for k in range(n_widths):
            xs[k] = widths[k]
        row[WIDTH] = 2.0 * select(xs, n_widths, n_widths // 2)
        largest = 0.0
        weight = total = square = error_square = 0.0
        for k in range(n_widths):
            if errors[k] < 0.25 * widths[k]:
                largest = max(largest, widths[k])
            if 0.1 <= places[k] <= 0.9:
                weight += 1.0
                total += widths[k]
                square += widths[k] * widths[k]
                error_square += errors[k] * errors[k]
        row[WIDTH_MAX] = 2.0 * max(largest, 0.5 * row[WIDTH])
        if weight >= 3.0:
            variance = (square - total * total / weight) / (weight - 1.0)
            row[WIDTH_VARIATION] = math.sqrt(max(variance - error_square / weight, 0.0)) / (total / weight)
    if not hollow and length >= 6.0 * half:
        sizes = scratch[9]
        for k in range(3):
            share = 0.15 if k == 0 else (0.5 if k == 1 else 0.85)
            span = 0.07 if k != 1 else 0.15
            middle = begin + share * length
            reach_along = max(span * length, 1.0)
            bins = axis_profile.bin_samples(
                across,
                value,
                along,
                count,
                middle - reach_along,
                middle + reach_along,
                -reach,
                reach,
                _BIN,
                xs,
                vs,
                ws,
            )
            profile_fit.fit_local_width(table, BAR, dome_share, xs, vs, ws, bins, half, sigma, base, fit)
            sizes[k] = fit[profile_fit.HALF_WIDTH] if fit[profile_fit.FLAT] > 0.15 * body_height else 0.0
        if sizes[1] > 0.0 and sizes[0] > 0.0 and sizes[2] > 0.0:
            row[TAPER] = 0.5 * (sizes[0] + sizes[2]) / sizes[1]
    # Chord over arc, between the tips.
    here = begin / step
    k = min(max(int(here), 0), n - 2)
    begin_y = spare_y[k] + (here - k) * (spare_y[k + 1] - spare_y[k])
    begin_x = spare_x[k] + (here - k) * (spare_x[k + 1] - spare_x[k])
    here = end / step
    k = min(max(int(here), 0), n - 2)
    end_y = spare_y[k] + (here - k) * (spare_y[k + 1] - spare_y[k])
    end_x = spare_x[k] + (here - k) * (spare_x[k + 1] - spare_x[k])
    chord = math.hypot(end_y - begin_y, end_x - begin_x)
    row[STRAIGHTNESS] = min(chord / length, 1.0)
    row[ORIENTATION] = math.atan2(begin_y - end_y, end_x - begin_x)
    # As for a rod with round ends of this length and calibre; a hollow or branched one is measured by its outline.
    row[DIAMETER] = (
        2.0 * math.sqrt(area / math.pi) * math.sqrt(max(2.0 * global_half / max(rough_width, 0.5), 0.1))
    )
    return True


@kernel
def _measure_compact(
    contrast: Any,
    usable: Any,
    outline_y: Any,
    outline_x: Any,
    n_outline: int,
    moments: Any,
    peak: float,
    noise: float,
    table: Any,
    sigma: float,
    base_sigma: float,
    radii: Any,
    along: Any,
    across: Any,
    value: Any,
    scratch: Any,
    row: Any,
) -> bool:
    """Fill the columns of a compact region from its radial profile; False where nothing stands out."""
    area = moments[0]
    radius = math.sqrt(area / math.pi)
    cy, cx = moments[1], moments[2]
    fit = scratch[4]
    small = radius < 6.0
    major = minor = radius
    if small:
        adaptive_moments(contrast, usable, cy, cx, max(0.5 * area / math.pi, 0.5), 0.8 * sigma * sigma, fit)
        cy, cx = fit[0], fit[1]
        trace = fit[2] + fit[3]
        split = math.sqrt(max((fit[2] - fit[3]) ** 2 + 4.0 * fit[4] ** 2 - fit[5] * noise * noise, 0.0))
        angle = 0.5 * math.atan2(2.0 * fit[4], fit[3] - fit[2])
        blur = sigma * sigma
        large = max(0.5 * (trace + split) - blur, 0.05 * blur)
        little = max(0.5 * (trace - split) - blur, 0.04 * large)
        ratio = math.sqrt(little / large)
        major, minor = radius / math.sqrt(ratio), radius * math.sqrt(ratio)
        _ellipse_radii(major, minor, angle, radii)
        row[ROW] = cy
        row[COL] = cx
    else:
        _outline_radii(outline_y, outline_x, n_outline, cy, cx, radii)
        angle = 0.5 * math.atan2(2.0 * moments[5], moments[4] - moments[3])
        radius = 0.0
        for k in range(_SECTORS):
            radius += radii[k] * radii[k]
        radius = math.sqrt(radius / _SECTORS)
    reach = 1.25 * radius + 3.5 * sigma + 0.5
    count = _radial_profile(contrast, usable, cy, cx, radii, radius, reach, across, along, value)
    xs, vs, ws = scratch[1], scratch[2], scratch[3]
    bins = axis_profile.bin_samples(across, value, across, count, 0.0, reach, 0.0, reach, _BIN, xs, vs, ws)
    profile_fit.fit_body(table, DISC, xs, vs, ws, bins, radius, sigma, peak, base_sigma, fit)
    half = fit[profile_fit.HALF_WIDTH]
    solid_cost = fit[profile_fit.COST]
    if fit[profile_fit.FLAT] + fit[profile_fit.DOME] <= 0.0:
        return False
    width_error = fit[profile_fit.ERROR]
    if half > 2.0 * sigma and _dip(xs, vs, ws, bins, half, noise) > 4.0:
        result = scratch[5]
        rim_profile.fit_hollow(table, DISC, xs, vs, ws, bins, half, sigma, base_sigma, result)
        if solid_cost - result[rim_profile.COST] > 12.0 * noise * noise and result[rim_profile.LUCENCY] > 0.1:
            half = result[rim_profile.OUTER]
            inner = result[rim_profile.INNER]
            row[LUCENCY] = result[rim_profile.LUCENCY]
            row[WALL_THICKNESS] = half - inner
            for i in range(count):
                xs[i] = along[i] / _SECTORS
            cells = max(8, min(36, int(2.0 * math.pi * half / 1.5)))
            row[RING_CLOSURE] = _closure(
                xs,
                across,
                value,
                count,
                cells,
                max(inner - 0.3 * sigma, 0.6 * half),
                half,
                max(0.4 * inner, 0.75),
            )
    row[DIAMETER] = 2.0 * half
    row[WIDTH_ERROR] = 2.0 * width_error
    row[ORIENTATION] = -angle
    row[STRAIGHTNESS] = 1.0
    if small:
        row[LENGTH] = 2.0 * half * major / radius
        row[WIDTH] = 2.0 * half * minor / radius
    else:
        ty, tx = math.sin(angle), math.cos(angle)
        low_t = low_u = 1e30
        high_t = high_u = -1e30
        for i in range(n_outline):
            dy, dx = outline_y[i] - cy, outline_x[i] - cx
            t, u = dy * ty + dx * tx, dy * tx - dx * ty
            low_t, high_t = min(low_t, t), max(high_t, t)
            low_u, high_u = min(low_u, u), max(high_u, u)
        correction = 2.0 * (half - radius)
        row[LENGTH] = high_t - low_t + correction
        row[WIDTH] = high_u - low_u + correction
        if row[WIDTH] > row[LENGTH]:
            row[LENGTH], row[WIDTH] = row[WIDTH], row[LENGTH]
            row[ORIENTATION] += 0.5 * math.pi
        row[DIAMETER] = 2.0 * math.sqrt(area / math.pi) + correction
    row[WIDTH_MAX] = row[WIDTH]
    return True


@kernel
def _unresolved(row: Any) -> None:
    """Withdraw what was set in advance for a candidate that nothing can be told of."""
    row[LUCENCY] = np.nan
    row[RING_CLOSURE] = np.nan
    row[BRANCHES] = np.nan


@kernel
def measure_candidates(
    plane: Any,
    taken: Any,
    offsets: Any,
    run_row: Any,
    run_start: Any,
    run_stop: Any,
    bounds: Any,
    table: Any,
    sigma: float,
    gap: float,
    ring: float,
    largest: float,
    first: int,
    end: int,
    out: Any,
) -> None:
    """Measure candidates `first` to `end`; each row depends on its own candidate and the plane only.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        Bright = dense, noise of deviation 1.
    taken : ndarray of uint8, shape (h, w)
        1 for pixels of any candidate.
    offsets, run_row, run_start, run_stop, bounds : ndarray
        Candidates as runs, int64 and int32.
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    sigma : float
        Blur of detector and pixel aperture together, px.
    gap, ring : float
        Distance from the candidate to the ring that its background is taken from, and the ring's thickness, px.
    largest : float
        Candidates with a side of the bounding box beyond this, px, keep their position, area and NaN.
    first, end : int
    out : ndarray of float64, shape (n, len(COLUMNS))
        Rows `first` to `end` are written: lengths in px, orientation in rad (counter-clockwise as displayed),
        background, peak and noise in units of the plane; NaN for what cannot be told.
    """
    height, width = plane.shape
    room = 9
    side = 3
    for c in range(first, end):
        tall, broad = bounds[c, 2] - bounds[c, 0], bounds[c, 3] - bounds[c, 1]
        if tall > largest or broad > largest:
            continue
        margin = int(gap + ring * _ring_scale(tall, broad, gap + ring)) + 4
        room = max(room, (tall + 2 * margin) * (broad + 2 * margin))
        side = max(side, tall + broad + 4 * margin)
    contrast_buffer = np.empty(room, np.float32)
    smooth_buffer = np.empty(room, np.float32)
    own_buffer = np.empty(room, np.uint8)
    inside_buffer = np.empty(room, np.uint8)
    usable_buffer = np.empty(room, np.uint8)
    distance_buffer = np.empty(room, np.int16)
    geodesic_buffer = np.empty(room, np.int32)
    stack = np.empty(2 * room, np.int32)
    along = np.empty(room)
    across = np.empty(room)
    value = np.empty(room)
    spare = np.empty(room)
    points = min(room, 200 + 8 * side + room // 4)
    outline_y = np.empty(points)
    outline_x = np.empty(points)
    path_y = np.empty(max(2 * points, 64))
    path_x = np.empty(max(2 * points, 64))
    spare_y = np.empty(max(2 * points, 64))
    spare_x = np.empty(max(2 * points, 64))
    scratch = np.empty((10, max(room, 256)))
    radii = np.empty(_SECTORS)
    moments = np.empty(7)
    background = np.empty(3)
    for c in range(first, end):
        row = out[c]
        row[:] = np.nan
        row_min, col_min = bounds[c, 0], bounds[c, 1]
        tall, broad = bounds[c, 2] - row_min, bounds[c, 3] - col_min
        # Position and area by the mask, until something better is known.
        area = sum_y = sum_x = 0.0
        for r in range(offsets[c], offsets[c + 1]):
            run = run_stop[r] - run_start[r]
            area += run
            sum_y += run * run_row[r]
            sum_x += 0.5 * run * (run_start[r] + run_stop[r] - 1)
        row[ROW] = sum_y / area
        row[COL] = sum_x / area
        row[AREA] = area
        row[FILLED_AREA] = area
        row[LUCENCY] = 0.0
        row[RING_CLOSURE] = 0.0
        row[BRANCHES] = 0.0
        if tall > largest or broad > largest:
            _unresolved(row)
            continue
        ring_here = ring * _ring_scale(tall, broad, gap + ring)
        margin = int(gap + ring_here) + 3
        top, left = row_min - margin, col_min - margin
        h, w = tall + 2 * margin, broad + 2 * margin
        size = h * w
        contrast = contrast_buffer[:size].reshape(h, w)
        smoothed = smooth_buffer[:size].reshape(h, w)
        own = own_buffer[:size].reshape(h, w)
        inside = inside_buffer[:size].reshape(h, w)
        usable = usable_buffer[:size].reshape(h, w)
        distance = distance_buffer[:size].reshape(h, w)
        geodesic = geodesic_buffer[:size].reshape(h, w)
        own[:, :] = 0
        for r in range(offsets[c], offsets[c + 1]):
            for x in range(run_start[r], run_stop[r]):
                own[run_row[r] - top, x - left] = 1
        chamfer_distance(own, distance)
        # Mark what belongs to others, and their immediate neighbours: 2; off the plane: 3.
        for y in range(h):
            py = y + top
            for x in range(w):
                px = x + left
                if py < 0 or px < 0 or py >= height or px >= width:
                    usable[y, x] = 3
                elif own[y, x] == 0 and taken[py, px] != 0:
                    usable[y, x] = 2
                else:
                    usable[y, x] = 0
        near = int(3.0 * gap)
        far = int(3.0 * (gap + ring_here))
        count = 0
        for y in range(h):
            for x in range(w):
                if near < distance[y, x] <= far and usable[y, x] == 0:
                    if x >= 2 and usable[y, x - 2] == 2:
                        continue
                    if x < w - 2 and usable[y, x + 2] == 2:
                        continue
                    if y >= 2 and usable[y - 2, x] == 2:
                        continue
                    if y < h - 2 and usable[y + 2, x] == 2:
                        continue
                    across[count] = y + top - row[ROW]
                    along[count] = x + left - row[COL]
                    value[count] = plane[y + top, x + left]
                    count += 1
        if count < 8:
            _unresolved(row)
            continue
        noise = max(fit_background(across, along, value, count, spare, background), 1.0)
        row[BACKGROUND] = background[0]
        row[NOISE] = noise
        limit = 3.5 * sigma + 2.0
        sample_limit = int(3.0 * limit)
        for y in range(h):
            for x in range(w):
                if usable[y, x] == 3:
                    contrast[y, x] = 0.0
                    continue
                level = (
                    background[0]
                    + background[1] * (y + top - row[ROW])
                    + background[2] * (x + left - row[COL])
                )
                contrast[y, x] = plane[y + top, x + left] - level
                if usable[y, x] == 0 and distance[y, x] <= sample_limit:
                    usable[y, x] = 1
        # A pixel that touches another candidate is not sampled, unless it is one's own.
        for y in range(1, h - 1):
            for x in range(1, w - 1):
                if (
                    usable[y, x] == 1
                    and own[y, x] == 0
                    and (
                        usable[y - 1, x] == 2
                        or usable[y + 1, x] == 2
                        or usable[y, x - 1] == 2
                        or usable[y, x + 1] == 2
                    )
                ):
                    usable[y, x] = 0
        _smooth(contrast, distance, 9, smoothed)
        n = 0
        for y in range(h):
            for x in range(w):
                if own[y, x] == 1:
                    spare[n] = smoothed[y, x]
                    n += 1
        peak = select(spare, n, int(0.85 * (n - 1) + 0.5))
        row[PEAK] = peak
        if peak <= 0.0:
            _unresolved(row)
            continue
        level = 0.5 * peak
        for y in range(h):
            for x in range(w):
                inside[y, x] = 0
                if usable[y, x] >= 2 or y == 0 or x == 0 or y == h - 1 or x == w - 1:
                    continue
                s = smoothed[y, x]
                if (distance[y, x] <= 6 and s >= level) or (own[y, x] == 1 and s >= 0.5 * level):
                    inside[y, x] = 1
        solid_area = outline.keep_largest(inside, stack)
        hole = outline.fill_holes(inside, stack)
        n_outline = outline.trace_outline(inside, smoothed, level, outline_y, outline_x)
        outline.polygon_moments(outline_y, outline_x, n_outline, moments)
        if moments[0] <= 0.0:
            _unresolved(row)
            continue
        hull, n_hull = outline.convex_hull(outline_y, outline_x, n_outline, scratch[0], scratch[1])
        solidity = min(moments[0] / hull, 1.0)
        lumen = float(hole)
        if hole == 0 and solidity < 0.8 and solid_area >= 20:
            # A ring with a gap has no hole to fill: its hull is its outline.
            outline.polygon_moments(scratch[0], scratch[1], n_hull, moments)
            if _ring_met(inside, moments[1], moments[2]) >= 0.7:
                _fill_polygon(inside, scratch[0], scratch[1], n_hull)
                outline.fill_holes(inside, stack)
                n_outline = outline.trace_outline(inside, smoothed, level, outline_y, outline_x)
                filled = 0
                for y in range(h):
                    for x in range(w):
                        filled += inside[y, x]
                lumen = float(filled - solid_area)
                solidity = 1.0
            outline.polygon_moments(outline_y, outline_x, n_outline, moments)
        row[FILLED_AREA] = moments[0]
        row[AREA] = max(moments[0] - lumen, 1.0)
        row[SOLIDITY] = solidity
        row[ROW] = moments[1]
        row[COL] = moments[2]
        outline.smooth_polygon(outline_y, outline_x, n_outline, 2, path_y, path_x)
        light = scratch[2]
        outline.polygon_moments(path_y, path_x, n_outline, light)
        row[CIRCULARITY] = (
            min(4.0 * math.pi * light[0] / (light[6] * light[6]), 1.0) if light[6] > 0.0 else np.nan
        )
        if n_outline >= 16:
            outline.smooth_polygon(outline_y, outline_x, n_outline, 16, path_y, path_x)
            heavy = scratch[3]
            outline.polygon_moments(path_y, path_x, n_outline, heavy)
            if heavy[0] > 0.0 and light[0] > 0.0:
                ratio = light[6] / math.sqrt(light[0]) * math.sqrt(heavy[0]) / heavy[6]
                row[ROUGHNESS] = max(ratio - 1.0, 0.0)
        row[EDGE_WIDTH] = _edge_width(smoothed, outline_y, outline_x, n_outline, peak)
        row[HETEROGENEITY] = _heterogeneity(contrast, inside, peak)
        base_sigma = 0.2 + 0.4 * math.sqrt(max(noise * noise - 1.0, 0.0))
        trace = moments[3] + moments[4]
        split = math.hypot(moments[3] - moments[4], 2.0 * moments[5])
        long_axis = 4.0 * math.sqrt(max(0.5 * (trace + split), 1e-6))
        short_axis = 4.0 * math.sqrt(max(0.5 * (trace - split), 1e-6))
        lengthy = long_axis > 2.2 * short_axis and long_axis >= 6.0
        bent = solidity < 0.78 and lumen < 0.3 * moments[0] and solid_area >= 16
        done = False
        if lengthy or bent:
            done = _measure_axis(
                contrast, usable, inside, geodesic, outline_y, outline_x, n_outline, moments,
                lengthy and solidity >= 0.85, peak, noise, table, sigma, base_sigma,
                path_y, path_x, spare_y, spare_x, along, across, value, scratch, row,
            )  # fmt: skip
        if not done:
            done = _measure_compact(
                contrast, usable, outline_y, outline_x, n_outline, moments, peak, noise, table, sigma, base_sigma,
                radii, along, across, value, scratch, row,
            )  # fmt: skip
        if solidity < 0.9 and solid_area >= 12:
            chamfer_distance_outside(inside, distance)
            skeleton.thin(inside, stack)
            skeleton.prune(inside, distance, 1.0 + 2.0 * sigma, stack)
            row[BRANCHES] = skeleton.count_branch_points(inside, stack)
        row[ROW] += top
        row[COL] += left


@kernel
def chamfer_distance_outside(inside: Any, distance: Any) -> None:
    """Distance of every pixel of a region to the nearest pixel outside, in thirds of a pixel."""
    h, w = inside.shape
    for y in range(h):
        for x in range(w):
            inside[y, x] = 1 - inside[y, x]
    chamfer_distance(inside, distance)
    for y in range(h):
        for x in range(w):
            inside[y, x] = 1 - inside[y, x]


@kernel
def _ring_scale(tall: int, broad: int, reach: float) -> float:
    """The ring grows with the candidate, slowly: a plane under 5 mm needs more support than one under a speck."""
    return min(1.0 + 0.15 * max(max(tall, broad) - 2.0 * reach, 0.0) / reach, 2.0)


@kernel
def paint_runs(run_row: Any, run_start: Any, run_stop: Any, mask: Any) -> None:
    """Set `mask` (uint8, shape (h, w)) to 1 on every run."""
    for r in range(len(run_row)):
        for x in range(run_start[r], run_stop[r]):
            mask[run_row[r], x] = 1
