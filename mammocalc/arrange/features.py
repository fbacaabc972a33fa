"""Every feature a calcification has from its company: chain, cluster, neighbours."""

from __future__ import annotations

from collections.abc import Mapping

from mammocalc.measure.features import Feature

FEATURES: Mapping[str, Feature] = {
    "chain_id": Feature("", "number of the chain the calcification belongs to, 0 for none"),
    "chain_n": Feature("", "calcifications in the chain, 0 for none"),
    "chain_strands": Feature("", "strands that the chain was linked from, 0 for none"),
    "chain_length_mm": Feature("mm", "length of the chain along its curve, 0 for none"),
    "chain_tortuosity": Feature("", "arc over chord of the chain; 1 is straight; NaN for none"),
    "chain_calcified_fraction": Feature(
        "", "share of the chain's length that is covered by calcification; NaN for none"
    ),
    "chain_nipple_angle_deg": Feature(
        "deg", "angle between the chain's chord and the line to the nipple; NaN for none"
    ),
    "wall_separation_mm": Feature("mm", "distance between two near-parallel walls; NaN where not paired"),
    "paired_length_mm": Feature(
        "mm", "length over which the chain runs beside a parallel partner, 0 for none"
    ),
    "chain_strand_mm": Feature(
        "mm", "half of the strands' length is in strands of at least this length, 0 for none"
    ),
    "chain_misalignment_deg": Feature(
        "deg", "mean angle between the chain's members and its curve; NaN for none"
    ),
    "chain_curvature_per_mm": Feature(
        "1/mm", "mean curvature of the axes of the chain's strands, by length; NaN for none"
    ),
    "vessel_fraction": Feature(
        "", "share of the chain (or of the calcification) that lies on a vessel-scale ridge"
    ),
    "vessel_points": Feature(
        "", "log-odds that the chain is a vessel, from all its features together; NaN for none"
    ),
    "tube_covered_mm": Feature(
        "mm",
        "calcified length of a granular band as wide as an artery, whose pieces the chain is; 0 for none",
    ),
    "thread_points": Feature(
        "",
        "log-odds that the calcification is a piece of a thread, from all its features; NaN if not elongated",
    ),
    "neighbours": Feature("", "other calcifications within 10 mm"),
    "rods_in_image": Feature("", "other rods (calibre >= 0.5 mm, elongation >= 3) in the image"),
    "cluster_id": Feature("", "number of the cluster the calcification belongs to, 0 for none"),
    "cluster_n": Feature("", "calcifications in the cluster, 0 for none"),
    "cluster_extent_mm": Feature("mm", "largest distance between two members, 0 for none"),
    "cluster_linearity": Feature("", "minor over major axis of the members' positions; NaN for none"),
    "cluster_size_spread": Feature(
        "", "robust coefficient of variation of the members' diameters; NaN for none"
    ),
    "cluster_shape_spread": Feature("", "interquartile range of the members' log2 elongation; NaN for none"),
    "cluster_diameter_mm": Feature("mm", "median diameter of the members; NaN for none"),
    "cluster_length_mm": Feature("mm", "median length of the members; NaN for none"),
    "cluster_irregularity": Feature(
        "", "mean irregularity of the members, the clearer the more weight; NaN for none"
    ),
    "cluster_elongation": Feature("", "median elongation of the clearer half of the members; NaN for none"),
    "cluster_circularity": Feature("", "median circularity of the clearer half of the members; NaN for none"),
    "cluster_edge_share": Feature(
        "", "median edge width over diameter of the clearer half of the members; NaN for none"
    ),
    "cluster_flatness": Feature("", "median flatness of the clearer half of the members; NaN for none"),
    "cluster_level_share": Feature(
        "", "share of the elongated members that lie level; NaN for fewer than three"
    ),
    "cluster_distribution": Feature(
        "text", "diffuse, regional, grouped, linear, segmental, or empty for none"
    ),
}
