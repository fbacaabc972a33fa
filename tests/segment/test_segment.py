"""Candidates on planes whose content is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from mammocalc.errors import InvalidParameter
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.segment import SegmentParameters, segment
from mammocalc.segment.company import COMPANY, company_of
from mammocalc.segment.components import lump_components, searched_cells
from mammocalc.segment.objects import Objects, lumps_over_specks, outlines_of
from mammocalc.segment.score import (
    ALIKE,
    SUPPORT,
    Correction,
    Question,
    Score,
    built_in_score,
    parsed_corrections,
    parsed_trees,
    probability,
    scores_in_company,
    trees_of,
)

PITCH = 0.07
STEP = 7


def scene_of(plane, foreign=()):
    rows, cols = (-(-n // STEP) for n in plane.shape)
    breast = np.ones((rows, cols), bool)
    hidden = np.zeros((rows, cols), bool)
    for cells in foreign:
        hidden[cells] = True
    curve = np.array([-100.0, 1000.0], np.float32)
    return Scene(
        plane=plane.astype(np.float32),
        origin=(0, 0),
        pixel_spacing_mm=PITCH,
        anatomy=Anatomy(
            STEP,
            breast,
            np.zeros_like(breast),
            hidden,
            np.full((rows, cols), 20, np.float32),
            None,
            "left",
            1e4,
        ),
        stabiliser=np.arange(16, dtype=np.float32),
        density_plane=curve,
        density=curve,
        noise_level=np.array([0.0, 1.0]),
        noise_sigma=np.array([1.0, 1.0]),
    )


def tissue(shape=(420, 490), seed=1):
    """White noise of unit variance on a smooth hill."""
    grid = np.indices(shape) / 100
    return np.random.default_rng(seed).normal(size=shape) + 20 * np.sin(grid[0]) * np.cos(grid[1])


def with_disc(plane, row, col, radius_px, height, softness_px=0.7):
    grid = np.indices(plane.shape)
    return plane + height * expit((radius_px - np.hypot(grid[0] - row, grid[1] - col)) / softness_px)


def with_rod(plane, start, end, radius_px, height):
    grid = np.indices(plane.shape).astype(float)
    axis = np.subtract(end, start)
    along = np.clip(((grid[0] - start[0]) * axis[0] + (grid[1] - start[1]) * axis[1]) / (axis @ axis), 0, 1)
    distance = np.hypot(grid[0] - start[0] - along * axis[0], grid[1] - start[1] - along * axis[1])
    return plane + height * expit((radius_px - distance) / 0.5)


def overlap(regions, k, truth):
    mask = np.zeros(truth.shape, bool)
    row_min, col_min, row_max, col_max = regions.bounds[k]
    mask[row_min:row_max, col_min:col_max] = regions.mask(k)
    return (mask & truth).sum() / (mask | truth).sum()


def test_specks_of_every_size_are_found_outlined_and_nothing_else():
    plane = tissue()
    # A ball thins out towards its edge; sharp, and hardly wider than a pixel, would be a defect.
    specks = [(80, 90, 1.6, 1.0), *((*place, 0.7) for place in ((80, 250, 2.5), (250, 90, 4.0)))]
    specks += [(250, 250, 7.0, 0.7), (200, 400, 15.0, 0.7)]
    drawn = [
        with_disc(np.zeros(plane.shape), row, col, radius, 25, soft) for row, col, radius, soft in specks
    ]
    regions = segment(scene_of(plane + sum(drawn)))
    assert len(regions) == len(specks)
    for disc in drawn:
        truth = disc >= disc.max() / 2
        assert max(overlap(regions, k, truth) for k in range(len(regions))) > (
            0.5 if truth.sum() < 20 else 0.75
        )


def test_noise_alone_gives_nothing():
    assert len(segment(scene_of(tissue(seed=4)))) == 0


def test_a_rod_of_ten_millimetres_is_one_region():
    plane = with_rod(tissue(), (100, 100), (200, 200), 4.5, 22)
    regions = segment(scene_of(plane))
    assert len(regions) == 1
    row_min, col_min, row_max, col_max = regions.bounds[0]
    assert row_max - row_min == pytest.approx(109, abs=6)
    assert col_max - col_min == pytest.approx(109, abs=6)


def test_a_shell_is_one_region_with_a_hole():
    plane = with_disc(with_disc(tissue(), 200, 240, 22, 30), 200, 240, 16, -24)
    regions = segment(scene_of(plane))
    assert len(regions) == 1
    mask = regions.mask(0)
    assert not mask[tuple(n // 2 for n in mask.shape)]
    assert mask.shape[0] == pytest.approx(45, abs=4)


def test_touching_specks_are_two_regions():
    plane = with_disc(with_disc(tissue(), 200, 200, 3, 30), 200, 208.5, 3, 22)
    assert len(segment(scene_of(plane))) == 2


def test_a_strand_of_uneven_brightness_is_one_region():
    plane = tissue()
    for start, end, height in (
        ((200, 100), (200, 118), 25),
        ((200, 118), (206, 124), 11),
        ((206, 124), (214, 140), 25),
    ):
        plane = np.maximum(plane, with_rod(tissue(), start, end, 2.0, height))
    apart = SegmentParameters(strand_gap_mm=0.0, thread_gap_mm=0.0, thread_score=1.0)
    assert len(segment(scene_of(plane), apart)) > 1
    regions = segment(scene_of(plane))
    assert len(regions) == 1
    assert regions.mask(0).sum() > 150


def faint_between(*rods):
    """Rods of contrast 25 and, the last, of 7."""
    plane = tissue()
    for (start, end), height in zip(rods, (*(25,) * (len(rods) - 1), 7), strict=True):
        plane = np.maximum(plane, with_rod(tissue(), start, end, 2.0, height))
    return plane


def test_pieces_of_one_thin_line_are_one_over_a_longer_gap():
    # Between the faces of the rods the way is 0.55 mm long.
    plane = faint_between(((200, 100), (200, 116)), ((200, 128), (201, 144)), ((200, 116), (200, 128)))
    apart = SegmentParameters(thread_gap_mm=0.0, thread_score=1.0)
    assert len(segment(scene_of(plane), apart)) == 2
    assert len(segment(scene_of(plane), SegmentParameters(thread_score=1.0))) == 1


def test_pieces_that_turn_away_from_each_other_stay_two():
    plane = faint_between(((200, 100), (200, 116)), ((186, 130), (214, 130)), ((200, 116), (200, 128)))
    apart = len(segment(scene_of(plane), SegmentParameters(thread_gap_mm=0.0)))
    assert apart == len(segment(scene_of(plane))) == 2


def test_a_cast_beside_a_rod_stays_a_cast():
    # The tip of the cast points at the rod's side, over a bright bridge 0.35 mm long.
    plane = with_rod(tissue(), (200, 100), (200, 160), 4.0, 25)
    plane = np.maximum(plane, with_rod(tissue(), (210, 130), (228, 130), 1.7, 20))
    plane = np.maximum(plane, with_rod(tissue(), (204, 130), (212, 130), 1.5, 9))
    joined = segment(scene_of(plane), SegmentParameters(strand_turn_deg=90.0))
    assert len(joined) == 1
    assert len(segment(scene_of(plane))) == 2


def test_a_faint_round_piece_is_not_taken_into_a_bright_strand():
    plane = with_rod(tissue(), (200, 100), (200, 118), 2.0, 45)
    plane = np.maximum(plane, with_disc(tissue(), 200, 125, 2.5, 12))
    plane = np.maximum(plane, with_rod(tissue(), (200, 118), (200, 125), 1.5, 6))
    joined = segment(scene_of(plane), SegmentParameters(min_score=0.0, strand_peak_share=0.0))
    apart = segment(scene_of(plane), SegmentParameters(min_score=0.0))
    reaches = [(regions.bounds[:, 3] - regions.bounds[:, 1]).max() for regions in (joined, apart)]
    assert reaches[0] > reaches[1] + 4


def squares(*corners, **evidence):
    """Objects that are squares, (first row, first column, side) each, on a plane of 40 columns."""
    pixel = [
        (np.arange(row, row + side)[:, None] * 40 + np.arange(col, col + side)).ravel()
        for row, col, side in corners
    ]
    start = np.concatenate(([0], np.cumsum([len(one) for one in pixel])))
    pixel = np.concatenate(pixel)
    return Objects(
        pixel,
        start,
        np.full(len(pixel), 5, np.float32),
        {name: np.array(values, float) for name, values in evidence.items()},
    )


LUMP = {"diameter_mm": 1.58, "edge_width_mm": 0.6, "isolation": 0.5, "contrast_noise": 20.0}


@pytest.mark.parametrize(
    ("side", "isolation", "left"),
    [(3, 0.3, "lump"), (3, 0.5, "speck"), (15, 0.3, "speck"), (14, 0.3, "lump")],
)
def test_a_lump_is_twice_as_large_as_its_only_fragment_which_does_not_stand_out(side, isolation, left):
    speck = squares(
        (10, 10, side), diameter_mm=[0.24], edge_width_mm=[0.2], isolation=[isolation], contrast_noise=[10.0]
    )
    lump = squares((10, 10, 20), **{name: [value] for name, value in LUMP.items()})
    owner = np.zeros((40, 40), np.int32)
    stands = lumps_over_specks(speck, lump, owner, SegmentParameters())
    assert stands.evidence["diameter_mm"].tolist() == [{"speck": 0.24, "lump": 1.58}[left]]
    assert not owner.any()


@pytest.mark.parametrize(
    ("change", "isolations", "left"),
    [
        ({}, (0.5, 0.5), "lump"),
        ({}, (0.5, 0.7), "specks"),
        ({"isolation": 0.1}, (0.5, 0.5), "specks"),
        ({"contrast_noise": 11.0}, (0.5, 0.5), "specks"),
        ({"diameter_mm": 1.4}, (0.5, 0.5), "specks"),
        ({"edge_width_mm": 0.9}, (0.5, 0.5), "specks"),
    ],
)
def test_a_lump_is_one_body_where_none_of_its_fragments_stands_out(change, isolations, left):
    specks = squares(
        (10, 10, 10),
        (20, 20, 10),
        diameter_mm=[0.8, 0.8],
        edge_width_mm=[0.3, 0.3],
        isolation=isolations,
        contrast_noise=[10.0, 10.0],
    )
    lump = squares((10, 10, 20), **{name: [value] for name, value in (LUMP | change).items()})
    stands = lumps_over_specks(specks, lump, np.zeros((40, 40), np.int32), SegmentParameters())
    assert len(stands) == {"lump": 1, "specks": 2}[left]


@pytest.mark.parametrize(("pieces", "left"), [(2, 1), (3, 1), (4, 4)])
def test_fragments_that_fill_a_lump_stand(pieces, left):
    corners = [(10, 10, 10), (10, 20, 10), (20, 10, 10), (20, 20, 10)][:pieces]
    specks = squares(*corners, **{name: [value / 2] * pieces for name, value in LUMP.items()})
    lump = squares((10, 10, 20), **{name: [value] for name, value in LUMP.items()})
    assert len(lumps_over_specks(specks, lump, np.zeros((40, 40), np.int32), SegmentParameters())) == left


@pytest.mark.parametrize(("saddle", "pieces"), [(0.9, 2), (0.6, 1)])
def test_a_lump_is_one_across_a_saddle(saddle, pieces):
    plane = np.maximum(with_disc(tissue(), 200, 190, 14, 60), with_disc(tissue(), 200, 220, 14, 60))
    plane = gaussian_filter(plane, 5)
    parameters = SegmentParameters(lump_saddle_fraction=saddle)
    scene = scene_of(plane)
    components = lump_components(scene, searched_cells(scene, 1.0), parameters, 1)
    lumps = outlines_of(scene, components, np.zeros(plane.shape, np.int32), 0.7, parameters, 1)
    assert (lumps.peak > 10).sum() == pieces


def test_a_speck_beside_the_tip_of_a_cast_stays_apart():
    plane = with_rod(tissue(), (200, 100), (200, 118), 2.0, 25)
    plane = with_disc(plane, 200, 128, 2.5, 25)
    assert len(segment(scene_of(plane))) == 2


def test_lumps_and_strands_share_no_pixel():
    plane = with_rod(tissue(), (200, 100), (230, 190), 5.0, 12)
    for along in (0.3, 0.6):
        plane = with_disc(plane, 200 + 30 * along, 100 + 90 * along, 6.0, 25)
    regions = segment(scene_of(plane), SegmentParameters(min_score=0.0))
    owners = sum((regions.labels() == k + 1).sum() for k in range(len(regions)))
    assert owners == sum(regions.mask(k).sum() for k in range(len(regions)))


def test_nothing_is_searched_on_foreign_objects_or_outside_the_margin():
    plane = with_disc(tissue(), 200, 200, 4, 30)
    assert len(segment(scene_of(plane))) == 1
    assert len(segment(scene_of(plane, foreign=[(slice(25, 33), slice(25, 33))]))) == 0
    assert len(segment(scene_of(plane), SegmentParameters(skin_margin_mm=10.0))) == 1


def test_regions_are_consistent_runs_in_order_of_first_pixel():
    plane = tissue()
    rng = np.random.default_rng(2)
    for _ in range(40):
        plane = with_disc(plane, *rng.uniform(20, 400, 2), rng.uniform(1.5, 6), rng.uniform(8, 30))
    regions = segment(scene_of(plane), SegmentParameters(min_score=0.0))
    labels = regions.labels()
    assert len(regions) > 25
    assert labels.max() == len(regions)
    _, first = np.unique(labels, return_index=True)
    assert (np.diff(first[1:]) > 0).all()
    for k in range(len(regions)):
        row_min, col_min, row_max, col_max = regions.bounds[k]
        np.testing.assert_array_equal(regions.mask(k), labels[row_min:row_max, col_min:col_max] == k + 1)
    assert (labels > 0).sum() == (regions.run_stop - regions.run_start).sum()


def test_threads_change_no_bit():
    plane = tissue()
    rng = np.random.default_rng(3)
    for _ in range(60):
        plane = with_disc(plane, *rng.uniform(20, 400, 2), rng.uniform(1.5, 6), rng.uniform(5, 30))
    one, four = (segment(scene_of(plane), SegmentParameters(min_score=0.0), threads=n) for n in (1, 4))
    for name in ("offsets", "run_row", "run_start", "run_stop", "score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(four, name))


def test_the_cap_keeps_the_best():
    plane = tissue()
    for i, height in enumerate((9, 14, 30, 40)):
        plane = with_disc(plane, 200, 80 + 90 * i, 3, height)
    every = segment(scene_of(plane), SegmentParameters(min_score=0.0))
    best = segment(scene_of(plane), SegmentParameters(min_score=0.0, candidate_cap=10))
    assert len(every) >= len(best)
    assert len(best) <= 10
    assert set(best.score) == set(np.sort(every.score)[::-1][: len(best)])


def test_score_rises_with_contrast_and_company():
    heights = (3, 5, 22)
    plane = tissue()
    for i, height in enumerate(heights):
        plane = with_disc(plane, 100, 60 + 170 * i, 2.5, height)
    regions = segment(scene_of(plane), SegmentParameters(min_score=0.0))
    by_height = {}
    for k in range(len(regions)):
        col = regions.evidence["col"][k]
        for i, height in enumerate(heights):
            if abs(col - (60 + 170 * i)) < 4 and abs(regions.evidence["row"][k] - 100) < 4:
                by_height[height] = regions.score[k]
    assert by_height[3] < by_height[5]
    assert by_height[22] > 0.6
    crowd = plane.copy()
    for angle in np.linspace(0, 2 * np.pi, 7)[:-1]:
        crowd = with_disc(crowd, 100 + 25 * np.sin(angle), 60 + 25 * np.cos(angle), 2.5, 3)
    helped = segment(scene_of(crowd), SegmentParameters(min_score=0.0))
    nearest = np.argmin(np.hypot(helped.evidence["row"] - 100, helped.evidence["col"] - 60))
    assert helped.score[nearest] > by_height[3] + 0.02


def test_constant_plane_gives_nothing():
    assert len(segment(scene_of(np.full((200, 200), 7.0)))) == 0


def test_company_by_hand():
    evidence = {
        "diameter_mm": np.array([0.2, 0.4, 0.4, 0.1]),
        "contrast_noise": np.array([10.0, 8.0, 5.0, 3.0]),
        "elongation": np.array([1.0, 2.0, 3.0, 4.0]),
        "response": np.array([6.0, 4.0, 8.0, 7.0]),
    }
    row, col = np.array([0.0, 1.0, 3.0, 20.0]), np.array([0.0, 0.0, 0.0, 0.0])

    found = company_of(evidence, row, col, 5.0)

    assert set(found) == set(COMPANY)
    expected = {
        "larger_mm": [1, 5, 5, 5],
        "larger_diameter": [0.5, 1, 1, 1],
        "larger_contrast": [1.25, 1, 1, 1],
        "larger_elongation": [2, 1, 1, 1],
        "stronger_mm": [3, 1, 5, 5],
        "stronger_response": [0.75, 4 / 6, 1, 1],
        "crowd": [1, 1, 0, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)
    alone = company_of({name: np.empty(0) for name in evidence}, np.empty(0), np.empty(0), 5.0)
    assert all(len(values) == 0 for values in alone.values())


def test_trees_add_what_the_last_answer_gives():
    tree = (Question("size", 2.0, -1.0, 1), Question("contrast", 5.0, 0.25, 4.0))
    trees = trees_of(0.5, (tree, (Question("size", 1.0, 0.0, 10.0),)))
    evidence = {"size": np.array([1.0, 2.0, 2.1, 2.1]), "contrast": np.array([9.0, 9.0, 5.0, 5.1])}
    np.testing.assert_allclose(trees.log_odds(evidence), [-0.5, 9.5, 10.75, 14.5])


def test_corrections_are_added_where_every_answer_is_given():
    correction = Correction((("size", 2.0), ("contrast", 5.0)), (True, False), -3.0)
    evidence = {"size": np.array([2.0, 2.1, 2.0, 2.1]), "contrast": np.array([5.0, 5.0, 5.1, 5.1])}
    np.testing.assert_array_equal(correction.of(evidence), [0.0, -3.0, 0.0, 0.0])


def test_trees_and_corrections_are_read_from_their_text():
    trees = parsed_trees("# made by hand\n0.5\n\nsize 2.0 -1.0 1\nround 3.0 0.25 4.0\n\nsize 1.0 0.0 1.0\n")
    by_hand = trees_of(
        0.5,
        (
            (Question("size", 2.0, -1.0, 1), Question("round", 3.0, 0.25, 4.0)),
            (Question("size", 1.0, 0.0, 1.0),),
        ),
    )
    assert (trees.offset, trees.names) == (by_hand.offset, by_hand.names) == (0.5, ("round", "size"))
    for name, values in (
        ("first", [0, 2]),
        ("asked", [1, 0, 1]),
        ("above", [2.0, 3.0, 1.0]),
        ("following", [[-1, 1], [-2, -3], [-4, -5]]),
        ("answers", [-1.0, 0.25, 4.0, 0.0, 1.0]),
    ):
        for made in (trees, by_hand):
            np.testing.assert_array_equal(getattr(made, name), values, err_msg=name)
    corrections = parsed_corrections(
        '[[corrections]]\nasked = [["size", 1.5]]\nanswers = [false]\nlog_odds = 4\n'
    )
    assert corrections == (Correction((("size", 1.5),), (False,), 4.0),)
    with pytest.raises(ValueError, match="trees without an offset"):
        parsed_trees("# nothing\n")


def test_others_support_a_candidate_by_their_own_evidence_and_corrections_come_on_top():
    own = trees_of(-4.0, ((Question("response", 5.0, 0.0, 5.0),),))
    evidence = {
        "response": np.array([6.0, 6.0, 4.0, 6.0]),
        "contrast_noise": np.array([10.0, 20.0, 10.0, 10.0]),
        "diameter_mm": np.array([0.3, 0.3, 0.3, 0.3]),
    }
    place = np.array([0.0, 3.0, 8.0, 50.0]), np.zeros(4), 5.0
    sure, unsure = probability(np.array([1.0, -4.0]))
    alone, support = scores_in_company(Score(own), evidence, *place)
    np.testing.assert_allclose(alone, [sure, sure, unsure, sure])
    assert list(support) == list(SUPPORT)
    np.testing.assert_allclose(support["own_log_odds"], [1.0, 1.0, -4.0, 1.0])
    # What scores below LEAST_SUPPORT supports nobody.
    np.testing.assert_allclose(support["neighbours"], [sure, sure, sure, 0.0])
    np.testing.assert_allclose(support["neighbours_around"], [sure, sure, 2 * sure, 0.0])
    half_as_bright = np.exp(-0.5 * (np.log(2) / ALIKE["contrast_noise"]) ** 2)
    np.testing.assert_allclose(
        support["alike"], [half_as_bright * sure, half_as_bright * sure, (1 + half_as_bright) * sure, 0.0]
    )
    together = trees_of(0.0, ((Question("neighbours", 0.1, -2.0, 2.0),),))
    weighed, same = scores_in_company(Score(own, together), evidence, *place)
    np.testing.assert_allclose(weighed, probability(np.array([2.0, 2.0, 2.0, -2.0])))
    np.testing.assert_array_equal(same["alike"], support["alike"])
    against = Correction((("response", 5.0),), (True,), -3.0)
    corrected, _ = scores_in_company(Score(own, together, (against,)), evidence, *place)
    np.testing.assert_allclose(corrected, probability(np.array([-1.0, -1.0, 2.0, -5.0])))


def test_what_runs_along_the_skin_is_told_from_what_runs_towards_it():
    plane = with_rod(tissue(), (100, 300), (130, 330), 2.0, 25)
    plane = with_rod(plane, (250, 330), (280, 300), 2.0, 25)
    scene = scene_of(plane)
    # The skin lies beyond the lower right corner: its distance falls along the diagonal.
    cells = np.indices(scene.anatomy.breast.shape).sum(axis=0)
    distance = (60 - 0.35 * cells).astype(np.float32)
    scene = dataclasses.replace(scene, anatomy=dataclasses.replace(scene.anatomy, skin_distance_mm=distance))
    regions = segment(scene)
    assert len(regions) == 2
    towards, along = regions.evidence["skin_alignment"]
    assert towards < 0.05
    assert along > 0.99


def test_the_skin_line_is_no_calcification():
    plane = with_rod(tissue(), (150, 250), (270, 250), 3.0, 15)
    scene = scene_of(plane)
    assert len(segment(scene)) == 1
    near = np.broadcast_to(
        np.abs(np.arange(scene.anatomy.breast.shape[1]) - 40) * 0.5, scene.anatomy.breast.shape
    )
    near = near.astype(np.float32)
    beside = dataclasses.replace(scene, anatomy=dataclasses.replace(scene.anatomy, skin_distance_mm=near))
    score = segment(beside, SegmentParameters(min_score=0.0)).score.max()
    assert score < segment(scene).score.max() - 0.01


def test_the_built_in_score_asks_for_known_evidence_and_comes_to_an_end():
    from mammocalc.segment.objects import EVIDENCE

    score = built_in_score()
    known = {*EVIDENCE, *COMPANY, *SUPPORT}
    assert {name for correction in score.corrections for name, _ in correction.asked} <= known
    assert all(len(correction.asked) == len(correction.answers) for correction in score.corrections)
    assert set(score.own.names) <= {*EVIDENCE, *COMPANY}
    assert set(SUPPORT) <= set(score.together.names) <= known
    for trees in (score.own, score.together):
        assert len(trees.first) > 50
        # Every question but the first of a tree is reached from exactly one earlier one.
        question, way = np.nonzero(trees.following >= 0)
        leads_to = trees.following[question, way]
        assert (leads_to > question).all()
        reached = np.setdiff1d(np.arange(len(trees.asked)), trees.first)
        np.testing.assert_array_equal(np.sort(leads_to), reached)
        ends = -1 - trees.following[trees.following < 0]
        np.testing.assert_array_equal(np.sort(ends), np.arange(len(trees.answers)))


def test_parameters_out_of_bounds_are_named():
    with pytest.raises(InvalidParameter, match=r"seed_response: 0\.1 is outside 1\.0 to 50\.0"):
        SegmentParameters(seed_response=0.1)
