"""Marks from findings at hand and from the tables of a run; which image of a truth is which of a run."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.detections import detections_of, nothing_found, read_detections
from mammocalc.evaluate.run import by_image
from mammocalc.write.tables import columns_of, write_tables


def test_marks_of_findings_have_places_and_masks_in_stored_pixels(findings):
    found = detections_of(findings)
    assert len(found) == 7
    np.testing.assert_array_equal(found.marks.row, findings.calcifications["row"])
    assert found.label.tolist() == findings.calcifications["label"].tolist()
    for k, runs in enumerate(found.marks.runs):
        rows = [row for row, _, _ in runs]
        columns = [column for _, start, stop in runs for column in range(start, stop)]
        bounds = findings.calcifications.iloc[k]
        assert (min(rows), max(rows) + 1) == (bounds.row_min, bounds.row_max)
        assert (min(columns), max(columns) + 1) == (bounds.col_min, bounds.col_max)
    assert found.breast_area_mm2 == findings.scene.anatomy.breast_area_mm2


def test_tables_give_the_same_marks_without_masks(findings, make_findings, tmp_path):
    none = make_findings(rods=0, specks=0, path="exam/none.dcm", sop_instance_uid="1.2.4")
    failed = columns_of("images", {"path": "exam/cut.dcm", "status": "failed"}, 1)
    records = [findings.record(), none.record()]
    write_tables(
        tmp_path,
        [record["images"] for record in records] + [failed],
        [record["calcifications"] for record in records],
        [record["clusters"] for record in records],
    )
    one, empty, cut = read_detections(tmp_path)
    direct = detections_of(findings)
    np.testing.assert_array_equal(one.score, direct.score)
    np.testing.assert_array_equal(one.marks.col, direct.marks.col)
    assert one.marks.runs is None
    assert one.pixel_spacing_mm == direct.pixel_spacing_mm
    assert (len(empty), empty.status) == (0, "ok")
    assert (cut.path, cut.status, len(cut)) == ("exam/cut.dcm", "failed", 0)
    assert np.isnan(cut.breast_area_mm2)
    with pytest.raises(UnreadableInput, match="images"):
        read_detections(tmp_path / "elsewhere")


def named(*paths):
    return [nothing_found(path, "ok") for path in paths]


def paths_of(found):
    return [one.path if one is not None else None for one in found]


def test_an_image_is_known_by_the_end_of_its_path():
    run = named("a/1-1.dcm", "b/1-1.dcm", "c.dcm", "d.PNG")
    assert paths_of(by_image(run, ["set/b/1-1.dcm", "x/c.dicom", "d", "e.dcm"])) == [
        "b/1-1.dcm",
        "c.dcm",
        "d.PNG",
        None,
    ]


def test_an_image_that_could_be_two_is_none():
    assert paths_of(by_image(named("a/1-1.dcm", "b/1-1.dcm"), ["1-1.dcm", "c/1-1.dcm"])) == [None, None]
    assert paths_of(by_image(named("a/1-1.dcm", "b/1-1.dcm"), ["z/a/1-1.dcm"])) == ["a/1-1.dcm"]
