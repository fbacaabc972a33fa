"""How many images a minute a whole folder takes, in steady state, by transfer syntax, and what share decoding has.

    python benchmarks/bench_folder.py --images 48 --jobs 2
    python benchmarks/bench_folder.py --images 24 --syntax native --write none

The folder holds synthetic raw mammograms of 13.6 megapixels: a few different ones, each many times under other
identifiers. The rate counts from the moment when every worker has done two images to the last image: starting up and
writing the tables are left out. The share of decoding is what reading takes of the time of all stages.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path

from kernel_bench import environment

import mammocalc as mc
from mammocalc.phantom import PhantomSettings, make
from mammocalc.write.dicom import write_mammogram

SYNTAXES = ("native", "jpeg-lossless", "jpeg-2000")
DIFFERENT = 4


def written(folder, images, syntax):
    """Fill a folder with that many files."""
    settings = PhantomSettings(rows=4096, columns=3328, detector="selenium_65", intent="FOR PROCESSING")
    for seed in range(min(DIFFERENT, images)):
        mammogram = make(900 + seed, settings=settings).mammogram
        for copy in range(seed, images, DIFFERENT):
            named = dataclasses.replace(mammogram, sop_instance_uid=f"2.25.{10_000 + copy}")
            write_mammogram(named, folder / f"{copy:04}.dcm", transfer_syntax=syntax)


def measured(folder, jobs, write):
    """Rate, seconds an image in a worker, and the share of reading."""
    seen = []
    with tempfile.TemporaryDirectory() as out:
        summary = mc.detect_folder(
            folder,
            Path(out) / "findings",
            jobs=jobs,
            write=write,
            progress=lambda done, *_: seen.append((time.perf_counter(), done)),
        )
        with (Path(out) / "findings" / "timings.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    if summary.ok != len(rows) or summary.failed:
        raise SystemExit(f"{summary.failed} of {summary.images} images failed")
    began, first = next((when, done) for when, done in seen if done >= 2 * jobs)
    ended, last = seen[-1]
    read = [float(row["read_ms"]) / 1e3 for row in rows[2 * jobs :]]
    whole = [float(row["seconds"]) for row in rows[2 * jobs :]]
    return {
        "images_per_minute": round(60 * (last - first) / (ended - began), 1),
        "seconds_in_detect": round(statistics.median(whole), 3),
        "seconds_of_reading": round(statistics.median(read), 3),
        "share_of_reading": round(sum(read) / sum(whole), 3),
    }


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--syntax", choices=SYNTAXES, action="append")
    parser.add_argument("--write", default="overlay", help="overlay, or none")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.images < 4 * arguments.jobs:
        parser.error("at least four images a worker are needed for a steady state")
    write = () if arguments.write == "none" else (arguments.write,)
    result = {}
    for syntax in arguments.syntax or SYNTAXES:
        with tempfile.TemporaryDirectory() as folder:
            written(Path(folder), arguments.images, syntax)
            result[syntax] = measured(Path(folder), arguments.jobs, write)
        print(syntax, result[syntax])
    if arguments.json:
        arguments.json.write_text(json.dumps({"environment": environment(), **result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
