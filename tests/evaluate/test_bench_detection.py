"""The bench from end to end, on one small synthetic mammogram."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mammocalc.phantom import PhantomSettings, make, write_phantom
from mammocalc.phantom.scenes import NO_CALCIUM

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_detection.py"


@pytest.fixture(scope="module")
def benched(tmp_path_factory):
    """A run with pictures and ablation: its folder, figures, and what it printed."""
    folder = tmp_path_factory.mktemp("bench")
    wanted = {
        "rows": 500,
        "columns": 360,
        "detector": "caesium_100",
        "punctate": 1,
        "rim": 1,
        "hot_pixels": 3,
    }
    settings = PhantomSettings(**{**NO_CALCIUM, **wanted})
    write_phantom(make(3, settings=settings), folder / "images", "one", "native")
    arguments = [
        "--dataset", "folder", "--root", folder / "images", "--segment-only", "--ablation", "--resamples", 20,
        "--gallery", folder / "gallery", "--json", folder / "r.json", "--plot", folder / "r.png",
    ]  # fmt: skip
    done = subprocess.run([sys.executable, BENCH, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, json.loads((folder / "r.json").read_text()), done.stdout


def test_the_bench_prints_and_writes_the_same_figures(benched):
    folder, figures, printed = benched
    specks = figures["specks"]
    assert specks["count"] > 3
    assert f"single calcifications: {specks['count']} on 1 images" in printed
    assert specks["at_rates"][3]["sensitivity"]["value"] > 0.5
    assert 0.4 < specks["iou"]["value"] < 1.0
    assert (folder / "r.png").stat().st_size > 1000


def test_every_mark_and_miss_is_explained(benched):
    _, figures, _ = benched
    specks, kinds = figures["specks"], figures["kinds"]
    missed = specks["count"] * (1 - specks["sensitivity"]["value"])
    assert sum(count for _, count in kinds["misses_by_reason"]) == pytest.approx(missed, abs=0.01)
    assert sum(count for _, count in kinds["false_by_kind"]) == specks["false_per_image"]["value"]
    assert dict(kinds["of_known_distractors_marked"])["hot pixel"].endswith(" of 3")


def test_ablation_holds_every_idea_against_everything_on(benched):
    _, figures, printed = benched
    rows = {row["switched_off"]: row for row in figures["ablation"]}
    whole = rows["everything on"]["sensitivity"]["10"]
    assert whole == pytest.approx(figures["specks"]["at_rates"][3]["sensitivity"]["value"], abs=1e-5)
    assert len(rows) > 15
    assert rows["noise not equalised"] != rows["everything on"]
    assert rows["score is the response alone"]["shown_sensitivity"] is None
    assert all(name in printed for name in rows)


def test_pictures_are_drawn_of_what_is_wrong(benched):
    folder, figures, _ = benched
    drawn = {path.name for path in (folder / "gallery").iterdir()} if (folder / "gallery").exists() else set()
    assert ("misses.png" in drawn) == (figures["specks"]["sensitivity"]["value"] < 1)
    assert ("false_marks.png" in drawn) == (figures["specks"]["false_per_image"]["value"] > 0)
