"""Each label from the form that the atlas describes, and both sides of the thresholds that part them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mammocalc.arrange import ArrangeParameters
from mammocalc.classify import LABELS, SUSPICIONS, load_lexicon

RING = {"lucency": 0.8, "ring_closure": 0.95, "wall_thickness_mm": 0.3, "heterogeneity": 0.4}
ROD = {"width_variation": 0.1, "roughness": 0.03, "straightness": 0.98, "solidity": 0.93}
CAST = {"width_variation": 0.3, "roughness": 0.08, "straightness": 0.93, "solidity": 0.85}
GROUP = {"cluster_id": 1, "cluster_n": 8, "cluster_extent_mm": 8.0, "cluster_distribution": "grouped"}
VARIED = {
    **GROUP,
    "cluster_size_spread": 0.4,
    "cluster_shape_spread": 0.8,
    "cluster_elongation": 1.6,
    "cluster_irregularity": 0.7,
}
VESSEL = {
    "chain_curvature_per_mm": 0.21,
    "chain_n": 5,
    "chain_strand_mm": 4.0,
    "chain_misalignment_deg": 10.0,
    "chain_calcified_fraction": 0.7,
    "chain_nipple_angle_deg": 60.0,
}
HAZY = {
    **GROUP,
    "cluster_diameter_mm": 0.55,
    "cluster_length_mm": 0.56,
    "cluster_elongation": 1.2,
    "edge_width_mm": 0.15,
}


@pytest.fixture
def examples(sized):
    """One textbook calcification a label."""
    return {
        "skin": sized(1.1, 1.0, skin_distance_mm=3.0, **RING),
        "vascular": sized(
            2.0,
            0.4,
            chain_id=1,
            chain_length_mm=25.0,
            paired_length_mm=12.0,
            wall_separation_mm=1.5,
            vessel_points=3.0,
            **VESSEL,
            **CAST,
        ),
        "coarse": sized(3.5, 2.6, solidity=0.92, roughness=0.03, circularity=0.8),
        "large_rod_like": sized(5.0, 0.8, nipple_angle_deg=10.0, **ROD),
        "round": sized(0.72, 0.7),
        "punctate": {},
        "rim": sized(4.2, 4.0, **RING),
        "dystrophic": sized(1.9, 1.3, solidity=0.7, roughness=0.2, heterogeneity=0.3, circularity=0.5),
        "milk_of_calcium": sized(
            0.9,
            0.4,
            orientation_deg=3.0,
            cluster_level_share=0.9,
            cluster_elongation=2.2,
            cluster_linearity=0.6,
        ),
        "suture": sized(9.0, 0.4, straightness=0.6, width_variation=0.15, solidity=0.3, thread_points=2.0),
        "amorphous": {
            "diameter_mm": 0.55,
            "length_mm": 0.56,
            **HAZY,
            "edge_width_mm": 0.4,
            "cluster_edge_share": 0.7,
        },
        "coarse_heterogeneous": sized(
            0.9,
            0.7,
            circularity=0.9,
            irregularity=0.9,
            cluster_diameter_mm=0.85,
            cluster_circularity=0.9,
            **VARIED,
        ),
        "fine_pleomorphic": sized(
            0.5,
            0.3,
            circularity=0.9,
            irregularity=0.9,
            cluster_diameter_mm=0.4,
            cluster_circularity=0.9,
            **VARIED,
        ),
        "fine_linear": sized(2.0, 0.3, **CAST),
        "fine_linear_branching": sized(2.5, 0.3, branches=1.0, **CAST),
        "unclassified": sized(0.8, 0.4, solidity=0.8),
    }


@pytest.mark.parametrize("label", LABELS)
def test_textbook_form_gets_its_label(labelled, examples, label):
    assert labelled(examples[label]).label.tolist() == [label]


def test_all_at_once_equal_one_by_one(labelled, examples):
    together = labelled(*examples.values())
    assert together.label.tolist() == list(examples)
    for k, change in enumerate(examples.values()):
        alone = labelled(change)
        assert alone.rule[0] == together.rule[k]
        assert alone.margin[0] == together.margin[k]
        assert alone.runner_up[0] == together.runner_up[k]


def test_suspicion_follows_the_atlas(labelled, examples):
    found = dict(zip(examples, labelled(*examples.values()).suspicion.tolist(), strict=True))
    suspicious = {
        "amorphous",
        "coarse_heterogeneous",
        "fine_pleomorphic",
        "fine_linear",
        "fine_linear_branching",
    }
    for label, suspicion in found.items():
        assert suspicion in SUSPICIONS
        if label != "unclassified":
            assert (suspicion == "suspicious") == (label in suspicious), label


class TestBothSidesOfAThreshold:
    @pytest.mark.parametrize(("diameter_mm", "label"), [(0.499, "punctate"), (0.501, "round")])
    def test_half_a_millimetre_parts_punctate_and_round(self, labelled, diameter_mm, label):
        assert labelled({"diameter_mm": diameter_mm}).label[0] == label

    @pytest.mark.parametrize(("width_mm", "label"), [(0.49, "fine_linear"), (0.52, "large_rod_like")])
    def test_half_a_millimetre_of_calibre_parts_cast_and_rod(self, labelled, sized, width_mm, label):
        assert labelled(sized(4.0, width_mm, nipple_angle_deg=5.0, **ROD)).label[0] == label

    @pytest.mark.parametrize(("skin_distance_mm", "label"), [(4.9, "skin"), (5.1, "rim")])
    def test_a_small_ring_is_skin_only_near_the_skin(self, labelled, sized, skin_distance_mm, label):
        assert (
            labelled(sized(1.1, 1.0, skin_distance_mm=skin_distance_mm, neighbours=1.0, **RING)).label[0]
            == label
        )

    @pytest.mark.parametrize(
        ("skin_distance_mm", "neighbours", "label"),
        [(3.4, 0.0, "skin"), (3.6, 0.0, "rim"), (3.6, 1.0, "skin")],
    )
    def test_a_ring_beneath_the_skin_has_company(self, labelled, sized, skin_distance_mm, neighbours, label):
        ring = {**RING, "skin_distance_mm": skin_distance_mm, "neighbours": neighbours}
        assert labelled(sized(1.1, 1.0, **ring)).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "rim"),
            ({"irregularity": -1.1}, "dystrophic"),
            ({"ring_closure": 0.7}, "dystrophic"),
            ({"lucency": 0.14}, "coarse"),
        ],
    )
    def test_a_wall_that_is_not_thin_is_a_rim_where_it_is_as_round_as_noise_allows(
        self, labelled, sized, change, label
    ):
        ring = {**RING, "circularity": 0.9, "irregularity": -1.3, "wall_thickness_mm": 1.2}
        assert labelled({**sized(4.2, 4.0, **ring), **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [({}, "rim"), ({"core_lucency": -0.06}, "round"), ({"flatness": 0.39}, "round")],
    )
    def test_a_level_core_is_that_of_a_shell(self, labelled, sized, change, label):
        body = sized(1.2, 1.15, flatness=0.5, core_lucency=-0.04, heterogeneity=0.0)
        assert labelled({**body, **change}).label[0] == label

    @pytest.mark.parametrize(("points", "label"), [(0.81, "suture"), (0.79, "vascular")])
    def test_a_sure_thread_is_one_even_in_line_with_another(self, labelled, sized, points, label):
        found = labelled(
            sized(
                6.0,
                0.3,
                **{**VESSEL, "vessel_points": 2.0, "chain_length_mm": 9.0, **CAST, "thread_points": points},
            )
        )
        assert found.label[0] == label

    @pytest.mark.parametrize(("points", "label"), [(-1.1, "suture"), (-1.3, "fine_linear")])
    def test_a_likely_thread_is_rather_one_than_a_cast(self, labelled, sized, points, label):
        assert labelled(sized(2.5, 0.3, **CAST, thread_points=points)).label[0] == label

    @pytest.mark.parametrize(("lucency", "label"), [(0.31, "rim"), (0.29, "coarse")])
    def test_a_large_one_is_a_rim_only_with_a_lucent_centre(self, labelled, sized, lucency, label):
        ring = {**RING, "lucency": lucency, "circularity": 0.92}
        assert labelled(sized(3.2, 3.0, **ring, solidity=0.95)).label[0] == label

    @pytest.mark.parametrize(("lucency", "label"), [(0.16, "rim"), (0.14, "coarse")])
    def test_a_closed_smooth_rim_may_be_less_lucent(self, labelled, sized, lucency, label):
        ring = {**RING, "lucency": lucency, "circularity": 0.97}
        assert labelled(sized(3.2, 3.0, **ring, solidity=0.95)).label[0] == label

    @pytest.mark.parametrize(("wall_mm", "is_rim"), [(1.15, True), (1.25, False)])
    def test_the_wall_of_a_large_rim_may_be_thicker(self, labelled, sized, wall_mm, is_rim):
        found = labelled(sized(6.2, 6.0, diameter_mm=6.0, **{**RING, "wall_thickness_mm": wall_mm})).label[0]
        assert (found == "rim") is is_rim

    @pytest.mark.parametrize(
        ("change", "is_rim"),
        [
            ({}, True),
            ({"wall_thickness_mm": 0.65}, False),
            ({"ring_closure": 0.59}, False),
            ({"solidity": 0.79}, False),
            ({"lucency": 0.29}, False),
            ({"circularity": 0.94, "wall_thickness_mm": 0.65}, True),
        ],
    )
    def test_a_rough_outline_is_a_rim_with_a_thin_wall_only(self, labelled, sized, change, is_rim):
        ring = {**RING, "circularity": 0.7, "wall_thickness_mm": 0.58, "lucency": 0.31, "ring_closure": 0.61}
        found = labelled({**sized(3.1, 3.0, diameter_mm=3.0, **ring), "solidity": 0.95, **change}).label[0]
        assert (found == "rim") is is_rim

    @pytest.mark.parametrize(
        ("change", "is_rim"),
        [
            ({}, True),
            ({"straightness": 0.79}, False),
            ({"width_mm": 0.69}, False),
            ({"roughness": 0.061}, False),
            ({"branches": 1.0}, False),
            ({"straightness": 0.09, "width_mm": 0.4, "roughness": 0.05}, True),
            ({"straightness": 0.11, "width_mm": 0.4, "roughness": 0.05}, False),
        ],
    )
    def test_what_is_bent_round_on_itself_is_part_of_a_rim(self, labelled, sized, change, is_rim):
        arc = sized(8.0, 0.9, straightness=0.6, roughness=0.03, solidity=0.4, circularity=0.2)
        assert (labelled({**arc, **change}).label[0] == "rim") is is_rim

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "rim"),
            ({"flatness": 0.84}, "round"),
            ({"heterogeneity": 0.01}, "round"),
            ({"diameter_mm": 0.89}, "round"),
            ({"circularity": 0.92}, "dystrophic"),
        ],
    )
    def test_a_shell_too_small_for_its_lumen_is_flat(self, labelled, sized, change, label):
        assert labelled({**sized(1.2, 1.15, flatness=1.0), **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "large_rod_like"),
            ({"solidity": 0.75}, "dystrophic"),
            ({"elongation": 5.5, "solidity": 0.75}, "large_rod_like"),
        ],
    )
    def test_a_short_rod_is_no_crescent_of_a_lump(self, labelled, sized, change, label):
        rod = sized(4.0, 1.0, nipple_angle_deg=5.0, circularity=0.45, **ROD)
        assert labelled({**rod, **change}).label[0] == label

    @pytest.mark.parametrize(("thickness_mm", "label"), [(0.3, "fine_linear"), (0.7, "dystrophic")])
    def test_arms_of_a_branched_cast_are_thin(self, labelled, sized, thickness_mm, label):
        spread = sized(2.2, 1.4, circularity=0.4, thickness_mm=thickness_mm, roughness=0.1)
        assert labelled(spread).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "coarse"),
            ({"core_lucency": 0.03}, "dystrophic"),
            ({"core_lucency": 0.01}, "coarse"),
            ({"core_lucency": -0.17, "heterogeneity": 0.165}, "dystrophic"),
            ({"core_lucency": -0.17, "heterogeneity": 0.155}, "coarse"),
            ({"lucency": 0.31}, "dystrophic"),
            ({"heterogeneity": 0.17, "roughness": 0.05}, "coarse"),
            ({"edge_width_mm": 0.94}, "dystrophic"),
            ({"edge_width_mm": 0.90}, "coarse"),
            ({"circularity": 0.49}, "dystrophic"),
            ({"roughness": 0.075}, "dystrophic"),
            ({"thickness_mm": 0.57, "circularity": 0.49}, "coarse"),
        ],
    )
    def test_what_parts_dystrophic_from_coarse(self, labelled, sized, change, label):
        popcorn = sized(3.5, 2.6, circularity=0.8, core_lucency=-0.2, heterogeneity=0.12)
        assert labelled({**popcorn, **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "coarse"),
            ({"core_lucency": -0.07}, "dystrophic"),
            ({"core_lucency": -0.09}, "coarse"),
            ({"core_lucency": -0.07, "elongation": 1.4}, "coarse"),
            ({"elongation": 1.9, "heterogeneity": 0.13}, "dystrophic"),
            ({"elongation": 1.9, "heterogeneity": 0.11}, "coarse"),
            ({"elongation": 1.7, "heterogeneity": 0.13}, "coarse"),
            (
                {"elongation": 3.1, "heterogeneity": 0.13, "width_mm": 0.85, "straightness": 0.8},
                "unclassified",
            ),
            ({"elongation": 3.1, "heterogeneity": 0.13, "width_mm": 0.95, "straightness": 0.8}, "dystrophic"),
        ],
    )
    def test_a_plaque_is_longer_than_a_popcorn(self, labelled, sized, change, label):
        lump = sized(3.5, 2.2, circularity=0.8, core_lucency=-0.2, heterogeneity=0.11, roughness=0.03)
        assert labelled({**lump, **change}).label[0] == label

    @pytest.mark.parametrize(("elongation", "label"), [(1.9, "punctate"), (2.1, "unclassified")])
    def test_a_tiny_oval_is_punctate(self, labelled, elongation, label):
        assert labelled({"diameter_mm": 0.4, "elongation": elongation}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "dystrophic"),
            ({"cluster_n": 6}, "dystrophic"),
            ({"cluster_n": 6, "diameter_mm": 1.29}, "unclassified"),
            ({"diameter_mm": 0.86}, "dystrophic"),
            ({"diameter_mm": 0.84}, "unclassified"),
            ({"diameter_mm": 0.86, "thickness_mm": 0.69}, "unclassified"),
            ({"length_mm": 2.1, "width_mm": 1.9}, "coarse"),
            ({"circularity": 0.95}, "round"),
        ],
    )
    def test_an_irregular_one_of_more_than_a_millimetre_alone(self, labelled, sized, change, label):
        assert labelled({**sized(1.7, 1.3, circularity=0.85, irregularity=1.0), **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [({}, "dystrophic"), ({"width_mm": 0.89}, "unclassified"), ({"elongation": 4.1}, "unclassified")],
    )
    def test_a_plaque_broader_than_casts(self, labelled, sized, change, label):
        plaque = sized(3.3, 1.0, circularity=0.6, roughness=0.065, core_lucency=-0.2, cluster_n=6)
        assert labelled({**plaque, **change}).label[0] == label

    @pytest.mark.parametrize(("edge_share", "label"), [(0.355, "amorphous"), (0.345, "punctate")])
    def test_amorphous_is_hazy(self, labelled, edge_share, label):
        assert labelled({**HAZY, "cluster_edge_share": edge_share}).label[0] == label

    @pytest.mark.parametrize(
        ("length_mm", "is_amorphous"), [(0.46, False), (0.47, True), (0.71, True), (0.73, False)]
    )
    def test_hazy_ones_are_neither_the_smallest_nor_large(self, labelled, length_mm, is_amorphous):
        hazy = {**HAZY, "cluster_edge_share": 0.4, "cluster_length_mm": length_mm}
        assert (labelled(hazy).label[0] == "amorphous") is is_amorphous

    @pytest.mark.parametrize(("edge_width_mm", "label"), [(0.106, "amorphous"), (0.104, "punctate")])
    def test_a_sharp_one_of_a_hazy_group_shows_its_shape(self, labelled, edge_width_mm, label):
        hazy = {**HAZY, "cluster_edge_share": 0.4, "diameter_mm": 0.35}
        assert labelled({**hazy, "edge_width_mm": edge_width_mm}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label", "suspicion"),
        [
            ({}, "fine_pleomorphic", "suspicious"),
            ({"irregularity": 0.79}, "punctate", "suspicious"),
            ({"irregularity": 0.0, "elongation": 1.36}, "fine_pleomorphic", "suspicious"),
            ({"cluster_irregularity": 0.34}, "punctate", "suspicious"),
            ({"cluster_irregularity": 0.34, "elongation": 1.8, "cnr": 4.0}, "punctate", "suspicious"),
            ({"cluster_irregularity": 0.05}, "punctate", "indeterminate"),
            ({"cluster_irregularity": 0.05, "irregularity": 0.0}, "punctate", "indeterminate"),
            ({"cluster_distribution": "diffuse"}, "punctate", "typically_benign"),
            ({"irregularity": 0.0, "cluster_n": 4}, "punctate", "indeterminate"),
        ],
    )
    def test_a_member_has_its_own_form_and_the_suspicion_of_its_group(
        self, labelled, change, label, suspicion
    ):
        small = {
            **GROUP,
            "cluster_diameter_mm": 0.35,
            "cluster_elongation": 1.0,
            "cluster_irregularity": 0.36,
        }
        found = labelled({**small, "irregularity": 0.81, **change})
        assert (found.label[0], found.suspicion[0]) == (label, suspicion)

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "round"),
            ({"irregularity": 0.16}, "coarse_heterogeneous"),
            ({"elongation": 1.26}, "coarse_heterogeneous"),
            ({"edge_width_mm": 0.29}, "coarse_heterogeneous"),
        ],
    )
    def test_a_plainly_round_one_keeps_its_label_in_an_irregular_group(self, labelled, change, label):
        group = {**VARIED, "cluster_diameter_mm": 0.8, "cluster_circularity": 0.9}
        plain = {"diameter_mm": 0.8, "irregularity": 0.1, "elongation": 1.05, "edge_width_mm": 0.2}
        found = labelled({**group, **plain, **change})
        assert found.label[0] == label
        assert found.suspicion[0] != "typically_benign"

    @pytest.mark.parametrize(("irregularity", "label"), [(0.14, "round"), (0.16, "unclassified")])
    def test_a_faint_ball_alone_may_be_measured_as_less_round(self, labelled, irregularity, label):
        assert (
            labelled({"diameter_mm": 0.6, "circularity": 0.9, "irregularity": irregularity}).label[0] == label
        )

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "punctate"),
            ({"diameter_mm": 0.66}, "round"),
            ({"cluster_n": 4}, "round"),
            ({"cluster_irregularity": 0.34}, "punctate"),
            ({"cluster_irregularity": 0.36}, "round"),
            ({"elongation": 1.4, "diameter_mm": 0.6}, "round"),
        ],
    )
    def test_one_of_a_punctate_group_may_be_measured_too_large(self, labelled, change, label):
        group = {**GROUP, "cluster_diameter_mm": 0.35, "cluster_irregularity": -0.1}
        plain = {"diameter_mm": 0.6, "circularity": 0.95, "elongation": 1.1}
        found = labelled({**group, **plain, "cluster_distribution": "regional", **change}).label[0]
        assert found == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [({}, "punctate"), ({"cnr": 5.1}, "unclassified"), ({"diameter_mm": 0.81}, "unclassified")],
    )
    def test_a_faint_one_of_a_punctate_group_has_no_shape_of_its_own(self, labelled, change, label):
        group = {**GROUP, "cluster_diameter_mm": 0.35, "cluster_irregularity": -0.1}
        faint = {"diameter_mm": 0.7, "cnr": 4.0, "circularity": 0.8, "elongation": 1.6}
        assert labelled({**group, **faint, **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "is_vessel"),
        [
            ({}, True),
            ({"vessel_points": 0.39}, False),
            ({"chain_strand_mm": 1.59}, False),
            ({"chain_misalignment_deg": 42.1}, False),
            ({"chain_length_mm": 6.9}, False),
            ({"chain_length_mm": 6.9, "paired_length_mm": 3.1}, True),
            ({"chain_length_mm": 6.9, "paired_length_mm": 2.9}, False),
        ],
    )
    def test_points_of_all_features_of_a_track(self, labelled, sized, change, is_vessel):
        chain = {
            **VESSEL,
            "vessel_points": 0.41,
            "chain_length_mm": 7.1,
            "chain_misalignment_deg": 41.9,
            **change,
        }
        assert (labelled(sized(2.0, 0.3, **chain, **CAST)).label[0] == "vascular") is is_vessel

    @pytest.mark.parametrize(
        ("change", "is_vessel"),
        [
            ({}, True),
            ({"paired_length_mm": 9.9}, False),
            ({"chain_nipple_angle_deg": 24.9}, False),
            ({"chain_nipple_angle_deg": math.nan}, False),
            ({"chain_curvature_per_mm": 0.221}, False),
            ({"chain_misalignment_deg": 42.1}, False),
            ({"chain_n": 1}, False),
        ],
    )
    def test_two_walls_side_by_side_far_need_no_points(self, labelled, sized, change, is_vessel):
        walls = {
            **VESSEL,
            "paired_length_mm": 10.1,
            "chain_length_mm": 12.0,
            "chain_nipple_angle_deg": 25.1,
            "chain_curvature_per_mm": 0.219,
            "chain_misalignment_deg": 41.9,
            "vessel_points": -5.0,
            **change,
        }
        assert (labelled(sized(1.2, 0.3, **walls, **CAST)).label[0] == "vascular") is is_vessel

    @pytest.mark.parametrize(
        ("rule", "chain"),
        [
            ("vessel_points_sure", "vessel_points"),
            *[
                (name, name)
                for name in ("vessel_length_mm", "vessel_paired_mm", "vessel_turn_deg", "vessel_strand_mm")
            ],
            *[(f"vessel_walls_{name}",) * 2 for name in ("mm", "aside_deg", "bend_per_mm")],
            *[(f"vessel_tube_{name}", f"tube_{name}") for name in ("mm", "sure_mm", "aside_deg")],
        ],
    )
    def test_rules_and_chains_ask_for_the_same(self, rule, chain):
        assert load_lexicon().thresholds[rule].value == getattr(ArrangeParameters(), chain)

    @pytest.mark.parametrize(
        ("covered_mm", "nipple_angle_deg", "is_vessel"),
        [
            (6.6, 31.0, True),
            (6.4, 31.0, False),
            (6.6, 29.0, False),
            (9.1, 29.0, True),
            (8.9, 29.0, False),
            (9.1, np.nan, True),
            (8.9, np.nan, False),
        ],
    )
    def test_a_lump_on_a_granular_band(self, labelled, sized, covered_mm, nipple_angle_deg, is_vessel):
        band = {"chain_n": 4, "tube_covered_mm": covered_mm, "chain_nipple_angle_deg": nipple_angle_deg}
        found = labelled(sized(1.9, 1.3, **band, solidity=0.7, roughness=0.2))
        assert (found.label[0] == "vascular") is is_vessel
        assert (found.rule[0] == "vascular_all_around") is is_vessel

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "fine_linear"),
            ({"cluster_elongation": 2.9}, "unclassified"),
            ({"width_mm": 0.71}, "unclassified"),
            ({"elongation": 1.2, "circularity": 0.9}, "fine_linear"),
            ({"elongation": 1.2, "circularity": 0.95}, "round"),
        ],
    )
    def test_pieces_among_linear_ones(self, labelled, sized, change, label):
        group = {"cluster_id": 1, "cluster_n": 6, "cluster_elongation": 3.1, "circularity": 0.85}
        assert labelled({**sized(0.9, 0.55, **group), **change}).label[0] == label

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "punctate"),
            ({"diameter_mm": 0.41}, "coarse_heterogeneous"),
            ({"cluster_diameter_mm": 0.55}, "coarse_heterogeneous"),
            ({"elongation": 1.6}, "coarse_heterogeneous"),
        ],
    )
    def test_a_speck_among_larger_ones(self, labelled, change, label):
        group = {**VARIED, "cluster_diameter_mm": 0.8, "cluster_circularity": 0.9}
        assert labelled({**group, "diameter_mm": 0.38, **change}).label[0] == label

    def test_group_descriptors_need_a_group(self, labelled, sized):
        irregular = {"solidity": 0.8, "cluster_size_spread": 0.4, "cluster_shape_spread": 0.8}
        alone = labelled(
            sized(0.9, 0.7, **irregular),
            sized(0.5, 0.25, **irregular),
            {"diameter_mm": 0.3, "edge_width_mm": 0.4},
        )
        assert not {"amorphous", "coarse_heterogeneous", "fine_pleomorphic"} & set(alone.label.tolist())

    @pytest.mark.parametrize(("irregularity", "label"), [(0.36, "fine_pleomorphic"), (0.34, "unclassified")])
    def test_pleomorphic_means_irregular_outlines(self, labelled, sized, irregularity, label):
        even = {"cluster_diameter_mm": 0.4, "cluster_irregularity": irregularity}
        change = sized(0.6, 0.25, solidity=0.8, **{**VARIED, **even})
        assert labelled(change).label[0] == label

    @pytest.mark.parametrize(("width_mm", "label"), [(1.45, "large_rod_like"), (1.55, "coarse")])
    def test_a_broad_rod_is_long(self, labelled, sized, width_mm, label):
        rod = sized(5.5, width_mm, nipple_angle_deg=5.0, circularity=0.7, core_lucency=-0.2, **ROD)
        assert labelled(rod).label[0] == label
        long = sized(6.5, width_mm, nipple_angle_deg=5.0, circularity=0.7, core_lucency=-0.2, **ROD)
        assert labelled(long).label[0] == "large_rod_like"

    @pytest.mark.parametrize(
        ("distribution", "elongation", "label"),
        [
            ("grouped", 1.0, "punctate"),
            ("grouped", 1.4, "fine_pleomorphic"),
            ("regional", 1.0, "punctate"),
            ("regional", 1.4, "fine_pleomorphic"),
            ("diffuse", 1.4, "punctate"),
        ],
    )
    def test_nothing_spread_over_the_whole_breast_is_pleomorphic(
        self, labelled, sized, distribution, elongation, label
    ):
        company = {**VARIED, "cluster_diameter_mm": 0.4, "cluster_circularity": 0.9}
        change = sized(0.3 * elongation, 0.3, **{**company, "cluster_distribution": distribution})
        assert labelled(change).label[0] == label

    @pytest.mark.parametrize(
        "vary",
        [
            {"cluster_circularity": 0.96},
            {"cluster_shape_spread": 0.26},
            {"cluster_size_spread": 0.31},
            {"cluster_irregularity": 0.07},
        ],
    )
    def test_coarse_heterogeneous_ones_vary_in_shape_or_size(self, labelled, sized, vary):
        even = {
            **GROUP,
            "cluster_elongation": 1.1,
            "cluster_diameter_mm": 0.7,
            "cluster_edge_share": 0.3,
            "cluster_circularity": 0.98,
            "cluster_shape_spread": 0.1,
            "cluster_size_spread": 0.1,
            "cluster_irregularity": -0.1,
            "irregularity": 0.3,
        }
        found = labelled(sized(0.72, 0.7, **even), sized(0.72, 0.7, **{**even, **vary}))
        assert found.label.tolist() == ["round", "coarse_heterogeneous"]


class TestNeverABenignRodByMistake:
    """What is fine, uneven or branched must not be called a rod: that would hide the most suspicious form."""

    @pytest.mark.parametrize("width_mm", np.arange(0.15, 0.5, 0.05).tolist())
    @pytest.mark.parametrize("company", [{}, {"rods_in_image": 9.0, "nipple_angle_deg": 1.0}])
    def test_below_half_a_millimetre_of_calibre(self, labelled, sized, width_mm, company):
        assert labelled(sized(3.0, width_mm, **ROD, **company)).label[0] == "fine_linear"

    @pytest.mark.parametrize(
        ("change", "label"),
        [
            ({}, "large_rod_like"),
            ({"width_mm": 0.39}, "fine_linear"),
            ({"roughness": 0.026}, "fine_linear"),
            ({"width_variation": 0.16}, "fine_linear"),
            ({"width_max_mm": 0.6}, "fine_linear"),
            ({"straightness": 0.985}, "fine_linear"),
            ({"branches": 1.0}, "fine_linear_branching"),
        ],
    )
    def test_a_slim_rod_is_perfect_and_stays_open(self, labelled, sized, change, label):
        perfect = {"width_variation": 0.1, "roughness": 0.02, "straightness": 0.995}
        found = labelled({**sized(2.0, 0.45, **perfect), **change})
        assert found.label[0] == label
        assert found.suspicion[0] != "typically_benign"

    @pytest.mark.parametrize(
        ("length_mm", "roughness", "label"),
        [(2.7, 0.05, "fine_linear"), (2.9, 0.05, "large_rod_like"), (2.7, 0.025, "large_rod_like")],
    )
    def test_short_rough_and_near_half_a_millimetre(self, labelled, sized, length_mm, roughness, label):
        form = {**ROD, "roughness": roughness, "nipple_angle_deg": 10.0}
        assert labelled(sized(length_mm, 0.53, **form)).label[0] == label

    @pytest.mark.parametrize(
        ("change", "is_rod"),
        [
            ({}, True),
            ({"length_mm": 4.4}, False),
            ({"width_mm": 0.59}, False),
            ({"elongation": 4.9}, False),
            ({"roughness": 0.051}, False),
            ({"straightness": 0.92}, False),
            ({"branches": 1.0}, False),
            ({"nipple_angle_deg": 31.0}, False),
            ({"nipple_angle_deg": 31.0, "rods_in_image": 2.0}, True),
        ],
    )
    def test_a_blurred_one_is_long(self, labelled, sized, change, is_rod):
        blurred = {"roughness": 0.049, "edge_width_mm": 0.4, "straightness": 0.94, "solidity": 0.7}
        rod = sized(4.6, 0.61, width_variation=0.3, nipple_angle_deg=29.0, **blurred)
        assert (labelled({**rod, **change}).rule[0] == "rod_long") is is_rod

    @pytest.mark.parametrize(
        ("roughness", "edge_width_mm", "is_rod"),
        [
            (0.027, 0.4, True),
            (0.029, 0.4, False),
            (0.029, 0.27, True),
            (0.05, 0.27, True),
            (0.05, 0.28, False),
        ],
    )
    def test_neither_smooth_nor_sharp(self, labelled, sized, roughness, edge_width_mm, is_rod):
        form = {**ROD, "roughness": roughness, "edge_width_mm": edge_width_mm, "nipple_angle_deg": 5.0}
        found = labelled(sized(4.0, 0.6, **form))
        assert (found.label[0] == "large_rod_like") is is_rod
        assert is_rod or found.suspicion[0] != "typically_benign"

    @pytest.mark.parametrize("width_mm", [0.5, 0.55, 0.6, 0.65])
    def test_uneven_and_near_half_a_millimetre(self, labelled, sized, width_mm):
        found = labelled(sized(3.0, width_mm, rods_in_image=9.0, nipple_angle_deg=1.0, **CAST))
        assert found.label[0] != "large_rod_like"
        assert found.suspicion[0] != "typically_benign"

    @pytest.mark.parametrize("width_mm", [0.3, 0.5, 0.59])
    def test_branched_and_not_clearly_thick(self, labelled, sized, width_mm):
        found = labelled(sized(4.0, width_mm, branches=1.0, rods_in_image=9.0, nipple_angle_deg=1.0, **CAST))
        assert found.label[0] != "large_rod_like"

    def test_alone_and_aimed_elsewhere_near_half_a_millimetre_stays_open(self, labelled, sized):
        found = labelled(sized(3.0, 0.55, nipple_angle_deg=80.0, **ROD))
        assert found.label[0] == "unclassified"
        assert found.suspicion[0] == "indeterminate"

    def test_a_branched_rod_that_is_thick_and_in_company_is_a_rod(self, labelled, sized):
        found = labelled(sized(6.0, 0.8, branches=1.0, rods_in_image=3.0, **{**ROD, "solidity": 0.6}))
        assert found.label[0] == "large_rod_like"

    @pytest.mark.parametrize(
        ("change", "is_rod"),
        [
            ({"straightness": 0.91, "roughness": 0.079}, True),
            ({"straightness": 0.89}, False),
            ({"roughness": 0.081}, False),
        ],
    )
    def test_a_branched_rod_is_straight_and_smooth(self, labelled, sized, change, is_rod):
        branched = {**ROD, "solidity": 0.6, "branches": 1.0, "rods_in_image": 3.0, **change}
        assert (labelled(sized(6.0, 0.8, **branched)).label[0] == "large_rod_like") is is_rod

    @pytest.mark.parametrize(("length_mm", "is_rod"), [(2.71, True), (2.69, False)])
    def test_a_rod_is_three_times_as_long_as_thick(self, labelled, sized, length_mm, is_rod):
        found = labelled(sized(length_mm, 0.9, nipple_angle_deg=10.0, **ROD))
        assert (found.label[0] == "large_rod_like") is is_rod


class TestPunctateDependsOnItsCompany:
    @pytest.mark.parametrize(
        ("distribution", "suspicion"),
        [
            ("", "typically_benign"),
            ("diffuse", "typically_benign"),
            ("grouped", "indeterminate"),
            ("linear", "suspicious"),
            ("segmental", "suspicious"),
        ],
    )
    def test_suspicion(self, labelled, distribution, suspicion):
        company = {**GROUP, "cluster_distribution": distribution} if distribution else {}
        found = labelled(company)
        assert (found.label[0], found.suspicion[0]) == ("punctate", suspicion)


class TestMargin:
    def test_is_the_distance_in_soft_edges(self, labelled, lexicon):
        soft = lexicon.thresholds["round_diameter_mm"].soft
        found = labelled({"diameter_mm": 0.5 + 0.4 * soft})
        assert found.margin[0] == pytest.approx(0.4)
        assert found.runner_up[0] == "punctate"

    def test_counts_rules_that_failed_before(self, labelled, sized, lexicon):
        soft = lexicon.thresholds["rod_calibre_mm"].soft
        found = labelled(sized(4.0, 0.5 - 0.2 * soft, nipple_angle_deg=1.0, **ROD))
        assert (found.label[0], found.runner_up[0]) == ("fine_linear", "large_rod_like")
        assert found.margin[0] == pytest.approx(0.2)

    def test_is_zero_on_the_threshold(self, labelled):
        found = labelled({"diameter_mm": 0.5})
        assert (found.label[0], found.margin[0]) == ("round", 0.0)

    def test_grows_away_from_the_threshold(self, labelled):
        margins = labelled(*({"diameter_mm": d} for d in (0.48, 0.45, 0.40))).margin
        assert np.all(np.diff(margins) > 0)

    def test_is_capped_and_finite(self, labelled, examples):
        margins = labelled(*examples.values()).margin
        assert np.all(np.isfinite(margins))
        assert np.all((margins >= 0) & (margins <= 10))

    def test_flipping_the_nearest_threshold_gives_the_runner_up(self, labelled, sized):
        change = sized(4.0, 0.55, nipple_angle_deg=29.0, **ROD)
        before = labelled(change)
        assert before.label[0] == "large_rod_like"
        after = labelled({**change, "nipple_angle_deg": 31.0})
        assert after.label[0] == before.runner_up[0] == "unclassified"


def test_what_could_not_be_measured_meets_no_condition(labelled, sized):
    blind = sized(4.0, 0.55, **{**ROD, "nipple_angle_deg": math.nan})
    assert labelled(blind).label[0] == "unclassified"
    assert labelled({**blind, "rods_in_image": 3.0}).label[0] == "large_rod_like"


def test_no_calcification_at_all(labelled):
    found = labelled()
    assert len(found) == 0
    assert found.cluster_morphology.shape == (0,)


class TestClusters:
    @pytest.mark.parametrize(("linear", "morphology"), [(1, "punctate"), (3, "fine_linear")])
    def test_one_fine_linear_member_in_eight_matters(self, labelled, sized, linear, morphology):
        member = {"cluster_id": 1, "cluster_n": 8, "cluster_distribution": "grouped"}
        casts = [sized(2.0, 0.3, **CAST, **member)] * linear
        found = labelled(*[member] * (8 - linear), *casts, clusters=[{"distribution": "grouped"}])
        assert found.cluster_morphology.tolist() == [morphology]
        assert found.cluster_suspicion.tolist() == ["suspicious"]

    @pytest.mark.parametrize(
        ("distribution", "suspicion"),
        [("diffuse", "typically_benign"), ("grouped", "indeterminate"), ("linear", "suspicious")],
    )
    def test_punctate_ones(self, labelled, distribution, suspicion):
        member = {"cluster_id": 1, "cluster_n": 8, "cluster_distribution": distribution}
        found = labelled(*[member] * 8, clusters=[{"distribution": distribution}])
        assert found.cluster_morphology.tolist() == ["punctate"]
        assert found.cluster_suspicion.tolist() == [suspicion]

    def test_a_group_has_a_label_of_its_own(self, labelled):
        plain = {
            "cluster_n": 6,
            "cluster_irregularity": 0.07,
            "cluster_elongation": 1.0,
            "cluster_diameter_mm": 0.35,
        }
        specks = [{**GROUP, **plain, "irregularity": own} for own in (0.4, 0.3, 0.2, 0.1, 0.04, 0.03)]
        group = {"mean_irregularity": 0.07, "median_elongation": 1.0}
        found = labelled(*specks, clusters=[group])
        assert found.label.tolist() == ["punctate"] * 6
        assert found.cluster_morphology.tolist() == ["fine_pleomorphic"]
        assert set(found.suspicion.tolist()) | set(found.cluster_suspicion.tolist()) == {"suspicious"}
        even = labelled(*specks, clusters=[{**group, "mean_irregularity": 0.05}])
        assert even.cluster_morphology.tolist() == ["punctate"]

    @pytest.mark.parametrize(
        "label",
        [
            "amorphous",
            "coarse_heterogeneous",
            "fine_pleomorphic",
            "fine_linear",
            "fine_linear_branching",
            "round",
            "skin",
            "milk_of_calcium",
            "dystrophic",
            "coarse",
            "large_rod_like",
            "rim",
            "vascular",
        ],
    )
    def test_like_members_name_their_group(self, labelled, examples, label):
        member = {**examples[label], "cluster_id": 1, "cluster_n": 8}
        other = {"cluster_id": 2, "cluster_n": 5, "cluster_distribution": "grouped"}
        found = labelled(*[other] * 5, *[member] * 8, clusters=[{}, {}])
        assert found.cluster_morphology.tolist() == [label, "punctate"]

    @pytest.mark.parametrize("label", ["skin", "rim", "large_rod_like", "dystrophic", "coarse", "vascular"])
    def test_benign_members_are_not_suspicious_together_for_varying_in_size(self, labelled, examples, label):
        member = {**examples[label], "cluster_id": 1, "cluster_n": 6}
        varied = {
            "median_diameter_mm": 0.8,
            "size_spread": 1.0,
            "shape_spread": 1.0,
            "mean_irregularity": 0.5,
        }
        found = labelled(*[member] * 6, clusters=[varied])
        assert found.cluster_morphology.tolist() == [label]
        assert found.cluster_suspicion.tolist() == ["typically_benign"]

    def test_members_are_told_apart_by_cluster(self, labelled, sized):
        first = {"cluster_id": 1, "cluster_n": 5}
        second = sized(0.72, 0.7, cluster_id=2, cluster_n=5)
        found = labelled(*[second] * 5, *[first] * 5, clusters=[{}, {}])
        assert found.cluster_morphology.tolist() == ["punctate", "round"]
