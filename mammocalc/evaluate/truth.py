"""What is known to be true of an image, whichever data set it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import UnreadableInput
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
        Morphology in this project's terms, several joined by ``/``; empty where the data set does not say.
    distribution : str
        ``"grouped"``, ``"linear"``, ... or empty.
    outcome : {"malignant", "benign", ""}
        What the pathology says, or empty.
    masks : tuple of path
        Images of which one has two values only and shows the region; read when the region is first needed.
    """

    polygons: tuple[Points, ...]
    label: str = ""
    distribution: str = ""
    outcome: str = ""
    masks: tuple[Path, ...] = ()

    @cached_property
    def outlines(self) -> tuple[Points, ...]:
        """The polygons, those of the mask included."""
        return (*self.polygons, *outlines_of(read_mask(self.masks))) if self.masks else self.polygons

    def contains(self, row: NDArray[np.float64], col: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point lies in the region.

        Parameters
        ----------
        row, col : ndarray of float64, shape (n,)
            Stored pixels.

        Returns
        -------
        ndarray of bool, shape (n,)
            True inside.
        """
        from skimage.measure import points_in_poly

        points = np.column_stack((row, col))
        inside = np.zeros(len(points), np.bool_)
        for polygon in self.outlines:
            inside |= points_in_poly(points, polygon)
        return inside


def read_mask(paths: Sequence[Path]) -> NDArray[np.bool_]:
    """The first image of two values only, true where it is not zero, shape (rows, columns).

    Raises
    ------
    UnreadableInput
        None of them is such an image.
    """
    from mammocalc.read import read

    for path in paths:
        # The spacing is asked for and does not matter here.
        pixels = read(path, pixel_spacing_mm=0.05).pixels
        low, high = pixels.min(), pixels.max()
        if low == 0 < high and not ((pixels != low) & (pixels != high)).any():
            return pixels > 0
    raise UnreadableInput(f"{paths[0].parent}: none of its {len(paths)} images is a mask")


def outlines_of(mask: NDArray[np.bool_]) -> tuple[Points, ...]:
    """Closed outlines half way between the pixels of a mask and those around it, one a piece; holes are filled."""
    from scipy.ndimage import find_objects, label
    from skimage.measure import find_contours

    pieces, _ = label(mask, np.ones((3, 3)))
    outlines = []
    for number, place in enumerate(find_objects(pieces), 1):
        piece = np.pad(pieces[place] == number, 1).astype(np.float64)
        longest = max(find_contours(piece, 0.5), key=len)
        outlines.append(longest[:-1] + np.array([place[0].start - 1, place[1].start - 1]))
    return tuple(outlines)


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
        Where they are.
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
    calcified_by_side : mapping of {"L", "R"} to bool
        The same where it is stated by breast and only the image itself says which breast it shows.
    group : str
        A kind of image to tell apart in the report, e.g. the detector.
    pixel_spacing_mm : float or None
        For images that do not state it.
    distractors : tuple of Distractor
        Things known to be there that are no calcifications.
    """

    path: str
    patient: str
    specks: Specks | None = None
    regions: tuple[Region, ...] | None = None
    calcified: bool | None = None
    calcified_by_side: Mapping[str, bool] = field(default_factory=dict)
    group: str = ""
    pixel_spacing_mm: float | None = None
    distractors: tuple[Distractor, ...] = ()


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images with their truth.

    Attributes
    ----------
    name : str
        Of the data set.
    images : tuple of TrueImage
        With their truth.
    remarks : tuple of str
        What must be known to read the figures, e.g. that only suspicious calcifications are marked.
    """

    name: str
    images: tuple[TrueImage, ...]
    remarks: tuple[str, ...] = field(default=())
