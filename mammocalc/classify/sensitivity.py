"""How much the labels hang on each threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.classify.classification import Classification
from mammocalc.classify.decide import classify
from mammocalc.classify.lexicon import SUSPICIONS, Lexicon
from mammocalc.measure.measurements import Measurements

_RANK = {name: rank for rank, name in enumerate(SUSPICIONS)}


@dataclass(frozen=True)
class Shift:
    """What changes when one threshold moves.

    Attributes
    ----------
    threshold : str
        Its name in the lexicon.
    value, moved_to : float
        In the unit of the threshold's feature.
    relabelled : int
        Calcifications that get another label.
    more_suspicious, less_suspicious : int
        Calcifications whose suspicion rises or falls.
    changes : mapping of (str, str) to int
        Count by (label before, label after).
    clusters_changed : int
        Clusters that get another morphology.
    """

    threshold: str
    value: float
    moved_to: float
    relabelled: int
    more_suspicious: int
    less_suspicious: int
    changes: dict[tuple[str, str], int]
    clusters_changed: int


def threshold_sensitivity(
    measurements: Measurements, arrangement: Arrangement, lexicon: Lexicon, change: float = 0.1
) -> tuple[Shift, ...]:
    """Move each threshold down and up by the share `change` of its value, one at a time, and classify again.

    A threshold of 0 does not move and is left out.

    Parameters
    ----------
    measurements : Measurements
        Of one image, n rows.
    arrangement : Arrangement
        Of the same image, n rows.
    lexicon : Lexicon
        The rules, see `load_lexicon`.
    change : float
        Share of its value by which a threshold moves.

    Returns
    -------
    tuple of Shift
        Two a threshold, in the lexicon's order, the lower value first.
    """
    before = classify(measurements, arrangement, lexicon)
    rank_before = _ranks(before.suspicion)
    shifts = []
    for name, moved_to, after in moved_thresholds(measurements, arrangement, lexicon, change):
        different = before.label != after.label
        rank_after = _ranks(after.suspicion)
        changes = Counter(zip(before.label[different].tolist(), after.label[different].tolist(), strict=True))
        shifts.append(
            Shift(
                name,
                lexicon.thresholds[name].value,
                moved_to,
                int(different.sum()),
                int((rank_after > rank_before).sum()),
                int((rank_after < rank_before).sum()),
                dict(changes),
                int((before.cluster_morphology != after.cluster_morphology).sum()),
            )
        )
    return tuple(shifts)


def moved_thresholds(
    measurements: Measurements, arrangement: Arrangement, lexicon: Lexicon, change: float = 0.1
) -> Iterator[tuple[str, float, Classification]]:
    """Classify with each threshold moved down and up by the share `change` of its value, one at a time.

    Parameters
    ----------
    measurements : Measurements
        Of one image, n rows.
    arrangement : Arrangement
        Of the same image, n rows.
    lexicon : Lexicon
        The rules, see `load_lexicon`.
    change : float
        Share of its value by which a threshold moves.

    Yields
    ------
    str, float, Classification
        The threshold, the value it was moved to, and the outcome; in the lexicon's order, the lower value first.
        A threshold of 0 does not move and is left out.
    """
    for name, threshold in lexicon.thresholds.items():
        if threshold.value == 0:
            continue
        for moved_to in sorted((threshold.value * (1 - change), threshold.value * (1 + change))):
            yield name, moved_to, classify(measurements, arrangement, lexicon.with_threshold(name, moved_to))


def _ranks(suspicion: np.ndarray) -> np.ndarray:
    return np.array([_RANK[name] for name in suspicion.tolist()], np.int64)
