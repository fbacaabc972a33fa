"""Differences of Gaussians over several scales, fused so that no Gaussian plane is ever written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.gaussian_rows import (
    BATCH,
    FOR_DIFFERENCES,
    Cascade,
    blur_cascade,
    blur_rows,
    cascade_layout,
    room_for,
    whole_rows,
)
from mammocalc_kernels.growing import with_room


def blob_response(
    plane: NDArray[np.float32],
    sigmas: Sequence[float],
    weights: ArrayLike,
    out: NDArray[np.float32] | None = None,
    wanted: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Largest weighted difference of Gaussians over the scales, ``max_i weights[i] * (G(s_i) - G(s_i+1))``.

    Bright blobs are positive. G is a Gaussian with fixed taps of at least 3.2 standard deviations and
    mirrored border (``c b a | a b c``). Each Gaussian is the previous one blurred further; where the first
    scale and every further blur ``sqrt(s_i+1 ** 2 - s_i ** 2)`` are at least 1 px, the result is within 1e-3
    of the response's range of what direct Gaussians give (2e-2 down to 0.7 px). The plane is read once and
    the result written once, row by row.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous. Must be finite: a NaN or infinity spoils every pixel within reach of its taps.
    sigmas : sequence of float, length k + 1
        Standard deviations in px, ascending.
    weights : array_like, shape (k,)
    out : ndarray of float32, shape (h, w), optional
        Buffer to write to, not `plane` itself.
    wanted : ndarray of int64, shape (h, 2), optional
        First and end column of each row that the response is wanted for: the same values as without it, and 0 in the
        rest of a new plane.
    threads : int
        Row bands worked on at once; the result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (h, w)
        `out`, or a new plane.

    Raises
    ------
    TypeError, ValueError
        If a plane is not 2-D C-contiguous float32, the scales are not positive and ascending, or `wanted` has another
        shape or leaves the plane.

    References
    ----------
    T. Netsch, H.-O. Peitgen, "Scale-space signatures for the detection of clustered microcalcifications in
    digital mammograms", IEEE Trans. Medical Imaging 18 (1999) 774-786.
    """
    _check_plane(plane, "plane")
    cascade = _cascade(sigmas)
    scale_weights = _scale_weights(weights, len(cascade.pairs) - 1)
    if out is None:
        out = np.empty_like(plane) if wanted is None else np.zeros(plane.shape, np.float32)
    _check_plane(out, "out")
    if out.shape != plane.shape or np.may_share_memory(out, plane):
        raise ValueError("out must have the shape of plane and be another array")
    if plane.size:
        run_bands(
            partial(
                _response_rows,
                *_laid_out(plane, cascade),
                scale_weights,
                *_columns(plane.shape, wanted, int((cascade.pairs * cascade.stride).sum())),
                out[np.newaxis],
            ),
            plane.shape[0],
            threads,
        )
    return out


