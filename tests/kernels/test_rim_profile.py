import numpy as np
import pytest
from mammocalc_kernels.blurred_profiles import BODIES, DISC, SPHERE, profile_value, tabulate_profiles
from mammocalc_kernels.rim_profile import (
    BASE,
    CORE_LUCENCY,
    COST,
    HEIGHT,
    INNER,
    IS_SHELL,
    N_HOLLOW,
    OUTER,
    closure,
    dip,
    fit_hollow,
    hollow_cost,
    is_hollow,
    wall_noise,
)
from scipy import optimize

TABLE = tabulate_profiles()


def model(body, x, half_width, sigma):
    return np.array([profile_value(TABLE, body, d, half_width, sigma) for d in x])


def hollow(body, x, outer, inner, sigma, height, lucency=1.0):
    scale = inner / outer if body % 2 else 1.0
    return height * (model(body, x, outer, sigma) - lucency * scale * model(body, x, inner, sigma))


def profile(body, outer, inner, sigma, height, lucency=1.0, seed=0, reach=18.0):
    rng = np.random.default_rng(seed)
    x = np.arange(0.25, reach, 0.5)
    w = np.maximum(np.round(2 * np.pi * x), 1.0)
    return x, hollow(body, x, outer, inner, sigma, height, lucency) + rng.normal(size=x.size) / np.sqrt(w), w


@pytest.mark.parametrize("body", range(4))
@pytest.mark.parametrize(("outer", "inner"), [(8.0, 5.0), (9.0, 8.0), (6.0, 1.5)])
@pytest.mark.parametrize("lucency", [1.0, 0.4, 0.0])
def test_cost_is_that_of_constrained_least_squares(body, outer, inner, lucency):
    x, v, w = profile(body, 8.0, 5.0, 1.0, 20.0, lucency)
    out = np.empty(N_HOLLOW)
    cost = hollow_cost(TABLE, BODIES[body], x, v, w, len(x), outer, inner, 1.0, 0.5, out)
    # Twin: a full body and an empty one, both weighted by heights not below 0, and a held base.
    whole, empty = model(body, x, outer, 1.0), hollow(body, x, outer, inner, 1.0, 1.0)
    root = np.sqrt(w)
    rows = np.vstack([np.column_stack([whole * root, empty * root, root]), [0, 0, 2.0]])
    twin = optimize.lsq_linear(
        rows, np.append(v * root, 0), ([0, 0, -np.inf], np.inf), method="bvls", tol=1e-14
    )
    solid, hollowed, base = twin.x
    assert cost == pytest.approx(2 * twin.cost, rel=1e-6)
    assert out[HEIGHT] == pytest.approx(solid + hollowed, rel=1e-6)
    assert out[BASE] == pytest.approx(base, abs=1e-6)
    sharp = [
        solid * np.sqrt(1 - (d / outer) ** 2) + hollowed * np.sqrt(1 - (d / outer) ** 2)
        - (hollowed * np.sqrt(max((inner / outer) ** 2 - (d / outer) ** 2, 0)))
        for d in (0.0, inner)
    ] if body % 2 else [solid, solid + hollowed]  # fmt: skip
    assert out[CORE_LUCENCY] == pytest.approx(1 - max(sharp[0], 0) / max(sharp), abs=1e-6)


@pytest.mark.parametrize("body", range(4))
@pytest.mark.parametrize(("outer", "inner"), [(9.0, 5.5), (12.0, 9.5), (7.0, 4.0)])
def test_walls_are_where_the_cost_is_least(body, outer, inner):
    x, v, w = profile(body, outer, inner, 1.0, 40.0)
    out, trial = np.empty((2, N_HOLLOW))
    flat = body - body % 2
    fit_hollow(TABLE, BODIES[flat], x, v, w, len(x), 1.1 * outer, 1.0, 0.3, out)
    assert out[IS_SHELL] == body % 2
    # Twin: every pair of a fine grid around the truth.
    _, best_outer, best_share = min(
        (hollow_cost(TABLE, BODIES[body], x, v, w, len(x), o, o * s, 1.0, 0.3, trial), o, s)
        for o in outer * np.linspace(0.95, 1.05, 41)
        for s in np.clip(inner / outer + np.linspace(-0.1, 0.1, 41), 0.15, 0.97)
    )
    assert out[OUTER] == pytest.approx(best_outer, abs=0.05)
    assert out[INNER] == pytest.approx(best_outer * best_share, abs=0.1)
    assert is_hollow(out, out[COST] + 100, 1.0)
    assert not is_hollow(out, out[COST] + 100, 5.0)
    assert not is_hollow(out, out[COST] + 1, 1.0)


