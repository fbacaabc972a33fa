"""Gaussian filtering a row at a time: the taps, and the one-row passes that fused kernels are made of.

A pass sums pairs of values on either side of a centre, for a whole row, four pairs a sweep, in one fixed
order. It reads a flat buffer at given offsets: those of neighbouring rows for a vertical filter, of shifted
copies of one padded row for a horizontal one. That keeps a sweep straight-line code, which the compiler turns
into vector instructions, and spares the cost of slices. Offsets are unsigned, which spares the test for
negative indices.

Borders mirror the image (``c b a | a b c``): of the usual extensions this is the one under which one blur
after another equals a single wider blur up to the border.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel
from mammocalc_kernels.streams import multiply_add, read, span, write


class Closeness(NamedTuple):
    """How closely a cascade of blurs follows true Gaussians.

    Attributes
    ----------
    first_truncate : float
        Half width in standard deviations, before rounding up, of the taps that blur a plane for the first
        time.
    truncate : float
        The same where a plane is blurred further.
    largest_stride : float
        Largest distance of taps in standard deviations of the blur before. A comb of this stride repeats the
        spectrum at 2 pi over it, and only that blur keeps the repeats down.
    """

    first_truncate: float
    truncate: float
    largest_stride: float


FOR_DIFFERENCES = Closeness(first_truncate=3.5, truncate=3.2, largest_stride=1.45)
"""Differences of Gaussians of a cascade are within 1e-3 of their range."""

FOR_DERIVATIVES = Closeness(first_truncate=5.0, truncate=3.6, largest_stride=0.9)
"""Second derivatives of a cascade are, too: they answer more to what is cut off or repeated."""


def gaussian_taps(sigma: float, truncate: float) -> NDArray[np.float64]:
    """Centre and right half of a sampled Gaussian, normalised, with exactly the variance asked for.

    Parameters
    ----------
    sigma : float
        Standard deviation, px.
    truncate : float
        Half width in standard deviations, before rounding up.

    Returns
    -------
    ndarray of float64, shape (pairs + 1,)
        The number of pairs is even, at least 4, and at least ``truncate * sigma``. The width of the sampled
        Gaussian is adjusted so that the variance of the taps is ``sigma ** 2``: cut-off and sampling would
        otherwise change it.
    """
    offsets = np.arange(_pairs(sigma, truncate) + 1, dtype=np.float64)

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
    return half(0.5 * (narrow + wide))


def _pairs(sigma: float, truncate: float) -> int:
    if not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f"sigma must be positive and finite, got {sigma!r}")
    return max(4, 2 * math.ceil(truncate * sigma / 2))


def blur_step(before: float, sigma: float, closeness: Closeness) -> tuple[NDArray[np.float64], int]:
    """Taps and stride that blur a plane further, from standard deviation `before` to `sigma`.

    Parameters
    ----------
    before, sigma : float
        Standard deviations in px, ``0 <= before < sigma``; 0 is a plane that has not been blurred.
    closeness : Closeness

    Returns
    -------
    taps : ndarray of float64, shape (pairs + 1,)
        Centre and right half; the number of pairs is even and at least 4. From an unblurred plane those of
        `gaussian_taps`, else the taps of the right sum and variance that come nearest to the wanted Gaussian
        at the frequencies that the blur before has left, second derivatives counting most.
    stride : int
        Distance from one tap to the next, px.

    References
    ----------
    M. Holschneider et al., "A real-time algorithm for signal analysis with the help of the wavelet
    transform", in Wavelets, Springer 1989 (the algorithme a trous).
    """
    further = math.sqrt(sigma * sigma - before * before)
    if before == 0:
        return gaussian_taps(further, closeness.first_truncate), 1
    stride = max(1, min(int(closeness.largest_stride * before), int(further)))
    k = stride * np.arange(1.0, _pairs(further / stride, closeness.truncate) + 1)
    frequency = np.linspace(0.0, np.pi, 1025)
    weight = (0.05 + (sigma * frequency) ** 2) * np.exp(-0.5 * (before * frequency) ** 2)
    wanted = np.exp(-0.5 * (further * frequency) ** 2) - 1
    half = _fitted(2 * (np.cos(np.outer(frequency, k)) - 1), weight * wanted, 2 * (k / further) ** 2, weight)
    return np.array([1 - 2 * half.sum(), *half]), stride


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


@cache
def blur_cascade(sigmas: tuple[float, ...], closeness: Closeness) -> Cascade:
    """The cascade that leads through the given standard deviations, px.

    Parameters
    ----------
    sigmas : tuple of float
        Positive and ascending, but for a first one that may be 0, the plane itself.
    closeness : Closeness

    Raises
    ------
    ValueError
        If they are not.
    """
    if not (sigmas and sigmas[0] >= 0 and all(a < b < math.inf for a, b in itertools.pairwise(sigmas))):
        raise ValueError(f"sigmas must be positive, ascending and finite, got {sigmas}")
    steps = [
        blur_step(before, sigma, closeness) if sigma > 0 else (np.ones(1), 1)
        for before, sigma in itertools.pairwise((0.0, *sigmas))
    ]
    pairs = np.array([taps.size - 1 for taps, _ in steps])
    taps = np.zeros((len(steps), pairs.max() + 1), np.float32)
    for row, (values, _) in zip(taps, steps, strict=True):
        row[: values.size] = values
    return Cascade(taps, pairs, np.array([stride for _, stride in steps]))


def derivative_taps(
    sigma: float, truncate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Right halves of a sampled Gaussian and of its first and second derivative.

    Parameters
    ----------
    sigma : float
        Standard deviation, px.
    truncate : float
        Half width in standard deviations, before rounding up.

    Returns
    -------
    smooth, first, second : ndarray of float32, shape (pairs + 1,)
        For use as correlation: `smooth` and `second` are symmetric, `first` is antisymmetric. The number of
        pairs is even and at least 4. They give exactly the value, slope and curvature of a parabola.

    Raises
    ------
    ValueError
        If `sigma` is not positive and finite.
    """
    k = np.arange(_pairs(sigma, truncate) + 1, dtype=np.float64)
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


