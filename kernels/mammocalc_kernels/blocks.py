"""Reduction of an image to square cells: mean, least and greatest pixel of each, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands


@kernel
def _fold_rows(pixels: Any, total: Any, smallest: Any, largest: Any) -> None:
    """Sum, least and greatest of each column of some rows of pixels; three rows at a time keep the sums in hand."""
    line = pixels[0]
    for column in range(len(line)):
        value = line[column]
        total[column] = value
        smallest[column] = value
        largest[column] = value
    rows = pixels.shape[0]
    threes = 1 + (rows - 1) // 3 * 3
    for row in range(1, threes, 3):
        one, two, three = pixels[row], pixels[row + 1], pixels[row + 2]
        for column in range(len(one)):
            a, b, c = one[column], two[column], three[column]
            total[column] += np.uint32(a) + np.uint32(b) + np.uint32(c)
            smallest[column] = min(smallest[column], min(a, min(b, c)))
            largest[column] = max(largest[column], max(a, max(b, c)))
    for row in range(threes, rows):
        line = pixels[row]
        for column in range(len(line)):
            value = line[column]
            total[column] += value
            smallest[column] = min(smallest[column], value)
            largest[column] = max(largest[column], value)


@kernel
def _fold_valid_rows(
    pixels: Any, low: int, high: int, total: Any, smallest: Any, largest: Any, count: Any
) -> None:
    """The same of the pixels that are not in `low` to `high`, and how many there are; of none 0, 65535 and 0."""
    total[:] = 0
    smallest[:] = 65535
    largest[:] = 0
    count[:] = 0
    for row in range(pixels.shape[0]):
        line = pixels[row]
        for column in range(len(line)):
            value = line[column]
            inside = np.uint16(value < low or value > high)
            total[column] += np.uint32(value) * inside
            count[column] += inside
            smallest[column] = min(smallest[column], value if inside else np.uint16(65535))
            largest[column] = max(largest[column], value if inside else np.uint16(0))


@kernel
def _reduce_cell_rows(
    pixels: NDArray[np.uint16],
    step: int,
    padding_low: int,
    padding_high: int,
    first: int,
    end: int,
    mean: NDArray[np.float32],
    least: NDArray[np.uint16],
    greatest: NDArray[np.uint16],
    valid: NDArray[np.uint16],
) -> None:
    rows, columns = pixels.shape
    low = np.uint16(max(padding_low, 0))
    high = np.uint16(max(padding_high, 0))
    total = np.empty(columns, np.uint32)
    smallest = np.empty(columns, np.uint16)
    largest = np.empty(columns, np.uint16)
    count = np.empty(columns, np.uint16)
    padded = padding_low <= padding_high
    for i in range(first, end):
        # Down the columns first: these loops vectorise, and only one row in `step` is left to add up across.
        some = pixels[i * step : min((i + 1) * step, rows)]
        if padded:
            _fold_valid_rows(some, low, high, total, smallest, largest, count)
        else:
            _fold_rows(some, total, smallest, largest)
        for j in range(mean.shape[1]):
            # Slices: places in them need no check.
            left, right = j * step, min((j + 1) * step, columns)
            totals, lows, highs = total[left:right], smallest[left:right], largest[left:right]
            cell_count = np.sum(count[left:right]) if padded else np.uint64(len(some) * len(totals))
            cell_total = np.uint64(0)
            cell_least, cell_greatest = np.uint16(65535), np.uint16(0)
            for k in range(len(totals)):
                cell_total += np.uint64(totals[k])
                cell_least = min(cell_least, lows[k])
                cell_greatest = max(cell_greatest, highs[k])
            valid[i, j] = cell_count
            if cell_count > 0:
                mean[i, j] = np.float32(np.float64(cell_total) / np.float64(cell_count))
                least[i, j] = cell_least
                greatest[i, j] = cell_greatest
            else:
                mean[i, j] = np.float32(0.0)
                least[i, j] = 0
                greatest[i, j] = 0


def reduce_cells(
    pixels: NDArray[np.uint16],
    step: int,
    padding: tuple[int, int] | None = None,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
    """Mean, least and greatest value and number of valid pixels of each square cell of an image.

    Cell (i, j) covers pixels ``[i*step, (i+1)*step) x [j*step, (j+1)*step)``; the last cells of a row or column may
    be cut by the image's border. Sums are exact integers, so the result does not depend on `threads`.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        C-contiguous.
    step : int
        Side of a cell, pixels, 1 to 255.
    padding : tuple of int, optional
        Inclusive range of values that count as missing.
    threads : int
        Bands of rows that are worked on at once.

    Returns
    -------
    mean : ndarray of float32, shape (ceil(rows / step), ceil(columns / step))
        0 where no pixel is valid.
    least, greatest, valid : ndarray of uint16, same shape
        Extremes (0 where no pixel is valid) and number of valid pixels.

    Raises
    ------
    ValueError
        `pixels` is not a C-contiguous two-dimensional uint16 array with at least one pixel, or `step` is out of range.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or not pixels.flags.c_contiguous or pixels.size == 0:
        raise ValueError(
            "pixels: a C-contiguous two-dimensional uint16 array with at least one pixel is needed"
        )
    if not 1 <= step <= 255:
        raise ValueError(f"step: 1 to 255 pixels, got {step}")
    rows, columns = pixels.shape
    shape = (-(-rows // step), -(-columns // step))
    mean = np.empty(shape, np.float32)
    least = np.empty(shape, np.uint16)
    greatest = np.empty(shape, np.uint16)
    valid = np.empty(shape, np.uint16)
    low, high = (1, 0) if padding is None else padding

    def band(first: int, end: int) -> None:
        _reduce_cell_rows(pixels, step, low, high, first, end, mean, least, greatest, valid)

    run_bands(band, shape[0], threads)
    return mean, least, greatest, valid
