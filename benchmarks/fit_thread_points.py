"""Fit the points for a thread: the table `mammocalc/arrange/thread_points.toml`.

    python benchmarks/fit_thread_points.py --jobs 2 --write

A logistic regression on steps of a candidate's own features and of its company, each of which may only speak one way.
Candidates are the elongated ones that the stages find on synthetic mammograms of training seeds: mixed ones, mixed ones
with further sutures among what is there, and, for less, ones with arteries calcified all around and secretory ones.
Sixths by image say how well candidates that were not fitted are told apart.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from labelled_images import coverage, matches, settings_of
from scipy.optimize import minimize

import mammocalc.arrange
from mammocalc.arrange import Arrangement, arrange
from mammocalc.arrange.thread_points import LEAST_ELONGATION, LEAST_MM
from mammocalc.measure import Measurements, measure
from mammocalc.phantom import TRAINING_SEEDS, PhantomSettings, Truth, make
from mammocalc.prepare import prepare
from mammocalc.segment import segment

SEEDS = {
    "mixed": range(3000, 4600),
    "more": range(6000, 6200),
    "arterial": range(5000, 5160),
    "secretory": range(3000, 3140),
}
# Values at which each feature may add points, and whether it adds them below.
STEPS: dict[str, tuple[list[float], bool]] = {
    "length_mm": ([2, 2.5, 3, 3.5, 4, 5, 6, 8], False),
    "width_mm": ([0.2, 0.3, 0.4, 0.5, 0.6, 0.72, 0.9], True),
    "bulge": ([1.5, 1.75, 2, 2.25, 2.5, 3], False),
    "straightness": ([0.8, 0.9, 0.95, 0.975, 0.99], True),
    "branches": ([0.5], True),
    "heterogeneity": ([0.08, 0.12, 0.16, 0.2], False),
    "roughness": ([0.04, 0.05, 0.06, 0.08], True),
    "nipple_angle_deg": ([20, 30, 45], False),
    "chain_strands": ([0.5, 1.5, 2.5, 3.5, 5.5, 9.5], True),
    "paired_length_mm": ([0.5, 1, 2, 3, 5, 8], True),
    "chain_calcified_fraction": ([0.5, 0.65, 0.8, 0.9, 0.97], False),
    "vessel_fraction": ([0.2, 0.35, 0.5, 0.65, 0.8], True),
    "chain_curvature_per_mm": ([0.08, 0.14, 0.22, 0.27, 0.33], False),
    "vessel_points": ([0.1, 1, 2, 3, 4.5], True),
    "chain_strand_mm": ([3, 4, 5, 7], False),
    "neighbours": ([0.5, 1.5, 2.5, 3.5, 5.5, 8.5], True),
    "cluster_elongation": ([1.5, 2, 2.5, 3], True),
    "lucency": ([0.15], True),
}
# What a candidate counts: the one that found a suture and a further piece of it, then by what is taken for a thread.
FOUND, PIECE, CAST, ROD, OTHER, WALL_PER_MM = 2.0, 0.7, 3.0, 4.0, 3.0, 0.35
KIND_WEIGHT = {"mixed": 1.0, "more": 1.0, "arterial": 0.15, "secretory": 0.15}
RIDGE = 1.0
FOLDS = 6
LIKELY = -1.2
FILE = Path(mammocalc.arrange.__file__).parent / "thread_points.toml"


def settings(kind: str, seed: int) -> PhantomSettings:
    """Settings of one image; those of ``more`` are mixed ones with further sutures, shells and lumps."""
    made = settings_of("mixed" if kind == "more" else kind, seed)
    if kind != "more":
        return made
    return dataclasses.replace(
        made,
        suture=made.suture + 2,
        dystrophic=made.dystrophic + 2,
        rim=made.rim + 2,
        coarse=made.coarse + 1,
    )


def candidates_of(
    kind: str,
    truth: Truth,
    measurements: Measurements,
    arrangement: Arrangement,
    lies_on: np.ndarray,
    matched: np.ndarray,
) -> list[dict[str, Any]]:
    """Features of every elongated candidate of one image that lies on something, and what that is."""
    columns = {**measurements.columns, **arrangement.columns}
    elongated = (columns["elongation"] >= LEAST_ELONGATION) & (columns["length_mm"] >= LEAST_MM)
    return [
        {name: float(columns[name][k]) for name in STEPS}
        | {
            "seed": truth.seed,
            "kind": kind,
            "truth": truth.calcifications[lies_on[k]].label,
            "found": bool((matched == k).any()),
        }
        for k in np.flatnonzero(elongated & (lies_on >= 0))
    ]


def candidates_of_seed(kind: str, seed: int) -> list[dict[str, Any]]:
    """Make one image, run the stages, and take the candidates."""
    phantom = make(seed, settings=settings(kind, seed))
    scene = prepare(phantom.mammogram)
    regions = segment(scene)
    measurements = measure(scene, regions)
    lies_on, _ = coverage(phantom.truth, scene, regions)
    matched = matches(phantom.truth, scene, regions, measurements)
    arrangement = arrange(scene, measurements)
    return candidates_of(kind, phantom.truth, measurements, arrangement, lies_on, matched)


def answers(candidates: list[dict[str, Any]]) -> np.ndarray:
    """One column a step: whether it adds its points, shape (candidates, steps)."""
    columns = []
    for name, (values, below) in STEPS.items():
        known = np.nan_to_num(np.array([one[name] for one in candidates]))
        columns += [(known < value) if below else (known >= value) for value in values]
    return np.array(columns, float).T


def weight_of(one: dict[str, Any]) -> float:
    """What one candidate counts."""
    label = one["truth"]
    if label == "suture":
        weight = FOUND if one["found"] else PIECE
    elif label == "vascular":
        weight = WALL_PER_MM * one["length_mm"]
    elif label.startswith("fine_linear"):
        weight = CAST
    else:
        weight = ROD if label == "large_rod_like" else OTHER
    return weight * KIND_WEIGHT[one["kind"]]


def fitted(asked: np.ndarray, is_thread: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Offset and points by penalised maximum likelihood, none below 0."""

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        odds = factors[0] + asked @ factors[1:]
        wrong = np.logaddexp(0.0, np.where(is_thread, -odds, odds))
        slope = weight * (1 / (1 + np.exp(-odds)) - is_thread)
        return (
            float((weight * wrong).sum() + RIDGE * (factors[1:] ** 2).sum()),
            np.append(slope.sum(), asked.T @ slope + 2 * RIDGE * factors[1:]),
        )

    steps = asked.shape[1]
    bounds = [(None, None)] + [(0.0, None)] * steps
    return minimize(loss, np.zeros(steps + 1), jac=True, method="L-BFGS-B", bounds=bounds).x


