"""DICOM objects of images and studies: written once, found again on resuming, the same bytes however they were made."""

from __future__ import annotations

import dataclasses
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

import mammocalc.pipeline
from mammocalc.batch import crew, detect_folder, merge, work
from mammocalc.errors import InvalidParameter, NoBreastFound
from mammocalc.read import read
from mammocalc.write.dicom import presentation_state, write_mammogram
from mammocalc.write.dicom.cad_sr_reader import read_cad_sr

ALL = ("cad-sr", "sr", "seg", "pr")
# Without the slowest to make.
QUICK = ("cad-sr", "seg", "pr")
# Study, side, view of each image.
IMAGES = {
    "ann/1": ("1.2.826.0.1.11", "L", "CC"),
    "ann/2": ("1.2.826.0.1.11", "L", "MLO"),
    "ann/3": ("1.2.826.0.1.11", "R", "CC"),
    "bea/1": ("1.2.826.0.1.12", "R", "MLO"),
    "cleo/empty": ("1.2.826.0.1.13", "L", "CC"),
    "cleo/whole": ("1.2.826.0.1.13", "R", "CC"),
}


@pytest.fixture(scope="module")
def image_files(make_findings, tmp_path_factory):
    """Mammograms of three studies; one has no breast, one study nothing to be found."""
    folder = tmp_path_factory.mktemp("images")
    for number, (name, (study, side, view)) in enumerate(IMAGES.items(), 1):
        found = make_findings(
            specks=0 if name == "bea/1" else 6,
            rods=0 if name == "bea/1" else 1,
            laterality=side,
            view=view,
            study_instance_uid=study,
            sop_instance_uid=f"{study}.{number}",
        )
        (folder / name).parent.mkdir(exist_ok=True)
        write_mammogram(found.mammogram, folder / name)
    return folder


@pytest.fixture
def images(image_files, tmp_path):
    """The same, to be changed."""
    return Path(shutil.copytree(image_files, tmp_path / "images"))


@pytest.fixture
def searched(make_findings, monkeypatch):
    """Names of the images that were searched; the findings of each are made by hand."""
    names = []

    found = {
        nothing: make_findings(rods=0 if nothing else 1, specks=0 if nothing else 6) for nothing in (0, 1)
    }

    def detect(mammogram, *arguments, **options):
        name = "/".join(Path(mammogram.path).parts[-2:])
        names.append(name)
        if name == "cleo/empty":
            raise NoBreastFound("nothing there")
        return dataclasses.replace(found[name == "bea/1"], mammogram=mammogram)

    monkeypatch.setattr(mammocalc.pipeline, "detect", detect)
    return names


@pytest.fixture
def detect(searched, monkeypatch):
    monkeypatch.setattr(crew, "search_guarded", work.search)
    with ThreadPoolExecutor(1) as executor:
        yield lambda *arguments, **options: detect_folder(
            *arguments, **{"write": QUICK, "executor": executor, **options}
        )


