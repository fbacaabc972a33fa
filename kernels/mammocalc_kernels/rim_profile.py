"""A lucent centre in a radial or cross profile: hollow bodies against solid ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mammocalc_kernels.blurred_profiles import profile_value
from mammocalc_kernels.compile import kernel

# Slots of the result.
COST, OUTER, INNER, CORE_LUCENCY, HEIGHT, BASE, IS_SHELL = 0, 1, 2, 3, 4, 5, 6
N_HOLLOW = 7

_LEAST_INNER, _MOST_INNER = 0.15, 0.97
# A hollow body must explain the profile better than a solid one by this much chi-square, and be this lucent.
_LEAST_GAIN, _LEAST_LUCENCY = 5.0, 0.1
# Share of the variance of the texture around that means over a wall and a centre differ by: what is as broad as the
# body shifts both alike, and a slope cancels around it.
_TEXTURE_SHARE = 0.05
# A wall must stand this much above the centre (the inner third of the profile), by this many standard errors.
_CORE_SHARE, _LEAST_RISE, LEAST_DIP = 0.35, 1.04, 2.5


@kernel
def wall_noise(deviation: float, correlation: float) -> float:
    """Deviation of noise and texture that tells a wall from a centre, of one uncorrelated pixel.

    Parameters
    ----------
    deviation : float
        Of noise and texture around the candidate, noise units, at least 1.
    correlation : float
        Noise of sums relative to that of uncorrelated noise of the same pixel deviation, at least 1.
    """
    return correlation * math.sqrt(1.0 + _TEXTURE_SHARE * max(deviation * deviation - 1.0, 0.0))


@kernel
def hollow_cost(
    table: Any,
    body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    outer: float,
    inner: float,
    sigma: float,
    base_sigma: float,
    out: Any,
) -> float:
    """Penalised chi-square of a body with a lighter core: ``v = H (outer - g inner) + base``, 0 <= g <= 1.

    For a flat body (annulus, two-walled bar) g is the missing share of the core's contrast; for a dome (shell, tube)
    the inner dome is scaled by inner / outer, so that g = 1 is empty. `out` receives lucency, height and base.
    """
    dome = body == 1 or body == 3
    scale = inner / outer if dome else 1.0
    a00 = a01 = a02 = a11 = a12 = a22 = r0 = r1 = r2 = total = 0.0
    for i in range(n):
        w = ws[i]
        if w == 0.0:
            continue
        whole = profile_value(table, body, xs[i], outer, sigma)
        core = -scale * profile_value(table, body, xs[i], inner, sigma)
        v = vs[i]
        a00 += w * whole * whole
        a01 += w * whole * core
        a02 += w * whole
        a11 += w * core * core
        a12 += w * core
        a22 += w
        r0 += w * whole * v
        r1 += w * core * v
        r2 += w * v
        total += w * v * v
    a22 += 1.0 / (base_sigma * base_sigma)
    b00 = a00 - a02 * a02 / a22
    b01 = a01 - a02 * a12 / a22
    b11 = a11 - a12 * a12 / a22
    q0 = r0 - a02 * r2 / a22
    q1 = r1 - a12 * r2 / a22
    determinant = b00 * b11 - b01 * b01
    height = missing = 0.0
    if determinant > 1e-12 * b00 * b11:
        height = (q0 * b11 - q1 * b01) / determinant
        missing = (q1 * b00 - q0 * b01) / determinant
    if missing > height:
        # An empty core: one height for both.
        height = (q0 + q1) / (b00 + 2.0 * b01 + b11)
        missing = height
    if missing < 0.0:
        missing = 0.0
        height = q0 / b00
    base = (r2 - a02 * height - a12 * missing) / a22
    out[HEIGHT] = height
    out[BASE] = base
    out[CORE_LUCENCY] = 0.0
    if height > 0.0:
        centre = height - scale * missing
        rim = height
        if dome:
            # The sharp profile is highest where the inner dome begins, or at the centre.
            rim = max(height * math.sqrt(max(1.0 - (inner / outer) ** 2, 0.0)), centre)
        out[CORE_LUCENCY] = 1.0 - max(centre, 0.0) / rim if rim > 0.0 else 0.0
    return total - height * r0 - missing * r1 - base * r2


@kernel
def fit_hollow(
    table: Any,
    flat_body: int,
    xs: Any,
    vs: Any,
    ws: Any,
    n: int,
    start: float,
    sigma: float,
    base_sigma: float,
    out: Any,
) -> None:
    """Outer and inner half width of a hollow body, blur undone, as the better of a flat and a dome-shaped one.

    Parameters
    ----------
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    flat_body : int
        `BAR` for a profile across an axis, `DISC` for one along a radius.
    xs, vs, ws : ndarray of float64, shape (>= n,)
        Distance (px), mean contrast (noise units), pixels averaged.
    start : float
        First guess of the outer half width, px.
    sigma, base_sigma : float
        Blur (px) and how far the base may stand off 0 (noise units).
    out : ndarray of float64, shape (N_HOLLOW,)
        Written: chi-square, outer and inner half width (px), lucency (1 - centre / rim of the sharp body), height,
        base, 1 for a shell or tube and 0 for an annulus or two walls.
    """
    best_cost = math.inf
    best_outer, best_share, best_shell = start, 0.5, 0
    for shell in range(2):
        outer, share, cost = start, 0.5, math.inf
        step_outer, step_share = 0.06 * start, 0.1
        for turn in range(9):
            # A wide grid first, then the neighbours at closing steps.
            reach_outer, reach_share = (2, 4) if turn == 0 else (1, 1)
            pivot_outer = outer
            pivot_share = 0.5 * (_LEAST_INNER + _MOST_INNER) if turn == 0 else share
            for i in range(-reach_outer, reach_outer + 1):
                for j in range(-reach_share, reach_share + 1):
                    trial_outer = pivot_outer + step_outer * i
                    trial_share = min(max(pivot_share + step_share * j, _LEAST_INNER), _MOST_INNER)
                    inner = trial_outer * trial_share
                    trial = hollow_cost(
                        table, flat_body + shell, xs, vs, ws, n, trial_outer, inner, sigma, base_sigma, out
                    )
                    if trial < cost:
                        outer, share, cost = trial_outer, trial_share, trial
                        if cost < best_cost:
                            best_outer, best_share, best_shell, best_cost = outer, share, shell, cost
            if turn == 0 or (outer == pivot_outer and share == pivot_share):
                step_outer *= 0.5
                step_share *= 0.5
    inner = best_outer * best_share
    out[COST] = hollow_cost(
        table, flat_body + best_shell, xs, vs, ws, n, best_outer, inner, sigma, base_sigma, out
    )
    out[OUTER] = best_outer
    out[INNER] = inner
    out[IS_SHELL] = best_shell


@kernel
def is_hollow(hollow: Any, solid_cost: float, noise: float) -> bool:
    """Whether the fit of `fit_hollow` is better than the best solid one by more than noise, that of `wall_noise`."""
    gain = solid_cost - hollow[COST]
    return gain > _LEAST_GAIN * noise * noise and hollow[CORE_LUCENCY] > _LEAST_LUCENCY


@kernel
def dip(xs: Any, vs: Any, ws: Any, n: int, half_width: float, noise: float, out: Any) -> float:
    """How many standard errors the best wall of a profile stands above its centre; 0 where there is no such wall.

    Parameters
    ----------
    xs, vs, ws : ndarray of float64, shape (>= n,)
        Distance from the centre (px), mean contrast, pixels averaged.
    half_width : float
        Half width of the outline, px: the wall lies within it.
    noise : float
        From `wall_noise`.
    out : ndarray of float64, shape (>= 3,)
        Written: contrast of the centre, of the wall, and where the wall stands, px.
    """
    total = weight = 0.0
    core = max(_CORE_SHARE * half_width, 0.75)
    for i in range(n):
        if ws[i] > 0.0 and xs[i] <= core:
            total += ws[i] * vs[i]
            weight += ws[i]
    if weight == 0.0:
        return 0.0
    centre = total / weight
    out[0] = centre
    best = 0.0
    for i in range(n - 1):
        pair = ws[i] + ws[i + 1]
        if pair == 0.0 or xs[i] <= core or xs[i] > half_width:
            continue
        wall = (ws[i] * vs[i] + ws[i + 1] * vs[i + 1]) / pair
        if wall > _LEAST_RISE * centre:
            significance = (wall - centre) / (noise * math.sqrt(1.0 / pair + 1.0 / weight))
            if significance > best:
                best = significance
                out[1] = wall
                out[2] = (ws[i] * xs[i] + ws[i + 1] * xs[i + 1]) / pair
    return best


@kernel
def closure(
    place: Any, depth: Any, value: Any, count: int, centre: float, wall: float, wall_at: float, noise: float
) -> float:
    """Fraction of the way round a rim (or along two walls) in which the wall stands above the centre.

    The rim is cut in as many equal parts as noise allows to be judged, 6 to 36; a part stands where it rises above the
    centre by more than 40 % of what the whole rim does.

    Parameters
    ----------
    place : ndarray of float64
        Where each of the `count` samples lies along the rim, 0 to 1.
    depth, value : ndarray of float64
        Distance from the centre (px) and contrast.
    centre, wall, wall_at : float
        Contrast of the centre and of the wall, and where the wall stands, px: from `dip`.
    noise : float
        From `wall_noise`.
    """
    band = max(0.75, 0.1 * wall_at)
    samples = 0
    for i in range(count):
        if abs(depth[i] - wall_at) <= band:
            samples += 1
    # The mean of a part should be known to a quarter of the rise.
    needed = max((4.0 * noise / max(wall - centre, 1e-6)) ** 2, 1.5)
    cells = max(6, min(36, int(samples / needed)))
    total = np.zeros(cells)
    weight = np.zeros(cells)
    for i in range(count):
        if abs(depth[i] - wall_at) <= band:
            k = min(max(int(place[i] * cells), 0), cells - 1)
            total[k] += value[i]
            weight[k] += 1.0
    stands = told = 0
    for k in range(cells):
        if weight[k] > 0.0:
            told += 1
            if total[k] / weight[k] - centre > 0.4 * (wall - centre):
                stands += 1
    return stands / told if told > 0 else 0.0
