"""Pieces of one strand: elongated objects whose tip leads over a bright bridge to another object."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.delineation import smoothed_value

# Objects within reach of one tip; more would be a texture, not a strand.
_MOST_PARTNERS = 8


def strand_links(
    plane: NDArray[np.float32],
    owner: NDArray[np.int32],
    pixel: NDArray[np.int64],
    contrast: NDArray[np.float32],
    start: NDArray[np.int64],
    peak: NDArray[np.float32],
    *,
    elongation: float,
    reach: float,
    threads: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How bright the way is from each tip of an elongated object, ahead, to the nearest pixel of each other object.

    Two round specks that touch are not linked, however bright the saddle between them.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        Bright = dense, C-contiguous.
    owner : ndarray of int32, shape (h, w)
        k + 1 on every pixel of object k, else 0.
    pixel, contrast, start, peak
        As `delineation.delineate` returns them.
    elongation : float
        Ratio of the axes (by second moments) from which an object has tips.
    reach : float
        Longest gap, px between pixel centres.
    threads : int
        The result does not depend on it.

    Returns
    -------
    links : ndarray of int64, shape (links, 4)
        The object, the other one, the tip and the pixel reached (flat plane index); in order of object.
    bridge : ndarray of float64, shape (links,)
        Lowest contrast along the straight way, as a share of the lower of the two peaks.
    """

    def part(first: int, end: int) -> tuple[Any, Any]:
        links, bridge = _links(plane, owner, pixel, contrast, start, peak, elongation, reach, first, end)
        return links, bridge

    links, bridge = zip(*run_bands(part, len(start) - 1, threads), strict=True)
    return np.concatenate(links), np.concatenate(bridge)


@kernel
def _links(plane, owner, pixel, contrast, start, peak, elongation, reach, first, end):  # type: ignore[no-untyped-def]
    h, w = plane.shape
    out = np.empty((2 * _MOST_PARTNERS * (end - first), 4), np.int64)
    bridge = np.empty(len(out), np.float64)
    count = 0
    partner = np.empty(_MOST_PARTNERS, np.int64)
    reached = np.empty(_MOST_PARTNERS, np.int64)
    nearest = np.empty(_MOST_PARTNERS, np.float64)
    radius = int(reach)
    largest = 0
    for k in range(first, end):
        largest = max(largest, start[k + 1] - start[k])
    rows, cols = np.empty(largest, np.int64), np.empty(largest, np.int64)
    for k in range(first, end):
        size = start[k + 1] - start[k]
        _unravel(pixel, start[k], start[k + 1], w, rows, cols)
        row, col, along_row, along_col, ratio = _axis(rows, cols, size)
        if ratio < elongation:
            continue
        for side in range(2):
            dr, dc = (along_row, along_col) if side == 0 else (-along_row, -along_col)
            tip, furthest = 0, -math.inf
            for q in range(size):
                ahead = (rows[q] - row) * dr + (cols[q] - col) * dc
                if ahead > furthest:
                    tip, furthest = q, ahead
            tip_row, tip_col = rows[tip], cols[tip]
            tip += start[k]
            partners = 0
            for i in range(max(tip_row - radius, 0), min(tip_row + radius + 1, h)):
                left, right = max(tip_col - radius, 0), min(tip_col + radius + 1, w)
                # Only what lies ahead, and a pixel more for rounding: the rest of the row is not looked at.
                if dc > 1e-6:
                    left = max(left, tip_col - int((i - tip_row) * dr / dc) - 1)
                elif dc < -1e-6:
                    right = min(right, tip_col - int((i - tip_row) * dr / dc) + 2)
                for j in range(left, right):
                    other = owner[i, j] - 1
                    if other < 0 or other == k:
                        continue
                    distance = math.hypot(i - tip_row, j - tip_col)
                    if distance > reach or (i - tip_row) * dr + (j - tip_col) * dc < 0.0:
                        continue
                    slot = 0
                    while slot < partners and partner[slot] != other:
                        slot += 1
                    if slot == _MOST_PARTNERS:
                        continue
                    if slot == partners:
                        partner[slot], nearest[slot] = other, math.inf
                        partners += 1
                    if distance < nearest[slot]:
                        nearest[slot], reached[slot] = distance, i * w + j
            for slot in range(partners):
                other = partner[slot]
                there = _place_of(pixel, start[other], start[other + 1], reached[slot])
                lowest = _lowest_between(plane, pixel[tip], contrast[tip], pixel[there], contrast[there])
                out[count, 0] = k
                out[count, 1] = other
                out[count, 2] = pixel[tip]
                out[count, 3] = pixel[there]
                bridge[count] = lowest / min(peak[k], peak[other])
                count += 1
    return out[:count], bridge[:count]


