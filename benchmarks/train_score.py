"""Fit the detection score on synthetic mammograms of the training seeds, and write it as a readable table.

    python benchmarks/train_score.py --images 300 --write mammocalc/segment/score.toml

The score is an additive model: log-odds as a piecewise linear function of each piece of evidence, fitted by logistic
regression with a penalty on curvature (a generalised additive model, Hastie & Tibshirani 1990). Only training seeds are
used; even ones fit, odd ones check. `--without NAME` drops a piece of evidence, for an ablation. What is written is
the mean of the fit and of a table set by hand, `score_prior.toml`: synthetic tissue has fewer bright strands than real
tissue, and the fit alone trusts long objects of low contrast too much.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from mammocalc.evaluate.matching import Marks, match
from mammocalc.phantom import TRAINING_SEEDS, make
from mammocalc.phantom.scenes import mixed
from mammocalc.prepare import prepare
from mammocalc.segment import SegmentParameters, segment
from mammocalc.segment.score import ScoreTable, read_table, supporting_neighbours

EVIDENCE = (
    "response",
    "background_ratio",
    "contrast_noise",
    "edge_width_mm",
    "edge_width_px",
    "diameter_mm",
    "elongation",
    "fill",
    "background_slope",
    "isolation",
    "one_sided",
    "skin_distance_mm",
    "neighbours",
)
PRIOR = Path(__file__).with_name("score_prior.toml")
# More contrast never speaks against a calcification, whatever dust on synthetic film may teach.
RISING = ("response", "background_ratio", "contrast_noise")
NEIGHBOUR_KNOTS = np.array([0.0, 0.3, 0.7, 1.5, 3.0, 6.0, 12.0])
FALSE_PER_IMAGE = (1, 2, 5, 10, 50)


def candidates_of(seed):
    """Every candidate of one training phantom with its evidence, and whether it is a calcification."""
    phantom = make(seed, settings=mixed(seed))
    scene = prepare(phantom.mammogram)
    regions = segment(scene, SegmentParameters(min_score=0.0))
    truths = phantom.truth.calcifications
    row, col = (regions.evidence[name] + scene.origin[i] for i, name in enumerate(("row", "col")))
    runs = [
        [
            (
                int(regions.run_row[i] + scene.origin[0]),
                int(regions.run_start[i] + scene.origin[1]),
                int(regions.run_stop[i] + scene.origin[1]),
            )
            for i in range(regions.offsets[k], regions.offsets[k + 1])
        ]
        for k in range(len(regions))
    ]
    found = Marks(row, col, regions.evidence["diameter_mm"], runs)
    drawn = Marks(
        np.array([t.row for t in truths]),
        np.array([t.col for t in truths]),
        np.array([t.diameter_mm for t in truths]),
        [t.runs for t in truths],
    )
    # The strongest response first: the score is what is being fitted, so it may not decide who matches.
    result = match(found, regions.evidence["response"], drawn, scene.pixel_spacing_mm)
    return {
        "seed": seed,
        "evidence": regions.evidence,
        "millimetres": (row * scene.pixel_spacing_mm, col * scene.pixel_spacing_mm),
        "true": result.truth_of >= 0,
        "fragment": result.fragment,
        "drawn": len(truths),
    }


def pooled(images, name):
    """One column over all images."""
    return np.concatenate([image["evidence"][name] for image in images])


def hat_functions(values, knots):
    """Each value as weights of its two neighbouring knots."""
    values = np.clip(values, knots[0], knots[-1])
    low = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    part = (values - knots[low]) / (knots[low + 1] - knots[low])
    basis = np.zeros((len(values), len(knots)))
    basis[np.arange(len(values)), low] = 1 - part
    basis[np.arange(len(values)), low + 1] = part
    return basis


def fit(images, names, smoothness=3.0, rounds=3):
    """The score table for these images; the neighbours' support is recomputed from each round's own scores."""
    true = np.concatenate([image["true"] for image in images])
    used = ~np.concatenate([image["fragment"] for image in images])
    knots = {
        name: np.unique(np.round(np.quantile(pooled(images, name), np.linspace(0.01, 0.99, 8)), 4))
        for name in names
        if name != "neighbours"
    }
    if "neighbours" in names:
        knots["neighbours"] = NEIGHBOUR_KNOTS
    table = ScoreTable(0.0, {"response": ((4.0, -3.0), (8.0, 0.0), (16.0, 3.0))})
    for _ in range(rounds):
        support(images, table)
        basis = np.hstack([hat_functions(pooled(images, name), knots[name]) for name in names])[used]
        target = true[used].astype(float)
        penalty = np.zeros((basis.shape[1], basis.shape[1]))
        at = 0
        for name in names:
            n = len(knots[name])
            bend = np.diff(np.eye(n), 2, axis=0)
            penalty[at : at + n, at : at + n] = smoothness * (bend.T @ bend + 0.02 * np.eye(n))
            at += n

        def loss(weights, basis=basis, target=target, penalty=penalty):
            log_odds = basis @ weights[1:] + weights[0]
            residual = 1 / (1 + np.exp(-log_odds)) - target
            value = (
                np.sum(np.logaddexp(0, log_odds) - target * log_odds)
                + 0.5 * weights[1:] @ penalty @ weights[1:]
            )
            return value, np.concatenate(([residual.sum()], basis.T @ residual + penalty @ weights[1:]))

        weights = minimize(
            loss, np.zeros(basis.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 800}
        ).x
        points, at = {}, 1
        for name in names:
            n = len(knots[name])
            log_odds = weights[at : at + n]
            if name in RISING:
                log_odds = np.maximum.accumulate(log_odds)
            points[name] = tuple(zip(knots[name].tolist(), log_odds.tolist(), strict=True))
            at += n
        table = ScoreTable(float(weights[0]), points)
    return table


def support(images, table):
    """Set every candidate's neighbour evidence by the scores that a table gives them alone."""
    for image in images:
        evidence = image["evidence"]
        evidence["neighbours"] = np.zeros(len(image["true"]))
        alone = 1 / (1 + np.exp(-table.log_odds(evidence)))
        evidence["neighbours"] = supporting_neighbours(
            *image["millimetres"], alone, SegmentParameters().neighbourhood_mm
        )


