"""Fit the detection score on synthetic mammograms of the training seeds, and write it as a readable table.

    python benchmarks/train_score.py --images 300 --write mammocalc/segment/score.toml

The score is an additive model: log-odds as a piecewise linear function of each piece of evidence, fitted by logistic
regression with a penalty on curvature (a generalised additive model, Hastie & Tibshirani 1990). Corrections follow
where pieces of evidence speak together: boosted oblivious trees of five questions each (Friedman 2001,
doi 10.1214/aos/1013203451). Only training seeds are used; even ones fit, odd ones check. `--without NAME` drops a piece
of evidence, for an ablation. What is written is mixed with 15 % of a table set by hand, `score_prior.toml`:
synthetic tissue has fewer bright strands than real tissue, and the fit alone trusts long objects of low contrast too
much. At last the sum is stretched and shifted so that the score is a probability on the training seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

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
    Correction,
    ScoreTable,
    read_table,
    scores_in_company,
)

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
    "continued",
    *COMPANY,
    *NEIGHBOURHOODS,
)
PRIOR = Path(__file__).with_name("score_prior.toml")
# More contrast never speaks against a calcification, whatever dust on synthetic film may teach.
RISING = ("response", "background_ratio", "contrast_noise")
# Unless it is sharper than a detector draws, or a piece of something longer.
UNLESS = ("edge_width_px", "edge_width_mm", "continued")
NEIGHBOUR_KNOTS = np.array([0.0, 0.3, 0.7, 1.5, 3.0, 6.0, 12.0])
FALSE_PER_IMAGE = (1, 2, 5, 10, 50)
PRIOR_SHARE = 0.15
# Boosting: corrections, questions each, shrinkage, ridge on the answers.
CORRECTIONS, QUESTIONS, RATE, RIDGE = 200, 5, 0.1, 3.0
# Quantiles of each evidence that are tried as thresholds; denser in the upper tail, where clips and scratches are.
THRESHOLDS = np.concatenate((np.arange(1, 32) / 32, [0.98, 0.99, 0.995, 0.998, 0.999]))
# Every image is learnt from twice, the second time with edges as much narrower as a vendor's sharpening makes them:
# synthetic edges are those of the detector, and the fit would take sharper ones for dust.
SHARPENED = 0.75
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


def sharpened(images):
    """The same images as a sharpening would show them."""
    return [
        {
            **image,
            "evidence": image["evidence"]
            | {name: SHARPENED * image["evidence"][name] for name in ("edge_width_px", "edge_width_mm")},
        }
        for image in images
    ]


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
    knots = {
        name: NEIGHBOUR_KNOTS
        if name in NEIGHBOURHOODS
        else np.unique(np.round(np.quantile(pooled(images, name), np.linspace(0.01, 0.99, 8)), 4))
        for name in names
    }
    table = ScoreTable(0.0, {"response": ((4.0, -3.0), (8.0, 0.0), (16.0, 3.0))})
    for _ in range(rounds):
        support(images, table)
        basis = np.hstack([hat_functions(pooled(images, name), knots[name]) for name in names])
        target = true.astype(float)
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


def corrected(images, names, table, rounds=2):
    """The table with corrections boosted on these images; the support of neighbours follows each round's scores."""
    true = np.concatenate([image["true"] for image in images]).astype(float)
    for _ in range(rounds):
        support(images, table)
        bare = ScoreTable(table.offset, table.points)
        values = {name: pooled(images, name) for name in names}
        log_odds = np.concatenate([bare.log_odds(image["evidence"]) for image in images])
        table = ScoreTable(table.offset, table.points, boosted(values, true, log_odds))
    return table


def learnt(images, names):
    """The table for these images with its corrections, and without them."""
    both = images + sharpened(images)
    additive = fit(both, names)
    return corrected(both, names, additive), additive


def boosted(values, true, log_odds):
    """Corrections one after the other, each the best few questions for what is left to explain."""
    cuts = {name: np.unique(np.quantile(column, THRESHOLDS).round(4)) for name, column in values.items()}
    bins = {name: np.searchsorted(cuts[name], column) for name, column in values.items()}
    corrections = []
    for _ in range(CORRECTIONS):
        probability = 1 / (1 + np.exp(-log_odds))
        gradient, curvature = true - probability, probability * (1 - probability)
        place, asked = np.zeros(len(true), np.int64), []
        for question in range(QUESTIONS):
            gains = {}
            for name, column in bins.items():
                gain = split_gain(place, 2**question, column, len(cuts[name]) + 1, gradient, curvature)
                gains[name] = (gain.max(), int(gain.argmax()))
            name = max(gains, key=lambda name: gains[name][0])
            cut = gains[name][1]
            asked.append((name, float(cuts[name][cut])))
            place += (bins[name] > cut).astype(np.int64) << question
        weight = np.bincount(place, curvature, 2**QUESTIONS) + RIDGE
        answers = RATE * np.bincount(place, gradient, 2**QUESTIONS) / weight
        for question, (name, _) in enumerate(asked):
            if name in RISING and not set(UNLESS) & {other for other, _ in asked}:
                answers = rising(answers, weight, 1 << question)
        log_odds = log_odds + answers[place]
        corrections.append(Correction(tuple(asked), tuple(answers.tolist())))
    return tuple(corrections)


def rising(answers, weight, bit):
    """The answers with none lower for a yes than for a no to the question of this bit; where one was, their mean."""
    no = np.flatnonzero(~np.arange(len(answers)) & bit)
    yes = no + bit
    mean = (weight[no] * answers[no] + weight[yes] * answers[yes]) / (weight[no] + weight[yes])
    falls = answers[yes] < answers[no]
    answers = answers.copy()
    answers[no[falls]] = answers[yes[falls]] = mean[falls]
    return answers