def files(out):
    """Bytes of all DICOM objects of an output."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("dicom/**/*.dcm"))}


def report(out, study):
    return read_cad_sr(out / "dicom" / "cad-sr" / f"{study}.dcm")


def test_one_report_a_study_and_the_others_an_image(detect, images, tmp_path):
    summary = detect(images, tmp_path / "out", write=ALL)
    assert (summary.ok, summary.failed, summary.unwritten_reasons) == (5, 1, {})
    kinds = {}
    for path in files(tmp_path / "out"):
        kinds.setdefault(path.split("/")[1], []).append(path.split("/")[2])
    assert kinds["cad-sr"] == ["1.2.826.0.1.11.dcm", "1.2.826.0.1.12.dcm", "1.2.826.0.1.13.dcm"]
    assert len(kinds["sr"]) == 5
    # Of an image without findings there is neither.
    assert len(kinds["seg"]) == len(kinds["pr"]) == 4
    four = report(tmp_path / "out", "1.2.826.0.1.11")
    assert [(image.laterality, image.view) for image in four.images] == [
        ("L", "CC"),
        ("L", "MLO"),
        ("R", "CC"),
    ]
    assert [len(image.all_calcifications) for image in four.images] == [7, 7, 7]
    none = report(tmp_path / "out", "1.2.826.0.1.12")
    assert [(image.is_searched, image.has_findings) for image in none.images] == [(True, False)]


def test_an_image_that_failed_is_stated(detect, images, tmp_path):
    detect(images, tmp_path / "out")
    images_of_report = report(tmp_path / "out", "1.2.826.0.1.13").images
    assert [(image.laterality, image.is_searched) for image in images_of_report] == [
        ("L", False),
        ("R", True),
    ]


def test_an_image_whose_worker_did_not_come_back_is_stated(detect, images, tmp_path, monkeypatch):
    """Another worker looks at its header, to tell which study it belongs to."""

    def lost(task, settings):
        if task.name.endswith("whole") and not task.header_only:
            raise RuntimeError("gone")
        return work.search(task, settings)

    monkeypatch.setattr(crew, "search_guarded", lost)
    assert detect(images, tmp_path / "out").failed == 2
    found = report(tmp_path / "out", "1.2.826.0.1.13")
    assert [image.is_searched for image in found.images] == [False, False]


def test_a_report_whose_worker_did_not_come_back_is_made_when_resuming(detect, images, tmp_path, monkeypatch):
    def lost(task, settings):
        if task.study:
            raise RuntimeError("gone")
        return work.search(task, settings)

    with monkeypatch.context() as broken:
        broken.setattr(crew, "search_guarded", lost)
        summary = detect(images, tmp_path / "out", write=("cad-sr",), log=tmp_path / "log")
    assert summary.unwritten_reasons == {"cad-sr: the worker could not do it (RuntimeError)": 3}
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["status"] for event in events if event["event"] == "study"] == ["failed"] * 3
    assert [event["event"] for event in events].count("image") == 6
    assert detect(images, tmp_path / "out", write=("cad-sr",)).unwritten_reasons == {}
    assert len(files(tmp_path / "out")) == 3


def test_resuming_makes_only_what_is_missing(detect, images, tmp_path, searched):
    out = tmp_path / "out"
    detect(images, out)
    before = files(out)
    stamps = {path: (out / path).stat().st_mtime_ns for path in before}
    searched.clear()
    detect(images, out)
    assert searched == []
    assert {path: (out / path).stat().st_mtime_ns for path in before} == stamps

    (out / "dicom/cad-sr/1.2.826.0.1.11.dcm").unlink()
    detect(images, out)
    assert searched == []
    assert files(out) == before

    removed = next(path for path in before if path.startswith("dicom/seg/ann_2"))
    (out / removed).unlink()
    detect(images, out)
    assert searched == ["ann/2"]
    assert files(out) == before


def test_the_same_bytes_in_one_run_in_pieces_and_in_shards(detect, images, tmp_path):
    detect(images, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    detect(images, tmp_path / "pieces", limit=2)
    assert len(report(tmp_path / "pieces", "1.2.826.0.1.11").images) == 2
    detect(images, tmp_path / "pieces")
    assert files(tmp_path / "pieces") == whole
    for part in (1, 2, 3):
        detect(images, tmp_path / "parts", shard=(part, 3))
    assert not (tmp_path / "parts" / "dicom" / "cad-sr").exists()
    joined = merge(tmp_path / "parts")
    assert joined.unwritten_reasons == {}
    assert files(tmp_path / "parts") == whole


def test_kinds_asked_for_later_are_added(detect, images, tmp_path, searched):
    out = tmp_path / "out"
    detect(images, out, write=("pr",))
    assert {path.split("/")[1] for path in files(out)} == {"pr"}
    detect(images, out, write=("pr", "cad-sr"))
    assert len(searched) == 12
    assert {path.split("/")[1] for path in files(out)} == {"pr", "cad-sr"}


def test_a_study_whose_image_changed_is_stated_anew(detect, images, tmp_path, searched):
    out = tmp_path / "out"
    detect(images, out)
    before = files(out)
    searched.clear()
    (images / "ann" / "3").unlink()
    detect(images, out)
    assert searched == []
    assert len(report(out, "1.2.826.0.1.11").images) == 2
    changed = {path for path in before if files(out).get(path) != before[path]}
    assert changed == {"dicom/cad-sr/1.2.826.0.1.11.dcm"}


def test_each_frame_has_its_objects(detect, images, tmp_path):
    (tmp_path / "frames").mkdir()
    path = tmp_path / "frames" / "tomosynthesis"
    write_mammogram(read(images / "ann" / "1"), path, transfer_syntax="native")
    image = pydicom.dcmread(path)
    image.SOPClassUID = pydicom.uid.BreastTomosynthesisImageStorage
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.FrameOfReferenceUID, image.NumberOfFrames = "1.2.826.0.1.99", 2
    image.PixelData = 2 * image.PixelData
    image.save_as(path)
    summary = detect(path.parent, tmp_path / "out", write=ALL)
    assert (summary.ok, summary.unwritten_reasons) == (2, {})
    written = {name: pydicom.dcmread(tmp_path / "out" / name) for name in files(tmp_path / "out")}
    kinds = sorted(name.split("/")[1] for name in written)
    assert kinds == ["cad-sr", "pr", "pr", "seg", "seg", "sr", "sr"]
    frames = sorted(
        (name.split("/")[1], name.endswith("-frame1.dcm"), frame)
        for name, written_object in written.items()
        for frame in {element.value for element in written_object.iterall() if element.tag == 0x00081160}
    )
    assert [frame for frame in frames if frame[0] != "cad-sr"] == [
        (kind, second, 2 if second else 1) for kind in ("pr", "seg", "sr") for second in (False, True)
    ]


def test_a_picture_belongs_to_no_study(detect, images, tmp_path):
    cv2.imwrite(str(images / "scan.png"), np.zeros((50, 50), np.uint16))
    summary = detect(images, tmp_path / "out", pixel_spacing_mm=0.07)
    assert summary.failed == 1
    reason = "the image is no DICOM object and belongs to no study"
    assert summary.unwritten_reasons == {f"{kind}: {reason}": 1 for kind in QUICK}
    assert (
        detect(images, tmp_path / "out", pixel_spacing_mm=0.07).unwritten_reasons == summary.unwritten_reasons
    )


def test_two_patients_in_one_study_get_no_common_report(detect, images, tmp_path):
    image = pydicom.dcmread(images / "ann" / "3")
    image.PatientID = "ANOTHER"
    image.save_as(images / "ann" / "3")
    out = tmp_path / "out"
    summary = detect(images, out)
    assert summary.unwritten_reasons == {"cad-sr: images of one study differ in PatientID": 1}
    assert not (out / "dicom/cad-sr/1.2.826.0.1.11.dcm").exists()
    assert detect(images, out).unwritten_reasons == summary.unwritten_reasons


def test_an_object_that_cannot_be_made_costs_neither_row_nor_the_others(
    detect, images, tmp_path, monkeypatch
):
    def broken(*arguments):
        raise KeyError("PLANTED")

    monkeypatch.setattr(presentation_state, "presentation_state", broken)
    summary = detect(images, tmp_path / "out")
    assert (summary.ok, summary.failed) == (5, 1)
    assert summary.unwritten_reasons == {"pr: an internal error (KeyError); please report it": 4}
    assert {path.split("/")[1] for path in files(tmp_path / "out")} == {"cad-sr", "seg"}


def test_says_what_to_install(detect, images, tmp_path, monkeypatch):
    from mammocalc.batch import settings

    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    with pytest.raises(
        InvalidParameter, match=r"sr and seg need highdicom: pip install 'mammocalc\[dicom\]'"
    ):
        detect(images, tmp_path / "out", write=ALL)
    detect(images, tmp_path / "out", write=("cad-sr", "pr"))


def test_names_are_only_where_they_were_asked_for(detect, images, tmp_path):
    def holds_name(out):
        return [
            path for path in out.rglob("*") if path.is_file() and b"Synthetic^Phantom" in path.read_bytes()
        ]

    detect(images, tmp_path / "plain", write=("overlay",))
    assert holds_name(tmp_path / "plain") == []
    detect(images, tmp_path / "asked")
    assert len(holds_name(tmp_path / "asked")) == len(files(tmp_path / "asked"))


def test_in_worker_processes(images, tmp_path):
    summary = detect_folder(images, tmp_path / "out", write=("cad-sr", "pr"), jobs=2, log=tmp_path / "log")
    assert (summary.ok, summary.unwritten_reasons) == (6, {})
    stated = [report(tmp_path / "out", f"1.2.826.0.1.{study}") for study in (11, 12, 13)]
    assert [len(study.images) for study in stated] == [3, 1, 2]
    found = sum(len(image.all_calcifications) for study in stated for image in study.images)
    assert found == summary.calcifications
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["status"] for event in events if event["event"] == "study"] == ["ok"] * 3
