import dataclasses

import cv2
import numpy as np
import pytest

from mammocalc.errors import NoBreastFound
from mammocalc.prepare import PrepareParameters, breast, prepare
from mammocalc.prepare.breast import _grown, _shrunk
from mammocalc.read.mammogram import Mammogram


def cells_of(inside, step):
    rows, columns = (-(-n // step) for n in inside.shape)
    return cv2.resize(inside.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST) > 0


def overlap(scene, inside):
    truth = cells_of(inside, scene.anatomy.step)
    found = scene.anatomy.breast
    return (found & truth).sum() / (found | truth).sum()


def test_raw_and_processed_images_show_the_same_breast(raw_image, make_processed, tissue):
    for mammogram in (raw_image, make_processed()):
        scene = prepare(mammogram)
        assert overlap(scene, tissue.inside) > 0.97
        assert scene.anatomy.chest_wall == "left"
        assert scene.anatomy.breast_area_mm2 == pytest.approx(tissue.inside.sum() * 0.04, rel=0.03)


def test_the_plane_is_the_bounding_box_of_the_breast(make_processed):
    scene = prepare(make_processed())
    step = scene.anatomy.step
    rows, columns = (np.flatnonzero(scene.anatomy.breast.any(axis)) for axis in (1, 0))
    assert scene.origin == (rows[0] * step, columns[0] * step)
    assert scene.plane.shape == ((rows[-1] + 1 - rows[0]) * step, (columns[-1] + 1 - columns[0]) * step)
    assert scene.plane.dtype == np.float32
    assert scene.plane.flags.c_contiguous


def test_mirrored_image_gives_the_mirrored_breast(make_processed, tissue):
    left = make_processed()
    right = dataclasses.replace(left, pixels=np.ascontiguousarray(left.pixels[:, ::-1]))
    scene = prepare(right)
    assert scene.anatomy.chest_wall == "right"
    assert overlap(scene, tissue.inside[:, ::-1]) > 0.97


def test_film_background_with_fog_and_frame_is_not_breast(make_processed, tissue, nothing_painted):
    painted = nothing_painted
    painted[:, -20:] = 3900
    painted[-15:, :] = 3700
    painted[:, 600:604] = 3500
    mammogram = make_processed(painted, background=250.0)
    assert overlap(prepare(mammogram), tissue.inside & np.isnan(painted)) > 0.95


def test_labels_beside_the_breast_are_not_breast(make_processed, tissue, nothing_painted):
    text = np.zeros(nothing_painted.shape, np.uint8)
    cv2.putText(text, "L CC", (500, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.5, 255, 8)
    cv2.rectangle(text, (490, 40), (690, 140), 255, 6)
    nothing_painted[text > 0] = 4095
    nothing_painted[780:880, 560:690] = 4000
    scene = prepare(make_processed(nothing_painted))
    assert overlap(scene, tissue.inside) > 0.97
    assert not scene.anatomy.breast[:, -50:].any()


def test_film_pasted_on_a_blank_canvas_has_no_skin_at_the_canvas(make_processed, tissue):
    film = make_processed(background=250.0).pixels
    canvas = np.zeros((960, 1000), np.uint16)
    canvas[30:930, 200:900] = film
    scene = prepare(Mammogram(canvas, 0.2, "test", bits_stored=12))
    truth = np.zeros(canvas.shape, bool)
    truth[30:930, 200:900] = tissue.inside
    assert overlap(scene, truth) > 0.96
    step = scene.anatomy.step
    middle = scene.anatomy.skin_distance_mm[(30 + 450) // step]
    at_chest_wall = middle[200 // step + 1]
    assert at_chest_wall == middle.max()


def test_skin_distance_is_the_distance_to_the_ellipse(raw_image):
    anatomy = prepare(raw_image).anatomy
    row, column = 450 // anatomy.step, np.array([100, 300, 400, 460]) // anatomy.step
    expected = (480 - (column + 0.5) * anatomy.step) * 0.2
    # Near the tip the nearest skin is straight ahead; deeper it is the flank.
    np.testing.assert_allclose(anatomy.skin_distance_mm[row, column[2:]], expected[2:], atol=1.5)
    flank = np.hypot(0, 360 * 0.2)
    assert anatomy.skin_distance_mm[row, 0] == pytest.approx(flank, abs=2)
    assert (anatomy.skin_distance_mm[~anatomy.breast] == 0).all()
    assert (anatomy.skin_distance_mm[anatomy.breast] > 0).all()


def test_a_breast_that_fills_the_image_is_the_whole_image(raw_image):
    inner = dataclasses.replace(raw_image, pixels=np.ascontiguousarray(raw_image.pixels[300:600, 10:260]))
    anatomy = prepare(inner).anatomy
    assert anatomy.breast.all()
    assert anatomy.nipple is None
    assert anatomy.breast_area_mm2 == pytest.approx(300 * 250 * 0.04)
    assert anatomy.skin_distance_mm.min() > 50


def test_laterality_decides_where_the_image_does_not(raw_image):
    inner = dataclasses.replace(raw_image, pixels=np.ascontiguousarray(raw_image.pixels[300:600, 10:260]))
    for laterality, side in (("L", "left"), ("R", "right")):
        assert prepare(dataclasses.replace(inner, laterality=laterality)).anatomy.chest_wall == side


def test_padding_is_not_breast_and_not_skin(make_processed, tissue):
    pixels = make_processed().pixels.copy()
    pixels[:, :60] = 4095
    scene = prepare(Mammogram(pixels, 0.2, "test", bits_stored=12, padding=(4095, 4095)))
    assert not scene.anatomy.breast[:, : 60 // scene.anatomy.step].any()
    inside = tissue.inside.copy()
    inside[:, :60] = False
    assert overlap(scene, inside) > 0.96


def test_threads_do_not_matter(raw_image):
    one, two = prepare(raw_image, threads=1), prepare(raw_image, threads=2)
    for name in ("plane", "stabiliser", "density_plane", "density", "noise_level", "noise_sigma"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name in ("breast", "pectoral", "foreign", "skin_distance_mm"):
        np.testing.assert_array_equal(getattr(one.anatomy, name), getattr(two.anatomy, name))
    assert one.anatomy.nipple == two.anatomy.nipple


def test_threads_of_opencv_do_not_change_the_anatomy(raw_image):
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(prepare(raw_image).anatomy)
    finally:
        cv2.setNumThreads(before)
    for other in found[1:]:
        for name in ("breast", "pectoral", "foreign", "skin_distance_mm"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))
        assert other.nipple == found[0].nipple


RNG = np.random.default_rng(6)
SLOPE = 1 - 0.25 * np.linspace(0, 1, 700)[None, :] ** 2 - 0.1 * np.linspace(-1, 1, 900)[:, None] ** 2
EMPTY = {
    "constant": (np.full((900, 700), 1234), "same value"),
    "black with a label": (np.pad(np.full((20, 60), 4095), ((50, 830), (600, 40))), "stands out|covers"),
    "noise": (RNG.normal(8000, 90, (900, 700)), "no more structure than its noise"),
    "uniform noise": (RNG.uniform(0, 16383, (900, 700)), "no more structure than its noise"),
    "heel effect": (8000 * SLOPE + RNG.normal(0, 90, (900, 700)), "no more structure than its noise"),
    "tiny": (RNG.normal(8000, 90, (20, 700)), "4.0 by 140.0 mm"),
    "small bright object": (np.pad(np.full((90, 90), 9000), ((300, 510), (0, 610))), r"covers 3\d\d mm2"),
}


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("kind", EMPTY)
def test_what_is_no_breast_is_refused_in_one_clear_line(kind, linear):
    pixels, reason = EMPTY[kind]
    pixels = np.rint(pixels).astype(np.uint16)
    mammogram = Mammogram(
        16383 - pixels if linear else pixels,
        0.2,
        "test",
        bits_stored=14,
        dense_is_bright=not linear,
        linear_in_exposure=linear,
    )
    with pytest.raises(NoBreastFound, match=f"^no breast found: .*({reason})[^\n]*$"):
        prepare(mammogram)


def test_parameters_move_the_limits(make_processed):
    small = np.pad(make_processed().pixels[::4, ::4], ((0, 675), (0, 525)))
    mammogram = Mammogram(np.ascontiguousarray(small), 0.2, "test", bits_stored=12)
    assert prepare(mammogram).anatomy.breast_area_mm2 == pytest.approx(680, rel=0.1)
    with pytest.raises(NoBreastFound, match=r"covers 7\d\d mm2, a breast at least 2000 mm2"):
        prepare(mammogram, PrepareParameters(minimum_breast_area_mm2=2000))
    assert prepare(make_processed(), PrepareParameters(cell_mm=1.0)).anatomy.step == 5


@pytest.mark.parametrize("radius", [0.7, 1.0, 2.0, 3.3, 3.846, 4.7, 6.0])
def test_small_disks_are_those_of_distances(radius, monkeypatch):
    rng = np.random.default_rng(6)
    masks = [(rng.random((40, 31)) < share).astype(np.uint8) for share in (0.01, 0.3, 0.97)]
    laid_out = [(_grown(mask, radius), _shrunk(mask, radius)) for mask in masks]
    monkeypatch.setattr(breast, "_LAID_OUT", 0.0)
    np.testing.assert_array_equal(laid_out, [(_grown(mask, radius), _shrunk(mask, radius)) for mask in masks])
    assert 0 < np.mean([grown for grown, _ in laid_out]) < 1
