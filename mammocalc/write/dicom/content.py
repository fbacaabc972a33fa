"""Content items of structured reports (PS3.3 C.17.3), one short function a value type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.coding import Code

from mammocalc.write.dicom.report import Point

CONTAINS = "CONTAINS"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"


def coded(code: Code) -> Dataset:
    """A code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _item(relationship: str, value_type: str, name: Code | None, children: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if name is not None:
        item.ConceptNameCodeSequence = [coded(name)]
    if below := list(children):
        item.ContentSequence = DicomSequence(below)
    return item


def container(relationship: str, name: Code, *children: Dataset) -> Dataset:
    """Items of their own; the root has no relationship."""
    item = _item(relationship, "CONTAINER", name, children)
    item.ContinuityOfContent = "SEPARATE"
    return item


def code_item(relationship: str, name: Code, value: Code, *children: Dataset) -> Dataset:
    """A coded value."""
    item = _item(relationship, "CODE", name, children)
    item.ConceptCodeSequence = [coded(value)]
    return item


def text_item(relationship: str, name: Code, value: str) -> Dataset:
    """Free text."""
    item = _item(relationship, "TEXT", name, ())
    item.TextValue = value
    return item


def number_item(relationship: str, name: Code, value: float, unit: Code) -> Dataset:
    """A measured value with its unit."""
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [coded(unit)]
    measured.NumericValue = f"{value:.6g}"
    item = _item(relationship, "NUM", name, ())
    item.MeasuredValueSequence = [measured]
    return item


def coordinates_item(
    relationship: str, name: Code, graphic_type: str, points: Sequence[Point], *children: Dataset
) -> Dataset:
    """Positions in an image.

    Parameters
    ----------
    relationship : str
    name : Code
    graphic_type : str
        ``"POINT"``, or ``"POLYLINE"``, which is closed here.
    points : sequence of (row, col)
        0-based, (0, 0) at the centre of the first pixel. In the file they are (column, row) from its corner.
    *children : Dataset
    """
    item = _item(relationship, "SCOORD", name, children)
    item.GraphicType = graphic_type
    around = [*points, points[0]] if graphic_type == "POLYLINE" else points
    item.GraphicData = [value for row, col in around for value in (col + 0.5, row + 0.5)]
    return item


def image_item(
    relationship: str, sop_class_uid: str, sop_instance_uid: str, frame: int | None, *children: Dataset
) -> Dataset:
    """An image, or its frame `frame` (0-based; in the file 1-based)."""
    referred = Dataset()
    referred.ReferencedSOPClassUID = sop_class_uid
    referred.ReferencedSOPInstanceUID = sop_instance_uid
    if frame is not None:
        referred.ReferencedFrameNumber = frame + 1
    item = _item(relationship, "IMAGE", None, children)
    item.ReferencedSOPSequence = [referred]
    return item


def reference_item(relationship: str, path: Sequence[int]) -> Dataset:
    """An item that stands elsewhere in the tree: its place at each level, 1-based, from the root."""
    item = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = list(path)
    return item
