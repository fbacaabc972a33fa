"""Segmentation: the pixels of every calcification, a segment a label (PS3.3 A.51)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    JPEG2000Lossless,
    SegmentationStorage,
)

from mammocalc.write.dicom.codes import CALCIFICATION_TYPES, sct
from mammocalc.write.dicom.colour import cielab
from mammocalc.write.dicom.foreign import BEING_BUILT, adopted, completed, load_highdicom
from mammocalc.write.dicom.objects import MANUFACTURER, as_file, derived_uid, in_study, software_version
from mammocalc.write.dicom.source import number_of_frames
from mammocalc.write.palette import LABEL_COLOURS, words

if TYPE_CHECKING:
    from mammocalc.findings import Findings

SERIES_NUMBER = 9103

_BREAST = sct("76752008", "Breast")


def segmentation(findings: Findings, source: Dataset, configuration: str) -> bytes:
    """A binary segmentation of one image with a segment for each label that occurs, as the bytes of a file.

    Lossless JPEG 2000 of single bits: a few kilobytes. Of an image of several frames it refers to the one that was
    searched, pixel on pixel, and says nothing of where in space that lies.

    Parameters
    ----------
    findings : Findings
        With at least one calcification: there is no segmentation without segments.
    source : Dataset
        The image's header, as `mammocalc.write.dicom.source.read_source` gives it.
    configuration : str
        As `mammocalc.write.dicom.study.configuration_of` gives it.

    Raises
    ------
    UnwritableObject
        Where highdicom is not installed.
    """
    highdicom = load_highdicom()
    frame = findings.mammogram.frame if number_of_frames(source) > 1 else None
    ours = in_study([source], SegmentationStorage, "SEG", "segmentation", SERIES_NUMBER, configuration)
    labels = [label for label in LABEL_COLOURS if (findings.classification.label == label).any()]
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=MANUFACTURER,
        family=codes.cid7162.MultiScaleResolutionFiltering,
        version=software_version(),
        parameters={"configuration": configuration},
    )
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=words(label),
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=CALCIFICATION_TYPES[label],
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=derived_uid("segment", *_name(source, frame), configuration, label),
            tracking_id=label,
            anatomic_regions=[_BREAST],
        )
        for number, label in enumerate(labels, 1)
    ]
    built = highdicom.seg.Segmentation(
        source_images=[_of_one_frame(source)],
        pixel_array=_segment_numbers(findings, labels)[np.newaxis],
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=BEING_BUILT,
        series_number=SERIES_NUMBER,
        sop_instance_uid=BEING_BUILT,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=software_version(),
        device_serial_number="0",
        content_label="CALCIFICATIONS",
        content_description="Calcifications by label",
        transfer_syntax_uid=JPEG2000Lossless,
    )
    dataset = adopted(built, ours)
    dataset.PatientOrientation = source.get("PatientOrientation", "")
    if frame is not None:
        _refer_to_frame(dataset, source, frame)
    for segment, label in zip(dataset.SegmentSequence, labels, strict=True):
        segment.RecommendedDisplayCIELabValue = cielab(LABEL_COLOURS[label])
    return as_file(dataset, JPEG2000Lossless)


def _name(source: Dataset, frame: int | None) -> tuple[str, ...]:
    """What tells this image, or this frame of one, from others."""
    return (str(source.SOPInstanceUID),) if frame is None else (str(source.SOPInstanceUID), f"frame {frame}")


def _of_one_frame(source: Dataset) -> Dataset:
    """The header of an image of several frames as if the one that was searched were a mammogram of its own."""
    alone = completed(source)
    if number_of_frames(source) > 1:
        # Else highdicom asks for the place of every frame in space. A new element: the old one is the source's as well.
        alone.add_new("SOPClassUID", "UI", DigitalMammographyXRayImageStorageForPresentation)
        for keyword in ("NumberOfFrames", "FrameOfReferenceUID"):
            if keyword in alone:
                del alone[keyword]
    return alone


def _refer_to_frame(dataset: Dataset, source: Dataset, frame: int) -> None:
    """Refer to the image as what it is, and as a source to its frame: 0-based here, 1-based in files."""
    per_frame = dataset.PerFrameFunctionalGroupsSequence
    derivations = [item for groups in per_frame for item in groups.DerivationImageSequence]
    sources = [item for referring in (dataset, *derivations) for item in referring.SourceImageSequence]
    for item in sources:
        item.ReferencedFrameNumber = frame + 1
    referred = [
        item for series in dataset.ReferencedSeriesSequence for item in series.ReferencedInstanceSequence
    ]
    for item in (*sources, *referred):
        item.ReferencedSOPClassUID = source.SOPClassUID


def _segment_numbers(findings: Findings, labels: list[str]) -> NDArray[np.uint8]:
    """The number of its label's segment for each stored pixel, 0 outside of calcifications."""
    numbers = np.zeros(findings.mammogram.pixels.shape, np.uint8)
    corner = np.tile(np.asarray(findings.scene.origin), 2)
    for k, label in enumerate(findings.classification.label):
        row_min, col_min, row_max, col_max = findings.regions.bounds[k] + corner
        numbers[row_min:row_max, col_min:col_max][findings.regions.mask(k)] = labels.index(str(label)) + 1
    return numbers
