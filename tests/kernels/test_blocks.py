import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.blocks import reduce_cells

images = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=23), elements=st.integers(0, 65535))


def cells_one_by_one(pixels, step, padding):
    """Twin: each cell on its own."""
    rows, columns = -(-pixels.shape[0] // step), -(-pixels.shape[1] // step)
    mean = np.zeros((rows, columns), np.float32)
    least, greatest, valid = (np.zeros((rows, columns), np.uint16) for _ in range(3))
    for i in range(rows):
        for j in range(columns):
            cell = pixels[i * step : (i + 1) * step, j * step : (j + 1) * step].ravel().astype(np.int64)
            if padding is not None:
                cell = cell[(cell < padding[0]) | (cell > padding[1])]
            valid[i, j] = len(cell)
            if len(cell):
                mean[i, j] = cell.sum() / len(cell)
                least[i, j], greatest[i, j] = cell.min(), cell.max()
    return mean, least, greatest, valid


@given(
    images,
    st.integers(1, 30),
    st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: tuple(sorted(pair))),
)
@settings(deadline=None)
def test_equals_twin(pixels, step, padding):
    for got, expected in zip(
        reduce_cells(pixels, step, padding), cells_one_by_one(pixels, step, padding), strict=True
    ):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_threads_do_not_matter():
    pixels = np.random.default_rng(3).integers(0, 65536, (901, 777)).astype(np.uint16)
    for padding in (None, (0, 9000)):
        one, three = (reduce_cells(pixels, 3, padding, threads) for threads in (1, 3))
        for a, b in zip(one, three, strict=True):
            np.testing.assert_array_equal(a, b)


def test_largest_cell_of_largest_values_does_not_overflow():
    mean, _, greatest, valid = reduce_cells(np.full((255, 255), 65535, np.uint16), 255)
    assert mean == 65535
    assert greatest == 65535
    assert valid == 255 * 255


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4)),
        np.zeros(4, np.uint16),
        np.zeros((4, 0), np.uint16),
        np.zeros((4, 8), np.uint16)[:, ::2],
    ],
)
def test_refuses_other_arrays(pixels):
    with pytest.raises(ValueError, match="C-contiguous two-dimensional uint16"):
        reduce_cells(pixels, 2)


@pytest.mark.parametrize("step", [0, 256])
def test_refuses_steps_out_of_range(step):
    with pytest.raises(ValueError, match=f"1 to 255 pixels, got {step}"):
        reduce_cells(np.zeros((4, 4), np.uint16), step)