def froc(images, table):
    """Sensitivity at each number of false positives per image, fragments counted as false."""
    support(images, table)
    score = np.concatenate([table.log_odds(image["evidence"]) for image in images])
    true = np.concatenate([image["true"] for image in images])[np.argsort(-score, kind="stable")]
    hits, false = np.cumsum(true), np.cumsum(~true)
    drawn = sum(image["drawn"] for image in images)
    at = [np.searchsorted(false, rate * len(images), side="right") - 1 for rate in FALSE_PER_IMAGE]
    return [hits[i] / drawn for i in at]


def mean_of(one, other):
    """The table half way between two, with the points of both."""
    points = {}
    for name in {**one.points, **other.points}:
        tables = [np.array(table.points.get(name, ((0.0, 0.0), (1.0, 0.0)))).T for table in (one, other)]
        values = sorted({value for table in (one, other) for value, _ in table.points.get(name, ())})
        log_odds = np.mean([np.interp(values, *table) for table in tables], axis=0)
        points[name] = tuple(zip(values, log_odds.tolist(), strict=True))
    return ScoreTable((one.offset + other.offset) / 2, points)


def written(table, images):
    """The table as TOML, with how it came about."""
    lines = [
        "# Log-odds that a candidate is a calcification: an offset plus, for each piece of evidence, a value read from",
        "# its points (linear between them, constant beyond). Mean of benchmarks/score_prior.toml and of what",
        "# benchmarks/train_score.py fitted on synthetic mammograms of the training seeds",
        f"# {images[0]['seed']} to {images[-1]['seed']}.",
        "",
        f"offset = {table.offset:.4f}",
        "",
        "[points]",
    ]
    for name, points in table.points.items():
        lines.append(
            f"{name} = [{', '.join(f'[{value:.4g}, {log_odds:.3f}]' for value, log_odds in points)}]"
        )
    return "\n".join(lines) + "\n"


def main():
    """Gather candidates, fit on even seeds, check on odd ones, then fit on all and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without", action="append", default=[], choices=EVIDENCE)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    names = [name for name in EVIDENCE if name not in arguments.without]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        images = list(pool.map(candidates_of, TRAINING_SEEDS[: arguments.images], chunksize=4))
    even, odd = images[::2], images[1::2]
    print("synthetic mammograms, training seeds only; true positives at", FALSE_PER_IMAGE, "false per image")
    table, prior = fit(even, names), read_table(PRIOR)
    for title, part, used in (
        ("fit, its own even seeds", even, table),
        ("fit, held-out odd seeds", odd, table),
        ("set by hand, odd seeds", odd, prior),
        ("mean of both, odd seeds", odd, mean_of(prior, table)),
    ):
        print(f"{title:24s}", " ".join(f"{value:.3f}" for value in froc(part, used)))
    found = sum(image["true"].sum() for image in images) / sum(image["drawn"] for image in images)
    print(f"candidates reach {found:.3f} of all drawn calcifications")
    if arguments.write:
        arguments.write.write_text(written(mean_of(prior, fit(images, names)), images), encoding="utf-8")


if __name__ == "__main__":
    main()
