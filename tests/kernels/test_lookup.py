import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.lookup import look_up

images = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 65535))


def one_by_one(pixels, table, window):
    """Twin: each pixel on its own, beyond the table's end its last entry."""
    top, left, bottom, right = window
    out = np.empty((bottom - top, right - left), np.float32)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = table[min(int(pixels[top + i, left + j]), len(table) - 1)]
    return out


@given(images, st.integers(1, 65536), st.data())
@settings(deadline=None)
def test_equals_twin(pixels, entries, data):
    table = np.sqrt(np.arange(entries)).astype(np.float32)
    top, bottom = sorted(data.draw(st.tuples(*2 * [st.integers(0, pixels.shape[0])])))
    left, right = sorted(data.draw(st.tuples(*2 * [st.integers(0, pixels.shape[1])])))
    window = (top, left, bottom, right)
    np.testing.assert_array_equal(look_up(pixels, table, window), one_by_one(pixels, table, window))


def test_whole_image_by_default_and_threads_do_not_matter():
    pixels = np.random.default_rng(1).integers(0, 4096, (700, 333)).astype(np.uint16)
    table = np.arange(4096, dtype=np.float32)[::-1].copy()
    out = np.full(pixels.shape, np.nan, np.float32)
    assert look_up(pixels, table, threads=3, out=out) is out
    np.testing.assert_array_equal(out, table[pixels])


PIXELS, TABLE = np.zeros((4, 6), np.uint16), np.zeros(8, np.float32)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((PIXELS.T, TABLE), "pixels: a C-contiguous"),
        ((PIXELS.astype(np.int16), TABLE), "pixels: a C-contiguous"),
        ((PIXELS, TABLE.astype(np.float64)), "table: a C-contiguous"),
        ((PIXELS, TABLE[::2]), "table: a C-contiguous"),
        ((PIXELS, np.zeros(0, np.float32)), "1 to 65536 entries, got 0"),
        ((PIXELS, np.zeros(65537, np.float32)), "1 to 65536 entries, got 65537"),
        ((PIXELS, TABLE, (0, 0, 5, 6)), "leaves the image"),
        ((PIXELS, TABLE, (-1, 0, 4, 6)), "leaves the image"),
        ((PIXELS, TABLE, None, 1, np.zeros((4, 5), np.float32)), r"float32 array of shape \(4, 6\)"),
    ],
)
def test_refuses(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        look_up(*arguments)
