"""Walls that face each other, the middle between them, and their courses along a curve, against readable twins."""

import numpy as np
import pytest
from mammocalc_kernels.walls import facing_points, middle_points, wall_courses


def two_walls(seed, count=60, missing=0.4):
    """Points of two parallel, gently wound walls, with gaps in one of them; directions of either sign."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 20.0, count)
    walls = [np.stack([np.sin(0.2 * t) + across, t], axis=1) for across in (-0.8, 0.8)]
    walls[1] = walls[1][rng.random(count) > missing]
    points = np.concatenate(walls) + rng.normal(0.0, 0.05, (len(walls[0]) + len(walls[1]), 2))
    angle = np.arctan(0.2 * np.cos(0.2 * points[:, 1])) + rng.normal(0.0, 0.1, len(points))
    directions = np.stack([np.sin(angle), np.cos(angle)], axis=1) * rng.choice([-1, 1], (len(points), 1))
    return points, directions


def opposites_one_by_one(points, directions, least_cosine, least_across, most_across, most_along):
    opposite, distance = np.full(len(points), -1), np.full(len(points), np.nan)
    for a in range(len(points)):
        offers = []
        for b in range(len(points)):
            cosine = directions[a] @ directions[b]
            mean = directions[a] + (-1 if cosine < 0 else 1) * directions[b]
            mean = mean / np.linalg.norm(mean)
            offset = points[b] - points[a]
            along, across = abs(offset @ mean), abs(offset[0] * mean[1] - offset[1] * mean[0])
            if abs(cosine) >= least_cosine and along <= most_along and least_across <= across <= most_across:
                offers.append((along + across, b, across))
        if offers:
            _, opposite[a], distance[a] = min(offers)
    return opposite, distance


@pytest.mark.parametrize("seed", range(5))
def test_points_that_face_each_other(seed):
    points, directions = two_walls(seed)
    bounds = (0.85, 0.5, 2.5, 0.4)
    opposite, distance = facing_points(points, directions, *bounds)
    expected, across = opposites_one_by_one(points, directions, *bounds)
    assert 10 < (expected >= 0).sum() < len(points)
    np.testing.assert_array_equal(opposite, expected)
    np.testing.assert_allclose(distance, across, rtol=1e-12)


def middles_one_by_one(points, aside, opposite):
    out = points.copy()
    paired = opposite >= 0
    out[paired] = 0.5 * (points[paired] + points[opposite[paired]])
    known, rest = list(out[paired]), list(np.flatnonzero(~paired))
    while rest:
        apart = [[((points[one] - place) ** 2).sum() for place in known] for one in rest]
        k = int(np.argmin([min(row) for row in apart]))
        near = np.mean([known[i] for i in np.argsort(apart[k], kind="stable")[:5]], axis=0)
        one = rest.pop(k)
        sides = [points[one] + aside[one], points[one] - aside[one]]
        out[one] = sides[int(np.argmin([((side - near) ** 2).sum() for side in sides]))]
        known.append(out[one])
    return out


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pairs", [1, 4, 40])
def test_middles_are_taken_over_from_the_nearest(seed, pairs):
    points, directions = two_walls(seed)
    opposite, _ = facing_points(points, directions, 0.85, 0.5, 2.5, 0.4)
    opposite[np.flatnonzero(opposite >= 0)[pairs:]] = -1
    aside = 0.8 * np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    expected = middles_one_by_one(points, aside, opposite)
    np.testing.assert_allclose(middle_points(points, aside, opposite), expected, rtol=1e-12)


def test_middles_need_two_walls():
    points, directions = two_walls(0)
    with pytest.raises(ValueError, match="there are not two walls"):
        middle_points(points, directions, np.full(len(points), -1))


@pytest.mark.parametrize("seed", range(3))
def test_courses_of_both_sides(seed):
    rng = np.random.default_rng(seed)
    along, across = rng.uniform(0, 12, 50), rng.normal(0, 1, 50)
    at = np.arange(-3.0, 15.0, 0.5)
    centre, scatter = wall_courses(along, across, at, 0.7, 0.3)
    assert np.isnan(centre[:, 0]).all()
    for i, place in enumerate(at):
        near = np.abs(along - place) <= 0.7
        for side, mine in enumerate((near & (across <= -0.3), near & (across >= 0.3))):
            if mine.any():
                assert centre[side, i] == pytest.approx(across[mine].mean())
                assert scatter[side, i] == pytest.approx(across[mine].std(), abs=1e-12)
            else:
                assert np.isnan(centre[side, i])
                assert scatter[side, i] == 0.0
