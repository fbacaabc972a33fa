"""What can be set about finding candidates."""

from __future__ import annotations

from dataclasses import dataclass

from mammocalc.bounded import bounded, check_bounds


@dataclass(frozen=True)
class SegmentParameters:
    """Scales, thresholds and outlines of candidate calcifications.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    finest_scale_mm: float = bounded(
        0.07, 0.02, 0.3, "Gaussian sigma of the finest scale; at least 0.8 px is used"
    )
    scale_ratio: float = bounded(1.6, 1.2, 2.0, "ratio of neighbouring scales")
    speck_scale_mm: float = bounded(
        0.28, 0.1, 1.0, "scales below this are searched at full resolution, the rest coarser"
    )
    coarsest_scale_mm: float = bounded(1.2, 0.3, 5.0, "Gaussian sigma of the coarsest scale")
    seed_response: float = bounded(
        3.6, 1.0, 50.0, "response, in local noise and texture, that a candidate must reach"
    )
    growth_response: float = bounded(3.5, 0.5, 50.0, "response down to which a candidate's component extends")
    lump_seed_response: float = bounded(
        7.0, 1.0, 50.0, "the response a lump larger than the speck scales must reach"
    )
    lump_growth_response: float = bounded(3.0, 0.5, 50.0, "response down to which a lump's component extends")
    largest_lump_mm: float = bounded(
        12.0, 1.0, 50.0, "a lump's component may cover the disc of this diameter at most"
    )
    texture_window_mm: float = bounded(
        5.0, 1.0, 20.0, "side of the tiles in which noise and texture are judged"
    )
    texture_weight: float = bounded(
        0.3, 0.0, 1.0, "power of noise and texture, where above the usual, that a candidate must reach"
    )
    outline_fraction: float = bounded(
        0.5, 0.2, 0.8, "share of the peak contrast at which an outline is drawn"
    )
    saddle_fraction: float = bounded(
        0.75, 0.4, 1.0, "specks are one where the saddle keeps this share of the lower peak"
    )
    lump_saddle_fraction: float = bounded(
        0.6, 0.4, 1.0, "the same of lumps, which are mottled: they are one across a deeper saddle"
    )
    strand_elongation: float = bounded(
        1.8, 1.0, 10.0, "pieces at least this elongated may continue each other as one strand"
    )
    strand_gap_mm: float = bounded(0.4, 0.0, 2.0, "longest gap between two pieces of a strand")
    strand_bridge: float = bounded(
        0.3, 0.05, 1.0, "share of the lower peak contrast that such a gap keeps all along"
    )
    strand_peak_share: float = bounded(
        0.36,
        0.0,
        1.0,
        "of two pieces of which one is round, the fainter has at least this share of the contrast",
    )
    strand_turn_deg: float = bounded(
        53.0, 0.0, 90.0, "most that pieces which do not touch differ in direction"
    )
    thread_gap_mm: float = bounded(
        0.7, 0.0, 2.0, "longest gap between two pieces that together make one thin line"
    )
    thread_bridge: float = bounded(0.25, 0.05, 1.0, "share of the lower peak contrast that such a gap keeps")
    thread_elongation: float = bounded(4.0, 1.5, 20.0, "ratio of the axes of such a line")
    thread_piece_elongation: float = bounded(1.5, 1.0, 10.0, "and of each of its two pieces")
    thread_score: float = bounded(
        0.25, 0.0, 1.0, "candidates from this score on are joined where they are pieces of one thread"
    )
    likely_gap_mm: float = bounded(1.2, 0.0, 3.0, "longest gap between two such pieces")
    likely_bridge: float = bounded(0.35, 0.05, 1.0, "share of the lower peak contrast that such a gap keeps")
    knot_gap_mm: float = bounded(0.5, 0.0, 3.0, "longest gap between such a piece and a round knot")
    knot_bridge: float = bounded(0.3, 0.05, 1.0, "share of the lower peak contrast that such a gap keeps")
    knot_elongation: float = bounded(3.0, 1.5, 20.0, "ratio of the axes of piece and knot together")
    continuation_mm: float = bounded(
        1.0, 0.0, 3.0, "how far ahead of a tip a larger object is looked for that goes on there"
    )
    background_ring_mm: float = bounded(0.35, 0.1, 2.0, "width of the ring in which the background is fitted")
    skin_margin_mm: float = bounded(1.0, 0.0, 10.0, "nothing is searched closer than this to the skin line")
    coarse_edge_width_mm: float = bounded(
        0.7, 0.1, 3.0, "a lump larger than the speck scales needs an edge this sharp"
    )
    coarse_edge_share: float = bounded(
        0.38, 0.0, 1.0, "or its edge is at most this share of its diameter; that of a ball is a third"
    )
    body_contrast: float = bounded(
        12.0, 1.0, 1000.0, "a lump of several fragments stands out by this much, in pixel noise"
    )
    body_diameter_mm: float = bounded(1.5, 0.3, 20.0, "and has at least this diameter")
    band_score: float = bounded(
        0.08, 0.0, 1.0, "lowest score of a candidate that is believed on an artery calcified beyond doubt"
    )
    band_covered_mm: float = bounded(
        6.5, 1.0, 50.0, "sure candidates cover this much of a band as wide as an artery that is beyond doubt"
    )
    band_covered: float = bounded(0.3, 0.0, 1.0, "and this share of its longest stretch")
    neighbourhood_mm: float = bounded(
        5.0, 1.0, 20.0, "distance within which other candidates support a candidate"
    )
    candidate_cap: int = bounded(3000, 10, 100_000, "candidates kept per image, best first")
    min_score: float = bounded(0.5, 0.0, 1.0, "operating point: candidates below this score are not reported")

    def __post_init__(self) -> None:
        check_bounds(self)
