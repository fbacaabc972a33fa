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
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.gaussian_rows import (
    BATCH,
    FOR_DERIVATIVES,
    Cascade,
    antisymmetric,
    blur_cascade,
    cascade_layout,
    derivative_stencils,
    derivative_taps,
    mirrored,
    offsets_across,
    offsets_along,
    room_for,
    symmetric,
    value_slope_curvature,
)
from mammocalc_kernels.lanes import LANES, filter_four, filter_line, from_lanes, lanes, mirror_lanes, to_lanes
from mammocalc_kernels.streams import multiply_add, read, span, times_power_of_two, write

# Unit of the Hessian, times the structure, for the formula.
_UNIT = 1 / math.sqrt(math.log2(math.e))

# Scales below the first are filtered straight from the plane; of the others the cascade makes all of the blur but a
# variance of 1.25 px squared, or 0.5 from the second on, which short stencils do.
_SMALLEST_BLURRED = 1.5
_SMALLEST_NEAR = 2.2


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
    _run(plane, plan, structure, ridge_out, blob_out, False, threads)
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
    _run(plane, plan, structure, strength, orientation, True, threads)
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
    return (1.25, (5, 5)) if sigma < _SMALLEST_NEAR else (0.5, (2, 2))


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
    other_out: NDArray[np.float32],
    oriented: bool,
    threads: int,
) -> None:
    """Write the ridge strength and the blob strength, or where `oriented` the orientation."""
    if not plane.size:
        return
    # In units in which the exponent of Frangi's second factor, to base 2, is the Hessian's squared norm.
    unit = structure * _UNIT
    plan = plan._replace(
        first=plan.first / np.float32(math.sqrt(unit)), second=plan.second / np.float32(unit)
    )
    looked_at = np.zeros_like(plan.pairs)
    np.maximum.at(looked_at, plan.level, plan.radius)
    around = int(plan.radius.max())
    rows = lanes(plane.shape[1], max(around, int((plan.pairs * plan.stride).max())))
    pitch = (rows.length + 2 * around) * LANES
    layout = cascade_layout(Cascade(plan.taps, plan.pairs, plan.stride), pitch, looked_at)
    run_bands(
        partial(
            _hessian_rows,
            plane.reshape(-1),
            plane.shape[1],
            *plan,
            *layout[:4],
            *rows,
            around,
            np.float32(1.0 if oriented else unit**2),
            ridge_out.reshape(-1),
            other_out.reshape(-1),
            oriented,
        ),
        plane.shape[0],
        threads,
    )


@kernel
def _blur_rows(  # type: ignore[no-untyped-def]
    rings, start, held, scale, plane, width, begin, stop, taps, stride,
    length, beyond, before, after, around, rows, lines, places, targets,
):  # fmt: skip
    """Make some rows of one scale of the cascade, laid out, from the ring of the scale before or from the plane.

    Arguments as in `_hessian_rows`; `rows` and `lines` (BATCH, n) float32, `places` and `targets` (BATCH, n) uint64
    are scratch.
    """
    height = plane.size // width
    pitch = (length + 2 * around) * LANES
    row_pitch, line_pitch = rows.shape[1], lines.shape[1]
    pairs = taps.size - 1
    margin = before.size * LANES
    # Views without reference counts: to count them, with an atomic instruction each, takes as long as the filters.
    ring, flat, weights = span(rings, 0, rings.size), span(plane, 0, plane.size), span(taps, 0, taps.size)
    natural, laid = span(rows, 0, rows.size), span(lines, 0, lines.size)
    if pairs == 0:
        for row in range(begin, stop):
            _copy(
                span(natural, (row - begin) * row_pitch, width), span(flat, row * width, width), np.float32(1)
            )
    elif scale == 0:
        groups = _across(places, targets, pairs, stride, 0, height, begin, stop, height, width, 0, row_pitch)
        _filter_across(flat, natural, places, targets, groups, weights, width)
    else:
        source = span(ring, around * LANES, ring.size - around * LANES)
        groups = _across(
            places, targets, pairs, stride, start[scale - 1], held[scale - 1], begin, stop, height, pitch,
            margin, line_pitch,
        )  # fmt: skip
        _filter_across(source, laid, places, targets, groups, weights, length * LANES)
    for row in range(begin, stop):
        at = start[scale] + (row % held[scale]) * pitch + around * LANES
        from_row, line = (row - begin) * row_pitch, (row - begin) * line_pitch + margin
        if pairs == 0:
            to_lanes(natural, from_row, width, length, beyond, ring, at)
        else:
            if scale == 0:
                to_lanes(natural, from_row, width, length, beyond, laid, line)
            mirror_lanes(laid, line, length, before, after, pairs * stride)
            _filter_along(laid, line, ring, at, length, weights, stride, places, targets)
        mirror_lanes(ring, at, length, before, after, around)


