"""The nipple: the point of the skin line farthest from the chest wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast
from mammocalc.prepare.cells import Cells


def find_nipple(cells: Cells, breast: Breast, skin: NDArray[np.float32]) -> tuple[float, float] | None:
    """Position (row, col) in stored pixels, or None where the farthest part of the breast is cut off."""
    row_min, col_min, row_max, col_max = breast.field
    mask = breast.mask
    rows = np.flatnonzero(mask.any(1))
    if breast.chest_wall == "left":
        reach = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)
        cut = col_max - 1
    else:
        reach = mask.argmax(1)
        cut = col_min
    sign = 1 if breast.chest_wall == "left" else -1
    profile = sign * reach[rows].astype(np.float64)
    window = max(1, round(4.0 / cells.size_mm))
    smooth = np.convolve(
        np.pad(profile, window, mode="edge"), np.ones(2 * window + 1) / (2 * window + 1), "valid"
    )
    best = int(smooth.argmax())
    row = int(rows[best])
    if abs(int(reach[row]) - cut) <= 1 or row - row_min <= 1 or row_max - 1 - row <= 1:
        return None
    return ((row + 0.5) * cells.step - 0.5, (reach[row] + 0.5) * cells.step - 0.5)
