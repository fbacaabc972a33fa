"""Bring candidates into company: chains along vessels, clusters, neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.clusters import cluster_table, find_clusters
from mammocalc.arrange.curves import Curve, curve_of
from mammocalc.arrange.links import tracks
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Points, as_pieces, rings, rods, wall_pieces
from mammocalc.arrange.vessel import vessel_fraction
from mammocalc.measure.measurements import Measurements
from mammocalc.prepare.scene import Scene

_DEFAULT = ArrangeParameters()


@dataclass(frozen=True, eq=False)
class _Chain:
    members: NDArray[np.int64]
    curve: Curve
    vessel_fraction: float
    is_vessel: bool


def arrange(
    scene: Scene, measurements: Measurements, parameters: ArrangeParameters = _DEFAULT
) -> Arrangement:
    """Find chains along vessels, then clusters among what is left, and say of each candidate where it belongs.

    Parameters
    ----------
    scene : Scene
    measurements : Measurements
        Of n candidates.
    parameters : ArrangeParameters

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
    chains = _chains(scene, measurements, parameters)
    in_vessel = np.zeros(len(row), np.bool_)
    for chain in chains:
        in_vessel[chain.members] |= chain.is_vessel
    is_rod = rods(measurements, parameters)
    in_skin = rings(measurements, parameters) & (columns["skin_distance_mm"] <= parameters.skin_distance_mm)
    counted = columns["score"] >= parameters.joining_score
    may = np.flatnonzero(counted & ~in_vessel & ~is_rod & ~in_skin)
    founders = columns["score"][may] >= parameters.founding_score
    groups, distributions = find_clusters(
        points[may], founders, nipple, scene.anatomy.breast_area_mm2, parameters
    )
    groups = [may[group] for group in groups]
    clusters = cluster_table(groups, distributions, row, col, columns, scene.pixel_spacing_mm)
    sure_rod = is_rod & (columns["score"] >= parameters.founding_score) & ~in_vessel
    out: dict[str, NDArray[Any]] = {
        **_chain_columns(chains, len(row), nipple),
        **_cluster_columns(groups, clusters, len(row)),
        "neighbours": _neighbours(points, counted, parameters.linkage_mm),
        "rods_in_image": (sure_rod.sum() - sure_rod).astype(np.float64),
    }
    curves = tuple(chain.curve.points / scene.pixel_spacing_mm for chain in chains)
    return Arrangement(out, curves, clusters)


def _chains(scene: Scene, measurements: Measurements, parameters: ArrangeParameters) -> list[_Chain]:
    spacing = scene.pixel_spacing_mm
    pieces = wall_pieces(measurements, spacing, parameters)
    out = []
    sure = measurements.columns["score"] >= parameters.founding_score
    everything = as_pieces(
        measurements,
        np.flatnonzero(measurements.columns["score"] >= parameters.joining_score),
        spacing,
        parameters,
    )
    for places in tracks(pieces, parameters):
        members = pieces.index[places]
        if sure[members].sum() < 2:
            continue
        curve = curve_of(pieces.take(places), parameters)
        if curve is None or curve.length_mm < parameters.track_shortest_mm:
            continue
        fraction = vessel_fraction(scene, curve.points, everything, parameters)
        is_vessel = curve.paired_length_mm >= parameters.vessel_paired_mm or (
            curve.length_mm >= parameters.vessel_length_mm and fraction >= parameters.vessel_fraction
        )
        out.append(_Chain(members, curve, fraction, is_vessel))
    return out


def _chain_columns(chains: list[_Chain], rows: int, nipple: Points | None) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {
        "chain_id": np.zeros(rows, np.int64),
        "chain_n": np.zeros(rows, np.int64),
        "chain_length_mm": np.zeros(rows),
        "chain_tortuosity": np.full(rows, np.nan),
        "chain_calcified_fraction": np.full(rows, np.nan),
        "chain_nipple_angle_deg": np.full(rows, np.nan),
        "wall_separation_mm": np.full(rows, np.nan),
        "paired_length_mm": np.zeros(rows),
        "vessel_fraction": np.zeros(rows),
    }
    for number, chain in enumerate(chains, 1):
        members, curve = chain.members, chain.curve
        out["chain_id"][members] = number
        out["chain_n"][members] = len(members)
        out["chain_length_mm"][members] = curve.length_mm
        out["chain_tortuosity"][members] = curve.tortuosity
        out["chain_calcified_fraction"][members] = curve.calcified_fraction
        out["wall_separation_mm"][members] = curve.wall_separation_mm
        out["paired_length_mm"][members] = curve.paired_length_mm
        out["vessel_fraction"][members] = chain.vessel_fraction
        if nipple is not None:
            out["chain_nipple_angle_deg"][members] = _aim_deg(curve.points, nipple)
    return out


def _aim_deg(curve: Points, nipple: Points) -> float:
    """Angle between the chord of a curve and the line from its middle to the nipple."""
    chord = curve[-1] - curve[0]
    towards = nipple - curve.mean(axis=0)
    cosine = abs(float(chord @ towards)) / max(float(np.linalg.norm(chord) * np.linalg.norm(towards)), 1e-9)
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


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
        "cluster_distribution": np.full(rows, "", "U16"),
    }
    of_table = {
        "cluster_id": "cluster_id",
        "cluster_n": "n_calcifications",
        "cluster_extent_mm": "extent_mm",
        "cluster_linearity": "linearity",
        "cluster_size_spread": "size_spread",
        "cluster_shape_spread": "shape_spread",
        "cluster_distribution": "distribution",
    }
    for i, members in enumerate(groups):
        for name, source in of_table.items():
            out[name][members] = clusters[source][i]
    return out


def _neighbours(points: Points, counted: NDArray[np.bool_], reach_mm: float) -> NDArray[np.float64]:
    """How many of the candidates that count lie within reach of each candidate, itself apart."""
    from scipy.spatial import cKDTree

    if not counted.any():
        return np.zeros(len(points))
    near = cKDTree(points[counted]).query_ball_point(points, reach_mm, return_length=True)
    return near.astype(np.float64) - counted
