import json
from pathlib import Path

import numpy as np
import pytest

from mammocalc.phantom import SAMPLES, Truth, make, write_phantoms
from mammocalc.read import read

FOLDER = Path(__file__).parents[2] / "sample_images"

TOLD_APART_FIRST = {"large_rod_like", "vascular", "punctate", "round", "rim", "fine_linear", "coarse"}


def test_the_samples_are_these_and_small():
    assert {path.stem for path in FOLDER.glob("*.dcm")} == set(SAMPLES)
    assert 4 <= len(SAMPLES) <= 6
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8e6


def test_a_sample_is_made_again_as_it_was():
    name = "film_right_cc"
    sample = SAMPLES[name]
    phantom = make(sample.seed, settings=sample.settings)
    stored = read(FOLDER / f"{name}.dcm").pixels
    # Exponentials differ in their last bit between processors, which may turn a rounding here and there.
    apart = np.abs(stored.astype(int) - phantom.mammogram.pixels)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-5
    written = Truth.from_json((FOLDER / f"{name}.truth.json").read_text(encoding="utf-8"))
    assert [one.runs for one in written.calcifications] == [one.runs for one in phantom.truth.calcifications]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_reads_as_its_truth_says(name):
    mammogram = read(FOLDER / f"{name}.dcm")
    truth = Truth.from_json((FOLDER / f"{name}.truth.json").read_text(encoding="utf-8"))
    assert mammogram.pixels.shape == (truth.rows, truth.columns)
    assert mammogram.pixel_spacing_mm == pytest.approx(truth.pixel_spacing_mm)
    assert (mammogram.laterality, mammogram.view) == (truth.laterality, truth.view)
    assert mammogram.linear_in_exposure == (truth.settings["intent"] == "FOR PROCESSING")
    values = mammogram.pixels.astype(float) * (1 if mammogram.dense_is_bright else -1)
    for one in truth.calcifications:
        if one.detectability > 15:
            mask = truth.mask(one.calcification_id)
            row, col = round(one.row), round(one.col)
            around = values[max(0, row - 20) : row + 20, max(0, col - 20) : col + 20]
            assert values[mask].mean() > np.median(around)


def test_the_samples_show_every_label_told_apart_first():
    seen = {}
    for name in SAMPLES:
        data = json.loads((FOLDER / f"{name}.truth.json").read_text(encoding="utf-8"))
        seen[name] = {one["label"] for one in data["calcifications"]}
    assert set().union(*seen.values()) >= TOLD_APART_FIRST
    assert seen["classic_benign_left_cc"] >= {"large_rod_like", "vascular"}
    assert seen["no_calcifications_left_mlo"] == set()


def test_phantoms_are_written_with_their_truth(tmp_path):
    (path,) = write_phantoms(tmp_path / "new", [7], "classic-benign")
    assert path.name == "classic-benign_00007.dcm"
    truth = Truth.from_json(path.with_name("classic-benign_00007.truth.json").read_text(encoding="utf-8"))
    assert truth.seed == 7
    assert read(path).pixels.shape == (truth.rows, truth.columns)


def test_an_unknown_scene_is_named(tmp_path):
    with pytest.raises(ValueError, match="scene 'other' is none of mixed"):
        write_phantoms(tmp_path, [1], "other")
