"""The body behind each candidate's profile: solid or hollow, its half width, or the blur itself."""

from __future__ import annotations

from typing import Any

from mammocalc_kernels.axis_profile import bin_samples
from mammocalc_kernels.blurred_profiles import BAR, BODIES, DISC
from mammocalc_kernels.candidate_state import (
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
    HALF_ERROR,
    HEIGHT,
    HOLLOW,
    LAST,
    NOTHING,
    PATCH,
    REACH,
    SAMPLES,
    START,
    TALL,
)
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.measured_columns import (
    BLUR,
    BLUR_ERROR,
    FLATNESS,
    LUCENCY,
    WALL_THICKNESS,
    WIDTH_ERROR,
)
from mammocalc_kernels.profile_fit import BASE, COST, DOME, ERROR, FLAT, HALF_WIDTH, fit_blur, fit_body
from mammocalc_kernels.rim_profile import (
    CORE_LUCENCY,
    INNER,
    LEAST_DIP,
    OUTER,
    dip,
    fit_hollow,
    is_hollow,
    wall_noise,
)

BIN = 0.5
# A hollow is looked for where the half width is at least this many blurs.
_LEAST_HOLLOW_COMPACT, _LEAST_HOLLOW_LONG = 2.0, 1.5


@kernel
def fit_bodies(
    chosen: Any,
    compact: bool,
    along_pool: Any,
    depth_pool: Any,
    value_pool: Any,
    table: Any,
    sigma: float,
    sigmas: Any,
    correlation: float,
    bins_scratch: Any,
    state: Any,
    out: Any,
) -> None:
    """Fit the profile of every compact, or of every elongated, candidate.

    Parameters
    ----------
    chosen : ndarray of int64, shape (m,)
        Rows of `out`.
    compact : bool
        Which candidates: the compact ones by their radial profile, or the others by that across their axis.
    along_pool, depth_pool, value_pool : ndarray of float64
        Pools of samples: position along the axis or direction, distance from axis or centre (px), contrast.
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    sigma : float
        Blur of detector and pixel aperture together, px.
    sigmas : ndarray of float64
        Blurs to try, px, where the blur is wanted instead of the sizes (columns blur and blur_error); else empty.
    correlation : float
        Noise of sums over a speck relative to that of uncorrelated noise of the same pixel deviation, at least 1.
    bins_scratch : ndarray of float64, shape (5, bins)
        Scratch.
    state : ndarray of float64, shape (m, SLOTS)
        Slots from `FITTED` on are written.
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns width_error, flatness, lucency and wall_thickness (or blur and blur_error) of the chosen are written.
    """
    xs, vs, ws, fit, hollow = (
        bins_scratch[0],
        bins_scratch[1],
        bins_scratch[2],
        bins_scratch[3],
        bins_scratch[4],
    )
    flat_body = BODIES[DISC if compact else BAR]
    least_hollow = (_LEAST_HOLLOW_COMPACT if compact else _LEAST_HOLLOW_LONG) * sigma
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING or (state[k, FORM] == COMPACT) != compact:
            continue
        row = out[chosen[k]]
        count, start, reach = int(state[k, SAMPLES]), state[k, START], state[k, REACH]
        noise, height = state[k, DEVIATION] * correlation, state[k, HEIGHT]
        rise_noise = wall_noise(state[k, DEVIATION], correlation)
        # How far the background may be off grows with the texture around.
        base_sigma = 0.2 + 0.4 * max(state[k, DEVIATION] ** 2 - 1.0, 0.0) ** 0.5
        pool = int(state[k, PATCH])
        end = pool + int(state[k, TALL]) * int(state[k, BROAD])
        depth = depth_pool[pool:end]
        keys = depth if compact else along_pool[pool:end]
        low, high = (0.0, reach) if compact else (state[k, FIRST], state[k, LAST])
        n = bin_samples(depth, value_pool[pool:end], keys, count, low, high, 0.0, reach, BIN, xs, vs, ws)
        significance = dip(xs, vs, ws, n, start, rise_noise, state[k, CENTRE_CONTRAST : CENTRE_CONTRAST + 3])
        state[k, FITTED] = 0.0
        state[k, HOLLOW] = 0.0
        if len(sigmas) > 0:
            state[k, FITTED] = 1.0
            if significance <= LEAST_DIP:
                fit_blur(table, flat_body, xs, vs, ws, n, start, height, base_sigma, sigmas, fit)
                row[BLUR] = fit[0]
                row[BLUR_ERROR] = fit[1]
            continue
        fit_body(table, flat_body, xs, vs, ws, n, start, sigma, height, base_sigma, fit)
        body_height = fit[FLAT] + fit[DOME]
        if body_height <= 0.0:
            continue
        state[k, FITTED] = 1.0
        state[k, HALF] = fit[HALF_WIDTH]
        state[k, HALF_ERROR] = fit[ERROR]
        state[k, DOME_PART] = fit[DOME] / body_height
        state[k, BODY_HEIGHT] = body_height
        state[k, BODY_BASE] = fit[BASE]
        row[WIDTH_ERROR] = 2.0 * fit[ERROR] * noise
        row[FLATNESS] = fit[FLAT] / body_height
        if start > least_hollow and significance > LEAST_DIP:
            fit_hollow(table, flat_body, xs, vs, ws, n, start, sigma, base_sigma, hollow)
            if is_hollow(hollow, fit[COST], rise_noise):
                state[k, HOLLOW] = 1.0
                state[k, HALF] = hollow[OUTER]
                state[k, DOME_PART] = 0.0
                row[LUCENCY] = hollow[CORE_LUCENCY]
                row[WALL_THICKNESS] = hollow[OUTER] - hollow[INNER]
