"""The nipple: where the skin line stands farthest from the chest wall, bulges out, and is dense beneath.

The weights were set on phantoms and by eye on 15 real images (mini-MIAS films and digital ones), where a third more or
less of each changes little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast
from mammocalc.prepare.cells import Cells

# Direction from chest wall to nipple below the horizontal, degrees, on an oblique view without a visible muscle.
OBLIQUE_DEG = 20.0
OBLIQUE_VIEWS = ("MLO", "LMO", "SIO", "ISO")
# Part of the muscle's own slope by which the direction dips: compression lifts the nipple above the edge's normal.
EDGE_SHARE = 0.65
# What one unit of evidence is: mm short of the farthest point, mm of bulge, and part of the breast's grey range.
SHORT_MM = 6.0
BULGE_MM = 1.0
DENSE_PART = 0.12
# The farther from the farthest point, the less the other evidence may move the nipple.
SEARCH_MM = 25.0
# Half the width of a nipple with its hollows, mm.
FLANK_MM = 8.0
# Depth beneath the skin where the nipple and its ducts show, mm.
DEPTH_MM = 3.5
# Nearer than this to where the skin line leaves the picture, the farthest point is not in the picture.
CUT_MM = 4.0


def find_nipple(
    cells: Cells, breast: Breast, pectoral: NDArray[np.bool_], view: str = ""
) -> tuple[float, float] | None:
    """Position (row, col) in stored pixels, or None where the farthest part of the breast is cut off.

    Farthest means along the normal of the pectoral muscle's edge where there is one, along a usual slope on oblique
    views without, else straight away from the chest wall.

    Parameters
    ----------
    cells : Cells
    breast : Breast
    pectoral : ndarray of bool, shape (cell_rows, cell_columns)
    view : str
        View code such as ``"MLO"``; empty where unknown.
    """
    line = _skin_line(breast)
    if line is None or len(line) * cells.size_mm < 30.0:
        return None
    step = max(1.0, 1.0 / cells.size_mm)
    line = _resampled(line, step)
    spacing = step * cells.size_mm
    outwards = _outwards(breast, pectoral, view)
    smooth = _along(line, 2.0 / spacing)
    reach = (smooth @ outwards) * cells.size_mm
    farthest = int(reach.argmax())
    margin = round(CUT_MM / spacing)
    if farthest < margin or farthest >= len(line) - margin:
        return None
    wide = _along(line, 10.0 / spacing)
    tangent = np.gradient(wide, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # The skin line runs so that the breast may lie on either hand: outwards is where the farthest point's normal goes.
    normal *= np.sign(normal[farthest] @ outwards) or 1.0
    residue = ((_along(line, 1.5 / spacing) - wide) * normal).sum(1) * cells.size_mm
    # A corner of the outline stands out over a wide stretch, a nipple alone: its flanks do not.
    flank = round(FLANK_MM / spacing)
    padded = np.pad(residue, flank, mode="edge")
    bulge = residue - 0.6 * (padded[: len(line)] + padded[2 * flank :])
    beneath = _beneath(cells, breast, smooth - normal * (DEPTH_MM / cells.size_mm))
    dense = _along(beneath[:, None], 2.0 / spacing)[:, 0] - _along(beneath[:, None], 15.0 / spacing)[:, 0]
    distance = np.abs(np.arange(len(line)) - farthest) * spacing
    evidence = (
        (reach - reach[farthest]) / SHORT_MM
        + np.clip(bulge / BULGE_MM, 0.0, 4.0)
        + np.clip(dense / DENSE_PART, 0.0, 1.0)
        - (distance / SEARCH_MM) ** 2
    )
    evidence[:margin] = evidence[len(line) - margin :] = -np.inf
    best = int(evidence.argmax())
    row, column = _along(line, 1.0 / spacing)[best].tolist()
    return ((row + 0.5) * cells.step - 0.5, (column + 0.5) * cells.step - 0.5)


def _skin_line(breast: Breast) -> NDArray[np.float64] | None:
    """The longest run of the outline that borders on background inside the field: (row, col) in cells, in order."""
    import cv2

    row_min, col_min, row_max, col_max = breast.field
    contours, _ = cv2.findContours(breast.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0, ::-1]
    cut = (
        (outline[:, 0] <= row_min)
        | (outline[:, 0] >= row_max - 1)
        | (outline[:, 1] <= col_min)
        | (outline[:, 1] >= col_max - 1)
    )
    if cut.all():
        return None
    if cut.any():
        start = int(np.flatnonzero(cut)[0])
        outline, cut = np.roll(outline, -start, axis=0), np.roll(cut, -start)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], cut, [True]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return outline[starts[longest] : stops[longest]].astype(np.float64)


def _resampled(line: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Points at equal distances of `step` cells along the line."""
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0.0, travelled[-1], step)
    return np.stack([np.interp(at, travelled, line[:, k]) for k in (0, 1)], axis=1)


def _along(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Columns smoothed by a Gaussian; the ends are carried on by reflection in the end point, so slopes stay."""
    reach = max(1, min(int(3 * sigma + 0.5), len(values) - 1))
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    weight /= weight.sum()
    return np.stack([np.convolve(padded[:, k], weight, "valid") for k in range(values.shape[1])], axis=1)


def _outwards(breast: Breast, pectoral: NDArray[np.bool_], view: str) -> NDArray[np.float64]:
    """Unit vector (row, col) from chest wall to nipple."""
    slope = np.deg2rad(OBLIQUE_DEG) if view.upper() in OBLIQUE_VIEWS else 0.0
    if pectoral.any():
        rows = np.flatnonzero(pectoral.any(1))
        width = pectoral[rows].sum(1).astype(np.float64)
        inner = slice(len(rows) // 10, max(len(rows) // 10 + 2, 9 * len(rows) // 10))
        if len(rows) >= 4:
            edge = float(np.arctan(max(-np.polyfit(rows[inner], width[inner], 1)[0], 0.0)))
            slope = EDGE_SHARE * edge
    sign = 1.0 if breast.chest_wall == "left" else -1.0
    return np.array([np.sin(slope), sign * np.cos(slope)])


def _beneath(cells: Cells, breast: Breast, where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Density at positions (row, col) in cells, as part of the breast's own range."""
    import cv2

    low, high = breast.density_range
    smooth = cv2.GaussianBlur(cells.density, (0, 0), 1.0 / cells.size_mm)
    row = np.clip(np.rint(where[:, 0]).astype(np.int64), 0, smooth.shape[0] - 1)
    column = np.clip(np.rint(where[:, 1]).astype(np.int64), 0, smooth.shape[1] - 1)
    return (smooth[row, column].astype(np.float64) - low) / max(high - low, 1e-9)
