"""Where the plane answers like a speck: components of the scale-space response above local noise and texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.scene import Scene
from mammocalc.segment.parameters import SegmentParameters
from mammocalc.segment.scales import gaussian_scales, response_spread


@dataclass(frozen=True, eq=False)
class Components:
    """Connected components as runs in pixels of the full plane, with the response they were found by.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
    run_row, run_start, run_stop : ndarray of int32
    response : ndarray of float32, shape (h / factor, w / factor)
        Largest difference of Gaussians over the scales, each in units of its own spread over the breast; anything
        further than a cell from what is searched.
    level : ndarray of float32, shape (h / tile, w / tile)
        Local strength of noise and texture in the same units; the response is judged against it.
    factor, tile : int
        Side of a response pixel in plane pixels, side of a tile in response pixels.
    """

    offsets: NDArray[np.int64]
    run_row: NDArray[np.int32]
    run_start: NDArray[np.int32]
    run_stop: NDArray[np.int32]
    response: NDArray[np.float32]
    level: NDArray[np.float32]
    factor: int
    tile: int


def searched_cells(scene: Scene, skin_margin_mm: float) -> NDArray[np.bool_]:
    """Cells of the anatomy grid that are searched, cropped to the plane.

    Inside the breast, away from the skin line, foreign objects and the image's border.
    """
    anatomy = scene.anatomy
    inside = anatomy.breast & ~anatomy.foreign & (anatomy.skin_distance_mm > skin_margin_mm)
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    step = anatomy.step
    row, col = scene.origin[0] // step, scene.origin[1] // step
    rows, cols = (-(-n // step) for n in scene.plane.shape)
    return inside[row : row + rows, col : col + cols]


def speck_components(
    scene: Scene,
    inside: NDArray[np.bool_],
    response: NDArray[np.float32],
    parameters: SegmentParameters,
    threads: int,
) -> Components:
    """Components at the scales of specks and thin rods, searched at full resolution; `response` is filled."""
    pitch = scene.pixel_spacing_mm
    finest = max(0.8, parameters.finest_scale_mm / pitch)
    thresholds = parameters.growth_response, parameters.seed_response
    scales = finest, parameters.speck_scale_mm / pitch
    return _components(scene, scene.plane, inside, response, 1, scales, thresholds, parameters, threads)


def lump_components(
    scene: Scene, inside: NDArray[np.bool_], parameters: SegmentParameters, threads: int
) -> Components:
    """Components at the scales of coarse calcifications, searched on a block mean of the plane."""
    from mammocalc_kernels.gaussian import decimate

    factor = max(1, round(parameters.speck_scale_mm / scene.pixel_spacing_mm))
    pitch = factor * scene.pixel_spacing_mm
    finest = max(0.8, parameters.speck_scale_mm / pitch)
    thresholds = parameters.lump_growth_response, parameters.lump_seed_response
    scales = finest, parameters.coarsest_scale_mm / pitch
    plane = scene.plane if factor == 1 else decimate(scene.plane, factor, threads=threads)
    # Not cleared: what is not searched is not looked at.
    response = np.empty(plane.shape, np.float32)
    return _components(scene, plane, inside, response, factor, scales, thresholds, parameters, threads)


def _components(
    scene: Scene,
    plane: NDArray[np.float32],
    inside: NDArray[np.bool_],
    response: NDArray[np.float32],
    factor: int,
    scales_px: tuple[float, float],
    thresholds: tuple[float, float],
    parameters: SegmentParameters,
    threads: int,
) -> Components:
    from mammocalc_kernels.components import hysteresis_runs
    from mammocalc_kernels.scale_space import blob_response
    from mammocalc_kernels.texture import tile_quantiles

    cell = max(1, scene.anatomy.step // factor)
    inside = _resampled(inside, scene.anatomy.step / factor, cell, plane.shape)
    sigmas = gaussian_scales(*scales_px, parameters.scale_ratio)
    spread = response_spread(plane, inside, cell, sigmas, threads)
    blob_response(
        plane,
        sigmas,
        (1.0 / spread).astype(np.float32),
        out=response,
        wanted=_searched_columns(inside, cell, plane.shape),
        threads=threads,
    )

    tile = max(cell, round(parameters.texture_window_mm / (factor * scene.pixel_spacing_mm)))
    level = _texture_level(tile_quantiles(response, inside, cell, tile, 0.75, threads=threads))
    rows, cols = (np.arange(n) * cell + cell // 2 for n in inside.shape)
    level_there = _bilinear(level, rows / tile - 0.5, cols / tile - 0.5)
    rough = np.where(level_there > 1, level_there**parameters.texture_weight, level_there)
    judged = np.where(inside, rough, np.inf).astype(np.float32)
    growth, seed = (threshold * judged for threshold in thresholds)
    runs = hysteresis_runs(response, growth, seed, cell, threads=threads)[:4]
    if factor > 1:
        # An outline stays within its component: what is no larger than a speck becomes no lump.
        diameters = np.array([2 * parameters.speck_scale_mm, parameters.largest_lump_mm])
        discs = np.pi / 4 * (diameters / (factor * scene.pixel_spacing_mm)) ** 2
        runs = _enlarged(*_of_size(*runs, *discs), factor, scene.plane.shape)
    return Components(*runs, response, level, factor, tile)


def _searched_columns(inside: NDArray[np.bool_], cell: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """First and end column of each row between which the searched cells lie, and a cell around them for outlines."""
    height, width = shape
    cells = np.pad(inside, ((1, 1), (0, 0)))
    searched, count = cells.any(axis=1), inside.shape[1]
    first = np.where(searched, cells.argmax(axis=1), count + 1)
    end = np.where(searched, count - cells[:, ::-1].argmax(axis=1), -1)
    first = np.minimum(np.minimum(first[:-2], first[1:-1]), first[2:]) - 1
    end = np.maximum(np.maximum(end[:-2], end[1:-1]), end[2:]) + 1
    columns = np.clip(np.stack((first, end), axis=1) * cell, 0, width)
    return np.repeat(columns, cell, axis=0)[:height]


def _texture_level(quantiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tiles relative to the breast's median tile, gaps filled, smoothed 3x3; quiet tiles count as at least 0.8.

    Without the floor, the smoothest fat would lend significance to the last ripple of noise.
    """
    known = np.isfinite(quantiles)
    if not known.any():
        return np.ones_like(quantiles)
    typical = max(float(np.median(quantiles[known])), 1e-6)
    relative = np.where(known, quantiles / typical, 1.0)
    weight = known.astype(np.float64) + 1e-3
    taps = np.array([0.25, 0.5, 0.25])

    def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(values, 1, mode="edge")
        by_row = sum(taps[i] * padded[i : i + values.shape[0]] for i in range(3))
        return np.asarray(sum(taps[i] * by_row[:, i : i + values.shape[1]] for i in range(3)))

    level = smoothed(relative * weight) / smoothed(weight)
    # Responses are in units of the spread over the breast, where the 75 % quantile of a quiet plane is typical.
    return np.maximum(level, 0.8).astype(np.float32)


