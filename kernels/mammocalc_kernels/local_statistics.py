"""Mean and standard deviation in a square window around every pixel, from exact integer sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane, output_like
from mammocalc_kernels.streams import read, span, write

# Widest window whose sum is sure to fit 31 bits: 181**2 * 65535 < 2**31.
WIDEST_WINDOW = 181
# Columns that `_slide` takes in a step.
_VECTOR = 16


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
    # Where in a cache line the rows begin, as far as their length is whole cache lines.
    phase = mean.ctypes.data // mean.itemsize % _VECTOR
    run_bands(
        lambda first, end: _statistics_rows(plane, mean, deviation, half, phase, first, end),
        plane.shape[0],
        threads,
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


@intrinsic
def _slide(
    typingctx: Any,
    sums: Any,
    squares: Any,
    start: Any,
    window: Any,
    n: Any,
    mean: Any,
    deviation: Any,
    at: Any,
    count: Any,
    carry: Any,
) -> Any:
    """Mean and deviation of `n` windows of `count` pixels each, from column sums, in one pass.

    The first window ends with column sum `start`; `carry` is (sum, sum of squares) of the window before it, and the
    last window's is returned. `n` is rounded down to whole vectors of 16; nothing is checked. The running sums are
    vectors added to themselves, shifted (Hillis & Steele, Commun. ACM 29(12), 1986), which the vectoriser does not
    find by itself; a scalar loop is bound by its stores.
    """
    pair = types.containers.UniTuple(types.int64, 2)
    arguments = (
        sums,
        squares,
        types.intp,
        types.intp,
        types.intp,
        mean,
        deviation,
        types.intp,
        types.int64,
        pair,
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, start, window, n, _, _, at, count, carry = args
        sums, squares, means, deviations = (
            make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 1, 5, 6)
        )
        index, wide, half = ir.IntType(32), ir.IntType(64), _VECTOR // 2
        sum_vector = ir.VectorType(index, _VECTOR)
        square_vector = ir.VectorType(wide, half)
        float_vector = ir.VectorType(ir.FloatType(), half)
        double_vector = ir.VectorType(ir.DoubleType(), half)

        def choose(value: Any, lanes: list[int], below: Any = None) -> Any:
            """Lanes of `below`, counted from 0, and of `value`, counted on; of `value` alone without `below`."""
            positions = ir.Constant(ir.VectorType(index, len(lanes)), lanes)
            if below is None:
                return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), positions)
            return builder.shuffle_vector(below, value, positions)

        def fill(vector: Any, scalar: Any) -> Any:
            lowest = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(index, 0))
            return choose(lowest, [0] * vector.count)

        def pointer(array: Any, item: Any, vector: Any) -> Any:
            return builder.bitcast(builder.gep(array, [item]), vector.as_pointer())

        def window_steps(array: Any, item: Any, vector: Any, item_bytes: int) -> Any:
            """Column sums that come in, less those that leave, as running sums of one vector."""
            entering = builder.load(pointer(array, item, vector), align=item_bytes)
            leaving = builder.load(pointer(array, builder.sub(item, window), vector), align=item_bytes)
            value = builder.sub(entering, leaving)
            lanes = vector.count
            zeros = ir.Constant(vector, [0] * lanes)
            step = 1
            while step < lanes:
                shifted = [lane if lane < step else lanes + lane - step for lane in range(lanes)]
                value = builder.add(value, choose(value, shifted, zeros))
                step *= 2
            return value

        def add_carry(value: Any, latest: Any) -> Any:
            """Add the carry to a vector's running sums and its last one to the carry."""
            before = builder.load(latest)
            builder.store(
                builder.add(before, choose(value, [value.type.count - 1] * value.type.count)), latest
            )
            return builder.add(value, before)

        latest_sum = cgutils.alloca_once(builder, sum_vector)
        latest_square = cgutils.alloca_once(builder, square_vector)
        builder.store(fill(sum_vector, builder.trunc(builder.extract_value(carry, 0), index)), latest_sum)
        builder.store(fill(square_vector, builder.extract_value(carry, 1)), latest_square)
        share = builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), builder.sitofp(count, ir.DoubleType()))
        shares = fill(double_vector, share)
        narrow_shares = fill(float_vector, builder.fptrunc(share, ir.FloatType()))
        counts = fill(square_vector, count)
        root_type = ir.FunctionType(float_vector, [float_vector])
        root = cgutils.get_or_insert_function(builder.module, root_type, f"llvm.sqrt.v{half}f32")
        with cgutils.for_range(builder, builder.udiv(n, ir.Constant(n.type, _VECTOR))) as loop:
            offset = builder.mul(loop.index, ir.Constant(n.type, _VECTOR))
            totals = add_carry(window_steps(sums, builder.add(start, offset), sum_vector, 4), latest_sum)
            for first in (0, half):
                item = builder.add(offset, ir.Constant(n.type, first))
                square_totals = window_steps(squares, builder.add(start, item), square_vector, 8)
                square_totals = add_carry(square_totals, latest_square)
                narrow_total = choose(totals, list(range(first, first + half)))
                total = builder.sext(narrow_total, square_vector)
                # count**2 times the variance: an integer, exact.
                spread = builder.sub(builder.mul(counts, square_totals), builder.mul(total, total))
                # Wide whole numbers become doubles, and only as unsigned: all else costs AVX2 a lane at a time.
                average = builder.fptrunc(
                    builder.fmul(builder.sitofp(narrow_total, double_vector), shares), float_vector
                )
                narrow_spread = builder.fptrunc(builder.uitofp(spread, double_vector), float_vector)
                scatter = builder.fmul(builder.call(root, [narrow_spread]), narrow_shares)
                place = builder.add(at, item)
                builder.store(average, pointer(means, place, float_vector), align=4)
                builder.store(scatter, pointer(deviations, place, float_vector), align=4)
        lane = ir.Constant(index, 0)
        last = builder.sext(builder.extract_element(builder.load(latest_sum), lane), wide)
        return context.make_tuple(
            builder, pair, [last, builder.extract_element(builder.load(latest_square), lane)]
        )

    return pair(*arguments), generate


