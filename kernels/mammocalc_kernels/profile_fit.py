"""Size of a body from its blurred profile: least squares against tabulated bars, cylinders, discs and spheres.

A profile is a list of samples (distance from the axis or centre, mean contrast, number of pixels); contrast is in units
of the pixel noise, so that a sum of squared residues is a chi-square and prior knowledge can be weighed against it.
"""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.blurred_profiles import blur_place, pair_values
from mammocalc_kernels.compile import kernel

# Real thickness profiles lie between flat and dome; where the blur hides which, this is the share of dome assumed.
DOME_SHARE, DOME_SHARE_SIGMA = 0.5, 0.35
# Half widths below this share of the blur leave no trace in the profile. Above it a half width thinner than the blur is
# held to be the less likely the thinner it is, by the logarithm: contrast goes with thickness, so that bodies much
# thinner than the blur are hardly seen at all.
SMALLEST_HALF_WIDTH = 0.3
THIN_SIGMA = 0.5
# A rod ends where it falls through this share of its height, or, within bounds, so many deviations of the noise.
_LEAST_TIP, _MOST_TIP, _TIP_NOISE = 0.125, 0.25, 1.0

# Slots of the fit's result.
COST, HALF_WIDTH, ERROR, FLAT, DOME, BASE, CENTRE = 0, 1, 2, 3, 4, 5, 6
N_FIT = 7


@kernel
def body_step(
    table: Any,
    flat_body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    half_width: float,
    sigma: float,
    height: float,
    base_sigma: float,
    out: Any,
) -> float:
    """Best mixture of a flat and a dome body of one half width, plus a constant base; and where to look next.

    Minimises ``sum w (v - flat F - dome D - base)**2`` with ``(base / base_sigma)**2`` and
    ``((dome - share (flat + dome)) / (0.35 height))**2`` added, and a penalty on half widths below sigma; ``flat`` and
    ``dome`` are held non-negative.

    Parameters
    ----------
    table, flat_body, xs, vs, ws, n, sigma, height, base_sigma
        As for `fit_body`.
    half_width : float
        Half width of both bodies, px.
    out : ndarray of float64, shape (N_FIT,)
        Written: penalised chi-square, half width, its standard error, heights, base.

    Returns
    -------
    float
        The Gauss-Newton step of the half width, px, heights and base solved along with it (variable projection, Golub
        and Pereyra 2003, 10.1088/0266-5611/19/2/201).
    """
    a00 = a01 = a02 = a11 = a12 = a22 = r0 = r1 = r2 = total = 0.0
    # Of the derivatives by half width, f of the flat and d of the dome body: with the columns, each other, the values.
    f0 = f1 = f2 = d0 = d1 = d2 = ff = fd = dd = fv = dv = 0.0
    step = 0.01 * half_width
    place, wider_place = blur_place(half_width, sigma), blur_place(half_width + step, sigma)
    for i in range(n):
        w = ws[i]
        if w == 0.0:
            continue
        x, v = xs[i], vs[i]
        flat, dome = pair_values(table, flat_body, x, half_width, *place)
        wider_flat, wider_dome = pair_values(table, flat_body, x, half_width + step, *wider_place)
        flat_slope, dome_slope = (wider_flat - flat) / step, (wider_dome - dome) / step
        a00 += w * flat * flat
        a01 += w * flat * dome
        a02 += w * flat
        a11 += w * dome * dome
        a12 += w * dome
        a22 += w
        r0 += w * flat * v
        r1 += w * dome * v
        r2 += w * v
        total += w * v * v
        f0 += w * flat_slope * flat
        f1 += w * flat_slope * dome
        f2 += w * flat_slope
        d0 += w * dome_slope * flat
        d1 += w * dome_slope * dome
        d2 += w * dome_slope
        ff += w * flat_slope * flat_slope
        fd += w * flat_slope * dome_slope
        dd += w * dome_slope * dome_slope
        fv += w * flat_slope * v
        dv += w * dome_slope * v
    a22 += 1.0 / (base_sigma * base_sigma)
    stiffness = 1.0 / (DOME_SHARE_SIGMA * height) ** 2
    a00 += stiffness * DOME_SHARE * DOME_SHARE
    a01 -= stiffness * DOME_SHARE * (1.0 - DOME_SHARE)
    a11 += stiffness * (1.0 - DOME_SHARE) * (1.0 - DOME_SHARE)
    # Eliminate the base, then solve the two heights.
    b00 = a00 - a02 * a02 / a22
    b01 = a01 - a02 * a12 / a22
    b11 = a11 - a12 * a12 / a22
    q0 = r0 - a02 * r2 / a22
    q1 = r1 - a12 * r2 / a22
    determinant = b00 * b11 - b01 * b01
    flat_height = dome_height = -1.0
    if determinant > 1e-12 * b00 * b11:
        flat_height = (q0 * b11 - q1 * b01) / determinant
        dome_height = (q1 * b00 - q0 * b01) / determinant
    only_dome = flat_height < 0.0 and b11 > 0.0
    only_flat = not only_dome and dome_height < 0.0
    if only_dome:
        flat_height, dome_height = 0.0, max(q1 / b11, 0.0)
    elif only_flat:
        flat_height, dome_height = max(q0 / b00, 0.0), 0.0
    base = (r2 - a02 * flat_height - a12 * dome_height) / a22
    thinness = min(math.log(half_width / sigma) / THIN_SIGMA, 0.0)
    out[COST] = total - flat_height * r0 - dome_height * r1 - base * r2 + thinness * thinness
    out[HALF_WIDTH] = half_width
    out[FLAT] = flat_height
    out[DOME] = dome_height
    out[BASE] = base
    # The model's derivative by half width, freed of what heights and base can make of it.
    g0 = flat_height * f0 + dome_height * d0
    g1 = flat_height * f1 + dome_height * d1
    g2 = flat_height * f2 + dome_height * d2
    norm = (
        flat_height * flat_height * ff + 2.0 * flat_height * dome_height * fd + dome_height * dome_height * dd
    )
    residue = flat_height * fv + dome_height * dv - flat_height * g0 - dome_height * g1 - base * g2
    norm -= g2 * g2 / a22
    g0 -= g2 * a02 / a22
    g1 -= g2 * a12 / a22
    if only_dome:
        norm -= g1 * g1 / b11
    elif only_flat:
        norm -= g0 * g0 / b00
    else:
        norm -= (g0 * g0 * b11 - 2.0 * g0 * g1 * b01 + g1 * g1 * b00) / determinant
    if thinness < 0.0:
        norm += (1.0 / (THIN_SIGMA * half_width)) ** 2
        residue -= thinness / (THIN_SIGMA * half_width)
    out[ERROR] = 1.0 / math.sqrt(norm) if norm > 0.0 else math.inf
    return residue / norm if norm > 0.0 else 0.0


