"""Pages of studies and the index of a run: complete, resumed, joined from parts, the same bytes, nobody's name."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pydicom
import pytest

import mammocalc.pipeline
from mammocalc.batch import crew, detect_folder, merge, work
from mammocalc.errors import NoBreastFound
from mammocalc.write.dicom import write_mammogram
from mammocalc.write.html.study import page_name

# Study, side, view of each image.
IMAGES = {
    "ann/1": ("1.2.826.0.1.11", "L", "CC"),
    "ann/2": ("1.2.826.0.1.11", "R", "CC"),
    "cleo/empty": ("1.2.826.0.1.13", "L", "CC"),
    "cleo/whole": ("1.2.826.0.1.13", "R", "CC"),
}
ANN, CLEO = page_name("1.2.826.0.1.11"), page_name("1.2.826.0.1.13")


@pytest.fixture(scope="module")
def image_files(make_findings, tmp_path_factory):
    """Mammograms of two studies, one of which has an image without a breast, and a picture of none."""
    folder = tmp_path_factory.mktemp("images")
    for number, (name, (study, side, view)) in enumerate(IMAGES.items(), 1):
        found = make_findings(
            laterality=side, view=view, study_instance_uid=study, sop_instance_uid=f"{study}.{number}"
        )
        (folder / name).parent.mkdir(exist_ok=True)
        write_mammogram(found.mammogram, folder / name)
        header = pydicom.dcmread(folder / name)
        header.PatientName, header.PatientID, header.StudyDate = "PLANTEDNAME^Jane", "PLANTEDID77", "19481231"
        header.save_as(folder / name)
    cv2.imwrite(str(folder / "loose.png"), make_findings().mammogram.pixels)
    (folder / "text.txt").write_text("no image")
    return folder


@pytest.fixture
def images(image_files, tmp_path):
    return Path(shutil.copytree(image_files, tmp_path / "images"))


@pytest.fixture
def searched(make_findings, monkeypatch):
    """Names of the images that were searched; the findings of each are made by hand."""
    names = []
    found = make_findings()

    def detect(mammogram, *arguments, **options):
        names.append("/".join(Path(mammogram.path).parts[-2:]))
        if names[-1] == "cleo/empty":
            raise NoBreastFound("nothing <there>")
        return dataclasses.replace(found, mammogram=mammogram)

    monkeypatch.setattr(mammocalc.pipeline, "detect", detect)
    return names


@pytest.fixture
def detect(searched, monkeypatch):
    monkeypatch.setattr(crew, "search_guarded", work.search)
    with ThreadPoolExecutor(1) as executor:
        yield lambda *arguments, **options: detect_folder(
            *arguments, **{"write": ("html",), "executor": executor, "pixel_spacing_mm": 0.1, **options}
        )


def files(out):
    return {
        str(path.relative_to(out / "html")): path.read_bytes()
        for path in sorted((out / "html").rglob("*"))
        if path.is_file()
    }


def data_of(page):
    return json.loads(re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_a_page_a_study_and_an_index(detect, images, tmp_path):
    summary = detect(images, tmp_path / "out")
    assert (summary.ok, summary.failed, summary.skipped, summary.unwritten_reasons) == (4, 1, 1, {})
    found = files(tmp_path / "out")
    loose = page_name("loose.png")
    assert {name for name in found if "/" not in name} == {ANN, CLEO, loose, "index.html"}
    assert [view["name"] for view in data_of(found[ANN])["views"]] == ["right CC", "left CC"]
    assert [view["status"] for view in data_of(found[CLEO])["views"]] == ["ok", "failed"]
    assert b"nothing &lt;there&gt;" in found[CLEO]
    rows = {row["path"]: row for row in data_of(found["index.html"])["rows"]}
    assert list(rows) == ["ann/1", "ann/2", "cleo/empty", "cleo/whole", "loose.png", "text.txt"]
    assert rows["cleo/empty"]["page"] == CLEO
    assert rows["cleo/empty"]["reason"] == "nothing <there>"
    assert "page" not in rows["text.txt"]
    for row in rows.values():
        assert row.get("page", "index.html") in found
        assert row.get("thumbnail", "index.html") in found


def test_findings_in_hand_give_the_same_page(detect, images, make_findings, tmp_path):
    import mammocalc as mc
    from mammocalc.read import read

    flat = tmp_path / "flat"
    flat.mkdir()
    for number in ("1", "2"):
        shutil.move(images / "ann" / number, flat / number)
    detect(flat, tmp_path / "out")
    found = [dataclasses.replace(make_findings(), mammogram=read(flat / number)) for number in ("1", "2")]
    page = mc.write_html(found, tmp_path / "page.html").read_bytes()
    of_run = re.sub(rb'<meta name="mammocalc-content" content="\w+">\n', b"", files(tmp_path / "out")[ANN])
    # The findings here were made by rules of their own, of which the run does not know.
    rules = re.compile(rb"rules [0-9a-f]{16}")
    assert len(rules.findall(page)) == 1
    assert rules.sub(b"", of_run) == rules.sub(b"", page)


def test_nothing_of_the_patient_is_on_them_or_in_the_ledger(detect, images, tmp_path):
    detect(images, tmp_path / "out", hash_paths=True)
    for path, content in files(tmp_path / "out").items():
        for planted in (b"PLANTED", b"19481231", b"ann/", b"cleo"):
            assert planted not in content, path
    entries = [work_entry.read_bytes() for work_entry in (tmp_path / "out" / "ledger").rglob("*.entry")]
    assert entries
    from mammocalc.batch.ledger import _parsed

    for entry in map(_parsed, entries):
        assert "source" not in entry.record()


def test_an_image_that_cannot_be_decoded_is_on_the_page_of_its_study(detect, images, tmp_path):
    header = pydicom.dcmread(images / "ann" / "2")
    header.PixelData = header.PixelData[:1000]
    header.save_as(images / "ann" / "2")
    assert detect(images, tmp_path / "out").failed == 2
    page = files(tmp_path / "out")[ANN]
    assert b"<title>Study 1.2.826.0.1.11</title>" in page
    views = data_of(page)["views"]
    assert [(view["name"], view["status"]) for view in views] == [("right CC", "failed"), ("left CC", "ok")]


def test_resuming_leaves_what_is_there_and_makes_what_is_missing(detect, images, tmp_path, searched):
    out = tmp_path / "out"
    detect(images, out)
    before, times = files(out), {path: path.stat().st_mtime_ns for path in (out / "html").glob("1*.html")}
    searched.clear()
    detect(images, out)
    assert searched == []
    assert {path: path.stat().st_mtime_ns for path in times} == times
    (out / "html" / ANN).unlink()
    next((out / "html" / "pictures").glob("cleo*")).unlink()
    detect(images, out)
    assert searched == ["cleo/whole"]
    assert files(out) == before


def test_pages_are_made_of_a_run_that_was_without(detect, images, tmp_path, searched):
    detect(images, tmp_path / "out", write=())
    assert not (tmp_path / "out" / "html").exists()
    detect(images, tmp_path / "out")
    assert len(searched) == 10
    detect(images, tmp_path / "other")
    assert files(tmp_path / "out") == files(tmp_path / "other")


def test_a_page_follows_its_images(detect, images, tmp_path):
    detect(images, tmp_path / "out")
    (images / "ann" / "2").unlink()
    detect(images, tmp_path / "out")
    assert len(data_of(files(tmp_path / "out")[ANN])["views"]) == 1


def test_parts_that_are_joined_give_the_same_pages(detect, images, tmp_path):
    detect(images, tmp_path / "whole")
    for part in (1, 2):
        detect(images, tmp_path / f"part{part}", shard=(part, 2))
        assert not list(tmp_path.glob("part*/html/*.html"))
    merge([tmp_path / "part1", tmp_path / "part2"], tmp_path / "joined")
    whole, joined = files(tmp_path / "whole"), files(tmp_path / "joined")
    assert joined == {name: data for name, data in whole.items() if not name.startswith("pictures/")}


def test_what_a_page_cannot_show_costs_nothing_else(detect, images, tmp_path, monkeypatch):
    from mammocalc.write.html import view

    monkeypatch.setattr(view, "breast_bounds", lambda *arguments: 1 / 0)
    summary = detect(images, tmp_path / "out")
    assert summary.ok == 4
    assert summary.unwritten_reasons == {
        "html: an internal error (ZeroDivisionError); please report it": 4,
    }
    rows = data_of(files(tmp_path / "out")["index.html"])["rows"]
    assert len(rows) == 6
