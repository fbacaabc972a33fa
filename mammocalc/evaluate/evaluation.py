"""All images together: sensitivity against false marks, by label and size, overlap, clusters, reliability."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.evaluate.detections import Detections
from mammocalc.evaluate.froc import Curve, Marked, bootstrapped, froc, interval, patient_weights
from mammocalc.evaluate.judge import Outcome, judge
from mammocalc.evaluate.reliability import Reliability, reliability
from mammocalc.evaluate.truth import TrueImage

FALSE_PER_IMAGE = (1.0, 2.0, 5.0, 10.0, 50.0)
FALSE_PER_CM2 = (0.1, 0.4, 1.0)
RATES = tuple(("false_per_image", rate) for rate in FALSE_PER_IMAGE) + tuple(
    ("false_per_cm2", rate) for rate in FALSE_PER_CM2
)
FALSE_CLUSTERS_PER_IMAGE = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
CLUSTER_RATES = tuple(("false_per_image", rate) for rate in FALSE_CLUSTERS_PER_IMAGE)
SIZE_EDGES_MM = (0.0, 0.2, 0.3, 0.5, 1.0, 3.0, math.inf)
VISIBILITY_EDGES = (0.0, 7.0, 10.0, 20.0, 50.0, math.inf)
DETAIL_RATES = (1.0, 5.0, 10.0)
OPERATING_POINT = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with the central 95 % of its bootstrap by patient."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AtRate:
    """Sensitivity at a false-positive rate.

    Attributes
    ----------
    axis : {"false_per_image", "false_per_cm2"}
    rate : float
    sensitivity : Estimate
    least_score : float
        Marks from this score on are kept.
    reached : bool
        False where all marks together do not come to the rate: the sensitivity is then a lower bound.
    """

    axis: str
    rate: float
    sensitivity: Estimate
    least_score: float
    reached: bool


@dataclass(frozen=True)
class Share:
    """Sensitivity for a part of the truth, at the operating point and at 1, 5, 10 false marks per image."""

    name: str
    count: int
    at_operating_point: float
    at_rates: tuple[float, ...]


@dataclass(frozen=True)
class GroupResult:
    """One kind of image at the operating point."""

    name: str
    images: int
    specks: int
    sensitivity: float
    false_per_image: float


@dataclass(frozen=True, eq=False)
class SpeckResult:
    """Calcifications one by one.

    Attributes
    ----------
    count, images : int
    curve : Curve
    at_rates, at_rates_without_pieces : tuple of AtRate
        The second with further marks on a calcification that is found already set aside, neither true nor false.
    sensitivity, false_per_image, false_per_cm2 : Estimate
        At the operating point.
    fragments_per_image : float
        False marks at the operating point that lie on a true calcification which another mark took.
    iou : Estimate or None
        Mean intersection over union of the hits at the operating point; None where masks are not known.
    by_label, by_size, by_visibility : tuple of Share
    by_group : tuple of GroupResult
    reliability : Reliability or None
    """

    count: int
    images: int
    curve: Curve
    at_rates: tuple[AtRate, ...]
    at_rates_without_pieces: tuple[AtRate, ...]
    sensitivity: Estimate
    false_per_image: Estimate
    false_per_cm2: Estimate
    fragments_per_image: float
    iou: Estimate | None
    by_label: tuple[Share, ...]
    by_size: tuple[Share, ...]
    by_visibility: tuple[Share, ...]
    by_group: tuple[GroupResult, ...]
    reliability: Reliability | None


@dataclass(frozen=True)
class RegionShare:
    """Regions of one kind at the operating point: hit by two marks or more, touched by one."""

    name: str
    count: int
    hit: float
    touched: float


@dataclass(frozen=True, eq=False)
class ClusterResult:
    """Regions with calcifications: hit by two marks or more; false clusters are three marks or more within 1 cm2.

    Attributes
    ----------
    count, images, images_without : int
        Regions, images, and images without a region.
    curve : Curve
    at_rates : tuple of AtRate
    sensitivity, touched, false_per_image, false_per_image_without : Estimate
        At the operating point: regions hit by two marks, by one, false clusters per image, and per image that has no
        region.
    by_label, by_distribution, by_outcome : tuple of RegionShare
    """

    count: int
    images: int
    images_without: int
    curve: Curve
    at_rates: tuple[AtRate, ...]
    sensitivity: Estimate
    touched: Estimate
    false_per_image: Estimate
    false_per_image_without: Estimate
    by_label: tuple[RegionShare, ...]
    by_distribution: tuple[RegionShare, ...]
    by_outcome: tuple[RegionShare, ...]


@dataclass(frozen=True)
class PresenceResult:
    """Whether images with calcifications score higher than those without: area under the ROC curve.

    An image scores as its strongest cluster does.
    """

    images_with: int
    images_without: int
    auc: Estimate


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of `evaluate`.

    Attributes
    ----------
    images, patients, not_searched : int
        `not_searched` images failed or were skipped: what is in them counts as missed.
    breast_area_cm2 : float
        Of all images.
    operating_point : float
        Marks from this score on are what a user sees.
    specks : SpeckResult or None
        Calcifications one by one; None where none were marked so.
    clusters : ClusterResult or None
        Regions; None where none were marked.
    presence : PresenceResult or None
        Images with and without; None where that is not known.
    remarks : tuple of str
        What must be known to read the figures.
    outcomes : tuple of Outcome
        Image by image.
    """

    images: int
    patients: int
    not_searched: int
    breast_area_cm2: float
    operating_point: float
    specks: SpeckResult | None
    clusters: ClusterResult | None
    presence: PresenceResult | None
    remarks: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single images as plain data, ready for JSON; what is not known is None.

        Returns
        -------
        dict
            By the names of the attributes.
        """
        parts = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "outcomes"
        }
        return {name: _plain(value) for name, value in parts.items()}

    def as_text(self) -> str:
        """The tables to read.

        Returns
        -------
        str
            Lines of plain text.
        """
        from mammocalc.evaluate.report import report

        return report(self)

    def plot(self, path: Any) -> None:
        """Draw the curves and the reliability of the score into a PNG file.

        Parameters
        ----------
        path : path
            The file.
        """
        from mammocalc.evaluate.figure import draw

        draw(self, path)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Curve):
            value = _thinned(value)
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 6) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _thinned(curve: Curve, points: int = 200) -> Curve:
    """At most so many points of a curve, evenly along the logarithm of false marks."""
    rate = np.log10(np.maximum(curve.false_per_image, 1e-3))
    keep = np.unique(np.searchsorted(rate, np.linspace(rate[0], rate[-1], points), side="right") - 1)
    return Curve(*(getattr(curve, field.name)[keep] for field in dataclasses.fields(curve)))


def evaluate(
    pairs: Iterable[tuple[TrueImage, Detections]],
    *,
    operating_point: float = OPERATING_POINT,
    resamples: int = 1000,
    remarks: Sequence[str] = (),
) -> Evaluation:
    """Judge the marks on many images.

    A mark hits a calcification within ``max(0.35 mm, its radius)`` or where masks overlap by 0.3, one to one, best
    score first; false marks are counted on all images. For the whole curve, the marks should go down to score 0.

    Parameters
    ----------
    pairs : iterable of (TrueImage, Detections)
        The truth of each image and the marks on it.
    operating_point : float
        The score from which on marks are shown to a user.
    resamples : int
        Bootstrap samples of patients for the intervals.
    remarks : sequence of str
        About the data set, passed on to the report.

    Returns
    -------
    Evaluation
        Curves and figures with their intervals.
    """
    outcomes = tuple(judge(truth, detections) for truth, detections in pairs)
    weights = patient_weights([outcome.truth.patient for outcome in outcomes], resamples)
    area = _areas(outcomes)
    return Evaluation(
        images=len(outcomes),
        patients=len({outcome.truth.patient for outcome in outcomes}),
        not_searched=sum(outcome.detections.status != "ok" for outcome in outcomes),
        breast_area_cm2=float(area.sum()),
        operating_point=operating_point,
        specks=_part(outcomes, weights, lambda one: one.matches is not None, _specks, operating_point),
        clusters=_part(outcomes, weights, lambda one: one.outside is not None, _clusters, operating_point),
        presence=_part(outcomes, weights, lambda one: one.calcified is not None, _presence, 0.0),
        remarks=tuple(remarks),
        outcomes=outcomes,
    )


def _areas(outcomes: Sequence[Outcome]) -> Floats:
    return np.nan_to_num(np.array([outcome.detections.breast_area_mm2 for outcome in outcomes]) / 100)


def _part(
    outcomes: Sequence[Outcome],
    weights: Floats,
    concerns: Callable[[Outcome], bool],
    judged: Callable[[list[Outcome], Floats, float], Any],
    operating_point: float,
) -> Any:
    """What is judged on the images that a question concerns; None where it concerns none."""
    index = [i for i, outcome in enumerate(outcomes) if concerns(outcome)]
    if not index:
        return None
    return judged([outcomes[i] for i in index], weights[:, index], operating_point)


def _ratio(above: Floats, below: Floats, weights: Floats) -> Estimate:
    """Sum over sum, over images, with its bootstrap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = (weights @ above) / (weights @ below)
    whole = float(above.sum() / below.sum()) if below.sum() else math.nan
    return Estimate(whole, *interval(samples))


