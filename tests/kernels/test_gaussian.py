import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.gaussian import decimate, gaussian, gaussian_taps, large_gaussian
from scipy import ndimage

planes = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=23), elements=st.floats(-1e4, 1e4, width=32)
)


def smoothed(plane, sigma, truncate):
    """Twin: the double sum over the window, in float64, border pixels repeated."""
    radius = int(truncate * sigma + 0.5)
    weight = np.array([math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)])
    weight /= weight.sum()
    padded = np.pad(plane.astype(np.float64), radius, mode="edge")
    out = np.zeros(plane.shape)
    for row in range(plane.shape[0]):
        for col in range(plane.shape[1]):
            window = padded[row : row + 2 * radius + 1, col : col + 2 * radius + 1]
            out[row, col] = weight @ window @ weight
    return out


def block_means(plane, factor):
    """Twin: the mean of what there is of each block."""
    rows, columns = plane.shape
    return np.array(
        [
            [
                plane[row : row + factor, col : col + factor].mean(dtype=np.float64)
                for col in range(0, columns, factor)
            ]
            for row in range(0, rows, factor)
        ]
    )


def tissue(rows, columns, seed=0):
    """Smooth structure, noise, a bright speck and a sharp edge."""
    random = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(random.standard_normal((rows, columns)), 12)
    plane = 3000 + 40000 * rough + 40 * random.standard_normal((rows, columns))
    plane[rows // 3 : rows // 3 + 3, columns // 4 : columns // 4 + 3] += 3000
    plane[:, 4 * columns // 5 :] = 200
    return np.clip(plane, 0, 16383).astype(np.float32)


def between(values, outside):
    """The values, contiguous, with a row of something else right before and after them in memory."""
    whole = np.full((values.shape[0] + 2, values.shape[1]), outside, values.dtype)
    whole[1:-1] = values
    return whole, whole[1:-1]


@given(planes, st.sampled_from([0.1, 0.4, 0.7, 1.0, 1.4, 2.3, 3.0]), st.sampled_from([2.0, 3.0, 4.0]))
@settings(deadline=None, max_examples=60)
def test_gaussian_equals_twin(plane, sigma, truncate):
    expected = smoothed(plane, sigma, truncate)
    scale = max(1.0, float(np.abs(plane).max()))
    np.testing.assert_allclose(gaussian(plane, sigma, truncate=truncate), expected, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0, 4.0, 6.0])
def test_gaussian_equals_scipy_and_does_not_depend_on_threads(sigma):
    plane = tissue(331, 275)
    expected = ndimage.gaussian_filter(plane.astype(np.float64), sigma, mode="nearest", truncate=3.0)
    one = gaussian(plane, sigma)
    np.testing.assert_allclose(one, expected, rtol=2e-6)
    for threads in (2, 3, 5):
        assert np.array_equal(one, gaussian(plane, sigma, threads=threads))


def test_gaussian_reads_and_writes_only_its_own_rows():
    plane = tissue(41, 70)
    expected = gaussian(plane, 2.0)
    _, inside = between(plane, np.nan)
    whole, out = between(np.zeros_like(plane), 7)
    assert gaussian(inside, 2.0, out=out) is out
    assert np.array_equal(out, expected)
    assert (whole[[0, -1]] == 7).all()


def test_taps_are_half_of_a_filter_of_unit_sum():
    taps = gaussian_taps(2.0, 4.0)
    assert taps.shape == (9,)
    assert taps[0] + 2 * taps[1:].sum() == pytest.approx(1, abs=1e-6)
    assert taps[2] / taps[0] == pytest.approx(math.exp(-0.5), rel=1e-6)


@pytest.mark.parametrize("sigma", [8.0, 10.0, 13.0, 17.5, 22.0, 30.0, 45.0])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_large_gaussian_is_within_a_thousandth_of_the_range(sigma, dtype):
    plane = tissue(401, 333).astype(dtype)
    expected = ndimage.gaussian_filter(plane.astype(np.float64), sigma, mode="nearest", truncate=6.0)
    error = large_gaussian(plane, sigma) - expected
    span = float(np.ptp(plane))
    assert np.sqrt(np.mean(error**2)) < 0.001 * span
    # Nor is it off by a shift, which would show as an error along the edge.
    assert np.abs(error).max() < 0.006 * span
    assert abs(error.mean()) < 0.0001 * span


def test_large_gaussian_does_not_depend_on_threads_nor_on_what_lies_around():
    plane = tissue(531, 267)
    one = large_gaussian(plane, 9.0)
    _, inside = between(plane, np.nan)
    for threads in (2, 4):
        assert np.array_equal(one, large_gaussian(inside, 9.0, threads=threads))
    whole, out = between(np.zeros_like(plane), 7)
    large_gaussian(plane, 9.0, out=out)
    assert np.array_equal(out, one)
    assert (whole[[0, -1]] == 7).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 5)])
