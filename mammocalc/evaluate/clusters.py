"""Regions hit and false clusters: two marks or more inside a true region; three or more within 1 cm2 outside all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.evaluate.truth import Region

MARKS_TO_HIT = 2
MARKS_OF_FALSE_CLUSTER = 3
REACH_MM = float(np.sqrt(100.0 / np.pi))
"""Radius of a disc of 1 cm2."""

Floats = NDArray[np.float64]


def region_scores(
    regions: Sequence[Region], row: Floats, col: Floats, score: Floats, marks: int = MARKS_TO_HIT
) -> Floats:
    """The score down to which marks must be kept for each region to be hit, shape (regions,); -inf for never."""
    out = np.full(len(regions), -np.inf)
    for k, region in enumerate(regions):
        inside = np.sort(score[region.contains(row, col)])
        if len(inside) >= marks:
            out[k] = inside[-marks]
    return out


def in_any(regions: Sequence[Region], row: Floats, col: Floats) -> NDArray[np.bool_]:
    """Whether each point lies in a region."""
    inside = np.zeros(len(row), np.bool_)
    for region in regions:
        inside |= region.contains(row, col)
    return inside


@dataclass(frozen=True, eq=False)
class Crowd:
    """Marks of one image that are in no true region, with who is within reach of whom.

    Attributes
    ----------
    score : ndarray of float64, shape (n,)
        Descending.
    near : list of ndarray of int64
        For each mark those within 1 cm2 around it, itself among them, ascending.
    """

    score: Floats
    near: list[NDArray[np.int64]]

    def clusters(self, least_score: float) -> int:
        """Number of false clusters among the marks of at least `least_score`.

        The disc of 1 cm2 around the mark with most company is one cluster, its marks are set aside, and so on until
        no disc holds three.
        """
        count = int(np.searchsorted(-self.score, -least_score, side="right"))
        left = np.ones(count, np.bool_)
        company = np.array([np.searchsorted(near, count) for near in self.near[:count]], np.int64)
        clusters = 0
        while count and company.max() >= MARKS_OF_FALSE_CLUSTER:
            centre = int(np.argmax(company))
            members = self.near[centre]
            members = members[members < count]
            members = members[left[members]]
            left[members] = False
            for k in members:
                others = self.near[k]
                company[others[others < count]] -= 1
            company[members] = 0
            clusters += 1
        return clusters


def crowd(row: Floats, col: Floats, score: Floats, pixel_spacing_mm: float) -> Crowd:
    """Marks sorted by score, with their neighbours."""
    order = np.argsort(-score, kind="stable")
    if not len(order):
        return Crowd(np.empty(0), [])
    from scipy.spatial import cKDTree

    places = np.column_stack((row, col))[order] * pixel_spacing_mm
    near = cKDTree(places).query_ball_point(places, REACH_MM, return_sorted=True)
    return Crowd(score[order], [np.asarray(members, np.int64) for members in near])


def strongest_cluster(marks: Crowd) -> float:
    """The highest score at which three marks within 1 cm2 are left: how sure it is that an image holds a cluster.

    0 where there are fewer marks than that.
    """
    best = [
        marks.score[members[MARKS_OF_FALSE_CLUSTER - 1]]
        for members in marks.near
        if len(members) >= MARKS_OF_FALSE_CLUSTER
    ]
    return float(max(best, default=0.0))
