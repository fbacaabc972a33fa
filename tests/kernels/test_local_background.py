import numpy as np
import pytest
from mammocalc_kernels.local_background import (
    DIAGONAL,
    STEP,
    bounding_box,
    chamfer_distance,
    fit_background,
    select,
)


def chamfer_by_pairs(inside):
    """Twin: the cheapest way of orthogonal and diagonal steps, over all pixels inside; 30000 on the border."""
    rows, cols = np.nonzero(inside)
    y, x = np.indices(inside.shape)
    dy, dx = abs(y[..., None] - rows), abs(x[..., None] - cols)
    ways = STEP * np.maximum(dy, dx) + (DIAGONAL - STEP) * np.minimum(dy, dx)
    distance = ways.min(axis=-1, initial=30000)
    distance[[0, -1]] = distance[:, [0, -1]] = 30000
    return distance


def plane_by_least_squares(ys, xs, vs):
    """Twin: the median, then least squares on what lies within 3.5 and within 2.5 deviations of the fit before."""
    design = np.column_stack([np.ones_like(ys), ys, xs])
    plane = np.array([np.sort(vs)[len(vs) // 2], 0.0, 0.0])
    sigma = 0.0
    for reach in (3.5, 2.5):
        residues = abs(vs - design @ plane)
        sigma = 1.4826 * np.sort(residues)[len(vs) // 2]
        kept = residues <= reach * sigma + 1e-6
        if kept.sum() >= 12:
            plane = np.linalg.lstsq(design[kept], vs[kept], rcond=None)[0]
        else:
            plane = np.array([vs[kept].mean(), 0.0, 0.0])
    return plane, sigma


def fitted(ys, xs, vs):
    plane = np.empty(3)
    sigma = fit_background(ys, xs, vs, len(vs), np.empty(len(vs)), plane)
    return plane, sigma


@pytest.mark.parametrize("shape", [(3, 3), (12, 17), (30, 9)])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.6])
def test_chamfer_distance(shape, share):
    inside = np.zeros(shape, np.uint8)
    inside[1:-1, 1:-1] = np.random.default_rng(7).random((shape[0] - 2, shape[1] - 2)) < share
    inside[1, 1] = 1
    distance = np.empty(shape, np.int16)
    chamfer_distance(inside, max(shape), distance)
    np.testing.assert_array_equal(distance, chamfer_by_pairs(inside))


@pytest.mark.parametrize("reach", [0, 1, 4])
def test_chamfer_distance_within_reach_of_the_box(reach):
    inside = np.zeros((20, 24), np.uint8)
    inside[8:11, 9:15] = np.random.default_rng(1).random((3, 6)) < 0.5
    inside[8, 9] = inside[10, 14] = 1
    distance = np.empty(inside.shape, np.int16)
    chamfer_distance(inside, reach, distance)
    near = np.zeros(inside.shape, bool)
    near[8 - reach : 11 + reach, 9 - reach : 15 + reach] = True
    np.testing.assert_array_equal(distance, np.where(near, chamfer_by_pairs(inside), 30000))


def test_bounding_box():
    inside = np.zeros((6, 9), np.uint8)
    assert bounding_box(inside) == (6, 9, 0, 0)
    inside[1, 4] = inside[3, 2] = inside[3, 6] = 1
    assert bounding_box(inside) == (1, 2, 4, 7)
    assert bounding_box(np.ones((2, 3), np.uint8)) == (0, 0, 2, 3)


def test_chamfer_distance_of_nothing_is_far():
    distance = np.zeros((6, 5), np.int16)
    chamfer_distance(np.zeros((6, 5), np.uint8), 2, distance)
    assert (distance >= 30000).all()


@pytest.mark.parametrize("count", [1, 2, 5, 200])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_select_is_the_sorted_value(count, scale):
    values = scale * np.random.default_rng(count).normal(size=count)
    for rank in {0, count // 3, count // 2, count - 1}:
        found = select(values, count, rank)
        assert 0 <= found - np.sort(values)[rank] <= 4e-6 * np.ptp(values)


def test_select_among_equals_and_of_a_part():
    assert select(np.full(9, -3.5), 9, 4) == -3.5
    assert select(np.array([5.0, 1.0, 3.0, -100.0]), 3, 1) == pytest.approx(3.0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 5, 11, 12, 40, 500])
def test_background_is_the_robust_plane(count):
    rng = np.random.default_rng(count)
    ys, xs = rng.uniform(-20, 20, (2, count))
    vs = 50 + 0.3 * ys - 0.1 * xs + rng.normal(size=count)
    vs[: count // 10] += 40
    plane, sigma = fitted(ys, xs, vs)
    expected, deviation = plane_by_least_squares(ys, xs, vs)
    np.testing.assert_allclose(plane, expected, atol=0.02)
    assert sigma == pytest.approx(deviation, abs=1e-3)


def test_background_is_not_moved_by_a_bright_neighbour():
    rng = np.random.default_rng(0)
    ys, xs = rng.uniform(-15, 15, (2, 400))
    vs = 10 + 0.2 * ys + rng.normal(size=400)
    vs[ys > 10] += 30
    plane, sigma = fitted(ys, xs, vs)
    np.testing.assert_allclose(plane, (10, 0.2, 0), atol=0.3)
    assert 0.8 < sigma < 1.5


def test_background_of_a_constant_is_that_constant():
    ys, xs = np.mgrid[-5.0:5, -4.0:4].reshape(2, -1)
    plane, sigma = fitted(ys, xs, np.full(ys.size, 1e4))
    np.testing.assert_allclose(plane, (1e4, 0, 0), atol=1e-9)
    assert sigma == 0


def test_background_on_a_line_has_no_slope_across_it():
    xs = np.linspace(-10, 10, 50)
    plane, _ = fitted(np.zeros(50), xs, 3.0 + 0.5 * xs)
    assert plane[1] == plane[2] == 0
