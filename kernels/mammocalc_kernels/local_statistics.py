"""Mean and standard deviation in a square window around every pixel, from exact integer sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane, output_like
from mammocalc_kernels.streams import read, running_sum, span, write

# Widest window whose sum is sure to fit 31 bits: 181**2 * 65535 < 2**31.
WIDEST_WINDOW = 181
# Sums of 32 bits in a vector; columns summed at a time, at most, so that the sums stay in the nearest cache.
_VECTOR = 16
_LONGEST_CHUNK = 1728


def local_statistics(
    plane: NDArray[np.uint16],
    window: int,
    mean: NDArray[np.float32] | None = None,
    deviation: NDArray[np.float32] | None = None,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of the pixels in a square window around each pixel.

    At the borders they are those of the part of the window that lies inside the image. Sums and sums of
    squares are running sums of integers (McDonnell, Comput. Graph. Image Process. 17(1), 1981): exact, so
    nothing cancels where a small deviation sits on a large mean, and no error travels along the image.

    Parameters
    ----------
    plane : ndarray of uint16, shape (rows, columns), C-contiguous
    window : int
        Side of the window, px, odd, 1 to 181.
    mean, deviation : ndarray of float32, same shape, C-contiguous, optional
        Where to write.
    threads : int
        The result does not depend on it.

    Returns
    -------
    mean, deviation : ndarray of float32, shape (rows, columns)
        In units of the plane; the deviation is that of the population (divided by the number of pixels).

    Raises
    ------
    TypeError
        Another dtype than uint16, or a window that is not an integer.
    ValueError
        Not 2-D, empty, not C-contiguous, a window that is even or out of range, an output of another shape.
    """
    check_plane(plane, (np.uint16,))
    if isinstance(window, bool) or not isinstance(window, int | np.integer):
        raise TypeError(f"window must be a whole number of pixels, not {window!r}")
    if not 1 <= window <= WIDEST_WINDOW or window % 2 == 0:
        raise ValueError(f"window must be odd, 1 to {WIDEST_WINDOW} px, not {window}")
    mean = output_like(plane, mean, np.float32)
    deviation = output_like(plane, deviation, np.float32)
    if np.may_share_memory(mean, deviation):
        raise ValueError("mean and deviation must not overlap")
    half = int(window) // 2
    run_bands(
        lambda first, end: _statistics_rows(plane, mean, deviation, half, first, end), plane.shape[0], threads
    )
    return mean, deviation


@kernel
def _exchange(sums, squares, at, new, new_at, old, old_at, n):  # type: ignore[no-untyped-def]
    """Add the new row to the column sums and take the old one away."""
    s = span(sums, at, n)
    q = span(squares, at, n)
    a = span(new, new_at, n)
    b = span(old, old_at, n)
    for c in range(n):
        x = np.int32(read(a, c))
        y = np.int32(read(b, c))
        write(s, c, s[c] + (x - y))
        write(q, c, q[c] + np.int64(x - y) * np.int64(x + y))


@kernel
def _finish(sums, squares, start, mean, deviation, at, n, count):  # type: ignore[no-untyped-def]
    """Mean and deviation of `n` windows of `count` pixels each."""
    s = span(sums, start, n)
    q = span(squares, start, n)
    m = span(mean, at, n)
    d = span(deviation, at, n)
    share = 1.0 / count
    narrow_share = np.float32(share)
    for c in range(n):
        total = np.int64(read(s, c))
        # count**2 times the variance: an integer, exact.
        spread = count * read(q, c) - total * total
        write(m, c, np.float32(np.float64(total) * share))
        write(d, c, np.sqrt(np.float32(spread)) * narrow_share)


@kernel
def _finish_border(sums, squares, start, mean, deviation, at, widths, first, n, height):  # type: ignore[no-untyped-def]
    """The same for columns from `first`, each with its own width of window."""
    s = span(sums, start, n)
    q = span(squares, start, n)
    w = span(widths, first, n)
    m = span(mean, at, n)
    d = span(deviation, at, n)
    for c in range(n):
        count = height * read(w, c)
        share = 1.0 / count
        total = np.int64(read(s, c))
        spread = count * read(q, c) - total * total
        write(m, c, np.float32(np.float64(total) * share))
        write(d, c, np.sqrt(np.float32(spread)) * np.float32(share))


@kernel
def _statistics_rows(plane, mean, deviation, half, first, end):  # type: ignore[no-untyped-def]
    rows, n = plane.shape
    source = plane.reshape(plane.size)
    flat_mean = mean.reshape(mean.size)
    flat_deviation = deviation.reshape(deviation.size)
    window = 2 * half + 1
    nothing = np.zeros(n, np.uint16)
    # Windows run ahead of their centres by `half` columns, rounded up to whole vectors so that rows are written in
    # step with the cache lines: item i of the running sums is the window around column i - ahead.
    ahead = -(-half // _VECTOR) * _VECTOR
    length = -(-(n + ahead) // _VECTOR) * _VECTOR
    chunk = -(-length // (_VECTOR * -(-length // _LONGEST_CHUNK))) * _VECTOR
    # Column sums of the rows in reach, with zeros before and after for what windows reach of the outside.
    lead = -(-(window + _VECTOR) // _VECTOR) * _VECTOR
    column_sums = np.zeros(lead + length, np.int32)
    column_squares = np.zeros(lead + length, np.int64)
    widths = np.empty(n, np.int64)
    for c in range(n):
        widths[c] = min(c + half, n - 1) - max(c - half, 0) + 1
    sums = np.empty(chunk, np.int32)
    squares = np.empty(chunk, np.int64)
    for r in range(first - 2 * half, end):
        # Rows ahead of the first window fill the sums; rows outside the image count nothing.
        entering = r + half
        leaving = r - half - 1
        new = nothing
        new_at = 0
        if 0 <= entering < rows:
            new = source
            new_at = entering * n
        old = nothing
        old_at = 0
        if leaving >= max(first - half, 0):
            old = source
            old_at = leaving * n
        height = min(entering, rows - 1) - max(r - half, 0) + 1
        total = np.int32(0)
        square_total = np.int64(0)
        for start in range(0, length, chunk):
            items = min(chunk, length - start)
            # No window of the chunk ends beyond its columns, so these are brought up just before.
            columns = max(min(items, n - start), 0)
            _exchange(
                column_sums,
                column_squares,
                lead + start,
                new,
                new_at + start,
                old,
                old_at + start,
                columns,
            )
            if r < first:
                continue
            at = lead + start + half - ahead
            total = running_sum(column_sums, at, window, sums, items, total)
            square_total = running_sum(column_squares, at, window, squares, items, square_total)
            # Columns of this chunk; those whose window lies inside the image share one count.
            left = max(start - ahead, 0)
            right = min(start + items - ahead, n)
            inner_left = min(max(left, ahead), right)
            inner_right = max(min(right, n - half), inner_left)
            shift = ahead - start
            _finish(
                sums,
                squares,
                inner_left + shift,
                flat_mean,
                flat_deviation,
                r * n + inner_left,
                inner_right - inner_left,
                height * window,
            )
            # Last, for the sums just written are slow to read back.
            for begin, stop in ((left, inner_left), (inner_right, right)):
                if begin == stop:
                    continue
                _finish_border(
                    sums,
                    squares,
                    begin + shift,
                    flat_mean,
                    flat_deviation,
                    r * n + begin,
                    widths,
                    begin,
                    stop - begin,
                    height,
                )
