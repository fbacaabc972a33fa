"""An evaluation as tables to read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mammocalc.evaluate.evaluation import (
    DETAIL_RATES,
    AtRate,
    ClusterResult,
    Estimate,
    Evaluation,
    Share,
    SpeckResult,
)

_AXES = {"false_per_image": "false/image", "false_per_cm2": "false/cm2"}


def report(evaluation: Evaluation) -> str:
    """The tables as text; an interval is the central 95 % of a bootstrap by patient."""
    searched = evaluation.images - evaluation.not_searched
    lines = [
        f"images {evaluation.images} of {evaluation.patients} patients, {searched} searched, "
        f"{evaluation.breast_area_cm2:.0f} cm2 of breast"
    ]
    if evaluation.not_searched:
        lines.append(f"{evaluation.not_searched} images were not searched: what is in them counts as missed")
    for part in (
        _specks(evaluation.specks, evaluation.operating_point),
        _clusters(evaluation.clusters, evaluation.operating_point),
    ):
        lines += ["", *part] if part else []
    if evaluation.presence is not None:
        one = evaluation.presence
        lines += [
            "",
            f"images with calcifications against images without ({one.images_with}, {one.images_without}): "
            f"area under the ROC curve {_with_interval(one.auc)}",
        ]
    lines += [f"note: {remark}" for remark in evaluation.remarks]
    return "\n".join(lines)


def _specks(result: SpeckResult | None, operating_point: float) -> list[str]:
    if result is None:
        return []
    lines = [f"single calcifications: {result.count} on {result.images} images", *_rates(result.at_rates)]
    if result.fragments_per_image:
        pieces = ", ".join(
            f"{one.sensitivity.value:.3f} at {one.rate:g}"
            for one in result.at_rates_without_pieces
            if one.axis == "false_per_image"
        )
        lines.append(f"  pieces of what is found already set aside: {pieces} false/image")
    lines += [
        f"  from score {operating_point:g} on:  sensitivity {_with_interval(result.sensitivity)}, "
        f"{_with_interval(result.false_per_image)} false/image, "
        f"{_with_interval(result.false_per_cm2)} false/cm2; {result.fragments_per_image:.2f} false/image are pieces",
    ]
    if result.iou is not None:
        lines.append(f"  mean overlap (IoU) of hits {_with_interval(result.iou)}")
    if result.reliability is not None:
        one = result.reliability
        lines.append(
            f"  score as a probability: Brier {one.brier:.3f} (constant: {one.brier_of_base_rate:.3f}), "
            f"expected calibration error {one.expected_calibration_error:.3f}, "
            f"from score 0.1 on {_number(one.calibration_error_of_likely)}"
        )
    lines += _shares("label", result.by_label, operating_point)
    lines += _shares("diameter", result.by_size, operating_point)
    lines += _shares("detectability", result.by_visibility, operating_point)
    if result.by_group:
        lines += ["", f"  {'images of':28}{'n':>6}{'specks':>8}{'sensitivity':>13}{'false/image':>13}"]
        lines += [
            f"  {one.name:28}{one.images:6}{one.specks:8}{_number(one.sensitivity):>13}{one.false_per_image:13.2f}"
            for one in result.by_group
        ]
    return lines


def _shares(title: str, shares: Sequence[Share], operating_point: float) -> list[str]:
    if not shares:
        return []
    at = "".join(f"{f'@{rate:g}/image':>12}" for rate in DETAIL_RATES)
    lines = ["", f"  {title:28}{'n':>6}{f'>= {operating_point:g}':>10}{at}"]
    for share in shares:
        found = "".join(f"{value:12.3f}" for value in share.at_rates)
        lines.append(f"  {share.name:28}{share.count:6}{share.at_operating_point:10.3f}{found}")
    return lines


def _clusters(result: ClusterResult | None, operating_point: float) -> list[str]:
    if result is None:
        return []
    lines = [
        f"regions (hit: 2 marks inside; false cluster: 3 marks within 1 cm2 outside): {result.count} on "
        f"{result.images} images, {result.images_without} images without",
        *(_rates(result.at_rates) if result.count else []),
        f"  from score {operating_point:g} on:  hit {_with_interval(result.sensitivity)}, touched by one mark "
        f"{_with_interval(result.touched)}",
        f"    false clusters: {_with_interval(result.false_per_image)} an image, "
        f"{_with_interval(result.false_per_image_without)} an image without regions",
    ]
    for title, shares in (
        ("label", result.by_label),
        ("distribution", result.by_distribution),
        ("outcome", result.by_outcome),
    ):
        if shares:
            lines += ["", f"  {title:36}{'n':>6}{'hit':>10}{'touched':>10}"]
            lines += [f"  {one.name:36}{one.count:6}{one.hit:10.3f}{one.touched:10.3f}" for one in shares]
    return lines


def _rates(rates: Sequence[AtRate]) -> list[str]:
    lines = []
    for one in rates:
        bound = "" if one.reached else "   at least; the marks end before this rate"
        lines.append(
            f"  at {one.rate:5g} {_AXES[one.axis]:12} sensitivity {_with_interval(one.sensitivity)}"
            f"   score >= {_number(one.least_score)}{bound}"
        )
    return lines


def _number(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{value:.3f}"


def _with_interval(estimate: Estimate) -> str:
    return f"{_number(estimate.value)} ({_number(estimate.low)} to {_number(estimate.high)})"
