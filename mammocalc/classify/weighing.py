"""Every rule on every row at once: what `Condition.weigh` and `Group.weigh` tell of one, for all in a few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.classify.rules import COMPARISONS, Columns, Condition, Group, Rule, Threshold

_BELOW = ("<=", "<")


class Weighing:
    """Rules laid out by what they share: a condition is weighed once, and conditions of one operator together.

    A line is a condition or a group. Those of the conditions come first, then groups by depth, innermost first, so
    that the members of a group stand before it.

    Parameters
    ----------
    rules : tuple of Rule
        Every group has a member.
    thresholds : mapping of str to Threshold
        Those that the rules name.
    """

    def __init__(self, rules: tuple[Rule, ...], thresholds: Mapping[str, Threshold]) -> None:
        conditions = dict.fromkeys(condition for rule in rules for condition in rule.when.conditions())
        soft = [one for one in conditions if not one.is_text and one.operator != "=="]
        soft.sort(key=lambda one: one.operator)
        self._thresholds = thresholds
        self._hard = [one for one in conditions if one.is_text or one.operator == "=="]
        self._subjects = list({one.subject: one for one in soft}.values())
        self._soft = [_same_operator(operator, soft, self._subjects, thresholds) for operator in COMPARISONS]
        by_operator = [one for operator in COMPARISONS for one in soft if one.operator == operator]
        line: dict[Condition | Group, int] = {
            condition: i for i, condition in enumerate([*by_operator, *self._hard])
        }
        self._levels: list[tuple[slice, bool, NDArray[np.int64], NDArray[np.int64]]] = []
        groups = {group: None for rule in rules for group in _groups(rule.when)}
        self._lines = len(line) + len(groups)
        for depth in range(1, max(map(_depth, groups), default=0) + 1):
            for kind in ("all", "any"):
                level = [group for group in groups if group.kind == kind and _depth(group) == depth]
                if level:
                    members = [len(group.members) for group in level]
                    self._levels.append(
                        (
                            slice(len(line), len(line) + len(level)),
                            kind == "all",
                            np.array([line[member] for group in level for member in group.members]),
                            np.cumsum([0, *members[:-1]]),
                        )
                    )
                    line.update({group: len(line) + i for i, group in enumerate(level)})
        self._rules = np.array([line[rule.when] for rule in rules], np.int64)

    def weigh(self, columns: Columns, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Weigh every rule on every row.

        Returns
        -------
        met : ndarray of bool, shape (len(rules), rows)
        margin : ndarray of float64, same shape
            In soft edges; negative where the rule is not met.
        """
        met, margin = np.empty((self._lines, rows), np.bool_), np.empty((self._lines, rows))
        values = np.empty((len(self._subjects), rows))
        for i, one in enumerate(self._subjects):
            values[i] = one.measured(columns)
        begin = 0
        for compared, subject, limit, soft in self._soft:
            lines = slice(begin, begin + len(subject))
            measured = values[subject]
            met[lines] = compared(measured, limit)
            past = (measured - limit) / soft
            margin[lines] = np.where(np.isnan(past), -np.inf, past)
            begin = lines.stop
        for i, one in enumerate(self._hard, begin):
            met[i], margin[i] = one.weigh(columns, self._thresholds)
        for lines, every, members, first in self._levels:
            narrowed, nearest = (np.logical_and, np.minimum) if every else (np.logical_or, np.maximum)
            met[lines] = narrowed.reduceat(met[members], first, axis=0)
            margin[lines] = nearest.reduceat(margin[members], first, axis=0)
        return met[self._rules], margin[self._rules]


def _same_operator(
    operator: str, conditions: list[Condition], subjects: list[Condition], thresholds: Mapping[str, Threshold]
) -> tuple[Any, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The comparison, and of each condition that makes it the place of its subject, its limit and its soft edge.

    The soft edge is negative where the condition is met below the limit.
    """
    place = {one.subject: i for i, one in enumerate(subjects)}
    alike = [one for one in conditions if one.operator == operator]
    named = [thresholds[str(one.value)] for one in alike]
    sign = -1.0 if operator in _BELOW else 1.0
    return (
        COMPARISONS[operator],
        np.array([place[one.subject] for one in alike], np.int64),
        np.array([threshold.value for threshold in named], np.float64)[:, None],
        sign * np.array([threshold.soft for threshold in named], np.float64)[:, None],
    )


def _groups(group: Group) -> list[Group]:
    """The group and all inside it."""
    return [
        group,
        *(inner for member in group.members if isinstance(member, Group) for inner in _groups(member)),
    ]


def _depth(group: Group) -> int:
    """1 for a group of conditions alone, one more than the deepest inside it for others."""
    return 1 + max((_depth(member) for member in group.members if isinstance(member, Group)), default=0)
