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
from mammocalc_kernels.streams import prefetch, read, span, write


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
        here = span(distance, i * w, w)
        _one_further(here, span(distance, (i - 1) * w, w))
        last = here[0]
        for j in range(1, w - 1):
            last = min(here[j], np.int16(last + 1))
            here[j] = last
    for i in range(h - 2, 0, -1):
        here = span(distance, i * w, w)
        _one_further(here, span(distance, (i + 1) * w, w))
        last = here[w - 1]
        for j in range(w - 2, 0, -1):
            last = min(here[j], np.int16(last + 1))
            here[j] = last


@kernel
def _one_further(here, beside):  # type: ignore[no-untyped-def]
    """A row of distances by way of the row beside it."""
    n = here.size - 2
    a, b, c, row = span(beside, 0, n), span(beside, 1, n), span(beside, 2, n), span(here, 1, n)
    for j in range(n):
        nearest = min(read(a, j), min(read(b, j), read(c, j)))
        write(row, j, min(row[j], np.int16(nearest + 1)))


@kernel
def _prefetch_box(array, box):  # type: ignore[no-untyped-def]
    """Ask for a rectangle (top, bottom, left, right) of a plane of 4-byte values and a pixel around it."""
    width = array.shape[1]
    top, bottom, left, right = box
    for i in range(top - 1, bottom + 1):
        for j in range(i * width + left - 1, i * width + right, 16):
            prefetch(array, j)
        prefetch(array, i * width + right)


@kernel
def _smoothed_rows(plane, top, left, rows, cols, out, sums):  # type: ignore[no-untyped-def]
    """`smoothed_value` of a rectangle of the plane, flat into `out` with an apron of one pixel that is not written.

    `sums` is room for three rows of `cols` float32.
    """
    h, w = plane.shape
    pitch = cols + 2
    for i in range(-1, rows + 1):
        source = span(plane, min(max(top + i, 0), h - 1) * w, w)
        summed = span(sums, (i + 3) % 3 * cols, cols)
        first, last = 0, cols
        if left == 0:
            summed[0] = source[0] + np.float32(2) * source[0] + source[min(1, w - 1)]
            first = 1
        if left + cols == w:
            last = max(cols - 1, first)
            if last < cols:
                summed[last] = source[w - 2] + np.float32(2) * source[w - 1] + source[w - 1]
        _weighted_sums(source[left + first - 1 : left + last + 1], summed[first:last])
        if i >= 1:
            smooth = span(out, i * pitch + 1, cols)
            upper, middle = span(sums, (i + 1) % 3 * cols, cols), span(sums, (i + 2) % 3 * cols, cols)
            for j in range(cols):
                smooth[j] = (upper[j] + np.float32(2) * middle[j] + summed[j]) * np.float32(0.0625)


@kernel
def _weighted_sums(source, out):  # type: ignore[no-untyped-def]
    """Sums of each three neighbours of a line, the middle one twice."""
    for j in range(out.size):
        out[j] = source[j] + np.float32(2) * source[j + 1] + source[j + 2]


@kernel
def _surrounding(value, distance, occupied, top, left, rows, cols, reach, number, crowded, ring):  # type: ignore[no-untyped-def]
    """Number of pixels of the background around a component, and whether no other component is near.

    Pixels of other components count only if it is `crowded`. `ring` is room for the rows, columns and values.
    Without a branch, because the predictor of a processor does not know the shapes.
    """
    ring_row, ring_col, ring_value, _ = ring
    count = 0
    strangers = False
    furthest, own = np.int16(reach), np.int32(number)
    for i in range(rows):
        at = (i + 1) * (cols + 2) + 1
        v, d = span(value, at, cols), span(distance, at, cols)
        other = span(occupied, (top + i) * occupied.shape[1] + left, cols)
        for j in range(cols):
            strangers |= (other[j] != 0) & (other[j] != own)
        for j in range(cols):
            write(ring_row, count, i)
            write(ring_col, count, j)
            write(ring_value, count, v[j])
            count += (d[j] > 2) & (d[j] <= furthest) & ((other[j] == 0) | crowded)
    return count, not strangers


