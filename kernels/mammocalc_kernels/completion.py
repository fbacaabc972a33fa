"""Bodies that were outlined in part only: the rest, as far as it is as bright and joins on."""

from __future__ import annotations

from typing import Any

from mammocalc_kernels.candidate_state import (
    BORDER,
    BROAD,
    CENTRE_X,
    CENTRE_Y,
    DEVIATION,
    FORM,
    HEIGHT,
    LEFT,
    LEVEL,
    NOTHING,
    PATCH,
    TALL,
    TOP,
)
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.local_background import bounding_box, chamfer_distance
from mammocalc_kernels.shape import OTHERS, load_patch, smooth

# Only what stands out from the tissue by this many deviations of it is completed: the rest would run out into tissue.
_LEAST_HEIGHT = 3.0
# What becomes more than this many times as large is tissue too, and so is what makes a body more ragged: the rest of
# one fills its notches. Raggedness is the squared perimeter over the area.
_MOST_GROWTH, _MOST_RAGGED = 3.0, 0.95
# A pixel of the rest reaches this share of the brightest one so many pixels around it: the blurred border of a bright
# part is no fainter part.
_LOCAL_SHARE, _LOCAL_REACH = 0.5, 3


@kernel
def raggedness(own: Any, stack: Any) -> float:
    """Squared number of pixel sides around a region over its pixels, holes filled; the outermost ones are 0.

    A shell that is followed all the way round is a disc, however long its wall.

    Parameters
    ----------
    own : ndarray of uint8, shape (h, w)
        1 for pixels of the region; anything else 0. Left as it is.
    stack : ndarray of int32, shape (>= h * w,)
        Scratch.
    """
    top, left, bottom, right = bounding_box(own)
    top, left, bottom, right = top - 1, left - 1, bottom + 1, right + 1
    w = own.shape[1]
    # What is reached from outside is no hole.
    outside = sides = 0.0
    own[top, left] = 2
    stack[0] = top * w + left
    waiting = 1
    while waiting > 0:
        waiting -= 1
        y, x = stack[waiting] // w, stack[waiting] % w
        outside += 1.0
        for side in range(4):
            ny = y + (side == 0) - (side == 1)
            nx = x + (side == 2) - (side == 3)
            if not (top <= ny < bottom and left <= nx < right):
                continue
            sides += own[ny, nx] == 1
            if own[ny, nx] == 0:
                own[ny, nx] = 2
                stack[waiting] = ny * w + nx
                waiting += 1
    for y in range(top, bottom):
        for x in range(left, right):
            if own[y, x] == 2:
                own[y, x] = 0
    return sides * sides / max((bottom - top) * (right - left) - outside, 1.0)


