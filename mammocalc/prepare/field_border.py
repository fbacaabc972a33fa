"""The rim of the exposed field: where a film ends on its canvas, or a frame line runs along the image's border.

The step from a blank margin into tissue answers like a rod all along the border, and scanners smear or frame the
first pixels of a film. Nothing is to be searched there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast
from mammocalc.prepare.cells import Cells
from mammocalc.read.mammogram import Mammogram

# Width of the rim: what a step disturbs at the scales of small calcifications, and pixels that a scanner smears.
RIM_MM = 1.0
RIM_PIXELS = 4
# A frame line lies in the outermost millimetre, and changes by this many times what neighbouring lines do.
FRAME_MM = 1.0
FRAME_CHANGE = 8.0
# Least part of the breast along the border that must change so.
FRAME_SHARE = 0.5
# Fewer cells of breast along a border say nothing.
FEWEST_CELLS = 10


def find_field_border(mammogram: Mammogram, cells: Cells, breast: Breast) -> NDArray[np.bool_]:
    """Cells along the sides of the exposed field that end inside the image, or at a frame line.

    Parameters
    ----------
    mammogram : Mammogram
    cells : Cells
    breast : Breast

    Returns
    -------
    ndarray of bool, shape (cell_rows, cell_columns)
        The whole rim and what lies outside of it, breast or not.
    """
    rim_mm = RIM_MM + RIM_PIXELS * mammogram.pixel_spacing_mm
    found: NDArray[np.bool_] = np.zeros(breast.mask.shape, np.bool_)
    (row_min, col_min, row_max, col_max), (rows, columns) = breast.field, found.shape
    # Views in which the side in question is the top one: (pixels, cells of the breast, rim, margin in cells).
    turned = (
        (mammogram.pixels, breast.mask, found, row_min),
        (mammogram.pixels[::-1], breast.mask[::-1], found[::-1], rows - row_max),
        (mammogram.pixels.T, breast.mask.T, found.T, col_min),
        (mammogram.pixels.T[::-1], breast.mask.T[::-1], found.T[::-1], columns - col_max),
    )
    for pixels, mask, rim, margin in turned:
        if margin > 0:
            rim[: margin + _cells(rim_mm, cells)] = True
        elif thickness := _frame_thickness(pixels, mask, cells.step, mammogram.pixel_spacing_mm):
            rim[: _cells(thickness * mammogram.pixel_spacing_mm + rim_mm, cells)] = True
    return found


def _cells(length_mm: float, cells: Cells) -> int:
    return int(np.ceil(length_mm / cells.size_mm))


def _frame_thickness(
    pixels: NDArray[np.uint16], mask: NDArray[np.bool_], step: int, pixel_spacing_mm: float
) -> int:
    """Number of lines of pixels along the top border that belong to a frame, 0 where there is none."""
    lines = max(2, round(FRAME_MM / pixel_spacing_mm))
    along = (
        np.flatnonzero(mask[-(-2 * lines // step)]) if mask.shape[0] * step > 4 * lines else np.empty(0, int)
    )
    if len(along) < FEWEST_CELLS:
        return 0
    # One column of pixels in the middle of each cell is enough.
    columns = np.minimum(along * step + step // 2, pixels.shape[1] - 1)
    part = pixels[: 4 * lines, columns].astype(np.int64)
    change = np.abs(np.diff(part, axis=0))
    usual = max(float(np.median(change[2 * lines :])), 1.0)
    framed = np.flatnonzero((change[:lines] > FRAME_CHANGE * usual).mean(1) >= FRAME_SHARE)
    return int(framed[-1]) + 1 if len(framed) else 0
