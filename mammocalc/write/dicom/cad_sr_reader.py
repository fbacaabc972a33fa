"""Reading a Mammography CAD SR back: strict about what it is, tolerant about what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import MammographyCADSRStorage

from mammocalc.errors import UnreadableInput
from mammocalc.read.header import Header
from mammocalc.read.quiet import quiet
from mammocalc.write.dicom import cad_sr
from mammocalc.write.dicom.codes import (
    AREA,
    CALCIFICATION_CLUSTER,
    DIAMETER,
    DISTRIBUTION_OF_CODE,
    INDIVIDUAL_CALCIFICATION,
    LENGTH,
    LONG_AXIS,
    MODIFIER_OF_CODE,
    OLDER_FINDINGS,
    SIDE_OF_CODE,
    TYPE_OF_CODE,
    VIEW_OF_CODE,
    WIDTH,
)
from mammocalc.write.dicom.report import (
    Point,
    Polygon,
    Report,
    ReportedCalcification,
    ReportedCluster,
    ReportedImage,
)

_DEEPEST = 32


def read_cad_sr(source: str | os.PathLike[str] | Dataset) -> Report:
    """Read the calcifications and clusters of a Mammography CAD SR, ours or that of another maker.

    What a file does not say is empty or None; findings that are no calcifications are left out. A file of ours gives
    the report that it was written from.

    Parameters
    ----------
    source : path or pydicom.Dataset
        The file, or a data set already in memory.

    Returns
    -------
    Report
        Positions are (row, col), 0-based, (0, 0) at the centre of the first pixel.

    Raises
    ------
    UnreadableInput
        When it is no Mammography CAD SR, or damaged.
    """
    try:
        with quiet():
            dataset = source if isinstance(source, Dataset) else pydicom.dcmread(Path(source))
            if dataset.get("SOPClassUID") != MammographyCADSRStorage:
                raise UnreadableInput("not a Mammography CAD SR")
            return _report(_Item(dataset, (1,), None))
    except UnreadableInput:
        raise
    except OSError as error:
        raise UnreadableInput(f"the file cannot be read ({error.strerror or 'input/output error'})") from None
    except (Exception, RecursionError):  # pydicom converts on access, and any of its converters may fail
        raise UnreadableInput("the Mammography CAD SR is damaged and cannot be read") from None


class _Item:
    """A content item with its place in the tree and tolerant access to what it holds."""

    def __init__(self, dataset: Dataset, path: tuple[int, ...], parent: _Item | None) -> None:
        self.dataset = dataset
        self.path = path
        self.parent = parent
        self._header = Header(dataset)

    def children(self) -> Iterator[_Item]:
        if len(self.path) <= _DEEPEST:
            for number, child in enumerate(self.dataset.get("ContentSequence") or (), 1):
                yield _Item(child, (*self.path, number), self)

    def walk(self) -> Iterator[_Item]:
        """This item and all below."""
        yield self
        for child in self.children():
            yield from child.walk()

    @property
    def value_type(self) -> str:
        return self._header.text("ValueType")

    @property
    def refers_to(self) -> tuple[int, ...]:
        """The place of another item, or empty."""
        return tuple(int(place) for place in self._header.numbers("ReferencedContentItemIdentifier"))

    def is_named(self, name: Code) -> bool:
        return _code_value(self._header, "ConceptNameCodeSequence") == name.value

    def named(self, name: Code) -> Iterator[_Item]:
        return (child for child in self.children() if child.is_named(name))

    def code(self, name: Code) -> str:
        """The coded value of the first child of that name, empty for none."""
        return next((child.own_code for child in self.named(name)), "")

    @property
    def own_code(self) -> str:
        return _code_value(self._header, "ConceptCodeSequence")

    def texts(self, name: Code) -> list[str]:
        return [str(child.dataset.get("TextValue", "")) for child in self.named(name)]

    def text(self, name: Code) -> str:
        return next(iter(self.texts(name)), "")

    def number(self, name: Code) -> float | None:
        for child in self.named(name):
            for measured in child._header.items("MeasuredValueSequence"):
                return measured.number("NumericValue")
        return None

    def points(self, name: Code) -> Polygon:
        """Positions of the first coordinates of that name, brought to the centre of the first pixel."""
        for child in self.named(name):
            values = child._header.numbers("GraphicData")
            return tuple((row - 0.5, col - 0.5) for col, row in zip(values[::2], values[1::2], strict=False))
        return ()


def _code_value(header: Header, keyword: str) -> str:
    for item in header.items(keyword):
        return item.text("CodeValue") or item.text("LongCodeValue")
    return ""


def _report(root: _Item) -> Report:
    images: dict[tuple[int, ...], ReportedImage] = {}
    series_of = _series_by_instance(root)
    for library in root.named(cad_sr.IMAGE_LIBRARY):
        for entry in library.children():
            if entry.value_type == "IMAGE":
                images[entry.path] = _image(entry, series_of)
    failed = {
        item.refers_to
        for group in root.walk()
        if group.is_named(cad_sr.FAILED)
        for item in group.walk()
        if item.refers_to
    }
    clusters: dict[tuple[int, ...], list[ReportedCluster]] = {place: [] for place in images}
    singles: dict[tuple[int, ...], list[ReportedCalcification]] = {place: [] for place in images}
    for finding in root.walk():
        place = _place_of(finding)
        if not finding.is_named(cad_sr.FINDING) or place not in images:
            continue
        kind = OLDER_FINDINGS.get(finding.own_code, finding.own_code)
        if kind == CALCIFICATION_CLUSTER.value:
            clusters[place].append(_cluster(finding))
        elif kind == INDIVIDUAL_CALCIFICATION.value and not _is_member(finding):
            singles[place].append(_calcification(finding))
    algorithm = next((item for item in root.walk() if item.text(cad_sr.ALGORITHM_NAME)), root)
    return Report(
        study_instance_uid=str(root.dataset.get("StudyInstanceUID", "")),
        algorithm=algorithm.text(cad_sr.ALGORITHM_NAME),
        version=algorithm.text(cad_sr.ALGORITHM_VERSION),
        parameters=algorithm.text(cad_sr.ALGORITHM_PARAMETERS),
        images=tuple(
            replace(
                image,
                is_searched=place not in failed,
                clusters=tuple(clusters[place]),
                calcifications=tuple(singles[place]),
            )
            for place, image in images.items()
        ),
    )


def _series_by_instance(root: _Item) -> dict[str, str]:
    return {
        instance.uid("ReferencedSOPInstanceUID"): series.uid("SeriesInstanceUID")
        for study in Header(root.dataset).items("CurrentRequestedProcedureEvidenceSequence")
        for series in study.items("ReferencedSeriesSequence")
        for instance in series.items("ReferencedSOPSequence")
    }


def _image(entry: _Item, series_of: dict[str, str]) -> ReportedImage:
    referred = next(iter(Header(entry.dataset).items("ReferencedSOPSequence")), Header(Dataset()))
    instance = referred.uid("ReferencedSOPInstanceUID")
    frame = referred.integer("ReferencedFrameNumber")
    modifiers = [
        MODIFIER_OF_CODE.get(modifier.own_code, "")
        for view in entry.named(cad_sr.VIEW)
        for modifier in view.named(cad_sr.VIEW_MODIFIER)
    ]
    directions = (entry.text(cad_sr.ROW_DIRECTION), entry.text(cad_sr.COLUMN_DIRECTION))
    return ReportedImage(
        sop_class_uid=referred.uid("ReferencedSOPClassUID"),
        sop_instance_uid=instance,
        series_instance_uid=series_of.get(instance, ""),
        frame=None if frame is None else frame - 1,
        laterality=SIDE_OF_CODE.get(entry.code(cad_sr.LATERALITY), ""),
        view=VIEW_OF_CODE.get(entry.code(cad_sr.VIEW), ""),
        view_modifiers=tuple(filter(None, modifiers)),
        patient_orientation=directions if all(directions) else (),
        pixel_spacing_mm=entry.number(cad_sr.HORIZONTAL_SPACING),
    )


def _place_of(finding: _Item) -> tuple[int, ...]:
    """The library entry that a finding's centre or outline was selected from."""
    for name in (cad_sr.CENTER, cad_sr.OUTLINE):
        for coordinates in finding.named(name):
            for selected in coordinates.children():
                if selected.refers_to:
                    return selected.refers_to
    return ()


