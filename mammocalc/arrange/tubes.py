"""Arteries that are calcified all around: bands of an artery's width, granular, whatever form their pieces have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.curves import STEP_MM, smoothed
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points
from mammocalc.prepare.scene import Scene

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
PLAY_MM = 0.5
"""Pieces belong to a stretch of band up to so far beyond its ends."""
SHORTEST_MM = 2.5
"""A shorter stretch is by chance."""
COVER_MM = 0.25
"""What lies this near to a piece counts as calcified."""

_SAMPLE_MM = 0.1
_PROFILES_A_STEP = 5


@dataclass(frozen=True, eq=False)
class Tube:
    """A band along which pieces lie.

    Attributes
    ----------
    line : ndarray of float64, shape (k, 2)
        (row, col) in mm, `mammocalc.arrange.curves.STEP_MM` apart.
    members : ndarray of int64
        Places of the pieces on it, ascending.
    covered_mm, covered : float
        How much of its longest stretch is calcified, and as a share.
    roughness : float
        Mean roughness of the pieces, by length.
    """

    line: Points
    members: NDArray[np.int64]
    covered_mm: float
    covered: float
    roughness: float


def find_tubes(
    scene: Scene,
    pieces: Pieces,
    free: NDArray[np.bool_],
    columns: Mapping[str, NDArray[Any]],
    parameters: ArrangeParameters,
) -> list[Tube]:
    """Follow the band from each free piece that has a direction, the longest first, and see what lies on it.

    Parameters
    ----------
    scene : Scene
    pieces : Pieces
        All that may lie on a tube.
    free : ndarray of bool, shape (m,)
        Which of them are looked at for a beginning; none that lies on a tube that was found.
    columns : mapping of str to ndarray
        Measurements of all candidates, of which length_mm and roughness are looked at.

    Returns
    -------
    list of Tube
        Those whose calcium is long and rough enough, of two pieces at least.
    """
    free = free & pieces.strand & (2 * pieces.half_mm >= parameters.strand_length_mm)
    out = []
    for k in np.argsort(-pieces.half_mm, kind="stable").tolist():
        if not free[k]:
            continue
        line = _line_along(scene, pieces.centre[k], pieces.direction[k])
        if STEP_MM * len(line) < parameters.tube_mm:
            continue
        first, end = stretches(band_along(scene, line))
        if not len(first):
            continue
        members = np.flatnonzero(_on(line, first, end, pieces, parameters))
        if len(members) < 2 or not pieces.strand[members].any():
            continue
        free[members] = False
        longest = int((end - first).argmax())
        calcified = _calcified(line, pieces.take(members))[first[longest] : end[longest]]
        weight = columns["length_mm"][pieces.index[members]]
        roughness = np.nan_to_num(columns["roughness"][pieces.index[members]])
        tube = Tube(
            line,
            members,
            STEP_MM * float(calcified.sum()),
            float(calcified.mean()),
            float(weight @ roughness / weight.sum()),
        )
        if (
            tube.covered_mm >= parameters.tube_mm
            and tube.covered >= parameters.tube_covered
            and tube.roughness >= parameters.tube_roughness
        ):
            out.append(tube)
    return out


def band_along(scene: Scene, line: Points) -> NDArray[np.bool_]:
    """Where a curve runs along a band as wide as an artery, shape (k,).

    Parameters
    ----------
    scene : Scene
    line : ndarray of float64, shape (k, 2)
        (row, col) in mm of stored pixels, `mammocalc.arrange.curves.STEP_MM` apart.
    """
    from mammocalc_kernels.bands import bands
    from mammocalc_kernels.cross_profiles import cross_profiles
    from mammocalc_kernels.curves import tangents_of

    tangents = tangents_of(line)
    at = np.linspace(0, len(line) - 1, _PROFILES_A_STEP * (len(line) - 1) + 1)
    index = np.arange(len(line))
    points, normals = (
        np.stack([np.interp(at, index, values[:, axis]) for axis in (0, 1)], axis=1)
        for values in (
            line / scene.pixel_spacing_mm - np.array(scene.origin, np.float64),
            np.stack([-tangents[:, 1], tangents[:, 0]], axis=1),
        )
    )
    offsets = _offsets() / scene.pixel_spacing_mm
    profile = cross_profiles(scene.plane, points, normals, offsets, np.empty((0, 5)))
    width, height = bands(
        profile, round(WINDOW_MM * _PROFILES_A_STEP / STEP_MM), _middle(SHIFT_MM), _samples(FLANK_MM)
    )
    least, most = _samples((LEAST_MM, MOST_MM))
    there = (width >= least) & (width <= most) & (height >= HEIGHT)
    return np.asarray(there[::_PROFILES_A_STEP])


def stretches(there: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and end place of every stretch that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    first, end = edges[::2], edges[1::2]
    long_enough = STEP_MM * (end - first) >= SHORTEST_MM
    return first[long_enough], end[long_enough]


def _line_along(scene: Scene, centre: Points, direction: Points) -> Points:
    """The middle of the band through a place, in mm."""
    from mammocalc_kernels.bands import followed_band

    spacing, origin = scene.pixel_spacing_mm, np.array(scene.origin, np.float64)
    arms = [
        followed_band(
            scene.plane,
            centre / spacing - origin,
            way,
            _offsets() / spacing,
            step=STEP_MM / spacing,
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
    path = np.concatenate([arms[0][::-1], (centre / spacing - origin)[None], arms[1]])
    return smoothed((path + origin) * spacing)


def _on(
    line: Points,
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    pieces: Pieces,
    parameters: ArrangeParameters,
) -> NDArray[np.bool_]:
    """Which pieces lie on the stretches of a band, the elongated ones along it."""
    from mammocalc_kernels.curves import beside

    along, across, tangent = beside(line, pieces.centre, STEP_MM)
    inside = (
        (along[:, None] >= STEP_MM * first - PLAY_MM) & (along[:, None] <= STEP_MM * end + PLAY_MM)
    ).any(axis=1)
    cosine = np.abs(np.einsum("ij,ij->i", pieces.direction, tangent))
    follows = ~pieces.strand | (cosine >= np.cos(np.radians(parameters.band_turn_deg)))
    near = np.abs(across) <= SHIFT_MM + 0.5 * LEAST_MM
    return np.asarray(inside & near & follows & (pieces.calibre_mm <= MOST_MM))


def _calcified(line: Points, pieces: Pieces) -> NDArray[np.bool_]:
    """Where a line has calcium on or beside it, shape (k,)."""
    points, owner, _ = pieces.sampled(0.5 * STEP_MM)
    reach = np.maximum(0.5 * pieces.calibre_mm[owner], 0.5 * LEAST_MM) + COVER_MM
    apart = ((points[:, None, :] - line[None, :, :]) ** 2).sum(axis=2)
    return np.asarray((apart <= reach[:, None] ** 2).any(axis=0))


@cache
def _offsets() -> NDArray[np.float64]:
    """Places across a band that profiles are sampled at, mm."""
    reach = round((SHIFT_MM + FLANK_MM[1]) / _SAMPLE_MM)
    return np.arange(-reach, reach + 1) * np.float64(_SAMPLE_MM)


def _middle(reach_mm: float) -> tuple[int, int]:
    """First and end sample of those within reach of the middle."""
    reach = round(reach_mm / _SAMPLE_MM)
    return len(_offsets()) // 2 - reach, len(_offsets()) // 2 + reach + 1


def _samples(lengths_mm: tuple[float, float]) -> tuple[int, int]:
    # Rounded upwards at a half.
    return int(lengths_mm[0] / _SAMPLE_MM + 0.5), int(lengths_mm[1] / _SAMPLE_MM + 0.5)
