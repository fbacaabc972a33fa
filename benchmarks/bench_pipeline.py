"""Race the whole `detect()` against hand-tuned peers on one raw DICOM file, and profile its stages.

    python benchmarks/bench_pipeline.py --repeat 9 --json pipeline.json
    python benchmarks/bench_pipeline.py --against other_pipeline.py
    python benchmarks/bench_pipeline.py --quick

One process, our run and the peers' in turn, medians; a ratio is the median of the round-by-round ratios. The image is a
synthetic FOR PROCESSING mammogram (13.6 and 8.5 megapixels) written as an uncompressed DICOM file; all sides read it
from disk and end with labelled or ruled candidates. The peer is `peer_pipeline.py`; `--against` adds any file with
a function ``run(path)``. Also measured: how the time grows with pixels and with candidates, and whole processes: the
help text, one image from the command line, and its peak memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import peer_pipeline
from kernel_bench import environment

import mammocalc as mc
from mammocalc.phantom import PhantomSettings, make
from mammocalc.write.dicom import write_mammogram

SIZES = {"13.6 MP": (4096, 3328, "selenium_65"), "8.5 MP": (3328, 2560, "selenium_70")}


def written_phantom(folder, rows, columns, detector):
    """A synthetic raw mammogram as an uncompressed DICOM file."""
    settings = PhantomSettings(rows=rows, columns=columns, detector=detector, intent="FOR PROCESSING")
    path = folder / f"raw_{rows}x{columns}.dcm"
    write_mammogram(make(3, settings=settings).mammogram, path, transfer_syntax="native")
    return path


def interleaved(runs, repeat):
    """Milliseconds of each, in turn, after one warm-up each; shape (repeat, len(runs))."""
    for run in runs:
        run()
    times = np.empty((repeat, len(runs)))
    for i in range(repeat):
        for j, run in enumerate(runs):
            start = time.perf_counter()
            run()
            times[i, j] = (time.perf_counter() - start) * 1e3
    return times


def race(path, threads, repeat, peers):
    """One line of the table for a number of threads, ours and peers by name."""
    cv2.setNumThreads(threads)
    runs = [partial(mc.detect, path, threads=threads), *(partial(run, path) for run in peers.values())]
    times = interleaved(runs, repeat)
    ratios = np.median(times[:, 1:] / times[:, :1], axis=0)
    return {
        "threads": threads,
        "ours_ms": round(float(np.median(times[:, 0])), 1),
        "peers": {
            name: {
                "ms": round(float(np.median(times[:, i + 1])), 1),
                "ratio": round(float(ratios[i]), 2),
            }
            for i, name in enumerate(peers)
        },
    }


def other_peer(file):
    """The function ``run`` of a Python file."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


def whole_processes(path, repeat):
    """Median seconds of the help text and of one image on the command line, and the image's peak memory in MiB."""
    command = [sys.executable, "-c", "from mammocalc.cli import main; main()"]
    seconds = {"help_seconds": [], "one_image_seconds": [], "python_seconds": []}
    code = f"import mammocalc as mc; mc.detect({str(path)!r})"
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as out:
            for name, arguments in (
                ("help_seconds", [*command, "--help"]),
                ("one_image_seconds", [*command, "detect", str(path), "--out", out]),
                ("python_seconds", [sys.executable, "-c", code]),
            ):
                start = time.perf_counter()
                subprocess.run(arguments, check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - start)
    # Not getrusage: a child begins with the peak of its parent.
    measured = f"{code}; print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", measured], check=True, capture_output=True, text=True)
    peak = next(line for line in status.stdout.splitlines() if line.startswith("VmHWM"))
    return {
        **{name: round(statistics.median(values), 2) for name, values in seconds.items()},
        "peak_mebibytes": round(int(peak.split()[1]) / 1024),
    }


def profile(path, threads, repeat):
    """Median milliseconds of each stage and its share."""
    runs = [mc.detect(path, threads=threads).timings for _ in range(repeat)]
    medians = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
    total = sum(medians.values())
    return {stage: {"ms": round(ms, 1), "share": round(ms / total, 3)} for stage, ms in medians.items()}


def growth_with_pixels(repeat):
    """Milliseconds against megapixels of the breast's bounding box, for crops of one image scaled by its field."""
    rows = []
    for side in (1000, 1600, 2400, 3400):
        settings = PhantomSettings(rows=side, columns=round(side * 0.7), intent="FOR PROCESSING")
        image = make(5, settings=settings).mammogram
        mc.detect(image, threads=1)
        times = [_milliseconds(image) for _ in range(repeat)]
        box = mc.detect(image, threads=1).scene.plane.size / 1e6
        rows.append({"searched_megapixels": round(box, 2), "ms": round(statistics.median(times), 1)})
    return rows


def growth_with_candidates(path, repeat):
    """Milliseconds against the number of candidates that are measured and labelled, by lowering the score asked for."""
    image = mc.read(path)
    rows = []
    for score in (0.9, 0.5, 0.1, 0.0):
        parameters = mc.Parameters()
        parameters = dataclasses.replace(
            parameters, segment=dataclasses.replace(parameters.segment, min_score=score)
        )
        found = len(mc.detect(image, parameters, threads=1).regions)
        times = [_milliseconds(image, parameters) for _ in range(repeat)]
        rows.append({"min_score": score, "candidates": found, "ms": round(statistics.median(times), 1)})
    return rows


def _milliseconds(image, parameters=None):
    start = time.perf_counter()
    mc.detect(image, parameters, threads=1)
    return (time.perf_counter() - start) * 1e3


def main():
    """Print the tables and write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="the smaller image once, for a smoke test")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="FILE.py")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    repeat = 2 if arguments.quick else arguments.repeat
    peers = {"peer_pipeline": peer_pipeline.run} | {file.stem: other_peer(file) for file in arguments.against}
    result = {"environment": environment(), "synthetic": True, "race": {}, "profile": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, columns, detector) in list(SIZES.items())[1 if arguments.quick else 0 :]:
            path = written_phantom(Path(folder), rows, columns, detector)
            result["race"][name] = [race(path, threads, repeat, peers) for threads in (1, 2)]
            result["profile"][name] = profile(path, 1, repeat)
            print(f"\n{name}, read to label, ms (median of {repeat})")
            for line in result["race"][name]:
                print(f"  {line['threads']} thread(s): ours {line['ours_ms']:.1f}")
                for peer, value in line["peers"].items():
                    print(f"    {peer}: {value['ms']:.1f}, {value['ratio']:.2f} times ours")
            for stage, value in result["profile"][name].items():
                print(f"    {stage:10s} {value['ms']:8.1f} ms {value['share']:6.1%}")
            if not arguments.quick and name == "13.6 MP":
                result["candidates"] = growth_with_candidates(path, repeat)
                pairs = (f"{row['candidates']}: {row['ms']} ms" for row in result["candidates"])
                print("  by candidates measured:", ", ".join(pairs))
                result["processes"] = whole_processes(path, 3)
                print("  whole processes:", result["processes"])
        if not arguments.quick:
            result["pixels"] = growth_with_pixels(repeat)
            pairs = (f"{row['searched_megapixels']}: {row['ms']} ms" for row in result["pixels"])
            print("  by megapixels searched:", ", ".join(pairs))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
