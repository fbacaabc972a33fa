"""The close-up of one calcification: what is drawn lies where it was measured."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Ellipse

from mammocalc.errors import InvalidParameter
from mammocalc.write.closeup import (
    axis_of,
    closeup_bounds,
    closeup_name,
    draw_closeup,
    find_image,
    write_closeup,
)


def notes(figure):
    """Every note on the drawn panel."""
    return [text.get_text() for text in figure.axes[1].texts if text.get_text()]


def changed(findings, k, **values):
    """The same findings with other measurements of row `k`."""
    from dataclasses import replace

    columns = {name: column.copy() for name, column in findings.measurements.columns.items()}
    for name, value in values.items():
        columns[name][k] = value
    return replace(findings, measurements=replace(findings.measurements, columns=columns))


def test_the_axis_is_as_long_as_measured_and_goes_through_the_middle(findings):
    line = axis_of(findings, 0)
    columns = findings.measurements.columns
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum() * findings.mammogram.pixel_spacing_mm
    assert length == pytest.approx(columns["length_mm"][0] * columns["straightness"][0], rel=0.15)
    np.testing.assert_allclose(line.mean(axis=0), (columns["row"][0], columns["col"][0]), atol=1.0)
    dy, dx = line[-1] - line[0]
    assert np.degrees(np.arctan2(-dy, dx)) == pytest.approx(columns["orientation_deg"][0], abs=3)


def test_a_rod_has_its_axis_and_calibre(findings):
    figure = draw_closeup(findings, 1)
    columns = findings.measurements.columns
    assert f"length {columns['length_mm'][0]:.2f} mm" in notes(figure)
    assert f"calibre {columns['width_mm'][0]:.2f} mm" in notes(figure)
    bars = [
        line
        for line in figure.axes[1].get_lines()
        if isinstance(line, Line2D) and line.get_linewidth() == 2.0
    ]
    (bar,) = (line for line in bars if line.get_marker() == "o")
    (x0, x1), (y0, y1) = bar.get_data()
    across = np.hypot(x1 - x0, y1 - y0) * findings.mammogram.pixel_spacing_mm
    assert across == pytest.approx(columns["width_mm"][0])


def test_a_round_one_has_its_diameter(findings):
    figure = draw_closeup(changed(findings, 1, elongation=1.1, diameter_mm=0.4), 2)
    (circle,) = (patch for patch in figure.axes[1].patches if isinstance(patch, Circle))
    assert circle.radius * 2 * findings.mammogram.pixel_spacing_mm == pytest.approx(0.4)
    assert "diameter 0.40 mm" in notes(figure)


def test_a_rim_has_both_edges_of_its_wall(findings):
    form = {"length_mm": 3.0, "width_mm": 2.0, "wall_thickness_mm": 0.3, "lucency": 0.6, "ring_closure": 0.9}
    figure = draw_closeup(changed(findings, 1, **form), 2)
    spacing = findings.mammogram.pixel_spacing_mm
    edges = [patch for patch in figure.axes[1].patches if isinstance(patch, Ellipse)]
    sizes = [(edge.width * spacing, edge.height * spacing) for edge in edges]
    np.testing.assert_allclose(sizes, [(3.0, 2.0), (2.4, 1.4)])
    assert "wall 0.30 mm, closed over 90%" in notes(figure)


def test_the_decision_stands_beside_it(findings):
    figure = draw_closeup(findings, 1)
    (text,) = figure.texts
    words = " ".join(text.get_text().split())
    assert " ".join(findings.explain(1).brief().split()) in words
    assert "not a medical device" in words


@pytest.mark.parametrize("rules", [1, 80])
def test_however_much_there_is_to_say_it_fits(findings, rules, monkeypatch):
    from mammocalc.classify import Explanation

    monkeypatch.setattr(Explanation, "brief", lambda _: "\n".join(["a rule that failed"] * rules))
    figure = draw_closeup(findings, 1)
    figure.draw_without_rendering()
    (text,) = figure.texts
    box = text.get_window_extent()
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_the_square_holds_the_calcification_in_its_middle(findings):
    row_min, col_min, row_max, col_max = closeup_bounds(findings, 0)
    assert row_max - row_min == col_max - col_min
    box = findings.regions.bounds[0] + np.tile(findings.scene.origin, 2)
    assert row_min < box[0] < box[2] < row_max
    assert (row_min + row_max) / 2 == pytest.approx((box[0] + box[2]) / 2, abs=1)


def test_the_file_is_a_picture_and_the_same_again(findings, tmp_path):
    first = write_closeup(findings, 1, tmp_path / "new" / "one.png")
    second = write_closeup(findings, 1, tmp_path / "two.png")
    assert first.read_bytes() == second.read_bytes()
    assert cv2.imread(str(first)).std() > 10
    assert [path.name for path in first.parent.iterdir()] == ["one.png"]


def test_an_unknown_calcification_is_named(findings):
    with pytest.raises(InvalidParameter, match="there is no calcification 99"):
        draw_closeup(findings, 99)


def test_names_tell_images_frames_and_numbers_apart():
    names = {closeup_name("a/b.dcm", 1), closeup_name("a_b.dcm", 1), closeup_name("a/b.dcm", 2)}
    names.add(closeup_name("a/b.dcm", 1, frame=2))
    assert len(names) == 4


def test_the_image_is_looked_for_in_and_below_the_places(tmp_path):
    file = tmp_path / "given" / "case" / "left.dcm"
    file.parent.mkdir(parents=True)
    file.touch()
    assert find_image("case/left.dcm", [tmp_path]) == file
    assert find_image("case/left.dcm", [tmp_path / "nowhere", tmp_path / "given"]) == file
    assert find_image("left.dcm", [tmp_path]) is None