@kernel
def fit_body(
    table: Any,
    flat_body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    start: float,
    sigma: float,
    height: float,
    base_sigma: float,
    out: Any,
) -> None:
    """Half width of a body from its profile, corrected for blur, by Gauss-Newton steps that must lower chi-square.

    Parameters
    ----------
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    flat_body : int
        `BAR` (mixed with the cylinder) or `DISC` (mixed with the sphere).
    xs, vs, ws : ndarray of float64, shape (>= n,)
        Distance (px), mean contrast (noise units), pixels averaged.
    start : float
        First guess of the half width, px.
    sigma : float
        Blur of detector and pixel aperture together, px.
    height : float
        Rough contrast, noise units: the scale of the penalty on the share of dome.
    base_sigma : float
        How far the base may stand off 0, noise units.
    out : ndarray of float64, shape (N_FIT,)
        Written: chi-square, half width (px), its standard error (px), heights of flat and dome body, base; the centre
        is set to 0.
    """
    smallest = SMALLEST_HALF_WIDTH * sigma
    best = max(start, smallest)
    best_cost, best_step = math.inf, 0.0
    trial, share = best, 1.0
    for turn in range(12):
        step = body_step(table, flat_body, xs, vs, ws, n, trial, sigma, height, base_sigma, out)
        if turn == 11 or (best_cost < math.inf and trial == best):
            break
        if out[COST] < best_cost:
            best, best_cost, best_step, share = trial, out[COST], step, 1.0
        else:
            share *= 0.4
        move = min(max(best_step, -0.3 * best), 0.3 * best) * share
        trial = max(best + move, smallest)
        # Once more at the best, for the heights that belong to it.
        if abs(trial - best) < 2e-4 * best or turn == 10:
            trial = best
    out[CENTRE] = 0.0