def blob_responses(
    plane: NDArray[np.float32],
    sigmas: Sequence[float],
    wanted: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Each difference of Gaussians ``G(s_i) - G(s_i+1)`` by itself, by the arithmetic of `blob_response`.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous and finite.
    sigmas : sequence of float, length k + 1
        Standard deviations in px, ascending.
    wanted : ndarray of int64, shape (h, 2), optional
        As `blob_response`, but the rest is left as it comes.
    threads : int

    Returns
    -------
    ndarray of float32, shape (k, h, w)

    Raises
    ------
    TypeError, ValueError
        As `blob_response`.
    """
    _check_plane(plane, "plane")
    cascade = _cascade(sigmas)
    out = np.empty((len(cascade.pairs) - 1, *plane.shape), np.float32)
    if plane.size:
        run_bands(
            partial(
                _response_rows,
                *_laid_out(plane, cascade),
                np.ones(len(out), np.float32),
                *_columns(plane.shape, wanted, int((cascade.pairs * cascade.stride).sum())),
                out,
            ),
            plane.shape[0],
            threads,
        )
    return out


class ScaleSpaceMaxima(NamedTuple):
    """What `scale_space_maxima` gives, ordered by row, then column, then scale.

    Attributes
    ----------
    row, col : ndarray of int32, shape (n,)
        Pixel of the plane.
    scale : ndarray of int32, shape (n,)
        Index i of the difference ``G(s_i) - G(s_i+1)``.
    value : ndarray of float32, shape (n,)
        That difference times ``s_i``.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    scale: NDArray[np.int32]
    value: NDArray[np.float32]


def scale_space_maxima(
    plane: NDArray[np.float32], sigmas: Sequence[float], threshold: float, threads: int = 1
) -> ScaleSpaceMaxima:
    """Local maxima over position and scale of the sigma-normalised differences of Gaussians.

    The scale space is ``s_i * (G(s_i) - G(s_i+1))``: on white noise every scale has nearly the same
    deviation. A maximum is above `threshold`, not below any of its neighbours in the 3 x 3 x 3 cube, and
    above those that come before it by scale, row and column, so that of a plateau at most one pixel counts.
    Beyond the plane's border and the first and last scale there is no neighbour to compare with.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous and finite.
    sigmas : sequence of float, length 2 to 9
        Standard deviations in px, ascending.
    threshold : float
    threads : int
        Row bands worked on at once; the result does not depend on it.

    Returns
    -------
    ScaleSpaceMaxima
        Values within 1e-3 of the range of direct Gaussians, as in `blob_response`; positions and scales are
        those of direct Gaussians but where neighbours differ by less than that.

    Raises
    ------
    TypeError, ValueError
        If `plane` is not 2-D C-contiguous float32, or the scales are too many or not positive and ascending.

    References
    ----------
    D. G. Lowe, "Distinctive image features from scale-invariant keypoints", Int. J. Computer Vision 60 (2004)
    91-110; normalised as in T. Netsch, H.-O. Peitgen (see `blob_response`).
    """
    _check_plane(plane, "plane")
    cascade = _cascade(sigmas)
    if len(sigmas) > 9:
        raise ValueError(f"at most 9 sigmas can be searched, got {len(sigmas)}")
    if not plane.size:
        none = np.empty(0, np.int32)
        return ScaleSpaceMaxima(none, none, none, np.empty(0, np.float32))
    weights = np.asarray(sigmas[:-1], np.float32)
    found = run_bands(
        partial(
            _maxima_rows,
            *_laid_out(plane, cascade),
            weights,
            np.float32(threshold),
        ),
        plane.shape[0],
        threads,
    )
    return ScaleSpaceMaxima(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _check_plane(plane: NDArray[np.float32], name: str) -> None:
    if not isinstance(plane, np.ndarray) or plane.dtype != np.float32:
        kind = getattr(plane, "dtype", type(plane).__name__)
        raise TypeError(f"{name} must be a float32 array, got {kind}")
    if plane.ndim != 2 or not plane.flags.c_contiguous:
        raise ValueError(f"{name} must be 2-D and C-contiguous, got shape {plane.shape}")


def _cascade(sigmas: Sequence[float]) -> Cascade:
    if len(sigmas) < 2 or not sigmas[0] > 0:
        raise ValueError(f"at least two positive sigmas are needed, got {sigmas}")
    return blur_cascade(tuple(map(float, sigmas)), FOR_DIFFERENCES)


def _laid_out(plane: NDArray[np.float32], cascade: Cascade) -> tuple[Any, ...]:
    """The arguments that every kernel here begins with."""
    width = plane.shape[1]
    return plane.reshape(-1), width, *cascade, *cascade_layout(cascade, width)


def _columns(
    shape: tuple[int, ...], wanted: NDArray[np.int64] | None, reach: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The columns of each row that are wanted, and those that the blurs with this reach need for them."""
    height, width = shape
    if wanted is None:
        every = np.tile(np.array([0, width]), (height, 1))
        return every, every
    if wanted.shape != (height, 2) or wanted.min() < 0 or wanted.max() > width:
        raise ValueError(f"wanted must be columns of {height} rows of {width}, got shape {wanted.shape}")
    empty = wanted[:, 0] >= wanted[:, 1]
    first, end = np.where(empty, width, wanted[:, 0]), np.where(empty, 0, wanted[:, 1])
    beside = np.clip(np.arange(-reach, height + reach), 0, height - 1)
    window = np.lib.stride_tricks.sliding_window_view
    first = window(first[beside], 2 * reach + 1).min(axis=1) - reach
    end = window(end[beside], 2 * reach + 1).max(axis=1) + reach
    # Rows begin with a whole vector, so that none lies across two cache lines.
    made = np.stack((np.maximum(first, 0) // 16 * 16, np.minimum(end, width)), axis=1)
    return wanted.astype(np.int64), made


def _scale_weights(weights: ArrayLike, count: int) -> NDArray[np.float32]:
    values = np.ascontiguousarray(weights, dtype=np.float32)
    if values.shape != (count,):
        raise ValueError(f"weights must have shape ({count},), got {values.shape}")
    return values


@kernel
def _response_rows(  # type: ignore[no-untyped-def]
    plane,
    width,
    taps,
    pairs,
    stride,
    lag,
    finish,
    held,
    start,
    pitch,
    margin,
    weights,
    wanted,
    made,
    out,
    first,
    end,
):
    """Rows `first` to `end` of the differences of Gaussians.

    plane (h * w,) float32; taps, pairs, stride as in `Cascade`, lag to margin as in
    `Layout`; weights (k,) float32; wanted and made (h, 2) int64, columns of each row that are written to `out` and that
    the blurs are made for; out (k, h, w) float32 for the differences, or (1, h, w) for their maximum.
    """
    height = plane.size // width
    scales = pairs.size
    rings = room_for(start[scales])
    padded = room_for(BATCH * (pitch + 2 * margin))
    offsets = np.empty(BATCH * (2 * taps.shape[1] - 1), np.uint64)

    for step in range(max(0, first - finish), end + finish, BATCH):
        for i in range(scales):
            beyond = finish - lag[i]
            begin = max(0, first - beyond, step - lag[i])
            stop = min(height, end + beyond, step - lag[i] + BATCH)
            level = taps[i, : pairs[i] + 1]
            blur_rows(
                rings,
                start,
                held,
                pitch,
                i,
                plane,
                width,
                begin,
                stop,
                made,
                level,
                stride[i],
                padded,
                offsets,
            )
        for row in range(max(first, step - finish), min(end, step - finish + BATCH)):
            left, right = wanted[row]
            for i in range(1, scales):
                fine = start[i - 1] + (row % held[i - 1]) * pitch + left
                coarse = start[i] + (row % held[i]) * pitch + left
                if out.shape[0] > 1 or i == 1:
                    _difference(out[i - 1, row, left:right], rings, fine, coarse, weights[i - 1])
                else:
                    _larger_difference(out[0, row, left:right], rings, fine, coarse, weights[i - 1])


@kernel
def _difference(out, rings, fine, coarse, weight):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        x = np.uint64(i)
        out[x] = weight * (rings[np.uint64(fine) + x] - rings[np.uint64(coarse) + x])


@kernel
def _larger_difference(out, rings, fine, coarse, weight):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        x = np.uint64(i)
        value = weight * (rings[np.uint64(fine) + x] - rings[np.uint64(coarse) + x])
        out[x] = value if value > out[x] else out[x]


@kernel
def _maxima_rows(  # type: ignore[no-untyped-def]
    plane, width, taps, pairs, stride, lag, finish, held, start, pitch, margin, weights, threshold, first, end
):
    """Row, column, scale (int32) and value (float32) of the maxima in rows `first` to `end`.

    plane (h * w,) float32; taps, pairs, stride as in `Cascade`, lag to margin as in
    `Layout`; weights (k,) float32, k at most 8.
    """
    height = plane.size // width
    scales = pairs.size
    layers = scales - 1
    rings = room_for(start[scales])
    padded = room_for(BATCH * (pitch + 2 * margin))
    offsets = np.empty(BATCH * (2 * taps.shape[1] - 1), np.uint64)
    every = whole_rows(height, width)
    # Three rows a layer, row i at i % 3; the ends, and rows beyond the border, are below everything.
    cube = np.full((layers, 3, width + 2), -np.inf, np.float32)
    flags = np.zeros(8 * (width // 8 + 1), np.uint8)
    words = flags.view(np.uint64)
    room = 1024
    rows, cols, found_scales = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    values = np.empty(room, np.float32)
    count = 0

    # A row's neighbours are needed too, so that a band begins one row early and ends one row late.
    first_made, end_made = max(0, first - 1), min(height, end + 1)
    for step in range(max(0, first_made - finish), end + 1 + finish, BATCH):
        for i in range(scales):
            beyond = finish - lag[i]
            begin = max(0, first_made - beyond, step - lag[i])
            stop = min(height, end_made + beyond, step - lag[i] + BATCH)
            level = taps[i, : pairs[i] + 1]
            blur_rows(
                rings,
                start,
                held,
                pitch,
                i,
                plane,
                width,
                begin,
                stop,
                every,
                level,
                stride[i],
                padded,
                offsets,
            )
        for finished in range(max(first_made, step - finish), min(end + 1, step - finish + BATCH)):
            row = finished
            for i in range(layers):
                if row < height:
                    fine = start[i] + (row % held[i]) * pitch
                    coarse = start[i + 1] + (row % held[i + 1]) * pitch
                    _difference(cube[i, row % 3, 1 : width + 1], rings, fine, coarse, weights[i])
                else:
                    cube[i, row % 3] = -np.inf
            row -= 1
            if row < first:
                continue
            flags[:] = 0
            above, here, below = (row + 2) % 3, row % 3, (row + 1) % 3
            for i in range(layers):
                _flag_candidates(
                    flags,
                    cube[i, above],
                    cube[i, here],
                    cube[i, below],
                    cube[max(0, i - 1), here],
                    cube[min(layers - 1, i + 1), here],
                    threshold,
                    np.uint8(1 << i),
                )
            for word in range(words.size):
                if words[word] == 0:
                    continue
                for x in range(8 * word, min(8 * word + 8, width)):
                    for i in range(layers):
                        if flags[x] >> i & 1 and _is_maximum(cube, i, above, here, below, x + 1):
                            rows = with_room(rows, count, 1)
                            cols = with_room(cols, count, 1)
                            found_scales = with_room(found_scales, count, 1)
                            values = with_room(values, count, 1)
                            rows[count] = row
                            cols[count] = x
                            found_scales[count] = i
                            values[count] = cube[i, here, x + 1]
                            count += 1
    return rows[:count].copy(), cols[:count].copy(), found_scales[:count].copy(), values[:count].copy()


@kernel
def _flag_candidates(flags, above, here, below, finer, coarser, threshold, bit):  # type: ignore[no-untyped-def]
    """Set `bit` where a value is above the threshold and not below its six nearest neighbours."""
    width = here.size - 2
    centre, left, right = here[1 : width + 1], here[:width], here[2:]
    up, down, fine, coarse = (
        above[1 : width + 1],
        below[1 : width + 1],
        finer[1 : width + 1],
        coarser[1 : width + 1],
    )
    for begin in range(0, width, 256):
        end = min(begin + 256, width)
        # Most of an image is below the threshold: look at the neighbours only where something is not.
        above_threshold = 0
        for i in range(begin, end):
            above_threshold += centre[np.uint64(i)] > threshold
        if above_threshold == 0:
            continue
        for i in range(begin, end):
            x = np.uint64(i)
            v = centre[x]
            beats_row = (v > threshold) & (v >= left[x]) & (v >= right[x])
            beats_others = (v >= up[x]) & (v >= down[x]) & (v >= fine[x]) & (v >= coarse[x])
            flags[x] |= bit if beats_row & beats_others else np.uint8(0)


@kernel
def _is_maximum(cube, layer, above, here, below, x):  # type: ignore[no-untyped-def]
    """Whether a value is above the neighbours before it and not below those after it."""
    value = cube[layer, here, x]
    for i in range(max(0, layer - 1), min(cube.shape[0], layer + 2)):
        for r in range(3):
            row = above if r == 0 else (here if r == 1 else below)
            for c in range(3):
                # 0 at the centre, negative before it, positive after it.
                order = 9 * (i - layer) + 3 * (r - 1) + c - 1
                other = cube[i, row, x + c - 1]
                if other > value or (other == value and order < 0):
                    return False
    return True
