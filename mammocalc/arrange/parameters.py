"""What can be set in the arrange stage."""

from __future__ import annotations

from dataclasses import dataclass

from mammocalc.bounded import bounded, check_bounds


@dataclass(frozen=True)
class ArrangeParameters:
    """Who counts as company, how pieces become tracks along a vessel, and how clusters are formed and named.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    founding_score: float = bounded(
        0.5, 0.0, 1.0, "lowest score of a calcification that may found a chain or a cluster"
    )
    joining_score: float = bounded(0.3, 0.0, 1.0, "lowest score of a calcification that may join one")

    rod_calibre_mm: float = bounded(0.5, 0.2, 2.0, "a rod is at least this thick")
    rod_elongation: float = bounded(3.0, 1.5, 10.0, "a rod is at least this many times longer than thick")
    rod_calibre_variation: float = bounded(0.25, 0.02, 1.0, "a rod's calibre varies at most by this much")
    rod_roughness: float = bounded(0.04, 0.005, 1.0, "a rod's outline is at most this rough")
    rod_aim_deg: float = bounded(45.0, 5.0, 90.0, "a rod aims at the nipple at least this well")
    ring_lucency: float = bounded(0.4, 0.0, 1.0, "a ring's centre is at least this lucent")
    ring_closure: float = bounded(0.75, 0.0, 1.0, "a ring is closed over at least this share of directions")
    skin_distance_mm: float = bounded(5.0, 0.0, 20.0, "a ring this near to the skin line lies in the skin")

    strand_elongation: float = bounded(
        1.7, 1.1, 5.0, "a piece this many times longer than thick has a direction"
    )
    strand_length_mm: float = bounded(1.0, 0.2, 5.0, "shorter pieces do not make a track, they only join one")
    strand_calibre_mm: float = bounded(0.75, 0.5, 20.0, "a piece of a vessel's wall is at most this thick")
    strand_rod_mm: float = bounded(
        0.55,
        0.2,
        2.0,
        "what has the form of a rod, but is thinner than this, may be a piece of a vessel's wall",
    )
    wall_rod_ratio: float = bounded(
        1.2, 1.0, 10.0, "a rod this many times thicker than the rest of a vessel's chain only lies in its way"
    )
    wall_rod_mm: float = bounded(4.0, 0.5, 20.0, "if it is at least this long")
    wall_rod_roughness: float = bounded(0.05, 0.005, 1.0, "and at most this rough")
    wall_rod_aim_deg: float = bounded(30.0, 0.0, 90.0, "and aims at the nipple this well")
    tube_calibre_mm: float = bounded(1.4, 0.5, 20.0, "a vessel calcified all around is at most this thick")
    tube_elongation: float = bounded(3.0, 1.1, 20.0, "a piece of one is this many times longer than thick")
    tube_roughness: float = bounded(0.03, 0.0, 1.0, "and its outline at least this rough")
    tube_aside_deg: float = bounded(30.0, 0.0, 90.0, "and it does not lead to the nipple this nearly")
    tube_mm: float = bounded(
        6.5, 1.0, 50.0, "a rough band of an artery's width, calcified over this length, is a vessel, too"
    )
    tube_covered: float = bounded(0.4, 0.0, 1.0, "and calcified over this share of its longest stretch")
    tube_sure_mm: float = bounded(9.0, 1.0, 100.0, "calcified over this length it may lead to the nipple")
    track_gap_mm: float = bounded(4.0, 0.5, 15.0, "largest gap that is bridged between pieces of a track")
    track_bend_deg: float = bounded(40.0, 5.0, 80.0, "largest change of direction from one piece to the next")
    track_crossing_deg: float = bounded(
        40.0, 5.0, 90.0, "a strand that meets its track's curve at a larger angle crosses it"
    )
    track_aside_mm: float = bounded(
        3.0, 0.5, 20.0, "a strand that lies farther from its track's curve, on average, is none of it"
    )
    bridge_mm: float = bounded(18.0, 0.5, 40.0, "largest gap that is bridged between tracks")
    bridge_bend_deg: float = bounded(
        35.0, 5.0, 80.0, "largest change of direction at either end of such a bridge"
    )
    strong_strand_mm: float = bounded(2.0, 0.5, 20.0, "a track with so long a strand is more likely a vessel")
    bridge_on_vessel: float = bounded(
        0.6, 0.0, 1.0, "share of a bridge that lies on a vessel in sight, at least"
    )
    blind_bridge_mm: float = bounded(
        3.0,
        0.0,
        20.0,
        "longest bridge without a vessel in sight, times its share of the largest change of direction",
    )
    casts_aim_deg: float = bounded(
        20.0,
        0.0,
        90.0,
        "a track that aims at the nipple this nearly is taken for casts in a duct, which reach no vessel",
    )
    casts_strand_mm: float = bounded(4.0, 0.5, 20.0, "if half of its length is in strands this short")
    casts_bend_per_mm: float = bounded(0.2, 0.0, 2.0, "and they are bent at least this much")
    casts_paired_mm: float = bounded(4.0, 0.5, 100.0, "and run side by side over less than this")
    wall_least_mm: float = bounded(0.4, 0.1, 3.0, "two walls of a vessel are at least this far apart")
    wall_most_mm: float = bounded(3.0, 0.5, 10.0, "two walls of a vessel are at most this far apart")
    wall_play_mm: float = bounded(
        0.4, 0.0, 2.0, "what lies this near to the band between a vessel's walls belongs to it"
    )
    wall_scatter_mm: float = bounded(
        0.35, 0.05, 2.0, "pieces of one wall scatter at most this much across it"
    )
    track_shortest_mm: float = bounded(
        5.0, 1.0, 50.0, "a shorter track is not kept as a chain, unless it has two walls"
    )
    track_paired_mm: float = bounded(2.0, 0.5, 50.0, "over at least this length")
    paired_least_mm: float = bounded(
        3.0, 0.5, 50.0, "walls that run side by side this far show where the middle of the vessel is"
    )
    band_turn_deg: float = bounded(
        28.0, 5.0, 60.0, "a piece between a vessel's walls belongs to it if it follows its curve this well"
    )
    strand_reach_mm: float = bounded(
        10.0, 4.0, 40.0, "so does a strand that follows its curve this far beyond its ends"
    )
    strand_aside_mm: float = bounded(2.0, 0.0, 5.0, "or this far aside of its walls")
    vessel_length_mm: float = bounded(7.0, 1.0, 100.0, "a vessel's chain is at least this long")
    vessel_paired_mm: float = bounded(3.0, 0.5, 100.0, "or has two walls side by side over this length")
    vessel_turn_deg: float = bounded(
        42.0, 1.0, 60.0, "and its strands follow its curve this well, on average"
    )
    vessel_walls_mm: float = bounded(
        10.0, 0.5, 100.0, "walls that run side by side this far make a vessel, whatever its points"
    )
    vessel_walls_aside_deg: float = bounded(25.0, 0.0, 90.0, "if it aims at the nipple less nearly than this")
    vessel_walls_bend_per_mm: float = bounded(0.22, 0.0, 2.0, "and the strands are bent at most this much")
    vessel_points: float = bounded(
        0.4, -20.0, 20.0, "all its features together make a chain a vessel at this log-odds"
    )
    vessel_strand_mm: float = bounded(
        1.6,
        0.5,
        20.0,
        "if half of its calcium is in strands at least this long; how shorter ones bend is not known",
    )
    ridge_clear: float = bounded(1.0, 0.0, 20.0, "a vessel stands this many standard errors above its sides")

    linkage_mm: float = bounded(10.0, 1.0, 50.0, "calcifications this near to each other are in one cluster")
    linkage_spacing: float = bounded(
        3.0, 1.0, 100.0, "in a crowd the linkage is at most this many times the spacing of its members"
    )
    linkage_least_mm: float = bounded(3.0, 0.5, 50.0, "but never shorter than this")
    linkage_octaves: float = bounded(
        1.2,
        0.2,
        10.0,
        "two whose diameters differ by this many doublings are linked across 0.6 of the distance",
    )
    parting_gain: float = bounded(
        12.0,
        0.0,
        1000.0,
        "a cluster is parted where two describe place and form of its members so much better (log-likelihood)",
    )
    member_diameter_mm: float = bounded(
        1.5, 0.3, 20.0, "a calcification with a larger diameter is judged by itself, not as one of a cluster"
    )
    member_length_mm: float = bounded(5.0, 0.5, 20.0, "so is a longer one")
    cast_elongation: float = bounded(
        2.5, 1.5, 10.0, "a cast of a duct is at least this many times longer than thick"
    )
    cast_length_mm: float = bounded(0.7, 0.2, 5.0, "and at least this long")
    cast_calibre_mm: float = bounded(0.6, 0.2, 2.0, "and thinner than this")
    cast_coherence: float = bounded(
        0.3, -1.0, 1.0, "casts keep the direction of their nearest neighbour this well; 0 is at random"
    )
    cast_coherence_few: float = bounded(
        0.5, -1.0, 1.0, "the same where most of what lies around them is no cast"
    )
    cast_line_mm: float = bounded(0.6, 0.1, 5.0, "casts of one duct stray at most this much from a line")
    cast_line_share: float = bounded(
        0.8, 0.1, 1.0, "and are at least this share of the casts that are linked to each other"
    )
    cast_line_coherence: float = bounded(0.5, -1.0, 1.0, "and point along it this well; 0 is at random")
    cast_aim: float = bounded(
        0.3, -1.0, 1.0, "casts that fill the ducts of a segment aim at the nipple this well; 0 is at random"
    )
    cast_segment_mm: float = bounded(
        10.0, 2.0, 100.0, "and are spread further than this; less may be one duct that branches"
    )
    cast_gap_mm: float = bounded(2.0, 0.2, 10.0, "a speck in line with a cast joins it across so wide a gap")
    cast_aside_mm: float = bounded(0.6, 0.1, 5.0, "if it lies at most this far off the cast's axis")
    sediment_level_share: float = bounded(
        0.7, 0.0, 1.0, "thin pieces of which this share lies level may be sediment in cysts"
    )
    sediment_elongation: float = bounded(4.0, 1.5, 20.0, "if their median elongation is at most this")
    sediment_axis_ratio: float = bounded(
        0.3, 0.0, 1.0, "and they do not lie in a line: minor over major axis, at least"
    )
    group_members: int = bounded(5, 2, 100, "least number of calcifications in a cluster")
    line_members: int = bounded(3, 3, 100, "least number of calcifications in a linear cluster")
    line_axis_ratio: float = bounded(0.2, 0.01, 1.0, "a linear cluster's minor over its major axis, at most")
    line_axis_ratio_few: float = bounded(0.1, 0.01, 1.0, "the same where it has fewer members than a group")
    group_extent_mm: float = bounded(20.0, 2.0, 100.0, "a larger cluster is regional, segmental or diffuse")
    segment_extent_mm: float = bounded(
        16.0, 2.0, 100.0, "a segment is longer than this, so that it may lose a few members at its ends"
    )
    line_scatter_mm: float = bounded(
        0.7, 0.1, 5.0, "in a longer linear cluster members scatter at most this much about a smooth curve"
    )
    line_extent_mm: float = bounded(
        22.0, 2.0, 100.0, "what is still longer and aims at the nipple is a segment, however narrow"
    )
    wedge_deg: float = bounded(28.0, 5.0, 180.0, "largest opening of a segment, as seen from the nipple")
    wedge_aim_deg: float = bounded(18.0, 5.0, 90.0, "a segment's long axis aims at the nipple this well")
    wedge_axis_ratio: float = bounded(
        0.55, 0.1, 1.0, "a segment is longer than wide: minor over major axis, at most"
    )
    diffuse_breast_share: float = bounded(
        0.55, 0.05, 1.0, "a diffuse cluster spreads over this share of the breast"
    )
    diffuse_evenness: float = bounded(
        0.9,
        0.0,
        2.0,
        "and its members' mean distance to the nearest is at least this share of that of positions at random",
    )
    diffuse_members: int = bounded(12, 3, 1000, "least number of calcifications in a diffuse cluster")

    def __post_init__(self) -> None:
        check_bounds(self)
