"""Greyscale reconstruction by dilation, 8-connected.

The marker is dilated under the mask until nothing changes (Vincent, IEEE Trans. Image Process. 2(2), 1993).
Vincent scans the image down and up, and hands what is left to a queue of pixels. Here, the scans are vector
code, at some hundred pixels for the cost of one queued pixel, so they go on to the end, over those segments
of rows that a change next to them may have made stale. Along a row, ``x[c] = max(low[c], min(mask[c], x[c -
1]))`` is a chain of clamps, which compose; right and left in turn settle a row for good until the row above
or below changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import bands, kernel, run_each
from mammocalc_kernels.planes import check_plane, output_like
from mammocalc_kernels.streams import clamp_left, clamp_right, read, span, write

# Bytes of a segment, the part of a row that is visited as one; and of the margin beside each row, one vector.
_SEGMENT_BYTES = 512
_MARGIN_BYTES = 64

Plane = TypeVar("Plane", NDArray[np.uint16], NDArray[np.float32])


@dataclass(frozen=True, eq=False)
class _Band:
    """A band of rows, padded, with one row of the next band above and below.

    Attributes
    ----------
    first, end : int
        Rows of the image.
    values, mask : ndarray, shape (end - first + 2, width)
        Segments after a margin, and lowest values around. `values` starts as the marker.
    stale : ndarray of uint8, shape (2, end - first + 2, segments + 2)
        Segments to visit on the next scan down (0) and up (1).
    stale_rows : ndarray of uint8, shape (2, end - first + 2)
        Rows with such segments.
    """

    first: int
    end: int
    values: NDArray[np.generic]
    mask: NDArray[np.generic]
    stale: NDArray[np.uint8]
    stale_rows: NDArray[np.uint8]


def reconstruct(
    marker: Plane, mask: Plane, out: NDArray[np.generic] | None = None, threads: int = 1
) -> Plane:
    """Reconstruction by dilation of `mask` from `marker`, over 8 neighbours.

    Parameters
    ----------
    marker, mask : ndarray of uint16 or float32, same dtype, shape (rows, columns), C-contiguous
        The marker is nowhere above the mask. No NaN.
    out : ndarray of the same dtype and shape, C-contiguous, optional
        Where to write; may not overlap the inputs.
    threads : int
        The result does not depend on it: it is the one greatest image that can be reached.

    Returns
    -------
    ndarray, dtype and shape of the mask
        Equal to ``skimage.morphology.reconstruction(marker, mask, footprint=np.ones((3, 3)))``.

    Raises
    ------
    TypeError
        Another dtype, or two.
    ValueError
        Not 2-D, empty, not C-contiguous, shapes that differ, a marker above the mask somewhere, or NaN.
    """
    check_plane(marker, (np.uint16, np.float32))
    check_plane(mask, (marker.dtype.type,))
    if marker.shape != mask.shape:
        raise ValueError(f"the marker has shape {marker.shape}, the mask {mask.shape}")
    result = output_like(marker, out)
    if np.may_share_memory(mask, result):
        raise ValueError("out must not overlap the mask")
    rows, columns = marker.shape
    segment = _SEGMENT_BYTES // marker.itemsize
    margin = _MARGIN_BYTES // marker.itemsize
    parts = [_band(first, end, columns, segment, margin, marker.dtype) for first, end in bands(rows, threads)]

    lowest = mask.dtype.type(0) if mask.dtype == np.uint16 else mask.dtype.type(-np.inf)

    def fill(band: _Band) -> int:
        count: int = _fill(marker, mask, band.values, band.mask, margin, lowest, band.first, band.end)
        return count

    def settle(band: _Band) -> None:
        _settle(band.values, band.mask, band.stale, band.stale_rows, segment, margin)

    def keep(band: _Band) -> None:
        result[band.first : band.end] = band.values[1:-1, margin : margin + columns]

    if any(run_each(fill, parts, threads)):
        raise ValueError("the marker must not be above the mask anywhere, and neither may hold NaN")
    run_each(settle, parts, threads)
    while _exchange(parts, segment, margin):
        run_each(settle, parts, threads)
    run_each(keep, parts, threads)
    return result


def _band(
    first: int, end: int, columns: int, segment: int, margin: int, dtype: np.dtype[np.generic]
) -> _Band:
    segments = -(-columns // segment)
    shape = (end - first + 2, segments * segment + 2 * margin)
    return _Band(
        first,
        end,
        np.empty(shape, dtype),
        np.empty(shape, dtype),
        np.ones((2, end - first + 2, segments + 2), np.uint8),
        np.ones((2, end - first + 2), np.uint8),
    )


def _exchange(parts: list[_Band], segment: int, margin: int) -> bool:
    """Copy each band's border rows to its neighbours; whether that made anything stale."""
    stale = False
    for upper, lower in pairwise(parts):
        for source, target, direction, row in (
            (upper.values[-2], lower.values[0], 0, 1),
            (lower.values[1], upper.values[-1], 1, -2),
        ):
            band = lower if direction == 0 else upper
            changed = np.flatnonzero(source != target)
            if changed.size == 0:
                continue
            target[:] = source
            # A pixel at a segment's edge reaches the next segment.
            for shift in (-1, 0, 1):
                band.stale[direction, row, (changed - margin + shift) // segment + 1] = 1
            band.stale_rows[direction, row] = 1
            stale = True
    return stale


@kernel
def _copy_below(target, at, source, start, bound_target, bound, n):  # type: ignore[no-untyped-def]
    """Copy `n` values of `source` and of `bound`; how many are not at most their bound."""
    x = span(source, start, n)
    y = span(bound, start, n)
    to = span(target, at, n)
    bound_to = span(bound_target, at, n)
    wrong = np.int32(0)
    for c in range(n):
        value = read(x, c)
        limit = read(y, c)
        wrong += np.int32(not value <= limit)
        write(to, c, value)
        write(bound_to, c, limit)
    return wrong


@kernel
def _fill(marker, mask, values, padded_mask, margin, lowest, first, end):  # type: ignore[no-untyped-def]
    """Copy a band and a row above and below; the number of pixels with the marker above the mask, or NaN."""
    rows, n = marker.shape
    width = values.shape[1]
    flat_marker = marker.reshape(marker.size)
    flat_mask = mask.reshape(mask.size)
    flat_values = values.reshape(values.size)
    flat_padded = padded_mask.reshape(padded_mask.size)
    wrong = 0
    for k in range(end - first + 2):
        r = first - 1 + k
        inside = 0 <= r < rows
        if inside:
            at = k * width + margin
            wrong += _copy_below(flat_values, at, flat_marker, r * n, flat_padded, flat_mask, n)
        values[k, :margin] = lowest
        padded_mask[k, :margin] = lowest
        values[k, margin + n if inside else margin :] = lowest
        padded_mask[k, margin + n if inside else margin :] = lowest
    return wrong


@kernel
def _reach(line, to, values, at, beside, mask, n):  # type: ignore[no-untyped-def]
    """Greatest of each pixel and its three neighbours in the row at `beside`, under the mask, into a line."""
    x = span(values, at, n)
    a = span(values, beside - 1, n)
    b = span(values, beside, n)
    c = span(values, beside + 1, n)
    limit = span(mask, at, n)
    y = span(line, to, n)
    for k in range(n):
        greatest = max(max(read(a, k), read(b, k)), max(read(c, k), read(x, k)))
        write(y, k, min(greatest, read(limit, k)))


@kernel
def _copy(target, to, source, at, n):  # type: ignore[no-untyped-def]
    x = span(source, at, n)
    y = span(target, to, n)
    for k in range(n):
        write(y, k, read(x, k))


@kernel
def _replace(values, at, line, start, n):  # type: ignore[no-untyped-def]
    """Write a line back; the number of pixels that changed."""
    x = span(line, start, n)
    y = span(values, at, n)
    changed = np.int32(0)
    for k in range(n):
        value = read(x, k)
        changed += np.int32(value != y[k])
        write(y, k, value)
    return changed


@kernel
def _scan(values, mask, shape, segment, margin, stale, stale_rows, upwards, line, visited):  # type: ignore[no-untyped-def]
    """Visit the stale segments of one direction, row after row, and mark what becomes stale in both.

    `values` and `mask` are flat, of `shape`. `line` is one row's room, `visited` one item a segment.
    """
    rows, width = shape
    segments = visited.size
    # Where the rows lie whose changes this scan takes up, and the other's.
    step = -1 if upwards == 1 else 1
    mine = stale[upwards]
    mine_rows = stale_rows[upwards]
    other = stale[1 - upwards]
    other_rows = stale_rows[1 - upwards]
    for i in range(rows - 2):
        r = rows - 2 - i if upwards == 1 else i + 1
        if mine_rows[r] == 0:
            continue
        mine_rows[r] = 0
        visited[:] = 0
        spills = False
        for s in range(segments):
            if mine[r, s + 1] == 0 and not spills:
                continue
            to = margin + s * segment
            at = r * width + to
            if mine[r, s + 1] == 1:
                mine[r, s + 1] = 0
                _reach(line, to, values, at, at - step * width, mask, segment)
            else:
                _copy(line, to, values, at, segment)
            carry = line[to - 1] if s > 0 and visited[s - 1] == 1 else values[at - 1]
            part = span(line, to, segment)
            last = clamp_right(part, mask, at, part, segment, carry)
            visited[s] = 1
            # The value beyond the last segment is the mask's lowest, so nothing spills there.
            spills = s + 1 < segments and values[at + segment] < min(last, mask[at + segment])
        spills = False
        for s in range(segments - 1, -1, -1):
            if visited[s] == 0 and not spills:
                continue
            to = margin + s * segment
            at = r * width + to
            if visited[s] == 0:
                _copy(line, to, values, at, segment)
            part = span(line, to, segment)
            first_was = values[at]
            last_was = values[at + segment - 1]
            first = clamp_left(part, mask, at, part, segment, values[at + segment])
            if _replace(values, at, line, to, segment) > 0:
                mine[r + step, s + 1] = 1
                other[r - step, s + 1] = 1
                mine_rows[r + step] = 1
                other_rows[r - step] = 1
                # Diagonal neighbours beyond the segment.
                if values[at] != first_was:
                    mine[r + step, s] = 1
                    other[r - step, s] = 1
                if values[at + segment - 1] != last_was:
                    mine[r + step, s + 2] = 1
                    other[r - step, s + 2] = 1
            spills = False
            if s > 0:
                before = line[to - 1] if visited[s - 1] == 1 else values[at - 1]
                spills = before < min(first, mask[at - 1])


@kernel
def _settle(values, mask, stale, stale_rows, segment, margin):  # type: ignore[no-untyped-def]
    """Scan a band down and up until nothing in it is stale."""
    rows, width = values.shape
    flat_values = values.reshape(values.size)
    flat_mask = mask.reshape(mask.size)
    line = np.empty(width, values.dtype)
    visited = np.zeros(stale.shape[2] - 2, np.uint8)
    while np.any(stale_rows[:, 1 : rows - 1]):
        _scan(flat_values, flat_mask, values.shape, segment, margin, stale, stale_rows, 0, line, visited)
        _scan(flat_values, flat_mask, values.shape, segment, margin, stale, stale_rows, 1, line, visited)
