"""The sort inside kernels against NumPy's stable one."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.stable_sort import sort_stably


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 16, 17, 100, 1023])
@pytest.mark.parametrize("distinct", [1, 3, 100_000])
def test_it_is_the_stable_order(n, distinct):
    key = np.random.default_rng(n + distinct).integers(0, distinct, n).astype(np.float32)
    order = np.arange(n, dtype=np.int32)

    sort_stably(key, order, np.empty_like(order), n)

    np.testing.assert_array_equal(order, np.argsort(key, kind="stable"))


def test_only_the_first_are_sorted():
    key = np.array([3, 2, 1, 0], np.float32)
    order = np.arange(4, dtype=np.int32)

    sort_stably(key, order, np.empty_like(order), 2)

    assert order.tolist() == [1, 0, 2, 3]
