"""The README's times are those of the results that were measured, as the script writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
readme_table = pytest.importorskip("readme_table")


def test_the_readme_holds_the_table_of_the_results():
    kernels, pipeline = (
        json.loads((readme_table.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("kernels", "pipeline")
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme_table.table(kernels, pipeline)
    assert block.count("\n| ") > 8
    assert readme_table.with_table(readme, block) == readme


def test_missing_markers_are_named():
    with pytest.raises(ValueError, match="lacks the markers"):
        readme_table.with_table("# mammocalc\n", "table")