@kernel
def _across(places, targets, pairs, stride, start, held, begin, stop, height, pitch, to, to_pitch):  # type: ignore[no-untyped-def]
    """Group rows to blur across: four that see the same rows where there are as many, else each on its own.

    Writes a line of `places` and `targets` a group as `filter_four` and `filter_line` take them; start, held and
    pitch as in `offsets_across`, row `begin` is written at `to`, and one every `to_pitch` values. Returns the numbers
    of groups of four and of single rows.
    """
    fours = 0
    row = begin
    while row + 4 * stride <= stop:
        for first in range(row, row + stride):
            for m in range(2 * pairs + 4):
                looked = mirrored(first + (m - pairs) * stride, height)
                places[fours, m] = start + (looked % held) * pitch
            for j in range(4):
                targets[fours, j] = to + (first + j * stride - begin) * to_pitch
            fours += 1
        row += 4 * stride
    ones = 0
    while row < stop:
        group = fours + ones
        for m in range(2 * pairs + 1):
            places[group, m] = start + (mirrored(row + (m - pairs) * stride, height) % held) * pitch
        targets[group, 0] = to + (row - begin) * to_pitch
        ones += 1
        row += 1
    return fours, ones


@kernel
def _filter_across(source, out, places, targets, groups, taps, n):  # type: ignore[no-untyped-def]
    """Blur the groups of `_across`, rows of `n` columns."""
    fours, ones = groups
    looks = places.shape[1]
    flat_places, flat_targets = span(places, 0, places.size), span(targets, 0, targets.size)
    for k in range(fours + ones):
        seen, to = span(flat_places, k * looks, looks), span(flat_targets, k * 4, 4)
        if n < LANES:
            for j in range(4 if k < fours else 1):
                _filter_narrow(source, span(seen, j, looks - j), out, to[j], taps, n)
        elif k < fours:
            filter_four(source, seen, out, to, taps, n, 1, 0)
        else:
            filter_line(source, seen, out, to, taps, n, 1, 0)


@kernel
def _filter_narrow(source, places, out, to, taps, n):  # type: ignore[no-untyped-def]
    """`filter_line` for less than a vector."""
    pairs = taps.size - 1
    for x in range(n):
        total = taps[0] * source[places[pairs] + np.uint64(x)]
        for k in range(1, pairs + 1, 2):
            near = source[places[pairs - k] + np.uint64(x)] + source[places[pairs + k] + np.uint64(x)]
            far = source[places[pairs - k - 1] + np.uint64(x)] + source[places[pairs + k + 1] + np.uint64(x)]
            total += multiply_add(taps[k + 1], far, taps[k] * near)
        out[to + np.uint64(x)] = total


