"""Candidates as pieces in the plane of the breast: position, direction, reach and bend, in mm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.measure.measurements import Measurements
from mammocalc.prepare.scene import Scene

Points = NDArray[np.float64]

BOWED_MM, TWISTED_MM = 2.0, 5.0
"""Shorter pieces may bow, or twist, by less than can be seen."""
_ROD_FORM = ("width_mm", "length_mm", "elongation", "roughness", "nipple_angle_deg")
_BOWS = np.arange(-0.5, 0.51, 0.05)
_TWISTS = np.arange(-0.6, 0.61, 0.2)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Some of the candidates, as gently bent pieces.

    Attributes
    ----------
    index : ndarray of int64, shape (m,)
        Their rows in the measurements.
    centre : ndarray of float64, shape (m, 2)
        (row, col) in mm.
    direction : ndarray of float64, shape (m, 2)
        Unit vector (row, col) along the long axis.
    half_mm : ndarray of float64, shape (m,)
        Half of the length for strands, 0 for specks, which have no direction of their own.
    bend : ndarray of float64, shape (m, 2)
        Bow and twist, see `mammocalc_kernels.bows.trace_bows`.
    calibre_mm : ndarray of float64, shape (m,)
    strand : ndarray of bool, shape (m,)
    """

    index: NDArray[np.int64]
    centre: Points
    direction: Points
    half_mm: NDArray[np.float64]
    bend: NDArray[np.float64]
    calibre_mm: NDArray[np.float64]
    strand: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.index)

    def take(self, which: NDArray[np.int64]) -> Pieces:
        """The pieces in the places given."""
        return Pieces(
            self.index[which],
            self.centre[which],
            self.direction[which],
            self.half_mm[which],
            self.bend[which],
            self.calibre_mm[which],
            self.strand[which],
        )

    def at(self, owner: NDArray[np.int64], t: NDArray[np.float64]) -> tuple[Points, Points]:
        """Positions in mm, and unit tangents, at `t` from -1 to 1 along the pieces `owner`."""
        half = self.half_mm[owner][:, None]
        along = self.direction[owner]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        bow, twist = self.bend[owner, 0], self.bend[owner, 1]
        aside = bow * (1.0 / 3.0 - t**2) + twist * (t**3 - 0.6 * t)
        slope = -2.0 * bow * t + twist * (3.0 * t**2 - 0.6)
        tangent = along + slope[:, None] * across
        position = self.centre[owner] + half * (t[:, None] * along + aside[:, None] * across)
        return position, tangent / np.sqrt(tangent[:, 0] ** 2 + tangent[:, 1] ** 2)[:, None]

    def ends(self) -> tuple[Points, Points]:
        """Both ends of every piece, and the directions in which it leaves them.

        Returns
        -------
        position, outward : ndarray of float64, shape (m, 2, 2)
            Piece, end, (row, col) in mm.
        """
        every = np.arange(len(self))
        sides = [self.at(every, np.full(len(self), t)) for t in (-1.0, 1.0)]
        position = np.stack([sides[0][0], sides[1][0]], axis=1)
        outward = np.stack([-sides[0][1], sides[1][1]], axis=1)
        return position, outward

    def sampled(self, step_mm: float) -> tuple[Points, NDArray[np.int64], Points]:
        """Points along every piece, at most `step_mm` apart; the piece that each belongs to; the tangents there."""
        count = 1 + np.ceil(2 * self.half_mm / step_mm).astype(np.int64)
        owner = np.repeat(np.arange(len(self)), count)
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        rank = np.arange(len(owner)) - first[owner]
        t = 2.0 * rank / np.maximum(count[owner] - 1, 1) - 1.0
        t[count[owner] == 1] = 0.0
        points, tangents = self.at(owner, t)
        return points, owner, tangents


def middle(values: NDArray[np.float64]) -> float:
    """The median of some values without NaN; what `numpy.median` checks besides takes longer than the work."""
    ordered = np.sort(values)
    return float(0.5 * (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]))


def axis_direction(orientation_deg: NDArray[np.float64]) -> Points:
    """Unit vectors (row, col) of axes given against +column, counter-clockwise as displayed."""
    angle = np.radians(np.nan_to_num(orientation_deg))
    return np.stack([-np.sin(angle), np.cos(angle)], axis=1)


def mean_bend_per_mm(length_mm: NDArray[np.float64], straightness: NDArray[np.float64]) -> float:
    """Mean curvature of bent axes in 1/mm, by length.

    Chord over arc of a gentle arc is 1 - (length / radius)^2 / 24. A straightness that could not be measured is that of
    a straight axis.
    """
    lack = 1.0 - np.clip(np.nan_to_num(straightness, nan=1.0), 0.0, 1.0)
    return float(np.sqrt(24.0 * lack).sum() / length_mm.sum())


