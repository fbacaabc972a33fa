"""run.json: what made a set of findings, in full."""

from __future__ import annotations

import getpass
import json
import platform

import pytest

import mammocalc
from mammocalc.classify import load_lexicon
from mammocalc.classify.stored import lexicon_from_dict
from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.parameters import Parameters
from mammocalc.write.manifest import (
    count_labels,
    dependency_versions,
    machine,
    read_manifest,
    run_manifest,
    write_manifest,
)


@pytest.fixture
def manifest():
    parameters = Parameters().replace("segment", min_score=0.25)
    return run_manifest(parameters, load_lexicon(), {"images": {"ok": 3}}, reasons={"failed": {"empty": 1}})


def test_it_holds_parameters_and_rules_in_full_with_their_hashes(manifest, tmp_path):
    write_manifest(tmp_path, manifest)
    kept = read_manifest(tmp_path)
    parameters = Parameters.from_dict(kept["parameters"])
    assert parameters.segment.min_score == 0.25
    assert parameters.hash == kept["parameters_hash"]
    assert lexicon_from_dict(kept["rules"]).hash == kept["rules_hash"] == load_lexicon().hash


def test_it_says_what_ran(manifest):
    assert manifest["version"] == mammocalc.__version__
    assert "not a medical device" in manifest["notice"]
    assert manifest["counts"] == {"images": {"ok": 3}}
    assert manifest["reasons"] == {"failed": {"empty": 1}}
    assert manifest["dependencies"] == dependency_versions()
    assert manifest["dependencies"]["numpy"].count(".") == 2


def test_it_names_neither_machine_nor_user(manifest):
    written = json.dumps(machine()).lower()
    assert platform.node().lower() not in written
    assert f'"{getpass.getuser()}"' not in json.dumps(manifest)


def test_it_is_written_whole(manifest, tmp_path):
    path = write_manifest(tmp_path / "new", manifest)
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]
    assert write_manifest(path.parent, manifest).read_bytes() == path.read_bytes()


def test_labels_are_counted_in_a_stable_order():
    assert list(count_labels(["round", "coarse", "round"]).items()) == [("coarse", 1), ("round", 2)]


def test_a_folder_without_a_manifest_is_named(tmp_path):
    with pytest.raises(UnreadableInput, match=r"no run\.json; is it the --out folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_manifest_is_named(content, tmp_path):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"run\.json: (cannot be read|is not a run manifest)"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda rules: rules.pop("sources"),
        lambda rules: rules["rules"][0].update(when={"none": []}),
        lambda rules: rules["rules"][0].update(when={"all": [["width_mm", "~", "rod_calibre"]]}),
        lambda rules: rules["rules"][0].update(when={"all": [["wideness", ">=", "rod_calibre"]]}),
    ],
)
def test_stored_rules_that_were_changed_by_hand_are_refused(change, manifest):
    rules = manifest["rules"]
    change(rules)
    with pytest.raises(InvalidParameter, match="the stored rules are not of this version"):
        lexicon_from_dict(rules)
