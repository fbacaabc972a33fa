"""Delineation of bright specks: a flooding from each local maximum down to a fraction of its own contrast.

Within a candidate component, pixels are visited from the brightest down (the order of a component tree, Najman &
Couprie 2006, doi 10.1109/TIP.2006.877518). Every local maximum founds a basin; a pixel joins the basin of its
brightest neighbour, and lies within its outline while it keeps a given fraction of that basin's peak contrast: the
full width at half maximum for a fraction of one half. Basins that meet at a shallow saddle are one object, basins
that meet at a deep one stay apart, and ripples of noise on the slope of a brighter object are dropped: touching
specks are split and a rod of uneven brightness stays whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.stable_sort import sort_stably


@kernel
def smoothed_value(plane, row, col):  # type: ignore[no-untyped-def]
    """Binomial 3x3 mean (Gaussian of sigma 0.71 px), border replicated."""
    h, w = plane.shape
    up = row - 1 if row > 0 else 0
    down = row + 1 if row < h - 1 else h - 1
    left = col - 1 if col > 0 else 0
    right = col + 1 if col < w - 1 else w - 1
    top = plane[up, left] + np.float32(2) * plane[up, col] + plane[up, right]
    middle = plane[row, left] + np.float32(2) * plane[row, col] + plane[row, right]
    bottom = plane[down, left] + np.float32(2) * plane[down, col] + plane[down, right]
    return (top + np.float32(2) * middle + bottom) * np.float32(0.0625)


@kernel
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def _chessboard_distance(distance):  # type: ignore[no-untyped-def]
    """In place: 0 stays 0, everything else becomes its chessboard distance to the nearest 0 (two passes)."""
    h, w = distance.shape
    for i in range(h):
        for j in range(w):
            if distance[i, j] == 0:
                continue
            best = distance[i, j]
            if i > 0:
                for dj in range(-1, 2):
                    if 0 <= j + dj < w and distance[i - 1, j + dj] + 1 < best:
                        best = distance[i - 1, j + dj] + 1
            if j > 0 and distance[i, j - 1] + 1 < best:
                best = distance[i, j - 1] + 1
            distance[i, j] = best
    for i in range(h - 1, -1, -1):
        for j in range(w - 1, -1, -1):
            if distance[i, j] == 0:
                continue
            best = distance[i, j]
            if i < h - 1:
                for dj in range(-1, 2):
                    if 0 <= j + dj < w and distance[i + 1, j + dj] + 1 < best:
                        best = distance[i + 1, j + dj] + 1
            if j < w - 1 and distance[i, j + 1] + 1 < best:
                best = distance[i, j + 1] + 1
            distance[i, j] = best


@kernel
def _fitted_plane(values, rows, cols, count):  # type: ignore[no-untyped-def]
    """Least-squares plane through `count` points, refitted once without outliers beyond 2 robust deviations.

    Returns the offset, the slopes per row and per column, and the standard deviation of the kept residuals.
    """
    keep = np.ones(count, np.bool_)
    offset, by_row, by_col, deviation = 0.0, 0.0, 0.0, 1.0
    for attempt in range(3):
        n = 0.0
        mean_v = 0.0
        mean_r = 0.0
        mean_c = 0.0
        for k in range(count):
            if keep[k]:
                n += 1.0
                mean_v += values[k]
                mean_r += rows[k]
                mean_c += cols[k]
        if n < 1.0:
            break
        mean_v /= n
        mean_r /= n
        mean_c /= n
        rr, cc, rc, rv, cv = 1e-9, 1e-9, 0.0, 0.0, 0.0
        for k in range(count):
            if keep[k]:
                r, c, v = rows[k] - mean_r, cols[k] - mean_c, values[k] - mean_v
                rr += r * r
                cc += c * c
                rc += r * c
                rv += r * v
                cv += c * v
        determinant = rr * cc - rc * rc
        if n >= 12.0 and determinant > 1e-3 * rr * cc:
            by_row = (rv * cc - cv * rc) / determinant
            by_col = (cv * rr - rv * rc) / determinant
        else:
            by_row = 0.0
            by_col = 0.0
        offset = mean_v - by_row * mean_r - by_col * mean_c
        total = 0.0
        for k in range(count):
            if keep[k]:
                e = values[k] - offset - by_row * rows[k] - by_col * cols[k]
                total += e * e
        deviation = np.sqrt(total / max(n - 1.0, 1.0))
        if attempt < 2:
            for k in range(count):
                e = values[k] - offset - by_row * rows[k] - by_col * cols[k]
                keep[k] = abs(e) <= 2.0 * deviation + 1e-12
    return offset, by_row, by_col, deviation


@kernel
def _component_numbers(shape, offsets, run_row, run_start, run_stop):  # type: ignore[no-untyped-def]
    """k + 1 on every pixel of component k, else 0."""
    out = np.zeros(shape, np.int32)
    for k in range(len(offsets) - 1):
        for i in range(offsets[k], offsets[k + 1]):
            out[run_row[i], run_start[i] : run_stop[i]] = k + 1
    return out


@kernel
def _is_nearest(occupied, row, col, number, distance):  # type: ignore[no-untyped-def]
    """Whether no other component is nearer to a pixel (chessboard), or as near with a lower number."""
    h, w = occupied.shape
    for i in range(max(row - distance, 0), min(row + distance + 1, h)):
        for j in range(max(col - distance, 0), min(col + distance + 1, w)):
            other = occupied[i, j]
            if other != 0 and other != number:
                apart = max(abs(i - row), abs(j - col))
                if apart < distance or other < number:
                    return False
    return True


@kernel
def _delineate(  # type: ignore[no-untyped-def]
    plane,
    occupied,
    offsets,
    run_row,
    run_start,
    run_stop,
    first,
    end,
    ring,
    fraction,
    saddle,
    smallest_contrast,
):
    h, w = plane.shape
    reach = ring + 2
    widest = 1
    for k in range(first, end):
        low_col, high_col = w, 0
        for i in range(offsets[k], offsets[k + 1]):
            low_col = min(low_col, run_start[i])
            high_col = max(high_col, run_stop[i])
        rows = run_row[offsets[k + 1] - 1] - run_row[offsets[k]] + 1 + 2 * reach
        widest = max(widest, rows * (high_col - low_col + 2 * reach))
    ring_value = np.empty(widest, np.float64)
    ring_row = np.empty(widest, np.float64)
    ring_col = np.empty(widest, np.float64)
    key = np.empty(widest, np.float32)
    place = np.empty(widest, np.int32)
    order = np.empty(widest, np.int32)
    other_order = np.empty(widest, np.int32)
    parent = np.empty(widest, np.int32)
    peak = np.empty(widest, np.float32)
    dead = np.empty(widest, np.bool_)

    # Room for every pixel of every run and two around it; what is not written to costs no memory.
    most = 0
    for i in range(offsets[first], offsets[end]):
        most += 5 * (run_stop[i] - run_start[i] + 4)
    out_pixel = np.empty(most, np.int64)
    out_contrast = np.empty(most, np.float32)
    n_pixels = 0
    out_peak = np.empty(most, np.float32)
    out_size = np.empty(most, np.int64)
    out_surroundings = np.empty((most, 2), np.float32)
    n_regions = 0

    for k in range(first, end):
        low_col, high_col = w, 0
        for i in range(offsets[k], offsets[k + 1]):
            low_col = min(low_col, run_start[i])
            high_col = max(high_col, run_stop[i])
        top = max(run_row[offsets[k]] - reach, 0)
        bottom = min(run_row[offsets[k + 1] - 1] + 1 + reach, h)
        left = max(low_col - reach, 0)
        right = min(high_col + reach, w)
        ch, cw = bottom - top, right - left
        distance = np.full((ch, cw), 30000, np.int32)
        for i in range(offsets[k], offsets[k + 1]):
            for j in range(run_start[i], run_stop[i]):
                distance[run_row[i] - top, j - left] = 0
        _chessboard_distance(distance)
        value = np.empty((ch, cw), np.float32)
        count = 0
        for i in range(ch):
            for j in range(cw):
                d = distance[i, j]
                if d > reach:
                    continue
                value[i, j] = smoothed_value(plane, top + i, left + j)
                if d > 2 and occupied[top + i, left + j] == 0:
                    ring_value[count] = value[i, j]
                    ring_row[count] = i
                    ring_col[count] = j
                    count += 1
        if count < 4:
            count = 0
            for i in range(ch):
                for j in range(cw):
                    if 2 < distance[i, j] <= reach:
                        ring_value[count] = value[i, j]
                        ring_row[count] = i
                        ring_col[count] = j
                        count += 1
        if count == 0:
            continue
        offset, by_row, by_col, deviation = _fitted_plane(ring_value, ring_row, ring_col, count)

        # Flood from the brightest pixel down; the domain is the component and two pixels around it.
        domain = 0
        for i in range(ch):
            for j in range(cw):
                d = distance[i, j]
                if d == 0 or (d <= 2 and _is_nearest(occupied, top + i, left + j, k + 1, d)):
                    value[i, j] -= np.float32(offset + by_row * i + by_col * j)
                    if value[i, j] > np.float32(0):
                        key[domain] = -value[i, j]
                        place[domain] = i * cw + j
                        domain += 1
        for i in range(domain):
            order[i] = i
        sort_stably(key, order, other_order, domain)
        owner = np.full((ch, cw), -1, np.int32)  # -1 not visited, else the basin whose slope this is
        within = np.zeros((ch, cw), np.bool_)
        basins = 0
        for o in order[:domain]:
            i, j = place[o] // cw, place[o] % cw
            c = value[i, j]
            steepest = -1
            steepest_value = np.float32(-1)
            from_within = False
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    a, b = i + di, j + dj
                    if a < 0 or b < 0 or a >= ch or b >= cw or owner[a, b] < 0:
                        continue
                    if value[a, b] > steepest_value:
                        steepest = owner[a, b]
                        steepest_value = value[a, b]
                        from_within = within[a, b]
            if steepest < 0:
                parent[basins] = basins
                peak[basins] = c
                dead[basins] = c < smallest_contrast
                owner[i, j] = basins
                within[i, j] = True
                basins += 1
                continue
            owner[i, j] = steepest
            within[i, j] = from_within and c >= np.float32(fraction) * peak[steepest]
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    a, b = i + di, j + dj
                    if a < 0 or b < 0 or a >= ch or b >= cw or owner[a, b] < 0 or owner[a, b] == steepest:
                        continue
                    higher, lower = _root(parent, steepest), _root(parent, owner[a, b])
                    if higher == lower:
                        continue
                    if peak[higher] < peak[lower]:
                        higher, lower = lower, higher
                    noise = peak[lower] - c <= np.float32(1.5 * deviation)
                    if noise and peak[lower] < np.float32(fraction) * peak[higher]:
                        # A ripple on the slope of something brighter is no object.
                        for other in range(basins):
                            if _root(parent, other) == lower:
                                dead[other] = True
                        parent[lower] = higher
                    elif noise or c >= np.float32(saddle) * peak[lower]:
                        parent[lower] = higher
        if basins == 0:
            continue
        # Number the merged basins in order of their first pixel and count their pixels ...
        number = np.full(basins, -1, np.int64)
        sizes = np.zeros(basins, np.int64)
        found = 0
        for i in range(ch):
            for j in range(cw):
                if not within[i, j] or dead[owner[i, j]]:
                    continue
                root = _root(parent, owner[i, j])
                if number[root] < 0:
                    number[root] = found
                    found += 1
                    out_peak[n_regions] = peak[root]
                    out_surroundings[n_regions, 0] = deviation
                    out_surroundings[n_regions, 1] = np.sqrt(by_row * by_row + by_col * by_col)
                    n_regions += 1
                sizes[number[root]] += 1
        # ... then write them out object by object.
        place_of = np.empty(found, np.int64)
        for q in range(found):
            out_size[n_regions - found + q] = sizes[q]
            place_of[q] = n_pixels
            n_pixels += sizes[q]
        for i in range(ch):
            for j in range(cw):
                if within[i, j] and not dead[owner[i, j]]:
                    q = number[_root(parent, owner[i, j])]
                    out_pixel[place_of[q]] = np.int64(top + i) * w + left + j
                    out_contrast[place_of[q]] = value[i, j]
                    place_of[q] += 1
    return (
        out_pixel[:n_pixels],
        out_size[:n_regions],
        out_contrast[:n_pixels],
        out_peak[:n_regions],
        out_surroundings[:n_regions],
    )


def delineate(
    plane: NDArray[np.float32],
    offsets: NDArray[np.int64],
    run_row: NDArray[np.int32],
    run_start: NDArray[np.int32],
    run_stop: NDArray[np.int32],
    *,
    ring: int,
    fraction: float,
    saddle: float,
    smallest_contrast: float,
    threads: int = 1,
) -> tuple[Any, Any, Any, Any, Any]:
    """Split candidate components into bright objects, each outlined at a fraction of its own peak contrast.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
        Bright = dense, C-contiguous.
    offsets, run_row, run_start, run_stop : ndarray of int64, int32, int32, int32
        Components as runs; component k owns runs ``offsets[k]:offsets[k + 1]``, sorted by row, then start. Their
        pixels never serve as another component's background.
    ring : int
        Width in px of the ring of background, which begins three pixels outside the component.
    fraction : float
        Share of a basin's peak contrast at which its outline is drawn, 0 to 1.
    saddle : float
        Basins merge where their saddle keeps this share of the lower peak, or dips by less than 1.5 deviations of
        the background; in the latter case a basin below `fraction` of the higher peak is dropped.
    smallest_contrast : float
        Basins whose peak is below this contrast are no objects; units of the plane.
    threads : int
        The result does not depend on it.

    Returns
    -------
    pixel : ndarray of int64
        Flat plane index of every object pixel, object by object, ascending within an object. Objects never share one.
    start : ndarray of int64, shape (n + 1,)
        Object k owns ``pixel[start[k]:start[k + 1]]``; objects are in order of component, then first pixel.
    contrast : ndarray of float32
        Smoothed plane minus fitted background at each pixel.
    peak : ndarray of float32, shape (n,)
        Largest contrast of each object.
    surroundings : ndarray of float32, shape (n, 2)
        Deviation of the smoothed background from its fitted plane, and that plane's slope per px.
    """

    occupied = _component_numbers(plane.shape, offsets, run_row, run_start, run_stop)

    def part(first: int, end: int) -> tuple[Any, ...]:
        return tuple(
            _delineate(
                plane, occupied, offsets, run_row, run_start, run_stop,
                first, end, ring, fraction, saddle, smallest_contrast,
            )
        )  # fmt: skip

    pixel, size, contrast, peak, surroundings = (
        np.concatenate(arrays) for arrays in zip(*run_bands(part, len(offsets) - 1, threads), strict=True)
    )
    return pixel, np.concatenate(([0], np.cumsum(size))), contrast, peak, surroundings


#: Columns of what `object_evidence` returns, before the eight directions.
EVIDENCE_COLUMNS = (
    "row",
    "col",
    "row_row",
    "col_col",
    "row_col",
    "level",
    "contrast",
    "response",
    "gradient",
)


@kernel
def _octant(by_row, by_col):  # type: ignore[no-untyped-def]
    """Which eighth of the circle a direction lies in, counted from the left as rows fall: 0 to 7."""
    steep = abs(by_row) > abs(by_col)
    level = abs(by_row) < abs(by_col)
    if by_row < 0.0:
        if by_col < 0.0:
            return 0 if level else 1
        return 2 if steep else 3
    if by_col > 0.0:
        return 4 if level else 5
    if by_row == 0.0:
        return 0 if by_col < 0.0 else 4
    return 6 if steep else 7


@kernel
def _object_evidence(  # type: ignore[no-untyped-def]
    plane, response, factor, pixel, contrast, start, gap, ring, first, end, out
):
    h, w = plane.shape
    reach = gap + ring
    for k in range(first, end):
        top, bottom, left, right = h, 0, w, 0
        row, col, level, above, strongest = 0.0, 0.0, 0.0, 0.0, 0.0
        count = start[k + 1] - start[k]
        for q in range(start[k], start[k + 1]):
            i, j = pixel[q] // w, pixel[q] % w
            top, bottom = min(top, i), max(bottom, i + 1)
            left, right = min(left, j), max(right, j + 1)
            row += i
            col += j
            level += plane[i, j]
            above += contrast[q]
            a, b = min(i // factor, response.shape[0] - 1), min(j // factor, response.shape[1] - 1)
            strongest = max(strongest, response[a, b])
        row /= count
        col /= count
        top, bottom = max(top - reach, 0), min(bottom + reach, h)
        left, right = max(left - reach, 0), min(right + reach, w)
        ch, cw = bottom - top, right - left
        distance = np.full((ch, cw), 30000, np.int32)
        row_row, col_col, row_col = 0.0, 0.0, 0.0
        for q in range(start[k], start[k + 1]):
            i, j = pixel[q] // w, pixel[q] % w
            distance[i - top, j - left] = 0
            row_row += (i - row) * (i - row)
            col_col += (j - col) * (j - col)
            row_col += (i - row) * (j - col)
        _chessboard_distance(distance)
        steepness, outline = 0.0, 0
        total = np.zeros(8, np.float64)
        sizes = np.zeros(8, np.int64)
        for i in range(ch):
            for j in range(cw):
                d = distance[i, j]
                if d == 0:
                    inner = (
                        0 < i < ch - 1
                        and 0 < j < cw - 1
                        and distance[i - 1, j] == 0
                        and distance[i + 1, j] == 0
                        and distance[i, j - 1] == 0
                        and distance[i, j + 1] == 0
                    )
                    if not inner:
                        r, c = min(max(top + i, 1), h - 2), min(max(left + j, 1), w - 2)
                        falling = plane[r + 1, c + 1] - plane[r - 1, c - 1]
                        rising = plane[r + 1, c - 1] - plane[r - 1, c + 1]
                        by_row = 2 * (plane[r + 1, c] - plane[r - 1, c]) + falling + rising
                        by_col = 2 * (plane[r, c + 1] - plane[r, c - 1]) + falling - rising
                        steepness += np.hypot(by_row, by_col) / 8
                        outline += 1
                elif gap < d <= reach:
                    sector = _octant(top + i - row, left + j - col)
                    total[sector] += plane[top + i, left + j]
                    sizes[sector] += 1
        out[k, 0] = row
        out[k, 1] = col
        out[k, 2] = row_row / count
        out[k, 3] = col_col / count
        out[k, 4] = row_col / count
        out[k, 5] = level / count
        out[k, 6] = above / count
        out[k, 7] = strongest
        out[k, 8] = steepness / max(outline, 1)
        for sector in range(8):
            out[k, 9 + sector] = total[sector] / sizes[sector] if sizes[sector] > 0 else np.nan


def object_evidence(
    plane: NDArray[np.float32],
    response: NDArray[np.float32],
    pixel: NDArray[np.int64],
    contrast: NDArray[np.float32],
    start: NDArray[np.int64],
    *,
    gap: int,
    ring: int,
    factor: int = 1,
    threads: int = 1,
) -> NDArray[np.float64]:
    """What the score of each object is made of: moments, levels, edge gradient, and the surroundings by direction.

    An isolated speck stands above its surroundings in all eight directions; a piece of a fibre, a vessel or an edge
    goes on in some.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w), at least 3x3
    response : ndarray of float32, shape (h // factor, w // factor)
    pixel, contrast, start
        As `delineate` returns them.
    gap, ring : int
        The surroundings are the pixels at chessboard distance ``gap < d <= gap + ring`` from the object.
    factor : int
        Side of a response pixel in plane pixels.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (n, 17)
        `EVIDENCE_COLUMNS`: centroid (plane pixels), central second moments (px2), mean of the plane, mean contrast,
        largest response, mean Sobel gradient per px over the outline; then the mean of the plane in eight directions
        from the centroid, NaN where a direction lies outside the plane.
    """
    out = np.empty((len(start) - 1, len(EVIDENCE_COLUMNS) + 8), np.float64)

    def part(first: int, end: int) -> None:
        _object_evidence(plane, response, factor, pixel, contrast, start, gap, ring, first, end, out)

    run_bands(part, len(out), threads)
    return out
