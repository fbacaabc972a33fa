"""Every feature that a rule about a whole cluster may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.classify.rules import Columns
from mammocalc.measure.features import Feature

ARRANGED: Mapping[str, Feature] = {
    "n_calcifications": Feature("", "calcifications in the cluster"),
    "extent_mm": Feature("mm", "largest distance between two members"),
    "area_mm2": Feature("mm2", "area of the convex hull of the members"),
    "density_per_cm2": Feature("1/cm2", "members per square centimetre of the hull"),
    "linearity": Feature("", "minor over major axis of the members' positions"),
    "distribution": Feature("text", "diffuse, regional, grouped, linear or segmental"),
    "size_spread": Feature("", "robust coefficient of variation of the members' diameters"),
    "shape_spread": Feature("", "interquartile range of the members' log2 elongation"),
    "median_diameter_mm": Feature("mm", "median diameter of the members"),
    "median_length_mm": Feature("mm", "median length of the members"),
    "mean_irregularity": Feature("", "mean irregularity of the members, the clearer the more weight"),
    "median_elongation": Feature("", "median elongation of the clearer half of the members"),
    "median_circularity": Feature("", "median circularity of the clearer half of the members"),
    "level_share": Feature("", "share of the elongated members that lie level; NaN for fewer than three"),
    "median_flatness": Feature("", "median flatness of the clearer half of the members"),
    "median_edge_share": Feature("", "median edge width over diameter of the clearer half of the members"),
}


def catalogue(labels: Sequence[str]) -> dict[str, Feature]:
    """Features of a cluster, those counted from its members' labels included."""
    features = dict(ARRANGED)
    for label in labels:
        features[f"count_{label}"] = Feature("", f"members labelled {label}")
        features[f"share_{label}"] = Feature("", f"share of the members labelled {label}")
    return features


def columns(arrangement: Arrangement, label: NDArray[np.str_], labels: Sequence[str]) -> Columns:
    """One column for every name in the catalogue, one row a cluster."""
    clusters = arrangement.clusters
    ids = np.asarray(clusters["cluster_id"])
    out = {name: np.asarray(clusters[name]) for name in ARRANGED}
    # Where a member's cluster stands in the table; clusters are numbered from 1 in the table's order.
    place = np.asarray(arrangement.columns["cluster_id"], np.int64) - 1
    member = place >= 0
    total = np.bincount(place[member], minlength=len(ids)).astype(np.float64)
    for name in labels:
        count = np.bincount(place[member & (label == name)], minlength=len(ids)).astype(np.float64)
        out[f"count_{name}"] = count
        out[f"share_{name}"] = count / np.maximum(total, 1.0)
    return out
