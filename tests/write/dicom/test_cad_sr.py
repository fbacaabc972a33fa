"""Mammography CAD SR: what it states, who can read it, and that it comes back as it was."""

from __future__ import annotations

import copy
import dataclasses
import io

import numpy as np
import pydicom
import pytest

import mammocalc as mc
from mammocalc.classify.lexicon import LABELS
from mammocalc.errors import UnreadableInput, UnwritableObject
from mammocalc.write.dicom.cad_sr_reader import read_cad_sr
from mammocalc.write.dicom.codes import (
    CALCIFICATION_TYPES,
    DISTRIBUTIONS,
    MODIFIER_CODES,
    SIDES,
    TYPE_OF_CODE,
    VIEW_CODES,
    calcification_type,
)
from mammocalc.write.dicom.source import read_source
from mammocalc.write.dicom.study import reported_image, study_cad_sr

CONFIGURATION = "parameters 0123456789abcdef, rules 0123456789abcdef"


@pytest.fixture(scope="module")
def examinations(make_view):
    """The situations that a report has to state."""
    return {
        "many findings": [make_view(rods=3, specks=12)],
        "no findings": [make_view("R", "MLO", rods=0, specks=0)],
        "a failed image": [make_view(), make_view("L", "MLO", is_failed=True)],
        "only failed images": [make_view("R", is_failed=True)],
        "both breasts": [make_view("L"), make_view("R", rods=0)],
        "four views": [
            make_view(side, view, rods=rods, specks=6 if rods == 2 else 0)
            for rods, (side, view) in enumerate((s, v) for v in ("CC", "MLO") for s in "RL")
        ],
    }


SITUATIONS = (
    "many findings",
    "no findings",
    "a failed image",
    "only failed images",
    "both breasts",
    "four views",
)
STATED = {
    "many findings": ("111242", "111222"),
    "no findings": ("111241", "111222"),
    "a failed image": ("111244", "111223"),
    "only failed images": ("111245", "111224"),
    "both breasts": ("111242", "111222"),
    "four views": ("111242", "111222"),
}


@pytest.fixture
def write(examinations, members_of, tmp_path):
    def write(situation):
        path = tmp_path / "report.dcm"
        path.write_bytes(study_cad_sr(members_of(examinations[situation]), CONFIGURATION))
        return path

    return write


def children(item, meaning):
    return [
        child
        for child in item.get("ContentSequence", ())
        if "ConceptNameCodeSequence" in child and child.ConceptNameCodeSequence[0].CodeMeaning == meaning
    ]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_comes_back_as_it_was(situation, examinations, write):
    read = read_cad_sr(write(situation))
    stated = tuple(reported_image(view.record, view.source) for view in examinations[situation])
    assert read.images == stated
    assert read.parameters == CONFIGURATION
    assert (read.algorithm, read.version) == ("mammocalc", mc.__version__)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_modules_are_valid(situation, write, check_modules):
    assert "MammographyCADSR" in check_modules(write(situation))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_template_is_valid(situation, write, check_template):
    assert "Found Root Template TID_4000" in check_template(write(situation))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_an_independent_reader_finds_the_same(situation, examinations, write, tree_of):
    tree = tree_of(write(situation))
    images = read_cad_sr(write(situation)).images
    assert tree.count('129770007,SCT,"Individual Calcification"') == sum(
        len(image.all_calcifications) for image in images
    ) + (any(image.is_searched for image in images) + any(not image.is_searched for image in images))
    for image in images:
        for single in image.all_calcifications:
            assert f"{single.col + 0.5:g}/{single.row + 0.5:g}" in tree
            assert f'"{single.length_mm:g}" (mm,UCUM' in tree
            assert CALCIFICATION_TYPES[single.label].meaning in tree


@pytest.mark.parametrize("situation", SITUATIONS)
def test_says_what_was_done_and_what_not(situation, write):
    report = pydicom.dcmread(write(situation))
    (summary,) = children(report, "CAD Processing and Findings Summary")
    (detections,) = children(report, "Summary of Detections")
    said = (summary.ConceptCodeSequence[0].CodeValue, detections.ConceptCodeSequence[0].CodeValue)
    assert said == STATED[situation]
    failed = [
        image.ReferencedContentItemIdentifier[-1] for image in _searched(detections, "Failed Detections")
    ]
    assert failed == {"a failed image": [2, 2], "only failed images": [1, 1]}.get(situation, [])


def _searched(detections, outcome):
    for group in children(detections, outcome):
        for performed in children(group, "Detection Performed"):
            for child in performed.ContentSequence:
                if "ReferencedContentItemIdentifier" in child:
                    yield child


