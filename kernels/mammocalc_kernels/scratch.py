"""Planes to work in, kept from one image to the next: fresh memory costs as much as the work that is done in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Three planes of float32 of a breast that fills two thirds of the usual image.
_MOST_KEPT_BYTES = 56_000_000

# Nothing locks: `list.pop` and `list.append` are each one step, and a child that is forked may not wait for a lock.
_empty: list[NDArray[np.uint8]] = []
_cleared: list[NDArray[np.uint8]] = []


@contextmanager
def scratch_plane(
    shape: tuple[int, ...], dtype: type[np.generic], *, cleared: bool = False
) -> Iterator[NDArray[Any]]:
    """A C-contiguous plane to work in, for one user at a time, that nobody may look at afterwards.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy scalar type
    cleared : bool
        All 0, and to be given back so; else it holds anything.
    """
    shelf = _cleared if cleared else _empty
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = _taken(shelf, size)
    if memory is None:
        memory = (np.zeros if cleared else np.empty)(size, np.uint8)
    yield memory[:size].view(dtype).reshape(shape)
    # After an error it is not known what it holds, and it is let go.
    if memory.nbytes + sum(kept.nbytes for kept in (*_empty, *_cleared)) <= _MOST_KEPT_BYTES:
        shelf.append(memory)


def _taken(shelf: list[NDArray[np.uint8]], size: int) -> NDArray[np.uint8] | None:
    """Memory of at least `size` bytes from the shelf; what is too small is let go, so that larger ones take over."""
    while shelf:
        try:
            memory = shelf.pop()
        except IndexError:
            break
        if memory.nbytes >= size:
            return memory
    return None
