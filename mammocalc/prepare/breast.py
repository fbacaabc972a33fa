"""The breast: its outline, the side of the chest wall, and the distance to the skin.

The outline is the level set whose contour runs along the steepest edge. Each of a series of grey levels gives one
candidate, the largest component above it; the candidate whose contour has the greatest gradient along all of its
length wins. The gradient is taken of the logarithm of the level above the background, so that the faint skin of a
film counts as much as the hard edge of a processed digital image. Background fog, labels and frames then fall away
by themselves: their joints with the breast are edges without a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import NoBreastFound
from mammocalc.prepare.cells import Cells
from mammocalc.prepare.parameters import PrepareParameters

Side = Literal["left", "right"]

# The level above the background at which the logarithm turns linear, as a fraction of the image's range.
LOGARITHM_FOOT = 0.08
# A column (or row) belongs to the exposed field where at least this part of its cells is not blank.
FIELD_CONTENT = 0.25
# Images smaller than this either way, mm, hold no anatomy.
SMALLEST_MM = 5.0
# Side of the cells on which the grey level is searched for, mm.
SEARCH_MM = 1.5
# Number of grey levels tried.
LEVELS = 20
# Part of the best contour's score with which a lower level is still preferred.
NEARLY_BEST = 0.8
# Air is at most this steep, against the breast, and at most this uneven, against the contrast between the two.
AIR_GRADIENT = 0.3
AIR_UNREST = 0.045
# Least ratio of deviation in one octave of scales to the octave below in tissue; noise has 0.5.
TISSUE_OCTAVE = 0.8


@dataclass(frozen=True, eq=False)
class Breast:
    """The breast on the coarse grid.

    Attributes
    ----------
    mask : ndarray of bool, shape (cell_rows, cell_columns)
    field : tuple of int
        row_min, col_min, row_max, col_max of the exposed field, half open, cells: the image less blank margins.
    chest_wall : {"left", "right"}
    density_range : tuple of float
        1 and 99 % quantiles of the cells' density inside.
    """

    mask: NDArray[np.bool_]
    field: tuple[int, int, int, int]
    chest_wall: Side
    density_range: tuple[float, float]


def find_field(cells: Cells) -> tuple[int, int, int, int]:
    """Window of the exposed field: row_min, col_min, row_max, col_max, half open, cells.

    Digitised films are often pasted on a blank canvas. A margin is cut off where it is blank (padding, or one and the
    same value) and ends in a jump: a black background that the breast enters gradually is no margin.
    """
    constant = (cells.darkest == cells.brightest) & cells.valid
    content = cells.valid.copy()
    if constant.any():
        values = np.bincount(cells.darkest[constant])
        content &= ~(constant & (cells.darkest == values.argmax()))

    def margin(part: NDArray[np.float64]) -> int:
        for j in range(len(part) * 9 // 20):
            if part[j] >= FIELD_CONTENT:
                before = part[max(j - 2, 0)]
                after = part[min(j + 1, len(part) - 1)]
                return j if before < 0.08 and after - before >= FIELD_CONTENT else 0
        return 0

    counted = content.view(np.uint8)
    columns, rows = (counted.sum(axis, dtype=np.uint32) / counted.shape[axis] for axis in (0, 1))
    return (
        margin(rows),
        margin(columns),
        len(rows) - margin(rows[::-1]),
        len(columns) - margin(columns[::-1]),
    )


# A disk up to this radius, in cells, is laid around each cell; further out, distances cost less.
_LAID_OUT = 6.0


def _grown(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Dilation by a disk, radius in cells; by distances, whose cost does not grow with the disk."""
    import cv2

    if not mask.any():
        return mask
    if radius <= _LAID_OUT:
        return cv2.dilate(mask, _disk_of_distances(radius))
    return (cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) <= radius).view(np.uint8)


