import numpy as np
import pytest
from mammocalc_kernels.axis_profile import (
    axis_coordinates,
    bin_samples,
    centre_path,
    geodesic_distance,
    longest_path,
    resample_path,
    smooth_path,
)
from mammocalc_kernels.calibre import follow_axis
from mammocalc_kernels.outline import polygon_moments, trace_outline
from scipy import ndimage, sparse
from scipy.sparse import csgraph


def region(seed, shape=(26, 31)):
    """The largest part of a smooth random mask, 0 in the outermost rows and columns."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.3)
    mask = np.zeros(shape, bool)
    mask[1:-1, 1:-1] = field[1:-1, 1:-1] > 0
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    return (labels == 1 + np.bincount(labels.ravel())[1:].argmax()).astype(np.uint8)


def ways_by_graph(inside, seed):
    """Twin: Dijkstra over a graph of pixels, 5 for a straight and 7 for a diagonal step."""
    number = np.arange(inside.size).reshape(inside.shape)
    edges = []
    for dy, dx, cost in ((0, 1, 5), (1, 0, 5), (1, 1, 7), (1, -1, 7)):
        for y, x in np.argwhere(inside):
            if inside[y + dy, x + dx]:
                edges.append((number[y, x], number[y + dy, x + dx], cost))
    rows, cols, costs = np.array(edges or [(0, 0, 0)]).T
    graph = sparse.csr_matrix((costs, (rows, cols)), shape=(inside.size, inside.size))
    ways = csgraph.dijkstra(graph, directed=False, indices=seed)
    return np.where(np.isinf(ways), 1 << 28, ways).astype(int).reshape(inside.shape)


@pytest.mark.parametrize("seed", range(5))
def test_geodesic_distance(seed):
    inside = region(seed)
    start = int(np.flatnonzero(inside)[0])
    distance = np.empty(inside.shape, np.int32)
    farthest = geodesic_distance(inside, start, distance)
    expected = ways_by_graph(inside, start)
    np.testing.assert_array_equal(distance, expected)
    reached = np.where(expected < 1 << 28, expected, -1)
    assert farthest == reached.argmax()


@pytest.mark.parametrize("seed", range(5))
def test_longest_way_is_a_shortest_way_between_two_far_ends(seed):
    inside = region(seed)
    ys, xs = np.empty((2, inside.size))
    first = int(np.flatnonzero(inside)[0])
    n = longest_path(inside, first, np.empty(inside.shape, np.int32), ys, xs)
    path = np.column_stack([ys, xs])[:n].astype(int)
    assert inside[path[:, 0], path[:, 1]].all()
    steps = np.abs(np.diff(path, axis=0))
    assert steps.max(initial=0) <= 1
    length = int(np.where(steps.sum(axis=1) == 2, 7, 5).sum())
    away = ways_by_graph(inside, first)
    end = np.where(away < 1 << 28, away, -1).argmax()
    onwards = ways_by_graph(inside, end)
    assert length == onwards[onwards < 1 << 28].max()
    assert longest_path(inside, first, np.empty(inside.shape, np.int32), ys[: n - 1], xs) == 0


def test_longest_way_of_one_pixel():
    inside = np.zeros((3, 3), np.uint8)
    inside[1, 1] = 1
    ys, xs = np.empty((2, 9))
    assert longest_path(inside, 4, np.empty((3, 3), np.int32), ys, xs) == 1
    assert (ys[0], xs[0]) == (1, 1)


@pytest.mark.parametrize("passes", [0, 1, 6])
@pytest.mark.parametrize("n", [2, 3, 20])
def test_smoothed_path(passes, n):
    ys, xs = np.random.default_rng(n).normal(size=(2, n))
    expected = np.array([ys, xs])
    for _ in range(passes):
        expected[:, 1:-1] = (expected[:, :-2] + 2 * expected[:, 1:-1] + expected[:, 2:]) / 4
    smooth_path(ys, xs, n, passes)
    np.testing.assert_allclose([ys, xs], expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_resampled_path(seed):
    rng = np.random.default_rng(seed)
    ys, xs = np.cumsum(rng.normal(0.5, 1.0, size=(2, 15)), axis=1)
    out_y, out_x = np.empty((2, 80))
    n = resample_path(ys, xs, 15, out_y, out_x)
    arc = np.concatenate([[0], np.cumsum(np.hypot(np.diff(ys), np.diff(xs)))])
    assert n == max(2, int(arc[-1] + 0.5) + 1)
    places = np.linspace(0, arc[-1], n)
    np.testing.assert_allclose(out_y[:n], np.interp(places, arc, ys), atol=1e-9)
    np.testing.assert_allclose(out_x[:n], np.interp(places, arc, xs), atol=1e-9)


def test_resampled_path_of_no_length_or_little_room():
    out_y, out_x = np.empty((2, 5))
    assert resample_path(np.ones(4), np.ones(4), 4, out_y, out_x) == 2
    np.testing.assert_array_equal(out_y[:2], 1)
    assert resample_path(np.zeros(2), np.array([0.0, 40.0]), 2, out_y, out_x) == 5
    np.testing.assert_allclose(out_x, [0, 10, 20, 30, 40])


def coordinates_by_search(contrast, usable, ys, xs, reach, beyond):
    """Twin: every usable pixel against every point of the path."""
    step = np.hypot(ys[1] - ys[0], xs[1] - xs[0])
    samples = []
    for y, x in np.argwhere(usable == 1):
        nearest = np.hypot(ys - y, xs - x).argmin()
        a, b = max(nearest - 1, 0), min(nearest + 1, len(ys) - 1)
        tangent = np.array([ys[b] - ys[a], xs[b] - xs[a]])
        tangent /= np.hypot(*tangent)
        offset = np.array([y - ys[nearest], x - xs[nearest]])
        forward, aside = offset @ tangent, offset @ (tangent[1], -tangent[0])
        on_path = nearest == 0 or nearest == len(ys) - 1 or abs(forward) <= 1.5 * step
        if abs(aside) <= reach and abs(forward) <= beyond and on_path:
            samples.append((nearest * step + forward, aside, contrast[y, x]))
    return np.array(samples)


def arc(n=30, radius=20.0):
    turn = np.linspace(-0.7, 0.7, n)
    return 5.3 + radius * np.cos(turn), 18.1 + radius * np.sin(turn)


def test_coordinates_beside_a_path():
    rng = np.random.default_rng(0)
    contrast = rng.normal(size=(36, 38)).astype(np.float32)
    usable = rng.integers(0, 3, contrast.shape).astype(np.uint8)
    ys, xs = arc()
    along, across, value = np.empty((3, contrast.size))
    count = axis_coordinates(contrast, usable, ys, xs, len(ys), 5.0, 2.0, along, across, value)
    expected = coordinates_by_search(contrast, usable, ys, xs, 5.0, 2.0)
    np.testing.assert_allclose(np.column_stack([along, across, value])[:count], expected, atol=1e-9)


def test_coordinates_without_usable_pixels():
    along, across, value = np.empty((3, 100))
    nothing = np.zeros((10, 10), np.uint8)
    ys, xs = np.array([5.0, 5.0]), np.array([2.0, 3.0])
    assert axis_coordinates(nothing.astype(np.float32), nothing, ys, xs, 2, 5, 5, along, across, value) == 0


def centred(along, across, value, ys, xs, spread, stretch):
    """Twin: twice the weighted centroid within the window of every point, smoothed and held to a pixel."""
    step = np.hypot(ys[1] - ys[0], xs[1] - xs[0])
    weight = np.exp(-0.5 * (across / spread) ** 2) * value
    within = np.abs(along[None, :] - np.arange(len(ys))[:, None] * step) <= stretch + 1e-9
    total, moment = within @ weight, within @ (weight * across)
    strong = total > 0.1 * total.max()
    shift = np.clip(np.where(strong, 2 * moment / np.where(strong, total, 1), 0), -1, 1)
    padded = np.pad(shift, 1, mode="edge")
    shift = 0.25 * padded[:-2] + 0.5 * shift + 0.25 * padded[2:]
    before = np.concatenate([[0], np.arange(len(ys) - 1)])
    after = np.concatenate([np.arange(1, len(ys)), [len(ys) - 1]])
    ty, tx = ys[after] - ys[before], xs[after] - xs[before]
    norm = np.hypot(ty, tx)
    return ys + shift * tx / norm, xs - shift * ty / norm


def test_path_is_drawn_to_the_ridge():
    grid_y, grid_x = np.mgrid[:36, :38]
    ridge = np.exp(-0.5 * ((np.hypot(grid_y - 5.3, grid_x - 18.1) - 20.8) / 1.5) ** 2).astype(np.float32)
    ys, xs = arc()
    along, across, value = np.empty((3, ridge.size))
    count = axis_coordinates(
        ridge, np.ones(ridge.shape, np.uint8), ys, xs, len(ys), 5.0, 2.0, along, across, value
    )
    expected = centred(along[:count], across[:count], value[:count], ys, xs, 1.5, 2.2)
    centre_path(along, across, value, count, ys, xs, len(ys), 1.5, 2.2, np.empty(99), np.empty(99))
    np.testing.assert_allclose([ys, xs], expected, atol=1e-9)
    np.testing.assert_allclose(np.hypot(ys - 5.3, xs - 18.1), 20.8, atol=0.15)


def test_path_stays_where_there_is_nothing():
    ys, xs = arc()
    before = ys.copy(), xs.copy()
    empty = np.empty(0)
    centre_path(empty, empty, empty, 0, ys, xs, len(ys), 1.5, 2.0, np.empty(99), np.empty(99))
    np.testing.assert_array_equal([ys, xs], before)


@pytest.mark.parametrize("count", [0, 1, 400])
def test_bins(count):
    rng = np.random.default_rng(count)
    positions, values, keys = rng.uniform(-3, 12, (3, count))
    xs, vs, ws = np.empty((3, 40))
    n = bin_samples(positions, values, keys, count, 0.0, 8.0, -1.0, 9.2, 0.5, xs, vs, ws)
    assert n == 21
    edges = -1.0 + 0.5 * np.arange(n + 1)
    kept = (keys >= 0) & (keys <= 8)
    for k in range(n):
        here = kept & (positions >= edges[k]) & (positions < edges[k + 1])
        assert ws[k] == here.sum()
        if here.any():
            assert xs[k] == pytest.approx(positions[here].mean())
            assert vs[k] == pytest.approx(values[here].mean())


def test_bins_are_no_more_than_there_is_room_for():
    xs, vs, ws = np.empty((3, 4))
    place = np.array([0.1, 1.1, 2.1, 3.1, 4.1])
    assert bin_samples(place, place, place, 5, 0.0, 9.0, 0.0, 9.0, 1.0, xs, vs, ws) == 4
    np.testing.assert_array_equal(ws, 1)


def smoothed(path, passes):
    for _ in range(passes):
        path = np.concatenate([path[:1], (path[:-2] + 2 * path[1:-1] + path[2:]) / 4, path[-1:]])
    return path


def resampled(path):
    arc = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    places = np.linspace(0, arc[-1], max(2, int(arc[-1] + 0.5) + 1))
    return np.column_stack([np.interp(places, arc, column) for column in path.T])


def axis_by_twins(contrast, inside, outline, moments, straight, half, sigma):
    """Twin: the principal axis or the longest way, drawn to the ridge again and again, by the twins of each step."""
    if straight:
        angle = 0.5 * np.arctan2(2 * moments[5], moments[4] - moments[3])
        direction, centre = np.array([np.sin(angle), np.cos(angle)]), moments[1:3]
        reached = (outline - centre) @ direction
        low, high = reached.min(), reached.max()
        cut = min(half, 0.3 * (high - low))
        path = centre + np.outer([low + cut, high - cut], direction)
    else:
        ys, xs = np.empty((2, inside.size))
        n = longest_path(inside, int(np.flatnonzero(inside)[0]), np.empty(inside.shape, np.int32), ys, xs)
        path = smoothed(np.column_stack([ys, xs])[:n], 4 + int(4 * half))
        cut = int(min(half, 0.3 * n))
        path = path[cut : n - cut]
    for _ in range(2 if straight else 4):
        ys, xs = resampled(path).T
        samples = coordinates_by_search(
            contrast, np.ones_like(inside), ys, xs, 1.3 * half + 2 * sigma + 0.5, half
        )
        spread = np.sqrt(0.4 * half**2 + sigma**2)
        path = np.column_stack(centred(*samples.T, ys, xs, spread, max(2.0, half)))
        path = smoothed(path, 4 + int(half**2))
    return resampled(path)


@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5])
def test_followed_axis(straight, angle):
    y, x = np.indices((48, 50)) - 24.3
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    bend = 0.0 if straight else 0.012 * along**2
    wire = ((np.abs(along) < 15) & (np.abs(across - bend) < 2.4)).astype(float)
    noise = np.random.default_rng(0).normal(0, 0.3, wire.shape)
    contrast = (ndimage.gaussian_filter(30 * wire, 1) + noise).astype(np.float32)
    inside = (contrast > 15).astype(np.uint8)
    room = 8 * sum(inside.shape)
    outline_y, outline_x, path_y, path_x, spare_y, spare_x = np.empty((6, room))
    n = trace_outline(inside, contrast, 15.0, outline_y, outline_x)
    moments = np.empty(7)
    polygon_moments(outline_y, outline_x, n, moments)
    outline = np.column_stack([outline_y, outline_x])[:n]
    expected = axis_by_twins(contrast, inside, outline, moments, straight, 2.4, 1.0)

    n = follow_axis(
        contrast, np.ones_like(inside), inside, np.empty(inside.shape, np.int32), outline_y, outline_x, n, moments,
        straight, 2.4, 1.0, path_y, path_x, spare_y, spare_x, *np.empty((3, inside.size)), np.empty((2, room)),
    )  # fmt: skip

    np.testing.assert_allclose(np.column_stack([path_y, path_x])[:n], expected, atol=1e-6)
