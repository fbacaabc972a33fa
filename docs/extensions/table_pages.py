"""Columns and features as tables, from where the code defines them."""

from __future__ import annotations

from markup import listed, literal, plain

from mammocalc.classify.cluster_features import ARRANGED
from mammocalc.write.tables import TABLES


def columns(table: str) -> list[str]:
    """Every column of one table in its order."""
    rows = [
        (literal(column.name), column.kind, plain(shown_unit(column.unit)), plain(column.meaning))
        for column in TABLES[table]
    ]
    return listed(("column", "type", "unit", "meaning"), rows, (28, 11, 9, 52))


def features(_: str) -> list[str]:
    """What a rule about a cluster may use beside the counts and shares of its members' labels."""
    rows = [
        (literal(name), plain(shown_unit(feature.unit)), plain(feature.meaning))
        for name, feature in ARRANGED.items()
    ]
    return listed(("feature", "unit", "meaning"), rows, (30, 10, 60))


def shown_unit(unit: str) -> str:
    """A unit as it is printed."""
    return "" if unit == "text" else unit.replace("mm2", "mm²").replace("cm2", "cm²")