def dip_by_pairs(x, v, w, half_width, noise):
    """Twin: pairs of neighbouring bins between core and outline against the mean of the core."""
    core = max(0.35 * half_width, 0.75)
    central = (x <= core) & (w > 0)
    if not central.any():
        return 0.0
    centre, weight = np.average(v[central], weights=w[central]), w[central].sum()
    rises = [0.0]
    for i in range(len(x) - 1):
        pair = w[i : i + 2]
        if pair.sum() > 0 and core < x[i] <= half_width:
            wall = np.average(v[i : i + 2], weights=pair)
            if wall > 1.04 * centre:
                rises.append((wall - centre) / noise / np.sqrt(1 / pair.sum() + 1 / weight))
    return max(rises)


@pytest.mark.parametrize("seed", range(8))
def test_dip(seed):
    rng = np.random.default_rng(seed)
    x = np.arange(0.25, 12, 0.5)
    w = rng.integers(0, 9, x.size).astype(float)
    v = 10 + 3 * rng.normal(size=x.size)
    out = np.empty(3)
    found = dip(x, v, w, len(x), 8.0, 1.7, out)
    assert found == pytest.approx(dip_by_pairs(x, v, w, 8.0, 1.7))
    if found > 0:
        significant = (out[1] - out[0]) > 0
        assert significant
        assert 2.5 < out[2] <= 9


def test_dip_of_rings_domes_constants_and_nothing():
    x, out = np.arange(0.25, 12, 0.5), np.empty(3)
    ring = hollow(DISC, x, 8.0, 5.0, 1.0, 20.0)
    assert dip(x, ring, np.ones(24), 24, 8.0, 1.0, out) > 10
    assert out[2] == pytest.approx(6.5, abs=0.5)
    assert dip(x, model(SPHERE, x, 8.0, 1.0), np.ones(24), 24, 8.0, 1.0, out) == 0
    assert dip(x, np.full(24, 5.0), np.ones(24), 24, 8.0, 1.0, out) == 0
    assert dip(x, ring, np.zeros(24), 24, 8.0, 1.0, out) == 0


def test_wall_noise_in_white_noise_and_in_tissue():
    assert wall_noise(1.0, 1.0) == 1.0
    assert wall_noise(1.0, 2.0) == 2.0
    # Tissue as strong as ten times the noise: most of it shifts wall and centre alike.
    assert wall_noise(10.0, 1.0) == pytest.approx(np.sqrt(1 + 0.05 * 99))


def closure_by_parts(place, depth, value, centre, wall, wall_at, noise):
    """Twin: means of the samples near the wall, by equal parts of the way round."""
    near = abs(depth - wall_at) <= max(0.75, 0.1 * wall_at)
    needed = max((4 * noise / max(wall - centre, 1e-6)) ** 2, 1.5)
    cells = int(np.clip(int(near.sum() / needed), 6, 36))
    part = np.clip((place[near] * cells).astype(int), 0, cells - 1)
    means = [value[near][part == k].mean() for k in range(cells) if (part == k).any()]
    return np.mean(np.array(means) - centre > 0.4 * (wall - centre)) if means else 0.0


@pytest.mark.parametrize("gap", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_closure(gap, noise):
    rng = np.random.default_rng(1)
    place, depth = rng.random(900), rng.uniform(0, 12, 900)
    value = np.where((abs(depth - 8) < 1.5) & (place >= gap), 20.0, 2.0) + noise * rng.normal(size=900)
    found = closure(place, depth, value, 900, 2.0, 20.0, 8.0, noise)
    assert found == closure_by_parts(place, depth, value, 2.0, 20.0, 8.0, noise)
    assert found == pytest.approx(1 - gap, abs=0.1)


def test_closure_without_samples_at_the_wall():
    assert closure(np.zeros(3), np.zeros(3), np.ones(3), 3, 0.0, 1.0, 8.0, 1.0) == 0
    assert closure(np.zeros(0), np.zeros(0), np.zeros(0), 0, 0.0, 1.0, 8.0, 1.0) == 0
