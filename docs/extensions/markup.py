"""reStructuredText from plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def listed(header: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """A table with a header; cells are reStructuredText of one paragraph, empty ones become a dash."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in (header, *rows):
        lines += [f"   {'  -' if i else '* -'} {cell or '–'}" for i, cell in enumerate(row)]
    return [*lines, ""]


def heading(text: str, line: str) -> list[str]:
    """A section title."""
    return [text, line * len(text), ""]


def plain(text: str) -> str:
    """`text` with what reStructuredText would take for markup taken literally."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def literal(text: str) -> str:
    """`text` in a typewriter face."""
    return f"``{text}``"


# In help texts: what stands in backticks, options, addresses.
_CODE = re.compile(r"`([^`]+)`|(?<![\w-])(--[a-z-]+|[a-z]+://[\w:.]*\w)")


def code_words(text: str) -> str:
    """`text` in which words in single backticks, options and addresses are literal."""
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [plain(text[end : found.start()]), literal(found[1] or found[2])]
        end = found.end()
    return "".join([*parts, plain(text[end:])])


def number(value: float) -> str:
    """A number as it is read most easily."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"
