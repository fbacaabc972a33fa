import numpy as np
import pytest
from mammocalc_kernels.blurred_profiles import BAR, BODIES, DISC, profile_value, tabulate_profiles
from mammocalc_kernels.profile_fit import (
    BASE,
    CENTRE,
    COST,
    DOME,
    DOME_SHARE,
    DOME_SHARE_SIGMA,
    ERROR,
    FLAT,
    HALF_WIDTH,
    N_FIT,
    SMALLEST_HALF_WIDTH,
    THIN_SIGMA,
    body_step,
    find_tip,
    fit_blur,
    fit_body,
    fit_local_width,
)
from scipy import optimize, stats

TABLE = tabulate_profiles()


def model(body, x, half_width, sigma):
    return np.array([profile_value(TABLE, body, d, half_width, sigma) for d in x])


def profile(body, half_width, sigma, flat, dome, base, noise=0.3, seed=0, reach=14.0):
    """Bins of half a pixel of a mixed body: positions, values, pixels averaged, some bins empty."""
    rng = np.random.default_rng(seed)
    x = np.arange(0.25, reach, 0.5)
    w = rng.integers(0, 30, x.size).astype(float)
    v = flat * model(body, x, half_width, sigma) + dome * model(body + 1, x, half_width, sigma) + base
    return x, v + noise * rng.normal(size=x.size) / np.sqrt(np.maximum(w, 1)), w


def thinness(half_width, sigma):
    return min(np.log(half_width / sigma) / THIN_SIGMA, 0.0)


def penalised(body, x, v, w, half_width, sigma, height, base_sigma):
    """Twin: non-negative least squares of the stacked data and penalties; cost and heights."""
    root = np.sqrt(w)
    data = [model(body, x, half_width, sigma) * root, model(body + 1, x, half_width, sigma) * root, root]
    stiff = 1 / (DOME_SHARE_SIGMA * height)
    rows = np.vstack(
        [
            np.column_stack(data),
            [0, 0, 1 / base_sigma],
            [-DOME_SHARE * stiff, (1 - DOME_SHARE) * stiff, 0],
        ]
    )
    aim = np.concatenate([v * root, [0, 0]])
    bounds = ([0, 0, -np.inf], np.inf)
    found = optimize.lsq_linear(rows, aim, bounds, method="bvls", tol=1e-14)
    return 2 * found.cost + thinness(half_width, sigma) ** 2, found.x


def stepped(body, x, v, w, half_width, sigma, height, base_sigma):
    out = np.empty(N_FIT)
    step = body_step(TABLE, BODIES[body], x, v, w, len(x), half_width, sigma, height, base_sigma, out)
    return step, out


