"""Findings in hand as DICOM files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mammocalc.errors import InvalidParameter
from mammocalc.write.dicom.measurement_report import measurement_report
from mammocalc.write.dicom.presentation_state import presentation_state
from mammocalc.write.dicom.report import outlines_as_columns
from mammocalc.write.dicom.segmentation import segmentation
from mammocalc.write.dicom.source import read_source
from mammocalc.write.dicom.study import Record, configuration_of, reported_image, study_cad_sr

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from mammocalc.findings import Findings

KINDS = ("cad-sr", "sr", "seg", "pr")


def write_dicom(
    findings: Findings | Iterable[Findings],
    folder: str | os.PathLike[str],
    write: Iterable[str] = ("cad-sr",),
    sources: Iterable[str | os.PathLike[str] | Dataset] | None = None,
) -> list[Path]:
    """Write findings as DICOM objects that join the study of their images, and repeat what those say of the patient.

    Parameters
    ----------
    findings : Findings or iterable of Findings
        The images of one study: all of them are in one Mammography CAD SR.
    folder : path
        Made where it does not exist; files of the same names are replaced.
    write : iterable of {"cad-sr", "sr", "seg", "pr"}
        Mammography CAD SR; and for each image a measurement report, a segmentation, a presentation state. Of the last
        two there is none where nothing was found.
    sources : iterable of path or pydicom.Dataset, optional
        The images, for findings whose image was not read from a DICOM file; else the paths they were read from.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    UnwritableObject
        An image belongs to no study, or they are not of one; or highdicom is needed and not installed.
    UnreadableInput
        An image cannot be read any more.
    InvalidParameter
        An unknown kind, no findings, or not as many sources as findings.
    """
    several = list(findings) if isinstance(findings, Iterable) else [findings]
    wanted = list(dict.fromkeys(write))
    for kind in wanted:
        if kind not in KINDS:
            raise InvalidParameter(f"write: {kind!r} is not one of {', '.join(KINDS)}")
    images = [found.mammogram.path for found in several] if sources is None else list(sources)
    if not several or len(images) != len(several):
        raise InvalidParameter(f"findings: {len(several)} of images, sources: {len(images)}")
    headers = [read_source(image) for image in images]
    records = [_record(found) for found in several]
    how = configuration_of(several[0].parameters.hash, several[0].lexicon.hash)
    files: dict[str, bytes] = {}
    if "cad-sr" in wanted:
        name = f"{headers[0].StudyInstanceUID}.cad-sr.dcm"
        files[name] = study_cad_sr(list(zip(records, headers, strict=True)), how)
    for found, record, header in zip(several, records, headers, strict=True):
        files.update(_of_image(found, record, header, how, wanted))
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    return [out / name for name in files]


def _record(found: Findings) -> Record:
    """The rows of an image with those of its outlines."""
    tables = {str(table): columns for table, columns in found.record().items()}
    return {**tables, "outlines": outlines_as_columns(found.outlines())}


def _of_image(
    found: Findings, record: Record, header: Dataset, how: str, wanted: list[str]
) -> Mapping[str, bytes]:
    made = {}
    frame = f"-frame{found.mammogram.frame}" if found.mammogram.frame else ""
    for kind in wanted:
        name = f"{header.SOPInstanceUID}{frame}.{kind}.dcm"
        if kind == "sr":
            made[name] = measurement_report(reported_image(record, header), header, how)
        elif kind == "seg" and len(found):
            made[name] = segmentation(found, header, how)
        elif kind == "pr" and len(found):
            made[name] = presentation_state(found, header, how)
    return made