def lines_of(factors: np.ndarray) -> Iterator[str]:
    """The file, line by line."""
    yield "# Points for a thread, see thread_points.py; written by benchmarks/fit_thread_points.py from"
    yield "# synthetic mammograms of training seeds: " + ", ".join(
        f"{kind} {seeds.start} to {seeds.stop - 1}" for kind, seeds in SEEDS.items()
    )
    yield f"offset = {factors[0]:.2f}"
    place = 1
    for name, (values, below) in STEPS.items():
        points = factors[place : place + len(values)]
        place += len(values)
        kept = [i for i in range(len(values)) if points[i] >= 0.05]
        yield ""
        yield "[[steps]]"
        yield f'feature = "{name}"'
        yield f"values = [{', '.join(f'{float(values[i])}' for i in kept)}]"
        yield f"points = [{', '.join(f'{points[i]:.2f}' for i in kept)}]"
        yield f"below = {str(below).lower()}"


def report(candidates: list[dict[str, Any]]) -> str:
    """How well candidates of other images are told apart, printed; and the file's text."""
    truth = np.array([one["truth"] for one in candidates])
    is_thread = truth == "suture"
    weight = np.array([weight_of(one) for one in candidates])
    asked, seeds = answers(candidates), np.array([one["seed"] for one in candidates])
    odds = np.zeros(len(asked))
    for fold in range(FOLDS):
        mine = seeds % FOLDS == fold
        factors = fitted(asked[~mine], is_thread[~mine], weight[~mine])
        odds[mine] = factors[0] + asked[mine] @ factors[1:]
    print(f"{len(candidates)} elongated candidates; called threads from {LIKELY} on, out of fold:")
    for label in np.unique(truth):
        mine = truth == label
        print(f"  {label}: {(odds[mine] >= LIKELY).sum()} of {mine.sum()}")
    return "\n".join(lines_of(fitted(asked, is_thread, weight))) + "\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    options = parser.parse_args()
    work = [(kind, seed) for kind, seeds in SEEDS.items() for seed in seeds]
    if any(seed not in TRAINING_SEEDS for _, seed in work):
        raise SystemExit("only training seeds may be fitted on")
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = pool.map(candidates_of_seed, *zip(*work, strict=True))
        text = report([one for part in parts for one in part])
    print(text)
    if options.write:
        FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
