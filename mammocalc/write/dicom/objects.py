"""What all result objects have in common: the study they join, the equipment, their identifiers and bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from mammocalc.errors import UnwritableObject
from mammocalc.read.header import Header
from mammocalc.read.quiet import quiet
from mammocalc.write.dicom.mammogram import IMPLEMENTATION_UID
from mammocalc.write.dicom.source import PATIENT, STUDY, moment_of

MANUFACTURER = "mammocalc"
# The smallest number of 38 digits; ten times as much still fits into the 128 bits that follow 2.25.
_SMALLEST = 10**37
_NO_UID = f"2.25.{_SMALLEST}"
# Elements that a module requires to be there even where nothing is known.
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber",
)  # fmt: skip


def derived_uid(*words: str) -> str:
    """A UID that is the same for the same words, and for no others."""
    return _uid_of(hashlib.sha256("\0".join(words).encode()))


def _uid_of(digest: hashlib._Hash) -> str:
    """A UID below 2.25, always of the same length."""
    return f"2.25.{_SMALLEST + int.from_bytes(digest.digest(), 'big') % (9 * _SMALLEST)}"


def software_version() -> str:
    """Version of this package."""
    from mammocalc import __version__

    return __version__


def check_one_study(sources: Sequence[Dataset]) -> None:
    """Hold images to be of one study and one patient.

    Raises
    ------
    UnwritableObject
        When they are not: an object must not join the findings of two people.
    """
    if len({Header(source).uid("StudyInstanceUID") for source in sources}) != 1:
        raise UnwritableObject("the images are not of one study")
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        # A header that leaves it empty contradicts nobody.
        if len({text for source in sources if (text := Header(source).text(keyword))}) > 1:
            raise UnwritableObject(f"images of one study differ in {keyword}")


def in_study(
    sources: Sequence[Dataset],
    sop_class: UID,
    modality: str,
    kind: str,
    series_number: int,
    configuration: str,
) -> Dataset:
    """A new object in the study of some images: patient, study, series and equipment.

    Parameters
    ----------
    sources : sequence of Dataset
        Headers of its images, as `mammocalc.write.dicom.source.read_source` gives them.
    sop_class : UID
    modality : str
    kind : str
        What it is, for the description of its series.
    series_number : int
    configuration : str
        Tells one way of making it from another: objects made in one way share a series.

    Raises
    ------
    UnwritableObject
        When the images are not of one study.
    """
    check_one_study(sources)
    dataset = Dataset()
    first = sources[0]
    if "SpecificCharacterSet" in first:
        dataset.SpecificCharacterSet = first.SpecificCharacterSet
    dataset.SOPClassUID = sop_class
    for keyword in (*PATIENT, *STUDY):
        if keyword in first:
            dataset[keyword] = first[keyword]
        elif keyword in _MAY_BE_EMPTY:
            setattr(dataset, keyword, "")
    describe_making(dataset, sources, kind, series_number, configuration)
    dataset.Modality = modality
    dataset.InstanceNumber = 1
    return dataset


def describe_making(
    dataset: Dataset, sources: Sequence[Dataset], kind: str, series_number: int, configuration: str
) -> None:
    """Series and equipment of an object, and its moment: that of its images, not of this machine's clock."""
    study = Header(sources[0]).uid("StudyInstanceUID")
    dataset.SeriesInstanceUID = derived_uid("series", study, kind, software_version(), configuration)
    dataset.SeriesNumber = series_number
    dataset.SeriesDescription = f"mammocalc {software_version()} {kind}, research only"
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MANUFACTURER
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = software_version()
    date, time = moment_of(sources)
    dataset.SeriesDate = dataset.ContentDate = date
    dataset.SeriesTime = dataset.ContentTime = time


def image_reference(source: Dataset) -> Dataset:
    """SOP class and instance of an image, as an item of a sequence of references."""
    referred = Dataset()
    referred.ReferencedSOPClassUID = source.SOPClassUID
    referred.ReferencedSOPInstanceUID = source.SOPInstanceUID
    return referred


def series_references(sources: Sequence[Dataset]) -> list[Dataset]:
    """The images by series, each once."""
    by_series: dict[str, dict[str, Dataset]] = {}
    for source in sources:
        of_series = by_series.setdefault(str(source.SeriesInstanceUID), {})
        of_series.setdefault(str(source.SOPInstanceUID), image_reference(source))
    items = []
    for series, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series
        item.ReferencedSOPSequence = list(references.values())
        items.append(item)
    return items


def evidence(sources: Sequence[Dataset]) -> list[Dataset]:
    """The images for the current procedure evidence sequence, without which viewers do not find them."""
    item = Dataset()
    item.StudyInstanceUID = sources[0].StudyInstanceUID
    item.ReferencedSeriesSequence = series_references(sources)
    return [item]


def as_file(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a file; the object's identifier comes from its content, so that equal content has equal bytes.

    Parameters
    ----------
    dataset : Dataset
        Complete but for its SOP Instance UID.
    syntax : UID
        In which its pixels, if any, are encoded already.
    """
    dataset.SOPInstanceUID = _NO_UID
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MAMMOCALC"
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    buffer = io.BytesIO()
    with quiet():
        dataset.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=True)
    written = buffer.getvalue()
    # In the file's meta information and in the data set; the length stays the same.
    return written.replace(_NO_UID.encode(), _uid_of(hashlib.sha256(written)).encode())
