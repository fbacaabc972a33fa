"""Free-response curves by hand-made marks."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.evaluate.froc import Marked, bootstrapped, froc, interval, patient_weights


def marked(rows, truths, area):
    """Marks from (score, hit, image)."""
    score, hit, image = (np.array(column) for column in zip(*rows, strict=True))
    return Marked(
        score.astype(float),
        hit.astype(bool),
        image.astype(int),
        np.array(truths, float),
        np.array(area, float),
    )


# Two images with three truths: hit, false, hit, false, false, hit by descending score.
SIX = marked(
    [(0.9, 1, 0), (0.8, 0, 1), (0.7, 1, 1), (0.6, 0, 0), (0.5, 0, 0), (0.4, 1, 0)],
    truths=(2, 1),
    area=(10, 30),
)


def test_sensitivity_is_that_of_the_last_score_within_the_rate():
    curve = froc(SIX)
    assert curve.at(0.0) == (pytest.approx(1 / 3), 0.9)
    assert curve.at(0.5) == (pytest.approx(2 / 3), 0.7)
    assert curve.at(1.4) == (pytest.approx(2 / 3), 0.6)
    assert curve.at(1.5) == (1.0, 0.4)


def test_false_marks_are_counted_on_all_images_and_per_area():
    curve = froc(SIX)
    assert curve.false_per_image[-1] == 1.5
    assert curve.false_per_cm2[-1] == pytest.approx(3 / 40)
    assert curve.at(1 / 40, "false_per_cm2")[0] == pytest.approx(2 / 3)


def test_marks_of_equal_score_come_together():
    curve = froc(marked([(0.5, 0, 0), (0.5, 1, 0)], truths=(1,), area=(1,)))
    assert curve.at(0.9)[0] == 0.0
    assert curve.at(1.0)[0] == 1.0
    assert len(curve.score) == 2


def test_a_rate_that_the_marks_do_not_come_to_is_told():
    assert froc(SIX).reaches(1.5)
    assert not froc(SIX).reaches(1.6)


def test_an_image_that_counts_twice_is_as_good_as_two():
    twice = froc(SIX, np.array([1.0, 2.0]))
    assert twice.sensitivity[-1] == 1.0
    assert twice.false_per_image[-1] == pytest.approx(4 / 3)
    assert twice.at(2 / 3)[0] == pytest.approx(3 / 4)


def test_no_marks_and_no_truths():
    none = Marked(np.empty(0), np.empty(0, bool), np.empty(0, int), np.array([2.0]), np.array([1.0]))
    assert froc(none).at(5.0) == (0.0, np.inf)
    assert np.isnan(froc(marked([(0.5, 0, 0)], truths=(0,), area=(1,))).at(5.0)[0])


def test_patients_are_drawn_with_all_of_their_images():
    weights = patient_weights(["b", "a", "b", "c"], 500)
    assert weights.shape == (500, 4)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, 0] != weights[:, 1]).any()
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)


def test_bootstrap_agrees_with_whole_curves_of_each_sample():
    rng = np.random.default_rng(3)
    n = 400
    many = Marked(
        rng.random(n),
        rng.random(n) < 0.3,
        rng.integers(0, 20, n),
        rng.integers(8, 12, 20).astype(float),
        rng.uniform(50, 90, 20),
    )
    weights = patient_weights([str(i // 2) for i in range(20)], 30)
    rates = (("false_per_image", 1.0), ("false_per_image", 5.0), ("false_per_cm2", 0.05))
    whole = [[froc(many, weight).at(rate, axis)[0] for axis, rate in rates] for weight in weights]
    np.testing.assert_allclose(bootstrapped(many, rates, weights), whole)


def test_the_interval_holds_the_middle_95_percent():
    assert interval(np.linspace(0, 1, 1001)) == (pytest.approx(0.025), pytest.approx(0.975))
    assert all(np.isnan(interval(np.array([np.nan]))))
