"""From the rows of a study's images to the objects that state them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammocalc.read.header import Header
from mammocalc.read.view import laterality_of, view_modifiers_of, view_of
from mammocalc.write.dicom.cad_sr import cad_sr
from mammocalc.write.dicom.codes import VIEW_CODES
from mammocalc.write.dicom.objects import MANUFACTURER, check_one_study, software_version
from mammocalc.write.dicom.report import Report, ReportedImage, found_in_image
from mammocalc.write.dicom.source import number_of_frames

Record = Mapping[str, Mapping[str, NDArray[Any]]]


def configuration_of(parameters_hash: str, rules_hash: str) -> str:
    """What tells the making of one object from that of another, in words."""
    return f"parameters {parameters_hash[:16]}, rules {rules_hash[:16]}"


def study_cad_sr(members: Sequence[tuple[Record, Dataset]], configuration: str) -> bytes:
    """The Mammography CAD SR of the images of one study, as the bytes of a file.

    Parameters
    ----------
    members : sequence of (record, source)
        For each image, or frame of one, its rows with those of ``outlines``, and its header as
        `mammocalc.write.dicom.source.read_source` gives it.
    configuration : str
        As `configuration_of` gives it.

    Raises
    ------
    UnwritableObject
        When the images are not of one study and patient.
    """
    check_one_study([source for _, source in members])
    once = _each_once([(reported_image(record, source), source) for record, source in members])
    images, sources = [image for image, _ in once], [source for _, source in once]
    study = Header(sources[0]).uid("StudyInstanceUID")
    return cad_sr(Report(study, MANUFACTURER, software_version(), configuration, tuple(images)), sources)


def _each_once(views: Sequence[tuple[ReportedImage, Dataset]]) -> list[tuple[ReportedImage, Dataset]]:
    """The same image may be there as several files: it is stated once, and as searched if one of them could be."""
    found: dict[tuple[str, int | None], tuple[ReportedImage, Dataset]] = {}
    for image, source in views:
        key = image.sop_instance_uid, image.frame
        if key not in found or (image.is_searched and not found[key][0].is_searched):
            found[key] = image, source
    return list(found.values())


def reported_image(record: Record, source: Dataset) -> ReportedImage:
    """The statement on one image from its rows and its header."""
    header = Header(source)
    frame = int(record["images"]["frame"][0])
    # Of a frame they may stand in the functional groups, which only the reader has seen.
    view = view_of(header) or str(record["images"]["view"][0])
    laterality = laterality_of(header) or str(record["images"]["laterality"][0])
    directions = header.texts("PatientOrientation")
    return found_in_image(
        record,
        sop_class_uid=header.uid("SOPClassUID"),
        sop_instance_uid=header.uid("SOPInstanceUID"),
        series_instance_uid=header.uid("SeriesInstanceUID"),
        frame=frame if number_of_frames(source) > 1 else None,
        laterality=laterality,
        # What has no code is not stated.
        view=view if view in VIEW_CODES else "",
        view_modifiers=view_modifiers_of(header) if view in VIEW_CODES else (),
        patient_orientation=directions if len(directions) == 2 and all(directions) else (),
    )
