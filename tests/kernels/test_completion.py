"""Bodies that were outlined in part."""

import numpy as np
import pytest
from mammocalc_kernels import completion
from mammocalc_kernels.candidate_state import (
    BORDER,
    BROAD,
    COMPACT,
    FORM,
    LEFT,
    NOTHING,
    PATCH,
    SLOTS,
    TALL,
    TOP,
)
from scipy import ndimage

CROSS = ndimage.generate_binary_structure(2, 1)


def grown_by_hand(own, smoothed, usable, level):
    """What 4-connected steps reach: bright enough, at least half as bright as anything within three pixels, free."""
    free = usable < 2
    around = ndimage.maximum_filter(np.where(free, smoothed, -np.inf), 7, mode="constant", cval=-np.inf)
    open_to = free & (smoothed >= level) & (smoothed >= 0.5 * around)
    return ndimage.binary_propagation(own, CROSS, mask=own | open_to)


def sides_squared_over_pixels(own):
    own = ndimage.binary_fill_holes(own)
    padded = np.pad(own, 1).astype(int)
    sides = sum(np.abs(np.diff(padded, axis=axis)).sum() for axis in (0, 1))
    return sides**2 / own.sum()


def grow(own, smoothed, usable, level, border=3, most=10**6):
    mine = own.astype(np.uint8)
    stack = np.empty(2 * own.size, np.int32)
    added = completion.grow(
        mine, smoothed.astype(np.float32), usable.astype(np.uint8), level, border, most, stack
    )
    return mine.astype(bool), added


@pytest.mark.parametrize("seed", range(6))
def test_rest_of_a_notched_body(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :50]
    body = np.hypot((y - 20) / 0.8, x - 25) < 12
    smoothed = ndimage.gaussian_filter(10.0 * body, 1.0) + rng.normal(0, 0.3, body.shape)
    own = (smoothed > 5) & ~((y > 18) & (x > 24)) & (np.hypot((y - 20) / 0.8, x - 25) < 14)
    own = ndimage.label(own)[0] == 1
    usable = np.where(np.hypot(y - 20, x - 38) < 4, 2, 0)
    found, added = grow(own, smoothed, usable, 4.0)
    expected = grown_by_hand(own, smoothed, usable, 4.0)
    assert added == expected.sum() - own.sum() > 50
    assert (found == expected).all()


def test_a_fainter_rest_is_found_and_a_blurred_border_is_not():
    y, x = np.mgrid[:40, :50]
    smoothed = ndimage.gaussian_filter(np.where(np.hypot(y - 20, x - 25) < 12, 16 - 0.3 * x, 0.0), 1.5)
    own = (smoothed > 6) & (x < 22)
    found, added = grow(own, smoothed, np.zeros(own.shape), 3.0)
    assert added > 100
    assert found[20, 34]
    assert (found == grown_by_hand(own, smoothed, np.zeros(own.shape), 3.0)).all()
    # Beside the bright part the level alone would let the blur in.
    assert ((smoothed >= 3.0) & ~found).sum() > 10


@pytest.mark.parametrize("what", ["into the border", "by too much", "into something ragged"])
def test_what_runs_out_into_tissue_stays_as_it_was(what):
    smoothed = np.zeros((40, 60))
    smoothed[15:25, 10:20] = 10.0
    own = smoothed > 0
    if what == "into the border":
        smoothed[15:25, 20:] = 9.0
    elif what == "by too much":
        smoothed[8:32, 20:50] = 9.0
    else:
        smoothed[18:20, 20:50] = 9.0
    found, added = grow(own, smoothed, np.zeros(own.shape), 4.0, most=300)
    assert added == 0
    assert (found == own).all()


@pytest.mark.parametrize("seed", range(4))
def test_raggedness(seed):
    own = np.zeros((20, 30), bool)
    own[1:-1, 1:-1] = np.random.default_rng(seed).random((18, 28)) > 0.4
    mine = own.astype(np.uint8)
    found = completion.raggedness(mine, np.empty(own.size, np.int32))
    assert found == pytest.approx(sides_squared_over_pixels(own))
    assert (mine == own).all()


def test_a_shell_of_which_a_part_was_outlined_is_followed_all_the_way_round():
    y, x = np.mgrid[:60, :60]
    away = np.hypot(y - 30, x - 30)
    smoothed = ndimage.gaussian_filter(np.where((away > 14) & (away < 18), 12.0 - 0.08 * y, 0.0), 1.0)
    own = (smoothed > 5) & (y < 22)
    found, added = grow(own, smoothed, np.zeros(own.shape), 4.0)
    assert added > 2 * own.sum()
    assert ndimage.binary_fill_holes(found)[30, 30]


def test_patches_are_cut_down_to_their_regions():
    rng = np.random.default_rng(5)
    shapes, boxes = [(30, 26), (20, 20), (12, 40)], [(12, 9, 15, 16), None, (4, 20, 8, 39)]
    state, pools, regions = np.zeros((3, SLOTS)), [], []
    state[:, PATCH] = np.cumsum([0] + [h * w for h, w in shapes[:-1]])
    for k, ((h, w), box) in enumerate(zip(shapes, boxes, strict=True)):
        state[k, [TALL, BROAD, TOP, LEFT]] = h, w, 100 * k, 7
        state[k, FORM] = NOTHING if box is None else COMPACT
        own = np.zeros((h, w), np.uint8)
        if box is not None:
            own[box[0] : box[2], box[1] : box[3]] = 1
        regions.append(own)
    pools = [np.concatenate([one.ravel() for one in regions])]
    pools += [
        rng.integers(0, 99, pools[0].size).astype(kind) for kind in ("int16", "float32", "float32", "uint8")
    ]
    before, first = [pool.copy() for pool in pools], state.copy()
    completion.tighten_patches(*pools, 5, state)
    target = 0
    for k, box in enumerate(boxes):
        if box is None:
            assert (state[k] == first[k]).all()
            continue
        h, w = shapes[k]
        top, left = max(box[0] - 5, 0), max(box[1] - 5, 0)
        bottom, right = min(box[2] + 5, h), min(box[3] + 5, w)
        assert state[k, PATCH] == target
        assert tuple(state[k, [TOP, LEFT]]) == (100 * k + top, 7 + left)
        assert tuple(state[k, [TALL, BROAD]]) == (bottom - top, right - left)
        assert state[k, BORDER] == (2 if k == 0 else 1)
        size = (bottom - top) * (right - left)
        for pool, old in zip(pools, before, strict=True):
            start = int(first[k, PATCH])
            expected = old[start : start + h * w].reshape(h, w)[top:bottom, left:right]
            np.testing.assert_array_equal(pool[target : target + size].reshape(expected.shape), expected)
        target += size
