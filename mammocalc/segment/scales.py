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
    from mammocalc_kernels.texture import median_magnitudes

    # Strips with an apron above and below, stacked into one plane: the apron keeps one strip out of the next.
    apron = int(np.ceil(3 * sigmas[-1])) + 1
    height = max(16, 2 * cell)
    occupied = np.flatnonzero(inside.any(axis=1)) * cell
    first, end = int(occupied[0]), min(int(occupied[-1]) + cell, plane.shape[0])
    starts = np.unique(np.linspace(first, max(first, end - height), 8).astype(int))
    rows = starts[:, None] + np.arange(-apron, height + apron)
    stacked = plane[np.clip(rows, 0, plane.shape[0] - 1).ravel()]
    sampled = (
        np.arange(apron, apron + height, 3) + (height + 2 * apron) * np.arange(len(starts))[:, None]
    ).ravel()
    source = rows.ravel()[sampled]
    sampled, source = sampled[source < plane.shape[0]], source[source < plane.shape[0]]
    counted = inside[source // cell]
    wanted = np.zeros((len(stacked), 2), np.int64)
    wanted[sampled] = _extent(counted, cell, plane.shape[1])
    responses = blob_responses(stacked, sigmas, wanted, threads)
    medians = median_magnitudes(responses, sampled, counted, cell, 3, threads)
    return np.maximum(1.4826 * medians.astype(np.float64), 1e-3)


def _extent(inside: NDArray[np.bool_], cell: int, width: int) -> NDArray[np.int64]:
    """First and end column, px, of the cells of each row that are inside, shape (rows, 2); 0 and 0 without any."""
    count = inside.shape[1]
    first, end = inside.argmax(axis=1), count - inside[:, ::-1].argmax(axis=1)
    columns = np.minimum(np.stack((first, end), axis=1) * cell, width)
    return np.where(inside.any(axis=1, keepdims=True), columns, 0)