def _shrunk(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Erosion by a disk, radius in cells; beyond the border counts as inside."""
    import cv2

    if mask.all():
        return mask
    if radius <= _LAID_OUT:
        return cv2.erode(mask, _disk_of_distances(radius))
    return (cv2.distanceTransform(mask, cv2.DIST_L2, 5) > radius).view(np.uint8)


@lru_cache(maxsize=8)
def _disk_of_distances(radius: float) -> NDArray[np.uint8]:
    """The disk that `_grown` and `_shrunk` mean: what OpenCV's distances make of one."""
    import cv2

    reach = int(radius) + 1
    others = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    others[reach, reach] = 0
    return (cv2.distanceTransform(others, cv2.DIST_L2, 5) <= radius).astype(np.uint8)


def _largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest 4-connected component, or nothing."""
    import cv2

    count, label = cv2.connectedComponents(mask, connectivity=4)
    if count <= 2:
        # There is nothing to choose from.
        return mask
    area = np.bincount(label.ravel(), minlength=count)
    area[0] = 0
    return (label == int(area.argmax())).view(np.uint8)


def _filled(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask with every hole filled that does not reach the border of the array."""
    import cv2

    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(framed, None, (0, 0), 2, flags=4)
    return (framed[1:-1, 1:-1] != 2).view(np.uint8)


@lru_cache(maxsize=8)
def _disk(radius: float) -> NDArray[np.uint8]:
    reach = int(radius)
    i, j = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return (i * i + j * j <= radius * radius).astype(np.uint8)


def _opened(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Opening by a disk in which all beyond the border is background: a film's bright frame is a narrow strip."""
    import cv2

    if radius < 4:
        return cv2.morphologyEx(
            mask, cv2.MORPH_OPEN, _disk(radius), borderType=cv2.BORDER_CONSTANT, borderValue=0
        )
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.ascontiguousarray(_grown(_shrunk(framed, radius), radius)[1:-1, 1:-1])


def _without_strips(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Drop strips and bridges narrower than the disk and keep the largest part.

    What the opening takes from the breast's corners at the border comes back by one dilation inside the mask.
    """
    return _largest(_grown(_largest(_opened(mask, radius)), radius) & mask)


def _steepest_level_set(
    level: NDArray[np.float32], radius: float, threads: int
) -> tuple[float, NDArray[np.uint8]]:
    """Threshold and mask of the candidate with the steepest contour."""
    import cv2
    from mammocalc_kernels.compile import run_each

    steepness = cv2.magnitude(cv2.Sobel(level, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(level, cv2.CV_32F, 0, 1) / 8)
    low, high = _extremes(level.ravel())
    cross = np.ones((3, 3), np.uint8)

    def candidate(threshold: float) -> tuple[float, float, NDArray[np.uint8]] | None:
        mask = _largest(_opened(_filled((level > threshold).view(np.uint8)), radius))
        contour = mask > cv2.erode(mask, cross, borderType=cv2.BORDER_REPLICATE)
        along = steepness[contour]
        if len(along) == 0:
            return None
        # A low quantile: the edge must be steep nearly everywhere, a stretch through fog costs the win.
        gradient = float(np.partition(along, len(along) // 4)[len(along) // 4])
        return gradient * len(along) ** 0.5, threshold, mask

    thresholds = [float(low + (high - low) * part) for part in np.linspace(0.02, 0.8, LEVELS)]
    candidates = [found for found in run_each(candidate, thresholds, threads) if found is not None]
    if not candidates:
        return float(low), np.zeros(level.shape, np.uint8)
    best = max(score for score, *_ in candidates)
    # The skin is faint: of contours about as good, the outermost.
    return next((threshold, mask) for score, threshold, mask in candidates if score >= NEARLY_BEST * best)


def _is_background(density: NDArray[np.float32], mask: NDArray[np.uint8]) -> bool:
    """Whether what lies outside the mask is even and smooth as air, not fat of a breast that fills the image."""
    import cv2
    from mammocalc_kernels.quantiles import median

    outside = _grown(mask, 3) == 0
    inside = _shrunk(mask, 3) > 0
    if outside.mean() < 0.02 or not inside.any():
        return False
    steepness = cv2.magnitude(cv2.Sobel(density, cv2.CV_32F, 1, 0), cv2.Sobel(density, cv2.CV_32F, 0, 1))
    around = density[outside]
    air = median(around)
    contrast = median(density[inside]) - air
    unrest = 1.4826 * median(np.abs(around - np.float32(air)))
    smooth = median(steepness[outside]) <= AIR_GRADIENT * median(steepness[inside])
    return smooth and unrest < AIR_UNREST * contrast


def _is_tissue(density: NDArray[np.float32]) -> bool:
    """Whether there is structure besides noise: a coarser band of scales as strong as a finer one.

    Noise without correlation over a cell loses half its deviation from one octave of scales to the next; tissue, whose
    power falls with about the third power of frequency, gains.
    """
    import cv2

    fine, middle, coarse = (cv2.GaussianBlur(density, (0, 0), sigma) for sigma in (0.7, 1.4, 2.8))
    return float(np.median(np.abs(middle - coarse))) > TISSUE_OCTAVE * float(np.median(np.abs(fine - middle)))


def find_breast(
    cells: Cells, laterality: str = "", parameters: PrepareParameters | None = None, threads: int = 1
) -> Breast:
    """Outline of the breast on the coarse grid, holes filled, labels, frames and tape left out.

    Parameters
    ----------
    cells : Cells
    laterality : {"L", "R", ""}
        Only decides the side of the chest wall where the image does not.
    parameters : PrepareParameters, optional
    threads : int
        The result does not depend on it.

    Raises
    ------
    NoBreastFound
        The image is tiny or of one value, or holds nothing large enough that stands out from its background.
    """
    import cv2

    parameters = parameters or PrepareParameters()
    if int(cells.darkest.min()) == int(cells.brightest.max()) or not cells.valid.any():
        raise NoBreastFound("no breast found: every pixel of the image has the same value")
    tall, wide = float(cells.height_mm.sum()), float(cells.width_mm.sum())
    if min(tall, wide) < SMALLEST_MM:
        raise NoBreastFound(
            f"no breast found: the image is {tall:.1f} by {wide:.1f} mm, {SMALLEST_MM:.0f} mm are needed each way"
        )
    field = find_field(cells)
    row_min, col_min, row_max, col_max = field
    exposed = np.ascontiguousarray(cells.density[row_min:row_max, col_min:col_max])
    usable = cells.valid[row_min:row_max, col_min:col_max]
    if not usable.all():
        exposed = np.where(usable, exposed, exposed[usable].min() if usable.any() else 0).astype(np.float32)

    # The search runs on larger cells, the outline is then drawn on the fine ones.
    factor = max(1, round(SEARCH_MM / cells.size_mm))
    shape = (max(1, exposed.shape[1] // factor), max(1, exposed.shape[0] // factor))
    small = cv2.resize(exposed, shape, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(cv2.medianBlur(small, 3), (0, 0), 1.0)
    low, high = _extremes(small.ravel())
    # Apart from the rounding of the blur.
    if high - low <= 1e-5 * max(abs(low), abs(high)):
        raise NoBreastFound("no breast found: nothing in the image stands out from its background")
    level = np.log(np.maximum(small - low, 0) / (high - low) + LOGARITHM_FOOT).astype(np.float32)
    radius = parameters.outline_smoothing_mm / (factor * cells.size_mm)
    threshold, coarse_mask = _steepest_level_set(level, radius, threads)
    if _is_background(small, coarse_mask):
        core = cv2.resize(coarse_mask, exposed.shape[::-1], interpolation=cv2.INTER_LINEAR)
        cut = float(low + (high - low) * (np.exp(threshold) - LOGARITHM_FOOT))
        # Nothing farther away is looked at: background is measured up to 4 mm beyond the search for the skin.
        window = bounding_window(core > 0, round((parameters.skin_search_mm + 5.0) / cells.size_mm))
        mask = np.zeros_like(core)
        mask[window] = _drawn_at_skin(exposed[window], core[window], cut, cells, parameters, threads)
    elif _is_tissue(exposed):
        mask = usable.astype(np.uint8)
    else:
        raise NoBreastFound("no breast found: the image holds no more structure than its noise")

    whole = np.zeros(cells.density.shape, np.bool_)
    whole[row_min:row_max, col_min:col_max] = mask > 0
    area = breast_area_mm2(cells, whole)
    # A small image, such as a specimen's or a crop, need not show as much.
    least = min(parameters.minimum_breast_area_mm2, 0.25 * tall * wide)
    if area < least or not whole.any():
        raise NoBreastFound(
            f"no breast found: the largest bright object covers {area:.0f} mm2, a breast at least {least:.0f} mm2"
        )
    chest_wall = _chest_wall(whole, field, laterality, cells.size_mm)
    return Breast(whole, field, chest_wall, _extremes(cells.density[whole]))


def _extremes(values: NDArray[np.float32]) -> tuple[float, float]:
    """The 1 and 99 % quantiles."""
    from mammocalc_kernels.quantiles import quantile

    return quantile(values, 0.01), quantile(values, 0.99)


def breast_area_mm2(cells: Cells, mask: NDArray[np.bool_]) -> float:
    """Area of a mask of cells, mm2; cells cut by the image's border count as far as they lie in it."""
    # Only the last column is narrower.
    whole, last = cells.width_mm[0], cells.width_mm[-1]
    wide = mask.view(np.uint8).sum(axis=1, dtype=np.uint32) * whole - mask[:, -1] * (whole - last)
    return float(cells.height_mm @ wide)


def bounding_window(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a mask that is not empty, with a margin as far as the array reaches, in cells."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )


def _drawn_at_skin(
    exposed: NDArray[np.float32],
    core: NDArray[np.uint8],
    threshold: float,
    cells: Cells,
    parameters: PrepareParameters,
    threads: int,
) -> NDArray[np.uint8]:
    """The outline on the fine cells: within a few mm of the core's, where the skin's profile meets the background."""
    import cv2
    from mammocalc_kernels.compile import run_each
    from mammocalc_kernels.quantiles import median

    core = np.ascontiguousarray(core)
    reach = parameters.skin_search_mm / cells.size_mm

    def blurred() -> NDArray[np.float32]:
        return cv2.GaussianBlur(np.ascontiguousarray(exposed), (0, 0), 1.0)

    def outwards() -> NDArray[np.float32]:
        if not core.any():
            return np.zeros(core.shape, np.float32)
        return cv2.distanceTransform(1 - core, cv2.DIST_L2, 5)

    def inwards() -> NDArray[np.uint8]:
        return _shrunk(core, reach)

    steps: list[Any] = [inwards, outwards, blurred]
    inner, apart, smooth = run_each(lambda step: step(), steps, threads)
    outer = apart <= reach
    ring = ~outer & (apart <= reach + 4.0 / cells.size_mm)
    mask = core
    if ring.any() and inner.any():
        around = smooth[ring]
        background = median(around)
        spread = 1.4826 * median(np.abs(around - np.float32(background)))
        tissue = median(smooth[inner > 0])
        # Never above the level found, unless that lies in the background's own unrest.
        foot = min(background + max(0.25 * (threshold - background), 3.0 * spread), threshold)
        foot = max(foot, background + 0.03 * (tissue - background))
        mask = ((smooth > foot) & outer).astype(np.uint8) | inner
    closed = _filled(_shrunk(_grown(mask, 2.0 / cells.size_mm), 2.0 / cells.size_mm))
    return _filled(_without_strips(closed, parameters.outline_smoothing_mm / cells.size_mm))


def _chest_wall(
    mask: NDArray[np.bool_], field: tuple[int, int, int, int], laterality: str, size_mm: float
) -> Side:
    """Side that the breast touches along the greater length; where both are alike, the side with more breast."""
    _, left, _, right = field
    margin = max(1, round(5.0 / size_mm))
    contact_left = int(mask[:, left : left + margin].any(1).sum())
    contact_right = int(mask[:, right - margin : right].any(1).sum())
    if max(contact_left, contact_right) > 1.2 * min(contact_left, contact_right):
        return "left" if contact_left > contact_right else "right"
    if laterality in ("L", "R"):
        return "left" if laterality == "L" else "right"
    middle = (left + right) // 2
    return "left" if mask[:, left:middle].sum() >= mask[:, middle:right].sum() else "right"


def skin_distance(cells: Cells, breast: Breast) -> NDArray[np.float32]:
    """Distance of each cell's centre to the skin line, mm, float32; 0 outside the breast.

    The skin line is the breast's border against background inside the exposed field: the image's own border, blank
    margins and a dark gap of a few mm along the chest wall are where the image ends, not skin. Where no skin line is
    in the picture the distance is the image's diagonal.
    """
    row_min, col_min, row_max, col_max = breast.field
    background = np.zeros(breast.mask.shape, np.bool_)
    background[row_min:row_max, col_min:col_max] = ~breast.mask[row_min:row_max, col_min:col_max]
    gap = round(5.0 / cells.size_mm)
    rows = breast.mask.any(1)
    column = np.arange(breast.mask.shape[1])
    if breast.chest_wall == "left":
        start = breast.mask.argmax(1)
        near = rows & (start - col_min <= gap)
        background[near] &= column >= start[near, None]
    else:
        stop = breast.mask.shape[1] - breast.mask[:, ::-1].argmax(1)
        near = rows & (col_max - stop <= gap)
        background[near] &= column < stop[near, None]
    diagonal = float(np.hypot(*breast.mask.shape)) * cells.size_mm
    out = np.zeros(breast.mask.shape, np.float32)
    window = bounding_window(breast.mask, 1)
    inside, beyond = breast.mask[window], background[window]
    if not beyond.any():
        out[breast.mask] = diagonal
        return out
    distance = _euclidean_distance(beyond)
    out[window] = np.where(inside, np.clip((distance - 0.5) * cells.size_mm, 0, diagonal), 0)
    return out


def _euclidean_distance(targets: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of every cell to the nearest target, in cells, the same whatever number of threads OpenCV may use.

    On one thread OpenCV would leave it to Intel's IPP, whose last digits are others, and which is ten times as slow.
    """
    import cv2

    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)  # of this thread alone
    try:
        return cv2.distanceTransform((~targets).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    finally:
        cv2.ipp.setUseIPP(before)
