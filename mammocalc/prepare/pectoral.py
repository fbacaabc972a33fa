"""The pectoral muscle on oblique and lateral views: a bright corner above, at the chest wall.

All straight lines that cut off the upper corner at the chest wall are scored by the fall of brightness across them
(the idea of the Hough line of Karssemeijer [1]_, with the sum taken over the line's own pixels), the best is bent to
the edge by dynamic programming, and what lies behind is muscle. A muscle is taken only where the edge is there nearly
all along the line: better none than a wrong one. The thresholds were set on 16 mini-MIAS films, of which 12 show a
muscle, with phantoms and digital images beside them; scores of muscles and of none lie far apart.

References
----------
.. [1] Karssemeijer N. (1998). Automated classification of parenchymal patterns in mammograms. Phys Med Biol 43,
   365-378, doi 10.1088/0031-9155/43/2/011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast
from mammocalc.prepare.cells import Cells

# Views that show next to no muscle.
VIEWS_WITHOUT_MUSCLE = ("CC", "XCC", "XCCL", "XCCM", "FB", "SPECIMEN")
# Brightness falls by at most this part of the breast's range a mm that counts: one strong stretch is no line.
STEEPEST_PER_MM = 0.03
# Least score (mean fall a mm times the root of the length in mm), and least part of the line with a fall: on any view,
# and on views that are meant to show the muscle.
LEAST = (0.215, 0.78)
LEAST_EXPECTED = (0.14, 0.70)
VIEWS_WITH_MUSCLE = ("MLO", "LMO", "SIO", "ISO")
SAMPLES = 48
# How far the edge may bend away from the line, mm.
BEND_MM = 8.0


@dataclass(frozen=True, eq=False)
class _Corner:
    """The breast turned so that the chest wall is on the left, on cells of about 1 mm, from its own first row on."""

    across: NDArray[np.float32]
    down: NDArray[np.float32]
    mask: NDArray[np.bool_]
    top: int
    left: int
    factor: int
    size_mm: float


def find_pectoral(cells: Cells, breast: Breast, view: str = "") -> NDArray[np.bool_]:
    """Cells of the pectoral muscle; none where the view has none or the evidence is thin.

    Parameters
    ----------
    cells : Cells
    breast : Breast
    view : str
        View code such as ``"MLO"``; empty where unknown.

    Returns
    -------
    ndarray of bool, shape (cell_rows, cell_columns)
    """
    import cv2

    muscle = np.zeros(breast.mask.shape, np.bool_)
    if view.upper() in VIEWS_WITHOUT_MUSCLE:
        return muscle
    corner = _turned(cells, breast)
    if corner is None:
        return muscle
    line = _best_line(corner, *(LEAST_EXPECTED if view.upper() in VIEWS_WITH_MUSCLE else LEAST))
    if line is None:
        return muscle
    curve = (_bent(corner, *line) + 0.5) * corner.factor
    curve[:, 0] += corner.left
    curve[:, 1] += corner.top
    polygon = np.concatenate([curve, [[-10.0, curve[-1, 1]], [-10.0, -10.0], [curve[0, 0], -10.0]]])
    canvas = np.zeros(muscle.shape, np.uint8)
    cv2.fillPoly(canvas, [np.rint(polygon).astype(np.int32)], 1)
    if breast.chest_wall == "right":
        canvas = canvas[:, ::-1]
    return (canvas > 0) & breast.mask


def _turned(cells: Cells, breast: Breast) -> _Corner | None:
    import cv2

    density, mask = cells.density, breast.mask
    if breast.chest_wall == "right":
        density, mask = density[:, ::-1], mask[:, ::-1]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    window = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    mask = np.ascontiguousarray(mask[window])
    low, high = breast.density_range
    factor = max(1, round(1.0 / cells.size_mm))
    size = factor * cells.size_mm
    shape = (mask.shape[1] // factor, mask.shape[0] // factor)
    if min(shape) * size < 30.0 or not high > low:
        return None
    share = np.clip((density[window] - low) / (high - low), -0.5, 1.5).astype(np.float32)
    share = cv2.GaussianBlur(cv2.resize(share, shape, interpolation=cv2.INTER_AREA), (0, 0), 2.0 / size)
    return _Corner(
        across=cv2.Sobel(share, cv2.CV_32F, 1, 0) / np.float32(8 * size),
        down=cv2.Sobel(share, cv2.CV_32F, 0, 1) / np.float32(8 * size),
        mask=cv2.resize(mask.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST) > 0,
        top=top,
        left=left,
        factor=factor,
        size_mm=size,
    )


def _falls(
    corner: _Corner,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    normal_x: NDArray[np.float64],
    normal_y: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fall of brightness a mm along the normals at positions, and whether they lie in the breast."""
    height, width = corner.mask.shape
    row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    inside &= corner.mask[row, column]
    return -(corner.across[row, column] * normal_x + corner.down[row, column] * normal_y), inside


