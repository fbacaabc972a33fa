import json

import numpy as np
import pytest

from mammocalc.phantom import Truth


def test_goes_to_json_and_back(left):
    text = left.truth.to_json()
    back = Truth.from_json(text)
    assert back.to_json() == text
    assert len(back.calcifications) == len(left.truth.calcifications)
    for one, other in zip(back.calcifications, left.truth.calcifications, strict=True):
        assert one.runs == other.runs
        assert (one.label, one.cluster_id, one.chain_id) == (other.label, other.cluster_id, other.chain_id)
        assert one.row == pytest.approx(other.row, abs=1e-4)
        assert one.width_mm == pytest.approx(other.width_mm, abs=1e-4)


def test_says_that_it_is_synthetic(left):
    assert "synthetic" in json.loads(left.truth.to_json())["notice"]


def test_mask_of_an_unknown_number(left):
    with pytest.raises(KeyError, match="no calcification 9999"):
        left.truth.mask(9999)


def test_labels_agree_with_masks(left):
    labels = left.truth.labels()
    for one in left.truth.calcifications[::5]:
        np.testing.assert_array_equal(labels == one.calcification_id, left.truth.mask(one.calcification_id))
