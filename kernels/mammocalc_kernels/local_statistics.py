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
def _place(position, apart):  # type: ignore[no-untyped-def]
    """Where the column sum of a position is: even positions first, then, from `apart` on, odd ones.

    A window is odd: what leaves it at neighbouring even positions are neighbouring odd ones.
    """
    return (position & 1) * apart + (position >> 1)


@kernel
def _exchange(sums, squares, apart, position, new, new_at, old, old_at, n):  # type: ignore[no-untyped-def]
    """Add `n` pixels of the new row to the column sums from `position` on and take those of the old one away."""
    ahead = min(position & 1, n)
    pairs = (n - ahead) // 2
    first = (position + ahead) >> 1
    a, b = span(new, new_at + ahead, 2 * pairs), span(old, old_at + ahead, 2 * pairs)
    even, odd = span(sums, first, pairs), span(sums, apart + first, pairs)
    even_squares, odd_squares = span(squares, first, pairs), span(squares, apart + first, pairs)
    for k in range(pairs):
        x, y = np.int32(read(a, 2 * k)), np.int32(read(b, 2 * k))
        write(even, k, even[k] + (x - y))
        write(even_squares, k, even_squares[k] + np.int64(x - y) * np.int64(x + y))
    for k in range(pairs):
        x, y = np.int32(read(a, 2 * k + 1)), np.int32(read(b, 2 * k + 1))
        write(odd, k, odd[k] + (x - y))
        write(odd_squares, k, odd_squares[k] + np.int64(x - y) * np.int64(x + y))
    if ahead:
        _exchange_one(sums, squares, _place(position, apart), new[new_at], old[old_at])
    if ahead + 2 * pairs < n:
        last = n - 1
        _exchange_one(sums, squares, _place(position + last, apart), new[new_at + last], old[old_at + last])


@kernel
def _exchange_one(sums, squares, at, new, old):  # type: ignore[no-untyped-def]
    x, y = np.int32(new), np.int32(old)
    sums[at] += x - y
    squares[at] += np.int64(x - y) * np.int64(x + y)


