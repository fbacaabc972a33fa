"""The one place that decides how kernels are compiled, and how rows are shared between threads."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
from numba import types


def _import_arrays_alone() -> None:
    """Import numba's arrays without scipy.linalg.

    They look for it to know whether there is linear algebra, which takes as long as numba itself. It is there if SciPy
    is, and is loaded when a function that needs it is compiled; no kernel does.
    """
    wanted = "scipy.linalg.cython_blas"
    if wanted in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[wanted] = None  # type: ignore[assignment]
    try:
        from numba.np import arraymath
    finally:
        del sys.modules[wanted]
    arraymath._HAVE_BLAS = importlib.util.find_spec("scipy") is not None


_import_arrays_alone()


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use for the types it is called with: releases the GIL, cached on disk, IEEE arithmetic.

    No fast-math: sums keep their order, so that results do not depend on threads or machines.
    """
    # Nobody calls them by address: without the wrapper for that, each is compiled and loaded once less.
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    compiled: Callable[..., Any]
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder can be written, neither beside the sources nor at home: every process compiles for itself.
        compiled = numba.njit(**options)(function)
    _take_literals_for_numbers(compiled)
    return compiled


def _take_literals_for_numbers(compiled: Any) -> None:
    """Have a kernel that another one calls with a literal, such as ``0``, compiled for the type of number only.

    To the compiler a literal is a type of its own, and even a variable that begins as one: a sixth of all kernels would
    be compiled twice.
    """
    by_type = compiled.get_call_template

    def get_call_template(arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        plain = {name: types.unliteral(kind) for name, kind in keywords.items()}
        return by_type(tuple(types.unliteral(kind) for kind in arguments), plain)

    compiled.get_call_template = get_call_template


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="mammocalc-rows")


# A forked child inherits the cached pools but not their threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def bands(rows: int, threads: int, smallest: int = 64) -> list[tuple[int, int]]:
    """Split ``range(rows)`` into at most `threads` contiguous half-open bands of at least `smallest` rows."""
    count = max(1, min(threads, rows // smallest))
    edges = [rows * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def run_bands(function: Callable[[int, int], Any], rows: int, threads: int, smallest: int = 64) -> list[Any]:
    """Call ``function(first_row, end_row)`` for each band, in `threads` threads, and return the results in band order.

    The function must write only rows of its own band; whatever it returns may depend on the band only where the
    caller joins the parts in a way that does not.
    """
    parts = bands(rows, threads, smallest)
    if len(parts) == 1:
        return [function(*parts[0])]
    pending = [_pool(threads).submit(function, *part) for part in parts]
    return [future.result() for future in pending]


def run_each(function: Callable[[Any], Any], pieces: Sequence[Any], threads: int) -> list[Any]:
    """Call ``function(piece)`` for each piece, each thread taking the next as it comes free; the results in order.

    For pieces that cost unlike amounts of time, and for steps that do not wait for each other. The function must not
    share out its own work by `threads` again: it would wait for the threads that it holds.
    """
    if threads == 1 or len(pieces) < 2:
        return [function(piece) for piece in pieces]
    pending = [_pool(threads).submit(function, piece) for piece in pieces]
    return [future.result() for future in pending]
