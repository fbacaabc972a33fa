"""Race the whole `detect()` against the hand-tuned peer on one raw DICOM file, and profile its stages.

    python benchmarks/bench_pipeline.py --repeat 9 --json pipeline.json
    python benchmarks/bench_pipeline.py --quick

One process, our run and the peer's in turn, medians; the ratio is the median of the pair-by-pair ratios. The image is a
synthetic FOR PROCESSING mammogram (13.6 and 8.5 megapixels) written as an uncompressed DICOM file; both sides read it
from disk and end with labelled or ruled candidates. Also measured: how the time grows with pixels and with candidates.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
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


def interleaved(ours, peer, repeat):
    """Milliseconds of each, in turn, after one warm-up each."""
    ours(), peer()
    pairs = []
    for _ in range(repeat):
        pair = []
        for run in (ours, peer):
            start = time.perf_counter()
            run()
            pair.append((time.perf_counter() - start) * 1e3)
        pairs.append(pair)
    return np.array(pairs)


def race(path, threads, repeat):
    """One line of the table."""
    cv2.setNumThreads(threads)
    times = interleaved(lambda: mc.detect(path, threads=threads), lambda: peer_pipeline.run(path), repeat)
    return {
        "threads": threads,
        "ours_ms": round(float(np.median(times[:, 0])), 1),
        "peer_ms": round(float(np.median(times[:, 1])), 1),
        "ratio": round(float(np.median(times[:, 1] / times[:, 0])), 2),
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
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    repeat = 2 if arguments.quick else arguments.repeat
    result = {"environment": environment(), "synthetic": True, "race": {}, "profile": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, columns, detector) in list(SIZES.items())[1 if arguments.quick else 0 :]:
            path = written_phantom(Path(folder), rows, columns, detector)
            result["race"][name] = [race(path, threads, repeat) for threads in (1, 2)]
            result["profile"][name] = profile(path, 1, repeat)
            print(f"\n{name}, read to label, ms (median of {repeat})")
            for line in result["race"][name]:
                print(
                    "  {threads} thread(s): ours {ours_ms:.1f}, peer {peer_ms:.1f}, peer/ours {ratio:.2f}".format(
                        **line
                    )
                )
            for stage, value in result["profile"][name].items():
                print(f"    {stage:10s} {value['ms']:8.1f} ms {value['share']:6.1%}")
            if not arguments.quick and name == "13.6 MP":
                result["candidates"] = growth_with_candidates(path, repeat)
                pairs = (f"{row['candidates']}: {row['ms']} ms" for row in result["candidates"])
                print("  by candidates measured:", ", ".join(pairs))
        if not arguments.quick:
            result["pixels"] = growth_with_pixels(repeat)
            pairs = (f"{row['searched_megapixels']}: {row['ms']} ms" for row in result["pixels"])
            print("  by megapixels searched:", ", ".join(pairs))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
