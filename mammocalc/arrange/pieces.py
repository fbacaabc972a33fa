"""Candidates as pieces in the plane of the breast: position, direction and reach in mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.measure.measurements import Measurements

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Some of the candidates, as straight pieces.

    Attributes
    ----------
    index : ndarray of int64, shape (m,)
        Their rows in the measurements.
    centre : ndarray of float64, shape (m, 2)
        (row, col) in mm.
    direction : ndarray of float64, shape (m, 2)
        Unit vector (row, col) along the long axis.
    half_mm : ndarray of float64, shape (m,)
        Half of the chord for strands, 0 for specks, which have no direction of their own.
    calibre_mm : ndarray of float64, shape (m,)
    strand : ndarray of bool, shape (m,)
    """

    index: NDArray[np.int64]
    centre: Points
    direction: Points
    half_mm: NDArray[np.float64]
    calibre_mm: NDArray[np.float64]
    strand: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.index)

    def ends(self) -> Points:
        """Both ends of every piece, shape (m, 2, 2): piece, end, (row, col) in mm."""
        reach = self.half_mm[:, None] * self.direction
        return np.stack([self.centre - reach, self.centre + reach], axis=1)

    def take(self, which: NDArray[np.int64]) -> Pieces:
        """The pieces in the places given."""
        return Pieces(
            self.index[which],
            self.centre[which],
            self.direction[which],
            self.half_mm[which],
            self.calibre_mm[which],
            self.strand[which],
        )

    def sampled(self, step_mm: float) -> tuple[Points, NDArray[np.int64]]:
        """Points along every piece, at most `step_mm` apart, and the place of the piece that each belongs to."""
        count = 1 + np.ceil(2 * self.half_mm / step_mm).astype(np.int64)
        owner = np.repeat(np.arange(len(self)), count)
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        rank = np.arange(len(owner)) - first[owner]
        along = 2 * rank / np.maximum(count[owner] - 1, 1) - 1
        along[count[owner] == 1] = 0.0
        return self.centre[owner] + (along * self.half_mm[owner])[:, None] * self.direction[owner], owner


def axis_direction(orientation_deg: NDArray[np.float64]) -> Points:
    """Unit vectors (row, col) of axes given against +column, counter-clockwise as displayed."""
    angle = np.radians(np.nan_to_num(orientation_deg))
    return np.stack([-np.sin(angle), np.cos(angle)], axis=1)


def rods(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Candidates with the form of a rod: thick, elongated, of even calibre."""
    columns = measurements.columns
    return (
        (columns["width_mm"] >= parameters.rod_calibre_mm)
        & (columns["elongation"] >= parameters.rod_elongation)
        & (columns["width_variation"] <= parameters.rod_calibre_variation)
    )


def rings(measurements: Measurements, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Candidates with a lucent centre that are not elongated."""
    columns = measurements.columns
    return (
        (columns["lucency"] >= parameters.ring_lucency)
        & (columns["ring_closure"] >= parameters.ring_closure)
        & (columns["elongation"] < parameters.rod_elongation)
    )


def wall_pieces(measurements: Measurements, pixel_spacing_mm: float, parameters: ArrangeParameters) -> Pieces:
    """Candidates that may be a piece of a vessel's wall: neither rods nor rings, not too thick, sure enough."""
    columns = measurements.columns
    may = (
        (columns["score"] >= parameters.joining_score)
        & (columns["width_mm"] <= parameters.piece_largest_mm)
        & ~rods(measurements, parameters)
        & ~rings(measurements, parameters)
    )
    return as_pieces(measurements, np.flatnonzero(may), pixel_spacing_mm, parameters)


def as_pieces(
    measurements: Measurements,
    index: NDArray[np.int64],
    pixel_spacing_mm: float,
    parameters: ArrangeParameters,
) -> Pieces:
    """The candidates in the rows `index` as pieces."""
    columns = {name: measurements.columns[name][index] for name in _NEEDED}
    strand = columns["elongation"] >= parameters.strand_elongation
    chord = columns["length_mm"] * np.clip(columns["straightness"], 0.0, 1.0)
    return Pieces(
        index,
        np.stack([columns["row"], columns["col"]], axis=1) * pixel_spacing_mm,
        axis_direction(columns["orientation_deg"]),
        np.where(strand, 0.5 * chord, 0.0),
        columns["width_mm"],
        strand,
    )


_NEEDED = ("row", "col", "orientation_deg", "length_mm", "straightness", "width_mm", "elongation")
