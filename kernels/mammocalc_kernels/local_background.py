"""The tilted plane of tissue under a candidate, fitted robustly to a ring around it."""

from __future__ import annotations

from typing import Any

from mammocalc_kernels.compile import kernel

# Chamfer weights of an orthogonal and a diagonal step (Borgefors 1986, 10.1016/S0734-189X(86)80047-0).
STEP, DIAGONAL = 3, 4

_FAR = 30000
_MAD_TO_SIGMA = 1.4826


@kernel
def bounding_box(inside: Any) -> tuple[int, int, int, int]:
    """First row and column and one past the last row and column of what is not 0; an empty box where all is."""
    h, w = inside.shape
    top, left, bottom, right = h, w, 0, 0
    for y in range(h):
        some = 0
        for x in range(w):
            some |= inside[y, x]
        if some == 0:
            continue
        first, last = 0, w - 1
        while inside[y, first] == 0:
            first += 1
        while inside[y, last] == 0:
            last -= 1
        top, bottom = min(top, y), y + 1
        left, right = min(left, first), max(right, last + 1)
    return top, left, bottom, right


@kernel
def chamfer_distance(inside: Any, reach: int, distance: Any) -> None:
    """Distance of every pixel to the nearest pixel of `inside`, in thirds of a pixel (3-4 chamfer).

    Parameters
    ----------
    inside : ndarray of uint8, shape (h, w)
        1 for pixels of the region; 0 in the outermost rows and columns.
    reach : int
        So many pixels around the region's bounding box are looked at.
    distance : ndarray of int16, shape (h, w)
        Written; 30000 in the outermost rows and columns, beyond `reach`, and where no pixel is inside. Exact to 6 %
        against the Euclidean distance.
    """
    h, w = inside.shape
    for y in range(h):
        for x in range(w):
            distance[y, x] = 0 if inside[y, x] != 0 else _FAR
    top, left, bottom, right = bounding_box(inside)
    top, left = max(top - reach, 1), max(left - reach, 1)
    bottom, right = min(bottom + reach, h - 1), min(right + reach, w - 1)
    for y in range(top, bottom):
        before = _FAR
        for x in range(left, right):
            above = min(
                distance[y - 1, x] + STEP, min(distance[y - 1, x - 1], distance[y - 1, x + 1]) + DIAGONAL
            )
            before = min(before + STEP, min(above, distance[y, x]))
            distance[y, x] = before
    for y in range(bottom - 1, top - 1, -1):
        before = _FAR
        for x in range(right - 1, left - 1, -1):
            below = min(
                distance[y + 1, x] + STEP, min(distance[y + 1, x - 1], distance[y + 1, x + 1]) + DIAGONAL
            )
            before = min(before + STEP, min(below, distance[y, x]))
            distance[y, x] = before


@kernel
def select(values: Any, n: int, rank: int) -> float:
    """The value of 0-based `rank` among ``values[:n]``, n > 0, to 4e-6 of their range, from above.

    Halving an interval by counting: the count has no branch to mispredict, which costs selection by exchange most of
    its time on noise.
    """
    low = high = values[0]
    for i in range(1, n):
        low = min(low, values[i])
        high = max(high, values[i])
    for _ in range(18):
        middle = 0.5 * (low + high)
        count = 0
        for i in range(n):
            count += values[i] <= middle
        if count > rank:
            high = middle
        else:
            low = middle
    return high


@kernel
def fit_background(ys: Any, xs: Any, vs: Any, n: int, scratch: Any, plane: Any) -> float:
    """Robust plane through samples: least squares, twice, each on what lies near the fit before.

    Parameters
    ----------
    ys, xs, vs : ndarray of float64, shape (>= n,)
        Positions (best measured from the point where the plane is wanted) and values.
    n : int
        Number of samples, at least 1.
    scratch : ndarray of float64, shape (>= n,)
        Overwritten.
    plane : ndarray of float64, shape (3,)
        Written: value at (0, 0), slope along y, slope along x. The slopes are 0 where fewer than 12 samples are kept.

    Returns
    -------
    float
        1.4826 times the median absolute residue of the first of the two planes: the deviation of noise and texture.
    """
    for i in range(n):
        scratch[i] = vs[i]
    plane[0] = select(scratch, n, n // 2)
    plane[1] = 0.0
    plane[2] = 0.0
    sigma = 0.0
    for turn in range(2):
        for i in range(n):
            scratch[i] = abs(vs[i] - plane[0] - plane[1] * ys[i] - plane[2] * xs[i])
        sigma = _MAD_TO_SIGMA * select(scratch, n, n // 2)
        # The first turn sees the slope as spread, so it keeps more.
        reach = (3.5 if turn == 0 else 2.5) * sigma + 1e-6
        count = sy = sx = sv = syy = sxx = syx = svy = svx = 0.0
        for i in range(n):
            y, x, v = ys[i], xs[i], vs[i]
            if abs(v - plane[0] - plane[1] * y - plane[2] * x) <= reach:
                count += 1.0
                sy += y
                sx += x
                sv += v
                syy += y * y
                sxx += x * x
                syx += y * x
                svy += v * y
                svx += v * x
        if count < 1.0:
            break
        my, mx, mv = sy / count, sx / count, sv / count
        cyy, cxx, cyx = syy - my * sy, sxx - mx * sx, syx - my * sx
        cvy, cvx = svy - my * sv, svx - mx * sv
        determinant = cyy * cxx - cyx * cyx
        plane[1] = 0.0
        plane[2] = 0.0
        if count >= 12.0 and determinant > 1e-3 * count * count:
            plane[1] = (cvy * cxx - cvx * cyx) / determinant
            plane[2] = (cvx * cyy - cvy * cyx) / determinant
        plane[0] = mv - plane[1] * my - plane[2] * mx
    return sigma
