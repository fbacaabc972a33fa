"""One image judged: which mark hit what, and at which score each truth is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.evaluate.clusters import Crowd, crowd, in_any, region_scores, strongest_cluster
from mammocalc.evaluate.detections import Detections
from mammocalc.evaluate.matching import Matches, match
from mammocalc.evaluate.truth import TrueImage


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one image.

    Attributes
    ----------
    truth : TrueImage
        What is known.
    detections : Detections
        What was found.
    matches : Matches or None
        None where calcifications were not marked one by one.
    found_at : ndarray of float64, shape (specks,)
        Score of the mark that hit each true calcification, -inf for a miss.
    region_found_at, region_touched_at : ndarray of float64, shape (regions,)
        Score down to which marks must be kept for two of them, or one, to lie in each true region; -inf for never.
    outside : Crowd or None
        Marks that are neither in a true region nor on a true calcification; None where regions were not marked.
    strongest_cluster : float
        The highest score at which three marks within 1 cm2 are left, wherever they lie.
    """

    truth: TrueImage
    detections: Detections
    matches: Matches | None
    found_at: NDArray[np.float64]
    region_found_at: NDArray[np.float64]
    region_touched_at: NDArray[np.float64]
    outside: Crowd | None
    strongest_cluster: float

    @property
    def calcified(self) -> bool | None:
        """Whether the image holds calcifications that the data set is about; None where that is not known."""
        if self.truth.calcified is not None:
            return self.truth.calcified
        return self.truth.calcified_by_side.get(self.detections.laterality)

    @property
    def is_true(self) -> NDArray[np.bool_]:
        """Whether each mark hit a true calcification, shape (marks,)."""
        if self.matches is None:
            return np.zeros(len(self.detections), np.bool_)
        return self.matches.truth_of >= 0


def judge(truth: TrueImage, detections: Detections) -> Outcome:
    """Hold the marks of an image against its truth.

    Parameters
    ----------
    truth : TrueImage
        What is known.
    detections : Detections
        What was found.

    Returns
    -------
    Outcome
        Which mark hit what, and at which score each truth is found.
    """
    marks, score = detections.marks, detections.score
    spacing = detections.pixel_spacing_mm
    matches, found_at = None, np.empty(0)
    explained = np.zeros(len(score), np.bool_)
    if truth.specks is not None:
        matches = match(marks, score, truth.specks.marks, spacing)
        found_at = np.full(len(truth.specks), -np.inf)
        hit = matches.detection_of >= 0
        found_at[hit] = score[matches.detection_of[hit]]
        explained = (matches.truth_of >= 0) | matches.fragment
    found = touched = np.empty(0)
    outside = None
    if truth.regions is not None:
        found = region_scores(truth.regions, marks.row, marks.col, score)
        touched = region_scores(truth.regions, marks.row, marks.col, score, marks=1)
        out = ~explained & ~in_any(truth.regions, marks.row, marks.col)
        outside = crowd(marks.row[out], marks.col[out], score[out], spacing)
    strongest = strongest_cluster(crowd(marks.row, marks.col, score, spacing))
    return Outcome(truth, detections, matches, found_at, found, touched, outside, strongest)
