"""What the read stage hands over: stored pixels and what is known about how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Intent = Literal["FOR PROCESSING", "FOR PRESENTATION", "UNKNOWN"]


@dataclass(frozen=True, eq=False, repr=False)
class Mammogram:
    """One frame of one mammogram as stored, with its scale and identifiers.

    Attributes
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        Stored values, C-contiguous. Signed data are shifted by ``2**(bits_stored - 1)``, which keeps their
        order. Pixel (0, 0) is centred on position (0, 0).
    pixel_spacing_mm : float
        Side of a square pixel in the object plane, mm.
    spacing_source : str
        Where the spacing came from, e.g. ``"ImagerPixelSpacing/EstimatedRadiographicMagnificationFactor"``.
    dense_is_bright : bool
        False where a higher stored value means less attenuation; `prepare` inverts exactly once.
    intent : {"FOR PROCESSING", "FOR PRESENTATION", "UNKNOWN"}
        (0008,0068).
    linear_in_exposure : bool
        True for raw data proportional to detector exposure, which `prepare` takes the logarithm of.
    bits_stored : int
        Significant bits of `pixels`.
    padding : tuple of int or None
        Inclusive range of stored values (after the shift of signed data) that are padding, not image.
    laterality : {"L", "R", ""}
        Side of the breast.
    view : str
        ``"CC"``, ``"MLO"``, ``"ML"``, ... or ``""``.
    view_modifiers : tuple of str
        Code meanings such as ``"Magnification"`` or ``"Spot Compression"``.
    path : str
        The path as it was given.
    sop_instance_uid, study_instance_uid : str
        Empty for raster images.
    frame : int
        0-based frame number.
    """

    pixels: NDArray[np.uint16]
    pixel_spacing_mm: float
    spacing_source: str
    dense_is_bright: bool = True
    intent: Intent = "UNKNOWN"
    linear_in_exposure: bool = False
    bits_stored: int = 16
    padding: tuple[int, int] | None = None
    laterality: str = ""
    view: str = ""
    view_modifiers: tuple[str, ...] = ()
    path: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    frame: int = 0

    def __repr__(self) -> str:
        rows, columns = self.pixels.shape
        side = " ".join(word for word in (self.laterality, self.view, *self.view_modifiers) if word)
        frame = f", frame {self.frame}" if self.frame else ""
        size = f"{rows} x {columns} px of {self.pixel_spacing_mm:.4g} mm"
        return f"<Mammogram{f' {side}' if side else ''}{frame}: {size}, {self.intent}>"
