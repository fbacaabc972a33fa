"""Chains along vessels: whole arteries found as one, and nothing else taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from mammocalc.arrange import ArrangeParameters, arrange
from mammocalc.arrange.curves import STEP_MM
from mammocalc.arrange.pieces import mean_bend_per_mm

ROD = {
    "width_mm": 0.8,
    "elongation": 6.2,
    "width_variation": 0.08,
    "roughness": 0.02,
    "nipple_angle_deg": 8.0,
}
NOT_ON_A_VESSEL = ArrangeParameters().bridge_on_vessel - 0.1
"""Noise alone is a ridge here and there."""


def scatter(candidates, rng, specks, strands=0):
    """Candidates without any order, all over the breast."""
    for _ in range(specks):
        candidates.speck(*rng.uniform((5, 5), (145, 95)))
    for _ in range(strands):
        candidates.strand(*rng.uniform((5, 5), (145, 95)), rng.uniform(0, 180), rng.uniform(0.8, 1.6))


def share_of_longest_chain(arrangement, rows, length_mm):
    ids = arrangement.columns["chain_id"][rows]
    weights = np.bincount(ids, weights=length_mm[rows])
    return weights[1:].max(initial=0.0) / weights.sum(), int(weights[1:].argmax()) + 1 if len(
        weights
    ) > 1 else 0


def lengths(measurements):
    return measurements.columns["length_mm"]


class TestTwoWalls:
    @pytest.mark.parametrize("angle_deg", [0, 35, 90, 160])
    @pytest.mark.parametrize("separation_mm", [0.9, 1.6, 2.4])
    def test_are_one_chain_with_its_measures(self, candidates, make_scene, winding, angle_deg, separation_mm):
        rng = np.random.default_rng(angle_deg)
        middle = np.array([75.0, 50.0])
        line = winding((0.0, 0.0), angle_deg, 30.0, 20.0)
        line += middle - line.mean(axis=0)
        walls = candidates.wall(line, -separation_mm / 2, rng) + candidates.wall(line, separation_mm / 2, rng)
        scatter(candidates, rng, specks=20)
        measurements = candidates.measurements()
        found = arrange(make_scene(), measurements)
        share, chain = share_of_longest_chain(found, walls, lengths(measurements))
        assert share >= 0.95
        member = int(np.flatnonzero(found.columns["chain_id"] == chain)[0])
        columns = {name: column[member] for name, column in found.columns.items()}
        assert columns["chain_length_mm"] == pytest.approx(29, abs=4)
        assert columns["wall_separation_mm"] == pytest.approx(separation_mm, abs=0.25)
        assert columns["paired_length_mm"] >= 8
        assert columns["chain_misalignment_deg"] < 15
        assert columns["chain_tortuosity"] == pytest.approx(1.03, abs=0.04)

    @pytest.mark.parametrize("angle_deg", [0, 15, 75, 105, 150])
    @pytest.mark.parametrize("bend_deg", [40.0, 75.0])
    def test_are_one_chain_however_much_they_wind(self, candidates, make_scene, winding, angle_deg, bend_deg):
        rng = np.random.default_rng(angle_deg)
        line = winding((0.0, 0.0), angle_deg, 40.0, bend_deg)
        line += np.array([75.0, 50.0]) - line.mean(axis=0)
        rows = candidates.wall(line, -0.8, rng) + candidates.wall(line, 0.8, rng)
        found = arrange(make_scene(), candidates.measurements())
        # In the sharpest bend a straight strand may cross the curve.
        assert (found.columns["chain_id"][rows] == 1).mean() > 0.95
        assert found.columns["paired_length_mm"][rows].max() > 25
        away = np.linalg.norm(found.chains[0][:, None, :] * 0.1 - line[None, :, :], axis=2).min(axis=1)
        assert np.quantile(away, 0.9) < 0.8
        assert away.max() < 2.0

    def test_curve_runs_between_them(self, candidates, make_scene, winding):
        rng = np.random.default_rng(1)
        line = winding((70.0, 30.0), 15, 35.0, 25.0)
        for side in (-0.8, 0.8):
            candidates.wall(line, side, rng)
        found = arrange(make_scene(), candidates.measurements())
        curve = found.chains[0] * 0.1
        away = np.sqrt(((curve[:, None, :] - line[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
        assert np.median(away) < 0.25
        assert away.max() < 1.0

    @pytest.mark.parametrize("chest_wall", ["left", "right"])
    def test_members_stay_out_of_clusters(self, candidates, make_scene, winding, chest_wall):
        rng = np.random.default_rng(2)
        line = winding((40.0, 50.0), 80, 30.0, 20.0)
        walls = candidates.wall(line, -0.8, rng) + candidates.wall(line, 0.8, rng)
        group = [candidates.speck(120 + y, 50 + x) for y, x in rng.uniform(-3, 3, (8, 2))]
        found = arrange(make_scene(chest_wall=chest_wall), candidates.measurements())
        assert set(found.columns["cluster_id"][walls]) == {0}
        assert set(found.columns["cluster_id"][group]) == {1}

    def test_specks_between_them_join(self, candidates, make_scene):
        line = np.stack([np.linspace(30, 60, 121), np.full(121, 70.0)], axis=1)
        rng = np.random.default_rng(3)
        for side in (-0.8, 0.8):
            candidates.wall(line, side, rng)
        inside = candidates.speck(45.0, 70.5)
        outside = candidates.speck(45.0, 73.0)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_id"][inside] == 1
        assert found.columns["chain_id"][outside] == 0

    @pytest.mark.parametrize(
        ("other", "chain"),
        [
            ({}, 0),
            ({"nipple_angle_deg": 35.0}, 1),
            ({"nipple_angle_deg": np.nan}, 1),
            ({"roughness": 0.06}, 1),
            ({"roughness": np.nan}, 0),
            ({"length_mm": 3.9}, 1),
            ({"width_mm": 0.47}, 1),
        ],
    )
    def test_rod_in_their_way_does_not(self, candidates, make_scene, other, chain):
        line = np.stack([np.linspace(30, 60, 121), np.full(121, 70.0)], axis=1)
        walls = []
        for side in (-0.8, 0.8):
            walls += candidates.wall(line, side, np.random.default_rng(3))
        # Not even enough for a rod that is told from a plaque before there is a chain.
        form = {"width_mm": 0.54, "length_mm": 4.5, "roughness": 0.03, "nipple_angle_deg": 10.0} | other
        rod = candidates.strand(46.0, 70.0, 90, form.pop("length_mm"), **form)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_id"][rod] == chain
        assert set(found.columns["chain_id"][walls]) == {1}

    @pytest.mark.parametrize("width_mm", [0.54, 0.36])
    def test_rod_no_thicker_than_they_are_is_a_plaque(self, candidates, make_scene, width_mm):
        line = np.stack([np.linspace(30, 60, 121), np.full(121, 70.0)], axis=1)
        for side in (-0.8, 0.8):
            candidates.wall(line, side, np.random.default_rng(3), width_mm=width_mm)
        rod = candidates.strand(46.0, 70.0, 90, 4.5, width_mm=0.54, roughness=0.03, nipple_angle_deg=10.0)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_id"][rod] == (1 if width_mm == 0.54 else 0)

    @pytest.mark.parametrize(
        ("width_mm", "form", "chain"), [(0.6, ROD, 0), (0.6, {}, 1), (1.9, {}, 1), (2.1, {}, 0)]
    )
    def test_what_is_thicker_than_the_vessel_does_not(self, candidates, make_scene, width_mm, form, chain):
        line = np.stack([np.linspace(30, 60, 121), np.full(121, 70.0)], axis=1)
        for side in (-0.8, 0.8):
            candidates.wall(line, side, np.random.default_rng(3))
        elongation = 5.0 / width_mm
        thick = candidates.strand(45, 70, 90, 5.0, **{**form, "width_mm": width_mm, "elongation": elongation})
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_id"][thick] == chain


class TestFields:
    def test_what_lies_farther_aside_than_a_vessel_is_wide_is_none_of_it(self, candidates, make_scene):
        for offset in (-0.8, 0.8):
            for x in (12, 19, 26, 33, 40):
                candidates.strand(70 + offset, x, 0, 6.0)
        # Side by side with a wall, and with each other.
        field = [candidates.strand(70.8 + 2.5 * k, 24 + 3 * j, 0, 2.2) for k in (1, 2, 3) for j in range(3)]
        found = arrange(make_scene(), candidates.measurements()).columns["chain_id"]
        assert found[0] > 0
        far = np.array(field[3:])
        assert (found[far] != found[0]).all()


class TestRowsOfCasts:
    def rows(self, candidates, straightness, y_mm=75.0):
        """Two tracks in one line, the far one of long strands of a vessel, the near one of short ones."""
        for x in (10, 17, 24):
            candidates.strand(y_mm, x, 0, 6.0, straightness=0.998)
        short = [candidates.strand(y_mm, 36 + 3 * k, 0, 2.4, straightness=straightness) for k in range(4)]
        return 0, short

    @pytest.mark.parametrize(
        ("straightness", "y_mm", "joined"), [(0.97, 75.0, False), (0.997, 75.0, True), (0.97, 30.0, True)]
    )
    def test_bent_short_strands_that_lead_to_the_nipple_are_bridged_to_no_vessel(
        self, candidates, make_scene, straightness, y_mm, joined
    ):
        vessel, short = self.rows(candidates, straightness, y_mm)
        found = arrange(make_scene(), candidates.measurements()).columns["chain_id"]
        assert found[vessel] > 0
        assert (found[short] == found[vessel]).all() == joined
        assert (found[short] == found[vessel]).any() == joined


class TestGoingOn:
    """A vessel of two walls from 26 to 34 mm, and a strand beyond its end or beside it."""

    @pytest.mark.parametrize(
        ("length_mm", "gap_mm", "aside_mm", "joins"),
        [(1.9, 9.0, 0.0, True), (1.9, 11.0, 0.0, False), (1.2, 8.5, 0.0, False), (1.9, 9.0, 3.2, False)],
    )
    def test_a_strand_in_line_joins_a_vessel(
        self, candidates, make_scene, length_mm, gap_mm, aside_mm, joins
    ):
        walls = [candidates.strand(70 + offset, 30, 0, 8.0) for offset in (-0.8, 0.8)]
        # Bent too much for a bridge between tracks.
        strand = candidates.strand(70 + aside_mm, 34.0 + gap_mm, 27, length_mm)
        found = arrange(make_scene(), candidates.measurements()).columns["chain_id"]
        assert (found[walls] == 1).all()
        assert (found[strand] == 1) == joins


class TestTubes:
    @pytest.mark.parametrize(
        ("change", "chained"),
        [
            ({}, True),
            ({"roughness": 0.029}, False),
            ({"nipple_angle_deg": 29.0}, False),
            ({"width_mm": 1.45}, False),
            ({"width_mm": 1.35}, False),
        ],
    )
    def test_rough_pieces_as_thick_as_a_vessel_make_a_chain(self, candidates, make_scene, change, chained):
        # No band is seen along them.
        scene = make_scene()
        piece = {"width_mm": 1.0, "roughness": 0.06, "nipple_angle_deg": 80.0, **change}
        rows = [candidates.strand(y, 60, 90, 4.0, **piece) for y in (40, 45, 50)]
        found = arrange(scene, candidates.measurements())
        assert (found.columns["chain_id"][rows] == 1).all() == chained


def test_what_is_believed_for_its_place_alone_links_nothing(candidates, make_scene):
    rows = [
        candidates.strand(60, x, 0, 4.0, score_alone=alone) for x, alone in ((30, 0.9), (36, 0.2), (42, 0.9))
    ]
    scene = make_scene()
    assert arrange(scene, candidates.measurements()).columns["chain_strands"][rows[0]] == 2.0
    for row in candidates.rows:
        row["score_alone"] = 0.9
    assert arrange(scene, candidates.measurements()).columns["chain_strands"][rows[0]] == 3.0


class TestGaps:
    def strands(self, candidates, gap_mm, turn_deg=0.0):
        """Two tracks of two walls each, 8 mm long, the second after a gap and a turn."""
        rows = []
        for offset in (-0.8, 0.8):
            rows.append(candidates.strand(70 + offset, 30, 0, 7.5))
        start = 34 + gap_mm
        turn = np.radians(turn_deg)
        middle = np.array([70 - 4 * np.sin(turn), start + 4 * np.cos(turn)])
        aside = 0.8 * np.array([np.cos(turn), np.sin(turn)])
        for sign in (-1, 1):
            rows.append(candidates.strand(*(middle + sign * aside), turn_deg, 7.5))
        return rows

    @pytest.mark.parametrize("gap_mm", [1.0, 4.0, 8.0, 15.0])
    def test_are_bridged(self, candidates, make_scene, gap_mm):
        rows = self.strands(candidates, gap_mm)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["chain_id"][rows]) == {1}
        assert found.columns["chain_length_mm"][rows[0]] == pytest.approx(15.5 + gap_mm, abs=1.5)
        assert found.columns["chain_calcified_fraction"][rows[0]] < 1.0 - 0.5 * gap_mm / 25

    def test_are_not_bridged_without_end(self, candidates, make_scene):
        rows = self.strands(candidates, 20.0)
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_id"][rows].tolist() == [1, 1, 2, 2]

    @pytest.mark.parametrize(("length_mm", "bridged"), [(3.0, True), (1.2, False)])
    def test_a_short_piece_is_trusted_less_far(self, candidates, make_scene, length_mm, bridged):
        walls = [candidates.strand(70 + offset, 30, 0, 7.5) for offset in (-0.8, 0.8)]
        # Its end is 9 mm away: five times its length or more.
        single = candidates.strand(70, 33.75 + 9.0 + 0.5 * length_mm, 0, length_mm)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["chain_id"][walls]) == {1}
        assert (found.columns["chain_id"][single] == 1) is np.bool_(bridged)

    def test_are_not_bridged_round_a_corner(self, candidates, make_scene):
        rows = self.strands(candidates, 5.0, turn_deg=100.0)
        found = arrange(make_scene(), candidates.measurements())
        assert len(set(found.columns["chain_id"][rows])) == 2


class TestOneWall:
    @pytest.mark.parametrize(("x_mm", "tilt_deg", "chain"), [(47.8, 0.0, 1), (38.2, 80.0, 0)])
    def test_may_change_to_the_other(self, candidates, make_scene, x_mm, tilt_deg, chain):
        wall = [candidates.strand(70, x, 0, 4.0) for x in (30, 35.5, 41, 46.5)]
        # A vessel's width away, beside the last piece: the other wall; or what only crosses.
        beside = candidates.strand(72.2, x_mm, tilt_deg, 2.7)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["chain_id"][wall]) == {1}
        assert found.columns["chain_id"][beside] == chain

    @pytest.mark.parametrize(("width_mm", "chain"), [(0.53, 1), (0.57, 0)])
    def test_a_thin_rod_may_be_a_piece_of_it(self, candidates, make_scene, width_mm, chain):
        wall = [candidates.strand(70, x, 0, 4.0) for x in (30, 35.5, 41)]
        rod = {**ROD, "width_mm": width_mm, "elongation": 3.9 / width_mm}
        beside = candidates.strand(72.0, 36.0, 0, 3.9, **rod)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["chain_id"][wall]) == {1}
        assert found.columns["chain_id"][beside] == chain

    def line(self):
        return np.stack([np.full(101, 70.0), np.linspace(30, 55, 101)], axis=1)

    def chain(self, candidates, make_scene, **scene):
        rows = candidates.wall(self.line(), 0.0, np.random.default_rng(4), nipple_angle_deg=80.0)
        return rows, arrange(make_scene(**scene), candidates.measurements())

    def test_on_a_vessel(self, candidates, make_scene):
        rows, found = self.chain(candidates, make_scene, vessel=self.line(), vessel_height=1.5)
        assert found.columns["vessel_fraction"][rows[0]] > 0.9
        assert np.isnan(found.columns["wall_separation_mm"][rows[0]])
        assert found.columns["paired_length_mm"][rows[0]] == 0

    def test_beside_a_vessel(self, candidates, make_scene):
        _, found = self.chain(candidates, make_scene, vessel=self.line() + np.array([4.0, 0.0]))
        assert found.columns["vessel_fraction"].max() < NOT_ON_A_VESSEL

    def test_its_own_calcium_is_no_vessel(self, candidates, make_scene):
        rows, found = self.chain(candidates, make_scene)
        assert found.columns["chain_id"][rows[0]] == 1
        assert found.columns["vessel_fraction"].max() < NOT_ON_A_VESSEL


class TestNotAVessel:
    @pytest.mark.parametrize(("overlap_mm", "chains"), [(3.0, 1), (0.0, 0)])
    def test_a_short_track_needs_two_walls(self, candidates, make_scene, overlap_mm, chains):
        candidates.strand(70, 50, 40, 3.0)
        along = (3.0 - overlap_mm) * np.array([-np.sin(np.radians(40)), np.cos(np.radians(40))])
        aside = 1.6 * np.array([np.cos(np.radians(40)), np.sin(np.radians(40))])
        candidates.strand(*(np.array([70.0, 50.0]) + along + aside), 40, 3.0)
        found = arrange(make_scene(), candidates.measurements())
        long = [len(curve) for curve in found.chains if found.columns["paired_length_mm"].max() > 0]
        assert len(long) == chains

    def test_rods_in_a_row_are_no_chain(self, candidates, make_scene):
        rows = [candidates.strand(75, x, 0, 5.0, **ROD) for x in (30, 36, 42, 48)]
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["chain_id"][rows]) == {0}
        assert set(found.columns["rods_in_image"][rows]) == {3}
        assert set(found.columns["cluster_id"][rows]) == {0}

    @pytest.mark.parametrize("chest_wall", ["left", "right"])
    def test_casts_of_a_duct_stay_a_group(self, candidates, make_scene, chest_wall):
        rng = np.random.default_rng(6)
        rows = []
        for x in np.arange(40.0, 62.0, 2.2):
            rows.append(
                candidates.strand(
                    75 + rng.normal(0, 0.3), x, rng.normal(0, 8), rng.uniform(1, 2), nipple_angle_deg=8
                )
            )
        found = arrange(make_scene(chest_wall=chest_wall), candidates.measurements())
        assert set(found.columns["cluster_id"][rows]) == {1}
        assert set(found.columns["cluster_distribution"][rows]) == {"linear"}

    def test_scattered_candidates_make_no_chain(self, candidates, make_scene):
        scatter(candidates, np.random.default_rng(8), specks=150, strands=40)
        found = arrange(make_scene(), candidates.measurements())
        long = found.columns["chain_length_mm"] > 15
        assert not long.any()

    def test_unsure_candidates_make_no_chain(self, candidates, make_scene, winding):
        line = winding((70.0, 30.0), 0, 30.0, 10.0)
        for side in (-0.8, 0.8):
            candidates.wall(line, side, np.random.default_rng(9), score=0.1)
        found = arrange(make_scene(), candidates.measurements())
        assert len(found.chains) == 0


class TestNeighbouringDucts:
    """Casts in two ducts side by side look like a vessel's walls: a malignant form must not be called benign."""

    def casts(self, candidates, rng, angle_deg, middle, apart_mm, longest_mm=2.6):
        """Two rows of strands of 1 to `longest_mm` mm, 0.4 to 1.2 mm between them, over 24 mm through `middle`."""
        turn = np.radians(angle_deg)
        along = np.array([-np.sin(turn), np.cos(turn)])
        aside = np.array([along[1], -along[0]])
        rows = []
        for side in (-0.5, 0.5):
            at = -12.0
            while at < 12.0:
                length = rng.uniform(1.0, longest_mm)
                place = np.array(middle) + (at + 0.5 * length) * along + side * apart_mm * aside
                rows.append(
                    candidates.strand(*(place + rng.normal(0, 0.1, 2)), angle_deg + rng.normal(0, 8), length)
                )
                at += length + rng.uniform(0.4, 1.2)
        return rows

    @pytest.mark.parametrize("chest_wall", ["left", "right"])
    @pytest.mark.parametrize("apart_mm", [1.2, 1.8, 2.5])
    @pytest.mark.parametrize("seed", range(4))
    def test_are_a_group_not_a_vessel(self, candidates, make_scene, chest_wall, apart_mm, seed):
        rows = self.casts(candidates, np.random.default_rng(seed), 0.0, (75.0, 50.0), apart_mm)
        found = arrange(make_scene(chest_wall=chest_wall), candidates.measurements())
        assert set(found.columns["cluster_id"][rows]) == {1}

    def test_are_a_group_where_the_nipple_is_not_known(self, candidates, make_scene):
        rows = self.casts(candidates, np.random.default_rng(1), 70.0, (75.0, 50.0), 1.8)
        found = arrange(make_scene(nipple=False), candidates.measurements())
        assert set(found.columns["cluster_id"][rows]) == {1}

    def test_across_the_ducts_such_walls_are_a_vessel(self, candidates, make_scene):
        rows = self.casts(candidates, np.random.default_rng(1), 70.0, (75.0, 50.0), 1.8)
        found = arrange(make_scene(), candidates.measurements())
        assert set(found.columns["cluster_id"][rows]) == {0}

    def test_a_duct_that_crosses_a_vessel_is_parted_from_it(self, candidates, make_scene):
        line = np.stack([np.linspace(55, 95, 161), np.full(161, 50.0)], axis=1)
        rng = np.random.default_rng(3)
        walls = candidates.wall(line, -0.8, rng) + candidates.wall(line, 0.8, rng)
        casts = [
            candidates.strand(75, x, rng.normal(0, 4), 1.8) for x in (43.2, 45.6, 48.0, 52.0, 54.4, 56.8)
        ]
        found = arrange(make_scene(), candidates.measurements())
        assert (found.columns["chain_id"][walls] > 0).all()
        assert set(found.columns["cluster_id"][walls]) == {0}
        assert set(found.columns["cluster_distribution"][casts]) == {"linear"}


