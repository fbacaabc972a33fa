"""Clusters and their distribution, on positions whose arrangement is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mammocalc.arrange import ArrangeParameters, arrange
from mammocalc.arrange.casts import casts_of, of_one_duct
from mammocalc.arrange.clusters import _interquartile_range, mean_irregularity
from mammocalc.arrange.distribution import evenness
from mammocalc.arrange.features import FEATURES
from mammocalc.arrange.pieces import middle
from mammocalc.errors import InvalidParameter


def turned(points, angle_deg):
    a = math.radians(angle_deg)
    return points @ np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])


def put(candidates, points, **features):
    return [candidates.speck(y, x, **features) for y, x in points]


def distribution(found, rows):
    names = set(found.columns["cluster_distribution"][rows].tolist())
    assert len(names) == 1
    return names.pop()


class TestDistribution:
    @pytest.mark.parametrize("angle_deg", [0, 30, 90, 135])
    def test_grouped(self, candidates, make_scene, angle_deg):
        rng = np.random.default_rng(angle_deg)
        rows = put(candidates, np.array([75, 50]) + turned(rng.uniform(-4, 4, (12, 2)), angle_deg))
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == "grouped"

    @pytest.mark.parametrize("angle_deg", [0, 30, 90, 135])
    def test_linear(self, candidates, make_scene, angle_deg):
        rng = np.random.default_rng(angle_deg)
        line = np.stack([rng.normal(0, 0.4, 9), np.linspace(-10, 10, 9)], axis=1)
        rows = put(candidates, np.array([75, 50]) + turned(line, angle_deg))
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == "linear"

    @pytest.mark.parametrize("chest_wall", ["left", "right"])
    @pytest.mark.parametrize("bearing_deg", [-40, 0, 35])
    def test_segmental(self, candidates, make_scene, chest_wall, bearing_deg):
        rng = np.random.default_rng(5)
        away = np.sqrt(rng.uniform(15**2, 45**2, 30))
        bearing = np.radians(bearing_deg + rng.uniform(-11, 11, 30))
        towards_chest = -1 if chest_wall == "left" else 1
        nipple = np.array([75.0, 99.0 if chest_wall == "left" else 1.0])
        points = nipple + away[:, None] * np.stack([np.sin(bearing), towards_chest * np.cos(bearing)], axis=1)
        rows = put(candidates, points)
        assert (
            distribution(arrange(make_scene(chest_wall=chest_wall), candidates.measurements()), rows)
            == "segmental"
        )

    @pytest.mark.parametrize("angle_deg", [0, 50])
    def test_regional(self, candidates, make_scene, angle_deg):
        rng = np.random.default_rng(7)
        away, around = np.sqrt(rng.random(30)), rng.uniform(0, 2 * np.pi, 30)
        points = np.stack([17 * away * np.sin(around), 15 * away * np.cos(around)], axis=1)
        rows = put(candidates, np.array([75, 45]) + turned(points, angle_deg))
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == "regional"

    @pytest.mark.parametrize(
        ("apart_mm", "length_mm", "turn_deg", "name"),
        [
            (0.6, 30.0, 0.0, "segmental"),
            (0.6, 21.0, 0.0, "linear"),
            (0.6, 30.0, 40.0, "linear"),
            (3.0, 30.0, 0.0, "segmental"),
            (3.0, 30.0, 40.0, "regional"),
        ],
    )
    def test_a_narrow_one_is_linear_unless_it_leads_far_towards_the_nipple(
        self, candidates, make_scene, apart_mm, length_mm, turn_deg, name
    ):
        rng = np.random.default_rng(6)
        row = [
            (side * apart_mm + rng.normal(0, 0.2), x)
            for x in np.linspace(-length_mm / 2, length_mm / 2, 14)
            for side in (-0.5, 0.5)
        ]
        rows = put(candidates, np.array([75, 55]) + turned(np.array(row), turn_deg))
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == name

    def test_diffuse(self, candidates, make_scene):
        rng = np.random.default_rng(8)
        rows = put(candidates, rng.uniform((5, 5), (145, 95), (40, 2)))
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["distribution"].tolist().count("diffuse") == 1
        assert (found.columns["cluster_distribution"][rows] == "diffuse").mean() > 0.8

    def test_a_tight_group_stands_out_of_a_diffuse_scatter(self, candidates, make_scene):
        rng = np.random.default_rng(9)
        put(candidates, rng.uniform((5, 5), (145, 95), (40, 2)))
        group = put(candidates, np.array([100, 40]) + rng.uniform(-2, 2, (10, 2)))
        found = arrange(make_scene(), candidates.measurements())
        assert distribution(found, group) == "grouped"
        assert "diffuse" in found.clusters["distribution"].tolist()

    @pytest.mark.parametrize("strays", [0, 3])
    def test_a_region_with_strays_far_out_is_not_diffuse(self, candidates, make_scene, strays):
        rng = np.random.default_rng(2)
        rows = put(candidates, np.array([100, 40]) + rng.uniform(-18, 18, (30, 2)))
        put(candidates, [(8, 10), (10, 90), (140, 92)][:strays])
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == "regional"

    def test_groups_all_over_are_not_diffuse(self, candidates, make_scene):
        rng = np.random.default_rng(3)
        groups = [
            put(candidates, np.array(middle) + rng.uniform(-4, 4, (8, 2)))
            for middle in ((20, 20), (25, 80), (75, 50), (130, 15), (125, 85))
        ]
        found = arrange(make_scene(), candidates.measurements())
        assert [distribution(found, rows) for rows in groups] == ["grouped"] * 5

    @pytest.mark.parametrize(
        ("length_mm", "half_deg", "turn_deg", "name"),
        [
            (18.5, 9.0, 0.0, "segmental"),
            (18.5, 9.0, 40.0, "grouped"),
            (14.0, 9.0, 0.0, "grouped"),
            (26.0, 20.0, 0.0, "regional"),
        ],
    )
    def test_a_segment_is_a_long_narrow_wedge_at_the_nipple(
        self, candidates, make_scene, length_mm, half_deg, turn_deg, name
    ):
        rng = np.random.default_rng(4)
        away = np.sqrt(rng.uniform(25**2, (25 + length_mm) ** 2, 24))
        away = 25 + length_mm * (away - away.min()) / np.ptp(away)
        bearing = np.radians(rng.uniform(-half_deg, half_deg, 24))
        points = np.array([75, 99]) + away[:, None] * np.stack([np.sin(bearing), -np.cos(bearing)], axis=1)
        middle = points.mean(axis=0)
        rows = put(candidates, middle + turned(points - middle, turn_deg))
        assert distribution(arrange(make_scene(), candidates.measurements()), rows) == name

    def test_no_segment_without_a_nipple(self, candidates, make_scene):
        rng = np.random.default_rng(5)
        away = np.sqrt(rng.uniform(15**2, 45**2, 30))
        bearing = np.radians(rng.uniform(-11, 11, 30))
        rows = put(
            candidates,
            np.array([75, 99]) + away[:, None] * np.stack([np.sin(bearing), -np.cos(bearing)], axis=1),
        )
        assert distribution(arrange(make_scene(nipple=False), candidates.measurements()), rows) == "regional"

    @pytest.mark.parametrize(
        ("turn_deg", "step_mm", "nipple", "name"),
        [
            (0, 3.0, True, "segmental"),
            (90, 3.3, True, "regional"),
            (0, 2.0, True, "segmental"),
            (0, 1.3, True, "grouped"),
            (0, 3.0, False, "regional"),
        ],
    )
    def test_casts_of_several_ducts_fill_a_segment(
        self, candidates, make_scene, turn_deg, step_mm, nipple, name
    ):
        towards = np.array([75, 99])
        # As broad as long, which no wedge of specks would be.
        places = [(75 + step_mm * (y - 2.5), 55 + step_mm * (x - 2.5)) for y in range(6) for x in range(6)]
        rows = []
        for place in places:
            along = towards - place
            angle = math.degrees(math.atan2(-along[0], along[1])) + turn_deg
            rows.append(candidates.strand(*place, angle, 1.0, 0.2))
        found = arrange(make_scene(nipple=nipple), candidates.measurements())
        assert distribution(found, rows) == name


class TestEvenness:
    @pytest.mark.parametrize("count", [15, 40, 200])
    def test_is_one_at_random(self, count):
        rng = np.random.default_rng(0)
        values = [evenness(rng.uniform(0, 80, (count, 2))) for _ in range(40)]
        # A small sample's hull is smaller than the field: its members look more even than they are.
        assert np.mean(values) == pytest.approx(1.0 + 5.0 / count, abs=0.06)

    def test_is_high_on_a_grid(self):
        y, x = np.mgrid[:6, :6]
        assert evenness(10.0 * np.stack([y.ravel(), x.ravel()], axis=1)) > 1.5

    def test_is_low_in_clumps(self):
        rng = np.random.default_rng(1)
        middles = rng.uniform(0, 80, (6, 2))
        assert evenness((middles[:, None, :] + rng.normal(0, 1, (6, 6, 2))).reshape(-1, 2)) < 0.4


class TestMembership:
    def group(self, candidates, count, at=(75, 50), **features):
        return put(candidates, np.array(at) + np.random.default_rng(1).uniform(-3, 3, (count, 2)), **features)

    @pytest.mark.parametrize(("count", "clusters"), [(5, 1), (4, 0)])
    def test_a_group_has_five(self, candidates, make_scene, count, clusters):
        self.group(candidates, count)
        found = arrange(make_scene(), candidates.measurements())
        assert len(found.clusters["cluster_id"]) == clusters

    @pytest.mark.parametrize(("count", "distribution"), [(3, ["linear"]), (2, [])])
    def test_a_line_has_three(self, candidates, make_scene, count, distribution):
        put(candidates, [(70, 40 + 5.0 * k) for k in range(count)])
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["distribution"].tolist() == distribution

    def test_casts_in_a_scatter_are_a_line_of_their_own(self, candidates, make_scene):
        rng = np.random.default_rng(4)
        specks = put(candidates, np.array([75, 50]) + rng.uniform(-9, 9, (30, 2)))
        casts = [
            candidates.strand(75 + rng.normal(0, 0.2), x, rng.normal(0, 8), 1.6) for x in range(40, 61, 2)
        ]
        found = arrange(make_scene(), candidates.measurements())
        line = set(found.columns["cluster_id"][casts])
        assert len(line) == 1
        assert set(found.columns["cluster_distribution"][casts]) == {"linear"}
        assert np.isin(found.columns["cluster_id"][specks], list(line)).mean() < 0.2

    def casts_in_line(self, candidates):
        return [candidates.strand(75 + 0.2 * (k % 2), 40 + 3 * k, 4 * k - 8, 1.6) for k in range(5)]

    def test_casts_of_a_duct_are_a_line_whatever_lies_beside(self, candidates, make_scene):
        casts = self.casts_in_line(candidates)
        candidates.strand(81, 47, 70, 1.6)
        put(candidates, [(77, 43), (72.8, 49)])
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_distribution"][casts]) == {"linear"}

    @pytest.mark.parametrize(
        ("turn_deg", "aside_mm", "step_mm", "on_line"),
        [(0, 0.0, 3.0, 5), (90, 0.0, 3.0, 0), (0, 4.0, 3.0, 0), (0, 0.0, 11.0, 0), (20, 0.3, 6.0, 5)],
    )
    def test_casts_of_a_duct_lie_along_one_line(self, turn_deg, aside_mm, step_mm, on_line):
        points = np.array([(75.0 + aside_mm * (k % 3), 20.0 + step_mm * k) for k in range(5)])
        form = {
            "elongation": np.full(5, 5.0),
            "length_mm": np.full(5, 1.6),
            "width_mm": np.full(5, 0.3),
            "orientation_deg": np.full(5, float(turn_deg)),
        }
        casts = casts_of(form, ArrangeParameters())
        found = of_one_duct(points, casts, np.arange(5), ArrangeParameters())
        assert found.tolist() == list(range(on_line))

    def test_a_speck_in_line_joins_its_casts(self, candidates, make_scene):
        casts = [candidates.strand(75, x, 0, 1.6) for x in (40.0, 42.4, 47.2, 49.6)]
        between = candidates.speck(75.2, 44.8)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][[*casts, between]]) == {1}

    @pytest.mark.parametrize(("tilt_deg", "clusters"), [(0.0, 1), (60.0, 2)])
    def test_level_sediment_is_no_cast(self, candidates, make_scene, tilt_deg, clusters):
        rng = np.random.default_rng(3)
        for k, (y, x) in enumerate(np.array([75, 50]) + rng.uniform(-4, 4, (16, 2))):
            if k % 2:
                candidates.speck(y, x)
            else:
                candidates.strand(y, x, tilt_deg + rng.normal(0, 4), 1.0, 0.35)
        found = arrange(make_scene(), candidates.measurements())
        assert len(found.clusters["cluster_id"]) == clusters

    def test_large_and_small_among_each_other_are_two_groups(self, candidates, make_scene):
        rng = np.random.default_rng(5)
        small = put(candidates, np.array([75, 50]) + rng.uniform(-4, 4, (12, 2)), diameter_mm=0.2)
        large = put(candidates, np.array([75, 50]) + rng.uniform(-4, 4, (12, 2)), diameter_mm=1.3)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][small]) == {1}
        assert set(found.columns["cluster_id"][large]) == {2}

    def test_groups_apart_are_two(self, candidates, make_scene):
        first, second = self.group(candidates, 7), self.group(candidates, 8, at=(75, 75))
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][first]) == {1}
        assert set(found.columns["cluster_id"][second]) == {2}
        assert found.clusters["n_calcifications"].tolist() == [7, 8]

    def test_a_tight_group_does_not_catch_what_lies_near_by(self, candidates, make_scene):
        group = self.group(candidates, 12)
        stray = candidates.speck(75, 61)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][group]) == {1}
        assert found.columns["cluster_id"][stray] == 0

    def test_unsure_ones_join_but_do_not_link(self, candidates, make_scene):
        first, second = self.group(candidates, 7), self.group(candidates, 8, at=(75, 75))
        between = put(candidates, [(75, x) for x in (57, 62, 67)], score=0.4)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][first]) == {1}
        assert set(found.columns["cluster_id"][second]) == {2}
        assert set(found.columns["cluster_id"][between]) <= {1, 2}

    def test_very_unsure_ones_do_not_even_join(self, candidates, make_scene):
        self.group(candidates, 7)
        unsure = candidates.speck(75, 50, score=0.1)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["cluster_id"][unsure] == 0
        assert found.clusters["n_calcifications"].tolist() == [7]

    def test_only_unsure_ones_found_nothing(self, candidates, make_scene):
        self.group(candidates, 12, score=0.4)
        found = arrange(make_scene(), candidates.measurements())
        assert len(found.clusters["cluster_id"]) == 0

    @pytest.mark.parametrize("seed", range(8))
    def test_no_elongated_member_is_set_aside_as_a_chain(self, candidates, make_scene, seed):
        rng = np.random.default_rng(seed)
        for y, x in np.array([75, 50]) + rng.uniform(-3, 3, (14, 2)):
            width = rng.uniform(0.25, 0.5)
            candidates.strand(y, x, rng.uniform(0, 180), width * rng.uniform(1, 3.5), width)
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["n_calcifications"].tolist() == [14]

    @pytest.mark.parametrize("large", [{"diameter_mm": 1.6}, {"length_mm": 5.1}])
    def test_large_ones_are_judged_by_themselves(self, candidates, make_scene, large):
        group = self.group(candidates, 6)
        alone = candidates.speck(75, 50, **large)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][group]) == {1}
        assert found.columns["cluster_id"][alone] == 0

    def test_rods_and_rings_in_the_skin_are_set_aside(self, candidates, make_scene):
        self.group(candidates, 6)
        rod = candidates.strand(
            75,
            50,
            0,
            5.0,
            width_mm=0.8,
            width_variation=0.1,
            roughness=0.02,
            elongation=6.0,
            nipple_angle_deg=5,
        )
        ring = {"lucency": 0.7, "ring_closure": 0.9, "diameter_mm": 1.0}
        in_skin = candidates.speck(74, 50, skin_distance_mm=2.0, **ring)
        deep = candidates.speck(76, 50, skin_distance_mm=20.0, **ring)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["cluster_id"][[rod, in_skin, deep]].tolist() == [0, 0, 1]


class TestMeasures:
    @pytest.mark.parametrize(
        ("irregularity", "cnr", "mean"),
        [
            ([0.5, 0.1, 0.1], [10.0, 10.0, 10.0], 0.7 / 3),
            ([0.5, 0.1, 0.1], [20.0, 10.0, 10.0], 2.2 / 6),
            ([9.0, 0.0, math.nan], [10.0, 10.0, 90.0], 0.5),
            ([-9.0, 0.0], [10.0, 10.0], -0.5),
            ([math.nan], [10.0], math.nan),
        ],
    )
    def test_mean_irregularity(self, irregularity, cnr, mean):
        found = mean_irregularity(np.array(irregularity), np.array(cnr))
        assert found == pytest.approx(mean, nan_ok=True)

    def test_of_a_square(self, candidates, make_scene):
        corners = [(70, 50), (70, 56), (76, 50), (76, 56), (73, 53)]
        sizes = [0.2, 0.3, 0.4, 0.3, 0.3]
        elongations = [1, 1, 2, 2, 1]
        for (y, x), d, e in zip(corners, sizes, elongations, strict=True):
            candidates.speck(y, x, diameter_mm=d, elongation=e, edge_width_mm=0.15)
        found = arrange(make_scene(), candidates.measurements())
        table = {name: column[0] for name, column in found.clusters.items()}
        assert table["n_calcifications"] == 5
        assert (table["row"], table["col"]) == (730, 530)
        assert table["extent_mm"] == pytest.approx(6 * math.sqrt(2))
        assert table["area_mm2"] == pytest.approx(36)
        assert table["density_per_cm2"] == pytest.approx(100 * 5 / 36)
        assert table["linearity"] == pytest.approx(1)
        assert table["median_diameter_mm"] == pytest.approx(0.3)
        assert table["size_spread"] == 0
        assert table["shape_spread"] == pytest.approx(1)
        assert table["median_edge_share"] == pytest.approx(0.5)
        assert table["median_flatness"] == pytest.approx(0.4)

    def test_columns_repeat_the_table(self, candidates, make_scene):
        rows = put(candidates, np.array([75, 50]) + np.random.default_rng(2).uniform(-3, 3, (6, 2)))
        alone = candidates.speck(20, 20)
        found = arrange(make_scene(), candidates.measurements())
        for name, source in {
            "cluster_n": "n_calcifications",
            "cluster_extent_mm": "extent_mm",
            "cluster_linearity": "linearity",
            "cluster_size_spread": "size_spread",
            "cluster_shape_spread": "shape_spread",
            "cluster_diameter_mm": "median_diameter_mm",
            "cluster_distribution": "distribution",
        }.items():
            assert set(found.columns[name][rows].tolist()) == {found.clusters[source][0].item()}
        assert found.columns["cluster_n"][alone] == 0
        assert np.isnan(found.columns["cluster_linearity"][alone])

    def test_shape_is_judged_on_the_clearer_half(self, candidates, make_scene):
        points = np.array([75, 50]) + np.random.default_rng(2).uniform(-3, 3, (10, 2))
        put(candidates, points[:5], elongation=1.2, cnr=9.0, edge_width_mm=0.06)
        put(candidates, points[5:], elongation=3.0, cnr=2.0, width_mm=0.1, edge_width_mm=0.2)
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["median_elongation"].tolist() == [1.2]
        assert found.clusters["median_edge_share"] == pytest.approx(0.2)

    @pytest.mark.parametrize(("tilt_deg", "share"), [(5.0, 1.0), (40.0, 0.0)])
    def test_level_members_are_counted(self, candidates, make_scene, tilt_deg, share):
        points = np.array([75, 50]) + np.random.default_rng(2).uniform(-3, 3, (6, 2))
        put(candidates, points, elongation=1.8, orientation_deg=-tilt_deg)
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["level_share"].tolist() == [share]

    def test_shapes_that_could_not_be_measured_leave_gaps(self, candidates, make_scene):
        of_shape = ("circularity", "elongation", "diameter_mm", "edge_width_mm")
        points = np.array([75, 50]) + np.random.default_rng(2).uniform(-3, 3, (6, 2))
        put(candidates, points, **dict.fromkeys(of_shape, math.nan))
        found = arrange(make_scene(), candidates.measurements())
        assert found.clusters["n_calcifications"].tolist() == [6]
        for name in (
            "median_circularity",
            "median_elongation",
            "shape_spread",
            "median_diameter_mm",
            "size_spread",
        ):
            assert np.isnan(found.clusters[name]).all()

    def test_neighbours_are_counted_within_ten_millimetres(self, candidates, make_scene):
        middle = candidates.speck(75, 50)
        put(candidates, [(75, 59.9), (65.1, 50), (75, 60.1)])
        candidates.speck(75, 51, score=0.1)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["neighbours"][middle] == 2


def test_every_name_of_the_catalogue_is_filled(candidates, make_scene):
    put(candidates, np.array([75, 50]) + np.random.default_rng(2).uniform(-3, 3, (6, 2)))
    found = arrange(make_scene(), candidates.measurements())
    assert set(found.columns) == set(FEATURES)
    assert {len(column) for column in found.columns.values()} == {6}


def test_the_same_again(candidates, make_scene):
    rng = np.random.default_rng(11)
    put(candidates, rng.uniform((5, 5), (145, 95), (200, 2)))
    measurements = candidates.measurements()
    first, second = (arrange(make_scene(), measurements) for _ in range(2))
    for name in FEATURES:
        np.testing.assert_array_equal(first.columns[name], second.columns[name])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"linkage_mm": 0.0}, "linkage_mm: 0.0 is outside 1.0 to 50.0"),
        ({"group_members": 5.5}, "group_members: an integer is needed, got 5.5"),
        ({"founding_score": "high"}, "founding_score: a number is needed, got 'high'"),
    ],
)
def test_parameters_are_held_to_their_bounds(values, match):
    with pytest.raises(InvalidParameter, match=match):
        ArrangeParameters(**values)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 50])
def test_middle_and_quartiles_are_those_of_numpy(count):
    values = np.random.default_rng(count).gamma(2.0, 1.0, count)
    assert middle(values) == np.median(values)
    gapped = np.append(values, np.nan)
    assert _interquartile_range(gapped) == np.subtract(*np.nanpercentile(gapped, [75, 25]))
    assert np.isnan(_interquartile_range(np.full(count, np.nan)))
