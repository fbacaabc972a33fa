import itertools

import numpy as np
import pytest
from mammocalc_kernels.scale_space import blob_response, blob_responses, scale_space_maxima
from scipy import ndimage

SIGMAS = (1.0, 1.6, 2.6, 4.1)
WEIGHTS = (1.0, 1.6, 2.6)


def direct_differences(plane, sigmas):
    """Twin: every Gaussian straight from the plane, in float64, cut off at six standard deviations."""
    exact = plane.astype(np.float64)
    smooth = [ndimage.gaussian_filter(exact, sigma, mode="reflect", truncate=6) for sigma in sigmas]
    return np.array([fine - coarse for fine, coarse in itertools.pairwise(smooth)])


def direct_response(plane, sigmas, weights):
    return max_over_scales(direct_differences(plane, sigmas), weights)


def max_over_scales(differences, weights):
    return (differences * np.asarray(weights)[:, None, None]).max(axis=0)


def noise_with_specks(shape, seed=0):
    generator = np.random.default_rng(seed)
    plane = generator.normal(60, 1, shape)
    for _ in range(20):
        row, col = (int(generator.integers(0, n)) for n in shape)
        side = int(generator.integers(1, 9))
        plane[row : row + side, col : col + side] += generator.uniform(5, 60)
    return plane.astype(np.float32)


@pytest.mark.parametrize(
    ("sigmas", "tolerance"),
    [(SIGMAS, 1e-3), (SIGMAS[:2], 1e-3), ((1.2, 1.7, 2.4, 3.4, 4.8, 6.8), 1e-3), ((0.7, 1.0), 2e-2)],
)
def test_response_is_that_of_direct_gaussians_up_to_the_border(sigmas, tolerance):
    plane = noise_with_specks((157, 211))
    plane[0, 0] += 200
    plane[-1, 90:96] += 100
    weights = sigmas[:-1]
    expected = direct_response(plane, sigmas, weights)
    error = np.abs(blob_response(plane, sigmas, weights) - expected).max()
    assert error < tolerance * np.ptp(expected)


def test_response_is_the_maximum_of_the_single_responses():
    plane = noise_with_specks((83, 70))
    single = blob_responses(plane, SIGMAS)
    assert single.shape == (3, 83, 70)
    expected = direct_differences(plane, SIGMAS)
    for one, wanted in zip(single, expected, strict=True):
        assert np.abs(one - wanted).max() < 1e-3 * np.ptp(wanted)
    np.testing.assert_allclose(
        blob_response(plane, SIGMAS, WEIGHTS), max_over_scales(single, WEIGHTS), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (41, 1), (2, 3), (7, 5), (64, 129)])
def test_small_and_odd_planes(shape):
    plane = noise_with_specks(shape)
    expected = direct_response(plane, SIGMAS, WEIGHTS)
    assert np.abs(blob_response(plane, SIGMAS, WEIGHTS) - expected).max() < 1e-3 * max(np.ptp(plane), 1)


@pytest.mark.parametrize("value", [0.0, 1.0, -3e4, 65535.0])
def test_a_constant_plane_has_no_response(value):
    plane = np.full((90, 77), value, np.float32)
    np.testing.assert_allclose(blob_response(plane, SIGMAS, WEIGHTS), 0, atol=2e-6 * max(abs(value), 1))


def test_extremes_of_the_grey_range_do_not_overflow():
    plane = (np.random.default_rng(1).integers(0, 2, (97, 101)) * 65535).astype(np.float32)
    expected = direct_response(plane, SIGMAS, WEIGHTS)
    assert np.abs(blob_response(plane, SIGMAS, WEIGHTS) - expected).max() < 1e-3 * np.ptp(expected)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_do_not_change_a_bit(threads):
    plane = noise_with_specks((401, 133))
    one = blob_response(plane, SIGMAS, WEIGHTS)
    assert np.array_equal(one, blob_response(plane, SIGMAS, WEIGHTS, threads=threads))
    assert np.array_equal(blob_responses(plane, SIGMAS), blob_responses(plane, SIGMAS, threads=threads))