def split_gain(place, places, column, count, gradient, curvature):
    """What a question at each threshold would explain, over all places at once."""
    index = place * count + column
    totals = [
        np.bincount(index, weight, places * count).reshape(places, count).cumsum(axis=1)
        for weight in (gradient, curvature)
    ]
    (low, low_curvature), (all_, all_curvature) = (
        [total[:, :-1] for total in totals],
        [total[:, -1:] for total in totals],
    )
    high, high_curvature = all_ - low, all_curvature - low_curvature
    return (low**2 / (low_curvature + RIDGE) + high**2 / (high_curvature + RIDGE)).sum(axis=0)


def support(images, table):
    """Set every candidate's evidence by company, as the stage itself does with this table."""
    for image in images:
        evidence = image["evidence"]
        _, company = scores_in_company(
            table, evidence, *image["millimetres"], SegmentParameters().neighbourhood_mm
        )
        evidence |= company


def froc(images, table):
    """Sensitivity at each number of false positives per image, fragments counted as false."""
    support(images, table)
    score = np.concatenate([table.log_odds(image["evidence"]) for image in images])
    true = np.concatenate([image["true"] for image in images])[np.argsort(-score, kind="stable")]
    hits, false = np.cumsum(true), np.cumsum(~true)
    drawn = sum(image["drawn"] for image in images)
    at = [np.searchsorted(false, rate * len(images), side="right") - 1 for rate in FALSE_PER_IMAGE]
    return [hits[i] / drawn for i in at]


def mixed_with(prior, fitted, share=PRIOR_SHARE):
    """The table that lies `share` of the way from the fit to the prior, with the points of both.

    The corrections of the prior stay whole: synthetic tissue has too little of what they are for.
    """
    points = {}
    for name in {**prior.points, **fitted.points}:
        tables = [np.array(table.points.get(name, ((0.0, 0.0), (1.0, 0.0)))).T for table in (prior, fitted)]
        values = sorted({value for table in (prior, fitted) for value, _ in table.points.get(name, ())})
        one, other = (np.interp(values, *table) for table in tables)
        points[name] = tuple(zip(values, (share * one + (1 - share) * other).tolist(), strict=True))
    mixed_table = ScoreTable(share * prior.offset + (1 - share) * fitted.offset, points, fitted.corrections)
    corrections = prior.corrections + stretched(mixed_table, 1 - share).corrections
    return ScoreTable(mixed_table.offset, points, corrections)


def stretched(table, factor):
    """Every log-odds times a factor."""
    return ScoreTable(
        factor * table.offset,
        {name: tuple((v, factor * z) for v, z in points) for name, points in table.points.items()},
        tuple(Correction(asked, tuple(factor * z for z in answers)) for asked, answers in table.corrections),
    )


def calibrated(images, table):
    """The table stretched and shifted so that its scores are probabilities on these images (Platt 1999)."""
    support(images, table)
    log_odds = np.concatenate([table.log_odds(image["evidence"]) for image in images])
    true = np.concatenate([image["true"] for image in images]).astype(float)

    def loss(line):
        value = line[0] * log_odds + line[1]
        residual = 1 / (1 + np.exp(-value)) - true
        return np.sum(np.logaddexp(0, value) - true * value), np.array([residual @ log_odds, residual.sum()])

    factor, shift = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    table = stretched(table, float(factor))
    return ScoreTable(table.offset + float(shift), table.points, table.corrections)


def written(table, images):
    """The table as TOML, with how it came about."""
    lines = [
        "# Log-odds that a candidate is a calcification: an offset plus, for each piece of evidence, a value read from",
        '# its points (linear between them, constant beyond). Corrections: questions "is this evidence above this',
        '# value?", and the log-odds for every set of answers, at the sum of 1, 2, 4 for each yes. Made by',
        "# benchmarks/train_score.py on synthetic mammograms of the training seeds",
        f"# {images[0]['seed']} to {images[-1]['seed']}, and mixed with benchmarks/score_prior.toml.",
        "",
        f"offset = {table.offset:.4f}",
        "",
        "[points]",
    ]
    for name, points in table.points.items():
        lines.append(
            f"{name} = [{', '.join(f'[{value:.4g}, {log_odds:.3f}]' for value, log_odds in points)}]"
        )
    for asked, answers in table.corrections:
        questions = ", ".join(f'["{name}", {value:.4g}]' for name, value in asked)
        lines += ["", "[[corrections]]", f"asked = [{questions}]"]
        lines.append(f"log_odds = [{', '.join(f'{value:.3f}' for value in answers)}]")
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
    prior, table, additive = read_table(PRIOR), *learnt(even, names)
    for title, part, used in (
        ("even seeds it was fitted on", even, table),
        ("odd seeds, set by hand", odd, prior),
        ("odd seeds, additive fit", odd, additive),
        ("odd seeds, with corrections", odd, table),
        ("odd seeds, mixed", odd, mixed_with(prior, table)),
    ):
        print(f"{title:28s}", " ".join(f"{value:.3f}" for value in froc(part, used)))
    found = sum(image["true"].sum() for image in images) / sum(image["drawn"] for image in images)
    print(f"candidates reach {found:.3f} of all drawn calcifications")
    if arguments.write:
        table = mixed_with(prior, learnt(images, names)[0])
        arguments.write.write_text(written(calibrated(images, table), images), encoding="utf-8")


if __name__ == "__main__":
    main()
