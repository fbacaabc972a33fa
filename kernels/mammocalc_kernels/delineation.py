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
from mammocalc_kernels.sorting import sort_ascending


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
    """In place: 0 stays 0, everything else becomes its chessboard distance to the nearest 0 (two passes).

    The outermost rows and columns are an apron that must not hold a 0; what they are left with means nothing.
    """
    h, w = distance.shape
    for i in range(1, h - 1):
        above, here = distance[i - 1], distance[i]
        for j in range(1, w - 1):
            here[j] = min(here[j], min(above[j - 1], min(above[j], above[j + 1])) + np.int16(1))
        for j in range(1, w - 1):
            here[j] = min(here[j], here[j - 1] + np.int16(1))
    for i in range(h - 2, 0, -1):
        below, here = distance[i + 1], distance[i]
        for j in range(1, w - 1):
            here[j] = min(here[j], min(below[j - 1], min(below[j], below[j + 1])) + np.int16(1))
        for j in range(w - 2, 0, -1):
            here[j] = min(here[j], here[j + 1] + np.int16(1))


@kernel
def _smoothed_rows(plane, top, left, out, rows):  # type: ignore[no-untyped-def]
    """`smoothed_value` of the rectangle at (top, left) that fills `out`; `rows` is scratch, three rows of it."""
    h, w = plane.shape
    ch, cw = out.shape
    for i in range(-1, ch + 1):
        source = plane[min(max(top + i, 0), h - 1)]
        summed = rows[(i + 3) % 3]
        first, last = 0, cw
        if left == 0:
            summed[0] = source[0] + np.float32(2) * source[0] + source[min(1, w - 1)]
            first = 1
        if left + cw == w:
            last = max(cw - 1, first)
            if last < cw:
                summed[last] = source[w - 2] + np.float32(2) * source[w - 1] + source[w - 1]
        before, centre, after = (
            source[left + first - 1 : left + last - 1],
            source[left + first : left + last],
            source[left + first + 1 : left + last + 1],
        )
        target = summed[first:last]
        for j in range(last - first):
            target[j] = before[j] + np.float32(2) * centre[j] + after[j]
        if i >= 1:
            upper, middle, lower = rows[(i + 1) % 3], rows[(i + 2) % 3], summed
            smooth = out[i - 1]
            for j in range(cw):
                smooth[j] = (upper[j] + np.float32(2) * middle[j] + lower[j]) * np.float32(0.0625)


@kernel
def _fitted_plane(values, rows, cols, count):  # type: ignore[no-untyped-def]
    """Least-squares plane through `count` points, refitted twice without outliers beyond 2 standard deviations.

    Returns the offset, the slopes per row and per column, and the standard deviation of the kept residuals.
    """
    offset, by_row, by_col, deviation = 0.0, 0.0, 0.0, 0.0
    # Moments about the mean of all points, so that little is lost in the differences of large sums.
    mean_v, mean_r, mean_c = 0.0, 0.0, 0.0
    for k in range(count):
        mean_v += values[k]
        mean_r += rows[k]
        mean_c += cols[k]
    mean_v /= count
    mean_r /= count
    mean_c /= count
    for attempt in range(3):
        n, v1, r1, c1, vv, rr, cc, rc, rv, cv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        limit = np.inf if attempt == 0 else 2.0 * deviation + 1e-12
        for k in range(count):
            v, r, c = values[k] - mean_v, rows[k] - mean_r, cols[k] - mean_c
            if abs(v - offset - by_row * r - by_col * c) > limit:
                continue
            n += 1.0
            v1 += v
            r1 += r
            c1 += c
            vv += v * v
            rr += r * r
            cc += c * c
            rc += r * c
            rv += r * v
            cv += c * v
        if n < 1.0:
            break
        vv -= v1 * v1 / n
        rr += 1e-9 - r1 * r1 / n
        cc += 1e-9 - c1 * c1 / n
        rc -= r1 * c1 / n
        rv -= r1 * v1 / n
        cv -= c1 * v1 / n
        determinant = rr * cc - rc * rc
        if n >= 12.0 and determinant > 1e-3 * rr * cc:
            by_row = (rv * cc - cv * rc) / determinant
            by_col = (cv * rr - rv * rc) / determinant
        else:
            by_row = 0.0
            by_col = 0.0
        offset = (v1 - by_row * r1 - by_col * c1) / n
        deviation = np.sqrt(max(vv - by_row * rv - by_col * cv, 0.0) / max(n - 1.0, 1.0))
    return offset + mean_v - by_row * mean_r - by_col * mean_c, by_row, by_col, deviation


