"""What an image's own header says that objects in the same study have to repeat.

This is the one place where a name, date or number of a patient is read from a file: only when a DICOM object was asked
for, and only to be written into that object.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydicom.config import IGNORE, RAISE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from mammocalc.errors import UnreadableInput, UnwritableObject
from mammocalc.read.dicom import read_elements
from mammocalc.read.header import Header
from mammocalc.read.identify import identify
from mammocalc.read.limits import ReadLimits
from mammocalc.read.quiet import quiet

PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)
STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
# Of the image itself: how it is referred to, how large its pixels are, how it is displayed.
IMAGE = (
    "AcquisitionDate",
    "AcquisitionTime",
    "BitsStored",
    "Columns",
    "ContentDate",
    "ContentTime",
    "FrameOfReferenceUID",
    "ImageLaterality",
    "ImagerPixelSpacing",
    "Laterality",
    "Manufacturer",
    "Modality",
    "ModalityLUTSequence",
    "NumberOfFrames",
    "PatientOrientation",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PixelSpacing",
    "PresentationLUTShape",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesDate",
    "SeriesInstanceUID",
    "SeriesTime",
    "VOILUTFunction",
    "VOILUTSequence",
    "ViewCodeSequence",
    "ViewPosition",
    "WindowCenter",
    "WindowWidth",
)
_AS_THEY_ARE = frozenset(("LO", "PN", "SH", "SQ"))
# Whatever else a header lacks can be left empty.
_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


@cache
def _tags() -> tuple[int, ...]:
    names = ("SpecificCharacterSet", *PATIENT, *STUDY, *IMAGE)
    return tuple(tag for tag in map(tag_for_keyword, names) if tag is not None)


def read_source(source: str | os.PathLike[str] | Dataset, limits: ReadLimits | None = None) -> Dataset:
    """The elements of an image's header that result objects repeat or rely on.

    Parameters
    ----------
    source : path or pydicom.Dataset
        A DICOM image; its pixels are not touched.
    limits : ReadLimits, optional

    Raises
    ------
    UnreadableInput
        When the header cannot be read.
    UnwritableObject
        When it is no DICOM file, or does not say which study, series and image it is.
    """
    limits = limits or ReadLimits()
    if isinstance(source, (str, os.PathLike)):
        try:
            if identify(source) != "dicom":
                raise UnwritableObject("the image is no DICOM object and belongs to no study")
            with Path(source).open("rb") as stream:
                found = read_elements(stream, _tags(), limits)
        except OSError as error:
            raise UnreadableInput(
                f"the file cannot be read ({error.strerror or 'input/output error'})"
            ) from None
    else:
        found = source
    kept = _sound_elements(found, _tags())
    header = Header(kept)
    for keyword in _REQUIRED:
        if not header.uid(keyword):
            raise UnwritableObject(f"the header has no {keyword}: no object can refer to the image")
    return kept


def _sound_elements(dataset: Dataset, tags: Iterable[int]) -> Dataset:
    """A copy of those elements that can be written again; what a header has wrong is not carried on."""
    kept = Dataset()
    with quiet():
        for tag in tags:
            if tag not in dataset:
                continue
            # pydicom converts on access, and any of its converters may fail.
            with contextlib.suppress(Exception, RecursionError):
                kept[tag] = _sound_element(dataset[tag], kept)
    return kept


def _sound_element(element: DataElement, kept: Dataset) -> DataElement:
    """An element that can be written and read again, in the character set of what is kept already.

    Raises
    ------
    Exception
        Of whatever kind, where it cannot.
    """
    alone = Dataset()
    if "SpecificCharacterSet" in kept:
        alone.SpecificCharacterSet = kept.SpecificCharacterSet
    if element.VR not in dictionary_VR(element.tag).split(" or "):
        raise ValueError("not of the type that the element has")
    # A name or number is kept however it is written: by it the object finds its patient.
    mode = IGNORE if element.VR in _AS_THEY_ARE else RAISE
    alone[element.tag] = DataElement(element.tag, element.VR, element.value, validation_mode=mode)
    unpack_source(_encoded(alone))
    return alone[element.tag]


def pack_source(source: Dataset) -> bytes:
    """A header as `read_source` gives it, as bytes."""
    with quiet():
        return _encoded(source)


def unpack_source(data: bytes) -> Dataset:
    """What `pack_source` packed."""
    with quiet():
        dataset = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
        dataset.decode()
    return dataset


def _encoded(dataset: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dataset)
    return stream.getvalue()


def number_of_frames(source: Dataset) -> int:
    """Frames of the image, 1 where it does not say."""
    return max(1, Header(source).integer("NumberOfFrames") or 1)


def moment_of(sources: Sequence[Dataset]) -> tuple[str, str]:
    """Date and time of the latest image: objects made of them carry it, so that equal images give equal objects."""
    found = []
    for source in sources:
        for what in ("Content", "Acquisition", "Series", "Study"):
            date = Header(source).text(f"{what}Date").replace(".", "")
            if len(date) == 8 and date.isdigit():
                time = Header(source).text(f"{what}Time").replace(":", "")
                found.append((date, time if time[:6].isdigit() else "000000"))
                break
    return max(found, default=("19700101", "000000"))
