"""Where captions stand on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.write.captions import Extent, Room, around

TEXT = Extent(80, 12, 4)
NOTHING = np.zeros((0, 4))


def box(place):
    return place[0], place[1] - TEXT.above, place[0] + TEXT.width, place[1] + TEXT.below


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_the_first_place_is_taken_where_nothing_is_in_the_way():
    assert Room(400, 300, NOTHING).take(around(100, 100, TEXT, 20), TEXT, is_needed=False) == (110, 90)


def test_captions_of_one_point_keep_off_each_other():
    room = Room(400, 300, NOTHING)
    boxes = [box(room.take(around(200, 150, TEXT, 20), TEXT, is_needed=False)) for _ in range(6)]
    assert not [(a, b) for k, a in enumerate(boxes) for b in boxes[:k] if overlap(a, b)]


def test_a_mark_is_covered_only_by_what_is_needed():
    mark = np.array([[90.0, 60.0, 320.0, 180.0]])
    room = Room(330, 200, mark)
    assert room.take(around(200, 120, TEXT, 20), TEXT, is_needed=False) is None
    assert overlap(box(room.take(around(200, 120, TEXT, 20), TEXT, is_needed=True)), mark[0])


def test_of_two_places_the_one_that_covers_less_is_taken():
    marks = np.array([[100.0, 80.0, 110.0, 90.0], [120.0, 80.0, 130.0, 90.0], [100.0, 180.0, 110.0, 190.0]])
    assert Room(400, 300, marks).take([(90, 95), (90, 195)], TEXT, is_needed=True) == (90, 195)


@pytest.mark.parametrize("place", [(-50, -50), (1000, 5), (5, 1000), (1000, 1000)])
def test_all_of_a_caption_is_on_the_picture(place):
    left, top, right, bottom = box(Room(400, 300, NOTHING).take([place], TEXT, is_needed=True))
    assert left >= 0
    assert top >= 0
    assert right <= 400
    assert bottom <= 300
