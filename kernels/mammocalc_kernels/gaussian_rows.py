"""Gaussian filtering a row at a time: the taps, and the two one-row passes that fused kernels are made of.

A pass is a sum of symmetric pairs, four pairs a sweep. Every sweep is straight-line code over contiguous
slices, so that the compiler turns it into vector instructions, and each output is summed in one fixed order.
Borders mirror the image (``c b a | a b c``): of the usual extensions this is the one under which one blur
after another equals a single wider blur up to the border.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

TRUNCATE = 3.5
"""Half width of the taps in standard deviations, before rounding up: what is cut off is below 5e-4."""


def gaussian_taps(sigma: float) -> NDArray[np.float32]:
    """Centre and right half of a sampled Gaussian, normalised, with exactly the variance asked for.

    Parameters
    ----------
    sigma : float
        Standard deviation, px.

    Returns
    -------
    ndarray of float32, shape (radius + 1,)
        The radius is even, at least 4, and at least 3.5 `sigma`. The width of the sampled Gaussian is
        adjusted so that the variance of the taps is ``sigma ** 2``: cut-off and sampling would otherwise
        change it, and the error would add up where one blur follows another.

    Raises
    ------
    ValueError
        If `sigma` is not positive and finite.
    """
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"sigma must be positive and finite, got {sigma!r}")
    radius = max(4, 2 * math.ceil(TRUNCATE * sigma / 2))
    offsets = np.arange(radius + 1, dtype=np.float64)

    def half(width: float) -> NDArray[np.float64]:
        taps = np.exp(-0.5 * (offsets / width) ** 2)
        return taps / (2 * taps.sum() - taps[0])

    narrow, wide = 0.5 * sigma, 2.0 * sigma + 0.5
    for _ in range(60):
        middle = 0.5 * (narrow + wide)
        if 2 * (offsets**2 * half(middle)).sum() < sigma**2:
            narrow = middle
        else:
            wide = middle
    return half(0.5 * (narrow + wide)).astype(np.float32)


@kernel
def _centre_and_four(out, c, a1, b1, a2, b2, a3, b3, a4, b4, w0, w1, w2, w3, w4):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] = (
            w0 * c[x]
            + w1 * (a1[x] + b1[x])
            + w2 * (a2[x] + b2[x])
            + w3 * (a3[x] + b3[x])
            + w4 * (a4[x] + b4[x])
        )


@kernel
def _add_four(out, a1, b1, a2, b2, a3, b3, a4, b4, w1, w2, w3, w4):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] += w1 * (a1[x] + b1[x]) + w2 * (a2[x] + b2[x]) + w3 * (a3[x] + b3[x]) + w4 * (a4[x] + b4[x])


@kernel
def _add_two(out, a1, b1, a2, b2, w1, w2):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] += w1 * (a1[x] + b1[x]) + w2 * (a2[x] + b2[x])


@kernel
def mirrored(position, size):  # type: ignore[no-untyped-def]
    """Position inside ``range(size)`` that a position beyond it repeats: ``c b a | a b c | c b a``."""
    if 0 <= position < size:
        return position
    folded = position % (2 * size)
    return folded if folded < size else 2 * size - 1 - folded


@kernel
def ring_row(rows, row, height):  # type: ignore[no-untyped-def]
    """Row `row` of a plane of `height` rows, mirrored beyond the border, out of a ring of its latest rows."""
    return rows[mirrored(row, height) % rows.shape[0]]


@kernel
def filter_across_rows(out, rows, row, height, taps):  # type: ignore[no-untyped-def]
    """One output row of a vertical symmetric filter.

    Parameters
    ----------
    out : ndarray of float32, shape (w,)
        Overwritten.
    rows : ndarray of float32, shape (n, w)
        The plane itself (``n == height``), or a ring in which plane row i lies at ``i % n`` and which holds
        at least rows ``row - radius .. row + radius`` as far as they exist.
    row, height : int
        Output row, and the number of rows of the plane; rows beyond the border mirror it.
    taps : ndarray of float32, shape (radius + 1,)
        Centre and one side; the radius is even and at least 4.
    """
    _centre_and_four(
        out,
        ring_row(rows, row, height),
        ring_row(rows, row - 1, height),
        ring_row(rows, row + 1, height),
        ring_row(rows, row - 2, height),
        ring_row(rows, row + 2, height),
        ring_row(rows, row - 3, height),
        ring_row(rows, row + 3, height),
        ring_row(rows, row - 4, height),
        ring_row(rows, row + 4, height),
        taps[0],
        taps[1],
        taps[2],
        taps[3],
        taps[4],
    )
    j = 5
    while j + 3 < taps.size:
        _add_four(
            out,
            ring_row(rows, row - j, height),
            ring_row(rows, row + j, height),
            ring_row(rows, row - j - 1, height),
            ring_row(rows, row + j + 1, height),
            ring_row(rows, row - j - 2, height),
            ring_row(rows, row + j + 2, height),
            ring_row(rows, row - j - 3, height),
            ring_row(rows, row + j + 3, height),
            taps[j],
            taps[j + 1],
            taps[j + 2],
            taps[j + 3],
        )
        j += 4
    if j < taps.size:
        _add_two(
            out,
            ring_row(rows, row - j, height),
            ring_row(rows, row + j, height),
            ring_row(rows, row - j - 1, height),
            ring_row(rows, row + j + 1, height),
            taps[j],
            taps[j + 1],
        )


@kernel
def mirror_ends(padded, radius, width):  # type: ignore[no-untyped-def]
    """Fill `radius` values on both sides of ``padded[radius:radius + width]`` with its mirror image."""
    for j in range(1, radius + 1):
        padded[radius - j] = padded[radius + mirrored(-j, width)]
        padded[radius + width - 1 + j] = padded[radius + mirrored(width - 1 + j, width)]


@kernel
def filter_along_row(out, padded, taps):  # type: ignore[no-untyped-def]
    """A horizontal symmetric filter of one row.

    Parameters
    ----------
    out : ndarray of float32, shape (w,)
        Overwritten.
    padded : ndarray of float32, shape (w + 2 * radius,)
        The row with `radius` further values on both sides.
    taps : ndarray of float32, shape (radius + 1,)
        Centre and one side; the radius is even and at least 4.
    """
    r = taps.size - 1
    w = out.size
    _centre_and_four(
        out,
        padded[r : r + w],
        padded[r - 1 : r - 1 + w],
        padded[r + 1 : r + 1 + w],
        padded[r - 2 : r - 2 + w],
        padded[r + 2 : r + 2 + w],
        padded[r - 3 : r - 3 + w],
        padded[r + 3 : r + 3 + w],
        padded[r - 4 : r - 4 + w],
        padded[r + 4 : r + 4 + w],
        taps[0],
        taps[1],
        taps[2],
        taps[3],
        taps[4],
    )
    j = 5
    while j + 3 < taps.size:
        _add_four(
            out,
            padded[r - j : r - j + w],
            padded[r + j : r + j + w],
            padded[r - j - 1 : r - j - 1 + w],
            padded[r + j + 1 : r + j + 1 + w],
            padded[r - j - 2 : r - j - 2 + w],
            padded[r + j + 2 : r + j + 2 + w],
            padded[r - j - 3 : r - j - 3 + w],
            padded[r + j + 3 : r + j + 3 + w],
            taps[j],
            taps[j + 1],
            taps[j + 2],
            taps[j + 3],
        )
        j += 4
    if j < taps.size:
        _add_two(
            out,
            padded[r - j : r - j + w],
            padded[r + j : r + j + w],
            padded[r - j - 1 : r - j - 1 + w],
            padded[r + j + 1 : r + j + 1 + w],
            taps[j],
            taps[j + 1],
        )
