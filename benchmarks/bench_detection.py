"""How many calcifications are found at how many false marks: on synthetic mammograms and on public data sets.

    python benchmarks/bench_detection.py --dataset phantom                       # four images, a minute
    python benchmarks/bench_detection.py --dataset phantom --images 200 --jobs 2 --cache DIR --plot froc.png
    python benchmarks/bench_detection.py --dataset phantom --training --images 40 --gallery DIR
    python benchmarks/bench_detection.py --dataset phantom --training --images 40 --ablation --segment-only
    python benchmarks/bench_detection.py --dataset inbreast --root INbreast --jobs 8 --json inbreast.json

Detection runs at default settings; only the least score reported is set to 0, so that whole curves can be drawn. The
operating point is the default least score. Synthetic mammograms come from the test seeds, on which nothing is tuned,
or with --training from the training seeds; vendors, pixel spacings, processing and both intents are mixed. They take
longer to make than to search: --cache keeps them, apart for every version of the code that draws them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import detection_ablation
import detection_gallery
import numpy as np
from kernel_bench import environment

import mammocalc as mc
import mammocalc.phantom
from mammocalc.evaluate import Detections, TrueImage, detections_of, evaluate
from mammocalc.evaluate.datasets import DATASETS, read_truth
from mammocalc.evaluate.datasets.phantom import true_image
from mammocalc.evaluate.detections import nothing_found
from mammocalc.phantom import SCENES, TEST_SEEDS, TRAINING_SEEDS, make, write_phantom
from mammocalc.phantom.truth import Truth
from mammocalc.prepare import prepare
from mammocalc.prepare.scene import Scene
from mammocalc.segment import Regions, segment

DEFAULTS = mc.Parameters()
EVERYTHING = DEFAULTS.replace("segment", min_score=0.0)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the first stages give: all that curves are drawn from, without measurements and labels."""

    mammogram: mc.Mammogram
    scene: Scene
    regions: Regions
    parameters: mc.Parameters


@dataclass(frozen=True, eq=False)
class Searched:
    """One image after detection.

    Attributes
    ----------
    detections : Detections
    evidence : dict of str to ndarray
        What each mark's score was made of.
    in_search : ndarray of bool, shape (true calcifications,)
        Whether the place of each was searched at all.
    shape : tuple of int
        Rows and columns of the image.
    variants : dict of str to Detections
        The same image under each ablation.
    seconds : float
    """

    detections: Detections
    evidence: dict = field(default_factory=dict)
    in_search: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    shape: tuple = (0, 0)
    variants: dict = field(default_factory=dict)
    seconds: float = 0.0


def drawing_code():
    """A short hash of the code that draws phantoms: a cache of other code's phantoms is not used."""
    (folder,) = mammocalc.phantom.__path__
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def phantom_in(folder, scene, size, seed):
    """The path of one synthetic mammogram; it is made where it is not there yet."""
    name = f"{scene}_{seed:05d}"
    path = folder / f"{name}.dcm"
    # The truth is written last: where it stands, the image is whole.
    if not path.with_name(f"{name}.truth.json").exists():
        write_phantom(make(seed, settings=SCENES[scene](seed, size)), folder, name, "jpeg-lossless")
    return path


def phantom_truth(folder, path):
    """The truth of one cached phantom."""
    truth = Truth.from_json(path.with_name(f"{path.stem}.truth.json").read_text(encoding="utf-8"))
    return true_image(truth, path.relative_to(folder).as_posix())


def phantoms(arguments, cache, pool):
    """Root folder and truth of the synthetic mammograms asked for."""
    folder = cache / drawing_code() / arguments.size
    seeds = (TRAINING_SEEDS if arguments.training else TEST_SEEDS)[
        arguments.first : arguments.first + arguments.images
    ]
    paths = list(pool.map(partial(phantom_in, folder, arguments.scene, arguments.size), seeds))
    kind = "training" if arguments.training else "test"
    remark = f"synthetic mammograms, scene {arguments.scene}, {arguments.size}, {kind} seeds {seeds[0]} to {seeds[-1]}"
    return folder, [phantom_truth(folder, path) for path in paths], (remark,)


def candidates_of(image):
    """Prepare and segment one image."""
    scene = prepare(image, EVERYTHING.prepare)
    return Candidates(image, scene, segment(scene, EVERYTHING.segment), EVERYTHING)


