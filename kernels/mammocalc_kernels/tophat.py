"""Erosion, dilation, opening and white top-hat by an exact flat disk, 16-bit.

The disk of radius r is every offset with ``row**2 + column**2 <= r**2``, as in
``skimage.morphology.disk(r)``. Pixels outside the image take no part, as in OpenCV's default border.

The disk is a staircase: the union of the rectangles ``(2 v + 1) x (2 h + 1)`` for each chord half-width h, v
being the last row whose chord reaches h. Vertical minima of any length come from minima over 1, 2, 4, ...
rows, two look-ups each (the doubling of Urbach & Wilkinson, IEEE Trans. Image Process. 17(1), 2008, applied
to columns). As a horizontal minimum distributes over minima, the rectangles nest, the widest innermost, and
each step only adds the difference of two half-widths:

    erosion = min(V(v_k), H(h_k-1 - h_k) of min(V(v_k-1), ... H(h_0 - h_1) of V(v_0)))

so that a row costs about 1.2 r minima of whole rows, all of which stay in the caches. Dilation is the erosion
of the complement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.planes import check_plane, output_like
from mammocalc_kernels.streams import read, span, write

# Lines are padded by at least the widest step of `_widen`, in whole cache lines.
_MARGIN = 32
_WIDEST_STEP = 3
_ALL = np.uint16(65535)


@dataclass(frozen=True, eq=False)
class _Staircase:
    """The nested rectangles of a disk, widest first, and how many rows of minima each level has to keep.

    ``steps[i]`` is (widening since the last step, level, v): V(v) is the minimum of two minima over
    ``2**level`` rows.
    """

    steps: NDArray[np.int64]
    depths: NDArray[np.int64]


@cache
def _staircase(radius: int) -> _Staircase:
    half_widths = [math.isqrt(radius * radius - row * row) for row in range(radius + 1)]
    steps = []
    last = radius
    for half_width in sorted(set(half_widths), reverse=True):
        v = max(row for row in range(radius + 1) if half_widths[row] >= half_width)
        steps.append((last - half_width, (2 * v + 1).bit_length() - 1, v))
        last = half_width
    levels = max(level for _, level, _ in steps) + 1
    depths = []
    for level in range(levels):
        # Age, in rows, of the minima that are looked up when the newest of this level starts 2**level - 1
        # rows back.
        newest = 2**level - 1
        ages = [newest] + [radius + v for _, used, v in steps if used == level]
        if level + 1 < levels:
            ages.append(2 ** (level + 1) - 1)
        depths.append(max(ages) - newest + 1)
    return _Staircase(np.array(steps, np.int64), np.array(depths, np.int64))


def erode(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None = None, threads: int = 1
) -> NDArray[np.uint16]:
    """Least value within a disk. See `white_top_hat` for parameters and errors."""
    return _single(plane, radius, out, threads, np.uint16(0))


def dilate(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None = None, threads: int = 1
) -> NDArray[np.uint16]:
    """Greatest value within a disk. See `white_top_hat` for parameters and errors."""
    return _single(plane, radius, out, threads, _ALL)


def opening(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None = None, threads: int = 1
) -> NDArray[np.uint16]:
    """Dilation of the erosion: bright detail that no disk fits into is gone. See `white_top_hat`."""
    return _double(plane, radius, out, threads, False)


def white_top_hat(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None = None, threads: int = 1
) -> NDArray[np.uint16]:
    """What the opening by a disk takes away: bright detail narrower than the disk, on a level ground.

    Parameters
    ----------
    plane : ndarray of uint16, shape (rows, columns), C-contiguous
    radius : int
        Radius of the disk, px, 0 or more.
    out : ndarray of uint16, same shape, C-contiguous, optional
        Where to write. Must not overlap `plane`.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        ``plane - opening(plane)``, never negative. Bit-identical to ``cv2.morphologyEx(plane,
        cv2.MORPH_TOPHAT, skimage.morphology.disk(radius))``.

    Raises
    ------
    TypeError
        Another dtype than uint16, or a radius that is not an integer.
    ValueError
        Not 2-D, empty, not C-contiguous, a negative radius, `out` of another shape or overlapping.
    """
    return _double(plane, radius, out, threads, True)


def _single(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None, threads: int, flip: np.uint16
) -> NDArray[np.uint16]:
    out = _checked_output(plane, radius, out)
    disk = _staircase(int(radius))
    run_bands(
        lambda first, end: _erode_rows(plane, out, disk.steps, disk.depths, radius, flip, first, end),
        plane.shape[0],
        threads,
    )
    return out


def _double(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None, threads: int, subtract: bool
) -> NDArray[np.uint16]:
    out = _checked_output(plane, radius, out)
    disk = _staircase(int(radius))
    run_bands(
        lambda first, end: _open_rows(plane, out, disk.steps, disk.depths, radius, subtract, first, end),
        plane.shape[0],
        threads,
    )
    return out


def _checked_output(
    plane: NDArray[np.uint16], radius: int, out: NDArray[np.uint16] | None
) -> NDArray[np.uint16]:
    check_plane(plane, (np.uint16,))
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer):
        raise TypeError(f"radius must be a whole number of pixels, not {radius!r}")
    if radius < 0:
        raise ValueError(f"radius must not be negative, not {radius}")
    return output_like(plane, out)


@kernel
def _copy(target, at, source, start, n, flip):  # type: ignore[no-untyped-def]
    """Copy `n` values, each exclusive-or `flip`."""
    a = span(source, start, n)
    y = span(target, at, n)
    for c in range(n):
        write(y, c, read(a, c) ^ flip)


@kernel
def _subtract_complement(target, at, source, start, line, centre, n):  # type: ignore[no-untyped-def]
    """``source - (65535 - line)``, `n` values."""
    a = span(source, start, n)
    b = span(line, centre, n)
    y = span(target, at, n)
    for c in range(n):
        write(y, c, read(a, c) - (_ALL - read(b, c)))


@kernel
def _least(target, at, source, start1, start2, n):  # type: ignore[no-untyped-def]
    """The lesser of two rows of `source`."""
    a = span(source, start1, n)
    b = span(source, start2, n)
    y = span(target, at, n)
    for c in range(n):
        write(y, c, min(read(a, c), read(b, c)))


@kernel
def _widen(lines, to, centre, step, ring, start1, start2, n):  # type: ignore[no-untyped-def]
    """Least of a line within `step` (1 to 3) columns and of two rows of `ring`; `to` and `centre` do not overlap."""
    y = span(lines, to, n)
    a = span(ring, start1, n)
    b = span(ring, start2, n)
    x = span(lines, centre, n)
    l1 = span(lines, centre - 1, n)
    r1 = span(lines, centre + 1, n)
    if step == 1:
        for c in range(n):
            s = min(min(read(l1, c), read(x, c)), read(r1, c))
            write(y, c, min(s, min(read(a, c), read(b, c))))
        return
    l2 = span(lines, centre - 2, n)
    r2 = span(lines, centre + 2, n)
    if step == 2:
        for c in range(n):
            s = min(min(read(l1, c), read(x, c)), read(r1, c))
            s = min(s, min(read(l2, c), read(r2, c)))
            write(y, c, min(s, min(read(a, c), read(b, c))))
        return
    l3 = span(lines, centre - 3, n)
    r3 = span(lines, centre + 3, n)
    for c in range(n):
        s = min(min(read(l1, c), read(x, c)), read(r1, c))
        s = min(s, min(read(l2, c), read(r2, c)))
        s = min(s, min(read(l3, c), read(r3, c)))
        write(y, c, min(s, min(read(a, c), read(b, c))))


@kernel
def _take_row(ring, bases, depths, k, source, start, n, flip):  # type: ignore[no-untyped-def]
    """Enter the k-th row into the ring: level p gets the minimum of the last ``2**p`` rows."""
    newest = bases[0] + (k % depths[0]) * n
    _copy(ring, newest, source, start, n, flip)
    for p in range(1, depths.size):
        first = k - (1 << p) + 1
        if first < 0:
            return
        at = bases[p] + (first % depths[p]) * n
        _least(ring, at, ring, bases[p - 1] + (first % depths[p - 1]) * n, newest, n)
        newest = at


@kernel
def _disk_minimum(ring, bases, depths, steps, k, lines, n):  # type: ignore[no-untyped-def]
    """Minimum within the disk around the k-th row; returns where in `lines` it starts."""
    here = _MARGIN
    there = here + n + 2 * _MARGIN
    for i in range(steps.shape[0]):
        step = steps[i, 0]
        p = steps[i, 1]
        v = steps[i, 2]
        upper = bases[p] + ((k - v) % depths[p]) * n
        lower = bases[p] + ((k + v - (1 << p) + 1) % depths[p]) * n
        if i == 0:
            _least(lines, here, ring, upper, lower, n)
            continue
        while step > _WIDEST_STEP:
            _widen(lines, there, here, _WIDEST_STEP, lines, here, here, n)
            here, there = there, here
            step -= _WIDEST_STEP
        _widen(lines, there, here, step, ring, upper, lower, n)
        here, there = there, here
    return here


@kernel
def _room(depths, n):  # type: ignore[no-untyped-def]
    """Where each level starts in a ring, and, last, the ring's size."""
    bases = np.zeros(depths.size + 1, np.int64)
    for p in range(depths.size):
        bases[p + 1] = bases[p] + depths[p] * n
    return bases


