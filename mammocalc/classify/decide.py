"""Give every calcification and every cluster its label: the first rule whose conditions are met decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.classify import cluster_features
from mammocalc.classify.classification import Classification
from mammocalc.classify.lexicon import LABELS, Lexicon
from mammocalc.classify.rules import LARGEST_MARGIN, Columns, Rule
from mammocalc.classify.weighing import Weighing
from mammocalc.measure.measurements import Measurements

FALLBACK = "unclassified"
FALLBACK_SUSPICION = "indeterminate"
NO_RULE = "no_rule"


def classify(measurements: Measurements, arrangement: Arrangement, lexicon: Lexicon) -> Classification:
    """Label every calcification, then every cluster by its members.

    Parameters
    ----------
    measurements : Measurements
        Of one image, n rows.
    arrangement : Arrangement
        Of the same image, n rows and m clusters.
    lexicon : Lexicon
        The rules, see `load_lexicon`.

    Returns
    -------
    Classification
        What no rule fits is ``unclassified`` and ``indeterminate``, by the rule ``no_rule``.
    """
    rows = len(measurements)
    label, suspicion, rule, margin, runner_up = _decide(
        lexicon.rules, lexicon.weighed_rules, calcification_columns(measurements, arrangement), rows
    )
    columns = cluster_features.columns(arrangement, label, LABELS)
    clusters = len(arrangement.clusters["cluster_id"])
    of_cluster = _decide(lexicon.cluster_rules, lexicon.weighed_cluster_rules, columns, clusters)
    return Classification(
        label, suspicion, rule, margin, runner_up, of_cluster[0], of_cluster[1], of_cluster[2]
    )


def calcification_columns(measurements: Measurements, arrangement: Arrangement) -> Columns:
    """Every feature that a rule about one calcification may use, one row a calcification."""
    columns: Mapping[str, NDArray[Any]] = {**measurements.columns, **arrangement.columns}
    return columns


def _decide(
    rules: tuple[Rule, ...], weighing: Weighing, columns: Columns, rows: int
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], NDArray[np.float64], NDArray[np.str_]]:
    met, signed = weighing.weigh(columns, rows)
    # A last rule that always holds, so that there is always a first one.
    met = np.vstack([met, np.ones(rows, np.bool_)])
    signed = np.vstack([signed, np.full(rows, np.inf)])
    labels = np.array([rule.label for rule in rules] + [FALLBACK])
    suspicions = np.array([rule.suspicion for rule in rules] + [FALLBACK_SUSPICION])
    names = np.array([rule.name for rule in rules] + [NO_RULE])
    decided = met.argmax(axis=0)
    margin, second = _nearest_other_label(met, signed, labels, decided)
    runner_up = np.where(margin < LARGEST_MARGIN, labels[second], "")
    return labels[decided], suspicions[decided], names[decided], np.minimum(margin, LARGEST_MARGIN), runner_up


def _nearest_other_label(
    met: NDArray[np.bool_], signed: NDArray[np.float64], labels: NDArray[np.str_], decided: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """How far, in soft edges, another label is, and the rule that would give it.

    A rule before the deciding one takes over when its own lack is made up for. A rule after it takes over
    when every rule that is met before it fails, and its own lack, if any, is made up for.
    """
    rules, rows = met.shape
    lack = np.where(met, 0.0, -signed)
    distance = np.empty((rules, rows))
    in_the_way = np.zeros(rows)
    for i in range(rules):
        distance[i] = np.maximum(lack[i], in_the_way)
        in_the_way = np.where(met[i], np.maximum(in_the_way, signed[i]), in_the_way)
    distance[labels[:, None] == labels[decided][None, :]] = np.inf
    nearest = distance.argmin(axis=0)
    return distance[nearest, np.arange(rows)], nearest
