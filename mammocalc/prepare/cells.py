"""The coarse grid on which anatomy is found, bright = dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.read.mammogram import Mammogram


@dataclass(frozen=True, eq=False)
class Cells:
    """Means and extremes of square cells over the whole stored image.

    Attributes
    ----------
    step : int
        Side of a cell, pixels.
    size_mm : float
        Side of a cell, mm.
    density : ndarray of float32, shape (cell_rows, cell_columns)
        Bright = dense: minus the logarithm of exposure where the image is linear in exposure, else the mean
        stored value, inverted where polarity asks for it.
    darkest, brightest : ndarray of uint16, same shape
        Extremes of the pixels in dense order: the stored value, or `top` less it where polarity is inverted.
    valid : ndarray of bool, same shape
        False where half of a cell's pixels or more are padding.
    height_mm, width_mm : ndarray of float64, shapes (cell_rows,) and (cell_columns,)
        Sides of the cells that lie in the image: the last ones may be cut.
    top : int
        Greatest value the stored bits can hold; more bits than the header promised where the pixels need them.
    """

    step: int
    size_mm: float
    density: NDArray[np.float32]
    darkest: NDArray[np.uint16]
    brightest: NDArray[np.uint16]
    valid: NDArray[np.bool_]
    height_mm: NDArray[np.float64]
    width_mm: NDArray[np.float64]
    top: int


def make_cells(mammogram: Mammogram, cell_mm: float, threads: int = 1) -> Cells:
    """Reduce a mammogram to cells of about `cell_mm`, with polarity applied and exposures as logarithms."""
    from mammocalc_kernels.blocks import reduce_cells

    pixels = mammogram.pixels
    step = int(np.clip(round(cell_mm / mammogram.pixel_spacing_mm), 1, 255))
    mean, least, greatest, count = reduce_cells(pixels, step, mammogram.padding, threads)
    top = (1 << max(int(mammogram.bits_stored), int(greatest.max()).bit_length(), 1)) - 1
    inverted = not mammogram.dense_is_bright
    if mammogram.linear_in_exposure:
        exposure = mean if inverted else np.float32(top) - mean
        density = -np.log(np.maximum(exposure, np.float32(1.0)))
    else:
        density = np.float32(top) - mean if inverted else mean
    darkest, brightest = (top - greatest, top - least) if inverted else (least, greatest)
    # The last row and column of cells may be cut by the image's border.
    rows, columns = pixels.shape
    height = np.minimum(step, rows - step * np.arange(mean.shape[0]))
    width = np.minimum(step, columns - step * np.arange(mean.shape[1]))
    if mammogram.padding is None:
        valid = np.ones(mean.shape, np.bool_)
    else:
        valid = 2 * count.astype(np.int64) > height[:, None] * width[None, :]
    return Cells(
        step=step,
        size_mm=step * mammogram.pixel_spacing_mm,
        density=density,
        darkest=darkest.astype(np.uint16, copy=False),
        brightest=brightest.astype(np.uint16, copy=False),
        valid=valid,
        height_mm=height * mammogram.pixel_spacing_mm,
        width_mm=width * mammogram.pixel_spacing_mm,
        top=top,
    )