def _specks(outcomes: list[Outcome], weights: Floats, operating_point: float) -> SpeckResult:
    ones, area = np.ones(len(outcomes)), _areas(outcomes)
    score = np.concatenate([outcome.detections.score for outcome in outcomes])
    hit = np.concatenate([outcome.is_true for outcome in outcomes])
    image = np.repeat(np.arange(len(outcomes)), [len(outcome.detections) for outcome in outcomes])
    truths = np.array([len(outcome.found_at) for outcome in outcomes], np.float64)
    marked = Marked(score, hit, image, truths, area)
    curve = froc(marked)
    shown = score >= operating_point

    def per_image(which: NDArray[np.bool_]) -> Floats:
        return np.bincount(image[which], minlength=len(outcomes)).astype(np.float64)

    fragment = np.concatenate([outcome.matches.fragment for outcome in outcomes if outcome.matches])
    whole = Marked(score[~fragment], hit[~fragment], image[~fragment], truths, area)
    found_at = np.concatenate([outcome.found_at for outcome in outcomes])
    levels = (operating_point, *(curve.at(rate)[1] for rate in DETAIL_RATES))
    specks = [outcome.truth.specks for outcome in outcomes if outcome.truth.specks is not None]
    label = np.array([name for one in specks for name in one.label], np.str_)
    diameter = np.concatenate([one.marks.diameter_mm for one in specks])
    visible = np.concatenate(
        [np.full(len(one), np.nan) if one.visibility is None else one.visibility for one in specks]
    )
    return SpeckResult(
        count=int(truths.sum()),
        images=len(outcomes),
        curve=curve,
        at_rates=_at_rates(curve, RATES, bootstrapped(marked, RATES, weights)),
        at_rates_without_pieces=_at_rates(froc(whole), RATES, bootstrapped(whole, RATES, weights)),
        sensitivity=_ratio(per_image(shown & hit), truths, weights),
        false_per_image=_ratio(per_image(shown & ~hit), ones, weights),
        false_per_cm2=_ratio(per_image(shown & ~hit), area, weights),
        fragments_per_image=float(np.mean(per_image(shown & fragment))),
        iou=_overlap(outcomes, weights, operating_point),
        by_label=_shares(found_at, levels, [(name, label == name) for name in sorted(set(label.tolist()))]),
        by_size=_shares(found_at, levels, _binned(diameter, SIZE_EDGES_MM, "mm") if diameter.any() else []),
        by_visibility=_shares(found_at, levels, _binned(visible, VISIBILITY_EDGES, "")),
        by_group=_by_group(outcomes, operating_point),
        reliability=reliability(score, hit),
    )


