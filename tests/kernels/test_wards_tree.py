"""Ward's tree against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.wards_tree import wards_tree
from scipy.cluster.hierarchy import leaves_list, linkage


def branches_of(values):
    """Every branch as a set of points, and the order of the leaves, by SciPy."""
    tree = linkage(values, "ward")
    members = [frozenset([k]) for k in range(len(values))]
    for a, b in tree[:, :2].astype(int):
        members.append(members[a] | members[b])
    return members[len(values) :], leaves_list(tree)


@pytest.mark.parametrize(("n", "terms"), [(2, 1), (3, 2), (8, 4), (60, 4), (200, 2)])
def test_branches_are_those_of_scipy(n, terms):
    values = np.random.default_rng(n).normal(size=(n, terms))

    order, first, size = wards_tree(values)

    expected, leaves = branches_of(values)
    assert [frozenset(order[a : a + s].tolist()) for a, s in zip(first, size, strict=True)] == expected
    assert order.tolist() == leaves.tolist()


def test_points_in_one_place_are_one_branch():
    order, first, size = wards_tree(np.zeros((7, 3)))

    assert sorted(order.tolist()) == list(range(7))
    assert (first[-1], size[-1]) == (0, 7)


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (4,)])
def test_fewer_than_two_points_are_refused(shape):
    with pytest.raises(ValueError, match="at least two points"):
        wards_tree(np.zeros(shape))
