"""Connected components as horizontal runs of pixels: labelling with or without hysteresis, and their
features.

Only the search for runs touches every pixel; joining, grouping and measuring work on runs alone. Components
are 8-connected and numbered by their first pixel in raster order, whatever the number of threads.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import ArrayLike, NDArray

from mammocalc_kernels.compile import kernel, run_bands
from mammocalc_kernels.growing import with_room
from mammocalc_kernels.streams import prefetch, read, span

# How many components ahead the plane is asked for: as many as are measured while memory answers.
_AHEAD = 8


class Runs(NamedTuple):
    """Components as runs: component k owns runs ``offsets[k]:offsets[k + 1]``, sorted by row, then start.

    A run is the pixels ``(row, start) .. (row, stop - 1)``. Components are ordered by their first pixel.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
    row, start, stop : ndarray of int32, shape (n_runs,)
    """

    offsets: NDArray[np.int64]
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    stop: NDArray[np.int32]


class PeakedRuns(NamedTuple):
    """`Runs` with the brightest pixel of each component, the first in raster order where several are equal.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
    row, start, stop : ndarray of int32, shape (n_runs,)
    peak_row, peak_col : ndarray of int32, shape (n,)
    peak_value : ndarray of float32, shape (n,)
    """

    offsets: NDArray[np.int64]
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    peak_row: NDArray[np.int32]
    peak_col: NDArray[np.int32]
    peak_value: NDArray[np.float32]


class ComponentFeatures(NamedTuple):
    """Shape and intensity of each component; lengths in px, positions (row, col) with (0, 0) a pixel's
    centre.

    Attributes
    ----------
    area : ndarray of int64, shape (n,)
        Number of pixels.
    bounds : ndarray of int32, shape (n, 4)
        row_min, col_min, row_max, col_max, half open.
    centroid : ndarray of float64, shape (n, 2)
    moments : ndarray of float64, shape (n, 3)
        Central second moments of the pixel centres divided by the area: row-row, row-col, col-col, px ** 2.
    axes : ndarray of float64, shape (n, 2)
        Long and short axis of the ellipse with the same moments, four times the root of their eigenvalues.
    orientation : ndarray of float64, shape (n,)
        Angle of the long axis from the downward row axis towards growing columns, radians, in (-pi/2, pi/2];
        0 where both axes are equal.
    eccentricity : ndarray of float64, shape (n,)
        Of that ellipse; 0 for a circle and for a single pixel.
    perimeter : ndarray of float64, shape (n,)
        Cauchy-Crofton estimate from the crossings of lines in four directions, holes included.
    hull_area : ndarray of float64, shape (n,)
        Area of the convex hull of the pixels as unit squares; never below `area`.
    holes : ndarray of int64, shape (n,)
        Number of 4-connected background regions that the component encloses.
    touches_border : ndarray of bool, shape (n,)
    intensity_mean, intensity_deviation : ndarray of float64, shape (n,)
        Mean and (population) standard deviation of the plane under the component.
    intensity_min, intensity_max : ndarray of float64, shape (n,)
    peak : ndarray of int32, shape (n, 2)
        Position of the maximum, the first in raster order where several are equal.
    """

    area: NDArray[np.int64]
    bounds: NDArray[np.int32]
    centroid: NDArray[np.float64]
    moments: NDArray[np.float64]
    axes: NDArray[np.float64]
    orientation: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    perimeter: NDArray[np.float64]
    hull_area: NDArray[np.float64]
    holes: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    intensity_mean: NDArray[np.float64]
    intensity_deviation: NDArray[np.float64]
    intensity_min: NDArray[np.float64]
    intensity_max: NDArray[np.float64]
    peak: NDArray[np.int32]


def label_runs(mask: NDArray[np.bool_] | NDArray[np.uint8], threads: int = 1) -> Runs:
    """8-connected components of a mask.

    Parameters
    ----------
    mask : ndarray of bool or uint8, shape (h, w)
        C-contiguous; what is not zero is object.
    threads : int
        Row bands searched at once; the result does not depend on it.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        If `mask` is of another type, not 2-D or not C-contiguous.

    References
    ----------
    A. Rosenfeld, J. L. Pfaltz, "Sequential operations in digital picture processing", J. ACM 13 (1966)
    471-494; on runs: L. He, Y. Chao, K. Suzuki, "A run-based two-scan labeling algorithm", IEEE Trans. Image
    Processing 17 (2008) 749-756.
    """
    _check(mask, "mask", (np.bool_, np.uint8))
    pixels = mask.reshape(-1).view(np.uint8)
    found = run_bands(partial(_runs_of_mask, pixels, mask.shape[1]), mask.shape[0], threads)
    row, start, stop = (np.concatenate(part) for part in zip(*found, strict=True))
    labels, count = _join(row, start, stop)
    return Runs(*_group(labels, count, row, start, stop))


def runs_above(
    response: NDArray[np.float32], threshold: float | NDArray[np.float32], step: int = 0, threads: int = 1
) -> Runs:
    """8-connected components of the pixels above a threshold, ``response > threshold``.

    Parameters
    ----------
    response : ndarray of float32, shape (h, w)
        C-contiguous. NaN is above nothing.
    threshold : float, or ndarray of float32, shape (ceil(h / step), ceil(w / step))
        One for all, or one a cell: pixel (i, j) is held against ``threshold[i // step, j // step]``; +inf
        excludes.
    step : int
        Side of a cell, px; only with a grid of thresholds.
    threads : int
        Row bands searched at once; the result does not depend on it.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        If an array is of another type, not C-contiguous, or the grid does not cover the plane.
    """
    _check(response, "response", (np.float32,))
    if np.ndim(threshold) == 0:
        threshold, step = np.full((1, 1), threshold, np.float32), max(1, *response.shape)
    grid = _check_grid(threshold, "threshold", response.shape, step)
    found = run_bands(partial(_runs_above, response, grid, grid, step), response.shape[0], threads)
    row, start, stop, *_ = (np.concatenate(part) for part in zip(*found, strict=True))
    labels, count = _join(row, start, stop)
    return Runs(*_group(labels, count, row, start, stop))


def hysteresis_runs(
    response: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    step: int,
    threads: int = 1,
) -> PeakedRuns:
    """8-connected components of ``response > low`` that hold at least one pixel of ``response > high``.

    Parameters
    ----------
    response : ndarray of float32, shape (h, w)
        C-contiguous. NaN is above nothing.
    low, high : ndarray of float32, shape (ceil(h / step), ceil(w / step))
        Thresholds a cell: pixel (i, j) is held against element ``[i // step, j // step]``; +inf excludes the
        cell. A pixel counts as high only where it is also above `low`.
    step : int
        Side of a cell, px.
    threads : int
        Row bands searched at once; the result does not depend on it.

    Returns
    -------
    PeakedRuns

    Raises
    ------
    TypeError, ValueError
        If an array is of another type, not C-contiguous, or a grid does not cover the plane.

    References
    ----------
    J. Canny, "A computational approach to edge detection", IEEE Trans. Pattern Analysis and Machine
    Intelligence 8 (1986) 679-698.
    """
    _check(response, "response", (np.float32,))
    low = _check_grid(low, "low", response.shape, step)
    high = _check_grid(high, "high", response.shape, step)
    found = run_bands(partial(_runs_above, response, low, high, step), response.shape[0], threads)
    row, start, stop, peak, value, high_enough = (np.concatenate(part) for part in zip(*found, strict=True))
    labels, count = _join(row, start, stop)
    labels, count = _keep_seeded(labels, count, high_enough)
    runs = _group(labels, count, row, start, stop)
    return PeakedRuns(*runs, *_peaks(labels, count, row, peak, value))


def label_image(
    runs: Runs | PeakedRuns, shape: tuple[int, int], out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """The components painted into an image: 0 is background, component k is k + 1.

    Parameters
    ----------
    runs : Runs or PeakedRuns
    shape : tuple of int
    out : ndarray of int32, shape `shape`, optional
        Buffer to write to; overwritten wholly.

    Returns
    -------
    ndarray of int32, shape `shape`
        `out`, or a new image.

    Raises
    ------
    ValueError
        If the runs or the buffer do not fit the shape.
    """
    if out is None:
        out = np.zeros(shape, np.int32)
    else:
        if out.shape != tuple(shape) or out.dtype != np.int32:
            raise ValueError(f"out must be int32 of shape {shape}, got {out.dtype} of {out.shape}")
        out[...] = 0
    _check_inside(runs, out.shape)
    _paint(runs.offsets, runs.row, runs.start, runs.stop, out)
    return out


def component_features(runs: Runs | PeakedRuns, plane: NDArray[Any]) -> ComponentFeatures:
    """Shape and intensity features of every component, in one pass over its runs.

    Parameters
    ----------
    runs : Runs or PeakedRuns
    plane : ndarray of float32 or uint16, shape (h, w)
        C-contiguous; the intensities, and the border that components may touch. A NaN under a component
        makes its mean and deviation NaN; minimum, maximum and peak pass over it.

    Returns
    -------
    ComponentFeatures

    Raises
    ------
    TypeError, ValueError
        If `plane` is of another type or not C-contiguous, or runs lie outside it.

    References
    ----------
    Perimeter: M. W. Crofton, "On the theory of local probability", Phil. Trans. 158 (1868) 181-199, made
    discrete as in J. Ohser, F. Muecklich,
    "Statistical Analysis of Microstructures in Materials Science", Wiley 2000. Hull: A. M. Andrew, "Another
    efficient algorithm for convex hulls in two dimensions", Information Processing Letters 9 (1979) 216-219.
    """
    _check(plane, "plane", (np.float32, np.uint16))
    _check_inside(runs, plane.shape)
    return ComponentFeatures(*_features(runs.offsets, runs.row, runs.start, runs.stop, plane))


def _check(array: NDArray[Any], name: str, types: tuple[type, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.type not in types:
        wanted = " or ".join(np.dtype(one).name for one in types)
        raise TypeError(f"{name} must be {wanted}, got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim != 2 or not array.flags.c_contiguous:
        raise ValueError(f"{name} must be 2-D and C-contiguous, got shape {array.shape}")


def _check_grid(grid: ArrayLike, name: str, shape: tuple[int, ...], step: int) -> NDArray[np.float32]:
    if step < 1:
        raise ValueError(f"step must be at least 1, got {step}")
    cells = np.ascontiguousarray(grid, dtype=np.float32)
    needed = tuple(-(-size // step) for size in shape)
    if cells.ndim != 2 or any(have < need for have, need in zip(cells.shape, needed, strict=True)):
        raise ValueError(f"{name} must have at least {needed} cells of {step} px, got shape {cells.shape}")
    return cells


def _check_inside(runs: Runs | PeakedRuns, shape: tuple[int, ...]) -> None:
    if runs.row.size and (
        runs.row.min() < 0 or runs.start.min() < 0 or runs.row.max() >= shape[0] or runs.stop.max() > shape[1]
    ):
        raise ValueError(f"runs lie outside an image of shape {tuple(shape)}")


@intrinsic
def _bits_of_mask(typingctx: Any, mask: Any, at: Any) -> Any:
    """Which of the 64 bytes of a flat mask from `at` on are not zero, the first in the lowest bit; not checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.IntType(8), 64)
        pixels = _load(context, builder, signature.args[0], args[0], args[1], vector)
        zeros = ir.Constant(vector, [0] * vector.count)
        return builder.bitcast(builder.icmp_unsigned("!=", pixels, zeros), ir.IntType(64))

    return types.uint64(mask, types.intp), generate


@intrinsic
def _bits_above(typingctx: Any, line: Any, threshold: Any, at: Any) -> Any:
    """Which of the 64 float32 of a row from `at` on are above their threshold, as `_bits_of_mask`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), 64)
        values, thresholds = (
            _load(context, builder, signature.args[i], args[i], args[2], vector) for i in (0, 1)
        )
        return builder.bitcast(builder.fcmp_ordered(">", values, thresholds), ir.IntType(64))

    return types.uint64(line, threshold, types.intp), generate


def _load(context: Any, builder: Any, array: Any, value: Any, at: Any, vector: Any) -> Any:
    """Build the load of a vector from a contiguous array."""
    place = builder.gep(make_array(array)(context, builder, value).data, [at])
    item = context.get_abi_sizeof(context.get_data_type(array.dtype))
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=item)


@intrinsic
def _lowest_bit(typingctx: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set in a uint64; not of 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@kernel
def _append_edges(bits, before, at, edges, used):  # type: ignore[no-untyped-def]
    """Append where runs begin and end in 64 pixels of a row, the first at `at`; the new number of edges.

    `before` is 1 where the pixel before them is object, else 0.
    """
    changes = bits ^ (bits << np.uint64(1) | before)
    while changes != np.uint64(0):
        edges[np.uint64(used)] = at + _lowest_bit(changes)
        used += 1
        changes &= changes - np.uint64(1)
    return used


@kernel
def _end_row(before, row, width, rows, known, edges, used):  # type: ignore[no-untyped-def]
    """End a run that reaches the border, and note the row of all runs from number `known` on."""
    if before != np.uint64(0):
        edges[used] = width
        used += 1
    for i in range(known, used // 2):
        rows[i] = row
    return used


@kernel
def _runs_of_mask(mask, width, first, end):  # type: ignore[no-untyped-def]
    """Row, start and stop (int32) of the runs of rows `first` to `end` of a flat uint8 mask, in raster order.

    64 pixels at once become bits, and the bits that differ from the one before are the runs' edges.
    """
    edges, rows = np.empty(width + 1, np.int32), np.empty(width // 2 + 1, np.int32)
    used = 0
    for row in range(first, end):
        known = used // 2
        edges, rows = with_room(edges, used, width + 1), with_room(rows, known, width // 2 + 1)
        before = np.uint64(0)
        for at in range(0, width, 64):
            begin = row * width + at
            if at + 64 <= width:
                bits = _bits_of_mask(mask, begin)
            else:
                bits = np.uint64(0)
                for j in range(width - at - 1, -1, -1):
                    bits = bits << np.uint64(1) | np.uint64(mask[np.uint64(begin + j)] != 0)
            used = _append_edges(bits, before, at, edges, used)
            before = bits >> np.uint64(63)
        used = _end_row(before, row, width, rows, known, edges, used)
    return rows[: used // 2].copy(), edges[0:used:2].copy(), edges[1:used:2].copy()


@kernel
def _spread(cells, step, out):  # type: ignore[no-untyped-def]
    """A row of cells written out for every pixel."""
    for j in range(cells.size):
        out[j * step : min((j + 1) * step, out.size)] = cells[j]


@kernel
def _runs_above(response, low, high, step, first, end):  # type: ignore[no-untyped-def]
    """Runs of ``response > low`` in rows `first` to `end`, in raster order.

    response (h, w) float32; low, high float32, a cell each of `step` px. Returns row, start and stop (int32),
    column (int32) and value (float32) of each run's maximum, and whether one of its pixels is above `high`.
    """
    width = response.shape[1]
    threshold = np.empty(width, np.float32)
    edges, rows = np.empty(width + 1, np.int32), np.empty(width // 2 + 1, np.int32)
    used = 0
    for row in range(first, end):
        if row == first or row % step == 0:
            _spread(low[row // step], step, threshold)
        known = used // 2
        edges, rows = with_room(edges, used, width + 1), with_room(rows, known, width // 2 + 1)
        line = response[row]
        before = np.uint64(0)
        for at in range(0, width, 64):
            if at + 64 <= width:
                bits = _bits_above(line, threshold, at)
            else:
                bits = np.uint64(0)
                for x in range(width - 1, at - 1, -1):
                    bits = bits << np.uint64(1) | np.uint64(line[np.uint64(x)] > threshold[np.uint64(x)])
            used = _append_edges(bits, before, at, edges, used)
            before = bits >> np.uint64(63)
        used = _end_row(before, row, width, rows, known, edges, used)
    count = used // 2
    rows, starts, stops = rows[:count].copy(), edges[0:used:2].copy(), edges[1:used:2].copy()
    peaks, values = np.empty(count, np.int32), np.empty(count, np.float32)
    seeded = np.empty(count, np.bool_)
    for i in range(count):
        peaks[i], values[i], seeded[i] = _run_peak(response, high, step, rows[i], starts[i], stops[i])
    return rows, starts, stops, peaks, values, seeded


@kernel
def _run_peak(response, high, step, row, start, stop):  # type: ignore[no-untyped-def]
    """Column and value of a run's maximum, and whether a pixel is above the threshold of its cell."""
    peak = start
    largest = response[row, start]
    above = False
    cell = start // step
    at = start
    while at < stop:
        threshold = high[row // step, cell]
        cell += 1
        for x in range(at, min(stop, cell * step)):
            pixel = response[row, x]
            above |= pixel > threshold
            if pixel > largest:
                peak = x
                largest = pixel
        at = cell * step
    return peak, largest, above


@kernel
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def _join(row, start, stop):  # type: ignore[no-untyped-def]
    """Label of each run, and their number; runs in raster order, labels in the order of first runs.

    The smaller root wins every union, so that a component's root is its first run.
    """
    count = row.size
    parent = np.empty(count, np.int32)
    above_first = above_end = here_first = 0
    while here_first < count:
        here_end = here_first
        while here_end < count and row[here_end] == row[here_first]:
            parent[here_end] = here_end
            here_end += 1
        if above_end > above_first and row[above_first] == row[here_first] - 1:
            above = above_first
            for i in range(here_first, here_end):
                while above < above_end and stop[above] < start[i]:
                    above += 1
                j = above
                while j < above_end and start[j] <= stop[i]:
                    a = _root(parent, i)
                    b = _root(parent, j)
                    parent[max(a, b)] = min(a, b)
                    j += 1
        above_first, above_end = here_first, here_end
        here_first = here_end
    labels = np.empty(count, np.int32)
    found = 0
    for i in range(count):
        if parent[i] == i:
            labels[i] = found
            found += 1
        else:
            labels[i] = labels[parent[i]]
    return labels, found


@kernel
def _keep_seeded(labels, count, high_enough):  # type: ignore[no-untyped-def]
    """Labels renumbered over the components with a run that is high enough; -1 for runs of the others."""
    number = np.full(count, -1, np.int32)
    for i in range(labels.size):
        if high_enough[i]:
            number[labels[i]] = 0
    kept = 0
    for k in range(count):
        if number[k] == 0:
            number[k] = kept
            kept += 1
    renumbered = np.empty(labels.size, np.int32)
    for i in range(labels.size):
        renumbered[i] = number[labels[i]]
    return renumbered, kept


@kernel
def _group(labels, count, row, start, stop):  # type: ignore[no-untyped-def]
    """Offsets and runs grouped by label, raster order kept inside; runs labelled -1 are left out."""
    offsets = np.zeros(count + 1, np.int64)
    for i in range(labels.size):
        if labels[i] >= 0:
            offsets[labels[i] + 1] += 1
    for k in range(count):
        offsets[k + 1] += offsets[k]
    place = offsets[:count].copy()
    total = offsets[count]
    rows, starts, stops = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
    for i in range(labels.size):
        if labels[i] >= 0:
            at = place[labels[i]]
            rows[at] = row[i]
            starts[at] = start[i]
            stops[at] = stop[i]
            place[labels[i]] = at + 1
    return offsets, rows, starts, stops


@kernel
def _peaks(labels, count, row, peak, value):  # type: ignore[no-untyped-def]
    """Row, column and value of each component's maximum, the first in raster order."""
    best_row = np.full(count, -1, np.int32)
    best_col = np.zeros(count, np.int32)
    best_value = np.zeros(count, np.float32)
    for i in range(labels.size):
        k = labels[i]
        if k >= 0 and (best_row[k] < 0 or value[i] > best_value[k]):
            best_row[k] = row[i]
            best_col[k] = peak[i]
            best_value[k] = value[i]
    return best_row, best_col, best_value


@kernel
def _paint(offsets, row, start, stop, out):  # type: ignore[no-untyped-def]
    for k in range(offsets.size - 1):
        for i in range(offsets[k], offsets[k + 1]):
            out[row[i], start[i] : stop[i]] = k + 1


@kernel
def _features(offsets, row, start, stop, plane):  # type: ignore[no-untyped-def]
    """The arrays of `ComponentFeatures`, in its order."""
    count = offsets.size - 1
    height, width = plane.shape
    area = np.empty(count, np.int64)
    bounds = np.empty((count, 4), np.int32)
    centroid = np.empty((count, 2), np.float64)
    moments = np.empty((count, 3), np.float64)
    axes = np.empty((count, 2), np.float64)
    orientation = np.empty(count, np.float64)
    eccentricity = np.empty(count, np.float64)
    perimeter = np.empty(count, np.float64)
    hull_area = np.empty(count, np.float64)
    holes = np.empty(count, np.int64)
    touches_border = np.empty(count, np.bool_)
    mean = np.empty(count, np.float64)
    deviation = np.empty(count, np.float64)
    lowest = np.empty(count, np.float64)
    highest = np.empty(count, np.float64)
    peak = np.empty((count, 2), np.int32)
    tallest = 0
    for k in range(count):
        tallest = max(tallest, row[offsets[k + 1] - 1] - row[offsets[k]] + 1)
    chain = np.empty((3, tallest + 1), np.int64)
    for k in range(count):
        first, end = offsets[k], offsets[k + 1]
        if k + _AHEAD < count:
            # Components lie anywhere in a plane that is too large for the caches.
            for i in range(offsets[k + _AHEAD], offsets[k + _AHEAD + 1]):
                prefetch(plane, np.int64(row[i]) * width + start[i])
                prefetch(plane, np.int64(row[i]) * width + stop[i] - 1)
        _geometry(row, start, stop, first, end, area, bounds, centroid, moments, k)
        _ellipse(moments, axes, orientation, eccentricity, k)
        perimeter[k], holes[k] = _outline(row, start, stop, first, end, area[k])
        hull_area[k] = _hull_area(row, start, stop, first, end, chain)
        touches_border[k] = (
            bounds[k, 0] == 0 or bounds[k, 1] == 0 or bounds[k, 2] == height or bounds[k, 3] == width
        )
        mean[k], deviation[k], lowest[k], highest[k], peak[k, 0], peak[k, 1] = _intensity(
            row, start, stop, first, end, plane, area[k]
        )
    return (
        area,
        bounds,
        centroid,
        moments,
        axes,
        orientation,
        eccentricity,
        perimeter,
        hull_area,
        holes,
        touches_border,
        mean,
        deviation,
        lowest,
        highest,
        peak,
    )


@kernel
def _geometry(row, start, stop, first, end, area, bounds, centroid, moments, k):  # type: ignore[no-untyped-def]
    """Area, bounds, centroid and central moments of component k, from exact integer sums."""
    row_0, col_0 = np.int64(row[first]), np.int64(start[first])
    n = sum_r = twice_c = sum_rr = twice_rc = six_cc = np.int64(0)
    col_min, col_max = start[first], stop[first]
    for i in range(first, end):
        at = np.uint64(i)
        r = row[at] - row_0
        a = start[at] - col_0
        b = stop[at] - col_0
        length = b - a
        n += length
        sum_r += r * length
        sum_rr += r * r * length
        run_c = (a + b - 1) * length
        twice_c += run_c
        twice_rc += r * run_c
        # Sums of whole squares up to a number, times 6.
        six_cc += b * (b - 1) * (2 * b - 1) - a * (a - 1) * (2 * a - 1)
        col_min = min(col_min, start[at])
        col_max = max(col_max, stop[at])
    sum_c, sum_rc, sum_cc = twice_c // 2, twice_rc // 2, six_cc // 6
    area[k] = n
    bounds[k, 0] = row[first]
    bounds[k, 1] = col_min
    bounds[k, 2] = row[end - 1] + 1
    bounds[k, 3] = col_max
    centroid[k, 0] = row_0 + sum_r / n
    centroid[k, 1] = col_0 + sum_c / n
    moments[k, 0] = _central(n, sum_r, sum_r, sum_rr)
    moments[k, 1] = _central(n, sum_r, sum_c, sum_rc)
    moments[k, 2] = _central(n, sum_c, sum_c, sum_cc)


@kernel
def _central(n, sum_a, sum_b, sum_ab):  # type: ignore[no-untyped-def]
    """``mean(a * b) - mean(a) * mean(b)`` of n pixels from their integer sums."""
    largest = max(np.float64(n) * np.float64(abs(sum_ab)), np.float64(abs(sum_a)) * np.float64(abs(sum_b)))
    if largest < 2.0**62:
        return np.float64(n * sum_ab - sum_a * sum_b) / (np.float64(n) * np.float64(n))
    # A large part of the image: these products have more than 64 bits.
    mean_a, mean_b = sum_a // n, sum_b // n
    rest_a, rest_b = np.float64(sum_a - n * mean_a) / n, np.float64(sum_b - n * mean_b) / n
    return np.float64(sum_ab - mean_a * sum_b - mean_b * (sum_a - n * mean_a)) / n - rest_a * rest_b


@kernel
def _ellipse(moments, axes, orientation, eccentricity, k):  # type: ignore[no-untyped-def]
    """Axes, orientation and eccentricity of the ellipse with the given second moments."""
    half_sum = 0.5 * (moments[k, 0] + moments[k, 2])
    half_difference = 0.5 * (moments[k, 0] - moments[k, 2])
    root = np.sqrt(half_difference * half_difference + moments[k, 1] * moments[k, 1])
    large = half_sum + root
    small = max(half_sum - root, 0.0)
    axes[k, 0] = 4.0 * np.sqrt(large)
    axes[k, 1] = 4.0 * np.sqrt(small)
    orientation[k] = 0.5 * np.arctan2(moments[k, 1], half_difference)
    eccentricity[k] = np.sqrt(1.0 - small / large) if large > 0 else 0.0


@kernel
def _outline(row, start, stop, first, end, area):  # type: ignore[no-untyped-def]
    """Crofton perimeter and number of holes.

    Along each of four directions a line crosses the outline twice for every pixel that is not followed by
    another one; followers are counted as overlaps of runs in neighbouring rows, shifted by -1, 0 and 1. The
    Euler number is the number of runs less the number of touching pairs of runs.
    """
    below_left = below = below_right = touching = 0
    above_first = above_end = here_first = first
    while here_first < end:
        here_end = here_first
        while here_end < end and row[here_end] == row[here_first]:
            here_end += 1
        above = above_first
        for i in range(here_first, here_end):
            while above < above_end and stop[above] < start[i]:
                above += 1
            j = above
            while j < above_end and start[j] <= stop[i]:
                touching += 1
                below += max(0, min(stop[j], stop[i]) - max(start[j], start[i]))
                below_left += max(0, min(stop[j] - 1, stop[i]) - max(start[j] - 1, start[i]))
                below_right += max(0, min(stop[j] + 1, stop[i]) - max(start[j] + 1, start[i]))
                j += 1
        above_first, above_end = here_first, here_end
        here_first = here_end
    straight = 2 * (end - first) + 2 * (area - below)
    diagonal = 2 * (area - below_left) + 2 * (area - below_right)
    perimeter = np.pi / 8 * (straight + diagonal / np.sqrt(2.0))
    return perimeter, 1 - (end - first - touching)


@kernel
def _hull_area(row, start, stop, first, end, chain):  # type: ignore[no-untyped-def]
    """Area of the convex hull of the pixel squares; `chain` (3, rows + 1) int64 is scratch.

    The left and the right boundary are each hulled by a monotone chain down the edges between rows, the outer of the
    two rows' ends at each, then integrated over the rows.
    """
    top = np.int64(row[first])
    bottom = np.int64(row[end - 1]) - top
    ends = chain[0]
    down, out = chain[1], chain[2]
    doubled = np.int64(0)
    for side in range(2):
        # A row's runs are in order: of those written to one place the outermost is the last.
        if side == 0:
            for i in range(end - 1, first - 1, -1):
                ends[np.uint64(row[i] - top)] = start[i]
        else:
            for i in range(first, end):
                ends[np.uint64(row[i] - top)] = -np.int64(stop[i])
        used = np.uint64(0)
        one = np.uint64(1)
        above = ends[0]
        for y in range(bottom + 2):
            below = ends[np.uint64(y if y < bottom else bottom)]
            x = min(above, below)
            above = below
            while used > one:
                last, before = used - one, used - one - one
                turn = (down[last] - down[before]) * (x - out[before]) - (out[last] - out[before]) * (
                    y - down[before]
                )
                if turn > 0:
                    break
                used = last
            down[used] = y
            out[used] = x
            used += one
        for v in range(one, used):
            before = v - one
            doubled -= (down[v] - down[before]) * (out[v] + out[before])
    return 0.5 * doubled


@kernel
def _intensity(row, start, stop, first, end, plane, area):  # type: ignore[no-untyped-def]
    """Mean, deviation, minimum, maximum, and row and column of the maximum, of the plane under the runs."""
    columns = plane.shape[1]
    pixels = span(plane, 0, plane.size)
    reference = np.float64(read(pixels, np.int64(row[first]) * columns + start[first]))
    total = squares = 0.0
    lowest, highest = np.inf, -np.inf
    peak = np.int64(row[first]) * columns + start[first]
    for i in range(first, end):
        line = np.int64(row[i]) * columns
        for at in range(line + start[i], line + stop[i]):
            value = np.float64(read(pixels, at))
            total += value - reference
            squares += (value - reference) * (value - reference)
            lowest = value if value < lowest else lowest
            peak = at if value > highest else peak
            highest = value if value > highest else highest
    mean = total / area
    spread = np.sqrt(max(squares / area - mean * mean, 0.0))
    return reference + mean, spread, lowest, highest, peak // columns, peak % columns
