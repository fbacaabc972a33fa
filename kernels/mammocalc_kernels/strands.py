"""Pieces of one strand: elongated objects whose tip leads over a bright bridge to another object."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.delineation import smoothed_value
from mammocalc_kernels.sorting import sort_ascending
from mammocalc_kernels.streams import span

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
                if left >= right or not _holds_other(span(owner, i * w + left, right - left), k + 1):
                    continue
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
def _holds_other(line, number):  # type: ignore[no-untyped-def]
    """Whether there is anything else than 0 and a number in a line."""
    own = np.int32(number)
    found = False
    for j in range(line.size):
        found |= (line[j] != 0) & (line[j] != own)
    return found


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


def forms_of_pairs(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    pixel: NDArray[np.int64],
    start: NDArray[np.int64],
    width: int,
    threads: int = 1,
) -> NDArray[np.float64]:
    """How long drawn out the objects of each pair are, alone and together, and how they lie to each other.

    Parameters
    ----------
    one, other : ndarray of int64, shape (pairs,)
        Numbers of objects.
    pixel, start : ndarray of int64
        As in `strand_links`.
    width : int
        Columns of the plane.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (pairs, 4)
        Ratio of the axes, by second moments, of the one, of the other and of both as one; cosine of the angle between
        the longer axes of the one and the other, not negative.
    """
    forms = np.empty((len(one), 4))

    def part(first: int, end: int) -> None:
        _forms_of_pairs(one, other, pixel, start, width, first, end, forms)

    run_bands(part, len(one), threads, smallest=8)
    return forms


@kernel
def _forms_of_pairs(one, other, pixel, start, width, begin, end, forms):  # type: ignore[no-untyped-def]
    for k in range(begin, end):
        first = start[one[k] + 1] - start[one[k]]
        both = first + start[other[k] + 1] - start[other[k]]
        rows, cols = np.empty(both, np.int64), np.empty(both, np.int64)
        _unravel(pixel, start[one[k]], start[one[k] + 1], width, rows, cols)
        _unravel(pixel, start[other[k]], start[other[k] + 1], width, rows[first:], cols[first:])
        one_axis = _axis(rows, cols, first)
        other_axis = _axis(rows[first:], cols[first:], both - first)
        forms[k, 0], forms[k, 1] = one_axis[4], other_axis[4]
        forms[k, 2] = _axis(rows, cols, both)[4]
        forms[k, 3] = abs(one_axis[2] * other_axis[2] + one_axis[3] * other_axis[3])


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


def number_objects(
    owner: NDArray[np.int32], pixel: NDArray[np.int64], start: NDArray[np.int64], clear: bool = False
) -> None:
    """Write k + 1 on every pixel of object k, or 0 to clear them; `owner` is C-contiguous."""
    _number_objects(owner.reshape(-1), pixel, start, not clear)


@kernel
def _number_objects(owner, pixel, start, one):  # type: ignore[no-untyped-def]
    for k in range(len(start) - 1):
        for q in range(start[k], start[k + 1]):
            owner[pixel[q]] = (k + 1) * one


def join_objects(
    first_part: NDArray[np.int64],
    links: NDArray[np.int64],
    bridge: tuple[NDArray[np.int64], NDArray[np.int64]],
    owner: NDArray[np.int32],
    pixel: NDArray[np.int64],
    start: NDArray[np.int64],
    contrast: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Objects of one part as one object, with the ways between them.

    Parameters
    ----------
    first_part : ndarray of int64, shape (n,)
        The first object of each object's part, itself included.
    links, owner, pixel, start, contrast
        As in and from `strand_links`; all links are within a part. `owner` gets -1 on the pixels that are added.
    bridge : tuple of ndarray of int64
        As `bridge_pixels` returns them. A pixel on two ways belongs to the first; it counts as bright as the dimmer
        end of its way.

    Returns
    -------
    pixel, start, contrast
        As in `strand_links`, one object a part, in the order of the first objects.
    """
    joined: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] = _join_objects(
        first_part, links, *bridge, owner.reshape(-1), pixel, start, contrast
    )
    return joined


@kernel
def _join_objects(first_part, links, added, link, owner, pixel, start, contrast):  # type: ignore[no-untyped-def]
    n = len(first_part)
    size, pieces, end = np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        size[first_part[k]] += start[k + 1] - start[k]
        pieces[first_part[k]] += 1
    fresh = np.empty(len(added), np.bool_)
    for a in range(len(added)):
        fresh[a] = owner[added[a]] == 0
        if fresh[a]:
            owner[added[a]] = -1
            size[first_part[links[link[a], 0]]] += 1
    starts = np.zeros(n + 1, np.int64)
    parts, largest = 0, 0
    for k in range(n):
        if first_part[k] == k:
            end[k] = starts[parts]
            starts[parts + 1] = starts[parts] + size[k]
            parts += 1
            largest = max(largest, size[k])
    pixels, contrasts = np.empty(starts[parts], np.int64), np.empty(starts[parts], np.float32)
    for k in range(n):
        to, count = end[first_part[k]], start[k + 1] - start[k]
        for q in range(count):
            pixels[to + q], contrasts[to + q] = pixel[start[k] + q], contrast[start[k] + q]
        end[first_part[k]] += count
    for a in range(len(added)):
        if fresh[a]:
            one, other, tip, reached = links[link[a]]
            to = end[first_part[one]]
            pixels[to] = added[a]
            contrasts[to] = min(
                contrast[_place_of(pixel, start[one], start[one + 1], tip)],
                contrast[_place_of(pixel, start[other], start[other + 1], reached)],
            )
            end[first_part[one]] += 1
    queue, spare = np.empty(largest, np.uint64), np.empty(largest, np.uint64)
    before = np.empty(largest, np.float32)
    for k in range(n):
        if pieces[k] > 1:
            _sort_pixels(pixels, contrasts, end[k] - size[k], size[k], queue, spare, before)
    return pixels, starts[: parts + 1], contrasts


@kernel
def _sort_pixels(pixels, contrasts, first, n, queue, spare, before):  # type: ignore[no-untyped-def]
    """Sort ``pixels[first:first + n]``, all below 2 ** 32, and the contrasts with them; the rest is scratch."""
    for q in range(n):
        queue[q] = (np.uint64(pixels[first + q]) << np.uint64(32)) | np.uint64(q)
        before[q] = contrasts[first + q]
    sort_ascending(queue, spare, n)
    for q in range(n):
        pixels[first + q] = np.int64(queue[q] >> np.uint64(32))
        contrasts[first + q] = before[np.int64(queue[q] & np.uint64(0xFFFFFFFF))]


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
