"""Bring candidates into company: chains along vessels, clusters, neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.bridges import Support, bridged
from mammocalc.arrange.casts import CAST_FORM, casts_of
from mammocalc.arrange.clusters import cluster_table, find_clusters
from mammocalc.arrange.curves import Curve, along_line, curve_of
from mammocalc.arrange.links import untangled
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import (
    Pieces,
    Points,
    as_pieces,
    large,
    mean_bend_per_mm,
    rings,
    rods,
    rods_in_chain,
    strands,
    thick_rods,
)
from mammocalc.arrange.thread_points import thread_points
from mammocalc.arrange.tubes import find_tubes
from mammocalc.arrange.vessel import (
    aim_deg,
    capsules,
    in_band,
    look_like_casts,
    looks_like_vessel,
    vessel_fraction,
)
from mammocalc.arrange.vessel_points import built_in_card
from mammocalc.measure.measurements import Measurements
from mammocalc.prepare.scene import Scene

_DEFAULT = ArrangeParameters()

_Track = tuple[NDArray[np.int64], Curve]
"""Places of its pieces, and the curve through them."""


@dataclass(frozen=True, eq=False)
class _Chain:
    members: NDArray[np.int64]
    curve: Curve
    is_vessel: bool
    features: dict[str, float]


def arrange(
    scene: Scene, measurements: Measurements, parameters: ArrangeParameters = _DEFAULT, threads: int = 1
) -> Arrangement:
    """Find chains along vessels, then clusters among what is left, and say of each candidate where it belongs.

    Parameters
    ----------
    scene : Scene
        For the nipple, the breast's area and the ridges of vessels.
    measurements : Measurements
        Of n candidates.
    parameters : ArrangeParameters
        Settings of this stage.
    threads : int
        The result does not depend on it.

    Returns
    -------
    Arrangement
        Chains and clusters are numbered from 1 in the order of their first member.
    """
    columns = measurements.columns
    row, col = np.asarray(columns["row"], np.float64), np.asarray(columns["col"], np.float64)
    points = np.stack([row, col], axis=1) * scene.pixel_spacing_mm
    nipple = None
    if scene.anatomy.nipple is not None:
        nipple = np.array(scene.anatomy.nipple, np.float64) * scene.pixel_spacing_mm
    chains = _chains(scene, measurements, nipple, parameters, threads)
    in_vessel = np.zeros(len(row), np.bool_)
    for chain in chains:
        in_vessel[chain.members] |= chain.is_vessel
    is_rod = rods(measurements, parameters)
    in_skin = rings(measurements, parameters) & (columns["skin_distance_mm"] <= parameters.skin_distance_mm)
    counted = columns["score"] >= parameters.joining_score
    single = large(measurements, parameters)
    may = np.flatnonzero(counted & ~in_vessel & ~is_rod & ~in_skin & ~single)
    founders = columns["score"][may] >= parameters.founding_score
    casts = casts_of({name: columns[name][may] for name in CAST_FORM}, parameters)
    groups, distributions = find_clusters(
        points[may],
        founders,
        casts,
        columns["diameter_mm"][may],
        nipple,
        scene.anatomy.breast_area_mm2,
        parameters,
    )
    groups = [may[group] for group in groups]
    clusters = cluster_table(groups, distributions, row, col, columns, scene.pixel_spacing_mm)
    sure_rod = is_rod & (columns["score"] >= parameters.founding_score) & ~in_vessel
    out: dict[str, NDArray[Any]] = {
        **_chain_columns(chains, len(row)),
        **_cluster_columns(groups, clusters, len(row)),
        "neighbours": _neighbours(points, counted, parameters.linkage_mm),
        "rods_in_image": (sure_rod.sum() - sure_rod).astype(np.float64),
    }
    out["thread_points"] = thread_points({**columns, **out})
    curves = tuple(chain.curve.points / scene.pixel_spacing_mm for chain in chains)
    return Arrangement(out, curves, clusters)


def _chains(
    scene: Scene,
    measurements: Measurements,
    nipple: Points | None,
    parameters: ArrangeParameters,
    threads: int,
) -> list[_Chain]:
    from mammocalc_kernels.compile import run_each

    counted = np.flatnonzero(measurements.columns["score"] >= parameters.joining_score)
    everything = as_pieces(scene, measurements, counted, parameters)
    apart = rings(measurements, parameters) | thick_rods(measurements, parameters)
    loose = everything.take(np.flatnonzero(~apart[counted]))
    pieces = everything.take(np.flatnonzero(strands(measurements, parameters)[counted]))
    sure = measurements.columns["score"][pieces.index] >= parameters.founding_score

    covers = capsules(everything, scene)

    def support(path: Points) -> float:
        return vessel_fraction(scene, path, covers, parameters)

    found = [(group, curve) for group, curve in untangled(pieces, parameters) if sure[group].any()]
    of_casts = [
        look_like_casts(
            curve,
            aim_deg(curve.points, nipple),
            _bend_per_mm(measurements, pieces.index[group]),
            parameters,
        )
        for group, curve in found
    ]
    tracks = _across_gaps(pieces, found, of_casts, support, parameters, threads)
    fractions = run_each(support, [curve.points for _, curve in tracks], threads)
    out = []
    for (group, curve), fraction in zip(tracks, fractions, strict=True):
        members = pieces.index[group]
        features = _features_of(curve, members, measurements, fraction, aim_deg(curve.points, nipple))
        is_vessel = looks_like_vessel(
            curve,
            features["chain_nipple_angle_deg"],
            features["chain_curvature_per_mm"],
            features["vessel_points"],
            parameters,
        )
        if is_vessel:
            members = np.union1d(members, loose.index[in_band(curve, loose, parameters)])
            members = members[~rods_in_chain(measurements, members, parameters)]
        out.append(_Chain(np.sort(members), curve, is_vessel, features))
    out += _tubes(scene, measurements, everything, out, nipple, support, parameters)
    return _without_overlap(out)


def _across_gaps(
    pieces: Pieces,
    found: list[_Track],
    of_casts: list[bool],
    support: Support,
    parameters: ArrangeParameters,
    threads: int,
) -> list[_Track]:
    """Tracks that are long enough or have two walls, bridged to longer ones except for those of casts."""
    groups, curves = [group for group, _ in found], [curve for _, curve in found]
    bridgeable = [i for i, casts in enumerate(of_casts) if not casts]
    strong = [curves[i].typical_mm >= parameters.strong_strand_mm for i in bridgeable]
    joined = bridged([curves[i] for i in bridgeable], strong, support, parameters, threads)
    alone = [[i] for i, casts in enumerate(of_casts) if casts]
    out = []
    for parts in sorted(alone + [[bridgeable[i] for i in some] for some in joined]):
        group = np.concatenate([groups[i] for i in parts])
        one = curves[parts[0]]
        curve = one if len(parts) == 1 else curve_of(pieces.take(group), parameters.bridge_mm, parameters)
        if curve is None:
            continue
        if (
            curve.length_mm < parameters.track_shortest_mm
            and curve.paired_length_mm < parameters.track_paired_mm
        ):
            continue
        out.append((group, curve))
    return out


def _tubes(
    scene: Scene,
    measurements: Measurements,
    everything: Pieces,
    known: list[_Chain],
    nipple: Points | None,
    support: Support,
    parameters: ArrangeParameters,
) -> list[_Chain]:
    """Vessels that are calcified all around, whose pieces were not linked to one."""
    pieces = everything.take(np.flatnonzero(~thick_rods(measurements, parameters)[everything.index]))
    taken = [chain.members for chain in known if chain.is_vessel]
    free = ~np.isin(pieces.index, np.concatenate([np.empty(0, np.int64), *taken]))
    out = []
    for tube in find_tubes(scene, pieces, free, measurements.columns, parameters):
        aim = aim_deg(tube.line, nipple)
        if not tube.covered_mm >= parameters.tube_sure_mm and not aim > parameters.tube_aside_deg:
            continue
        members = pieces.take(tube.members)
        strands = members.take(np.flatnonzero(members.strand))
        curve, _, _ = along_line(tube.line, strands, parameters)
        features = _features_of(curve, strands.index, measurements, support(tube.line), aim)
        features["tube_covered_mm"] = tube.covered_mm
        plaques = members.index[~rods_in_chain(measurements, members.index, parameters)]
        out.append(_Chain(np.sort(plaques), curve, True, features))
    return out


def _features_of(
    curve: Curve, strands: NDArray[np.int64], measurements: Measurements, fraction: float, aim: float
) -> dict[str, float]:
    """What a chain's members are told of it; see `mammocalc.arrange.features`."""
    features = {
        "chain_strands": float(len(strands)),
        "chain_length_mm": curve.length_mm,
        "chain_tortuosity": curve.tortuosity,
        "chain_calcified_fraction": curve.calcified_fraction,
        "chain_nipple_angle_deg": aim,
        "wall_separation_mm": curve.wall_separation_mm,
        "paired_length_mm": curve.paired_length_mm,
        "vessel_fraction": fraction,
        "chain_strand_mm": curve.typical_mm,
        "chain_misalignment_deg": curve.misalignment_deg,
        "chain_curvature_per_mm": _bend_per_mm(measurements, strands),
    }
    return {**features, "vessel_points": built_in_card().points(features), "tube_covered_mm": 0.0}


