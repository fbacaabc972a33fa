"""Rows laid out so that a filter along them needs no shifted loads.

A row is cut into 16 pieces of equal length, one for each lane of a vector, and lies in memory index by index: first
the first column of every piece, then the second ones. What is next to each other in the row is then 16 values apart, a
whole cache line, and a filter along the row is one over whole lines, as a filter across rows is: no load lies across
two cache lines, which would take twice as long, and what one column has seen is at hand for the next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

LANES = 16
"""Pieces of a row: the float32 of a cache line."""


class Lanes(NamedTuple):
    """How a row of a plane is laid out, and the values that mirror it beyond its ends (``c b a | a b c``).

    Places count from the first value of the row.

    Attributes
    ----------
    length : int
        Columns of a piece; the last one may go beyond the row's end.
    beyond : ndarray of int64, shape (n, 2)
        Place of each column of a piece that is beyond the row's end, and of the column that it mirrors.
    before, after : ndarray of int64, shape (radius,)
        Places of the columns that those before the first piece and after the last one mirror, from the row outwards.
    """

    length: int
    beyond: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


def lanes(width: int, radius: int) -> Lanes:
    """Lay out rows of `width` columns that filters look beyond by up to `radius`."""
    length = -(-width // LANES)

    def place(column: NDArray[np.int64]) -> NDArray[np.int64]:
        return column % length * LANES + column // length

    def mirror(column: NDArray[np.int64]) -> NDArray[np.int64]:
        folded = column % (2 * width)
        return place(np.where(folded < width, folded, 2 * width - 1 - folded))

    rest = np.arange(width, length * LANES)
    outside = np.arange(radius)
    return Lanes(
        length,
        np.stack([place(rest), mirror(rest)], 1),
        mirror(-1 - outside),
        mirror(length * LANES + outside),
    )


@intrinsic
def _turn(
    typingctx: Any,
    source: Any,
    at: Any,
    pitch: Any,
    target: Any,
    to: Any,
    to_pitch: Any,
    last: Any,
    last_to: Any,
) -> Any:
    """Transpose a square of 16 x 16 float32; not checked.

    Its rows begin in `source` at `at` and every `pitch` values, and are written to `target` from `to` on every
    `to_pitch` values, but for the last one, which is written to `last` at `last_to`.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target, last = (
            make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 3, 6)
        )
        vector = ir.VectorType(ir.FloatType(), LANES)

        def pointer(array: Any, start: Any, step: Any, k: int) -> Any:
            item = builder.add(start, builder.mul(step, ir.Constant(step.type, k)))
            return builder.bitcast(builder.gep(array, [item]), vector.as_pointer())

        rows = [builder.load(pointer(source, args[1], args[2], k), align=4) for k in range(LANES)]
        step = 1
        while step < LANES:
            # Squares of twice the size are transposed when their two halves change places.
            for k in range(LANES):
                if not k & step:
                    a, b = rows[k], rows[k + step]
                    upper = [lane - step + LANES if lane & step else lane for lane in range(LANES)]
                    lower = [lane + LANES if lane & step else lane + step for lane in range(LANES)]
                    positions = ir.VectorType(ir.IntType(32), LANES)
                    rows[k] = builder.shuffle_vector(a, b, ir.Constant(positions, upper))
                    rows[k + step] = builder.shuffle_vector(a, b, ir.Constant(positions, lower))
            step *= 2
        for k in range(LANES - 1):
            builder.store(rows[k], pointer(target, args[4], args[5], k), align=4)
        builder.store(rows[-1], pointer(last, args[7], args[7], 0), align=4)
        return context.get_dummy_value()

    place = types.intp
    return types.void(source, place, place, target, place, place, last, place), generate


