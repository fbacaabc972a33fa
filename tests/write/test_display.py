"""The grey image and the outlines that every picture is made of."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from mammocalc.write.display import breast_bounds, display_of, outline

WHOLE = (0, 0, 800, 600)


def area(polygon):
    return cv2.contourArea(polygon.astype(np.float32))


def test_the_outline_of_a_rectangle_runs_along_its_pixels_edges():
    polygon = outline(np.ones((6, 10), bool), row=100, col=200)
    np.testing.assert_allclose(polygon.min(axis=0), (99.6, 199.6), atol=0.15)
    np.testing.assert_allclose(polygon.max(axis=0), (105.4, 209.4), atol=0.15)
    assert area(polygon) == pytest.approx(60, rel=0.1)


def test_the_outline_of_a_single_pixel_surrounds_its_centre():
    polygon = outline(np.ones((1, 1), bool), row=7, col=9)
    np.testing.assert_allclose(polygon.mean(axis=0), (7, 9), atol=0.05)
    assert np.abs(polygon - (7, 9)).max() < 0.6
    assert area(polygon) > 0.2


def test_an_outline_at_a_distance_keeps_it_all_around():
    mask = np.ones((3, 40), bool)
    near, far = outline(mask, 0, 0), outline(mask, 0, 0, distance_px=4)
    np.testing.assert_allclose(far.min(axis=0), near.min(axis=0) - 4, atol=0.3)
    np.testing.assert_allclose(far.max(axis=0), near.max(axis=0) + 4, atol=0.3)
    gap = np.hypot(*(far[:, None] - near[None]).transpose(2, 0, 1)).min(axis=1)
    assert gap.min() > 2.9


def test_a_lucent_centre_has_no_outline_of_its_own():
    mask = np.ones((20, 20), bool)
    mask[5:15, 5:15] = False
    assert area(outline(mask, 0, 0)) == pytest.approx(400, rel=0.1)


def test_pixels_that_touch_at_a_corner_have_one_outline():
    polygon = outline(np.eye(6, dtype=bool), 0, 0)
    np.testing.assert_allclose(
        (polygon.min(axis=0), polygon.max(axis=0)), ((-0.4, -0.4), (5.4, 5.4)), atol=0.2
    )


def test_dense_is_bright_whatever_the_polarity(make_findings):
    greys = []
    for dense_is_bright in (True, False):
        findings = make_findings(dense_is_bright=dense_is_bright)
        greys.append(display_of(findings.mammogram, findings.scene).grey(findings.mammogram.pixels, WHOLE))
    np.testing.assert_allclose(greys[0].astype(int), greys[1].astype(int), atol=2)
    assert greys[0][222, 130] > 240  # a rod
    assert greys[0][300, 590] == 0  # air


def test_padding_is_black(make_findings):
    findings = make_findings()
    pixels = findings.mammogram.pixels.copy()
    pixels[:20] = 4095
    padded = dataclasses.replace(findings.mammogram, pixels=pixels, padding=(4095, 4095))
    assert display_of(padded, findings.scene).grey(pixels, WHOLE)[:20].max() == 0


def test_the_window_spans_the_breast_not_the_background(findings):
    display = display_of(findings.mammogram, findings.scene)
    grey = display.grey(findings.mammogram.pixels, WHOLE)
    inside = grey[300:480, 50:300]
    assert np.ptp(inside) > 100
    assert (inside == 0).mean() < 0.02


def test_a_detail_is_shown_with_a_window_of_its_own(findings):
    display = display_of(findings.mammogram, findings.scene)
    part = (300, 300, 340, 340)
    pixels = findings.mammogram.pixels[300:340, 300:340]
    assert np.ptp(display.grey_of_detail(pixels, part)) > 2 * np.ptp(display.grey(pixels, part))


def test_the_breasts_bounds_have_a_margin_and_stay_in_the_image(findings):
    assert breast_bounds(findings.mammogram, findings.scene, margin_mm=2.0) == (20, 0, 760, 440)
    assert breast_bounds(findings.mammogram, findings.scene, margin_mm=50.0) == (0, 0, 800, 600)


@pytest.fixture
def thin_towards_skin(make_findings):
    """Raw, with a skin distance that fits the breast: it is the thinner the nearer to the skin."""
    findings = make_findings(linear_in_exposure=True)
    cells = findings.scene.anatomy.breast
    distance = cv2.distanceTransform(np.pad(cells, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1] * 0.5
    rows, columns = findings.mammogram.pixels.shape
    everywhere = cv2.resize(distance.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    pixels = (1000 + 50 * np.minimum(everywhere, 15)).astype(np.uint16)
    pixels[everywhere == 0] = 50
    anatomy = dataclasses.replace(findings.scene.anatomy, skin_distance_mm=distance.astype(np.float32))
    scene = dataclasses.replace(findings.scene, anatomy=anatomy)
    return dataclasses.replace(findings.mammogram, pixels=pixels), scene, everywhere


def test_raw_images_are_shown_as_if_equally_thick(thin_towards_skin):
    mammogram, scene, distance = thin_towards_skin
    display = display_of(mammogram, scene)
    shown = display.shown(mammogram.pixels, WHOLE)
    inside = distance > 3
    assert np.ptp(display.density[mammogram.pixels][inside]) > 0.1
    assert np.ptp(shown[inside]) < 0.02
    assert display.grey(mammogram.pixels, WHOLE)[distance == 0].max() == 0


def test_a_part_is_lifted_like_the_whole(thin_towards_skin):
    mammogram, scene, _ = thin_towards_skin
    display = display_of(mammogram, scene)
    whole = display.shown(mammogram.pixels, WHOLE)
    part = display.shown(mammogram.pixels[100:300, 50:250], (100, 50, 300, 250))
    np.testing.assert_allclose(part, whole[100:300, 50:250], atol=1e-4)
    reduced = display.shown(mammogram.pixels[::2, ::2], WHOLE)
    assert np.abs(reduced - whole[::2, ::2])[:, :200].max() < 0.02


def test_processed_images_are_shown_as_they_are(findings):
    assert display_of(findings.mammogram, findings.scene).lift is None