@pytest.mark.parametrize("body", [BAR, DISC])
@pytest.mark.parametrize("half_width", [0.4, 1.5, 5.0])
@pytest.mark.parametrize(("flat", "dome"), [(10, 10), (0, 20), (20, 0), (0.5, -6)])
def test_heights_are_the_penalised_non_negative_ones(body, half_width, flat, dome):
    x, v, w = profile(body, 2.0, 1.0, flat, dome, 0.4)
    _, out = stepped(body, x, v, w, half_width, 1.0, 15.0, 0.5)
    cost, (flat_height, dome_height, base) = penalised(body, x, v, w, half_width, 1.0, 15.0, 0.5)
    assert out[COST] == pytest.approx(cost, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(out[[FLAT, DOME, BASE]], [flat_height, dome_height, base], atol=1e-6)
    assert out[HALF_WIDTH] == half_width


@pytest.mark.parametrize("body", [BAR, DISC])
@pytest.mark.parametrize("half_width", [0.6, 1.8, 4.2])
def test_step_is_that_of_gauss_and_newton(body, half_width):
    """Twin: heights, base and half width together, derivatives by finite differences, in one least squares."""
    x, v, w = profile(body, 2.0, 1.0, 12, 8, 0.2)
    step, out = stepped(body, x, v, w, half_width, 1.0, 15.0, 0.5)
    flat, dome, base = out[[FLAT, DOME, BASE]]
    tiny, root, stiff = 0.01 * half_width, np.sqrt(w), 1 / (DOME_SHARE_SIGMA * 15)
    here = [model(body + k, x, half_width, 1.0) for k in (0, 1)]
    slopes = [(model(body + k, x, half_width + tiny, 1.0) - here[k]) / tiny for k in (0, 1)]
    slope = flat * slopes[0] + dome * slopes[1]
    residue = v - flat * here[0] - dome * here[1] - base
    thin = thinness(half_width, 1.0)
    rows = np.vstack(
        [
            np.column_stack([here[0] * root, here[1] * root, root, slope * root]),
            [0, 0, 2.0, 0],
            [-DOME_SHARE * stiff, (1 - DOME_SHARE) * stiff, 0, 0],
            [0, 0, 0, 1 / (THIN_SIGMA * half_width) if thin < 0 else 0],
        ]
    )
    penalty = stiff * ((1 - DOME_SHARE) * dome - DOME_SHARE * flat)
    aim = np.concatenate([residue * root, [-2.0 * base, -penalty, -thin]])
    # A height held at 0 stays there.
    rows = rows[:, [flat > 0, dome > 0, True, True]]
    expected = np.linalg.lstsq(rows, aim, rcond=None)[0][-1]
    assert step == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert out[ERROR] == pytest.approx(np.sqrt(np.linalg.inv(rows.T @ rows)[-1, -1]), rel=1e-4)


@pytest.mark.parametrize("body", [BAR, DISC])
@pytest.mark.parametrize("half_width", [0.8, 1.5, 3.0, 7.0])
@pytest.mark.parametrize("start_share", [0.6, 1.6])
def test_half_width_is_where_the_cost_is_least(body, half_width, start_share):
    x, v, w = profile(body, half_width, 1.0, 15, 15, 0.1)
    out = np.empty(N_FIT)
    fit_body(TABLE, BODIES[body], x, v, w, len(x), start_share * half_width, 1.0, 30.0, 0.3, out)
    grid = half_width * np.linspace(0.6, 1.5, 181)
    best = min(penalised(body, x, v, w, trial, 1.0, 30.0, 0.3)[0] for trial in grid)
    assert out[COST] <= best * 1.001 + 0.01
    assert out[HALF_WIDTH] == pytest.approx(half_width, abs=max(4 * out[ERROR], 0.05) + 0.03 * half_width)
    assert out[CENTRE] == 0


def test_half_width_of_a_constant_and_of_nothing_is_held():
    x = np.arange(0.25, 10, 0.5)
    out = np.empty(N_FIT)
    for level, weight in ((0.0, 5.0), (-40.0, 5.0), (3.0, 0.0)):
        fit_body(TABLE, BODIES[BAR], x, np.full(20, level), np.full(20, weight), 20, 2.0, 1.0, 5.0, 0.3, out)
        assert out[FLAT] + out[DOME] <= 1e-9
        assert out[HALF_WIDTH] >= SMALLEST_HALF_WIDTH


@pytest.mark.parametrize("sigma", [0.7, 1.1, 1.6])
def test_blur_is_where_the_cost_is_least(sigma):
    x, v, w = profile(BAR, 5.0, sigma, 20, 20, 0.0, noise=0.1)
    sigmas = 0.4 * 1.2 ** np.arange(12.0)
    out, fit = np.empty((2, N_FIT))
    fit_blur(TABLE, BODIES[BAR], x, v, w, len(x), 5.0, 40.0, 0.2, sigmas, out)

    def cost(trial):
        fit_body(TABLE, BODIES[BAR], x, v, w, len(x), 5.0, trial, 40.0, 0.2, fit)
        return fit[COST]

    grid = sigma * np.linspace(0.85, 1.15, 61)
    best = grid[np.argmin([cost(trial) for trial in grid])]
    assert out[0] == pytest.approx(best, rel=0.03)
    assert out[0] == pytest.approx(sigma, abs=4 * out[1] + 0.02)
    assert out[2] <= min(cost(trial) for trial in sigmas) + 1e-9


def test_blur_beyond_the_grid_is_not_told():
    x, v, w = profile(BAR, 5.0, 3.0, 20, 20, 0.0, noise=0.1)
    out = np.empty(N_FIT)
    fit_blur(TABLE, BODIES[BAR], x, v, w, len(x), 5.0, 40.0, 0.2, 0.3 * 1.2 ** np.arange(6.0), out)
    assert np.isnan(out[0])


@pytest.mark.parametrize("dome_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("half_width", "centre"), [(1.2, 0.4), (2.5, -1.0), (6.0, 0.0)])
def test_local_width(dome_share, half_width, centre):
    rng = np.random.default_rng(3)
    x = np.arange(-11.75, 12, 0.5)
    w = rng.integers(1, 12, x.size).astype(float)

    def expected(place, width):
        return (1 - dome_share) * model(BAR, x - place, width, 1.0) + dome_share * model(
            BAR + 1, x - place, width, 1.0
        )

    v = 25 * expected(centre, half_width) + 0.7 + rng.normal(size=x.size) / np.sqrt(w)
    out = np.empty(N_FIT)
    args = (TABLE, BODIES[BAR], dome_share, x, v, w, len(x), 1.3 * half_width, 1.0, 0.7)
    fit_local_width(*args, out)
    # Twin: the same sum of squares, handed to a general optimiser.
    root = np.sqrt(w)

    def residues(p):
        return np.append(
            (p[2] * expected(p[1], max(p[0], 0.1)) + 0.7 - v) * root, thinness(max(p[0], 0.1), 1.0)
        )

    twin = optimize.least_squares(residues, [half_width, centre, 25], x_scale=[1, 1, 10], diff_step=1e-3)
    assert out[HALF_WIDTH] == pytest.approx(twin.x[0], abs=0.02)
    assert out[CENTRE] == pytest.approx(twin.x[1], abs=0.02)
    assert out[FLAT] == pytest.approx(twin.x[2], rel=0.02)
    assert out[COST] == pytest.approx(2 * twin.cost, rel=0.01, abs=0.1)
    assert out[ERROR] == pytest.approx(np.sqrt(np.linalg.inv(twin.jac.T @ twin.jac)[0, 0]), rel=0.15)
    assert out[BASE] == 0.7


def test_local_width_of_nothing_has_no_height():
    x = np.arange(-5.0, 5)
    out = np.empty(N_FIT)
    for level in (-9.0, 0.0):
        fit_local_width(TABLE, BODIES[BAR], 0.5, x, np.full(10, level), np.ones(10), 10, 2.0, 1.0, 0.0, out)
        assert out[FLAT] == 0
        assert out[ERROR] == np.inf


def tip_by_means(x, v, w, height, noise, sigma):
    """Twin: means over five bins, the first fall through the level, moved back by the blur's share of its slope."""
    cells = [slice(max(k - 2, 0), k + 3) for k in range(len(x))]
    told = [c for c in cells if w[c].sum() > 0]
    value = np.array([np.average(v[c], weights=w[c]) for c in told])
    place = np.array([np.average(x[c], weights=w[c]) for c in told])
    share = np.clip(noise / height, 0.125, 0.25)
    level, spread, deviate = share * height, np.sqrt(sigma**2 + 0.5), stats.norm.isf(share)
    for k in range(1, len(value)):
        if value[k - 1] >= level > value[k] and place[k] > place[k - 1]:
            crossing = np.interp(level, value[[k, k - 1]], place[[k, k - 1]])
            slope = (value[k - 1] - value[k]) / (place[k] - place[k - 1])
            steepest = height / spread * stats.norm.pdf(deviate)
            return crossing - deviate * spread * min(slope / steepest, 1)
    return place[-1] if len(value) and value[-1] >= level else np.nan


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("decline", [0.0, 6.0])
@pytest.mark.parametrize("noise", [0.5, 4.0, 9.0])
@pytest.mark.parametrize("seed", range(3))
def test_tip(sigma, decline, noise, seed):
    rng = np.random.default_rng(seed)
    x = np.arange(0.25, 30, 0.5)
    w = rng.integers(0, 5, x.size).astype(float)
    sharp = np.interp(x, [0, 15 - decline, 15 + 1e-6, 15 + 2e-6], [20, 20, 20 if decline == 0 else 5, 0])
    kernel = np.exp(-0.5 * (np.arange(-20, 21) * 0.5 / sigma) ** 2)
    v = np.convolve(np.pad(sharp, 20, mode="edge"), kernel / kernel.sum(), "valid")
    v += 0.5 * rng.normal(size=x.size)
    tip = find_tip(x, v, w, len(x), 20.0, noise, sigma)
    assert tip == pytest.approx(tip_by_means(x, v, w, 20.0, noise, sigma), abs=0.02)
    assert tip == pytest.approx(15, abs=1.0 if decline == 0 else 2.0)


def test_tip_of_a_body_without_an_end_or_without_height():
    x = np.arange(0.25, 10, 0.5)
    assert find_tip(x, np.full(20, 8.0), np.ones(20), 20, 8.0, 1.0, 1.0) == pytest.approx(np.mean(x[-3:]))
    assert np.isnan(find_tip(x, np.zeros(20), np.ones(20), 20, 8.0, 1.0, 1.0))
    assert np.isnan(find_tip(x, np.full(20, 8.0), np.zeros(20), 20, 8.0, 1.0, 1.0))
