"""The short forms of the long proofs in ``benchmarks/bench_batch.py``."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "bench_batch.py"


@pytest.mark.parametrize(
    ("what", "option", "number", "said"),
    [
        ("stubs", "--inputs", 300, "300 files, 300 rows: 300 ok, 0 skipped, 0 failed"),
        ("soak", "--inputs", 40, "40 files, 40 rows: 38 ok, 0 skipped, 2 failed"),
        ("frames", "--inputs", 4, "1 files, 4 rows: 4 ok, 0 skipped, 0 failed"),
        ("kills", "--times", 2, "killed 2 times\nthe tables are the same, byte for byte"),
        ("same", "--inputs", 2, "5 files, 7 rows: 5 ok, 1 skipped, 1 failed"),
    ],
)
def test_short_form(what, option, number, said):
    if what == "same":
        pytest.importorskip("distributed", reason="needs mammocalc[dask]")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), what, option, str(number)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert re.search(r"^passed in \d+ s$", done.stdout, re.MULTILINE)
    assert "DIFFER" not in done.stdout
