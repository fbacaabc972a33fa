"""Mammograms pass, everything else is skipped with its name."""

import pytest

from mammocalc.errors import SkippedInput, UnreadableInput
from mammocalc.read import count_frames, read

STORAGE = "1.2.840.10008.5.1.4.1.1."
SECONDARY_CAPTURE = STORAGE + "7"


@pytest.mark.parametrize(
    "elements",
    [
        {"SOPClassUID": STORAGE + "1.2.1"},
        {"SOPClassUID": STORAGE + "13.1.3"},
        {"SOPClassUID": STORAGE + "13.1.4"},
        {"SOPClassUID": SECONDARY_CAPTURE},
        {"SOPClassUID": STORAGE + "1"},
        {
            "SOPClassUID": SECONDARY_CAPTURE,
            "Modality": "RG",
            "BodyPartExamined": "BREAST",
            "ViewPosition": None,
        },
        {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT", "ViewPosition": "MLO"},
        {"SOPClassUID": STORAGE + "1.1", "Modality": "DX", "BodyPartExamined": "Left breast"},
        {"Modality": None},
    ],
)
def test_mammograms_pass(dicom_file, elements):
    assert read(dicom_file(**elements)).pixels.shape == (96, 70)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, "a DICOMDIR"),
        ({"SOPClassUID": STORAGE + "2", "Modality": "CT"}, r"not a mammogram \(modality CT\)"),
        ({"SOPClassUID": STORAGE + "4", "Modality": "MR"}, r"not a mammogram \(modality MR\)"),
        ({"SOPClassUID": STORAGE + "11.1", "Modality": "PR"}, "a presentation state"),
        ({"SOPClassUID": STORAGE + "88.50", "Modality": "SR"}, "a structured report"),
        ({"SOPClassUID": STORAGE + "66.4", "Modality": "SEG"}, "a segmentation"),
        ({"SOPClassUID": STORAGE + "104.1", "Modality": "OT"}, "an encapsulated PDF"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "US"}, "modality US"),
        (
            {"SOPClassUID": STORAGE + "1.1", "Modality": "DX", "ViewPosition": "PA"},
            "without a sign of being a mam",
        ),
        ({"SOPClassUID": SECONDARY_CAPTURE, "Modality": "Jane Somebody"}, "modality unknown"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, r"a colour image \(RGB\)"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a colour image"),
        ({"PhotometricInterpretation": "YBR_FULL_422"}, "a colour image"),
        ({"SamplesPerPixel": 4}, "an image of 4 samples a pixel"),
    ],
)
def test_others_are_skipped_with_their_name(dicom_file, elements, reason):
    path = dicom_file(**elements)
    for reader in (read, count_frames):
        with pytest.raises(SkippedInput, match=reason):
            reader(path)


def test_hidden_tomosynthesis_slices_are_named(dicom_file, dataset):
    ds = dataset(SOPClassUID=SECONDARY_CAPTURE, Manufacturer="HOLOGIC, Inc.")
    block = ds.private_block(0x7E01, "HOLOGIC, Inc.", create=True)
    block.add_new(0x10, "OB", b"\1\2\3\4")
    del ds.PixelData
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    for source in (path, ds):
        with pytest.raises(SkippedInput, match=r"Hologic SCO.*export it as Breast Tomosynthesis"):
            read(source)


def test_a_header_without_photometric_interpretation(dicom_file):
    with pytest.raises(UnreadableInput, match="neither MONOCHROME1 nor MONOCHROME2"):
        read(dicom_file(PhotometricInterpretation=None))
