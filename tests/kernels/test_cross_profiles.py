"""Profiles across a curve: equal to a readable twin, blind to what lies under a capsule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mammocalc_kernels.cross_profiles import cross_profiles


def twin(plane, points, normals, offsets, capsules):
    """Sample by sample, capsule by capsule."""
    out = np.full((len(points), len(offsets)), math.nan)
    for i in range(len(points)):
        for k in range(len(offsets)):
            at = points[i] + offsets[k] * normals[i]
            r, c = np.floor(at + 0.5).astype(int)
            if not (1 <= r < plane.shape[0] - 1 and 1 <= c < plane.shape[1] - 1):
                continue
            if any(distance(at, capsule[:2], capsule[2:4]) <= capsule[4] for capsule in capsules):
                continue
            out[i, k] = plane[r - 1 : r + 2, c - 1 : c + 2].astype(np.float64).mean()
    return out


def distance(at, start, end):
    way = end - start
    along = 0.0 if not way.any() else min(1.0, max(0.0, (at - start) @ way / (way @ way)))
    return float(np.linalg.norm(at - start - along * way))


@pytest.fixture
def curve():
    rng = np.random.default_rng(5)
    angle = rng.uniform(0, 2 * math.pi, 15)
    return rng.uniform((-3, -3), (43, 53), (15, 2)), np.stack([np.sin(angle), np.cos(angle)], axis=1)


def test_equals_the_twin(curve):
    rng = np.random.default_rng(6)
    plane = rng.normal(100, 5, (40, 50)).astype(np.float32)
    ends = rng.uniform((0, 0), (40, 50), (8, 2))
    capsules = np.column_stack([ends, ends + rng.normal(0, 5, (8, 2)), rng.uniform(0.5, 4, 8)])
    capsules[0, 2:4] = capsules[0, :2]
    offsets = np.linspace(-12, 12, 17)
    made = cross_profiles(plane, *curve, offsets, capsules)
    np.testing.assert_allclose(made, twin(plane, *curve, offsets, capsules), rtol=1e-12)
    assert 0.2 < np.isnan(made).mean() < 0.8


def test_without_capsules_only_the_edge_is_left_out(curve):
    plane = np.full((40, 50), 7.0, np.float32)
    made = cross_profiles(plane, *curve, np.array([0.0]), np.empty((0, 5)))
    inside = np.floor(curve[0] + 0.5)
    seen = ((inside >= 1) & (inside < np.array([39, 49]))).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(made[:, 0]), seen)
    assert set(made[seen, 0]) == {7.0}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"plane": np.ones((9, 9))}, "plane must be 2-D float32"),
        ({"normals": np.ones((3, 2))}, r"points and normals must both be \(n, 2\)"),
        ({"offsets": np.empty(0)}, "offsets must be 1-D and not empty"),
        ({"capsules": np.ones((2, 4))}, r"capsules must be \(m, 5\)"),
    ],
)
def test_refuses_what_does_not_fit(change, match):
    given = {
        "plane": np.ones((9, 9), np.float32),
        "points": np.ones((2, 2)),
        "normals": np.ones((2, 2)),
        "offsets": np.ones(1),
        "capsules": np.ones((2, 5)),
    }
    with pytest.raises(ValueError, match=match):
        cross_profiles(**{**given, **change})
