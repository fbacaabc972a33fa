"""Which names are public, and where each has its page. Needs nothing but the package itself."""

from __future__ import annotations

import dataclasses
from functools import cache
from importlib import import_module

# A name that several of them have is documented in the first.
PACKAGES = (
    "mammocalc",
    "mammocalc.read",
    "mammocalc.prepare",
    "mammocalc.segment",
    "mammocalc.measure",
    "mammocalc.arrange",
    "mammocalc.classify",
    "mammocalc.batch",
    "mammocalc.phantom",
    "mammocalc.evaluate",
    "mammocalc.write.dicom",
)
# `mammocalc.read` is a package that can be called, and documented as such; the version is a text.
NOT_PAGES = ("mammocalc.read", "mammocalc.__version__")


@cache
def pages() -> dict[str, str]:
    """The documented path of every public name, by its last part."""
    found: dict[str, str] = {}
    taken = set()
    for package in PACKAGES:
        module = import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if f"{package}.{name}" in NOT_PAGES or id(value) in taken:
                continue
            taken.add(id(value))
            found.setdefault(name, f"{package}.{name}")
    return found


def is_settings(value: object) -> bool:
    """Whether a class is a dataclass of fields that carry their meaning: its attributes are described by them."""
    return (
        isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and any("meaning" in field.metadata for field in dataclasses.fields(value))
    )