def _bend_per_mm(measurements: Measurements, strands: NDArray[np.int64]) -> float:
    columns = measurements.columns
    return mean_bend_per_mm(columns["length_mm"][strands], columns["straightness"][strands])


def _without_overlap(chains: list[_Chain]) -> list[_Chain]:
    """Each candidate in one chain only, the vessels and the longer first; in order of their first member."""
    taken = np.empty(0, np.int64)
    out = []
    for chain in sorted(chains, key=lambda chain: (not chain.is_vessel, -chain.curve.length_mm)):
        members = np.setdiff1d(chain.members, taken)
        if len(members):
            taken = np.union1d(taken, members)
            out.append(replace(chain, members=members))
    return sorted(out, key=lambda chain: int(chain.members[0]))


_WITHOUT_A_CHAIN = {
    "chain_strands": 0.0,
    "chain_length_mm": 0.0,
    "chain_tortuosity": np.nan,
    "chain_calcified_fraction": np.nan,
    "chain_nipple_angle_deg": np.nan,
    "wall_separation_mm": np.nan,
    "paired_length_mm": 0.0,
    "vessel_fraction": 0.0,
    "chain_strand_mm": 0.0,
    "chain_misalignment_deg": np.nan,
    "chain_curvature_per_mm": np.nan,
    "vessel_points": np.nan,
    "tube_covered_mm": 0.0,
}