def derivative_stencils(
    blurs: Sequence[tuple[NDArray[np.float32], int]], before: float, sigma: float, pairs: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Short filters that take a blurred plane to a Gaussian of `sigma` and its two derivatives.

    Parameters
    ----------
    blurs : sequence of tuple
        The taps that have blurred the plane one after the other, centre and right half, and their strides.
    before, sigma : float
        Standard deviation of all these blurs, and the wanted one, px; ``before < sigma``.
    pairs : tuple of int
        Taps on each side for the value and the slope, and for the curvature, at least as many.

    Returns
    -------
    smooth, first, second : ndarray of float32, shape (pairs[1] + 1,)
        Centre and right half, as correlation: `smooth` and `second` symmetric, `first` antisymmetric. Least
        squares over the frequencies that the blurs have left, exact for a parabola. They make up for what the
        blurs lack of a Gaussian.
    """
    frequency = np.linspace(0.0, np.pi, 1025)
    left = np.ones_like(frequency)
    for taps, stride in blurs:
        left *= taps[0] + 2 * np.cos(np.outer(frequency, stride * np.arange(1, taps.size))) @ taps[1:]
    wanted = np.exp(-0.5 * (sigma * frequency) ** 2)
    few, n = pairs
    k = np.arange(1.0, n + 1)
    sines = 2 * np.sin(np.outer(frequency, k))
    cosines = 2 * (np.cos(np.outer(frequency, k)) - 1)
    moments = 2 * k**2 / (sigma * sigma - before * before)
    smooth, first = np.zeros(n), np.zeros(n)
    smooth[:few] = _fitted(cosines[:, :few], wanted - left, moments[:few], left)
    first[:few] = _fitted(sines[:, :few], frequency * wanted, 2 * k[:few], left)
    second = _fitted(cosines, -(frequency**2) * wanted, k**2, left)
    return (
        np.array([1 - 2 * smooth.sum(), *smooth], np.float32),
        np.array([0.0, *first], np.float32),
        np.array([-2 * second.sum(), *second], np.float32),
    )


def _fitted(
    columns: NDArray[np.float64],
    wanted: NDArray[np.float64],
    moments: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Coefficients with ``moments @ c == 1`` for which ``weight * (columns @ c)`` is nearest to `wanted`."""
    others = moments[1:] / moments[0]
    free = columns[:, 1:] - np.outer(columns[:, 0], others)
    rest = wanted - weight * columns[:, 0] / moments[0]
    solution = np.linalg.lstsq(free * weight[:, None], rest, rcond=None)[0]
    return np.array([1.0 / moments[0] - others @ solution, *solution])


@kernel
def mirrored(position, size):  # type: ignore[no-untyped-def]
    """Position inside ``range(size)`` that a position beyond it repeats: ``c b a | a b c | c b a``."""
    if 0 <= position < size:
        return position
    folded = position % (2 * size)
    return folded if folded < size else 2 * size - 1 - folded


@kernel
def offsets_across(offsets, pairs, stride, start, held, row, height, pitch):  # type: ignore[no-untyped-def]
    """Where the rows that a vertical filter looks at begin in a flat buffer.

    Parameters
    ----------
    offsets : ndarray of uint64, shape (at least 2 * pairs + 1,)
        Overwritten: the centre, then ``-1, +1, -2, +2 ...`` times the stride.
    pairs, stride : int
        Taps on each side, and the distance from one to the next in rows.
    start, held : int
        The buffer holds plane row i at ``start + (i % held) * pitch``: the whole plane where `held` is the
        height, else a ring of its latest rows, at least ``2 * pairs * stride + 1`` of them as far as they
        exist.
    row, height : int
        Output row, and rows of the plane; those beyond the border mirror it.
    pitch : int
        From one row in the buffer to the next.
    """
    offsets[0] = start + (row % held) * pitch
    for j in range(1, pairs + 1):
        offsets[2 * j - 1] = start + (mirrored(row - j * stride, height) % held) * pitch
        offsets[2 * j] = start + (mirrored(row + j * stride, height) % held) * pitch


@kernel
def offsets_along(offsets, pairs, stride, start):  # type: ignore[no-untyped-def]
    """The same for a horizontal filter of one row whose first value lies at `start`, with padding on both sides."""
    offsets[0] = start
    for j in range(1, pairs + 1):
        offsets[2 * j - 1] = start - j * stride
        offsets[2 * j] = start + j * stride


@kernel
def mirror_ends(buffer, start, width, radius):  # type: ignore[no-untyped-def]
    """Fill `radius` values on both sides of ``buffer[start:start + width]`` with its mirror image."""
    last = start + width - 1
    if radius <= width:
        for j in range(radius):
            buffer[start - 1 - j] = buffer[start + j]
            buffer[last + 1 + j] = buffer[last - j]
    else:
        for j in range(1, radius + 1):
            buffer[start - j] = buffer[start + mirrored(-j, width)]
            buffer[last + j] = buffer[start + mirrored(width - 1 + j, width)]


@kernel
def symmetric(out, at, source, offsets, taps, width):  # type: ignore[no-untyped-def]
    """A symmetric filter of one row.

    Parameters
    ----------
    out : ndarray of float32, 1-D
        ``out[at:at + width]`` is overwritten.
    at : int
    source : ndarray of float32, 1-D
        Another buffer.
    offsets : ndarray of uint64, shape (at least 2 * pairs + 1,)
        From `offsets_across` or `offsets_along`.
    taps : ndarray of float32, shape (pairs + 1,)
        Centre and one side; the number of pairs is even and at least 4.
    width : int
    """
    line, centre = span(out, at, width), span(source, offsets[0], width)
    a1, b1 = span(source, offsets[1], width), span(source, offsets[2], width)
    a2, b2 = span(source, offsets[3], width), span(source, offsets[4], width)
    a3, b3 = span(source, offsets[5], width), span(source, offsets[6], width)
    a4, b4 = span(source, offsets[7], width), span(source, offsets[8], width)
    w0, w1, w2, w3, w4 = taps[0], taps[1], taps[2], taps[3], taps[4]
    for x in range(width):
        total = multiply_add(w3, read(a3, x) + read(b3, x), w4 * (read(a4, x) + read(b4, x)))
        total = multiply_add(w2, read(a2, x) + read(b2, x), total)
        total = multiply_add(w1, read(a1, x) + read(b1, x), total)
        write(line, x, multiply_add(w0, read(centre, x), total))
    j = 5
    while j + 3 < taps.size:
        a1, b1 = span(source, offsets[2 * j - 1], width), span(source, offsets[2 * j], width)
        a2, b2 = span(source, offsets[2 * j + 1], width), span(source, offsets[2 * j + 2], width)
        a3, b3 = span(source, offsets[2 * j + 3], width), span(source, offsets[2 * j + 4], width)
        a4, b4 = span(source, offsets[2 * j + 5], width), span(source, offsets[2 * j + 6], width)
        w1, w2, w3, w4 = taps[j], taps[j + 1], taps[j + 2], taps[j + 3]
        for x in range(width):
            total = multiply_add(w3, read(a3, x) + read(b3, x), w4 * (read(a4, x) + read(b4, x)))
            total = multiply_add(w2, read(a2, x) + read(b2, x), total)
            write(line, x, line[x] + multiply_add(w1, read(a1, x) + read(b1, x), total))
        j += 4
    if j < taps.size:
        a1, b1 = span(source, offsets[2 * j - 1], width), span(source, offsets[2 * j], width)
        a2, b2 = span(source, offsets[2 * j + 1], width), span(source, offsets[2 * j + 2], width)
        w1, w2 = taps[j], taps[j + 1]
        for x in range(width):
            total = multiply_add(w1, read(a1, x) + read(b1, x), w2 * (read(a2, x) + read(b2, x)))
            write(line, x, line[x] + total)


@kernel
def symmetric_pair(out, lower_out, source, offsets, lower_offsets, taps, width):  # type: ignore[no-untyped-def]
    """The same filter across two rows, the lower as far below as from one tap to the next: it sees the same rows.

    The results are those of `symmetric`, in less time: what both look at is loaded once.

    Parameters
    ----------
    out, lower_out : ndarray of float32, shape (at least width,)
        Overwritten.
    source, taps, width
        As in `symmetric`.
    offsets, lower_offsets : ndarray of uint64, shape (at least 2 * pairs + 1,)
        From `offsets_across`.
    """
    centre = span(source, offsets[0], width)
    a1, b1 = span(source, offsets[1], width), span(source, offsets[2], width)
    a2, b2 = span(source, offsets[3], width), span(source, offsets[4], width)
    a3, b3 = span(source, offsets[5], width), span(source, offsets[6], width)
    a4, b4 = span(source, offsets[7], width), span(source, offsets[8], width)
    b5 = span(source, lower_offsets[8], width)
    w0, w1, w2, w3, w4 = taps[0], taps[1], taps[2], taps[3], taps[4]
    for x in range(width):
        c, l1, l2, l3, l4 = read(centre, x), read(a1, x), read(a2, x), read(a3, x), read(a4, x)
        r1, r2, r3, r4, r5 = read(b1, x), read(b2, x), read(b3, x), read(b4, x), read(b5, x)
        total = multiply_add(w3, l3 + r3, w4 * (l4 + r4))
        total = multiply_add(w2, l2 + r2, total)
        total = multiply_add(w1, l1 + r1, total)
        write(out, x, multiply_add(w0, c, total))
        total = multiply_add(w3, l2 + r4, w4 * (l3 + r5))
        total = multiply_add(w2, l1 + r3, total)
        total = multiply_add(w1, c + r2, total)
        write(lower_out, x, multiply_add(w0, r1, total))
    j = 5
    while j + 3 < taps.size:
        a0 = span(source, offsets[2 * j - 3], width)
        a1, b1 = span(source, offsets[2 * j - 1], width), span(source, offsets[2 * j], width)
        a2, b2 = span(source, offsets[2 * j + 1], width), span(source, offsets[2 * j + 2], width)
        a3, b3 = span(source, offsets[2 * j + 3], width), span(source, offsets[2 * j + 4], width)
        a4, b4 = span(source, offsets[2 * j + 5], width), span(source, offsets[2 * j + 6], width)
        b5 = span(source, lower_offsets[2 * j + 6], width)
        w1, w2, w3, w4 = taps[j], taps[j + 1], taps[j + 2], taps[j + 3]
        for x in range(width):
            l0, l1, l2, l3 = read(a0, x), read(a1, x), read(a2, x), read(a3, x)
            r2, r3, r4 = read(b2, x), read(b3, x), read(b4, x)
            total = multiply_add(w3, l3 + r3, w4 * (read(a4, x) + r4))
            total = multiply_add(w2, l2 + r2, total)
            write(out, x, out[x] + multiply_add(w1, l1 + read(b1, x), total))
            total = multiply_add(w3, l2 + r4, w4 * (l3 + read(b5, x)))
            total = multiply_add(w2, l1 + r3, total)
            write(lower_out, x, lower_out[x] + multiply_add(w1, l0 + r2, total))
        j += 4
    if j < taps.size:
        a0 = span(source, offsets[2 * j - 3], width)
        a1, b1 = span(source, offsets[2 * j - 1], width), span(source, offsets[2 * j], width)
        a2, b2 = span(source, offsets[2 * j + 1], width), span(source, offsets[2 * j + 2], width)
        b3 = span(source, lower_offsets[2 * j + 2], width)
        w1, w2 = taps[j], taps[j + 1]
        for x in range(width):
            l1, r2 = read(a1, x), read(b2, x)
            total = multiply_add(w1, l1 + read(b1, x), w2 * (read(a2, x) + r2))
            write(out, x, out[x] + total)
            total = multiply_add(w1, read(a0, x) + r2, w2 * (l1 + read(b3, x)))
            write(lower_out, x, lower_out[x] + total)


@kernel
def antisymmetric(out, at, source, offsets, taps, width):  # type: ignore[no-untyped-def]
    """An antisymmetric filter of one row; arguments as in `symmetric`, the centre does not count."""
    to = np.uint64(at)
    a1, b1, a2, b2 = offsets[1], offsets[2], offsets[3], offsets[4]
    a3, b3, a4, b4 = offsets[5], offsets[6], offsets[7], offsets[8]
    w1, w2, w3, w4 = taps[1], taps[2], taps[3], taps[4]
    for i in range(width):
        x = np.uint64(i)
        out[to + x] = (
            w1 * (source[b1 + x] - source[a1 + x])
            + w2 * (source[b2 + x] - source[a2 + x])
            + w3 * (source[b3 + x] - source[a3 + x])
            + w4 * (source[b4 + x] - source[a4 + x])
        )
    for j in range(5, taps.size, 2):
        a1, b1, a2, b2 = offsets[2 * j - 1], offsets[2 * j], offsets[2 * j + 1], offsets[2 * j + 2]
        w1, w2 = taps[j], taps[j + 1]
        for i in range(width):
            x = np.uint64(i)
            out[to + x] += w1 * (source[b1 + x] - source[a1 + x]) + w2 * (source[b2 + x] - source[a2 + x])


@kernel
def value_slope_curvature(  # type: ignore[no-untyped-def]
    out, at, pitch, source, offsets, smooth, first, second, width
):
    """A Gaussian and its two derivatives of one row from one look at the source.

    Written to ``out[at:at + width]`` and `pitch` and twice `pitch` values later; taps as `derivative_taps`
    gives them, the other arguments as in `symmetric`.
    """
    to_0, to_1, to_2 = np.uint64(at), np.uint64(at + pitch), np.uint64(at + 2 * pitch)
    c, a1, b1, a2, b2 = offsets[0], offsets[1], offsets[2], offsets[3], offsets[4]
    a3, b3, a4, b4 = offsets[5], offsets[6], offsets[7], offsets[8]
    s0, s1, s2, s3, s4 = smooth[0], smooth[1], smooth[2], smooth[3], smooth[4]
    f1, f2, f3, f4 = first[1], first[2], first[3], first[4]
    t0, t1, t2, t3, t4 = second[0], second[1], second[2], second[3], second[4]
    for i in range(width):
        x = np.uint64(i)
        l1, r1, l2, r2 = source[a1 + x], source[b1 + x], source[a2 + x], source[b2 + x]
        l3, r3, l4, r4 = source[a3 + x], source[b3 + x], source[a4 + x], source[b4 + x]
        p1, p2, p3, p4 = l1 + r1, l2 + r2, l3 + r3, l4 + r4
        out[to_0 + x] = s0 * source[c + x] + s1 * p1 + s2 * p2 + s3 * p3 + s4 * p4
        out[to_1 + x] = f1 * (r1 - l1) + f2 * (r2 - l2) + f3 * (r3 - l3) + f4 * (r4 - l4)
        out[to_2 + x] = t0 * source[c + x] + t1 * p1 + t2 * p2 + t3 * p3 + t4 * p4
    for j in range(5, smooth.size, 2):
        a1, b1, a2, b2 = offsets[2 * j - 1], offsets[2 * j], offsets[2 * j + 1], offsets[2 * j + 2]
        s1, s2, f1, f2, t1, t2 = smooth[j], smooth[j + 1], first[j], first[j + 1], second[j], second[j + 1]
        for i in range(width):
            x = np.uint64(i)
            l1, r1, l2, r2 = source[a1 + x], source[b1 + x], source[a2 + x], source[b2 + x]
            p1, p2 = l1 + r1, l2 + r2
            out[to_0 + x] += s1 * p1 + s2 * p2
            out[to_1 + x] += f1 * (r1 - l1) + f2 * (r2 - l2)
            out[to_2 + x] += t1 * p1 + t2 * p2


BATCH = 8
"""Rows of a cascade that are made in one go."""

STRIP = 256
"""Columns of a cascade that are made in one go, px."""


class Layout(NamedTuple):
    """When the rows of a cascade are made, how many of each scale are held, and where.

    Attributes
    ----------
    lag : ndarray of int64, shape (scales,)
        A scale's rows are made, `BATCH` at a time, as soon as the rows below them that their blur needs are there:
        `lag` rows after the first scale's.
    finish : int
        Rows from a row of the first scale to the row that is finished in the same step.
    held : ndarray of int64, shape (scales,)
        Rows to hold in the ring of each scale.
    start : ndarray of int64, shape (scales + 1,)
        Where each ring begins in one flat buffer, and its size.
    pitch : int
        From one row in a ring to the next: whole cache lines.
    margin : int
        Distance from the centre to the last tap, largest of all scales, px; rounded up to whole cache lines.
    """

    lag: NDArray[np.int64]
    finish: int
    held: NDArray[np.int64]
    start: NDArray[np.int64]
    pitch: int
    margin: int


def cascade_layout(cascade: Cascade, width: int, looked_at: NDArray[np.int64] | None = None) -> Layout:
    """Lay out the rings of a cascade over a plane.

    Parameters
    ----------
    cascade : Cascade
    width : int
        Of the plane, px.
    looked_at : ndarray of int64, shape (scales,), optional
        Rows above and below the finished row that are looked at in each scale when a row is finished; none.
    """
    extent = cascade.pairs * cascade.stride
    looked_at = np.zeros_like(extent) if looked_at is None else looked_at
    lag = np.concatenate(([0], np.cumsum(extent[1:])))
    finish = int((lag + looked_at).max())
    held = finish - lag + looked_at + BATCH
    held[:-1] = np.maximum(held[:-1], 2 * extent[1:] + BATCH)
    pitch = whole_lines(width)
    start = np.concatenate(([0], np.cumsum(held * pitch)))
    return Layout(lag, finish, held, start, pitch, whole_lines(int(extent.max())))


def whole_lines(values: int) -> int:
    """A number of float32 rounded up to whole cache lines of 64 bytes."""
    return -(-values // 16) * 16


@kernel
def room_for(size):  # type: ignore[no-untyped-def]
    """Room for `size` float32 that begins with a cache line: what lies across two takes twice as long to load."""
    room = np.empty(size + 15, np.float32)
    ahead = (16 - np.int64(room.ctypes.data >> 2)) & 15
    return room[ahead : ahead + size]


@kernel
def whole_rows(height, width):  # type: ignore[no-untyped-def]
    """First and end column of each row of a plane of which everything is wanted."""
    columns = np.zeros((height, 2), np.int64)
    columns[:, 1] = width
    return columns


@kernel
def blur_rows(  # type: ignore[no-untyped-def]
    rings, start, held, pitch, scale, plane, width, first_row, end_row, columns, taps, stride, padded, offsets
):
    """Make some rows of one scale of a cascade, from the ring of the scale before or from the plane.

    Parameters
    ----------
    rings : ndarray of float32, shape (start[-1],)
        Plane row i of scale k lies at ``start[k] + (i % held[k]) * pitch``.
    start, held, pitch
        As in `Layout`.
    scale : int
        What to make.
    plane : ndarray of float32, shape (h * w,)
    width : int
        w.
    first_row, end_row : int
        The rows to make, at most `BATCH`.
    columns : ndarray of int64, shape (h, 2)
        First and end column of each row to make, as if the plane ended there. Fastest where the first is a multiple of
        16.
    taps : ndarray of float32, shape (pairs + 1,)
    stride : int
    padded : ndarray of float32, shape (BATCH * at least (w + 2 * margin),)
        Scratch, whole cache lines a row; the margin as in `Layout`.
    offsets : ndarray of uint64, shape (BATCH * at least (2 * pairs + 1),)
        Scratch.
    """
    height = plane.size // width
    pairs = taps.size - 1
    radius = pairs * stride
    margin = (radius + 15) & ~15
    # Views without reference counts: to count them, with an atomic instruction each, takes as long as the filters.
    ring, flat, weights = span(rings, 0, rings.size), span(plane, 0, plane.size), span(taps, 0, taps.size)
    room, looks = padded.size // BATCH, offsets.size // BATCH
    along = span(offsets, 0, looks)
    left, right = width, 0
    for row in range(first_row, end_row):
        first, end = columns[row, 0], columns[row, 1]
        if first >= end:
            continue
        left, right = min(left, first), max(right, end)
        across = span(offsets, (row - first_row) * looks, looks)
        if pairs == 0:
            at = start[scale] + (row % held[scale]) * pitch
            ring[at + first : at + end] = flat[row * width + first : row * width + end]
        elif scale == 0:
            offsets_across(across, pairs, stride, 0, height, row, height, width)
        else:
            offsets_across(across, pairs, stride, start[scale - 1], held[scale - 1], row, height, pitch)
    if pairs == 0:
        return
    # Strip by strip, so that the lines that neighbouring rows share are still in the nearest cache.
    for strip in range(left, right, STRIP):
        for row in range(first_row, end_row):
            first, end = max(strip, columns[row, 0]), min(strip + STRIP, columns[row, 1])
            upper, lower = row - stride, row + stride
            with_upper = (row - first_row) // stride % 2 == 1 and (
                columns[row, 0] == columns[upper, 0] and columns[row, 1] == columns[upper, 1]
            )
            with_lower = (
                (row - first_row) // stride % 2 == 0
                and lower < end_row
                and (columns[row, 0] == columns[lower, 0] and columns[row, 1] == columns[lower, 1])
            )
            if first >= end or with_upper:
                continue
            place = margin + first - columns[row, 0]
            line = span(padded, (row - first_row) * room + place, end - first)
            across = span(offsets, (row - first_row) * looks, looks)
            source = flat if scale == 0 else ring
            source = span(source, first, source.size - first)
            if with_lower:
                lower_line = span(padded, (lower - first_row) * room + place, end - first)
                lower_across = span(offsets, (lower - first_row) * looks, looks)
                symmetric_pair(line, lower_line, source, across, lower_across, weights, end - first)
            else:
                symmetric(line, 0, source, across, weights, end - first)
    for row in range(first_row, end_row):
        first, end = columns[row, 0], columns[row, 1]
        if first < end:
            line = span(padded, (row - first_row) * room, room)
            mirror_ends(line, margin, end - first, radius)
            offsets_along(along, pairs, stride, margin)
            at = start[scale] + (row % held[scale]) * pitch + first
            symmetric(ring, at, line, along, weights, end - first)
