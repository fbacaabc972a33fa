"""Samples of the pixel noise: how far a pixel stands from the mean of its neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands


@kernel
def _sample(
    pixels: NDArray[np.uint16],
    cells: NDArray[np.bool_],
    step: int,
    stride: int,
    low: int,
    high: int,
    first: int,
    end: int,
    level: NDArray[np.float32],
    residual: NDArray[np.float32],
    centre: NDArray[np.uint16],
) -> int:
    columns = pixels.shape[1]
    found = 0
    for turn in range(first, end):
        row = 2 + turn * stride
        cell_row = row // step
        for column in range(2, columns - 2, stride):
            if not cells[cell_row, column // step]:
                continue
            total = 0
            least = 65535
            greatest = 0
            for i in range(row - 2, row + 3):
                # A slice: places in it need no check.
                line = pixels[i, column - 2 : column + 3]
                for j in range(5):
                    value = int(line[j])
                    total += value
                    least = min(least, value)
                    greatest = max(greatest, value)
            if least <= low or greatest >= high:
                continue
            own = np.int64(pixels[row, column])
            around = (total - own) / 24.0
            level[found] = around
            residual[found] = (own - around) * np.sqrt(24.0 / 25.0)
            centre[found] = own
            found += 1
    return found


def sample_noise(
    pixels: NDArray[np.uint16],
    cells: NDArray[np.bool_],
    step: int,
    stride: int,
    low: int = -1,
    high: int = 65536,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16]]:
    """High-pass residual of pixels on a sparse lattice: the pixel less the mean of its 24 neighbours.

    The residual is scaled by sqrt(24 / 25), so that white noise of standard deviation s gives residuals of
    standard deviation s. Linear ramps cancel. The level excludes the pixel itself, so that it does not
    select on the residual's sign (Bria et al. 2016, doi 10.1007/978-3-319-41546-8_4, use the same kind of table).

    Parameters
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        C-contiguous.
    cells : ndarray of bool, shape (ceil(rows / step), ceil(columns / step))
        Cells of `step` x `step` pixels from which samples are taken.
    step, stride : int
        Side of a cell and distance between samples along rows and columns, pixels.
    low, high : int
        A sample whose 5 x 5 window holds a value ``<= low`` or ``>= high`` is left out: clipped or padding.
    threads : int
        Bands of rows that are worked on at once.

    Returns
    -------
    level, residual : ndarray of float32, shape (n,)
        Mean of the neighbours and scaled residual, stored values; row-major order.
    centre : ndarray of uint16, shape (n,)
        The sampled pixels themselves.

    Raises
    ------
    ValueError
        An array has the wrong type, shape or layout, or `step` or `stride` is below 1.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or not pixels.flags.c_contiguous:
        raise ValueError("pixels: a C-contiguous two-dimensional uint16 array is needed")
    if step < 1 or stride < 1:
        raise ValueError(f"step and stride: at least 1 pixel, got {step} and {stride}")
    rows, columns = pixels.shape
    if cells.dtype != np.bool_ or cells.shape != (-(-rows // step), -(-columns // step)):
        raise ValueError("cells: a bool array with one entry a cell is needed")
    turns, width = len(range(2, rows - 2, stride)), len(range(2, columns - 2, stride))
    level = np.empty((turns, width), np.float32)
    residual = np.empty((turns, width), np.float32)
    centre = np.empty((turns, width), np.uint16)
    inside = np.ascontiguousarray(cells)

    def band(first: int, end: int) -> tuple[NDArray[Any], ...]:
        own = [values[first:end].ravel() for values in (level, residual, centre)]
        found = _sample(pixels, inside, step, stride, low, high, first, end, *own)
        return tuple(values[:found] for values in own)

    parts = run_bands(band, turns, threads, 16)
    levels, residuals, centres = (np.concatenate(values) for values in zip(*parts, strict=True))
    return levels, residuals, centres
