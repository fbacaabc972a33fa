import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.noise import sample_noise

images = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 400))


def samples_one_by_one(pixels, cells, step, stride, low, high):
    """Twin: each lattice pixel whose 5 x 5 window fits and holds no clipped value."""
    level, residual, centre = [], [], []
    for row in range(2, pixels.shape[0] - 2, stride):
        for column in range(2, pixels.shape[1] - 2, stride):
            window = pixels[row - 2 : row + 3, column - 2 : column + 3].astype(np.int64)
            if cells[row // step, column // step] and window.min() > low and window.max() < high:
                around = (window.sum() - window[2, 2]) / 24
                level.append(around)
                residual.append((window[2, 2] - around) * (24 / 25) ** 0.5)
                centre.append(window[2, 2])
    return level, residual, centre


@given(images, st.integers(1, 7), st.integers(1, 5), st.integers(-1, 50), st.integers(300, 65536), st.data())
@settings(deadline=None)
def test_equals_twin(pixels, step, stride, low, high, data):
    shape = (-(-pixels.shape[0] // step), -(-pixels.shape[1] // step))
    cells = data.draw(arrays(np.bool_, shape))
    got = sample_noise(pixels, cells, step, stride, low, high)
    for values, expected in zip(got, samples_one_by_one(pixels, cells, step, stride, low, high), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-5)


def test_white_noise_keeps_its_deviation_and_ramps_cancel():
    rng = np.random.default_rng(2)
    ramp = 1000 + np.add.outer(3.0 * np.arange(600), 2.0 * np.arange(600))
    pixels = np.rint(ramp + rng.normal(0, 20, ramp.shape)).astype(np.uint16)
    _, residual, _ = sample_noise(pixels, np.ones((60, 60), np.bool_), 10, 3)
    assert residual.std() == pytest.approx(20, rel=0.02)
    assert abs(residual.mean()) < 0.5


def test_threads_do_not_matter():
    rng = np.random.default_rng(4)
    pixels, cells = rng.integers(0, 500, (300, 200), np.uint16), rng.random((30, 20)) < 0.7
    one, three = (sample_noise(pixels, cells, 10, 3, 1, 500, threads) for threads in (1, 3))
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)
    assert 0 < len(one[0]) < 99 * 66


PIXELS, CELLS = np.zeros((10, 12), np.uint16), np.ones((2, 3), np.bool_)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((PIXELS.T, CELLS, 5, 1), "pixels: a C-contiguous"),
        ((PIXELS, CELLS.T, 5, 1), "one entry a cell"),
        ((PIXELS, CELLS.astype(np.uint8), 5, 1), "one entry a cell"),
        ((PIXELS, CELLS, 5, 0), "at least 1 pixel, got 5 and 0"),
        ((PIXELS, CELLS, 0, 1), "at least 1 pixel, got 0 and 1"),
    ],
)
def test_refuses(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        sample_noise(*arguments)
