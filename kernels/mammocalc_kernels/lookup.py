"""A look-up table applied to a window of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands


@kernel
def _look_up_rows(
    pixels: NDArray[np.uint16],
    table: NDArray[np.float32],
    top: int,
    left: int,
    first: int,
    end: int,
    out: NDArray[np.float32],
) -> None:
    last = np.uint16(table.size - 1)
    for i in range(first, end):
        for j in range(out.shape[1]):
            out[i, j] = table[min(pixels[top + i, left + j], last)]


def look_up(
    pixels: NDArray[np.uint16],
    table: NDArray[np.float32],
    window: tuple[int, int, int, int] | None = None,
    threads: int = 1,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """``table[pixels]`` inside a window; values beyond the table's end take its last entry.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        C-contiguous.
    table : ndarray of float32, shape (n,)
        At least one and at most 65536 entries, C-contiguous.
    window : tuple of int, optional
        row_min, col_min, row_max, col_max, half open, pixels; the whole image by default.
    threads : int
        Bands of rows that are worked on at once.
    out : ndarray of float32, optional
        C-contiguous, the window's shape; filled and returned. Fresh memory costs as much as the work itself.

    Returns
    -------
    ndarray of float32, shape (row_max - row_min, col_max - col_min)

    Raises
    ------
    ValueError
        An array has the wrong type, shape or layout, or the window leaves the image.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or not pixels.flags.c_contiguous:
        raise ValueError("pixels: a C-contiguous two-dimensional uint16 array is needed")
    if table.ndim != 1 or table.dtype != np.float32 or not table.flags.c_contiguous:
        raise ValueError("table: a C-contiguous one-dimensional float32 array is needed")
    if not 1 <= table.size <= 65536:
        raise ValueError(f"table: 1 to 65536 entries, got {table.size}")
    row_min, col_min, row_max, col_max = window or (0, 0, *pixels.shape)
    if not (0 <= row_min <= row_max <= pixels.shape[0] and 0 <= col_min <= col_max <= pixels.shape[1]):
        raise ValueError(f"window: {window} leaves the image of shape {pixels.shape}")
    shape = (row_max - row_min, col_max - col_min)
    if out is None:
        out = np.empty(shape, np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out: a C-contiguous float32 array of shape {shape} is needed")

    def band(first: int, end: int) -> None:
        _look_up_rows(pixels, table, row_min, col_min, first, end, out)

    run_bands(band, shape[0], threads)
    return out
