"""The one place that decides how kernels are compiled, and how rows are shared between threads."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="mammocalc-helper")


# A forked child inherits the cached pools but not their threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)

# Bands for each thread: who is done early takes one more, and rows without a breast cost less than others.
_SHARES = 2


def bands(rows: int, count: int, smallest: int = 64) -> list[tuple[int, int]]:
    """Split ``range(rows)`` into at most `count` contiguous half-open bands of at least `smallest` rows."""
    count = max(1, min(count, rows // smallest))
    edges = [rows * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def run_bands(
    function: Callable[[int, int], Any], rows: int, threads: int, smallest: int = 64, shares: int = _SHARES
) -> list[Any]:
    """Call ``function(first_row, end_row)`` for each of `shares` bands a thread, and return the results in band order.

    The function must write only rows of its own band; whatever it returns may depend on the band only where the
    caller joins the parts in a way that does not. More shares are for rows of very different cost, such as objects.
    """
    parts = bands(rows, 1 if threads == 1 else shares * threads, smallest)
    return run_each(lambda part: function(*part), parts, threads)


def run_each(function: Callable[[Any], Any], pieces: Sequence[Any], threads: int) -> list[Any]:
    """Call ``function(piece)`` for each piece, each thread taking the next as it comes free; the results in order.

    The caller's own thread is one of the `threads`, and begins with the first piece. The others help where they are
    free, so that a function may share out its own work in turn, and nobody waits for work that nobody has begun.
    """
    results: list[Any] = [None] * len(pieces)
    waiting = deque(range(1, len(pieces)))

    def next_ones() -> Iterator[int]:
        while True:
            try:
                k = waiting.popleft()
            except IndexError:
                return
            yield k

    def work(numbers: Iterable[int]) -> None:
        for k in numbers:
            results[k] = function(pieces[k])

    helpers = [_pool(threads - 1).submit(work, next_ones()) for _ in range(min(threads, len(pieces)) - 1)]
    try:
        work(itertools.chain(range(len(pieces))[:1], next_ones()))
    finally:
        waiting.clear()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    return results