def rods(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Candidates with the form of a rod: thick, elongated, and as far as known smooth and aimed at the nipple."""
    columns = measurements.columns
    return (
        (columns["width_mm"] >= parameters.rod_calibre_mm)
        & (columns["elongation"] >= parameters.rod_elongation)
        & ~(columns["width_variation"] > parameters.rod_calibre_variation)
        & ~(columns["roughness"] > parameters.rod_roughness)
        & ~(columns["nipple_angle_deg"] > parameters.rod_aim_deg)
    )


def thick_rods(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Rods that are too thick for a piece of a vessel's wall."""
    thick = measurements.columns["width_mm"] >= parameters.strand_rod_mm
    return rods(measurements, parameters) & thick


def rods_in_chain(
    measurements: Measurements, members: NDArray[np.int64], parameters: ArrangeParameters
) -> NDArray[np.bool_]:
    """Which members of a vessel's chain are rods that only lie in its way.

    A plaque may have a rod's form, and a rod a plaque's place: only a long smooth one that aims at the nipple and is
    thicker than the median of the others is no plaque.

    Parameters
    ----------
    measurements : Measurements
    members : ndarray of int64, shape (m,)
        Rows of the chain's members.
    parameters : ArrangeParameters

    Returns
    -------
    ndarray of bool, shape (m,)
    """
    columns = {name: measurements.columns[name][members] for name in _ROD_FORM}
    width = columns["width_mm"]
    known = np.isfinite(width)
    others = [width[known & (np.arange(len(width)) != i)] for i in range(len(width))]
    rest = np.array([middle(other) if len(other) else np.nan for other in others])
    return np.asarray(
        (width >= parameters.rod_calibre_mm)
        & (width >= parameters.wall_rod_ratio * rest)
        & (columns["length_mm"] >= parameters.wall_rod_mm)
        & (columns["elongation"] >= parameters.rod_elongation)
        & ~(columns["roughness"] > parameters.wall_rod_roughness)
        & (columns["nipple_angle_deg"] <= parameters.wall_rod_aim_deg),
        np.bool_,
    )


def rings(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Candidates with a lucent centre that are not elongated."""
    columns = measurements.columns
    return (
        (columns["lucency"] >= parameters.ring_lucency)
        & (columns["ring_closure"] >= parameters.ring_closure)
        & (columns["elongation"] < parameters.rod_elongation)
    )


def large(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Candidates that are judged by themselves and are no member of a group: broad, or longer than any cast."""
    columns = measurements.columns
    return (columns["diameter_mm"] > parameters.member_diameter_mm) | (
        columns["length_mm"] > parameters.member_length_mm
    )


def strands(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Elongated candidates that may found a vessel's wall: sure enough, long enough, neither thick nor a rod.

    A vessel that is calcified all around may be outlined across: what is as thick is a piece of one if it is rough and
    does not lead to the nipple, as rods do. What is believed only as it lies on an artery joins a chain, but founds
    none.
    """
    columns = measurements.columns
    thin = columns["width_mm"] <= parameters.strand_calibre_mm
    across = (
        (columns["width_mm"] <= parameters.tube_calibre_mm)
        & (columns["elongation"] >= parameters.tube_elongation)
        & (columns["roughness"] >= parameters.tube_roughness)
        & ~(columns["nipple_angle_deg"] <= parameters.tube_aside_deg)
    )
    return (
        (columns["score"] >= parameters.joining_score)
        & ~(columns["score"] > columns["score_alone"])
        & (thin | across)
        & (columns["elongation"] >= parameters.strand_elongation)
        & (columns["length_mm"] >= parameters.strand_length_mm)
        & ~rings(measurements, parameters)
        & ~thick_rods(measurements, parameters)
    )


def as_pieces(
    scene: Scene, measurements: Measurements, index: NDArray[np.int64], parameters: ArrangeParameters
) -> Pieces:
    """The candidates in the rows `index` as pieces, the long ones bent as the scene shows them."""
    columns = {name: measurements.columns[name][index] for name in _NEEDED}
    strand = columns["elongation"] >= parameters.strand_elongation
    # A straightness that could not be measured is that of a straight piece.
    chord = columns["length_mm"] * np.clip(np.nan_to_num(columns["straightness"], nan=1.0), 0.0, 1.0)
    straight = Pieces(
        index,
        np.stack([columns["row"], columns["col"]], axis=1) * scene.pixel_spacing_mm,
        axis_direction(columns["orientation_deg"]),
        np.where(strand, 0.5 * chord, 0.0),
        np.zeros((len(index), 2)),
        np.nan_to_num(columns["width_mm"]),
        strand,
    )
    return _bent(scene, straight)


def _bent(scene: Scene, pieces: Pieces) -> Pieces:
    from mammocalc_kernels.bows import trace_bows

    spacing, length = scene.pixel_spacing_mm, 2 * pieces.half_mm
    bend = pieces.bend.copy()
    for chosen, twists in (
        ((length >= BOWED_MM) & (length < TWISTED_MM), np.zeros(1)),
        (length >= TWISTED_MM, _TWISTS),
    ):
        bend[chosen] = trace_bows(
            scene.plane,
            pieces.centre[chosen] / spacing - np.array(scene.origin, np.float64),
            pieces.direction[chosen],
            pieces.half_mm[chosen] / spacing,
            _BOWS,
            twists,
        )
    return replace(pieces, bend=bend)


_NEEDED = ("row", "col", "orientation_deg", "length_mm", "straightness", "width_mm", "elongation")
