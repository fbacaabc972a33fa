"""Points for a vessel: everything that speaks for a chain being one, added up, where no single rule is sure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Steps:
    """What one feature of a chain adds to its points.

    Attributes
    ----------
    feature : str
        A feature of chains, see `mammocalc.arrange.features`. One that is not known counts as 0.
    values : tuple of float
        Ascending.
    points : tuple of float
        Each is added where the feature reaches its value, or, if `below`, where it stays below it.
    below : bool
    """

    feature: str
    values: tuple[float, ...]
    points: tuple[float, ...]
    below: bool

    def of(self, value: float) -> float:
        """Points for one value of the feature."""
        known = 0.0 if value != value else value
        reached = ((known < step) if self.below else (known >= step) for step in self.values)
        return sum(points for points, there in zip(self.points, reached, strict=True) if there)


@dataclass(frozen=True)
class Card:
    """Points of every feature; their sum with the offset is the log-odds of a vessel."""

    offset: float
    steps: tuple[Steps, ...]

    def points(self, chain: Mapping[str, float]) -> float:
        """Log-odds that a chain with these features is a vessel.

        A logistic regression on steps of the features, which may only speak one way: longer strands, a second wall, a
        ridge beside them and a course aside from the nipple for a vessel, bent or unaligned strands against it.
        """
        return self.offset + sum(self.parts(chain).values())

    def parts(self, chain: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds."""
        return {steps.feature: steps.of(chain[steps.feature]) for steps in self.steps}


def parsed_card(text: str) -> Card:
    """A card from its TOML: ``offset``, and ``[[steps]]`` with ``feature``, ``values``, ``points`` and ``below``."""
    table = tomllib.loads(text)
    steps = (
        Steps(entry["feature"], tuple(entry["values"]), tuple(entry["points"]), entry["below"])
        for entry in table["steps"]
    )
    return Card(table["offset"], tuple(steps))


@cache
def built_in_card() -> Card:
    """The card that ``benchmarks/fit_vessel_points.py`` wrote."""
    return parsed_card(
        resources.files(__package__).joinpath("vessel_points.toml").read_text(encoding="utf-8")
    )
