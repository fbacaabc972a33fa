"""A lexicon from the plain values that `Lexicon.as_dict` gives, as a finished run keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammocalc.classify.lexicon import CALCIFICATION_FEATURES, CLUSTER_FEATURES, Lexicon, Term
from mammocalc.classify.rules import OPERATORS, Condition, Group, Rule, Threshold
from mammocalc.errors import InvalidParameter
from mammocalc.measure.features import Feature


def lexicon_from_dict(values: Mapping[str, Any]) -> Lexicon:
    """Undo `Lexicon.as_dict`.

    Raises
    ------
    InvalidParameter
        The values were not written by this version, or were changed by hand.
    """
    try:
        return Lexicon(
            values["title"],
            dict(values["sources"]),
            {
                name: Term(**{**term, "sources": tuple(term["sources"])})
                for name, term in values["labels"].items()
            },
            {name: Threshold(**threshold) for name, threshold in values["thresholds"].items()},
            tuple(_rule(rule, CALCIFICATION_FEATURES) for rule in values["rules"]),
            tuple(_rule(rule, CLUSTER_FEATURES) for rule in values["cluster_rules"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidParameter(f"the stored rules are not of this version: {error}") from error


def _rule(values: Mapping[str, Any], features: Mapping[str, Feature]) -> Rule:
    return Rule(
        values["name"],
        values["label"],
        values["suspicion"],
        values["reason"],
        tuple(values["sources"]),
        _group(values["when"], features),
    )


def _group(values: Mapping[str, Any], features: Mapping[str, Feature]) -> Group:
    ((kind, members),) = values.items()
    if kind not in ("all", "any"):
        raise ValueError(f"a group of {kind!r}")
    return Group(
        "all" if kind == "all" else "any",
        tuple(
            _group(member, features) if isinstance(member, Mapping) else _condition(member, features)
            for member in members
        ),
    )


def _condition(values: Any, features: Mapping[str, Feature]) -> Condition:
    subject, operator, value = values
    feature, _, per = subject.partition(" / ")
    if operator not in OPERATORS:
        raise ValueError(f"an operator {operator!r}")
    return Condition(
        feature,
        operator,
        tuple(value) if isinstance(value, list) else value,
        per,
        is_text=features[feature].unit == "text",
    )
