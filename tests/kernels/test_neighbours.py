"""Pairs of near points and nearest greater ones against plain loops over all points."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.neighbours import near_pairs, nearest_above


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
