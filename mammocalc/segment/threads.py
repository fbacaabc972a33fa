"""Joining what was found of one thread: pieces with a clear way between them, and its knots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.segment.objects import Objects
from mammocalc.segment.parameters import SegmentParameters
from mammocalc.segment.strands import Outlines, alike_in_thickness, joined_outlines

# The way between two pieces stands out from the tissue by this much, in pixel noise.
_LEAST_WAY = 1.5
# Of a round piece with a longer one: form of the longer one, and least contrast of the round one as a share of its.
_KNOT_ARM, _KNOT_PEAK = 1.5, 0.8


def joined_threads(
    objects: Objects,
    score: NDArray[np.float64],
    plane: NDArray[np.float32],
    owner: NDArray[np.int32],
    pixel_spacing_mm: float,
    parameters: SegmentParameters,
    threads: int,
) -> tuple[Objects, NDArray[np.float64]]:
    """Join likely calcifications that are pieces of one thread or cast, which the outlining took for several.

    Asked of candidates that are probable already, a longer and fainter way than in
    `mammocalc.segment.strands.joined_strands` is enough: between two pieces that make one thin line together, or
    between a piece and a knot as bright.

    Parameters
    ----------
    objects : Objects
    score : ndarray of float64, shape (n,)
    plane : ndarray of float32, shape (h, w)
    owner : ndarray of int32, shape (h, w)
        Scratch: all 0, and so again afterwards.
    pixel_spacing_mm : float
    parameters : SegmentParameters
    threads : int
        The result does not depend on it.

    Returns
    -------
    Objects, ndarray of float64
        In order of first pixel; a joined one has the score and the evidence of its surest part.
    """
    from mammocalc_kernels.paths import first_of_part
    from mammocalc_kernels.strands import forms_of_pairs, number_objects, strand_links

    likely = score >= parameters.thread_score
    chosen = np.flatnonzero(likely)
    if len(chosen) < 2:
        return objects, score
    some = objects.subset(chosen)
    peak = some.evidence["contrast_noise"]
    outlines = Outlines(
        some.pixel,
        some.start,
        some.contrast,
        peak.astype(np.float32),
        np.zeros((len(some), 2), np.float32),
        np.zeros(len(some)),
    )
    # What is not likely is in the way: -1 is nobody's number.
    in_the_way = objects.pixel[~likely[objects.owner()]]
    owner.reshape(-1)[in_the_way] = -1
    number_objects(owner, some.pixel, some.start)
    links, bridge = strand_links(
        plane,
        owner,
        some.pixel,
        some.contrast,
        some.start,
        outlines.peak,
        elongation=_KNOT_ARM,
        reach=parameters.likely_gap_mm / pixel_spacing_mm,
        threads=threads,
    )
    width = plane.shape[1]
    gap_mm = pixel_spacing_mm * np.hypot(
        links[:, 2] // width - links[:, 3] // width, links[:, 2] % width - links[:, 3] % width
    )
    one, other = links[:, 0], links[:, 1]
    *apart, together, along = forms_of_pairs(one, other, some.pixel, some.start, width, threads).T
    peaks = peak[one], peak[other]
    clear = bridge * np.minimum(*peaks) >= _LEAST_WAY
    pieces = (
        (np.minimum(*apart) >= parameters.thread_piece_elongation)
        & (together >= parameters.thread_elongation)
        & (along >= np.cos(np.radians(parameters.strand_turn_deg)))
        & (bridge >= parameters.likely_bridge)
    )
    knot_peak = np.where(apart[0] < apart[1], peaks[0] / peaks[1], peaks[1] / peaks[0])
    knot = (
        (gap_mm <= parameters.knot_gap_mm)
        & (together >= parameters.knot_elongation)
        & (knot_peak >= _KNOT_PEAK)
        & (bridge >= parameters.knot_bridge)
    )
    alike = alike_in_thickness(np.diff(some.start), one, other, apart, pixel_spacing_mm)
    holds = np.flatnonzero(clear & alike & (pieces | knot))
    if len(holds):
        part = first_of_part(len(some), one[holds], other[holds])
        joined = joined_outlines(outlines, links[holds], part, owner)
        by_score = np.lexsort((-score[chosen], part))
        surest = by_score[np.searchsorted(part[by_score], np.unique(part))]
        unlikely = np.flatnonzero(~likely)
        rest = objects.subset(unlikely)
        whole = Objects(
            joined.pixel,
            joined.start,
            joined.contrast,
            {name: values[surest] for name, values in some.evidence.items()},
        )
        both = whole.with_others(rest)
        order = np.argsort(both.pixel[both.start[:-1]], kind="stable")
        objects = both.subset(order)
        score = np.append(score[chosen][surest], score[unlikely])[order]
        number_objects(owner, whole.pixel, whole.start, clear=True)
    number_objects(owner, some.pixel, some.start, clear=True)
    owner.reshape(-1)[in_the_way] = 0
    return objects, score
