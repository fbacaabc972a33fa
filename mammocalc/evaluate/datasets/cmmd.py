"""CMMD: full-field digital mammograms with what was found by breast, and no location (Cui et al. 2021).

``CMMD_clinicaldata_revision.xlsx`` (or the same as CSV) has one row a breast: ID1, LeftRight, Age, number, abnormality
(calcification, mass, both), classification, subtype. Images are ``<ID1>/<study>/<series>/1-N.dcm``; which breast an
image shows is in its header only, and is known after detection.
"""

from __future__ import annotations

from pathlib import Path

from mammocalc.evaluate.datasets.tables import first_file, needed_file, rows_of
from mammocalc.evaluate.truth import DataSet, TrueImage

TABLES = ("CMMD_clinicaldata*.csv", "CMMD_clinicaldata*.xlsx")
WITH_CALCIFICATIONS = {"calcification": True, "both": True, "mass": False}


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, *TABLES) is not None


def read(root: Path) -> DataSet:
    """Every image of the patients in the table."""
    table = needed_file(root, *TABLES)
    sides: dict[str, dict[str, bool]] = {}
    for row in rows_of(table, "ID1", "LeftRight", "abnormality"):
        calcified = WITH_CALCIFICATIONS.get(row["abnormality"].casefold())
        if calcified is not None:
            sides.setdefault(row["ID1"], {})[row["LeftRight"].upper()] = calcified
    images = []
    for path in sorted(root.rglob("*.dcm")):
        within = path.relative_to(root)
        patient = next((part for part in within.parts if part in sides), None)
        if patient is not None:
            images.append(TrueImage(within.as_posix(), patient, calcified_by_side=sides[patient]))
    remarks = (
        "CMMD: no locations; breasts with calcifications are held against breasts that have a mass alone",
        "a breast that the table does not list is left out of that",
    )
    return DataSet("cmmd", tuple(images), remarks)
