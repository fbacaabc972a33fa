import numpy as np
import pytest
from mammocalc_kernels.compact_size import (
    SECTORS,
    adaptive_moments,
    ellipse_radii,
    elliptic_samples,
    outline_radii,
    radial_samples,
)

TURNS = 2 * np.pi * np.arange(SECTORS) / SECTORS - np.pi


def speck(shape, centre, covariance, height=20.0):
    offset = np.moveaxis(np.indices(shape).astype(float), 0, -1) - centre
    q = np.einsum("...i,ij,...j", offset, np.linalg.inv(covariance), offset)
    return (height * np.exp(-0.5 * q)).astype(np.float32)


def moments_by_matrices(contrast, usable, centre, variance, least):
    """Twin: the Gaussian weight is matched to the speck by eigenvectors, until its trace stays."""
    start, centre = np.array(centre), np.array(centre, float)
    cov = variance * np.eye(2)
    noise = 0.0
    pixels = np.argwhere(usable == 1)
    values = contrast[usable == 1].astype(float)
    for _ in range(8):
        # Only pixels of a box of three deviations of the broader axis are looked at; all within three are in it.
        offset = pixels - centre
        q = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(cov), offset)
        g = np.where(q <= 9, np.exp(-0.5 * q), 0)
        flux = (g * values).sum()
        if flux <= 0:
            break
        mean = (g * values) @ offset / flux
        second = (g * values * offset.T) @ offset / flux
        dy, dx = offset.T
        noise = 16 * (((g * (dy**2 - dx**2)) ** 2).sum() + 4 * ((g * dy * dx) ** 2).sum()) / flux**2
        centre = np.clip(centre + 2 * mean, start - 2, start + 2)
        before = np.trace(cov)
        sizes, axes = np.linalg.eigh(2 * (second - np.outer(mean, mean)))
        # The trace is held first: a floor under the mean of both lifts the larger by what it takes.
        half, split = max(sizes.sum() / 2, least), (sizes[1] - sizes[0]) / 2
        large = np.clip(half + split, least, 9 * variance)
        small = np.clip(half - split, least, large)
        cov = axes @ np.diag([small, large]) @ axes.T
        if abs(np.trace(cov) - before) < 0.02 * before:
            break
    return [*centre, cov[0, 0], cov[1, 1], cov[0, 1], noise]


def turned(large, small, angle):
    c, s = np.cos(angle), np.sin(angle)
    axes = np.array([[c, -s], [s, c]])
    return axes @ np.diag([large, small]) @ axes.T


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("large", [1.0, 2.5, 6.0])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_adaptive_moments(angle, large, noise):
    covariance = turned(large, 1.0, angle)
    contrast = speck((31, 33), (15.3, 16.8), covariance)
    contrast += noise * np.random.default_rng(0).normal(size=contrast.shape).astype(np.float32)
    usable = np.ones(contrast.shape, np.uint8)
    out = np.empty(6)
    adaptive_moments(contrast, usable, 15.0, 17.0, 1.5, 0.4, out)
    np.testing.assert_allclose(
        out, moments_by_matrices(contrast, usable, (15.0, 17.0), 1.5, 0.4), rtol=1e-6, atol=1e-9
    )
    if noise == 0:
        np.testing.assert_allclose(out[:2], (15.3, 16.8), atol=0.02)
        expected = [covariance[0, 0], covariance[1, 1], covariance[0, 1]]
        np.testing.assert_allclose(out[2:5], expected, rtol=0.15, atol=0.1)


def test_adaptive_moments_of_one_pixel_at_the_corner_and_of_nothing():
    out = np.empty(6)
    contrast = np.zeros((9, 9), np.float32)
    usable = np.ones((9, 9), np.uint8)
    adaptive_moments(contrast, usable, 4.0, 4.0, 1.0, 0.5, out)
    np.testing.assert_allclose(out[:5], (4, 4, 1, 1, 0))
    contrast[0, 0] = 10
    adaptive_moments(contrast, usable, 0.0, 0.0, 1.0, 0.5, out)
    np.testing.assert_allclose(out[:5], (0, 0, 0.5, 0.5, 0), atol=1e-9)
    adaptive_moments(contrast, np.zeros((9, 9), np.uint8), 3.0, 3.0, 2.0, 0.5, out)
    np.testing.assert_allclose(out[:5], (3, 3, 2, 2, 0))


def star(n=120, centre=(20.0, 22.0)):
    turn = np.linspace(-np.pi, np.pi, n, endpoint=False)
    radius = 9 + 2 * np.cos(3 * turn) + 0.7 * np.sin(5 * turn)
    return centre[0] + radius * np.sin(turn), centre[1] + radius * np.cos(turn), turn, radius


