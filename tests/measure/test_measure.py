"""Known bodies, blurred and noisy, measured in millimetres."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mammocalc.measure import MeasureParameters, measure
from mammocalc.measure.features import FEATURES
from mammocalc.measure.measure import irregularity
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.segment.regions import Regions

PITCH, STEP, BLUR_MM = 0.07, 8, 0.05
FINE = 4


def drawn(inside, shape=(160, 200)):
    """Cover of each pixel by a body given as a predicate on (row, col), then the detector's blur."""
    grid = (np.indices([n * FINE for n in shape]) + 0.5) / FINE - 0.5
    cover = inside(*grid).astype(float).reshape(shape[0], FINE, shape[1], FINE).mean(axis=(1, 3))
    return ndimage.gaussian_filter(cover, BLUR_MM / PITCH)


def measured(plane, threads=1, noise=0.3):
    plane = 30 * plane
    labels, n = ndimage.label(plane > 15, np.ones((3, 3)))
    offsets, rows, starts, stops, bounds = [0], [], [], [], []
    for k, box in enumerate(ndimage.find_objects(labels)):
        for i in range(box[0].start, box[0].stop):
            edges = np.diff(np.concatenate(([0], (labels[i] == k + 1).astype(int), [0])))
            starts += np.flatnonzero(edges == 1).tolist()
            stops += np.flatnonzero(edges == -1).tolist()
            rows += [i] * int((edges == 1).sum())
        offsets.append(len(rows))
        bounds.append((box[0].start, box[1].start, box[0].stop, box[1].stop))
    regions = Regions(
        plane.shape,
        np.array(offsets, np.int64),
        *(np.array(values, np.int32) for values in (rows, starts, stops)),
        np.array(bounds, np.int32).reshape(-1, 4),
        np.full(n, 0.9),
        {},
    )
    plane = plane + np.random.default_rng(0).normal(0, noise, plane.shape)
    cells = tuple(-(-m // STEP) for m in plane.shape)
    breast = np.ones(cells, bool)
    anatomy = Anatomy(
        STEP, breast, ~breast, ~breast, np.full(cells, 9, np.float32), (80.0, 500.0), "left", 1e4
    )
    curve = np.array([-100.0, 100.0], np.float32)
    level = np.array([0.0, 1.0])
    scene = Scene(plane.astype(np.float32), (16, 24), PITCH, anatomy, curve, curve, curve, level, level + 1)
    return measure(scene, regions, MeasureParameters(detector_blur_mm=BLUR_MM), threads=threads)


def disc(row, col, diameter_mm):
    return lambda r, c: np.hypot(r - row, c - col) * PITCH <= diameter_mm / 2


def wire(angle_deg, length_mm, width_mm, row=80, col=100):
    across, along = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))

    def inside(r, c):
        u, v = (c - col) * across - (r - row) * along, (c - col) * along + (r - row) * across
        return (np.abs(u) * PITCH <= length_mm / 2) & (np.abs(v) * PITCH <= width_mm / 2)

    return inside


@pytest.mark.parametrize("diameter_mm", [0.35, 0.5, 0.8, 1.5, 3.0])
def test_diameter_of_a_disc(diameter_mm):
    columns = measured(drawn(disc(80.3, 100.6, diameter_mm))).columns
    assert columns["diameter_mm"][0] == pytest.approx(diameter_mm, abs=0.05 + 0.05 * diameter_mm)
    assert columns["elongation"][0] < 1.2
    assert columns["row"][0] == pytest.approx(16 + 80.3, abs=0.3)
    assert columns["col"][0] == pytest.approx(24 + 100.6, abs=0.3)


@pytest.mark.parametrize("angle_deg", [0, 30, 45, -60, 90])
@pytest.mark.parametrize("width_mm", [0.4, 0.6, 1.0])
def test_calibre_length_and_direction_of_a_wire(angle_deg, width_mm):
    columns = measured(drawn(wire(angle_deg, 5.0, width_mm))).columns
    assert columns["width_mm"][0] == pytest.approx(width_mm, abs=0.05 + 0.05 * width_mm)
    assert columns["length_mm"][0] == pytest.approx(5.0, abs=0.35)
    apart = abs(columns["orientation_deg"][0] - angle_deg) % 180
    assert min(apart, 180 - apart) < 3
    assert columns["straightness"][0] > 0.97


def test_a_shell_is_lucent_and_a_disc_is_not():
    ring = drawn(
        lambda r, c: (np.hypot(r - 80, c - 100) * PITCH <= 1.5) & (np.hypot(r - 80, c - 100) * PITCH >= 1.0)
    )
    shell, solid = measured(ring).columns, measured(drawn(disc(80, 100, 3.0))).columns
    assert shell["lucency"][0] > 0.7
    assert shell["ring_closure"][0] > 0.9
    assert shell["wall_thickness_mm"][0] == pytest.approx(0.5, abs=0.1)
    assert solid["lucency"][0] < 0.1


