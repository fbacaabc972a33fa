"""Which detection found which true calcification: one to one, the most certain detection first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Runs = Sequence[tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class Marks:
    """Detected or true calcifications of one image, in stored pixels.

    Attributes
    ----------
    row, col : ndarray of float64, shape (n,)
        Centroids.
    diameter_mm : ndarray of float64, shape (n,)
        Of the disc of equal area.
    runs : sequence of (row, start, stop) sequences, or None
        Masks; None where only positions are known.
    """

    row: NDArray[np.float64]
    col: NDArray[np.float64]
    diameter_mm: NDArray[np.float64]
    runs: Sequence[Runs] | None = None

    def __len__(self) -> int:
        """Number of marks."""
        return len(self.row)


@dataclass(frozen=True, eq=False)
class Matches:
    """The outcome for one image.

    Attributes
    ----------
    truth_of : ndarray of int64, shape (detections,)
        Index of the true calcification that each detection hit, -1 for a false positive.
    detection_of : ndarray of int64, shape (truths,)
        The reverse, -1 for a miss.
    iou : ndarray of float64, shape (truths,)
        Intersection over union of each hit, NaN for misses and where masks are not known (or empty: a truth of which
        only the place is known).
    fragment : ndarray of bool, shape (detections,)
        False positives of which more than 30 % (of detections without masks: the centroid) lie on a true calcification
        that a better detection took. They count as false; the flag only says why.
    """

    truth_of: NDArray[np.int64]
    detection_of: NDArray[np.int64]
    iou: NDArray[np.float64]
    fragment: NDArray[np.bool_]


def match(
    detections: Marks,
    score: NDArray[np.float64],
    truths: Marks,
    pixel_spacing_mm: float,
    *,
    distance_mm: float = 0.35,
    least_iou: float = 0.3,
) -> Matches:
    """Match detections to true calcifications.

    A detection hits where its centroid is within ``max(distance_mm, radius of the truth)``, or where masks overlap by
    `least_iou`. Detections choose in descending score (ties: lower index first), each the free truth of largest
    overlap, then of smallest distance.

    Parameters
    ----------
    detections : Marks
        What was found.
    score : ndarray of float64, shape (detections,)
        Of each detection.
    truths : Marks
        What is there.
    pixel_spacing_mm : float
        Side of a pixel in the object plane.
    distance_mm : float
        From centroid to centroid.
    least_iou : float
        Intersection over union of the masks.

    Returns
    -------
    Matches
        One to one.
    """
    n, m = len(detections), len(truths)
    truth_of, detection_of = np.full(n, -1, np.int64), np.full(m, -1, np.int64)
    iou_of, fragment = np.full(m, np.nan), np.zeros(n, np.bool_)
    overlap, share = _overlaps(detections, truths)
    reach = np.maximum(distance_mm, truths.diameter_mm / 2)
    for k in np.argsort(-score, kind="stable"):
        if m == 0:
            break
        apart = pixel_spacing_mm * np.hypot(truths.row - detections.row[k], truths.col - detections.col[k])
        iou = overlap.get(int(k), {})
        candidates = set(np.flatnonzero(apart <= reach).tolist()) | {
            t for t, v in iou.items() if v >= least_iou
        }
        free = [t for t in candidates if detection_of[t] < 0]
        if free:
            best = min(free, key=lambda t: (-iou.get(t, 0.0), apart[t], t))
            truth_of[k], detection_of[best] = best, k
            if detections.runs is not None and truths.runs is not None and truths.runs[best]:
                iou_of[best] = iou.get(best, 0.0)
        else:
            fragment[k] = share[k] > 0.3
    return Matches(truth_of, detection_of, iou_of, fragment)


def _overlaps(detections: Marks, truths: Marks) -> tuple[dict[int, dict[int, float]], NDArray[np.float64]]:
    """Intersection over union of every touching pair, and the share of each detection that lies on any truth."""
    share = np.zeros(len(detections))
    if truths.runs is None:
        return {}, share
    by_row: dict[int, list[tuple[int, int, int]]] = {}
    truth_area = np.zeros(len(truths))
    for t, runs in enumerate(truths.runs):
        for row, start, stop in runs:
            by_row.setdefault(row, []).append((start, stop, t))
            truth_area[t] += stop - start
    if detections.runs is None:
        for k, (row, col) in enumerate(zip(detections.row, detections.col, strict=True)):
            share[k] = any(start <= round(col) < end for start, end, _ in by_row.get(round(row), ()))
        return {}, share
    result: dict[int, dict[int, float]] = {}
    for k, runs in enumerate(detections.runs):
        shared: dict[int, int] = {}
        area = 0
        for row, start, stop in runs:
            area += stop - start
            for first, end, t in by_row.get(row, ()):
                common = min(stop, end) - max(start, first)
                if common > 0:
                    shared[t] = shared.get(t, 0) + common
        if shared:
            result[k] = {t: common / (truth_area[t] + area - common) for t, common in shared.items()}
            share[k] = sum(shared.values()) / area
    return result, share