class TestAim:
    @pytest.mark.parametrize("chest_wall", ["left", "right"])
    @pytest.mark.parametrize(("angle_deg", "aim_deg"), [(0, 0), (60, 60), (90, 90)])
    def test_is_the_angle_to_the_nipple(self, candidates, make_scene, chest_wall, angle_deg, aim_deg):
        direction = np.array([-np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))])
        line = np.array([75.0, 50.0]) + np.linspace(-10, 10, 81)[:, None] * direction
        for side in (-0.8, 0.8):
            candidates.wall(line, side, np.random.default_rng(10))
        found = arrange(make_scene(chest_wall=chest_wall), candidates.measurements())
        assert found.columns["chain_nipple_angle_deg"].max() == pytest.approx(aim_deg, abs=6)

    def test_is_not_known_without_a_nipple(self, candidates, make_scene):
        for offset in (-0.8, 0.8):
            candidates.strand(75 + offset, 50, 0, 8.0)
        found = arrange(make_scene(nipple=False), candidates.measurements())
        assert found.columns["chain_id"].tolist() == [1, 1]
        assert np.isnan(found.columns["chain_nipple_angle_deg"]).all()


class TestBend:
    @pytest.mark.parametrize("radius_mm", [4.0, 10.0])
    def test_is_the_curvature_of_arcs(self, radius_mm):
        length = np.array([1.5, 3.0])
        straightness = 2 * radius_mm * np.sin(length / (2 * radius_mm)) / length
        assert mean_bend_per_mm(length, straightness) == pytest.approx(1 / radius_mm, rel=0.02)

    def test_weighs_by_length_and_takes_what_is_not_known_as_straight(self):
        assert mean_bend_per_mm(np.array([1.0, 3.0]), np.array([1 - 1 / 24, np.nan])) == pytest.approx(0.25)

    @pytest.mark.parametrize(("straightness", "is_vessel"), [(0.995, True), (0.95, False)])
    def test_strands_that_wander_are_a_group_of_casts(self, candidates, make_scene, straightness, is_vessel):
        # Of the length of either.
        rows = [candidates.strand(30, 30 + 5 * k, 0, 3.4, straightness=straightness) for k in range(6)]
        found = arrange(make_scene(), candidates.measurements())
        assert found.columns["chain_curvature_per_mm"][rows] == pytest.approx(
            np.sqrt(24 * (1 - straightness)) / 3.4
        )
        assert (found.columns["cluster_id"][rows] == 0).all() == is_vessel


