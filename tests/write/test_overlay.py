"""The overlay picture: outlines where and in the colour they should be, and the image left visible."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from mammocalc.write import overlay
from mammocalc.write.display import breast_bounds
from mammocalc.write.overlay import (
    chain_label,
    cluster_caption,
    cluster_hull,
    draw_overlay,
    overlay_name,
    write_overlay,
)
from mammocalc.write.palette import LABEL_COLOURS


@pytest.fixture(scope="module")
def picture(findings):
    return draw_overlay(findings)


def has_colour(area, label):
    return (area == LABEL_COLOURS[label]).all(axis=-1)


def on_canvas(findings, row, col):
    """The canvas is the breast's bounding box, here magnified twice."""
    row_min, col_min, *_ = breast_bounds(findings.mammogram, findings.scene)
    return round((row - row_min + 0.5) * 2 - 0.5), round((col - col_min + 0.5) * 2 - 0.5)


def test_the_label_of_the_test_objects(findings):
    assert findings.classification.label.tolist() == ["large_rod_like"] + ["punctate"] * 6


def test_an_outline_surrounds_the_rod_at_a_distance_in_its_colour(findings, picture):
    # The rod covers rows 220 to 227 and columns 100 to 159 of the stored image.
    top, left = on_canvas(findings, 220, 100)
    bottom, right = on_canvas(findings, 227, 159)
    coloured = has_colour(picture[top - 20 : bottom + 21, left - 20 : right + 21], "large_rod_like")
    rows, columns = np.nonzero(coloured)
    assert len(rows) > 300
    np.testing.assert_allclose((rows.min(), rows.max()), (20 - 5, 20 + bottom - top + 5), atol=3)
    np.testing.assert_allclose((columns.min(), columns.max()), (20 - 5, 20 + right - left + 5), atol=3)


def test_the_calcification_itself_stays_visible(findings, picture):
    top, left = on_canvas(findings, 220, 100)
    bottom, right = on_canvas(findings, 227, 159)
    inside = picture[top : bottom + 1, left : right + 1].astype(int)
    assert (np.ptp(inside, axis=-1) == 0).all()
    assert inside.mean() > 240


def test_each_speck_has_an_outline_of_its_own(findings, picture):
    for row, col in findings.calcifications.loc[1:, ["row", "col"]].to_numpy():
        y, x = on_canvas(findings, row, col)
        around = has_colour(picture[y - 14 : y + 15, x - 14 : x + 15], "punctate")
        assert around.any(axis=1).sum() >= 10
        assert not around[14 - 3 : 14 + 4, 14 - 3 : 14 + 4].any()


def test_labels_that_do_not_occur_have_no_colour_in_the_picture(picture):
    for label in LABEL_COLOURS:
        if label not in ("large_rod_like", "punctate", "unclassified"):
            assert not has_colour(picture, label).any(), label


def test_the_legend_counts_only_what_is_there(findings, picture):
    panel = picture[:, -overlay.PANEL_WIDTH :][: overlay._details_top(2)]
    assert has_colour(panel, "large_rod_like").sum() > 20
    assert has_colour(panel, "punctate").sum() > 20


def test_the_scale_bar_is_as_long_as_it_says(findings, picture):
    # 10 mm are 100 pixels, magnified twice; the bar is the longest run of ink near the lower edge.
    ink = (picture[-40:, :400] == overlay._INK).all(axis=-1)
    assert ink.sum(axis=1).max() == pytest.approx(201, abs=3)


@pytest.mark.parametrize(("mm_per_pixel", "length_mm"), [(0.1, 20), (0.07, 20), (0.05, 10), (0.01, 2)])
def test_the_scale_bar_has_a_round_length_of_at_most_a_quarter(mm_per_pixel, length_mm):
    canvas = np.zeros((100, 1200, 3), np.uint8)
    overlay._draw_scale_bar(canvas, mm_per_pixel, (24, 60))
    ink = (canvas[60] == overlay._INK).all(axis=-1)
    assert ink.sum() == pytest.approx(length_mm / mm_per_pixel, abs=4)


