"""Where things stand in a TOML text: the parser of the standard library gives values, but no lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""'  # strings on several lines, then on one
    r"|'''.*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\n"
    r"|[\[\]{}]",
    re.DOTALL,
)
_HEADER = re.compile(r"""^\s*\[\[?\s*([\w\-."' ]+?)\s*\]\]?\s*(?:\#.*)?$""")
_KEY = re.compile(r"""^\s*([\w\-."' ]+?)\s*=""")


@dataclass
class Section:
    """A table of the text: its header, and the lines (1-based) of its keys and of its string values."""

    name: str
    line: int
    keys: dict[str, int] = field(default_factory=dict)
    strings: list[int] = field(default_factory=list)


class LineIndex:
    """Lines of the tables, keys and string values of a TOML text that is known to parse."""

    def __init__(self, text: str) -> None:
        self.sections = [Section("", 1)]
        lines = text.split("\n")
        depth, number = 0, 1
        self._open_line(lines[0], number)
        for kind, position in _tokens(text):
            if kind == "\n":
                number += 1
                if depth == 0:
                    self._open_line(lines[number - 1], number)
            elif kind in "[{":
                depth += 1
            elif kind in "]}":
                depth -= 1
            else:
                followed_by = text[position + len(kind) :].lstrip(" \t")[:1]
                if followed_by not in ("=", ".") and not (depth == 1 and _HEADER.match(lines[number - 1])):
                    self.sections[-1].strings.append(number)
                number += kind.count("\n")

    def _open_line(self, line: str, number: int) -> None:
        header = _HEADER.match(line)
        if header:
            self.sections.append(Section(_plain(header.group(1)), number))
            return
        key = _KEY.match(line)
        if key:
            self.sections[-1].keys.setdefault(_plain(key.group(1)), number)

    def find(self, name: str, occurrence: int = 0) -> Section | None:
        """The section with this dotted name; of an array of tables the one in place `occurrence`."""
        found = [section for section in self.sections if section.name == name]
        return found[occurrence] if occurrence < len(found) else None

    def line(self, name: str, key: str = "", occurrence: int = 0) -> int:
        """Line of a table, or of a key in it, however it was written; else of the nearest table around it."""
        section = self.find(name, occurrence)
        if section is not None:
            return section.keys.get(key, section.line)
        outer, _, last = name.rpartition(".")
        around = self.find(outer)
        if around is None:
            return 1
        for written in (f"{last}.{key}", last):
            if written in around.keys:
                return around.keys[written]
        return next(
            (line for known, line in around.keys.items() if known.startswith(last + ".")), around.line
        )


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for match in _TOKEN.finditer(text):
        if not match.group().startswith("#"):
            yield match.group(), match.start()


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