@kernel
def fit_blur(
    table: Any,
    flat_body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    start: float,
    height: float,
    base_sigma: float,
    sigmas: Any,
    out: Any,
) -> None:
    """Blur of a profile of unknown half width: the sigma with the least chi-square.

    Parameters
    ----------
    table, flat_body, xs, vs, ws, n, start, height, base_sigma
        As for `fit_body`.
    sigmas : ndarray of float64
        Grid of blurs in equal ratios, px; at least 3. The best is refined to a sixteenth of the ratio.
    out : ndarray of float64, shape (>= N_FIT,)
        Written: the best sigma (px) in slot 0, its standard error (px) in slot 1, the least chi-square in slot 2; the
        sigma is NaN where the least lies at an end of the grid.
    """
    count = len(sigmas)
    step = math.log(sigmas[1] / sigmas[0])
    best, best_cost, bend = sigmas[0], math.inf, 0.0
    for turn in range(count + 8):
        if turn < count:
            trial = sigmas[turn]
        else:
            if turn % 2 == count % 2:
                step *= 0.5
                pivot, pivot_cost, other_cost = best, best_cost, math.nan
            trial = pivot * math.exp(step if turn % 2 == count % 2 else -step)
        fit_body(table, flat_body, xs, vs, ws, n, start, trial, height, base_sigma, out)
        cost = out[COST]
        if cost < best_cost:
            best, best_cost = trial, cost
        if turn >= count:
            if turn % 2 == count % 2:
                other_cost = cost
            elif turn < count + 4:
                # The curvature by the wider steps: the narrowest would feel the search's own tolerance.
                bend = (cost + other_cost - 2.0 * pivot_cost) / (step * step)
    out[0] = best if sigmas[0] * 1.05 < best < sigmas[count - 1] * 0.95 else math.nan
    out[1] = best * math.sqrt(2.0 / bend) if bend > 0.0 else math.inf
    out[2] = best_cost


@kernel
def fit_local_width(
    table: Any,
    flat_body: int,
    dome_share: float,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    start: float,
    sigma: float,
    base: float,
    out: Any,
) -> None:
    """Half width, centre and height of a body of known kind from a short stretch of profile (Levenberg-Marquardt).

    Arguments as in `fit_body`; `dome_share` (0 to 1) and `base` are held, since a short stretch says little of them.
    `out` receives chi-square, half width, its standard error, height (in slot `FLAT`), 0, base and centre.
    """
    smallest = SMALLEST_HALF_WIDTH * sigma
    half_width = max(start, smallest)
    centre = 0.0
    damping = 1e-3
    cost = math.inf
    height = trial_height = 0.0
    trial_half, trial_centre = half_width, centre
    nhh = nhc = ncc = gh = gc = 0.0
    for _ in range(14):
        # Height is linear: it is solved inside, and its columns are projected out of the others.
        sff = sfv = sfh = sfc = shh = shc = scc = shv = scv = svv = 0.0
        step = 0.02 * trial_half + 0.01
        place = blur_place(trial_half, sigma)
        wider_place = blur_place(trial_half + step, sigma)
        for i in range(n):
            w = ws[i]
            if w == 0.0:
                continue
            x = xs[i] - trial_centre
            v = vs[i] - base
            flat, dome = pair_values(table, flat_body, x, trial_half, *place)
            here = (1.0 - dome_share) * flat + dome_share * dome
            flat, dome = pair_values(table, flat_body, x, trial_half + step, *wider_place)
            wider = (1.0 - dome_share) * flat + dome_share * dome
            flat, dome = pair_values(table, flat_body, x - step, trial_half, *place)
            aside = (1.0 - dome_share) * flat + dome_share * dome
            by_half = (wider - here) / step
            by_centre = (aside - here) / step
            sff += w * here * here
            sfv += w * here * v
            sfh += w * here * by_half
            sfc += w * here * by_centre
            shh += w * by_half * by_half
            shc += w * by_half * by_centre
            scc += w * by_centre * by_centre
            shv += w * by_half * v
            scv += w * by_centre * v
            svv += w * v * v
        trial_height = sfv / sff if sff > 0.0 else 0.0
        thinness = min(math.log(trial_half / sigma) / THIN_SIGMA, 0.0)
        trial_cost = svv - trial_height * sfv + thinness * thinness
        if trial_height > 0.0 and trial_cost <= cost:
            gain = cost - trial_cost
            half_width, centre, height, cost = trial_half, trial_centre, trial_height, trial_cost
            damping *= 0.2
            nhh = height * height * (shh - sfh * sfh / sff)
            nhc = height * height * (shc - sfh * sfc / sff)
            ncc = height * height * (scc - sfc * sfc / sff)
            gh = height * (shv - height * sfh)
            gc = height * (scv - height * sfc)
            if thinness < 0.0:
                nhh += (1.0 / (THIN_SIGMA * half_width)) ** 2
                gh -= thinness / (THIN_SIGMA * half_width)
            if gain < 1e-4 * (1.0 + cost):
                break
        else:
            damping *= 10.0
            if height <= 0.0 or damping > 1e6:
                break
        dh, dc = nhh * (1.0 + damping) + 1e-9, ncc * (1.0 + damping) + 1e-9
        determinant = dh * dc - nhc * nhc
        if determinant <= 0.0:
            break
        move_half = (gh * dc - gc * nhc) / determinant
        move_centre = (gc * dh - gh * nhc) / determinant
        bound = 0.3 * half_width + 0.3
        trial_half = max(half_width + min(max(move_half, -bound), bound), smallest)
        trial_centre = centre + min(max(move_centre, -bound), bound)
    determinant = nhh * ncc - nhc * nhc
    out[COST] = cost
    out[HALF_WIDTH] = half_width
    out[ERROR] = math.sqrt(ncc / determinant) if determinant > 0.0 and height > 0.0 else math.inf
    out[FLAT] = height
    out[DOME] = 0.0
    out[BASE] = base
    out[CENTRE] = centre


