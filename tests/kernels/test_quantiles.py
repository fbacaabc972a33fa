"""Quantiles against NumPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mammocalc_kernels.quantiles import median, quantile, upper_medians


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


@settings(deadline=None)
@given(
    st.lists(
        arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e6, allow_subnormal=False)),
        min_size=1,
        max_size=5,
    )
)
def test_upper_medians_of_parts(parts):
    cuts = np.cumsum([3, *(len(part) for part in parts)])
    row = np.concatenate([np.full(3, 1e9), *parts, np.full(2, 1e9)])
    expected = [sorted(part)[len(part) // 2] for part in parts]
    np.testing.assert_array_equal(upper_medians(row, cuts), expected)


@pytest.mark.parametrize("cuts", [[0, 2, 2], [-1, 2], [0, 4]])
def test_parts_lie_in_the_row_and_hold_something(cuts):
    with pytest.raises(ValueError, match="ascending places"):
        upper_medians(np.zeros(3), np.array(cuts))
