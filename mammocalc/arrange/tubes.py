"""Arteries that are calcified all around: bands of an artery's width, granular, whatever form their pieces have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.curves import STEP_MM
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points
from mammocalc.prepare.scene import Scene


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
    from mammocalc_kernels.artery_bands import calcified, line_along, on_stretches, stretches_along

    seen = scene.plane, scene.pixel_spacing_mm
    origin = np.array(scene.origin, np.float64) * scene.pixel_spacing_mm
    pieces = replace(pieces, centre=pieces.centre - origin)
    free = free & pieces.strand & (2 * pieces.half_mm >= parameters.strand_length_mm)
    out = []
    for k in np.argsort(-pieces.half_mm, kind="stable").tolist():
        if not free[k]:
            continue
        line = line_along(*seen, pieces.centre[k], pieces.direction[k])
        if STEP_MM * len(line) < parameters.tube_mm:
            continue
        stretches = stretches_along(*seen, line)
        on = on_stretches(
            line,
            stretches,
            pieces.centre,
            pieces.direction,
            pieces.strand,
            pieces.calibre_mm,
            parameters.band_turn_deg,
        )
        if on.sum() < 2 or not pieces.strand[on].any():
            continue
        free &= ~on
        members = np.flatnonzero(on)
        points, owner, _ = pieces.take(members).sampled(0.5 * STEP_MM)
        covered_mm, covered = calcified(line, stretches, points, pieces.calibre_mm[members][owner])
        weight = columns["length_mm"][pieces.index[members]]
        roughness = np.nan_to_num(columns["roughness"][pieces.index[members]])
        tube = Tube(line + origin, members, covered_mm, covered, float(weight @ roughness / weight.sum()))
        if (
            tube.covered_mm >= parameters.tube_mm
            and tube.covered >= parameters.tube_covered
            and tube.roughness >= parameters.tube_roughness
        ):
            out.append(tube)
    return out
