"""Differences of Gaussians over several scales, fused so that no Gaussian plane is ever written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.gaussian_rows import FOR_DIFFERENCES, Cascade, blur_cascade, blur_row, cascade_layout


def blob_response(
    plane: NDArray[np.float32],
    sigmas: Sequence[float],
    weights: ArrayLike,
    out: NDArray[np.float32] | None = None,
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
    threads : int
        Row bands worked on at once; the result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (h, w)
        `out`, or a new plane.

    Raises
    ------
    TypeError, ValueError
        If a plane is not 2-D C-contiguous float32, or the scales are not positive and ascending.

    References
    ----------
    T. Netsch, H.-O. Peitgen, "Scale-space signatures for the detection of clustered microcalcifications in
    digital mammograms", IEEE Trans. Medical Imaging 18 (1999) 774-786.
    """
    _check_plane(plane, "plane")
    cascade = _cascade(sigmas)
    scale_weights = _scale_weights(weights, len(cascade.pairs) - 1)
    if out is None:
        out = np.empty_like(plane)
    _check_plane(out, "out")
    if out.shape != plane.shape or np.may_share_memory(out, plane):
        raise ValueError("out must have the shape of plane and be another array")
    if plane.size:
        run_bands(
            partial(_response_rows, plane, *cascade, scale_weights, out[np.newaxis]), plane.shape[0], threads
        )
    return out


def blob_responses(
    plane: NDArray[np.float32], sigmas: Sequence[float], threads: int = 1
) -> NDArray[np.float32]:
    """Each difference of Gaussians ``G(s_i) - G(s_i+1)`` by itself, by the arithmetic of `blob_response`.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous and finite.
    sigmas : sequence of float, length k + 1
        Standard deviations in px, ascending.
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
            partial(_response_rows, plane, *cascade, np.ones(len(out), np.float32), out),
            plane.shape[0],
            threads,
        )
    return out


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


def _scale_weights(weights: ArrayLike, count: int) -> NDArray[np.float32]:
    values = np.ascontiguousarray(weights, dtype=np.float32)
    if values.shape != (count,):
        raise ValueError(f"weights must have shape ({count},), got {values.shape}")
    return values


@kernel
def _response_rows(plane, taps, pairs, stride, weights, out, first, end):  # type: ignore[no-untyped-def]
    """Rows `first` to `end` of the differences of Gaussians.

    plane (h, w) float32; taps, pairs, stride as in `Cascade`; weights (k,) float32; out (k, h, w) float32 for
    the differences, or (1, h, w) for their maximum.
    """
    height, width = plane.shape
    scales = pairs.size
    lag, finish, held, start = cascade_layout(pairs, stride, np.zeros(scales, np.int64), width)
    rings = np.empty(start[scales], np.float32)
    padded = np.empty(width + 2 * (pairs * stride).max(), np.float32)
    offsets = np.empty(2 * pairs.max() + 1, np.uint64)

    for step in range(max(0, first - finish), end + finish):
        for i in range(scales):
            row = step - lag[i]
            margin = finish - lag[i]
            if row >= max(0, first - margin) and row < min(height, end + margin):
                blur_row(
                    rings, start, held, i, plane, row, taps[i, : pairs[i] + 1], stride[i], padded, offsets
                )
        row = step - finish
        if row < first:
            continue
        for i in range(1, scales):
            fine = start[i - 1] + (row % held[i - 1]) * width
            coarse = start[i] + (row % held[i]) * width
            if out.shape[0] > 1 or i == 1:
                _difference(out[i - 1, row], rings, fine, coarse, weights[i - 1])
            else:
                _larger_difference(out[0, row], rings, fine, coarse, weights[i - 1])


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
