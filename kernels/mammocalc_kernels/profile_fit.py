"""Size of a body from its blurred profile: least squares against tabulated bars, cylinders, discs and spheres.

A profile is a list of samples (distance from the axis or centre, mean contrast, number of pixels); contrast is in units
of the pixel noise, so that a sum of squared residues is a chi-square and prior knowledge can be weighed against it.
"""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.blurred_profiles import profile_value
from mammocalc_kernels.compile import kernel

# Real thickness profiles lie between flat and dome; where the blur hides which, this is the share of dome assumed.
DOME_SHARE, DOME_SHARE_SIGMA = 0.5, 0.35
# Half widths below this share of the blur leave no trace in the profile.
SMALLEST_HALF_WIDTH = 0.3

# Slots of the fit's result.
COST, HALF_WIDTH, ERROR, FLAT, DOME, BASE, CENTRE = 0, 1, 2, 3, 4, 5, 6
N_FIT = 7


@kernel
def body_cost(
    table: Any,
    flat_body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    centre: float,
    half_width: float,
    sigma: float,
    height: float,
    base_sigma: float,
    out: Any,
) -> float:
    """Penalised chi-square of the best mixture of flat and dome bodies of one half width, plus a constant base.

    Minimises ``sum w (v - flat F - dome D - base)**2`` with ``(base / base_sigma)**2`` and
    ``((dome - share (flat + dome)) / (0.35 height))**2`` added; ``flat`` and ``dome`` are held non-negative.
    `out` receives flat, dome and base in the slots `FLAT`, `DOME`, `BASE`.
    """
    a00 = a01 = a02 = a11 = a12 = a22 = r0 = r1 = r2 = total = 0.0
    for i in range(n):
        w = ws[i]
        if w == 0.0:
            continue
        x = xs[i] - centre
        flat = profile_value(table, flat_body, x, half_width, sigma)
        dome = profile_value(table, flat_body + 1, x, half_width, sigma)
        v = vs[i]
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
    flat_height = dome_height = 0.0
    if determinant > 1e-12 * b00 * b11:
        flat_height = (q0 * b11 - q1 * b01) / determinant
        dome_height = (q1 * b00 - q0 * b01) / determinant
    if flat_height < 0.0 or determinant <= 1e-12 * b00 * b11:
        flat_height = 0.0
        dome_height = q1 / b11
    if dome_height < 0.0:
        dome_height = 0.0
        flat_height = q0 / b00
    base = (r2 - a02 * flat_height - a12 * dome_height) / a22
    out[FLAT] = flat_height
    out[DOME] = dome_height
    out[BASE] = base
    return total - flat_height * r0 - dome_height * r1 - base * r2


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
    """Half width of a body from its profile, corrected for blur, by descent on `body_cost`.

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
    out[CENTRE] = 0.0
    middle = max(start, 1.2 * smallest)
    ratio = 1.2
    best = body_cost(table, flat_body, xs, vs, ws, n, 0.0, middle, sigma, height, base_sigma, out)
    low, high = middle / ratio, middle * ratio
    low_cost = body_cost(table, flat_body, xs, vs, ws, n, 0.0, low, sigma, height, base_sigma, out)
    high_cost = body_cost(table, flat_body, xs, vs, ws, n, 0.0, high, sigma, height, base_sigma, out)
    for _ in range(12):
        if low_cost < best and low > smallest:
            high, high_cost, middle, best = middle, best, low, low_cost
            low = middle / ratio
            low_cost = body_cost(table, flat_body, xs, vs, ws, n, 0.0, low, sigma, height, base_sigma, out)
        elif high_cost < best and low_cost >= best:
            low, low_cost, middle, best = middle, best, high, high_cost
            high = middle * ratio
            high_cost = body_cost(table, flat_body, xs, vs, ws, n, 0.0, high, sigma, height, base_sigma, out)
        else:
            break
    # Successive parabolas through the three best, on a bracket that only shrinks.
    for _ in range(4):
        p, q = middle - low, high - middle
        slope_low, slope_high = (best - low_cost) / p, (high_cost - best) / q
        bend = slope_high - slope_low
        if bend <= 0.0:
            break
        trial = middle - 0.5 * (slope_low * q + slope_high * p) / bend
        trial = min(max(trial, low + 0.1 * p), high - 0.1 * q)
        if abs(trial - middle) < 1e-3:
            trial = middle + (0.02 * q if q > p else -0.02 * p)
        cost = body_cost(table, flat_body, xs, vs, ws, n, 0.0, trial, sigma, height, base_sigma, out)
        if cost < best:
            if trial > middle:
                low, low_cost = middle, best
            else:
                high, high_cost = middle, best
            middle, best = trial, cost
        elif trial > middle:
            high, high_cost = trial, cost
        else:
            low, low_cost = trial, cost
    step = max(0.05 * middle, 0.05)
    below = body_cost(
        table, flat_body, xs, vs, ws, n, 0.0, max(middle - step, 0.05), sigma, height, base_sigma, out
    )
    above = body_cost(table, flat_body, xs, vs, ws, n, 0.0, middle + step, sigma, height, base_sigma, out)
    bend = (below + above - 2.0 * best) / (step * step)
    out[COST] = body_cost(table, flat_body, xs, vs, ws, n, 0.0, middle, sigma, height, base_sigma, out)
    out[HALF_WIDTH] = middle
    out[ERROR] = math.sqrt(2.0 / bend) if bend > 0.0 else math.inf


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
        for i in range(n):
            w = ws[i]
            if w == 0.0:
                continue
            x = xs[i] - trial_centre
            v = vs[i] - base
            here = (1.0 - dome_share) * profile_value(table, flat_body, x, trial_half, sigma)
            wider = (1.0 - dome_share) * profile_value(table, flat_body, x, trial_half + step, sigma)
            aside = (1.0 - dome_share) * profile_value(table, flat_body, x - step, trial_half, sigma)
            if dome_share > 0.0:
                here += dome_share * profile_value(table, flat_body + 1, x, trial_half, sigma)
                wider += dome_share * profile_value(table, flat_body + 1, x, trial_half + step, sigma)
                aside += dome_share * profile_value(table, flat_body + 1, x - step, trial_half, sigma)
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
        trial_cost = svv - trial_height * sfv
        if trial_height > 0.0 and trial_cost <= cost:
            gain = cost - trial_cost
            half_width, centre, height, cost = trial_half, trial_centre, trial_height, trial_cost
            damping *= 0.2
            nhh = height * height * (shh - sfh * sfh / sff)
            nhc = height * height * (shc - sfh * sfc / sff)
            ncc = height * height * (scc - sfc * sfc / sff)
            gh = height * (shv - height * sfh)
            gc = height * (scv - height * sfc)
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
def fit_tip(
    table: Any,
    dome_share: float,
    half_width: float,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    start: float,
    sigma: float,
    out: Any,
) -> None:
    """Where a rod ends, from the profile along its axis: a square end mixed with a round one, both blurred.

    Parameters
    ----------
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    dome_share : float
        Share of the round end (the profile along the axis of a capped cylinder), 0 to 1.
    half_width : float
        Radius of the round end, px.
    xs, vs, ws : ndarray of float64, shape (>= n,)
        Position along the axis, growing outwards (px), mean contrast of the core, pixels averaged. The inner samples
        must lie on the body at about the height it has at its end.
    start, sigma : float
        First guess of the end and the blur, px.
    out : ndarray of float64, shape (N_FIT,)
        Written: chi-square; position of the end in slot `CENTRE`, its standard error in `ERROR`; height in `FLAT`.
    """
    best_cost, best_tip, best_height = math.inf, start, 0.0
    spread = 4.0
    error = math.inf
    # A grid that closes in: the cost of an end has side minima in noise, which a descent would fall into.
    for _ in range(4):
        pivot = best_tip
        for k in range(-4, 5):
            tip = pivot + 0.25 * spread * k
            sff = sfv = svv = 0.0
            for i in range(n):
                w = ws[i]
                if w == 0.0:
                    continue
                flat = 0.5 * math.erfc((xs[i] - tip) / (sigma * math.sqrt(2.0)))
                inward = xs[i] - (tip - half_width)
                round_end = 1.0
                if inward > 0.0:
                    round_end = profile_value(table, 1, inward, half_width, sigma)
                f = (1.0 - dome_share) * flat + dome_share * round_end
                sff += w * f * f
                sfv += w * f * vs[i]
                svv += w * vs[i] * vs[i]
            height = sfv / sff if sff > 0.0 else 0.0
            cost = svv - height * sfv if height > 0.0 else svv
            if cost < best_cost:
                best_cost, best_tip, best_height = cost, tip, height
        spread *= 0.3
    out[COST] = best_cost
    out[CENTRE] = best_tip
    out[FLAT] = best_height
    out[ERROR] = error