@kernel
def _number_components(owner, offsets, run_row, run_start, run_stop, one):  # type: ignore[no-untyped-def]
    """Write k + 1 on every pixel of component k if `one` is 1, else 0."""
    for k in range(len(offsets) - 1):
        for i in range(offsets[k], offsets[k + 1]):
            owner[run_row[i], run_start[i] : run_stop[i]] = (k + 1) * one


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
    fraction, saddle = np.float32(fraction), np.float32(saddle)
    widest, longest = 1, 1
    for k in range(first, end):
        low_col, high_col = w, 0
        for i in range(offsets[k], offsets[k + 1]):
            low_col = min(low_col, run_start[i])
            high_col = max(high_col, run_stop[i])
        rows = run_row[offsets[k + 1] - 1] - run_row[offsets[k]] + 3 + 2 * reach
        longest = max(longest, high_col - low_col + 2 + 2 * reach)
        widest = max(widest, rows * (high_col - low_col + 2 + 2 * reach))
    ring_value = np.empty(widest, np.float64)
    ring_row = np.empty(widest, np.float64)
    ring_col = np.empty(widest, np.float64)
    row_sums = np.empty((3, longest), np.float32)
    distances = np.empty(widest, np.int16)
    smooth = np.empty(widest, np.float32)
    contrasts = np.empty(widest, np.float32)
    bits = contrasts.view(np.uint32)
    queue = np.empty(widest, np.uint64)
    spare_queue = np.empty(widest, np.uint64)
    owner = np.empty(widest, np.int32)
    within = np.empty(widest, np.bool_)
    parent = np.empty(widest, np.int32)
    peak = np.empty(widest, np.float32)
    dead = np.empty(widest, np.bool_)
    number = np.empty(widest, np.int32)
    # Basins that have merged, as chains: the next one of each, and the last one of the chain of each root.
    following = np.empty(widest, np.int32)
    last = np.empty(widest, np.int32)

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
        # An apron of one pixel spares every look at a neighbour the question whether it is there.
        pw = cw + 2
        size = (ch + 2) * pw
        distances[:size] = 30000
        distance = distances[:size].reshape((ch + 2, pw))
        for i in range(offsets[k], offsets[k + 1]):
            distance[run_row[i] - top + 1, run_start[i] - left + 1 : run_stop[i] - left + 1] = 0
        _chessboard_distance(distance)
        value = smooth[: ch * cw].reshape((ch, cw))
        _smoothed_rows(plane, top, left, value, row_sums)
        count = 0
        alone = True
        for i in range(ch):
            for j in range(cw):
                other = occupied[top + i, left + j]
                d = distance[i + 1, j + 1]
                if other != 0:
                    alone &= other == k + 1
                elif 2 < d <= reach:
                    ring_value[count] = value[i, j]
                    ring_row[count] = i
                    ring_col[count] = j
                    count += 1
        if count < 4:
            count = 0
            for i in range(ch):
                for j in range(cw):
                    if 2 < distance[i + 1, j + 1] <= reach:
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
                d = distance[i + 1, j + 1]
                if d <= 2 and (d == 0 or alone or _is_nearest(occupied, top + i, left + j, k + 1, d)):
                    c = value[i, j] - np.float32(offset + by_row * i + by_col * j)
                    if c > np.float32(0):
                        # As whole numbers, positive floats are in the same order; ties go to the first pixel.
                        at = (i + 1) * pw + j + 1
                        contrasts[at] = c
                        queue[domain] = (np.uint64(0xFFFFFFFF - bits[at]) << np.uint64(32)) | np.uint64(at)
                        domain += 1
        sort_ascending(queue, spare_queue, domain)
        owner[:size] = -1  # not visited, else the basin whose slope this is
        within[:size] = False
        basins = 0
        around = (-pw - 1, -pw, -pw + 1, -1, 1, pw - 1, pw, pw + 1)
        for o in range(domain):
            at = np.int64(queue[o] & np.uint64(0xFFFFFFFF))
            c = contrasts[at]
            brightest = np.int64(-1)
            several = False
            for step in around:
                if owner[at + step] >= 0:
                    if brightest < 0:
                        brightest = at + step
                    else:
                        several |= owner[at + step] != owner[brightest]
                        if contrasts[at + step] > contrasts[brightest]:
                            brightest = at + step
            if brightest < 0:
                parent[basins] = basins
                following[basins] = -1
                last[basins] = basins
                peak[basins] = c
                dead[basins] = c < smallest_contrast
                owner[at] = basins
                within[at] = True
                basins += 1
                continue
            steepest = owner[brightest]
            owner[at] = steepest
            within[at] = within[brightest] and c >= fraction * peak[steepest]
            if not several:
                continue
            for step in around:
                if owner[at + step] < 0 or owner[at + step] == steepest:
                    continue
                higher, lower = _root(parent, steepest), _root(parent, owner[at + step])
                if higher == lower:
                    continue
                if peak[higher] < peak[lower]:
                    higher, lower = lower, higher
                noise = peak[lower] - c <= np.float32(1.5 * deviation)
                if noise and peak[lower] < fraction * peak[higher]:
                    # A ripple on the slope of something brighter is no object.
                    basin = lower
                    while basin >= 0:
                        dead[basin] = True
                        basin = following[basin]
                elif not (noise or c >= saddle * peak[lower]):
                    continue
                parent[lower] = higher
                following[last[higher]] = lower
                last[higher] = last[lower]
        # Number the merged basins in order of their first pixel and count their pixels ...
        number[:basins] = -1
        found = 0
        for i in range(1, ch + 1):
            for at in range(i * pw + 1, i * pw + cw + 1):
                if not within[at] or dead[owner[at]]:
                    continue
                root = _root(parent, owner[at])
                if number[root] < 0:
                    number[root] = n_regions + found
                    out_size[n_regions + found] = 0
                    out_peak[n_regions + found] = peak[root]
                    out_surroundings[n_regions + found, 0] = deviation
                    out_surroundings[n_regions + found, 1] = np.sqrt(by_row * by_row + by_col * by_col)
                    found += 1
                out_size[number[root]] += 1
        # ... then write them out object by object.
        place_of = np.empty(found, np.int64)
        for q in range(found):
            place_of[q] = n_pixels
            n_pixels += out_size[n_regions + q]
        for i in range(1, ch + 1):
            for at in range(i * pw + 1, i * pw + cw + 1):
                if within[at] and not dead[owner[at]]:
                    q = number[_root(parent, owner[at])] - n_regions
                    out_pixel[place_of[q]] = np.int64(top + i - 1) * w + left + at - i * pw - 1
                    out_contrast[place_of[q]] = contrasts[at]
                    place_of[q] += 1
        n_regions += found
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
    owner: NDArray[np.int32] | None = None,
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
    owner : ndarray of int32, shape (h, w), optional
        Scratch: all 0, and so again afterwards. A fresh plane costs more than the little that is written to it.
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
    occupied = np.zeros(plane.shape, np.int32) if owner is None else owner
    _number_components(occupied, offsets, run_row, run_start, run_stop, 1)

    def part(first: int, end: int) -> tuple[Any, ...]:
        return tuple(
            _delineate(
                plane, occupied, offsets, run_row, run_start, run_stop,
                first, end, ring, fraction, saddle, smallest_contrast,
            )
        )  # fmt: skip

    pixel, size, contrast, peak, surroundings = (
        np.concatenate(arrays)
        for arrays in zip(*run_bands(part, len(offsets) - 1, threads, smallest=4), strict=True)
    )
    _number_components(occupied, offsets, run_row, run_start, run_stop, 0)
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
def _add_directions(plane, distance, top, left, row, col, gap, reach, total, sizes):  # type: ignore[no-untyped-def]
    """Sums and numbers of the pixels at distance ``gap < d <= reach`` by eighths of the circle around (row, col).

    Eighth 0 begins at the left, as rows fall, and each contains the edge at its own beginning; what is not counted
    goes into a ninth place. Without a branch, because the predictor of a processor does not know the shapes.
    """
    ch, cw = distance.shape[0] - 2, distance.shape[1] - 2
    for i in range(ch):
        by_row = top + i - row
        steep = abs(by_row)
        here, apart = plane[top + i, left : left + cw], distance[i + 1, 1 : cw + 1]
        for j in range(cw):
            by_col = left + j - col
            counted = (apart[j] > gap) & (apart[j] <= reach)
            if by_row > 0.0:
                sector = 7 - ((by_col > -steep) + (by_col > 0.0) + (by_col > steep))
            else:
                passed = (by_col >= -steep) + (by_col >= 0.0) + (by_col >= steep)
                # On the row of the centre itself there is but left and right.
                sector = passed + (passed == 3 and by_row == 0.0)
            place = sector if counted else 8
            total[place] += here[j]
            sizes[place] += 1


