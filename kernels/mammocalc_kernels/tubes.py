"""Round tubes along polylines, as their projection: the solid that fibres, vessels and rods are drawn with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _stamp_tube(plane, points, radii, exponent):  # type: ignore[no-untyped-def]
    rows, columns = plane.shape
    for k in range(len(points) - 1):
        r0, c0 = points[k, 0], points[k, 1]
        dr, dc = points[k + 1, 0] - r0, points[k + 1, 1] - c0
        squared = dr * dr + dc * dc
        widest = max(radii[k], radii[k + 1])
        top = max(0, math.ceil(min(r0, r0 + dr) - widest))
        bottom = min(rows - 1, math.floor(max(r0, r0 + dr) + widest))
        left = max(0, math.ceil(min(c0, c0 + dc) - widest))
        right = min(columns - 1, math.floor(max(c0, c0 + dc) + widest))
        for i in range(top, bottom + 1):
            for j in range(left, right + 1):
                along = 0.0
                if squared > 0.0:
                    along = min(1.0, max(0.0, ((i - r0) * dr + (j - c0) * dc) / squared))
                away_row = i - r0 - along * dr
                away_col = j - c0 - along * dc
                radius = radii[k] + along * (radii[k + 1] - radii[k])
                if radius <= 0.0:
                    continue
                inside = 1.0 - (away_row * away_row + away_col * away_col) / (radius * radius)
                if inside <= 0.0:
                    continue
                height = 2.0 * radius * inside**exponent
                if height > plane[i, j]:
                    plane[i, j] = height


def stamp_tube(
    plane: NDArray[np.float64], points: NDArray[np.float64], radii: NDArray[np.float64], exponent: float = 0.5
) -> None:
    """Raise a plane, in place, to the height of a tube with round ends along a polyline.

    Parameters
    ----------
    plane : ndarray of float64, shape (rows, columns)
        Changed to the larger of itself and ``2 r (1 - d**2 / r**2) ** exponent``, where d is the distance to a segment
        of the polyline and r the radius at its nearest point.
    points : ndarray of float64, shape (n, 2)
        (row, col) of the vertices, px of this plane, (0, 0) at the centre of the first pixel; n >= 2.
    radii : ndarray of float64, shape (n,)
        Radius at each vertex, px, linear in between.
    exponent : float
        0.5 is the chord through a solid round tube; larger gives a soft strand.

    Raises
    ------
    ValueError
        If the arrays' shapes or types do not fit.
    """
    if plane.dtype != np.float64 or plane.ndim != 2:
        raise ValueError("plane must be a two-dimensional array of float64")
    if points.dtype != np.float64 or points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
        raise ValueError("points must be float64 of shape (n, 2), n >= 2")
    if radii.dtype != np.float64 or radii.shape != (len(points),):
        raise ValueError("radii must be float64, one a point")
    _stamp_tube(plane, points, radii, exponent)
