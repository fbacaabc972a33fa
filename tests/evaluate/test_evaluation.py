"""Whole evaluations of hand-made marks on hand-made truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mammocalc.evaluate import Detections, Marks, Specks, TrueImage, evaluate
from mammocalc.evaluate.detections import nothing_found
from mammocalc.evaluate.truth import circle

SPACING_MM = 0.1


def square(row, col, side=4):
    return [(int(row) + i, int(col), int(col) + side) for i in range(side)]


def marks(places, diameter, with_masks):
    row, col = np.array(places, float).reshape(-1, 2).T
    runs = [square(*place) for place in places] if with_masks else None
    return Marks(row + 1.5, col + 1.5, np.broadcast_to(np.asarray(diameter, float), len(row)).copy(), runs)


def truth_of(path, places, *, label="round", diameter=0.4, regions=(), group="", with_masks=True):
    labels = [label] * len(places) if isinstance(label, str) else label
    specks = Specks(marks(places, diameter, with_masks), labels)
    return TrueImage(path, path, specks, tuple(regions), bool(places), group=group)


def judged(pairs, **options):
    return evaluate(pairs, resamples=40, **options)


def found_on(path, places, score, *, with_masks=True, area_mm2=5000.0):
    return Detections(
        path,
        marks(places, 0.4, with_masks),
        np.array(score, float),
        np.full(len(places), "round"),
        SPACING_MM,
        area_mm2,
    )


@pytest.fixture(scope="module")
def two_images():
    """Three of four specks found, one of them weakly; one sure false mark and two weak ones."""
    one = truth_of(
        "one.dcm", [(50, 50), (80, 80), (200, 200)], label=["round", "round", "rim"],
        diameter=[0.25, 0.4, 2.0], regions=[circle(66, 66, 60)], group="a",
    )  # fmt: skip
    other = truth_of("other.dcm", [(30, 30)], label="rim", group="b")
    return [
        (one, found_on("one.dcm", [(50, 50), (80, 81), (300, 300)], [0.9, 0.4, 0.8])),
        (other, found_on("other.dcm", [(30, 30), (90, 90), (95, 300)], [0.7, 0.3, 0.2])),
    ]


def test_the_operating_point_counts_what_a_user_sees(two_images):
    specks = judged(two_images, operating_point=0.5).specks
    assert specks.count == 4
    assert specks.sensitivity.value == 0.5
    assert specks.false_per_image.value == 0.5
    assert specks.false_per_cm2.value == pytest.approx(1 / 100)
    assert specks.sensitivity.low <= 0.5 <= specks.sensitivity.high


def test_sensitivity_at_rates(two_images):
    rates = {(one.axis, one.rate): one for one in judged(two_images).specks.at_rates}
    assert rates["false_per_image", 1.0].sensitivity.value == 0.75
    assert rates["false_per_image", 1.0].reached
    assert not rates["false_per_image", 2.0].reached
    assert rates["false_per_cm2", 0.1].sensitivity.value == 0.75
    assert len(rates) == 8


def test_shares_by_label_size_and_kind_of_image(two_images):
    specks = judged(two_images, operating_point=0.5).specks
    by_label = {one.name: (one.count, one.at_operating_point, one.at_rates) for one in specks.by_label}
    assert by_label == {"rim": (2, 0.5, (0.5,) * 3), "round": (2, 0.5, (1.0,) * 3)}
    by_size = {one.name: (one.count, one.at_operating_point) for one in specks.by_size}
    assert by_size == {"0.2 to 0.3 mm": (1, 1.0), "0.3 to 0.5 mm": (2, 0.5), "1 to 3 mm": (1, 0.0)}
    assert [(one.name, one.specks, one.false_per_image) for one in specks.by_group] == [
        ("a", 3, 1.0),
        ("b", 1, 0.0),
    ]


def test_overlap_is_the_mean_over_shown_hits(two_images):
    # Squares of 4 px, one exact and one a column off: 12 of 20.
    assert judged(two_images, operating_point=0.5).specks.iou.value == 1.0
    assert judged(two_images, operating_point=0.1).specks.iou.value == pytest.approx((1 + 1 + 0.6) / 3)
    blind = [(truth, found_on(truth.path, [(50, 50)], [0.9], with_masks=False)) for truth, _ in two_images]
    assert judged(blind).specks.iou is None


def test_pieces_are_false_but_told_apart():
    truth = truth_of("one", [(50, 50)], diameter=2.0)
    pieces = found_on("one", [(50, 50), (50, 52)], [0.9, 0.8])
    specks = judged([(truth, pieces)]).specks
    assert specks.false_per_image.value == 1.0
    assert specks.fragments_per_image == 1.0
    assert not specks.at_rates_without_pieces[0].reached
    assert specks.at_rates[0].reached


def test_regions_hit_touched_and_false_clusters(two_images):
    triple = [(500, 500), (500, 510), (510, 500)]
    pairs = [
        *two_images,
        (truth_of("normal", []), found_on("normal", triple, [0.9, 0.8, 0.6])),
    ]
    shown = judged(pairs, operating_point=0.5).clusters
    assert (shown.count, shown.images, shown.images_without) == (1, 3, 2)
    assert (shown.sensitivity.value, shown.touched.value) == (0.0, 1.0)
    assert shown.false_per_image.value == pytest.approx(1 / 3)
    assert shown.false_per_image_without.value == 0.5
    every = judged(pairs, operating_point=0.1).clusters
    assert every.sensitivity.value == 1.0
    # The region needs score 0.4; the false cluster is there from 0.6 on.
    assert {one.rate: one.sensitivity.value for one in every.at_rates} == {
        0.05: 0.0, 0.1: 0.0, 0.2: 0.0, 0.5: 1.0, 1.0: 1.0, 2.0: 1.0,
    }  # fmt: skip


def test_marks_on_true_calcifications_outside_of_regions_are_no_false_cluster():
    places = [(50, 50), (60, 60), (70, 70)]
    result = judged([(truth_of("one", places), found_on("one", places, [0.9, 0.9, 0.9]))])
    assert result.clusters.false_per_image.value == 0.0


def test_an_image_that_was_not_searched_is_missed_not_forgotten(two_images):
    (one, found), (other, _) = two_images
    result = judged([(one, found), (other, nothing_found("other.dcm", "failed"))], operating_point=0.5)
    assert result.not_searched == 1
    assert result.specks.sensitivity.value == 0.25
    assert result.breast_area_cm2 == 50.0
    assert "1 images were not searched" in result.as_text()


def test_presence_is_whether_images_with_calcifications_score_higher():
    triple = [(50, 50), (60, 60), (70, 70)]
    pairs = []
    for k, (calcified, score) in enumerate([(True, 0.9), (True, 0.5), (False, 0.6), (False, 0.1)]):
        truth = TrueImage(str(k), str(k), calcified=calcified)
        pairs.append((truth, found_on(str(k), triple, [score] * 3)))
    result = judged(pairs)
    assert result.specks is None
    assert result.clusters is None
    assert result.presence.auc.value == 0.75
    assert judged(pairs[:2]).presence is None


def test_text_json_and_picture(two_images, tmp_path):
    result = judged(two_images, remarks=("hand-made",))
    text = result.as_text()
    for line in ("single calcifications: 4 on 2 images", "false/cm2", "IoU", "rim", "note: hand-made"):
        assert line in text
    plain = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert plain["specks"]["at_rates"][0]["sensitivity"]["value"] == 0.75
    assert plain["specks"]["by_size"][0]["name"] == "0.2 to 0.3 mm"
    result.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_images_without_a_mark_or_a_truth():
    result = judged([(truth_of("normal", []), found_on("normal", [], []))])
    assert np.isnan(result.specks.sensitivity.value)
    assert result.specks.false_per_image.value == 0.0
    assert result.specks.reliability is None
    assert result.as_text()
    json.dumps(result.as_dict(), allow_nan=False)
    assert judged([]).images == 0