def _neighbour(after: bool) -> Any:
    """Build `_from_lane_before` or `_from_lane_after`."""

    @intrinsic
    def neighbour(typingctx: Any, line: Any, at: Any, to: Any, outermost: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = make_array(signature.args[0])(context, builder, args[0]).data
            vector = ir.VectorType(ir.FloatType(), LANES)

            def pointer(item: Any) -> Any:
                return builder.bitcast(builder.gep(array, [item]), vector.as_pointer())

            index = ir.IntType(32)
            outer = builder.insert_element(ir.Constant(vector, ir.Undefined), args[3], ir.Constant(index, 0))
            lanes = list(range(LANES + 1))
            positions = lanes[1:] if after else [LANES, *lanes[:-2]]
            value = builder.shuffle_vector(
                builder.load(pointer(args[1]), align=4),
                outer,
                ir.Constant(ir.VectorType(index, LANES), positions),
            )
            builder.store(value, pointer(args[2]), align=4)
            return context.get_dummy_value()

        return types.void(line, types.intp, types.intp, types.float32), generate

    return neighbour


# What every piece has at one end is what the next one has at the other: 16 values at `at` move a lane on to `to`, and
# the outermost lane gets a value of its own.
_from_lane_before = _neighbour(after=False)
_from_lane_after = _neighbour(after=True)


@kernel
def to_lanes(row, at, width, length, beyond, line, to):  # type: ignore[no-untyped-def]
    """Lay a row out: ``row[at:at + width]``, after which 16 more values may be read, to `line` from `to` on.

    length, beyond: as in `Lanes`. What mirrors the ends is not written.
    """
    if length >= LANES:
        for block in range((length + LANES - 1) // LANES):
            # The last one may have columns in common with the one before.
            i = min(block * LANES, length - LANES)
            _turn(
                row, at + i, length, line, to + i * LANES, LANES, line, to + i * LANES + LANES * (LANES - 1)
            )
    else:
        for x in range(width):
            line[to + x % length * LANES + x // length] = row[at + x]
    for i in range(beyond.shape[0]):
        line[to + beyond[i, 0]] = line[to + beyond[i, 1]]


@kernel
def mirror_lanes(line, at, length, before, after, radius):  # type: ignore[no-untyped-def]
    """Write what is up to `radius` columns beyond the ends of every piece of a row, which is in `line` from `at` on."""
    for k in range(radius):
        _from_lane_before(
            line, at + (length - 1 - k) * LANES, at - (k + 1) * LANES, line[np.uint64(at + before[k])]
        )
        _from_lane_after(line, at + k * LANES, at + (length + k) * LANES, line[np.uint64(at + after[k])])


@kernel
def from_lanes(line, at, width, length, row, to, rest):  # type: ignore[no-untyped-def]
    """Write a row that is laid out in `line` from `at` on to ``row[to:to + width]``.

    rest (at least length,) float32 is scratch.
    """
    if length >= LANES:
        for block in range((length + LANES - 1) // LANES):
            i = min(block * LANES, length - LANES)
            _turn(line, at + i * LANES, LANES, row, to + i, length, rest, i)
        last = (LANES - 1) * length
        row[to + last : to + width] = rest[: width - last]
    else:
        for x in range(width):
            row[to + x] = line[at + x % length * LANES + x // length]


def _filter_of(count: int) -> Any:
    """Build `filter_line` or `filter_four`."""

    @intrinsic
    def filter_lines(
        typingctx: Any,
        source: Any,
        places: Any,
        out: Any,
        to: Any,
        taps: Any,
        n: Any,
        blocks: Any,
        step: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, places, out, to, taps = (
                make_array(signature.args[i])(context, builder, args[i]) for i in range(5)
            )
            n, blocks, step = args[5:]
            vector = ir.VectorType(ir.FloatType(), LANES)
            index = ir.IntType(32)
            kind = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")

            def number(value: int) -> Any:
                return ir.Constant(n.type, value)

            def entry(array: Any, item: Any) -> Any:
                return builder.load(builder.gep(array.data, [item]))

            def pointer(array: Any, place: Any, shift: Any) -> Any:
                item = builder.gep(array.data, [builder.add(place, shift)])
                return builder.bitcast(item, vector.as_pointer())

            def line(item: Any, shift: Any) -> Any:
                return builder.load(pointer(source, entry(places, item), shift), align=4)

            def tap(item: Any) -> Any:
                lowest = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), entry(taps, item), ir.Constant(index, 0)
                )
                lanes = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
                return builder.shuffle_vector(lowest, lowest, lanes)

            pairs = builder.sub(builder.extract_value(taps.shape, 0), number(1))
            sums, left, right = (
                [cgutils.alloca_once(builder, vector) for _ in range(count)] for _ in range(3)
            )
            last = builder.sub(n, number(LANES))
            vectors = builder.udiv(builder.add(n, number(LANES - 1)), number(LANES))
            with (
                cgutils.for_range(builder, blocks) as block,
                cgutils.for_range(builder, vectors) as piece,
            ):
                x = builder.mul(piece.index, number(LANES))
                # The last one may have values in common with the one before.
                x = builder.select(builder.icmp_signed("<", x, last), x, last)
                shift = builder.add(x, builder.mul(block.index, step))
                centre = tap(number(0))
                for j in range(count):
                    value = line(builder.add(pairs, number(j)), shift)
                    builder.store(builder.fmul(centre, value), sums[j])
                    builder.store(value, left[j])
                    builder.store(value, right[j])
                with cgutils.for_range(builder, builder.udiv(pairs, number(2))) as two:
                    # Two pairs are added up before they meet the whole, which is rounded less often so.
                    part = [None] * count
                    for k in (1, 2):
                        distance = builder.add(builder.mul(two.index, number(2)), number(k))
                        weight = tap(distance)
                        # What one output has on its left its neighbour has a step later, and the other way round.
                        for j in reversed(range(1, count)):
                            builder.store(builder.load(left[j - 1]), left[j])
                        builder.store(line(builder.sub(pairs, distance), shift), left[0])
                        for j in range(count - 1):
                            builder.store(builder.load(right[j + 1]), right[j])
                        farthest = builder.add(builder.add(pairs, distance), number(count - 1))
                        builder.store(line(farthest, shift), right[-1])
                        for j in range(count):
                            both = builder.fadd(builder.load(left[j]), builder.load(right[j]))
                            part[j] = (
                                builder.fmul(weight, both)
                                if k == 1
                                else builder.call(fma, [weight, both, part[j]])
                            )
                    for j in range(count):
                        builder.store(builder.fadd(builder.load(sums[j]), part[j]), sums[j])
                for j in range(count):
                    target = pointer(out, entry(to, number(j)), shift)
                    builder.store(builder.load(sums[j]), target, align=4)
            return context.get_dummy_value()

        place = types.intp
        return types.void(source, places, out, to, taps, place, place, place), generate

    filter_lines.__doc__ = f"""A symmetric filter of {count} line(s) at once, each a tap's distance from the one before.

    Output j, ``out[to[j] : to[j] + n]``, is ``taps[0]`` times the line at ``places[pairs + j]`` of `source` and
    ``taps[k]`` times the sum of those k before and k after it in `places`; `out` is another buffer. All of it
    is done `blocks` times, in both buffers `step` values further on each time. `n` is at least 16, the number of pairs
    even; nothing is checked. Sums run in the order of the taps.
    """
    return filter_lines


filter_line = _filter_of(1)
filter_four = _filter_of(4)
