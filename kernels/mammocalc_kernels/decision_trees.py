"""Sums of decision trees: every sample is asked its way through each tree, the last answer gives a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from mammocalc_kernels.compile import bands, kernel, run_each

# Bits of the word that says which answers of a tree a sample may still come to.
_MOST_ANSWERS = 64
# Samples at a time: with the values asked for they fit into the nearest cache.
_BLOCK = 512


@intrinsic
def _lowest_bit(typingctx: Any, word: Any) -> Any:
    """Place of the lowest bit of a uint64 that is set, int64; one is."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(word), generate


@kernel
def _answers_in_order(root, end, following, answers, begins, ordered, left_out):  # type: ignore[no-untyped-def]
    """List a tree's answers from its leftmost, no before yes; how many there are.

    For the questions from `root` to `end`: how many `answers` are behind each, with which it `begins`, and what is
    `left_out` by a yes, a bit of 0 each; `ordered` are the answers' places.
    """
    for question in range(end - 1, root - 1, -1):
        no, yes = following[question, 0], following[question, 1]
        answers[question] = (answers[no] if no >= 0 else 1) + (answers[yes] if yes >= 0 else 1)
    if answers[root] > _MOST_ANSWERS:
        return answers[root]
    begins[root] = 0
    for question in range(root, end):
        no, yes = following[question, 0], following[question, 1]
        begin = begins[question]
        behind_no = answers[no] if no >= 0 else 1
        if no >= 0:
            begins[no] = begin
        else:
            ordered[begin] = -1 - no
        if yes >= 0:
            begins[yes] = begin + behind_no
        else:
            ordered[begin + behind_no] = -1 - yes
        left_out[question] = ~(((np.uint64(1) << np.uint64(behind_no)) - np.uint64(1)) << np.uint64(begin))
    return answers[root]


@kernel
def _add_trees(values, first, asked, above, following, answer, total, begin, end):  # type: ignore[no-untyped-def]
    """False where a tree has too many answers."""
    everything = ~np.uint64(0)
    questions = asked.size
    answers, begins = np.empty(questions, np.int64), np.empty(questions, np.int64)
    left_out = np.empty(questions, np.uint64)
    ordered = np.empty(_MOST_ANSWERS, np.int64)
    possible = np.empty(_BLOCK, np.uint64)
    for tree in range(first.size):
        root = first[tree]
        last = first[tree + 1] if tree + 1 < first.size else questions
        if _answers_in_order(root, last, following, answers, begins, ordered, left_out) > _MOST_ANSWERS:
            return False
        for block in range(begin, end, _BLOCK):
            n = min(_BLOCK, end - block)
            possible[:n] = everything
            for question in range(root, last):
                value = values[asked[question], block : block + n]
                limit, without = above[question], left_out[question]
                for i in range(n):
                    possible[i] &= without if value[i] > limit else everything
            for i in range(n):
                total[block + i] += answer[ordered[_lowest_bit(possible[i])]]
    return True


def add_trees(
    values: NDArray[np.float64],
    first: NDArray[np.int64],
    asked: NDArray[np.int64],
    above: NDArray[np.float64],
    following: NDArray[np.int64],
    answer: NDArray[np.float64],
    total: NDArray[np.float64],
    threads: int = 1,
) -> None:
    """Add the value of every tree to `total`, in place.

    No sample goes its way from question to question. All are asked every question, which is vector code without a
    branch; a yes leaves out the answers behind the no, and the leftmost answer that is not left out is the tree's [1]_.

    Parameters
    ----------
    values : ndarray of float64, shape (columns, n)
        C-contiguous; NaN answers no.
    first : ndarray of int64, shape (trees,)
        The first question of each tree, which reaches to that of the next; ascending.
    asked : ndarray of int64, shape (questions,)
        Column of each question.
    above : ndarray of float64, shape (questions,)
        Is the value above this?
    following : ndarray of int64, shape (questions, 2)
        The question that follows a no and a yes, one further on; -1 - k for the end of the tree with ``answer[k]``.
    answer : ndarray of float64
    total : ndarray of float64, shape (n,)
    threads : int
        The result does not depend on it.

    Raises
    ------
    ValueError
        A tree has more than 64 answers.

    References
    ----------
    .. [1] Lucchese C., Nardini F. M., Orlando S., Perego R., Tonellotto N., Venturini R. (2015). QuickScorer: a fast
       algorithm to rank documents with additive ensembles of regression trees. SIGIR 2015, 73-82,
       doi 10.1145/2766462.2767733.
    """
    trees = values, first, asked, above, following, answer, total
    # One band a thread: each lays out all trees first.
    parts = bands(len(total), threads)
    if not all(run_each(lambda part: _add_trees(*trees, *part), parts, threads)):
        raise ValueError(f"a decision tree has more than {_MOST_ANSWERS} answers")
