"""Objects that highdicom builds, brought into the form of ours: same study and equipment, nothing random, no clock."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from mammocalc.errors import UnwritableObject
from mammocalc.read.header import Header
from mammocalc.write.dicom.objects import derived_uid

# While it is built; the object gets the identifiers of its content in the end.
BEING_BUILT = "2.25.1"
_NOT_OURS = (
    "SpecificCharacterSet", "InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence",
)  # fmt: skip
_RANDOM = "1.2.826.0.1.3680043.10.511.3."


def load_highdicom() -> Any:
    """The package highdicom.

    Raises
    ------
    UnwritableObject
        When it is not installed.
    """
    try:
        import highdicom
        import highdicom.seg
        import highdicom.sr
    except ImportError:
        raise UnwritableObject("highdicom is needed: pip install 'mammocalc[dicom]'") from None
    return highdicom


def completed(source: Dataset) -> Dataset:
    """A header with the elements that highdicom asks of an image, empty where nothing is known."""
    dataset = Dataset()
    dataset.update(source)
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
        "StudyTime", "ReferringPhysicianName",
    ):  # fmt: skip
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    return dataset


def adopted(built: Dataset, ours: Dataset) -> Dataset:
    """What was built, with the study, series, equipment and moment of `ours`, and no identifier left to chance.

    Parameters
    ----------
    built : Dataset
    ours : Dataset
        As `mammocalc.write.dicom.objects.in_study` gives it.
    """
    dataset = Dataset()
    dataset.update(built)
    for keyword in (
        "SpecificCharacterSet",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "ContributingEquipmentSequence",
    ):
        if keyword in dataset:
            del dataset[keyword]
    dataset.update(ours)
    known: dict[str, str] = {}
    _make_repeatable(dataset, derived_uid("foreign", Header(ours).uid("SeriesInstanceUID")), known)
    return dataset


def _make_repeatable(dataset: Dataset, seed: str, known: dict[str, str]) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _make_repeatable(item, seed, known)
        elif element.VR == "UI" and str(element.value).startswith(_RANDOM):
            element.value = known.setdefault(str(element.value), derived_uid(seed, str(len(known))))
