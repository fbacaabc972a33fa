"""Casts of ducts: thin elongated pieces among their like, which are a group before all else around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Points, axis_direction

CAST_FORM = ("elongation", "length_mm", "width_mm", "orientation_deg")
"""The measurements that say so."""

LEVEL_ELONGATION, LEVEL_DEG = 1.4, 15.0
"""What is at least so elongated has a direction; within this angle of the horizontal it lies level."""

MOST_IN_LINE = 30
"""A duct holds no more casts; among more of them a line is by chance."""


@dataclass(frozen=True, eq=False)
class Casts:
    """What of n candidates is thin and elongated, and how it lies.

    Attributes
    ----------
    thin : ndarray of bool, shape (n,)
    direction : ndarray of float64, shape (n, 2)
        Unit vector (row, col) along the long axis.
    half_mm : ndarray of float64, shape (n,)
    elongation : ndarray of float64, shape (n,)
    level : ndarray of bool, shape (n,)
        Within `LEVEL_DEG` of the horizontal.
    """

    thin: NDArray[np.bool_]
    direction: Points
    half_mm: NDArray[np.float64]
    elongation: NDArray[np.float64]
    level: NDArray[np.bool_]


def casts_of(columns: Mapping[str, NDArray[Any]], parameters: ArrangeParameters) -> Casts:
    """Say of each candidate whether it has the form of a cast."""
    elongation = np.nan_to_num(np.asarray(columns["elongation"], np.float64), nan=1.0)
    orientation = np.asarray(columns["orientation_deg"], np.float64)
    thin = (
        (elongation >= parameters.cast_elongation)
        & (columns["length_mm"] >= parameters.cast_length_mm)
        & (columns["width_mm"] < parameters.cast_calibre_mm)
    )
    return Casts(
        thin,
        axis_direction(orientation),
        0.5 * np.nan_to_num(np.asarray(columns["length_mm"], np.float64)),
        elongation,
        np.abs(orientation) <= LEVEL_DEG,
    )


def coherence(points: Points, casts: Casts, members: NDArray[np.int64]) -> float:
    """How well thin pieces keep the direction of their nearest neighbour: 1 the same, 0 at random, -1 across.

    The mean cosine of twice the angle between the two.
    """
    from mammocalc_kernels.neighbours import few_nearest

    row, col = points[members].T
    nearest, _ = few_nearest(row, col, 1)
    direction = casts.direction[members]
    cosine = np.einsum("ij,ij->i", direction, direction[nearest[:, 0]])
    return float((2.0 * cosine**2 - 1.0).mean())


def aim_at(nipple: Points, points: Points, casts: Casts, members: NDArray[np.int64]) -> float:
    """How well thin pieces aim at the nipple: 1 all of them do, 0 at random, -1 all lie across.

    The mean cosine of twice the angle between a piece and the line from it to the nipple.
    """
    towards = nipple - points[members]
    towards = towards / np.maximum(np.linalg.norm(towards, axis=1), 1e-9)[:, None]
    cosine = np.einsum("ij,ij->i", casts.direction[members], towards)
    return float((2.0 * cosine**2 - 1.0).mean())


def of_one_duct(
    points: Points, casts: Casts, members: NDArray[np.int64], parameters: ArrangeParameters
) -> NDArray[np.int64]:
    """Those of a few neighbouring thin pieces that lie along one line, most of all; none where there is no such line.

    A line goes through two of the pieces; others are on it that stray little from it, without a gap longer than the
    linkage, if on average they point along it.
    """
    count = len(members)
    if count > MOST_IN_LINE:
        return np.empty(0, np.int64)
    place = points[members]
    first, second = np.triu_indices(count, 1)
    way = place[second] - place[first]
    way = way / np.maximum(np.linalg.norm(way, axis=1), 1e-9)[:, None]
    offset = place[None, :, :] - place[first][:, None, :]
    along = np.einsum("ijk,ik->ij", offset, way)
    across = np.abs(offset[:, :, 0] * way[:, None, 1] - offset[:, :, 1] * way[:, None, 0])
    on = across <= parameters.cast_line_mm
    enough = on.sum(axis=1) >= max(parameters.line_members, int(np.ceil(parameters.cast_line_share * count)))
    best = np.empty(0, np.int64)
    best_stray = np.inf
    for k in np.flatnonzero(enough):
        some = np.flatnonzero(on[k])
        cosine = casts.direction[members[some]] @ way[k]
        points_along = float((2.0 * cosine**2 - 1.0).mean()) >= parameters.cast_line_coherence
        connected = np.diff(np.sort(along[k, some])).max() <= parameters.linkage_mm
        stray = float(across[k, some].mean())
        if points_along and connected and (len(some), -stray) > (len(best), -best_stray):
            best, best_stray = members[some], stray
    return best


def are_sediment(
    casts: Casts, members: NDArray[np.int64], linearity: float, parameters: ArrangeParameters
) -> bool:
    """Whether thin pieces are rather the levels of sediment in cysts: nearly all level, short, and not in a line."""
    return bool(
        casts.level[members].mean() >= parameters.sediment_level_share
        and np.median(casts.elongation[members]) <= parameters.sediment_elongation
        and linearity >= parameters.sediment_axis_ratio
    )


def in_line(
    points: Points,
    others: NDArray[np.int64],
    members: NDArray[np.int64],
    casts: Casts,
    parameters: ArrangeParameters,
) -> NDArray[np.int64]:
    """Those of the others that lie beside a cast, or a little beyond its end and in line with it."""
    from mammocalc_kernels.neighbours import nearest_among

    reach = float(casts.half_mm[members].max()) + parameters.cast_gap_mm
    _, apart = nearest_among(points[others], points[members])
    speck, cast = (one.ravel() for one in np.meshgrid(others[apart <= reach], members, indexing="ij"))
    offset, direction = points[speck] - points[cast], casts.direction[cast]
    along = np.abs(np.einsum("ij,ij->i", offset, direction))
    across = np.abs(offset[:, 0] * direction[:, 1] - offset[:, 1] * direction[:, 0])
    near = (
        (across <= parameters.cast_aside_mm)
        & (along <= casts.half_mm[cast] + parameters.cast_gap_mm)
        & (np.linalg.norm(offset, axis=1) <= reach)
    )
    return np.unique(speck[near])
