"""Sums of decision trees: every sample is asked its way through each tree, the last answer gives a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _add_trees(values, first, asked, above, following, answer, total):  # type: ignore[no-untyped-def]
    # Tree by tree: its questions stay in the nearest cache for all samples.
    for root in first:
        for i in range(values.shape[0]):
            question = root
            while question >= 0:
                said = np.int64(values[i, asked[question]] > above[question])
                question = following[question, said]
            total[i] += answer[-1 - question]


def add_trees(
    values: NDArray[np.float64],
    first: NDArray[np.int64],
    asked: NDArray[np.int64],
    above: NDArray[np.float64],
    following: NDArray[np.int64],
    answer: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Add the value of every tree to `total`, in place.

    Parameters
    ----------
    values : ndarray of float64, shape (n, columns)
        C-contiguous; NaN answers no.
    first : ndarray of int64, shape (trees,)
        The first question of each tree.
    asked : ndarray of int64, shape (questions,)
        Column of each question.
    above : ndarray of float64, shape (questions,)
        Is the value above this?
    following : ndarray of int64, shape (questions, 2)
        The question that follows a no and a yes; -1 - k for the end of the tree with ``answer[k]``.
    answer : ndarray of float64
    total : ndarray of float64, shape (n,)

    References
    ----------
    J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001)
    1189-1232.
    """
    _add_trees(values, first, asked, above, following, answer, total)