@kernel
def _unravel(pixel, first, end, w, rows, cols):  # type: ignore[no-untyped-def]
    """Row and column of each pixel of an ascending list: one division for the first, none for the others."""
    row = pixel[first] // w
    for q in range(first, end):
        while pixel[q] >= (row + 1) * w:
            row += 1
        rows[q - first], cols[q - first] = row, pixel[q] - row * w


@kernel
def _axis(rows, cols, n):  # type: ignore[no-untyped-def]
    """Centroid, unit vector along the longer axis, and ratio of the axes of an object's pixels."""
    row = col = 0.0
    for q in range(n):
        row += rows[q]
        col += cols[q]
    row /= n
    col /= n
    # A pixel is a square, not a point: 1/12 is its own second moment.
    rr, cc, rc = n / 12.0, n / 12.0, 0.0
    for q in range(n):
        y, x = rows[q] - row, cols[q] - col
        rr += y * y
        cc += x * x
        rc += y * x
    spread = math.sqrt((rr - cc) * (rr - cc) + 4.0 * rc * rc)
    angle = 0.5 * math.atan2(2.0 * rc, cc - rr)
    ratio = math.sqrt((rr + cc + spread) / max(rr + cc - spread, 1e-9))
    return row, col, math.sin(angle), math.cos(angle), ratio


@kernel
def _place_of(pixel, first, end, wanted):  # type: ignore[no-untyped-def]
    """Where a pixel stands in an object's ascending list."""
    low, high = first, end - 1
    while low < high:
        middle = (low + high) >> 1
        if pixel[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _lowest_between(plane, one, one_contrast, other, other_contrast):  # type: ignore[no-untyped-def]
    """Lowest contrast along the straight way between two pixels, over the background interpolated between them."""
    w = plane.shape[1]
    row, col = one // w, one % w
    by_row, by_col = other // w - row, other % w - col
    background = smoothed_value(plane, row, col) - one_contrast
    rise = smoothed_value(plane, row + by_row, col + by_col) - other_contrast - background
    steps = max(abs(by_row), abs(by_col))
    lowest = min(one_contrast, other_contrast)
    for s in range(1, steps):
        share = s / steps
        i, j = round(row + share * by_row), round(col + share * by_col)
        lowest = min(lowest, smoothed_value(plane, i, j) - background - np.float32(share) * rise)
    return lowest


def number_objects(owner: NDArray[np.int32], pixel: NDArray[np.int64], start: NDArray[np.int64]) -> None:
    """Write k + 1 on every pixel of object k; `owner` is C-contiguous."""
    owner.ravel()[pixel] = np.repeat(np.arange(1, len(start), dtype=np.int32), np.diff(start))


def bridge_pixels(
    links: NDArray[np.int64],
    owner: NDArray[np.int32],
    pixel: NDArray[np.int64],
    start: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The free pixels between linked ones, a way as broad as half of the thinner object.

    Parameters
    ----------
    links, owner, pixel, start
        As in and from `strand_links`.

    Returns
    -------
    pixel : ndarray of int64
        Flat plane index, link after link; a pixel may come more than once.
    link : ndarray of int64
        Which link each is for.
    """
    pixels, link = _bridge_pixels(links, owner, pixel, start)
    return pixels, link


@kernel
def _thickness(pixel, first, end, w):  # type: ignore[no-untyped-def]
    """Area over the longer side of the bounding box, px."""
    left, right = w, 0
    for q in range(first, end):
        left, right = min(left, pixel[q] % w), max(right, pixel[q] % w)
    tall = pixel[end - 1] // w - pixel[first] // w
    return (end - first) / (max(tall, right - left) + 1)


@kernel
def _bridge_pixels(links, owner, pixel, start):  # type: ignore[no-untyped-def]
    h, w = owner.shape
    most = 0
    radii = np.empty(len(links), np.int64)
    for n in range(len(links)):
        one, other, tip, reached = links[n]
        thinnest = min(
            _thickness(pixel, start[one], start[one + 1], w),
            _thickness(pixel, start[other], start[other + 1], w),
        )
        radii[n] = int(thinnest / 4.0)
        steps = max(abs(reached // w - tip // w), abs(reached % w - tip % w))
        most += steps * (2 * radii[n] + 1) ** 2
    out, link = np.empty(most, np.int64), np.empty(most, np.int64)
    count = 0
    for n in range(len(links)):
        tip, reached, radius = links[n, 2], links[n, 3], radii[n]
        row, col = tip // w, tip % w
        by_row, by_col = reached // w - row, reached % w - col
        steps = max(abs(by_row), abs(by_col))
        for s in range(1, steps):
            share = s / steps
            middle_row, middle_col = round(row + share * by_row), round(col + share * by_col)
            for i in range(max(middle_row - radius, 0), min(middle_row + radius + 1, h)):
                for j in range(max(middle_col - radius, 0), min(middle_col + radius + 1, w)):
                    if owner[i, j] == 0:
                        out[count], link[count] = i * w + j, n
                        count += 1
    return out[:count], link[:count]
