"""Entries of the ledger: whole or not there."""

import hashlib
import json

import numpy as np
import pytest

from mammocalc.batch.ledger import Ledger, write_whole
from mammocalc.batch.work import Outcome, Stamp, Task, failed_record
from mammocalc.write.tables import columns_of

KEY = "k" * 64


def outcome(name="a/b", frame=0, reason="why"):
    record = dict(failed_record(Task("", name, frame), "failed", reason))
    record["calcifications"] = columns_of(
        "calcifications", {"path": name, "row": np.arange(3) / 7, "label": "rim"}, 3
    )
    return Outcome(
        name, frame, 2, "ok", reason, record, 0.5, {"read": 2.5}, "c" * 64, Stamp(5, 7, 8), {"o/x.png": b"p"}
    )


def test_an_entry_comes_back_as_it_was(tmp_path):
    ledger = Ledger(tmp_path)
    for name in ("a/b", "new\nline", "not\udcffutf8"):
        ledger.save(outcome(name), KEY)
        entry = ledger.load(name)
        assert (entry.key, entry.name, entry.frames, entry.status, entry.reason) == (
            KEY,
            name,
            2,
            "ok",
            "why",
        )
        assert (entry.seconds, entry.timings, entry.stamp) == (0.5, {"read": 2.5}, Stamp(5, 7, 8))
        assert entry.artefacts == ("o/x.png",)
        for table, columns in outcome(name).record.items():
            for column, values in columns.items():
                found = entry.record()[table][column]
                assert found.dtype == values.dtype, column
                np.testing.assert_array_equal(found, values)


def test_frames_and_names_are_kept_apart(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(outcome("a", 1), KEY)
    assert ledger.load("a", 0) is None
    assert ledger.load("a", 1).frame == 1
    assert ledger.load("b", 1) is None


def test_a_damaged_entry_is_none(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(outcome(), KEY)
    (file,) = tmp_path.glob("*/*.entry")
    data = file.read_bytes()
    for broken in (b"", data[:-1], data[: len(data) // 2], b"x" + data, data.replace(b"why", b"who")):
        file.write_bytes(broken)
        assert ledger.load("a/b") is None
    file.write_bytes(data)
    assert ledger.load("a/b") is not None


@pytest.mark.parametrize(
    "header", [{"name": "a/b", "stamp": [1, 2], "colour": "red"}, {"stamp": [1, 2, 3, 4]}, {}, []]
)
def test_an_entry_of_another_form_is_none(tmp_path, header):
    """Whole, and left by a version that wrote other fields."""
    ledger = Ledger(tmp_path)
    ledger.save(outcome(), KEY)
    (file,) = tmp_path.glob("*/*.entry")
    body = b"mammocalc ledger 1\n" + json.dumps(header).encode() + b"\n"
    file.write_bytes(body + hashlib.blake2b(body, digest_size=16).digest())
    assert ledger.load("a/b") is None


def test_restamp_changes_the_stamp_alone(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(outcome(), KEY)
    before = ledger.load("a/b")
    ledger.restamp(before, Stamp(9, 9))
    after = ledger.load("a/b")
    assert after.stamp == Stamp(9, 9)
    assert (after.key, after.payload, after.content) == (before.key, before.payload, before.content)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "x"
    write_whole(file, b"old")

    def full(self, data):
        with self.open("wb") as stream:
            stream.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(file), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert file.read_bytes() == b"old"