@intrinsic
def _slide(
    typingctx: Any,
    sums: Any,
    squares: Any,
    apart: Any,
    start: Any,
    window: Any,
    n: Any,
    new: Any,
    new_at: Any,
    old: Any,
    old_at: Any,
    mean: Any,
    deviation: Any,
    at: Any,
    count: Any,
    carry: Any,
) -> Any:
    """Bring column sums up to date as `_exchange` does, and take mean and deviation of `n` windows, in one pass.

    The windows have `count` pixels each. The first ends with the column sum of the even position `start`; `carry` is
    (sum, sum of squares) of the window before it, and the last window's is returned. `n` is rounded down to whole
    vectors of 16; nothing is checked. The running sums, of even and odd neighbours together, are vectors added to
    themselves, shifted (Hillis & Steele, Commun. ACM 29(12), 1986), which the vectoriser does not find by itself; a
    scalar loop is bound by its stores.
    """
    pair = types.containers.UniTuple(types.int64, 2)
    place = types.intp
    arguments = (
        *(sums, squares, place, place, place, place),
        *(new, place, old, place),
        *(mean, deviation, place, types.int64, pair),
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, apart, start, window, n, _, new_at, _, old_at, _, _, at, count, carry = args
        sums, squares, new, old, means, deviations = (
            make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 1, 6, 8, 10, 11)
        )
        index, wide, half = ir.IntType(32), ir.IntType(64), _VECTOR // 2
        sum_vector, square_vector = ir.VectorType(index, half), ir.VectorType(wide, half)
        double_vector = ir.VectorType(ir.DoubleType(), half)
        float_vector = ir.VectorType(ir.FloatType(), _VECTOR)

        def choose(below: Any, value: Any, lanes: list[int]) -> Any:
            """Lanes of `below`, counted from 0, and of `value`, counted on."""
            positions = ir.Constant(ir.VectorType(index, len(lanes)), lanes)
            return builder.shuffle_vector(below, value, positions)

        def fill(vector: Any, scalar: Any) -> Any:
            lowest = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(index, 0))
            return choose(lowest, lowest, [0] * vector.count)

        def number(value: int) -> Any:
            return ir.Constant(n.type, value)

        def pointer(array: Any, item: Any, vector: Any) -> Any:
            return builder.bitcast(builder.gep(array, [item]), vector.as_pointer())

        def load(array: Any, item: Any, vector: Any, item_bytes: int) -> Any:
            return builder.load(pointer(array, item, vector), align=item_bytes)

        def add_to(array: Any, item: Any, value: Any, item_bytes: int) -> Any:
            total = builder.add(load(array, item, value.type, item_bytes), value)
            builder.store(total, pointer(array, item, value.type), align=item_bytes)
            return total

        def pixels(row: Any, item: Any) -> tuple[Any, Any]:
            """Even and odd ones of 16 pixels."""
            both = load(row, item, sum_vector, 2)
            low, sixteen = (ir.Constant(sum_vector, [value] * half) for value in (0xFFFF, 16))
            return builder.and_(both, low), builder.lshr(both, sixteen)

        def window_sums(even: Any, odd: Any, latest: Any) -> tuple[Any, Any]:
            """Running sums of what windows gain with every step, even and odd ones, from `latest` on."""
            value = builder.add(even, odd)
            zeros = ir.Constant(value.type, [0] * half)
            step = 1
            while step < half:
                shifted = [lane if lane < step else half + lane - step for lane in range(half)]
                value = builder.add(value, choose(zeros, value, shifted))
                step *= 2
            before = builder.load(latest)
            builder.store(builder.add(before, choose(value, value, [half - 1] * half)), latest)
            value = builder.add(value, before)
            return builder.sub(value, odd), value

        def narrow(even: Any, odd: Any) -> Any:
            """Doubles of even and odd places as floats in order."""
            halves = ir.VectorType(ir.FloatType(), half)
            even, odd = builder.fptrunc(even, halves), builder.fptrunc(odd, halves)
            return choose(even, odd, [lane // 2 + lane % 2 * half for lane in range(_VECTOR)])

        latest_sum = cgutils.alloca_once(builder, sum_vector)
        latest_square = cgutils.alloca_once(builder, square_vector)
        builder.store(fill(sum_vector, builder.trunc(builder.extract_value(carry, 0), index)), latest_sum)
        builder.store(fill(square_vector, builder.extract_value(carry, 1)), latest_square)
        share = builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), builder.sitofp(count, ir.DoubleType()))
        shares = fill(double_vector, share)
        narrow_shares = fill(float_vector, builder.fptrunc(share, ir.FloatType()))
        counts = fill(square_vector, count)
        root_type = ir.FunctionType(float_vector, [float_vector])
        root = cgutils.get_or_insert_function(builder.module, root_type, f"llvm.sqrt.v{_VECTOR}f32")
        waiting = [cgutils.alloca_once(builder, kind) for kind in 2 * [sum_vector] + 2 * [square_vector]]
        for room in waiting:
            builder.store(ir.Constant(room.type.pointee, None), room)

        def before(offset: Any) -> Any:
            return builder.sub(offset, number(_VECTOR))

        def finish(offset: Any) -> None:
            """Mean and deviation of the sums that wait, from an offset on."""
            totals = [builder.load(room) for room in waiting]
            averages, spreads = [], []
            for total, square_total in zip(totals[:2], totals[2:], strict=True):
                averages.append(builder.fmul(builder.sitofp(total, double_vector), shares))
                # count**2 times the variance: an integer, exact.
                wide_total = builder.sext(total, square_vector)
                spread = builder.sub(builder.mul(counts, square_total), builder.mul(wide_total, wide_total))
                # Wide whole numbers become doubles, and only as unsigned: all else costs AVX2 a lane at a time.
                spreads.append(builder.uitofp(spread, double_vector))
            scatter = builder.fmul(builder.call(root, [narrow(*spreads)]), narrow_shares)
            to = builder.add(at, offset)
            builder.store(narrow(*averages), pointer(means, to, float_vector), align=4)
            builder.store(scatter, pointer(deviations, to, float_vector), align=4)

        # Even and odd places that enter a window, and the odd and even ones that leave it then.
        enter = [builder.lshr(start, number(1))]
        enter.append(builder.add(enter[0], apart))
        less = builder.lshr(window, number(1))
        leave = [builder.sub(builder.sub(enter[1], less), number(1)), builder.sub(enter[0], less)]
        with cgutils.for_range(builder, builder.udiv(n, number(_VECTOR))) as loop:
            offset = builder.mul(loop.index, number(_VECTOR))
            step = builder.mul(loop.index, number(half))
            here = [builder.add(place, step) for place in enter]
            there = [builder.add(place, step) for place in leave]
            gains, square_gains = [], []
            coming, going = pixels(new, builder.add(new_at, offset)), pixels(old, builder.add(old_at, offset))
            for k in (0, 1):
                less, more = builder.sub(coming[k], going[k]), builder.add(coming[k], going[k])
                gains.append(add_to(sums, here[k], less, 4))
                less, more = builder.sext(less, square_vector), builder.sext(more, square_vector)
                square_gains.append(add_to(squares, here[k], builder.mul(less, more), 8))
            for k in (0, 1):
                gains[k] = builder.sub(gains[k], load(sums, there[k], sum_vector, 4))
                square_gains[k] = builder.sub(square_gains[k], load(squares, there[k], square_vector, 8))
            totals = window_sums(gains[0], gains[1], latest_sum)
            square_totals = window_sums(square_gains[0], square_gains[1], latest_square)
            # What has been summed up in the step before is finished meanwhile; in the first step that is nothing, and
            # overwritten in the next.
            finish(builder.select(builder.icmp_unsigned("==", offset, number(0)), offset, before(offset)))
            for room, total in zip(waiting, (*totals, *square_totals), strict=True):
                builder.store(total, room)
        with builder.if_then(builder.icmp_unsigned(">=", n, number(_VECTOR))):
            finish(before(builder.and_(n, number(-_VECTOR))))
        lane = ir.Constant(index, 0)
        last = builder.sext(builder.extract_element(builder.load(latest_sum), lane), wide)
        return context.make_tuple(
            builder, pair, [last, builder.extract_element(builder.load(latest_square), lane)]
        )

    return pair(*arguments), generate


