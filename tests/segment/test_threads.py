"""Pieces of one thread that were found apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter

from mammocalc.segment import SegmentParameters
from mammocalc.segment.objects import Objects
from mammocalc.segment.threads import joined_threads

PITCH = 0.07
SHAPE = (60, 120)


def bar(first_col, end_col, row=30, half=1):
    return [(r, c) for r in range(row - half, row + half + 1) for c in range(first_col, end_col)]


def objects_on(plane, *bodies, score):
    """Objects over a background of 0, in order of first pixel."""
    pixel = [np.sort(np.array([r * SHAPE[1] + c for r, c in body])) for body in bodies]
    pixel.sort(key=lambda one: one[0])
    flat = np.concatenate(pixel)
    start = np.concatenate(([0], np.cumsum([len(one) for one in pixel])))
    smoothed = convolve(plane, np.outer([1, 2, 1], [1, 2, 1]) / 16, mode="nearest")
    contrast = smoothed.reshape(-1)[flat].astype(np.float32)
    peak = np.maximum.reduceat(contrast, start[:-1]).astype(float)
    evidence = {"contrast_noise": peak, "number": np.arange(len(pixel), dtype=float)}
    return Objects(flat, start, contrast, evidence), np.array(score, float)


def joined(plane, objects, score, **parameters):
    owner = np.zeros(SHAPE, np.int32)
    found, scores = joined_threads(
        objects, score, plane.astype(np.float32), owner, PITCH, SegmentParameters(**parameters), 1
    )
    assert not owner.any()
    assert (np.diff(found.pixel[found.start[:-1]]) > 0).all()
    return found, scores


def two_bars(way):
    """Bars of contrast 10, 0.98 mm apart, and a way of the height asked for between them."""
    plane = np.zeros(SHAPE)
    plane[29:32, 20:80] = way
    plane[29:32, 20:40] = plane[29:32, 54:80] = 10.0
    return gaussian_filter(plane, 0.5), (bar(20, 40), bar(54, 80))


def test_pieces_are_joined_over_a_clear_way_and_are_as_sure_as_the_surest():
    plane, bars = two_bars(6.0)
    found, score = joined(plane, *objects_on(plane, *bars, score=[0.4, 0.9]))
    assert len(found) == 1
    assert score.tolist() == [0.9]
    assert found.evidence["number"].tolist() == [1.0]
    # The way is part of it.
    assert set(range(20, 80)) <= set((found.pixel % SHAPE[1]).tolist())
    assert len(found.contrast) == len(found.pixel)


@pytest.mark.parametrize(
    ("way", "score", "change"),
    [
        (2.0, [0.9, 0.9], {}),
        (6.0, [0.2, 0.9], {}),
        (6.0, [0.9, 0.9], {"likely_gap_mm": 0.9, "knot_gap_mm": 0.9}),
    ],
    ids=["dim", "unlikely", "far"],
)
def test_pieces_stay_apart(way, score, change):
    plane, bars = two_bars(way)
    objects, before = objects_on(plane, *bars, score=score)
    found, after = joined(plane, objects, before, **change)
    assert (found.pixel == objects.pixel).all()
    assert (after == before).all()


def test_what_is_hardly_above_the_noise_is_no_way():
    plane, bars = two_bars(6.0)
    assert len(joined(plane / 5, *objects_on(plane / 5, *bars, score=[0.9, 0.9]))[0]) == 2


def test_parallel_pieces_stay_apart():
    plane = np.full(SHAPE, 6.0)
    bars = bar(20, 40), bar(20, 40, row=38)
    for body in bars:
        plane[tuple(np.transpose(body))] = 10.0
    assert len(joined(plane, *objects_on(plane, *bars, score=[0.9, 0.9]))[0]) == 2


@pytest.mark.parametrize(("half", "knot", "count"), [(3, 14.0, 1), (3, 5.0, 2), (9, 14.0, 2)])
def test_a_knot_is_joined_unless_it_is_faint_or_a_body_that_the_piece_touches(half, knot, count):
    plane = np.zeros(SHAPE)
    plane[30:32, 20:70] = 7.0
    thread = [(r, c) for r in (30, 31) for c in range(20, 50)]
    body = [(r, c) for r in range(30 - half, 31 + half) for c in range(54, 55 + 2 * half)]
    plane[tuple(np.transpose(thread))] = 10.0
    plane[tuple(np.transpose(body))] = knot
    assert len(joined(plane, *objects_on(plane, thread, body, score=[0.9, 0.9]))[0]) == count


def test_what_is_unlikely_stays_as_it_is_where_others_are_joined():
    plane, bars = two_bars(6.0)
    other = bar(42, 50, row=31, half=0)
    objects, score = objects_on(plane, *bars, other, score=[0.9, 0.8, 0.1])
    found, scores = joined(plane, objects, score)
    assert len(found) == 2
    assert sorted(scores.tolist()) == [0.1, 0.9]
    assert len(np.unique(found.pixel)) == len(found.pixel)