def _chain_columns(chains: list[_Chain], rows: int) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {
        "chain_id": np.zeros(rows, np.int64),
        "chain_n": np.zeros(rows, np.int64),
        **{name: np.full(rows, value) for name, value in _WITHOUT_A_CHAIN.items()},
    }
    for number, chain in enumerate(chains, 1):
        out["chain_id"][chain.members] = number
        out["chain_n"][chain.members] = len(chain.members)
        for name, value in chain.features.items():
            out[name][chain.members] = value
    return out


def _cluster_columns(
    groups: list[NDArray[np.int64]], clusters: dict[str, NDArray[Any]], rows: int
) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {
        "cluster_id": np.zeros(rows, np.int64),
        "cluster_n": np.zeros(rows, np.int64),
        "cluster_extent_mm": np.zeros(rows),
        "cluster_linearity": np.full(rows, np.nan),
        "cluster_size_spread": np.full(rows, np.nan),
        "cluster_shape_spread": np.full(rows, np.nan),
        "cluster_diameter_mm": np.full(rows, np.nan),
        "cluster_length_mm": np.full(rows, np.nan),
        "cluster_irregularity": np.full(rows, np.nan),
        "cluster_elongation": np.full(rows, np.nan),
        "cluster_circularity": np.full(rows, np.nan),
        "cluster_level_share": np.full(rows, np.nan),
        "cluster_edge_share": np.full(rows, np.nan),
        "cluster_flatness": np.full(rows, np.nan),
        "cluster_distribution": np.full(rows, "", "U16"),
    }
    of_table = {
        "cluster_id": "cluster_id",
        "cluster_n": "n_calcifications",
        "cluster_extent_mm": "extent_mm",
        "cluster_linearity": "linearity",
        "cluster_size_spread": "size_spread",
        "cluster_shape_spread": "shape_spread",
        "cluster_diameter_mm": "median_diameter_mm",
        "cluster_length_mm": "median_length_mm",
        "cluster_irregularity": "mean_irregularity",
        "cluster_elongation": "median_elongation",
        "cluster_circularity": "median_circularity",
        "cluster_level_share": "level_share",
        "cluster_edge_share": "median_edge_share",
        "cluster_flatness": "median_flatness",
        "cluster_distribution": "distribution",
    }
    for i, members in enumerate(groups):
        for name, source in of_table.items():
            out[name][members] = clusters[source][i]
    return out


def _neighbours(points: Points, counted: NDArray[np.bool_], reach_mm: float) -> NDArray[np.float64]:
    """How many of the candidates that count lie within reach of each candidate, itself apart."""
    from mammocalc_kernels.neighbours import near_pairs

    one, other, _ = near_pairs(points[:, 0], points[:, 1], reach_mm)
    near = np.concatenate([one[counted[other]], other[counted[one]]])
    return np.bincount(near, minlength=len(points)).astype(np.float64)
