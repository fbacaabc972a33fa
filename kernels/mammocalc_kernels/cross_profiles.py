"""Profiles across a curve, with the objects that lie on it left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _cross_profiles(plane, points, normals, offsets, capsules, out):  # type: ignore[no-untyped-def]
    rows, columns = plane.shape
    # Only capsules near enough to the position on the curve can cover a sample.
    reach = abs(offsets[0])
    for k in range(len(offsets)):
        reach = max(reach, abs(offsets[k]))
    near = np.empty(len(capsules), np.int64)
    for i in range(len(points)):
        count = 0
        for m in range(len(capsules)):
            half_row = 0.5 * (capsules[m, 2] - capsules[m, 0])
            half_col = 0.5 * (capsules[m, 3] - capsules[m, 1])
            away_row = points[i, 0] - capsules[m, 0] - half_row
            away_col = points[i, 1] - capsules[m, 1] - half_col
            limit = reach + capsules[m, 4] + np.sqrt(half_row * half_row + half_col * half_col)
            if away_row * away_row + away_col * away_col <= limit * limit:
                near[count] = m
                count += 1
        for k in range(len(offsets)):
            row = points[i, 0] + offsets[k] * normals[i, 0]
            col = points[i, 1] + offsets[k] * normals[i, 1]
            r = int(np.floor(row + 0.5))
            c = int(np.floor(col + 0.5))
            out[i, k] = np.nan
            if r < 1 or c < 1 or r >= rows - 1 or c >= columns - 1:
                continue
            covered = False
            for n in range(count):
                m = near[n]
                dr = capsules[m, 2] - capsules[m, 0]
                dc = capsules[m, 3] - capsules[m, 1]
                squared = dr * dr + dc * dc
                along = 0.0
                if squared > 0.0:
                    along = ((row - capsules[m, 0]) * dr + (col - capsules[m, 1]) * dc) / squared
                    along = min(1.0, max(0.0, along))
                off_row = row - capsules[m, 0] - along * dr
                off_col = col - capsules[m, 1] - along * dc
                if off_row * off_row + off_col * off_col <= capsules[m, 4] * capsules[m, 4]:
                    covered = True
                    break
            if covered:
                continue
            total = 0.0
            for i2 in range(r - 1, r + 2):
                for j2 in range(c - 1, c + 2):
                    total += plane[i2, j2]
            out[i, k] = total / 9.0


def cross_profiles(
    plane: NDArray[np.float32],
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    offsets: NDArray[np.float64],
    capsules: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sample a plane along the normals of a curve, leaving out what lies under capsules.

    Parameters
    ----------
    plane : ndarray of float32, shape (rows, columns)
    points, normals : ndarray of float64, shape (n, 2)
        (row, col) of positions on the curve, px of this plane, (0, 0) at the centre of the first pixel; unit normals.
    offsets : ndarray of float64, shape (k,)
        Signed distances from the curve, px, at least one.
    capsules : ndarray of float64, shape (m, 5)
        row, col of one end; row, col of the other; radius, all px: everything within the radius of the segment.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Mean of the 3 x 3 pixels around ``points[i] + offsets[k] * normals[i]``; NaN where the sample lies under a
        capsule or its pixels are not all on the plane.

    Raises
    ------
    ValueError
        For arrays of other types or shapes.
    """
    if plane.dtype != np.float32 or plane.ndim != 2:
        raise ValueError(f"plane must be 2-D float32, got {plane.ndim}-D {plane.dtype}")
    if points.ndim != 2 or points.shape[1] != 2 or normals.shape != points.shape:
        raise ValueError(f"points and normals must both be (n, 2), got {points.shape} and {normals.shape}")
    if offsets.ndim != 1 or len(offsets) == 0:
        raise ValueError(f"offsets must be 1-D and not empty, got shape {offsets.shape}")
    if capsules.ndim != 2 or capsules.shape[1] != 5:
        raise ValueError(f"capsules must be (m, 5), got {capsules.shape}")
    out = np.empty((len(points), len(offsets)))
    _cross_profiles(
        np.ascontiguousarray(plane),
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(normals, np.float64),
        np.ascontiguousarray(offsets, np.float64),
        np.ascontiguousarray(capsules, np.float64),
        out,
    )
    return out
