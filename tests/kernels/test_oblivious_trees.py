"""Sums of trees against a readable twin."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.oblivious_trees import add_trees


def twin(sample, asked, limit, answer):
    total = 0.0
    for tree in range(len(asked)):
        yes = [sample[column] > cut for column, cut in zip(asked[tree], limit[tree], strict=True)]
        total += answer[tree][sum(2**i for i, said in enumerate(yes) if said)]
    return total


@pytest.mark.parametrize("questions", [1, 3, 5])
@pytest.mark.parametrize("n", [0, 1, 40])
def test_equal_to_the_twin(questions, n):
    rng = np.random.default_rng(questions)
    values = rng.normal(size=(n, 6))
    values[::7, 2] = np.nan
    asked = rng.integers(0, 6, (20, questions))
    limit = rng.normal(size=(20, questions))
    answer = rng.normal(size=(20, 2**questions))
    total = np.arange(n, dtype=float)

    add_trees(values, asked, limit, answer, total)

    expected = [k + twin(values[k], asked, limit, answer) for k in range(n)]
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-12)