def level_at(
    components: Components, row: NDArray[np.float64], col: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Local strength of noise and texture at plane pixels."""
    side = components.tile * components.factor
    grid = components.level
    i = np.clip((row + 0.5) / side - 0.5, 0, grid.shape[0] - 1)
    j = np.clip((col + 0.5) / side - 0.5, 0, grid.shape[1] - 1)
    i0, j0 = (
        np.minimum(i.astype(int), max(grid.shape[0] - 2, 0)),
        np.minimum(j.astype(int), max(grid.shape[1] - 2, 0)),
    )
    i1, j1 = np.minimum(i0 + 1, grid.shape[0] - 1), np.minimum(j0 + 1, grid.shape[1] - 1)
    u, v = i - i0, j - j0
    top = grid[i0, j0] * (1 - v) + grid[i0, j1] * v
    bottom = grid[i1, j0] * (1 - v) + grid[i1, j1] * v
    return np.asarray(top * (1 - u) + bottom * u, np.float64)


def _bilinear(
    grid: NDArray[np.float32], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Separable bilinear sampling on a lattice of rows and columns, edges replicated."""

    def along(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.clip(at, 0, len(values) - 1)
        low = np.minimum(at.astype(int), max(len(values) - 2, 0))
        high = np.minimum(low + 1, len(values) - 1)
        part = (at - low)[:, None]
        return values[low] * (1 - part) + values[high] * part

    return along(along(grid.astype(np.float64), rows).T, cols).T


def _resampled(
    inside: NDArray[np.bool_], step: float, cell: int, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The searched cells on a lattice of `cell` px for a plane of `shape`, nearest neighbour."""
    rows, cols = (
        np.minimum(((np.arange(-(-n // cell)) * cell + cell / 2) / step).astype(int), m - 1)
        for n, m in zip(shape, inside.shape, strict=True)
    )
    return np.ascontiguousarray(inside[np.ix_(rows, cols)])


def _of_size(
    offsets: NDArray[np.int64],
    run_row: NDArray[np.int32],
    run_start: NDArray[np.int32],
    run_stop: NDArray[np.int32],
    smallest: float,
    largest: float,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Only the components of at least `smallest` and at most `largest` px."""
    runs_each = np.diff(offsets)
    owner = np.repeat(np.arange(len(runs_each)), runs_each)
    size = np.bincount(owner, run_stop - run_start, len(runs_each))
    right = (size >= smallest) & (size <= largest)
    keep = right[owner]
    offsets = np.concatenate(([0], np.cumsum(runs_each[right]))).astype(np.int64)
    return offsets, run_row[keep], run_start[keep], run_stop[keep]


def _enlarged(
    offsets: NDArray[np.int64],
    run_row: NDArray[np.int32],
    run_start: NDArray[np.int32],
    run_stop: NDArray[np.int32],
    factor: int,
    shape: tuple[int, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Runs of a decimated plane as runs of the full one: each becomes `factor` longer runs, sorted by row again."""
    owner = np.repeat(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), factor)
    row = (run_row[:, None] * factor + np.arange(factor, dtype=np.int32)).ravel()
    start = np.repeat(run_start * factor, factor)
    stop = np.repeat(np.minimum(run_stop * factor, shape[1]), factor)
    keep = row < shape[0]
    owner, row, start, stop = owner[keep], row[keep], start[keep], stop[keep]
    order = np.lexsort((start, row, owner))
    counts = np.bincount(owner, minlength=len(offsets) - 1)
    return (
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        row[order].astype(np.int32),
        start[order].astype(np.int32),
        stop[order].astype(np.int32),
    )
