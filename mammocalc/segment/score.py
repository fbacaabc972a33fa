"""The detection score: evidence added up by a readable table, then weighed together by readable decision trees."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEIGHBOURHOODS = {"neighbours": 1.0, "neighbours_around": 2.0}
"""Evidence by company: the summed scores of the candidates within so many neighbourhood distances."""
SUPPORT_ROUNDS = 2
"""How often the scores are summed up, each time with those of the last round."""

Evidence = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class ScoreTable:
    """Log-odds of each piece of evidence, added up.

    Attributes
    ----------
    offset : float
        Log-odds before any evidence.
    points : mapping of str to tuple of (value, log_odds)
        Ascending in value; linear between points, constant beyond them.
    """

    offset: float
    points: Mapping[str, tuple[tuple[float, float], ...]]

    def log_odds(self, evidence: Evidence) -> NDArray[np.float64]:
        """Sum of the offset and of every table's log-odds, shape (n,)."""
        total = np.full(len(next(iter(evidence.values()))), self.offset)
        for name, points in self.points.items():
            values, log_odds = np.array(points).T
            total += np.interp(evidence[name], values, log_odds)
        return total

    @cached_property
    def parted(self) -> tuple[ScoreTable, ScoreTable]:
        """What does not ask for the scores of others, with the offset, and what does; they add up."""
        alone, in_company = (
            {name: points for name, points in self.points.items() if (name in NEIGHBOURHOODS) == wanted}
            for wanted in (False, True)
        )
        return ScoreTable(self.offset, alone), ScoreTable(0.0, in_company)


class Question(NamedTuple):
    """One question of a decision tree: is this evidence above this value?

    Attributes
    ----------
    asked : str
        Name of the evidence.
    above : float
        The value.
    no, yes : int or float
        What an answer leads to: an int is the place of the next question in the tree, a float the tree's log-odds.
    """

    asked: str
    above: float
    no: int | float
    yes: int | float


@dataclass(frozen=True)
class DecisionTrees:
    """Log-odds from many small decision trees, added up.

    Attributes
    ----------
    offset : float
        Log-odds before any tree.
    trees : tuple of tuple of Question
        Each begins with its first question and asks only forwards.
    """

    offset: float
    trees: tuple[tuple[Question, ...], ...]

    def log_odds(self, evidence: Evidence, threads: int = 1) -> NDArray[np.float64]:
        """Sum of the offset and of every tree's log-odds, shape (n,)."""
        from mammocalc_kernels.decision_trees import add_trees

        values = np.stack([evidence[name] for name in self._names])
        total = np.full(values.shape[1], self.offset)
        add_trees(values, *self._arrays, total, threads)
        return total

    @cached_property
    def _names(self) -> list[str]:
        """Every piece of evidence that is asked for."""
        return sorted({question.asked for tree in self.trees for question in tree})

    @cached_property
    def _arrays(
        self,
    ) -> tuple[
        NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]
    ]:
        """The trees as `add_trees` takes them."""
        column = {name: k for k, name in enumerate(self._names)}
        first: list[int] = []
        asked: list[int] = []
        above: list[float] = []
        following: list[int] = []
        answers: list[float] = []
        for tree in self.trees:
            root = len(asked)
            first.append(root)
            for question in tree:
                asked.append(column[question.asked])
                above.append(question.above)
                for leads_to in (question.no, question.yes):
                    if isinstance(leads_to, int):
                        following.append(root + leads_to)
                    else:
                        answers.append(leads_to)
                        following.append(-len(answers))
        return (
            np.array(first, np.int64),
            np.array(asked, np.int64),
            np.array(above),
            np.array(following, np.int64).reshape(-1, 2),
            np.array(answers),
        )


class Correction(NamedTuple):
    """Log-odds set by hand for what several answers together speak for or against.

    Attributes
    ----------
    asked : tuple of (str, float)
        Is this evidence above this value?
    answers : tuple of bool
        The answer to each question that it takes.
    log_odds : float
        Added where all are given.
    """

    asked: tuple[tuple[str, float], ...]
    answers: tuple[bool, ...]
    log_odds: float

    def of(self, evidence: Evidence) -> NDArray[np.float64]:
        """What is added for each candidate, shape (n,)."""
        given = [
            (evidence[name] > value) == answer
            for (name, value), answer in zip(self.asked, self.answers, strict=True)
        ]
        return np.where(np.logical_and.reduce(given), self.log_odds, 0.0)


