import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.reconstruction import reconstruct
from scipy import ndimage
from skimage.morphology import reconstruction

EIGHT = np.ones((3, 3))


def dilated_under(marker, mask):
    """Twin: the definition. Dilate by the 8 neighbours, cut at the mask, until nothing changes."""
    while True:
        grown = np.minimum(ndimage.grey_dilation(marker, footprint=EIGHT), mask)
        if np.array_equal(grown, marker):
            return grown
        marker = grown


@st.composite
def pairs(draw):
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=24))
    dtype = draw(st.sampled_from([np.uint16, np.float32]))
    # Few levels, so that plateaus and long ways occur.
    top = draw(st.sampled_from([2, 5, 65535]))
    values = arrays(np.uint16, shape, elements=st.integers(0, top))
    mask = draw(values)
    return np.minimum(draw(values), mask).astype(dtype), mask.astype(dtype)


def maze(rows, columns):
    """A corridor of one pixel that runs along every other row, and one that winds up and down."""
    mask = np.zeros((rows, columns), np.uint16)
    mask[::2, : columns // 2] = 9
    mask[1::4, columns // 2 - 1] = 9
    mask[3::4, 0] = 9
    mask[:, columns // 2 + 1 :: 2] = 9
    mask[0, columns // 2 + 2 :: 4] = 9
    mask[-1, columns // 2 + 4 :: 4] = 9
    mask[0, columns // 2] = 9
    marker = np.zeros_like(mask)
    marker[-1 if mask[-1, 0] else -2, 0] = 9
    return marker, mask


@given(pairs())
@settings(deadline=None, max_examples=80)
def test_equals_twin(pair):
    marker, mask = pair
    result = reconstruct(marker, mask)
    assert result.dtype == mask.dtype
    assert np.array_equal(result, dilated_under(marker, mask))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (260, 513), (331, 256)])
def test_equals_scikit_image_for_any_number_of_threads(shape, dtype):
    random = np.random.default_rng(2)
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), 2)
    mask = (smooth - smooth.min() + 0.02 * random.random(shape)) * 9000
    mask = np.clip(mask, 0, 65535).astype(dtype)
    for marker in (
        np.maximum(mask, 300) - dtype(300),
        np.where(random.random(shape) < 0.001, mask, 0).astype(dtype),
    ):
        expected = reconstruction(marker, mask, footprint=EIGHT)
        for threads in (1, 2, 4):
            assert np.array_equal(reconstruct(marker, mask, threads=threads), expected)


def test_ways_that_wind_across_every_band_are_followed_to_the_end():
    marker, mask = maze(401, 300)
    expected = reconstruction(marker, mask, footprint=EIGHT)
    assert (expected[:, -30:] == 9).any()
    for threads in (1, 3):
        assert np.array_equal(reconstruct(marker, mask, threads=threads), expected)


def test_extremes():
    full = np.full((70, 300), 65535, np.uint16)
    seed = np.zeros_like(full)
    seed[69, 299] = 65535
    assert np.array_equal(reconstruct(seed, full), full)
    assert not reconstruct(np.zeros_like(full), full).any()
    assert np.array_equal(reconstruct(full, full), full)
    low = np.full((5, 6), -np.inf, np.float32)
    assert np.array_equal(reconstruct(low, np.zeros_like(low)), low)


def test_reads_and_writes_only_its_own_rows_and_leaves_the_inputs():
    random = np.random.default_rng(4)
    mask = random.integers(0, 500, (90, 130)).astype(np.uint16)
    marker = np.where(random.random(mask.shape) < 0.01, mask, 0).astype(np.uint16)
    expected = reconstruct(marker, mask)
    around = np.full((2, 92, 130), 65535, np.uint16)
    around[0, 1:-1] = marker
    around[1, 1:-1] = mask
    before = around.copy()
    target = np.full((92, 130), 7, np.uint16)
    assert np.array_equal(reconstruct(around[0, 1:-1], around[1, 1:-1], out=target[1:-1]), expected)
    assert np.array_equal(around, before)
    assert (target[[0, -1]] == 7).all()


def test_wrong_arguments_are_refused():
    mask = np.full((6, 8), 5, np.uint16)
    above = mask.copy()
    above[3, 3] = 6
    with pytest.raises(ValueError, match="must not be above the mask"):
        reconstruct(above, mask)
    holes = np.zeros((6, 8), np.float32)
    holes[0, 0] = np.nan
    with pytest.raises(ValueError, match="neither may hold NaN"):
        reconstruct(np.zeros_like(holes), holes)
    with pytest.raises(ValueError, match=r"marker has shape \(6, 7\)"):
        reconstruct(np.zeros((6, 7), np.uint16), mask)
    with pytest.raises(TypeError, match="expected an array of uint16, not float32"):
        reconstruct(mask, mask.astype(np.float32))
    with pytest.raises(TypeError, match="uint16 or float32, not int32"):
        reconstruct(mask.astype(np.int32), mask)
    with pytest.raises(ValueError, match="C-contiguous"):
        reconstruct(mask.T, mask.T)
    with pytest.raises(ValueError, match="must not overlap the mask"):
        reconstruct(mask.copy(), mask, out=mask)