def radii_of(ys, xs, cy, cx):
    radii = np.empty(SECTORS)
    outline_radii(np.asarray(ys, float), np.asarray(xs, float), len(ys), cy, cx, radii)
    return radii


def test_radii_are_the_farthest_of_points_along_the_outline():
    ys, xs, turn, radius = star()
    found = radii_of(ys, xs, 20.0, 22.0)
    # Twin: four points a side, each to the direction it is nearest to.
    share = 0.25 * np.arange(4)
    y = (ys + share[:, None] * (np.roll(ys, -1) - ys) - 20).ravel()
    x = (xs + share[:, None] * (np.roll(xs, -1) - xs) - 22).ravel()
    nearest = np.abs(np.exp(1j * np.arctan2(y, x))[:, None] - np.exp(1j * TURNS)).argmin(axis=1)
    expected = [np.hypot(y, x)[nearest == k].max() for k in range(SECTORS)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found, np.interp(TURNS, turn, radius, period=2 * np.pi), atol=0.6)


def test_radii_between_crossings_are_interpolated_round_the_circle():
    found = radii_of([1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0], 0.0, 0.0)
    assert (found > 0.6).all()
    assert (found < 1.001).all()
    one = radii_of([3.0], [0.0], 0.0, 0.0)
    np.testing.assert_allclose(one, 3.0)
    np.testing.assert_allclose(radii_of([5.0, 5.0, 5.0], [5.0, 5.0, 5.0], 5.0, 5.0), 0.3)


def test_ellipse_radii():
    radii = np.empty(SECTORS)
    ellipse_radii(7.0, 3.0, 0.4, radii)
    y, x = radii * np.sin(TURNS), radii * np.cos(TURNS)
    along, across = x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)
    np.testing.assert_allclose((along / 7) ** 2 + (across / 3) ** 2, 1.0)


@pytest.mark.parametrize("centre", [(20.2, 22.4), (0.3, 0.1), (39.0, 2.0)])
def test_radial_samples(centre):
    rng = np.random.default_rng(0)
    contrast = rng.normal(size=(41, 45)).astype(np.float32)
    usable = rng.integers(0, 3, contrast.shape).astype(np.uint8)
    radii = 9 + 3 * np.sin(2 * TURNS)
    depth, turn, value = np.empty((3, contrast.size))
    count = radial_samples(contrast, usable, *centre, radii, 9.2, 14.0, depth, turn, value)
    # Twin: every usable pixel; directions between those given are interpolated.
    y, x = np.nonzero(usable == 1)
    dy, dx = y - centre[0], x - centre[1]
    distance, direction = np.hypot(dy, dx), np.arctan2(dy, dx)
    radius = np.interp(direction, TURNS, radii, period=2 * np.pi)
    scaled = np.where(distance < radius, distance * 9.2 / radius, 9.2 + distance - radius)
    near = scaled <= 14.0
    assert count == near.sum()
    np.testing.assert_allclose(depth[:count], scaled[near], atol=1e-9)
    np.testing.assert_allclose(turn[:count], (direction[near] + np.pi) / (2 * np.pi), atol=1e-12)
    np.testing.assert_array_equal(value[:count], contrast[usable == 1][near])


@pytest.mark.parametrize(("major", "minor"), [(5.0, 5.0), (8.0, 3.0), (0.6, 0.5)])
def test_elliptic_samples_are_radial_ones(major, minor):
    rng = np.random.default_rng(1)
    contrast = rng.normal(size=(41, 45)).astype(np.float32)
    usable = rng.integers(0, 2, contrast.shape).astype(np.uint8)
    depth, value = np.empty((2, contrast.size))
    mean_radius, reach = np.sqrt(major * minor), np.sqrt(major * minor) + 4
    count = elliptic_samples(contrast, usable, 20.3, 21.6, major, minor, 0.5, reach, depth, value)
    y, x = np.nonzero(usable == 1)
    dy, dx = y - 20.3, x - 21.6
    angle = np.arctan2(dy, dx) - 0.5
    radius = major * minor / np.hypot(minor * np.cos(angle), major * np.sin(angle))
    distance = np.hypot(dy, dx)
    scaled = np.where(distance < radius, distance * mean_radius / radius, mean_radius + distance - radius)
    near = scaled <= reach
    assert count == near.sum()
    np.testing.assert_allclose(depth[:count], scaled[near], atol=1e-9)
    np.testing.assert_array_equal(value[:count], contrast[usable == 1][near])
