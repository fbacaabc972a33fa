"""Hierarchical clustering that loses least variance, as runs in one order of the points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _merge_all(values, one, other, height):  # type: ignore[no-untyped-def]
    """Merge by chains of nearest neighbours; the merges in the order found, each named by a member of either side."""
    count, terms = values.shape
    apart = np.empty((count, count), np.float64)
    for i in range(count):
        for k in range(count):
            square = 0.0
            for term in range(terms):
                difference = values[i, term] - values[k, term]
                square += difference * difference
            apart[i, k] = np.sqrt(square)
    size = np.ones(count, np.int64)
    chain = np.empty(count, np.int64)
    length = 0
    for merge in range(count - 1):
        if length == 0:
            first = 0
            while size[first] == 0:
                first += 1
            chain[0] = first
            length = 1
        while True:
            here = chain[length - 1]
            nearest, least = -1, np.inf
            # Of equally near ones the one that the chain came from, or it would never end.
            if length > 1:
                nearest = chain[length - 2]
                least = apart[here, nearest]
            for k in range(count):
                if size[k] > 0 and k != here and apart[here, k] < least:
                    nearest, least = k, apart[here, k]
            if length > 1 and nearest == chain[length - 2]:
                break
            chain[length] = nearest
            length += 1
        length -= 2
        gone, stays = min(here, nearest), max(here, nearest)
        one[merge], other[merge], height[merge] = gone, stays, least
        a, b = size[gone], size[stays]
        size[gone], size[stays] = 0, a + b
        for k in range(count):
            c = size[k]
            if c == 0 or k == stays:
                continue
            share = 1.0 / (a + b + c)
            square = (
                (c + a) * share * apart[k, gone] * apart[k, gone]
                + (c + b) * share * apart[k, stays] * apart[k, stays]
                - c * share * least * least
            )
            apart[k, stays] = apart[stays, k] = np.sqrt(max(square, 0.0))


@kernel
def _lay_out(one, other, order, first, size):  # type: ignore[no-untyped-def]
    """The points so that all members of every merge follow each other, and where each merge begins."""
    count = len(order)
    # Of the set that a point stands for: its number in the tree, its size, and its members as a chain.
    parent, node = np.arange(count), np.arange(count)
    members = np.ones(count, np.int64)
    head, last = np.arange(count), np.arange(count)
    following = np.full(count, -1, np.int64)
    heads = np.empty(count - 1, np.int64)
    for merge in range(count - 1):
        a, b = one[merge], other[merge]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if node[a] > node[b]:
            a, b = b, a
        following[last[a]] = head[b]
        last[a] = last[b]
        parent[b] = a
        members[a] += members[b]
        node[a] = count + merge
        heads[merge] = head[a]
        size[merge] = members[a]
    place = np.empty(count, np.int64)
    here = heads[count - 2]
    for k in range(count):
        order[k] = here
        place[here] = k
        here = following[here]
    for merge in range(count - 1):
        first[merge] = place[heads[merge]]


def wards_tree(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The tree that grows by merging, again and again, the two sets of points whose union gains least in variance.

    Parameters
    ----------
    values : ndarray of float64, shape (n, terms)
        Positions in as many terms as there are, n at least 2; not NaN. Memory grows with the square of n.

    Returns
    -------
    order : ndarray of int64, shape (n,)
        The points so that the members of every branch follow each other.
    first, size : ndarray of int64, shape (n - 1,)
        Each branch, from the most alike to the whole, as ``order[first : first + size]``.

    Raises
    ------
    ValueError
        Fewer than two points.

    References
    ----------
    J. H. Ward, "Hierarchical grouping to optimize an objective function", J. American Statistical Association 58 (1963)
    236-244; by chains of nearest neighbours, F. Murtagh, "A survey of recent advances in hierarchical clustering
    algorithms", The Computer Journal 26 (1983) 354-359.
    """
    values = np.ascontiguousarray(values, np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError(f"a tree needs at least two points in rows, got shape {values.shape}")
    merges = len(values) - 1
    one, other, height = np.empty(merges, np.int64), np.empty(merges, np.int64), np.empty(merges)
    _merge_all(values, one, other, height)
    by_height = np.argsort(height, kind="stable")
    order: Any = np.empty(len(values), np.int64)
    first, size = np.empty(merges, np.int64), np.empty(merges, np.int64)
    _lay_out(one[by_height], other[by_height], order, first, size)
    return order, first, size
