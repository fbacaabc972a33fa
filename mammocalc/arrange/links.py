"""Which pieces continue each other, end to end or side by side, and the connected tracks they make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points

NEAR_MM = 0.6
"""Across a smaller gap the direction from end to end is noise: only the pieces' own directions count."""

Pairs = NDArray[np.int64]


def tracks(pieces: Pieces, parameters: ArrangeParameters) -> list[NDArray[np.int64]]:
    """Places of the pieces of every connected track, in the order of their first piece; single pieces are left out."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if len(pieces) == 0:
        return []
    pairs = np.concatenate([end_to_end(pieces, parameters), side_by_side(pieces, parameters)])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(pieces), len(pieces)))
    count, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(component, minlength=count))[:-1])
    return sorted((group for group in groups if len(group) > 1), key=lambda group: int(group[0]))


def end_to_end(pieces: Pieces, parameters: ArrangeParameters) -> Pairs:
    """Pairs of pieces that continue each other across a gap without a sharp bend.

    A strand has a direction, which the way to the next piece must follow. A speck has none: it links two pieces that
    it lies between, or ends a track next to a strand.
    """
    from scipy.spatial import cKDTree

    ends = pieces.ends()
    # A speck's two ends coincide: one of them is enough.
    piece = np.repeat(np.arange(len(pieces)), 2)
    side = np.tile([0, 1], len(pieces))
    used = pieces.strand[piece] | (side == 0)
    piece, side = piece[used], side[used]
    position = ends[piece, side]
    outward = np.where(side == 1, 1.0, -1.0)[:, None] * pieces.direction[piece]
    near = cKDTree(position).query_pairs(parameters.track_gap_mm, output_type="ndarray").astype(np.int64)
    near = near[piece[near[:, 0]] != piece[near[:, 1]]]
    # Both ways: an edge leaves piece a at one end for piece b.
    a, b = np.concatenate([near, near[:, ::-1]]).T
    way = position[b] - position[a]
    gap = np.linalg.norm(way, axis=1)
    unit = way / np.maximum(gap, 1e-9)[:, None]
    strand_a, strand_b = pieces.strand[piece[a]], pieces.strand[piece[b]]
    # Between two strands across a tiny gap, the direction is that of the piece beyond.
    tiny = (gap < NEAR_MM) & strand_a & strand_b
    unit = np.where(tiny[:, None], -outward[b], unit)
    straight = np.cos(np.radians(parameters.track_bend_deg))
    leaves_well = ~strand_a | (np.einsum("ij,ij->i", unit, outward[a]) >= straight)
    half = len(near)
    meets_well = np.concatenate([leaves_well[half:], leaves_well[:half]])
    aligned = leaves_well & meets_well
    a, b, unit, gap = a[aligned], b[aligned], unit[aligned], gap[aligned]
    strand_a, strand_b = strand_a[aligned], strand_b[aligned]
    continued = _continued(piece[a], piece[b], unit, straight, len(pieces))
    half = len(a) // 2
    came_from = np.concatenate([continued[half:], continued[:half]])
    # Of an edge a -> b: `continued` says that the track goes on beyond b, `came_from` that it came to a.
    good_b = strand_b | continued | (strand_a & (gap <= 0.5 * parameters.track_gap_mm))
    good_a = strand_a | came_from | (strand_b & (gap <= 0.5 * parameters.track_gap_mm))
    both_specks_apart = ~strand_a & ~strand_b & (gap > 0.75 * parameters.track_gap_mm)
    keep = good_a & good_b & ~both_specks_apart
    return np.stack([piece[a[keep]], piece[b[keep]]], axis=1)


def _continued(
    source: NDArray[np.int64], target: NDArray[np.int64], unit: Points, straight: float, count: int
) -> NDArray[np.bool_]:
    """Of each edge, whether another leaves its target onwards, bending no more than allowed."""
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(count + 1))
    follow = first[target + 1] - first[target]
    edge = np.repeat(np.arange(len(source)), follow)
    start = np.concatenate([[0], np.cumsum(follow)])[:-1]
    rank = np.arange(len(edge)) - start[edge]
    next_edge = order[first[target[edge]] + rank]
    onwards = np.einsum("ij,ij->i", unit[edge], unit[next_edge]) >= straight
    onwards &= target[next_edge] != source[edge]
    out = np.zeros(len(source), np.bool_)
    out[edge[onwards]] = True
    return out


def side_by_side(pieces: Pieces, parameters: ArrangeParameters) -> Pairs:
    """Pairs of strands that run parallel, a vessel's width apart, beside each other."""
    from scipy.spatial import cKDTree

    strands = np.flatnonzero(pieces.strand)
    if len(strands) < 2:
        return np.empty((0, 2), np.int64)
    points, owner = pieces.take(strands).sampled(1.0)
    near = cKDTree(points).query_pairs(parameters.wall_most_mm + 0.5, output_type="ndarray").astype(np.int64)
    pairs = np.sort(strands[owner[near]], axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    a, b = pairs.T
    direction, half = pieces.direction, pieces.half_mm
    cosine = np.einsum("ij,ij->i", direction[a], direction[b])
    mean = direction[a] + np.sign(cosine)[:, None] * direction[b]
    mean /= np.maximum(np.linalg.norm(mean, axis=1), 1e-9)[:, None]
    offset = pieces.centre[b] - pieces.centre[a]
    along = np.abs(np.einsum("ij,ij->i", offset, mean))
    across = np.abs(offset[:, 0] * mean[:, 1] - offset[:, 1] * mean[:, 0])
    overlap = half[a] + half[b] - along
    keep = (
        (np.abs(cosine) >= np.cos(np.radians(parameters.track_bend_deg)))
        & (across >= parameters.wall_least_mm)
        & (across <= parameters.wall_most_mm)
        & (overlap >= 0.3 * 2 * np.minimum(half[a], half[b]))
    )
    return pairs[keep]
