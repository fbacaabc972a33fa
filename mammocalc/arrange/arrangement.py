"""What the arrange stage hands over: chains, clusters, and each calcification's place in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.thread_points import thread_card
from mammocalc.arrange.vessel_points import Card, built_in_card


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Company of every candidate.

    Attributes
    ----------
    columns : mapping of str to ndarray
        One row a candidate, one column for every name in `mammocalc.arrange.features.FEATURES`.
    chains : tuple of ndarray of float64, shape (k, 2)
        The curve of chain 1, 2, ... as (row, col) of stored pixels.
    clusters : mapping of str to ndarray
        One row a cluster: cluster_id, n_calcifications, row, col, extent_mm, area_mm2, density_per_cm2, linearity,
        distribution (str), size_spread, shape_spread, median_diameter_mm, median_length_mm, mean_irregularity,
        level_share; of the clearer half of the members median_elongation, median_circularity, median_flatness and
        median_edge_share (edge_width_mm over diameter_mm).
    """

    columns: Mapping[str, NDArray[Any]]
    chains: tuple[NDArray[np.float64], ...]
    clusters: Mapping[str, NDArray[Any]]


CARDS: Mapping[str, Callable[[], Card]] = {"vessel_points": built_in_card, "thread_points": thread_card}
"""The card behind each feature that is a sum of points."""


def parts_of_points(
    points: str, columns: Mapping[str, NDArray[Any]], row: int
) -> tuple[float, dict[str, float]]:
    """What adds up to the points of one candidate, or of its chain.

    Parameters
    ----------
    points : str
        A key of `CARDS`.
    columns : mapping of str to ndarray
        Those of measurements and arrangement.
    row : int

    Returns
    -------
    float
        Where the points begin.
    dict of str to float
        What each feature adds.
    """
    card = CARDS[points]()
    return card.offset, card.parts(
        {steps.feature: float(columns[steps.feature][row]) for steps in card.steps}
    )