@kernel
def _filter_along(line, at, out, to, length, taps, stride, places, targets):  # type: ignore[no-untyped-def]
    """Blur a row that is laid out, and mirrored at its ends, from `at` on; to `out` from `to` on."""
    pairs = taps.size - 1
    looks = places.shape[1]
    seen, target = span(places, 0, looks), span(targets, 0, 4)
    step = stride * LANES
    block = 4 * stride
    for m in range(2 * pairs + 4):
        seen[m] = at + (m - pairs) * step
    for j in range(4):
        target[j] = to + j * step
    if length < block:
        filter_line(line, seen, out, target, taps, length * LANES, 1, 0)
        return
    filter_four(line, seen, out, target, taps, step, length // block, block * LANES)
    if length % block:
        # The last block has columns in common with the one before.
        shift = (length - block) * LANES
        for m in range(2 * pairs + 4):
            seen[m] += np.uint64(shift)
        for j in range(4):
            target[j] += np.uint64(shift)
        filter_four(line, seen, out, target, taps, step, 1, 0)


@kernel
def _hessian_rows(  # type: ignore[no-untyped-def]
    plane, width, taps, pairs, stride, level, smooth, first, second, radius,
    lag, finish, held, start, length, beyond, before, after, around,
    scale, ridge_out, other_out, oriented, first_row, end_row,
):  # fmt: skip
    """Rows `first_row` to `end_row` of the measures, or where `oriented` of ridge strength and orientation.

    plane, ridge_out, other_out (h * w,) float32; the plan as in `_Plan`, lag to start as in `Layout`, length to after
    as in `Lanes`; around: what every row in a ring has beyond its ends, columns; scale: what the second
    measure is multiplied by at last.
    """
    height = plane.size // width
    pitch = (length + 2 * around) * LANES
    rings = room_for(start[pairs.size])
    n = length * LANES
    # Value, slope and curvature across rows, of two rows; after them, the second derivatives of one.
    wide = (length + 2 * around) * LANES
    across, lower_across = room_for(3 * wide), room_for(3 * wide)
    half_rr, rc, half_cc = room_for(n), room_for(n), room_for(n)
    strengths, others = room_for(2 * n), room_for(2 * n)
    offsets = np.empty(2 * smooth.shape[1], np.uint64)
    row_pitch = ((width + 15) & ~15) + LANES
    rows = room_for(BATCH * row_pitch).reshape(BATCH, row_pitch)
    line_pitch = (length + 2 * before.size) * LANES
    blurred = room_for(BATCH * line_pitch).reshape(BATCH, line_pitch)
    places, targets = np.empty((BATCH, 2 * taps.shape[1] + 2), np.uint64), np.empty((BATCH, 4), np.uint64)
    natural, rest = np.empty(width + LANES, np.float32), np.empty(length, np.float32)

    for step in range(max(0, first_row - finish), end_row + finish, BATCH):
        for k in range(pairs.size):
            ahead = finish - lag[k]
            begin = max(0, first_row - ahead, step - lag[k])
            stop = min(height, end_row + ahead, step - lag[k] + BATCH)
            _blur_rows(
                rings, start, held, k, plane, width, begin, stop, taps[k, : pairs[k] + 1], stride[k],
                length, beyond, before, after, around, rows, blurred, places, targets,
            )  # fmt: skip
        begin, stop = max(first_row, step - finish), min(end_row, step - finish + BATCH)
        for upper in range(begin, stop, 2):
            # Of the last row alone the one below is not wanted.
            lower = min(upper + 2, stop)
            for i in range(level.size):
                k, r = level[i], radius[i]
                value, slope, curvature = smooth[i, : r + 1], first[i, : r + 1], second[i, : r + 1]
                source = span(rings, (around - r) * LANES, rings.size - (around - r) * LANES)
                seen = (length + 2 * r) * LANES
                if r <= 5:
                    for m in range(2 * r + 2):
                        offsets[m] = start[k] + (mirrored(upper - r + m, height) % held[k]) * pitch
                    _value_slope_curvature(
                        across, lower_across, wide, source, offsets, value, slope, curvature, seen
                    )
                for row in range(upper, lower):
                    lines = across if row == upper else lower_across
                    if r == 2:
                        _second_derivatives(half_rr, rc, half_cc, lines, wide, value, slope, curvature, n)
                    elif r == 5:
                        _longer_second_derivatives(
                            half_rr, rc, half_cc, lines, wide, value, slope, curvature, n
                        )
                    else:
                        offsets_across(offsets, r, 1, start[k], held[k], row, height, pitch)
                        value_slope_curvature(lines, 0, wide, source, offsets, value, slope, curvature, seen)
                        offsets_along(offsets, r, LANES, r * LANES)
                        symmetric(half_cc, 0, lines, offsets, curvature, n)
                        offsets_along(offsets, r, LANES, r * LANES + wide)
                        antisymmetric(rc, 0, lines, offsets, slope, n)
                        offsets_along(offsets, r, LANES, r * LANES + 2 * wide)
                        symmetric(half_rr, 0, lines, offsets, value, n)
                    strength, other = (
                        span(strengths, (row - upper) * n, n),
                        span(others, (row - upper) * n, n),
                    )
                    if oriented:
                        _larger_ridge(strength, other, half_rr, rc, half_cc, i == 0)
                    else:
                        _larger_measures(strength, other, half_rr, rc, half_cc, i == 0)
            for row in range(upper, lower):
                from_lanes(strengths, (row - upper) * n, width, length, natural, 0, rest)
                _copy(span(ridge_out, row * width, width), natural, np.float32(1))
                from_lanes(others, (row - upper) * n, width, length, natural, 0, rest)
                _copy(span(other_out, row * width, width), natural, scale)


@kernel
def _copy(out, row, scale):  # type: ignore[no-untyped-def]
    """A row of float32, times a number."""
    for x in range(out.size):
        write(out, x, read(row, x) * scale)


@kernel
def _value_slope_curvature(  # type: ignore[no-untyped-def]
    out, lower_out, pitch, source, places, smooth, first, second, width
):
    """A Gaussian and its two derivatives across rows, of two neighbouring rows, which see almost the same.

    The three of each row are written to `out` and `lower_out`, one every `pitch` values. The rows that are seen begin
    in `source` at `places`, the uppermost first: two more than a stencil is wide. The taps are those of
    `derivative_stencils`, two pairs or five.
    """
    value, slope, curvature = span(out, 0, width), span(out, pitch, width), span(out, 2 * pitch, width)
    lower_value, lower_slope = span(lower_out, 0, width), span(lower_out, pitch, width)
    lower_curvature = span(lower_out, 2 * pitch, width)
    s0, s1, s2 = smooth[0], smooth[1], smooth[2]
    f1, f2 = first[1], first[2]
    t0, t1, t2 = second[0], second[1], second[2]
    a, b, c = span(source, places[0], width), span(source, places[1], width), span(source, places[2], width)
    d, e, f = span(source, places[3], width), span(source, places[4], width), span(source, places[5], width)
    if smooth.size == 3:
        for x in range(width):
            v0, v1, v2, v3, v4, v5 = read(a, x), read(b, x), read(c, x), read(d, x), read(e, x), read(f, x)
            near, far = v1 + v3, v0 + v4
            write(value, x, multiply_add(s0, v2, multiply_add(s1, near, s2 * far)))
            write(curvature, x, multiply_add(t0, v2, multiply_add(t1, near, t2 * far)))
            write(slope, x, multiply_add(f1, v3 - v1, f2 * (v4 - v0)))
            near, far = v2 + v4, v1 + v5
            write(lower_value, x, multiply_add(s0, v3, multiply_add(s1, near, s2 * far)))
            write(lower_curvature, x, multiply_add(t0, v3, multiply_add(t1, near, t2 * far)))
            write(lower_slope, x, multiply_add(f1, v4 - v2, f2 * (v5 - v1)))
    else:
        s3, s4, s5, f3, f4, f5 = smooth[3], smooth[4], smooth[5], first[3], first[4], first[5]
        t3, t4, t5 = second[3], second[4], second[5]
        g, h, i = (
            span(source, places[6], width),
            span(source, places[7], width),
            span(source, places[8], width),
        )
        j, k, m = (
            span(source, places[9], width),
            span(source, places[10], width),
            span(source, places[11], width),
        )
        for x in range(width):
            v0, v1, v2, v3, v4, v5 = read(a, x), read(b, x), read(c, x), read(d, x), read(e, x), read(f, x)
            v6, v7, v8, v9, v10, v11 = read(g, x), read(h, x), read(i, x), read(j, x), read(k, x), read(m, x)
            p1, p2, p3, p4, p5 = v4 + v6, v3 + v7, v2 + v8, v1 + v9, v0 + v10
            total = multiply_add(s3, p3, multiply_add(s4, p4, s5 * p5))
            write(value, x, multiply_add(s0, v5, multiply_add(s1, p1, multiply_add(s2, p2, total))))
            total = multiply_add(t3, p3, multiply_add(t4, p4, t5 * p5))
            write(curvature, x, multiply_add(t0, v5, multiply_add(t1, p1, multiply_add(t2, p2, total))))
            total = multiply_add(f3, v8 - v2, multiply_add(f4, v9 - v1, f5 * (v10 - v0)))
            write(slope, x, multiply_add(f1, v6 - v4, multiply_add(f2, v7 - v3, total)))
            p1, p2, p3, p4, p5 = v5 + v7, v4 + v8, v3 + v9, v2 + v10, v1 + v11
            total = multiply_add(s3, p3, multiply_add(s4, p4, s5 * p5))
            write(lower_value, x, multiply_add(s0, v6, multiply_add(s1, p1, multiply_add(s2, p2, total))))
            total = multiply_add(t3, p3, multiply_add(t4, p4, t5 * p5))
            write(lower_curvature, x, multiply_add(t0, v6, multiply_add(t1, p1, multiply_add(t2, p2, total))))
            total = multiply_add(f3, v9 - v3, multiply_add(f4, v10 - v2, f5 * (v11 - v1)))
            write(lower_slope, x, multiply_add(f1, v7 - v5, multiply_add(f2, v8 - v4, total)))


def _second_derivatives_of(pairs: int) -> Any:
    """Build `_second_derivatives` for stencils of that many pairs."""

    @intrinsic
    def second_derivatives(
        typingctx: Any,
        rr: Any,
        rc: Any,
        cc: Any,
        lines: Any,
        pitch: Any,
        smooth: Any,
        first: Any,
        second: Any,
        width: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            arrays = [
                make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 1, 2, 3, 5, 6, 7)
            ]
            outs, lines, taps = arrays[:3], arrays[3], arrays[4:]
            pitch, width = args[4], args[8]
            vector = ir.VectorType(ir.FloatType(), LANES)
            kind = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")

            def number(value: int) -> Any:
                return ir.Constant(width.type, value)

            def pointer(array: Any, item: Any) -> Any:
                return builder.bitcast(builder.gep(array, [item]), vector.as_pointer())

            def weight(array: Any, k: int) -> Any:
                index = ir.IntType(32)
                value = builder.load(builder.gep(array, [number(k)]))
                lowest = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), value, ir.Constant(index, 0)
                )
                return builder.shuffle_vector(
                    lowest, lowest, ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
                )

            def load(line: int, column: int, x: Any) -> Any:
                item = builder.add(builder.mul(pitch, number(line)), number((column + pairs) * LANES))
                return builder.load(pointer(lines, builder.add(item, x)), align=4)

            def along(line: int, out: Any, array: Any, both: Any) -> None:
                """One filter; what it sees stays in registers from one step to the next."""
                weights = [weight(array, k) for k in range(pairs + 1)]
                seen = [cgutils.alloca_once(builder, vector) for _ in range(2 * pairs)]
                for j, room in enumerate(seen):
                    builder.store(load(line, j - pairs, number(0)), room)
                with cgutils.for_range(builder, builder.udiv(width, number(LANES))) as loop:
                    x = builder.mul(loop.index, number(LANES))
                    values = [*(builder.load(room) for room in seen), load(line, pairs, x)]
                    for room, value in zip(seen, values[1:], strict=True):
                        builder.store(value, room)
                    total = builder.fmul(weights[pairs], both(values[-1], values[0]))
                    for k in range(pairs - 1, 0, -1):
                        pair = both(values[pairs + k], values[pairs - k])
                        total = builder.call(fma, [weights[k], pair, total])
                    if both == builder.fadd:
                        total = builder.call(fma, [weights[0], values[pairs], total])
                    builder.store(total, pointer(out, x), align=4)

            # Of value, slope and curvature across.
            along(0, outs[2], taps[2], builder.fadd)
            along(1, outs[1], taps[1], builder.fsub)
            along(2, outs[0], taps[0], builder.fadd)
            return context.get_dummy_value()

        place = types.intp
        return types.void(rr, rc, cc, lines, place, smooth, first, second, place), generate

    second_derivatives.__doc__ = """The Hessian of a row from its value, slope and curvature across.

    These three are laid out in `lines`, one every `pitch` values, each with as many columns more on both sides as
    `second` has pairs. The taps are those of `derivative_stencils`; `rr`, `rc` and `cc` are scaled as they are.
    """
    return second_derivatives


