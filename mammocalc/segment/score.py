"""The detection score: additive evidence, read from a table of points that anyone can check and edit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ScoreTable:
    """Log-odds of each piece of evidence, linear between points and constant beyond them.

    Attributes
    ----------
    offset : float
        Log-odds before any evidence.
    points : mapping of str to tuple of (value, log_odds)
        Ascending in value.
    """

    offset: float
    points: Mapping[str, tuple[tuple[float, float], ...]]

    def log_odds(self, evidence: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Sum of the offset and of every table's log-odds, shape (n,)."""
        n = len(next(iter(evidence.values())))
        total = np.full(n, self.offset)
        for name, points in self.points.items():
            values, log_odds = np.array(points).T
            total += np.interp(evidence[name], values, log_odds)
        return total


@cache
def built_in_table() -> ScoreTable:
    """The table that ships with the package, `segment/score.toml`."""
    with resources.as_file(resources.files("mammocalc.segment").joinpath("score.toml")) as path:
        return read_table(path)


def read_table(path: Path) -> ScoreTable:
    """A table from its TOML file: an offset, and ``[points]`` with a list of (value, log-odds) for each evidence."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    points = {
        name: tuple((float(v), float(s)) for v, s in table) for name, table in content["points"].items()
    }
    return ScoreTable(float(content["offset"]), points)


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function, shape kept."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -50, 50))))


def supporting_neighbours(
    row_mm: NDArray[np.float64], col_mm: NDArray[np.float64], weight: NDArray[np.float64], distance_mm: float
) -> NDArray[np.float64]:
    """Summed weight of the other candidates within a distance: calcifications come in company.

    Sums run in order of index, so that the result does not depend on the tree.
    """
    from scipy.spatial import cKDTree

    if len(row_mm) < 2:
        return np.zeros(len(row_mm))
    pairs = cKDTree(np.column_stack((row_mm, col_mm))).query_pairs(distance_mm, output_type="ndarray")
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    total = np.bincount(pairs[:, 0], weight[pairs[:, 1]], len(row_mm))
    return np.asarray(total + np.bincount(pairs[:, 1], weight[pairs[:, 0]], len(row_mm)))
