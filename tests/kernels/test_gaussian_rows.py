import numpy as np
import pytest
from mammocalc_kernels.gaussian_rows import (
    FOR_DERIVATIVES,
    FOR_DIFFERENCES,
    blur_cascade,
    blur_step,
    derivative_stencils,
    derivative_taps,
    gaussian_taps,
    mirrored,
    offsets_across,
    room_for,
    symmetric,
    symmetric_pair,
)

FREQUENCY = np.linspace(0, np.pi, 500)


def spectrum(half, stride=1):
    """Response of symmetric taps to each frequency."""
    k = stride * np.arange(1, half.size)
    return half[0] + 2 * np.cos(np.outer(FREQUENCY, k)) @ half[1:]


def gaussian_spectrum(sigma):
    return np.exp(-0.5 * (sigma * FREQUENCY) ** 2)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 1.25, 2.05, 3.17, 12.0])
def test_taps_sum_to_one_and_have_the_variance_asked_for(sigma):
    taps = gaussian_taps(sigma, 3.5)
    assert 2 * taps.sum() - taps[0] == pytest.approx(1, abs=1e-12)
    assert 2 * (np.arange(taps.size) ** 2 * taps).sum() == pytest.approx(sigma**2, rel=1e-9)
    assert taps.size - 1 >= 3.5 * sigma
    assert taps.size % 2 == 1
    assert taps.size >= 5


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_taps_refuse_a_sigma_that_is_no_width(sigma):
    with pytest.raises(ValueError, match="positive and finite"):
        gaussian_taps(sigma, 3.5)
    with pytest.raises(ValueError, match="positive and finite"):
        derivative_taps(sigma, 4.0)


@pytest.mark.parametrize(("closeness", "error"), [(FOR_DIFFERENCES, 2e-3), (FOR_DERIVATIVES, 5e-4)])
@pytest.mark.parametrize(("before", "sigma"), [(1.0, 1.6), (1.7, 2.4), (2.6, 4.1), (2.8, 5.6), (4.8, 6.8)])
def test_a_step_makes_a_wider_gaussian_of_a_narrower_one(before, sigma, closeness, error):
    taps, stride = blur_step(before, sigma, closeness)
    assert 2 * taps.sum() - taps[0] == pytest.approx(1, abs=1e-12)
    assert stride <= closeness.largest_stride * before or stride == 1
    made = gaussian_spectrum(before) * spectrum(taps, stride)
    assert np.abs(made - gaussian_spectrum(sigma)).max() < error


def test_steps_between_wide_scales_leave_gaps_between_taps():
    assert blur_step(4.8, 6.8, FOR_DIFFERENCES)[1] == 4
    assert blur_step(0.0, 6.8, FOR_DIFFERENCES)[1] == 1


@pytest.mark.parametrize("sigmas", [(1.0, 1.6, 2.6, 4.1), (0.0, 2.0, 2.8, 5.6), (1.2,)])
def test_a_cascade_leads_through_all_its_scales(sigmas):
    cascade = blur_cascade(sigmas, FOR_DERIVATIVES)
    reached = np.ones_like(FREQUENCY)
    for sigma, taps, pairs, stride in zip(sigmas, *cascade, strict=True):
        assert not taps[pairs + 1 :].any()
        reached = reached * spectrum(taps[: pairs + 1].astype(np.float64), stride)
        sampled = sum(np.exp(-0.5 * (sigma * (FREQUENCY + turn)) ** 2) for turn in (-2 * np.pi, 0, 2 * np.pi))
        assert np.abs(reached - sampled).max() < (1e-3 if sigma else 3)


@pytest.mark.parametrize("sigmas", [(), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, np.inf), (np.nan, 1.0)])
def test_a_cascade_refuses_scales_out_of_order(sigmas):
    with pytest.raises(ValueError, match="ascending"):
        blur_cascade(sigmas, FOR_DIFFERENCES)


