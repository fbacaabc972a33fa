"""INbreast: full-field digital mammograms at 70 um with outlines of single calcifications (Moreira et al. 2012).

``AllDICOMs/<image>_<case>_MG_<L|R>_<CC|ML>_ANON.dcm`` and ``AllXML/<image>.xml``, an Apple property list with points
``(x, y)``, x the column; no XML where nothing was annotated. Names of outlines are free text and misspelt. One or two
points are a speck of which only the place is known.
"""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets.tables import first_file
from mammocalc.evaluate.matching import Marks, Runs
from mammocalc.evaluate.truth import DataSet, Points, Region, Specks, TrueImage

SPACING_MM = 0.07
_POINT = re.compile(r"\(\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*\)")


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, "AllXML") is not None and first_file(root, "AllDICOMs") is not None


def read(root: Path) -> DataSet:
    """Every image under ``AllDICOMs``; those without an XML file are normal."""
    images_in, notes_in = first_file(root, "AllDICOMs"), first_file(root, "AllXML")
    if images_in is None or notes_in is None:
        raise UnreadableInput(f"{root}: there is no AllDICOMs with AllXML beside it")
    images, unnamed = [], 0
    for path in sorted(images_in.glob("*.dcm")):
        number, _, rest = path.stem.partition("_")
        outlines = _outlines(notes_in / f"{number}.xml")
        specks, regions, left_out = _sorted(outlines)
        unnamed += left_out
        images.append(
            TrueImage(
                path=path.relative_to(root).as_posix(),
                patient=rest.partition("_")[0],
                specks=specks,
                regions=regions,
                calcified=bool(len(specks) or regions),
                pixel_spacing_mm=SPACING_MM,
            )
        )
    remarks = ["INbreast: outlines carry no morphology; specks marked by a point have no mask"]
    if unnamed:
        remarks.append(f"{unnamed} outlines without a name are left out")
    return DataSet("inbreast", tuple(images), tuple(remarks))


def _outlines(path: Path) -> list[tuple[str, Points]]:
    """Name and points (row, col) of every outline in an XML file; none where there is no file."""
    if not path.exists():
        return []
    try:
        with path.open("rb") as stream:
            content: Any = plistlib.load(stream)
        outlines = [roi for image in content["Images"] for roi in image["ROIs"]]
        return [(str(roi.get("Name", "")), _points(roi["Point_px"])) for roi in outlines]
    except (plistlib.InvalidFileException, ExpatError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(f"{path}: is not an INbreast annotation: {error!r}") from None


def _points(texts: list[str]) -> Points:
    points = []
    for text in texts:
        found = _POINT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no point")
        x, y = map(float, found.groups())
        # Outlines may run past the edge of the image.
        points.append((max(y, 0.0), max(x, 0.0)))
    return np.array(points, np.float64).reshape(-1, 2)


def _sorted(outlines: list[tuple[str, Points]]) -> tuple[Specks, tuple[Region, ...], int]:
    """Specks, regions, and the number of polygons that nobody named; what is no calcification is passed over."""
    places: list[tuple[float, float]] = []
    runs: list[Runs] = []
    regions, unnamed = [], 0
    for name, points in outlines:
        kind = name.strip().casefold()
        single = len(points) <= 2
        if not len(points):
            continue
        if kind.startswith("cluster"):
            regions.append(Region((points,)))
        elif kind.startswith("calc") or (single and kind.startswith(("point", "unnamed"))):
            covered = () if single else _covered(points)
            places.append(_centre(points, covered))
            runs.append(covered)
        elif kind.startswith("unnamed") or not kind:
            unnamed += 1
    rows, cols = np.array(places, np.float64).reshape(-1, 2).T
    area = np.array([sum(stop - start for _, start, stop in one) for one in runs], np.float64)
    marks = Marks(rows, cols, 2 * np.sqrt(area / np.pi) * SPACING_MM, runs)
    return Specks(marks, [""] * len(marks)), tuple(regions), unnamed


def _covered(points: Points) -> Runs:
    """Pixels whose centres are in a polygon, as (row, start, stop); none for a polygon that holds no centre."""
    from skimage.draw import polygon

    rows, cols = polygon(*points.T)
    covered = []
    for row in np.unique(rows):
        in_row = np.sort(cols[rows == row])
        for part in np.split(in_row, np.flatnonzero(np.diff(in_row) > 1) + 1):
            covered.append((int(row), int(part[0]), int(part[-1]) + 1))
    return tuple(covered)


def _centre(points: Points, covered: Runs) -> tuple[float, float]:
    if not covered:
        row, col = points.mean(axis=0)
        return float(row), float(col)
    count = sum(stop - start for _, start, stop in covered)
    row = sum(row * (stop - start) for row, start, stop in covered) / count
    col = sum((stop - start) * (start + stop - 1) / 2 for _, start, stop in covered) / count
    return float(row), float(col)
