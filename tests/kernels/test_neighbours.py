"""Pairs of near points and nearest greater ones against plain loops over all points."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.neighbours import few_nearest, near_pairs, nearest_above, nearest_among, support_of


def points(n, seed=3):
    return np.random.default_rng(seed).uniform(0, 30, (2, n)).round(1)


@pytest.mark.parametrize("n", [0, 1, 2, 40, 500])
def test_pairs_are_all_pairs_within_reach(n):
    row, col = points(n)

    one, other, distance = near_pairs(row, col, 2.53)

    every = np.hypot(row[:, None] - row, col[:, None] - col)
    expected = {(a, b) for a in range(n) for b in range(a + 1, n) if every[a, b] ** 2 <= 2.53**2}
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected
    assert len(one) == len(expected)
    np.testing.assert_allclose(distance, every[one, other])


def test_nearest_of_greater_value():
    row, col = points(300)
    value = np.random.default_rng(4).integers(0, 20, 300).astype(float)
    one, other, distance = near_pairs(row, col, 3.0)

    nearest, apart = nearest_above(one, other, distance, value)

    every = np.hypot(row[:, None] - row, col[:, None] - col)
    for k in range(300):
        there = np.flatnonzero((every[k] <= 3.0) & (value > value[k]))
        if len(there):
            assert nearest[k] == there[every[k][there].argmin()]
            assert apart[k] == pytest.approx(every[k][there].min())
        else:
            assert (nearest[k], apart[k]) == (-1, np.inf)
    assert 0 < (nearest < 0).sum() < 100


@pytest.mark.parametrize(("n", "m"), [(0, 1), (1, 1), (30, 7), (200, 300)])
def test_nearest_among_others(n, m):
    points_of, others = np.stack(points(n), 1), np.stack(points(m, seed=5), 1)

    nearest, distance = nearest_among(points_of, others)

    every = np.hypot(*np.moveaxis(points_of[:, None] - others[None], 2, 0))
    assert nearest.tolist() == every.argmin(axis=1).tolist()
    np.testing.assert_allclose(distance, every.min(axis=1))


def test_nothing_to_be_nearest_is_refused():
    with pytest.raises(ValueError, match="nothing that could be nearest"):
        nearest_among(np.zeros((3, 2)), np.empty((0, 2)))


@pytest.mark.parametrize(("n", "wanted"), [(2, 1), (5, 4), (80, 3), (500, 1)])
def test_few_nearest_are_the_nearest_of_all(n, wanted):
    row, col = points(n)

    number, distance = few_nearest(row, col, wanted)

    square = (row[:, None] - row) ** 2 + (col[:, None] - col) ** 2
    np.fill_diagonal(square, np.inf)
    order = np.argsort(square, axis=1, kind="stable")[:, :wanted]
    assert number.tolist() == order.tolist()
    np.testing.assert_array_equal(distance, np.sqrt(np.take_along_axis(square, order, axis=1)))


@pytest.mark.parametrize("wanted", [0, 3])
def test_more_neighbours_than_points_are_refused(wanted):
    with pytest.raises(ValueError, match="3 points have no"):
        few_nearest(np.zeros(3), np.zeros(3), wanted)


@pytest.mark.parametrize("n", [0, 1, 60])
def test_support_is_a_sum_over_all_others_near(n):
    row, col = points(n)
    rng = np.random.default_rng(6)
    form, score = rng.normal(size=(n, 2)), rng.uniform(size=n)

    found = support_of(row, col, form, score, least=0.3, reach=5.0)

    counted = np.where(score >= 0.3, score, 0.0) * ~np.eye(n, dtype=bool)
    apart = np.hypot(row[:, None] - row, col[:, None] - col)
    alike = np.exp(-0.5 * ((form[:, None] - form) ** 2).sum(axis=2))
    for values, weight in zip(found, (apart <= 5, apart <= 10, (apart <= 10) * alike), strict=True):
        np.testing.assert_allclose(values, (counted * weight).sum(axis=1), rtol=1e-12)
