"""Grayscale Softcopy Presentation State: the outlines on the image, for any workstation (PS3.3 A.33.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from mammocalc.read.header import Header
from mammocalc.write.dicom.colour import cielab
from mammocalc.write.dicom.objects import as_file, image_reference, in_study
from mammocalc.write.dicom.report import convex_hull
from mammocalc.write.dicom.source import number_of_frames
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, Colour, words

if TYPE_CHECKING:
    from mammocalc.findings import Findings

SERIES_NUMBER = 9104
# An outline runs this far outside its calcification, which stays visible.
_DISTANCE_MM = 0.25
_CLUSTERS = "CLUSTERS"
_LONGEST_NAME = 16
# Shares of the breast's pixels shown as plain black and white where an image states no window.
_PERCENT = (0.5, 99.9)
# This close to the skin a compressed breast is thinner, and a raw image nearly black.
_THINNER_MM = 15.0


def presentation_state(findings: Findings, source: Dataset, configuration: str) -> bytes:
    """A presentation state with the outlines of one image, in a layer and colour a label, as the bytes of a file.

    The grey values are shown as the image itself asks for, or between those of the breast where it does not.

    Parameters
    ----------
    findings : Findings
    source : Dataset
        The image's header, as `mammocalc.write.dicom.source.read_source` gives it.
    configuration : str
        As `mammocalc.write.dicom.study.configuration_of` gives it.
    """
    dataset = in_study(
        [source],
        GrayscaleSoftcopyPresentationStateStorage,
        "PR",
        "outlines",
        SERIES_NUMBER,
        configuration,
    )
    dataset.Laterality = findings.mammogram.laterality
    dataset.ContentLabel = "CALCIFICATIONS"
    dataset.ContentDescription = "Outlines of calcifications and clusters"
    dataset.ContentCreatorName = ""
    dataset.PresentationCreationDate = dataset.ContentDate
    dataset.PresentationCreationTime = dataset.ContentTime
    # The moment of a presentation state is that of its creation.
    del dataset.ContentDate, dataset.ContentTime
    image = _reference(source, findings.mammogram.frame)
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedImageSequence = [image]
    dataset.ReferencedSeriesSequence = [series]
    dataset.DisplayedAreaSelectionSequence = [_displayed_area(source)]
    _describe_grey_values(dataset, findings, source)
    layers = list(_layers(findings))
    if layers:
        dataset.GraphicAnnotationSequence = [
            _annotation(image, name, shapes) for name, _, _, shapes in layers
        ]
        dataset.GraphicLayerSequence = [
            _layer(order, name, description, colour)
            for order, (name, description, colour, _) in enumerate(layers, 1)
        ]
    return as_file(dataset)


def _reference(source: Dataset, frame: int) -> Dataset:
    item = image_reference(source)
    if number_of_frames(source) > 1:
        item.ReferencedFrameNumber = frame + 1
    return item


def _displayed_area(source: Dataset) -> Dataset:
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [source.Columns, source.Rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    item.PresentationPixelAspectRatio = [1, 1]
    return item


def _describe_grey_values(dataset: Dataset, findings: Findings, source: Dataset) -> None:
    """From stored values to what is displayed: the image's own steps, so that only the outlines are new."""
    header = Header(source)
    if "ModalityLUTSequence" in source:
        dataset.ModalityLUTSequence = source.ModalityLUTSequence
    elif header.number("RescaleSlope") is not None:
        dataset.RescaleIntercept = header.number("RescaleIntercept") or 0.0
        dataset.RescaleSlope = header.number("RescaleSlope")
        dataset.RescaleType = source.get("RescaleType") or "US"
    window = _window(findings, source)
    if window is not None:
        dataset.SoftcopyVOILUTSequence = [window]
    dataset.PresentationLUTShape = "IDENTITY" if findings.mammogram.dense_is_bright else "INVERSE"


