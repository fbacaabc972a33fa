"""Detection on a simulation that shares nothing with the phantoms: photons counted behind a voxel breast, 8 bits.

    python benchmarks/bench_simulation.py --images 20 --cache DIR --plot froc.png
    python benchmarks/bench_simulation.py --images 20 --cache DIR --photons 7000 --ablation

A compressed breast of 0.3 mm voxels, fat or fibroglandular where a random field of power-law spectrum says so (Burgess
2001, doi 10.1118/1.1355308), stands in a fan of X-rays of six energies from a source 650 mm above the detector.
Attenuation is that of tissue (Johns & Yaffe 1987, doi 10.1088/0031-9155/32/6/002), as a photoelectric and a scattered
part. Groups of calcium specks of 0.2 to 0.6 mm, each a clump of grains of its own density, lie anywhere in it. Detected
photons, scatter included, are drawn one energy at a time (Poisson) and weighted by their energy; the logarithm is
stored in 8 bits. What is faint is left faint: every speck that was put in counts, seen or not. How much is seen hangs
on the dose: --photons sets it, and a row of --ablation says how far a plain detector gets at that dose.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import detection_ablation
import numpy as np
from bench_detection import DEFAULTS, search
from kernel_bench import environment
from scipy import ndimage

from mammocalc.evaluate import TrueImage, evaluate
from mammocalc.evaluate.matching import Marks
from mammocalc.evaluate.truth import Specks

PITCH_MM, VOXEL_MM, FINE = 0.085, 0.3, 5
ROWS, COLUMNS = 1100, 800
SOURCE_MM = 650.0
# keV; share of the photons that enter, tungsten behind rhodium at 28 kV.
ENERGIES = np.array([15.0, 17.0, 19.0, 21.0, 23.0, 26.0])
SPECTRUM = np.array([0.12, 0.20, 0.27, 0.25, 0.10, 0.06])
# Linear attenuation in 1/mm: photoelectric part at 1 keV, scattered part.
FAT, GLAND, CALCIUM = (219.5, 0.0182), (486.3, 0.0194), (10000.0, 0.03)
PHOTONS = 3500
"""Detected a pixel behind the middle of the breast, without scatter, unless another dose is asked for."""
SCATTER, SCATTER_MM = 0.12, 6.0
"""Scatter behind the grid as a share of the primary photons, and how far it spreads (standard deviation)."""
BLUR_MM = 0.035
"""Detector and focal spot together, standard deviation; the pixel's aperture comes on top."""
SEEDS = range(500, 1000)
"""Nothing is tuned on any of these images."""


def attenuation(material, energy):
    """1/mm at this energy in keV."""
    return material[0] / energy**3 + material[1]


