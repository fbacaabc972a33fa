"""Error of the measured sizes on bodies of known size: print the table, save it, plot it.

    python benchmarks/bench_measure.py [--copies N] [--blur known|estimated] [--plot FILE] [--json FILE]

Every condition (body, size, pitch, blur, contrast over noise, what the body lies in) is drawn several times at random
sub-pixel places and angles. "hit" is the share within the target: calibre and diameter 0.05 mm + 5 %, length 0.1 mm +
5 %, wall 0.1 mm. The body lies in white noise alone, or also in tissue: a power-law field whose differences grow with
distance as they do between the calcifications of digital mammograms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import time
from pathlib import Path
from typing import Any

import known_bodies as bodies
import numpy as np

from mammocalc.measure import MeasureParameters, measure

TARGETS = {
    "width_mm": (0.05, 0.05),
    "width_max_mm": (0.05, 0.05),
    "diameter_mm": (0.05, 0.05),
    "length_mm": (0.1, 0.05),
    "wall_thickness_mm": (0.1, 0.0),
}
SIZES = (0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0, 3.0)
PITCHES = (0.05, 0.07, 0.1)
BLURS = (0.03, 0.06, 0.09)
CONTRASTS = (8.0, 15.0, 40.0)
SURROUNDINGS = ("white noise", "tissue")
# Of the tissue: exponent of the power spectrum, and half the mean square of differences 1 mm apart, noise variances.
_TISSUE_EXPONENT, _TISSUE_VARIOGRAM = 3.0, 4.0


def cases(rng: np.random.Generator) -> list[tuple[str, float, bodies.Body, dict[str, float]]]:
    """Kind, size (mm), body and true values, for every body that is drawn."""
    out = []
    for size in SIZES:
        angle = rng.uniform(0, 180)
        out.append(("disc", size, bodies.disc(size), {"diameter_mm": size}))
        out.append(("sphere", size, bodies.sphere(size), {"diameter_mm": size}))
        if size <= 1.0:
            length = max(4 * size, 1.2)
            for dome, round_ends in itertools.product((False, True), (False, True)):
                name = f"{'round' if dome else 'flat'} wire, {'round' if round_ends else 'square'} ends"
                body = bodies.wire(length, size, angle, dome, round_ends)
                out.append((name, size, body, {"width_mm": size, "length_mm": length}))
            rod = bodies.tapered_wire(length, size, angle)
            out.append(("tapered rod", size, rod, {"width_max_mm": size, "length_mm": length}))
            bent = bodies.arc_wire(1.5 * length, 0.9 * length, size, angle, dome=True)
            out.append(("bent wire", size, bent, {"width_mm": size, "length_mm": 1.5 * length}))
        if size >= 0.7:
            for wall in (0.12, 0.2, 0.3):
                if wall <= 0.3 * size:
                    truth = {"diameter_mm": size, "wall_thickness_mm": wall}
                    out.append(("shell", size, bodies.shell(size, wall), truth))
                    out.append(("ring", size, bodies.ring(size, wall), truth))
        if 0.7 <= size <= 1.0:
            truth = {"width_mm": size, "length_mm": 5 * size, "wall_thickness_mm": 0.2}
            out.append(("tube", size, bodies.wire(5 * size, size, angle, True, True, 0.2), truth))
            out.append(("two walls", size, bodies.wire(5 * size, size, angle, False, True, 0.2), truth))
    return out


def tissue(shape: tuple[int, int], pitch: float, rng: np.random.Generator) -> np.ndarray:
    """A power-law field, its differences over 1 mm as strong as in digital mammograms scaled to unit noise."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    # Nothing coarser than a sixtieth of a pixel's frequency: the background ring would take it off anyway.
    spectrum = np.fft.rfft2(rng.normal(size=shape)) * np.maximum(frequency, 1 / 60) ** (-_TISSUE_EXPONENT / 2)
    field = np.fft.irfft2(spectrum, shape)
    lag = round(1 / pitch)
    return field * np.sqrt(_TISSUE_VARIOGRAM / (0.5 * np.mean((field[lag:] - field[:-lag]) ** 2)))


