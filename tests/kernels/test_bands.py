"""The width of a band along a curve, and where one leads, against readable twins."""

import warnings

import numpy as np
import pytest
from mammocalc_kernels.bands import bands, followed_band


def band_by_slices(profile, place, reach, middle, flank):
    """First sample, width and height."""
    places = np.clip(np.arange(place - reach, place + reach + 1), 0, len(profile) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        across = np.nanmean(profile[places], axis=0)
        smooth = [np.nanmean(across[max(k - 1, 0) : k + 2]) for k in range(*middle)]
        peak = middle[0] + int(np.nanargmax(smooth))
        top = smooth[peak - middle[0]]
        sides = [
            np.nanmean(across[max(peak - flank[1], 0) : max(peak - flank[0] + 1, 0)]),
            np.nanmean(across[peak + flank[0] : peak + flank[1] + 1]),
        ]
    above = across > top - 0.5 * (top - np.mean(sides))
    above[peak] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(int)))
    first, end = next(pair for pair in zip(edges[::2], edges[1::2], strict=True) if pair[0] <= peak < pair[1])
    return first, end - first, -np.inf if np.isnan(sides).any() else top - max(sides)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reach", [0, 3])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_equals_twin(seed, reach, count):
    rng = np.random.default_rng(seed)
    profile = rng.normal(0.0, 0.5, (count, 21))
    profile[:, 9:13] += 4.0
    profile[rng.random(profile.shape) < 0.1] = np.nan
    middle, flank = (8, 14), (4, 7)
    width, height = bands(profile, reach, middle, flank)
    expected = [band_by_slices(profile, i, reach, middle, flank) for i in range(count)]
    np.testing.assert_array_equal(width, [one for _, one, _ in expected])
    np.testing.assert_allclose(height, [one for _, _, one in expected], rtol=1e-12)


def test_a_band_has_its_width_and_height():
    profile = np.ones((9, 31))
    profile[:, 12:19] = 5.0
    width, height = bands(profile, 2, (13, 18), (7, 11))
    assert (width == 7).all()
    assert height == pytest.approx(4.0)


def test_beyond_the_edge_nothing_stands_high():
    profile = np.ones((5, 31))
    profile[:, :10] = np.nan
    profile[:, 14:17] = 5.0
    _, height = bands(profile, 0, (14, 17), (6, 9))
    assert np.isneginf(height).all()


@pytest.mark.parametrize(
    ("middle", "flank", "reach"), [((3, 3), (1, 2), 0), ((0, 9), (1, 2), 0), ((1, 2), (0, 2), 0)]
)
def test_what_is_refused(middle, flank, reach):
    with pytest.raises(ValueError, match=r"samples|flank"):
        bands(np.zeros((2, 8)), reach, middle, flank)


LOOK = {"middle": (6, 15), "flank": (4, 8), "width": (2, 7), "height": 1.0}
OFFSETS = np.arange(-10.0, 11.0)


def band_step_by_step(plane, start, direction, step, most, reach, misses):
    place, way, out, last = np.array(start), np.array(direction), [], 0
    for number in range(1, most + 1):
        place = place + step * way
        aside = np.array([-way[1], way[0]])
        sampled = []
        for i in range(-reach, reach + 1):
            at = place + i * step / (2 * reach) * way + OFFSETS[:, None] * aside
            row, col = np.floor(at + 0.5).astype(int).T
            inside = (row >= 0) & (col >= 0) & (row < plane.shape[0]) & (col < plane.shape[1])
            values = plane[np.clip(row, 0, plane.shape[0] - 1), np.clip(col, 0, plane.shape[1] - 1)]
            sampled.append(np.where(inside, values, np.nan))
        first, width, height = band_by_slices(np.array(sampled), reach, reach, LOOK["middle"], LOOK["flank"])
        if LOOK["width"][0] <= width <= LOOK["width"][1] and height >= LOOK["height"]:
            last = number
            place = place + 0.25 * (OFFSETS[first] + OFFSETS[first + width - 1]) * aside
        out.append(place)
        if number - last > misses:
            break
        if number == last and number > 4:
            way = (out[-1] - out[-5]) / np.linalg.norm(out[-1] - out[-5])
    return np.array(out[:last]).reshape(-1, 2)


def ring_of_light(radius, until_deg, rng):
    """A band of 5 px along a circle about (100, 100), from the right end downwards as far as an angle."""
    row, col = np.mgrid[:200, :200] - 100.0
    on = np.abs(np.hypot(row, col) - radius) <= 2.5
    on &= np.degrees(np.arctan2(row, col)) % 360 <= until_deg
    return (rng.normal(0.0, 0.3, on.shape) + 5.0 * on).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("misses", [0, 2])
def test_following_equals_twin(seed, misses):
    rng = np.random.default_rng(seed)
    plane = ring_of_light(80.0, 200.0, rng)
    plane += rng.normal(0.0, 1.0 + seed, plane.shape).astype(np.float32)
    start, direction = np.array([100.0, 181.0]), np.array([1.0, 0.0])
    found = followed_band(plane, start, direction, OFFSETS, step=5.0, most=70, reach=2, misses=misses, **LOOK)
    expected = band_step_by_step(plane, start, direction, 5.0, 70, 2, misses)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("until_deg", [60.0, 200.0, 300.0])
def test_a_bent_band_is_followed_to_its_end(until_deg):
    plane = ring_of_light(80.0, until_deg, np.random.default_rng(0))
    start, direction = np.array([100.0, 181.0]), np.array([1.0, 0.0])
    found = followed_band(plane, start, direction, OFFSETS, step=5.0, most=200, reach=2, misses=2, **LOOK)
    np.testing.assert_allclose(np.hypot(*(found - 100.0).T), 80.0, atol=2.0)
    assert 5.0 * len(found) == pytest.approx(np.radians(until_deg) * 80.0, abs=10.0)


def test_where_there_is_no_band_nothing_is_followed():
    plane = np.zeros((50, 50), np.float32)
    found = followed_band(
        plane, np.full(2, 25.0), np.array([0.0, 1.0]), OFFSETS, step=5.0, most=9, reach=1, misses=1, **LOOK
    )
    assert found.shape == (0, 2)


@pytest.mark.parametrize("wrong", [{"reach": 0}, {"most": -1}, {"middle": (5, 5)}, {"flank": (0, 3)}])
def test_what_is_not_followed(wrong):
    how = {"step": 5.0, "most": 9, "reach": 1, "misses": 1, **LOOK, **wrong}
    with pytest.raises(ValueError, match="reach"):
        followed_band(np.zeros((9, 9), np.float32), np.zeros(2), np.array([0.0, 1.0]), OFFSETS, **how)
