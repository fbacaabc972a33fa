"""Points for a thread: everything that speaks for calcified suture material, added up, where no single rule is sure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.vessel_points import Card, parsed_card

LEAST_ELONGATION, LEAST_MM = 2.5, 1.5
"""What is shorter is no piece of a thread that could be told from anything else."""


@cache
def thread_card() -> Card:
    """The card that ``benchmarks/fit_thread_points.py`` wrote."""
    return parsed_card(
        resources.files(__package__).joinpath("thread_points.toml").read_text(encoding="utf-8")
    )


def thread_points(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Log-odds that each candidate is a piece of a thread; NaN for those that are not elongated.

    A logistic regression on steps of the features, which may only speak one way: a long, thin, bent axis, knots and
    solitude for a thread; company in line, a second wall, a ridge beside it and branches against it.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Columns of measurements and arrangement, one row a candidate; a feature that is not known counts as 0.
    """
    card = thread_card()
    total = np.full(len(columns["length_mm"]), card.offset)
    for steps in card.steps:
        known = np.nan_to_num(np.asarray(columns[steps.feature], np.float64))
        for value, points in zip(steps.values, steps.points, strict=True):
            total += np.where((known < value) if steps.below else (known >= value), points, 0.0)
    elongated = (columns["elongation"] >= LEAST_ELONGATION) & (columns["length_mm"] >= LEAST_MM)
    return np.where(elongated, total, np.nan)
