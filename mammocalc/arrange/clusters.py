"""Clusters: single linkage of what is neither a vessel's wall, nor a rod, nor skin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.casts import (
    LEVEL_DEG,
    LEVEL_ELONGATION,
    Casts,
    aim_at,
    are_sediment,
    coherence,
    in_line,
    of_one_duct,
)
from mammocalc.arrange.distribution import LEAST_AREA_MM2, distribution_of, is_diffuse, is_spread, shape_of
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.parting import form_of, parted
from mammocalc.arrange.pieces import Points, middle

SPACING_NEIGHBOURS = 3
"""The spacing around a calcification is its mean distance to this many others."""

IRREGULARITY_BOUNDS = (-1.0, 1.0)
"""Bounds of a single member's irregularity when that of its group is taken."""

Groups = list[NDArray[np.int64]]


def find_clusters(
    points: Points,
    founders: NDArray[np.bool_],
    casts: Casts,
    diameter_mm: NDArray[np.float64],
    nipple: Points | None,
    breast_area_mm2: float,
    parameters: ArrangeParameters,
) -> tuple[Groups, list[str]]:
    """Cluster positions, casts of ducts before all else, and name the distribution of each cluster.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in mm.
    founders : ndarray of bool, shape (n,)
        Those that clusters grow along; the others only join one within reach.
    casts : Casts
        Of the same n.
    diameter_mm : ndarray of float64, shape (n,)
    nipple : ndarray of float64, shape (2,), or None
    breast_area_mm2 : float
    parameters : ArrangeParameters

    Returns
    -------
    groups : list of ndarray of int64
        Members of each cluster in ascending order, clusters by their first member.
    distributions : list of str
    """
    of_casts = _of_casts(points, founders, casts, parameters)
    groups, diffuse, reach = _of_the_rest(
        points, founders, of_casts, diameter_mm, casts.elongation, breast_area_mm2, parameters
    )
    # The casts say how they are distributed; specks that have joined them may lie anywhere near by.
    named = of_casts + groups[len(of_casts) :]
    names = [distribution_of(points[group], nipple, breast_area_mm2, parameters) for group in named]
    for i, group in enumerate(of_casts):
        if names[i] in ("grouped", "regional") and _fill_ducts(points, casts, group, nipple, parameters):
            names[i] = "segmental"
    if diffuse is not None:
        groups.append(diffuse)
        names.append("diffuse")
    groups = _joined(groups, points, np.setdiff1d(np.flatnonzero(~founders), _members(groups)), reach)
    order = sorted(range(len(groups)), key=lambda i: int(groups[i][0]))
    return [groups[i] for i in order], [names[i] for i in order]


def _fill_ducts(
    points: Points,
    casts: Casts,
    members: NDArray[np.int64],
    nipple: Points | None,
    parameters: ArrangeParameters,
) -> bool:
    """Whether casts fill several ducts of a lobe: spread like a segment, and aimed at the nipple."""
    if nipple is None or shape_of(points[members]).extent_mm <= parameters.cast_segment_mm:
        return False
    return aim_at(nipple, points, casts, members[casts.thin[members]]) >= parameters.cast_aim


def _members(groups: Groups) -> NDArray[np.int64]:
    return np.concatenate([*groups, np.empty(0, np.int64)])


def _of_the_rest(
    points: Points,
    founders: NDArray[np.bool_],
    of_casts: Groups,
    diameter_mm: NDArray[np.float64],
    elongation: NDArray[np.float64],
    breast_area_mm2: float,
    parameters: ArrangeParameters,
) -> tuple[Groups, NDArray[np.int64] | None, float]:
    """Clusters of casts and of what is not in them, what is left as one diffuse cluster, and the reach of linkage."""
    found = np.setdiff1d(np.flatnonzero(founders), _members(of_casts))
    reach = parameters.linkage_mm
    if len(found) < parameters.line_members:
        return of_casts, None, reach
    if is_spread(points[found], breast_area_mm2, parameters):
        # Everything is within reach of everything: only what is crowded against that stands out as a group.
        short = min(reach, 0.5 * np.sqrt(shape_of(points[found]).area_mm2 / len(found)))
        groups, loose = _gathered(points, found, of_casts, diameter_mm, elongation, short, parameters)
        if is_diffuse(points[loose], breast_area_mm2, parameters):
            return groups, loose, short
    groups, _ = _gathered(points, found, of_casts, diameter_mm, elongation, reach, parameters)
    return groups, None, reach