def _window(findings: Findings, source: Dataset) -> Dataset | None:
    header, item = Header(source), Dataset()
    centres, widths = header.numbers("WindowCenter"), header.numbers("WindowWidth")
    if centres and widths:
        item.WindowCenter, item.WindowWidth = centres[0], widths[0]
        if "VOILUTFunction" in source:
            item.VOILUTFunction = source.VOILUTFunction
        return item
    if source.get("VOILUTSequence"):
        item.VOILUTSequence = source.VOILUTSequence[:1]
        return item
    if "ModalityLUTSequence" in source:
        return None
    low, high = np.percentile(_breast_values(findings), _PERCENT)
    if header.integer("PixelRepresentation") == 1:
        shift = 2 ** (findings.mammogram.bits_stored - 1)
        low, high = low - shift, high - shift
    slope, intercept = header.number("RescaleSlope") or 1.0, header.number("RescaleIntercept") or 0.0
    ends = sorted((low * slope + intercept, high * slope + intercept))
    item.WindowCenter = round((ends[0] + ends[1]) / 2, 1)
    item.WindowWidth = max(round(ends[1] - ends[0], 1), 1.0)
    return item


def _breast_values(findings: Findings) -> NDArray[Any]:
    """Stored values of the breast, one a cell of the anatomy; of raw images those where it is evenly thick."""
    anatomy, pixels = findings.scene.anatomy, findings.mammogram.pixels
    inside = anatomy.breast & ~anatomy.foreign
    thick = inside & (anatomy.skin_distance_mm > _THINNER_MM)
    rows, cols = np.nonzero(thick if findings.mammogram.linear_in_exposure and thick.any() else inside)
    if not len(rows):
        return pixels.ravel()
    half = anatomy.step // 2
    row = np.minimum(rows * anatomy.step + half, pixels.shape[0] - 1)
    col = np.minimum(cols * anatomy.step + half, pixels.shape[1] - 1)
    values: NDArray[Any] = pixels[row, col]
    return values


def _layers(findings: Findings) -> Iterator[tuple[str, str, Colour, list[NDArray[np.float64]]]]:
    """Name, description, colour and polygons of each layer that has any: clusters below, labels above."""
    distance_px = _DISTANCE_MM / findings.mammogram.pixel_spacing_mm
    outlines = [findings.outline(k + 1, distance_px) for k in range(len(findings))]
    cluster_of = findings.arrangement.columns["cluster_id"]
    hulls = [
        convex_hull(np.concatenate([outlines[k] for k in np.flatnonzero(cluster_of == cluster)]))
        for cluster in findings.arrangement.clusters["cluster_id"]
    ]
    if hulls:
        yield _CLUSTERS, "clusters", CLUSTER_COLOUR, hulls
    for label, colour in LABEL_COLOURS.items():
        if (members := np.flatnonzero(findings.classification.label == label)).size:
            name = label.upper()[:_LONGEST_NAME].rstrip("_")
            yield name, words(label), colour, [outlines[k] for k in members]


def _annotation(image: Dataset, layer: str, polygons: Sequence[NDArray[np.float64]]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [image]
    item.GraphicLayer = layer
    item.GraphicObjectSequence = [_polyline(polygon) for polygon in polygons]
    return item


def _polyline(polygon: NDArray[np.float64]) -> Dataset:
    """A closed line; positions in the file are (column, row) from the corner of the first pixel."""
    closed = np.concatenate((polygon, polygon[:1]))
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(closed)
    item.GraphicData = (closed[:, ::-1] + 0.5).ravel().tolist()
    item.GraphicType = "POLYLINE"
    item.GraphicFilled = "N"
    return item


def _layer(order: int, name: str, description: str, colour: Colour) -> Dataset:
    item = Dataset()
    item.GraphicLayer = name
    item.GraphicLayerOrder = order
    item.GraphicLayerRecommendedDisplayCIELabValue = cielab(colour)
    item.GraphicLayerDescription = description
    return item
