"""Curves through points, against the same in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.curves import beside, even_steps, smooth_curve, tangents_of

TAPS = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
TAPS /= TAPS.sum()


def evenly(line, step):
    """Twin: interpolated over the arc."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    count = int(arc[-1] / step) + 1
    wanted = np.linspace(0.0, arc[-1], count) if count > 1 else np.zeros(1)
    return np.stack([np.interp(wanted, arc, line[:, axis]) for axis in (0, 1)], axis=1)


def smoothed(line):
    """Twin: mirrored through its ends, as far as it goes, then repeated, then convolved."""
    reach = len(TAPS) // 2
    pad = min(len(line) - 1, reach)
    if pad < 1:
        return line
    head, tail = 2 * line[0] - line[pad:0:-1], 2 * line[-1] - line[-2 : -2 - pad : -1]
    longer = np.pad(np.concatenate([head, line, tail]), ((reach - pad, reach - pad), (0, 0)), mode="edge")
    return np.stack([np.convolve(longer[:, axis], TAPS, "valid") for axis in (0, 1)], axis=1)


@pytest.fixture(params=[1, 2, 3, 9, 80])
def line(request):
    """A wandering line, one of its points twice."""
    steps = np.random.default_rng(request.param).normal(0.3, 0.4, (request.param, 2))
    points = np.cumsum(steps, axis=0)
    return np.insert(points, len(points) // 2, points[len(points) // 2], axis=0)


@pytest.mark.parametrize("step", [0.2, 0.5, 100.0])
def test_even_steps(line, step):
    found = even_steps(line, step)
    np.testing.assert_allclose(found, evenly(line, step), atol=1e-12)
    if len(found) > 1:
        np.testing.assert_array_equal(found[[0, -1]], line[[0, -1]])


def test_smooth_curve(line):
    expected = evenly(smoothed(evenly(line, 0.5)), 0.5)
    found = smooth_curve(line, 0.5, TAPS)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_ends_of_a_smooth_curve_stay_in_place():
    line = np.array([[0.0, 0.0], [1.0, 2.0], [5.0, 2.0], [6.0, 7.0]])
    found = smooth_curve(line, 0.5, TAPS)
    np.testing.assert_allclose(found[[0, -1]], line[[0, -1]], atol=1e-12)


def test_tangents_are_those_of_a_circle():
    angle = np.linspace(0.0, 1.0, 60)
    circle = 20.0 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    expected = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
    np.testing.assert_allclose(tangents_of(circle), expected, atol=0.01)
    np.testing.assert_allclose(tangents_of(circle)[1:-1], expected[1:-1], atol=1e-12)


def test_beside():
    rng = np.random.default_rng(3)
    line = evenly(np.cumsum(rng.normal(0.3, 0.4, (40, 2)), axis=0), 0.5)
    points = line[rng.integers(len(line), size=200)] + rng.normal(0, 1.0, (200, 2))
    along, across, tangent = beside(line, points, 0.5)
    nearest = np.linalg.norm(points[:, None] - line, axis=2).argmin(axis=1)
    offset = points - line[nearest]
    np.testing.assert_array_equal(tangent, tangents_of(line)[nearest])
    np.testing.assert_allclose(along, 0.5 * nearest + (offset * tangent).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(
        across, tangent[:, 0] * offset[:, 1] - tangent[:, 1] * offset[:, 0], atol=1e-12
    )
    np.testing.assert_allclose(
        np.hypot(along - 0.5 * nearest, across), np.linalg.norm(offset, axis=1), atol=1e-12
    )
