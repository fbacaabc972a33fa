import cv2
import numpy as np
import pytest

from mammocalc.prepare import PrepareParameters, prepare
from mammocalc.prepare.breast import find_breast
from mammocalc.prepare.cells import make_cells
from mammocalc.prepare.pectoral import find_pectoral
from mammocalc.read.mammogram import Mammogram

ROWS, COLUMNS = 900, 700


def oblique(tissue, muscle=True, seed=2):
    """A breast reaching the top of the image with a muscle from (0, 260) to (560, 0), chest wall on the left."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    inside = tissue.inside | ((rows < 450) & (columns < 480 - 0.35 * (450 - rows)))
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, inside.shape), (0, 0), 12)
    density = np.where(inside, 1500 + 250 * smooth / smooth.std(), 0)
    behind = (columns / 260 + rows / 560 < 1) & inside
    if muscle:
        density += 900 * cv2.GaussianBlur(behind.astype(float), (0, 0), 6)
    density = cv2.GaussianBlur(density, (0, 0), 3)
    noisy = density + np.random.default_rng(seed + 1).normal(0, 10, density.shape)
    pixels = np.where(inside, np.clip(noisy, 0, 4095), 0).astype(np.uint16)
    return pixels, behind


def processed(pixels, **more):
    return Mammogram(np.ascontiguousarray(pixels), 0.2, "test", bits_stored=12, **more)


@pytest.mark.parametrize("view", ["MLO", "ML", ""])
@pytest.mark.parametrize("mirrored", [False, True])
def test_muscle_is_found_on_oblique_lateral_and_unknown_views(tissue, view, mirrored):
    pixels, behind = oblique(tissue)
    if mirrored:
        pixels, behind = pixels[:, ::-1], behind[:, ::-1]
    anatomy = prepare(processed(pixels, view=view)).anatomy
    assert anatomy.chest_wall == ("right" if mirrored else "left")
    truth = behind[anatomy.step // 2 :: anatomy.step, anatomy.step // 2 :: anatomy.step]
    truth = truth[: anatomy.pectoral.shape[0], : anatomy.pectoral.shape[1]]
    found = anatomy.pectoral[: truth.shape[0], : truth.shape[1]]
    assert (found & truth).sum() / (found | truth).sum() > 0.88
    assert not (anatomy.pectoral & ~anatomy.breast).any()


def test_no_muscle_where_there_is_none(tissue, make_processed):
    for mammogram in (processed(oblique(tissue, muscle=False)[0], view="MLO"), make_processed(view="")):
        assert not prepare(mammogram).anatomy.pectoral.any()


def test_no_muscle_is_sought_on_craniocaudal_views_or_on_demand(tissue):
    pixels, _ = oblique(tissue)
    assert not prepare(processed(pixels, view="CC")).anatomy.pectoral.any()
    off = PrepareParameters(find_pectoral=False)
    assert not prepare(processed(pixels, view="MLO"), off).anatomy.pectoral.any()


def test_muscle_edge_follows_a_bend(tissue):
    pixels, _ = oblique(tissue, muscle=False)
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    bent = (columns < 260 * (1 - rows / 560) + 22 * np.sin(np.pi * rows / 560)) & (rows < 560)
    lifted = pixels + 900 * cv2.GaussianBlur((bent & (pixels > 0)).astype(float), (0, 0), 5)
    mammogram = processed(np.clip(lifted, 0, 4095).astype(np.uint16), view="MLO")
    cells = make_cells(mammogram, 0.5)
    found = find_pectoral(cells, find_breast(cells), "MLO")
    for row in (120, 280, 420):
        edge = found[row // cells.step].sum() * cells.step
        assert edge == pytest.approx(bent[row].sum(), abs=12)


def test_nipple_is_the_tip_of_a_craniocaudal_view(make_processed):
    row, column = prepare(make_processed(view="CC")).anatomy.nipple
    assert row == pytest.approx(450, abs=40)
    assert column == pytest.approx(480, abs=8)


@pytest.mark.parametrize("mirrored", [False, True])
def test_nipple_that_stands_out_is_found_beside_the_tip(make_processed, nothing_painted, mirrored):
    cv2.ellipse(nothing_painted, (470, 390), (32, 18), 0, 0, 360, 1300.0, -1)
    pixels = make_processed(nothing_painted).pixels
    if mirrored:
        pixels = pixels[:, ::-1]
    row, column = prepare(processed(pixels, view="CC")).anatomy.nipple
    assert row == pytest.approx(390, abs=12)
    assert column == pytest.approx(699 - 502 if mirrored else 502, abs=10)


def test_no_nipple_where_the_tip_is_cut_off(make_processed):
    pixels = make_processed().pixels[:, :400]
    assert prepare(processed(pixels, view="CC")).anatomy.nipple is None
