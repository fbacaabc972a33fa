"""Foreign objects in and near the breast: skin markers, clips, burned-in labels, and edges of paddles and films.

Metal and paint are told from calcium by three signs at once, because each alone is also true of some calcifications:

* **Extreme.** A disc stands out by 30 % of the breast's own grey range. A line must do much more: on a processed image
  it is fully white and stands out by 80 % of the range; on a raw image it absorbs more a mm of its calibre than
  hydroxyapatite can. A rod of calcium may well be white, but not that far above all tissue.
* **Flat with a sharp edge.** Metal absorbs everything from its rim on and paint has one value, so nearly all of the
  object above half of its contrast is also above 85 % of it. A ball or rod of calcium is thin at its rim: of an
  unsaturated one 37 % (ball) or 61 % (rod) is. A thin clip is blurred: where its absorption is known, 40 % suffice.
* **Shape.** A marker is a near perfect disc 1.2 to 2.8 mm wide. A clip or a stroke of a letter is a thin line. A
  popcorn calcification is neither, however white.

What shows only some of the signs is left to be judged as a calcification.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast, bounding_window
from mammocalc.prepare.cells import Cells
from mammocalc.read.mammogram import Mammogram

# Contrast of a disc and of a white line, as parts of the breast's 1-99 % range.
DISC_CONTRAST = 0.3
LINE_CONTRAST = 0.8
# Least part of the area above half contrast that is above 85 % of it, apart from one pixel of blur at the rim.
FLAT_DISC = 0.85
FLAT_WHITE_LINE = 0.85
FLAT_METAL_LINE = 0.40
DISC_MM = (1.2, 2.8)
# Least part of the smallest enclosing circle that a disc fills.
ROUND = 0.8
LINE_CALIBRE_MM = 0.9
LINE_LENGTH_MM = 1.5
# Attenuation (natural logarithm) a mm of calibre that calcium does not reach at mammographic energies, and the
# least calibre it is taken over: thinner lines are blurred to this.
METAL_PER_MM = 2.2
METAL_BLUR_MM = 0.4
# Part of a line's ridge that must be fully white.
WHITE = 0.9
# The image has a white where at least this many pixels share its densest value.
WHITE_PIXELS = 20
# How far outside the breast objects are looked for: their rims and glare reach in.
NEAR_MM = 3.0
LARGEST_OBJECT_MM = 15.0
MOST_OBJECTS = 60
RIM_MM = 0.7
EDGE_LENGTH_MM = 50.0
# Least change over 1 mm across an edge, as part of the breast's range, and the share of the edge that must have it.
EDGE_PART = 0.07
EDGE_SHARE = 0.93
# Directions that lines may have, and how many to either side a steep cell votes for.
ANGLES = 180
ANGLE_SPREAD = 4
# Lines that are followed.
MOST_EDGES = 40


@dataclass(frozen=True, eq=False)
class _Window:
    """Density around one candidate at full resolution, its corner in stored pixels."""

    density: NDArray[np.float32]
    row: int
    column: int


def find_small_objects(mammogram: Mammogram, cells: Cells, breast: Breast) -> NDArray[np.bool_]:
    """Cells covered by markers, clips and strokes of letters and a small rim around them.

    Parameters
    ----------
    mammogram : Mammogram
    cells : Cells
    breast : Breast

    Returns
    -------
    ndarray of bool, shape (cell_rows, cell_columns)
    """
    found = np.zeros(breast.mask.shape, np.bool_)
    # Room for an object at the rim, and for the ground around it.
    window = bounding_window(breast.mask, round((NEAR_MM + 6.0) / cells.size_mm))
    white = _white(mammogram, cells)
    pixels = tuple(slice(part.start * cells.step, part.stop * cells.step) for part in window)
    cropped = dataclasses.replace(mammogram, pixels=mammogram.pixels[pixels])
    found[window] = _small_objects(cropped, *_cropped(cells, breast, window), white)
    return found


def find_long_edges(cells: Cells, breast: Breast, pectoral: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells along straight, sharp edges of several cm inside the breast: paddles, film borders, scanner lines.

    Parameters
    ----------
    cells : Cells
    breast : Breast
    pectoral : ndarray of bool, shape (cell_rows, cell_columns)

    Returns
    -------
    ndarray of bool, shape (cell_rows, cell_columns)
    """
    found = np.zeros(breast.mask.shape, np.bool_)
    window = bounding_window(breast.mask, round((NEAR_MM + 6.0) / cells.size_mm))
    found[window] = _long_edges(*_cropped(cells, breast, window), pectoral[window])
    return found


