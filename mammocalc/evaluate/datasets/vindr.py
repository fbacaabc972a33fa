"""VinDr-Mammo: full-field digital mammograms with boxes around SUSPICIOUS calcifications (Nguyen et al. 2023).

``finding_annotations.csv`` has one row a finding and one an image without any; ``finding_categories`` is a list as
text; the box is xmin, ymin, xmax, ymax from the top left. Images are ``images/<study_id>/<image_id>.dicom``.
"""

from __future__ import annotations

import ast
from pathlib import Path

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets.tables import Row, first_file, needed_file, rows_of
from mammocalc.evaluate.truth import DataSet, Region, TrueImage, box

TABLE = "finding_annotations.csv"
CATEGORY = "Suspicious Calcification"


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, TABLE) is not None


def read(root: Path) -> DataSet:
    """Every image of the table."""
    table = needed_file(root, TABLE)
    rows = rows_of(table, "study_id", "image_id", "finding_categories", "xmin", "ymin", "xmax", "ymax")
    folder = table.parent.relative_to(root)
    findings: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        findings.setdefault((row["study_id"], row["image_id"]), []).append(row)
    images = []
    for (study, image), of_image in findings.items():
        regions = tuple(_region(row, table) for row in of_image if CATEGORY in _categories(row, table))
        images.append(
            TrueImage(
                path=(folder / "images" / study / f"{image}.dicom").as_posix(),
                patient=study,
                regions=regions,
                calcified=bool(regions),
                group=of_image[0].get("split", ""),
            )
        )
    remark = (
        "VinDr-Mammo: only suspicious calcifications are boxed; false clusters are an upper bound, "
        "for marks on benign calcifications count among them"
    )
    return DataSet("vindr", tuple(images), (remark,))


def _categories(row: Row, table: Path) -> list[str]:
    try:
        listed = ast.literal_eval(row["finding_categories"])
    except (ValueError, SyntaxError):
        listed = None
    if not isinstance(listed, list):
        raise UnreadableInput(f"{table}: {row['finding_categories']!r} is no list of findings")
    return [str(one) for one in listed]


def _region(row: Row, table: Path) -> Region:
    try:
        corners = [float(row[name]) for name in ("ymin", "xmin", "ymax", "xmax")]
    except ValueError:
        raise UnreadableInput(f"{table}: a calcification of {row['image_id']} has no box") from None
    return Region((box(*corners),))
