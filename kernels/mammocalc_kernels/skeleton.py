"""The skeleton of a region and its branch points."""

from __future__ import annotations

from typing import Any

from mammocalc_kernels.candidate_state import BROAD, FORM, HOLLOWED, NOTHING, PATCH, TALL
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.measured_columns import BRANCHES

# Neighbours clockwise from the one above.
_DY = (-1, -1, 0, 1, 1, 1, 0, -1)
_DX = (0, 1, 1, 1, 0, -1, -1, -1)


@kernel
def _neighbour_count(image: Any, y: int, x: int) -> int:
    total = 0
    for k in range(8):
        total += image[y + _DY[k], x + _DX[k]]
    return total


@kernel
def _transitions(image: Any, y: int, x: int) -> int:
    """Times the ring of neighbours changes from 0 to 1: 1 at an end, 2 along a line, 3 or more at a branch."""
    total = 0
    for k in range(8):
        here = image[y + _DY[k], x + _DX[k]]
        after = image[y + _DY[(k + 1) & 7], x + _DX[(k + 1) & 7]]
        if here == 0 and after == 1:
            total += 1
    return total


@kernel
def thin(image: Any, queue: Any) -> None:
    """Thin a region to its skeleton, in place (Zhang and Suen 1984, 10.1145/357994.358023).

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w)
        0 and 1; the outermost rows and columns are 0.
    queue : ndarray of int32, shape (>= h * w,)
        Scratch.
    """
    h, w = image.shape
    changed = True
    while changed:
        changed = False
        for turn in range(2):
            n = 0
            for y in range(1, h - 1):
                for x in range(1, w - 1):
                    if image[y, x] == 0:
                        continue
                    if not 2 <= _neighbour_count(image, y, x) <= 6 or _transitions(image, y, x) != 1:
                        continue
                    up, right = image[y - 1, x], image[y, x + 1]
                    down, left = image[y + 1, x], image[y, x - 1]
                    if turn == 0:
                        remove = up * right * down == 0 and right * down * left == 0
                    else:
                        remove = up * right * left == 0 and up * down * left == 0
                    if remove:
                        queue[n] = y * w + x
                        n += 1
            for i in range(n):
                image[queue[i] // w, queue[i] % w] = 0
            changed = changed or n > 0


@kernel
def prune(image: Any, depth: Any, spur: float, queue: Any) -> None:
    """Remove from a skeleton, shortest first, the twigs that only reach the outline from inside a thick part.

    A twig is the line from an end to a branch point. It goes where it is shorter than `spur` plus the depth of the
    region at its branch point.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w)
        The skeleton, changed in place.
    depth : ndarray of int16, shape (h, w)
        Distance to the outside, thirds of a pixel.
    spur : float
        Pixels.
    queue : ndarray of int32, shape (>= h * w,)
        Scratch.
    """
    h, w = image.shape
    while True:
        shortest, shortest_end = 1e30, -1
        for y in range(1, h - 1):
            for x in range(1, w - 1):
                if image[y, x] == 0 or _transitions(image, y, x) != 1:
                    continue
                if _neighbour_count(image, y, x) > 2:
                    continue
                _, length, at = _twig(image, y, x, queue)
                if at >= 0 and length < spur + depth[at // w, at % w] / 3.0 and length < shortest:
                    shortest, shortest_end = length, y * w + x
        if shortest_end < 0:
            return
        n, _, _ = _twig(image, shortest_end // w, shortest_end % w, queue)
        for i in range(n):
            image[queue[i] // w, queue[i] % w] = 0


@kernel
def _twig(image: Any, y: int, x: int, queue: Any) -> tuple[int, float, int]:
    """Walk from an end: pixels (in `queue`), length, and the branch pixel met (-1 for another end)."""
    w = image.shape[1]
    n = 0
    length = 0.0
    before_y, before_x = y, x
    while True:
        queue[n] = y * w + x
        n += 1
        next_y, next_x, found = y, x, False
        # Straight neighbours first, so that a corner is not cut.
        for turn in range(2):
            if found:
                break
            for k in range(turn, 8, 2):
                ny, nx = y + _DY[k], x + _DX[k]
                if image[ny, nx] == 0 or (ny == before_y and nx == before_x):
                    continue
                if n >= 2 and abs(ny - before_y) <= 1 and abs(nx - before_x) <= 1:
                    continue
                next_y, next_x, found = ny, nx, True
                break
        if not found:
            return n, length, -1
        length += 1.0 if next_y == y or next_x == x else 1.4142135623730951
        if _transitions(image, next_y, next_x) >= 3:
            return n, length, next_y * w + next_x
        before_y, before_x, y, x = y, x, next_y, next_x


@kernel
def count_branch_points(image: Any, queue: Any) -> int:
    """Branch points of a skeleton (uint8, 0 and 1, left changed): groups of touching pixels with three ways or more."""
    h, w = image.shape
    n = 0
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            if image[y, x] == 1 and _transitions(image, y, x) >= 3:
                queue[n] = y * w + x
                n += 1
    for y in range(h):
        for x in range(w):
            image[y, x] = 0
    for i in range(n):
        image[queue[i] // w, queue[i] % w] = 1
    groups = 0
    for i in range(n):
        if image[queue[i] // w, queue[i] % w] != 1:
            continue
        groups += 1
        top = n
        queue[top] = queue[i]
        image[queue[i] // w, queue[i] % w] = 2
        while top >= n:
            p = queue[top]
            top -= 1
            py, px = p // w, p % w
            for ny in range(py - 1, py + 2):
                for nx in range(px - 1, px + 2):
                    if image[ny, nx] == 1:
                        image[ny, nx] = 2
                        top += 1
                        queue[top] = ny * w + nx
    return groups


@kernel
def count_branches(
    chosen: Any, spur: float, inside_pool: Any, depth_pool: Any, queue: Any, state: Any, out: Any
) -> None:
    """Branch points of each candidate whose outline is far from convex, into column branches of `out`.

    Parameters
    ----------
    chosen : ndarray of int64, shape (m,)
        Rows of `out`.
    spur : float
        As for `prune`, px.
    inside_pool, depth_pool : ndarray of uint8 and int16
        Pools: the region, thinned in place, and the distance to its outside in thirds of a pixel.
    queue : ndarray of int32
        Scratch: pixels of the largest patch.
    state, out : ndarray of float64
    """
    for k in range(len(chosen)):
        if state[k, FORM] == NOTHING or state[k, HOLLOWED] == 0.0:
            continue
        h, w = int(state[k, TALL]), int(state[k, BROAD])
        pool = int(state[k, PATCH])
        inside = inside_pool[pool : pool + h * w].reshape(h, w)
        thin(inside, queue)
        prune(inside, depth_pool[pool : pool + h * w].reshape(h, w), spur, queue)
        out[chosen[k], BRANCHES] = count_branch_points(inside, queue)
