"""Which strands continue each other, end to end or side by side, and the connected tracks they make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.curves import Curve, curve_with_pieces
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points

NEAR_MM = 0.6
"""Across a smaller gap the direction from end to end is noise: only the strands' own directions count."""

OVERLAP_MM = 1.5
"""Two staggered strands may run side by side for this long."""

PARTINGS = 3
"""A track is taken apart at most so many times."""

Pairs = NDArray[np.int64]


def tracks(strands: Pieces, parameters: ArrangeParameters) -> list[NDArray[np.int64]]:
    """Places of the strands of every connected track, in the order of their first strand; each stands in one."""
    from mammocalc_kernels.paths import connected_parts

    if len(strands) == 0:
        return []
    pairs = np.concatenate([end_to_end(strands, parameters), side_by_side(strands, parameters)])
    return connected_parts(len(strands), pairs[:, 0], pairs[:, 1])


def untangled(strands: Pieces, parameters: ArrangeParameters) -> list[tuple[NDArray[np.int64], Curve]]:
    """Tracks with their curves, where strands that cross a track's curve are parted from those that follow it.

    Returns
    -------
    list of (ndarray of int64, Curve)
        Places of the strands of each track in ascending order, by the first strand; each stands in one at most.
    """
    out = []
    waiting = [(group, PARTINGS) for group in tracks(strands, parameters)]
    while waiting:
        group, left = waiting.pop()
        mine = strands.take(group)
        found = curve_with_pieces(mine, parameters.track_gap_mm, parameters)
        if found is None:
            continue
        curve, angles, aside = found
        crosses = angles > parameters.track_crossing_deg
        if crosses.any():
            # A curve through two walls may swerve from one to the other: a wall beside one that follows is no crossing.
            beside = side_by_side(mine, parameters)
            crosses[beside[crosses[beside].sum(axis=1) == 1]] = False
        crosses |= aside > parameters.track_aside_mm
        if not left or not crosses.any() or crosses.all():
            out.append((group, curve))
            continue
        for some in (group[~crosses], group[crosses]):
            waiting += [(some[part], left - 1) for part in tracks(strands.take(some), parameters)]
    return sorted(out, key=lambda track: int(track[0][0]))


def end_to_end(strands: Pieces, parameters: ArrangeParameters) -> Pairs:
    """Pairs of strands that continue each other across a gap without a sharp bend, or staggered on either wall."""
    from mammocalc_kernels.neighbours import near_pairs

    positions, directions = strands.ends()
    strand = np.repeat(np.arange(len(strands)), 2)
    position, outward = positions.reshape(-1, 2), directions.reshape(-1, 2)
    reach = float(np.hypot(parameters.track_gap_mm, parameters.wall_most_mm))
    a, b, _ = near_pairs(position[:, 0], position[:, 1], reach)
    apart = strand[a] != strand[b]
    a, b = a[apart], b[apart]
    way = position[b] - position[a]
    gap = np.linalg.norm(way, axis=1)
    unit = way / np.maximum(gap, 1e-9)[:, None]
    straight = np.cos(np.radians(parameters.track_bend_deg))
    facing = -_dot(outward[a], outward[b])
    follows = np.minimum(_dot(unit, outward[a]), -_dot(unit, outward[b])) >= straight
    continues = (gap <= parameters.track_gap_mm) & np.where(gap < NEAR_MM, facing >= straight, follows)
    mean = outward[a] - outward[b]
    mean = mean / np.maximum(np.linalg.norm(mean, axis=1), 1e-9)[:, None]
    along, across = _dot(way, mean), np.abs(way[:, 0] * mean[:, 1] - way[:, 1] * mean[:, 0])
    staggered = (
        (facing >= straight)
        & (along >= -OVERLAP_MM)
        & (along <= parameters.track_gap_mm)
        & (across <= parameters.wall_most_mm)
    )
    keep = continues | staggered
    return np.stack([strand[a[keep]], strand[b[keep]]], axis=1)


def side_by_side(strands: Pieces, parameters: ArrangeParameters) -> Pairs:
    """Pairs of strands that run parallel, a vessel's width apart, beside each other."""
    from mammocalc_kernels.neighbours import near_pairs

    points, owner, tangents = strands.sampled(1.0)
    a, b, _ = near_pairs(points[:, 0], points[:, 1], parameters.wall_most_mm + 0.3)
    apart = owner[a] != owner[b]
    a, b = a[apart], b[apart]
    cosine = _dot(tangents[a], tangents[b])
    mean = tangents[a] + np.where(cosine < 0, -1.0, 1.0)[:, None] * tangents[b]
    mean /= np.maximum(np.linalg.norm(mean, axis=1), 1e-9)[:, None]
    offset = points[b] - points[a]
    along = np.abs(_dot(offset, mean))
    across = np.abs(offset[:, 0] * mean[:, 1] - offset[:, 1] * mean[:, 0])
    beside = (
        (np.abs(cosine) >= np.cos(np.radians(parameters.track_bend_deg)))
        & (across >= parameters.wall_least_mm)
        & (across <= parameters.wall_most_mm)
        & (along <= 0.5)
    )
    pairs = np.sort(np.stack([owner[a[beside]], owner[b[beside]]], axis=1), axis=1)
    pairs, steps = np.unique(pairs, axis=0, return_counts=True)
    shorter = 2 * np.minimum(strands.half_mm[pairs[:, 0]], strands.half_mm[pairs[:, 1]])
    return pairs[steps >= 0.3 * (shorter + 1.0)]


def _dot(a: Points, b: Points) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.einsum("ij,ij->i", a, b)
    return out
