"""The detection score: readable decision trees weigh a candidate's own evidence, then that of its company too."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SUPPORT = {
    "own_log_odds": "log-odds that the candidate's own evidence gives",
    "neighbours": "summed scores, each by its own evidence, of the candidates within the neighbourhood's radius",
    "neighbours_around": "the same within twice that radius",
    "alike": "the same within twice that radius, each weighed by how alike it is in contrast and diameter",
}
"""Evidence that rests on the scores by own evidence."""
LEAST_SUPPORT = 0.05
"""A candidate whose own evidence gives a lower score than this supports no other."""
ALIKE = {"contrast_noise": 0.5, "diameter_mm": 0.4}
"""Two candidates are alike as far as the natural logarithms of these are; the standard deviation of a normal curve."""

Evidence = Mapping[str, NDArray[np.float64]]


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


@dataclass(frozen=True, eq=False)
class DecisionTrees:
    """Log-odds from many small decision trees, added up.

    Attributes
    ----------
    offset : float
        Log-odds before any tree.
    names : tuple of str
        The evidence that is asked for.
    first : ndarray of int64, shape (trees,)
        The first question of each tree, ascending.
    asked : ndarray of int64, shape (questions,)
        Which of `names` each question is about.
    above : ndarray of float64, shape (questions,)
        Is the evidence above this?
    following : ndarray of int64, shape (questions, 2)
        The question that follows a no and a yes, one further on; -1 - k where ``answers[k]`` ends the tree.
    answers : ndarray of float64
        Log-odds.
    """

    offset: float
    names: tuple[str, ...]
    first: NDArray[np.int64]
    asked: NDArray[np.int64]
    above: NDArray[np.float64]
    following: NDArray[np.int64]
    answers: NDArray[np.float64]

    def log_odds(self, evidence: Evidence, threads: int = 1) -> NDArray[np.float64]:
        """Sum of the offset and of every tree's log-odds, shape (n,)."""
        from mammocalc_kernels.decision_trees import add_trees

        values = np.stack([evidence[name] for name in self.names])
        total = np.full(values.shape[1], self.offset)
        add_trees(values, self.first, self.asked, self.above, self.following, self.answers, total, threads)
        return total


def trees_of(offset: float, trees: Iterable[Sequence[Question]]) -> DecisionTrees:
    """Trees from their questions; each tree begins with its first one and asks only forwards."""
    trees = list(trees)
    first = np.cumsum([0, *map(len, trees)])[:-1]
    asked = [question.asked for tree in trees for question in tree]
    above = np.array([question.above for tree in trees for question in tree], np.float64)
    ways = [way for tree in trees for question in tree for way in (question.no, question.yes)]
    return _from_columns(
        offset, first, asked, above, np.array(ways), [isinstance(way, float) for way in ways]
    )


def _from_columns(
    offset: float,
    first: NDArray[np.int64],
    asked: list[str],
    above: NDArray[np.float64],
    ways: NDArray[np.float64],
    ends: list[bool],
) -> DecisionTrees:
    """Trees from a row a question: the ways of a no and a yes one after the other, and which of them end the tree."""
    names = tuple(sorted(set(asked)))
    column = {name: k for k, name in enumerate(names)}
    last = np.array(ends, np.bool_)
    root = np.repeat(first, np.diff(first, append=len(asked)))
    following = np.where(last, np.negative(np.cumsum(last)), ways + np.repeat(root, 2))
    return DecisionTrees(
        offset,
        names,
        first,
        np.array([column[name] for name in asked], np.int64),
        above,
        following.astype(np.int64).reshape(-1, 2),
        ways[last].astype(np.float64),
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
    own : DecisionTrees
        Weigh a candidate's own evidence.
    together : DecisionTrees or None
        Weigh all evidence, `SUPPORT` included; without them the own evidence decides.
    corrections : tuple of Correction
        Added at the end; everything stands without them.
    """

    own: DecisionTrees
    together: DecisionTrees | None = None
    corrections: tuple[Correction, ...] = ()


@cache
def built_in_score() -> Score:
    """The score that ships with the package, from its three files beside this module."""
    own, together, corrections = (
        resources.files("mammocalc.segment").joinpath(name).read_text(encoding="utf-8")
        for name in ("score_own.txt", "score_together.txt", "score_corrections.toml")
    )
    return Score(parsed_trees(own), parsed_trees(together), parsed_corrections(corrections))


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
    one empty line; lines that begin with # are remarks. The first line that is neither is the offset.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    body = "\n".join(lines).strip()
    if not body:
        raise ValueError("trees without an offset")
    offset, _, rest = body.partition("\n")
    sizes = [len(tree.splitlines()) for tree in rest.strip().split("\n\n")]
    # All words at once: there are tens of thousands of questions, and they are read at every start.
    words = rest.split()
    ways = [way for question in zip(words[2::4], words[3::4], strict=True) for way in question]
    return _from_columns(
        float(offset),
        np.cumsum([0, *sizes])[:-1],
        words[::4],
        np.array([float(word) for word in words[1::4]]),
        np.array([float(way) for way in ways]),
        ["." in way for way in ways],
    )


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function, shape kept."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -50, 50))))


def scores_in_company(
    score: Score,
    evidence: Evidence,
    row_mm: NDArray[np.float64],
    col_mm: NDArray[np.float64],
    distance_mm: float,
    threads: int = 1,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Scores from each candidate's own evidence and the support of others: calcifications come in company.

    Parameters
    ----------
    score : Score
    evidence : mapping of str to ndarray of float64, shape (n,)
        All but `SUPPORT`, which is found here.
    row_mm, col_mm : ndarray of float64, shape (n,)
    distance_mm : float
        Radius of the neighbourhood.
    threads : int
        The result does not depend on it.

    Returns
    -------
    score : ndarray of float64, shape (n,)
    support : dict of str to ndarray of float64
        The evidence of `SUPPORT`.
    """
    from mammocalc_kernels.neighbours import support_of

    log_odds = score.own.log_odds(evidence, threads)
    form = np.stack(
        [np.log(np.maximum(evidence[name], 1e-3)) / deviation for name, deviation in ALIKE.items()], axis=1
    )
    near, around, alike = support_of(
        row_mm, col_mm, form, probability(log_odds), least=LEAST_SUPPORT, reach=distance_mm
    )
    support = dict(zip(SUPPORT, (log_odds, near, around, alike), strict=True))
    known = {**evidence, **support}
    if score.together is not None:
        log_odds = score.together.log_odds(known, threads)
    for correction in score.corrections:
        log_odds = log_odds + correction.of(known)
    return probability(log_odds), support
