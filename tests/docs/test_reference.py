"""What the reference pages are made of says enough: sources of rules, units and meanings of columns and settings."""

from __future__ import annotations

import dataclasses
import re

import pytest

from mammocalc.batch import BatchLimits
from mammocalc.classify import load_lexicon
from mammocalc.classify.cluster_features import ARRANGED
from mammocalc.classify.lexicon import CALCIFICATION_FEATURES
from mammocalc.parameters import Parameters
from mammocalc.phantom import PhantomSettings
from mammocalc.read import ReadLimits
from mammocalc.write.tables import TABLES

LEXICON = load_lexicon()
RULES = [*LEXICON.rules, *LEXICON.cluster_rules]
COLUMNS = [
    pytest.param(column, id=f"{table}.{column.name}")
    for table, columns in TABLES.items()
    for column in columns
]

# What the end of a name says of the unit.
UNITS = {"_per_mm": "1/mm", "_per_cm2": "1/cm2", "_mm": "mm", "_mm2": "mm2", "_deg": "deg", "seconds": "s"}
PIXELS = {"row", "col", "row_min", "col_min", "row_max", "col_max", "rows", "columns"}


def unit_of(name):
    """The unit that a name promises; empty for a pure number."""
    if name in PIXELS:
        return "px"
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_its_reason_and_its_sources(rule):
    assert len(rule.reason) > 5
    assert rule.sources
    for key in rule.sources:
        assert re.search(r"\b(19|20)\d\d\b|FHIR|proposal", LEXICON.sources[key]), key


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_threshold_of_a_rule_says_where_it_comes_from(rule):
    for condition in rule.when.conditions():
        if condition.is_text:
            continue
        threshold = LEXICON.thresholds[condition.value]
        assert threshold.basis in ("atlas", "paper", "proposal")
        if threshold.basis != "proposal":
            assert set(rule.sources) - {"working"}, f"{condition.value} is somebody else's number: cite them"


@pytest.mark.parametrize("name", LEXICON.labels)
def test_a_label_has_its_meaning_and_its_sources(name):
    term = LEXICON.labels[name]
    assert term.term
    assert len(term.meaning) > 5
    assert term.sources


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_has_the_unit_of_its_name_and_a_meaning(column):
    assert column.unit == unit_of(column.name)
    assert len(column.meaning) > 5
    if column.kind == "text":
        assert not column.unit


@pytest.mark.parametrize("name", [*CALCIFICATION_FEATURES, *ARRANGED])
def test_a_feature_that_rules_use_has_the_unit_of_its_name(name):
    feature = {**CALCIFICATION_FEATURES, **ARRANGED}[name]
    assert feature.unit == "text" or feature.unit == unit_of(name)
    assert len(feature.meaning) > 5


def settings():
    """Every class of settings that has a table in the reference."""
    yield from (type(getattr(Parameters(), stage.name)) for stage in dataclasses.fields(Parameters))
    yield from (ReadLimits, BatchLimits, PhantomSettings)


@pytest.mark.parametrize("kind", list(settings()), ids=lambda kind: kind.__name__)
def test_every_setting_has_its_meaning(kind):
    for field in dataclasses.fields(kind):
        assert len(field.metadata["meaning"]) > 5, field.name
        if "minimum" in field.metadata:
            assert field.metadata["minimum"] <= field.default <= field.metadata["maximum"]
