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
