"""Bands as wide as an artery that is calcified all around: where they lead, and what lies on them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

LEAST_MM, MOST_MM = 0.45, 1.6
"""So wide is the band, calcium and all; a cast is thinner."""
HEIGHT = 1.0
"""The band stands above the tissue on either side by this much, in pixel noise."""
SHIFT_MM, LEAD_MM = 0.7, 0.4
"""Its middle may be this far off the curve along it, and off the way that it was followed so far."""
FLANK_MM = (1.0, 2.0)
"""How far from its middle the tissue beside it begins and ends."""
WINDOW_MM = 1.0
"""Half of the length along the curve over which a profile is averaged."""
FARTHEST_MM, GAP_MM = 40.0, 1.5
"""So far a band is followed in either direction, across gaps of this length."""
SMOOTH_MM = 1.5
"""Standard deviation of the smoothing along the way it was followed."""
PLAY_MM = 0.5
"""Pieces belong to a stretch of band up to so far beyond its ends."""
SHORTEST_MM = 2.5
"""A shorter stretch is by chance."""
COVER_MM = 0.25
"""What lies this near to a piece counts as calcified."""
STEP_MM = 0.5
"""Distance of points along a line."""

_SAMPLE_MM = 0.1
_PROFILES_A_STEP = 5

Points = NDArray[np.float64]
Places = NDArray[np.int64]


def line_along(plane: NDArray[np.float32], spacing_mm: float, centre: Points, direction: Points) -> Points:
    """The middle of the band through a place.

    Parameters
    ----------
    plane : ndarray of float32, shape (rows, columns)
        Of unit noise, bright is dense.
    spacing_mm : float
        Of its pixels.
    centre, direction : ndarray of float64, shape (2,)
        (row, col) in mm, (0, 0) at the centre of the first pixel; a unit vector along the band.

    Returns
    -------
    ndarray of float64, shape (k, 2)
        (row, col) in mm, `STEP_MM` apart; short where there is no band.
    """
    from mammocalc_kernels.bands import followed_band
    from mammocalc_kernels.curves import smooth_curve

    arms = [
        followed_band(
            plane,
            centre / spacing_mm,
            way,
            _offsets() / spacing_mm,
            step=STEP_MM / spacing_mm,
            most=round(FARTHEST_MM / STEP_MM),
            reach=2,
            middle=_middle(LEAD_MM),
            flank=_samples(FLANK_MM),
            width=_samples((LEAST_MM, MOST_MM)),
            height=HEIGHT,
            misses=round(GAP_MM / STEP_MM),
        )
        for way in (-direction, direction)
    ]
    path = np.concatenate([arms[0][::-1], centre[None] / spacing_mm, arms[1]])
    return smooth_curve(path * spacing_mm, STEP_MM, _taps())


def stretches_along(plane: NDArray[np.float32], spacing_mm: float, line: Points) -> tuple[Places, Places]:
    """First and end place of every long enough stretch of a line that runs along a band as wide as an artery.

    Parameters
    ----------
    plane, spacing_mm
        As for `line_along`.
    line : ndarray of float64, shape (k, 2)
        (row, col) in mm, `STEP_MM` apart, k at least 2.
    """
    from mammocalc_kernels.bands import bands
    from mammocalc_kernels.cross_profiles import cross_profiles
    from mammocalc_kernels.curves import tangents_of

    tangents = tangents_of(line)
    at = np.linspace(0, len(line) - 1, _PROFILES_A_STEP * (len(line) - 1) + 1)
    index = np.arange(len(line))
    points, normals = (
        np.stack([np.interp(at, index, values[:, axis]) for axis in (0, 1)], axis=1)
        for values in (line / spacing_mm, np.stack([-tangents[:, 1], tangents[:, 0]], axis=1))
    )
    profile = cross_profiles(plane, points, normals, _offsets() / spacing_mm, np.empty((0, 5)))
    width, height = bands(
        profile, round(WINDOW_MM * _PROFILES_A_STEP / STEP_MM), _middle(SHIFT_MM), _samples(FLANK_MM)
    )
    least, most = _samples((LEAST_MM, MOST_MM))
    there = ((width >= least) & (width <= most) & (height >= HEIGHT))[::_PROFILES_A_STEP]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    first, end = edges[::2], edges[1::2]
    long_enough = STEP_MM * (end - first) >= SHORTEST_MM
    return first[long_enough], end[long_enough]


def on_stretches(
    line: Points,
    stretches: tuple[Places, Places],
    centre: Points,
    direction: Points,
    strand: NDArray[np.bool_],
    calibre_mm: NDArray[np.float64],
    bend_deg: float,
) -> NDArray[np.bool_]:
    """Which pieces lie on the stretches of a band, those with a direction along it.

    Parameters
    ----------
    line : ndarray of float64, shape (k, 2)
    stretches : tuple of ndarray of int64
        From `stretches_along`.
    centre, direction : ndarray of float64, shape (m, 2)
        (row, col) in mm; unit vectors, which count for strands alone.
    strand : ndarray of bool, shape (m,)
    calibre_mm : ndarray of float64, shape (m,)
    bend_deg : float
        A strand's direction is that of the line to within this angle.
    """
    from mammocalc_kernels.curves import beside

    along, across, tangent = beside(line, centre, STEP_MM)
    first, end = (STEP_MM * places for places in stretches)
    inside = ((along[:, None] >= first - PLAY_MM) & (along[:, None] <= end + PLAY_MM)).any(axis=1)
    cosine = np.abs(np.einsum("ij,ij->i", direction, tangent))
    follows = ~strand | (cosine >= np.cos(np.radians(bend_deg)))
    near = np.abs(across) <= SHIFT_MM + 0.5 * LEAST_MM
    return np.asarray(inside & near & follows & (calibre_mm <= MOST_MM))


def calcified(
    line: Points, stretches: tuple[Places, Places], points: Points, calibre_mm: NDArray[np.float64]
) -> tuple[float, float]:
    """How much of the longest stretch has calcium on or beside it, in mm and as a share.

    Parameters
    ----------
    line : ndarray of float64, shape (k, 2)
    stretches : tuple of ndarray of int64
        From `stretches_along`, at least one.
    points : ndarray of float64, shape (n, 2)
        All along the axes of pieces, (row, col) in mm.
    calibre_mm : ndarray of float64, shape (n,)
        Of the piece that each belongs to.
    """
    first, end = stretches
    longest = int((end - first).argmax())
    reach = np.maximum(0.5 * calibre_mm, 0.5 * LEAST_MM) + COVER_MM
    apart = ((points[:, None, :] - line[None, first[longest] : end[longest], :]) ** 2).sum(axis=2)
    there = (apart <= reach[:, None] ** 2).any(axis=0)
    return STEP_MM * float(there.sum()), float(there.mean())


@cache
def _offsets() -> NDArray[np.float64]:
    """Places across a band that profiles are sampled at, mm."""
    reach = round((SHIFT_MM + FLANK_MM[1]) / _SAMPLE_MM)
    return np.arange(-reach, reach + 1) * np.float64(_SAMPLE_MM)


@cache
def _taps() -> NDArray[np.float64]:
    """Weights of a Gaussian over the points of a line."""
    reach = round(4 * SMOOTH_MM / STEP_MM)
    taps = np.exp(-0.5 / (SMOOTH_MM / STEP_MM) ** 2 * np.arange(-reach, reach + 1) ** 2)
    return np.asarray(taps / taps.sum(), np.float64)


def _middle(reach_mm: float) -> tuple[int, int]:
    """First and end sample of those within reach of the middle."""
    reach = round(reach_mm / _SAMPLE_MM)
    return len(_offsets()) // 2 - reach, len(_offsets()) // 2 + reach + 1


def _samples(lengths_mm: tuple[float, float]) -> tuple[int, int]:
    # Rounded upwards at a half.
    return int(lengths_mm[0] / _SAMPLE_MM + 0.5), int(lengths_mm[1] / _SAMPLE_MM + 0.5)
