"""Gaussian smoothing: fixed taps for small scales, decimation and spline interpolation for large ones.

The taps are those of ``scipy.ndimage``: samples of the Gaussian out to ``truncate`` standard deviations,
divided by their sum. Outside the image the nearest border pixel counts ("replicate").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane, output_like
from mammocalc_kernels.streams import read, span, write

# Smallest standard deviation on the coarse grid, px of that grid, that keeps the error of `large_gaussian` in
# bounds.
_COARSE_SIGMA = 1.8
_COARSE_TRUNCATE = 4.0
_LARGEST_FACTOR = 64


def gaussian_taps(sigma: float, truncate: float = 3.0) -> NDArray[np.float32]:
    """Right half of the filter, centre first: float32, ``int(truncate * sigma + 0.5) + 1`` taps."""
    radius = int(truncate * sigma + 0.5)
    distance = np.arange(-radius, radius + 1, dtype=np.float64)
    weight = np.exp(-0.5 * (distance / sigma) ** 2)
    return (weight / weight.sum())[radius:].astype(np.float32)


def gaussian(
    plane: NDArray[np.float32],
    sigma: float,
    out: NDArray[np.float32] | None = None,
    threads: int = 1,
    truncate: float = 3.0,
) -> NDArray[np.float32]:
    """Smooth a plane with a separable Gaussian at full resolution; meant for `sigma` up to about 8 px.

    Parameters
    ----------
    plane : ndarray of float32, shape (rows, columns), C-contiguous
    sigma : float
        Standard deviation, px, above 0.
    out : ndarray of float32, same shape, C-contiguous, optional
        Where to write; a fresh plane costs more than the smallest filters. Must not overlap `plane`.
    threads : int
        The result does not depend on it.
    truncate : float
        Radius of the filter in standard deviations.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        `out`, or a new plane. Equal to ``scipy.ndimage.gaussian_filter(plane, sigma, mode="nearest",
        truncate=truncate)`` up to float32 rounding.

    Raises
    ------
    TypeError
        Another dtype than float32.
    ValueError
        Not 2-D, empty, not C-contiguous, `out` of another shape or overlapping, `sigma` not above 0.
    """
    check_plane(plane, (np.float32,))
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"sigma must be a finite number of pixels above 0, not {sigma}")
    out = output_like(plane, out)
    taps = gaussian_taps(sigma, truncate)
    run_bands(lambda first, end: _filter_rows(plane, out, taps, first, end), plane.shape[0], threads)
    return out


def decimate(
    plane: NDArray[np.float32] | NDArray[np.uint16], factor: int, threads: int = 1
) -> NDArray[np.float32]:
    """Mean over blocks of ``factor x factor`` pixels, counted from the first pixel.

    Parameters
    ----------
    plane : ndarray of float32 or uint16, shape (rows, columns), C-contiguous
    factor : int
        Side of a block, px, 1 to 256.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (ceil(rows / factor), ceil(columns / factor))
        A block at the lower or right border is the mean of the pixels that lie inside the image. The centre
        of block (i, j) is plane position ``(i * factor + (factor - 1) / 2, j * factor + (factor - 1) / 2)``.

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Not 2-D, empty, not C-contiguous, `factor` out of range.
    """
    check_plane(plane, (np.float32, np.uint16))
    if not 1 <= factor <= 256:
        raise ValueError(f"factor must be 1 to 256 px, not {factor}")
    rows, columns = plane.shape
    out = np.empty((-(-rows // factor), -(-columns // factor)), np.float32)
    _average_blocks(plane, out, factor, 0, threads)
    return out


def large_gaussian(
    plane: NDArray[np.float32] | NDArray[np.uint16],
    sigma: float,
    out: NDArray[np.float32] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Smooth a plane with a wide Gaussian: block means, a short Gaussian on their grid, spline interpolation.

    Block mean, coarse Gaussian and quadratic B-spline each spread by a known variance; the coarse Gaussian
    gets what the other two leave of ``sigma**2``, so that the whole has the variance asked for at every
    pixel. (A quadratic B-spline on the integers has the same mean and variance wherever it is centred: Unser,
    IEEE Signal Process. Mag. 16(6), 1999.) The rms difference from the exact filter is below 0.1 % of the
    image's range.

    Parameters
    ----------
    plane : ndarray of float32 or uint16, shape (rows, columns), C-contiguous
    sigma : float
        Standard deviation, px, at least 8.
    out : ndarray of float32, same shape, C-contiguous, optional
        Where to write.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Not 2-D, empty, not C-contiguous, `out` of another shape or overlapping, `sigma` below 8.
    """
    check_plane(plane, (np.float32, np.uint16))
    if not (sigma >= 8 and math.isfinite(sigma)):
        raise ValueError(f"sigma must be at least 8 px, not {sigma}; gaussian() serves smaller ones")
    rows, columns = plane.shape
    out = output_like(plane, out, np.float32)
    factor = _decimation(sigma)
    # One block more than fit on each side, so that the coarse border is the border pixels' and not a mixture.
    coarse = np.empty((-(-rows // factor) + 2, -(-columns // factor) + 2), np.float32)
    _average_blocks(plane, coarse, factor, 1, threads)
    smooth = gaussian(coarse, _coarse_sigma(sigma, factor), None, threads, _COARSE_TRUNCATE)
    wide = np.empty((coarse.shape[0], columns), np.float32)
    weights = _spline_weights(factor)
    run_bands(lambda first, end: _widen_rows(smooth, wide, weights, first, end), wide.shape[0], threads)
    run_bands(lambda first, end: _interpolate_rows(wide, out, weights, first, end), rows, threads)
    return out


def _average_blocks(
    plane: NDArray[np.float32] | NDArray[np.uint16],
    out: NDArray[np.float32],
    factor: int,
    outside: int,
    threads: int,
) -> None:
    # Sums of up to 256 values: exact in 32 bits for pixels of 16 bits.
    total = np.float32 if plane.dtype == np.float32 else np.uint32

    def average(first: int, end: int) -> None:
        _block_means(plane, out, np.zeros(plane.shape[1], total), factor, outside, first, end)

    run_bands(average, out.shape[0], threads)


def _decimation(sigma: float) -> int:
    """Largest power of two that leaves the coarse grid a standard deviation that it can carry."""
    factor = 2
    while factor < _LARGEST_FACTOR and _coarse_sigma(sigma, 2 * factor) >= _COARSE_SIGMA:
        factor *= 2
    return factor


def _coarse_sigma(sigma: float, factor: int) -> float:
    """What the block mean, (f^2 - 1) / 12 px^2, and the spline, f^2 / 4 px^2, leave; in coarse pixels."""
    return math.sqrt(max(sigma**2 - (factor**2 - 1) / 12 - factor**2 / 4, 0.0)) / factor


def _spline_weights(factor: int) -> NDArray[np.float32]:
    """Quadratic B-spline: weights of coarse samples i - 1, i, i + 1 by pixel of block i, shape (factor, 3)."""
    offset = (np.arange(factor) - (factor - 1) / 2) / factor
    weights = np.stack([(0.5 - offset) ** 2 / 2, 0.75 - offset**2, (0.5 + offset) ** 2 / 2], axis=1)
    return weights.astype(np.float32)


@kernel
def _row(flat, columns, rows, r):  # type: ignore[no-untyped-def]
    """Row `r` of a plane given flat; rows outside are the border's."""
    return span(flat, min(max(r, 0), rows - 1) * columns, columns)


@kernel
def _add_four_rows(y0, y1, y2, y3, x0, x1, x2, x3, weights, first):  # type: ignore[no-untyped-def]
    """Add four rows x to four sums y: ``y_j += weights[first + 3 + i - j] * x_i``, i ascending."""
    w0 = weights[first]
    w1 = weights[first + 1]
    w2 = weights[first + 2]
    w3 = weights[first + 3]
    w4 = weights[first + 4]
    w5 = weights[first + 5]
    w6 = weights[first + 6]
    for c in range(y0.size):
        x = read(x0, c)
        s0 = y0[c] + w3 * x
        s1 = y1[c] + w2 * x
        s2 = y2[c] + w1 * x
        s3 = y3[c] + w0 * x
        x = read(x1, c)
        s0 += w4 * x
        s1 += w3 * x
        s2 += w2 * x
        s3 += w1 * x
        x = read(x2, c)
        s0 += w5 * x
        s1 += w4 * x
        s2 += w3 * x
        s3 += w2 * x
        x = read(x3, c)
        write(y0, c, s0 + w6 * x)
        write(y1, c, s1 + w5 * x)
        write(y2, c, s2 + w4 * x)
        write(y3, c, s3 + w3 * x)


@kernel
def _start_line(out, line, centre, taps, pairs):  # type: ignore[no-untyped-def]
    """Centre tap and the first 1 to 4 `pairs` of taps along a line; out[0] belongs to ``line[centre]``."""
    n = out.size
    w0 = taps[0]
    w1 = taps[1]
    middle = span(line, centre, n)
    a1 = span(line, centre - 1, n)
    b1 = span(line, centre + 1, n)
    if pairs == 1:
        for c in range(n):
            write(out, c, w0 * read(middle, c) + w1 * (read(a1, c) + read(b1, c)))
        return
    w2 = taps[2]
    a2 = span(line, centre - 2, n)
    b2 = span(line, centre + 2, n)
    if pairs == 2:
        for c in range(n):
            s = w0 * read(middle, c) + w1 * (read(a1, c) + read(b1, c))
            write(out, c, s + w2 * (read(a2, c) + read(b2, c)))
        return
    w3 = taps[3]
    a3 = span(line, centre - 3, n)
    b3 = span(line, centre + 3, n)
    if pairs == 3:
        for c in range(n):
            s = w0 * read(middle, c) + w1 * (read(a1, c) + read(b1, c))
            s += w2 * (read(a2, c) + read(b2, c))
            write(out, c, s + w3 * (read(a3, c) + read(b3, c)))
        return
    w4 = taps[4]
    a4 = span(line, centre - 4, n)
    b4 = span(line, centre + 4, n)
    for c in range(n):
        s = w0 * read(middle, c) + w1 * (read(a1, c) + read(b1, c))
        s += w2 * (read(a2, c) + read(b2, c))
        s += w3 * (read(a3, c) + read(b3, c))
        write(out, c, s + w4 * (read(a4, c) + read(b4, c)))


@kernel
def _add_four_pairs(out, line, centre, taps, k):  # type: ignore[no-untyped-def]
    """Pairs k to k + 3 of taps along a line."""
    n = out.size
    w1 = taps[k]
    w2 = taps[k + 1]
    w3 = taps[k + 2]
    w4 = taps[k + 3]
    a1 = span(line, centre - k, n)
    b1 = span(line, centre + k, n)
    a2 = span(line, centre - k - 1, n)
    b2 = span(line, centre + k + 1, n)
    a3 = span(line, centre - k - 2, n)
    b3 = span(line, centre + k + 2, n)
    a4 = span(line, centre - k - 3, n)
    b4 = span(line, centre + k + 3, n)
    for c in range(n):
        s = out[c] + w1 * (read(a1, c) + read(b1, c))
        s += w2 * (read(a2, c) + read(b2, c))
        s += w3 * (read(a3, c) + read(b3, c))
        write(out, c, s + w4 * (read(a4, c) + read(b4, c)))


@kernel
def _filter_rows(plane, out, taps, first, end):  # type: ignore[no-untyped-def]
    """Rows ``first .. end - 1`` of the result, four at a time: down the columns into padded lines, then along them.

    Four rows of the result share the rows they need, which come from a cache too slow for fetching each anew.
    Every sum runs in the order of the taps, whatever the row's place among the four.
    """
    rows, columns = plane.shape
    radius = taps.size - 1
    flat = plane.reshape(plane.size)
    flat_out = out.reshape(out.size)
    inputs = -(-(2 * radius + 4) // 4) * 4
    # Taps with zeros around, so that each of the four rows may pass over the inputs of the other three.
    weights = np.zeros(inputs + 3, np.float32)
    for k in range(-radius, radius + 1):
        weights[3 + radius + k] = taps[abs(k)]
    # Lines start on a cache line, for the stores' sake.
    margin = -(-radius // 16) * 16
    width = columns + 2 * margin
    lines = np.empty(4 * width, np.float32)
    y0 = span(lines, margin, columns)
    y1 = span(lines, margin + width, columns)
    y2 = span(lines, margin + 2 * width, columns)
    y3 = span(lines, margin + 3 * width, columns)
    for r in range(first, end, 4):
        lines[:] = 0
        for i in range(0, inputs, 4):
            top = r - radius + i
            x0 = _row(flat, columns, rows, top)
            x1 = _row(flat, columns, rows, top + 1)
            x2 = _row(flat, columns, rows, top + 2)
            x3 = _row(flat, columns, rows, top + 3)
            _add_four_rows(y0, y1, y2, y3, x0, x1, x2, x3, weights, i)
        for j in range(min(4, end - r)):
            centre = j * width + margin
            for k in range(1, radius + 1):
                lines[centre - k] = lines[centre]
                lines[centre + columns - 1 + k] = lines[centre + columns - 1]
            target = span(flat_out, (r + j) * columns, columns)
            if radius == 0:
                target[:] = span(lines, centre, columns)
                continue
            started = (radius - 1) % 4 + 1
            _start_line(target, lines, centre, taps, started)
            for k in range(started + 1, radius, 4):
                _add_four_pairs(target, lines, centre, taps, k)


@kernel
def _add_row(total, row):  # type: ignore[no-untyped-def]
    for c in range(row.size):
        total[c] += row[c]


@kernel
def _block_means(plane, out, total, factor, outside, first, end):  # type: ignore[no-untyped-def]
    """Block rows ``first .. end - 1`` of `out`.

    `outside` is 0: pixels outside the image are left out; or 1: `out` has one block more on every side, and
    pixels outside are those of the border. `total` is room for the column sums of one row of blocks.
    """
    rows, columns = plane.shape
    blocks = out.shape[1]
    # Blocks that lie inside the image, left to right.
    whole = columns // factor + outside
    for i in range(first, end):
        total[:] = 0
        count = 0
        for r in range((i - outside) * factor, (i - outside + 1) * factor):
            if outside == 1 or r < rows:
                _add_row(total, plane[min(max(r, 0), rows - 1)])
                count += 1
        share = np.float32(1.0 / (count * factor))
        for j in range(outside, whole):
            left = (j - outside) * factor
            block = total[left]
            for c in range(left + 1, left + factor):
                block += total[c]
            out[i, j] = np.float32(block) * share
        for j in range(blocks):
            if outside <= j < whole:
                continue
            left = (j - outside) * factor
            block = total[0] - total[0]
            width = 0
            for c in range(left, left + factor):
                if outside == 1 or c < columns:
                    block += total[min(max(c, 0), columns - 1)]
                    width += 1
            out[i, j] = np.float32(block) * np.float32(1.0 / (count * width))


@kernel
def _widen_rows(coarse, wide, weights, first, end):  # type: ignore[no-untyped-def]
    """Coarse rows, one block more than the image on either side, interpolated along the row to full width."""
    columns = wide.shape[1]
    factor = weights.shape[0]
    for i in range(first, end):
        for j in range(-(-columns // factor)):
            left = coarse[i, j]
            middle = coarse[i, j + 1]
            right = coarse[i, j + 2]
            for k in range(min(factor, columns - j * factor)):
                wide[i, j * factor + k] = (
                    weights[k, 0] * left + weights[k, 1] * middle + weights[k, 2] * right
                )


@kernel
def _mix_rows(out, above, here, below, w0, w1, w2):  # type: ignore[no-untyped-def]
    for c in range(out.size):
        out[c] = w0 * above[c] + w1 * here[c] + w2 * below[c]


@kernel
def _interpolate_rows(wide, out, weights, first, end):  # type: ignore[no-untyped-def]
    """Full-width coarse rows, one more than the image above and below, interpolated down the columns."""
    factor = weights.shape[0]
    for r in range(first, end):
        i = r // factor
        k = r - i * factor
        _mix_rows(out[r], wide[i], wide[i + 1], wide[i + 2], weights[k, 0], weights[k, 1], weights[k, 2])
