"""Size, axes and lucent centre of a compact region, from the profile around its centre."""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.candidate_state import (
    ANGLE,
    BROAD,
    CENTRE_CONTRAST,
    CENTRE_X,
    CENTRE_Y,
    COMPACT,
    DEVIATION,
    FITTED,
    FORM,
    HALF,
    HOLLOW,
    LEFT,
    LONGEST,
    MAJOR,
    MINOR,
    PATCH,
    POLYGON_AREA,
    POLYGON_COV,
    POLYGON_VAR_X,
    POLYGON_VAR_Y,
    POLYGON_X,
    POLYGON_Y,
    REACH,
    SAMPLES,
    SMALL,
    SOLIDITY_TOLD,
    START,
    TALL,
    TOP,
    VERTICES,
    WALL_AT,
    WALL_CONTRAST,
)
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.measured_columns import (
    COL,
    DIAMETER,
    LENGTH,
    ORIENTATION,
    RING_CLOSURE,
    ROW,
    STRAIGHTNESS,
    WIDTH,
    WIDTH_MAX,
)
from mammocalc_kernels.rim_profile import closure, wall_noise

SECTORS = 64
# Variance along each axis of binomial 3 x 3 smoothing, px squared.
SMOOTHING_VARIANCE = 0.5
# Full length over the deviation along it: 4 for a disc, 4.47 for a ball.
_LONGEST_OF_SIGMA = 4.6
# Below these radii (px) the outline follows the noise: an ellipse from weighted moments takes its place, up to the
# larger one only where the outline is about as solid as one.
_TINY_RADIUS, _SMALL_RADIUS, _ELLIPSE_SOLIDITY = 3.0, 6.0, 0.94


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
    out : ndarray of float64, shape (>= 6,)
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
        reach = 3.0 * math.sqrt(max(cyy, cxx))
        flux = sy = sx = syy = sxx = syx = nd = nc = 0.0
        for py in range(max(int(y - reach), 0), min(int(y + reach) + 2, h)):
            dy = py - y
            for px in range(max(int(x - reach), 0), min(int(x + reach) + 2, w)):
                dx = px - x
                q = iyy * dy * dy + 2.0 * iyx * dy * dx + ixx * dx * dx
                if usable[py, px] != 1 or q > 9.0:
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
        before = cyy + cxx
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
        if abs(cyy + cxx - before) < 0.02 * before:
            break
    out[0] = y
    out[1] = x
    out[2] = cyy
    out[3] = cxx
    out[4] = cyx
    out[5] = noise


@kernel
def outline_radii(ys: Any, xs: Any, n: int, cy: float, cx: float, radii: Any) -> None:
    """Distance of an outline from a point in 64 directions (-pi first): the farthest crossing, gaps interpolated."""
    for k in range(SECTORS):
        radii[k] = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        for part in range(4):
            dy = ys[i] + 0.25 * part * (ys[j] - ys[i]) - cy
            dx = xs[i] + 0.25 * part * (xs[j] - xs[i]) - cx
            k = int((math.atan2(dy, dx) + math.pi) * (SECTORS / (2.0 * math.pi)) + 0.5) & (SECTORS - 1)
            radii[k] = max(radii[k], math.hypot(dy, dx))
    for k in range(SECTORS):
        if radii[k] > 0.0:
            continue
        before, after = 1, 1
        while before < SECTORS and radii[(k - before) & (SECTORS - 1)] <= 0.0:
            before += 1
        while after < SECTORS and radii[(k + after) & (SECTORS - 1)] <= 0.0:
            after += 1
        left, right = radii[(k - before) & (SECTORS - 1)], radii[(k + after) & (SECTORS - 1)]
        # Filled values are negative until all gaps are closed, so that they do not pass for crossings.
        radii[k] = -(left * after + right * before) / (before + after)
    for k in range(SECTORS):
        radii[k] = max(abs(radii[k]), 0.3)


@kernel
def ellipse_radii(major: float, minor: float, angle: float, radii: Any) -> None:
    """Radius of an ellipse in 64 directions (-pi first); `angle` of the major axis from +x towards +y, rad."""
    for k in range(SECTORS):
        direction = 2.0 * math.pi * k / SECTORS - math.pi - angle
        radii[k] = major * minor / math.hypot(minor * math.cos(direction), major * math.sin(direction))


