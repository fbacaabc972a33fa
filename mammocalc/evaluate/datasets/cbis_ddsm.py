"""CBIS-DDSM: digitised films with a mask around each finding (Lee et al. 2017).

``calc_case_description_{train,test}_set.csv`` has one row a finding. Paths in it end in line breaks and have the layout
of the first release (``<series>/<study uid>/<series uid>/000000.dcm``); later downloads are
``<series>/<date>/<number>/1-1.dcm``, so files are looked for by the name of their series. Crop and mask of a finding
are swapped now and then: the mask is the one with two values only. No pixel spacing is stated.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets.tables import Row, first_file, needed_file, rows_of
from mammocalc.evaluate.truth import DataSet, Region, TrueImage

TABLES = ("calc_case_description_train_set.csv", "calc_case_description_test_set.csv")
SPACING_MM = 0.05
"""The scanners had 42 to 50 um; which film was on which is not stated."""

LABELS = {
    "AMORPHOUS": "amorphous",
    "COARSE": "coarse",
    "DYSTROPHIC": "dystrophic",
    "EGGSHELL": "rim",
    "FINE_LINEAR_BRANCHING": "fine_linear_branching",
    "LARGE_RODLIKE": "large_rod_like",
    "LUCENT_CENTER": "rim",
    "LUCENT_CENTERED": "rim",
    "MILK_OF_CALCIUM": "milk_of_calcium",
    "PLEOMORPHIC": "fine_pleomorphic",
    "PUNCTATE": "punctate",
    "ROUND_AND_REGULAR": "round",
    "SKIN": "skin",
    "VASCULAR": "vascular",
}
DISTRIBUTIONS = {
    "CLUSTERED": "grouped",
    "DIFFUSELY_SCATTERED": "diffuse",
    "LINEAR": "linear",
    "REGIONAL": "regional",
    "SEGMENTAL": "segmental",
}


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, *TABLES) is not None


def read(root: Path) -> DataSet:
    """Every film with calcifications that is described, train and test."""
    needed_file(root, *TABLES)
    findings: dict[str, list[Row]] = {}
    for name in TABLES:
        table = first_file(root, name)
        for row in rows_of(table, "patient_id", "image file path", "ROI mask file path") if table else ():
            findings.setdefault(_series(row["image file path"]), []).append(row)
    folders = _series_folders(root)
    images = []
    for series, rows in sorted(findings.items()):
        film = _only_file(folders.get(series, ()), rows[0]["image file path"])
        regions = tuple(_region(row, folders, film) for row in rows)
        images.append(
            TrueImage(
                path=(film.relative_to(root) if film else Path(series, "1-1.dcm")).as_posix(),
                patient=rows[0]["patient_id"],
                regions=regions if film else None,
                calcified=True,
                group="test" if "-Test_" in series else "training",
                pixel_spacing_mm=SPACING_MM,
            )
        )
    remarks = (
        f"CBIS-DDSM: the pixel spacing is not stated; {SPACING_MM} mm is assumed (scanners had 0.042 to 0.05 mm)",
        "masks outline findings, not specks, and not every benign calcification; every film has one or more",
    )
    return DataSet("cbis-ddsm", tuple(images), remarks)


def _series(path: str) -> str:
    """The name of the series: the first part of a path in the tables."""
    return path.replace("\\", "/").lstrip("/").split("/")[0].strip()


def _series_folders(root: Path) -> dict[str, list[Path]]:
    """DICOM files by the name of their series, wherever it lies under the root."""
    files: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*.dcm")):
        for part in reversed(path.relative_to(root).parts[:-1]):
            if part.startswith(("Calc-", "Mass-")):
                files.setdefault(part, []).append(path)
                break
    return files


def _only_file(files: Iterable[Path], stated: str) -> Path | None:
    """The file of a series of one image; of several, the one that is named as stated."""
    ordered = list(files)
    name = stated.strip().rsplit("/", 1)[-1]
    return next((path for path in ordered if path.name == name), ordered[0] if ordered else None)


def _region(row: Row, folders: dict[str, list[Path]], film: Path | None) -> Region:
    labels = [LABELS[atom] for atom in row.get("calc type", "").split("-") if atom in LABELS]
    distributions = [
        DISTRIBUTIONS[a] for a in row.get("calc distribution", "").split("-") if a in DISTRIBUTIONS
    ]
    pathology = row.get("pathology", "").casefold()
    outcome = next((one for one in ("malignant", "benign") if pathology.startswith(one)), "")
    series = _series(row["ROI mask file path"])
    candidates = folders.get(series, [])
    if film is not None and not candidates:
        raise UnreadableInput(f"{series}: the mask of a finding is not there")
    return Region(
        (),
        "/".join(dict.fromkeys(labels)),
        "/".join(dict.fromkeys(distributions)),
        outcome,
        tuple(candidates),
    )