def test_a_buffer_is_filled_and_returned():
    plane = noise_with_specks((70, 90))
    out = np.full_like(plane, np.nan)
    assert blob_response(plane, SIGMAS, WEIGHTS, out=out) is out
    assert np.array_equal(out, blob_response(plane, SIGMAS, WEIGHTS))


def test_a_plane_that_is_not_finite_is_spoilt_within_reach_only():
    plane = noise_with_specks((200, 200))
    expected = blob_response(plane, SIGMAS, WEIGHTS)
    plane[100, 100] = np.nan
    spoilt = blob_response(plane, SIGMAS, WEIGHTS)
    assert np.isnan(spoilt[100, 100])
    assert np.array_equal(spoilt[:60], expected[:60])
    assert np.array_equal(spoilt[:, 140:], expected[:, 140:])


def test_an_empty_plane_gives_an_empty_response():
    assert blob_response(np.zeros((0, 5), np.float32), SIGMAS, WEIGHTS).shape == (0, 5)


@pytest.mark.parametrize("plane", [np.zeros((4, 4)), np.zeros((4, 4), np.uint16), [[0.0]]])
def test_other_types_are_refused(plane):
    with pytest.raises(TypeError, match="float32"):
        blob_response(plane, SIGMAS, WEIGHTS)


@pytest.mark.parametrize(
    "plane",
    [np.zeros((8, 8), np.float32)[:, ::2], np.zeros((8, 8), np.float32).T[1:], np.zeros(9, np.float32)],
)
def test_strided_planes_are_refused(plane):
    with pytest.raises(ValueError, match="C-contiguous"):
        blob_response(plane, SIGMAS, WEIGHTS)


def test_scales_weights_and_buffers_that_do_not_fit_are_refused():
    plane = np.zeros((8, 8), np.float32)
    with pytest.raises(ValueError, match="ascending"):
        blob_response(plane, (1.0, 1.0), (1.0,))
    with pytest.raises(ValueError, match="two positive sigmas"):
        blob_responses(plane, (1.0,))
    with pytest.raises(ValueError, match="two positive sigmas"):
        blob_responses(plane, (0.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        blob_responses(plane, (1.0, np.inf))
    with pytest.raises(ValueError, match="weights"):
        blob_response(plane, SIGMAS, (1.0,))
    with pytest.raises(ValueError, match="another array"):
        blob_response(plane, SIGMAS, WEIGHTS, out=plane)


SIX = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8)


def maxima(layers, threshold):
    """Twin: every pixel against its neighbours in the cube; of equal ones the first counts."""
    padded = np.pad(layers, 1, constant_values=-np.inf)
    found = layers > threshold
    for i in range(3):
        for j in range(3):
            for k in range(3):
                neighbour = padded[i : i + layers.shape[0], j : j + layers.shape[1], k : k + layers.shape[2]]
                if (i, j, k) < (1, 1, 1):
                    found &= layers > neighbour
                elif (i, j, k) > (1, 1, 1):
                    found &= layers >= neighbour
    scale, row, col = np.nonzero(found)
    order = np.lexsort((scale, col, row))
    return row[order], col[order], scale[order], layers[found][order]


def layers_of(plane, sigmas):
    return blob_responses(plane, sigmas) * np.asarray(sigmas[:-1], np.float32)[:, None, None]


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0, 5.0, 1e9])
@pytest.mark.parametrize("sigmas", [SIX, SIGMAS, (1.0, 2.0)])
def test_maxima_are_those_of_the_cube(sigmas, threshold):
    plane = noise_with_specks((141, 173))
    plane[0, :9] += 90
    found = scale_space_maxima(plane, sigmas, threshold)
    for column, expected in zip(found, maxima(layers_of(plane, sigmas), threshold), strict=True):
        assert np.array_equal(column, expected)
    if threshold == 0.0:
        assert found.row.size > 100
    assert {column.dtype for column in found[:3]} == {np.dtype(np.int32)}
    assert found.value.dtype == np.float32


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (17, 1), (2, 2), (3, 64), (65, 7)])
def test_maxima_of_small_and_odd_planes(shape):
    plane = noise_with_specks(shape)
    found = scale_space_maxima(plane, SIGMAS, -np.inf)
    for column, expected in zip(found, maxima(layers_of(plane, SIGMAS), -np.inf), strict=True):
        assert np.array_equal(column, expected)


