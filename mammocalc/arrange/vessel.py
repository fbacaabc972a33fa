"""Whether a curve follows a vessel: a soft ridge of a vessel's width, seen beside the calcifications themselves."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.curves import STEP_MM, Curve
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Pieces, Points
from mammocalc.prepare.scene import Scene

HALF_WIDTHS_MM = (0.5, 0.8, 1.2, 1.7)
FLANK_MM = 2.5
"""Width of the strip on either side that a vessel is compared with."""
SHIFT_MM = 0.6
"""A vessel's middle may be this far off the curve through its calcifications."""
OFFSET_STEP_MM = 0.2
WINDOW_MM = 2.0
"""Half of the length along the curve over which a profile is averaged."""
BELIEVED_LENGTHS = 5.0
"""A strand beyond a vessel's end is believed to go on with it so many times its length away."""
RIM_MM = 0.25
"""Blur around a calcification that is left out with it."""


def vessel_fraction(
    scene: Scene, curve: Points, covers: NDArray[np.float64], parameters: ArrangeParameters
) -> float:
    """Share of a curve's length that lies on a vessel-scale ridge.

    Parameters
    ----------
    scene : Scene
    curve : ndarray of float64, shape (k, 2)
        (row, col) in mm of stored pixels, `mammocalc.arrange.curves.STEP_MM` apart.
    covers : ndarray of float64, shape (m, 5)
        From `capsules`: calcifications, which are left out: a row of them is a ridge by itself.
    """
    from mammocalc_kernels.cross_profiles import cross_profiles
    from mammocalc_kernels.curves import tangents_of
    from mammocalc_kernels.ridges import ridge_significance

    spacing = scene.pixel_spacing_mm
    tangents = tangents_of(curve)
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    # Twice as dense along the curve, so that a window averages enough pixels.
    count = 2 * len(curve) - 1
    fine = np.linspace(0, len(curve) - 1, count)
    points = _interpolated(fine, curve)
    normals = _interpolated(fine, normals)
    origin = np.array(scene.origin, np.float64)
    profile = cross_profiles(
        scene.plane,
        points / spacing - origin,
        normals,
        _offsets() / spacing,
        covers,
    )
    # One row for each width and place of the strip: a vessel keeps both, chance ridges do not.
    window = max(1, round(2 * WINDOW_MM / STEP_MM))
    on_ridge = ridge_significance(profile, _strips(), window) >= parameters.ridge_clear
    return float(on_ridge[:, ::2].mean(axis=1).max())


def capsules(pieces: Pieces, scene: Scene) -> NDArray[np.float64]:
    """What the pieces cover on the scene's plane, as `mammocalc_kernels.cross_profiles.cross_profiles` takes it."""
    spacing = scene.pixel_spacing_mm
    ends = pieces.ends()[0] / spacing - np.array(scene.origin, np.float64)
    radius = (0.5 * pieces.calibre_mm + RIM_MM) / spacing
    return np.column_stack([ends[:, 0], ends[:, 1], radius])


def aim_deg(curve: Points, nipple: Points | None) -> float:
    """Angle between the chord of a curve and the line from its middle to the nipple; NaN without a nipple."""
    if nipple is None:
        return float("nan")
    chord = curve[-1] - curve[0]
    towards = nipple - curve.mean(axis=0)
    cosine = abs(float(chord @ towards)) / max(float(np.linalg.norm(chord) * np.linalg.norm(towards)), 1e-9)
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def looks_like_vessel(
    curve: Curve, aim: float, bend: float, points: float, parameters: ArrangeParameters
) -> bool:
    """Whether a chain is a calcified vessel: by its points, or for two walls that run side by side far.

    Either way it is long or has two walls, and its strands follow it. Two neighbouring ducts full of casts look like
    two walls, too: without the points, a chain must not aim at the nipple, nor may its strands wander as casts do.
    """
    a_track = curve.misalignment_deg <= parameters.vessel_turn_deg and (
        curve.length_mm >= parameters.vessel_length_mm
        or curve.paired_length_mm >= parameters.vessel_paired_mm
    )
    two_walls = (
        curve.paired_length_mm >= parameters.vessel_walls_mm
        and aim > parameters.vessel_walls_aside_deg
        and bend <= parameters.vessel_walls_bend_per_mm
    )
    by_points = points >= parameters.vessel_points and curve.typical_mm >= parameters.vessel_strand_mm
    return bool(a_track and (two_walls or by_points))


