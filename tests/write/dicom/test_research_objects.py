"""Comprehensive SR, segmentation and presentation state: valid, in the study, and true to the findings."""

from __future__ import annotations

import builtins
import copy
import dataclasses
import io

import numpy as np
import pydicom
import pytest

from mammocalc.errors import UnwritableObject
from mammocalc.write.dicom.cad_sr_reader import read_cad_sr
from mammocalc.write.dicom.colour import cielab
from mammocalc.write.dicom.measurement_report import measurement_report
from mammocalc.write.dicom.presentation_state import presentation_state
from mammocalc.write.dicom.segmentation import segmentation
from mammocalc.write.dicom.study import reported_image, study_cad_sr

CONFIGURATION = "parameters 0123456789abcdef, rules 0123456789abcdef"


def write_report(view):
    return measurement_report(reported_image(view.record, view.source), view.source, CONFIGURATION)


def write_segmentation(view):
    return segmentation(view.findings, view.source, CONFIGURATION)


def write_presentation_state(view):
    return presentation_state(view.findings, view.source, CONFIGURATION)


WRITERS = {
    "sr": (write_report, "ComprehensiveSR"),
    "seg": (write_segmentation, "Segmentation"),
    "pr": (write_presentation_state, "GrayscaleSoftcopyPresentationState"),
}


@pytest.fixture(scope="module")
def view(make_view):
    return make_view("R", "MLO", rods=2, specks=8)


@pytest.fixture(scope="module")
def raw(make_view):
    return make_view("L", "CC", intent="FOR PROCESSING", linear_in_exposure=True, dense_is_bright=False)


def opened(data):
    return pydicom.dcmread(io.BytesIO(data))


