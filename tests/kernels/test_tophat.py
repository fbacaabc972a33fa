import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.tophat import dilate, erode, opening, white_top_hat
from skimage.morphology import disk

planes = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=21), elements=st.integers(0, 65535))
everything = [
    (erode, cv2.MORPH_ERODE),
    (dilate, cv2.MORPH_DILATE),
    (opening, cv2.MORPH_OPEN),
    (white_top_hat, cv2.MORPH_TOPHAT),
]


def within_disk(plane, radius, choose):
    """Twin: the least or greatest of the pixels at most `radius` away."""
    out = np.empty_like(plane)
    rows, columns = np.indices(plane.shape)
    for row in range(plane.shape[0]):
        for col in range(plane.shape[1]):
            out[row, col] = choose(plane[(rows - row) ** 2 + (columns - col) ** 2 <= radius**2])
    return out


def noise(rows, columns):
    return np.random.default_rng(3).integers(0, 65536, (rows, columns)).astype(np.uint16)


@given(planes, st.integers(0, 12))
@settings(deadline=None, max_examples=40)
def test_all_four_equal_twin(plane, radius):
    eroded = within_disk(plane, radius, np.min)
    opened = within_disk(eroded, radius, np.max)
    assert np.array_equal(erode(plane, radius), eroded)
    assert np.array_equal(dilate(plane, radius), within_disk(plane, radius, np.max))
    assert np.array_equal(opening(plane, radius), opened)
    assert np.array_equal(white_top_hat(plane, radius), plane - opened)


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 31])
@pytest.mark.parametrize("shape", [(331, 97), (67, 260)])
def test_identical_to_opencv_for_any_number_of_threads(radius, shape):
    plane = noise(*shape)
    for ours, operation in everything:
        expected = cv2.morphologyEx(plane, operation, disk(radius))
        for threads in (1, 2, 4):
            assert np.array_equal(ours(plane, radius, threads=threads), expected), (ours.__name__, threads)


@pytest.mark.parametrize("shape", [(1, 1), (1, 33), (33, 1), (2, 3)])
def test_images_smaller_than_the_disk(shape):
    plane = noise(*shape)
    for ours, operation in everything:
        assert np.array_equal(ours(plane, 9), cv2.morphologyEx(plane, operation, disk(9)).reshape(shape))
    assert (erode(plane, 40) == plane.min()).all()


def test_the_disk_is_the_one_of_scikit_image():
    for radius in range(41):
        plane = np.zeros((2 * radius + 3, 2 * radius + 3), np.uint16)
        plane[radius + 1, radius + 1] = 65535
        assert np.array_equal(dilate(plane, radius)[1:-1, 1:-1] > 0, disk(radius) > 0)


def test_constants_and_extremes():
    for value in (0, 1, 65535):
        plane = np.full((50, 40), value, np.uint16)
        assert (opening(plane, 6) == value).all()
        assert not white_top_hat(plane, 6).any()
    speck = np.zeros((50, 40), np.uint16)
    speck[0, 0] = 65535
    assert np.array_equal(white_top_hat(speck, 2), speck)


def test_reads_and_writes_only_its_own_rows():
    plane = noise(90, 37)
    for outside in (0, 65535):
        whole = np.full((92, 37), outside, np.uint16)
        whole[1:-1] = plane
        target = np.full((92, 37), 7, np.uint16)
        assert np.array_equal(white_top_hat(whole[1:-1], 6, out=target[1:-1]), white_top_hat(plane, 6))
        assert (target[[0, -1]] == 7).all()


@pytest.mark.parametrize("ours", [pair[0] for pair in everything])
def test_wrong_arguments_are_refused(ours):
    plane = noise(8, 8)
    with pytest.raises(TypeError, match="expected an array of uint16, not float32"):
        ours(plane.astype(np.float32), 2)
    with pytest.raises(ValueError, match="C-contiguous"):
        ours(plane.T[:, :4], 2)
    with pytest.raises(ValueError, match="not shape"):
        ours(plane[None], 2)
    with pytest.raises(ValueError, match="must not be negative"):
        ours(plane, -1)
    with pytest.raises(TypeError, match=r"whole number of pixels, not 2\.5"):
        ours(plane, 2.5)
    with pytest.raises(ValueError, match="must not overlap"):
        ours(plane, 2, out=plane)
