"""The rim of the exposed field is not searched where a film or a frame ends it, and is where the detector does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mammocalc.prepare import PrepareParameters, prepare
from mammocalc.read.mammogram import Mammogram
from mammocalc.segment import segment

SPACING_MM = 0.2


def foreign_of(mammogram):
    """Foreign cells, and the side of a cell in pixels."""
    anatomy = prepare(mammogram).anatomy
    return anatomy.foreign, anatomy.step


def film(make_processed, **margins):
    """The breast of the tests with its lowest third cut off, pasted on a blank canvas."""
    pixels = make_processed(background=150.0).pixels[:600]
    widths = [
        (margins.get("top", 0), margins.get("bottom", 0)),
        (margins.get("left", 0), margins.get("right", 0)),
    ]
    return Mammogram(np.pad(pixels, widths), SPACING_MM, "test", intent="FOR PRESENTATION", bits_stored=12)


@pytest.mark.parametrize("turned", [False, True])
def test_a_film_that_ends_on_its_canvas_has_a_rim(make_processed, turned):
    mammogram = film(make_processed, left=90)
    if turned:
        mammogram = dataclasses.replace(mammogram, pixels=np.ascontiguousarray(mammogram.pixels[:, ::-1]))
    foreign, step = foreign_of(mammogram)
    if turned:
        foreign = foreign[:, ::-1]
    middle = 400 // step
    # 1 mm and four pixels of 0.2 mm from the film's border on, then tissue that is searched.
    assert foreign[middle, : (90 + 8) // step].all()
    assert not foreign[middle, (90 + 13) // step :].any()


def test_a_breast_that_the_detector_cuts_off_is_searched_to_the_last_cell(make_processed):
    for background in (0.0, 150.0):
        foreign, _ = foreign_of(make_processed(background=background))
        assert not foreign.any()


@pytest.mark.parametrize(("line", "value"), [(0, 4095), (0, 0), (2, 4095)])
def test_a_frame_line_along_the_border(make_processed, line, value):
    plain = make_processed()
    pixels = plain.pixels.copy()
    pixels[:, line] = value
    foreign, step = foreign_of(dataclasses.replace(plain, pixels=pixels))
    assert foreign[400 // step, : (line + 8) // step].all()
    assert not foreign[400 // step, (line + 16) // step :].any()


def test_a_rod_at_the_border_is_no_frame(make_processed):
    """A frame runs along most of the breast."""
    plain = make_processed()
    pixels = plain.pixels.copy()
    pixels[400:440, 0:3] = 4000
    foreign, _ = foreign_of(dataclasses.replace(plain, pixels=pixels))
    assert not foreign[:, :3].all(axis=0).any()


def test_nothing_is_found_along_the_border_of_a_film(make_processed):
    """The first pixels of a film are fogged or smeared; without the rim they are a rod."""
    mammogram = film(make_processed, left=90)
    mammogram.pixels[380:440, 90:95] += 150
    regions = {
        found: segment(prepare(mammogram, PrepareParameters(find_foreign=found))) for found in (True, False)
    }
    # The plane begins where the breast does, at the film's first column.
    assert [(r.bounds[:, 1] < 10).sum() for r in regions.values()] == [0, 1]
