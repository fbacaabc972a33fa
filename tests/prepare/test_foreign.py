import cv2
import numpy as np
import pytest

from mammocalc.prepare import PrepareParameters, prepare
from mammocalc.read.mammogram import Mammogram

SPACING_MM = 0.1
ROWS, COLUMNS = 900, 800


def breast(white=4095):
    """Attenuation in [0, 1] of a small breast at 0.1 mm, noise apart."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    away = 1 - np.hypot((rows - 450) / 400, columns / 700)
    smooth = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, away.shape), (0, 0), 20)
    return np.where(
        away > 0, np.clip(0.25 + 0.5 * np.clip(away / 0.3, 0, 1) + 0.06 * smooth / smooth.std(), 0.1, 1), 0
    )


BREAST = breast()


def processed(added):
    """FOR PRESENTATION: tissue up to 2500 of 4095, objects added in the same unit, clipped to white."""
    value = 2500 * BREAST + added
    value = cv2.GaussianBlur(value, (0, 0), 0.7) + np.random.default_rng(2).normal(0, 12, value.shape)
    pixels = np.where(BREAST > 0, np.clip(np.rint(value), 0, 4095), 0).astype(np.uint16)
    return Mammogram(pixels, SPACING_MM, "test", bits_stored=12, view="CC")


def raw(attenuation):
    """FOR PROCESSING: 10000 in air, scatter of 12 % of the exposure behind tissue."""
    primary = 10000 * np.exp(-2.0 * BREAST)
    exposure = (primary * np.exp(-attenuation) + 0.12 * primary) / 1.12
    exposure = cv2.GaussianBlur(exposure, (0, 0), 0.7)
    exposure += np.random.default_rng(3).normal(0, 1, exposure.shape) * np.sqrt(2 * exposure)
    return Mammogram(
        np.clip(np.rint(exposure), 0, 16383).astype(np.uint16), SPACING_MM, "test", dense_is_bright=False,
        linear_in_exposure=True, intent="FOR PROCESSING", bits_stored=14, view="CC",
    )  # fmt: skip


def disc(row, column, radius_mm, profile="flat"):
    """A flat disc, or the thickness of a ball relative to its diameter."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    away = np.hypot(rows - row, columns - column) * SPACING_MM / radius_mm
    return (away < 1) * (np.sqrt(np.clip(1 - away**2, 0, 1)) if profile == "ball" else 1.0)


def rod(row, column, length_mm, radius_mm, profile, angle=0.5):
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    y, x = (rows - row) * SPACING_MM, (columns - column) * SPACING_MM
    along, across = (
        x * np.cos(angle) + y * np.sin(angle),
        np.abs(y * np.cos(angle) - x * np.sin(angle)) / radius_mm,
    )
    inside = (np.abs(along) < length_mm / 2) & (across < 1)
    return inside * (np.sqrt(np.clip(1 - across**2, 0, 1)) if profile == "ball" else 1.0)


def foreign_at(mammogram, row, column):
    anatomy = prepare(mammogram).anatomy
    return bool(anatomy.foreign[row // anatomy.step, column // anatomy.step])


@pytest.mark.parametrize("radius_mm", [0.75, 1.0])
def test_skin_marker_is_foreign(radius_mm):
    for mammogram in (
        processed(5000 * disc(400, 300, radius_mm)),
        processed(1400 * disc(400, 300, radius_mm)),
        raw(6.0 * disc(400, 300, radius_mm)),
    ):
        anatomy = prepare(mammogram).anatomy
        assert anatomy.foreign[400 // anatomy.step, 300 // anatomy.step]
        assert 10 < anatomy.foreign.sum() * (anatomy.step * SPACING_MM) ** 2 + 5 < 25


def test_clip_is_foreign():
    clip = np.maximum(rod(400, 300, 5, 0.33, "flat"), rod(400, 300, 5, 0.33, "flat", angle=0.6))
    assert foreign_at(processed(6000 * clip), 400, 300)
    assert foreign_at(raw(4.0 * clip), 400, 300)


def test_label_burned_into_the_breast_is_foreign():
    text = np.zeros((ROWS, COLUMNS), np.bool_)
    text[370:375, 300:340] = True
    text[370:420, 318:323] = True
    mammogram = processed(np.zeros((ROWS, COLUMNS)))
    pixels = mammogram.pixels.copy()
    pixels[text] = 4095
    mammogram = Mammogram(pixels, SPACING_MM, "test", bits_stored=12, view="CC")
    assert foreign_at(mammogram, 372, 305)
    assert foreign_at(mammogram, 415, 320)


def popcorn():
    return sum(
        disc(400 + dy, 300 + dx, 1.2, "ball") for dy, dx in ((0, 0), (9, 12), (-10, 9), (8, -12), (-12, -9))
    )


CALCIUM = {
    "ball of 1.6 mm": disc(400, 300, 0.8, "ball"),
    "ball of 2.4 mm": disc(400, 300, 1.2, "ball"),
    "popcorn": popcorn(),
    "rod": rod(400, 300, 7, 0.35, "ball"),
    "thin rod": rod(400, 300, 5, 0.2, "ball"),
    "rim": disc(400, 300, 1.2) - disc(400, 300, 0.8),
}


@pytest.mark.parametrize("kind", CALCIUM)
@pytest.mark.parametrize("strength", [0.4, 0.8, 1.2])
def test_dense_calcium_is_not_foreign(kind, strength):
    """From faint to just white on a processed image, and as hydroxyapatite of that thickness on a raw one."""
    shape = CALCIUM[kind]
    assert not prepare(processed(1700 * strength * shape)).anatomy.foreign.any()
    assert not prepare(raw(0.9 * strength * shape)).anatomy.foreign.any()


def test_edge_of_a_paddle_is_foreign_and_tissue_has_none():
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    turned = (columns - 350) * np.cos(0.1) + (rows - 450) * np.sin(0.1)
    anatomy = prepare(processed(700.0 * (np.abs(turned) < 180))).anatomy
    step = anatomy.step
    row = np.arange(300, 600, 25)
    column = np.rint(350 + (-180 - (row - 450) * np.sin(0.1)) / np.cos(0.1)).astype(int)
    assert anatomy.foreign[row // step, column // step].mean() > 0.9
    assert not anatomy.foreign[450 // step, 350 // step]
    assert anatomy.foreign.mean() < 0.1
    assert not prepare(processed(np.zeros((ROWS, COLUMNS)))).anatomy.foreign.any()


def test_search_can_be_switched_off():
    mammogram = processed(5000 * disc(400, 300, 0.9))
    assert not prepare(mammogram, PrepareParameters(find_foreign=False)).anatomy.foreign.any()
