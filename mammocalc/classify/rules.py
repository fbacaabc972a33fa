"""Rules as data: conditions on measured features, alone or in groups, and how they are weighed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
OPERATORS = (*COMPARISONS, "in")

LARGEST_MARGIN = 10.0
"""Margins beyond this many soft edges are not told apart."""


@dataclass(frozen=True)
class Threshold:
    """A number that rules compare with.

    Attributes
    ----------
    value : float
        In the unit of the features that it is compared with.
    soft : float
        Width of the soft edge, same unit: the distance from `value` at which a decision counts as clear.
    basis : {"atlas", "paper", "proposal"}
        Where the number comes from; a proposal is ours and open to tuning.
    note : str
        One line.
    """

    value: float
    soft: float
    basis: Literal["atlas", "paper", "proposal"]
    note: str = ""


@dataclass(frozen=True)
class Condition:
    """One comparison: ``feature operator value``, or ``feature / per operator value``.

    Attributes
    ----------
    feature : str
        What is compared.
    operator : str
        ``>=``, ``<=``, ``>``, ``<``, ``==`` or ``in``.
    value : str or tuple of str
        Name of a threshold for a numeric feature; a text, or several for ``in``, for a text one.
    per : str
        The feature that it is divided by, or empty.
    is_text : bool
        Whether texts are compared.
    """

    feature: str
    operator: str
    value: str | tuple[str, ...]
    per: str = ""
    is_text: bool = False

    @property
    def subject(self) -> str:
        """What is compared, as it is written in the rules."""
        return f"{self.feature} / {self.per}" if self.per else self.feature

    def measured(self, columns: Columns) -> NDArray[Any]:
        """The compared values, one a row."""
        values = columns[self.feature]
        if not self.per:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: NDArray[Any] = values / columns[self.per]
        return ratio

    def weigh(
        self, columns: Columns, thresholds: Mapping[str, Threshold]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Whether it is met, and by how many soft edges (negative where it is not), one a row.

        A feature that could not be measured (NaN) meets no condition. Texts and ``==`` have no soft edge:
        their margin is infinite either way.
        """
        values = self.measured(columns)
        if self.is_text:
            wanted = (self.value,) if isinstance(self.value, str) else self.value
            met = np.isin(values, wanted)
            return met, np.where(met, np.inf, -np.inf)
        threshold = thresholds[str(self.value)]
        met = COMPARISONS[self.operator](values, threshold.value)
        if self.operator == "==":
            return met, np.where(met, np.inf, -np.inf)
        past = (values - threshold.value) / threshold.soft
        if self.operator in ("<=", "<"):
            past = -past
        return met, np.where(np.isnan(past), -np.inf, past)


@dataclass(frozen=True)
class Group:
    """Conditions (or further groups) of which all, or any one, must be met.

    Attributes
    ----------
    kind : {"all", "any"}
        How many of the members are needed.
    members : tuple of Condition or Group
        In the order written.
    """

    kind: Literal["all", "any"]
    members: tuple[Condition | Group, ...]

    def conditions(self) -> Iterator[Condition]:
        """Every condition inside, in the order written."""
        for member in self.members:
            if isinstance(member, Condition):
                yield member
            else:
                yield from member.conditions()

    def weigh(
        self, columns: Columns, thresholds: Mapping[str, Threshold], rows: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Whether it is met, and its margin: that of its weakest member for "all", of its best for "any"."""
        every = self.kind == "all"
        met = np.full(rows, every)
        margin = np.full(rows, np.inf if every else -np.inf)
        for member in self.members:
            if isinstance(member, Condition):
                one_met, one_margin = member.weigh(columns, thresholds)
            else:
                one_met, one_margin = member.weigh(columns, thresholds, rows)
            if every:
                met &= one_met
                np.minimum(margin, one_margin, out=margin)
            else:
                met |= one_met
                np.maximum(margin, one_margin, out=margin)
        return met, margin


@dataclass(frozen=True)
class Rule:
    """A label with the conditions under which it is given.

    Attributes
    ----------
    name : str
        Unique; stands in the tables as the rule that decided.
    label : str
        The descriptor that it gives.
    suspicion : {"typically_benign", "indeterminate", "suspicious"}
        What goes with it.
    reason : str
        Plain words for a reader.
    sources : tuple of str
        Keys of ``Lexicon.sources``.
    when : Group
        Its conditions.
    """

    name: str
    label: str
    suspicion: str
    reason: str
    sources: tuple[str, ...]
    when: Group
