"""Fit the detection score on synthetic mammograms of the training seeds, and write it as readable tables.

    python benchmarks/train_score.py --images 500 --more 100 --write mammocalc/segment

First an additive model: log-odds as a piecewise linear function of each piece of evidence, fitted by logistic
regression with a penalty on curvature (a generalised additive model, Hastie & Tibshirani 1990). It decides how much
neighbours support each other. Then all evidence is weighed together by boosted decision trees (Friedman 2001,
doi 10.1214/aos/1013203451), grown by LightGBM, which only this script needs. Only training seeds are used; even ones
fit, odd ones check and calibrate: the trees' sum is stretched and shifted so that the score is a probability on images
they were not grown on. `--without NAME` drops a piece of evidence, for an ablation. Corrections set by hand are not
touched: they are in `mammocalc/segment/score_corrections.toml`.
"""

from __future__ import annotations

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lightgbm
import numpy as np
from scipy.optimize import minimize

from mammocalc.evaluate.matching import Marks, match
from mammocalc.phantom import TRAINING_SEEDS, make
from mammocalc.phantom.scenes import mixed
from mammocalc.prepare import prepare
from mammocalc.segment import SegmentParameters, segment
from mammocalc.segment.company import COMPANY
from mammocalc.segment.score import (
    NEIGHBOURHOODS,
    DecisionTrees,
    Question,
    Score,
    ScoreTable,
    built_in_score,
    scores_in_company,
)

EVIDENCE = (
    "response",
    "texture",
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
    "continued",
    *COMPANY,
    *NEIGHBOURHOODS,
)
# More contrast never speaks against a calcification, whatever dust on film may teach; in the trees, whatever else is
# known.
RISING = ("response", "background_ratio", "contrast_noise")
RISING_IN_TREES = ("response", "background_ratio")
NEIGHBOUR_KNOTS = np.array([0.0, 0.3, 0.7, 1.5, 3.0, 6.0, 12.0])
FALSE_PER_IMAGE = (1, 2, 5, 10, 50)
# Every calcification is learnt from twice, the second time, with less weight, up to so many times as dense and with
# edges down to so much narrower, as a vendor's sharpening makes them: among what is very bright or sharp, synthetic
# images have more dust, clips and defects than calcifications.
DENSER, SHARPER, DENSER_WEIGHT = 8.0, 0.65, 0.3
# And nothing is learnt from what is false, as bright as metal and no sharper than a detector draws: clips and markers
# look like dense rods, and a clip that is marked is better than a rod that is missed.
METAL_RESPONSE, METAL_EDGE_PX = 15.0, 2.2
CONTRASTS, EDGES = ("response", "background_ratio", "contrast_noise"), ("edge_width_px", "edge_width_mm")
GROWTH = {
    "n_estimators": 200,
    "num_leaves": 31,
    "learning_rate": 0.1,
    "min_child_samples": 40,
    "monotone_constraints_method": "advanced",
    "deterministic": True,
    "force_row_wise": True,
    "n_jobs": 1,
    "verbose": -1,
}
# What the mix holds too little of to learn from gets images of its own, of the last training seeds: systems that are
# rare in it, and tissue full of strands, as real tissue often is.
RARE_SYSTEMS = {"storage_50": 0.25, "film_50": 0.25, "film_100": 0.25, "film_200": 0.25}
FIRST_RARE, FIRST_STRANDED = 9000, 9500


def settings_of(seed):
    """Settings of one training phantom."""
    if seed < FIRST_RARE:
        return mixed(seed)
    if seed < FIRST_STRANDED:
        return mixed(seed, shares=RARE_SYSTEMS)
    strands = np.random.default_rng(seed)
    return dataclasses.replace(
        mixed(seed),
        fibres_per_cm2=strands.uniform(5.0, 16.0),
        ligaments_per_cm2=strands.uniform(0.6, 3.0),
        vessels=int(strands.integers(4, 12)),
    )


def candidates_of(seed):
    """Every candidate of one training phantom with its evidence, and whether it is a calcification."""
    phantom = make(seed, settings=settings_of(seed))
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
        "drawn": len(truths),
    }


def pooled(images, name):
    """One column over all images."""
    return np.concatenate([image["evidence"][name] for image in images])