def look_like_casts(curve: Curve, aim: float, bend: float, parameters: ArrangeParameters) -> bool:
    """Whether a track is rather casts in a duct: short bent strands in one row that aims at the nipple."""
    return bool(
        aim <= parameters.casts_aim_deg
        and curve.typical_mm <= parameters.casts_strand_mm
        and bend >= parameters.casts_bend_per_mm
        and curve.paired_length_mm < parameters.casts_paired_mm
    )


def in_band(curve: Curve, pieces: Pieces, parameters: ArrangeParameters) -> NDArray[np.bool_]:
    """Which pieces lie between a vessel's walls or on them, the elongated ones along it.

    A piece is as thick as a wall at most, or, where it is elongated and both walls are known, as the vessel. A strand
    may lie farther out, for the curve is only that of the pieces that are known, and a vessel goes on beyond them.
    """
    from mammocalc_kernels.curves import beside

    reach = parameters.strand_reach_mm
    along, across, tangent = beside(_lengthened(curve.points, reach), pieces.centre, STEP_MM)
    separation = float(np.nan_to_num(curve.wall_separation_mm))
    fits = (pieces.calibre_mm <= parameters.strand_calibre_mm) | (
        pieces.strand & (separation > 0.0) & (pieces.calibre_mm <= separation + parameters.wall_play_mm)
    )
    cosine = np.abs(np.einsum("ij,ij->i", pieces.direction, tangent))
    follows = pieces.strand & (cosine >= np.cos(np.radians(parameters.band_turn_deg)))
    length = 2.0 * pieces.half_mm
    long_enough = follows & (length >= parameters.strand_length_mm)
    beyond = np.maximum(np.maximum(reach - along, along - (curve.length_mm + reach)), 0.0)
    aside = np.abs(across) - 0.5 * separation
    near = (aside <= parameters.wall_play_mm) & (follows | ~pieces.strand)
    # Beyond the ends only what has a direction, and keeps it, is believed.
    near &= beyond <= np.where(pieces.strand, parameters.track_gap_mm, 0.0)
    believed = np.minimum(reach, BELIEVED_LENGTHS * length)
    in_line = long_enough & (aside <= parameters.strand_aside_mm) & (beyond <= believed)
    return np.asarray(fits & (near | in_line))


def _lengthened(line: Points, by_mm: float) -> Points:
    """The curve with a straight piece added at either end."""
    steps = STEP_MM * np.arange(1, round(by_mm / STEP_MM) + 1)[:, None]
    inner = min(len(line) - 1, round(2.0 / STEP_MM))
    head, tail = line[0] - line[inner], line[-1] - line[-1 - inner]
    head, tail = head / np.linalg.norm(head), tail / np.linalg.norm(tail)
    return np.concatenate([(line[0] + steps * head)[::-1], line, line[-1] + steps * tail])


def _interpolated(at: NDArray[np.float64], values: Points) -> Points:
    index = np.arange(len(values))
    return np.stack([np.interp(at, index, values[:, k]) for k in range(values.shape[1])], axis=1)


@cache
def _offsets() -> NDArray[np.float64]:
    """Places across a vessel that profiles are sampled at, mm."""
    widest = max(HALF_WIDTHS_MM) + SHIFT_MM + FLANK_MM
    return np.arange(-widest, widest + 1e-9, OFFSET_STEP_MM)


@cache
def _strips() -> NDArray[np.int64]:
    """First and end sample of every strip that is looked at and of its two flanks, shape (strips, 3, 2)."""
    shifts = np.arange(-SHIFT_MM, SHIFT_MM + 1e-9, 0.3)
    places = [(half_width, shift) for half_width in HALF_WIDTHS_MM for shift in shifts]
    return np.array([_strip_and_flanks(_offsets(), *place) for place in places])


def _strip_and_flanks(offsets: NDArray[np.float64], half_width: float, shift: float) -> list[tuple[int, int]]:
    """First and end sample of a strip across a vessel and of its two flanks."""
    middle = np.flatnonzero(np.abs(offsets - shift) <= half_width)
    gap, reach = half_width + OFFSET_STEP_MM, half_width + FLANK_MM
    before = np.flatnonzero((shift - offsets > gap) & (shift - offsets <= reach))
    after = np.flatnonzero((offsets - shift > gap) & (offsets - shift <= reach))
    return [(int(part[0]), int(part[-1]) + 1) if len(part) else (0, 0) for part in (middle, before, after)]
