"""The curve along a track: its middle line, how its pieces lie beside it, and whether they are two walls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points, middle

STEP_MM = 0.5
"""Distance of points along a curve."""
SMOOTH_MM = 1.5
"""Standard deviation of the smoothing along a curve."""
LEAST_PAIRED_MM = 1.5
"""Pieces that lie side by side over less are no second wall."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The middle line of a track with its pieces beside it.

    Attributes
    ----------
    points : ndarray of float64, shape (k, 2)
        (row, col) in mm, `STEP_MM` apart.
    length_mm, tortuosity : float
        Along the curve; arc over chord.
    calcified_fraction : float
        Share of the length that has a piece beside it.
    wall_separation_mm : float
        Median distance of the two walls, NaN where there is one.
    paired_length_mm : float
        Length over which there are two.
    misalignment_deg : float
        Mean angle between strands and curve, weighed by length.
    typical_mm : float
        Half of all the strands' length is in strands of at least this length.
    """

    points: Points
    length_mm: float
    tortuosity: float
    calcified_fraction: float
    wall_separation_mm: float
    paired_length_mm: float
    misalignment_deg: float
    typical_mm: float


def curve_of(pieces: Pieces, reach_mm: float, parameters: ArrangeParameters) -> Curve | None:
    """Fit the middle line through the pieces of one track; None where they span less than two steps.

    Parameters
    ----------
    reach_mm : float
        The largest gap between the pieces.
    """
    found = curve_with_pieces(pieces, reach_mm, parameters)
    return None if found is None else found[0]


def curve_with_pieces(
    pieces: Pieces, reach_mm: float, parameters: ArrangeParameters
) -> tuple[Curve, NDArray[np.float64], NDArray[np.float64]] | None:
    """As `curve_of`, with how each piece lies to the curve beside it, see `along_line`."""
    from mammocalc_kernels.curves import smooth_curve

    points, _, directions = pieces.sampled(STEP_MM)
    path = _ordered_path(
        _middles(points, directions, _least_mm(pieces, parameters), parameters),
        reach_mm + parameters.wall_most_mm,
    )
    line = smooth_curve(path, STEP_MM, _taps())
    return None if len(line) < 3 else along_line(line, pieces, parameters)


def along_line(
    line: Points, pieces: Pieces, parameters: ArrangeParameters
) -> tuple[Curve, NDArray[np.float64], NDArray[np.float64]]:
    """The curve of pieces along a line of points `STEP_MM` apart.

    Returns
    -------
    curve : Curve
    angle_deg : ndarray of float64, shape (m,)
        Mean angle between each piece and the line beside it, 0 to 90 degrees.
    aside_mm : ndarray of float64, shape (m,)
        Mean distance of each piece from the line.
    """
    from mammocalc_kernels.curves import beside

    points, owner, directions = pieces.sampled(STEP_MM)
    along, across, tangent = beside(line, points, STEP_MM)
    length = STEP_MM * (len(line) - 1)
    chord = float(np.linalg.norm(line[-1] - line[0]))
    separation, paired = _walls(along, across, length, _least_mm(pieces, parameters), parameters)
    covered = np.zeros(len(line), np.bool_)
    covered[np.clip(np.round(along / STEP_MM).astype(np.int64), 0, len(line) - 1)] = True
    cosine = np.abs(np.einsum("ij,ij->i", directions, tangent))
    angle = np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0)))
    curve = Curve(
        points=line,
        length_mm=length,
        tortuosity=max(1.0, length / max(chord, STEP_MM)),
        calcified_fraction=float(covered.mean()),
        wall_separation_mm=separation,
        paired_length_mm=paired,
        misalignment_deg=float(angle.mean()),
        typical_mm=_typical_length(2 * pieces.half_mm),
    )
    count = np.bincount(owner, minlength=len(pieces))
    of_piece = [
        np.bincount(owner, weights=some, minlength=len(pieces)) / count for some in (angle, np.abs(across))
    ]
    return curve, of_piece[0], of_piece[1]


def _least_mm(pieces: Pieces, parameters: ArrangeParameters) -> float:
    """Walls nearer to each other than they are thick would be one."""
    return max(parameters.wall_least_mm, middle(pieces.calibre_mm))


def _ordered_path(points: Points, reach_mm: float) -> Points:
    """Points along the track between the two that lie farthest apart along it, by small steps where there are such."""
    from mammocalc_kernels.paths import longest_way

    return points[longest_way(points[:, 0], points[:, 1], reach_mm)]


@cache
def _taps() -> NDArray[np.float64]:
    """Weights of a Gaussian over the points of a curve."""
    reach = round(4 * SMOOTH_MM / STEP_MM)
    taps = np.exp(-0.5 / (SMOOTH_MM / STEP_MM) ** 2 * np.arange(-reach, reach + 1) ** 2)
    return np.asarray(taps / taps.sum(), np.float64)


def _middles(points: Points, directions: Points, least_mm: float, parameters: ArrangeParameters) -> Points:
    """Every point of the walls moved to the middle of the vessel.

    Beside an opposite wall that is half of the way to it; elsewhere half of the usual distance, to the side on which
    the nearest known middles lie. Where hardly anything has an opposite, there is one wall, and nothing moves.
    """
    from mammocalc_kernels.walls import facing_points, middle_points

    straight = float(np.cos(np.radians(parameters.track_bend_deg)))
    opposite, distance = facing_points(
        points, directions, straight, least_mm, parameters.wall_most_mm, STEP_MM
    )
    paired = opposite >= 0
    # Both walls are sampled at every step, and most points share their place with those of the other wall.
    if STEP_MM * paired.sum() < 2 * parameters.paired_least_mm:
        return points
    half = 0.5 * middle(distance[paired])
    aside = half * np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    return middle_points(points, aside, opposite)


def _typical_length(lengths: NDArray[np.float64]) -> float:
    descending = np.sort(lengths)[::-1]
    return float(descending[np.searchsorted(np.cumsum(descending), 0.5 * descending.sum())])


def _walls(
    along: NDArray[np.float64],
    across: NDArray[np.float64],
    length: float,
    least: float,
    parameters: ArrangeParameters,
) -> tuple[float, float]:
    """Median separation of two thin walls on either side of the curve, and the length over which there are both."""
    from mammocalc_kernels.walls import wall_courses

    at = np.arange(0.5 * STEP_MM, max(length, STEP_MM), STEP_MM)
    centre, scatter = wall_courses(along, across, at, 1.0, 0.25 * least)
    separation = centre[1] - centre[0]
    two = (
        (separation >= least)
        & (separation <= parameters.wall_most_mm)
        & (scatter.max(axis=0) <= parameters.wall_scatter_mm)
    )
    if STEP_MM * two.sum() < LEAST_PAIRED_MM:
        return float("nan"), 0.0
    return middle(separation[two]), float(STEP_MM * two.sum())
