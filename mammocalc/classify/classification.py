"""What the classify stage hands over: label, suspicion and rule of calcifications and of clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Classification:
    """Labels of the n calcifications and m clusters of an image.

    Attributes
    ----------
    label, suspicion, rule : ndarray of str, shape (n,)
        The BI-RADS descriptor, the suspicion that the rule attaches to it, and the name of the rule.
    margin : ndarray of float64, shape (n,)
        How far the measured values are from another label, in soft edges of the thresholds: 0 stands on a
        threshold, 1 a whole soft edge away, at most `mammocalc.classify.rules.LARGEST_MARGIN`.
    runner_up : ndarray of str, shape (n,)
        The label on the other side of that nearest threshold, empty where no other label is within reach.
    cluster_morphology, cluster_suspicion, cluster_rule : ndarray of str, shape (m,)
        The descriptor of each cluster as a whole, in the order of ``Arrangement.clusters``.
    """

    label: NDArray[np.str_]
    suspicion: NDArray[np.str_]
    rule: NDArray[np.str_]
    margin: NDArray[np.float64]
    runner_up: NDArray[np.str_]
    cluster_morphology: NDArray[np.str_]
    cluster_suspicion: NDArray[np.str_]
    cluster_rule: NDArray[np.str_]

    def __len__(self) -> int:
        """Number of calcifications."""
        return len(self.label)