def _at_rates(curve: Curve, rates: Sequence[tuple[str, float]], samples: Floats) -> tuple[AtRate, ...]:
    out = []
    for k, (axis, rate) in enumerate(rates):
        sensitivity, least = curve.at(rate, axis)
        estimate = Estimate(sensitivity, *interval(samples[:, k]))
        out.append(AtRate(axis, rate, estimate, least, curve.reaches(rate, axis)))
    return tuple(out)


def _overlap(outcomes: list[Outcome], weights: Floats, operating_point: float) -> Estimate | None:
    total, count = np.zeros(len(outcomes)), np.zeros(len(outcomes))
    for i, outcome in enumerate(outcomes):
        if outcome.matches is not None:
            iou = outcome.matches.iou[outcome.found_at >= operating_point]
            total[i], count[i] = np.nansum(iou), np.isfinite(iou).sum()
    return _ratio(total, count, weights) if count.any() else None


def _binned(values: Floats, edges: Sequence[float], unit: str) -> list[tuple[str, NDArray[np.bool_]]]:
    def name(low: float, high: float) -> str:
        text = f">= {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
        return f"{text} {unit}".strip()

    return [(name(low, high), (values >= low) & (values < high)) for low, high in itertools.pairwise(edges)]


def _shares(
    found_at: Floats, levels: Sequence[float], parts: Sequence[tuple[str, NDArray[np.bool_]]]
) -> tuple[Share, ...]:
    out = []
    for name, which in parts:
        if name and which.any():
            found = [float(np.mean(found_at[which] >= level)) for level in levels]
            out.append(Share(name, int(which.sum()), found[0], tuple(found[1:])))
    return tuple(out)