@kernel
def _object_evidence(  # type: ignore[no-untyped-def]
    plane, response, factor, pixel, contrast, start, gap, ring, first, end, out
):
    h, w = plane.shape
    reach = gap + ring
    largest = 0
    for k in range(first, end):
        largest = max(largest, start[k + 1] - start[k])
    rows, cols = np.empty(largest, np.int64), np.empty(largest, np.int64)
    total = np.empty(9, np.float64)
    sizes = np.empty(9, np.int64)
    for k in range(first, end):
        left, right = w, 0
        row, col, level, above, strongest = 0.0, 0.0, 0.0, 0.0, 0.0
        count = start[k + 1] - start[k]
        i = pixel[start[k]] // w
        for q in range(count):
            at = pixel[start[k] + q]
            while at >= (i + 1) * w:
                i += 1
            j = at - i * w
            rows[q], cols[q] = i, j
            left, right = min(left, j), max(right, j + 1)
            row += i
            col += j
            level += plane[i, j]
            above += contrast[start[k] + q]
            if factor == 1:
                strongest = max(strongest, response[i, j])
            else:
                a, b = min(i // factor, response.shape[0] - 1), min(j // factor, response.shape[1] - 1)
                strongest = max(strongest, response[a, b])
        row /= count
        col /= count
        top, bottom = max(rows[0] - reach, 0), min(rows[count - 1] + 1 + reach, h)
        left, right = max(left - reach, 0), min(right + reach, w)
        distance = np.full((bottom - top + 2, right - left + 2), 30000, np.int16)
        row_row, col_col, row_col = 0.0, 0.0, 0.0
        for q in range(count):
            i, j = rows[q], cols[q]
            distance[i - top + 1, j - left + 1] = 0
            row_row += (i - row) * (i - row)
            col_col += (j - col) * (j - col)
            row_col += (i - row) * (j - col)
        _chessboard_distance(distance)
        steepness, outline = 0.0, 0
        for q in range(count):
            i, j = rows[q] - top + 1, cols[q] - left + 1
            inner = (
                distance[i - 1, j] == 0
                and distance[i + 1, j] == 0
                and distance[i, j - 1] == 0
                and distance[i, j + 1] == 0
            )
            if not inner:
                r, c = min(max(rows[q], 1), h - 2), min(max(cols[q], 1), w - 2)
                falling = plane[r + 1, c + 1] - plane[r - 1, c - 1]
                rising = plane[r + 1, c - 1] - plane[r - 1, c + 1]
                by_row = 2 * (plane[r + 1, c] - plane[r - 1, c]) + falling + rising
                by_col = 2 * (plane[r, c + 1] - plane[r, c - 1]) + falling - rising
                steepness += np.sqrt(by_row * by_row + by_col * by_col) / 8
                outline += 1
        total[:] = 0.0
        sizes[:] = 0
        _add_directions(plane, distance, top, left, row, col, gap, reach, total, sizes)
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

    run_bands(part, len(out), threads, smallest=4)
    return out