@kernel
def radial_samples(
    contrast: Any,
    usable: Any,
    cy: float,
    cx: float,
    radii: Any,
    mean_radius: float,
    reach: float,
    depth: Any,
    turn: Any,
    value: Any,
) -> int:
    """Pixels around a centre by distance, scaled so that an outline given by direction lies at its mean radius.

    Inside the outline the distance is scaled, beyond it the distance from the outline is kept: blur does not stretch.

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
    usable : ndarray of uint8, shape (h, w)
        1 for pixels that may be sampled.
    cy, cx : float
        The centre, px.
    radii : ndarray of float64, shape (64,)
        The outline's distance by direction, -pi first, px.
    mean_radius, reach : float
        Radius that the outline is brought to, and largest scaled distance, px.
    depth, turn, value : ndarray of float64
        Written: scaled distance, direction (0 to 1), contrast.

    Returns
    -------
    int
        Number of samples.
    """
    h, w = contrast.shape
    largest = mean_radius
    for k in range(SECTORS):
        largest = max(largest, radii[k])
    box = reach - mean_radius + largest
    count = 0
    for y in range(max(int(cy - box), 0), min(int(cy + box) + 2, h)):
        for x in range(max(int(cx - box), 0), min(int(cx + box) + 2, w)):
            if usable[y, x] != 1:
                continue
            dy, dx = y - cy, x - cx
            sector = (math.atan2(dy, dx) + math.pi) * (SECTORS / (2.0 * math.pi))
            k = int(sector)
            share = sector - k
            radius = (1.0 - share) * radii[k & (SECTORS - 1)] + share * radii[(k + 1) & (SECTORS - 1)]
            distance = math.sqrt(dy * dy + dx * dx)
            scaled = distance * mean_radius / radius if distance < radius else mean_radius + distance - radius
            if scaled <= reach:
                depth[count] = scaled
                turn[count] = sector / SECTORS
                value[count] = contrast[y, x]
                count += 1
    return count


@kernel
def elliptic_samples(
    contrast: Any,
    usable: Any,
    cy: float,
    cx: float,
    major: float,
    minor: float,
    angle: float,
    reach: float,
    depth: Any,
    value: Any,
) -> int:
    """The same as `radial_samples` for an ellipse, without the directions and faster."""
    h, w = contrast.shape
    mean_radius = math.sqrt(major * minor)
    cosine, sine = math.cos(angle), math.sin(angle)
    iyy = (sine / major) ** 2 + (cosine / minor) ** 2
    ixx = (cosine / major) ** 2 + (sine / minor) ** 2
    iyx = 2.0 * sine * cosine * (1.0 / major**2 - 1.0 / minor**2)
    box = reach - mean_radius + major
    count = 0
    for y in range(max(int(cy - box), 0), min(int(cy + box) + 2, h)):
        dy = y - cy
        for x in range(max(int(cx - box), 0), min(int(cx + box) + 2, w)):
            if usable[y, x] != 1:
                continue
            dx = x - cx
            share = math.sqrt(iyy * dy * dy + iyx * dy * dx + ixx * dx * dx)
            scaled = share * mean_radius
            if share > 1.0:
                distance = math.sqrt(dy * dy + dx * dx)
                scaled = mean_radius + distance - distance / share
            if scaled <= reach:
                depth[count] = scaled
                value[count] = contrast[y, x]
                count += 1
    return count


@kernel
def sample_compact(
    chosen: Any,
    sigma: float,
    correlation: float,
    contrast_pool: Any,
    smooth_pool: Any,
    usable_pool: Any,
    outline_y: Any,
    outline_x: Any,
    turn_pool: Any,
    depth_pool: Any,
    value_pool: Any,
    scratch: Any,
    state: Any,
    out: Any,
) -> None:
    """The samples around the centre of each compact candidate.

    Parameters
    ----------
    chosen : ndarray of int64, shape (m,)
    sigma, correlation : float
        Blur of detector and pixel aperture together, px; noise of sums relative to that of uncorrelated noise.
    contrast_pool, smooth_pool : ndarray of float32
        Plane minus background, noise units, and the same after binomial 3 x 3 smoothing, which adds
        `SMOOTHING_VARIANCE` to the variance of the blur.
    usable_pool : ndarray of uint8
        1 for pixels that may be sampled.
    outline_y, outline_x : ndarray of float64
        Pools of outlines at half contrast, patch pixels.
    turn_pool, depth_pool, value_pool : ndarray of float64
        Pools, written: direction (0 to 1), scaled distance (px), contrast.
    scratch : ndarray of float64, shape (>= 64,)
        Scratch.
    state : ndarray of float64, shape (m, SLOTS)
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns row and col of the small ones are written.
    """
    for k in range(len(chosen)):
        if state[k, FORM] != COMPACT:
            continue
        c = chosen[k]
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        end = pool + h * w
        contrast = contrast_pool[pool:end].reshape(h, w)
        usable = usable_pool[pool:end].reshape(h, w)
        turn, depth, value = turn_pool[pool:end], depth_pool[pool:end], value_pool[pool:end]
        area, cy, cx = state[k, POLYGON_AREA], state[k, POLYGON_Y], state[k, POLYGON_X]
        noise = state[k, DEVIATION] * correlation
        radius = math.sqrt(area / math.pi)
        small = radius < _TINY_RADIUS or (
            radius < _SMALL_RADIUS and state[k, SOLIDITY_TOLD] > _ELLIPSE_SOLIDITY
        )
        if small:
            # On the smoothed contrast: a speck sharper than the pixels would be drawn to the middle of one.
            blur = sigma * sigma + SMOOTHING_VARIANCE
            smoothed = smooth_pool[pool:end].reshape(h, w)
            adaptive_moments(smoothed, usable, cy, cx, max(0.5 * area / math.pi, 0.5), 0.9 * blur, scratch)
            cy, cx = scratch[0], scratch[1]
            trace = scratch[2] + scratch[3]
            split = math.sqrt(
                max((scratch[2] - scratch[3]) ** 2 + 4.0 * scratch[4] ** 2 - scratch[5] * noise * noise, 0.0)
            )
            large = max(0.5 * (trace + split) - blur, 0.05 * blur)
            little = max(0.5 * (trace - split) - blur, 0.04 * large)
            ratio = math.sqrt(little / large)
            angle = 0.5 * math.atan2(2.0 * scratch[4], scratch[3] - scratch[2])
            major, minor = radius / math.sqrt(ratio), radius * math.sqrt(ratio)
            state[k, LONGEST] = _LONGEST_OF_SIGMA * math.sqrt(large)
            state[k, MAJOR] = major
            state[k, MINOR] = minor
            out[c, ROW] = cy + state[k, TOP]
            out[c, COL] = cx + state[k, LEFT]
            reach = 1.25 * radius + 3.5 * sigma + 0.5
            count = elliptic_samples(contrast, usable, cy, cx, major, minor, angle, reach, depth, value)
        else:
            angle = 0.5 * math.atan2(
                2.0 * state[k, POLYGON_COV], state[k, POLYGON_VAR_X] - state[k, POLYGON_VAR_Y]
            )
            outline_radii(outline_y[pool:end], outline_x[pool:end], int(state[k, VERTICES]), cy, cx, scratch)
            radius = 0.0
            for i in range(SECTORS):
                radius += scratch[i] * scratch[i]
            radius = math.sqrt(radius / SECTORS)
            reach = 1.25 * radius + 3.5 * sigma + 0.5
            count = radial_samples(contrast, usable, cy, cx, scratch, radius, reach, depth, turn, value)
        state[k, SMALL] = small
        state[k, ANGLE] = angle
        state[k, CENTRE_Y] = cy
        state[k, CENTRE_X] = cx
        state[k, SAMPLES] = count
        state[k, START] = radius
        state[k, REACH] = reach


