"""Dataclass fields that carry their meaning, unit and bounds, and the one check that holds them to it."""

from __future__ import annotations

import dataclasses
from typing import Any

from mammocalc.errors import InvalidParameter


def bounded(default: float, minimum: float, maximum: float, meaning: str) -> Any:
    """A numeric dataclass field with inclusive bounds and a one-line meaning.

    The unit stands in the field's name (``_mm``, ``_deg``); a name without a unit is a pure number.
    An ``int`` default makes an integer field, a ``float`` default a real one.
    """
    return dataclasses.field(
        default=default, metadata={"minimum": minimum, "maximum": maximum, "meaning": meaning}
    )


def explained(default: Any, meaning: str) -> Any:
    """A dataclass field without bounds, a switch or a name, with a one-line meaning."""
    return dataclasses.field(default=default, metadata={"meaning": meaning})


def check_bounds(parameters: Any) -> None:
    """Hold every `bounded` field of a dataclass instance to its type and bounds.

    Raises
    ------
    InvalidParameter
        Names the field, the value and the bounds.
    """
    for field in dataclasses.fields(parameters):
        if "minimum" not in field.metadata:
            continue
        value = getattr(parameters, field.name)
        whole = isinstance(field.default, int)
        wanted = "an integer" if whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise InvalidParameter(f"{field.name}: {wanted} is needed, got {value!r}")
        low, high = field.metadata["minimum"], field.metadata["maximum"]
        if not low <= value <= high:
            raise InvalidParameter(f"{field.name}: {value!r} is outside {low} to {high}")
