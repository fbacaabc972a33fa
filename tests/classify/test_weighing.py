"""All rules at once weigh as each rule does by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mammocalc.classify import load_lexicon
from mammocalc.classify.lexicon import CALCIFICATION_FEATURES, CLUSTER_FEATURES
from mammocalc.classify.rules import Condition, Group
from mammocalc.classify.weighing import Weighing

ROWS = 300
NESTED = Group(
    "any",
    (
        Condition("width_mm", "<", "rod_calibre_mm"),
        Group(
            "all",
            (
                Condition("diameter_mm", ">", "rod_calibre_mm", per="width_mm"),
                Group(
                    "any",
                    (
                        Condition("score", "==", "rod_calibre_mm"),
                        Condition("lucency", "<=", "rod_calibre_mm"),
                    ),
                ),
            ),
        ),
    ),
)


def some_values(features, rules, thresholds, rng):
    """Columns in which every condition about numbers is met, missed, met exactly and unknown in some rows."""
    columns = {name: rng.uniform(-1, 3, ROWS) for name in features}
    for rule in rules:
        for one in rule.when.conditions():
            if one.is_text:
                words = (one.value,) if isinstance(one.value, str) else one.value
                columns[one.feature] = rng.choice([*words, "something else"], ROWS)
            else:
                limit = thresholds[one.value]
                near = limit.value + limit.soft * rng.normal(0, 2, ROWS)
                chosen = rng.random(ROWS) < 0.3
                columns[one.feature] = np.where(chosen, near, columns[one.feature])
                columns[one.feature][rng.integers(ROWS, size=2)] = limit.value
                columns[one.feature][rng.integers(ROWS, size=9)] = np.nan
    return columns


@pytest.mark.parametrize("rows", [ROWS, 0])
@pytest.mark.parametrize("kind", ["rules", "cluster_rules"])
def test_every_rule_weighs_as_it_does_by_itself(kind, rows):
    lexicon = load_lexicon()
    rules = getattr(lexicon, kind)
    if kind == "rules":
        rules = (*rules, dataclasses.replace(rules[0], name="nested", when=NESTED))
    features = CALCIFICATION_FEATURES if kind == "rules" else CLUSTER_FEATURES
    columns = some_values(features, rules, lexicon.thresholds, np.random.default_rng(4))
    columns = {name: values[:rows] for name, values in columns.items()}

    with np.errstate(invalid="ignore"):
        met, margin = Weighing(rules, lexicon.thresholds).weigh(columns, rows)
        alone = [rule.when.weigh(columns, lexicon.thresholds, rows) for rule in rules]

    np.testing.assert_array_equal(met, [one[0] for one in alone])
    np.testing.assert_array_equal(margin, [one[1] for one in alone])
    assert rows == 0 or (met.any(axis=1).mean() > 0.3 and not met.all(axis=1).any())


def test_without_rules_there_is_nothing_to_weigh():
    met, margin = Weighing((), {}).weigh({}, 5)
    assert met.shape == margin.shape == (0, 5)
