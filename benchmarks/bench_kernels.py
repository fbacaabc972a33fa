#!/usr/bin/env python3
"""Time the kernels against their peers: one process, ours and the peers in turn, medians after a warm-up.

    python benchmarks/bench_kernels.py [--quick] [--json FILE] [--only WORDS] [--threads 1 2] [--repeats N]

Prints the machine, then a Markdown table: milliseconds of ours and of every peer, the ratio to the FASTEST peer (below
1 the peer wins) and how far the results agree. Entries come from the modules ``kernel_entries_*.py`` next to this file.
Peers are the extra `bench` of the package; one that is missing is named as such. Exit status 1 if results disagree.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import sys
from pathlib import Path

from kernel_bench import TABLE_HEAD, Entry, Timing, breast_image, environment, format_timing, run_entry

IMAGES = {"4096x3328, 14 bit": (4096, 3328, 14), "3328x2560, 12 bit": (3328, 2560, 12)}


def all_entries() -> list[Entry]:
    """Entries of every module of entries, by the module's name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("kernel_entries_*.py"))
    return [entry for name in names for entry in importlib.import_module(name).entries()]


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="the smaller image, 3 repeats, no slow peers")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the environment and all timings here"
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="entries whose name holds these words")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--repeats", type=int, default=None, help="default: 7, or 3 with --quick")
    chosen = parser.parse_args(arguments)
    repeats = chosen.repeats or (3 if chosen.quick else 7)
    entries = [entry for entry in all_entries() if chosen.only.lower() in entry.name.lower()]
    if not entries:
        parser.error(f"no entry's name holds {chosen.only!r}")
    machine = environment()
    for key, value in machine.items():
        print(f"{key}: {value}")
    print(f"repeats: {repeats}, median\n\n{TABLE_HEAD}", flush=True)
    timings: list[Timing] = []
    for name, (rows, columns, bits) in list(IMAGES.items())[1 if chosen.quick else 0 :]:
        image = breast_image(rows, columns, bits)
        for entry in entries:
            for threads in chosen.threads:
                slow = not chosen.quick and threads == chosen.threads[0]
                timings.append(run_entry(entry, image, name, threads, repeats, slow))
                print(format_timing(timings[-1]), flush=True)
            gc.collect()
    missed = [timing for timing in timings if timing.missed]
    for timing in missed:
        print(f"\nbelow its target: {timing.entry}, {timing.image}: {timing.ratio:.2f} < {timing.target:g}")
    if chosen.json:
        report = {
            "environment": machine,
            "repeats": repeats,
            "timings": [timing.as_dict() for timing in timings],
        }
        chosen.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if any(timing.disagreeing for timing in timings) else 0


if __name__ == "__main__":
    sys.exit(main())
