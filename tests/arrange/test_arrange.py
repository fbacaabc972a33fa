"""Chains and clusters of candidates that were put in place by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.arrange import arrange
from mammocalc.arrange.features import FEATURES


def test_a_tight_group_is_one_grouped_cluster(candidates, make_scene):
    rng = np.random.default_rng(0)
    for y, x in np.add(rng.uniform(-3, 3, (9, 2)), (70, 40)):
        candidates.speck(y, x)
    alone = candidates.speck(20, 70)
    found = arrange(make_scene(), candidates.measurements())
    assert found.clusters["n_calcifications"].tolist() == [9]
    assert found.clusters["distribution"].tolist() == ["grouped"]
    assert found.columns["cluster_id"][alone] == 0
    assert found.columns["neighbours"][alone] == 0


def test_two_groups_apart_are_two_clusters(candidates, make_scene):
    rng = np.random.default_rng(1)
    for centre in ((40, 30), (100, 60)):
        for y, x in np.add(rng.uniform(-2, 2, (6, 2)), centre):
            candidates.speck(y, x)
    found = arrange(make_scene(), candidates.measurements())
    assert found.columns["cluster_id"].tolist() == [1] * 6 + [2] * 6


@pytest.mark.parametrize("angle_deg", [0, 40])
def test_two_parallel_walls_are_one_paired_chain(candidates, make_scene, winding, angle_deg):
    rng = np.random.default_rng(2)
    line = winding((75.0, 30.0), angle_deg, 28.0, 20.0)
    members = candidates.wall(line, 0.8, rng) + candidates.wall(line, -0.8, rng)
    found = arrange(make_scene(), candidates.measurements())
    numbers = found.columns["chain_id"][members]
    largest = np.bincount(numbers[numbers > 0]).argmax()
    assert (numbers == largest).mean() > 0.8
    in_chain = found.columns["chain_id"] == largest
    assert found.columns["chain_length_mm"][in_chain].max() > 15
    assert np.nanmedian(found.columns["wall_separation_mm"][in_chain]) == pytest.approx(1.6, abs=0.4)


def test_no_candidates(candidates, make_scene):
    found = arrange(make_scene(), candidates.measurements())
    assert set(found.columns) == set(FEATURES)
    assert len(found.clusters["cluster_id"]) == len(found.chains) == 0
