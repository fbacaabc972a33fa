"""Typed, tolerant access to the elements of a DICOM header."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from mammocalc.read.quiet import quiet

# Only these are ever read from a file: no name, date or number of a patient is among them.
KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "BodyPartExamined",
    "Columns",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "EstimatedRadiographicMagnificationFactor",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "HighBit",
    "ImageLaterality",
    "ImagerPixelSpacing",
    "Laterality",
    "Manufacturer",
    "Modality",
    "ModalityLUTSequence",
    "NominalScannedPixelSpacing",
    "NumberOfFrames",
    "PatientOrientation",
    "PerFrameFunctionalGroupsSequence",
    "PhotometricInterpretation",
    "PixelAspectRatio",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "PixelSpacingCalibrationType",
    "PresentationIntentType",
    "PresentationLUTShape",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "SharedFunctionalGroupsSequence",
    "SOPClassUID",
    "SOPInstanceUID",
    "SpatialResolution",
    "StudyInstanceUID",
    "ViewCodeSequence",
    "ViewPosition",
)


@cache
def wanted_tags() -> tuple[int, ...]:
    """Tags of `KEYWORDS`."""
    return tuple(tag for tag in map(tag_for_keyword, KEYWORDS) if tag is not None)


class Header:
    """A dataset seen through getters that never raise: what is absent, empty or malformed is not there."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def _value(self, keyword: str) -> Any:
        try:
            with quiet():
                return self._dataset.get(keyword)
        except (Exception, RecursionError):  # pydicom converts on access, and any of its converters may fail
            return None

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values, stripped and in upper case."""
        value = self._value(keyword)
        if value is None:
            return ()
        several = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        return tuple(str(item).strip(" \0").upper() for item in several)

    def text(self, keyword: str) -> str:
        """The first value, stripped and in upper case; empty where there is none."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """All values as finite numbers; empty where one of them is not."""
        value = self._value(keyword)
        if value is None or isinstance(value, (str, bytes)):
            return ()
        try:
            found = tuple(float(item) for item in (value if isinstance(value, Iterable) else [value]))
        except (TypeError, ValueError, OverflowError):
            return ()
        return found if all(map(math.isfinite, found)) else ()

    def number(self, keyword: str) -> float | None:
        """The only value as a number, None where there is none or more than one."""
        found = self.numbers(keyword)
        return found[0] if len(found) == 1 else None

    def integer(self, keyword: str) -> int | None:
        """The only value as a whole number, None where it is not one."""
        found = self.number(keyword)
        return int(found) if found is not None and found == int(found) else None

    def uid(self, keyword: str) -> str:
        """A UID, empty where it is absent or holds anything but digits and dots."""
        found = self.text(keyword)
        return found if len(found) <= 64 and not found.strip("0123456789.") else ""

    def data(self, keyword: str) -> bytes:
        """The raw bytes of a binary element, empty where there are none."""
        value = self._value(keyword)
        return bytes(value) if isinstance(value, (bytes, bytearray)) else b""

    def items(self, keyword: str) -> list[Header]:
        """The items of a sequence, empty where there is none."""
        value = self._value(keyword)
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            return []
        return [Header(item) for item in value if isinstance(item, Dataset)]

    def groups(self, keyword: str, frame: int) -> list[Header]:
        """Items of a functional group that hold for `frame` (0-based): the frame's own, then the shared."""
        per_frame = self.items("PerFrameFunctionalGroupsSequence")
        own = per_frame[frame].items(keyword) if frame < len(per_frame) else []
        shared = self.items("SharedFunctionalGroupsSequence")
        return own + [item for group in shared for item in group.items(keyword)]