def _cropped(cells: Cells, breast: Breast, window: tuple[slice, slice]) -> tuple[Cells, Breast]:
    """The same with all arrays cut to a window of cells."""
    rows, columns = window
    row_min, col_min, row_max, col_max = breast.field
    height, width = breast.mask[window].shape
    field = (
        max(0, row_min - rows.start),
        max(0, col_min - columns.start),
        min(height, row_max - rows.start),
        min(width, col_max - columns.start),
    )
    return (
        dataclasses.replace(
            cells,
            density=np.ascontiguousarray(cells.density[window]),
            darkest=cells.darkest[window],
            brightest=cells.brightest[window],
            valid=cells.valid[window],
            height_mm=cells.height_mm[rows],
            width_mm=cells.width_mm[columns],
        ),
        dataclasses.replace(breast, mask=breast.mask[window], field=field),
    )


def _small_objects(mammogram: Mammogram, cells: Cells, breast: Breast, white: float) -> NDArray[np.bool_]:
    import cv2

    rows, columns = cells.density.shape
    found = np.zeros((rows, columns), np.uint8)
    low, high = breast.density_range
    tissue = high - low
    half = (max(1, columns // 2), max(1, rows // 2))
    around = cv2.medianBlur(cv2.resize(cells.density, half, interpolation=cv2.INTER_AREA), 5)
    around = cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR)
    # A disc fills at least one cell wholly and not many, a line may only pass through.
    near = cv2.distanceTransform((~breast.mask).astype(np.uint8), cv2.DIST_L2, 3) < NEAR_MM / cells.size_mm
    core = (_to_density(mammogram, cells, cells.darkest) - around > DISC_CONTRAST * tissue) & near
    peak = _to_density(mammogram, cells, cells.brightest)
    if mammogram.linear_in_exposure:
        line = (peak - around > METAL_PER_MM * METAL_BLUR_MM) & near
    else:
        line = (peak >= white) & (peak - around > LINE_CONTRAST * tissue) & near
    for candidate, largest_mm in ((core, DISC_MM[1] + cells.size_mm), (line, LARGEST_OBJECT_MM)):
        _search(mammogram, cells, candidate, largest_mm, tissue, white, found)
    if not found.any():
        return found > 0
    rim = 2 * max(1, round(RIM_MM / cells.size_mm)) + 1
    return cv2.dilate(found, np.ones((rim, rim), np.uint8)) > 0


def _search(
    mammogram: Mammogram,
    cells: Cells,
    candidate: NDArray[np.bool_],
    largest_mm: float,
    tissue: float,
    white: float,
    found: NDArray[np.uint8],
) -> None:
    """Look at each component of the candidate cells at full resolution and mark the foreign ones in `found`."""
    import cv2

    count, label = cv2.connectedComponents(candidate.astype(np.uint8), connectivity=8)
    if count < 2:
        return
    row, column = np.nonzero(label)
    owner = label[row, column]
    order = np.argsort(owner, kind="stable")
    row, column = row[order], column[order]
    first = np.searchsorted(owner[order], np.arange(1, count))
    tops, bottoms = np.minimum.reduceat(row, first), np.maximum.reduceat(row, first) + 1
    lefts, rights = np.minimum.reduceat(column, first), np.maximum.reduceat(column, first) + 1
    extent = np.maximum(bottoms - tops, rights - lefts)
    fits = np.flatnonzero(extent * cells.size_mm <= largest_mm)
    largest = fits[np.argsort(-np.bincount(owner)[1:][fits], kind="stable")][:MOST_OBJECTS]
    for index in largest.tolist():
        top, bottom, left, right = (int(edge[index]) for edge in (tops, bottoms, lefts, rights))
        window = _window(mammogram, cells, top, left, bottom - top, right - left)
        inside = label[top:bottom, left:right] == index + 1
        shape = _object(window, cells, inside, top, left)
        if shape is not None and _is_foreign(window, shape, mammogram, tissue, white):
            pixel_row, pixel_column = np.nonzero(shape)
            found[(pixel_row + window.row) // cells.step, (pixel_column + window.column) // cells.step] = 1


def _to_density(
    mammogram: Mammogram, cells: Cells, dense: NDArray[np.uint16] | NDArray[np.int64]
) -> NDArray[np.float32]:
    """Dense-order values on the scale of `Cells.density`."""
    values = dense.astype(np.float32)
    if mammogram.linear_in_exposure:
        return -np.log(np.maximum(np.float32(cells.top) - values, np.float32(1.0)))
    return values


def _white(mammogram: Mammogram, cells: Cells) -> float:
    """Density at and above which a pixel is fully white, infinite where the image has no white."""
    if mammogram.linear_in_exposure:
        return float("inf")
    densest = int(cells.brightest.max())
    stored = densest if mammogram.dense_is_bright else cells.top - densest
    full = cells.brightest == densest
    count = 0
    for i, j in zip(*np.nonzero(full), strict=True):
        block = mammogram.pixels[i * cells.step : (i + 1) * cells.step, j * cells.step : (j + 1) * cells.step]
        count += int((block == stored).sum())
        if count >= WHITE_PIXELS:
            return 0.99 * densest
    return float("inf")


def _window(mammogram: Mammogram, cells: Cells, top: int, left: int, height: int, width: int) -> _Window:
    margin = round(1.5 / cells.size_mm) + 1
    row, column = max(0, top - margin) * cells.step, max(0, left - margin) * cells.step
    pixels = mammogram.pixels[
        row : (top + height + margin) * cells.step, column : (left + width + margin) * cells.step
    ].astype(np.int64)
    dense = pixels if mammogram.dense_is_bright else cells.top - pixels
    return _Window(_to_density(mammogram, cells, dense), row, column)


def _median(values: NDArray[np.float32]) -> float:
    """The upper median; what `numpy.median` checks besides takes longer than the work on so few values."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def _object(
    window: _Window, cells: Cells, inside: NDArray[np.bool_], top: int, left: int
) -> NDArray[np.bool_] | None:
    """Pixels of the object above half of its contrast, or None where it runs out of the window."""
    import cv2

    density = window.density
    ring = np.ones(density.shape, np.bool_)
    ring[cells.step : -cells.step, cells.step : -cells.step] = False
    ground = _median(density[ring])
    fifth = max(0, density.size - 5)
    peak = float(np.partition(density, fifth, axis=None)[fifth])
    mask = (density > ground + 0.5 * (peak - ground)).astype(np.uint8)
    count, label = cv2.connectedComponents(mask, connectivity=8)
    if count < 2:
        return None
    # The component with most pixels in the candidate's own cells.
    first_row, first_column = top * cells.step - window.row, left * cells.step - window.column
    own = np.repeat(np.repeat(inside, cells.step, axis=0), cells.step, axis=1)
    part = label[first_row : first_row + own.shape[0], first_column : first_column + own.shape[1]]
    votes = np.bincount(part[own[: part.shape[0], : part.shape[1]]], minlength=count)
    votes[0] = 0
    if not votes.any():
        return None
    shape = label == int(votes.argmax())
    if shape[0].any() or shape[-1].any() or shape[:, 0].any() or shape[:, -1].any():
        return None
    return shape


def _is_foreign(
    window: _Window, shape: NDArray[np.bool_], mammogram: Mammogram, tissue: float, white: float
) -> bool:
    """Whether an object shows every sign of a marker, or every sign of a clip or stroke."""
    import cv2

    pitch = mammogram.pixel_spacing_mm
    density = window.density
    ring = 2 * max(2, round(0.4 / pitch)) + 1
    rim = cv2.dilate(shape.astype(np.uint8), np.ones((ring, ring), np.uint8))
    outer = cv2.dilate(rim, np.ones((ring, ring), np.uint8))
    ground = _median(density[outer > rim]) if (outer > rim).any() else float(density.min())
    area = int(shape.sum())
    values = np.sort(density[shape])
    contrast = float(values[area * 9 // 10]) - ground
    flat = float((values > ground + 0.85 * contrast).mean())
    contours, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    radius = cv2.minEnclosingCircle(contours[0])[1] + 0.5
    diameter_mm = 2 * (area / np.pi) ** 0.5 * pitch
    if DISC_MM[0] <= diameter_mm <= DISC_MM[1] and area >= ROUND * np.pi * radius**2:
        blurred = (1 - pitch / diameter_mm) ** 2
        return contrast > DISC_CONTRAST * tissue and flat >= FLAT_DISC * blurred
    framed = cv2.copyMakeBorder(shape.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    calibre_mm = (2 * float(depth.max()) - 1) * pitch
    length_mm = area * pitch**2 / max(calibre_mm, pitch)
    if calibre_mm > LINE_CALIBRE_MM or length_mm < LINE_LENGTH_MM:
        return False
    # A calcified shell, seen along its wall, looks as dense as metal; but it goes all the way round.
    if cv2.contourArea(contours[0]) > 1.3 * area:
        return False
    if mammogram.linear_in_exposure:
        return flat >= FLAT_METAL_LINE and contrast > METAL_PER_MM * max(calibre_mm, METAL_BLUR_MM)
    ridge = shape & (depth >= 0.6 * depth.max())
    all_white = float((density[ridge] >= white).mean()) >= WHITE
    return all_white and flat >= FLAT_WHITE_LINE and contrast > LINE_CONTRAST * tissue


def _long_edges(cells: Cells, breast: Breast, pectoral: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """See `find_long_edges`.

    Each steep cell votes for the one line that runs across its gradient; lines with votes for most of the least length
    are then followed, and kept where the step or the dip across them has one sign nearly all along.
    """
    import cv2

    drawn = np.zeros(breast.mask.shape, np.uint8)
    tissue = breast.density_range[1] - breast.density_range[0]
    if not tissue > 0:
        return drawn > 0
    side = 2 * round(3.0 / cells.size_mm) + 1
    box = np.ones((side, side), np.uint8)
    inner = cv2.erode(breast.mask.astype(np.uint8), box, borderType=cv2.BORDER_REPLICATE)
    muscle = pectoral.astype(np.uint8)
    seam = cv2.dilate(muscle, box) > cv2.erode(muscle, box, borderType=cv2.BORDER_REPLICATE)
    allowed = (inner > 0) & ~seam
    # The exposed field's own border is such an edge too, and no object.
    row_min, col_min, row_max, col_max = breast.field
    window = np.zeros_like(allowed)
    window[row_min + side : row_max - side, col_min + side : col_max - side] = True
    allowed &= window
    # Less the wide average: the slope towards the skin is steep and straight too, but not sharp.
    exposed = np.ascontiguousarray(cells.density[row_min:row_max, col_min:col_max])
    smooth = np.zeros_like(cells.density)
    smooth[row_min:row_max, col_min:col_max] = cv2.GaussianBlur(exposed, (0, 0), 1.0) - cv2.blur(
        exposed, (side, side), borderType=cv2.BORDER_REPLICATE
    )
    scale = 1.0 / (8 * cells.size_mm)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=scale)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=scale)
    steep = allowed & (cv2.magnitude(across, down) > np.float32(EDGE_PART * tissue))
    row, column = np.nonzero(steep)
    if len(row) * cells.size_mm < EDGE_LENGTH_MM:
        return drawn > 0
    direction = np.rint(np.arctan2(down[steep], across[steep]) * (ANGLES / (2 * np.pi))).astype(np.int64)
    # Noise and tissue turn the gradient by a few degrees: votes go to the lines of neighbouring directions too.
    direction = (direction[:, None] + np.arange(-ANGLE_SPREAD, ANGLE_SPREAD + 1)) % ANGLES
    angle = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    cosine, sine = np.cos(angle), np.sin(angle)
    reach = int(np.hypot(*breast.mask.shape)) + 2
    offset = (
        np.rint(column[:, None] * cosine[direction] + row[:, None] * sine[direction]).astype(np.int64) + reach
    )
    lines = 2 * reach + 1
    votes = np.bincount((direction * lines + offset).ravel(), minlength=ANGLES * lines)
    least = int(EDGE_LENGTH_MM / cells.size_mm)
    # Of three neighbouring lines with enough votes between them, one has a third; none lies at the end of its angle.
    beside = np.arange(-1, 2)
    line = np.unique(np.flatnonzero(votes >= -(-least // 3))[:, None] + beside)
    wide = votes[line[:, None] + beside].sum(axis=1)
    line, wide = line[wide >= least], wide[wide >= least]
    for best in line[np.argsort(-wide, kind="stable")][:MOST_EDGES]:
        which, shift = divmod(int(best), lines)
        normal = np.array([sine[which], cosine[which]])
        for stretch in _edge_stretches(smooth, allowed, normal, shift - reach, least, cells.size_mm, tissue):
            (left, top), (right, bottom) = np.rint(stretch[:, ::-1]).astype(int).tolist()
            cv2.line(drawn, (left, top), (right, bottom), 1, 1 + 2 * round(RIM_MM / cells.size_mm))
    return drawn > 0


def _edge_stretches(
    density: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    normal: NDArray[np.float64],
    distance: float,
    least: int,
    size_mm: float,
    tissue: float,
) -> list[NDArray[np.float64]]:
    """End points (row, col) of the stretches of a line along which the step or the dip across it keeps its sign."""
    along = np.array([normal[1], -normal[0]])
    reach = float(np.hypot(*density.shape))
    points = distance * normal + np.arange(-reach, reach + 1)[:, None] * along
    limits = np.array(density.shape) - 1
    at = np.rint(points).astype(np.int64)
    inside = ((at >= 0) & (at <= limits)).all(1)
    points, at = points[inside], at[inside]
    if len(points) < least:
        return []
    open_here = allowed[at[:, 0], at[:, 1]]

    def level(sideways: float) -> NDArray[np.float64]:
        beside = np.clip(np.rint(points + sideways / size_mm * normal).astype(np.int64), 0, limits)
        return density[beside[:, 0], beside[:, 1]].astype(np.float64)

    before, middle, after = level(-1.0), level(0.0), level(1.0)
    stretches = []
    for change in (after - before, 0.5 * (before + after) - middle, middle - 0.5 * (before + after)):
        kept = open_here & (change > EDGE_PART * tissue)
        share = np.convolve(kept, np.ones(least) / least, "valid")
        good = np.flatnonzero(share >= EDGE_SHARE)
        if len(good):
            stretches.append(points[[good[0], good[-1] + least - 1]])
    return stretches
