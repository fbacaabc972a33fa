"""Connected parts and the longest way against SciPy's graphs."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.paths import connected_parts, first_of_part, longest_way
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree


def twin_way(points, reach):
    """The same by sparse graphs, as one would write it down."""
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) + 1e-3
    shape = (len(points), len(points))
    lengths, steps = (
        coo_array((weight, (pairs[:, 0], pairs[:, 1])), shape=shape).tocsr() for weight in (apart, apart**2)
    )

    def farthest(start):
        length = dijkstra(lengths, directed=False, indices=start)
        return int(np.where(np.isinf(length), -1, length).argmax())

    start = farthest(0)
    way = [farthest(start)]
    before = dijkstra(steps, directed=False, indices=start, return_predecessors=True)[1]
    while way[-1] != start:
        way.append(int(before[way[-1]]))
    return way[::-1]


@pytest.mark.parametrize(("n", "reach"), [(1, 2.0), (2, 2.0), (2, 1e-3), (60, 3.0), (300, 2.0)])
def test_the_longest_way_is_that_of_sparse_graphs(n, reach):
    points = np.random.default_rng(n).uniform(0, [4, 30], (n, 2))

    way = longest_way(points[:, 0], points[:, 1], reach)

    assert way.tolist() == twin_way(points, reach)


def test_a_line_is_walked_from_end_to_end():
    col = np.random.default_rng(1).permutation(20).astype(float)

    way = longest_way(np.zeros(20), col, 1.5)

    assert sorted(col[way].tolist()) == list(range(20))
    assert np.unique(np.diff(col[way])).size == 1


def test_points_in_one_place():
    assert len(longest_way(np.ones(5), np.ones(5), 1.0)) >= 1


def test_no_points_are_refused():
    with pytest.raises(ValueError, match="no point to start from"):
        longest_way(np.empty(0), np.empty(0), 1.0)


@pytest.mark.parametrize(("n", "pairs"), [(0, 0), (1, 0), (5, 0), (40, 25), (200, 150)])
def test_connected_parts_are_those_of_sparse_graphs(n, pairs):
    one, other = np.random.default_rng(n).integers(0, max(n, 1), (2, pairs))

    parts = connected_parts(n, one, other)

    if n:
        count, component = connected_components(
            coo_array((np.ones(pairs), (one, other)), shape=(n, n)), False
        )
        assert len(parts) == count
        expected = sorted(np.flatnonzero(component == k).tolist() for k in range(count))
    else:
        expected = []
    assert [part.tolist() for part in parts] == expected


def test_the_first_point_of_each_part():
    assert first_of_part(6, np.array([4, 2, 5]), np.array([1, 4, 3])).tolist() == [0, 1, 1, 3, 1, 3]
