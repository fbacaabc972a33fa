import numpy as np
import pytest
from mammocalc_kernels import shape
from mammocalc_kernels.local_background import chamfer_distance
from scipy import ndimage
from skimage import draw


def runs_of(mask):
    runs = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row.astype(int), prepend=0, append=0))
        runs += [(y, a, b) for a, b in edges.reshape(-1, 2)]
    return (np.array(values, np.int32) for values in zip(*runs, strict=True))


def discs(size, *places):
    y, x = np.indices(size)
    return [np.hypot(y - cy, x - cx) <= r for cy, cx, r in places]


def distance_to(mask):
    distance = np.empty(mask.shape, np.int16)
    chamfer_distance(mask.astype(np.uint8), max(mask.shape), distance)
    return distance


def test_smoothing_near_a_candidate():
    rng = np.random.default_rng(0)
    contrast = rng.normal(size=(20, 24)).astype(np.float32)
    distance = rng.integers(0, 20, contrast.shape).astype(np.int16)
    smoothed = np.full(contrast.shape, 9, np.float32)
    shape.smooth(contrast, distance, 9, smoothed)
    binomial = np.outer((1, 2, 1), (1, 2, 1)) / 16
    expected = np.where(distance <= 9, ndimage.convolve(contrast, binomial), 0)
    expected[[0, -1]] = expected[:, [0, -1]] = 0
    np.testing.assert_allclose(smoothed, expected, atol=1e-6)


@pytest.mark.parametrize("gap", [0.0, 1.0, 3.0])
def test_directions_in_which_a_ring_is_met(gap):
    y, x = np.indices((41, 41)) - 20
    radius, direction = np.hypot(y, x), np.arctan2(y, x)
    ring = ((abs(radius - 12) < 2) & (abs(direction) >= gap / 2)).astype(np.uint8)
    met = {
        int((np.arctan2(dy - 0.3, dx + 0.2) + np.pi) * 35.9999 / (2 * np.pi))
        for dy, dx in zip(y[ring == 1], x[ring == 1], strict=True)
    }
    assert shape._ring_met(ring, 20.3, 19.8) == len(met) / 36
    assert shape._ring_met(ring, 20.3, 8.2) == 0
    assert shape._ring_met(np.zeros((5, 5), np.uint8), 2.0, 2.0) == 0


@pytest.mark.parametrize("seed", range(5))
def test_marked_convex_polygon(seed):
    turn = np.sort(np.random.default_rng(seed).uniform(0, 2 * np.pi, 9))
    ys, xs = 15.2 + 11 * np.sin(turn), 16.1 + 9 * np.cos(turn)
    inside = np.zeros((31, 33), np.uint8)
    inside[12:15, 3:30] = 1
    expected = inside.copy()
    within = draw.polygon(ys, xs, inside.shape)
    expected[within] = np.where(inside[within] == 1, 1, 2)
    shape._mark_polygon(inside, ys, xs, 9)
    np.testing.assert_array_equal(inside, expected)


def test_marked_polygon_keeps_off_the_border():
    inside = np.zeros((6, 6), np.uint8)
    shape._mark_polygon(inside, np.array([-9.0, -9, 20, 20]), np.array([-9.0, 20, 20, -9]), 4)
    assert (inside[1:-1, 1:-1] == 2).all()
    assert inside.sum() == 32


@pytest.mark.parametrize("seed", range(4))
def test_core_against_the_band_around_it(seed):
    rng = np.random.default_rng(seed)
    depth = rng.integers(0, 31, (15, 18)).astype(np.int16)
    contrast = rng.uniform(5, 9, depth.shape).astype(np.float32)
    depth[0] = depth[:, -1] = 30000
    within = np.zeros(depth.shape, bool)
    within[1:-1, 1:-1] = True
    core, band = within & (depth > 18), within & (depth > 7.5) & (depth <= 15)
    expected = 1 - contrast[core].mean(dtype=np.float64) / contrast[band].mean(dtype=np.float64)
    assert shape.core_lucency(contrast, depth, 30) == pytest.approx(expected)
    assert np.isnan(shape.core_lucency(-contrast, depth, 30))


