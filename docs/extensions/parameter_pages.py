"""Settings as tables: names, defaults, units, bounds and meanings, from the dataclasses that check them."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any

from markup import code_words, listed, literal, number

UNITS = {"mm2": "mm²", "mm": "mm", "deg": "deg", "seconds": "s", "megabytes": "MB", "megapixels": "million px",
         "cm2": "1/cm²"}  # fmt: skip


def parameters(path: str) -> list[str]:
    """Every field of the dataclass at a dotted path."""
    module, _, name = path.rpartition(".")
    rows = [
        (
            literal(field.name),
            shown(field.default),
            unit(field.name),
            bounds(field),
            code_words(field.metadata["meaning"]),
        )
        for field in dataclasses.fields(getattr(import_module(module), name))
        if field.default is not dataclasses.MISSING
    ]
    return listed(("name", "default", "unit", "bounds", "meaning"), rows, (28, 13, 9, 15, 35))


def bounds(field: dataclasses.Field[Any]) -> str:
    """Inclusive bounds of a field."""
    if "minimum" not in field.metadata:
        return ""
    return f"{number(field.metadata['minimum'])} to {number(field.metadata['maximum'])}"


def unit(name: str) -> str:
    """What the end of a name says; the whole of it where it is one word."""
    return next((shown for end, shown in UNITS.items() if name.endswith(end)), "")


def shown(default: Any) -> str:
    """A default as it is written in Python."""
    return literal(f"{default:g}" if isinstance(default, float) else repr(default))
