"""What every kernel that takes a plane stands: one pixel, single rows and columns, odd sizes, one value, extremes."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels.blocks import reduce_cells
from mammocalc_kernels.components import hysteresis_runs, label_image, label_runs, runs_above
from mammocalc_kernels.gaussian import decimate, gaussian, large_gaussian
from mammocalc_kernels.hessian import hessian_measures
from mammocalc_kernels.local_statistics import local_statistics
from mammocalc_kernels.lookup import look_up
from mammocalc_kernels.reconstruction import reconstruct
from mammocalc_kernels.scale_space import blob_response, scale_space_maxima
from mammocalc_kernels.texture import tile_quantiles
from mammocalc_kernels.tophat import white_top_hat

SIGMAS = (1.0, 1.6, 2.6)
EVERY_VALUE = np.arange(65536, dtype=np.float32)


def hysteresis(plane, threads):
    cells = tuple(-(-size // 7) for size in plane.shape)
    runs = hysteresis_runs(plane, np.full(cells, 10, np.float32), np.full(cells, 20, np.float32), 7, threads)
    return label_image(runs, plane.shape)


def quantiles(plane, threads):
    inside = np.ones(tuple(-(-size // 8) for size in plane.shape), np.bool_)
    return tile_quantiles(plane, inside, 8, 16, 0.75, 1, 1, threads)


def maxima(plane, threads):
    found = scale_space_maxima(plane, SIGMAS, 1.0, threads)
    return np.stack([found.row, found.col, found.scale, found.value])


KERNELS = {
    "cells": (np.uint16, lambda plane, threads: reduce_cells(plane, 7, None, threads)),
    "look-up": (np.uint16, lambda plane, threads: look_up(plane, EVERY_VALUE, threads=threads)),
    "top-hat": (np.uint16, lambda plane, threads: white_top_hat(plane, 5, threads=threads)),
    "reconstruction": (
        np.uint16,
        lambda plane, threads: reconstruct(np.maximum(plane, 9) - np.uint16(9), plane, threads=threads),
    ),
    "local statistics": (np.uint16, lambda plane, threads: local_statistics(plane, 9, threads=threads)),
    "Gaussian": (np.float32, lambda plane, threads: gaussian(plane, 1.3, threads=threads)),
    "large Gaussian": (np.float32, lambda plane, threads: large_gaussian(plane, 30.0, threads=threads)),
    "block means": (np.float32, lambda plane, threads: decimate(plane, 4, threads=threads)),
    "blob response": (
        np.float32,
        lambda plane, threads: blob_response(plane, SIGMAS, (1.0, 1.6), threads=threads),
    ),
    "scale-space maxima": (np.float32, maxima),
    "Hessian": (np.float32, lambda plane, threads: hessian_measures(plane, (1.5, 2.5), 3.0, threads=threads)),
    "components": (
        np.float32,
        lambda plane, threads: label_image(runs_above(plane, 30.0, threads=threads), plane.shape),
    ),
    "mask": (
        np.bool_,
        lambda plane, threads: label_image(label_runs(plane, threads), plane.shape),
    ),
    "hysteresis": (np.float32, hysteresis),
    "tile quantiles": (np.float32, quantiles),
}
FLAT = {"top-hat": 0.0, "blob response": 0.0, "Hessian": 0.0}
KEPT = {"look-up", "Gaussian", "large Gaussian", "block means", "tile quantiles"}


def results(value):
    return [np.asarray(part) for part in value] if isinstance(value, tuple) else [np.asarray(value)]


@pytest.fixture(params=KERNELS)
def kernel(request):
    return request.param, *KERNELS[request.param]


def plane_of(dtype, shape, seed=0):
    random = np.random.default_rng(seed)
    if dtype == np.bool_:
        return random.random(shape) > 0.6
    return random.integers(0, 65536 if dtype == np.uint16 else 60, shape).astype(dtype)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (131, 67)])
def test_any_size_gives_the_same_with_any_number_of_threads(kernel, shape):
    _, dtype, run = kernel
    plane = plane_of(dtype, shape)
    before = plane.copy()

    one, three = results(run(plane, 1)), results(run(plane, 3))

    assert np.array_equal(plane, before)
    for a, b in zip(one, three, strict=True):
        assert a.tobytes() == b.tobytes()
        assert not np.isnan(a).any()


@pytest.mark.parametrize("value", [0, 1, 4095, 65535])
def test_a_plane_of_one_value_has_no_structure(kernel, value):
    name, dtype, run = kernel
    plane = np.full((67, 45), value, dtype)

    for part in results(run(plane, 2)):
        if name in FLAT:
            np.testing.assert_allclose(part, 0, atol=2e-6 * max(value, 1))
        elif name in KEPT:
            np.testing.assert_allclose(part, value, rtol=2e-6)
        elif name in ("components", "mask", "hysteresis"):
            assert len(np.unique(part)) == 1


def test_the_extremes_of_stored_values_side_by_side(kernel):
    name, dtype, run = kernel
    plane = np.zeros((64, 65), np.uint16)
    plane[:, ::2] = 65535
    plane = plane.astype(dtype)

    for part in results(run(plane, 2)):
        assert np.isfinite(part).all()
        if name not in ("components", "mask", "hysteresis", "scale-space maxima", "blob response", "Hessian"):
            assert part.min() >= 0
            assert part.max() <= 65536


@pytest.mark.parametrize("view", [np.transpose, np.flipud, lambda plane: plane[:, ::2]])
def test_rows_that_do_not_follow_each_other_are_refused(kernel, view):
    _, dtype, run = kernel
    plane = view(plane_of(dtype, (40, 30)))

    with pytest.raises(ValueError, match=r"(?i)contiguous"):
        run(plane, 1)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.75, 1.0])
def test_tile_quantiles_are_those_of_sorted_pixels(quantile):
    plane = np.random.default_rng(1).normal(size=(50, 41)).astype(np.float32)
    inside = np.random.default_rng(2).random((10, 9)) > 0.3

    found = tile_quantiles(plane, inside, 5, 20, quantile, stride=3, fewest=20)

    counts = np.kron(inside, np.ones((5, 5), bool))[:50, :41]
    for i in range(3):
        for j in range(3):
            tile = np.s_[20 * i : 20 * i + 20 : 3, 20 * j : 20 * j + 20 : 3]
            values = np.sort(plane[tile][counts[tile]])
            expected = values[int(quantile * (len(values) - 1))] if len(values) >= 20 else np.nan
            np.testing.assert_array_equal(found[i, j], expected)