@pytest.mark.parametrize("seed", range(5))
def test_a_lumen_is_kept_where_it_stands_above_the_background(seed):
    rng = np.random.default_rng(seed)
    inside = rng.integers(0, 3, (14, 17)).astype(np.uint8)
    distance = rng.integers(0, 24, inside.shape).astype(np.int16)
    contrast = rng.normal(size=inside.shape).astype(np.float32)
    asked = (inside == 2) & (distance > 9)
    mean = contrast[asked].mean(dtype=np.float64)
    for least in (mean - 0.01, mean + 0.01):
        settled = inside.copy()
        assert shape._settle_lumen(settled, contrast, distance, least) == (least < mean)
        np.testing.assert_array_equal(settled, np.where(inside == 2, least < mean, inside))
    # A lumen so narrow that the wall's blur fills it is not asked.
    settled = inside.copy()
    assert shape._settle_lumen(settled, contrast, np.zeros_like(distance), 100.0)
    np.testing.assert_array_equal(settled, inside > 0)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_edge_width_is_peak_over_slope(sigma):
    y, x = np.indices((61, 61)) - 30
    sharp = (np.hypot(y, x) <= 15).astype(float)
    blurred = 20 * ndimage.gaussian_filter(sharp, sigma)
    smoothed = ndimage.convolve(blurred, np.outer((1, 2, 1), (1, 2, 1)) / 16).astype(np.float32)
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ys, xs = 30 + 15 * np.sin(turn), 30 + 15 * np.cos(turn)
    width = shape._edge_width(smoothed, ys, xs, 90, 20.0)
    # Twin: numpy's gradient at the nearest pixels, towards the centre.
    slope_y, slope_x = np.gradient(smoothed.astype(float))
    at = (ys + 0.5).astype(int), (xs + 0.5).astype(int)
    inwards = -(slope_y[at] * np.sin(turn) + slope_x[at] * np.cos(turn))
    equivalent = 20 / inwards.mean() / np.sqrt(2 * np.pi)
    expected = np.sqrt(2 * np.pi) * np.sqrt(equivalent**2 - 0.5 - 1 / 3)
    assert width == pytest.approx(expected, rel=1e-3)
    assert width == pytest.approx(np.sqrt(2 * np.pi) * sigma, rel=0.2)
    assert np.isnan(shape._edge_width(-smoothed, ys, xs, 90, 20.0))


def test_heterogeneity_is_the_deviation_inside_beyond_noise():
    rng = np.random.default_rng(0)
    inside = np.zeros((30, 32), np.uint8)
    inside[3:27, 4:26] = 1
    inside[10, 10] = 0
    contrast = (30 + 4 * rng.normal(size=inside.shape)).astype(np.float32)
    ball = np.array([[0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]])
    core = ndimage.binary_erosion(inside, ball)
    expected = np.sqrt(contrast[core].astype(float).var(ddof=1) - 1) / 30
    assert shape._heterogeneity(contrast, inside, 30.0) == pytest.approx(expected, rel=1e-6)
    assert shape._heterogeneity(np.full_like(contrast, 7), inside, 7.0) == 0
    assert np.isnan(shape._heterogeneity(contrast, np.zeros_like(inside), 30.0))


def around(mask):
    rows, cols = np.nonzero(mask)
    return np.array([rows.min(), cols.min(), rows.max() + 1, cols.max() + 1], np.int32)


@pytest.mark.parametrize("by_box", [True, False])
@pytest.mark.parametrize("place", [(30, 30, 5), (3, 40, 4), (57, 2, 6)])
def test_ring_around_a_candidate(by_box, place):
    plane = np.random.default_rng(0).normal(size=(60, 64)).astype(np.float32)
    own, other = discs(plane.shape, place, (30, 42, 3))
    taken, bounds, margin = (own | other).astype(np.uint8), around(own), 12
    patch = np.pad(own, margin)[
        bounds[0] : bounds[2] + 2 * margin, bounds[1] : bounds[3] + 2 * margin
    ].astype(np.uint8)
    ys, xs, vs = np.empty((3, plane.size))
    count = shape.ring_samples(
        plane, taken, bounds, patch, np.empty(patch.shape, np.int16), margin, by_box, 3.0, 8.0, 10.0, 20.0,
        ys, xs, vs,
    )  # fmt: skip
    # Twin: distances on the whole plane, pixels near any candidate dropped.
    target = own.copy()
    if by_box:
        target[bounds[0] : bounds[2], bounds[1] : bounds[3]] = True
    wide = np.pad(target, 1)
    away = distance_to(np.pad(wide, 1))[2:-2, 2:-2]
    cross = np.zeros((5, 5), bool)
    cross[2, [0, 2, 4]] = cross[[0, 4], 2] = True
    near_any = ndimage.binary_dilation(np.pad(taken, 2, mode="edge"), cross)[2:-2, 2:-2]
    wanted = (away > 9) & (away <= 24) & ~near_any
    rows, cols = np.nonzero(wanted)
    assert count == len(rows)
    np.testing.assert_array_equal(ys[:count], rows - 10.0)
    np.testing.assert_array_equal(xs[:count], cols - 20.0)
    np.testing.assert_array_equal(vs[:count], plane[wanted])


