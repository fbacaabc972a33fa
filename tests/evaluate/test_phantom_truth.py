"""The truth of synthetic mammograms as the bench sees it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.evaluate import evaluate
from mammocalc.evaluate.datasets import read_truth
from mammocalc.evaluate.detections import Detections
from mammocalc.phantom import PhantomSettings, make
from mammocalc.phantom.scenes import NO_CALCIUM


@pytest.fixture(scope="module")
def truth():
    settings = PhantomSettings(
        **{
            **NO_CALCIUM,
            "rows": 500,
            "columns": 360,
            "detector": "caesium_100",
            "punctate": 1,
            "hot_pixels": 2,
        }
    )
    return make(3, settings=settings).truth


@pytest.fixture
def folder(truth, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one.truth.json").write_text(truth.to_json())
    return tmp_path


def test_specks_regions_and_distractors_are_those_drawn(truth, folder):
    data = read_truth(folder)
    (image,) = data.images
    assert (data.name, image.path, image.group) == ("phantom", "set/one.dcm", "caesium_100 processed")
    assert image.calcified
    assert len(image.specks) == len(truth.calcifications) > 4
    assert list(image.specks.label) == [one.label for one in truth.calcifications]
    np.testing.assert_allclose(
        image.specks.visibility, [one.detectability for one in truth.calcifications], atol=1e-3
    )
    assert sorted(one.kind for one in image.distractors).count("hot pixel") == 2
    marks = image.specks.marks
    for region, cluster in zip(image.regions, truth.clusters, strict=True):
        member = np.array([one.cluster_id == cluster.cluster_id for one in truth.calcifications])
        assert region.contains(marks.row[member], marks.col[member]).all()
        assert region.label == cluster.label


def test_finding_exactly_what_was_drawn_is_perfect(folder):
    (image,) = read_truth(folder, "phantom").images
    n = len(image.specks)
    found = Detections(image.path, image.specks.marks, np.ones(n), np.full(n, ""), 0.1, 3000.0)
    result = evaluate([(image, found)])
    assert result.specks.sensitivity.value == 1.0
    assert result.specks.iou.value == 1.0
    assert result.clusters.sensitivity.value == 1.0
    assert result.clusters.false_per_image.value == 0.0


def test_a_pair_is_not_a_region(truth, tmp_path):
    first = truth.clusters[0].cluster_id
    pair = [one for one in truth.calcifications if one.cluster_id == first][:2]
    few = dataclasses.replace(truth, calcifications=tuple(pair))
    (tmp_path / "few.truth.json").write_text(few.to_json())
    assert read_truth(tmp_path).images[0].regions == ()


def test_what_is_not_truth_is_told(tmp_path):
    with pytest.raises(UnreadableInput, match="holds the truth of none of"):
        read_truth(tmp_path)
    with pytest.raises(UnreadableInput, match="holds no images of phantom"):
        read_truth(tmp_path, "phantom")
    (tmp_path / "x.truth.json").write_text("{}")
    with pytest.raises(UnreadableInput, match=r"x\.truth\.json: is not the truth of a synthetic mammogram"):
        read_truth(tmp_path)
    with pytest.raises(InvalidParameter, match="'nothing' is none of phantom"):
        read_truth(tmp_path, "nothing")
    with pytest.raises(UnreadableInput, match="is not a folder"):
        read_truth(tmp_path / "absent")
