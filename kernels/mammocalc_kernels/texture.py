"""Order statistics of a plane in tiles: how strong noise and texture are in each part of the breast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane
from mammocalc_kernels.quantiles import order_statistic


def tile_quantiles(
    plane: NDArray[np.float32],
    inside: NDArray[np.bool_],
    cell: int,
    tile: int,
    quantile: float,
    stride: int = 3,
    fewest: int = 50,
    threads: int = 1,
) -> NDArray[np.float32]:
    """A quantile of a plane in square tiles, over every `stride`-th pixel that lies inside.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        C-contiguous.
    inside : ndarray of bool, shape (ceil(h / cell), ceil(w / cell))
        Cells of `cell` px that count.
    cell, tile : int
        Side of a cell and of a tile, px.
    quantile : float
        0 to 1; the order statistic at ``floor(quantile * (n - 1))``.
    stride : int
        Only pixels whose row and column within the tile are multiples of `stride` are read.
    fewest : int
        Tiles with fewer pixels are NaN.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (ceil(h / tile), ceil(w / tile))

    Raises
    ------
    TypeError, ValueError
        The plane is not 2-D C-contiguous float32 with at least one pixel.
    """
    check_plane(plane, (np.float32,))
    h, w = plane.shape
    out = np.empty((-(-h // tile), -(-w // tile)), np.float32)

    def part(first: int, end: int) -> None:
        _tile_quantiles(plane, inside, cell, tile, quantile, stride, fewest, out, first, end)

    run_bands(part, out.shape[0], threads, smallest=4)
    return out


def median_magnitudes(
    planes: NDArray[np.float32],
    rows: NDArray[np.int64],
    inside: NDArray[np.bool_],
    cell: int,
    stride: int,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Median of the absolute values of each plane over every `stride`-th column of some rows, inside alone.

    Parameters
    ----------
    planes : ndarray of float32, shape (k, h, w)
        C-contiguous, without NaN where it is read.
    rows : ndarray of int64, shape (n,)
    inside : ndarray of bool, shape (n, ceil(w / cell))
        Cells of `cell` px of each of the rows that count.
    cell, stride : int
        px.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (k,)
        As ``np.median``; NaN where nothing is inside.
    """
    out = np.empty(len(planes), np.float32)

    def part(first: int, end: int) -> None:
        _median_magnitudes(planes, rows, inside, cell, stride, out, first, end)

    run_bands(part, len(planes), threads, smallest=1)
    return out


@kernel
def _append_inside(values, count, line, cells, cell, first, end, stride):  # type: ignore[no-untyped-def]
    """Append every `stride`-th pixel of ``line[first:end]`` that lies inside; the new count.

    `values` has room for one more than all of them.
    """
    column = first
    while column < end:
        # The columns of one cell together: it takes longer to find the cell than to read a pixel.
        at = column // cell
        stop = min((at + 1) * cell, end)
        counted = cells[at]
        while column < stop:
            values[count] = line[column]
            count += counted
            column += stride
    return count


@kernel
def _median_magnitudes(planes, rows, inside, cell, stride, out, first, end):  # type: ignore[no-untyped-def]
    width = planes.shape[2]
    values = np.empty(len(rows) * (width // stride + 1) + 1, np.float32)
    for k in range(first, end):
        count = 0
        for i in range(len(rows)):
            count = _append_inside(values, count, planes[k, rows[i]], inside[i], cell, 0, width, stride)
        if count == 0:
            out[k] = np.nan
            continue
        for i in range(count):
            values[i] = abs(values[i])
        lower = order_statistic(values, count, (count - 1) // 2)
        out[k] = (lower + order_statistic(values, count, count // 2)) / np.float32(2)


@kernel
def _tile_quantiles(plane, inside, cell, tile, quantile, stride, fewest, out, first, end):  # type: ignore[no-untyped-def]
    h, w = plane.shape
    side = (tile + stride - 1) // stride
    values = np.empty(side * side + 1, np.float32)
    for i in range(first, end):
        for j in range(out.shape[1]):
            count = 0
            right = min((j + 1) * tile, w)
            for r in range(i * tile, min((i + 1) * tile, h), stride):
                cells = inside[r // cell]
                count = _append_inside(values, count, plane[r], cells, cell, j * tile, right, stride)
            if count < fewest:
                out[i, j] = np.nan
            else:
                out[i, j] = order_statistic(values, count, int(quantile * (count - 1)))