def search(root, ablate, segment_only, truth: TrueImage):
    """Detect on one image at one thread; an image that cannot be searched has no marks."""
    began = time.perf_counter()
    try:
        image = mc.read(root / truth.path, pixel_spacing_mm=truth.pixel_spacing_mm)
        if segment_only:
            findings = candidates_of(image)
            found = detection_ablation.marks_of(findings.regions, findings.scene, truth.path)
        else:
            findings = mc.detect(image, EVERYTHING, threads=1)
            found = detections_of(findings, truth.path)
    except mc.SkippedInput:
        return Searched(nothing_found(truth.path, "skipped"))
    except mc.MammocalcError:
        return Searched(nothing_found(truth.path, "failed"))
    seconds = time.perf_counter() - began
    return Searched(
        found,
        findings.regions.evidence,
        detection_gallery.searched_places(findings, truth),
        image.pixels.shape,
        detection_ablation.variants_of(findings, truth.path) if ablate else {},
        seconds,
    )


def main():
    """Detect, evaluate, print the tables, draw what was asked for."""
    arguments = options()
    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(arguments.jobs) as pool,
    ):
        if arguments.dataset == "phantom":
            root, truths, remarks = phantoms(arguments, arguments.cache or Path(scratch), pool)
        else:
            data = read_truth(arguments.root, None if arguments.dataset == "folder" else arguments.dataset)
            root, truths, remarks = arguments.root, list(data.images), data.remarks
            there = [truth for truth in truths if (root / truth.path).exists()]
            if len(there) < len(truths):
                remarks = (
                    *remarks,
                    f"{len(truths) - len(there)} images of the set are not in the folder: left out",
                )
            truths = there
            if arguments.images:
                truths = truths[arguments.first : arguments.first + arguments.images]
        results = list(
            pool.map(partial(search, root, arguments.ablation, arguments.segment_only), truths, chunksize=2)
        )
        pairs = [(truth, result.detections) for truth, result in zip(truths, results, strict=True)]
        evaluation = evaluate(
            pairs,
            operating_point=DEFAULTS.segment.min_score,
            resamples=arguments.resamples,
            remarks=remarks,
        )
        print(evaluation.as_text())
        seconds = [result.seconds for result in results if result.seconds]
        if seconds:
            print(f"median {np.median(seconds):.2f} s an image with all candidates, one thread")
        written = {
            "environment": environment(),
            "dataset": arguments.dataset,
            "parameters": DEFAULTS.hash,
            **evaluation.as_dict(),
        }
        if arguments.ablation:
            written["ablation"] = detection_ablation.table(truths, results, DEFAULTS.segment.min_score)
            print("\n" + detection_ablation.as_text(written["ablation"]))
        if evaluation.specks is not None or arguments.gallery:
            written["kinds"] = detection_gallery.kinds(evaluation, results)
            print("\n" + detection_gallery.as_text(written["kinds"]))
        if arguments.gallery:
            for path in detection_gallery.draw(evaluation, results, root, arguments.gallery):
                print(f"drawn: {path}")
        if arguments.plot:
            evaluation.plot(arguments.plot)
        if arguments.json:
            arguments.json.write_text(json.dumps(written, indent=1), encoding="utf-8")


def options():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", choices=("phantom", "folder", *DATASETS), default="phantom")
    parser.add_argument("--root", type=Path, help="folder of the data set")
    parser.add_argument("--images", type=int, help="how many images; phantoms: 4 unless given; else all")
    parser.add_argument("--first", type=int, default=0, help="leave out so many images before them")
    parser.add_argument(
        "--training", action="store_true", help="phantoms of training seeds, not of test seeds"
    )
    parser.add_argument("--scene", choices=tuple(SCENES), default="mixed", help="of phantoms")
    parser.add_argument("--size", choices=("small", "full"), default="small", help="of phantoms")
    parser.add_argument("--cache", type=Path, help="folder in which phantoms are kept")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--segment-only", action="store_true", help="faster: neither measure nor label what is found"
    )
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap samples of patients")
    parser.add_argument("--ablation", action="store_true", help="also with each idea switched off")
    parser.add_argument(
        "--gallery", type=Path, help="folder for pictures of the worst misses and false marks"
    )
    parser.add_argument("--plot", type=Path, help="PNG with the curves")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.dataset == "phantom":
        arguments.images = arguments.images or 4
    elif arguments.root is None:
        parser.error(f"--dataset {arguments.dataset} needs --root")
    return arguments


if __name__ == "__main__":
    main()
