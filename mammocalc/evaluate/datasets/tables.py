"""Tables of data sets as rows of text, and where their files are."""

from __future__ import annotations

import csv
from pathlib import Path

from mammocalc.errors import UnreadableInput

Row = dict[str, str]


def rows_of(path: Path, *needed: str) -> list[Row]:
    """The rows of a CSV or Excel file, by column; blanks around names and values are taken off.

    Raises
    ------
    UnreadableInput
        The file cannot be read or lacks a needed column.
    """
    try:
        if path.suffix.lower() == ".xlsx":
            names, values = _excel(path)
        else:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                names, *values = csv.reader(stream)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UnreadableInput(f"{path}: cannot be read as a table: {error}") from None
    names = [name.strip() for name in names]
    if missing := [name for name in needed if name not in names]:
        raise UnreadableInput(f"{path}: has no column {', '.join(missing)}")
    # A line may be shorter than the head, or empty.
    padding = [""] * len(names)
    return [
        dict(zip(names, [value.strip() for value in line] + padding[len(line) :], strict=False))
        for line in values
        if any(line)
    ]


def _excel(path: Path) -> tuple[list[str], list[list[str]]]:
    import pandas as pd

    try:
        table = pd.read_excel(path, dtype=str, keep_default_na=False)
    except ImportError:
        raise UnreadableInput(f"{path}: needs the package openpyxl; or save it as CSV") from None
    return [str(name) for name in table.columns], table.to_numpy(str).tolist()


def first_file(root: Path, *patterns: str) -> Path | None:
    """The first file under a folder that fits a pattern; near the top before deep down."""
    for pattern in patterns:
        for places in (root.glob(pattern), root.glob(f"*/{pattern}"), root.glob(f"*/*/{pattern}")):
            if found := sorted(places):
                return found[0]
    return None


def needed_file(root: Path, *patterns: str) -> Path:
    """As `first_file`.

    Raises
    ------
    UnreadableInput
        There is none.
    """
    if (found := first_file(root, *patterns)) is None:
        raise UnreadableInput(f"{root}: there is no {' or '.join(patterns)}")
    return found