@kernel
def _sum_windows(  # type: ignore[no-untyped-def]
    column_sums, column_squares, apart, start, window, sums, squares, n, carry
):
    """Sums of `n` windows, the first of which ends with column sum `start`; returns the last window's."""
    total, square_total = carry
    for c in range(n):
        entering, leaving = _place(start + c, apart), _place(start + c - window, apart)
        total += np.int64(column_sums[entering] - column_sums[leaving])
        square_total += column_squares[entering] - column_squares[leaving]
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
    # The columns between have the whole width; they begin in step with the cache lines and are whole vectors.
    left = min(half + -(half + phase) % _VECTOR, n)
    right = left + max(n - half - left, 0) // _VECTOR * _VECTOR
    # Column sums of the rows in reach, with zeros before and after for what windows reach of the outside.
    lead = window + -(window + half + left) % _VECTOR
    apart = (lead + n + half + _VECTOR) // _VECTOR * (_VECTOR // 2)
    column_sums = np.zeros(2 * apart + _VECTOR, np.int32)
    column_squares = np.zeros(2 * apart + _VECTOR, np.int64)
    column_sums = column_sums[(-(column_sums.ctypes.data >> 2)) & (_VECTOR - 1) :]
    column_squares = column_squares[(-(column_squares.ctypes.data >> 3)) & (_VECTOR - 1) :]
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
        if r < first:
            _exchange(column_sums, column_squares, apart, lead, new, new_at, old, old_at, n)
            continue
        height = min(entering, rows - 1) - max(r - half, 0) + 1
        # Columns that enter the windows of `_slide` are left to it.
        begin = min(left + half, n)
        end_of_slide = begin + (right - left)
        _exchange(column_sums, column_squares, apart, lead, new, new_at, old, old_at, begin)
        # The window of the column before the first.
        total = np.int64(0)
        square_total = np.int64(0)
        for c in range(lead, lead + min(half, n)):
            total += np.int64(column_sums[_place(c, apart)])
            square_total += column_squares[_place(c, apart)]
        carry = (total, square_total)
        at = lead + half
        row = r * n
        carry = _sum_windows(column_sums, column_squares, apart, at, window, sums, squares, left, carry)
        _finish(sums, squares, flat_mean, flat_deviation, row, widths, 0, left, height)
        carry = _slide(
            column_sums,
            column_squares,
            apart,
            at + left,
            window,
            right - left,
            new,
            new_at + begin,
            old,
            old_at + begin,
            flat_mean,
            flat_deviation,
            row + left,
            height * window,
            carry,
        )
        _exchange(
            column_sums, column_squares, apart, lead + end_of_slide,
            new, new_at + end_of_slide, old, old_at + end_of_slide, n - end_of_slide,
        )  # fmt: skip
        _sum_windows(column_sums, column_squares, apart, at + right, window, sums, squares, n - right, carry)
        _finish(sums, squares, flat_mean, flat_deviation, row + right, widths, right, n - right, height)
