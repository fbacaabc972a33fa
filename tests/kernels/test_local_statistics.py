import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mammocalc_kernels.local_statistics import WIDEST_WINDOW, local_statistics

planes = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=25), elements=st.integers(0, 65535))


def statistics(plane, window):
    """Twin: mean and deviation of the part of the window that lies inside, each pixel on its own."""
    half = window // 2
    mean = np.empty(plane.shape)
    deviation = np.empty(plane.shape)
    for row in range(plane.shape[0]):
        for col in range(plane.shape[1]):
            part = plane[max(row - half, 0) : row + half + 1, max(col - half, 0) : col + half + 1].astype(
                np.int64
            )
            mean[row, col] = part.mean()
            # Exact up to the root: an integer.
            deviation[row, col] = np.sqrt(part.size * (part**2).sum() - part.sum() ** 2) / part.size
    return mean, deviation


@given(planes, st.integers(0, 20).map(lambda half: 2 * half + 1))
@settings(deadline=None, max_examples=60)
def test_equals_twin(plane, window):
    mean, deviation = local_statistics(plane, window)
    expected_mean, expected_deviation = statistics(plane, window)
    np.testing.assert_allclose(mean, expected_mean, rtol=3e-7)
    np.testing.assert_allclose(deviation, expected_deviation, rtol=4e-7)


@pytest.mark.parametrize("shape", [(300, 217), (211, 1500), (70, 1089)])
@pytest.mark.parametrize("window", [1, 71, WIDEST_WINDOW])
def test_wide_images_and_windows_equal_box_sums_for_any_number_of_threads(shape, window):
    plane = np.random.default_rng(5).integers(0, 65536, shape).astype(np.uint16)
    mean, deviation = local_statistics(plane, window)
    half = window // 2

    def box(values):
        table = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
        table[1:, 1:] = values.cumsum(0).cumsum(1)
        top, bottom = (np.clip(np.arange(shape[0]) + k, 0, shape[0])[:, None] for k in (-half, half + 1))
        left, right = (np.clip(np.arange(shape[1]) + k, 0, shape[1])[None, :] for k in (-half, half + 1))
        return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]

    wide = plane.astype(np.int64)
    count, total = box(np.ones_like(wide)), box(wide)
    np.testing.assert_allclose(mean, total / count, rtol=3e-7)
    spread = count * box(wide**2) - total**2
    np.testing.assert_allclose(deviation, np.sqrt(spread.astype(np.float64)) / count, rtol=4e-7)
    for threads in (2, 4):
        again = local_statistics(plane, window, threads=threads)
        assert np.array_equal(again[0], mean)
        assert np.array_equal(again[1], deviation)


def test_nothing_cancels_at_the_top_of_the_range():
    plane = np.full((200, 190), 65535, np.uint16)
    mean, deviation = local_statistics(plane, WIDEST_WINDOW)
    assert (mean == 65535).all()
    assert (deviation == 0).all()
    plane[100, 95] = 65534
    mean, deviation = local_statistics(plane, 71)
    count = 71 * 71
    assert deviation[100, 95] == pytest.approx(np.sqrt(count - 1) / count, rel=1e-6)
    assert deviation[10, 10] == 0


def test_reads_and_writes_only_its_own_rows():
    plane = np.random.default_rng(1).integers(0, 65536, (90, 83)).astype(np.uint16)
    expected = local_statistics(plane, 9)
    for outside in (0, 65535):
        whole = np.full((92, 83), outside, np.uint16)
        whole[1:-1] = plane
        targets = np.full((2, 92, 83), 7, np.float32)
        mean, deviation = local_statistics(whole[1:-1], 9, mean=targets[0, 1:-1], deviation=targets[1, 1:-1])
        assert np.array_equal(mean, expected[0])
        assert np.array_equal(deviation, expected[1])
        assert (targets[:, [0, -1]] == 7).all()


def test_wrong_arguments_are_refused():
    plane = np.zeros((6, 8), np.uint16)
    for window in (0, 2, -1, WIDEST_WINDOW + 2):
        with pytest.raises(ValueError, match=f"window must be odd, 1 to 181 px, not {window}"):
            local_statistics(plane, window)
    with pytest.raises(TypeError, match=r"whole number of pixels, not 3\.0"):
        local_statistics(plane, 3.0)
    with pytest.raises(TypeError, match="expected an array of uint16, not int16"):
        local_statistics(plane.astype(np.int16), 3)
    with pytest.raises(ValueError, match="C-contiguous"):
        local_statistics(plane[:, ::2], 3)
    room = np.zeros((6, 8), np.float32)
    with pytest.raises(ValueError, match="mean and deviation must not overlap"):
        local_statistics(plane, 3, mean=room, deviation=room)
    with pytest.raises(ValueError, match=r"out has shape \(6, 7\)"):
        local_statistics(plane, 3, mean=np.zeros((6, 7), np.float32))
