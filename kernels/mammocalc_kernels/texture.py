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
            right = min((j + 1) * tile, w)
            for r in range(i * tile, min((i + 1) * tile, h), stride):
                line, cells = plane[r], inside[r // cell]
                c = j * tile
                while c < right:
                    # The columns of one cell together: it takes longer to find the cell than to read a pixel.
                    at = c // cell
                    stop = min((at + 1) * cell, right)
                    wanted = cells[at]
                    while c < stop:
                        values[count] = line[c]
                        count += wanted
                        c += stride
            if count < fewest:
                out[i, j] = np.nan
            else:
                out[i, j] = order_statistic(values, count, int(quantile * (count - 1)))


@kernel
def order_statistic(values, n, rank):  # type: ignore[no-untyped-def]
    """The value of 0-based `rank` among ``values[:n]``, float32 without NaN, which is overwritten.

    By bisection of what the value may be, bit by bit: counting is vector code without a branch, unlike exchanging.
    """
    ordered = values[:n].view(np.int32)
    for k in range(n):
        # As whole numbers, floats are in order once the lower bits of the negative ones are inverted.
        bits = ordered[k]
        ordered[k] = bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
    low, high = np.int64(-(2**31)), np.int64(2**31 - 1)
    while low < high:
        middle = (low + high) >> 1
        limit = np.int32(middle)
        below = np.int32(0)
        for k in range(n):
            below = np.int32(below + (ordered[k] <= limit))
        if below > rank:
            high = middle
        else:
            low = middle + 1
    found = np.int32(low)
    ordered[0] = found ^ ((found >> np.int32(31)) & np.int32(0x7FFFFFFF))
    return values[0]
