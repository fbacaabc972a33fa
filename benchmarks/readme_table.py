"""Put the measured times into the README: its table is written by this script, not by hand.

python benchmarks/bench_kernels.py --json benchmarks/results/kernels.json
python benchmarks/bench_pipeline.py --json benchmarks/results/pipeline.json
python benchmarks/readme_table.py
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
BEGIN, END = "<!-- times: begin, written by benchmarks/readme_table.py -->", "<!-- times: end -->"
LARGE = "4096x3328"


def kernel_rows(report):
    """Stage, ours, the fastest peer and the ratio, for the large image, one thread a row and two beside it."""
    timings = [entry for entry in report["timings"] if entry["image"].startswith(LARGE)]
    for entry in timings:
        if entry["threads"] != 1 or not entry["peers_ms"]:
            continue
        two = [other for other in timings if other["entry"] == entry["entry"] and other["threads"] == 2]
        yield (
            entry["entry"],
            f"{entry['ours_ms']:.1f}",
            f"{entry['best_peer']} {entry['peers_ms'][entry['best_peer']]:.0f}",
            f"{entry['ratio']:.1f}",
            f"{two[0]['ratio']:.1f}" if two else "",
        )


def pipeline_rows(report):
    """The whole `detect()` against each whole peer on the large image."""
    one, two = report["race"]["13.6 MP"]
    for name, peer in one["peers"].items():
        yield (
            "`detect()`, file to labels",
            f"{one['ours_ms']:.0f}",
            f"{name} {peer['ms']:.0f}",
            f"{peer['ratio']:.1f}",
            f"{two['peers'][name]['ratio']:.1f}",
        )


def table(kernels, pipeline):
    """The block between the markers, as Markdown."""
    machine = kernels["environment"]
    lines = [
        f"Synthetic image of 4096x3328 px; {machine['processor']}, {machine['processors_usable']} processors,",
        f"load average {machine['load_average']:.0f} when measuring began; medians in ms, one thread; the ratio is",
        "that of the fastest peer to ours, on one thread and on two (below 1 the peer wins).",
        "",
        "| stage | ours | fastest peer | ratio | on 2 threads |",
        "|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in (*pipeline_rows(pipeline), *kernel_rows(kernels))]
    shares = pipeline["profile"]["13.6 MP"]
    stages = ", ".join(f"{stage} {value['ms']:.0f} ms" for stage, value in shares.items())
    whole = pipeline["processes"]
    lines += [
        "",
        f"Stages of `detect()`: {stages}.",
        f"Whole processes: `--help` {whole['help_seconds']} s; one image on the command line, overlay and tables",
        f"included, {whole['one_image_seconds']} s; from Python {whole['python_seconds']} s;",
        f"peak memory {whole['peak_mebibytes']} MiB.",
        "",
        "One thread, by megapixels of the breast's bounding box, which alone is searched:",
        ", ".join(f"{row['searched_megapixels']:.1f}: {row['ms']:.0f} ms" for row in pipeline["pixels"])
        + ".",
        "By candidates that are measured and labelled, from a higher or lower score asked for:",
        ", ".join(f"{row['candidates']}: {row['ms']:.0f} ms" for row in pipeline["candidates"]) + ".",
    ]
    return "\n".join(lines)


def with_table(readme, block):
    """The README with the block between its markers."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md lacks the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def main():
    """Rewrite the README's block from the results."""
    kernels, pipeline = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("kernels", "pipeline")
    )
    readme = ROOT / "README.md"
    readme.write_text(
        with_table(readme.read_text(encoding="utf-8"), table(kernels, pipeline)), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
