"""Columns as bytes, and joined."""

import numpy as np

from mammocalc.batch.columns import joined, packed, unpacked


def record(rows, seed=0):
    generator = np.random.default_rng(seed)
    words = np.empty(rows, object)
    words[:] = [f"word {k}\n\udcff" for k in range(rows)]
    return {
        "a": {"text": words, "real": generator.normal(size=rows), "whole": np.arange(rows, dtype=np.int32)},
        "b": {"nan": np.full(rows, np.nan)},
    }


def same(one, other):
    assert {table: list(columns) for table, columns in one.items()} == {t: list(c) for t, c in other.items()}
    for table, columns in one.items():
        for name, values in columns.items():
            assert values.dtype == other[table][name].dtype
            np.testing.assert_array_equal(values, other[table][name])


def test_a_record_comes_back_bit_for_bit():
    for rows in (0, 1, 700):
        same(unpacked(packed(record(rows))), record(rows))
    assert unpacked(packed({})) == {}


def test_parts_are_joined_in_order():
    parts = [record(3)["a"], record(0)["a"], record(2, 5)["a"]]
    whole = joined(parts)
    assert whole["text"].tolist() == [*parts[0]["text"], *parts[2]["text"]]
    np.testing.assert_array_equal(whole["real"], np.concatenate([parts[0]["real"], parts[2]["real"]]))