@kernel
def measure_compact(
    chosen: Any,
    correlation: float,
    contrast_pool: Any,
    usable_pool: Any,
    outline_y: Any,
    outline_x: Any,
    turn_pool: Any,
    depth_pool: Any,
    value_pool: Any,
    scratch: Any,
    state: Any,
    out: Any,
) -> None:
    """Size, axes and rim of each compact candidate whose profile has been fitted.

    Parameters
    ----------
    chosen, correlation, contrast_pool, usable_pool, outline_y, outline_x, turn_pool, depth_pool, value_pool, scratch
        As for `sample_compact`.
    state : ndarray of float64, shape (m, SLOTS)
    out : ndarray of float64, shape (n, len(COLUMNS))
        Columns length, width, width_max, diameter, orientation, straightness, ring_closure of the chosen are written.
    """
    for k in range(len(chosen)):
        if state[k, FORM] != COMPACT or state[k, FITTED] == 0.0:
            continue
        row = out[chosen[k]]
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        end = pool + h * w
        turn, depth, value = turn_pool[pool:end], depth_pool[pool:end], value_pool[pool:end]
        cy, cx, angle = state[k, CENTRE_Y], state[k, CENTRE_X], state[k, ANGLE]
        radius, half, small = state[k, START], state[k, HALF], state[k, SMALL] != 0.0
        if state[k, HOLLOW] != 0.0:
            count = int(state[k, SAMPLES])
            if small:
                ellipse_radii(state[k, MAJOR], state[k, MINOR], angle, scratch)
                count = radial_samples(
                    contrast_pool[pool:end].reshape(h, w), usable_pool[pool:end].reshape(h, w), cy, cx, scratch,
                    radius, state[k, REACH], depth, turn, value,
                )  # fmt: skip
            row[RING_CLOSURE] = closure(
                turn, depth, value, count, state[k, CENTRE_CONTRAST], state[k, WALL_CONTRAST], state[k, WALL_AT],
                wall_noise(state[k, DEVIATION], correlation),
            )  # fmt: skip
        row[ORIENTATION] = -angle
        row[STRAIGHTNESS] = 1.0
        if small:
            # The longer axis is known better than the ratio: no body is longer than its variance allows.
            row[LENGTH] = max(min(2.0 * half * state[k, MAJOR] / radius, state[k, LONGEST]), 2.0 * half)
            row[WIDTH] = 4.0 * half * half / row[LENGTH]
            row[DIAMETER] = 2.0 * half
        else:
            ty, tx = math.sin(angle), math.cos(angle)
            low_t = low_u = 1e30
            high_t = high_u = -1e30
            for i in range(pool, pool + int(state[k, VERTICES])):
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
            row[DIAMETER] = 2.0 * math.sqrt(state[k, POLYGON_AREA] / math.pi) + correction
        row[WIDTH_MAX] = row[WIDTH]
