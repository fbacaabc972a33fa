"""What the prepare stage hands over: the plane that is searched and the anatomy around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Breast, muscle, skin, nipple and foreign objects on a coarse grid over the WHOLE stored image.

    Cell (i, j) covers stored pixels ``[i*step, (i+1)*step) x [j*step, (j+1)*step)``.

    Attributes
    ----------
    step : int
        Side of a cell in stored pixels (about 0.5 mm).
    breast, pectoral, foreign : ndarray of bool, shape (cell_rows, cell_columns)
        `breast` is the whole breast, muscle included; `foreign` covers burned-in labels, paddle edges, clips and
        BB markers with a small safety rim, and the rim of a film that ends inside the image.
    skin_distance_mm : ndarray of float32, same shape
        Distance of the cell's centre to the skin line (the breast's border that is not the image's border), mm;
        0 outside the breast.
    nipple : tuple of float or None
        (row, col) in stored pixels, None where it could not be placed.
    chest_wall : {"left", "right"}
        Side of the stored image where the chest wall is.
    breast_area_mm2 : float
        Muscle included.
    """

    step: int
    breast: NDArray[np.bool_]
    pectoral: NDArray[np.bool_]
    foreign: NDArray[np.bool_]
    skin_distance_mm: NDArray[np.float32]
    nipple: tuple[float, float] | None
    chest_wall: Literal["left", "right"]
    breast_area_mm2: float


@dataclass(frozen=True, eq=False)
class Scene:
    """The breast's bounding box with bright = dense and unit noise variance everywhere.

    Attributes
    ----------
    plane : ndarray of float32, shape (h, w)
        ``stabiliser[pixels]`` inside the bounding box of the breast; C-contiguous. One unit is one standard deviation
        of the pixel noise. Plane pixel (i, j) is stored pixel (i + origin[0], j + origin[1]).
    origin : tuple of int
        Stored (row, col) of ``plane[0, 0]``.
    pixel_spacing_mm : float
        Side of a pixel in the object plane, mm.
    anatomy : Anatomy
        Breast, muscle, skin, nipple and foreign objects.
    stabiliser : ndarray of float32, shape (2**bits,)
        Look-up table from stored value to plane value, monotone (decreasing where polarity was inverted).
    density_plane, density : ndarray of float32, shape (k,)
        A monotone curve from plane value (ascending) to density: the natural logarithm of attenuation for images linear
        in exposure, else the fraction of the breast's own 1-99 % grey range. ``np.interp(x, density_plane, density)``.
    noise_level, noise_sigma : ndarray of float64, shape (m,)
        The estimated noise curve: standard deviation of stored values against stored value.
    """

    plane: NDArray[np.float32]
    origin: tuple[int, int]
    pixel_spacing_mm: float
    anatomy: Anatomy
    stabiliser: NDArray[np.float32]
    density_plane: NDArray[np.float32]
    density: NDArray[np.float32]
    noise_level: NDArray[np.float64]
    noise_sigma: NDArray[np.float64]
