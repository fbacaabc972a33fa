"""A lucent centre in a radial or cross profile: hollow bodies against solid ones."""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.blurred_profiles import profile_value
from mammocalc_kernels.compile import kernel

# Slots of the result.
COST, OUTER, INNER, LUCENCY, HEIGHT, BASE, IS_SHELL = 0, 1, 2, 3, 4, 5, 6
N_HOLLOW = 7

_LEAST_INNER, _MOST_INNER = 0.15, 0.97


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
    out[LUCENCY] = 0.0
    if height > 0.0:
        centre = height - scale * missing
        rim = height
        if dome:
            # The sharp profile is highest where the inner dome begins, or at the centre.
            rim = max(height * math.sqrt(max(1.0 - (inner / outer) ** 2, 0.0)), centre)
        out[LUCENCY] = 1.0 - max(centre, 0.0) / rim if rim > 0.0 else 0.0
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
    out[COST] = math.inf
    best_outer, best_share, best_shell = start, 0.5, 0
    for shell in range(2):
        body = flat_body + shell
        outer, share, cost = start, 0.5, math.inf
        for i in range(-2, 3):
            for j in range(9):
                trial_outer = start * (1.0 + 0.06 * i)
                trial_share = _LEAST_INNER + (_MOST_INNER - _LEAST_INNER) * j / 8.0
                trial = hollow_cost(
                    table, body, xs, vs, ws, n, trial_outer, trial_outer * trial_share, sigma, base_sigma, out
                )
                if trial < cost:
                    outer, share, cost = trial_outer, trial_share, trial
        step_outer, step_share = 0.03 * start, 0.05
        for _ in range(7):
            pivot_outer, pivot_share = outer, share
            for i in range(-1, 2):
                for j in range(-1, 2):
                    trial_outer = pivot_outer + step_outer * i
                    trial_share = min(max(pivot_share + step_share * j, _LEAST_INNER), _MOST_INNER)
                    if i == 0 and j == 0:
                        continue
                    trial = hollow_cost(
                        table,
                        body,
                        xs,
                        vs,
                        ws,
                        n,
                        trial_outer,
                        trial_outer * trial_share,
                        sigma,
                        base_sigma,
                        out,
                    )
                    if trial < cost:
                        outer, share, cost = trial_outer, trial_share, trial
            if outer == pivot_outer and share == pivot_share:
                step_outer *= 0.5
                step_share *= 0.5
        if cost < out[COST]:
            out[COST] = cost
            best_outer, best_share, best_shell = outer, share, shell
    best_cost = out[COST]
    inner = best_outer * best_share
    hollow_cost(table, flat_body + best_shell, xs, vs, ws, n, best_outer, inner, sigma, base_sigma, out)
    out[COST] = best_cost
    out[OUTER] = best_outer
    out[INNER] = inner
    out[IS_SHELL] = best_shell
