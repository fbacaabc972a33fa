"""Points for a thread: the same as the card says, for elongated candidates only, and which way each feature speaks."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.arrange import arrange
from mammocalc.arrange.features import FEATURES
from mammocalc.arrange.thread_points import thread_card, thread_points
from mammocalc.measure.features import FEATURES as MEASURED

THREAD = {
    "length_mm": 7.0,
    "width_mm": 0.35,
    "elongation": 20.0,
    "bulge": 2.8,
    "straightness": 0.9,
    "branches": 0.0,
    "heterogeneity": 0.2,
    "roughness": 0.03,
    "nipple_angle_deg": 60.0,
    "chain_strands": 0.0,
    "paired_length_mm": 0.0,
    "chain_calcified_fraction": np.nan,
    "vessel_fraction": 0.0,
    "chain_curvature_per_mm": np.nan,
    "vessel_points": np.nan,
    "chain_strand_mm": 0.0,
    "neighbours": 0.0,
    "cluster_elongation": np.nan,
    "lucency": 0.0,
}
CAST = {
    **THREAD,
    "length_mm": 1.8,
    "elongation": 6.0,
    "bulge": 1.4,
    "straightness": 0.99,
    "neighbours": 9.0,
    "chain_strands": 5.0,
    "chain_calcified_fraction": 0.7,
    "chain_strand_mm": 1.8,
    "vessel_points": -2.0,
    "cluster_elongation": 5.0,
    "nipple_angle_deg": 8.0,
}
WALL = {
    **CAST,
    "length_mm": 4.0,
    "bulge": 1.8,
    "paired_length_mm": 9.0,
    "vessel_fraction": 0.9,
    "nipple_angle_deg": 60.0,
    "chain_curvature_per_mm": 0.05,
    "vessel_points": 4.0,
}
FOR_A_THREAD = ("length_mm", "bulge", "heterogeneity", "nipple_angle_deg")
AGAINST = ("width_mm", "branches", "paired_length_mm", "vessel_fraction", "neighbours", "chain_strands")


def points_of(*rows):
    return thread_points({name: np.array([row[name] for row in rows]) for name in THREAD})


def test_points_are_those_of_the_card():
    for row in (THREAD, CAST, WALL):
        assert points_of(row)[0] == pytest.approx(thread_card().points(row))


def test_a_thread_is_told_from_casts_and_walls():
    thread, cast, wall = points_of(THREAD, CAST, WALL)
    assert thread > 1.0
    assert cast < -3.0
    assert wall < -3.0


@pytest.mark.parametrize("change", [{"elongation": 2.4}, {"length_mm": 1.4}])
def test_what_is_short_has_none(change):
    assert np.isnan(points_of({**THREAD, **change})[0])


@pytest.mark.parametrize("feature", [*FOR_A_THREAD, *AGAINST])
def test_each_feature_speaks_one_way(feature):
    highest = 60.0 if feature == "nipple_angle_deg" else 12.0
    values = np.linspace(1.5 if feature == "length_mm" else 0.0, highest, 200)
    change = np.diff(points_of(*({**THREAD, feature: value} for value in values)))
    assert (change >= 0.0).all() if feature in FOR_A_THREAD else (change <= 0.0).all()
    assert change.any()


def test_every_feature_of_the_card_is_a_column():
    assert {steps.feature for steps in thread_card().steps} <= set(FEATURES | MEASURED)


def test_candidates_are_told_their_points(candidates, make_scene):
    row = candidates.strand(60, 30, 0, 4.0)
    alone = candidates.speck(100, 50)
    measurements = candidates.measurements()
    found = arrange(make_scene(), measurements).columns
    assert np.isnan(found["thread_points"][alone])
    expected = thread_points({**measurements.columns, **found})[row]
    assert found["thread_points"][row] == expected
