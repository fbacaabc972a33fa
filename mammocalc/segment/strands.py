"""Joining the pieces of one strand: a cast or a thread of uneven brightness comes out of the outlining in parts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.segment.parameters import SegmentParameters

# A knot is at most so thick, or so many times as thick as its thread; a shell beside a cast is thicker.
_KNOT_MM, _KNOT_SHARE = 0.8, 2.6


@dataclass(frozen=True, eq=False)
class Outlines:
    """Objects as `mammocalc_kernels.delineation.delineate` outlines them.

    Attributes
    ----------
    pixel : ndarray of int64
    start : ndarray of int64, shape (n + 1,)
    contrast : ndarray of float32
    peak : ndarray of float32, shape (n,)
    surroundings : ndarray of float32, shape (n, 2)
    continued : ndarray of float64, shape (n,)
        How bright the way is to a larger object ahead, as a share of the lower peak; 0 without one. A piece of
        something that goes on beyond it is less likely a calcification of its own.
    """

    pixel: NDArray[np.int64]
    start: NDArray[np.int64]
    contrast: NDArray[np.float32]
    peak: NDArray[np.float32]
    surroundings: NDArray[np.float32]
    continued: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.peak)


def joined_strands(
    outlines: Outlines,
    plane: NDArray[np.float32],
    owner: NDArray[np.int32],
    pixel_spacing_mm: float,
    parameters: SegmentParameters,
    threads: int,
) -> Outlines:
    """Join objects that continue each other over a bright bridge; the bridge becomes part of the object.

    Pieces that do not touch lie in about one direction, and a round piece is not much fainter than the other. Where
    both are longish and together make one thin line, the bridge may be longer and less bright.

    Parameters
    ----------
    outlines : Outlines
        `continued` is not used.
    plane : ndarray of float32, shape (h, w)
    owner : ndarray of int32, shape (h, w)
        Scratch: all 0, and so again afterwards.
    pixel_spacing_mm : float
    parameters : SegmentParameters
    threads : int

    Returns
    -------
    Outlines
        A joined object stands in the place of its first part; peak and surroundings are those of its brightest one.
        `continued` tells of the ways that were not bright or short enough.
    """
    from mammocalc_kernels.paths import first_of_part
    from mammocalc_kernels.strands import forms_of_pairs, number_objects, strand_links

    if len(outlines) < 2:
        return outlines
    number_objects(owner, outlines.pixel, outlines.start)
    links, bridge = strand_links(
        plane,
        owner,
        outlines.pixel,
        outlines.contrast,
        outlines.start,
        outlines.peak,
        elongation=parameters.strand_elongation,
        reach=max(parameters.strand_gap_mm, parameters.thread_gap_mm, parameters.continuation_mm)
        / pixel_spacing_mm,
        threads=threads,
    )
    width = plane.shape[1]
    gap = np.hypot(links[:, 2] // width - links[:, 3] // width, links[:, 2] % width - links[:, 3] % width)
    gap_mm = gap * pixel_spacing_mm
    close = (bridge >= parameters.strand_bridge) & (gap_mm <= parameters.strand_gap_mm)
    further = (bridge >= parameters.thread_bridge) & (gap_mm <= parameters.thread_gap_mm) & ~close
    holds = np.flatnonzero(close | further)
    one, other = links[holds, 0], links[holds, 1]
    *apart, together, along = forms_of_pairs(one, other, outlines.pixel, outlines.start, width, threads).T
    rounder = np.minimum(*apart)
    peaks = outlines.peak[one], outlines.peak[other]
    alike = (np.minimum(*peaks) >= parameters.strand_peak_share * np.maximum(*peaks)) | (
        rounder >= parameters.strand_elongation
    )
    straight = (along >= np.cos(np.radians(parameters.strand_turn_deg))) | (gap[holds] < 2)
    thread = (rounder >= parameters.thread_piece_elongation) & (together >= parameters.thread_elongation)
    of_one_thickness = alike_in_thickness(np.diff(outlines.start), one, other, apart, pixel_spacing_mm)
    holds = holds[np.where(further[holds], thread, alike & straight) & of_one_thickness]
    first_part = first_of_part(len(outlines), links[holds, 0], links[holds, 1])
    joined = joined_outlines(outlines, links[holds], first_part, owner) if len(holds) else outlines
    number_objects(owner, joined.pixel, joined.start, clear=True)
    _, strand = np.unique(first_part, return_inverse=True)
    return dataclasses.replace(joined, continued=_continued(joined, strand[links[:, :2]], bridge))


def alike_in_thickness(
    area: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    forms: list[NDArray[np.float64]],
    pixel_spacing_mm: float,
) -> NDArray[np.bool_]:
    """Which pairs may be one strand with its knots: not those of a thin strand and a body that it only touches.

    Parameters
    ----------
    area : ndarray of int64
        Pixels of each object.
    one, other : ndarray of int64, shape (pairs,)
        Numbers of objects.
    forms : list of two ndarray of float64, shape (pairs,)
        Ratio of the axes of the one and of the other.
    """
    thickness = [
        2.0 * pixel_spacing_mm * np.sqrt(area[of] / (np.pi * form))
        for of, form in zip((one, other), forms, strict=True)
    ]
    thicker = np.maximum(*thickness)
    return (thicker <= _KNOT_MM) | (thicker <= _KNOT_SHARE * np.minimum(*thickness))


def joined_outlines(
    outlines: Outlines, links: NDArray[np.int64], first_part: NDArray[np.int64], owner: NDArray[np.int32]
) -> Outlines:
    """The objects with the same first part as one, the ways of the links filled; `owner` has their numbers."""
    from mammocalc_kernels.strands import bridge_pixels, join_objects

    bridge = bridge_pixels(links, owner, outlines.pixel, outlines.start)
    pixel, start, contrast = join_objects(
        first_part, links, bridge, owner, outlines.pixel, outlines.start, outlines.contrast
    )
    parts = np.unique(first_part)
    by_brightness = np.lexsort((-outlines.peak, first_part))
    brightest = by_brightness[np.searchsorted(first_part[by_brightness], parts)]
    return Outlines(
        pixel,
        start,
        contrast,
        outlines.peak[brightest],
        outlines.surroundings[brightest],
        np.zeros(len(parts)),
    )


def _continued(
    outlines: Outlines, pairs: NDArray[np.int64], bridge: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For the smaller object of each linked pair the brightest way; of equal ones for the later."""
    area = np.diff(outlines.start)
    one, other = pairs.T
    apart = one != other
    one, other, bridge = one[apart], other[apart], bridge[apart]
    one_is_smaller = (area[one] < area[other]) | ((area[one] == area[other]) & (one > other))
    result = np.zeros(len(outlines))
    np.maximum.at(result, np.where(one_is_smaller, one, other), bridge)
    return result
