"""What was found in an image, as far as it is judged: from findings at hand, or from the tables of a run."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.evaluate.matching import Marks, Runs

if TYPE_CHECKING:
    from mammocalc.findings import Findings
    from mammocalc.segment.regions import Regions


@dataclass(frozen=True, eq=False)
class Detections:
    """The marks of one image.

    Attributes
    ----------
    path : str
        As the run knows it.
    marks : Marks
        Where.
    score : ndarray of float64, shape (n,)
        How sure.
    label : ndarray of str, shape (n,)
        As what.
    pixel_spacing_mm : float
        Side of a pixel in the object plane.
    breast_area_mm2 : float
        NaN where the image was not searched.
    status : {"ok", "skipped", "failed"}
        What became of the image.
    laterality : {"L", "R", ""}
        Side of the breast.
    """

    path: str
    marks: Marks
    score: NDArray[np.float64]
    label: NDArray[np.str_]
    pixel_spacing_mm: float
    breast_area_mm2: float
    status: str = "ok"
    laterality: str = ""

    def __len__(self) -> int:
        """Number of marks."""
        return len(self.score)


def nothing_found(path: str, status: str) -> Detections:
    """An image that could not be searched: all that is in it is missed."""
    none = np.empty(0)
    return Detections(path, Marks(none, none, none), none, np.empty(0, "U1"), 1.0, float("nan"), status)


def detections_of(findings: Findings, path: str | None = None) -> Detections:
    """The marks of findings at hand, with masks.

    Parameters
    ----------
    findings : Findings
        Of one image.
    path : str, optional
        By default that of the image.

    Returns
    -------
    Detections
        One mark a calcification.
    """
    columns = findings.measurements.columns
    return Detections(
        path=findings.mammogram.path if path is None else path,
        marks=Marks(
            np.asarray(columns["row"], np.float64),
            np.asarray(columns["col"], np.float64),
            np.asarray(columns["diameter_mm"], np.float64),
            masks_of(findings.regions, findings.scene.origin),
        ),
        score=np.asarray(findings.regions.score, np.float64),
        label=np.asarray(findings.classification.label, np.str_),
        pixel_spacing_mm=findings.mammogram.pixel_spacing_mm,
        breast_area_mm2=findings.scene.anatomy.breast_area_mm2,
        laterality=findings.mammogram.laterality,
    )


def masks_of(regions: Regions, origin: tuple[int, int]) -> list[Runs]:
    """The pixels of every region as (row, start, stop) of the stored pixel matrix.

    Parameters
    ----------
    regions : Regions
    origin : tuple of int
        Stored (row, col) of the plane's first pixel.
    """
    top, left = origin
    rows = (regions.run_row + top).tolist()
    starts, stops = (regions.run_start + left).tolist(), (regions.run_stop + left).tolist()
    runs = list(zip(rows, starts, stops, strict=True))
    return [runs[first:last] for first, last in itertools.pairwise(regions.offsets.tolist())]


def read_detections(folder: str | os.PathLike[str]) -> list[Detections]:
    """The marks of every image of a finished run, in the order of its tables; masks are not in the tables.

    Parameters
    ----------
    folder : path
        The ``--out`` of the run.

    Returns
    -------
    list of Detections
        One an image or frame.

    Raises
    ------
    UnreadableInput
        There are no such tables.
    """
    from mammocalc.write.tables import read_table

    images = read_table(Path(folder), "images")
    found = read_table(Path(folder), "calcifications")
    of_image = found.groupby(["path", "frame"], sort=False).indices
    result = []
    for image in images.itertuples():
        path, frame = str(image.path), int(image.frame)  # type: ignore[arg-type]
        if image.status != "ok":
            result.append(nothing_found(path, str(image.status)))
            continue
        rows = found.iloc[of_image.get((path, frame), np.empty(0, np.int64))]
        result.append(_from_rows(path, rows, image))
    return result


def _from_rows(path: str, rows: Any, image: Any) -> Detections:
    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(rows[name], np.float64)

    return Detections(
        path,
        Marks(column("row"), column("col"), column("diameter_mm")),
        column("score"),
        rows["label"].to_numpy(np.str_),
        float(image.pixel_spacing_mm),
        float(image.breast_area_mm2),
        laterality=str(image.laterality),
    )
