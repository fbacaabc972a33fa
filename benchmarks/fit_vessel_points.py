"""Fit the points for a vessel: the table `mammocalc/arrange/vessel_points.toml`.

    python benchmarks/fit_vessel_points.py --jobs 2 --write

A logistic regression on steps of a chain's features, each of which may only speak one way. Chains are those that
`arrange` links on synthetic mammograms of training seeds: mixed ones, ones with arteries calcified all around, and
secretory ones. A chain counts by the length of what it would get wrong: a millimetre of a cast or a rod that is called
vascular as much as one and a half of a vessel that is not, anything else as three quarters. Five folds by image say how
well chains that were not fitted are told apart, at the points that `arrange` asks for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from labelled_images import coverage, settings_of
from scipy.optimize import minimize

import mammocalc.arrange
from mammocalc.arrange import ArrangeParameters, arrange
from mammocalc.measure import measure
from mammocalc.phantom import TRAINING_SEEDS, make
from mammocalc.prepare import prepare
from mammocalc.segment import segment

SEEDS = {"mixed": range(3000, 4600), "arterial": range(5000, 5160), "secretory": range(3000, 3140)}
# Values at which each feature may add points, and whether it adds them below.
STEPS: dict[str, tuple[list[float], bool]] = {
    "chain_strands": ([1.5, 2.5, 3.5, 5.5, 9.5], False),
    "chain_length_mm": ([7, 10, 15, 20, 30, 40], False),
    "chain_calcified_fraction": ([0.5, 0.65, 0.8, 0.9, 0.97], True),
    "paired_length_mm": ([1, 2, 3, 5, 8, 12], False),
    "chain_misalignment_deg": ([3, 5, 8, 12, 16, 22], True),
    "chain_strand_mm": ([1.6, 2, 2.4, 2.8, 3.3, 4, 5, 7], False),
    "vessel_fraction": ([0.2, 0.35, 0.5, 0.65, 0.8], False),
    "chain_nipple_angle_deg": ([10, 20, 30, 45], False),
    "chain_curvature_per_mm": ([0.08, 0.11, 0.14, 0.18, 0.22, 0.27, 0.33, 0.4], True),
}
# Of many strands some are casts in a row: their number may speak either way.
EITHER_WAY = ("chain_strands",)
COST_OF_SUSPICIOUS_OR_ROD, COST_OF_OTHERS, ARTERIAL_WEIGHT = 1.5, 0.75, 0.5
RIDGE = 1.0
FOLDS = 5
FILE = Path(mammocalc.arrange.__file__).parent / "vessel_points.toml"


def chains_of(kind: str, seed: int) -> list[dict[str, float]]:
    """Features of every chain of one image, and the length of what its members truly are, mm."""
    phantom = make(seed, settings=settings_of(kind, seed))
    scene = prepare(phantom.mammogram)
    regions = segment(scene)
    measurements = measure(scene, regions)
    columns = arrange(scene, measurements).columns
    lies_on, _ = coverage(phantom.truth, scene, regions)
    truth = np.array([one.label for one in phantom.truth.calcifications] + [""])[lies_on]
    length = measurements.columns["length_mm"]
    out = []
    for number in np.unique(columns["chain_id"][columns["chain_id"] > 0]):
        members = np.flatnonzero(columns["chain_id"] == number)
        if columns["tube_covered_mm"][members[0]] > 0:
            continue  # Found by its band, whatever its points.
        vessel = truth[members] == "vascular"
        worse = np.char.startswith(truth[members], "fine_linear") | (truth[members] == "large_rod_like")
        out.append(
            {name: float(columns[name][members[0]]) for name in STEPS}
            | {
                "arterial": float(kind == "arterial"),
                "seed": seed,
                "vessel_mm": float(length[members][vessel].sum()),
                "worse_mm": float(length[members][worse].sum()),
                "other_mm": float(length[members][~vessel & ~worse].sum()),
            }
        )
    return out


def answers(chains: list[dict[str, float]]) -> np.ndarray:
    """One column a step: whether it adds its points, shape (chains, steps)."""
    columns = []
    for name, (values, below) in STEPS.items():
        known = np.nan_to_num(np.array([chain[name] for chain in chains]))
        columns += [(known < value) if below else (known >= value) for value in values]
    return np.array(columns, float).T


def fitted(asked: np.ndarray, is_vessel: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Offset and points by penalised maximum likelihood, none below 0 but for what may speak either way."""
    weight = weight / weight.mean()

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        odds = factors[0] + asked @ factors[1:]
        wrong = np.logaddexp(0.0, np.where(is_vessel, -odds, odds))
        slope = weight * (1 / (1 + np.exp(-odds)) - is_vessel)
        penalty = 2 * RIDGE * factors[1:]
        return (
            float((weight * wrong).sum() + RIDGE * (factors[1:] ** 2).sum()),
            np.append(slope.sum(), asked.T @ slope + penalty),
        )

    free, positive = (None, None), (0.0, None)
    bounds = [free] + [
        free if name in EITHER_WAY else positive for name, (values, _) in STEPS.items() for _ in values
    ]
    return minimize(loss, np.zeros(asked.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x


def out_of_fold(
    asked: np.ndarray, is_vessel: np.ndarray, weight: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    """Log-odds of each chain from a fit without its image."""
    odds = np.zeros(len(asked))
    for fold in range(FOLDS):
        mine = seeds % FOLDS == fold
        factors = fitted(asked[~mine], is_vessel[~mine], weight[~mine])
        odds[mine] = factors[0] + asked[mine] @ factors[1:]
    return odds


def lines_of(factors: np.ndarray) -> Iterator[str]:
    """The file, line by line."""
    yield "# Points for a vessel, see vessel_points.py; written by benchmarks/fit_vessel_points.py from"
    yield "# synthetic mammograms of training seeds: " + ", ".join(
        f"{kind} {seeds.start} to {seeds.stop - 1}" for kind, seeds in SEEDS.items()
    )
    yield f"offset = {factors[0]:.2f}"
    place = 1
    for name, (values, below) in STEPS.items():
        points = factors[place : place + len(values)]
        place += len(values)
        kept = [i for i in range(len(values)) if abs(points[i]) >= 0.05]
        yield ""
        yield "[[steps]]"
        yield f'feature = "{name}"'
        yield f"values = [{', '.join(f'{float(values[i])}' for i in kept)}]"
        yield f"points = [{', '.join(f'{points[i]:.2f}' for i in kept)}]"
        yield f"below = {str(below).lower()}"


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
        chains = [chain for some in pool.map(chains_of, *zip(*work, strict=True)) for chain in some]
    vessel, worse, other = (
        np.array([chain[f"{k}_mm"] for chain in chains]) for k in ("vessel", "worse", "other")
    )
    is_vessel = vessel > worse + other
    arterial = np.array([chain["arterial"] for chain in chains])
    gain = vessel * np.where(arterial > 0, ARTERIAL_WEIGHT, 1.0)
    weight = np.where(is_vessel, gain, COST_OF_SUSPICIOUS_OR_ROD * worse + COST_OF_OTHERS * other) + 0.1
    asked, seeds = answers(chains), np.array([int(chain["seed"]) for chain in chains])
    asks = ArrangeParameters().vessel_points
    sure = out_of_fold(asked, is_vessel, weight, seeds) >= asks
    print(f"{len(chains)} chains; at {asks} points, out of fold:")
    for name, length in (("vessel", vessel), ("cast or rod", worse), ("anything else", other)):
        print(f"  {name}: {length[sure].sum():.0f} of {length.sum():.0f} mm called vascular")
    text = "\n".join(lines_of(fitted(asked, is_vessel, weight))) + "\n"
    print(text)
    if options.write:
        FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