@pytest.mark.parametrize("kind", WRITERS)
def test_modules_are_valid(kind, view, raw, tmp_path, check_modules):
    write, name = WRITERS[kind]
    for image in (view, raw):
        path = tmp_path / "object.dcm"
        path.write_bytes(write(image))
        assert name in check_modules(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_joins_the_original_study(kind, view):
    written, image = opened(WRITERS[kind][0](view)), pydicom.dcmread(view.path)
    for keyword in (
        "StudyInstanceUID",
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyDate",
        "StudyID",
    ):
        assert written[keyword].value == image[keyword].value
    assert written.SeriesInstanceUID != image.SeriesInstanceUID
    assert str(image.SOPInstanceUID) in written.to_json()


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_findings_give_the_same_bytes(kind, view, raw):
    write = WRITERS[kind][0]
    assert write(view) == write(view)
    assert opened(write(view)).SOPInstanceUID != opened(write(raw)).SOPInstanceUID


@pytest.mark.parametrize("kind", ["sr", "seg"])
def test_without_highdicom_it_says_what_to_install(kind, view, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith("highdicom"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UnwritableObject, match=r"pip install 'mammocalc\[dicom\]'"):
        WRITERS[kind][0](view)


class TestMeasurementReport:
    def test_template_is_valid(self, view, tmp_path, check_template):
        path = tmp_path / "report.dcm"
        path.write_bytes(write_report(view))
        assert "Found Root Template TID_1500" in check_template(path)

    def test_an_image_without_findings_says_so(self, make_view, tmp_path, check_modules):
        path = tmp_path / "report.dcm"
        path.write_bytes(write_report(make_view(rods=0, specks=0)))
        check_modules(path)
        (group,) = _groups(pydicom.dcmread(path))
        assert _numbers(group) == {"Number of calcifications": 0}

    def test_states_every_calcification_and_cluster(self, view):
        import highdicom.sr

        report = highdicom.sr.srread(io.BytesIO(write_report(view)))
        regions = report.content.get_planar_roi_measurement_groups()
        assert len(regions) == len(view.findings) + 1
        groups = {_text(group, "Tracking Identifier"): group for group in _groups(opened(write_report(view)))}
        assert set(groups) == {"image", "cluster 1", *(f"calcification {k}" for k in range(1, 11))}
        assert _numbers(groups["image"]) == {"Number of calcifications": 10}
        assert _numbers(groups["calcification 1"])["Length"] == 6.0
        assert _numbers(groups["cluster 1"])["Long Axis"] == 3.2

    def test_regions_count_from_the_corner_of_the_first_pixel(self, view):
        group = next(
            group
            for group in _groups(opened(write_report(view)))
            if _text(group, "Tracking Identifier") == "calcification 1"
        )
        (region,) = [item for item in group.ContentSequence if item.ValueType == "SCOORD"]
        corners = np.reshape(region.GraphicData, (-1, 2))
        # The first rod covers rows 220 to 227 and columns 100 to 159.
        np.testing.assert_allclose(corners.min(axis=0), (100, 220), atol=0.6)
        np.testing.assert_allclose(corners.max(axis=0), (160, 228), atol=0.6)


def _groups(report):
    (measurements,) = [
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    ]
    return list(measurements.ContentSequence)


def _numbers(group):
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.MeasuredValueSequence[0].NumericValue
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }


def _text(group, name):
    return next(
        item.TextValue
        for item in group.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeMeaning == name
    )


class TestSegmentation:
    def test_holds_exactly_the_pixels_of_each_label(self, view):
        import highdicom.seg

        read = highdicom.seg.segread(io.BytesIO(write_segmentation(view)))
        assert [segment.SegmentLabel for segment in read.SegmentSequence] == ["large rod-like", "punctate"]
        findings = view.findings
        top, left = findings.scene.origin
        for number, label in enumerate(("large_rod_like", "punctate")):
            mask = np.zeros(findings.mammogram.pixels.shape, bool)
            inside = mask[top : top + findings.regions.shape[0], left : left + findings.regions.shape[1]]
            inside |= np.isin(
                findings.regions.labels(), 1 + np.flatnonzero(findings.classification.label == label)
            )
            assert mask.any()
            np.testing.assert_array_equal(read.pixel_array[number].astype(bool), mask)

    def test_is_compressed(self, view):
        data = write_segmentation(view)
        assert opened(data).file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
        assert len(data) < view.findings.mammogram.pixels.size / 8 / 8

    def test_colours_are_those_of_the_pictures(self, view):
        segments = opened(write_segmentation(view)).SegmentSequence
        assert [list(segment.RecommendedDisplayCIELabValue) for segment in segments] == [
            cielab((0x6C, 0xE9, 0x2A)),
            cielab((0x4B, 0xEB, 0xEA)),
        ]


class TestPresentationState:
    def test_outlines_run_a_little_outside(self, view):
        written = opened(write_presentation_state(view))
        shapes = {
            annotation.GraphicLayer: annotation.GraphicObjectSequence
            for annotation in written.GraphicAnnotationSequence
        }
        assert {name: len(found) for name, found in shapes.items()} == {
            "CLUSTERS": 1,
            "LARGE_ROD_LIKE": 2,
            "PUNCTATE": 8,
        }
        corners = np.reshape(shapes["LARGE_ROD_LIKE"][0].GraphicData, (-1, 2))
        # Rows 220 to 227 and columns 100 to 159, and 0.25 mm of 0.1 mm pixels around.
        np.testing.assert_allclose(corners.min(axis=0), (100 - 2.5, 220 - 2.5), atol=0.7)
        np.testing.assert_allclose(corners.max(axis=0), (160 + 2.5, 228 + 2.5), atol=0.7)
        assert (corners[0] == corners[-1]).all()
        assert [layer.GraphicLayerOrder for layer in written.GraphicLayerSequence] == [1, 2, 3]

    def test_shows_the_image_as_the_image_asks_for(self, view):
        written, image = opened(write_presentation_state(view)), pydicom.dcmread(view.path)
        (window,) = written.SoftcopyVOILUTSequence
        assert (window.WindowCenter, window.WindowWidth) == (image.WindowCenter, image.WindowWidth)
        assert written.PresentationLUTShape == "IDENTITY"

    def test_a_raw_image_is_shown_between_the_values_of_its_breast(self, raw):
        written = opened(write_presentation_state(raw))
        assert written.PresentationLUTShape == "INVERSE"
        (window,) = written.SoftcopyVOILUTSequence
        low = window.WindowCenter - window.WindowWidth / 2
        high = window.WindowCenter + window.WindowWidth / 2
        # The breast has densities from 1000 to 1840, stored from 4095 downwards.
        assert 4095 - 1900 < low < high < 4095 - 950
        assert high - low > 400


def test_colours_in_cielab():
    def plain(colour):
        lightness, a, b = cielab(colour)
        return lightness / 655.35, a / 257 - 128, b / 257 - 128

    # The values of sRGB's red and green under D50 (B. Lindbloom's tables).
    np.testing.assert_allclose(plain((255, 0, 0)), (54.29, 80.81, 69.89), atol=0.1)
    np.testing.assert_allclose(plain((0, 255, 0)), (87.82, -79.29, 80.99), atol=0.1)
    np.testing.assert_allclose(plain((255, 255, 255)), (100, 0, 0), atol=0.1)
    np.testing.assert_allclose(plain((0, 0, 0)), (0, 0, 0), atol=0.1)


class TestFrames:
    """Objects of single frames of a tomosynthesis."""

    @pytest.fixture
    def frames(self, view):
        """The header of three frames, and the records of two of them."""
        source = copy.deepcopy(view.source)
        source.NumberOfFrames = 3
        source.SOPClassUID = pydicom.uid.BreastTomosynthesisImageStorage
        records = []
        for frame in (0, 2):
            images = {**view.record["images"], "frame": np.array([frame])}
            records.append({**view.record, "images": images})
        return source, records

    def test_the_study_report_tells_them_apart(self, frames, tmp_path, check_modules, tree_of):
        source, records = frames
        path = tmp_path / "report.dcm"
        path.write_bytes(study_cad_sr([(record, source) for record in records], CONFIGURATION))
        check_modules(path)
        assert tree_of(path)
        assert [image.frame for image in read_cad_sr(path).images] == [0, 2]
        report = pydicom.dcmread(path)
        (series,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        assert len(series.ReferencedSOPSequence) == 1

    def test_the_side_of_a_frame_may_be_known_to_the_reader_alone(self, frames, tmp_path, check_modules):
        source, records = frames
        # As in a tomosynthesis, whose side stands in its functional groups.
        del source.ImageLaterality
        data = study_cad_sr([(record, source) for record in records], CONFIGURATION)
        assert [image.laterality for image in read_cad_sr(opened(data)).images] == ["R", "R"]
        path = tmp_path / "report.dcm"
        path.write_bytes(measurement_report(reported_image(records[0], source), source, CONFIGURATION))
        check_modules(path)
        assert "24028007" in pydicom.dcmread(path).to_json()

    def test_the_others_name_the_frame(self, view, frames, tmp_path, check_modules):
        source, (_, last) = frames
        findings = _in_frame(view.findings, 2)
        for data in (
            measurement_report(reported_image(last, source), source, CONFIGURATION),
            segmentation(findings, source, CONFIGURATION),
            presentation_state(findings, source, CONFIGURATION),
        ):
            path = tmp_path / "object.dcm"
            path.write_bytes(data)
            check_modules(path)
            assert '"00081160":{"Value":[3],"vr":"IS"}' in pydicom.dcmread(path).to_json().replace(" ", "")

    def test_segments_refer_to_their_frame_pixel_on_pixel(self, view, frames):
        import highdicom.seg

        source, _ = frames
        # A tomosynthesis has a frame of reference, and the place of each frame in it.
        source.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.99"
        written = {k: segmentation(_in_frame(view.findings, k), source, CONFIGURATION) for k in (0, 2)}
        for frame, data in written.items():
            read = highdicom.seg.segread(io.BytesIO(data))
            assert read.SourceImageSequence[0].ReferencedFrameNumber == frame + 1
            for groups in read.PerFrameFunctionalGroupsSequence:
                (derivation,) = groups.DerivationImageSequence
                (referred,) = derivation.SourceImageSequence
                assert referred.ReferencedSOPInstanceUID == source.SOPInstanceUID
                assert referred.ReferencedSOPClassUID == pydicom.uid.BreastTomosynthesisImageStorage
                assert referred.ReferencedFrameNumber == frame + 1
            assert "FrameOfReferenceUID" not in read
            single = highdicom.seg.segread(io.BytesIO(write_segmentation(view)))
            np.testing.assert_array_equal(read.pixel_array, single.pixel_array)
        first, last = (
            {segment.TrackingUID for segment in opened(data).SegmentSequence} for data in written.values()
        )
        assert not first & last


def _in_frame(findings, frame):
    return dataclasses.replace(findings, mammogram=dataclasses.replace(findings.mammogram, frame=frame))
