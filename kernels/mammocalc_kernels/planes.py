"""Checks that every kernel makes of the planes that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_plane(plane: Any, dtypes: tuple[type[np.generic], ...]) -> None:
    """Refuse what is not a C-contiguous plane of one of the `dtypes` with at least one pixel.

    Raises
    ------
    TypeError
        Not an array, or another dtype.
    ValueError
        Not 2-D, empty, or not C-contiguous.
    """
    if not isinstance(plane, np.ndarray) or plane.dtype.type not in dtypes:
        expected = " or ".join(dtype.__name__ for dtype in dtypes)
        raise TypeError(
            f"expected an array of {expected}, not {getattr(plane, 'dtype', type(plane).__name__)}"
        )
    if plane.ndim != 2 or plane.size == 0:
        raise ValueError(f"expected a plane with at least one pixel, not shape {plane.shape}")
    if not plane.flags.c_contiguous:
        raise ValueError("expected C-contiguous rows; np.ascontiguousarray makes them")


def output_like(
    plane: NDArray[Any], out: NDArray[Any] | None, dtype: type[np.generic] | None = None
) -> NDArray[Any]:
    """A new plane of the shape of `plane`, or `out` once it has passed: of that shape and dtype, not overlapping.

    Raises
    ------
    TypeError
        `out` has another dtype.
    ValueError
        `out` has another shape, is not C-contiguous or overlaps `plane`.
    """
    wanted = plane.dtype.type if dtype is None else dtype
    if out is None:
        return np.empty(plane.shape, wanted)
    check_plane(out, (wanted,))
    if out.shape != plane.shape:
        raise ValueError(f"out has shape {out.shape}, the plane {plane.shape}")
    if np.may_share_memory(plane, out):
        raise ValueError("out must not overlap the plane")
    return out