@pytest.mark.parametrize("sigma", [0.8, 1.0, 1.4, 3.0])
def test_derivative_taps_are_exact_for_a_parabola(sigma):
    smooth, first, second = (taps.astype(np.float64) for taps in derivative_taps(sigma, 4.5))
    x = np.arange(-(smooth.size - 1), smooth.size)
    parabola = 3 + 2 * x + 5 * x**2
    whole = [
        np.concatenate([sign * taps[:0:-1], taps]) for sign, taps in ((1, smooth), (-1, first), (1, second))
    ]
    assert whole[0].sum() == pytest.approx(1, abs=1e-6)
    assert whole[1] @ parabola == pytest.approx(2, abs=1e-4)
    assert whole[2] @ parabola == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize(
    ("missing", "sigma", "pairs", "truncate"),
    [
        (0.8, 1.5, (3, 4), 3.2),
        (0.8, 1.5, (3, 4), 5.0),
        (0.8, 1.75, (3, 4), 3.8),
        (0.5, 2.2, (2, 2), 5.0),
        (0.5, 8.0, (2, 2), 5.0),
    ],
)
def test_stencils_differentiate_a_blurred_impulse(missing, sigma, pairs, truncate):
    before = np.sqrt(sigma**2 - missing)
    taps = gaussian_taps(before, truncate)
    smooth, first, second = (
        taps.astype(np.float64) for taps in derivative_stencils([(taps, 1)], before, sigma, pairs)
    )
    assert smooth.size == first.size == second.size == pairs[1] + 1
    left, wanted = spectrum(taps), gaussian_spectrum(sigma)
    slope = 2 * np.sin(np.outer(FREQUENCY, np.arange(1, first.size))) @ first[1:]
    for made, derivative in (
        (spectrum(smooth), wanted),
        (slope, FREQUENCY * wanted),
        (spectrum(second), -(FREQUENCY**2) * wanted),
    ):
        assert np.abs(made * left - derivative).sum() < 1e-3 * np.abs(derivative).sum()


def filtered(plane, row, taps, stride):
    """Twin: a symmetric filter across one row of a plane, mirrored, in float64."""
    total = taps[0] * plane[row].astype(np.float64)
    for k in range(1, taps.size):
        for side in (-k, k):
            total += taps[k] * plane[mirrored(row + side * stride, len(plane))]
    return total


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pairs", [4, 6, 8, 10])
@pytest.mark.parametrize("row", [0, 3, 40, 56])
def test_two_rows_at_once_are_those_of_the_filter(row, pairs, stride):
    generator = np.random.default_rng(3)
    plane = generator.normal(60, 9, (60, 37)).astype(np.float32)
    height, width = plane.shape
    taps = generator.random(pairs + 1).astype(np.float32)
    rows = row, row + stride
    offsets = [np.empty(2 * pairs + 1, np.uint64) for _ in rows]
    for each, line in zip(rows, offsets, strict=True):
        offsets_across(line, pairs, stride, 0, height, each, height, width)
    together, alone = np.empty((2, width), np.float32), np.empty((2, width), np.float32)
    symmetric_pair(*together, plane.reshape(-1), *offsets, taps, width)
    for line, out in zip(offsets, alone, strict=True):
        symmetric(out, 0, plane.reshape(-1), line, taps, width)
    assert np.array_equal(together, alone)
    expected = [filtered(plane, each, taps, stride) for each in rows]
    np.testing.assert_allclose(together, expected, rtol=1e-5)


def test_positions_beyond_the_border_mirror():
    row = list("abc")
    assert "".join(row[mirrored(i, 3)] for i in range(-7, 11)) == "aabccbaabccbaabccb"
    assert [mirrored(i, 1) for i in range(-3, 4)] == [0] * 7


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 5000])
def test_room_begins_with_a_cache_line(size):
    rooms = [room_for(size) for _ in range(5)]
    assert [room.size for room in rooms] == [size] * 5
    assert {room.ctypes.data % 64 for room in rooms} == {0}
