"""Smooth random curves in the plane: fibres, ducts and vessels, as (y, x) points in mm."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

STEP_MM = 0.4
"""Distance between the points of a curve."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of their own for each part of a phantom, so that one part can change without moving another."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def winding_curve(
    rng: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    length_mm: float,
    bend_per_mm: float,
    bend_length_mm: float,
) -> NDArray[np.float64]:
    """A curve whose curvature wanders: standard deviation `bend_per_mm`, correlation length `bend_length_mm`.

    `heading` is the first direction, radians from +x towards +y. Returns points of shape (n, 2), (y, x) in mm.
    """
    count = max(2, round(length_mm / STEP_MM) + 1)
    keep = np.exp(-STEP_MM / bend_length_mm)
    shocks = rng.standard_normal(count) * np.sqrt(1 - keep**2)
    curvature = np.empty(count)
    value = rng.standard_normal()
    for k in range(count):
        value = keep * value + shocks[k]
        curvature[k] = value
    headings = heading + np.cumsum(curvature * bend_per_mm * STEP_MM)
    steps = STEP_MM * np.stack([np.sin(headings), np.cos(headings)], axis=1)[:-1]
    return np.asarray(start, np.float64) + np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def arc_length(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance along a polyline from its first point to each point, same unit as `points`."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def piece(
    points: NDArray[np.float64], first_mm: float, last_mm: float, step_mm: float = 0.1
) -> NDArray[np.float64]:
    """The part of a curve between two distances along it, resampled to about `step_mm`."""
    along = arc_length(points)
    wanted = np.linspace(first_mm, last_mm, max(2, round((last_mm - first_mm) / step_mm) + 1))
    return np.stack([np.interp(wanted, along, points[:, 0]), np.interp(wanted, along, points[:, 1])], axis=1)


def normals(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit normals at the points of a polyline, (y, x)."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-12)[:, None]
    return np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)


def smooth_noise(rng: np.random.Generator, count: int, width: float) -> NDArray[np.float64]:
    """A smooth random sequence of unit variance; `width` is its correlation in samples."""
    reach = max(1, round(3 * width))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-6)) ** 2)
    white = rng.standard_normal(count + 2 * reach)
    return np.convolve(white, taps / np.sqrt((taps**2).sum()), "valid")
