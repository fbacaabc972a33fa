"""Rows as streams: views without reference counts, and loads and stores that the compiler may assume to be apart.

LLVM vectorises a loop over many rows only if it knows that the row written is none of those read. It checks
that at run time for a few rows and gives up for more. `read` and `write` say it in the code instead (LLVM's
scoped no-alias metadata), so that straight-line loops over a dozen rows become plain vector code.

A kernel that uses them makes a promise for the whole of one call: nothing that it writes with `write` does it
read with `read`. The compiler keeps such kernels as functions of their own, so the promise never spreads to
the caller.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


def _inputs(builder: Any) -> Any:
    """The alias scope of everything that `read` reads in the function that is being built, which stays one."""
    builder.function.attributes.add("noinline")
    module = builder.module
    domain = module.add_metadata(["mammocalc row streams"])
    return module.add_metadata([module.add_metadata(["inputs", domain])])


@intrinsic
def span(typingctx: Any, array: Any, start: Any, length: Any) -> Any:
    """``array.ravel()[start : start + length]`` of a C-contiguous array, without bounds check or reference count.

    The caller keeps `array` alive and the bounds right.
    """
    row = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = make_array(signature.args[0])(context, builder, args[0])
        item_size = context.get_abi_sizeof(context.get_data_type(row.dtype))
        step = context.get_constant(types.intp, item_size)
        view = make_array(row)(context, builder)
        populate_array(
            view,
            data=builder.gep(source.data, [args[1]]),
            shape=cgutils.pack_array(builder, [args[2]]),
            strides=cgutils.pack_array(builder, [step]),
            itemsize=step,
            meminfo=None,
        )
        return view._getvalue()

    return row(array, types.intp, types.intp), generate


@intrinsic
def read(typingctx: Any, row: Any, index: Any) -> Any:
    """``row[index]`` of a 1-D contiguous array, not checked; nothing that `write` writes is there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = make_array(signature.args[0])(context, builder, args[0])
        value = builder.load(builder.gep(source.data, [args[1]]))
        value.set_metadata("alias.scope", _inputs(builder))
        return value

    return row.dtype(row, types.intp), generate


@intrinsic
def write(typingctx: Any, row: Any, index: Any, value: Any) -> Any:
    """``row[index] = value`` of a 1-D contiguous array, not checked; nothing that `read` reads is there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = make_array(signature.args[0])(context, builder, args[0])
        store = builder.store(args[2], builder.gep(target.data, [args[1]]))
        store.set_metadata("noalias", _inputs(builder))
        return context.get_dummy_value()

    return types.void(row, types.intp, row.dtype), generate


@intrinsic
def multiply_add(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` of floats of one type, rounded once, as IEEE 754 defines it: the same on every machine."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), generate


@intrinsic
def times_power_of_two(typingctx: Any, value: Any, power: Any) -> Any:
    """``value * 2 ** n`` of a float32, n a whole number in the last bits of the float32 `power`; no overflow is seen.

    A sum of a number and ``1.5 * 2 ** 23`` is of that kind.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        value, power = (builder.bitcast(arg, word) for arg in args)
        exponent = builder.shl(power, ir.Constant(word, 23))
        return builder.bitcast(builder.add(value, exponent), args[0].type)

    return types.float32(types.float32, types.float32), generate


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Have ``array.ravel()[index]`` of a C-contiguous array in the cache soon; harmless outside of the array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = make_array(signature.args[0])(context, builder, args[0])
        address = builder.bitcast(builder.gep(source.data, [args[1]]), cgutils.voidptr_t)
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # For reading, to be kept in every level of the cache, data.
        builder.call(function, [address, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _running_clamp(backwards: bool) -> Any:
    """Build `clamp_right` or `clamp_left`."""

    @intrinsic
    def running_clamp(
        typingctx: Any, low: Any, high: Any, start: Any, target: Any, n: Any, carry: Any
    ) -> Any:
        item = low.dtype
        lanes = 64 // (item.bitwidth // 8)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            floor = make_array(signature.args[0])(context, builder, args[0]).data
            roof = builder.gep(make_array(signature.args[1])(context, builder, args[1]).data, [args[2]])
            out = make_array(signature.args[3])(context, builder, args[3]).data
            vector = ir.VectorType(context.get_data_type(item), lanes)
            index = ir.IntType(32)
            undefined = ir.Constant(vector, ir.Undefined)

            def pick(positions: list[int]) -> Any:
                return ir.Constant(ir.VectorType(index, lanes), positions)

            def lesser(a: Any, b: Any) -> Any:
                below = builder.fcmp_ordered if isinstance(item, types.Float) else builder.icmp_unsigned
                return builder.select(below("<", a, b), a, b)

            def greater(a: Any, b: Any) -> Any:
                below = builder.fcmp_ordered if isinstance(item, types.Float) else builder.icmp_unsigned
                return builder.select(below("<", a, b), b, a)

            latest = cgutils.alloca_once(builder, vector)
            lowest = builder.insert_element(undefined, args[5], ir.Constant(index, 0))
            builder.store(builder.shuffle_vector(lowest, undefined, pick([0] * lanes)), latest)
            width = ir.Constant(args[4].type, lanes)
            blocks = builder.udiv(args[4], width)
            with cgutils.for_range(builder, blocks) as loop:
                block = loop.index
                if backwards:
                    block = builder.sub(builder.sub(blocks, block), ir.Constant(block.type, 1))
                offset = builder.mul(block, width)

                def here(pointer: Any, offset: Any = offset) -> Any:
                    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

                lower = builder.load(here(floor), align=item.bitwidth // 8)
                upper = builder.load(here(roof), align=item.bitwidth // 8)
                step = 1
                while step < lanes:
                    # A lane without predecessor meets itself, which changes nothing.
                    if backwards:
                        before = pick([lane + step if lane + step < lanes else lane for lane in range(lanes)])
                    else:
                        before = pick([lane - step if lane >= step else lane for lane in range(lanes)])
                    earlier_lower = builder.shuffle_vector(lower, undefined, before)
                    earlier_upper = builder.shuffle_vector(upper, undefined, before)
                    lower, upper = (
                        greater(lower, lesser(upper, earlier_lower)),
                        greater(lower, lesser(upper, earlier_upper)),
                    )
                    step *= 2
                value = greater(lower, lesser(upper, builder.load(latest)))
                builder.store(value, here(out), align=item.bitwidth // 8)
                last = pick([0 if backwards else lanes - 1] * lanes)
                builder.store(builder.shuffle_vector(value, undefined, last), latest)
            return builder.extract_element(builder.load(latest), ir.Constant(index, 0))

        return item(low, high, types.intp, target, types.intp, item), generate

    running_clamp.__doc__ = f"""``x = target[i] = max(low[i], min(high[start + i], x))``, x first `carry`; the last x.

    {"From the last i to the first." if backwards else "From the first i to the last."} `low` is nowhere above
    `high`; `low` and `target` may be the same. `n` is rounded down to whole vectors of 64 bytes; nothing is
    checked. Two clamps in a row are a clamp, so a vector of them is composed in log2(lanes) steps, as in
    `running_sum`.
    """
    return running_clamp


clamp_right = _running_clamp(backwards=False)
clamp_left = _running_clamp(backwards=True)