def _by_group(outcomes: list[Outcome], operating_point: float) -> tuple[GroupResult, ...]:
    out = []
    for name in sorted({outcome.truth.group for outcome in outcomes} - {""}):
        members = [outcome for outcome in outcomes if outcome.truth.group == name]
        found = np.concatenate([outcome.found_at for outcome in members]) >= operating_point
        false = sum(
            int(np.sum(~outcome.is_true & (outcome.detections.score >= operating_point)))
            for outcome in members
        )
        sensitivity = float(found.mean()) if len(found) else math.nan
        out.append(GroupResult(name, len(members), len(found), sensitivity, false / len(members)))
    return tuple(out)


def _clusters(outcomes: list[Outcome], weights: Floats, operating_point: float) -> ClusterResult:
    ones = np.ones(len(outcomes))
    truths = np.array([len(outcome.region_found_at) for outcome in outcomes], np.float64)
    without = truths == 0
    levels, false = _false_clusters(outcomes)
    found = np.array([[np.sum(one.region_found_at >= level) for level in levels] for one in outcomes], float)
    area = _areas(outcomes)
    curve = _cluster_curve(levels, found, false, truths, area, ones)
    samples = np.array(
        [
            [
                _cluster_curve(levels, found, false, truths, area, weight).at(rate)[0]
                for _, rate in CLUSTER_RATES
            ]
            for weight in weights
        ]
    ).reshape(-1, len(CLUSTER_RATES))
    shown = np.array([one.outside.clusters(operating_point) for one in outcomes if one.outside], np.float64)

    def hit(scores: list[Floats]) -> Estimate:
        each = np.array([np.sum(score >= operating_point) for score in scores], np.float64)
        return _ratio(each, truths, weights)

    return ClusterResult(
        count=int(truths.sum()),
        images=len(outcomes),
        images_without=int(without.sum()),
        curve=curve,
        at_rates=_at_rates(curve, CLUSTER_RATES, samples),
        sensitivity=hit([one.region_found_at for one in outcomes]),
        touched=hit([one.region_touched_at for one in outcomes]),
        false_per_image=_ratio(shown, ones, weights),
        false_per_image_without=_ratio(shown * without, without.astype(np.float64), weights),
        by_label=_region_shares(outcomes, operating_point, "label"),
        by_distribution=_region_shares(outcomes, operating_point, "distribution"),
        by_outcome=_region_shares(outcomes, operating_point, "outcome"),
    )


