"""Findings in hand as DICOM files."""

from __future__ import annotations

import dataclasses

import pydicom
import pytest

import mammocalc as mc
from mammocalc.errors import InvalidParameter, UnwritableObject

STUDY = "1.2.826.0.1.3680043.8.498.77"


def test_one_report_of_all_images_and_the_others_of_each(make_view, tmp_path):
    views = [make_view("L", "CC"), make_view("R", "CC", rods=0, specks=0)]
    written = mc.write_dicom(
        [view.findings for view in views], tmp_path / "new" / "objects", ("cad-sr", "sr", "seg", "pr")
    )
    assert sorted(path.name for path in written) == sorted(
        [
            f"{STUDY}.cad-sr.dcm",
            f"{STUDY}.0.0.1.pr.dcm",
            f"{STUDY}.0.0.1.seg.dcm",
            f"{STUDY}.0.0.1.sr.dcm",
            f"{STUDY}.1.0.1.sr.dcm",
        ]
    )
    assert {pydicom.dcmread(path).StudyInstanceUID for path in written} == {STUDY}
    report = mc.read_cad_sr(written[0])
    assert [len(image.all_calcifications) for image in report.images] == [7, 0]


def test_findings_of_one_image_that_is_in_memory(make_view, tmp_path):
    view = make_view()
    here = dataclasses.replace(view.findings, mammogram=dataclasses.replace(view.findings.mammogram, path=""))
    (path,) = mc.write_dicom(here, tmp_path, sources=[pydicom.dcmread(view.path)])
    (image,) = mc.read_cad_sr(path).images
    assert image.all_calcifications[0].row == 223.5


def test_says_what_it_cannot_write(make_view, tmp_path):
    view = make_view()
    with pytest.raises(InvalidParameter, match="'dicom' is not one of cad-sr, sr, seg, pr"):
        mc.write_dicom(view.findings, tmp_path, ["dicom"])
    with pytest.raises(InvalidParameter, match="1 of images, sources: 2"):
        mc.write_dicom(view.findings, tmp_path, sources=[view.path, view.path])
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(UnwritableObject, match="belongs to no study"):
        mc.write_dicom(view.findings, tmp_path, sources=[tmp_path / "picture.png"])
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
