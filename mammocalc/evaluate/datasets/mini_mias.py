"""mini-MIAS: digitised films at 0.2 mm, with circles around abnormalities (Suckling et al. 1994).

``Info.txt`` beside ``mdbNNN.pgm``: ``mdb209 G CALC M 647 503 87`` is film, tissue, class, severity, column, row counted
from the BOTTOM, and radius in px; the circle may be missing where calcifications are spread widely. ``truth.csv`` with
``image,severity,col,row,radius_px`` (row from the top) does as well.
"""

from __future__ import annotations

import re
from pathlib import Path

from mammocalc.evaluate.datasets.tables import first_file, rows_of
from mammocalc.evaluate.truth import DataSet, Region, TrueImage, circle

SPACING_MM = 0.2
SIDE_PX = 1024
OUTCOMES = {"M": "malignant", "B": "benign"}
_LINE = re.compile(
    r"^(mdb\d{3})\w*\s+[FGD]\s+([A-Z]{4})(?:\s+([BM])(?:\s+(\d+)\s+(\d+)\s+(\d+))?)?", re.MULTILINE
)


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return first_file(root, "mdb[0-9][0-9][0-9].pgm") is not None


def read(root: Path) -> DataSet:
    """Every film that is in the folder; those without calcifications have no region."""
    regions, spread = _circles(root)
    images = []
    for path in sorted(root.rglob("mdb[0-9][0-9][0-9].pgm")):
        name = path.stem
        images.append(
            TrueImage(
                path=path.relative_to(root).as_posix(),
                # Two films in a row are the two breasts of one woman.
                patient=f"pair {(int(name[3:]) + 1) // 2}",
                regions=None if name in spread else tuple(regions.get(name, ())),
                calcified=name in regions or name in spread,
                pixel_spacing_mm=SPACING_MM,
            )
        )
    remarks = ["mini-MIAS: regions on film at 0.2 mm; specks below 0.4 mm are lost"]
    if spread:
        remarks.append(
            f"{len(spread)} films with calcifications that are not encircled: no region is judged on them"
        )
    return DataSet("mini-mias", tuple(images), tuple(remarks))


def _circles(root: Path) -> tuple[dict[str, list[Region]], set[str]]:
    """Regions by film, and the films whose calcifications are not encircled."""
    regions: dict[str, list[Region]] = {}
    spread: set[str] = set()
    table = first_file(root, "truth.csv")
    if table is not None:
        for row in rows_of(table, "image", "severity", "col", "row", "radius_px"):
            one = circle(float(row["row"]), float(row["col"]), float(row["radius_px"]))
            regions.setdefault(row["image"], []).append(_with_outcome(one, row["severity"]))
        return regions, spread
    text = first_file(root, "Info.txt", "info.txt")
    for name, kind, severity, col, row_up, radius in _LINE.findall(
        text.read_text(encoding="latin-1") if text else ""
    ):
        if kind != "CALC":
            continue
        if not radius:
            spread.add(name)
            continue
        one = circle(SIDE_PX - 1 - float(row_up), float(col), float(radius))
        regions.setdefault(name, []).append(_with_outcome(one, severity))
    return regions, spread


def _with_outcome(region: Region, severity: str) -> Region:
    return Region(region.polygons, outcome=OUTCOMES.get(severity, ""))