_second_derivatives = _second_derivatives_of(2)
_longer_second_derivatives = _second_derivatives_of(5)


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
    p = multiply_add(f, np.float32(9.68190935e-3), np.float32(5.59196882e-2))
    p = multiply_add(f, p, np.float32(0.2402202))
    p = multiply_add(f, p, np.float32(0.69312155))
    return times_power_of_two(multiply_add(f, p, np.float32(1)), moved)


@kernel
def _line(x):  # type: ignore[no-untyped-def]
    """exp(-2 * (1 + 2 * x) / (1 - 2 * x)) for -1/2 <= x <= 0, float32, within 5e-5."""
    p = multiply_add(x, np.float32(0.82170343), np.float32(2.3543847))
    p = multiply_add(x, p, np.float32(2.2747409))
    p = multiply_add(x, p, np.float32(-1.077693))
    return multiply_add(x, p, np.float32(0.13537258))


@kernel
def _strength_and_blob(half_rr, rc, half_cc):  # type: ignore[no-untyped-def]
    """Frangi's strength and the determinant, 0 where the trace is not negative.

    The Hessian is in units of `_UNIT` times the structure. With m half the trace and s the squared half difference of
    the eigenvalues the square of their ratio is ``(1 - w) / (1 + w)``, ``w = 2 * abs(m) * sqrt(s) / (m * m + s)``: so
    neither the root nor the division waits for the other.
    """
    mean = half_rr + half_cc
    difference = half_rr - half_cc
    square = multiply_add(difference, difference, rc * rc)
    squared_mean = mean * mean
    norm = squared_mean + square
    line = _line(mean * np.sqrt(square) * (np.float32(1) / norm))
    least = np.float32(-126)
    absent = _power_of_two(-norm if -norm > least else least)
    # What is nearer to 0 has no strength, and its square might be none either.
    negative = mean < np.float32(-1e-15)
    strength = multiply_add(-line, absent, line) if negative else np.float32(0)
    return strength, squared_mean - square if negative else np.float32(0)


@kernel
def _larger_measures(ridge_out, blob_out, half_rr, rc, half_cc, fresh):  # type: ignore[no-untyped-def]
    """Raise both rows to the measures of one more scale; `fresh` rows count as zeros."""
    for x in range(ridge_out.size):
        strength, blob = _strength_and_blob(half_rr[x], rc[x], half_cc[x])
        ridge_before = np.float32(0) if fresh else ridge_out[x]
        blob_before = np.float32(0) if fresh else blob_out[x]
        ridge_out[x] = strength if strength > ridge_before else ridge_before
        blob_out[x] = blob if blob > blob_before else blob_before


@kernel
def _larger_ridge(ridge_out, orientation_out, half_rr, rc, half_cc, fresh):  # type: ignore[no-untyped-def]
    """Raise the strength to that of one more scale, and where it is greater take its orientation over."""
    for x in range(ridge_out.size):
        strength, _ = _strength_and_blob(half_rr[x], rc[x], half_cc[x])
        angle = _half_angle(half_rr[x] - half_cc[x], rc[x])
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
