"""EMBED: digital mammograms with findings by breast and boxes by image (Jeong et al. 2023).

``EMBED_OpenData_metadata*.csv`` has one row an image, ``EMBED_OpenData_clinical*.csv`` one a finding; they belong
together by ``acc_anon`` and breast: ``side`` L, R, B (both) or empty (both) against ``ImageLateralityFinal``.
``ROI_coords`` are boxes ``(ymin, xmin, ymax, xmax)``, and do not say which finding they are around: they are taken
where every finding of that breast is a calcification.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets.tables import Row, first_file, needed_file, rows_of
from mammocalc.evaluate.truth import DataSet, Region, TrueImage, box

METADATA = ("EMBED_OpenData_metadata.csv", "EMBED_OpenData_metadata*.csv")
CLINICAL = ("EMBED_OpenData_clinical.csv", "EMBED_OpenData_clinical*.csv")

LABELS = {
    "A": "amorphous",
    "B": "fine_linear_branching",
    "C": "coarse",
    "D": "dystrophic",
    "E": "rim",
    "F": "fine_linear",
    "H": "coarse_heterogeneous",
    "I": "fine_pleomorphic",
    "L": "large_rod_like",
    "M": "milk_of_calcium",
    "O": "rim",
    "P": "punctate",
    "R": "round",
    "S": "skin",
    "U": "suture",
    "V": "vascular",
}
DISTRIBUTIONS = {
    "G": "grouped",
    "C": "grouped",
    "S": "segmental",
    "R": "regional",
    "D": "diffuse",
    "L": "linear",
}
MISSING = ("", "nan", "none")


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, *METADATA) is not None


def read(root: Path) -> DataSet:
    """Every two-dimensional image of the metadata."""
    metadata, clinical = needed_file(root, *METADATA), needed_file(root, *CLINICAL)
    findings: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(clinical, "acc_anon", "side", "calcfind"):
        side = row["side"].upper()
        for one in (side,) if side in ("L", "R") else ("L", "R"):
            findings.setdefault((_number(row["acc_anon"]), one), []).append(row)
    images = []
    left_out: Counter[str] = Counter()
    for row in rows_of(
        metadata, "acc_anon", "empi_anon", "anon_dicom_path", "ImageLateralityFinal", "ROI_coords"
    ):
        # Synthesised views of a tomosynthesis are no mammograms of their own.
        if row.get("FinalImageType", "2D") != "2D":
            continue
        of_breast = findings.get((_number(row["acc_anon"]), row["ImageLateralityFinal"].upper()))
        if of_breast is None:
            left_out["without a row in the clinical table"] += 1
            continue
        images.append(_image(root, metadata, row, of_breast, left_out))
    remarks = [
        "EMBED: only what was reported is known; false clusters are an upper bound",
        *(f"{count} images {why}: no region is judged on them" for why, count in sorted(left_out.items())),
    ]
    return DataSet("embed", tuple(images), tuple(remarks))


def _image(root: Path, table: Path, row: Row, findings: list[Row], left_out: Counter[str]) -> TrueImage:
    calcified = [one for one in findings if one["calcfind"].casefold() not in MISSING]
    # A row without any finding is a negative breast.
    other = [one for one in findings if one not in calcified and _has_finding(one)]
    boxes = _boxes(row["ROI_coords"], table)
    regions: tuple[Region, ...] | None = None
    if not calcified:
        regions = ()
    elif other:
        left_out["with other findings beside calcifications"] += 1
    elif not boxes:
        left_out["with calcifications that are not boxed"] += 1
    else:
        label = _joined(LABELS, [one["calcfind"] for one in calcified])
        distribution = _joined(DISTRIBUTIONS, [one.get("calcdistri", "") for one in calcified])
        regions = tuple(Region((box(*corners),), label, distribution) for corners in boxes)
    return TrueImage(
        path=_located(root, row["anon_dicom_path"]),
        patient=_number(row["empi_anon"]),
        regions=regions,
        calcified=bool(calcified),
        group=row.get("Manufacturer", ""),
    )


def _has_finding(row: Row) -> bool:
    names = ("massshape", "massmargin", "massdens", "otherfind")
    return any(row.get(name, "").casefold() not in MISSING for name in names)


def _joined(terms: dict[str, str], codes: list[str]) -> str:
    """Terms of all letters in some codes, each once."""
    return "/".join(
        dict.fromkeys(terms[letter] for code in codes for letter in code.upper() if letter in terms)
    )


def _boxes(text: str, table: Path) -> list[tuple[float, float, float, float]]:
    """Boxes as ymin, xmin, ymax, xmax from ``((..., ), ...)``, ``[[...]]`` or a single one."""
    if text.casefold() in MISSING:
        return []
    try:
        value = ast.literal_eval(text)
        listed = [value] if value and not isinstance(value[0], (tuple, list)) else value
        boxes = [(float(a), float(b), float(c), float(d)) for a, b, c, d in listed]
    except (ValueError, SyntaxError, TypeError):
        raise UnreadableInput(f"{table}: {text!r} is no list of boxes") from None
    return boxes


def _number(text: str) -> str:
    """Identifiers lose their decimals, which tables gain where a value is missing."""
    return text.removesuffix(".0")


def _located(root: Path, stated: str) -> str:
    """Where an image lies under the root; the tables state where it once lay, above the folder of its cohort."""
    parts = stated.replace("\\", "/").split("/")
    start = next((i for i, part in enumerate(parts) if part.startswith("cohort_")), len(parts) - 1)
    within = "/".join(parts[start:])
    for folder in ("", "images/", "anon_dicom/"):
        if (root / folder / within).exists():
            return folder + within
    return within
