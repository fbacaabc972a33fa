import numpy as np
import pytest
from mammocalc_kernels.hessian import hessian_at, hessian_measures, ridge
from scipy import ndimage

STRUCTURE = 3.0


def second_derivatives(plane, sigma):
    """Twin: scale-normalised Gaussian derivatives in float64, cut off at seven standard deviations."""
    exact = plane.astype(np.float64)
    return [
        sigma**2 * ndimage.gaussian_filter(exact, sigma, order=order, mode="reflect", truncate=7)
        for order in ((2, 0), (1, 1), (0, 2))
    ]


def eigenvalues(rr, rc, cc):
    matrices = np.stack([np.stack([rr, rc], -1), np.stack([rc, cc], -1)], -1)
    lower, upper = np.moveaxis(np.linalg.eigvalsh(matrices), -1, 0)
    return lower, upper


def frangi(lower, upper, structure):
    """Twin: Frangi's measure for a bright ridge in two dimensions, beta 0.5, where the trace is negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        line = np.exp(-((upper / lower) ** 2) / (2 * 0.5**2))
    present = 1 - np.exp(-(upper**2 + lower**2) / (2 * structure**2))
    return np.where(upper + lower < 0, line * present, 0)


def measures(plane, sigmas, structure):
    """Twin: ridge and blob strength, largest over the scales, and where no trace is so near 0 that one may jump."""
    strengths, blobs, steady = [], [], np.ones(plane.shape, bool)
    for sigma in sigmas:
        lower, upper = eigenvalues(*second_derivatives(plane, sigma))
        strengths.append(frangi(lower, upper, structure))
        blobs.append(np.where(upper < 0, upper * lower, 0))
        trace = lower + upper
        steady &= np.abs(trace) > 1e-3 * np.abs(trace).max()
    return np.max(strengths, axis=0), np.max(blobs, axis=0), steady


def tissue(shape, seed=0):
    """Noise, specks, a rod, a bright border and a slope."""
    generator = np.random.default_rng(seed)
    plane = generator.normal(60, 1, shape) + np.linspace(0, 20, shape[1])
    height, width = shape
    plane[height // 4 : height // 4 + 3, width // 4 : width // 4 + 4] += 30
    plane[height // 2 : height // 2 + 40, width // 3 : width // 3 + 4] += 10
    plane[0, 5:40] += 20
    return plane.astype(np.float32)


@pytest.mark.parametrize(
    "sigmas",
    [
        (1.0,),
        (1.0, 1.2, 2.0),
        (1.45,),
        (1.5, 2.5, 4.0),
        (1.75,),
        (1.9,),
        (2.0, 2.8, 5.6),
        (1.0, 2.0, 4.0),
        (3.0, 9.0),
    ],
)
def test_measures_are_those_of_the_formula(sigmas):
    plane = tissue((163, 207))
    expected_ridge, expected_blob, steady = measures(plane, sigmas, STRUCTURE)
    found = hessian_measures(plane, sigmas, STRUCTURE)
    assert steady.mean() > 0.7
    assert np.abs(found.ridge - expected_ridge)[steady].max() < 1e-3 * np.ptp(expected_ridge)
    assert np.abs(found.blob - expected_blob).max() < 1e-3 * np.ptp(expected_blob)
    assert expected_ridge.max() > 0.7


@pytest.mark.parametrize("structure", [0.2, 0.5, 1.0, 3.0])
def test_measures_of_noise_are_those_of_the_formula(structure):
    """Noise holds every frequency, and a small structure makes every one of its ridges count."""
    plane = np.random.default_rng(3).normal(0, 1, (300, 401)).astype(np.float32)
    sigmas = (1.5, 2.5, 4.0)
    expected_ridge, expected_blob, steady = measures(plane, sigmas, structure)
    found = hessian_measures(plane, sigmas, structure)
    assert steady.mean() > 0.9
    assert np.abs(found.ridge - expected_ridge)[steady].max() < 1e-3 * np.ptp(expected_ridge)
    assert np.abs(found.blob - expected_blob).max() < 1e-3 * np.ptp(expected_blob)


@pytest.mark.parametrize("width", [1, 7, 15, 16, 31, 64, 129, 255, 256, 271, 1030])
def test_measures_do_not_depend_on_where_the_plane_ends_on_the_right(width):
    """Rows are cut into pieces by their width; away from the end of a row that is not seen."""
    plane = tissue((40, 1200), seed=7)
    whole = hessian_measures(plane, (1.0, 1.5, 2.5), STRUCTURE)
    part = hessian_measures(np.ascontiguousarray(plane[:, :width]), (1.0, 1.5, 2.5), STRUCTURE)
    inside = max(0, width - 30)
    for a, b in zip(whole, part, strict=True):
        assert np.array_equal(a[:, :inside], b[:, :inside])
        assert np.isfinite(b).all()
    mirrored = np.pad(plane[:, :width], ((0, 0), (60, 60)), mode="symmetric")
    wide = hessian_measures(mirrored, (1.0, 1.5, 2.5), STRUCTURE)
    for a, b in zip(wide, part, strict=True):
        assert np.array_equal(a[:, 60 : 60 + width], b)


def test_ridge_gives_the_same_strength_and_the_direction_along_the_ridge():
    plane = tissue((120, 150))
    sigmas = (1.5, 2.5)
    found = ridge(plane, sigmas, STRUCTURE)
    assert np.array_equal(found.strength, hessian_measures(plane, sigmas, STRUCTURE).ridge)
    strengths, angles = [], []
    for sigma in sigmas:
        rr, rc, cc = second_derivatives(plane, sigma)
        strengths.append(frangi(*eigenvalues(rr, rc, cc), STRUCTURE))
        angles.append(0.5 * np.arctan2(2 * rc, rr - cc))
    expected = np.where(strengths[0] >= strengths[1], angles[0], angles[1])
    clear = (np.abs(strengths[0] - strengths[1]) > 0.01) & (np.max(strengths, axis=0) > 0.2)
    turned = np.abs(found.orientation - expected)
    turned = np.minimum(turned, np.pi - turned)
    assert clear.sum() > 200
    assert turned[clear].max() < 5e-3
    assert (found.orientation[found.strength == 0] == 0).all()
    assert np.abs(found.orientation).max() <= np.pi / 2


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 150])
def test_orientation_of_a_rod(degrees):
    row, col = np.indices((81, 81)) - 40
    angle = np.deg2rad(degrees)
    across = -row * np.sin(angle) + col * np.cos(angle)
    plane = (50 * np.exp(-0.5 * (across / 2) ** 2)).astype(np.float32)
    found = ridge(plane, (2.0,), STRUCTURE)
    turned = np.rad2deg(found.orientation[40, 40]) - degrees
    assert abs((turned + 90) % 180 - 90) < 0.1
    assert found.strength[40, 40] > 0.95
    at = hessian_at(plane, np.array([40]), np.array([40]), 2.0)
    assert abs((np.rad2deg(at.orientation[0]) - degrees + 90) % 180 - 90) < 0.1
    assert at.eigenvalues[0, 0] < -15
    assert abs(at.eigenvalues[0, 1]) < 0.1


@pytest.mark.parametrize("sigma", [1.0, 1.7, 4.0])
def test_points_are_those_of_the_formula(sigma):
    plane = tissue((90, 110))
    generator = np.random.default_rng(5)
    rows = np.concatenate([[0, 89, 0, 89], generator.integers(0, 90, 200)])
    cols = np.concatenate([[0, 109, 109, 0], generator.integers(0, 110, 200)])
    rr, rc, cc = (part[rows, cols] for part in second_derivatives(plane, sigma))
    lower, upper = eigenvalues(rr, rc, cc)
    found = hessian_at(plane, rows, cols, sigma)
    scale = np.abs(lower).max()
    np.testing.assert_allclose(found.eigenvalues, np.stack([lower, upper], 1), atol=1e-3 * scale)
    clear = upper - lower > 0.5
    turned = np.abs(found.orientation - 0.5 * np.arctan2(2 * rc, rr - cc))[clear]
    assert np.minimum(turned, np.pi - turned).max() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 33), (41, 1), (2, 3), (7, 5), (64, 129)])
def test_small_and_odd_planes(shape):
    plane = np.random.default_rng(1).normal(60, 9, shape).astype(np.float32)
    expected_ridge, expected_blob, steady = measures(plane, (1.5, 3.0), STRUCTURE)
    found = hessian_measures(plane, (1.5, 3.0), STRUCTURE)
    assert np.abs(found.ridge - expected_ridge)[steady].max(initial=0) < 2e-3
    assert np.abs(found.blob - expected_blob).max() < 1e-3 * np.ptp(plane) + 1e-3


@pytest.mark.parametrize("value", [0.0, 100.0, -5.0])
def test_a_constant_plane_has_neither_ridge_nor_blob(value):
    found = hessian_measures(np.full((70, 65), value, np.float32), (1.0, 2.0), STRUCTURE)
    assert found.ridge.max() < 1e-6
    assert found.blob.max() < 1e-6


def test_a_blob_beats_a_ridge_on_the_blob_measure_and_the_other_way_round():
    row, col = np.indices((60, 120)) - 30
    blob = np.exp(-0.5 * (row**2 + col**2) / 4)
    rod = np.exp(-0.5 * (col - 50) ** 2 / 4)
    plane = (40 * (blob + rod)).astype(np.float32)
    found = hessian_measures(plane, (2.0, 3.0), STRUCTURE)
    assert found.blob[30, 30] > 100 * found.blob[30, 80]
    assert found.ridge[30, 80] > 0.9 > 0.2 > found.ridge[30, 30]
    dark = hessian_measures(-plane, (2.0, 3.0), STRUCTURE)
    assert dark.ridge[30, 80] == dark.blob[30, 30] == 0


def test_extremes_of_the_grey_range():
    plane = (np.random.default_rng(1).integers(0, 2, (97, 101)) * 65535).astype(np.float32)
    expected_ridge, expected_blob, steady = measures(plane, (1.0, 2.5), 8000.0)
    found = hessian_measures(plane, (1.0, 2.5), 8000.0)
    assert np.abs(found.ridge - expected_ridge)[steady].max() < 2e-3
    assert np.abs(found.blob - expected_blob).max() < 1e-3 * np.ptp(expected_blob)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_do_not_change_a_bit(threads):
    plane = tissue((403, 131))
    for sigmas in ((1.0, 2.5, 4.0), (1.5,)):
        one = hessian_measures(plane, sigmas, STRUCTURE)
        many = hessian_measures(plane, sigmas, STRUCTURE, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
        one = ridge(plane, sigmas, STRUCTURE)
        many = ridge(plane, sigmas, STRUCTURE, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


def test_buffers_are_filled_and_returned():
    plane = tissue((70, 90))
    out = np.full_like(plane, np.nan), np.full_like(plane, np.nan)
    found = hessian_measures(plane, (1.5, 3.0), STRUCTURE, out=out)
    assert found.ridge is out[0]
    assert found.blob is out[1]
    again = hessian_measures(plane, (1.5, 3.0), STRUCTURE)
    assert np.array_equal(found.ridge, again.ridge)
    assert np.array_equal(found.blob, again.blob)


def test_what_is_not_finite_spoils_only_what_it_reaches():
    plane = tissue((200, 200))
    expected = hessian_measures(plane, (1.5, 3.0), STRUCTURE)
    plane[100, 100] = np.nan
    spoilt = hessian_measures(plane, (1.5, 3.0), STRUCTURE)
    assert spoilt.ridge[100, 100] == spoilt.blob[100, 100] == 0
    assert np.array_equal(spoilt.ridge[:60], expected.ridge[:60])
    assert np.array_equal(spoilt.blob[:, 140:], expected.blob[:, 140:])


def test_nothing_to_do_is_done():
    empty = np.zeros((0, 5), np.float32)
    assert hessian_measures(empty, (1.0,), STRUCTURE).ridge.shape == (0, 5)
    assert hessian_at(np.zeros((4, 4), np.float32), [], [], 1.0).eigenvalues.shape == (0, 2)


def test_what_does_not_fit_is_refused():
    plane = np.zeros((8, 9), np.float32)
    with pytest.raises(TypeError, match="float32"):
        hessian_measures(plane.astype(np.float64), (1.0,), STRUCTURE)
    with pytest.raises(ValueError, match="C-contiguous"):
        ridge(plane[:, ::2], (1.0,), STRUCTURE)
    with pytest.raises(ValueError, match="at least 1 px"):
        hessian_measures(plane, (0.9,), STRUCTURE)
    with pytest.raises(ValueError, match="ascending"):
        hessian_measures(plane, (2.0, 1.0), STRUCTURE)
    with pytest.raises(ValueError, match="structure"):
        ridge(plane, (1.0,), 0.0)
    with pytest.raises(ValueError, match="different arrays"):
        hessian_measures(plane, (1.0,), STRUCTURE, out=(plane, np.empty_like(plane)))
    with pytest.raises(ValueError, match="the plane's shape"):
        hessian_measures(plane, (1.0,), STRUCTURE, out=(np.empty((8, 8), np.float32), np.empty_like(plane)))
    with pytest.raises(ValueError, match="outside a plane"):
        hessian_at(plane, np.array([8]), np.array([0]), 1.0)
    with pytest.raises(ValueError, match="of one length"):
        hessian_at(plane, np.array([1, 2]), np.array([0]), 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        hessian_at(plane, np.array([1]), np.array([0]), 0.0)
