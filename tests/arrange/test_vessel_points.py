"""Points for a vessel: how they add up, and which way each feature speaks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mammocalc.arrange import ArrangeParameters, arrange
from mammocalc.arrange.features import FEATURES
from mammocalc.arrange.vessel_points import Card, Steps, built_in_card, parsed_card

PLAQUES = {
    "chain_strands": 4.0,
    "chain_length_mm": 35.0,
    "chain_calcified_fraction": 0.6,
    "paired_length_mm": 6.0,
    "chain_misalignment_deg": 6.0,
    "chain_strand_mm": 4.0,
    "vessel_fraction": 0.7,
    "chain_nipple_angle_deg": 60.0,
    "chain_curvature_per_mm": 0.1,
}
CASTS = {
    "chain_strands": 6.0,
    "chain_length_mm": 15.0,
    "chain_calcified_fraction": 0.8,
    "paired_length_mm": 0.0,
    "chain_misalignment_deg": 10.0,
    "chain_strand_mm": 2.0,
    "vessel_fraction": 0.25,
    "chain_nipple_angle_deg": 5.0,
    "chain_curvature_per_mm": 0.3,
}
FOR_A_VESSEL = (
    "chain_length_mm",
    "paired_length_mm",
    "chain_strand_mm",
    "vessel_fraction",
    "chain_nipple_angle_deg",
)
AGAINST = ("chain_calcified_fraction", "chain_misalignment_deg", "chain_curvature_per_mm")


@pytest.mark.parametrize(
    ("below", "value", "points"),
    [
        (False, 0.9, 0.0),
        (False, 1.0, 2.0),
        (False, 3.0, 5.0),
        (True, 0.9, 5.0),
        (True, 1.0, 3.0),
        (True, 3.0, 0.0),
        (False, math.nan, 0.0),
        (True, math.nan, 5.0),
    ],
)
def test_steps_add_up(below, value, points):
    assert Steps("x", (1.0, 3.0), (2.0, 3.0), below).of(value) == points


def test_a_card_adds_its_features():
    card = Card(-1.0, (Steps("a", (1.0,), (2.0,), False), Steps("b", (1.0,), (0.5,), True)))
    assert card.points({"a": 1.0, "b": 0.0}) == 1.5
    assert card.points({"a": 0.0, "b": 1.0}) == -1.0


def test_a_card_is_read_from_its_table():
    text = 'offset = -2.0\n[[steps]]\nfeature = "a"\nvalues = [1.0]\npoints = [0.5]\nbelow = true\n'
    assert parsed_card(text) == Card(-2.0, (Steps("a", (1.0,), (0.5,), True),))


def test_the_built_in_card_tells_plaques_from_casts():
    card = built_in_card()
    assert card.points(PLAQUES) > ArrangeParameters().vessel_points
    assert card.points(CASTS) < 0.0


@pytest.mark.parametrize("feature", [*FOR_A_VESSEL, *AGAINST])
def test_each_feature_speaks_one_way(feature):
    card = built_in_card()
    values = np.linspace(0.0, 60.0 if FEATURES[feature].unit in ("mm", "deg") else 1.0, 200)
    change = np.diff([card.points({**PLAQUES, feature: value}) for value in values])
    assert (change >= 0.0).all() if feature in FOR_A_VESSEL else (change <= 0.0).all()
    assert change.any()


def test_every_feature_of_the_card_is_one_of_chains():
    assert {steps.feature for steps in built_in_card().steps} <= set(FEATURES)


def test_a_chain_says_its_points(candidates, make_scene):
    rows = [candidates.strand(60, x, 0, 4.0) for x in (30, 36, 42)]
    alone = candidates.speck(100, 50)
    found = arrange(make_scene(), candidates.measurements()).columns
    assert np.isnan(found["vessel_points"][alone])
    chain = {name: float(found[name][rows[0]]) for name in PLAQUES}
    assert chain["chain_strands"] == 3.0
    assert found["vessel_points"][rows] == pytest.approx(built_in_card().points(chain))
