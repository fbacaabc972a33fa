"""The reason for a label, in words and numbers that agree with the decision."""

from __future__ import annotations

import math
import re

import pytest

from mammocalc.arrange.thread_points import thread_card
from mammocalc.arrange.vessel_points import built_in_card
from mammocalc.classify import classify, explain
from mammocalc.errors import InvalidParameter


@pytest.fixture
def rod(sized):
    return sized(5.0, 0.8, nipple_angle_deg=10.0, width_variation=0.1, roughness=0.03, straightness=0.98)


def test_says_which_rule_decided_with_values_units_and_thresholds(image_of, rod, lexicon):
    image = image_of({}, rod)
    text = str(explain(1, image.measurements, image.arrangement, lexicon))
    assert text.startswith("large rod like (typically benign), by the rule rod_along_duct: ")
    assert "width_mm 0.8 mm >= 0.5 mm: met" in text
    assert "nipple_angle_deg 10 deg <= 30 deg: met" in text


def test_names_the_condition_on_which_the_decision_hangs(image_of, lexicon):
    image = image_of({"diameter_mm": 0.51})
    explanation = explain(0, image.measurements, image.arrangement, lexicon)
    assert explanation.label == "round"
    assert "Decided by diameter_mm 0.51 mm >= 0.5 mm: met." in str(explanation)
    assert "Next in line: punctate, 0.2 soft edges away." in str(explanation)


def test_lists_every_rule_tried_before_with_what_failed(image_of, rod, lexicon):
    image = image_of(rod)
    explanation = explain(0, image.measurements, image.arrangement, lexicon)
    names = [rule.name for rule in lexicon.rules]
    assert [trial.rule for trial in explanation.tried] == names[: names.index("rod_along_duct")]
    assert all(not trial.met for trial in explanation.tried)
    for trial in explanation.tried:
        assert not trial.deciding.met
    assert "  - rim (rim), failed by wall_thickness_mm not measurable <= 1 mm: NOT met" in str(explanation)


def test_agrees_with_classify_for_every_row(image_of, rod, sized, lexicon):
    changes = [{}, rod, sized(2.0, 0.3), {"lucency": math.nan, "solidity": 0.5}, sized(0.6, 0.3)]
    image = image_of(*changes)
    result = classify(image.measurements, image.arrangement, lexicon)
    for k in range(len(changes)):
        explanation = explain(k, image.measurements, image.arrangement, lexicon)
        assert explanation.decided.rule == result.rule[k]
        assert (explanation.label, explanation.suspicion) == (result.label[k], result.suspicion[k])
        assert (explanation.margin, explanation.runner_up) == (result.margin[k], result.runner_up[k])


def test_points_for_a_vessel_are_told_feature_by_feature(image_of, sized, lexicon):
    chain = {
        "chain_strands": 4.0,
        "chain_n": 4.0,
        "chain_length_mm": 9.0,
        "chain_strand_mm": 3.0,
        "chain_misalignment_deg": 5.0,
    }
    points = built_in_card()
    plaque = sized(2.0, 0.3, width_variation=0.3, roughness=0.08, **chain, vessel_points=2.0)
    image = image_of(plaque)
    explanation = explain(0, image.measurements, image.arrangement, lexicon)
    assert explanation.decided.rule == "vascular"
    added = points.parts({step.feature: chain.get(step.feature, math.nan) for step in points.steps})
    text = str(explanation)
    assert f"      vessel_points begin at {points.offset:+.2f}" in text
    assert f"      chain_strand_mm 3 mm: {added['chain_strand_mm']:+.2f}" in text
    assert f"chain_strand_mm 3 mm: {added['chain_strand_mm']:+.2f}" in explanation._repr_html_()


def test_points_for_a_thread_are_told_as_well(image_of, sized, lexicon):
    image = image_of(sized(6.0, 0.3, bulge=2.6, thread_points=2.0))
    explanation = explain(0, image.measurements, image.arrangement, lexicon)
    assert explanation.decided.rule == "suture_sure"
    card = thread_card()
    added = card.parts({**dict.fromkeys((steps.feature for steps in card.steps), 0.0), "bulge": 2.6})
    text = str(explanation)
    assert f"      thread_points begin at {thread_card().offset:+.2f}" in text
    assert f"      bulge 2.6: {added['bulge']:+.2f}" in text
    assert added["bulge"] > 1.0
    assert "vessel_points begin" not in text


def test_points_are_not_told_where_no_rule_asks(image_of, rod, lexicon):
    image = image_of(rod)
    assert explain(0, image.measurements, image.arrangement, lexicon).points == ()


def test_alternatives_are_marked_as_such(image_of, rod, lexicon):
    image = image_of(rod)
    lines = str(explain(0, image.measurements, image.arrangement, lexicon)).splitlines()
    headings = [k for k, line in enumerate(lines) if line == "    any of (met):"]
    firsts = [lines[k + 1].split()[0] for k in headings]
    assert {"width_variation", "nipple_angle_deg"} <= set(firsts)
    assert all(lines[k + 1].startswith("      ") for k in headings)


def test_a_value_that_could_not_be_measured_is_said_so(image_of, rod, lexicon):
    image = image_of({**rod, "nipple_angle_deg": math.nan})
    text = str(explain(0, image.measurements, image.arrangement, lexicon))
    assert "nipple_angle_deg not measurable <= 30 deg: NOT met" in text


def test_where_no_rule_fits(image_of, lexicon):
    from dataclasses import replace

    image = image_of({})
    empty = replace(lexicon, rules=())
    explanation = explain(0, image.measurements, image.arrangement, empty)
    assert (explanation.label, explanation.decided.rule) == ("unclassified", "no_rule")
    assert "no rule fits" in str(explanation)


def test_notebook_table_has_a_row_for_every_condition(image_of, rod, lexicon):
    image = image_of(rod)
    explanation = explain(0, image.measurements, image.arrangement, lexicon)
    table = explanation._repr_html_()
    conditions = sum(
        len(list(rule.when.conditions())) for rule in lexicon.rules[: 1 + len(explanation.tried)]
    )
    assert len(re.findall(r"<tr><td>", table)) == conditions
    assert "&gt;= 0.5 mm" in table


@pytest.mark.parametrize("k", [-1, 2])
def test_no_such_calcification(image_of, lexicon, k):
    image = image_of({}, {})
    with pytest.raises(InvalidParameter, match=f"there is no calcification {k}: rows are 0 to 1"):
        explain(k, image.measurements, image.arrangement, lexicon)