def _is_member(finding: _Item) -> bool:
    parent = finding.parent
    return (
        parent is not None
        and parent.is_named(cad_sr.FINDING)
        and OLDER_FINDINGS.get(parent.own_code, parent.own_code) == CALCIFICATION_CLUSTER.value
    )


def _common(finding: _Item) -> tuple[dict[str, Any], dict[str, str]]:
    """What calcifications and clusters have in common, and the facts among the parameters."""
    outline = finding.points(cad_sr.OUTLINE)
    if len(outline) > 1 and outline[0] == outline[-1]:
        outline = outline[:-1]
    row, col = _centre(finding.points(cad_sr.CENTER), outline)
    facts = dict(
        words.split(": ", 1) for words in finding.texts(cad_sr.ALGORITHM_PARAMETERS) if ": " in words
    )
    common = {
        "row": row,
        "col": col,
        "outline": outline,
        "suspicion": facts.get(cad_sr.SUSPICION_WORD, ""),
        "certainty_percent": finding.number(cad_sr.CERTAINTY),
        "area_mm2": finding.number(AREA),
    }
    return common, facts


def _centre(stated: Sequence[Point], outline: Sequence[Point]) -> Point:
    if stated:
        return stated[0]
    rows, cols = zip(*outline, strict=True)
    return sum(rows) / len(rows), sum(cols) / len(cols)


def _number_in_image(facts: dict[str, str]) -> int:
    last = facts.get(cad_sr.NUMBER_WORD, "").rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


def _calcification(finding: _Item) -> ReportedCalcification:
    common, facts = _common(finding)
    return ReportedCalcification(
        calcification_id=_number_in_image(facts),
        label=TYPE_OF_CODE.get(finding.code(cad_sr.CALCIFICATION_TYPE), "unclassified"),
        rule=facts.get(cad_sr.RULE_WORD, ""),
        length_mm=finding.number(LENGTH),
        width_mm=finding.number(WIDTH),
        diameter_mm=finding.number(DIAMETER),
        **common,
    )


def _cluster(finding: _Item) -> ReportedCluster:
    common, facts = _common(finding)
    members = tuple(
        _calcification(child)
        for child in finding.named(cad_sr.FINDING)
        if OLDER_FINDINGS.get(child.own_code, child.own_code) == INDIVIDUAL_CALCIFICATION.value
        and _place_of(child)
    )
    number = finding.number(cad_sr.NUMBER)
    return ReportedCluster(
        cluster_id=_number_in_image(facts),
        morphology=TYPE_OF_CODE.get(finding.code(cad_sr.CALCIFICATION_TYPE), "unclassified"),
        distribution=DISTRIBUTION_OF_CODE.get(finding.code(cad_sr.DISTRIBUTION), ""),
        n_calcifications=len(members) if number is None else int(number),
        extent_mm=finding.number(LONG_AXIS),
        calcifications=members,
        **common,
    )
