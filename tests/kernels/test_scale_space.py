import itertools

import numpy as np
import pytest
from mammocalc_kernels.scale_space import blob_response, blob_responses
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
