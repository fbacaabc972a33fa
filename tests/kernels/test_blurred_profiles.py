import numpy as np
import pytest
from mammocalc_kernels.blurred_profiles import (
    BAR,
    BROADEST,
    CYLINDER,
    DISC,
    SHARPEST,
    SPHERE,
    blur_place,
    pair_values,
    profile_value,
    tabulate_profiles,
)
from scipy import ndimage

TABLE = tabulate_profiles()


def looked_up(body, distances, half_width, sigma):
    return np.array([profile_value(TABLE, body, d, half_width, sigma) for d in distances])


def blurred_across(body, half_width, sigma, step):
    """Twin: the sharp profile across an axis, convolved on a fine grid."""
    reach = half_width + 7 * sigma
    x = np.arange(-round(reach / step), round(reach / step) + 1) * step
    # Means over each step, so that edges do not jump by a step.
    fine = x[:, None] + (np.arange(20) + 0.5) / 20 * step - step / 2
    share = np.clip(1 - (fine / half_width) ** 2, 0, None)
    sharp = (np.sqrt(share) if body == CYLINDER else (share > 0) * 1.0).mean(axis=1)
    return x, ndimage.gaussian_filter1d(sharp, sigma / step, truncate=8, mode="constant")


def blurred_around(body, half_width, sigma, step):
    """Twin: the sharp body in the plane, convolved on a fine grid; a row through its centre."""
    reach = round((half_width + 6 * sigma) / step)
    x = np.arange(-reach, reach + 1) * step
    sub = (np.arange(5) + 0.5) / 5 * step - step / 2
    sharp = np.zeros((x.size, x.size))
    for dy in sub:
        for dx in sub:
            share = 1 - ((x[:, None] + dy) ** 2 + (x[None, :] + dx) ** 2) / half_width**2
            sharp += np.sqrt(np.clip(share, 0, None)) if body == SPHERE else share > 0
    return x, ndimage.gaussian_filter(sharp / 25, sigma / step, truncate=7, mode="constant")[reach]


@pytest.mark.parametrize("blur", [0.08, 0.3, 0.8, 2.0])
@pytest.mark.parametrize("body", [BAR, CYLINDER])
def test_profile_across_an_axis(body, blur):
    x, expected = blurred_across(body, 3.0, 3.0 * blur, 0.01)
    here = slice(None, None, 50)
    np.testing.assert_allclose(looked_up(body, x[here], 3.0, 3.0 * blur), expected[here], atol=0.004)


@pytest.mark.parametrize("blur", [0.15, 0.4, 1.0])
@pytest.mark.parametrize("body", [DISC, SPHERE])
def test_profile_along_a_radius(body, blur):
    x, expected = blurred_around(body, 1.0, blur, 0.02)
    here = slice(None, None, 7)
    np.testing.assert_allclose(looked_up(body, x[here], 1.0, blur), expected[here], atol=0.006)


@pytest.mark.parametrize("body", [BAR, CYLINDER, DISC, SPHERE])
def test_profile_is_even_falls_outwards_and_scales(body):
    distances = np.linspace(0, 6, 200)
    values = looked_up(body, distances, 2.0, 0.7)
    np.testing.assert_array_equal(values, looked_up(body, -distances, 2.0, 0.7))
    assert (np.diff(values) <= 1e-3).all()
    np.testing.assert_allclose(values, looked_up(body, 10 * distances, 20.0, 7.0), rtol=1e-9)
    assert values[-1] < 1e-3


@pytest.mark.parametrize("body", [BAR, CYLINDER, DISC, SPHERE])
def test_extremes_of_blur_are_held(body):
    np.testing.assert_array_equal(
        looked_up(body, [0, 0.5, 1], 1.0, 1e-9), looked_up(body, [0, 0.5, 1], 1.0, SHARPEST)
    )
    np.testing.assert_array_equal(
        looked_up(body, [0, 0.5, 9], 1.0, 1e9), looked_up(body, [0, 0.5, 9], 1.0, BROADEST)
    )
    assert looked_up(body, [0.0], 1.0, SHARPEST)[0] == pytest.approx(1, abs=0.01)
    assert looked_up(body, [1e6], 1.0, 0.5)[0] == 0


def test_what_blur_does_not_change_is_kept():
    """Area under a profile across an axis, volume under one along a radius."""
    x = np.linspace(0, 12, 4001)
    for body, whole in ((BAR, 2.0), (CYLINDER, np.pi / 2)):
        assert 2 * np.trapezoid(looked_up(body, x, 1.0, 0.8), x) == pytest.approx(whole, rel=0.005)
    for body, whole in ((DISC, np.pi), (SPHERE, 2 * np.pi / 3)):
        volume = 2 * np.pi * np.trapezoid(x * looked_up(body, x, 1.0, 0.8), x)
        assert volume == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("flat_body", [BAR, DISC])
@pytest.mark.parametrize("sigma", [0.01, 0.7, 3.0, 20.0])
def test_a_flat_body_and_its_dome_are_looked_up_together(flat_body, sigma):
    for distance in np.linspace(-12, 12, 97):
        pair = pair_values(TABLE, flat_body, distance, 2.5, *blur_place(2.5, sigma))
        one_by_one = [profile_value(TABLE, flat_body + k, distance, 2.5, sigma) for k in range(2)]
        assert list(pair) == one_by_one
