"""Regions hit and false clusters, by marks at known places."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.evaluate.clusters import crowd, in_any, region_scores, strongest_cluster
from mammocalc.evaluate.truth import Region, box, circle


def places(*points):
    return np.array(points, float).reshape(-1, 2).T


def test_a_region_is_hit_by_its_second_mark():
    row, col = places((10, 10), (12, 12), (11, 9), (50, 50))
    score = np.array([0.9, 0.3, 0.6, 0.95])
    regions = [circle(10, 10, 5), circle(50, 50, 5), circle(90, 90, 5)]
    assert region_scores(regions, row, col, score).tolist() == [0.6, -np.inf, -np.inf]
    assert region_scores(regions, row, col, score, marks=1).tolist() == [0.9, 0.95, -np.inf]


def test_a_region_is_the_union_of_its_polygons():
    two = Region((box(0, 0, 4, 4), box(10, 10, 14, 14)))
    row, col = places((2, 2), (12, 12), (7, 7), (2, 12))
    assert two.contains(row, col).tolist() == [True, True, False, False]
    assert in_any([two, circle(7, 7, 1)], row, col).tolist() == [True, True, True, False]


def test_three_marks_within_1_cm2_are_a_cluster():
    # The disc of 1 cm2 has a radius of 5.64 mm.
    row, col = places((0, 0), (0, 55), (55, 0))
    assert crowd(row, col, np.ones(3), 0.1).clusters(0.5) == 1
    row, col = places((0, 0), (0, 58), (58, 0))
    assert crowd(row, col, np.ones(3), 0.1).clusters(0.5) == 0
    assert crowd(row, col, np.ones(3), 0.05).clusters(0.5) == 1


def test_marks_below_the_score_do_not_count():
    row, col = places((0, 0), (0, 1), (1, 0), (1, 1))
    marks = crowd(row, col, np.array([0.2, 0.9, 0.5, 0.7]), 0.1)
    assert [marks.clusters(level) for level in (0.1, 0.5, 0.51, 0.95)] == [1, 1, 0, 0]


def test_marks_are_used_once():
    near, far = np.zeros((4, 2)), np.full((5, 2), 500.0)
    row, col = np.concatenate((near, far)).T
    assert crowd(row, col, np.ones(9), 0.1).clusters(0.5) == 2
    line = np.array([(0.0, 40.0 * i) for i in range(9)])
    # Discs of 11.3 mm on a line of 9 marks, 4 mm apart: three marks each, none twice.
    assert crowd(*line.T, np.ones(9), 0.1).clusters(0.5) == 3


def test_an_image_is_as_sure_as_its_strongest_third_mark():
    row, col = places((0, 0), (0, 10), (10, 0), (10, 10), (900, 900), (900, 910))
    score = np.array([0.9, 0.4, 0.8, 0.6, 1.0, 1.0])
    assert strongest_cluster(crowd(row, col, score, 0.1)) == pytest.approx(0.6)
    assert strongest_cluster(crowd(row[4:], col[4:], score[4:], 0.1)) == 0.0
    assert strongest_cluster(crowd(*places(), np.empty(0), 0.1)) == 0.0
