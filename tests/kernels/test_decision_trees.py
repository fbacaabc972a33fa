"""Sums of trees against a readable twin."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.decision_trees import add_trees


def grown(rng, columns, depth, is_whole=True):
    """A random tree of at least one question as nested tuples (column, limit, no, yes), its ends values."""
    if depth == 0 or (not is_whole and rng.random() < 0.2):
        return float(rng.normal())
    return (
        int(rng.integers(columns)),
        float(rng.normal()),
        grown(rng, columns, depth - 1, False),
        grown(rng, columns, depth - 1, False),
    )


def twin(tree, sample):
    while isinstance(tree, tuple):
        column, limit, no, yes = tree
        tree = yes if sample[column] > limit else no
    return tree


def as_arrays(trees):
    first, asked, above, following, answer = [], [], [], [], []

    def place(tree):
        if not isinstance(tree, tuple):
            answer.append(tree)
            return -len(answer)
        k = len(asked)
        asked.append(tree[0])
        above.append(tree[1])
        following.append(None)
        following[k] = [place(tree[2]), place(tree[3])]
        return k

    for tree in trees:
        first.append(place(tree))
    return (
        np.array(first),
        np.array(asked),
        np.array(above),
        np.array(following, np.int64).reshape(-1, 2),
        np.array(answer),
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("n", [0, 1, 40, 700])
def test_equal_to_the_twin(depth, n, threads):
    rng = np.random.default_rng(depth)
    trees = [(0, 0.0, -1.0, 1.0), *(grown(rng, 6, depth) for _ in range(20))]
    values = rng.normal(size=(n, 6))
    values[::7, 2] = np.nan
    total = np.arange(n, dtype=float)

    add_trees(np.ascontiguousarray(values.T), *as_arrays(trees), total, threads)

    expected = [k + sum(twin(tree, values[k]) for tree in trees) for k in range(n)]
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-12)


def test_full_trees_up_to_the_most_answers():
    def full(depth):
        return (depth % 3, depth / 10, full(depth - 1), full(depth - 1)) if depth else float(next(counted))

    counted = iter(range(1000))
    values = np.random.default_rng(0).normal(size=(3, 50))
    total = np.zeros(50)
    tree = full(6)
    add_trees(values, *as_arrays([tree]), total)
    np.testing.assert_array_equal(total, [twin(tree, sample) for sample in values.T])
    with pytest.raises(ValueError, match="more than 64 answers"):
        add_trees(values, *as_arrays([full(7)]), total)