def test_chains_are_numbered_by_their_first_member_and_match_their_curves(candidates, make_scene):
    second = [candidates.strand(30 + offset, 40, 0, 8.0) for offset in (-0.8, 0.8)]
    first = [candidates.strand(110, 60 + offset, 90, 8.0) for offset in (-0.8, 0.8)]
    found = arrange(make_scene(), candidates.measurements())
    assert found.columns["chain_id"][second].tolist() == [1, 1]
    assert found.columns["chain_id"][first].tolist() == [2, 2]
    np.testing.assert_allclose(found.chains[0].mean(axis=0), (300, 400), atol=8)
    step = np.linalg.norm(np.diff(found.chains[0], axis=0), axis=1) * 0.1
    np.testing.assert_allclose(step, STEP_MM, rtol=0.2)


def test_measures_that_are_missing_do_no_harm(candidates, make_scene):
    candidates.speck(50, 50, width_mm=np.nan, length_mm=np.nan, elongation=np.nan, orientation_deg=np.nan)
    candidates.strand(60, 50, 0, 4.0, straightness=np.nan, nipple_angle_deg=np.nan)
    found = arrange(make_scene(), candidates.measurements())
    assert found.columns["chain_id"].shape == (2,)


def test_no_candidate_at_all(candidates, make_scene):
    found = arrange(make_scene(), candidates.measurements())
    assert found.chains == ()
    assert all(len(column) == 0 for column in found.columns.values())


def test_gap_is_a_parameter(candidates, make_scene):
    TestGaps().strands(candidates, 6.0)
    short = ArrangeParameters(bridge_mm=3.0, track_gap_mm=3.0)
    found = arrange(make_scene(), candidates.measurements(), short)
    assert found.columns["chain_id"].tolist() == [1, 1, 2, 2]
