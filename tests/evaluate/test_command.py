"""The command ``mammocalc evaluate`` and the run behind it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from mammocalc import cli
from mammocalc.errors import UnreadableInput
from mammocalc.evaluate import evaluate_run
from mammocalc.write.tables import columns_of, write_tables


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process; gives status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mammocalc", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def films(tmp_path):
    """Two films of which one was searched, with two marks in the circle and three outside, one of them weak."""
    truth = tmp_path / "mias"
    truth.mkdir()
    for name in ("mdb209", "mdb210"):
        (truth / f"{name}.pgm").write_bytes(b"P5 1 1 255 \0")
    (truth / "truth.csv").write_text("image,severity,col,row,radius_px\nmdb209,M,300,200,50\n")
    marks = [(210, 310, 0.9), (190, 290, 0.6), (500, 300, 0.95), (502, 310, 0.8), (505, 305, 0.2)]
    row, col, score = np.array(marks).T
    images = {
        "path": "mdb209.pgm", "status": "ok", "pixel_spacing_mm": 0.2, "breast_area_mm2": 15_000.0, "laterality": "L",
    }  # fmt: skip
    found = {
        "path": "mdb209.pgm", "calcification_id": np.arange(1, 6), "row": row, "col": col, "diameter_mm": 0.4,
        "score": score, "label": "round",
    }  # fmt: skip
    write_tables(
        tmp_path / "out",
        columns_of("images", images, 1),
        columns_of("calcifications", found, 5),
        columns_of("clusters", {}, 0),
    )
    return tmp_path / "out", truth


def test_a_run_is_held_against_a_truth(command, films, tmp_path):
    status, printed, _ = command(*films, "--json", tmp_path / "r.json", "--plot", tmp_path / "r.png")
    assert status == 0
    assert "regions" in printed
    assert "1 images of mini-mias are not among the findings: left out" in printed
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["images"] == 1
    assert result["clusters"]["sensitivity"]["value"] == 1.0
    assert result["clusters"]["false_per_image"]["value"] == 0.0
    assert result["clusters"]["by_outcome"] == [{"name": "malignant", "count": 1, "hit": 1.0, "touched": 1.0}]
    assert result["breast_area_cm2"] == 150.0
    assert (tmp_path / "r.png").stat().st_size > 1000


def test_the_operating_point_decides_which_marks_are_shown(films):
    shown = evaluate_run(*films, operating_point=0.7, resamples=5).clusters
    assert (shown.sensitivity.value, shown.false_per_image.value) == (0.0, 0.0)
    every = evaluate_run(*films, operating_point=0.1, resamples=5).clusters
    assert (every.sensitivity.value, every.false_per_image.value) == (1.0, 1.0)


def test_a_run_without_weak_marks_says_that_curves_end_early(films):
    assert not any("--min-score 0" in remark for remark in evaluate_run(*films, resamples=5).remarks)
    result = evaluate_run(*films, operating_point=0.15, resamples=5)
    assert any("--min-score 0" in remark for remark in result.remarks)


def test_nothing_in_common_or_no_truth_is_one_clear_line(command, films, tmp_path):
    out, truth = films
    (truth / "mdb209.pgm").rename(truth / "mdb211.pgm")
    with pytest.raises(
        UnreadableInput, match=r"holds none of the 2 images of mini-mias .* such as mdb210\.pgm"
    ):
        evaluate_run(out, truth)
    for arguments, told in (
        ((out, truth, "--dataset", "nothing"), "'nothing' is none of phantom, inbreast"),
        ((out, tmp_path / "out"), "holds the truth of none of"),
        ((truth, truth), "is it the --out folder of a run?"),
        ((out, tmp_path / "absent"), "does not exist"),
    ):
        status, printed, error = command(*arguments)
        assert (status, printed) == (2, "")
        assert told in error
        assert "Traceback" not in error
