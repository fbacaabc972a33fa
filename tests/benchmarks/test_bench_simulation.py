"""The simulation draws its specks where its truth says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def simulation(monkeypatch):
    import bench_simulation

    monkeypatch.setattr(bench_simulation, "ROWS", 300)
    monkeypatch.setattr(bench_simulation, "COLUMNS", 240)
    return bench_simulation


def test_specks_stand_out_where_they_are_said_to_be(simulation):
    pixels, drawn = simulation.simulate(0, simulation.PHOTONS)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (300, 240)
    assert len(drawn) > 3
    size = np.array([diameter_mm for *_, diameter_mm in drawn])
    assert ((size >= 0.2) & (size <= 0.6)).all()
    above = []
    for row, col, _ in drawn:
        i, j = round(row), round(col)
        around = pixels[i - 8 : i + 9, j - 8 : j + 9].astype(float)
        above.append(around[7:10, 7:10].mean() - np.median(around))
    assert np.mean(above) > 2


def test_the_same_seed_is_the_same_image(simulation):
    one, other = simulation.simulate(3, 7000), simulation.simulate(3, 7000)
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]


def test_attenuation_falls_with_energy_and_calcium_stops_most(simulation):
    energies = simulation.ENERGIES
    for material in (simulation.FAT, simulation.GLAND, simulation.CALCIUM):
        assert (np.diff(simulation.attenuation(material, energies)) < 0).all()
    # At 20 keV: 0.46, 0.80 and 12.5 per cm.
    per_cm = [
        10 * simulation.attenuation(m, 20.0) for m in (simulation.FAT, simulation.GLAND, simulation.CALCIUM)
    ]
    np.testing.assert_allclose(per_cm, [0.456, 0.802, 12.8], rtol=0.02)