def sheet(
    pitch: float, blur: float, contrast: float, surroundings: str, copies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, float, dict[str, float]]]]:
    """All bodies on one plane of unit noise, with their labels (about half contrast) and truth."""
    patches, truths = [], []
    for _ in range(copies):
        for kind, size, body, truth in cases(rng):
            patch = bodies.draw(body, pitch, blur, tuple(rng.uniform(-0.5, 0.5, 2)), margin_mm=0.9)
            patches.append(patch * (contrast / patch.max()))
            truths.append((kind, size, truth))
    width = max(int(3000 * 0.05 / pitch), max(p.shape[1] for p in patches))
    top = left = tall = 0
    places = []
    for patch in patches:
        if left + patch.shape[1] > width:
            top, left, tall = top + tall, 0, 0
        places.append((top, left))
        left += patch.shape[1]
        tall = max(tall, patch.shape[0])
    plane = np.zeros((top + tall, width))
    labels = np.zeros(plane.shape, np.int32)
    for k, (patch, (y, x)) in enumerate(zip(patches, places, strict=True)):
        window = np.s_[y : y + patch.shape[0], x : x + patch.shape[1]]
        plane[window] += patch
        mask = patch >= rng.choice([0.4, 0.5, 0.6]) * contrast
        labels[window][mask] = k + 1
    if surroundings == "tissue":
        plane += tissue(plane.shape, pitch, rng)
    return plane + rng.normal(size=plane.shape), labels, truths


def run(copies: int, known_blur: bool, seed: int = 1) -> list[dict[str, Any]]:
    """One record for every true value of every body drawn."""
    rng = np.random.default_rng(seed)
    records = []
    for surroundings, pitch, blur, contrast in itertools.product(SURROUNDINGS, PITCHES, BLURS, CONTRASTS):
        plane, labels, truths = sheet(pitch, blur, contrast, surroundings, copies, rng)
        parameters = MeasureParameters(detector_blur_mm=blur if known_blur else 0.0)
        measured = measure(bodies.scene_of(plane, pitch), bodies.regions_of(labels), parameters)
        for k, (kind, size, truth) in enumerate(truths):
            for name, true in truth.items():
                records.append(
                    {
                        "kind": kind,
                        "size_mm": size,
                        "pitch_mm": pitch,
                        "blur_mm": blur,
                        "blur_used_mm": measured.detector_blur_mm,
                        "contrast": contrast,
                        "surroundings": surroundings,
                        "feature": name,
                        "true_mm": true,
                        "measured_mm": float(measured.columns[name][k]),
                    }
                )
    return records


def within(records: list[dict[str, Any]]) -> tuple[float, float, float, float]:
    """Median error and 95 % of the absolute error (mm), share inside the target, share NaN."""
    error = np.array([r["measured_mm"] - r["true_mm"] for r in records])
    allowed = np.array([TARGETS[r["feature"]][0] + TARGETS[r["feature"]][1] * r["true_mm"] for r in records])
    missing = np.isnan(error)
    told = error[~missing]
    if not len(told):
        return float("nan"), float("nan"), 0.0, 1.0
    return (
        float(np.median(told)),
        float(np.quantile(np.abs(told), 0.95)),
        float(np.mean(np.abs(np.where(missing, np.inf, error)) <= allowed)),
        float(missing.mean()),
    )