def _gathered(
    points: Points,
    found: NDArray[np.int64],
    of_casts: Groups,
    diameter_mm: NDArray[np.float64],
    elongation: NDArray[np.float64],
    reach_mm: float,
    parameters: ArrangeParameters,
) -> tuple[Groups, NDArray[np.int64]]:
    """Clusters of casts, with the shorter pieces among them, and the clusters of the rest; and what is in none."""
    form = form_of(diameter_mm, elongation)
    parts = [
        component[part]
        for component in _linked(points[found], reach_mm, parameters, diameter_mm[found])
        for part in parted(points[found[component]], form[found[component]], parameters)
    ]
    of_casts, groups, loose = list(of_casts), [], []
    for part in parts:
        members = found[part]
        home = _home(points, members, of_casts, parameters)
        if home is not None:
            of_casts[home] = np.union1d(of_casts[home], members)
        elif _is_cluster(points[members], parameters):
            groups.append(members)
        else:
            loose.append(members)
    return of_casts + groups, np.sort(_members(loose))


def _home(
    points: Points, members: NDArray[np.int64], of_casts: Groups, parameters: ArrangeParameters
) -> int | None:
    """Place of the cluster of casts among which all of a smaller cluster lies: its short pieces."""
    from mammocalc_kernels.neighbours import nearest_among

    for i, group in enumerate(of_casts):
        if len(members) < len(group):
            _, distance = nearest_among(points[members], points[group])
            if np.max(distance) <= parameters.linkage_least_mm:
                return i
    return None


def _of_casts(
    points: Points, founders: NDArray[np.bool_], casts: Casts, parameters: ArrangeParameters
) -> Groups:
    """Clusters of casts, each with the specks in line with them; what else lies around them does not dilute them."""
    from mammocalc_kernels.neighbours import nearest_among

    thin = np.flatnonzero(founders & casts.thin)
    if len(thin) < parameters.line_members:
        return []
    groups: Groups = []
    rest = np.flatnonzero(~casts.thin | ~founders)
    for component in _linked(points[thin], parameters.linkage_mm, parameters):
        members = thin[component]
        if len(members) < parameters.line_members:
            continue
        _, apart = nearest_among(points[rest], points[members])
        few = (apart < parameters.linkage_least_mm).sum() > len(members)
        least = parameters.cast_coherence_few if few else parameters.cast_coherence
        line = of_one_duct(points, casts, members, parameters)
        if len(line):
            members = line
        elif coherence(points, casts, members) < least:
            continue
        if are_sediment(casts, members, shape_of(points[members]).linearity, parameters):
            continue
        group = np.union1d(members, in_line(points, rest, members, casts, parameters))
        if _is_cluster(points[group], parameters):
            groups.append(group)
            rest = np.setdiff1d(rest, group)
    return groups


def _linked(
    points: Points,
    reach_mm: float,
    parameters: ArrangeParameters,
    diameter_mm: NDArray[np.float64] | None = None,
) -> Groups:
    """Single linkage: the components of the graph of all pairs within reach.

    The reach of a crowded calcification is shorter, a multiple of the spacing around it, and between two the geometric
    mean of theirs counts: a tight group does not catch what lies scattered around it, nor a second group beside it.
    Where diameters are given, it is shorter too between a large and a small one: two kinds that lie among each other
    are two groups.
    """
    from mammocalc_kernels.neighbours import few_nearest, near_pairs
    from mammocalc_kernels.paths import connected_parts

    row, col = points.T
    _, distance = few_nearest(row, col, min(len(points) - 1, SPACING_NEIGHBOURS))
    spacing = distance.mean(axis=1)
    reach = np.clip(
        parameters.linkage_spacing * spacing, min(parameters.linkage_least_mm, reach_mm), reach_mm
    )
    one, other, length = near_pairs(row, col, reach_mm)
    within = np.sqrt(reach[one] * reach[other])
    if diameter_mm is not None:
        octaves = np.nan_to_num(np.log2(diameter_mm[one] / diameter_mm[other]))
        within = within * np.exp(-0.5 * (octaves / parameters.linkage_octaves) ** 2)
    linked = length <= within
    return connected_parts(len(points), one[linked], other[linked])


def _is_cluster(points: Points, parameters: ArrangeParameters) -> bool:
    if len(points) >= parameters.group_members:
        return True
    return (
        len(points) >= parameters.line_members
        and shape_of(points).linearity <= parameters.line_axis_ratio_few
    )


def _joined(groups: Groups, points: Points, others: NDArray[np.int64], reach_mm: float) -> Groups:
    """Clusters with those of the others that lie within reach of a member, each with the nearest."""
    from mammocalc_kernels.neighbours import nearest_among

    if not groups or len(others) == 0:
        return groups
    members = np.concatenate(groups)
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    nearest, distance = nearest_among(points[others], points[members])
    near = distance < reach_mm
    joins = owner[nearest[near]]
    joiners = others[near]
    return [np.sort(np.concatenate([group, joiners[joins == i]])) for i, group in enumerate(groups)]


