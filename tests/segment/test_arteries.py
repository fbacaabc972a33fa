"""Faint candidates on a band as wide as an artery: believed where sure ones lie on it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.segment import SegmentParameters
from mammocalc.segment.arteries import scores_on_bands
from mammocalc.segment.objects import Objects

PITCH, SIZE, MIDDLE = 0.1, 400, 200
SURE = [(MIDDLE, col) for col in (120, 150, 180, 210)]
FAINT = [(MIDDLE, 135), (MIDDLE + 2, 165), (MIDDLE, 195)]


def scene_with_band(width_px=8, height=6.0):
    """A level band of 17 mm."""
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    row = np.abs(np.arange(SIZE) - MIDDLE)
    plane[row <= width_px / 2, 80:250] += np.float32(height)
    cells = (SIZE // 10, SIZE // 10)
    nowhere, curve = np.zeros(cells, np.bool_), np.array([0.0, 1.0], np.float32)
    skin = np.full(cells, 20.0, np.float32)
    anatomy = Anatomy(10, ~nowhere, nowhere, nowhere, skin, None, "left", 1e4)
    noise = np.array([0.0, 1.0])
    return Scene(plane, (0, 0), PITCH, anatomy, curve, curve, curve, noise, noise)


def bars(places, half_length_px=8, half_width_px=2):
    """Level rectangles about the places."""
    pixels, start = [], [0]
    for row, col in places:
        rows, cols = np.mgrid[
            row - half_width_px : row + half_width_px + 1, col - half_length_px : col + half_length_px + 1
        ]
        pixels.append((rows * SIZE + cols).ravel())
        start.append(start[-1] + rows.size)
    length, width = 2 * half_length_px + 1, 2 * half_width_px + 1
    row, col = np.array(places, float).T
    return Objects(
        np.concatenate(pixels),
        np.array(start),
        np.ones(start[-1], np.float32),
        {
            "row": row,
            "col": col,
            "diameter_mm": np.full(len(row), PITCH * np.sqrt(4 / np.pi * length * width)),
            "elongation": np.full(len(row), length / width),
        },
    )


def raised(scene, places, score, **parameters):
    score = np.array(score)
    before = score.copy()
    after = scores_on_bands(scene, bars(places), score, SegmentParameters(**parameters))
    np.testing.assert_array_equal(score, before)
    return after


def test_what_lies_between_sure_pieces_is_believed_as_they_are():
    beside, elsewhere = (MIDDLE + 30, 165), (40, 300)
    score = [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4, 0.4]
    after = raised(scene_with_band(), [*SURE, *FAINT, beside, elsewhere], score)
    assert after == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.75, 0.75, 0.75, 0.4, 0.4])


@pytest.mark.parametrize(
    ("scene", "score", "parameters"),
    [
        (scene_with_band(width_px=2), 0.9, {}),
        (scene_with_band(width_px=24), 0.9, {}),
        (scene_with_band(height=0.2), 0.9, {}),
        (scene_with_band(), 0.49, {}),
        (scene_with_band(), 0.9, {"band_score": 0.31}),
        (scene_with_band(), 0.9, {"band_covered_mm": 12.0}),
        (scene_with_band(), 0.9, {"band_covered": 0.8}),
    ],
)
def test_without_an_artery_nothing_is(scene, score, parameters):
    given = [score] * len(SURE) + [0.3] * len(FAINT)
    np.testing.assert_array_equal(raised(scene, [*SURE, *FAINT], given, **parameters), given)


def test_one_sure_piece_is_not_enough():
    scene = scene_with_band()
    given = [0.9] + [0.3] * len(FAINT)
    one = {"band_covered_mm": 1.0, "band_covered": 0.0}
    np.testing.assert_array_equal(raised(scene, [SURE[1], *FAINT], given, **one), given)
    assert raised(scene, [*SURE[1:3], *FAINT], [0.9, *given], **one)[2:] == pytest.approx([0.9] * 3)


def test_a_strand_across_is_none_of_its_pieces():
    scene = scene_with_band()
    objects = bars([*SURE, *FAINT])
    first, end = objects.start[4:6]
    row, col = np.divmod(objects.pixel[first:end], SIZE)
    pixel = objects.pixel.copy()
    pixel[first:end] = np.sort((MIDDLE + col - 135) * SIZE + 135 + row - MIDDLE)
    score = np.array([0.9] * 4 + [0.3] * 3)
    turned = scores_on_bands(scene, dataclasses.replace(objects, pixel=pixel), score, SegmentParameters())
    assert turned[4:] == pytest.approx([0.3, 0.9, 0.9])
