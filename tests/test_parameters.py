"""Parameters: one frozen object, checked, written out in full, read from a file with exact complaints."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest

from mammocalc.errors import InvalidParameter
from mammocalc.parameters import Parameters, load_parameters

STAGES = ["prepare", "segment", "measure", "arrange"]


def write(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def bounded_fields():
    for stage in STAGES:
        for entry in dataclasses.fields(getattr(Parameters(), stage)):
            if "minimum" in entry.metadata:
                yield pytest.param(stage, entry, id=f"{stage}.{entry.name}")


def test_stages_and_defaults():
    assert list(Parameters().as_dict()) == STAGES
    assert Parameters().as_dict()["segment"]["min_score"] == Parameters().segment.min_score


@pytest.mark.parametrize(("stage", "entry"), list(bounded_fields()))
def test_every_number_is_held_to_its_bounds(stage, entry):
    low, high = entry.metadata["minimum"], entry.metadata["maximum"]
    assert low <= entry.default <= high
    assert len(entry.metadata["meaning"]) > 5
    with pytest.raises(InvalidParameter, match=rf"\[{stage}\] {entry.name}: .* is outside {low} to {high}"):
        Parameters().replace(stage, **{entry.name: type(entry.default)(high + 1)})


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        Parameters().segment = None


def test_the_printed_file_gives_the_same_parameters(tmp_path):
    changed = Parameters().replace("segment", min_score=0.125, candidate_cap=77)
    for parameters in (Parameters(), changed):
        assert load_parameters(write(tmp_path, parameters.as_toml())) == parameters
    assert changed.segment.candidate_cap == 77


def test_the_printed_file_says_meaning_and_bounds():
    text = Parameters().as_toml()
    assert "min_score = 0.5  # " in text
    for stage in STAGES:
        assert f"[{stage}]\n" in text
        for entry in dataclasses.fields(getattr(Parameters(), stage)):
            if "minimum" in entry.metadata:
                assert f"{entry.metadata['meaning']} ({entry.metadata['minimum']} to" in text
            else:
                assert f"{entry.name} = {str(entry.default).lower()}  # {entry.metadata['meaning']}\n" in text


def test_what_a_file_does_not_name_keeps_its_default(tmp_path):
    loaded = load_parameters(write(tmp_path, "[segment]\nmin_score = 0.25\n"))
    assert loaded == Parameters().replace("segment", min_score=0.25)
    assert load_parameters(write(tmp_path, "")) == Parameters()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[segment]\nmin_scor = 0.2",
            r"my\.toml: \[segment\] no parameter min_scor; did you mean min_score\?",
        ),
        ("[segmnt]\nmin_score = 0.2", r"my\.toml: no stage \[segmnt\]; did you mean segment\?"),
        ("[zzz]\n", r"my\.toml: no stage \[zzz\]; there are prepare, segment, measure, arrange"),
        ("segment = 3", r"my\.toml: \[segment\] must be a table of parameters, got 3"),
        ("[segment]\nmin_score = 1.5", r"my\.toml: \[segment\] min_score: 1\.5 is outside 0\.0 to 1\.0"),
        ("[segment]\nmin_score = 'high'", r"my\.toml: \[segment\] min_score: a number is needed, got 'high'"),
        ("[segment]\nmin_score = true", r"my\.toml: \[segment\] min_score: a number is needed, got True"),
        ("[segment]\nmin_score = nan", r"my\.toml: \[segment\] min_score: nan is outside"),
        (
            "[segment]\ncandidate_cap = 10.5",
            r"my\.toml: \[segment\] candidate_cap: an integer is needed, got 10\.5",
        ),
        ("[segment\n", r"my\.toml: is not TOML: .*line 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_exactly(text, complaint, tmp_path):
    with pytest.raises(InvalidParameter, match=complaint):
        load_parameters(write(tmp_path, text))


def test_a_switch_must_be_true_or_false(tmp_path):
    switches = [
        (stage, entry.name)
        for stage in STAGES
        for entry in dataclasses.fields(getattr(Parameters(), stage))
        if isinstance(entry.default, bool)
    ]
    assert switches
    for stage, name in switches:
        with pytest.raises(InvalidParameter, match=rf"\[{stage}\] {name}: bool is needed, got 1"):
            load_parameters(write(tmp_path, f"[{stage}]\n{name} = 1"))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidParameter, match=r"none\.toml: cannot be read: No such file"):
        load_parameters(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidParameter, match=r"binary\.toml: is not a UTF-8 text file"):
        load_parameters(tmp_path / "binary.toml")


def test_the_hash_names_the_values_not_their_spelling():
    as_whole, as_real = (Parameters().replace("segment", min_score=value) for value in (1, 1.0))
    assert as_whole.hash == as_real.hash != Parameters().hash
    assert Parameters().hash == Parameters.from_dict(tomllib.loads(Parameters().as_toml())).hash
    assert len(Parameters().hash) == 64
