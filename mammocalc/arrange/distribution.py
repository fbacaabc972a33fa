"""The shape of a cluster: extent, hull, axes, its place towards the nipple, and the BI-RADS term for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Points

LEAST_AREA_MM2 = 1.0
"""Smaller hulls count as this large when a density is computed."""


@dataclass(frozen=True)
class Shape:
    """Measures of a set of positions, lengths in mm; `linearity` is the minor over the major axis."""

    extent_mm: float
    area_mm2: float
    linearity: float


def shape_of(points: Points) -> Shape:
    """Measure positions given as (row, col) in mm, shape (n, 2)."""
    import cv2

    if len(points) < 2:
        return Shape(0.0, 0.0, float("nan"))
    # A hull in float32 is off by less than a tenth of a micrometre when taken around the centre.
    centred = points - points.mean(axis=0)
    hull = cv2.convexHull(centred.astype(np.float32))[:, 0, :].astype(np.float64)
    extent = float(np.sqrt(((hull[:, None, :] - hull[None, :, :]) ** 2).sum(axis=2).max()))
    area = abs(float(cv2.contourArea(hull.astype(np.float32))))
    values = np.linalg.eigvalsh(np.cov(points.T))
    return Shape(extent, area, float(np.sqrt(max(values[0], 0.0) / max(values[1], 1e-12))))


def distribution_of(
    points: Points, nipple: Points | None, breast_area_mm2: float, parameters: ArrangeParameters
) -> str:
    """Name the distribution of a cluster: ``linear``, ``segmental``, ``grouped``, ``diffuse`` or ``regional``.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) of the members in mm.
    nipple : ndarray of float64, shape (2,), or None
        (row, col) in mm.
    """
    shape = shape_of(points)
    few = len(points) < parameters.group_members
    ratio = parameters.line_axis_ratio_few if few else parameters.line_axis_ratio
    narrow = len(points) >= parameters.line_members and shape.linearity <= ratio
    short = shape.extent_mm <= parameters.group_extent_mm
    aimed = nipple is not None and is_wedge(points, shape, nipple, parameters)
    # A short narrow cluster is in one duct, a long one where it scatters little; a still longer one that aims at the
    # nipple is in a duct and its branches.
    branches = aimed and shape.extent_mm > parameters.line_extent_mm
    if narrow and (short or (not branches and scatter_mm(points) <= parameters.line_scatter_mm)):
        return "linear"
    if is_diffuse(points, breast_area_mm2, parameters):
        return "diffuse"
    long = shape.extent_mm > parameters.segment_extent_mm
    if long and aimed:
        return "segmental"
    return "grouped" if short else "regional"


def is_spread(points: Points, breast_area_mm2: float, parameters: ArrangeParameters) -> bool:
    """Whether positions reach over much of the breast, all together and not for the sake of a few far out."""
    if len(points) < parameters.diffuse_members:
        return False
    # The ellipse over which an even spread has the same moments; a hull would grow with every stray.
    ellipse_mm2 = 4.0 * np.pi * np.sqrt(max(float(np.linalg.det(np.cov(points.T))), 0.0))
    return bool(ellipse_mm2 >= parameters.diffuse_breast_share * breast_area_mm2)


def is_diffuse(points: Points, breast_area_mm2: float, parameters: ArrangeParameters) -> bool:
    """Whether positions are spread over much of the breast, and nowhere crowded."""
    return is_spread(points, breast_area_mm2, parameters) and evenness(points) >= parameters.diffuse_evenness


def evenness(points: Points) -> float:
    """Mean distance to the nearest neighbour over that of positions at random: 1 at random, below 1 crowded.

    The index of Clark and Evans (1954, doi 10.2307/1931034) in the hull of the positions, with Donnelly's (1978)
    correction for its edge.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in mm, not all on a line.
    """
    import cv2

    hull = cv2.convexHull((points - points.mean(axis=0)).astype(np.float32))
    count, area, border = len(points), cv2.contourArea(hull), cv2.arcLength(hull, True)
    # Only a spread of moderate size comes here: all distances at once are few.
    apart = np.linalg.norm(points[:, None, :] - points[None, :, :], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    expected = 0.5 * np.sqrt(area / count) + (0.0514 + 0.041 / np.sqrt(count)) * border / count
    return float(nearest.mean() / expected)


def scatter_mm(points: Points) -> float:
    """How far positions stray from the smooth curve (a parabola along their major axis) through them.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in mm.

    Returns
    -------
    float
        Standard deviation, mm; 0 for fewer than four.
    """
    if len(points) < 4:
        return 0.0
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(centred.T))
    across, along = (centred @ axes).T
    form = np.stack([np.ones_like(along), along, along**2], axis=1)
    rest = across - form @ np.linalg.lstsq(form, across, rcond=None)[0]
    return float(np.sqrt((rest**2).sum() / (len(points) - 3)))


def is_wedge(points: Points, shape: Shape, nipple: Points, parameters: ArrangeParameters) -> bool:
    """Whether positions fill a wedge with its apex towards the nipple, longer than wide, as a lobe does."""
    if shape.linearity > parameters.wedge_axis_ratio:
        return False
    centre = points.mean(axis=0)
    towards = nipple - centre
    _, vectors = np.linalg.eigh(np.cov(points.T))
    aim = abs(float(vectors[:, 1] @ towards)) / max(float(np.linalg.norm(towards)), 1e-9)
    if aim < np.cos(np.radians(parameters.wedge_aim_deg)):
        return False
    away = points - nipple
    bearing = np.degrees(np.arctan2(away[:, 0], away[:, 1]))
    middle = np.degrees(np.arctan2(-towards[0], -towards[1]))
    turned = (bearing - middle + 180.0) % 360.0 - 180.0
    low, high = np.percentile(turned, [5, 95])
    return bool(high - low <= parameters.wedge_deg)
