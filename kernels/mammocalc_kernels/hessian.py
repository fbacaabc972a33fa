"""Ridges and blobs from the scale-normalised Hessian, several scales in one pass, or at single points.

The Hessian at scale s is that of the plane blurred by a Gaussian of standard deviation s, times s ** 2. Its
two eigenvalues are written here by their algebraic order; across a bright ridge the lower one is strongly
negative and the upper one near zero, on a bright blob both are negative.

A scale is not filtered from scratch: its blur is made from that of the scale before it, and the derivative
filters are short whatever the scale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.gaussian_rows import (
    BATCH,
    FOR_DERIVATIVES,
    Cascade,
    antisymmetric,
    blur_cascade,
    blur_rows,
    cascade_layout,
    derivative_stencils,
    derivative_taps,
    mirror_ends,
    mirrored,
    near_second_derivatives,
    near_value_slope_curvature,
    offsets_across,
    offsets_along,
    room_for,
    symmetric,
    value_slope_curvature,
    whole_lines,
    whole_rows,
)
from mammocalc_kernels.streams import multiply_add, span, times_power_of_two

# Scales below the first are filtered straight from the plane; of the others the cascade makes all of the blur but a
# variance of 0.8 px squared, or 0.5 from the second on, which short stencils do.
_SMALLEST_BLURRED = 1.5
_SMALLEST_NEAR = 2.2

# Columns that are measured in one go, px.
_STRIP = 1024


class HessianMeasures(NamedTuple):
    """What `hessian_measures` gives.

    Attributes
    ----------
    ridge : ndarray of float32, shape (h, w)
        Bright ridge strength, 0 to 1.
    blob : ndarray of float32, shape (h, w)
        Bright blob strength, 0 or positive, in squared units of the plane.
    """

    ridge: NDArray[np.float32]
    blob: NDArray[np.float32]


class Ridges(NamedTuple):
    """What `ridge` gives.

    Attributes
    ----------
    strength : ndarray of float32, shape (h, w)
        Bright ridge strength, 0 to 1.
    orientation : ndarray of float32, shape (h, w)
        Direction along the ridge at the scale of greatest strength: the angle from the downward row axis
        towards growing columns, radians, in [-pi/2, pi/2]; 0 where the strength is 0. Within 1e-4.
    """

    strength: NDArray[np.float32]
    orientation: NDArray[np.float32]


class PointHessian(NamedTuple):
    """What `hessian_at` gives.

    Attributes
    ----------
    eigenvalues : ndarray of float64, shape (n, 2)
        Of the scale-normalised Hessian, the lower first, in units of the plane.
    orientation : ndarray of float64, shape (n,)
        Direction of the upper eigenvalue, that is along a bright ridge: the angle from the downward row axis
        towards growing columns, radians, in (-pi/2, pi/2].
    """

    eigenvalues: NDArray[np.float64]
    orientation: NDArray[np.float64]


def hessian_measures(
    plane: NDArray[np.float32],
    sigmas: Sequence[float],
    structure: float,
    out: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    threads: int = 1,
) -> HessianMeasures:
    """Strength of bright ridges and of bright blobs, each the largest over the scales.

    With eigenvalues ``upper >= lower`` of the scale-normalised Hessian the ridge strength is Frangi's ::

        exp(-(upper / lower) ** 2 / (2 * 0.5 ** 2)) * (1 - exp(-(upper ** 2 + lower ** 2) / (2 * structure **
        2)))

    where ``upper + lower < 0``, else 0; the blob strength is the determinant ``upper * lower`` where both are
    negative, else 0. (Of the usual blob measures the trace is what differences of Gaussians approximate; the
    determinant answers less to edges and lines.)

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous. Where a NaN or infinity is within reach both measures are 0 or undefined.
    sigmas : sequence of float
        Scales in px, ascending, at least 1.
    structure : float
        Frangi's c, the Hessian norm at which a ridge counts, in units of the plane.
    out : tuple of two ndarray of float32, shape (h, w), optional
        Buffers for ridge and blob.
    threads : int
        Row bands worked on at once; the result does not depend on it.

    Returns
    -------
    HessianMeasures
        Within 1e-3 of each measure's range of what Gaussian derivatives in float64 give; but the ridge
        strength jumps by up to 0.14 where the trace changes sign, and a trace within 1e-3 of zero may fall on
        either side. Float32 adds a rounding of about ``1e-6 * scale ** 2`` of the plane's own values to the
        eigenvalues.

    Raises
    ------
    TypeError, ValueError
        If a plane is not 2-D C-contiguous float32, the scales are not ascending, or `structure` is not
        positive.

    References
    ----------
    A. F. Frangi et al., "Multiscale vessel enhancement filtering", MICCAI 1998, LNCS 1496, 130-137.
    T. Lindeberg, "Feature detection with automatic scale selection", Int. J. Computer Vision 30 (1998)
    79-116.
    """
    _check(plane, "plane", plane)
    plan = _plan(sigmas)
    _check_structure(structure)
    ridge_out, blob_out = (np.empty_like(plane), np.empty_like(plane)) if out is None else out
    _check_out((ridge_out, blob_out), plane)
    _run(plane, plan, structure, ridge_out, blob_out, np.empty((0, 0), np.float32), threads)
    return HessianMeasures(ridge_out, blob_out)


def ridge(plane: NDArray[np.float32], sigmas: Sequence[float], structure: float, threads: int = 1) -> Ridges:
    """Strength of bright ridges as in `hessian_measures`, and their direction.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous.
    sigmas : sequence of float
        Scales in px, ascending, at least 1.
    structure : float
        Frangi's c, the Hessian norm at which a ridge counts, in units of the plane.
    threads : int

    Returns
    -------
    Ridges

    Raises
    ------
    TypeError, ValueError
        As `hessian_measures`.

    References
    ----------
    As `hessian_measures`.
    """
    _check(plane, "plane", plane)
    plan = _plan(sigmas)
    _check_structure(structure)
    strength, orientation = np.empty_like(plane), np.empty_like(plane)
    _run(plane, plan, structure, strength, np.empty((0, 0), np.float32), orientation, threads)
    return Ridges(strength, orientation)


def hessian_at(
    plane: NDArray[np.float32], rows: NDArray[np.int64], cols: NDArray[np.int64], sigma: float
) -> PointHessian:
    """Eigenvalues and direction of the scale-normalised Hessian at single pixels.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous. Mirrored beyond its border (``c b a | a b c``).
    rows, cols : ndarray of int, shape (n,)
        Pixels of the plane.
    sigma : float
        Scale, px.

    Returns
    -------
    PointHessian

    Raises
    ------
    TypeError, ValueError
        If `plane` is not 2-D C-contiguous float32, a point lies outside it, or `sigma` is not positive.
    """
    _check(plane, "plane", plane)
    rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    if rows.ndim != 1 or rows.shape != cols.shape:
        raise ValueError(f"rows and cols must be 1-D and of one length, got {rows.shape} and {cols.shape}")
    if rows.size and not (
        0 <= rows.min() <= rows.max() < plane.shape[0] and 0 <= cols.min() <= cols.max() < plane.shape[1]
    ):
        raise ValueError(f"points lie outside a plane of shape {plane.shape}")
    eigenvalues = np.empty((rows.size, 2), np.float64)
    orientation = np.empty(rows.size, np.float64)
    smooth, first, second = derivative_taps(sigma, 4.5)
    _points(plane, rows, cols, sigma * sigma, smooth, first, second, eigenvalues, orientation)
    return PointHessian(eigenvalues, orientation)


def _check(array: NDArray[np.float32], name: str, plane: NDArray[np.float32]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise TypeError(
            f"{name} must be a float32 array, got {getattr(array, 'dtype', type(array).__name__)}"
        )
    if array.ndim != 2 or not array.flags.c_contiguous or array.shape != plane.shape:
        raise ValueError(f"{name} must be 2-D and C-contiguous, of the plane's shape, got {array.shape}")


def _check_out(out: Sequence[NDArray[np.float32]], plane: NDArray[np.float32]) -> None:
    for i, array in enumerate(out):
        _check(array, f"out[{i}]", plane)
    if any(np.may_share_memory(a, b) for a, b in itertools.combinations([plane, *out], 2)):
        raise ValueError("plane and the buffers in out must all be different arrays")


def _check_structure(structure: float) -> None:
    if not (structure > 0 and math.isfinite(structure)):
        raise ValueError(f"structure must be positive and finite, got {structure!r}")


class _Plan(NamedTuple):
    """The cascade of blurs, and how the Hessian of each scale is taken from one of its levels.

    Derivative taps hold the scale normalisation: ``first`` the standard deviation, ``second`` half the
    variance.

    Attributes
    ----------
    taps, pairs, stride : ndarray
        As in `Cascade`, a row a level.
    level : ndarray of int64, shape (scales,)
    smooth, first, second : ndarray of float32, shape (scales, n)
        Padded with zeros.
    radius : ndarray of int64, shape (scales,)
    """

    taps: NDArray[np.float32]
    pairs: NDArray[np.int64]
    stride: NDArray[np.int64]
    level: NDArray[np.int64]
    smooth: NDArray[np.float32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    radius: NDArray[np.int64]


def _left_to_stencils(sigma: float) -> tuple[float, tuple[int, int]]:
    """Variance of the blur that the cascade leaves to the stencils, px squared, and their `pairs`."""
    if sigma < _SMALLEST_BLURRED:
        return sigma * sigma, (0, 0)
    return (0.8, (3, 4)) if sigma < _SMALLEST_NEAR else (0.5, (2, 2))


def _plan(sigmas: Sequence[float]) -> _Plan:
    scales = [float(sigma) for sigma in sigmas]
    ascending = all(a < b for a, b in itertools.pairwise(scales))
    if not (scales and ascending and scales[0] >= 1.0 and math.isfinite(scales[-1])):
        raise ValueError(f"sigmas must be ascending and at least 1 px, got {scales}")
    blurred = [math.sqrt(sigma * sigma - _left_to_stencils(sigma)[0]) for sigma in scales]
    levels = sorted(set(blurred))
    # The longer stencils make up for the cut-off of the first blur's taps; four pairs of these are the fewest.
    cut_early = 0 < levels[0] < _SMALLEST_NEAR - 0.2
    truncate = 3.2 if levels[0] <= 1.25 else 3.8
    closeness = FOR_DERIVATIVES._replace(first_truncate=truncate) if cut_early else FOR_DERIVATIVES
    cascade = blur_cascade(tuple(levels), closeness)
    blurs = [
        (taps[: pairs + 1].astype(np.float64), int(stride))
        for taps, pairs, stride in zip(*cascade, strict=True)
    ]
    derivatives = []
    for sigma, before in zip(scales, blurred, strict=True):
        if before == 0:
            smooth, first, second = derivative_taps(sigma, 4.5)
        else:
            pairs = _left_to_stencils(sigma)[1]
            smooth, first, second = derivative_stencils(
                blurs[: levels.index(before) + 1], before, sigma, pairs
            )
        derivatives.append((smooth, first * np.float32(sigma), second * np.float32(0.5 * sigma * sigma)))
    radius = np.array([taps[1].size - 1 for taps in derivatives])
    stacked = np.zeros((3, len(scales), radius.max() + 1), np.float32)
    for i, taps in enumerate(derivatives):
        for kind in range(3):
            stacked[kind, i, : radius[i] + 1] = taps[kind]
    return _Plan(
        *cascade,
        level=np.array([levels.index(sigma) for sigma in blurred]),
        smooth=stacked[0],
        first=stacked[1],
        second=stacked[2],
        radius=radius,
    )


def _run(
    plane: NDArray[np.float32],
    plan: _Plan,
    structure: float,
    ridge_out: NDArray[np.float32],
    blob_out: NDArray[np.float32],
    orientation_out: NDArray[np.float32],
    threads: int,
) -> None:
    if plane.size:
        norm = np.float32(-math.log2(math.e) / structure**2)
        looked_at = np.zeros_like(plan.pairs)
        np.maximum.at(looked_at, plan.level, plan.radius)
        layout = cascade_layout(Cascade(plan.taps, plan.pairs, plan.stride), plane.shape[1], looked_at)
        layout = layout._replace(margin=max(layout.margin, whole_lines(int(plan.radius.max()))))
        run_bands(
            partial(
                _hessian_rows,
                plane.reshape(-1),
                plane.shape[1],
                *plan,
                *layout,
                norm,
                ridge_out,
                blob_out,
                orientation_out,
            ),
            plane.shape[0],
            threads,
        )


@kernel
def _hessian_rows(  # type: ignore[no-untyped-def]
    plane,
    width,
    taps,
    pairs,
    stride,
    level,
    smooth,
    first,
    second,
    radius,
    lag,
    finish,
    held,
    start,
    ring_pitch,
    margin,
    norm,
    ridge_out,
    blob_out,
    orientation_out,
    first_row,
    end_row,
):
    """Rows `first_row` to `end_row` of the measures; `blob_out` or `orientation_out` of no size is not
    written.

    plane (h * w,) float32; the plan as in `_Plan`, lag to margin as in `Layout`; norm as in `_ridge_strength`.
    """
    height = plane.size // width
    rings = room_for(start[pairs.size])
    # Three padded rows: value, slope and curvature across rows; after the last, the row's own second
    # derivatives.
    reach = margin
    margin *= 2
    pitch = _STRIP + 2 * margin
    padded = room_for(3 * pitch)
    half_rr, rc, half_cc = room_for(_STRIP), room_for(_STRIP), room_for(_STRIP)
    offsets = np.empty(2 * smooth.shape[1] - 1, np.uint64)
    lines = room_for(BATCH * (ring_pitch + 2 * margin))
    across = np.empty(BATCH * (2 * taps.shape[1] - 1), np.uint64)
    every = whole_rows(height, width)

    for step in range(max(0, first_row - finish), end_row + finish, BATCH):
        for k in range(pairs.size):
            beyond = finish - lag[k]
            begin = max(0, first_row - beyond, step - lag[k])
            stop = min(height, end_row + beyond, step - lag[k] + BATCH)
            blur_rows(
                rings, start, held, ring_pitch, k, plane, width, begin, stop,
                every, taps[k, : pairs[k] + 1], stride[k], lines, across,
            )  # fmt: skip
        begin, stop = max(first_row, step - finish), min(end_row, step - finish + BATCH)
        # Strip by strip, so that the lines that neighbouring rows share are still in the nearest cache.
        for strip in range(0, width, _STRIP):
            columns = min(_STRIP, width - strip)
            # Whole cache lines to the left of what the filters along the row need, and what they need to the right.
            left, right = max(0, strip - reach), min(width, strip + columns + reach)
            at = margin + left - strip
            for i in range(level.size):
                k = level[i]
                r = radius[i]
                value, slope, curvature = smooth[i, : r + 1], first[i, : r + 1], second[i, : r + 1]
                source = span(rings, left, rings.size - left)
                for row in range(begin, stop):
                    offsets_across(offsets, r, 1, start[k], held[k], row, height, ring_pitch)
                    ridge_row = span(ridge_out, row * width + strip, columns)
                    if r <= 4:
                        near_value_slope_curvature(
                            padded, at, pitch, source, offsets, value, slope, curvature, right - left
                        )
                    else:
                        value_slope_curvature(
                            padded, at, pitch, source, offsets, value, slope, curvature, right - left
                        )
                    if left == 0 or right == width:
                        for line in range(3):
                            mirror_ends(padded, at + line * pitch, right - left, r)
                    if r <= 4:
                        near_second_derivatives(
                            half_rr, rc, half_cc, padded, margin, pitch, value, slope, curvature, columns
                        )
                    else:
                        offsets_along(offsets, r, 1, margin)
                        symmetric(half_cc, 0, padded, offsets, curvature, columns)
                        offsets_along(offsets, r, 1, margin + pitch)
                        antisymmetric(rc, 0, padded, offsets, slope, columns)
                        offsets_along(offsets, r, 1, margin + 2 * pitch)
                        symmetric(half_rr, 0, padded, offsets, value, columns)
                    if orientation_out.size:
                        orientation_row = span(orientation_out, row * width + strip, columns)
                        _larger_ridge(ridge_row, orientation_row, half_rr, rc, half_cc, norm, i == 0)
                    if blob_out.size:
                        blob_row = span(blob_out, row * width + strip, columns)
                        _larger_measures(ridge_row, blob_row, half_rr, rc, half_cc, norm, i == 0)


@kernel
def _power_of_two(x):  # type: ignore[no-untyped-def]
    """2 ** x for -126 <= x <= 0, float32, within 3e-6 of it, 1 at 0.

    The whole part goes into the exponent's bits. Plain arithmetic, so that a loop over it becomes vector
    instructions, which a call of exp does not.
    """
    # So large that its last bit is worth one: what is added to it is rounded, and stands in its last bits.
    shift = np.float32(1.5 * 2**23)
    moved = x + shift
    f = x - (moved - shift)
    p = multiply_add(f, np.float32(9.68176e-3), np.float32(5.591975e-2))
    p = multiply_add(f, p, np.float32(0.24022024))
    p = multiply_add(f, p, np.float32(0.69312152))
    return times_power_of_two(multiply_add(f, p, np.float32(1)), moved)


@kernel
def _exp_minus_twice(x):  # type: ignore[no-untyped-def]
    """exp(-2 * x) for 0 <= x <= 1, float32, within 2e-5."""
    p = multiply_add(x, np.float32(-0.10286692), np.float32(0.5149402))
    p = multiply_add(x, p, np.float32(-1.26250687))
    p = multiply_add(x, p, np.float32(1.98451087))
    p = multiply_add(x, p, np.float32(-1.99874199))
    return multiply_add(x, p, np.float32(0.99998337))


@kernel
def _ridge_strength(mean, square, norm):  # type: ignore[no-untyped-def]
    """Frangi's strength from half the trace and the squared half difference of the eigenvalues.

    norm: ``-log2(e) / structure ** 2``.
    """
    root = np.sqrt(square)
    ratio = (mean + root) / (mean - root)
    line = _exp_minus_twice(ratio * ratio)
    least = np.float32(-126)
    power = multiply_add(mean, mean, square) * norm
    absent = _power_of_two(power if power > least else least)
    strength = multiply_add(-line, absent, line)
    return strength if mean < np.float32(0) else np.float32(0)


@kernel
def _larger_measures(ridge_out, blob_out, half_rr, rc, half_cc, norm, fresh):  # type: ignore[no-untyped-def]
    """Raise both rows to the measures of one more scale; `fresh` rows count as zeros."""
    for x in range(ridge_out.size):
        mean = half_rr[x] + half_cc[x]
        difference = half_rr[x] - half_cc[x]
        square = multiply_add(difference, difference, rc[x] * rc[x])
        strength = _ridge_strength(mean, square, norm)
        blob = multiply_add(mean, mean, -square) if mean < np.float32(0) else np.float32(0)
        ridge_before = np.float32(0) if fresh else ridge_out[x]
        blob_before = np.float32(0) if fresh else blob_out[x]
        ridge_out[x] = strength if strength > ridge_before else ridge_before
        blob_out[x] = blob if blob > blob_before else blob_before


@kernel
def _larger_ridge(ridge_out, orientation_out, half_rr, rc, half_cc, norm, fresh):  # type: ignore[no-untyped-def]
    """Raise the strength to that of one more scale, and where it is greater take its orientation over."""
    for x in range(ridge_out.size):
        mean = half_rr[x] + half_cc[x]
        difference = half_rr[x] - half_cc[x]
        square = multiply_add(difference, difference, rc[x] * rc[x])
        strength = _ridge_strength(mean, square, norm)
        angle = _half_angle(difference, rc[x])
        ridge_before = np.float32(0) if fresh else ridge_out[x]
        orientation_before = np.float32(0) if fresh else orientation_out[x]
        better = strength > ridge_before
        ridge_out[x] = strength if better else ridge_before
        orientation_out[x] = angle if better else orientation_before


@kernel
def _half_angle(x, y):  # type: ignore[no-untyped-def]
    """Half of atan2(y, x), float32, within 1e-5; 0 at the origin.

    Plain arithmetic as in `_exp_minus`. Polynomial: M. Abramowitz, I. A. Stegun, "Handbook of Mathematical
    Functions", 1964, 4.4.49.
    """
    across, along = abs(x), abs(y)
    small = across if across < along else along
    large = along if across < along else across
    t = small / large if large > np.float32(0) else np.float32(0)
    u = t * t
    angle = t * (
        np.float32(0.9998660)
        + u
        * (
            np.float32(-0.3302995)
            + u * (np.float32(0.1801410) + u * (np.float32(-0.0851330) + u * np.float32(0.0208351)))
        )
    )
    angle = np.float32(np.pi / 2) - angle if along > across else angle
    angle = np.float32(np.pi) - angle if x < np.float32(0) else angle
    angle = -angle if y < np.float32(0) else angle
    return np.float32(0.5) * angle


@kernel
def _points(  # type: ignore[no-untyped-def]
    plane, rows, cols, variance, smooth, first, second, eigenvalues, orientation
):
    """Eigenvalues (n, 2) and orientation (n,), float64, at the pixels; taps as `derivative_taps` gives them."""
    height, width = plane.shape
    radius = smooth.size - 1
    size = 2 * radius + 1
    smoothed, sloped, curved = (
        np.empty(size, np.float64),
        np.empty(size, np.float64),
        np.empty(size, np.float64),
    )
    window = np.empty(size, np.float64)
    for k in range(rows.size):
        smoothed[:], sloped[:], curved[:] = 0, 0, 0
        left = cols[k] - radius
        inside = left >= 0 and left + size <= width
        for i in range(-radius, radius + 1):
            line = plane[mirrored(rows[k] + i, height)]
            if inside:
                window[:] = line[left : left + size]
            else:
                for j in range(size):
                    window[j] = line[mirrored(left + j, width)]
            weight_0, weight_2 = np.float64(smooth[abs(i)]), np.float64(second[abs(i)])
            weight_1 = np.float64(first[i]) if i > 0 else -np.float64(first[-i])
            for j in range(size):
                smoothed[j] += weight_0 * window[j]
                sloped[j] += weight_1 * window[j]
                curved[j] += weight_2 * window[j]
        rr = rc = cc = 0.0
        for j in range(size):
            offset = j - radius
            rr += smooth[abs(offset)] * curved[j]
            rc += (first[offset] if offset > 0 else -first[-offset]) * sloped[j]
            cc += second[abs(offset)] * smoothed[j]
        mean = 0.5 * variance * (rr + cc)
        difference = 0.5 * variance * (rr - cc)
        mixed = variance * rc
        root = np.hypot(difference, mixed)
        eigenvalues[k, 0] = mean - root
        eigenvalues[k, 1] = mean + root
        orientation[k] = 0.5 * np.arctan2(mixed, difference)
