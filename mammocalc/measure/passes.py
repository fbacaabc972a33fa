"""The measuring kernels in their order, over a few candidates at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from mammocalc_kernels import body_profile, calibre, compact_size, completion, shape, skeleton
from mammocalc_kernels.blurred_profiles import tabulate_profiles
from mammocalc_kernels.candidate_state import (
    BORDER,
    BROAD,
    CENTRE_X,
    CENTRE_Y,
    DEVIATION,
    FORM,
    LEFT,
    LEVEL,
    PATCH,
    SLOPE_X,
    SLOPE_Y,
    SLOTS,
    TALL,
    TOP,
)
from mammocalc_kernels.compile import run_each
from mammocalc_kernels.measured_columns import AREA, BACKGROUND, COL, COLUMNS, FILLED_AREA, NOISE, ROW
from numpy.typing import NDArray

from mammocalc.measure.parameters import MeasureParameters
from mammocalc.prepare.scene import Scene
from mammocalc.segment.regions import Regions

# Pixels of all patches of one turn: their pools stay in the cache, and threads end at about the same time.
_PIXELS_AT_ONCE = 30_000
# Samples are taken this far from a candidate: blurs and px; the patch has this many px more around.
_REACH_BLURS, _REACH_PX, _MARGIN_PX = 3.5, 2.0, 2
# The region itself reaches at most two pixels beyond its bounding box, unless it is completed.
_OUTLINE_PX = 3
# From this length on a body may have been outlined in part: the rest is looked for as far away as it is long, within
# bounds, and down to this share of its peak contrast.
_COMPLETED_MM, _FARTHEST_REST_MM, _REST_SHARE = 1.0, 3.0, 0.35
# What `shape.measure_backgrounds` writes.
_KEPT_STATE = [LEVEL, SLOPE_Y, SLOPE_X, CENTRE_Y, CENTRE_X, DEVIATION, FORM]
_KEPT_COLUMNS = [ROW, COL, AREA, FILLED_AREA, BACKGROUND, NOISE]


class Backgrounds:
    """Backgrounds of candidates, each measured once: the blur that a pass assumes changes nothing of them.

    Parameters
    ----------
    count : int
        Number of candidates.
    """

    def __init__(self, count: int) -> None:
        self._known = np.zeros(count, np.bool_)
        self._state = np.empty((count, len(_KEPT_STATE)))
        self._columns = np.empty((count, len(_KEPT_COLUMNS)))

    def given(
        self, chosen: NDArray[np.int64], state: NDArray[np.float64], out: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Fill in what is known of the chosen, and return the places of the others among them."""
        known = self._known[chosen]
        places = np.flatnonzero(known)
        if len(places):
            state[places[:, None], _KEPT_STATE] = self._state[chosen[places]]
            out[chosen[places][:, None], _KEPT_COLUMNS] = self._columns[chosen[places]]
        return np.flatnonzero(~known)

    def keep(self, chosen: NDArray[np.int64], state: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        """Remember those of the chosen; nobody else measures them at the same time."""
        self._state[chosen] = state[:, _KEPT_STATE]
        self._columns[chosen] = out[chosen[:, None], _KEPT_COLUMNS]
        self._known[chosen] = True


@cache
def _table() -> NDArray[np.float64]:
    return tabulate_profiles()


def taken_pixels(regions: Regions) -> NDArray[np.uint8]:
    """1 for every plane pixel of a region."""
    taken = np.zeros(regions.shape, np.uint8)
    shape.add_runs(regions.run_row, regions.run_start, regions.run_stop, taken)
    return taken


def measure_pixels(
    scene: Scene,
    regions: Regions,
    taken: NDArray[np.uint8],
    backgrounds: Backgrounds,
    chosen: NDArray[np.int64],
    sigma: float,
    sigmas: NDArray[np.float64],
    correlation: float,
    parameters: MeasureParameters,
    threads: int,
) -> dict[str, NDArray[np.float64]]:
    """The kernels' columns, in pixels, radians and units of the plane; NaN for what cannot be told or was not chosen.

    Parameters
    ----------
    taken : ndarray of uint8
        From `taken_pixels`.
    backgrounds : Backgrounds
        Of these regions; those that are not known yet are measured.
    chosen : ndarray of int64
        Numbers of the regions to measure; each row depends on its own region and the plane only.
    sigma : float
        Blur of detector and pixel aperture together, px.
    sigmas : ndarray of float64
        Blurs to try, px, where the blur is wanted instead of the sizes (columns blur and blur_error); else empty.
    correlation : float
        Noise of sums over a speck relative to that of uncorrelated noise of the same pixel deviation, at least 1.
    """
    out = np.full((len(regions), len(COLUMNS)), np.nan)

    def measure_turn(turn: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
        _measure_some(scene, regions, taken, backgrounds, *turn, sigma, sigmas, correlation, parameters, out)

    if len(chosen):
        run_each(measure_turn, list(_turns(scene, regions, chosen, sigma, parameters)), threads)
    return {name: out[:, k] for k, name in enumerate(COLUMNS)}


def _margin(sigma: float) -> int:
    return int(_REACH_BLURS * sigma + _REACH_PX) + _MARGIN_PX


def _turns(
    scene: Scene, regions: Regions, chosen: NDArray[np.int64], sigma: float, parameters: MeasureParameters
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Candidates in order, as many at a time as fit, each with its patch in the state; none for too large ones."""
    low, high = regions.bounds[chosen, :2].astype(np.int64), regions.bounds[chosen, 2:].astype(np.int64)
    sides = high - low
    too_large = sides.max(axis=1) > parameters.largest_mm / scene.pixel_spacing_mm
    rest = np.minimum(sides.max(axis=1), _FARTHEST_REST_MM / scene.pixel_spacing_mm).astype(np.int64)
    rest[sides.max(axis=1) < _COMPLETED_MM / scene.pixel_spacing_mm] = 0
    margin = _margin(sigma) + rest
    sides += 2 * margin[:, None]
    sides[too_large] = 0
    pixels = sides.prod(axis=1)
    before = np.cumsum(pixels) - pixels
    first = 0
    while first < len(chosen):
        end = max(int(np.searchsorted(before, before[first] + _PIXELS_AT_ONCE)), first + 1)
        state = np.zeros((end - first, SLOTS))
        state[:, PATCH] = before[first:end] - before[first]
        state[:, [TOP, LEFT]] = low[first:end] - margin[first:end, None]
        state[:, BORDER] = margin[first:end] - _OUTLINE_PX
        state[:, [TALL, BROAD]] = sides[first:end]
        yield chosen[first:end], state
        first = end


def _measure_some(
    scene: Scene,
    regions: Regions,
    taken: NDArray[np.uint8],
    backgrounds: Backgrounds,
    chosen: NDArray[np.int64],
    state: NDArray[np.float64],
    sigma: float,
    sigmas: NDArray[np.float64],
    correlation: float,
    parameters: MeasureParameters,
    out: NDArray[np.float64],
) -> None:
    """Every pass over the chosen candidates, whose patches fit into memory together."""
    pitch, table, margin = scene.pixel_spacing_mm, _table(), _margin(sigma)
    gap = max(parameters.background_gap_mm / pitch, 2.0)
    ring = max(parameters.background_ring_mm / pitch, 3.0)
    patches = state[:, TALL] * state[:, BROAD]
    size, largest = int(patches.sum()), max(int(patches.max()), 1)
    surroundings = 2 * (int(gap + 2.0 * ring) + 2 - margin)
    widest = int(((state[:, TALL] + surroundings) * (state[:, BROAD] + surroundings)).max()) + largest
    own, distance = np.empty(max(size, widest), np.uint8), np.empty(max(size, widest), np.int16)
    runs = (regions.offsets, regions.run_row, regions.run_start, regions.run_stop)
    scratch = np.empty((4, widest))
    new = backgrounds.given(chosen, state, out)
    if len(new):
        new_state = state[new]
        shape.measure_backgrounds(
            scene.plane,
            taken,
            *runs,
            regions.bounds,
            chosen[new],
            gap,
            ring,
            own,
            distance,
            scratch,
            new_state,
            out,
        )
        state[new] = new_state
        backgrounds.keep(chosen[new], new_state, out)
    contrast, smoothed = np.empty(size, np.float32), np.empty(size, np.float32)
    usable, inside = np.empty(size, np.uint8), np.empty(size, np.uint8)
    shape.load_patches(
        scene.plane, taken, *runs, chosen, _REACH_BLURS * sigma + _REACH_PX, own, distance, contrast, smoothed,
        usable, scratch[0], state, out,
    )  # fmt: skip
    outline_y, outline_x = np.empty((2, size))
    hull_y, hull_x = np.empty((2, 2 * largest + 1))
    moments, stack = np.empty(7), np.empty(2 * largest, np.int32)
    completion.complete_regions(
        scene.plane, taken, chosen, _REACH_BLURS * sigma + _REACH_PX, _COMPLETED_MM / pitch, _REST_SHARE, own,
        distance, contrast, smoothed, usable, stack, state,
    )  # fmt: skip
    completion.tighten_patches(own, distance, contrast, smoothed, usable, margin, state)
    shape.outline_candidates(
        chosen, own, distance, contrast, smoothed, usable, inside, outline_y, outline_x, stack, hull_y, hull_x,
        moments, state, out,
    )  # fmt: skip
    shape.describe_outlines(
        chosen,
        distance,
        contrast,
        smoothed,
        inside,
        own,
        outline_y,
        outline_x,
        hull_y,
        hull_x,
        moments,
        state,
        out,
    )
    path_y, path_x, along, across, depth, value = np.empty((6, size))
    bins = np.empty((8, 4 * int((state[:, TALL] + state[:, BROAD]).max()) + 256))
    calibre.follow_axes(
        chosen, sigma, contrast, usable, inside, np.empty(size, np.int32), outline_y, outline_x, path_y, path_x,
        along, across, depth, value, hull_y, hull_x, scratch, state,
    )  # fmt: skip
    fits = (table, sigma, sigmas, correlation, bins, state, out)
    body_profile.fit_bodies(chosen, False, along, depth, value, *fits)
    if len(sigmas) == 0:
        calibre.measure_lengths(
            chosen, sigma, correlation, path_y, path_x, along, across, depth, value, bins, state, out
        )
        calibre.measure_calibres(chosen, sigma, correlation, table, along, across, value, bins, state, out)
    compact_size.sample_compact(
        chosen, sigma, correlation, contrast, smoothed, usable, outline_y, outline_x, along, depth, value,
        bins[0], state, out,
    )  # fmt: skip
    body_profile.fit_bodies(chosen, True, along, depth, value, *fits)
    if len(sigmas) == 0:
        compact_size.measure_compact(
            chosen,
            correlation,
            contrast,
            usable,
            outline_y,
            outline_x,
            along,
            depth,
            value,
            bins[0],
            state,
            out,
        )
        skeleton.count_branches(chosen, 1.0 + 2.0 * sigma, inside, distance, stack, state, out)
