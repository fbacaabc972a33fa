import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.components import (
    component_features,
    hysteresis_runs,
    label_image,
    label_runs,
    runs_above,
)
from scipy import ndimage
from skimage.measure import euler_number, perimeter_crofton, regionprops

EIGHT = np.ones((3, 3), int)


def raster_labels(mask):
    """Twin: flood each component from its first pixel in raster order."""
    labels = np.zeros(mask.shape, np.int32)
    found = 0
    for seed in np.argwhere(mask):
        if labels[tuple(seed)]:
            continue
        found += 1
        waiting = [tuple(seed)]
        while waiting:
            row, col = waiting.pop()
            if not (0 <= row < mask.shape[0] and 0 <= col < mask.shape[1]):
                continue
            if mask[row, col] and not labels[row, col]:
                labels[row, col] = found
                waiting += [(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return labels


def hysteresis_labels(response, low, high, step):
    """Twin: label above the low threshold, drop what holds nothing above the high one, number what is left."""
    cells = np.ix_(np.arange(response.shape[0]) // step, np.arange(response.shape[1]) // step)
    labels = raster_labels(response > low[cells])
    kept = np.unique(labels[(response > high[cells]) & (labels > 0)])
    return raster_labels(np.isin(labels, kept) & (labels > 0)), kept.size


def blobs(shape=(203, 331), density=0.12, seed=0):
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, 1.3)
    return smooth > np.quantile(smooth, 1 - density)


def runs_are_in_order(runs):
    for k in range(runs.offsets.size - 1):
        part = slice(runs.offsets[k], runs.offsets[k + 1])
        keys = list(zip(runs.row[part], runs.start[part], strict=True))
        assert keys == sorted(keys)
    first = list(zip(runs.row[runs.offsets[:-1]], runs.start[runs.offsets[:-1]], strict=True))
    assert first == sorted(first)
    assert (runs.start < runs.stop).all()
    assert (runs.offsets[1:] > runs.offsets[:-1]).all()
    assert runs.offsets.dtype == np.int64
    assert {runs.row.dtype, runs.start.dtype, runs.stop.dtype} == {np.dtype(np.int32)}


@settings(max_examples=150, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=19)))
def test_labels_are_those_of_a_flood_fill(mask):
    runs = label_runs(mask)
    runs_are_in_order(runs)
    assert np.array_equal(label_image(runs, mask.shape), raster_labels(mask))


@pytest.mark.parametrize("density", [0.001, 0.05, 0.3, 0.7, 0.99])
def test_labels_are_those_of_scipy_up_to_numbering(density):
    mask = blobs(density=density)
    expected, count = ndimage.label(mask, EIGHT)
    labels = label_image(label_runs(mask), mask.shape)
    pairs = np.unique(np.stack([labels[mask], expected[mask]]), axis=1)
    assert np.array_equal(labels > 0, mask)
    assert pairs.shape[1] == count == labels.max()
    assert np.unique(pairs[0]).size == np.unique(pairs[1]).size == count


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (1, 8), (1, 9), (9, 1), (3, 64), (2, 65), (0, 4), (4, 0)])
@pytest.mark.parametrize("value", [False, True])
def test_uniform_masks_of_every_awkward_width(shape, value):
    runs = label_runs(np.full(shape, value))
    rows = shape[0] if value and shape[1] else 0
    assert runs.row.tolist() == list(range(rows))
    assert runs.start.tolist() == [0] * rows
    assert runs.stop.tolist() == [shape[1]] * rows
    assert runs.offsets.tolist() == ([0, rows] if rows else [0])


def test_a_checkerboard_is_one_component_and_a_uint8_mask_counts_what_is_not_zero():
    board = np.indices((31, 47)).sum(axis=0) % 2 == 0
    assert label_runs(board).offsets.size == 2
    many = label_runs(board.astype(np.uint8) * 200)
    assert all(np.array_equal(a, b) for a, b in zip(many, label_runs(board), strict=True))


