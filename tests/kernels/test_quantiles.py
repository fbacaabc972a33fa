"""Quantiles against NumPy's."""

import numpy as np
import pytest
from mammocalc_kernels.quantiles import median, quantile


@pytest.fixture(params=["normal", "ties", "both signs of zero", "far apart"])
def spread(request):
    """Values of a number that is asked for."""
    rng = np.random.default_rng(1)

    def values(n):
        drawn = {
            "normal": rng.normal(size=n),
            "ties": rng.integers(-2, 3, n),
            "both signs of zero": rng.choice([-0.0, 0.0, 1.0], n),
            "far apart": rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-30, 30, n),
        }
        return drawn[request.param].astype(np.float32)

    return values


@pytest.mark.parametrize("n", [1, 2, 3, 10, 999, 1000])
def test_quantiles_are_those_of_numpy(spread, n):
    values = spread(n)
    before = values.copy()
    for part in (0.0, 0.01, 0.25, 0.5, 0.9, 1.0):
        # A list of one: for a single number NumPy rounds to float32 in between.
        assert quantile(values, part) == np.quantile(values, [part])[0]
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 999, 1000])
def test_the_median_is_that_of_numpy(spread, n):
    values = spread(n)
    assert median(values) == np.median(values)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((2, 2), np.float32), np.zeros(0, np.float32)])
def test_what_is_no_row_of_values_is_refused(wrong):
    with pytest.raises(ValueError, match="a row of float32"):
        quantile(wrong, 0.5)
    with pytest.raises(ValueError, match="a row of float32"):
        median(wrong)
