"""What a report on a study states: plain values, rounded as they are written, equal to what is read back.

Positions are (row, col) of the stored pixel matrix, 0-based, (0, 0) at the centre of the first pixel, as everywhere in
this package; only the files count from the corner of the first pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Point = tuple[float, float]
Polygon = tuple[Point, ...]

_DIGITS = 6
_MOST_CORNERS = 8000


@dataclass(frozen=True)
class ReportedCalcification:
    """One calcification of an image.

    Attributes
    ----------
    calcification_id : int
        As in the tables, 1-based within the image; 0 where a file does not say.
    row, col : float
        Its centre.
    outline : tuple of (row, col)
        A closed polygon, the first point not repeated.
    label, suspicion, rule : str
        As in the tables; suspicion and rule are empty where a file does not say.
    certainty_percent : float or None
        How sure the detection is.
    length_mm, width_mm, diameter_mm, area_mm2 : float or None
        None where it was not measured.
    """

    calcification_id: int
    row: float
    col: float
    outline: Polygon
    label: str
    suspicion: str = ""
    rule: str = ""
    certainty_percent: float | None = None
    length_mm: float | None = None
    width_mm: float | None = None
    diameter_mm: float | None = None
    area_mm2: float | None = None


@dataclass(frozen=True)
class ReportedCluster:
    """One cluster of an image, with its members.

    Attributes
    ----------
    cluster_id : int
        As in the tables, 1-based within the image; 0 where a file does not say.
    row, col : float
        Its centre.
    outline : tuple of (row, col)
        The convex hull of the members' outlines.
    morphology, distribution, suspicion : str
        As in the tables.
    certainty_percent : float or None
        The median of the members'.
    n_calcifications : int
    extent_mm, area_mm2 : float or None
    calcifications : tuple of ReportedCalcification
    """

    cluster_id: int
    row: float
    col: float
    outline: Polygon
    morphology: str
    distribution: str
    suspicion: str = ""
    certainty_percent: float | None = None
    n_calcifications: int = 0
    extent_mm: float | None = None
    area_mm2: float | None = None
    calcifications: tuple[ReportedCalcification, ...] = ()


@dataclass(frozen=True)
class ReportedImage:
    """One image, or one frame of one, and what was found in it.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid, series_instance_uid : str
    frame : int or None
        0-based; None for an object of one frame.
    laterality, view : str
        ``"L"``, ``"R"``; ``"CC"``, ``"MLO"``, ...; empty where the image does not say.
    view_modifiers : tuple of str
    patient_orientation : tuple of str
        Directions of the rows and of the columns, or empty.
    pixel_spacing_mm : float or None
    is_searched : bool
        False for an image that could not be searched: nothing is known of it.
    clusters : tuple of ReportedCluster
    calcifications : tuple of ReportedCalcification
        Those of no cluster.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    frame: int | None = None
    laterality: str = ""
    view: str = ""
    view_modifiers: tuple[str, ...] = ()
    patient_orientation: tuple[str, ...] = ()
    pixel_spacing_mm: float | None = None
    is_searched: bool = True
    clusters: tuple[ReportedCluster, ...] = ()
    calcifications: tuple[ReportedCalcification, ...] = ()

    @property
    def all_calcifications(self) -> tuple[ReportedCalcification, ...]:
        """Members of clusters and others, by number."""
        members = (single for cluster in self.clusters for single in cluster.calcifications)
        return tuple(sorted((*members, *self.calcifications), key=lambda single: single.calcification_id))

    @property
    def has_findings(self) -> bool:
        """Whether anything was found."""
        return bool(self.clusters or self.calcifications)


@dataclass(frozen=True)
class Report:
    """What is stated about the images of one study.

    Attributes
    ----------
    study_instance_uid : str
    algorithm, version, parameters : str
        What made it.
    images : tuple of ReportedImage
    """

    study_instance_uid: str
    algorithm: str
    version: str
    parameters: str
    images: tuple[ReportedImage, ...]


