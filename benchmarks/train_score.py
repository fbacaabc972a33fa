"""Grow the detection score on synthetic mammograms of the training seeds, and write it as readable trees.

    python benchmarks/train_score.py --images 500 --more 100 --write mammocalc/segment

Boosted decision trees (Friedman 2001, doi 10.1214/aos/1013203451), grown by LightGBM, which only this script needs,
first weigh each candidate's own evidence. Others then weigh all evidence together, the support of the candidates around
it included. What the first say of a training image comes, for the second, from trees that were grown on other images,
as it will be on images never seen. Only training seeds are used; even ones grow, odd ones check and calibrate: the
trees' sum is stretched and shifted so that the score is a probability on images they were not grown on.
`--without NAME` drops a piece of evidence, for an ablation. Corrections set by hand are not touched: they are in
`mammocalc/segment/score_corrections.toml`.
"""

from __future__ import annotations

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
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
    SUPPORT,
    Question,
    Score,
    built_in_score,
    scores_in_company,
    trees_of,
)

OWN_EVIDENCE = (
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
)
# What never speaks against a calcification, whatever else is known.
RISING = ("response", "background_ratio", "own_log_odds")
# What the first trees say of a training image, others of the same kind say that were grown without it.
FOLDS = 5
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
    "n_estimators": 400,
    "num_leaves": 31,
    "learning_rate": 0.05,
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


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learnt from one image: some of its candidates, the true ones once more as if denser and sharper.

    Attributes
    ----------
    evidence : dict of str to ndarray of float64, shape (n,)
    true : ndarray of bool, shape (n,)
    weight : ndarray of float64, shape (n,)
    candidate : ndarray of int64, shape (n,)
        Which of the image's candidates each was made of.
    """

    evidence: dict
    true: np.ndarray
    weight: np.ndarray
    candidate: np.ndarray


def examples_of(image):
    """The examples of one image, without what is false and looks like metal."""
    rng = np.random.default_rng(image["seed"])
    evidence, true = image["evidence"], image["true"]
    metal = (evidence["response"] >= METAL_RESPONSE) & (evidence["edge_width_px"] >= METAL_EDGE_PX)
    used, again = np.flatnonzero(true | ~metal), np.flatnonzero(true)
    candidate = np.concatenate((used, again))
    copied = {name: values[candidate] for name, values in evidence.items()}
    denser = np.exp(rng.uniform(0.0, np.log(DENSER), len(again)))
    sharper = rng.uniform(SHARPER, 1.0, len(again))
    for names, factor in ((CONTRASTS, denser), (EDGES, sharper)):
        for name in names:
            copied[name][len(used) :] *= factor
    weight = np.concatenate((np.ones(len(used)), np.full(len(again), DENSER_WEIGHT)))
    return Examples(copied, true[candidate], weight, candidate)


def grown(examples, names):
    """Trees that weigh these pieces of evidence together."""
    values = np.stack([np.concatenate([e.evidence[name] for e in examples]) for name in names], axis=1)
    true, weight = (np.concatenate([getattr(e, name) for e in examples]) for name in ("true", "weight"))
    model = lightgbm.LGBMClassifier(
        **GROWTH, monotone_constraints=[int(name in RISING) for name in names]
    ).fit(values, true, sample_weight=weight)
    trees = model.booster_.dump_model()["tree_info"]
    return trees_of(0.0, [questions(tree["tree_structure"], names) for tree in trees])


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


def score_of(images, names):
    """The score for these images, not yet calibrated."""
    examples = [examples_of(image) for image in images]
    for fold in range(FOLDS):
        others = grown([e for k, e in enumerate(examples) if k % FOLDS != fold], names)
        for k in range(fold, len(images), FOLDS):
            _, support = scored(images[k], Score(others))
            evidence = examples[k].evidence
            evidence |= {name: values[examples[k].candidate] for name, values in support.items()}
            evidence["own_log_odds"] = others.log_odds(evidence)
    return Score(grown(examples, names), grown(examples, [*names, *SUPPORT]))


def scored(image, score):
    """The score of every candidate and the support it rests on, as the stage itself finds them."""
    return scores_in_company(
        score, image["evidence"], *image["millimetres"], SegmentParameters().neighbourhood_mm
    )


def log_odds_of(images, score):
    """Log-odds of all candidates."""
    probabilities = np.concatenate([scored(image, score)[0] for image in images])
    return np.log(probabilities / (1.0 - probabilities))


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
    return dataclasses.replace(trees, offset=factor * trees.offset + shift, answers=factor * trees.answers)


def provenance(count, more):
    """Remark on what a table was made from."""
    rest = f" (and {more} each from {FIRST_RARE} and {FIRST_STRANDED} on)" if more else ""
    return (
        "# Made by benchmarks/train_score.py on synthetic mammograms of the training seeds\n"
        f"# {TRAINING_SEEDS[0]} to {TRAINING_SEEDS[count - 1]}{rest}.\n"
    )


def trees_text(trees, weighed, remark):
    """The trees as `mammocalc.segment.score.parsed_trees` reads them."""
    lines = [
        f"# Log-odds that a candidate is a calcification, {weighed}: an offset and the sum of what",
        '# many small decision trees say. A line a question, "evidence value no yes": is the evidence above the value?',
        "# An answer with a decimal point is the tree's log-odds; one without is the number of the next question,",
        "# counted from 0 in its tree.",
        f"{remark}",
        f"{trees.offset:.4f}",
    ]
    ends = [*trees.first[1:], len(trees.asked)]
    for root, end in zip(trees.first, ends, strict=True):
        lines.append("")
        for asked, above, ways in zip(
            trees.asked[root:end], trees.above[root:end], trees.following[root:end], strict=True
        ):
            no, yes = (str(way - root) if way >= 0 else f"{trees.answers[-1 - way]:.4f}" for way in ways)
            lines.append(f"{trees.names[asked]} {above:.6g} {no} {yes}")
    return "\n".join(lines) + "\n"


def main():
    """Gather candidates, grow on even seeds, check on odd ones, then grow on all and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100, help="of the mix")
    parser.add_argument("--more", type=int, default=20, help="of rare systems, and of tissue full of strands")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without", action="append", default=[], choices=OWN_EVIDENCE)
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    names = [name for name in OWN_EVIDENCE if name not in arguments.without]
    seeds = [
        *TRAINING_SEEDS[: arguments.images],
        *TRAINING_SEEDS[FIRST_RARE : FIRST_RARE + arguments.more],
        *TRAINING_SEEDS[FIRST_STRANDED : FIRST_STRANDED + arguments.more],
    ]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        images = list(pool.map(candidates_of, seeds, chunksize=4))
    score = learnt(images, names)
    if arguments.write:
        write(score, arguments.write, provenance(arguments.images, arguments.more))


