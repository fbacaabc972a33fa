"""The short form of the fuzz: a few mutated inputs of every seed file."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "fuzz_read.py"


def test_mutated_files_are_images_or_typed_errors():
    command = [sys.executable, str(PROGRAM), "--inputs", "420", "--first", "900000", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "420 inputs in" in done.stdout
    assert "BAD" not in done.stdout
