"""The curves of an evaluation, drawn."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mammocalc.evaluate.evaluation import AtRate, Evaluation
    from mammocalc.evaluate.froc import Curve


def draw(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write a picture with the free-response curves per calcification and per region, and the reliability diagram."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    specks, clusters = evaluation.specks, evaluation.clusters
    panels: list[Any] = []
    if specks is not None:
        panels.append(lambda axes: _curve(axes, specks.curve, specks.at_rates, "calcifications", (0.1, 100)))
    if clusters is not None and clusters.count:
        panels.append(lambda axes: _curve(axes, clusters.curve, clusters.at_rates, "regions", (0.02, 10)))
    if specks is not None and specks.reliability is not None:
        panels.append(lambda axes: _reliability(axes, evaluation))
    figure = Figure(figsize=(5.2 * max(len(panels), 1), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    for k, panel in enumerate(panels):
        panel(figure.add_subplot(1, len(panels), k + 1))
    figure.savefig(path, dpi=110)


def _curve(
    axes: Any, curve: Curve, rates: tuple[AtRate, ...], what: str, limits: tuple[float, float]
) -> None:
    axes.step(
        np.maximum(curve.false_per_image, limits[0] / 10), curve.sensitivity, where="post", color="#1f5fa8"
    )
    for one in rates:
        if one.axis == "false_per_image" and one.reached:
            value = one.sensitivity
            axes.plot([one.rate, one.rate], [value.low, value.high], color="#1f5fa8", alpha=0.5, linewidth=4)
            axes.annotate(
                f"{value.value:.2f}",
                (one.rate, value.value),
                (4, -12),
                textcoords="offset points",
                fontsize=8,
            )
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"false {'clusters' if what == 'regions' else 'marks'} per image")
    axes.set_ylabel(f"share of {what} found")
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.set_title(f"{what}; bars: 95 % by patient", fontsize=10)


def _reliability(axes: Any, evaluation: Evaluation) -> None:
    assert evaluation.specks is not None
    assert evaluation.specks.reliability is not None
    one = evaluation.specks.reliability
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    axes.plot(one.mean_score, one.share_true, "o-", color="#b5471b")
    for x, y, n in zip(one.mean_score, one.share_true, one.count, strict=True):
        if n:
            axes.annotate(f"{n:.0f}", (x, y), (5, -11), textcoords="offset points", fontsize=8, color="0.35")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("score")
    axes.set_ylabel("share that is true")
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.set_title(
        f"reliability: Brier {one.brier:.3f}, calibration error {one.calibration_error_of_likely:.3f}",
        fontsize=10,
    )