def ball(row, col, diameter_mm, hollow_mm=0.0):
    r, c = np.indices((160, 200)).astype(float)
    away = np.hypot(r - row, c - col) * PITCH
    chord = [np.sqrt(np.maximum((d / 2) ** 2 - away**2, 0)) for d in (diameter_mm, hollow_mm)]
    thickness = chord[0] - chord[1]
    return ndimage.gaussian_filter(thickness / thickness.max(), BLUR_MM / PITCH)


def test_a_ball_is_a_dome_and_a_shell_is_flat():
    solid = measured(ball(80.2, 90.4, 1.2)).columns
    shell = measured(ball(80.2, 90.4, 1.2, hollow_mm=0.55)).columns
    assert solid["flatness"][0] < 0.35
    assert shell["flatness"][0] > 0.7


def test_thickness_of_a_disc_and_of_crossed_wires():
    assert measured(drawn(disc(80.3, 100.6, 1.5))).columns["thickness_mm"][0] == pytest.approx(1.5, abs=0.1)
    one, other = wire(20, 4.0, 0.4), wire(95, 4.0, 0.4)
    columns = measured(drawn(lambda r, c: one(r, c) | other(r, c))).columns
    assert columns["thickness_mm"][0] == pytest.approx(0.5, abs=0.12)
    assert columns["length_mm"][0] > 3.5


def test_core_of_a_popcorn_and_of_a_hollow_plaque():
    """Whatever the form: two lobes beside each other have no common centre."""
    lobes = np.maximum(ball(80, 70, 2.6), ball(80, 104, 2.6))
    hollow = lobes - 0.6 * np.maximum(ball(80, 70, 1.2), ball(80, 104, 1.2))
    assert measured(lobes).columns["core_lucency"][0] < -0.08
    assert measured(hollow).columns["core_lucency"][0] > 0.1
    assert np.isnan(measured(ball(80, 70, 0.4)).columns["core_lucency"][0])


def test_a_bent_wire_is_no_ring():
    """Open over a quarter of the way round: a shell shows through its middle, a wire does not."""

    def bow(r, c):
        away, turn = np.hypot(r - 80, c - 100) * PITCH, np.arctan2(r - 80, c - 100)
        return (np.abs(away - 2.0) < 0.2) & (np.abs(turn) > np.pi / 4)

    wire_like = measured(drawn(bow)).columns
    assert wire_like["width_mm"][0] == pytest.approx(0.4, abs=0.07)
    assert wire_like["length_mm"][0] == pytest.approx(3 * np.pi, abs=0.6)
    filled = drawn(bow) + 0.3 * drawn(disc(80, 100, 3.9))
    shell_like = measured(filled).columns
    assert shell_like["lucency"][0] > 0.4
    assert shell_like["diameter_mm"][0] == pytest.approx(4.4, abs=0.3)


@pytest.mark.parametrize(("knot_mm", "bulge"), [(0.0, 1.0), (0.8, 2.0)])
def test_a_knot_bulges(knot_mm, bulge):
    plane = drawn(
        lambda r, c: (
            wire(30, 6.0, 0.4)(r, c) | (np.hypot(r - 75, c - (100 + 5 * np.sqrt(3))) * PITCH < knot_mm / 2)
        )
    )
    assert measured(plane).columns["bulge"][0] == pytest.approx(bulge, abs=0.25)


def test_every_feature_and_no_bit_by_threads():
    bodies = sum(drawn(disc(r, c, 0.3 + 0.01 * r)) for r in (20, 70, 120) for c in (30, 90, 150))
    one, four = measured(bodies), measured(bodies, threads=4)
    assert set(one.columns) == set(FEATURES)
    assert len(one) == 9
    for name in FEATURES:
        np.testing.assert_array_equal(one.columns[name], four.columns[name])


def test_no_candidates_give_empty_columns():
    empty = measured(np.zeros((160, 200)), noise=1.0)
    assert len(empty) == 0
    assert set(empty.columns) == set(FEATURES)


class TestIrregularity:
    def test_lacking_twice_as_much_to_a_disc_is_two_thirds_more(self):
        lack = np.array([0.01, 0.02, 0.04])
        found = irregularity(1.005 - lack, np.full(3, 5.0), np.full(3, 8.0))
        assert np.diff(found) == pytest.approx([np.log(2)] * 2)

    def test_a_small_faint_ball_is_expected_to_be_measured_as_less_round(self):
        px, cnr = np.array([5.0, 5.0, 12.0]), np.array([3.0, 12.0, 3.0])
        found = irregularity(np.full(3, 0.96), px, cnr)
        assert found[1] > found[0] > found[2]

    def test_is_nan_where_one_of_the_three_is(self):
        values = np.array([0.95, np.nan, 0.95]), np.array([5.0, 5.0, np.nan]), np.array([8.0, 8.0, 8.0])
        assert np.isnan(irregularity(*values)).tolist() == [False, True, True]