def breast(rng):
    """Fibroglandular and all tissue in mm along each ray, shape (ROWS, COLUMNS)."""
    thickness_mm = rng.uniform(35, 60)
    shape = np.array([thickness_mm, ROWS * PITCH_MM, COLUMNS * PITCH_MM]) / VOXEL_MM
    shape = tuple(shape.astype(int) + 1)
    waves = np.sqrt(
        sum(f**2 for f in np.ix_(*(np.fft.fftfreq(n) for n in shape[:2]), np.fft.rfftfreq(shape[2])))
    )
    waves[0, 0, 0] = np.inf
    field = rng.standard_normal(shape).astype(np.float32)
    field = np.fft.irfftn(np.fft.rfftn(field) * waves ** (-rng.uniform(1.3, 1.7)), shape, axes=(0, 1, 2))
    z, y, x = np.ix_(*(np.arange(n) * VOXEL_MM for n in shape))
    # The edge bulges: half an ellipse in each layer, smaller towards both paddles.
    bulge = 1 - 0.5 * (np.abs(2 * z / thickness_mm - 1)) ** 4
    middle, deep = ROWS * PITCH_MM / 2, rng.uniform(0.75, 0.92) * COLUMNS * PITCH_MM
    inside = ((y - middle) / (0.92 * middle)) ** 2 + (x / deep) ** 2 < bulge
    # Less gland towards the skin and the chest wall.
    edge = ((y - middle) / (0.92 * middle)) ** 2 + (x / deep - 0.35) ** 2
    field = field / field.std() - 1.2 * edge
    gland = (field > np.quantile(field[inside], 1 - rng.uniform(0.1, 0.6))) & inside
    rays = []
    for tissue in (gland, inside):
        # Voxels are coarser than pixels: rays two pixels apart, and between them linearly.
        total = np.zeros((ROWS // 2, COLUMNS // 2), np.float32)
        for layer in range(shape[0]):
            # The ray of a pixel passes this layer nearer to the middle of the chest wall, where the focus stands.
            shrink = 1 - layer * VOXEL_MM / SOURCE_MM
            total += ndimage.affine_transform(
                tissue[layer].astype(np.float32),
                np.array([shrink, shrink]) * 2 * PITCH_MM / VOXEL_MM,
                np.array([middle * (1 - shrink), 0.0]) / VOXEL_MM,
                total.shape,
                order=1,
            )
        rays.append(cv2.resize(total, (COLUMNS, ROWS)).astype(np.float64) * VOXEL_MM)
    return rays


def specks(rng, tissue_mm):
    """Calcium in mm along each ray on the pixels, and centre (row, col) and diameter in mm of every speck."""
    calcium, drawn = np.zeros((ROWS, COLUMNS)), []
    allowed = ndimage.binary_erosion(tissue_mm > 0.8 * tissue_mm.max(), iterations=60)
    allowed[:60] = allowed[-60:] = allowed[:, :60] = False
    places = np.flatnonzero(allowed)
    for _ in range(int(rng.integers(1, 4))):
        middle = np.array(np.unravel_index(rng.choice(places), calcium.shape), float)
        density = rng.uniform(0.25, 0.9)
        for _ in range(int(rng.integers(5, 16))):
            place = middle + rng.normal(0, 2.2, 2) / PITCH_MM
            diameter_mm = float(np.exp(rng.uniform(np.log(0.2), np.log(0.6))))
            row, col = np.rint(place).astype(int)
            if not tissue_mm[row, col] > 5 or any(
                np.hypot(*(place - at)) * PITCH_MM < 0.5 + (diameter_mm + size) / 2 for at, size in drawn
            ):
                continue
            half = 8
            grid = (np.arange((2 * half + 1) * FINE) - ((2 * half + 1) * FINE - 1) / 2) / FINE * PITCH_MM
            y, x = grid[:, None] - (place[0] - row) * PITCH_MM, grid - (place[1] - col) * PITCH_MM
            clump = np.zeros((len(grid), len(grid)))
            for _ in range(int(rng.integers(3, 7))):
                radius = diameter_mm * rng.uniform(0.2, 0.4)
                angle, away = rng.uniform(0, 2 * np.pi), diameter_mm / 2 - radius
                v, u = y - away * np.sin(angle), x - away * np.cos(angle)
                clump = np.maximum(clump, 2 * np.sqrt(np.maximum(radius**2 - v**2 - u**2, 0)))
            side = 2 * half + 1
            on_pixels = clump.reshape(side, FINE, side, FINE).mean(axis=(1, 3))
            calcium[row - half : row + half + 1, col - half : col + half + 1] += density * on_pixels
            drawn.append((place, diameter_mm))
    return calcium, drawn


def simulate(seed, dose):
    """One image, uint8, and its specks as (row, col, diameter_mm)."""
    rng = np.random.default_rng((seed, 85))
    gland_mm, tissue_mm = breast(rng)
    calcium_mm, drawn = specks(rng, tissue_mm)
    middle = tissue_mm > 0.9 * tissue_mm.max()
    sigma = BLUR_MM / PITCH_MM
    passed = []
    for energy in ENERGIES:
        fat, gland, calcium = (attenuation(material, energy) for material in (FAT, GLAND, CALCIUM))
        depth = fat * (tissue_mm - gland_mm) + gland * gland_mm + calcium * calcium_mm
        passed.append(np.exp(-depth))
    primary = np.stack(passed) * SPECTRUM[:, None, None]
    primary *= dose / primary.sum(axis=0)[middle].mean()
    signal, air = np.zeros((ROWS, COLUMNS)), 0.0
    for energy, photons in zip(ENERGIES, primary, strict=True):
        expected = ndimage.gaussian_filter(photons, sigma)
        spread = ndimage.gaussian_filter(photons[::8, ::8], SCATTER_MM / PITCH_MM / 8)
        spread = ndimage.zoom(spread, (ROWS / spread.shape[0], COLUMNS / spread.shape[1]), order=1)
        signal += energy * rng.poisson(expected + SCATTER * np.maximum(spread, 0))
        air += energy * photons.max()
    density = np.log(air / np.maximum(signal, 1.0))
    low, high = np.quantile(density[tissue_mm > 3], (0.002, 0.9995))
    low -= 0.1 * (high - low)
    stored = np.clip((density - low) / (1.05 * (high - low)), 0, 1) * 255
    return np.rint(stored).astype(np.uint8), [(*place.tolist(), size) for place, size in drawn]


def simulated(folder, dose, seed):
    """The truth of one image in the folder, which is made where it is not there yet."""
    path, beside = (folder / f"simulated_{dose}_{seed}.{end}" for end in ("png", "json"))
    if not beside.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pixels, drawn = simulate(seed, dose)
        cv2.imwrite(str(path), pixels)
        beside.write_text(json.dumps(drawn), encoding="utf-8")
    drawn = np.array(json.loads(beside.read_text(encoding="utf-8"))).reshape(-1, 3)
    marks = Marks(*drawn.T)
    return TrueImage(
        path=path.name, patient=path.stem, specks=Specks(marks, [""] * len(marks)), pixel_spacing_mm=PITCH_MM
    )


def main():
    """Simulate, detect, evaluate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="leave out so many seeds before them")
    parser.add_argument("--photons", type=int, default=PHOTONS, help="detected a pixel, without scatter")
    parser.add_argument("--ablation", action="store_true", help="also with each idea switched off")
    parser.add_argument("--cache", type=Path, help="folder in which images are kept")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="PNG with the curves")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seeds = SEEDS[arguments.first : arguments.first + arguments.images]
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(arguments.jobs) as pool:
        root = arguments.cache or Path(scratch)
        truths = list(pool.map(partial(simulated, root, arguments.photons), seeds))
        results = list(pool.map(partial(search, root, arguments.ablation, True), truths))
    evaluation = evaluate(
        [(truth, result.detections) for truth, result in zip(truths, results, strict=True)],
        operating_point=DEFAULTS.segment.min_score,
        remarks=(
            f"simulated images, not real ones, {arguments.photons} photons a pixel, seeds {seeds[0]} to {seeds[-1]}",
        ),
    )
    print(evaluation.as_text())
    written = {"environment": environment(), "parameters": DEFAULTS.hash, **evaluation.as_dict()}
    if arguments.ablation:
        written["ablation"] = detection_ablation.table(truths, results, DEFAULTS.segment.min_score)
        print("\n" + detection_ablation.as_text(written["ablation"]))
    if arguments.plot:
        evaluation.plot(arguments.plot)
    if arguments.json:
        arguments.json.write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
