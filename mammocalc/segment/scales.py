"""The scale space that is searched: which Gaussians, and how strong noise and texture answer to each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gaussian_scales(finest: float, coarsest: float, ratio: float) -> tuple[float, ...]:
    """Ascending Gaussian sigmas in px, `ratio` apart, from `finest` until `coarsest` is reached; at least three."""
    sigmas = [finest, finest * ratio, finest * ratio**2]
    while sigmas[-1] < coarsest * 0.98:
        sigmas.append(sigmas[-1] * ratio)
    return tuple(sigmas)


def response_spread(
    plane: NDArray[np.float32], inside: NDArray[np.bool_], cell: int, sigmas: tuple[float, ...], threads: int
) -> NDArray[np.float64]:
    """Robust standard deviation of each difference of Gaussians inside the breast, from a few strips of rows.

    Parameters
    ----------
    plane : ndarray of float32, shape (h, w)
    inside : ndarray of bool, shape (ceil(h / cell), ceil(w / cell))
    cell : int
        Side of a cell, px.
    sigmas : tuple of float
        k + 1 ascending sigmas, px.
    threads : int

    Returns
    -------
    ndarray of float64, shape (k,)
        1.4826 times the median absolute response, never below 1e-3 (a noise-free image).
    """
    from mammocalc_kernels.scale_space import blob_responses

    apron = int(np.ceil(3 * sigmas[-1]))
    occupied = np.flatnonzero(inside.any(axis=1)) * cell
    first, end = int(occupied[0]), min(int(occupied[-1]) + cell, plane.shape[0])
    height = max(16, 2 * cell)
    strips = 8
    samples: list[list[NDArray[np.float32]]] = [[] for _ in sigmas[1:]]
    for start in np.unique(np.linspace(first, max(first, end - height), strips).astype(int)):
        top, bottom = max(0, start - apron), min(plane.shape[0], start + height + apron)
        responses = blob_responses(np.ascontiguousarray(plane[top:bottom]), sigmas, threads=threads)
        rows = np.arange(start, min(start + height, plane.shape[0]), 3)
        cols = np.arange(0, plane.shape[1], 3)
        keep = inside[np.ix_(rows // cell, cols // cell)]
        for k, response in enumerate(responses):
            samples[k].append(response[np.ix_(rows - top, cols)][keep])
    return np.array([max(1.4826 * float(np.median(np.abs(np.concatenate(s)))), 1e-3) for s in samples])
