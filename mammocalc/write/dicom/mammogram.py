"""Mammograms as DICOM files: Digital Mammography X-Ray Images of synthetic origin, losslessly compressed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mammocalc.read.mammogram import Mammogram

TRANSFER_SYNTAXES: Mapping[str, UID] = {
    "native": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-lossless": JPEGLosslessSV1,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
    "htj2k": HTJ2KLossless,
}
"""Names of the transfer syntaxes that can be written; every one is lossless."""

IMPLEMENTATION_UID = UID("2.25.160297733910713094713062021403925")


@dataclass(frozen=True)
class Origin:
    """What a header says about where a synthetic image comes from; nothing in it is about a person.

    Attributes
    ----------
    patient_id, description : str
        Patient ID and Study Description of the header.
    detector_type : str
        DIRECT, SCINTILLATOR, STORAGE or FILM.
    """

    patient_id: str = "PHANTOM"
    description: str = "Synthetic mammogram"
    detector_type: str = "DIRECT"


def write_mammogram(
    mammogram: Mammogram,
    path: str | Path,
    *,
    transfer_syntax: str = "jpeg-lossless",
    origin: Origin | None = None,
) -> None:
    """Write a synthetic mammogram as a Digital Mammography X-Ray Image (PS3.3 A.26).

    The same mammogram gives the same bytes: dates are fixed, and identifiers come from the mammogram.

    Parameters
    ----------
    mammogram : Mammogram
        With intent, laterality, view and both UIDs set.
    path : path-like
        Of the file; one that is there is replaced.
    transfer_syntax : str
        One of `TRANSFER_SYNTAXES`.
    origin : Origin, optional
        What the header says of patient, series and detector.

    Raises
    ------
    ValueError
        If the syntax is unknown or the mammogram lacks what the object requires.
    """
    if transfer_syntax not in TRANSFER_SYNTAXES:
        raise ValueError(f"transfer syntax {transfer_syntax!r} is none of {', '.join(TRANSFER_SYNTAXES)}")
    _check(mammogram)
    syntax = TRANSFER_SYNTAXES[transfer_syntax]
    dataset = _dataset(mammogram, origin or Origin())
    dataset.file_meta = _file_meta(dataset, syntax)
    stored = np.ascontiguousarray(mammogram.pixels).astype("<u2", copy=False)
    if syntax.is_compressed:
        dataset.PixelData = encapsulate([_encoded(stored, mammogram.bits_stored, syntax)], has_bot=False)
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    else:
        dataset.PixelData = stored.tobytes()
        dataset["PixelData"].VR = "OW"
    # Written to memory first: a file that is there is whole.
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    Path(path).write_bytes(buffer.getvalue())


def _check(mammogram: Mammogram) -> None:
    if mammogram.intent not in ("FOR PROCESSING", "FOR PRESENTATION"):
        raise ValueError("the intent must be FOR PROCESSING or FOR PRESENTATION")
    if mammogram.laterality not in ("L", "R") or mammogram.view not in _VIEWS:
        raise ValueError("laterality (L, R) and view (CC, MLO) are required")
    if not mammogram.sop_instance_uid or not mammogram.study_instance_uid:
        raise ValueError("both UIDs are required")


# Code value and meaning (SNOMED CT, CID 4014), and the anatomical directions of a left breast's rows and columns.
_VIEWS = {
    "CC": ("399162004", "cranio-caudal", "A", {"L": "R", "R": "L"}),
    "MLO": ("399368009", "medio-lateral oblique", "A", {"L": "FR", "R": "FL"}),
}


def _file_meta(dataset: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MAMMOCALC"
    return meta


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def _derived_uid(*words: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(' '.join(words).encode()).digest()[:15], 'big')}"


def _dataset(mammogram: Mammogram, origin: Origin) -> Dataset:
    raw = mammogram.intent == "FOR PROCESSING"
    dataset = Dataset()
    dataset.SOPClassUID = (
        DigitalMammographyXRayImageStorageForProcessing
        if raw
        else DigitalMammographyXRayImageStorageForPresentation
    )
    dataset.SOPInstanceUID = mammogram.sop_instance_uid
    dataset.StudyInstanceUID = mammogram.study_instance_uid
    dataset.SeriesInstanceUID = _derived_uid(mammogram.study_instance_uid, mammogram.intent)
    _describe_origin(dataset, origin)
    _describe_series(dataset, mammogram)
    _describe_anatomy(dataset, mammogram)
    _describe_detector(dataset, mammogram, origin)
    _describe_pixels(dataset, mammogram)
    return dataset


def _describe_origin(dataset: Dataset, origin: Origin) -> None:
    dataset.PatientName = "Synthetic^Phantom"
    dataset.PatientID = origin.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientComments = "Synthetic image: no patient"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Computed, never acquired"
    dataset.BurnedInAnnotation = "NO"
    dataset.StudyID = "1"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = "20000101"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = "000000"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = origin.description
    dataset.Manufacturer = "mammocalc"
    dataset.ManufacturerModelName = "phantom"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"


def _describe_series(dataset: Dataset, mammogram: Mammogram) -> None:
    dataset.Modality = "MG"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.PresentationIntentType = mammogram.intent
    dataset.ImageType = ["ORIGINAL" if mammogram.intent == "FOR PROCESSING" else "DERIVED", "PRIMARY", ""]
    dataset.DerivationDescription = "Synthetic"
    step = Dataset()
    step.RequestedProcedureID = "1"
    step.ScheduledProcedureStepID = "1"
    dataset.RequestAttributesSequence = [step]


def _describe_anatomy(dataset: Dataset, mammogram: Mammogram) -> None:
    value, meaning, along, down = _VIEWS[mammogram.view]
    dataset.BodyPartExamined = "BREAST"
    dataset.ImageLaterality = mammogram.laterality
    dataset.OrganExposed = "BREAST"
    dataset.ViewPosition = mammogram.view
    # A left breast has its chest wall at the left edge, a right breast at the right edge.
    dataset.PatientOrientation = [along if mammogram.laterality == "L" else "P", down[mammogram.laterality]]
    dataset.AnatomicRegionSequence = [_code("76752008", "SCT", "Breast")]
    view = _code(value, "SCT", meaning)
    view.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence = [view]
    dataset.AcquisitionContextSequence = []
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = 0.0 if mammogram.view == "CC" else 45.0
    dataset.BreastImplantPresent = "NO"
    dataset.PartialView = "NO"


def _describe_detector(dataset: Dataset, mammogram: Mammogram, origin: Origin) -> None:
    spacing = mammogram.pixel_spacing_mm
    dataset.DetectorType = origin.detector_type
    dataset.DetectorID = "0"
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.EstimatedRadiographicMagnificationFactor = 1.0
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.FieldOfViewDimensions = [
        round(mammogram.pixels.shape[1] * spacing),
        round(mammogram.pixels.shape[0] * spacing),
    ]
    dataset.FieldOfViewOrigin = [0.0, 0.0]
    dataset.FieldOfViewRotation = "0"
    dataset.FieldOfViewHorizontalFlip = "NO"


def _describe_pixels(dataset: Dataset, mammogram: Mammogram) -> None:
    raw = mammogram.linear_in_exposure
    bright = mammogram.dense_is_bright
    dataset.Rows, dataset.Columns = mammogram.pixels.shape
    dataset.SamplesPerPixel = 1
    # Dense tissue is to be displayed bright, whichever way it is stored.
    dataset.PhotometricInterpretation = "MONOCHROME2" if bright else "MONOCHROME1"
    dataset.PresentationLUTShape = "IDENTITY" if bright else "INVERSE"
    dataset.BitsAllocated = 16
    dataset.BitsStored = mammogram.bits_stored
    dataset.HighBit = mammogram.bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LIN" if raw else "LOG"
    dataset.PixelIntensityRelationshipSign = -1 if bright else 1
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 1
    dataset.RescaleType = "US"
    dataset.LossyImageCompression = "00"
    dataset.QualityControlImage = "NO"
    if mammogram.intent == "FOR PRESENTATION":
        dataset.WindowCenter = 2 ** (mammogram.bits_stored - 1)
        dataset.WindowWidth = 2**mammogram.bits_stored


def _encoded(stored: NDArray[np.uint16], bits: int, syntax: UID) -> bytes:
    encoded: Any
    if syntax == RLELossless:
        encoded = RLELosslessEncoder.encode(
            stored.tobytes(),
            encoding_plugin="pydicom",
            rows=stored.shape[0],
            columns=stored.shape[1],
            number_of_frames=1,
            samples_per_pixel=1,
            bits_allocated=16,
            bits_stored=16,  # with 8 or fewer this encoder would take the pixels for single bytes
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    elif syntax == JPEGLosslessSV1:
        encoded = imagecodecs.ljpeg_encode(stored, bitspersample=bits)
    elif syntax == JPEGLSLossless:
        encoded = imagecodecs.jpegls_encode(stored)
    elif syntax == JPEG2000Lossless:
        encoded = imagecodecs.jpeg2k_encode(
            stored, level=0, codecformat="j2k", reversible=True, bitspersample=bits, numthreads=1
        )
    else:
        encoded = imagecodecs.htj2k_encode(stored, reversible=True)
    return bytes(encoded)