def test_filters_keep_constants_at_every_shape(shape):
    plane = np.full(shape, 65535, np.float32)
    np.testing.assert_allclose(gaussian(plane, 1.7), plane, rtol=1e-6)
    np.testing.assert_allclose(large_gaussian(plane, 30.0), plane, rtol=1e-6)
    np.testing.assert_allclose(large_gaussian(plane.astype(np.uint16), 11.0), plane, rtol=1e-6)


@given(
    arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 65535)),
    st.integers(1, 17),
)
@settings(deadline=None, max_examples=50)
def test_decimate_equals_twin(plane, factor):
    expected = block_means(plane, factor)
    np.testing.assert_allclose(decimate(plane, factor), expected, rtol=3e-7)
    np.testing.assert_allclose(decimate(plane.astype(np.float32), factor), expected, rtol=1e-6)


def test_decimate_does_not_depend_on_threads_and_bears_extremes():
    plane = np.full((260, 515), 65535, np.uint16)
    assert (decimate(plane, 256) == 65535).all()
    uneven = tissue(1300, 217)
    for factor in (3, 8):
        assert np.array_equal(decimate(uneven, factor), decimate(uneven, factor, threads=3))


@pytest.mark.parametrize(
    "call", [lambda p: gaussian(p, 1.0), lambda p: decimate(p, 2), lambda p: large_gaussian(p, 9.0)]
)
def test_what_is_not_a_plane_is_refused(call):
    with pytest.raises(TypeError, match=r"float32.*float64"):
        call(np.zeros((4, 4)))
    with pytest.raises(TypeError, match="not list"):
        call([[1.0]])
    with pytest.raises(ValueError, match="C-contiguous"):
        call(np.zeros((4, 8), np.float32)[:, ::2])
    with pytest.raises(ValueError, match=r"at least one pixel, not shape \(0, 4\)"):
        call(np.zeros((0, 4), np.float32))
    with pytest.raises(ValueError, match=r"not shape \(4,\)"):
        call(np.zeros(4, np.float32))


def test_parameters_and_outputs_out_of_range_are_refused():
    plane = np.zeros((4, 6), np.float32)
    for sigma in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="sigma must be a finite number"):
            gaussian(plane, sigma)
    with pytest.raises(ValueError, match=r"at least 8 px, not 7\.9"):
        large_gaussian(plane, 7.9)
    with pytest.raises(ValueError, match="factor must be 1 to 256 px, not 0"):
        decimate(plane, 0)
    with pytest.raises(ValueError, match=r"out has shape \(4, 5\)"):
        gaussian(plane, 1.0, out=np.zeros((4, 5), np.float32))
    with pytest.raises(ValueError, match="must not overlap"):
        gaussian(plane, 1.0, out=plane)
    with pytest.raises(TypeError, match="expected an array of float32, not float64"):
        large_gaussian(plane, 9.0, out=np.zeros((4, 6)))