def table(records: list[dict[str, Any]], keys: tuple[str, ...]) -> str:
    """Errors grouped by some of the conditions, as text."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(tuple(record[key] for key in ("feature", *keys)), []).append(record)
    lines = [
        f"{'feature':18} "
        + " ".join(f"{key:>24}" for key in keys)
        + "      n median mm  95 % mm    hit    NaN"
    ]
    for group, members in sorted(groups.items()):
        bias, spread, hit, missing = within(members)
        cells = " ".join(f"{value!s:>24}" for value in group[1:])
        lines.append(
            f"{group[0]:18} {cells} {len(members):6d} {bias:+9.3f} {spread:8.3f} {hit:6.1%} {missing:6.1%}"
        )
    return "\n".join(lines)


def plot(records: list[dict[str, Any]], path: Path) -> None:
    """Error against true size, one panel a feature, coloured by kind."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    features = list(TARGETS)
    figure, axes = plt.subplots(2, 3, figsize=(20, 9), layout="constrained")
    kinds = sorted({r["kind"] for r in records})
    for axis, feature in zip(axes.flat, features, strict=False):
        chosen = [r for r in records if r["feature"] == feature]
        for i, kind in enumerate(kinds):
            mine = [r for r in chosen if r["kind"] == kind]
            if mine:
                true = np.array([r["true_mm"] for r in mine])
                error = np.array([r["measured_mm"] for r in mine]) - true
                axis.plot(
                    true * 1.012 ** (i - len(kinds) / 2),
                    error,
                    ".",
                    ms=3,
                    alpha=0.4,
                    label=kind,
                    color=f"C{i}",
                )
        x = np.geomspace(0.1, max(r["true_mm"] for r in chosen) * 1.1)
        allowed = TARGETS[feature][0] + TARGETS[feature][1] * x
        axis.plot(x, allowed, "k--", x, -allowed, "k--", lw=1)
        axis.set(
            xscale="log", title=feature, xlabel="true, mm", ylabel="measured - true, mm", ylim=(-0.4, 0.4)
        )
        axis.legend(fontsize=7, markerscale=3)
    for axis in axes.flat[len(features) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=110)


def speed(count: int = 3000) -> str:
    """Time of `measure` on a plane of small specks, one and two threads."""
    rng = np.random.default_rng(0)
    pitch, side = 0.07, 2400
    plane = rng.normal(size=(side, side))
    labels = np.zeros(plane.shape, np.int32)
    grid = int(np.ceil(np.sqrt(count)))
    for k in range(count):
        y, x = (int((v + 0.5) * side / grid) for v in divmod(k, grid))
        patch = bodies.draw(
            bodies.sphere(rng.uniform(0.15, 0.5)), pitch, 0.06, tuple(rng.uniform(-0.5, 0.5, 2)), 0.35
        )
        patch *= rng.uniform(5, 30) / patch.max()
        window = np.s_[y - patch.shape[0] // 2 :, x - patch.shape[1] // 2 :]
        plane[window][: patch.shape[0], : patch.shape[1]] += patch
        labels[window][: patch.shape[0], : patch.shape[1]][patch >= patch.max() / 2] = k + 1
    scene, regions = bodies.scene_of(plane, pitch), bodies.regions_of(labels)
    parts = []
    for threads in (1, 2):
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            measure(scene, regions, threads=threads)
            seconds.append(time.perf_counter() - start)
        parts.append(f"{threads} thread{'s' if threads > 1 else ''} {1e3 * float(np.median(seconds)):.1f} ms")
    return f"{count} specks of 0.15 to 0.5 mm: " + ", ".join(parts)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--blur", choices=("known", "estimated"), default="estimated")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {platform.processor() or 'unknown processor'}"
    )
    print(speed())
    records = run(options.copies, options.blur == "known")
    for surroundings in SURROUNDINGS:
        here = [record for record in records if record["surroundings"] == surroundings]
        for keys in ((), ("kind",), ("size_mm",), ("pitch_mm",), ("blur_mm",), ("contrast",)):
            print(f"\nin {surroundings}:")
            print(table(here, keys))
    if options.json:
        options.json.write_text(json.dumps(records))
    if options.plot:
        plot(records, options.plot)


if __name__ == "__main__":
    main()
