"""Sums of oblivious decision trees: every sample is asked the same few questions, the answers pick a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _add_trees(values, asked, limit, answer, total):  # type: ignore[no-untyped-def]
    for i in range(values.shape[0]):
        sample = values[i]
        added = 0.0
        for tree in range(asked.shape[0]):
            place = 0
            for question in range(asked.shape[1]):
                place |= (sample[asked[tree, question]] > limit[tree, question]) << question
            added += answer[tree, place]
        total[i] += added


def add_trees(
    values: NDArray[np.float64],
    asked: NDArray[np.int64],
    limit: NDArray[np.float64],
    answer: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Add the value of every tree to `total`, in place.

    Parameters
    ----------
    values : ndarray of float64, shape (n, columns)
        C-contiguous; NaN answers no.
    asked : ndarray of int64, shape (trees, questions)
        Column of each question.
    limit : ndarray of float64, shape (trees, questions)
        Is the value above this?
    answer : ndarray of float64, shape (trees, 2 ** questions)
        At the sum of ``2 ** i`` over the questions i answered yes.
    total : ndarray of float64, shape (n,)

    References
    ----------
    J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001)
    1189-1232.
    """
    _add_trees(values, asked, limit, answer, total)