def test_a_spiral_and_a_comb_join_late():
    spiral = np.array(
        [
            [1, 1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 1, 0, 1],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1, 1],
        ],
        bool,
    )
    comb = np.zeros((40, 81), bool)
    comb[:, ::2] = True
    assert label_runs(comb).offsets.size == 42
    comb[-1] = True
    assert label_runs(spiral).offsets.size == label_runs(comb).offsets.size == 2


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_runs(threads):
    mask = blobs((501, 130), 0.4)
    response = np.random.default_rng(2).normal(size=(501, 130)).astype(np.float32)
    low, high = np.full((51, 13), 0.3, np.float32), np.full((51, 13), 2.5, np.float32)
    for one, many in [
        (label_runs(mask), label_runs(mask, threads=threads)),
        (runs_above(response, 1.0), runs_above(response, 1.0, threads=threads)),
        (hysteresis_runs(response, low, high, 10), hysteresis_runs(response, low, high, 10, threads)),
    ]:
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize("threshold", [-np.inf, 0.0, 1.5, np.inf])
def test_runs_above_a_number_are_those_of_the_mask(threshold):
    response = np.random.default_rng(3).normal(size=(93, 75)).astype(np.float32)
    response[5, 5:9] = np.nan
    response[6, 6] = np.inf
    expected = label_runs(response > threshold)
    assert all(np.array_equal(a, b) for a, b in zip(runs_above(response, threshold), expected, strict=True))


