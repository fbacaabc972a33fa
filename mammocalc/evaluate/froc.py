"""Free-response curves: what share of the truth is found, at how many false marks per image or per cm2 of breast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Marked:
    """All marks on all images, and how much there was to find.

    Attributes
    ----------
    score : ndarray of float64, shape (n,)
    hit : ndarray of bool, shape (n,)
    image : ndarray of int64, shape (n,)
        Index of the image each mark is on.
    truths : ndarray of float64, shape (images,)
    area_cm2 : ndarray of float64, shape (images,)
        Of the breast.
    """

    score: Floats
    hit: NDArray[np.bool_]
    image: NDArray[np.int64]
    truths: Floats
    area_cm2: Floats


@dataclass(frozen=True, eq=False)
class Curve:
    """Sensitivity against false marks, one point a distinct score, best scores first.

    Attributes
    ----------
    score, sensitivity, false_per_image, false_per_cm2 : ndarray of float64, shape (k,)
        The first point is that of no mark at all.
    """

    score: Floats
    sensitivity: Floats
    false_per_image: Floats
    false_per_cm2: Floats

    def at(self, false_rate: float, axis: str = "false_per_image") -> tuple[float, float]:
        """Sensitivity, and the score from which it is reached, at no more than `false_rate`.

        `axis` is ``"false_per_image"`` or ``"false_per_cm2"``.
        """
        k = int(np.searchsorted(getattr(self, axis), false_rate, side="right")) - 1
        return float(self.sensitivity[k]), float(self.score[k])

    def reaches(self, false_rate: float, axis: str = "false_per_image") -> bool:
        """Whether there are marks enough to come to this rate; else the sensitivity there is a lower bound."""
        return bool(getattr(self, axis)[-1] >= false_rate)


def froc(marked: Marked, weight: Floats | None = None) -> Curve:
    """The free-response curve; marks of equal score come together.

    Parameters
    ----------
    marked : Marked
    weight : ndarray of float64, shape (images,), optional
        How often each image counts.
    """
    order = np.argsort(-marked.score, kind="stable")
    return _curve(
        marked.score[order], marked.hit[order], marked.image[order], marked.truths, marked.area_cm2, weight
    )


def _curve(
    score: Floats,
    hit: NDArray[np.bool_],
    image: NDArray[np.int64],
    truths: Floats,
    area_cm2: Floats,
    weight: Floats | None,
) -> Curve:
    each = np.ones(len(truths)) if weight is None else weight
    mark = each[image]
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.empty(0, np.int64)

    def summed(values: Floats) -> Floats:
        return np.concatenate(([0.0], np.cumsum(values)[ends]))

    true, false = summed(mark * hit), summed(mark * ~hit)
    total, cm2 = float(each @ truths), float(each @ area_cm2)
    return Curve(
        np.concatenate(([np.inf], score[ends])),
        true / total if total else np.full(len(true), np.nan),
        false / max(float(each.sum()), 1e-300),
        false / cm2 if cm2 else np.full(len(true), np.inf),
    )


def patient_weights(patients: Sequence[str], resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """How often each image counts in each bootstrap sample of patients, shape (resamples, images).

    A patient is drawn with all of the images (Efron & Tibshirani 1993, cluster bootstrap).
    """
    if not len(patients):
        return np.empty((0, 0))
    names, of_image = np.unique(np.asarray(patients, np.str_), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, of_image].astype(np.float64)


def bootstrapped(
    marked: Marked, rates: Sequence[tuple[str, float]], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sensitivity at each (axis, rate) in each bootstrap sample, shape (resamples, rates)."""
    whole = froc(marked)
    # A resample seldom needs marks beyond three times the false ones of the whole.
    reach = [np.searchsorted(getattr(whole, axis), 3 * rate, side="right") for axis, rate in rates]
    last = whole.score[min(max(reach, default=0), len(whole.score) - 1)]
    order = np.argsort(-marked.score, kind="stable")
    order = order[marked.score[order] >= last] if np.isfinite(last) else order
    score, hit, image = marked.score[order], marked.hit[order], marked.image[order]
    out = np.empty((len(weights), len(rates)))
    for i, weight in enumerate(weights):
        curve = _curve(score, hit, image, marked.truths, marked.area_cm2, weight)
        out[i] = [curve.at(rate, axis)[0] for axis, rate in rates]
    return out


def interval(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The central 95 % of bootstrap samples, NaN where there are none."""
    known = samples[np.isfinite(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
