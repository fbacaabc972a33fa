"""Columns of measured features made by hand, with sane values for what a test does not name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.features import FEATURES as ARRANGED
from mammocalc.classify import Classification, Lexicon, classify, load_lexicon
from mammocalc.measure.features import FEATURES as MEASURED
from mammocalc.measure.measurements import Measurements

# A sharp round dot of 0.35 mm, alone, deep in the breast.
DOT: dict[str, Any] = {
    "row": 1000.0,
    "col": 500.0,
    "row_min": 997,
    "col_min": 497,
    "row_max": 1003,
    "col_max": 503,
    "area_mm2": 0.096,
    "filled_area_mm2": 0.096,
    "diameter_mm": 0.35,
    "length_mm": 0.36,
    "width_mm": 0.34,
    "width_max_mm": 0.36,
    "width_variation": 0.08,
    "taper": 0.9,
    "elongation": 1.06,
    "straightness": 1.0,
    "branches": 0.0,
    "thickness_mm": 0.34,
    "orientation_deg": 60.0,
    "nipple_angle_deg": 70.0,
    "nipple_distance_mm": 40.0,
    "skin_distance_mm": 25.0,
    "in_pectoral": 0.0,
    "flatness": 0.4,
    "solidity": 0.97,
    "circularity": 0.985,
    "irregularity": 0.0,
    "roughness": 0.004,
    "lucency": 0.0,
    "core_lucency": math.nan,
    "ring_closure": 0.0,
    "wall_thickness_mm": math.nan,
    "contrast": 0.2,
    "cnr": 15.0,
    "edge_width_mm": 0.12,
    "heterogeneity": 0.05,
    "score": 0.9,
    "chain_id": 0,
    "chain_n": 0,
    "chain_length_mm": 0.0,
    "chain_tortuosity": math.nan,
    "chain_calcified_fraction": math.nan,
    "chain_strand_mm": 0.0,
    "chain_misalignment_deg": math.nan,
    "chain_nipple_angle_deg": math.nan,
    "wall_separation_mm": math.nan,
    "paired_length_mm": 0.0,
    "vessel_fraction": 0.0,
    "neighbours": 0.0,
    "rods_in_image": 0.0,
    "cluster_id": 0,
    "cluster_n": 0,
    "cluster_extent_mm": 0.0,
    "cluster_linearity": math.nan,
    "cluster_size_spread": math.nan,
    "cluster_shape_spread": math.nan,
    "cluster_diameter_mm": math.nan,
    "cluster_length_mm": math.nan,
    "cluster_irregularity": math.nan,
    "cluster_elongation": math.nan,
    "cluster_circularity": math.nan,
    "cluster_edge_share": math.nan,
    "cluster_flatness": math.nan,
    "cluster_level_share": math.nan,
    "cluster_distribution": "",
}

# What a rule may ask of a chain beyond this is unknown for a dot that is in none.
DOT = {**dict.fromkeys(MEASURED | ARRANGED, math.nan), **DOT}


def _sized(length_mm: float, width_mm: float, **features: Any) -> dict[str, Any]:
    """Changes to the dot that make it an elongated body of this length and calibre."""
    return {
        "length_mm": length_mm,
        "width_mm": width_mm,
        "width_max_mm": 1.1 * width_mm,
        "thickness_mm": width_mm,
        "elongation": length_mm / width_mm,
        "diameter_mm": math.sqrt(4 / math.pi * length_mm * width_mm),
        **features,
    }


# What a member knows of its cluster beside the features that tests name themselves.
OF_THE_CLUSTER = {
    "cluster_diameter_mm": "median_diameter_mm",
    "cluster_length_mm": "median_length_mm",
    "cluster_irregularity": "mean_irregularity",
    "cluster_elongation": "median_elongation",
    "cluster_circularity": "median_circularity",
    "cluster_level_share": "level_share",
    "cluster_edge_share": "median_edge_share",
    "cluster_flatness": "median_flatness",
}


def _of_members(columns: dict[str, Any], members: Any) -> dict[str, float]:
    """A cluster's number, medians and means, from the members that name it."""
    if len(members) == 0:
        return {}
    return {
        "n_calcifications": len(members),
        "median_diameter_mm": float(np.median(columns["diameter_mm"][members])),
        "median_length_mm": float(np.median(columns["length_mm"][members])),
        "mean_irregularity": float(np.median(columns["irregularity"][members])),
        "median_elongation": float(np.median(columns["elongation"][members])),
        "median_circularity": float(np.mean(columns["circularity"][members])),
        "median_edge_share": float(np.median((columns["edge_width_mm"] / columns["diameter_mm"])[members])),
        "median_flatness": float(np.median(columns["flatness"][members])),
        "level_share": float(np.mean(np.abs(columns["orientation_deg"][members]) < 15)),
    }


class Image:
    """Calcifications of one image, each the dot with changes, and the clusters that their cluster_id names."""

    def __init__(self, *changes: dict[str, Any], clusters: Sequence[dict[str, Any]] = ()) -> None:
        unknown = {name for change in changes for name in change} - set(DOT)
        assert not unknown, f"no such feature: {unknown}"
        rows = [{**DOT, **change} for change in changes]
        columns = {name: np.array([row[name] for row in rows]) for name in DOT}
        by_cluster = [np.flatnonzero(columns["cluster_id"] == i + 1) for i in range(len(clusters))]
        self.measurements = Measurements({name: columns[name] for name in MEASURED if name in columns}, 0.05)
        plain = {
            "n_calcifications": 0,
            "row": 0.0,
            "col": 0.0,
            "extent_mm": 8.0,
            "area_mm2": 40.0,
            "density_per_cm2": 20.0,
            "linearity": 0.7,
            "distribution": "grouped",
            "size_spread": 0.1,
            "shape_spread": 0.2,
            "median_diameter_mm": math.nan,
            "median_length_mm": math.nan,
            "mean_irregularity": math.nan,
            "median_elongation": math.nan,
            "median_circularity": math.nan,
            "median_edge_share": math.nan,
            "median_flatness": math.nan,
            "level_share": math.nan,
        }
        table = [
            {**plain, **_of_members(columns, members), **cluster}
            for cluster, members in zip(clusters, by_cluster, strict=True)
        ]
        of_clusters = {
            name: np.array([cluster[name] for cluster in table], dtype=type(value))
            for name, value in plain.items()
        }
        of_clusters["cluster_id"] = np.arange(1, len(table) + 1)
        for members, cluster in zip(by_cluster, table, strict=True):
            for feature, source in OF_THE_CLUSTER.items():
                columns[feature][members] = cluster[source]
        self.arrangement = Arrangement(
            {name: columns[name] for name in ARRANGED if name in columns}, (), of_clusters
        )


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return load_lexicon()


@pytest.fixture
def labelled(lexicon: Lexicon) -> Callable[..., Classification]:
    """Classify calcifications given as changes to the dot."""

    def run(*changes: dict[str, Any], clusters: Sequence[dict[str, Any]] = ()) -> Classification:
        image = Image(*changes, clusters=clusters)
        return classify(image.measurements, image.arrangement, lexicon)

    return run


@pytest.fixture
def rules_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a TOML text to a file of its own."""

    def write(text: str) -> Path:
        path = tmp_path / "rules.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def sized() -> Callable[..., dict[str, Any]]:
    """``sized(length_mm, width_mm, **features)``: changes that make the dot an elongated body."""
    return _sized


@pytest.fixture
def image_of() -> type[Image]:
    """``image_of(*changes, clusters=...)``: measurements and arrangement of such calcifications."""
    return Image
