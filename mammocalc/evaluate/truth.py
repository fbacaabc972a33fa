"""What is known to be true of an image, whichever data set it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mammocalc.evaluate.matching import Marks

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Region:
    """A place where a reader says that there are calcifications.

    Attributes
    ----------
    polygons : tuple of ndarray of float64, shape (k, 2)
        (row, col) of stored pixels, 0-based; the region is their union.
    label : str
        Morphology as the data set gives it, in this project's terms where they exist, else empty.
    distribution : str
        ``"grouped"``, ``"linear"``, ... or empty.
    outcome : {"malignant", "benign", ""}
    """

    polygons: tuple[Points, ...]
    label: str = ""
    distribution: str = ""
    outcome: str = ""

    def contains(self, row: NDArray[np.float64], col: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point lies in the region, shape (n,)."""
        from skimage.measure import points_in_poly

        points = np.column_stack((row, col))
        inside = np.zeros(len(points), np.bool_)
        for polygon in self.polygons:
            inside |= points_in_poly(points, polygon)
        return inside


def circle(row: float, col: float, radius: float) -> Region:
    """A round region, all in px."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return Region((np.column_stack((row + radius * np.sin(turn), col + radius * np.cos(turn))),))


def box(row_min: float, col_min: float, row_max: float, col_max: float) -> Points:
    """The corners of a rectangle, shape (4, 2)."""
    return np.array([(row_min, col_min), (row_min, col_max), (row_max, col_max), (row_max, col_min)], float)


@dataclass(frozen=True, eq=False)
class Specks:
    """The true calcifications of an image, one by one.

    Attributes
    ----------
    marks : Marks
    label : sequence of str, n of them
        Empty where the data set does not say.
    visibility : ndarray of float64, shape (n,), or None
        How far each stands out of tissue and noise, for synthetic images; 4 to 5 is the limit of visibility.
    """

    marks: Marks
    label: Sequence[str]
    visibility: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Number of calcifications."""
        return len(self.marks)


@dataclass(frozen=True)
class Distractor:
    """Something known to be there that is no calcification."""

    kind: str
    row: float
    col: float
    length_mm: float


@dataclass(frozen=True, eq=False)
class TrueImage:
    """The truth of one image.

    Attributes
    ----------
    path : str
        Of the image, relative to the root of the data set, with ``/``. Where a data set names an image without its
        folder or ending, as much of it as is known.
    patient : str
        What the bootstrap draws.
    specks : Specks or None
        None where calcifications were not marked one by one.
    regions : tuple of Region or None
        None where regions were not marked.
    calcified : bool or None
        Whether there is any calcification that the data set is about; None where it does not say.
    group : str
        A kind of image to tell apart in the report, e.g. the detector.
    pixel_spacing_mm : float or None
        For images that do not state it.
    distractors : tuple of Distractor
    """

    path: str
    patient: str
    specks: Specks | None = None
    regions: tuple[Region, ...] | None = None
    calcified: bool | None = None
    group: str = ""
    pixel_spacing_mm: float | None = None
    distractors: tuple[Distractor, ...] = ()


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images with their truth.

    Attributes
    ----------
    name : str
    images : tuple of TrueImage
    remarks : tuple of str
        What must be known to read the figures, e.g. that only suspicious calcifications are marked.
    """

    name: str
    images: tuple[TrueImage, ...]
    remarks: tuple[str, ...] = field(default=())
