"""Classify: from measured form and company to the BI-RADS descriptor, by rules that are data."""

from mammocalc.classify.classification import Classification
from mammocalc.classify.decide import classify
from mammocalc.classify.description import describe
from mammocalc.classify.explanation import Explanation, explain
from mammocalc.classify.lexicon import LABELS, SUSPICIONS, Lexicon, load_lexicon
from mammocalc.classify.sensitivity import Shift, moved_thresholds, threshold_sensitivity

__all__ = [
    "LABELS",
    "SUSPICIONS",
    "Classification",
    "Explanation",
    "Lexicon",
    "Shift",
    "classify",
    "describe",
    "explain",
    "load_lexicon",
    "moved_thresholds",
    "threshold_sensitivity",
]
