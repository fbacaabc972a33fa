"""Solids, tissue and detector against what is known of them in closed form."""

import math

import numpy as np
import pytest

from mammocalc.phantom import DETECTORS, Detector, PhantomSettings, make_gauge
from mammocalc.phantom.anatomy import make_breast
from mammocalc.phantom.detector import SCATTER_TO_PRIMARY, expose
from mammocalc.phantom.plate import Plate, Solid, folded
from mammocalc.phantom.solids import angular, ellipsoid, random_faces, shell, tube
from mammocalc.phantom.tissue import FAT_PER_MM, power_law_field

STEP = 0.01
Y, X = np.meshgrid(np.arange(-2, 2, STEP) + STEP / 2, np.arange(-2, 2, STEP) + STEP / 2, indexing="ij")


def volume(thickness):
    return thickness.sum() * STEP**2


def test_volume_of_an_ellipsoid():
    assert volume(ellipsoid(Y, X, 1.2, 0.6, 0.4, 0.7)) == pytest.approx(
        4 / 3 * math.pi * 1.2 * 0.6 * 0.4, rel=1e-3
    )


def test_volume_and_centre_of_a_shell():
    thickness = shell(Y, X, 1.0, 1.0, 0.2, 0.0)
    assert volume(thickness) == pytest.approx(4 / 3 * math.pi * (1 - 0.8**3), rel=1e-3)
    assert thickness[200, 200] == pytest.approx(0.4, abs=0.01)  # two walls
    assert thickness.max() == pytest.approx(2 * math.sqrt(1 - 0.8**2), rel=0.02)  # along the inner edge


def test_a_shell_that_is_all_wall_is_solid():
    np.testing.assert_array_equal(shell(Y, X, 0.3, 0.3, 0.4, 0.0), ellipsoid(Y, X, 0.3, 0.3, 0.3, 0.0))


def test_volume_of_a_tube():
    thickness = tube(Y, X, np.array([[0.3, -1.0], [-0.4, 1.1]]), np.full(2, 0.25))
    length = math.hypot(0.7, 2.1)
    assert volume(thickness) == pytest.approx(
        math.pi * 0.25**2 * length + 4 / 3 * math.pi * 0.25**3, rel=2e-3
    )


def test_a_cube_seen_face_on():
    faces = np.vstack([np.eye(3), -np.eye(3)])
    thickness = angular(Y, X, faces, np.full(6, 0.5))
    inside = (np.abs(Y) < 0.5) & (np.abs(X) < 0.5)
    np.testing.assert_allclose(thickness[inside], 1.0)
    assert thickness[~inside].max() == 0


def test_angular_bodies_are_closed_and_within_reach():
    rng = np.random.default_rng(0)
    for _ in range(50):
        faces, distances = random_faces(rng, 6, 0.5, 0.3, rng.uniform(0, 3))
        thickness = angular(Y, X, faces, distances)
        assert 0 < thickness.max() < 2.0
        assert thickness[np.hypot(Y, X) > 1.2].max() == 0


@pytest.mark.parametrize(
    ("angle", "axis"), [(0, 0), (90, 90), (-90, 90), (91, -89), (180, 0), (-45, -45), (269, 89)]
)
def test_an_axis_has_one_direction(angle, axis):
    assert folded(angle) == pytest.approx(axis)


def test_power_falls_with_the_exponent_asked_for():
    field = power_law_field(np.random.default_rng(1), (512, 512), 0.1, 3.0, 1000.0)
    power = np.abs(np.fft.rfft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512, 0.1)[:, None], np.fft.rfftfreq(512, 0.1)[None, :])
    fitted = (frequency > 0.1) & (frequency < 3)
    slope, _ = np.polyfit(np.log(frequency[fitted]), np.log(power[fitted]), 1)
    assert slope == pytest.approx(-3.0, abs=0.1)
    assert field.std() == pytest.approx(1.0)


def test_noise_is_quantum_and_electronic():
    detector = Detector(0.07, 0.0001, 40.0, 0.1, 0.0, "soft", 12, "DIRECT")
    for attenuation in (-1.0, 0.0, 1.0):
        plane = np.full((300, 300), attenuation)
        exposure = expose(np.random.default_rng(2), plane, 0.0, detector)
        level = exposure.mean()
        assert level == pytest.approx(math.exp(-attenuation), rel=0.01)
        assert exposure.std() == pytest.approx(math.sqrt(0.9 * level + 0.1) / 40, rel=0.02)


