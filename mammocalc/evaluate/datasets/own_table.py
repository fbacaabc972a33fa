"""A truth of one's own: ``truth.csv`` with ``image,kind,row,col,diameter_mm`` and, where known, ``label``,
``pixel_spacing_mm`` and ``patient``.

``image`` is a path relative to the table, ``kind`` is ``calcification``, ``region`` (a circle of that diameter) or
``none`` for an image on which nothing is to be found. An image is judged by calcification where it has any, by region
where it has regions, and by both where it has ``none``. Positions are (row, col) of stored pixels, 0-based.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets.tables import Row, first_file, needed_file, rows_of
from mammocalc.evaluate.matching import Marks
from mammocalc.evaluate.truth import DataSet, Region, Specks, TrueImage, circle

TABLE = "truth.csv"
COLUMNS = ("image", "kind", "row", "col", "diameter_mm")
KINDS = ("calcification", "region", "none")


def is_here(root: Path) -> bool:
    """Whether a folder holds such a table."""
    table = first_file(root, TABLE)
    if table is None:
        return False
    with table.open(encoding="utf-8-sig", errors="replace") as stream:
        return {name.strip() for name in stream.readline().split(",")} >= set(COLUMNS)


def read(root: Path) -> DataSet:
    """Every image that the table names."""
    table = needed_file(root, TABLE)
    of_image: dict[str, list[Row]] = {}
    for row in rows_of(table, *COLUMNS):
        if row["kind"] not in KINDS:
            raise UnreadableInput(f"{table}: kind {row['kind']!r} is none of {', '.join(KINDS)}")
        of_image.setdefault(row["image"], []).append(row)
    folder = table.parent.relative_to(root)
    images = []
    for name, rows in of_image.items():
        try:
            images.append(_image((folder / name).as_posix(), rows))
        except ValueError as error:
            raise UnreadableInput(f"{table}: {name}: {error}") from None
    return DataSet("own-table", tuple(images))


def _image(path: str, rows: list[Row]) -> TrueImage:
    spacings = {float(row["pixel_spacing_mm"]) for row in rows if row.get("pixel_spacing_mm")}
    if len(spacings) > 1:
        raise ValueError("has more than one pixel_spacing_mm")
    spacing = next(iter(spacings), None)
    specks = [row for row in rows if row["kind"] == "calcification"]
    regions = [row for row in rows if row["kind"] == "region"]
    nothing = any(row["kind"] == "none" for row in rows)
    if regions and spacing is None:
        raise ValueError("a region needs pixel_spacing_mm")
    place = np.array([(float(row["row"]), float(row["col"])) for row in specks], np.float64).reshape(-1, 2)
    diameter = np.array([float(row["diameter_mm"] or 0) for row in specks], np.float64)
    marks = Marks(place[:, 0], place[:, 1], diameter)
    return TrueImage(
        path=path,
        patient=next((row["patient"] for row in rows if row.get("patient")), path),
        specks=Specks(marks, [row.get("label", "") for row in specks]) if specks or nothing else None,
        regions=tuple(_region(row, spacing) for row in regions) if regions or nothing else None,
        calcified=bool(specks or regions),
        pixel_spacing_mm=spacing,
    )


def _region(row: Row, spacing_mm: float | None) -> Region:
    radius = float(row["diameter_mm"]) / 2 / (spacing_mm or 1.0)
    return Region(circle(float(row["row"]), float(row["col"]), radius).polygons, row.get("label", ""))