@kernel
def _moments(rows, cols, values, count, origin):  # type: ignore[no-untyped-def]
    """Number and sums of v, r, c, v * v, r * r, c * c, r * c, r * v and c * v about an origin (row, col, value)."""
    r_0, c_0, v_0 = origin
    r1 = c1 = rr = cc = rc = 0
    for k in range(count):
        r, c = rows[k] - r_0, cols[k] - c_0
        r1 += r
        c1 += c
        rr += r * r
        cc += c * c
        rc += r * c
    v1 = vv = rv = cv = 0.0
    for k in range(count):
        v = values[k] - v_0
        v1 += v
        vv += v * v
        rv += (rows[k] - r_0) * v
        cv += (cols[k] - c_0) * v
    return float(count), v1, float(r1), float(c1), vv, float(rr), float(cc), float(rc), rv, cv


@kernel
def _flag_outliers(rows, cols, values, origin, fit, limit, flags):  # type: ignore[no-untyped-def]
    """1 for each point that is further than `limit` from a plane, else 0."""
    r_0, c_0, v_0 = origin
    offset, by_row, by_col = fit
    for k in range(rows.size):
        r, c, v = float(read(rows, k) - r_0), float(read(cols, k) - c_0), read(values, k) - v_0
        write(flags, k, abs(v - offset - by_row * r - by_col * c) > limit)


@kernel
def _without_outliers(sums, rows, cols, values, count, origin, flags):  # type: ignore[no-untyped-def]
    """The moments without the flagged points; the flags are bytes, in whole words of 8.

    They are few: it takes less to take them out of the sums than to sum up the others.
    """
    n, v1, r1, c1, vv, rr, cc, rc, rv, cv = sums
    r_0, c_0, v_0 = origin
    words = flags.view(np.uint64)
    for word in range((count + 7) >> 3):
        if words[word] == 0:
            continue
        for k in range(8 * word, min(8 * word + 8, count)):
            if flags[k] == 0:
                continue
            v, r, c = values[k] - v_0, float(rows[k] - r_0), float(cols[k] - c_0)
            n -= 1.0
            v1 -= v
            r1 -= r
            c1 -= c
            vv -= v * v
            rr -= r * r
            cc -= c * c
            rc -= r * c
            rv -= r * v
            cv -= c * v
    return n, v1, r1, c1, vv, rr, cc, rc, rv, cv


@kernel
def _fitted_plane(rows, cols, values, flags, count):  # type: ignore[no-untyped-def]
    """Least-squares plane through `count` points, refitted twice without outliers beyond 2 standard deviations.

    Returns the offset, the slopes per row and per column, and the standard deviation of the kept residuals. `flags` is
    scratch, uint8, whole words of 8.
    """
    # Moments about a point amid the others, so that little is lost in the differences of large sums.
    origin = rows[count >> 1], cols[count >> 1], np.float64(values[0])
    every = _moments(rows, cols, values, count, origin)
    offset, by_row, by_col, deviation = _plane_of(every)
    for _ in range(2):
        limit = 2.0 * deviation + 1e-12
        fit = offset, by_row, by_col
        _flag_outliers(rows[:count], cols, values, origin, fit, limit, flags)
        kept = _without_outliers(every, rows, cols, values, count, origin, flags)
        if kept[0] < 1.0:
            break
        offset, by_row, by_col, deviation = _plane_of(kept)
    return offset + origin[2] - by_row * origin[0] - by_col * origin[1], by_row, by_col, deviation


@kernel
def _plane_of(sums):  # type: ignore[no-untyped-def]
    """Offset, slopes and deviation of the plane through points with these moments; level where they are too few."""
    n, v1, r1, c1, vv, rr, cc, rc, rv, cv = sums
    vv -= v1 * v1 / n
    rr += 1e-9 - r1 * r1 / n
    cc += 1e-9 - c1 * c1 / n
    rc -= r1 * c1 / n
    rv -= r1 * v1 / n
    cv -= c1 * v1 / n
    by_row, by_col = 0.0, 0.0
    determinant = rr * cc - rc * rc
    if n >= 12.0 and determinant > 1e-3 * rr * cc:
        by_row = (rv * cc - cv * rc) / determinant
        by_col = (cv * rr - rv * rc) / determinant
    offset = (v1 - by_row * r1 - by_col * c1) / n
    return offset, by_row, by_col, np.sqrt(max(vv - by_row * rv - by_col * cv, 0.0) / max(n - 1.0, 1.0))


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
def _contrasts(value, distance, rows, cols, background, out):  # type: ignore[no-untyped-def]
    """Smoothed plane over the fitted background within two pixels of the component, 0 elsewhere and where below."""
    offset, by_row, by_col = background
    out[: (rows + 2) * (cols + 2)] = np.float32(0)
    for i in range(rows):
        at = (i + 1) * (cols + 2) + 1
        v, d, contrast = span(value, at, cols), span(distance, at, cols), span(out, at, cols)
        level = offset + by_row * i
        for j in range(cols):
            c = v[j] - np.float32(level + by_col * j)
            contrast[j] = c if (d[j] <= 2) & (c > np.float32(0)) else np.float32(0)


