"""Arteries calcified all around: found by their band, whatever their pieces are, and nothing else taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.artery_bands import stretches_along

from mammocalc.arrange import ArrangeParameters, arrange

ACROSS, TOWARDS_NIPPLE = 90.0, 0.0
GRANULAR = {"roughness": 0.06, "width_variation": 0.4, "nipple_angle_deg": 80.0}
BAND = {"vessel_width_mm": 1.0, "vessel_height": 8.0}


def laid_along(candidates, line, length_mm, roughness=0.06):
    """By turns lumps and pieces that are too thick to be linked, over a length from a polyline's beginning."""
    rows = []
    every = 6
    for number, k in enumerate(range(4, int(length_mm / 0.25) - 3, every)):
        y, x = line[k]
        way = line[k + 1] - line[k - 1]
        angle = float(np.degrees(np.arctan2(-way[0], way[1])))
        form = {**GRANULAR, "roughness": roughness}
        if number % 3 == 1:
            rows.append(candidates.strand(y, x, angle, 1.8, 0.9, **form))
        else:
            rows.append(candidates.speck(y, x, length_mm=0.8, width_mm=0.7, diameter_mm=0.75, **form))
    return rows


def centred(winding, angle_deg, length_mm, bend_deg=15.0):
    line = winding((0.0, 0.0), angle_deg, length_mm, bend_deg)
    return line + np.array([75.0, 50.0]) - line.mean(axis=0)


@pytest.mark.parametrize("angle_deg", [60.0, ACROSS, 130.0])
def test_lumps_on_a_band_are_one_vessel(candidates, make_scene, winding, angle_deg):
    line = centred(winding, angle_deg, 24.0)
    scene = make_scene(vessel=line, **BAND)
    rows = laid_along(candidates, line, 24.0)
    aside = candidates.speck(75.0, 58.0)
    found = arrange(scene, candidates.measurements()).columns
    assert (found["chain_id"][rows] == 1).all()
    assert found["chain_id"][aside] == 0
    assert found["tube_covered_mm"][rows] == pytest.approx(22.0, abs=3.0)
    assert found["tube_covered_mm"][aside] == 0.0
    assert (found["cluster_id"][rows] == 0).all()


@pytest.mark.parametrize(
    ("change", "roughness"),
    [
        ({"vessel_width_mm": 0.3}, 0.06),
        ({"vessel_width_mm": 3.5}, 0.06),
        ({"vessel_height": 0.3}, 0.06),
        ({}, 0.02),
    ],
)
def test_nothing_else_is_one(candidates, make_scene, winding, change, roughness):
    line = centred(winding, ACROSS, 24.0)
    scene = make_scene(vessel=line, **{**BAND, **change})
    rows = laid_along(candidates, line, 24.0, roughness)
    found = arrange(scene, candidates.measurements()).columns
    assert (found["tube_covered_mm"][rows] == 0.0).all()


@pytest.mark.parametrize(
    ("angle_deg", "calcified_mm", "is_vessel"),
    [(ACROSS, 8.5, True), (ACROSS, 4.0, False), (TOWARDS_NIPPLE, 8.5, False), (TOWARDS_NIPPLE, 13.0, True)],
)
def test_how_far_it_is_calcified_counts(candidates, make_scene, winding, angle_deg, calcified_mm, is_vessel):
    line = centred(winding, angle_deg, 14.0, 0.0)
    scene = make_scene(vessel=line, **BAND)
    rows = laid_along(candidates, line, calcified_mm)
    found = arrange(scene, candidates.measurements()).columns
    assert (found["tube_covered_mm"][rows] > 0.0).all() == is_vessel
    if is_vessel:
        limit = ArrangeParameters().tube_mm if angle_deg == ACROSS else ArrangeParameters().tube_sure_mm
        assert (found["tube_covered_mm"][rows] >= limit).all()


def test_two_pieces_on_a_long_vessel_without_calcium_are_none(candidates, make_scene, winding):
    line = centred(winding, ACROSS, 30.0)
    scene = make_scene(vessel=line, **BAND)
    rows = [candidates.strand(*line[k], ACROSS, 3.0, 0.9, **GRANULAR) for k in (40, 80)]
    found = arrange(scene, candidates.measurements()).columns
    assert (found["tube_covered_mm"][rows] == 0.0).all()


def test_a_band_is_seen_where_it_is(make_scene):
    line = np.stack([np.full(41, 40.0), np.linspace(30.0, 50.0, 41)], axis=1)
    scene = make_scene(vessel=line[:21], **BAND)
    first, end = stretches_along(scene.plane, scene.pixel_spacing_mm, line)
    assert first.tolist() == [0]
    assert end[0] == pytest.approx(21, abs=2)
