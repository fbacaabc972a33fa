"""Every line of the kernel benchmark runs, and its results agree, on a small image."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
bench_kernels = pytest.importorskip("bench_kernels")
kernel_bench = pytest.importorskip("kernel_bench")

ENTRIES = {entry.name: entry for entry in bench_kernels.all_entries()}


@pytest.fixture(scope="module")
def image():
    return kernel_bench.breast_image(1024, 832, 14)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_runs_and_agrees(name, image):
    timing = kernel_bench.run_entry(ENTRIES[name], image, "small", 2, 1, with_slow_peers=False)
    assert timing.ours_ms > 0
    assert not timing.disagreeing, timing.agreement
    assert set(timing.agreement) | set(timing.missing) == set(ENTRIES[name].peers) - set(
        ENTRIES[name].slow_peers
    )