def cluster_table(
    groups: Groups,
    distributions: list[str],
    row: NDArray[np.float64],
    col: NDArray[np.float64],
    columns: Mapping[str, NDArray[Any]],
    pixel_spacing_mm: float,
) -> dict[str, NDArray[Any]]:
    """One row a cluster, as `Arrangement.clusters` says."""
    shapes = [shape_of(np.stack([row[group], col[group]], axis=1) * pixel_spacing_mm) for group in groups]
    members = np.array([len(group) for group in groups], np.int64)
    area = np.array([shape.area_mm2 for shape in shapes], np.float64)
    elongation = np.log2(np.maximum(columns["elongation"], 1.0))
    edge_share = columns["edge_width_mm"] / np.maximum(columns["diameter_mm"], 1e-6)
    clear = [_clearest(group, columns["cnr"]) for group in groups]
    return {
        "cluster_id": np.arange(1, len(groups) + 1, dtype=np.int64),
        "n_calcifications": members,
        "row": np.array([row[group].mean() for group in groups], np.float64),
        "col": np.array([col[group].mean() for group in groups], np.float64),
        "extent_mm": np.array([shape.extent_mm for shape in shapes], np.float64),
        "area_mm2": area,
        "density_per_cm2": 100.0 * members / np.maximum(area, LEAST_AREA_MM2),
        "linearity": np.array([shape.linearity for shape in shapes], np.float64),
        "distribution": np.array(distributions, "U16"),
        "size_spread": np.array([_robust_variation(columns["diameter_mm"][group]) for group in groups]),
        "shape_spread": np.array(
            [_interquartile_range(elongation[group]) for group in groups],
            np.float64,
        ),
        "median_diameter_mm": np.array(
            [_median(columns["diameter_mm"][group]) for group in groups], np.float64
        ),
        "median_length_mm": np.array([_median(columns["length_mm"][group]) for group in groups], np.float64),
        "mean_irregularity": np.array(
            [mean_irregularity(columns["irregularity"][group], columns["cnr"][group]) for group in groups],
            np.float64,
        ),
        "median_elongation": np.array([_median(columns["elongation"][best]) for best in clear], np.float64),
        "median_circularity": np.array([_median(columns["circularity"][best]) for best in clear], np.float64),
        "median_flatness": np.array([_median(columns["flatness"][best]) for best in clear], np.float64),
        "median_edge_share": np.array([_median(edge_share[best]) for best in clear], np.float64),
        "level_share": np.array([_level_share(columns, group) for group in groups], np.float64),
    }


def _clearest(members: NDArray[np.int64], cnr: NDArray[np.float64]) -> NDArray[np.int64]:
    """The better half of the members, by contrast-to-noise ratio: the shape of the others is mostly noise."""
    order = np.argsort(-cnr[members], kind="stable")
    return members[order[: max(4, len(members) // 2)]]


def mean_irregularity(irregularity: NDArray[np.float64], cnr: NDArray[np.float64]) -> float:
    """Mean irregularity of members, by the square of their contrast-to-noise ratio; NaN where none is known.

    A faint outline is mostly noise. A single member counts as no less or more irregular than `IRREGULARITY_BOUNDS`, two
    standard deviations of balls: one that is torn by noise, or two that touch, do not make a group irregular.
    """
    known = np.isfinite(irregularity) & (cnr > 0.0)
    if not known.any():
        return float("nan")
    return float(np.average(np.clip(irregularity[known], *IRREGULARITY_BOUNDS), weights=cnr[known] ** 2))


def _level_share(columns: Mapping[str, NDArray[Any]], members: NDArray[np.int64]) -> float:
    """Share of the elongated members that lie level, NaN where fewer than three are elongated."""
    elongated = members[columns["elongation"][members] >= LEVEL_ELONGATION]
    if len(elongated) < 3:
        return float("nan")
    return float((np.abs(columns["orientation_deg"][elongated]) <= LEVEL_DEG).mean())


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return middle(known) if np.isfinite(known).any() else float("nan")


def _interquartile_range(values: NDArray[np.float64]) -> float:
    known = np.sort(values[~np.isnan(values)])
    if not np.isfinite(known).any():
        return float("nan")
    return _quantile(known, 0.75) - _quantile(known, 0.25)


def _quantile(ordered: NDArray[np.float64], part: float) -> float:
    """Linear between neighbours and from the nearer one, as ``np.quantile``, which takes longer on so few values."""
    place = part * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    rest = place - below
    return float(low + (high - low) * rest if rest < 0.5 else high - (high - low) * (1.0 - rest))


def _robust_variation(values: NDArray[np.float64]) -> float:
    """Median absolute deviation, scaled to a normal distribution's standard deviation, over the median."""
    middle = _median(values)
    return 1.4826 * _median(np.abs(values - middle)) / middle if middle > 0 else float("nan")