def test_the_picture_of_an_inverted_image_is_the_same(make_findings, picture):
    inverted = draw_overlay(make_findings(dense_is_bright=False))
    assert inverted.shape == picture.shape
    assert (np.abs(inverted.astype(int) - picture) > 12).mean() < 0.001


def test_a_large_image_is_reduced(make_findings, monkeypatch):
    monkeypatch.setattr(overlay, "LONGEST_SIDE", 400)
    findings = make_findings()
    small = draw_overlay(findings)
    row_min, col_min, row_max, col_max = breast_bounds(findings.mammogram, findings.scene)
    scale = 400 / (row_max - row_min)
    assert small.shape[1] == round((col_max - col_min) * scale) + overlay.PANEL_WIDTH
    y, x = round((223 - row_min) * scale), round((130 - col_min) * scale)
    assert has_colour(small[y - 12 : y + 13, x - 60 : x + 61], "large_rod_like").sum() > 60
    assert np.ptp(small[y, x].astype(int)) == 0


def test_an_image_without_findings_has_a_picture(make_findings):
    picture = draw_overlay(make_findings(rods=0, specks=0))
    assert not any(has_colour(picture, label).any() for label in LABEL_COLOURS if label != "unclassified")
    assert picture[:, : -overlay.PANEL_WIDTH].max() > 100


def test_magnified_details_are_shown_for_cluster_and_rod(findings, picture):
    squares = list(overlay._detail_bounds(findings))
    assert len(squares) == 2
    cluster, rod = squares
    assert cluster[0] <= 440 - 15 < 474 + 15 <= cluster[2] + 1
    assert rod[1] <= 100 - 15 < 160 + 15 <= rod[3]
    for top, left, bottom, right in squares:
        assert bottom - top == right - left
        assert top >= 0
        assert left >= 0


def test_a_detail_at_the_edge_stays_in_the_image(make_findings):
    findings = make_findings(rods=1, specks=0)
    findings.regions.bounds[0] = (690, 0, 700, 8)
    top, left, bottom, right = overlay._square(findings, np.array([0]), 100.0)
    assert 0 <= top < bottom <= 800
    assert 0 <= left < right <= 600


def test_the_hull_of_a_cluster_has_its_members_inside_with_a_margin(findings):
    hull = cluster_hull(findings, 0, margin_mm=1.5).astype(np.float32)
    for row, col in findings.calcifications.loc[1:, ["row", "col"]].to_numpy():
        assert cv2.pointPolygonTest(hull, (float(row), float(col)), True) > 14


def test_the_caption_of_a_cluster(findings):
    assert cluster_caption(findings, 0) == "cluster 1: 6, grouped, punctate"


def test_a_chain_has_the_label_of_most_of_its_members(make_findings):
    findings = make_findings()
    findings.arrangement.columns["chain_id"][:4] = 1
    assert chain_label(findings, 1) == "punctate"


def test_the_file_holds_the_picture_and_is_the_same_each_time(findings, picture, tmp_path):
    first = write_overlay(findings, tmp_path / "new" / "a.png")
    second = write_overlay(findings, tmp_path / "new" / "b.png")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in first.parent.iterdir()) == ["a.png", "b.png"]
    np.testing.assert_array_equal(cv2.imread(str(first))[..., ::-1], picture)


NAMES = [
    "a/b.dcm",
    "a_b.dcm",
    "a b.dcm",
    "../x",
    "",
    "ä/ö.dcm",
    "line\nbreak",
    "x" * 300,
    "IM0001",
    "caf\udce9",
]


def test_names_of_pictures_are_safe_and_unique():
    made = [overlay_name(name, frame) for name in NAMES for frame in (0, 1)]
    assert len({name.lower() for name in made}) == len(made)
    for name in made:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,120}\.png", name)
        assert not name.startswith(".")


def test_the_name_of_a_picture_tells_which_input_it_is_of():
    assert re.fullmatch(r"exam1_IM7-[0-9a-f]{8}\.png", overlay_name("exam1/IM7"))
    assert re.fullmatch(r"exam1_IM7-[0-9a-f]{8}-frame12\.png", overlay_name("exam1/IM7", 12))
