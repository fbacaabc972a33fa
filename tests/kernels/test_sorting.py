"""The sort inside kernels against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.sorting import sort_ascending


@pytest.mark.parametrize("n", [0, 1, 2, 11, 12, 13, 24, 25, 36, 37, 100, 1023])
@pytest.mark.parametrize("distinct", [1, 3, 2**64 - 1])
def test_it_is_the_order_of_numbers(n, distinct):
    values = np.random.default_rng(n).integers(0, distinct, n, np.uint64)
    expected = np.sort(values)

    sort_ascending(values, np.empty_like(values), n)

    np.testing.assert_array_equal(values, expected)


def test_only_the_first_are_sorted():
    values = np.array([3, 2, 1, 0], np.uint64)

    sort_ascending(values, np.empty_like(values), 2)

    assert values.tolist() == [2, 3, 1, 0]
