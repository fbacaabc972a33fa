"""Fit how round balls are measured: the numbers of `mammocalc.measure.measure.irregularity`.

    python benchmarks/fit_irregularity.py --images 300

Round and punctate calcifications of synthetic mammograms are balls. The outline of a detected one is the rougher the
smaller and the fainter it is: ln(1.005 - circularity) is fitted with a quadratic of ln(diameter in pixels) and
ln(contrast-to-noise ratio) by least squares. On training seeds only. The numbers in use were fitted on 2,591 balls of
mixed images (seeds 3000 to 3299) and of images with two groups each (seeds 5000 to 5179); the rest had a standard
deviation of 0.54.
"""

from __future__ import annotations

import argparse

import numpy as np
from labelled_images import matches

from mammocalc.measure import measure
from mammocalc.phantom import TRAINING_SEEDS, make, mixed
from mammocalc.prepare import prepare
from mammocalc.segment import segment

BALLS = ("round", "punctate")
LARGEST_MM = 1.1
ROUNDEST = 1.005


def balls_of(seed: int) -> np.ndarray:
    """Diameter in pixels, contrast-to-noise ratio and circularity of the balls found in one image, shape (n, 3)."""
    phantom = make(seed, settings=mixed(seed))
    scene = prepare(phantom.mammogram)
    regions = segment(scene)
    measurements = measure(scene, regions)
    found = matches(phantom.truth, scene, regions, measurements)
    ball = np.array([one.label in BALLS for one in phantom.truth.calcifications], bool)
    chosen = found[ball[: len(found)] & (found >= 0)]
    columns = measurements.columns
    rows = np.stack([columns[name][chosen] for name in ("diameter_mm", "cnr", "circularity")], axis=1)
    rows = rows[np.isfinite(rows).all(axis=1) & (rows[:, 0] < LARGEST_MM)]
    return rows / [scene.pixel_spacing_mm, 1.0, 1.0]


def fitted(balls: np.ndarray) -> tuple[np.ndarray, float]:
    """Factors of 1, a, b, a^2, b^2, ab, where a = ln(px) and b = ln(cnr), and the deviation of what they leave."""
    px, noise = np.log(np.maximum(balls[:, :2], 1.0)).T
    terms = np.stack([np.ones_like(px), px, noise, px**2, noise**2, px * noise], axis=1)
    lack = np.log(ROUNDEST - balls[:, 2])
    factors = np.linalg.lstsq(terms, lack, rcond=None)[0]
    return factors, float(np.std(lack - terms @ factors))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3000, metavar="FIRST")
    parser.add_argument("--images", type=int, default=300)
    options = parser.parse_args()
    seeds = range(options.seeds, options.seeds + options.images)
    if not set(seeds) <= set(TRAINING_SEEDS):
        parser.error("these are seeds for tests")
    balls = np.concatenate([balls_of(seed) for seed in seeds])
    factors, deviation = fitted(balls)
    print(
        f"{len(balls)} balls: {', '.join(f'{factor:.3f}' for factor in factors)}; deviation {deviation:.2f}"
    )


if __name__ == "__main__":
    main()
