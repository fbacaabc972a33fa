import dataclasses

import numpy as np
import pydicom
import pytest

from mammocalc.read import read
from mammocalc.read.mammogram import Mammogram
from mammocalc.write.dicom import TRANSFER_SYNTAXES, Origin, write_mammogram

rng = np.random.default_rng(0)

# A bright half-disc on black: what a breast looks like to a coder.
GRID = np.hypot(np.arange(61)[:, None] - 30, np.arange(47)[None, :]) < 28


def mammogram(**values):
    bits = values.get("bits_stored", 12)
    pixels = (GRID * rng.integers(2**bits // 4, 2**bits, GRID.shape)).astype(np.uint16)
    return Mammogram(
        **{
            "pixels": pixels,
            "pixel_spacing_mm": 0.065,
            "spacing_source": "phantom",
            "intent": "FOR PRESENTATION",
            "bits_stored": bits,
            "laterality": "R",
            "view": "MLO",
            "sop_instance_uid": "2.25.11",
            "study_instance_uid": "2.25.12",
            **values,
        }
    )


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"dense_is_bright": False},
        {
            "intent": "FOR PROCESSING",
            "linear_in_exposure": True,
            "dense_is_bright": False,
            "bits_stored": 14,
            "laterality": "L",
            "view": "CC",
        },
        {"bits_stored": 8},
    ],
)
def test_reads_back_as_it_was(tmp_path, syntax, values):
    written = mammogram(**values)
    path = tmp_path / "x.dcm"
    write_mammogram(written, path, transfer_syntax=syntax)
    back = read(path)
    np.testing.assert_array_equal(back.pixels, written.pixels)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
    for field in (
        "pixel_spacing_mm",
        "intent",
        "linear_in_exposure",
        "dense_is_bright",
        "bits_stored",
        "laterality",
        "view",
        "sop_instance_uid",
        "study_instance_uid",
    ):
        assert getattr(back, field) == getattr(written, field), field


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_same_mammogram_same_bytes(tmp_path, syntax):
    written = mammogram()
    for name in "ab":
        write_mammogram(written, tmp_path / name, transfer_syntax=syntax)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_header_says_what_it_is(tmp_path):
    write_mammogram(mammogram(), tmp_path / "x", origin=Origin(patient_id="P", detector_type="FILM"))
    header = pydicom.dcmread(tmp_path / "x")
    assert header.PatientIdentityRemoved == "YES"
    assert header.PatientBirthDate == ""
    assert "Synthetic" in str(header.PatientName)
    assert header.Modality == "MG"
    assert header.DetectorType == "FILM"
    assert header.PatientOrientation == ["P", "FL"]
    assert header.ViewCodeSequence[0].CodeValue == "399368009"
    assert (header.WindowCenter, header.WindowWidth) == (2048, 4096)


@pytest.mark.parametrize(
    ("values", "syntax", "words"),
    [
        ({}, "jpeg", "transfer syntax 'jpeg' is none of native"),
        ({"intent": "UNKNOWN"}, "native", "intent must be"),
        ({"view": "ML"}, "native", "laterality .* and view"),
        ({"laterality": ""}, "native", "laterality .* and view"),
        ({"sop_instance_uid": ""}, "native", "both UIDs"),
    ],
)
def test_refuses_what_would_not_be_valid(tmp_path, values, syntax, words):
    with pytest.raises(ValueError, match=words):
        write_mammogram(dataclasses.replace(mammogram(), **values), tmp_path / "x", transfer_syntax=syntax)
    assert not (tmp_path / "x").exists()