@kernel
def grow(own: Any, smoothed: Any, usable: Any, level: float, border: int, most: int, stack: Any) -> int:
    """Add to a region whatever joins on by 4-connected steps, is as bright as `level`, and half as its surroundings.

    Parameters
    ----------
    own : ndarray of uint8, shape (h, w)
        1 for pixels of the region, changed in place.
    smoothed : ndarray of float32, shape (h, w)
    usable : ndarray of uint8, shape (h, w)
        Marks of `shape.load_patch`: pixels of others and off the plane are not added.
    level : float
    border : int
        At least 1. A region that would reach into so many outermost rows and columns, grow by more than `most`
        pixels, or become no less ragged is left as it was.
    most : int
    stack : ndarray of int32, shape (>= 2 * h * w,)
        Scratch.

    Returns
    -------
    int
        Pixels added.
    """
    h, w = own.shape
    ragged = raggedness(own, stack)
    first_row, first_column, end_row, end_column = bounding_box(own)
    top = 0
    for y in range(first_row, end_row):
        for x in range(first_column, end_column):
            if own[y, x] == 1:
                stack[top] = y * w + x
                top += 1
    added = 0
    kept = h * w
    complete = True
    while top > 0 and complete:
        top -= 1
        y, x = stack[top] // w, stack[top] % w
        for side in range(4):
            ny = y + (side == 0) - (side == 1)
            nx = x + (side == 2) - (side == 3)
            if own[ny, nx] == 1 or smoothed[ny, nx] < level or usable[ny, nx] >= OTHERS:
                continue
            brightest = smoothed[ny, nx]
            for vy in range(max(ny - _LOCAL_REACH, 0), min(ny + _LOCAL_REACH + 1, h)):
                for vx in range(max(nx - _LOCAL_REACH, 0), min(nx + _LOCAL_REACH + 1, w)):
                    if usable[vy, vx] < OTHERS:
                        brightest = max(brightest, smoothed[vy, vx])
            if smoothed[ny, nx] < _LOCAL_SHARE * brightest:
                continue
            if added >= most or not (border <= ny < h - border and border <= nx < w - border):
                complete = False
                break
            own[ny, nx] = 1
            stack[top] = ny * w + nx
            top += 1
            # The second half remembers what was added.
            stack[kept + added] = ny * w + nx
            added += 1
    if added > 0 and (not complete or raggedness(own, stack) > _MOST_RAGGED * ragged):
        for i in range(added):
            own[stack[kept + i] // w, stack[kept + i] % w] = 0
        return 0
    return added


@kernel
def complete_regions(
    plane: Any,
    taken: Any,
    chosen: Any,
    limit: float,
    least_side: float,
    level_share: float,
    own_pool: Any,
    distance_pool: Any,
    contrast_pool: Any,
    smooth_pool: Any,
    usable_pool: Any,
    stack: Any,
    state: Any,
) -> None:
    """Complete the large candidates that were outlined in part.

    Parameters
    ----------
    plane, taken, chosen, limit, own_pool, distance_pool, contrast_pool, smooth_pool, usable_pool
        As for `shape.load_patches`, which comes before.
    least_side : float
        Shortest longer side of the bounding box of a candidate to be completed, px.
    level_share : float
        Share of the peak contrast that a body is followed down to.
    stack : ndarray of int32
        Scratch: twice the pixels of the largest patch.
    state : ndarray of float64, shape (m, SLOTS)
        As `shape.load_patches` leaves it.
    """
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING or state[k, HEIGHT] < _LEAST_HEIGHT * state[k, DEVIATION]:
            continue
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        margin = int(state[k, BORDER]) + 3
        if max(h, w) - 2 * margin < least_side:
            continue
        pool = int(state[k, PATCH])
        end = pool + h * w
        own = own_pool[pool:end].reshape(h, w)
        distance = distance_pool[pool:end].reshape(h, w)
        contrast = contrast_pool[pool:end].reshape(h, w)
        smoothed = smooth_pool[pool:end].reshape(h, w)
        usable = usable_pool[pool:end].reshape(h, w)
        pixels = 0
        for y in range(h):
            for x in range(w):
                pixels += own[y, x]
        smooth(contrast, distance, 30000, smoothed)
        level = level_share * state[k, HEIGHT]
        if grow(own, smoothed, usable, level, 4, int(_MOST_GROWTH * pixels), stack) > 0:
            chamfer_distance(own, int(limit) + 2, distance)
            load_patch(
                plane, taken, own, distance, int(state[k, TOP]), int(state[k, LEFT]), state[k, CENTRE_Y],
                state[k, CENTRE_X], state[k, LEVEL : LEVEL + 3], limit, contrast, usable,
            )  # fmt: skip
        smooth(contrast, distance, 9, smoothed)


@kernel
def _move(pool: Any, source: int, stride: int, target: int, tall: int, broad: int) -> None:
    """Copy `tall` rows of `broad` values, `stride` apart, to a place before them, one behind the other."""
    for y in range(tall):
        for x in range(broad):
            pool[target + y * broad + x] = pool[source + y * stride + x]


@kernel
def tighten_patches(
    own_pool: Any,
    distance_pool: Any,
    contrast_pool: Any,
    smooth_pool: Any,
    usable_pool: Any,
    margin: int,
    state: Any,
) -> None:
    """Cut every patch down to its region with `margin` pixels around, as far as the patch reaches.

    The room in which the rest of a body was looked for is several times as large as the body; every later pass would
    walk through it.

    Parameters
    ----------
    own_pool, distance_pool, contrast_pool, smooth_pool, usable_pool
        As for `shape.load_patches`, moved together.
    margin : int
        Pixels, at least 4.
    state : ndarray of float64, shape (m, SLOTS)
        Where the patches lie now; the border is what the region cannot reach, two pixels beyond what it is now.
    """
    target = 0
    for k in range(len(state)):
        if state[k, FORM] == NOTHING:
            continue
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        low_y, low_x, high_y, high_x = bounding_box(own_pool[pool : pool + h * w].reshape(h, w))
        top, left = max(low_y - margin, 0), max(low_x - margin, 0)
        bottom, right = min(high_y + margin, h), min(high_x + margin, w)
        reach = min(min(low_y - top, low_x - left), min(bottom - high_y, right - high_x))
        state[k, BORDER] = max(reach - 3, 1)
        tall, broad = bottom - top, right - left
        source = pool + top * w + left
        if source > target or broad < w:
            _move(own_pool, source, w, target, tall, broad)
            _move(distance_pool, source, w, target, tall, broad)
            _move(contrast_pool, source, w, target, tall, broad)
            _move(smooth_pool, source, w, target, tall, broad)
            _move(usable_pool, source, w, target, tall, broad)
        state[k, PATCH] = target
        state[k, TALL] = tall
        state[k, BROAD] = broad
        state[k, TOP] += top
        state[k, LEFT] += left
        target += tall * broad