def _region_shares(outcomes: list[Outcome], operating_point: float, field: str) -> tuple[RegionShare, ...]:
    kind = np.array(
        [getattr(one, field) for outcome in outcomes for one in outcome.truth.regions or ()], np.str_
    )
    hit = np.concatenate([outcome.region_found_at for outcome in outcomes]) >= operating_point
    touched = np.concatenate([outcome.region_touched_at for outcome in outcomes]) >= operating_point
    parts = [(name, kind == name) for name in sorted(set(kind.tolist()) - {""})]
    return tuple(
        RegionShare(name, int(which.sum()), float(hit[which].mean()), float(touched[which].mean()))
        for name, which in parts
    )


def _false_clusters(outcomes: Sequence[Outcome], levels: int = 120) -> tuple[Floats, Floats]:
    """Scores in descending order and the false clusters of each image from each of them on, shape (images, levels).

    Goes down until there are clearly more false clusters than any rate asks for.
    """
    crowds = [one.outside for one in outcomes if one.outside is not None]
    scores = np.concatenate([*(one.region_found_at for one in outcomes), *(crowd.score for crowd in crowds)])
    scores = np.unique(scores[np.isfinite(scores)])[::-1]
    if len(scores) > levels:
        # Close together where scores are high: the rates asked for are low.
        at = np.unique(np.round(np.geomspace(1, len(scores), levels)).astype(int) - 1)
        scores = scores[at]
    columns: list[list[int]] = []
    for level in scores:
        columns.append([crowd.clusters(float(level)) for crowd in crowds])
        if np.mean(columns[-1]) > 3 * FALSE_CLUSTERS_PER_IMAGE[-1]:
            break
    table = np.array(columns, np.float64).T.reshape(len(crowds), len(columns))
    # Two discs can melt into one when a mark is added between them: the count is held so that curves never turn back.
    return scores[: len(columns)], np.maximum.accumulate(table, axis=1)


def _cluster_curve(
    levels: Floats, found: Floats, false: Floats, truths: Floats, area: Floats, weight: Floats
) -> Curve:
    total, cm2 = float(weight @ truths), float(weight @ area)
    hit, wrong = weight @ found, weight @ false
    nothing = np.zeros(1)
    return Curve(
        np.concatenate(([np.inf], levels)),
        np.concatenate((nothing, hit)) / total if total else np.full(len(levels) + 1, np.nan),
        np.concatenate((nothing, wrong)) / max(float(weight.sum()), 1e-300),
        np.concatenate((nothing, wrong)) / cm2 if cm2 else np.full(len(levels) + 1, np.inf),
    )


def _presence(outcomes: list[Outcome], weights: Floats, _: float) -> PresenceResult | None:
    calcified = np.array([bool(outcome.calcified) for outcome in outcomes])
    if calcified.all() or not calcified.any():
        return None
    score = np.array([outcome.strongest_cluster for outcome in outcomes])
    above = score[calcified][:, None] - score[~calcified]
    won = np.where(above == 0, 0.5, above > 0)
    first, second = weights[:, calcified], weights[:, ~calcified]
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = np.einsum("ri,ij,rj->r", first, won, second, optimize=True) / (
            first.sum(axis=1) * second.sum(axis=1)
        )
    return PresenceResult(
        int(calcified.sum()), int((~calcified).sum()), Estimate(float(won.mean()), *interval(samples))
    )