def test_blur_is_the_detector_s():
    detector = Detector(0.05, 0.08, 1e9, 0.0, 0.0, "soft", 12, "DIRECT")
    plane = np.zeros((101, 101))
    plane[50, 50] = 1e-3
    lost = 1 - expose(np.random.default_rng(0), plane, 0.0, detector)
    lost -= np.median(lost)
    offsets = (np.arange(101) - 50) * 0.05
    near = np.abs(offsets) < 0.5
    profile = lost.sum(0)[near]
    sigma = math.sqrt((profile * offsets[near] ** 2).sum() / profile.sum())
    assert sigma == pytest.approx(0.08, rel=0.02)
    assert lost.sum() == pytest.approx(1e-3 / (1 + SCATTER_TO_PRIMARY), rel=0.05)


@pytest.fixture(scope="module")
def plate():
    settings = PhantomSettings(rows=900, columns=640)
    breast = make_breast(1, settings)
    detector = DETECTORS["selenium_70"]
    return Plate(breast, FAT_PER_MM * breast.thickness_mm, detector, 0.0, np.random.default_rng(0))


def test_what_is_laid_down_has_its_mass_and_place(plate):
    y, x = 31.013, 17.027
    before = plate.calcium.sum()
    solid = Solid("round", lambda v, u: ellipsoid(v, u, 0.3, 0.3, 0.3, 0.0), 0.3, 0.8)
    index = plate.lay(solid, y, x)
    deposit = plate.deposits[index]
    mass = (plate.calcium.sum() - before) * plate.pitch**2
    assert mass == pytest.approx(0.8 * 4 / 3 * math.pi * 0.3**3, rel=0.01)
    assert (deposit.row * plate.pitch, deposit.col * plate.pitch) == pytest.approx((y, x), abs=0.002)
    assert deposit.solid.diameter_mm == pytest.approx(0.6, abs=0.03)
    # Half of the peak is reached at 0.866 of the radius.
    area = deposit.mask.sum() * plate.pitch**2
    assert area == pytest.approx(math.pi * (0.866 * 0.3) ** 2, rel=0.12)


def test_nothing_is_laid_on_something_or_outside(plate):
    solid = Solid("round", lambda v, u: ellipsoid(v, u, 0.3, 0.3, 0.3, 0.0), 0.3, 0.8)
    assert plate.lay(solid, 40.0, 20.0) is not None
    assert plate.lay(solid, 40.3, 20.3) is None
    assert plate.lay(solid, 40.0, 63.0) is None
    assert plate.lay(solid, -1.0, 20.0) is None


def test_undo_takes_back_all_of_it(plate):
    before, taken = plate.calcium.copy(), plate.taken.copy()
    count = len(plate.deposits)
    solid = Solid("round", lambda v, u: ellipsoid(v, u, 0.3, 0.3, 0.3, 0.0), 0.3, 0.8)
    assert plate.lay(solid, 25.0, 15.0) is not None
    plate.undo(count)
    np.testing.assert_allclose(plate.calcium, before, atol=1e-12)
    np.testing.assert_array_equal(plate.taken, taken)


def test_faint_calcium_is_raised_to_be_seen_and_no_further_than_calcium_goes():
    settings = PhantomSettings(rows=900, columns=640)
    breast = make_breast(1, settings)
    detector = DETECTORS["selenium_70"]
    plate = Plate(breast, FAT_PER_MM * breast.thickness_mm, detector, 6.0, np.random.default_rng(0))
    faint = Solid("round", lambda v, u: ellipsoid(v, u, 0.25, 0.25, 0.25, 0.0), 0.25, 0.001)
    index = plate.lay(faint, 31.0, 17.0)
    assert 6.0 <= plate.deposits[index].detectability <= 6.0 * math.exp(0.7)
    tiny = Solid("punctate", lambda v, u: ellipsoid(v, u, 0.03, 0.03, 0.03, 0.0), 0.03, 0.001)
    assert plate.lay(tiny, 35.0, 17.0) is None


@pytest.mark.parametrize("kind", ["wire", "disc", "ball", "shell"])
def test_gauges_have_the_sizes_asked_for(kind):
    sizes = [0.2, 0.6, 1.4, 2.5]
    phantom = make_gauge(
        2, kind, sizes, settings=PhantomSettings(rows=1000, columns=700, intent="FOR PROCESSING")
    )
    drawn = phantom.truth.calcifications
    assert [one.width_mm for one in drawn] == sizes
    pitch = phantom.truth.pixel_spacing_mm
    for one, size in zip(drawn, sizes, strict=True):
        area = phantom.truth.mask(one.calcification_id).sum() * pitch**2
        if kind == "wire" and size > 0.5:
            assert one.length_mm == 6.0
            assert area == pytest.approx(0.866 * size * 6.0, rel=0.15)
        if kind == "disc" and size > 0.5:
            assert area == pytest.approx(math.pi * size**2 / 4, rel=0.08)
        if kind == "shell":
            assert one.wall_mm == pytest.approx(0.12 * size)
