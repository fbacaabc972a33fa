"""Tubes against their definition, pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mammocalc_kernels.tubes import stamp_tube


def readable_tube(plane, points, radii, exponent):
    """The definition: for each pixel, the highest of the chords over all segments."""
    out = plane.copy()
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            for k in range(len(points) - 1):
                start, step = points[k], points[k + 1] - points[k]
                squared = step @ step
                along = 0.0 if squared == 0 else np.clip(((i, j) - start) @ step / squared, 0.0, 1.0)
                away = (i, j) - start - along * step
                radius = radii[k] + along * (radii[k + 1] - radii[k])
                if radius > 0 and away @ away < radius**2:
                    out[i, j] = max(out[i, j], 2 * radius * (1 - (away @ away) / radius**2) ** exponent)
    return out


coordinate = st.floats(-6.0, 20.0, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 13), st.integers(1, 17)),
    points=st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=5),
    radius=st.floats(0.0, 5.0, allow_subnormal=False),
    exponent=st.sampled_from([0.5, 1.0, 1.5]),
)
def test_equals_its_definition(shape, points, radius, exponent):
    points = np.array(points)
    radii = np.linspace(radius, 0.5 * radius + 0.3, len(points))
    plane = np.zeros(shape)
    expected = readable_tube(plane, points, radii, exponent)
    stamp_tube(plane, points, radii, exponent)
    np.testing.assert_allclose(plane, expected, atol=1e-9)


def test_volume_of_a_cylinder_with_round_ends():
    plane = np.zeros((200, 300))
    stamp_tube(plane, np.array([[100.0, 60.0], [100.0, 240.0]]), np.full(2, 12.0))
    volume = math.pi * 12**2 * 180 + 4 / 3 * math.pi * 12**3
    assert plane.sum() == pytest.approx(volume, rel=1.2e-2)  # the edge falls between pixels


def test_keeps_what_is_higher():
    plane = np.full((9, 9), 100.0)
    stamp_tube(plane, np.array([[4.0, 0.0], [4.0, 8.0]]), np.full(2, 3.0))
    assert (plane == 100.0).all()


@pytest.mark.parametrize(
    ("plane", "points", "radii", "words"),
    [
        (np.zeros((4, 4), np.float32), np.zeros((2, 2)), np.ones(2), "plane must be"),
        (np.zeros((4, 4)), np.zeros((1, 2)), np.ones(1), "points must be"),
        (np.zeros((4, 4)), np.zeros((3, 2)), np.ones(2), "radii must be"),
    ],
)
def test_refuses_other_shapes_and_types(plane, points, radii, words):
    with pytest.raises(ValueError, match=words):
        stamp_tube(plane, points, radii)
