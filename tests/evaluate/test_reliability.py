"""Scores that are probabilities, and scores that are not."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.evaluate.reliability import reliability


def test_a_calibrated_score_lies_on_the_diagonal():
    rng = np.random.default_rng(1)
    score = rng.random(20_000)
    result = reliability(score, rng.random(20_000) < score)
    np.testing.assert_allclose(result.mean_score, result.share_true, atol=0.04)
    assert result.expected_calibration_error < 0.02
    assert result.brier < result.brier_of_base_rate


def test_an_overconfident_score_is_told_by_how_much():
    score = np.full(100, 0.95)
    true = np.arange(100) < 60
    result = reliability(score, true)
    assert result.expected_calibration_error == pytest.approx(0.35)
    assert result.brier == pytest.approx(0.6 * 0.05**2 + 0.4 * 0.95**2)
    assert result.brier_of_base_rate == pytest.approx(0.24)
    assert result.count.tolist() == [0] * 9 + [100]
    assert np.isnan(result.share_true[0])


def test_the_many_unlikely_do_not_hide_the_others():
    score = np.concatenate((np.zeros(900), np.full(100, 0.8)))
    result = reliability(score, np.arange(1000) >= 950)
    assert result.expected_calibration_error == pytest.approx(0.03)
    assert result.calibration_error_of_likely == pytest.approx(0.3)
    assert np.isnan(reliability(np.zeros(3), np.zeros(3, bool)).calibration_error_of_likely)


def test_a_score_of_one_is_in_the_last_bin_and_no_marks_give_nothing():
    assert reliability(np.ones(1), np.ones(1, bool)).count[-1] == 1
    assert reliability(np.empty(0), np.empty(0, bool)) is None