@kernel
def _sum_windows(column_sums, column_squares, start, window, sums, squares, n, carry):  # type: ignore[no-untyped-def]
    """Sums of `n` windows, the first of which ends with column sum `start`; returns the last window's."""
    total, square_total = carry
    for c in range(n):
        total += np.int64(column_sums[start + c] - column_sums[start + c - window])
        square_total += column_squares[start + c] - column_squares[start + c - window]
        sums[c] = total
        squares[c] = square_total
    return total, square_total


@kernel
def _finish(sums, squares, mean, deviation, at, widths, first, n, height):  # type: ignore[no-untyped-def]
    """Mean and deviation of `n` windows from their sums, for columns from `first`, each with its own width."""
    s = span(sums, 0, n)
    q = span(squares, 0, n)
    w = span(widths, first, n)
    m = span(mean, at, n)
    d = span(deviation, at, n)
    for c in range(n):
        count = height * read(w, c)
        share = 1.0 / count
        total = read(s, c)
        spread = count * read(q, c) - total * total
        write(m, c, np.float32(np.float64(total) * share))
        write(d, c, np.sqrt(np.float32(np.float64(spread))) * np.float32(share))


@kernel
def _statistics_rows(plane, mean, deviation, half, phase, first, end):  # type: ignore[no-untyped-def]
    rows, n = plane.shape
    source = plane.reshape(plane.size)
    flat_mean = mean.reshape(mean.size)
    flat_deviation = deviation.reshape(deviation.size)
    window = 2 * half + 1
    nothing = np.zeros(n, np.uint16)
    # Column sums of the rows in reach, with zeros before and after for what windows reach of the outside.
    lead = -(-window // _VECTOR) * _VECTOR
    column_sums = np.zeros(lead + n + half, np.int32)
    column_squares = np.zeros(lead + n + half, np.int64)
    # The columns between have the whole width; they begin in step with the cache lines and are whole vectors.
    left = min(half + -(half + phase) % _VECTOR, n)
    right = left + max(n - half - left, 0) // _VECTOR * _VECTOR
    widths = np.empty(n, np.int64)
    for c in range(n):
        widths[c] = min(c + half, n - 1) - max(c - half, 0) + 1
    sums = np.empty(max(left, n - right), np.int64)
    squares = np.empty(max(left, n - right), np.int64)
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
        _exchange(column_sums, column_squares, lead, new, new_at, old, old_at, n)
        if r < first:
            continue
        height = min(entering, rows - 1) - max(r - half, 0) + 1
        # The window of the column before the first.
        total = np.int64(0)
        square_total = np.int64(0)
        for c in range(lead, lead + min(half, n)):
            total += np.int64(column_sums[c])
            square_total += column_squares[c]
        carry = (total, square_total)
        at = lead + half
        row = r * n
        carry = _sum_windows(column_sums, column_squares, at, window, sums, squares, left, carry)
        _finish(sums, squares, flat_mean, flat_deviation, row, widths, 0, left, height)
        carry = _slide(
            column_sums,
            column_squares,
            at + left,
            window,
            right - left,
            flat_mean,
            flat_deviation,
            row + left,
            height * window,
            carry,
        )
        _sum_windows(column_sums, column_squares, at + right, window, sums, squares, n - right, carry)
        _finish(sums, squares, flat_mean, flat_deviation, row + right, widths, right, n - right, height)