def test_positions_count_from_the_corner_of_the_first_pixel(examinations, write):
    (view,) = examinations["many findings"]
    report = pydicom.dcmread(write("many findings"))
    (summary,) = children(report, "CAD Processing and Findings Summary")
    (impression,) = children(summary, "Individual Impression/Recommendation")
    rod = next(
        finding
        for finding in children(impression, "Single Image Finding")
        if finding.ConceptCodeSequence[0].CodeMeaning == "Individual Calcification"
    )
    (centre,), (outline,) = children(rod, "Center"), children(rod, "Outline")
    # The first rod covers rows 220 to 227 and columns 100 to 159.
    assert view.record["calcifications"]["row"][0] == 223.5
    assert list(centre.GraphicData) == [130.0, 224.0]
    corners = np.reshape(outline.GraphicData, (-1, 2))
    np.testing.assert_allclose(corners.min(axis=0), (100, 220), atol=0.6)
    np.testing.assert_allclose(corners.max(axis=0), (160, 228), atol=0.6)
    assert (corners[0] == corners[-1]).all()
    assert centre.ContentSequence[0].ReferencedContentItemIdentifier == [1, 2, 1]


def test_a_cluster_is_inferred_from_its_members(examinations, write):
    (image,) = read_cad_sr(write("many findings")).images
    (cluster,) = image.clusters
    assert cluster.n_calcifications == 12 == len(cluster.calcifications)
    assert (cluster.distribution, cluster.morphology, cluster.extent_mm) == ("grouped", "punctate", 3.2)
    assert len(image.calcifications) == 3
    rows, cols = np.transpose(cluster.outline)
    for single in cluster.calcifications:
        assert rows.min() <= single.row <= rows.max()
        assert cols.min() <= single.col <= cols.max()