def _best_line(corner: _Corner, least_score: float, least_part: float) -> tuple[float, float] | None:
    """Where the muscle's edge meets the top and the chest wall, in cells of the corner, or None."""
    height = corner.mask.shape[0]
    size = corner.size_mm
    first_rows = corner.mask[:3].any(0)
    reach = float(np.flatnonzero(first_rows)[-1]) if first_rows.any() else 0.0
    if reach * size < 10.0:
        return None
    above, beside = np.meshgrid(
        np.linspace(8.0 / size, reach, 36), np.linspace(25.0 / size, 1.15 * height, 44), indexing="ij"
    )
    plausible = (above > 0.12 * beside) & (above < 1.3 * beside)
    if not plausible.any():
        return None
    above, beside = np.asarray(above[plausible]), np.asarray(beside[plausible])
    part = (np.arange(SAMPLES) + 0.5) / SAMPLES
    x, y = above[:, None] * (1 - part), beside[:, None] * part
    norm = np.hypot(above, beside)
    normal_x, normal_y = (beside / norm)[:, None], (above / norm)[:, None]
    fall, inside = _falls(corner, x, y, normal_x, normal_y)
    count = inside.sum(1)
    length = norm * size * count / SAMPLES
    capped = np.where(inside, np.clip(fall, -0.02, STEEPEST_PER_MM), 0.0)
    score = capped.sum(1) / np.maximum(count, 1) * np.sqrt(length)
    score[(2 * count < SAMPLES) | (length < 30.0)] = -1.0
    best = int(score.argmax())
    if score[best] < least_score:
        return None
    seen = fall[best][inside[best]]
    if np.mean(seen > 0.25 * np.median(seen)) < least_part:
        return None
    # Breast must lie beyond the line: an edge against the air is skin.
    beyond = 6.0 / size
    _, breast_beyond = _falls(
        corner,
        x[best] + beyond * normal_x[best],
        y[best] + beyond * normal_y[best],
        normal_x[best],
        normal_y[best],
    )
    if breast_beyond[inside[best]].mean() < 0.7:
        return None
    return float(above[best]), float(beside[best])


def _bent(corner: _Corner, above: float, beside: float) -> NDArray[np.float64]:
    """The line bent to the steepest edge within a few mm: points (x, y) from above the top to beyond the chest wall."""
    norm = float(np.hypot(above, beside))
    normal = np.array([beside / norm, above / norm])
    steps = max(8, round(norm * corner.size_mm / 2.0))
    part = np.linspace(-0.05, 1.05, steps)
    x, y = above * (1 - part), beside * part
    reach = max(1, round(BEND_MM / corner.size_mm))
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    fall, inside = _falls(
        corner, x[:, None] + offset * normal[0], y[:, None] + offset * normal[1], normal[:1], normal[1:]
    )
    gain = np.where(inside, np.clip(fall, 0.0, 2 * STEEPEST_PER_MM), 0.0) / STEEPEST_PER_MM
    gain -= 0.3 * (offset / reach) ** 2
    # Best sum so far at each offset, with a rim that nothing comes from.
    total = np.full(len(offset) + 2, -np.inf)
    total[1:-1] = gain[0]
    came = np.zeros(gain.shape, np.int64)
    for step in range(1, steps):
        options = np.stack([total[:-2] - 0.15, total[1:-1], total[2:] - 0.15])
        came[step] = np.arange(len(offset)) + options.argmax(0) - 1
        total[1:-1] = gain[step] + options.max(0)
    path = np.empty(steps, np.int64)
    path[-1] = total[1:-1].argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = came[step, path[step]]
    shift = offset[path]
    window = np.ones(5) / 5
    shift = np.convolve(np.pad(shift, 2, mode="edge"), window, "valid")
    return np.stack([x + shift * normal[0], y + shift * normal[1]], axis=1)
