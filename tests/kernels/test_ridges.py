"""The significance of strips along a curve against a readable twin."""

import numpy as np
import pytest
from mammocalc_kernels.ridges import ridge_significance

STRIPS = np.array([[(4, 7), (0, 3), (8, 12)], [(3, 8), (0, 2), (9, 12)], [(5, 6), (0, 0), (7, 9)]])


def strip_by_windows(profile, first, end, window):
    seen = np.isfinite(profile[:, first:end])
    enough = seen.sum(axis=1) >= 0.3 * (end - first)
    rows = [
        np.mean(row[here]) if here.any() else 0.0
        for row, here in zip(profile[:, first:end], seen, strict=True)
    ]
    mean, error = np.full(len(profile), np.nan), np.full(len(profile), np.nan)
    for i in range(len(profile)):
        places = np.clip(np.arange(i - window // 2, i - window // 2 + window), 0, len(profile) - 1)
        values = np.array([rows[k] for k in places if enough[k]])
        if len(values) >= 2.5:
            mean[i] = values.mean()
            error[i] = np.sqrt(max(values.var(), 1e-12) / max(len(values) - 1, 0.5))
    return mean, error


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 5, 40])
@pytest.mark.parametrize("window", [1, 4, 7, 8])
def test_equals_twin(seed, count, window):
    rng = np.random.default_rng(seed)
    profile = rng.normal(3.0, 1.0, (count, 12))
    profile[rng.random(profile.shape) < 0.5] = np.nan
    found = ridge_significance(profile, STRIPS, window)
    for strip, row in zip(STRIPS, found, strict=True):
        parts = [strip_by_windows(profile, *part, window) for part in strip]
        above = [(parts[0][0] - mean) / np.hypot(parts[0][1], error) for mean, error in parts[1:]]
        expected = np.where(np.isnan(above).any(axis=0), -np.inf, np.min(above, axis=0))
        np.testing.assert_allclose(row, expected, rtol=1e-6)
    assert window < 3 or count < 5 or np.isfinite(found[:2]).any()


@pytest.mark.parametrize(
    ("profile", "strips", "window", "message"),
    [
        (np.zeros(3), STRIPS, 2, r"\(n, k\) and \(m, 3, 2\) are needed"),
        (np.zeros((3, 12)), STRIPS[0], 2, r"\(n, k\) and \(m, 3, 2\) are needed"),
        (np.zeros((3, 12)), STRIPS, 0, "at least 1, got 0"),
    ],
)
def test_what_is_refused(profile, strips, window, message):
    with pytest.raises(ValueError, match=message):
        ridge_significance(profile, strips, window)
