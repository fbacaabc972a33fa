"""Mammography CAD SR: the findings of a study as a mammography workstation reads them (PS3.16 TID 4000)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import MammographyCADSRStorage

from mammocalc.write.dicom.codes import (
    AREA,
    CALCIFICATION_CLUSTER,
    DIAMETER,
    DISTRIBUTIONS,
    INDIVIDUAL_CALCIFICATION,
    LENGTH,
    LONG_AXIS,
    MILLIMETRE,
    MODIFIER_CODES,
    NO_UNITS,
    OPTIONAL,
    PERCENT,
    REQUIRED,
    SIDES,
    SQUARE_MILLIMETRE,
    VIEW_CODES,
    WIDTH,
    calcification_type,
    dcm,
)
from mammocalc.write.dicom.content import (
    CONTAINS,
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    HAS_PROPERTIES,
    INFERRED_FROM,
    SELECTED_FROM,
    code_item,
    container,
    coordinates_item,
    image_item,
    number_item,
    reference_item,
    text_item,
)
from mammocalc.write.dicom.objects import as_file, evidence, in_study
from mammocalc.write.dicom.report import Report, ReportedCalcification, ReportedCluster, ReportedImage

SERIES_NUMBER = 9101

_TITLE = dcm("111036", "Mammography CAD Report")
_LANGUAGE = dcm("121049", "Language of Content Item and Descendants")
_ENGLISH = Code("en", "RFC5646", "English")
IMAGE_LIBRARY = dcm("111028", "Image Library")
LATERALITY = dcm("111027", "Image Laterality")
VIEW = dcm("111031", "Image View")
VIEW_MODIFIER = dcm("111032", "Image View Modifier")
ROW_DIRECTION = dcm("111044", "Patient Orientation Row")
COLUMN_DIRECTION = dcm("111043", "Patient Orientation Column")
HORIZONTAL_SPACING = dcm("111026", "Horizontal Pixel Spacing")
VERTICAL_SPACING = dcm("111066", "Vertical Pixel Spacing")
SUMMARY = dcm("111017", "CAD Processing and Findings Summary")
_IMPRESSION = dcm("111034", "Individual Impression/Recommendation")
RENDERING_INTENT = dcm("111056", "Rendering Intent")
FINDING = dcm("111059", "Single Image Finding")
ALGORITHM_NAME = dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = dcm("111002", "Algorithm Parameters")
CERTAINTY = dcm("111012", "Certainty of Finding")
CENTER = dcm("111010", "Center")
OUTLINE = dcm("111041", "Outline")
CALCIFICATION_TYPE = dcm("111009", "Calcification Type")
DISTRIBUTION = dcm("111008", "Calcification Distribution")
NUMBER = dcm("111038", "Number of calcifications")
DETECTIONS = dcm("111064", "Summary of Detections")
_SUCCESSFUL = dcm("111063", "Successful Detections")
FAILED = dcm("111025", "Failed Detections")
DETECTION = dcm("111022", "Detection Performed")
_ANALYSES = dcm("111065", "Summary of Analyses")

# CID 6042 "Status of Results".
_SUCCEEDED = dcm("111222", "Succeeded")
_PARTIALLY = dcm("111223", "Partially Succeeded")
_ALL_FAILED = dcm("111224", "Failed")
_NOT_ATTEMPTED = dcm("111225", "Not Attempted")
# CID 6047 "CAD Processing and Findings Summary", by whether all, some or no images were searched, and findings.
_SUMMARIES = {
    ("all", False): dcm("111241", "All algorithms succeeded; without findings"),
    ("all", True): dcm("111242", "All algorithms succeeded; with findings"),
    ("some", False): dcm("111243", "Not all algorithms succeeded; without findings"),
    ("some", True): dcm("111244", "Not all algorithms succeeded; with findings"),
    ("none", False): dcm("111245", "No algorithms succeeded; without findings"),
}

# Where the image library stands below the root, 1-based: items are referred to by their place.
_LIBRARY_PLACE = 2
# How a finding's number, suspicion and rule are told among the algorithm's parameters.
NUMBER_WORD, SUSPICION_WORD, RULE_WORD = "number in image", "suspicion", "rule"


def cad_sr(report: Report, sources: Sequence[Dataset]) -> bytes:
    """A Mammography CAD SR of one study, as the bytes of a file.

    Every image is listed, with what was found in it or that it could not be searched; that nothing was found is stated
    as well. Findings that are not benign are to be presented, benign ones may be.

    Parameters
    ----------
    report : Report
    sources : sequence of Dataset
        The header of each image of the report, as `mammocalc.write.dicom.source.read_source` gives it.

    Raises
    ------
    UnwritableObject
        When the images are not of one study and patient.
    """
    dataset = in_study(
        sources,
        MammographyCADSRStorage,
        "SR",
        "CAD findings",
        SERIES_NUMBER,
        report.parameters,
    )
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = evidence(sources)
    root = container(
        "",
        _TITLE,
        code_item(HAS_CONCEPT_MOD, _LANGUAGE, _ENGLISH),
        container(CONTAINS, IMAGE_LIBRARY, *(_library_entry(image) for image in report.images)),
        _summary(report),
        _detections(report),
        code_item(CONTAINS, _ANALYSES, _NOT_ATTEMPTED),
    )
    template = Dataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "4000"
    root.ContentTemplateSequence = [template]
    dataset.update(root)
    return as_file(dataset)


def _library_entry(image: ReportedImage) -> Dataset:
    return image_item(
        CONTAINS, image.sop_class_uid, image.sop_instance_uid, image.frame, *_acquisition(image)
    )


def _acquisition(image: ReportedImage) -> Iterator[Dataset]:
    """Side, view, orientation and scale of an image, as far as known."""
    if image.laterality in SIDES:
        yield code_item(HAS_ACQ_CONTEXT, LATERALITY, SIDES[image.laterality])
    if image.view in VIEW_CODES:
        modifiers = [MODIFIER_CODES[word] for word in image.view_modifiers if word in MODIFIER_CODES]
        yield code_item(
            HAS_ACQ_CONTEXT,
            VIEW,
            VIEW_CODES[image.view],
            *(code_item(HAS_CONCEPT_MOD, VIEW_MODIFIER, modifier) for modifier in modifiers),
        )
    if len(image.patient_orientation) == 2:
        for name, direction in zip((ROW_DIRECTION, COLUMN_DIRECTION), image.patient_orientation, strict=True):
            yield text_item(HAS_ACQ_CONTEXT, name, direction)
    if image.pixel_spacing_mm is not None:
        for name in (HORIZONTAL_SPACING, VERTICAL_SPACING):
            yield number_item(HAS_ACQ_CONTEXT, name, image.pixel_spacing_mm, MILLIMETRE)


def _summary(report: Report) -> Dataset:
    searched = [image.is_searched for image in report.images]
    how_many = "all" if all(searched) else "some" if any(searched) else "none"
    impressions = [
        _impression(report, place) for place, image in enumerate(report.images, 1) if image.has_findings
    ]
    return code_item(CONTAINS, SUMMARY, _SUMMARIES[how_many, bool(impressions)], *impressions)


def _impression(report: Report, place: int) -> Dataset:
    """The findings of the image at `place` of the library, 1-based."""
    image = report.images[place - 1]
    found = [
        *(_cluster(report, place, cluster) for cluster in image.clusters),
        *(_calcification(report, place, CONTAINS, single) for single in image.calcifications),
    ]
    suspicions = {cluster.suspicion for cluster in image.clusters}
    suspicions |= {single.suspicion for single in image.calcifications}
    return container(
        INFERRED_FROM, _IMPRESSION, code_item(HAS_CONCEPT_MOD, RENDERING_INTENT, _intent(*suspicions)), *found
    )


def _intent(*suspicions: str) -> Code:
    return OPTIONAL if set(suspicions) <= {"typically_benign"} else REQUIRED


def _calcification(report: Report, place: int, relationship: str, single: ReportedCalcification) -> Dataset:
    facts = (
        f"{NUMBER_WORD}: calcification {single.calcification_id}",
        f"{SUSPICION_WORD}: {single.suspicion}",
        f"{RULE_WORD}: {single.rule}",
    )
    return code_item(
        relationship,
        FINDING,
        INDIVIDUAL_CALCIFICATION,
        code_item(HAS_CONCEPT_MOD, RENDERING_INTENT, _intent(single.suspicion)),
        *_algorithm(report, facts),
        *_certainty(single),
        *_geometry(place, single),
        code_item(HAS_PROPERTIES, CALCIFICATION_TYPE, calcification_type(single.label, single.length_mm)),
        *_sizes(
            (LENGTH, single.length_mm),
            (WIDTH, single.width_mm),
            (DIAMETER, single.diameter_mm),
            (AREA, single.area_mm2),
        ),
    )


def _cluster(report: Report, place: int, cluster: ReportedCluster) -> Dataset:
    facts = (f"{NUMBER_WORD}: cluster {cluster.cluster_id}", f"{SUSPICION_WORD}: {cluster.suspicion}")
    distributions = [DISTRIBUTIONS[cluster.distribution]] if cluster.distribution in DISTRIBUTIONS else []
    return code_item(
        CONTAINS,
        FINDING,
        CALCIFICATION_CLUSTER,
        code_item(HAS_CONCEPT_MOD, RENDERING_INTENT, _intent(cluster.suspicion)),
        *_algorithm(report, facts),
        *_certainty(cluster),
        *_geometry(place, cluster),
        code_item(HAS_PROPERTIES, CALCIFICATION_TYPE, calcification_type(cluster.morphology, None)),
        *(code_item(HAS_PROPERTIES, DISTRIBUTION, code) for code in distributions),
        number_item(HAS_PROPERTIES, NUMBER, cluster.n_calcifications, NO_UNITS),
        *_sizes((LONG_AXIS, cluster.extent_mm), (AREA, cluster.area_mm2)),
        *(_calcification(report, place, INFERRED_FROM, single) for single in cluster.calcifications),
    )


def _algorithm(report: Report, facts: Sequence[str] = ()) -> Iterator[Dataset]:
    yield text_item(HAS_PROPERTIES, ALGORITHM_NAME, report.algorithm)
    yield text_item(HAS_PROPERTIES, ALGORITHM_VERSION, report.version)
    for words in (report.parameters, *facts):
        yield text_item(HAS_PROPERTIES, ALGORITHM_PARAMETERS, words)


def _certainty(finding: ReportedCalcification | ReportedCluster) -> Iterator[Dataset]:
    if finding.certainty_percent is not None:
        yield number_item(HAS_PROPERTIES, CERTAINTY, finding.certainty_percent, PERCENT)


def _geometry(place: int, finding: ReportedCalcification | ReportedCluster) -> Iterator[Dataset]:
    """Centre and outline in the image at `place` of the library."""
    for name, graphic_type, points in (
        (CENTER, "POINT", ((finding.row, finding.col),)),
        (OUTLINE, "POLYLINE", finding.outline),
    ):
        if len(points):
            selected = reference_item(SELECTED_FROM, (1, _LIBRARY_PLACE, place))
            yield coordinates_item(HAS_PROPERTIES, name, graphic_type, points, selected)


def _sizes(*measured: tuple[Code, float | None]) -> Iterator[Dataset]:
    for name, value in measured:
        if value is not None:
            unit = SQUARE_MILLIMETRE if name is AREA else MILLIMETRE
            yield number_item(HAS_PROPERTIES, name, value, unit)


def _detections(report: Report) -> Dataset:
    """Which images were searched, and which could not be."""
    by_outcome: dict[bool, list[int]] = {True: [], False: []}
    for place, image in enumerate(report.images, 1):
        by_outcome[image.is_searched].append(place)
    groups = [
        container(INFERRED_FROM, name, *_performed(report, places))
        for name, places in ((_SUCCESSFUL, by_outcome[True]), (FAILED, by_outcome[False]))
        if places
    ]
    outcome = (bool(by_outcome[True]), bool(by_outcome[False]))
    status = {(True, False): _SUCCEEDED, (True, True): _PARTIALLY, (False, True): _ALL_FAILED}[outcome]
    return code_item(CONTAINS, DETECTIONS, status, *groups)


def _performed(report: Report, places: Sequence[int]) -> Iterator[Dataset]:
    for sought in (INDIVIDUAL_CALCIFICATION, CALCIFICATION_CLUSTER):
        images = [reference_item(HAS_PROPERTIES, (1, _LIBRARY_PLACE, place)) for place in places]
        yield code_item(CONTAINS, DETECTION, sought, *_algorithm(report), *images)