@dataclass(frozen=True)
class Score:
    """How evidence becomes a score.

    Attributes
    ----------
    table : ScoreTable
        Gives the score by which neighbours support each other, and the score itself where there are no trees.
    trees : DecisionTrees or None
    corrections : tuple of Correction
        Added at the end; everything stands without them.
    """

    table: ScoreTable
    trees: DecisionTrees | None = None
    corrections: tuple[Correction, ...] = ()


@cache
def built_in_score() -> Score:
    """The score that ships with the package: ``score.toml``, ``score_trees.txt``, ``score_corrections.toml``."""
    table, trees, corrections = (
        resources.files("mammocalc.segment").joinpath(name).read_text(encoding="utf-8")
        for name in ("score.toml", "score_trees.txt", "score_corrections.toml")
    )
    return Score(parsed_table(table), parsed_trees(trees), parsed_corrections(corrections))


def parsed_table(text: str) -> ScoreTable:
    """A table from its TOML: an offset, and ``[points]`` with a list of (value, log-odds) for each evidence."""
    content = tomllib.loads(text)
    points = {
        name: tuple((float(v), float(s)) for v, s in table) for name, table in content["points"].items()
    }
    return ScoreTable(float(content["offset"]), points)


def parsed_corrections(text: str) -> tuple[Correction, ...]:
    """Corrections from their TOML: ``[[corrections]]`` with ``asked``, ``answers`` and ``log_odds``."""
    return tuple(
        Correction(
            tuple((str(name), float(value)) for name, value in entry["asked"]),
            tuple(map(bool, entry["answers"])),
            float(entry["log_odds"]),
        )
        for entry in tomllib.loads(text)["corrections"]
    )


def parsed_trees(text: str) -> DecisionTrees:
    """Trees from their text.

    A line a question, "evidence value no yes": is this evidence above this value? An answer is either the log-odds that
    it gives, with a decimal point, or the number of the next question, counted from 0 in its tree. Trees are parted by
    empty lines; lines that begin with # are remarks. The first line that is neither is the offset.
    """
    offset: float | None = None
    trees: list[list[Question]] = [[]]
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        words = line.split()
        if not words:
            if trees[-1]:
                trees.append([])
        elif offset is None:
            offset = float(words[0])
        else:
            asked, above, *ways = words
            no, yes = (float(way) if "." in way else int(way) for way in ways)
            trees[-1].append(Question(asked, float(above), no, yes))
    if offset is None:
        raise ValueError("trees without an offset")
    return DecisionTrees(offset, tuple(tuple(tree) for tree in trees if tree))


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
    score: Score,
    evidence: Evidence,
    row_mm: NDArray[np.float64],
    col_mm: NDArray[np.float64],
    distance_mm: float,
    threads: int = 1,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Scores from each candidate's own evidence and the support of its neighbours.

    Neighbours support each other by what the table says of them; then all evidence is weighed together.

    Parameters
    ----------
    score : Score
    evidence : mapping of str to ndarray of float64, shape (n,)
        All but `NEIGHBOURHOODS`, which are found here.
    row_mm, col_mm : ndarray of float64, shape (n,)
    distance_mm : float
        The nearest neighbourhood.
    threads : int
        The result does not depend on it.

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
    alone, in_company = score.table.parted
    own = alone.log_odds(evidence)
    company = {name: np.zeros(len(row_mm)) for name in NEIGHBOURHOODS}
    log_odds = own + in_company.log_odds({**evidence, **company})
    for _ in range(SUPPORT_ROUNDS):
        support = probability(log_odds)
        company = {name: summed_over(*pairs[name], support) for name in NEIGHBOURHOODS}
        log_odds = own + in_company.log_odds({**evidence, **company})
    known = {**evidence, **company}
    if score.trees is not None:
        log_odds = score.trees.log_odds(known, threads)
    for correction in score.corrections:
        log_odds = log_odds + correction.of(known)
    return probability(log_odds), company
