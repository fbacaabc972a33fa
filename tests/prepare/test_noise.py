import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from mammocalc.prepare import PrepareParameters, prepare
from mammocalc.read.mammogram import Mammogram


def plane_noise(scene, mammogram, clean):
    """Deviation of the plane from the noise-free plane, by twelfths of the range of levels deep in the breast."""
    step = scene.anatomy.step
    deep = np.repeat(np.repeat(scene.anatomy.skin_distance_mm > 4, step, 0), step, 1)[
        : clean.shape[0], : clean.shape[1]
    ]
    table = scene.stabiliser.astype(float)
    off = table[mammogram.pixels] - np.interp(clean, np.arange(len(table)), table)
    level, off = clean[deep], off[deep]
    edges = np.linspace(*np.quantile(level, [0.005, 0.995]), 13)
    return np.array([off[(level >= a) & (level < b)].std() for a, b in pairwise(edges)])


def test_raw_noise_becomes_unit_noise_at_every_level(raw_image, exposure):
    scene = prepare(raw_image)
    noise = plane_noise(scene, raw_image, exposure)
    np.testing.assert_allclose(noise, 1, atol=0.06)
    expected = np.sqrt(3 * scene.noise_level + 400)
    np.testing.assert_allclose(scene.noise_sigma, expected, rtol=0.08)


def s_curve(exposure):
    return 4095 / (1 + np.exp(-3.2 * (np.log(12000 / exposure) - 1.2)))


def test_noise_behind_an_s_curve_becomes_unit_noise_at_every_level(exposure):
    rng = np.random.default_rng(8)
    noisy = np.clip(exposure + rng.normal(0, 1, exposure.shape) * np.sqrt(3 * exposure + 400), 1, None)
    mammogram = Mammogram(np.rint(s_curve(noisy)).astype(np.uint16), 0.2, "test", bits_stored=12)
    noise = plane_noise(prepare(mammogram), mammogram, s_curve(exposure))
    np.testing.assert_allclose(noise, 1, atol=0.1)


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.5])
def test_eight_bits_with_little_noise(tissue, sigma):
    clean = np.where(tissue.inside, 40 + 70 * tissue.attenuation, 0)
    noisy = clean + np.where(tissue.inside, np.random.default_rng(4).normal(0, sigma, clean.shape), 0)
    mammogram = Mammogram(np.clip(np.rint(noisy), 0, 255).astype(np.uint16), 0.2, "test", bits_stored=8)
    scene = prepare(mammogram)
    # Rounding adds a twelfth of a squared step.
    expected = np.sqrt(sigma**2 + 1 / 12)
    np.testing.assert_allclose(np.median(scene.noise_sigma), expected, rtol=0.1)
    np.testing.assert_allclose(plane_noise(scene, mammogram, clean), 1, atol=0.15)


def test_twelve_bits_stretched_to_sixteen_are_judged_by_their_own_step(tissue):
    clean = np.where(tissue.inside, 700 + 1100 * tissue.attenuation, 0)
    mammogram = Mammogram((np.rint(clean) * 16).astype(np.uint16), 0.2, "test", bits_stored=16)
    scene = prepare(mammogram)
    assert scene.noise_sigma.min() >= 16 * 0.28
    assert np.median(scene.noise_sigma) < 16 * 2


def test_an_image_without_noise_gives_a_finite_plane_with_a_floor_of_rounding(tissue):
    clean = np.where(tissue.inside, 700 + 1100 * tissue.attenuation, 0)
    mammogram = Mammogram(np.rint(clean).astype(np.uint16), 0.2, "test", bits_stored=12)
    scene = prepare(mammogram)
    assert np.isfinite(scene.plane).all()
    assert scene.noise_sigma.min() >= 0.28
    assert np.diff(scene.stabiliser).max() <= 1 / 0.28


def test_saturated_ends_do_not_blow_up(tissue):
    density = 700 + 4500 * np.clip(tissue.attenuation - 0.7, 0, None)
    density += np.random.default_rng(4).normal(0, 15, density.shape)
    pixels = np.where(tissue.inside, np.clip(np.rint(density), 0, 4095), 0).astype(np.uint16)
    assert (pixels == 4095).mean() > 0.05
    scene = prepare(Mammogram(pixels, 0.2, "test", bits_stored=12))
    assert np.isfinite(scene.plane).all()
    slopes = np.diff(scene.stabiliser.astype(float))
    assert slopes.min() > 0
    assert slopes.max() < 20 * np.median(slopes)


def test_polarity_is_undone(raw_image):
    turned = dataclasses.replace(raw_image, pixels=16383 - raw_image.pixels, dense_is_bright=True)
    one, other = prepare(raw_image), prepare(turned)
    # Apart from the rounding of float32.
    np.testing.assert_allclose(one.plane, other.plane, atol=2e-4)
    np.testing.assert_allclose(one.stabiliser, other.stabiliser[::-1], atol=2e-4)
    np.testing.assert_allclose(one.density, other.density, atol=1e-5)
    np.testing.assert_array_equal(one.anatomy.breast, other.anatomy.breast)


def test_tables_are_monotone_and_consistent(raw_image, make_processed):
    for mammogram in (raw_image, make_processed()):
        scene = prepare(mammogram)
        sign = 1 if mammogram.dense_is_bright else -1
        assert scene.stabiliser.dtype == np.float32
        assert len(scene.stabiliser) == 2**mammogram.bits_stored
        assert (sign * np.diff(scene.stabiliser) > 0).all()
        assert (np.diff(scene.density_plane) > 0).all()
        assert (np.diff(scene.density) > 0).all()
        assert (np.diff(scene.noise_level) > 0).all()
        row, col = scene.origin
        height, width = scene.plane.shape
        np.testing.assert_array_equal(
            scene.plane, scene.stabiliser[mammogram.pixels[row : row + height, col : col + width]]
        )


def test_density_of_a_raw_image_is_the_logarithm_of_attenuation(raw_image):
    scene = prepare(raw_image)
    values = np.array([2000, 3000, 6000])
    density = np.interp(scene.stabiliser[values], scene.density_plane, scene.density)
    np.testing.assert_allclose(np.diff(density), -np.diff(np.log(values)), rtol=5e-3)


def test_density_of_a_processed_image_is_a_fraction_of_the_breasts_own_range(make_processed):
    mammogram = make_processed()
    scene = prepare(mammogram)
    breast = np.kron(scene.anatomy.breast, np.ones((scene.anatomy.step,) * 2))[:900, :700] > 0
    low, high = np.percentile(mammogram.pixels[breast], [1, 99])
    density = np.interp(
        scene.stabiliser[np.rint([low, high]).astype(int)], scene.density_plane, scene.density
    )
    np.testing.assert_allclose(density, [0, 1], atol=0.03)


def test_the_curve_barely_depends_on_how_many_pixels_are_sampled(raw_image):
    few, many = (prepare(raw_image, PrepareParameters(noise_samples=n)) for n in (20_000, 300_000))
    np.testing.assert_allclose(np.ptp(few.plane), np.ptp(many.plane), rtol=0.03)