@kernel
def _upper_deviate(share: float) -> float:
    """Standard normal deviate that this share, 0 to 0.5, lies above (Abramowitz and Stegun 26.2.22, error 3e-3)."""
    t = math.sqrt(-2.0 * math.log(share))
    return t - (2.30753 + 0.27061 * t) / (1.0 + 0.99229 * t + 0.04481 * t * t)


@kernel
def find_tip(xs: Any, vs: Any, ws: Any, n: int, height: float, noise: float, sigma: float) -> float:
    """Where a rod ends, from the profile along its core: the first fall through a low level, blur undone.

    Low, because a tapered end is also a faint one: an eighth of the height where noise lets it be told, a quarter at
    most. The crossing of a sharp end lies a normal deviate's sigmas beyond it; that of a slow decline, whose place blur
    does not shift, less by the ratio of the slopes.

    Parameters
    ----------
    xs, vs, ws : ndarray of float64, shape (>= n,)
        Position along the axis, growing outwards (px), mean contrast of the core, pixels averaged (0 for no sample).
    n : int
    height, noise, sigma : float
        Contrast of the body, deviation of noise and texture (noise units) and blur (px).

    Returns
    -------
    float
        Position of the end; NaN where the profile nowhere reaches that share of the height.
    """
    share = min(max(_TIP_NOISE * noise / max(height, 1e-6), _LEAST_TIP), _MOST_TIP)
    level = share * height
    deviate = _upper_deviate(share)
    before = before_at = math.nan
    for k in range(n):
        # Five bins together: noise must not end a rod.
        total = weight = place = 0.0
        for j in range(max(k - 2, 0), min(k + 3, n)):
            total += ws[j] * vs[j]
            weight += ws[j]
            place += ws[j] * xs[j]
        if weight == 0.0:
            continue
        here, here_at = total / weight, place / weight
        if before >= level and here < level and here_at > before_at:
            slope = (before - here) / (here_at - before_at)
            # The slope of a sharp edge of this height at that level; the averaged bins span about 2.5 px.
            spread = math.sqrt(sigma * sigma + 0.5)
            steepest = height / spread * math.exp(-0.5 * deviate * deviate) / math.sqrt(2.0 * math.pi)
            return before_at + (before - level) / slope - deviate * spread * min(slope / steepest, 1.0)
        before, before_at = here, here_at
    if before >= level:
        return before_at
    return math.nan