@kernel
def _list_positive(values, first, end, places):  # type: ignore[no-untyped-def]
    """Write down where in ``values[first:end]`` something is above 0, and return how often."""
    count = 0
    for at in range(first, end):
        places[count] = at
        count += values[at] > 0
    return count


@kernel
def _leave_to_nearer(domain, count, contrasts, distance, occupied, top, left, pitch, number):  # type: ignore[no-untyped-def]
    """Take the pixels out of the domain, and their contrast away, to which another component is nearer."""
    kept = 0
    for q in range(count):
        at = domain[q]
        d = distance[at]
        if d == 0 or _is_nearest(occupied, top + at // pitch, left + at % pitch, number, d):
            domain[kept] = at
            kept += 1
        else:
            contrasts[at] = np.float32(0)
    return kept


@kernel
def _climb(above, domain, count):  # type: ignore[no-untyped-def]
    """In place: for each pixel of the domain the end of the way up instead of its first step."""
    climbing = True
    while climbing:
        climbing = False
        for q in range(count):
            at = domain[q]
            step = above[at]
            climbing |= above[step] != step
            above[at] = above[step]


@kernel
def _uphill(heights, pitch, size, to):  # type: ignore[no-untyped-def]
    """Where each pixel's brightest neighbour lies that is flooded before it; its own place where there is none.

    `heights` are contrasts as whole numbers: positive floats as int32 keep their order. Of equal ones the first in
    raster order comes first. The outermost pixels are not looked at.
    """
    n = size - 2 * (pitch + 1)
    a, b, c = span(heights, 0, n), span(heights, 1, n), span(heights, 2, n)
    d, here, e = span(heights, pitch, n), span(heights, pitch + 1, n), span(heights, pitch + 2, n)
    f, g, h = (
        span(heights, 2 * pitch, n),
        span(heights, 2 * pitch + 1, n),
        span(heights, 2 * pitch + 2, n),
    )
    place = span(to, pitch + 1, n)
    up_left, up, up_right = np.int32(-pitch - 1), np.int32(-pitch), np.int32(1 - pitch)
    down_left, down, down_right = np.int32(pitch - 1), np.int32(pitch), np.int32(pitch + 1)
    for k in range(n):
        own = read(here, k)
        # Those before it in raster order are flooded before it if they are as bright.
        best, step = np.int32(own - 1), np.int32(0)
        x = read(a, k)
        best, step = (x, up_left) if x > best else (best, step)
        x = read(b, k)
        best, step = (x, up) if x > best else (best, step)
        x = read(c, k)
        best, step = (x, up_right) if x > best else (best, step)
        x = read(d, k)
        best, step = (x, np.int32(-1)) if x > best else (best, step)
        best = max(best, own)
        x = read(e, k)
        best, step = (x, np.int32(1)) if x > best else (best, step)
        x = read(f, k)
        best, step = (x, down_left) if x > best else (best, step)
        x = read(g, k)
        best, step = (x, down) if x > best else (best, step)
        x = read(h, k)
        best, step = (x, down_right) if x > best else (best, step)
        write(place, k, np.int32(k + pitch + 1 + step))


@kernel
def _merge_basins(basin, heights, contrasts, domain, count, pitch, limits, state, queue, spare):  # type: ignore[no-untyped-def]
    """Join the basins that meet at shallow saddles, from the brightest saddle down.

    `basin` holds the place of the peak on whose slope a pixel lies. `state` is, by place of a peak: the parent in a
    union, whether it is dropped, and the merged basins as chains: the next one of each, and the last one of the chain
    of each root. `queue` and `spare` are room for the pixels where basins meet.
    """
    fraction, saddle, ripple = limits
    parent, dead, following, last = state
    around = (-pitch - 1, -pitch, -pitch + 1, -1, 1, pitch - 1, pitch, pitch + 1)
    meeting = 0
    for q in range(count):
        at = np.int64(domain[q])
        own, peak = read(heights, at), read(basin, at)
        several = False
        for step in around:
            # Flooded before: brighter, or as bright and before it in raster order; outside there is 0.
            before = read(heights, at + step) - (step > 0) >= own
            several |= before & (read(basin, at + step) != peak)
        # As whole numbers, positive floats are in the same order; ties go to the first pixel.
        queue[meeting] = (np.uint64(0xFFFFFFFF - own) << np.uint64(32)) | np.uint64(at)
        meeting += several
    sort_ascending(queue, spare, meeting)
    for o in range(meeting):
        at = np.int64(queue[o] & np.uint64(0xFFFFFFFF))
        c, own, peak, checked = contrasts[at], read(heights, at), read(basin, at), np.int32(-1)
        for step in around:
            other = read(basin, at + step)
            before = read(heights, at + step) - (step > 0) >= own
            known = (other == peak) | (other == checked)
            if known or not before:
                continue
            # The next neighbour on the same slope changes nothing, unless something was joined in between.
            checked = other
            higher, lower = _root(parent, peak), _root(parent, other)
            if higher == lower:
                continue
            if contrasts[higher] < contrasts[lower]:
                higher, lower = lower, higher
            noise = contrasts[lower] - c <= ripple
            if noise and contrasts[lower] < fraction * contrasts[higher]:
                # A ripple on the slope of something brighter is no object.
                one = lower
                while one >= 0:
                    dead[one] = True
                    one = following[one]
            elif not (noise or c >= saddle * contrasts[lower]):
                continue
            parent[lower] = higher
            following[last[higher]] = lower
            last[higher] = last[lower]
            checked = np.int32(-1)


@kernel
def _boxes(offsets, run_row, run_start, run_stop, first, end, reach, height, width):  # type: ignore[no-untyped-def]
    """Top, bottom, left and right, half open, of components `first` to `end` and `reach` around them."""
    boxes = np.empty((end - first, 4), np.int64)
    for k in range(first, end):
        left, right = width, 0
        for i in range(offsets[k], offsets[k + 1]):
            left = min(left, run_start[i])
            right = max(right, run_stop[i])
        boxes[k - first, 0] = max(run_row[offsets[k]] - reach, 0)
        boxes[k - first, 1] = min(run_row[offsets[k + 1] - 1] + 1 + reach, height)
        boxes[k - first, 2] = max(left - reach, 0)
        boxes[k - first, 3] = min(right + reach, width)
    return boxes


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
    boxes = _boxes(offsets, run_row, run_start, run_stop, first, end, reach, h, w)
    widest, longest = 1, 1
    for top, bottom, left, right in boxes:
        longest = max(longest, right - left)
        widest = max(widest, (bottom - top + 2) * (right - left + 2))
    background = (
        np.empty(widest, np.int32),
        np.empty(widest, np.int32),
        np.empty(widest, np.float32),
        np.empty(8 * (widest // 8 + 1), np.uint8),
    )
    row_sums = np.empty(3 * longest, np.float32)
    distances = np.empty(widest, np.int16)
    value = np.empty(widest, np.float32)
    contrasts = np.empty(widest, np.float32)
    heights = contrasts.view(np.int32)
    domain = np.empty(widest, np.int32)
    basin = np.empty(widest, np.int32)
    queue = np.empty(widest, np.uint64)
    spare_queue = np.empty(widest, np.uint64)
    parent = np.empty(widest, np.int32)
    dead = np.empty(widest, np.bool_)
    following = np.empty(widest, np.int32)
    last = np.empty(widest, np.int32)
    number = np.empty(widest, np.int32)

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
        top, bottom, left, right = boxes[k - first]
        if k + 1 < end:
            # The planes are too large for the caches, and the next component's place is known only here.
            _prefetch_box(plane, boxes[k + 1 - first])
            _prefetch_box(occupied, boxes[k + 1 - first])
        ch, cw = bottom - top, right - left
        # An apron of one pixel spares every look at a neighbour the question whether it is there.
        pw = cw + 2
        size = (ch + 2) * pw
        distances[:size] = 30000
        distance = distances[:size].reshape((ch + 2, pw))
        for i in range(offsets[k], offsets[k + 1]):
            distance[run_row[i] - top + 1, run_start[i] - left + 1 : run_stop[i] - left + 1] = 0
        _chessboard_distance(distance)
        _smoothed_rows(plane, top, left, ch, cw, value, row_sums)
        count, alone = _surrounding(
            value, distances, occupied, top, left, ch, cw, reach, k + 1, False, background
        )
        if count < 4:
            count, _ = _surrounding(
                value, distances, occupied, top, left, ch, cw, reach, k + 1, True, background
            )
        if count == 0:
            continue
        offset, by_row, by_col, deviation = _fitted_plane(*background, count)

        # The domain that is flooded is the component and two pixels around it, as far as it is bright.
        _contrasts(value, distances, ch, cw, (offset, by_row, by_col), contrasts)
        pixels = _list_positive(heights, pw, size - pw, domain)
        if not alone:
            pixels = _leave_to_nearer(
                domain, pixels, contrasts, distances, occupied, top - 1, left - 1, pw, k + 1
            )
        # Every pixel belongs to the peak that the steepest way up from it ends on.
        _uphill(heights, pw, size, basin)
        _climb(basin, domain, pixels)
        basins = 0
        for q in range(pixels):
            at = domain[q]
            if basin[at] == at:
                parent[at] = at
                dead[at] = contrasts[at] < smallest_contrast
                following[at] = -1
                last[at] = at
                number[at] = -1
                basins += 1
        if basins > 1:
            _merge_basins(
                basin, heights, contrasts, domain, pixels, pw,
                (fraction, saddle, np.float32(1.5 * deviation)),
                (parent, dead, following, last), queue, spare_queue,
            )  # fmt: skip
        # Number the merged basins in order of their first pixel and count the pixels within their outlines ...
        kept = 0
        for q in range(pixels):
            at = domain[q]
            peak = basin[at]
            domain[kept] = at
            kept += (contrasts[at] >= fraction * contrasts[peak]) & (not dead[peak])
        found = 0
        for q in range(kept):
            root = _root(parent, basin[domain[q]])
            basin[domain[q]] = root
            if number[root] < 0:
                number[root] = n_regions + found
                out_size[n_regions + found] = 0
                out_peak[n_regions + found] = contrasts[root]
                out_surroundings[n_regions + found, 0] = deviation
                out_surroundings[n_regions + found, 1] = np.sqrt(by_row * by_row + by_col * by_col)
                found += 1
            out_size[number[root]] += 1
        # ... then write them out object by object.
        place_of = np.empty(found, np.int64)
        for q in range(found):
            place_of[q] = n_pixels
            n_pixels += out_size[n_regions + q]
        i = 0
        for q in range(kept):
            at = domain[q]
            while at >= (i + 1) * pw:
                i += 1
            place = number[basin[at]] - n_regions
            out_pixel[place_of[place]] = np.int64(top + i - 1) * w + left + at - i * pw - 1
            out_contrast[place_of[place]] = contrasts[at]
            place_of[place] += 1
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
        for arrays in zip(*run_bands(part, len(offsets) - 1, threads, smallest=4, shares=4), strict=True)
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
def _first_beyond(left, col, limit, also_at, n):  # type: ignore[no-untyped-def]
    """The first of `n` columns from `left` on that lies more than `limit` right of `col`, or just as much."""
    j = min(max(int(np.ceil(limit + col)) - left, 0), n)
    while j < n and not (left + j - col > limit or (also_at and left + j - col == limit)):
        j += 1
    while j > 0 and (left + j - 1 - col > limit or (also_at and left + j - 1 - col == limit)):
        j -= 1
    return j


@kernel
def _or_further(one, other, out):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        write(out, k, read(one, k) | read(other, k))


@kernel
def _take_away(mask, other):  # type: ignore[no-untyped-def]
    for k in range(mask.size):
        mask[k] &= ~other[k]


@kernel
def _spread(mask, spare, step, count):  # type: ignore[no-untyped-def]
    """What is anywhere in `count` places of a flat mask, `step` apart, beginning with each; `spare` is scratch.

    By doubling: how far it reaches costs next to nothing.
    """
    done = 1
    while done < count:
        shift = min(done, count - done) * step
        n = mask.size - shift
        _or_further(span(mask, 0, n), span(mask, shift, n), span(spare, 0, n))
        spare[n:] = mask[n:]
        mask, spare = spare, mask
        done += min(done, count - done)
    return mask, spare


@kernel
def _add_directions(plane, ring, pitch, corner, top, left, ch, cw, row, col, total, sizes):  # type: ignore[no-untyped-def]
    """Sums and numbers of the pixels of a ring by eighths of the circle around (row, col).

    The ring is a flat mask with rows of `pitch`; the rectangle of the plane from (top, left) on begins at `corner`.

    Eighth 0 begins at the left, as rows fall, and each contains the edge at its own beginning. A row runs through four
    of them one after the other.
    """
    for i in range(ch):
        by_row = top + i - row
        steep = abs(by_row)
        here = span(plane, (top + i) * plane.shape[1] + left, cw)
        in_ring = span(ring, corner + i * pitch, cw)
        begin = 0
        for passed in range(4):
            # On the row of the centre itself there is but left and right.
            sector = 7 - passed if by_row > 0.0 else passed + (passed == 3 and by_row == 0.0)
            end = cw if passed == 3 else _first_beyond(left, col, (passed - 1) * steep, by_row <= 0.0, cw)
            sum_here, count = total[sector], sizes[sector]
            for j in range(begin, end):
                sum_here += np.float64(here[j]) if in_ring[j] != 0 else 0.0
                count += in_ring[j]
            total[sector], sizes[sector] = sum_here, count
            begin = end


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
    total = np.empty(8, np.float64)
    sizes = np.empty(8, np.int64)
    for k in range(first, end):
        if k + 2 < end:
            # As for components: the planes are too large for the caches.
            for q in range(start[k + 2], start[k + 3]):
                prefetch(plane, pixel[q])
                if factor == 1:
                    prefetch(response, pixel[q])
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
        # The surroundings, flat, whether they lie on the plane or not. Pixels are marked as far to the lower right as
        # they are to reach, so that what begins in one row never meets a mark of the next.
        first_row, first_col = rows[0] - reach, left - reach
        tall, broad = rows[count - 1] + 1 + reach - first_row, right + reach - first_col
        near, far = np.zeros(tall * broad, np.uint8), np.zeros(tall * broad, np.uint8)
        spare = np.empty(tall * broad, np.uint8)
        row_row, col_col, row_col = 0.0, 0.0, 0.0
        for q in range(count):
            i, j = rows[q], cols[q]
            at = (i - first_row) * broad + j - first_col
            near[at + gap * (broad + 1)] = 1
            far[at + reach * (broad + 1)] = 1
            row_row += (i - row) * (i - row)
            col_col += (j - col) * (j - col)
            row_col += (i - row) * (j - col)
        steepness, outline = 0.0, 0
        for q in range(count):
            at = (rows[q] - first_row + gap) * broad + cols[q] - first_col + gap
            if near[at - broad] & near[at + broad] & near[at - 1] & near[at + 1] == 0:
                r, c = min(max(rows[q], 1), h - 2), min(max(cols[q], 1), w - 2)
                falling = plane[r + 1, c + 1] - plane[r - 1, c - 1]
                rising = plane[r + 1, c - 1] - plane[r - 1, c + 1]
                by_row = 2 * (plane[r + 1, c] - plane[r - 1, c]) + falling + rising
                by_col = 2 * (plane[r, c + 1] - plane[r, c - 1]) + falling - rising
                steepness += np.sqrt(by_row * by_row + by_col * by_col) / 8
                outline += 1
        total[:] = 0.0
        sizes[:] = 0
        near, spare = _spread(near, spare, 1, 2 * gap + 1)
        near, spare = _spread(near, spare, broad, 2 * gap + 1)
        far, spare = _spread(far, spare, 1, 2 * reach + 1)
        far, spare = _spread(far, spare, broad, 2 * reach + 1)
        _take_away(far, near)
        top, left = max(first_row, 0), max(first_col, 0)
        _add_directions(
            plane,
            far,
            broad,
            (top - first_row) * broad + left - first_col,
            top,
            left,
            min(first_row + tall, h) - top,
            min(first_col + broad, w) - left,
            row,
            col,
            total,
            sizes,
        )
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

    run_bands(part, len(out), threads, smallest=4, shares=4)
    return out
