"""Links between the pieces of strands against a readable twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from mammocalc_kernels.strands import (
    bridge_pixels,
    forms_of_pairs,
    join_objects,
    number_objects,
    strand_links,
)
from scipy import ndimage

SETTINGS = {"elongation": 1.8, "reach": 5.5}


def smoothed(plane):
    taps = np.array([0.25, 0.5, 0.25])
    by_row = ndimage.correlate1d(plane.astype(np.float64), taps, 0, mode="nearest")
    return ndimage.correlate1d(by_row, taps, 1, mode="nearest")


def outlined(plane, labels):
    """Pixel lists, contrasts over a background of 0, and peaks."""
    n = labels.max()
    lists = [np.flatnonzero(labels == k + 1) for k in range(n)]
    smooth = smoothed(plane).ravel()
    pixel = np.concatenate(lists).astype(np.int64)
    start = np.concatenate(([0], np.cumsum([len(part) for part in lists]))).astype(np.int64)
    peak = np.array([smooth[part].max() for part in lists], np.float32)
    return pixel, smooth[pixel].astype(np.float32), start, peak


def twin(plane, labels, elongation, reach, bridge):
    """Pairs of linked objects, by covariance and sampling: those of every, and those of any, choice among equals."""
    smooth = smoothed(plane)
    sure, possible = set(), set()
    for k in range(1, labels.max() + 1):
        points = np.argwhere(labels == k)
        spread = np.cov(points.T, bias=True) + np.eye(2) / 12
        values, vectors = np.linalg.eigh(np.atleast_2d(spread))
        if np.sqrt(values[1] / values[0]) < elongation:
            continue
        for ahead in (vectors[:, 1], -vectors[:, 1]):
            for other in set(range(1, labels.max() + 1)) - {k}:
                there = np.argwhere(labels == other)
                peaks = min(smooth[labels == k].max(), smooth[labels == other].max())
                outcomes = set()
                tips = points[points @ ahead > (points @ ahead).max() - 1e-9]
                for tip, slack in itertools.product(tips, (-1e-9, 1e-9)):
                    distance = np.hypot(*(there - tip).T)
                    good = (distance <= reach) & ((there - tip) @ ahead >= slack)
                    if not good.any():
                        outcomes.add(False)
                        continue
                    nearest = there[good][np.argmin(distance[good])]
                    way = np.rint(np.linspace(tip, nearest, np.abs(nearest - tip).max() + 1)).astype(int)
                    outcomes.add(bool(smooth[tuple(way.T)].min() >= bridge * peaks))
                if True in outcomes:
                    possible.add((k - 1, other - 1))
                if outcomes == {True}:
                    sure.add((k - 1, other - 1))
    return sure, possible


@pytest.mark.parametrize("seed", range(12))
def test_links_equal_the_twin(seed):
    rng = np.random.default_rng(seed)
    plane = ndimage.gaussian_filter(rng.normal(size=(60, 70)), (1.0, 2.0)).astype(np.float32) * 20
    labels, _ = ndimage.label(plane > 3.0, np.ones((3, 3)))
    links, bridge = strand_links(plane, labels.astype(np.int32), *outlined(plane, labels), **SETTINGS)
    sure, possible = twin(plane, labels, **SETTINGS, bridge=0.05)
    found = {tuple(link) for link in links[bridge >= 0.05, :2].tolist()}
    assert sure <= found <= possible
    assert len(sure) > 3


def test_a_link_names_the_tips():
    plane = np.zeros((9, 30), np.float32)
    plane[4, 3:26] = 10
    labels = np.zeros(plane.shape, np.int32)
    labels[4, 3:12], labels[4, 15:26] = 1, 2
    links, bridge = strand_links(plane, labels, *outlined(plane, labels), **SETTINGS)
    # Each of the gap's pixels is as bright as the middle of the line.
    np.testing.assert_allclose(bridge, 1.0)
    assert links.tolist() == [[0, 1, 4 * 30 + 11, 4 * 30 + 15], [1, 0, 4 * 30 + 15, 4 * 30 + 11]]


def test_a_dark_gap_is_no_bridge():
    plane = np.zeros((9, 30), np.float32)
    plane[4, 3:12] = plane[4, 15:26] = 10
    labels = (plane > 0).astype(np.int32)
    labels[4, 15:26] = 2
    _, bridge = strand_links(plane, labels, *outlined(plane, labels), **SETTINGS)
    assert len(bridge) == 2
    assert bridge.max() < 0.01


def test_round_objects_have_no_tips():
    plane = np.full((9, 30), 10, np.float32)
    labels = np.zeros(plane.shape, np.int32)
    labels[3:6, 5:8], labels[3:6, 9:12] = 1, 2
    assert len(strand_links(plane, labels, *outlined(plane, labels), **SETTINGS)[0]) == 0


def test_threads_change_nothing():
    rng = np.random.default_rng(3)
    plane = ndimage.gaussian_filter(rng.normal(size=(300, 300)), (1.0, 2.0)).astype(np.float32) * 20
    labels, n = ndimage.label(plane > 3.0, np.ones((3, 3)))
    assert n > 200
    inputs = (plane, labels.astype(np.int32), *outlined(plane, labels))
    one, two = (strand_links(*inputs, **SETTINGS, threads=threads) for threads in (1, 2))
    assert len(one[0]) > 10
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_object_numbers_are_the_labels():
    labels = ndimage.label(np.random.default_rng(0).random((20, 30)) > 0.6)[0].astype(np.int32)
    pixel, _, start, _ = outlined(labels, labels)
    owner = np.zeros(labels.shape, np.int32)
    number_objects(owner, pixel, start)
    np.testing.assert_array_equal(owner, labels)
    number_objects(owner, pixel, start, clear=True)
    assert not owner.any()


def bridge_twin(link, labels, w):
    """The free pixels of squares along the way, by sets."""
    one, other, tip, reached = link
    thickness = []
    for k in (one, other):
        rows, cols = np.nonzero(labels == k + 1)
        thickness.append(len(rows) / (max(np.ptp(rows), np.ptp(cols)) + 1))
    radius = int(min(thickness) / 4)
    start, end = np.array(divmod(tip, w)), np.array(divmod(reached, w))
    steps = np.abs(end - start).max()
    free = set()
    for step in range(1, steps):
        row, col = (round(a + step / steps * (b - a)) for a, b in zip(start, end, strict=True))
        for i in range(row - radius, row + radius + 1):
            for j in range(col - radius, col + radius + 1):
                if 0 <= i < labels.shape[0] and 0 <= j < w and labels[i, j] == 0:
                    free.add(i * w + j)
    return free


@pytest.mark.parametrize("seed", range(6))
def test_bridges_equal_the_twin(seed):
    rng = np.random.default_rng(seed)
    plane = ndimage.gaussian_filter(rng.normal(size=(90, 110)), (2.0, 4.0)).astype(np.float32) * 40
    labels = ndimage.label(plane > 3.0, np.ones((3, 3)))[0].astype(np.int32)
    pixel, contrast, start, peak = outlined(plane, labels)
    links, _ = strand_links(plane, labels, pixel, contrast, start, peak, elongation=1.5, reach=12.0)
    assert len(links) > 3

    added, link = bridge_pixels(links, labels, pixel, start)

    for n, ends in enumerate(links.tolist()):
        assert set(added[link == n].tolist()) == bridge_twin(ends, labels, labels.shape[1])
    assert (np.diff(link) >= 0).all()


def test_nothing_linked_adds_nothing():
    labels = np.ones((3, 3), np.int32)
    added, link = bridge_pixels(np.empty((0, 4), np.int64), labels, np.arange(9), np.array([0, 9]))
    assert len(added) == len(link) == 0


@pytest.mark.parametrize("seed", range(4))
def test_joined_objects_are_the_union_of_their_parts_and_ways(seed):
    rng = np.random.default_rng(seed)
    plane = ndimage.gaussian_filter(rng.normal(size=(90, 110)), (2.0, 4.0)).astype(np.float32) * 40
    labels, n = ndimage.label(plane > 3.0, np.ones((3, 3)))
    labels = labels.astype(np.int32)
    pixel, contrast, start, peak = outlined(plane, labels)
    links, _ = strand_links(plane, labels, pixel, contrast, start, peak, elongation=1.5, reach=12.0)
    links = links[::3]
    part = np.arange(n)
    for one, other in links[:, :2]:
        part[part == part[other]] = part[one]
    first_part = np.array([np.flatnonzero(part == part[k])[0] for k in range(n)])
    added, link = bridge_pixels(links, labels, pixel, start)

    joined, begins, brightness = join_objects(
        first_part, links, (added, link), labels.copy(), pixel, start, contrast
    )

    level = dict(zip(pixel.tolist(), contrast.tolist(), strict=True))
    members = {k: set() for k in np.unique(first_part).tolist()}
    for k in range(n):
        members[int(first_part[k])] |= set(pixel[start[k] : start[k + 1]].tolist())
    for at, way in zip(added.tolist(), link.tolist(), strict=True):
        if at not in level:
            level[at] = min(level[int(links[way, 2])], level[int(links[way, 3])])
            members[int(first_part[links[way, 0]])].add(at)
    assert len(members) < n
    assert len(begins) == len(members) + 1
    for k, expected in enumerate(members.values()):
        assert joined[begins[k] : begins[k + 1]].tolist() == sorted(expected)
    assert brightness.tolist() == [level[at] for at in joined.tolist()]


def form_of(points):
    """Ratio of the axes, and the direction of the longer one, by the covariance of the pixels."""
    values, vectors = np.linalg.eigh(np.cov(points.T, bias=True) + np.eye(2) / 12)
    return np.sqrt(values[1] / values[0]), vectors[:, 1]


@pytest.mark.parametrize("seed", range(4))
def test_forms_of_pairs_equal_those_by_covariance(seed):
    rng = np.random.default_rng(seed)
    labels, n = ndimage.label(rng.random((37, 53)) > 0.6)
    lists = [np.flatnonzero(labels == k + 1).astype(np.int64) for k in range(n)]
    start = np.concatenate(([0], np.cumsum([len(part) for part in lists]))).astype(np.int64)
    one, other = rng.integers(0, n, (2, 40))
    points = [np.argwhere(labels == k + 1) for k in range(n)]
    found = forms_of_pairs(one, other, np.concatenate(lists), start, labels.shape[1])
    for pair, a, b in zip(found, one, other, strict=True):
        (ratio, axis), (other_ratio, other_axis) = form_of(points[a]), form_of(points[b])
        both, _ = form_of(np.concatenate((points[a], points[b])))
        np.testing.assert_allclose(pair[:3], (ratio, other_ratio, both), rtol=1e-9)
        # What is as long as wide has no direction.
        if min(ratio, other_ratio) > 1.001:
            np.testing.assert_allclose(pair[3], abs(axis @ other_axis), atol=1e-9)


def test_no_pairs_have_no_forms():
    none = np.empty(0, np.int64)
    assert forms_of_pairs(none, none, np.array([5]), np.array([0, 1]), 8).shape == (0, 4)
