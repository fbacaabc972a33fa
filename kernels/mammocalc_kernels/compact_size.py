"""Size, axes and lucent centre of a compact region, from the profile around its centre."""

from __future__ import annotations

import math
from typing import Any

from mammocalc_kernels.axis_profile import bin_samples
from mammocalc_kernels.blurred_profiles import BODIES, DISC
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.measured_columns import (
    BLUR,
    BLUR_ERROR,
    COL,
    DIAMETER,
    LENGTH,
    LUCENCY,
    ORIENTATION,
    RING_CLOSURE,
    ROW,
    STRAIGHTNESS,
    WALL_THICKNESS,
    WIDTH,
    WIDTH_ERROR,
    WIDTH_MAX,
)
from mammocalc_kernels.profile_fit import COST, DOME, ERROR, FLAT, HALF_WIDTH, fit_blur, fit_body
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

SECTORS = 64
# Variance along each axis of binomial 3 x 3 smoothing, px squared.
SMOOTHING_VARIANCE = 0.5
BIN = 0.5
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
def measure_compact(
    contrast: Any,
    smoothed: Any,
    usable: Any,
    outline_y: Any,
    outline_x: Any,
    n_outline: int,
    moments: Any,
    solidity: float,
    peak: float,
    noise: float,
    table: Any,
    sigma: float,
    base_sigma: float,
    sigmas: Any,
    along: Any,
    depth: Any,
    value: Any,
    scratch: Any,
    row: Any,
) -> bool:
    """Fill the columns of a compact region from its radial profile; False where nothing stands out.

    Parameters
    ----------
    contrast : ndarray of float32, shape (h, w)
        Plane minus background, noise units.
    smoothed : ndarray of float32, shape (h, w)
        The same after binomial 3 x 3 smoothing, which adds `SMOOTHING_VARIANCE` to the variance of the blur.
    usable : ndarray of uint8, shape (h, w)
        1 for pixels that may be sampled.
    outline_y, outline_x : ndarray of float64
        The outline at half contrast, `n_outline` vertices, and `moments` of it (`outline.polygon_moments`).
    solidity : float
        Area over that of the convex hull.
    peak, noise : float
        Contrast, and deviation of noise and texture, noise units.
    table : ndarray of float64
        From `blurred_profiles.tabulate_profiles`.
    sigma, base_sigma : float
        Blur of detector and aperture, px; how far the background may be off, noise units.
    sigmas : ndarray of float64
        Blurs to try where the blur itself is wanted; empty to measure sizes only.
    along, depth, value : ndarray of float64, shape (>= h * w,)
        Scratch.
    scratch : ndarray of float64, shape (>= 10, >= 256)
        Scratch.
    row : ndarray of float64, shape (len(COLUMNS),)
        Written.
    """
    area = moments[0]
    radius = math.sqrt(area / math.pi)
    outline_radius = radius
    cy, cx = moments[1], moments[2]
    xs, vs, ws, fit, radii = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    small = radius < _TINY_RADIUS or (radius < _SMALL_RADIUS and solidity > _ELLIPSE_SOLIDITY)
    angle = 0.5 * math.atan2(2.0 * moments[5], moments[4] - moments[3])
    major = minor = radius
    large = 0.0
    if small:
        # On the smoothed contrast: a speck sharper than the pixels would be drawn to the middle of one.
        blur = sigma * sigma + SMOOTHING_VARIANCE
        adaptive_moments(smoothed, usable, cy, cx, max(0.5 * area / math.pi, 0.5), 0.9 * blur, fit)
        cy, cx = fit[0], fit[1]
        trace = fit[2] + fit[3]
        split = math.sqrt(max((fit[2] - fit[3]) ** 2 + 4.0 * fit[4] ** 2 - fit[5] * noise * noise, 0.0))
        angle = 0.5 * math.atan2(2.0 * fit[4], fit[3] - fit[2])
        large = max(0.5 * (trace + split) - blur, 0.05 * blur)
        little = max(0.5 * (trace - split) - blur, 0.04 * large)
        ratio = math.sqrt(little / large)
        major, minor = radius / math.sqrt(ratio), radius * math.sqrt(ratio)
        row[ROW] = cy
        row[COL] = cx
    else:
        outline_radii(outline_y, outline_x, n_outline, cy, cx, radii)
        radius = 0.0
        for k in range(SECTORS):
            radius += radii[k] * radii[k]
        radius = math.sqrt(radius / SECTORS)
    reach = 1.25 * radius + 3.5 * sigma + 0.5
    if small:
        count = elliptic_samples(contrast, usable, cy, cx, major, minor, angle, reach, depth, value)
    else:
        count = radial_samples(contrast, usable, cy, cx, radii, radius, reach, depth, along, value)
    bins = bin_samples(depth, value, depth, count, 0.0, reach, 0.0, reach, BIN, xs, vs, ws)
    if len(sigmas) > 0:
        if dip(xs, vs, ws, bins, radius, noise, scratch[6]) > LEAST_DIP:
            return True
        fit_blur(table, BODIES[DISC], xs, vs, ws, bins, radius, peak, base_sigma, sigmas, fit)
        row[BLUR] = fit[0]
        row[BLUR_ERROR] = fit[1]
        return True
    fit_body(table, BODIES[DISC], xs, vs, ws, bins, radius, sigma, peak, base_sigma, fit)
    half = fit[HALF_WIDTH]
    if fit[FLAT] + fit[DOME] <= 0.0:
        return False
    row[WIDTH_ERROR] = 2.0 * fit[ERROR] * noise
    wall = scratch[6]
    if radius > 2.0 * sigma and dip(xs, vs, ws, bins, radius, noise, wall) > LEAST_DIP:
        hollow = scratch[5]
        fit_hollow(table, BODIES[DISC], xs, vs, ws, bins, radius, sigma, base_sigma, hollow)
        if is_hollow(hollow, fit[COST], noise):
            half = hollow[OUTER]
            row[LUCENCY] = hollow[CORE_LUCENCY]
            row[WALL_THICKNESS] = half - hollow[INNER]
            if small:
                ellipse_radii(major, minor, angle, radii)
                count = radial_samples(contrast, usable, cy, cx, radii, radius, reach, depth, along, value)
            row[RING_CLOSURE] = closure(along, depth, value, count, wall[0], wall[1], wall[2], noise)
    row[ORIENTATION] = -angle
    row[STRAIGHTNESS] = 1.0
    if small:
        # The longer axis is known better than the ratio: no body is longer than its variance allows.
        row[LENGTH] = max(min(2.0 * half * major / radius, _LONGEST_OF_SIGMA * math.sqrt(large)), 2.0 * half)
        row[WIDTH] = 4.0 * half * half / row[LENGTH]
        row[DIAMETER] = 2.0 * half
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
        row[DIAMETER] = 2.0 * outline_radius + correction
    row[WIDTH_MAX] = row[WIDTH]
    return True