def outlines_as_columns(outlines: Iterable[NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """Polygons as columns: a row a corner, with the number of its polygon, counted from 1."""
    polygons = list(outlines)
    counts = [len(polygon) for polygon in polygons]
    corners = np.concatenate([np.empty((0, 2)), *polygons])
    return {
        "calcification_id": np.repeat(np.arange(1, len(polygons) + 1, dtype=np.int32), counts),
        # Corners lie on eighths of a pixel, which single precision holds exactly.
        "row": corners[:, 0].astype(np.float32),
        "col": corners[:, 1].astype(np.float32),
    }


def found_in_image(record: Mapping[str, Mapping[str, NDArray[Any]]], **image: Any) -> ReportedImage:
    """The statement on one image from the rows of its tables.

    Parameters
    ----------
    record : mapping
        Columns of ``images``, ``calcifications``, ``clusters`` as `mammocalc.findings.Findings.record` gives them, and
        of ``outlines`` as `outlines_as_columns` does.
    **image
        What a header says: identifiers, side, view, orientation.
    """
    described = {"pixel_spacing_mm": _stated(record["images"]["pixel_spacing_mm"][0]), **image}
    if record["images"]["status"][0] != "ok":
        return ReportedImage(is_searched=False, **described)
    calcifications = _calcifications(record["calcifications"], record["outlines"])
    cluster_of = record["calcifications"]["cluster_id"]
    clusters = []
    for k in range(len(record["clusters"]["cluster_id"])):
        members = [
            single
            for single, cluster in zip(calcifications, cluster_of, strict=True)
            if cluster == record["clusters"]["cluster_id"][k]
        ]
        clusters.append(_cluster({name: values[k] for name, values in record["clusters"].items()}, members))
    grouped = {single.calcification_id for cluster in clusters for single in cluster.calcifications}
    singles = tuple(single for single in calcifications if single.calcification_id not in grouped)
    return ReportedImage(clusters=tuple(clusters), calcifications=singles, **described)


def _calcifications(
    table: Mapping[str, NDArray[Any]], outlines: Mapping[str, NDArray[Any]]
) -> list[ReportedCalcification]:
    corners = np.column_stack((outlines["row"], outlines["col"])).astype(np.float64)
    ends = np.searchsorted(outlines["calcification_id"], table["calcification_id"], side="right")
    starts = np.searchsorted(outlines["calcification_id"], table["calcification_id"], side="left")
    return [
        ReportedCalcification(
            calcification_id=int(table["calcification_id"][k]),
            row=_coordinate(table["row"][k]),
            col=_coordinate(table["col"][k]),
            outline=_polygon(corners[starts[k] : ends[k]]),
            label=str(table["label"][k]),
            suspicion=str(table["suspicion"][k]),
            rule=str(table["rule"][k]),
            certainty_percent=_stated(100 * table["score"][k]),
            length_mm=_stated(table["length_mm"][k]),
            width_mm=_stated(table["width_mm"][k]),
            diameter_mm=_stated(table["diameter_mm"][k]),
            area_mm2=_stated(table["area_mm2"][k]),
        )
        for k in range(len(table["calcification_id"]))
    ]


def _cluster(row: Mapping[str, Any], members: Sequence[ReportedCalcification]) -> ReportedCluster:
    certainties = [single.certainty_percent for single in members if single.certainty_percent is not None]
    return ReportedCluster(
        cluster_id=int(row["cluster_id"]),
        row=_coordinate(row["row"]),
        col=_coordinate(row["col"]),
        outline=_polygon(convex_hull([corner for single in members for corner in single.outline])),
        morphology=str(row["morphology"]),
        distribution=str(row["distribution"]),
        suspicion=str(row["suspicion"]),
        certainty_percent=_stated(float(np.median(certainties))) if certainties else None,
        n_calcifications=int(row["n_calcifications"]),
        extent_mm=_stated(row["extent_mm"]),
        area_mm2=_stated(row["area_mm2"]),
        calcifications=tuple(members),
    )


def convex_hull(corners: ArrayLike) -> NDArray[np.float64]:
    """The convex hull of positions, shape (n, 2), as a polygon of the same."""
    import cv2

    positions = np.asarray(corners, np.float32).reshape(-1, 2)
    hull: NDArray[np.float64] = cv2.convexHull(positions)[:, 0].astype(np.float64)
    return hull


def _polygon(corners: NDArray[np.float64]) -> Polygon:
    # An element holds 64 KB: of an outline that is longer, every so many corners.
    step = -(-len(corners) // _MOST_CORNERS) or 1
    return tuple((_coordinate(row), _coordinate(col)) for row, col in corners[::step])


def _coordinate(position: float) -> float:
    """A position as it comes back from a file, where it is half a pixel more and in single precision."""
    return float(np.float32(position + 0.5)) - 0.5


def _stated(value: ArrayLike) -> float | None:
    """A measured value with as many digits as are written; None for NaN."""
    number = float(np.asarray(value))
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None
