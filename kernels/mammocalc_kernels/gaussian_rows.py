"""Gaussian filtering a row at a time: the taps, and the two one-row passes that fused kernels are made of.

A pass is a sum of symmetric pairs, four pairs a sweep. Every sweep is straight-line code over contiguous
slices, so that the compiler turns it into vector instructions, and each output is summed in one fixed order.
Borders mirror the image (``c b a | a b c``): of the usual extensions this is the one under which one blur
after another equals a single wider blur up to the border.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

TRUNCATE = 3.3
"""Half width of the taps in standard deviations, before rounding up: what is cut off is below 1e-3."""

LARGEST_STRIDE = 1.45
"""Largest distance of taps in standard deviations of the blur before: exp(-(2 pi / 1.45) ** 2 / 2) is 8e-5."""

SMALLEST_IN_STRIDES = 1.0
"""Smallest standard deviation of taps in units of their distance."""

DERIVATIVE_TRUNCATE = 4.0
"""The same for derivatives, whose tails are heavier."""


def gaussian_taps(sigma: float) -> NDArray[np.float32]:
    """Centre and right half of a sampled Gaussian, normalised, with exactly the variance asked for.

    Parameters
    ----------
    sigma : float
        Standard deviation, px.

    Returns
    -------
    ndarray of float32, shape (radius + 1,)
        The radius is even, at least 4, and at least 3.3 `sigma`. The width of the sampled Gaussian is
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


def blur_step(before: float, sigma: float) -> tuple[NDArray[np.float32], int]:
    """Taps and stride that blur a plane further, from standard deviation `before` to `sigma`.

    Parameters
    ----------
    before, sigma : float
        Standard deviations in px, ``0 <= before < sigma``; 0 is a plane that has not been blurred.

    Returns
    -------
    taps : ndarray of float32, shape (pairs + 1,)
        As `gaussian_taps`.
    stride : int
        Distance from one tap to the next, px. Above 1 where the plane is smooth enough for gaps: what a comb
        of this stride repeats of the spectrum lies where the earlier blur has left less than 1e-4 of it.

    References
    ----------
    M. Holschneider et al., "A real-time algorithm for signal analysis with the help of the wavelet
    transform", in Wavelets, Springer 1989 (the algorithme a trous).
    """
    further = math.sqrt(sigma * sigma - before * before)
    stride = max(1, min(int(LARGEST_STRIDE * before), int(further / SMALLEST_IN_STRIDES)))
    return gaussian_taps(further / stride), stride


class Cascade(NamedTuple):
    """How each of several scales is blurred from the one before, the first from the plane.

    Attributes
    ----------
    taps : ndarray of float32, shape (scales, n)
        Centre and one side, padded with zeros.
    pairs : ndarray of int64, shape (scales,)
        Number of taps on each side; 0 for a scale that is the plane itself.
    stride : ndarray of int64, shape (scales,)
        Distance from one tap to the next, px.
    """

    taps: NDArray[np.float32]
    pairs: NDArray[np.int64]
    stride: NDArray[np.int64]


def blur_cascade(sigmas: Sequence[float]) -> Cascade:
    """The cascade that leads through the given standard deviations, px.

    Parameters
    ----------
    sigmas : sequence of float
        Positive and ascending, but for a first one that may be 0, the plane itself.

    Raises
    ------
    ValueError
        If they are not.
    """
    scales = [float(sigma) for sigma in sigmas]
    if not (scales and scales[0] >= 0 and all(a < b for a, b in itertools.pairwise(scales))):
        raise ValueError(f"sigmas must be positive and ascending, got {scales}")
    steps = [
        blur_step(before, sigma) if sigma > 0 else (np.ones(1, np.float32), 1)
        for before, sigma in itertools.pairwise([0.0, *scales])
    ]
    pairs = np.array([taps.size - 1 for taps, _ in steps])
    taps = np.zeros((len(steps), pairs.max() + 1), np.float32)
    for row, (values, _) in zip(taps, steps, strict=True):
        row[: values.size] = values
    return Cascade(taps, pairs, np.array([stride for _, stride in steps]))


