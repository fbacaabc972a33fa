"""Order statistics of a plane in tiles: how strong noise and texture are in each part of the breast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane


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


@kernel
def _tile_quantiles(plane, inside, cell, tile, quantile, stride, fewest, out, first, end):  # type: ignore[no-untyped-def]
    h, w = plane.shape
    side = (tile + stride - 1) // stride
    values = np.empty(side * side, np.float32)
    for i in range(first, end):
        for j in range(out.shape[1]):
            count = 0
            for r in range(i * tile, min((i + 1) * tile, h), stride):
                for c in range(j * tile, min((j + 1) * tile, w), stride):
                    if inside[r // cell, c // cell]:
                        values[count] = plane[r, c]
                        count += 1
            if count < fewest:
                out[i, j] = np.nan
            else:
                out[i, j] = _order_statistic(values, count, int(quantile * (count - 1)))


@kernel
def _order_statistic(values, n, rank):  # type: ignore[no-untyped-def]
    """The value of 0-based `rank` among ``values[:n]``, which is reordered (Hoare's selection)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]
