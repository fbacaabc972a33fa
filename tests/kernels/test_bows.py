"""The gentle curve through an elongated object: equal to a readable twin, and right on drawn ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mammocalc_kernels.bows import trace_bows

BOWS = np.arange(-0.5, 0.51, 0.1)
TWISTS = np.arange(-0.6, 0.61, 0.3)


def twin(plane, centre, direction, half, bows, twists):
    """Try every curve on every object, one sample at a time."""
    out = np.zeros((len(centre), 2))
    for k in range(len(centre)):
        u = direction[k]
        v = np.array([-u[1], u[0]])
        count = max(8, int(2 * half[k] / 3))
        best = -math.inf
        for bow in bows:
            for twist in twists:
                total = 0.0
                for t in 2 * (np.arange(count) + 0.5) / count - 1:
                    aside = half[k] * (bow * (1 / 3 - t * t) + twist * (t**3 - 0.6 * t))
                    r, c = np.floor(centre[k] + t * half[k] * u + aside * v + 0.5).astype(int)
                    r, c = min(max(r, 1), plane.shape[0] - 2), min(max(c, 1), plane.shape[1] - 2)
                    cross = [plane[r - 1, c], plane[r + 1, c], plane[r, c - 1], plane[r, c + 1]]
                    total += plane[r, c] + 0.5 * sum(float(one) for one in cross)
                value = total / count - 1e-3 * (bow**2 + twist**2)
                if value > best:
                    best, out[k] = value, (bow, twist)
    return out


def test_equals_the_twin():
    rng = np.random.default_rng(3)
    # Far from each other, so that rounding decides no choice.
    plane = rng.normal(0, 100, (60, 70)).astype(np.float32)
    angle = rng.uniform(0, math.pi, 12)
    centre = rng.uniform((0, 0), (60, 70), (12, 2))
    direction = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    half = rng.uniform(2, 25, 12)
    given = (plane, centre, direction, half, BOWS, TWISTS)
    np.testing.assert_array_equal(trace_bows(*given), twin(*given))


@pytest.mark.parametrize("angle_deg", [0, 37, 90, 140])
@pytest.mark.parametrize(("bow", "twist"), [(0.0, 0.0), (0.3, 0.0), (-0.2, 0.0), (0.1, 0.3)])
def test_finds_the_curve_that_was_drawn(angle_deg, bow, twist):
    half, centre = 40.0, np.array([80.0, 80.0])
    u = np.array([-math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))])
    v = np.array([-u[1], u[0]])
    t = np.linspace(-1, 1, 400)
    aside = bow * (1 / 3 - t**2) + twist * (t**3 - 0.6 * t)
    line = centre + half * (t[:, None] * u + aside[:, None] * v)
    rows, columns = np.mgrid[:160, :160]
    away = ((rows[..., None] - line[:, 0]) ** 2 + (columns[..., None] - line[:, 1]) ** 2).min(axis=2)
    plane = np.exp(-away / 8).astype(np.float32)
    found = trace_bows(plane, centre[None], u[None], np.array([half]), BOWS, TWISTS)[0]
    assert found == pytest.approx((bow, twist), abs=0.11)


def test_of_equal_curves_the_straight_one():
    flat = np.ones((50, 50), np.float32)
    found = trace_bows(flat, np.array([[25.0, 25.0]]), np.array([[0.0, 1.0]]), np.array([10.0]), BOWS, TWISTS)
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_no_object_at_all():
    empty = trace_bows(
        np.ones((9, 9), np.float32), np.empty((0, 2)), np.empty((0, 2)), np.empty(0), BOWS, TWISTS
    )
    assert empty.shape == (0, 2)


@pytest.mark.parametrize(
    ("plane", "centre", "bows", "match"),
    [
        (np.ones((9, 9)), np.zeros((1, 2)), BOWS, "plane must be 2-D float32"),
        (np.ones((2, 9), np.float32), np.zeros((1, 2)), BOWS, "at least 3 x 3"),
        (np.ones((9, 9), np.float32), np.zeros((2, 2)), BOWS, "do not match"),
        (
            np.ones((9, 9), np.float32),
            np.zeros((1, 2)),
            np.empty(0),
            "bows and twists must be 1-D and not empty",
        ),
    ],
)
def test_refuses_what_does_not_fit(plane, centre, bows, match):
    with pytest.raises(ValueError, match=match):
        trace_bows(plane, centre, np.array([[0.0, 1.0]]), np.ones(1), bows, TWISTS)
