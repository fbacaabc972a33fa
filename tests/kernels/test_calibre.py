import numpy as np
import pytest
from mammocalc_kernels.calibre import extend_path, follow_axis
from mammocalc_kernels.outline import polygon_moments, trace_outline
from scipy import ndimage


def test_extended_path_goes_straight_on():
    turn = np.linspace(0, 1.2, 25)
    ys, xs = 12 * np.sin(turn), 12 * np.cos(turn)
    out_y, out_x = np.empty((2, 40))
    step = extend_path(ys, xs, 25, 6, 5, out_y, out_x)
    assert step == pytest.approx(np.hypot(ys[1] - ys[0], xs[1] - xs[0]))
    path = np.column_stack([ys, xs])
    # Twin: unit vectors from the fifth point inwards to the end, as many steps long as asked for.
    before, after = path[0] - path[5], path[-1] - path[-6]
    before, after = before / np.hypot(*before), after / np.hypot(*after)
    expected = np.concatenate(
        [
            path[0] + np.arange(6, 0, -1)[:, None] * step * before,
            path,
            path[-1] + np.arange(1, 7)[:, None] * step * after,
        ]
    )
    np.testing.assert_allclose(np.column_stack([out_y, out_x])[:37], expected, atol=1e-12)


def test_path_without_a_direction_is_not_extended():
    out_y, out_x = np.empty((2, 20))
    assert extend_path(np.ones(4), np.ones(4), 4, 3, 2, out_y, out_x) == 0


def followed(contrast, straight, half, sigma=1.0):
    """The axis of what stands above half of the contrast."""
    inside = (contrast > 0.5 * contrast.max()).astype(np.uint8)
    room = 8 * sum(inside.shape)
    outline_y, outline_x, path_y, path_x, spare_y, spare_x = np.empty((6, room))
    n = trace_outline(inside, contrast, 0.5 * float(contrast.max()), outline_y, outline_x)
    moments = np.empty(7)
    polygon_moments(outline_y, outline_x, n, moments)
    usable = np.ones(inside.shape, np.uint8)
    along, across, value = np.empty((3, inside.size))
    geodesic = np.empty(inside.shape, np.int32)
    n = follow_axis(
        contrast, usable, inside, geodesic, outline_y, outline_x, n, moments, straight, half, sigma,
        path_y, path_x, spare_y, spare_x, along, across, value, np.empty((2, room)),
    )  # fmt: skip
    return path_y[:n], path_x[:n]


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2, 2.6])
@pytest.mark.parametrize("straight", [True, False])
def test_axis_of_a_straight_wire(angle, straight):
    y, x = np.indices((60, 60)) - 29.7
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    sharp = ((np.abs(along) < 20) & (np.abs(across) < 3)).astype(float)
    ys, xs = followed(ndimage.gaussian_filter(30 * sharp, 1).astype(np.float32), straight, 3.0)
    off = (ys - 29.7) * np.cos(angle) - (xs - 29.7) * np.sin(angle)
    assert np.abs(off).max() < 0.35
    length = np.hypot(ys[-1] - ys[0], xs[-1] - xs[0])
    assert length == pytest.approx(40 - 2 * 3, abs=3)
    steps = np.hypot(np.diff(ys), np.diff(xs))
    np.testing.assert_allclose(steps, steps[0], rtol=0.1)


def test_axis_of_a_bent_wire_is_the_middle_of_it():
    y, x = np.indices((60, 70))
    radius, turn = np.hypot(y - 10, x - 35), np.arctan2(x - 35, y - 10)
    sharp = ((np.abs(radius - 30) < 2.5) & (np.abs(turn) < 0.8)).astype(float)
    ys, xs = followed(ndimage.gaussian_filter(30 * sharp, 1).astype(np.float32), False, 2.5)
    np.testing.assert_allclose(np.hypot(ys - 10, xs - 35), 30, atol=0.4)
    arc = np.hypot(np.diff(ys), np.diff(xs)).sum()
    assert arc == pytest.approx(1.6 * 30 - 5, abs=4)


def test_a_dot_has_no_axis_of_its_own():
    dot = np.zeros((9, 9), np.float32)
    dot[4, 4] = 10
    assert len(followed(dot, False, 0.5)[0]) == 0
