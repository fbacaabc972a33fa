"""Bright bands: how wide one is along a curve, and where it leads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

# The direction of a band that is followed is that of so many steps.
_BEHIND = 4


@kernel
def _mean(values, first, end):  # type: ignore[no-untyped-def]
    """Mean of the samples from `first` to before `end` that exist and are seen, NaN for none."""
    count, total = 0, 0.0
    for k in range(max(first, 0), min(end, len(values))):
        if not np.isnan(values[k]):
            count += 1
            total += values[k]
    return total / count if count > 0 else np.nan


@kernel
def _averaged(profile, place, reach, out):  # type: ignore[no-untyped-def]
    """Mean profile over the places around one, the ends repeated."""
    for k in range(profile.shape[1]):
        count, total = 0, 0.0
        for i in range(place - reach, place + reach + 1):
            value = profile[min(max(i, 0), len(profile) - 1), k]
            if not np.isnan(value):
                count += 1
                total += value
        out[k] = total / count if count > 0 else np.nan


@kernel
def _band_at(across, first, end, near, far):  # type: ignore[no-untyped-def]
    """First and last sample of the band that is brightest from `first` to before `end`, and its height."""
    samples = len(across)
    peak, top = first, -np.inf
    for k in range(first, end):
        value = _mean(across, k - 1, k + 2)
        if value > top:
            peak, top = k, value
    before = _mean(across, peak - far, peak - near + 1)
    after = _mean(across, peak + near, peak + far + 1)
    half = 0.5 * top + 0.25 * (before + after)
    left = right = peak
    while left > 0 and across[left - 1] > half:
        left -= 1
    while right < samples - 1 and across[right + 1] > half:
        right += 1
    height = -np.inf if np.isnan(before + after) else top - max(before, after)
    return left, right, height


@kernel
def _bands(profile, reach, first, end, near, far, width, height):  # type: ignore[no-untyped-def]
    across = np.empty(profile.shape[1], np.float64)
    for place in range(len(profile)):
        _averaged(profile, place, reach, across)
        left, right, height[place] = _band_at(across, first, end, near, far)
        width[place] = right - left + 1


def bands(
    profile: NDArray[np.float64], reach: int, middle: tuple[int, int], flank: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How wide the bright band along a curve is at half of its height, and how high it stands, all along.

    Parameters
    ----------
    profile : ndarray of float64, shape (n, k)
        Samples across the curve at n places along it, from `cross_profiles`; NaN where nothing is seen.
    reach : int
        Profiles of so many places before and after are averaged; at the ends the last one is repeated.
    middle : (int, int)
        First and end sample of those that the band's brightest one, as a mean of three, is among.
    flank : (int, int)
        Nearest and farthest sample from it, either side, that count as the tissue beside the band.

    Returns
    -------
    width : ndarray of int64, shape (n,)
        Neighbouring samples about the brightest one that are above half of the height over the mean of both flanks.
    height : ndarray of float64, shape (n,)
        The brightest one less the mean of the higher flank; minus infinity where one of them is not seen.
    """
    if profile.ndim != 2 or not 0 <= middle[0] < middle[1] <= profile.shape[1]:
        raise ValueError(f"samples {middle} of a profile of shape {profile.shape}")
    if reach < 0 or not 0 < flank[0] <= flank[1]:
        raise ValueError(f"reach {reach}, flank {flank}")
    width, height = np.empty(len(profile), np.int64), np.empty(len(profile))
    profile = np.ascontiguousarray(profile, np.float64)
    _bands(profile, int(reach), *map(int, (*middle, *flank)), width, height)
    return width, height


@kernel
def _profile_at(plane, row, col, down, right, offsets, reach, spacing, out):  # type: ignore[no-untyped-def]
    """Mean profile across a direction over the positions along it, NaN outside the plane."""
    rows, columns = plane.shape
    for k in range(len(offsets)):
        count, total = 0, 0.0
        for i in range(-reach, reach + 1):
            r = int(np.floor(row + i * spacing * down - offsets[k] * right + 0.5))
            c = int(np.floor(col + i * spacing * right + offsets[k] * down + 0.5))
            if 0 <= r < rows and 0 <= c < columns:
                count += 1
                total += plane[r, c]
        out[k] = total / count if count > 0 else np.nan


@kernel
def _followed(plane, start, step, offsets, reach, parts, limits, out):  # type: ignore[no-untyped-def]
    first, end, near, far = parts
    thinnest, thickest, least, misses = limits
    across = np.empty(len(offsets), np.float64)
    row, col, down, right = start
    count = missed = 0
    for place in range(len(out)):
        row, col = row + step * down, col + step * right
        _profile_at(plane, row, col, down, right, offsets, reach, step / (2.0 * reach), across)
        left, last, height = _band_at(across, first, end, near, far)
        missed += 1
        if thinnest <= last - left + 1 <= thickest and height >= least:
            missed = 0
            # Half of the way to the band's middle: a single profile is noisy.
            aside = 0.25 * (offsets[left] + offsets[last])
            row, col = row - aside * right, col + aside * down
        out[place, 0], out[place, 1] = row, col
        if missed > misses:
            break
        if missed == 0:
            count = place + 1
            if place >= _BEHIND:
                away_row, away_col = row - out[place - _BEHIND, 0], col - out[place - _BEHIND, 1]
                length = np.sqrt(away_row * away_row + away_col * away_col)
                down, right = away_row / length, away_col / length
    return count


def followed_band(
    plane: NDArray[np.float32],
    start: NDArray[np.float64],
    direction: NDArray[np.float64],
    offsets: NDArray[np.float64],
    *,
    step: float,
    most: int,
    reach: int,
    middle: tuple[int, int],
    flank: tuple[int, int],
    width: tuple[int, int],
    height: float,
    misses: int,
) -> NDArray[np.float64]:
    """Follow a bright band from a place in one direction, step by step, until it ends.

    Parameters
    ----------
    plane : ndarray of float32, shape (rows, columns)
    start, direction : ndarray of float64, shape (2,)
        (row, col) in px of this plane, (0, 0) at the centre of the first pixel; a unit vector.
    offsets : ndarray of float64, shape (k,)
        Signed distances of the samples across the band, px, ascending.
    step : float
        Length of a step, px.
    most : int
        Steps at most.
    reach : int
        At least 1: over ``2 reach + 1`` profiles, which reach half a step before and after, the mean is taken.
    middle, flank : (int, int)
        As in `bands`.
    width : (int, int)
        Least and most samples that the band is wide.
    height : float
        So high it stands at least, as in `bands`.
    misses : int
        Steps in a row without such a band that are passed over.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        (row, col) after each step, the last one on the band.
    """
    if (
        reach < 1
        or most < 0
        or not 0 <= middle[0] < middle[1] <= len(offsets)
        or not 0 < flank[0] <= flank[1]
    ):
        raise ValueError(f"reach {reach}, most {most}, middle {middle}, flank {flank}")
    out = np.empty((most, 2))
    place = tuple(map(float, (*start, *direction)))
    parts = tuple(map(int, (*middle, *flank)))
    limits = (int(width[0]), int(width[1]), float(height), int(misses))
    count = _followed(
        plane, place, float(step), np.asarray(offsets, np.float64), int(reach), parts, limits, out
    )
    return out[:count]