def derivative_taps(sigma: float) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Right halves of a sampled Gaussian and of its first and second derivative.

    Parameters
    ----------
    sigma : float
        Standard deviation, px.

    Returns
    -------
    smooth, first, second : ndarray of float32, shape (radius + 1,)
        For use as correlation: ``smooth`` and ``second`` are symmetric, ``first`` is antisymmetric. The
        radius is even, at least 4, and at least 4 `sigma`. They give exactly the value, slope and curvature
        of a parabola.

    Raises
    ------
    ValueError
        If `sigma` is not positive and finite.
    """
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"sigma must be positive and finite, got {sigma!r}")
    radius = max(4, 2 * math.ceil(DERIVATIVE_TRUNCATE * sigma / 2))
    k = np.arange(radius + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (k / sigma) ** 2)
    both_sides = np.where(k == 0, 1.0, 2.0)
    first = k * bell
    # Second derivative: a * k ** 2 * bell - b * bell with zero sum and a second moment of 2.
    sum_0, sum_2, sum_4 = ((both_sides * k**power * bell).sum() for power in (0, 2, 4))
    a = 2.0 / (sum_4 - sum_2 * sum_2 / sum_0)
    second = a * (k**2 - sum_2 / sum_0) * bell
    return (
        (bell / sum_0).astype(np.float32),
        (first / (2.0 * (k * first).sum())).astype(np.float32),
        second.astype(np.float32),
    )


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
def filter_across_rows(out, rows, row, height, taps, stride):  # type: ignore[no-untyped-def]
    """One output row of a vertical symmetric filter.

    Parameters
    ----------
    out : ndarray of float32, shape (w,)
        Overwritten.
    rows : ndarray of float32, shape (n, w)
        The plane itself (``n == height``), or a ring in which plane row i lies at ``i % n`` and which holds
        at least rows ``row - radius .. row + radius`` as far as they exist; the radius is that of the taps
        times `stride`.
    row, height : int
        Output row, and the number of rows of the plane; rows beyond the border mirror it.
    taps : ndarray of float32, shape (pairs + 1,)
        Centre and one side; the number of pairs is even and at least 4.
    stride : int
        Distance from one tap to the next, px.
    """
    s = stride
    _centre_and_four(
        out,
        ring_row(rows, row, height),
        ring_row(rows, row - s, height),
        ring_row(rows, row + s, height),
        ring_row(rows, row - 2 * s, height),
        ring_row(rows, row + 2 * s, height),
        ring_row(rows, row - 3 * s, height),
        ring_row(rows, row + 3 * s, height),
        ring_row(rows, row - 4 * s, height),
        ring_row(rows, row + 4 * s, height),
        taps[0],
        taps[1],
        taps[2],
        taps[3],
        taps[4],
    )
    for j in range(5, taps.size, 2):
        _add_two(
            out,
            ring_row(rows, row - j * s, height),
            ring_row(rows, row + j * s, height),
            ring_row(rows, row - (j + 1) * s, height),
            ring_row(rows, row + (j + 1) * s, height),
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
def filter_along_row(out, padded, taps, stride):  # type: ignore[no-untyped-def]
    """A horizontal symmetric filter of one row.

    Parameters
    ----------
    out : ndarray of float32, shape (w,)
        Overwritten.
    padded : ndarray of float32, shape (w + 2 * radius,)
        The row with `radius` further values on both sides, where the radius is that of the taps times
        `stride`.
    taps : ndarray of float32, shape (pairs + 1,)
        Centre and one side; the number of pairs is even and at least 4.
    stride : int
        Distance from one tap to the next, px.
    """
    s = stride
    r = (taps.size - 1) * s
    w = out.size
    _centre_and_four(
        out,
        padded[r : r + w],
        padded[r - s : r - s + w],
        padded[r + s : r + s + w],
        padded[r - 2 * s : r - 2 * s + w],
        padded[r + 2 * s : r + 2 * s + w],
        padded[r - 3 * s : r - 3 * s + w],
        padded[r + 3 * s : r + 3 * s + w],
        padded[r - 4 * s : r - 4 * s + w],
        padded[r + 4 * s : r + 4 * s + w],
        taps[0],
        taps[1],
        taps[2],
        taps[3],
        taps[4],
    )
    for j in range(5, taps.size, 2):
        _add_two(
            out,
            padded[r - j * s : r - j * s + w],
            padded[r + j * s : r + j * s + w],
            padded[r - (j + 1) * s : r - (j + 1) * s + w],
            padded[r + (j + 1) * s : r + (j + 1) * s + w],
            taps[j],
            taps[j + 1],
        )


@kernel
def cascade_layout(pairs, stride, looked_at):  # type: ignore[no-untyped-def]
    """When the rows of a cascade are made, and how many of each scale are held.

    Parameters
    ----------
    pairs, stride : ndarray of int64, shape (scales,)
        As in `Cascade`.
    looked_at : ndarray of int64, shape (scales,)
        Rows above and below its own that a consumer of the scale looks at.

    Returns
    -------
    lag : ndarray of int64, shape (scales,)
        A scale's row is made as soon as the rows below it that its blur needs are there: `lag` rows after the
        first scale's.
    held : ndarray of int64, shape (scales,)
        Rows to hold in the ring of each scale.
    """
    lag = np.zeros(pairs.size, np.int64)
    held = 2 * looked_at + 1
    for i in range(1, pairs.size):
        radius = pairs[i] * stride[i]
        lag[i] = lag[i - 1] + radius
        held[i - 1] = max(held[i - 1], 2 * radius + 1)
    return lag, held


@kernel
def blur_row(rings, held, scale, plane, row, taps, stride, padded):  # type: ignore[no-untyped-def]
    """Make one row of one scale of a cascade, from the ring of the scale before or from the plane.

    Parameters
    ----------
    rings : ndarray of float32, shape (scales, at least held.max(), w)
        Plane row i of scale k lies at ``[k, i % held[k]]``.
    held : ndarray of int64, shape (scales,)
    scale, row : int
        What to make.
    plane : ndarray of float32, shape (h, w)
    taps : ndarray of float32, shape (pairs + 1,)
    stride : int
    padded : ndarray of float32, shape (at least w + 2 * radius,)
        Scratch.
    """
    height, width = plane.shape
    radius = (taps.size - 1) * stride
    blurred = rings[scale, row % held[scale]]
    if radius == 0:
        blurred[:] = plane[row]
        return
    across = padded[radius : radius + width]
    if scale == 0:
        filter_across_rows(across, plane, row, height, taps, stride)
    else:
        filter_across_rows(across, rings[scale - 1, : held[scale - 1]], row, height, taps, stride)
    mirror_ends(padded, radius, width)
    filter_along_row(blurred, padded[: width + 2 * radius], taps, stride)


@kernel
def _three_centre_and_four(  # type: ignore[no-untyped-def]
    v0, v1, v2, c, a1, b1, a2, b2, a3, b3, a4, b4, smooth, first, second
):
    s0, s1, s2, s3, s4 = smooth[0], smooth[1], smooth[2], smooth[3], smooth[4]
    f1, f2, f3, f4 = first[1], first[2], first[3], first[4]
    t0, t1, t2, t3, t4 = second[0], second[1], second[2], second[3], second[4]
    for x in range(v0.size):
        p1, p2, p3, p4 = a1[x] + b1[x], a2[x] + b2[x], a3[x] + b3[x], a4[x] + b4[x]
        v0[x] = s0 * c[x] + s1 * p1 + s2 * p2 + s3 * p3 + s4 * p4
        v1[x] = f1 * (b1[x] - a1[x]) + f2 * (b2[x] - a2[x]) + f3 * (b3[x] - a3[x]) + f4 * (b4[x] - a4[x])
        v2[x] = t0 * c[x] + t1 * p1 + t2 * p2 + t3 * p3 + t4 * p4


@kernel
def _three_add_two(  # type: ignore[no-untyped-def]
    v0, v1, v2, a1, b1, a2, b2, s1, s2, f1, f2, t1, t2
):
    for x in range(v0.size):
        p1, p2 = a1[x] + b1[x], a2[x] + b2[x]
        v0[x] += s1 * p1 + s2 * p2
        v1[x] += f1 * (b1[x] - a1[x]) + f2 * (b2[x] - a2[x])
        v2[x] += t1 * p1 + t2 * p2


@kernel
def differentiate_across_rows(  # type: ignore[no-untyped-def]
    v0, v1, v2, rows, row, height, smooth, first, second
):
    """One row of a vertical Gaussian (`v0`) and its first (`v1`) and second (`v2`) derivative, from one look.

    `v0`, `v1`, `v2` float32 (w,), overwritten; `rows`, `row`, `height` as in `filter_across_rows`; taps as
    `derivative_taps` gives them.
    """
    _three_centre_and_four(
        v0,
        v1,
        v2,
        ring_row(rows, row, height),
        ring_row(rows, row - 1, height),
        ring_row(rows, row + 1, height),
        ring_row(rows, row - 2, height),
        ring_row(rows, row + 2, height),
        ring_row(rows, row - 3, height),
        ring_row(rows, row + 3, height),
        ring_row(rows, row - 4, height),
        ring_row(rows, row + 4, height),
        smooth,
        first,
        second,
    )
    for j in range(5, smooth.size, 2):
        _three_add_two(
            v0,
            v1,
            v2,
            ring_row(rows, row - j, height),
            ring_row(rows, row + j, height),
            ring_row(rows, row - j - 1, height),
            ring_row(rows, row + j + 1, height),
            smooth[j],
            smooth[j + 1],
            first[j],
            first[j + 1],
            second[j],
            second[j + 1],
        )


@kernel
def _difference_of_four(out, a1, b1, a2, b2, a3, b3, a4, b4, w1, w2, w3, w4):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] = w1 * (b1[x] - a1[x]) + w2 * (b2[x] - a2[x]) + w3 * (b3[x] - a3[x]) + w4 * (b4[x] - a4[x])


@kernel
def _add_difference_of_two(out, a1, b1, a2, b2, w1, w2):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] += w1 * (b1[x] - a1[x]) + w2 * (b2[x] - a2[x])


@kernel
def differentiate_along_row(out, padded, first):  # type: ignore[no-untyped-def]
    """A horizontal antisymmetric filter of one row; arguments as in `filter_along_row`."""
    r = first.size - 1
    w = out.size
    _difference_of_four(
        out,
        padded[r - 1 : r - 1 + w],
        padded[r + 1 : r + 1 + w],
        padded[r - 2 : r - 2 + w],
        padded[r + 2 : r + 2 + w],
        padded[r - 3 : r - 3 + w],
        padded[r + 3 : r + 3 + w],
        padded[r - 4 : r - 4 + w],
        padded[r + 4 : r + 4 + w],
        first[1],
        first[2],
        first[3],
        first[4],
    )
    for j in range(5, first.size, 2):
        _add_difference_of_two(
            out,
            padded[r - j : r - j + w],
            padded[r + j : r + j + w],
            padded[r - j - 1 : r - j - 1 + w],
            padded[r + j + 1 : r + j + 1 + w],
            first[j],
            first[j + 1],
        )
