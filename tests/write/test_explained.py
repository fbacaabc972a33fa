"""A finished run explains its calcifications from its tables alone."""

from __future__ import annotations

import pytest

from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.write.explained import explain_row
from mammocalc.write.manifest import run_manifest, write_manifest
from mammocalc.write.tables import TABLES, write_tables


@pytest.fixture(scope="module", params=["parquet", "csv"])
def run(request, findings, make_findings, tmp_path_factory):
    """Three images: two of one exam, and a further frame of the second."""
    folder = tmp_path_factory.mktemp("run")
    other = make_findings(rods=2, specks=0, sop_instance_uid="1.2.4")
    further = make_findings(rods=0, specks=6, sop_instance_uid="1.2.4", frame=3)
    records = [
        findings.record(path="exam/one.dcm"),
        other.record(path="exam/two.dcm"),
        further.record("exam/two.dcm"),
    ]
    write_tables(folder, *([record[table] for record in records] for table in TABLES), request.param)
    write_manifest(folder, run_manifest(findings.parameters, findings.lexicon, {}))
    return folder


def test_it_says_the_same_as_the_findings_did(run, findings):
    for k in (1, 2, 7):
        text = explain_row(run, k, "exam/one.dcm")
        assert text.endswith(str(findings.explain(k)))


def test_it_says_where_the_calcification_is(run):
    assert explain_row(run, 1, "one.dcm").startswith(
        "calcification 1 of exam/one.dcm, row 223.5, column 129.5, score 0.90\n"
    )
    assert ", frame 3, " in explain_row(run, 1, "two.dcm", frame=3)


@pytest.mark.parametrize("image", ["exam/two.dcm", "two.dcm", "1.2.4"])
def test_an_image_is_named_by_path_its_end_or_uid(run, image):
    assert "of exam/two.dcm, row" in explain_row(run, 2, image)
    assert "large rod" in explain_row(run, 2, image)


def test_several_images_need_a_choice(run):
    with pytest.raises(InvalidParameter, match=r"--image: 2 images fit: exam/one\.dcm, exam/two\.dcm"):
        explain_row(run, 1)
    assert "two.dcm" in explain_row(run, 1, frame=3)


def test_an_unknown_image_is_named(run):
    with pytest.raises(InvalidParameter, match=r"no searched image fits 'three\.dcm'; there are 2"):
        explain_row(run, 1, "three.dcm")
    with pytest.raises(InvalidParameter, match="no searched image with frame 9 fits"):
        explain_row(run, 1, "two.dcm", frame=9)


@pytest.mark.parametrize("number", [0, -1, 8])
def test_an_unknown_calcification_is_named(run, number):
    with pytest.raises(
        InvalidParameter, match=rf"no calcification {number} in exam/one\.dcm; it has 7, counted from 1"
    ):
        explain_row(run, number, "one.dcm")


def test_the_rules_are_those_of_the_run_not_those_of_today(run, findings, tmp_path):
    moved = findings.lexicon.with_threshold("long", 2.25)
    for table in TABLES:
        for file in run.glob(f"{table}.*"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    write_manifest(tmp_path, run_manifest(findings.parameters, moved, {}))
    assert "elongation 7.5 >= 2.25: met" in explain_row(tmp_path, 1, "one.dcm")


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UnreadableInput, match=r"no run\.json"):
        explain_row(tmp_path, 1)
