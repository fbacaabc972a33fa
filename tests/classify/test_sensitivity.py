"""What a moved threshold changes."""

from __future__ import annotations

import pytest

from mammocalc.classify import threshold_sensitivity


@pytest.fixture
def shifts(image_of, sized, lexicon):
    rod = sized(5.0, 0.52, nipple_angle_deg=10.0, width_variation=0.1, roughness=0.03)
    image = image_of({"diameter_mm": 0.47}, {"diameter_mm": 0.7}, rod)
    found = threshold_sensitivity(image.measurements, image.arrangement, lexicon)
    return {(shift.threshold, shift.moved_to > shift.value): shift for shift in found}


def test_moves_every_threshold_both_ways_by_a_tenth(shifts, lexicon):
    moving = [name for name, threshold in lexicon.thresholds.items() if threshold.value != 0]
    assert set(shifts) == {(name, up) for name in moving for up in (False, True)}
    up = shifts["rod_calibre_mm", True]
    assert (up.value, up.moved_to) == pytest.approx((0.5, 0.55))


def test_counts_what_changes_and_in_which_direction(shifts):
    up = shifts["rod_calibre_mm", True]
    assert up.changes == {("large_rod_like", "fine_linear"): 1}
    assert (up.relabelled, up.more_suspicious, up.less_suspicious) == (1, 1, 0)
    assert shifts["rod_calibre_mm", False].relabelled == 0
    assert shifts["round_diameter_mm", False].changes == {("punctate", "round"): 1}


def test_a_threshold_far_from_every_value_changes_nothing(shifts):
    assert shifts["ring_lucency", True].relabelled == shifts["ring_lucency", False].relabelled == 0