@kernel
def _erode_rows(plane, out, steps, depths, radius, flip, first, end):  # type: ignore[no-untyped-def]
    """Rows ``first .. end - 1`` of the erosion; of the dilation if `flip` is 65535."""
    rows, n = plane.shape
    source = plane.reshape(plane.size)
    target = out.reshape(out.size)
    bases = _room(depths, n)
    ring = np.empty(bases[-1], np.uint16)
    lines = np.full(2 * (n + 2 * _MARGIN), _ALL, np.uint16)
    outside = np.full(n, _ALL, np.uint16)
    for k in range(end - first + 2 * radius):
        r = first - radius + k
        if 0 <= r < rows:
            _take_row(ring, bases, depths, k, source, r * n, n, flip)
        else:
            _take_row(ring, bases, depths, k, outside, 0, n, np.uint16(0))
        if k >= 2 * radius:
            line = _disk_minimum(ring, bases, depths, steps, k - radius, lines, n)
            _copy(target, (r - radius) * n, lines, line, n, flip)


@kernel
def _open_rows(plane, out, steps, depths, radius, subtract, first, end):  # type: ignore[no-untyped-def]
    """Rows ``first .. end - 1`` of the opening, or of what it takes away.

    Complements of eroded rows enter the second ring as soon as they are made.
    """
    rows, n = plane.shape
    source = plane.reshape(plane.size)
    target = out.reshape(out.size)
    bases = _room(depths, n)
    ring = np.empty(bases[-1], np.uint16)
    eroded_ring = np.empty(bases[-1], np.uint16)
    lines = np.full(2 * (n + 2 * _MARGIN), _ALL, np.uint16)
    outside = np.full(n, _ALL, np.uint16)
    none = np.uint16(0)
    for k in range(end - first + 4 * radius):
        r = first - 2 * radius + k
        if 0 <= r < rows:
            _take_row(ring, bases, depths, k, source, r * n, n, none)
        else:
            _take_row(ring, bases, depths, k, outside, 0, n, none)
        j = k - 2 * radius
        if j < 0:
            continue
        if 0 <= r - radius < rows:
            line = _disk_minimum(ring, bases, depths, steps, k - radius, lines, n)
            _take_row(eroded_ring, bases, depths, j, lines, line, n, _ALL)
        else:
            _take_row(eroded_ring, bases, depths, j, outside, 0, n, none)
        if j < 2 * radius:
            continue
        line = _disk_minimum(eroded_ring, bases, depths, steps, j - radius, lines, n)
        at = (r - 2 * radius) * n
        if subtract:
            _subtract_complement(target, at, source, at, lines, line, n)
        else:
            _copy(target, at, lines, line, n, _ALL)