def write(score, folder, remark):
    """The two files of trees that ship with the package."""
    for name, trees, weighed in (
        ("own", score.own, "its own evidence weighed"),
        ("together", score.together, "all evidence weighed together"),
    ):
        (folder / f"score_{name}.txt").write_text(trees_text(trees, weighed, remark), encoding="utf-8")


def learnt(images, names):
    """The score for these images, after it was checked and calibrated between even and odd seeds."""
    even = [image for image in images if image["seed"] % 2 == 0]
    odd = [image for image in images if image["seed"] % 2]
    by_hand = built_in_score().corrections
    checked = score_of(even, names)
    parts = {
        "of the mix": (0, FIRST_RARE),
        "rare": (FIRST_RARE, FIRST_STRANDED),
        "stranded": (FIRST_STRANDED, 10**6),
    }
    print("synthetic mammograms, training seeds only; true positives at", FALSE_PER_IMAGE, "false per image")
    for title, used, score in (
        ("even, which it was grown on", even, checked),
        ("odd, own evidence", odd, Score(checked.own)),
        ("odd, together", odd, checked),
        ("odd, with corrections", odd, dataclasses.replace(checked, corrections=by_hand)),
    ):
        for name, (first, end) in parts.items():
            part = [image for image in used if first <= image["seed"] < end]
            if part:
                print(f"{title + ', ' + name:40s}", " ".join(f"{value:.3f}" for value in froc(part, score)))
    found = sum(image["true"].sum() for image in images) / sum(image["drawn"] for image in images)
    print(f"candidates reach {found:.3f} of all drawn calcifications")
    mix = [image for image in odd if image["seed"] < FIRST_RARE]
    line = calibration(mix, checked)
    print(f"log-odds times {line[0]:.3f} plus {line[1]:.3f} are probabilities")
    score = score_of(images, names)
    return dataclasses.replace(score, together=stretched(score.together, *line))


if __name__ == "__main__":
    main()