@pytest.mark.parametrize("place", [(20, 20, 4), (1, 2, 3), (38, 20, 3)])
def test_patch_around_a_candidate(place):
    plane = np.random.default_rng(0).normal(size=(40, 44)).astype(np.float32)
    own, other = discs(plane.shape, place, (20, 28, 3))
    other &= ~own
    taken, margin = (own | other).astype(np.uint8), 7
    wide = np.pad(own, margin)
    bounds = around(own)
    window = np.s_[bounds[0] : bounds[2] + 2 * margin, bounds[1] : bounds[3] + 2 * margin]
    patch = wide[window].astype(np.uint8)
    distance = distance_to(patch)
    contrast, usable = np.empty(patch.shape, np.float32), np.empty(patch.shape, np.uint8)
    top, left = bounds[0] - margin, bounds[1] - margin
    shape.load_patch(
        plane, taken, patch, distance, top, left, 5.0, 6.0, np.array([3.0, 0.2, -0.1]), 5.0, contrast, usable
    )
    y, x = np.indices(plane.shape)
    expected = np.pad(plane - (3 + 0.2 * (y - 5) - 0.1 * (x - 6)), margin)[window]
    np.testing.assert_allclose(contrast, expected, atol=1e-4)
    beside = ndimage.binary_dilation(np.pad(other, margin), ndimage.generate_binary_structure(2, 1))
    marks = np.where(distance_to(patch) <= 15, 1, 0)
    marks = np.where(beside[window], 0, marks)
    marks = np.where(np.pad(other, margin)[window], 2, marks)
    marks = np.where(patch == 1, 1, marks)
    marks = np.where(np.pad(np.ones(plane.shape, bool), margin)[window], marks, 3)
    np.testing.assert_array_equal(usable, marks)


def test_runs_are_painted_and_added():
    mask = np.random.default_rng(0).random((12, 15)) < 0.4
    rows, starts, stops = runs_of(mask)
    painted = np.full((16, 18), 7, np.uint8)
    shape.paint_runs(rows, starts, stops, 0, len(rows), -2, -1, painted)
    np.testing.assert_array_equal(painted, np.pad(mask, ((2, 2), (1, 2))))
    added = np.full(mask.shape, 5, np.uint8)
    shape.add_runs(rows, starts, stops, added)
    np.testing.assert_array_equal(added, np.where(mask, 1, 5))


def test_complement_keeps_the_frame_empty():
    inside = (np.random.default_rng(0).random((6, 7)) < 0.5).astype(np.uint8)
    outside = np.full((6, 7), 9, np.uint8)
    shape._complement(inside, outside)
    expected = 1 - inside
    expected[[0, -1]] = expected[:, [0, -1]] = 0
    np.testing.assert_array_equal(outside, expected)


def test_ring_grows_with_the_candidate_to_twice_its_size():
    assert shape._ring_scale(3, 5, 8.0) == 1
    assert shape._ring_scale(16, 3, 8.0) == 1
    assert shape._ring_scale(24, 3, 8.0) == pytest.approx(1.15)
    assert shape._ring_scale(3, 1000, 8.0) == 2


@pytest.mark.parametrize("place", [(30, 30, 5), (2, 2, 4), (30, 30, 1)])
def test_rough_strength(place):
    plane = np.random.default_rng(0).normal(size=(60, 64)).astype(np.float32)
    own, other = discs(plane.shape, place, (30, 39, 3))
    other &= ~own
    rows, starts, stops = runs_of(own)
    bounds = around(own)
    out = np.empty(1)
    shape.rough_strength(
        plane,
        (own | other).astype(np.uint8),
        np.array([0, len(rows)]),
        rows,
        starts,
        stops,
        bounds[None],
        out,
    )
    top, left = max(bounds[0] - 3, 0), max(bounds[1] - 3, 0)
    frame = np.zeros(plane.shape, bool)
    frame[top : bounds[2] + 3, left : bounds[3] + 3] = True
    frame[top + 1 : bounds[2] + 2, left + 1 : bounds[3] + 2] = False
    frame &= ~(own | other)
    expected = (plane[own].mean() - plane[frame].mean()) * np.sqrt(own.sum()) if own.sum() >= 16 else 0
    assert out[0] == pytest.approx(expected, rel=1e-5, abs=1e-6)
