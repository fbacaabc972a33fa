"""Projections of solids: thickness along the beam in mm, on grids of (y, x) in mm around the solid's centre."""

from __future__ import annotations

import numpy as np
from mammocalc_kernels.tubes import stamp_tube
from numpy.typing import NDArray

Plane = NDArray[np.float64]


def turned(y: Plane, x: Plane, angle: float) -> tuple[Plane, Plane]:
    """Coordinates (across, along) of an axis at `angle` radians from +x towards +y."""
    return y * np.cos(angle) - x * np.sin(angle), x * np.cos(angle) + y * np.sin(angle)


def ellipsoid(y: Plane, x: Plane, along: float, across: float, deep: float, angle: float) -> Plane:
    """A solid ellipsoid with half axes along and across `angle` and along the beam."""
    v, u = turned(y, x, angle)
    return 2 * deep * np.sqrt(np.maximum(1 - (u / along) ** 2 - (v / across) ** 2, 0.0))


def shell(y: Plane, x: Plane, along: float, across: float, wall: float, angle: float) -> Plane:
    """An ellipsoidal shell: outer half axes and the thickness of its wall."""
    deep = np.sqrt(along * across)
    full = ellipsoid(y, x, along, across, deep, angle)
    if min(along, across) <= wall:
        return full
    return full - ellipsoid(y, x, along - wall, across - wall, deep - wall, angle)


def angular(y: Plane, x: Plane, faces: NDArray[np.float64], distances: NDArray[np.float64]) -> Plane:
    """A convex body with flat faces: unit normals (z, y, x), shape (n, 3), and distances from the origin, mm."""
    top, bottom = np.full(y.shape, np.inf), np.full(y.shape, -np.inf)
    for (nz, ny, nx), distance in zip(faces, distances, strict=True):
        left = distance - ny * y - nx * x
        if nz > 1e-6:
            top = np.minimum(top, left / nz)
        elif nz < -1e-6:
            bottom = np.maximum(bottom, left / nz)
        else:
            top = np.where(left < 0, -np.inf, top)
    return np.maximum(top - bottom, 0.0)


def random_faces(
    rng: np.random.Generator, count: int, along: float, across: float, angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Faces of an irregular body inside about the given half axes."""
    # A box around in any position, so that the body is closed whatever the random faces are.
    box = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    faces = np.vstack([rng.standard_normal((count, 3)), box, -box]) + 1e-6
    faces /= np.linalg.norm(faces, axis=1)[:, None]
    v, u = (
        faces[:, 1] * np.cos(angle) - faces[:, 2] * np.sin(angle),
        faces[:, 2] * np.cos(angle) + faces[:, 1] * np.sin(angle),
    )
    support = np.sqrt((u * along) ** 2 + (v * across) ** 2 + (faces[:, 0] * across) ** 2)
    reach = np.concatenate([rng.uniform(0.72, 1.0, count), np.full(6, 1.1)])
    return faces, support * reach


def merged(*parts: Plane) -> Plane:
    """Solids that overlap: less than the sum, no less than the largest."""
    return np.cbrt(sum(part**3 for part in parts))


def tube(y: Plane, x: Plane, points: NDArray[np.float64], radii: NDArray[np.float64]) -> Plane:
    """A solid round tube along a polyline (y, x); the grid is regular."""
    step = float(y[1, 0] - y[0, 0])
    plane = np.zeros(y.shape)
    stamp_tube(plane, (points - (y[0, 0], x[0, 0])) / step, radii / step)
    return plane * step


def haze(y: Plane, x: Plane, along: float, across: float, angle: float) -> Plane:
    """A cloud without an edge: Gaussian with standard deviations along and across, 1 mm thick at its middle."""
    v, u = turned(y, x, angle)
    return np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