def test_joins_the_original_study(examinations, write):
    report = pydicom.dcmread(write("four views"))
    images = [pydicom.dcmread(view.path, stop_before_pixels=True) for view in examinations["four views"]]
    for keyword in (
        "StudyInstanceUID",
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyDate",
        "StudyID",
    ):
        assert {image[keyword].value for image in images} == {report[keyword].value}
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    referred = {
        instance.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert referred == {image.SOPInstanceUID for image in images}
    assert report.SeriesInstanceUID not in {image.SeriesInstanceUID for image in images}


def test_equal_findings_give_equal_bytes_and_others_another_identifier(examinations, members_of):
    members = members_of(examinations["both breasts"])
    once, again = study_cad_sr(members, CONFIGURATION), study_cad_sr(members, CONFIGURATION)
    assert once == again
    other = study_cad_sr(members[:1], CONFIGURATION)
    assert _identifier(once) != _identifier(other)


def _identifier(data):
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert len(dataset.SOPInstanceUID) <= 64
    return dataset.SOPInstanceUID


def test_benign_findings_may_be_presented_and_others_must(examinations, write):
    report = pydicom.dcmread(write("many findings"))
    (summary,) = children(report, "CAD Processing and Findings Summary")
    (impression,) = children(summary, "Individual Impression/Recommendation")
    intents = {}
    for finding in children(impression, "Single Image Finding"):
        (intent,) = children(finding, "Rendering Intent")
        kind = finding.ConceptCodeSequence[0].CodeMeaning
        intents.setdefault(kind, set()).add(intent.ConceptCodeSequence[0].CodeValue)
    assert intents == {"Individual Calcification": {"111151"}, "Calcification Cluster": {"111150"}}


def test_refuses_images_of_two_studies_or_two_people(make_view, members_of):
    here, elsewhere = make_view(), make_view(study="1.2.826.0.1.3680043.8.498.78")
    with pytest.raises(UnwritableObject, match="not of one study"):
        study_cad_sr(members_of([here, elsewhere]), CONFIGURATION)
    other = dataclasses.replace(here, source=copy.deepcopy(here.source))
    other.source.PatientID = "SOMEONE ELSE"
    with pytest.raises(UnwritableObject, match="differ in PatientID"):
        study_cad_sr(members_of([here, other]), CONFIGURATION)


def test_an_image_that_is_there_twice_is_stated_once(make_view, members_of):
    whole, broken, other = make_view(), make_view(is_failed=True), make_view("R")
    report = study_cad_sr(members_of([broken, other, whole, whole]), CONFIGURATION)
    assert report == study_cad_sr(members_of([whole, other]), CONFIGURATION)


def test_view_modifiers_are_stated(make_view, tmp_path, check_modules):
    view = make_view()
    image = pydicom.dcmread(view.path)
    modifier = pydicom.Dataset()
    modifier.CodeValue, modifier.CodingSchemeDesignator = "R-102D6", "SRT"
    modifier.CodeMeaning = "Magnification"
    image.ViewCodeSequence[0].ViewModifierCodeSequence = [modifier]
    image.save_as(tmp_path / "image.dcm")
    path = tmp_path / "report.dcm"
    path.write_bytes(study_cad_sr([(view.record, read_source(tmp_path / "image.dcm"))], CONFIGURATION))
    check_modules(path)
    (stated,) = read_cad_sr(path).images
    assert (stated.view, stated.view_modifiers) == ("CC", ("Magnification",))


def test_names_in_other_alphabets_are_kept(make_view, tmp_path):
    view = make_view()
    image = pydicom.dcmread(view.path)
    image.SpecificCharacterSet = "ISO_IR 144"
    image.PatientName = "Люкceмбypг"
    image.save_as(tmp_path / "image.dcm")
    source = read_source(tmp_path / "image.dcm")
    data = study_cad_sr([(view.record, source)], CONFIGURATION)
    assert pydicom.dcmread(io.BytesIO(data)).PatientName == "Люкceмбypг"


def test_what_a_header_has_wrong_is_not_carried_on(make_view, tmp_path, check_modules):
    view = make_view()
    image = pydicom.dcmread(view.path)
    for keyword, value in (("PatientBirthDate", "unknown!"), ("PatientSex", "female " * 9)):
        element = image[keyword]
        element.validation_mode = pydicom.config.IGNORE
        element._value = value
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    source = read_source(tmp_path / "image.dcm")
    path = tmp_path / "report.dcm"
    path.write_bytes(study_cad_sr([(view.record, source)], CONFIGURATION))
    check_modules(path)


def test_a_sequence_that_cannot_be_read_is_left_out(make_view, tmp_path):
    data = make_view().path.read_bytes()
    broken = data.replace(b"\x08\x00\x02\x01SH", b"\x08\x00\x02\x01S{")
    assert broken != data
    (tmp_path / "image.dcm").write_bytes(broken)
    source = read_source(tmp_path / "image.dcm")
    assert "ViewCodeSequence" not in source
    assert source.PatientID == "PHANTOM"


def test_an_image_that_names_no_study_gets_no_object(make_view, tmp_path):
    image = pydicom.dcmread(make_view().path)
    del image.StudyInstanceUID
    image.save_as(tmp_path / "image.dcm")
    with pytest.raises(UnwritableObject, match="no StudyInstanceUID"):
        read_source(tmp_path / "image.dcm")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(UnwritableObject, match="belongs to no study"):
        read_source(tmp_path / "picture.png")


@pytest.mark.parametrize("length_mm", [0.2, 0.5, None])
def test_every_label_has_a_code_of_its_own(length_mm):
    written = {label: calcification_type(label, length_mm) for label in LABELS}
    assert len(set(written.values())) == len(LABELS)
    assert {TYPE_OF_CODE.get(code.value, "unclassified") for code in written.values()} == set(LABELS)
    assert all(TYPE_OF_CODE.get(code.value, "unclassified") == label for label, code in written.items())


def test_codes_are_those_of_the_standard():
    from pydicom.sr.codedict import codes

    for group, written in (
        (codes.cid6010, CALCIFICATION_TYPES),
        (codes.cid6012, DISTRIBUTIONS),
        (codes.cid6022, SIDES),
        (codes.cid4014, VIEW_CODES),
        (codes.cid4015, MODIFIER_CODES),
    ):
        known = {getattr(group, name) for name in group.dir()}
        assert {(code.value, code.scheme_designator) for code in written.values()} <= {
            (code.value, code.scheme_designator) for code in known
        }


class TestReader:
    def test_takes_older_codes_and_what_is_missing(self, write):
        report = pydicom.dcmread(write("many findings"))
        text = report.to_json()
        for new, old in (
            ('"129770007"', '"F-01776"'),
            ('"129769006"', '"F-01775"'),
            ('"129755006"', '"F-01767"'),
            ('"129752009"', '"F-01764"'),
            ('"129766004"', '"F-01772"'),
        ):
            assert new in text
            text = text.replace(new, old)
        older = pydicom.Dataset.from_json(text)
        assert read_cad_sr(older).images == read_cad_sr(report).images

    def test_findings_without_measurements_are_read(self, write):
        report = pydicom.dcmread(write("many findings"))

        def strip(dataset):
            kept = [
                child
                for child in dataset.get("ContentSequence", ())
                if child.get("ValueType") not in ("NUM", "TEXT")
            ]
            for child in kept:
                strip(child)
            if kept:
                dataset.ContentSequence = kept

        strip(report)
        (image,) = read_cad_sr(report).images
        assert [single.length_mm for single in image.calcifications] == [None] * 3
        assert len(image.clusters[0].calcifications) == 12
        assert image.pixel_spacing_mm is None
        assert image.calcifications[0].calcification_id == 0

    def test_other_objects_are_refused(self, make_view, tmp_path):
        with pytest.raises(UnreadableInput, match="not a Mammography CAD SR"):
            read_cad_sr(make_view().path)
        (tmp_path / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM\x02\0")
        with pytest.raises(UnreadableInput, match=r"damaged|not a Mammography CAD SR"):
            read_cad_sr(tmp_path / "cut.dcm")
        with pytest.raises(UnreadableInput, match="No such file"):
            read_cad_sr(tmp_path / "nowhere.dcm")