@settings(max_examples=120, deadline=None)
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=23), elements=st.integers(0, 9)),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_hysteresis_is_that_of_the_twin(response, step, seed):
    generator = np.random.default_rng(seed)
    cells = tuple(-(-n // step) for n in response.shape)
    low = generator.integers(2, 7, cells).astype(np.float32)
    low[generator.random(cells) < 0.2] = np.inf
    high = low + generator.integers(0, 4, cells).astype(np.float32)
    expected, count = hysteresis_labels(response, low, high, step)
    runs = hysteresis_runs(response, low, high, step)
    runs_are_in_order(runs)
    labels = label_image(runs, response.shape)
    assert np.array_equal(labels, expected)
    assert runs.offsets.size - 1 == count == runs.peak_value.size
    for k in range(count):
        inside = np.where(labels == k + 1, response, -1)
        assert runs.peak_value[k] == inside.max()
        first = np.unravel_index(inside.argmax(), inside.shape)
        assert (runs.peak_row[k], runs.peak_col[k]) == first


def test_hysteresis_excludes_cells_and_joins_across_their_borders():
    response = np.zeros((30, 30), np.float32)
    response[12, 2:28] = 5
    response[12, 25] = 9
    low, high = np.full((3, 3), 1, np.float32), np.full((3, 3), 8, np.float32)
    assert hysteresis_runs(response, low, high, 10).stop.tolist() == [28]
    low[1, 1] = high[1, 1] = np.inf
    runs = hysteresis_runs(response, low, high, 10)
    assert (runs.start.tolist(), runs.stop.tolist()) == ([20], [28])
    assert (runs.peak_row.tolist(), runs.peak_col.tolist(), runs.peak_value.tolist()) == ([12], [25], [9])


def test_features_are_those_of_scikit_image():
    mask = blobs((180, 240), 0.42)
    plane = np.random.default_rng(4).normal(100, 20, mask.shape).astype(np.float32)
    runs = label_runs(mask)
    found = component_features(runs, plane)
    labels = label_image(runs, mask.shape)
    regions = regionprops(labels, plane)
    assert len(regions) == found.area.size > 60
    assert found.holes.max() > 2
    for k, region in enumerate(regions):
        assert found.area[k] == region.area
        assert tuple(found.bounds[k]) == region.bbox
        np.testing.assert_allclose(found.centroid[k], region.centroid, atol=1e-9)
        np.testing.assert_allclose(
            found.axes[k], (region.axis_major_length, region.axis_minor_length), rtol=1e-9, atol=1e-6
        )
        central = region.moments_central / region.area
        np.testing.assert_allclose(
            found.moments[k], (central[2, 0], central[1, 1], central[0, 2]), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(found.eccentricity[k], region.eccentricity, atol=1e-7)
        np.testing.assert_allclose(found.perimeter[k], perimeter_crofton(region.image, 4), rtol=1e-12)
        assert 1 - found.holes[k] == euler_number(region.image, connectivity=2)
        values = plane[labels == k + 1].astype(np.float64)
        np.testing.assert_allclose(found.intensity_mean[k], values.mean(), rtol=1e-12)
        np.testing.assert_allclose(found.intensity_deviation[k], values.std(), rtol=1e-9, atol=1e-9)
        assert (found.intensity_min[k], found.intensity_max[k]) == (values.min(), values.max())
        assert plane[tuple(found.peak[k])] == values.max()
        assert labels[tuple(found.peak[k])] == k + 1
        row_min, col_min, row_max, col_max = region.bbox
        assert found.touches_border[k] == (row_min == 0 or col_min == 0 or row_max == 180 or col_max == 240)


def polygon_hull_area(image):
    """Twin: convex hull of the corners of every pixel, by gift wrapping with exact integers."""
    rows, cols = np.nonzero(image)
    corners = {
        (int(r) + i, int(c) + j) for r, c in zip(rows, cols, strict=True) for i in (0, 1) for j in (0, 1)
    }
    start = min(corners)
    hull = [start]
    while True:
        here = hull[-1]
        best = None
        for point in corners - {here}:
            if best is None:
                best = point
                continue
            cross = (best[0] - here[0]) * (point[1] - here[1]) - (best[1] - here[1]) * (point[0] - here[0])
            farther = sum((a - b) ** 2 for a, b in zip(point, here, strict=True)) > sum(
                (a - b) ** 2 for a, b in zip(best, here, strict=True)
            )
            if cross > 0 or (cross == 0 and farther):
                best = point
        if best == start:
            break
        hull.append(best)
    y, x = np.array([*hull, start]).T
    return abs(float((y[:-1] * x[1:] - y[1:] * x[:-1]).sum())) / 2


def test_hull_area_is_that_of_gift_wrapping():
    mask = blobs((60, 90), 0.25)
    runs = label_runs(mask)
    found = component_features(runs, mask.astype(np.float32))
    labels = label_image(runs, mask.shape)
    for k in range(found.area.size):
        assert found.hull_area[k] == polygon_hull_area(labels == k + 1)
    assert (found.hull_area >= found.area).all()
    assert (found.hull_area > found.area).any()


@pytest.mark.parametrize("degrees", [0, 25, 60, 90, 120, 155])
def test_orientation_is_the_angle_of_a_rod_from_the_row_axis(degrees):
    row, col = np.indices((121, 121)) - 60
    angle = np.deg2rad(degrees)
    along = row * np.cos(angle) + col * np.sin(angle)
    across = -row * np.sin(angle) + col * np.cos(angle)
    mask = (abs(along) <= 45.4) & (abs(across) <= 4.4)
    found = component_features(label_runs(mask), mask.astype(np.float32))
    turned = np.rad2deg(found.orientation[0]) - degrees
    assert abs((turned + 90) % 180 - 90) < 0.5
    assert found.axes[0, 0] > 5 * found.axes[0, 1]


def test_features_of_single_pixels_disks_and_rings():
    mask = np.zeros((80, 100), bool)
    mask[0, 0] = True
    row, col = np.indices(mask.shape)
    distance = np.hypot(row - 40, col - 50)
    mask |= (distance <= 20) & (distance > 12)
    plane = np.full(mask.shape, 65535, np.uint16)
    found = component_features(label_runs(mask), plane)
    assert found.area[0] == found.hull_area[0] == 1
    assert found.axes[0].tolist() == [0, 0]
    assert (found.orientation[0], found.eccentricity[0], found.holes[0]) == (0, 0, 0)
    assert found.touches_border.tolist() == [True, False]
    assert found.holes[1] == 1
    assert found.perimeter[1] == pytest.approx(2 * np.pi * (20 + 12), rel=0.02)
    assert found.hull_area[1] == pytest.approx(np.pi * 20.5**2, rel=0.03)
    assert found.intensity_mean.tolist() == [65535, 65535]
    assert found.intensity_deviation.tolist() == [0, 0]
    assert found.peak[1].tolist() == np.argwhere(mask)[1].tolist()


def test_moments_of_a_component_as_large_as_an_image():
    """Products of its sums have more than 64 bits."""
    mask = np.zeros((2400, 3002), np.uint8)
    mask[::2, 1:-1] = 1
    mask[1::2, 1:1501] = 1
    found = component_features(label_runs(mask), np.zeros(mask.shape, np.uint16))
    row, col = np.nonzero(mask)
    twin = np.cov(row, col, bias=True)
    assert found.area == row.size
    assert np.allclose(found.centroid[0], (row.mean(), col.mean()), rtol=1e-12)
    assert np.allclose(found.moments[0], (twin[0, 0], twin[0, 1], twin[1, 1]), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("width", [1, 63, 64, 65, 127, 128, 192, 200])
def test_runs_begin_and_end_anywhere_in_a_word(width):
    mask = np.random.default_rng(width).integers(0, 3, (40, width), np.uint8)
    mask[1], mask[2], mask[3, -1], mask[4, 0] = 0, 255, 128, 2
    for runs in (label_runs(mask), runs_above(mask.astype(np.float32), 0.5)):
        runs_are_in_order(runs)
        assert np.array_equal(label_image(runs, mask.shape), raster_labels(mask))


def test_nan_spoils_mean_and_deviation_only():
    mask = np.ones((3, 5), bool)
    plane = np.arange(15, dtype=np.float32).reshape(3, 5)
    plane[1, 1] = np.nan
    found = component_features(label_runs(mask), plane)
    assert np.isnan([found.intensity_mean[0], found.intensity_deviation[0]]).all()
    assert (found.intensity_min[0], found.intensity_max[0]) == (0, 14)
    assert found.peak.tolist() == [[2, 4]]


def test_no_components_have_no_features():
    found = component_features(label_runs(np.zeros((5, 6), bool)), np.zeros((5, 6), np.float32))
    assert all(len(column) == 0 for column in found)


def test_a_label_buffer_is_overwritten_and_returned():
    mask = blobs((50, 60), 0.2)
    runs = label_runs(mask)
    out = np.full(mask.shape, 7, np.int32)
    assert label_image(runs, mask.shape, out=out) is out
    assert np.array_equal(out, label_image(runs, mask.shape))


def test_what_does_not_fit_is_refused():
    plane = np.zeros((20, 30), np.float32)
    grid = np.zeros((2, 3), np.float32)
    runs = label_runs(np.ones((20, 30), bool))
    with pytest.raises(TypeError, match="mask must be bool or uint8"):
        label_runs(plane)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="C-contiguous"):
        label_runs(np.ones((20, 30), bool)[:, ::2])
    with pytest.raises(ValueError, match="C-contiguous"):
        runs_above(plane.T, 1.0)
    with pytest.raises(TypeError, match="response must be float32"):
        hysteresis_runs(plane.astype(np.float64), grid, grid, 10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="high must have at least"):
        hysteresis_runs(plane, grid, grid[:, :2], 10)
    with pytest.raises(ValueError, match="step must be at least 1"):
        runs_above(plane, grid)
    with pytest.raises(ValueError, match="outside an image"):
        component_features(runs, plane[:19])
    with pytest.raises(ValueError, match="outside an image"):
        label_image(runs, (20, 29))
    with pytest.raises(ValueError, match="out must be int32"):
        label_image(runs, (20, 30), out=np.zeros((20, 30), np.int64))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="plane must be float32 or uint16"):
        component_features(runs, np.zeros((20, 30)))
