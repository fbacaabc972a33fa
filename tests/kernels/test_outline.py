import itertools

import numpy as np
import pytest
from mammocalc_kernels.outline import (
    convex_hull,
    fill_holes,
    keep_largest,
    polygon_moments,
    smooth_polygon,
    trace_outline,
)
from scipy import ndimage, spatial


def blobs(seed, shape=(40, 33), border=1, share=0.5):
    """Smooth random parts, nothing within `border` of the edge."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    mask = (field > np.quantile(field, 1 - share)).astype(np.uint8)
    mask[:border] = mask[-border:] = mask[:, :border] = mask[:, -border:] = 0
    return mask


def scratch(mask):
    return np.empty(mask.size, np.int32)


def largest_part(mask):
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return (labels == 1 + sizes.argmax()).astype(np.uint8)


def moments_by_triangles(ys, xs):
    """Twin: signed triangles from the first vertex; the mean of a square over a triangle by its side midpoints."""
    corners = np.column_stack([ys, xs])
    area, first, second = 0.0, np.zeros(2), np.zeros((2, 2))
    for b, c in itertools.pairwise(corners[1:]):
        a = corners[0]
        size = 0.5 * ((b - a)[1] * (c - a)[0] - (b - a)[0] * (c - a)[1])
        area += size
        for middle in ((a + b) / 2, (b + c) / 2, (c + a) / 2):
            first += size / 3 * middle
            second += size / 3 * np.outer(middle, middle)
    centre = first / area
    spread = second / area - np.outer(centre, centre)
    perimeter = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).sum()
    return [abs(area), *centre, spread[0, 0], spread[1, 1], spread[0, 1], perimeter]


def moments(ys, xs):
    out = np.empty(7)
    polygon_moments(np.asarray(ys, float), np.asarray(xs, float), len(ys), out)
    return out


def traced(inside, values, level=0.5, room=4000):
    ys, xs = np.empty(room), np.empty(room)
    count = trace_outline(inside, values.astype(np.float32), level, ys, xs)
    return ys[:count], xs[:count]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("border", [1, 3])
def test_largest_part(seed, border):
    mask = blobs(seed, border=border, share=0.3)
    kept = mask.copy()
    size = keep_largest(kept, border, scratch(mask))
    expected = largest_part(mask)
    np.testing.assert_array_equal(kept, expected)
    assert size == expected.sum()


def test_largest_part_of_nothing_and_of_equals():
    empty = np.zeros((5, 5), np.uint8)
    assert keep_largest(empty, 1, scratch(empty)) == 0
    twins = np.zeros((5, 7), np.uint8)
    twins[2, 1] = twins[2, 5] = 1
    assert keep_largest(twins, 1, scratch(twins)) == 1
    assert twins[2, 1] == 1
    assert twins.sum() == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("border", [1, 2])
def test_holes(seed, border):
    mask = blobs(seed, border=border, share=0.6)
    filled = mask.copy()
    count = fill_holes(filled, border, scratch(mask))
    expected = ndimage.binary_fill_holes(mask)
    np.testing.assert_array_equal(filled, expected)
    assert count == expected.sum() - mask.sum()


@pytest.mark.parametrize("seed", range(6))
def test_outline_crosses_every_outer_side_once(seed):
    inside = ndimage.binary_fill_holes(largest_part(blobs(seed, share=0.4))).astype(np.uint8)
    values = np.where(inside, 1.0, 0.0) + 0.2 * np.random.default_rng(seed).random(inside.shape)
    ys, xs = traced(inside, values)
    # Twin: every side between a pixel inside and a 4-neighbour outside, met where the values pass the level.
    expected = []
    for y, x in np.argwhere(inside):
        for dy, dx in ((-1, 0), (0, 1), (1, 0), (0, -1)):
            if not inside[y + dy, x + dx]:
                here, there = np.float32(values[y, x]), np.float32(values[y + dy, x + dx])
                share = (here - 0.5) / (here - there)
                expected.append((y + share * dy, x + share * dx))
    found = np.column_stack([ys, xs])
    expected = np.array(expected)
    np.testing.assert_allclose(
        found[np.lexsort(found.T.round(4))], expected[np.lexsort(expected.T.round(4))], atol=1e-5
    )
    # Neighbouring vertices are neighbours in the plane, and the way is clockwise as displayed.
    assert np.hypot(*(found - np.roll(found, 1, axis=0)).T).max() < 2.0
    assert (xs * np.roll(ys, -1) - np.roll(xs, -1) * ys).sum() > 0


def test_outline_of_one_pixel_is_a_diamond():
    inside = np.zeros((3, 3), np.uint8)
    inside[1, 1] = 1
    ys, xs = traced(inside, inside.astype(float), level=0.25)
    np.testing.assert_allclose(np.column_stack([ys, xs]), [(0.25, 1), (1, 1.75), (1.75, 1), (1, 0.25)])


def test_outline_that_is_empty_or_has_no_room():
    empty = np.zeros((4, 4), np.uint8)
    assert len(traced(empty, empty)[0]) == 0
    full = np.pad(np.ones((5, 5), np.uint8), 1)
    assert len(traced(full, full)[0]) == 20
    assert len(traced(full, full, room=19)[0]) == 0


def test_outline_halfway_where_the_outside_is_not_darker():
    inside = np.zeros((3, 3), np.uint8)
    inside[1, 1] = 1
    ys, xs = traced(inside, np.ones((3, 3)))
    np.testing.assert_allclose(np.column_stack([ys, xs]), [(0.5, 1), (1, 1.5), (1.5, 1), (1, 0.5)])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("far", [0.0, 5000.0])
def test_moments_of_a_polygon(seed, far):
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 25))
    radius = rng.uniform(2, 9, 25)
    ys, xs = far + radius * np.sin(turn), far + 1.7 * radius * np.cos(turn)
    np.testing.assert_allclose(moments(ys, xs), moments_by_triangles(ys, xs), rtol=1e-6, atol=1e-6)
    # The same whichever way round.
    np.testing.assert_allclose(moments(ys[::-1], xs[::-1]), moments(ys, xs), rtol=1e-8, atol=1e-8)


def test_moments_of_a_rectangle_and_of_nothing():
    np.testing.assert_allclose(
        moments([1, 1, 3, 3], [2, 8, 8, 2]), [12, 2, 5, 4 / 12, 36 / 12, 0, 16], atol=1e-12
    )
    assert not moments([1.0, 2.0], [1.0, 2.0]).any()
    assert not moments([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).any()


@pytest.mark.parametrize("passes", [0, 1, 7])
def test_smoothed_polygon(passes):
    ys, xs = np.random.default_rng(passes).normal(size=(2, 19))
    out_y, out_x = np.empty((2, 19))
    smooth_polygon(ys, xs, 19, passes, out_y, out_x)
    for _ in range(passes):
        ys, xs = (0.25 * (np.roll(v, 1) + 2 * v + np.roll(v, -1)) for v in (ys, xs))
    np.testing.assert_allclose([out_y, out_x], [ys, xs], atol=1e-12)


@pytest.mark.parametrize("count", [3, 4, 30, 300])
def test_hull(count):
    ys, xs = np.random.default_rng(count).normal(size=(2, count))
    hull_y, hull_x = np.empty((2, 2 * count + 1))
    area, size = convex_hull(ys, xs, count, np.empty(count, np.int32), hull_y, hull_x)
    expected = spatial.ConvexHull(np.column_stack([ys, xs]))
    assert area == pytest.approx(expected.volume)
    corners = {(ys[k], xs[k]) for k in expected.vertices}
    assert set(zip(hull_y[:size], hull_x[:size], strict=True)) == corners


def test_hull_of_pixels_in_a_row_and_of_two_points():
    hull_y, hull_x = np.empty((2, 21))
    order = np.empty(10, np.int32)
    assert convex_hull(np.zeros(10), np.arange(10.0), 10, order, hull_y, hull_x)[0] == 0
    assert convex_hull(np.zeros(2), np.arange(2.0), 2, order, hull_y, hull_x) == (0.0, 0)
    ys, xs = np.mgrid[:3.0, :3.0].reshape(2, -1)
    area, size = convex_hull(ys, xs, 9, order, hull_y, hull_x)
    assert area == 4
    assert size == 5