def learnt_from(images, names):
    """Evidence by name, truth and weight of all candidates, and once more of the true ones as if denser and sharper.

    Without what is false and looks like metal.
    """
    rng = np.random.default_rng(0)
    true = np.concatenate([image["true"] for image in images])
    used = (
        true
        | (pooled(images, "response") < METAL_RESPONSE)
        | (pooled(images, "edge_width_px") < METAL_EDGE_PX)
    )
    true = true[used]
    again = np.flatnonzero(true)
    factors = {
        CONTRASTS: np.exp(rng.uniform(0.0, np.log(DENSER), len(again))),
        EDGES: rng.uniform(SHARPER, 1.0, len(again)),
    }
    evidence = {}
    for name in names:
        values = pooled(images, name)[used]
        copies = values[again]
        for group, factor in factors.items():
            if name in group:
                copies = copies * factor
        evidence[name] = np.concatenate((values, copies))
    weight = np.concatenate((np.ones(len(true)), np.full(len(again), DENSER_WEIGHT)))
    return evidence, np.concatenate((true, true[again])), weight


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
    knots = {
        name: NEIGHBOUR_KNOTS
        if name in NEIGHBOURHOODS
        else np.unique(np.round(np.quantile(pooled(images, name), np.linspace(0.01, 0.99, 8)), 4))
        for name in names
    }
    table = ScoreTable(0.0, {"response": ((4.0, -3.0), (8.0, 0.0), (16.0, 3.0))})
    for _ in range(rounds):
        support(images, table)
        evidence, true, weight = learnt_from(images, names)
        basis = np.hstack([hat_functions(evidence[name], knots[name]) for name in names])
        target = true.astype(float)
        penalty = np.zeros((basis.shape[1], basis.shape[1]))
        at = 0
        for name in names:
            n = len(knots[name])
            bend = np.diff(np.eye(n), 2, axis=0)
            penalty[at : at + n, at : at + n] = smoothness * (bend.T @ bend + 0.02 * np.eye(n))
            at += n

        def loss(weights, basis=basis, target=target, weight=weight, penalty=penalty):
            log_odds = basis @ weights[1:] + weights[0]
            residual = weight * (1 / (1 + np.exp(-log_odds)) - target)
            value = (
                np.sum(weight * (np.logaddexp(0, log_odds) - target * log_odds))
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


def grown(images, names):
    """Trees that weigh all evidence together; that of neighbours as it stands in the images."""
    evidence, true, weight = learnt_from(images, names)
    model = lightgbm.LGBMClassifier(
        **GROWTH, monotone_constraints=[int(name in RISING_IN_TREES) for name in names]
    ).fit(np.stack([evidence[name] for name in names], axis=1), true, sample_weight=weight)
    trees = model.booster_.dump_model()["tree_info"]
    return DecisionTrees(0.0, tuple(questions(tree["tree_structure"], names) for tree in trees))


def questions(root, names):
    """The questions of one tree of LightGBM's dump, each before those that follow it."""
    if "leaf_value" in root:
        raise ValueError("a tree without a question: too few images")
    order, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += [child for child in (node["right_child"], node["left_child"]) if "leaf_value" not in child]
    place = {node["split_index"]: k for k, node in enumerate(order)}
    return tuple(
        Question(
            names[node["split_feature"]],
            float(node["threshold"]),
            *(
                float(child["leaf_value"]) if "leaf_value" in child else place[child["split_index"]]
                for child in (node["left_child"], node["right_child"])
            ),
        )
        for node in order
    )


def support(images, table):
    """Set every candidate's evidence by company, as the stage itself does with this table."""
    for image in images:
        evidence = image["evidence"]
        _, company = scores_in_company(
            Score(table), evidence, *image["millimetres"], SegmentParameters().neighbourhood_mm
        )
        evidence |= company


def log_odds_of(images, score):
    """Log-odds of all candidates, the support of neighbours as it stands in the images."""
    source = score.table if score.trees is None else score.trees
    return np.concatenate(
        [
            source.log_odds(image["evidence"])
            + sum(correction.of(image["evidence"]) for correction in score.corrections)
            for image in images
        ]
    )


def froc(images, score):
    """Sensitivity at each number of false positives per image, fragments counted as false."""
    log_odds = log_odds_of(images, score)
    true = np.concatenate([image["true"] for image in images])[np.argsort(-log_odds, kind="stable")]
    hits, false = np.cumsum(true), np.cumsum(~true)
    drawn = sum(image["drawn"] for image in images)
    at = [np.searchsorted(false, rate * len(images), side="right") - 1 for rate in FALSE_PER_IMAGE]
    return [hits[i] / drawn for i in at]


def calibration(images, score):
    """Factor and shift of the log-odds that make them probabilities on these images (Platt 1999)."""
    log_odds = log_odds_of(images, score)
    true = np.concatenate([image["true"] for image in images]).astype(float)

    def loss(line):
        value = line[0] * log_odds + line[1]
        residual = 1 / (1 + np.exp(-value)) - true
        return np.sum(np.logaddexp(0, value) - true * value), np.array([residual @ log_odds, residual.sum()])

    factor, shift = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return float(factor), float(shift)


def stretched(trees, factor, shift):
    """The log-odds of trees times a factor, and moved."""

    def way(leads_to):
        return leads_to if isinstance(leads_to, int) else factor * leads_to

    return DecisionTrees(
        factor * trees.offset + shift,
        tuple(tuple(q._replace(no=way(q.no), yes=way(q.yes)) for q in tree) for tree in trees.trees),
    )


def provenance(count, more):
    """Remark on what a table was made from."""
    rest = f" (and {more} each from {FIRST_RARE} and {FIRST_STRANDED} on)" if more else ""
    return (
        "# Made by benchmarks/train_score.py on synthetic mammograms of the training seeds\n"
        f"# {TRAINING_SEEDS[0]} to {TRAINING_SEEDS[count - 1]}{rest}.\n"
    )


def table_text(table, remark):
    """The additive model as TOML."""
    lines = [
        "# Log-odds that a candidate is a calcification: an offset plus, for each piece of evidence, a value read from",
        "# its points (linear between them, constant beyond). By this, neighbours support each other.",
        f"{remark}",
        f"offset = {table.offset:.4f}",
        "",
        "[points]",
    ]
    for name, points in table.points.items():
        pairs = ", ".join(f"[{value:.4g}, {log_odds:.3f}]" for value, log_odds in points)
        lines.append(f"{name} = [{pairs}]")
    return "\n".join(lines) + "\n"


def trees_text(trees, remark):
    """The trees as `mammocalc.segment.score.parsed_trees` reads them."""
    lines = [
        "# Log-odds that a candidate is a calcification, all evidence weighed together: an offset and the sum of what",
        '# many small decision trees say. A line a question, "evidence value no yes": is the evidence above the value?',
        "# An answer with a decimal point is the tree's log-odds; one without is the number of the next question,",
        "# counted from 0 in its tree.",
        f"{remark}",
        f"{trees.offset:.4f}",
    ]
    for tree in trees.trees:
        lines.append("")
        for question in tree:
            no, yes = (
                str(leads_to) if isinstance(leads_to, int) else f"{leads_to:.4f}"
                for leads_to in (question.no, question.yes)
            )
            lines.append(f"{question.asked} {question.above:.6g} {no} {yes}")
    return "\n".join(lines) + "\n"


def main():
    """Gather candidates, fit on even seeds, check on odd ones, then fit on all and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100, help="of the mix")
    parser.add_argument("--more", type=int, default=20, help="of rare systems, and of tissue full of strands")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without", action="append", default=[], choices=EVIDENCE)
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    names = [name for name in EVIDENCE if name not in arguments.without]
    seeds = [
        *TRAINING_SEEDS[: arguments.images],
        *TRAINING_SEEDS[FIRST_RARE : FIRST_RARE + arguments.more],
        *TRAINING_SEEDS[FIRST_STRANDED : FIRST_STRANDED + arguments.more],
    ]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        images = list(pool.map(candidates_of, seeds, chunksize=4))
    score = learnt(images, names)
    if arguments.write:
        remark = provenance(arguments.images, arguments.more)
        (arguments.write / "score.toml").write_text(table_text(score.table, remark), encoding="utf-8")
        (arguments.write / "score_trees.txt").write_text(trees_text(score.trees, remark), encoding="utf-8")


def learnt(images, names):
    """The score for these images, after it was checked and calibrated between even and odd seeds."""
    even = [image for image in images if image["seed"] % 2 == 0]
    odd = [image for image in images if image["seed"] % 2]
    by_hand = built_in_score().corrections
    table = fit(even, names)
    support(images, table)
    trees = grown(even, names)
    parts = {
        "of the mix": (0, FIRST_RARE),
        "rare": (FIRST_RARE, FIRST_STRANDED),
        "stranded": (FIRST_STRANDED, 10**6),
    }
    print("synthetic mammograms, training seeds only; true positives at", FALSE_PER_IMAGE, "false per image")
    for title, used, score in (
        ("even, which it was fitted on", even, Score(table, trees)),
        ("odd, additive", odd, Score(table)),
        ("odd, trees", odd, Score(table, trees)),
        ("odd, with corrections", odd, Score(table, trees, by_hand)),
    ):
        for name, (first, end) in parts.items():
            part = [image for image in used if first <= image["seed"] < end]
            if part:
                print(f"{title + ', ' + name:40s}", " ".join(f"{value:.3f}" for value in froc(part, score)))
    found = sum(image["true"].sum() for image in images) / sum(image["drawn"] for image in images)
    print(f"candidates reach {found:.3f} of all drawn calcifications")
    mix = [image for image in odd if image["seed"] < FIRST_RARE]
    line = calibration(mix, Score(table, trees))
    print(f"log-odds times {line[0]:.3f} plus {line[1]:.3f} are probabilities")
    table = fit(images, names)
    support(images, table)
    return Score(table, stretched(grown(images, names), *line))


if __name__ == "__main__":
    main()
