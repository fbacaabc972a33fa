"""The detection score: evidence added up by a readable table, corrected where pieces of evidence speak together."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEIGHBOURHOODS = {"neighbours": 1.0, "neighbours_around": 2.0}
"""Evidence by company: the summed scores of the candidates within so many neighbourhood distances."""
SUPPORT_ROUNDS = 2
"""How often the scores are summed up, each time with those of the last round."""


class Correction(NamedTuple):
    """Log-odds by the answers to a few questions: an oblivious decision tree.

    Attributes
    ----------
    asked : tuple of (str, float)
        Is this evidence above this value?
    log_odds : tuple of float, length 2 ** len(asked)
        At the sum of ``2 ** i`` over the questions i that are answered yes.
    """

    asked: tuple[tuple[str, float], ...]
    log_odds: tuple[float, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Log-odds of each piece of evidence, and corrections where several speak together.

    Attributes
    ----------
    offset : float
        Log-odds before any evidence.
    points : mapping of str to tuple of (value, log_odds)
        Ascending in value; linear between points, constant beyond them.
    corrections : tuple of Correction
        Added; the table stands without them.
    """

    offset: float
    points: Mapping[str, tuple[tuple[float, float], ...]]
    corrections: tuple[Correction, ...] = ()

    def log_odds(self, evidence: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Sum of the offset, of every table's log-odds and of the corrections, shape (n,)."""
        n = len(next(iter(evidence.values())))
        total = np.full(n, self.offset)
        for name, points in self.points.items():
            values, log_odds = np.array(points).T
            total += np.interp(evidence[name], values, log_odds)
        if self.corrections:
            from mammocalc_kernels.oblivious_trees import add_trees

            names = self._asked_names
            values = np.stack([evidence[name] for name in names], axis=1)
            for trees in self._trees:
                add_trees(values, *trees, total)
        return total

    @cached_property
    def _asked_names(self) -> list[str]:
        """Every piece of evidence that a correction asks for."""
        return sorted({name for correction in self.corrections for name, _ in correction.asked})

    @cached_property
    def _trees(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
        """Column, limit and answers of neighbouring corrections with as many questions each."""
        column = {name: k for k, name in enumerate(self._asked_names)}
        groups = itertools.groupby(self.corrections, key=lambda correction: len(correction.asked))
        return [
            (
                np.array([[column[name] for name, _ in correction.asked] for correction in group]),
                np.array([[limit for _, limit in correction.asked] for correction in group]),
                np.array([correction.log_odds for correction in group]),
            )
            for group in (list(members) for _, members in groups)
        ]

    @cached_property
    def parted(self) -> tuple[ScoreTable, ScoreTable]:
        """What does not ask for the scores of others, with the offset, and what does; they add up."""
        kinds = [
            any(name in NEIGHBOURHOODS for name, _ in correction.asked) for correction in self.corrections
        ]
        without, asking = (
            ScoreTable(
                0.0 if wanted else self.offset,
                {name: points for name, points in self.points.items() if (name in NEIGHBOURHOODS) == wanted},
                tuple(itertools.compress(self.corrections, [kind == wanted for kind in kinds])),
            )
            for wanted in (False, True)
        )
        return without, asking


@cache
def built_in_table() -> ScoreTable:
    """The table that ships with the package, `segment/score.toml`."""
    with resources.as_file(resources.files("mammocalc.segment").joinpath("score.toml")) as path:
        return read_table(path)


def read_table(path: Path) -> ScoreTable:
    """A table from its TOML file.

    An offset, ``[points]`` with a list of (value, log-odds) for each evidence, and any number of ``[[corrections]]``
    with ``asked``, a list of (evidence, value), and ``log_odds``.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    points = {
        name: tuple((float(v), float(s)) for v, s in table) for name, table in content["points"].items()
    }
    corrections = tuple(
        Correction(
            tuple((str(name), float(value)) for name, value in entry["asked"]),
            tuple(map(float, entry["log_odds"])),
        )
        for entry in content.get("corrections", ())
    )
    return ScoreTable(float(content["offset"]), points, corrections)


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function, shape kept."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -50, 50))))


def summed_over(
    one: NDArray[np.int64], other: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each candidate the summed weight of those it is paired with: calcifications come in company."""
    total = np.bincount(one, weight[other], len(weight)) + np.bincount(other, weight[one], len(weight))
    return np.asarray(total, np.float64)


def scores_in_company(
    table: ScoreTable,
    evidence: Mapping[str, NDArray[np.float64]],
    row_mm: NDArray[np.float64],
    col_mm: NDArray[np.float64],
    distance_mm: float,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Scores from each candidate's own evidence, then again with the support of its neighbours.

    Parameters
    ----------
    table : ScoreTable
    evidence : mapping of str to ndarray of float64, shape (n,)
        All but `NEIGHBOURHOODS`, which are found here.
    row_mm, col_mm : ndarray of float64, shape (n,)
    distance_mm : float
        The nearest neighbourhood.

    Returns
    -------
    score : ndarray of float64, shape (n,)
    company : dict of str to ndarray of float64
        The evidence of `NEIGHBOURHOODS` that the score rests on.
    """
    from mammocalc_kernels.neighbours import near_pairs

    one, other, apart = near_pairs(row_mm, col_mm, max(NEIGHBOURHOODS.values()) * distance_mm)
    near = {name: apart <= factor * distance_mm for name, factor in NEIGHBOURHOODS.items()}
    pairs = {name: (one[within], other[within]) for name, within in near.items()}
    alone, in_company = table.parted
    own = alone.log_odds(evidence)
    company = {name: np.zeros(len(row_mm)) for name in NEIGHBOURHOODS}
    score = probability(own + in_company.log_odds({**evidence, **company}))
    for _ in range(SUPPORT_ROUNDS):
        company = {name: summed_over(*pairs[name], score) for name in NEIGHBOURHOODS}
        score = probability(own + in_company.log_odds({**evidence, **company}))
    return score, company
