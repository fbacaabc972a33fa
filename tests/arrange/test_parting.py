"""Groups of different form are parted, one group is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mammocalc.arrange import ArrangeParameters, arrange
from mammocalc.arrange.parting import FORM_PLAY_OCTAVES, PLACE_PLAY_MM, form_of, parted

PARAMETERS = ArrangeParameters()


def cloud(rng, count, middle, half_mm, octaves):
    """Places in a square and forms that scatter a little."""
    points = np.array(middle) + rng.uniform(-half_mm, half_mm, (count, 2))
    return points, np.array(octaves) + rng.normal(0, 0.2, (count, 2))


def log_likelihood(points, form, share):
    """Of places and forms under normal distributions fitted to them, but for a constant a member."""
    place = np.cov(points.T, bias=True) + PLACE_PLAY_MM**2 * np.eye(2)
    variance = form.var(axis=0) + FORM_PLAY_OCTAVES**2
    return len(points) * (np.log(share) - 0.5 * np.log(np.linalg.det(place)) - 0.5 * np.log(variance).sum())


def two_groups(apart_mm, apart_octaves):
    rng = np.random.default_rng(0)
    first = cloud(rng, 14, (0, 0), 4.0, (-1.5, 0.2))
    second = cloud(rng, 10, (0, apart_mm), 4.0, (-1.5 + apart_octaves, 0.2))
    return (np.concatenate(both) for both in zip(first, second, strict=True))


@pytest.mark.parametrize(("apart_mm", "apart_octaves"), [(5.0, 2.5), (22.0, 0.0)])
def test_two_groups_are_two(apart_mm, apart_octaves):
    parts = parted(*two_groups(apart_mm, apart_octaves), PARAMETERS)
    assert [part.tolist() for part in parts] == [list(range(14)), list(range(14, 24))]


@pytest.mark.parametrize(("apart_mm", "apart_octaves"), [(5.0, 0.0), (0.0, 1.2), (3.0, 0.4)])
def test_what_hardly_differs_is_one(apart_mm, apart_octaves):
    assert len(parted(*two_groups(apart_mm, apart_octaves), PARAMETERS)) == 1


@pytest.mark.parametrize("seed", range(20))
def test_one_group_is_one(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (30, 2)) * rng.uniform(2, 10, 2)
    form = rng.normal(0, rng.uniform(0.1, 0.6, 2), (30, 2))
    assert len(parted(points, form, PARAMETERS)) == 1


def test_three_groups_are_three_in_any_order():
    rng = np.random.default_rng(3)
    clouds = [
        cloud(rng, 12, place, 3.0, (size, 0.3)) for place, size in (((0, 0), -2), ((4, 6), 0), ((9, 0), -1))
    ]
    points, form = (np.concatenate(both) for both in zip(*clouds, strict=True))
    order = rng.permutation(36)
    parts = parted(points[order], form[order], PARAMETERS)
    assert sorted(sorted(order[part].tolist()) for part in parts) == [
        list(range(start, start + 12)) for start in (0, 12, 24)
    ]


def test_gain_is_that_of_the_likelihoods():
    points, form = two_groups(6.0, 1.5)
    inside = np.arange(24) < 14
    gain = -log_likelihood(points, form, 1.0)
    for some in (inside, ~inside):
        gain += log_likelihood(points[some], form[some], some.mean())
    below, above = (
        parted(points, form, replace(PARAMETERS, parting_gain=factor * gain)) for factor in (0.999, 1.001)
    )
    assert [len(part) for part in below] == [14, 10]
    assert len(above) == 1


@pytest.mark.parametrize("count", [1, 7])
def test_few_are_one(count):
    parts = parted(np.zeros((count, 2)), np.zeros((count, 2)), PARAMETERS)
    assert [part.tolist() for part in parts] == [list(range(count))]


def test_form_that_is_not_known_is_the_usual():
    form = form_of(np.array([0.3, np.nan, 0.6]), np.array([1.0, np.nan, 64.0]))
    np.testing.assert_allclose(form, np.log2([[0.3, 1.0], [0.3, 1.0], [0.6, 8.0]]))


def test_kinds_beside_each_other_are_two_clusters(candidates, make_scene):
    rng = np.random.default_rng(5)
    for y, x in np.array([75, 50]) + rng.uniform(-4, 4, (14, 2)):
        candidates.speck(y, x, diameter_mm=0.25)
    for y, x in np.array([75, 58]) + rng.uniform(-4, 4, (14, 2)):
        candidates.speck(y, x, diameter_mm=float(rng.uniform(0.7, 1.0)))
    found = arrange(make_scene(), candidates.measurements())
    assert found.columns["cluster_id"].tolist() == [1] * 14 + [2] * 14
    assert found.clusters["distribution"].tolist() == ["grouped", "grouped"]