def test_of_a_plateau_one_pixel_counts():
    assert scale_space_maxima(np.zeros((40, 50), np.float32), SIGMAS, 0.0).row.size == 0
    everywhere = scale_space_maxima(np.zeros((40, 50), np.float32), SIGMAS, -1.0)
    assert (everywhere.row.tolist(), everywhere.col.tolist(), everywhere.scale.tolist()) == ([0], [0], [0])


def test_maxima_are_those_of_direct_gaussians_but_for_near_ties():
    plane = noise_with_specks((300, 400))
    layers = direct_differences(plane, SIX) * np.asarray(SIX[:-1])[:, None, None]
    row, col, scale, value = maxima(layers, 1.0)
    expected = dict(zip(zip(row, col, scale, strict=True), value, strict=True))
    found = scale_space_maxima(plane, SIX, 1.0)
    places = list(zip(found.row, found.col, found.scale, strict=True))
    same = [place for place in places if place in expected]
    assert len(same) > 0.99 * max(len(places), len(expected))
    error = [abs(found.value[places.index(place)] - expected[place]) for place in same]
    assert max(error) < 1e-3 * np.ptp(layers)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5, 2.2, 3.0, 6.0])
def test_a_round_blob_is_found_at_its_place_scale_and_value(width):
    row, col = np.indices((90, 100))
    plane = np.exp(-0.5 * ((row - 41) ** 2 + (col - 57) ** 2) / width**2).astype(np.float32)
    found = scale_space_maxima(100 * plane, SIX, 1.0)
    best = found.value.argmax()
    squares = np.array(SIX) ** 2
    centre = 100 * width**2 / (width**2 + squares)
    expected = np.array(SIX[:-1]) * (centre[:-1] - centre[1:])
    assert (found.row[best], found.col[best]) == (41, 57)
    assert found.scale[best] == expected.argmax()
    assert found.value[best] == pytest.approx(expected.max(), rel=0.02)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_do_not_change_maxima(threads):
    plane = noise_with_specks((401, 133))
    one = scale_space_maxima(plane, SIX, 0.1)
    many = scale_space_maxima(plane, SIX, 0.1, threads=threads)
    assert one.row.size > 100
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


def test_maxima_refuse_too_many_scales_and_give_nothing_for_nothing():
    with pytest.raises(ValueError, match="at most 9"):
        scale_space_maxima(np.zeros((4, 4), np.float32), range(1, 11), 0.0)
    assert scale_space_maxima(np.zeros((0, 4), np.float32), SIGMAS, 0.0).row.size == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_only_the_wanted_columns(threads):
    rng = np.random.default_rng(8)
    plane = rng.normal(size=(150, 110)).astype(np.float32)
    sigmas, weights = (1.1, 1.8, 2.9, 4.6), (1.0, 2.0, 3.0)
    row = np.arange(150)
    wanted = np.stack((20 + row // 5, 90 - np.abs(row - 75) // 2), axis=1)
    wanted[:12] = 0
    wanted[100:103] = 50

    everywhere = blob_response(plane, sigmas, weights)
    some = blob_response(plane, sigmas, weights, wanted=wanted, threads=threads)

    col = np.arange(110)
    inside = (col >= wanted[:, :1]) & (col < wanted[:, 1:])
    assert 0.3 < inside.mean() < 0.6
    np.testing.assert_array_equal(some, np.where(inside, everywhere, 0))
    single = blob_responses(plane, sigmas, wanted, threads)
    assert np.array_equal(single[:, inside], blob_responses(plane, sigmas)[:, inside])


@pytest.mark.parametrize("wanted", [np.zeros((9, 2), np.int64), np.full((10, 2), 13)])
def test_columns_beyond_the_plane_are_refused(wanted):
    with pytest.raises(ValueError, match="wanted must be columns of 10 rows of 12"):
        blob_response(np.zeros((10, 12), np.float32), (1.0, 2.0), (1.0,), wanted=wanted)
