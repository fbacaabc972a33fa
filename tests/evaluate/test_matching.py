"""Matching by hand-made marks."""

from __future__ import annotations

import numpy as np

from mammocalc.evaluate.matching import Marks, match


def marks(*places, diameter=0.3, runs=None):
    rows, cols = np.array(places, float).reshape(-1, 2).T
    return Marks(rows, cols, np.full(len(rows), diameter), runs)


def square(row, col, side):
    return [(row + i, col, col + side) for i in range(side)]


def test_each_truth_is_taken_once_by_the_most_certain_detection():
    result = match(marks((10, 10), (10, 11)), np.array([0.4, 0.9]), marks((10, 10)), 0.1)
    assert result.truth_of.tolist() == [-1, 0]
    assert result.detection_of.tolist() == [1]


def test_reach_is_the_larger_of_the_limit_and_the_radius():
    near, far = marks((10, 13.4)), marks((10, 13.6))
    truth = marks((10, 10))
    score = np.ones(1)
    assert match(near, score, truth, 0.1).truth_of.tolist() == [0]
    assert match(far, score, truth, 0.1).truth_of.tolist() == [-1]
    assert match(far, score, marks((10, 10), diameter=2.0), 0.1).truth_of.tolist() == [0]


def test_overlap_alone_is_enough_and_is_reported():
    truth = marks((14.5, 24.5), runs=[square(10, 10, 10) + square(10, 20, 10)])
    found = marks((14.5, 14.5), runs=[square(10, 10, 10)])
    result = match(found, np.ones(1), truth, 0.1)
    assert result.truth_of.tolist() == [0]
    assert result.iou[0] == 0.5


def test_second_piece_of_one_truth_is_false_and_named_a_fragment():
    truth = marks((14.5, 19.5), diameter=1.5, runs=[square(10, 10, 10) + square(10, 20, 10)])
    found = marks(
        (14.5, 14.5), (14.5, 24.5), (50, 50), runs=[square(10, 10, 10), square(10, 20, 10), square(45, 45, 9)]
    )
    result = match(found, np.array([0.9, 0.8, 0.7]), truth, 0.1)
    assert result.truth_of.tolist() == [0, -1, -1]
    assert result.fragment.tolist() == [False, True, False]


def test_a_piece_without_a_mask_is_told_by_its_centroid():
    truth = marks((14.5, 19.5), diameter=1.5, runs=[square(10, 10, 10) + square(10, 20, 10)])
    found = marks((14.5, 19.0), (14.5, 27.4), (14.5, 31.0))
    assert match(found, np.array([0.9, 0.8, 0.7]), truth, 0.1).fragment.tolist() == [False, True, False]


def test_a_truth_without_a_mask_has_no_overlap():
    truth = marks((14.5, 14.5), (40, 40), runs=[square(10, 10, 10), ()])
    found = marks((14.5, 14.5), (40, 40), runs=[square(10, 10, 10), square(36, 36, 9)])
    result = match(found, np.ones(2), truth, 0.1)
    assert result.truth_of.tolist() == [0, 1]
    np.testing.assert_array_equal(result.iou, [1.0, np.nan])


def test_nothing_on_either_side():
    assert match(marks(), np.empty(0), marks((1, 1)), 0.1).detection_of.tolist() == [-1]
    assert match(marks((1, 1)), np.ones(1), marks(), 0.1).truth_of.tolist() == [-1]
