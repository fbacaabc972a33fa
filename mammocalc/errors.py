"""What can go wrong with an input, as types: the batch turns each into a row, the API raises it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MammocalcError(Exception):
    """Anything this package raises on purpose; the text says what was wrong and what to do."""


class SkippedInput(MammocalcError):
    """The input is sound but not a mammogram to be searched (a DICOMDIR, a CT slice, a secondary capture)."""


class UnreadableInput(MammocalcError):
    """The input should have been a mammogram and could not be read (cut short, no pixel spacing, a broken stream)."""


class NoBreastFound(MammocalcError):
    """The image was read and holds nothing that looks like a breast (one grey value, an empty exposure)."""


class InvalidParameter(MammocalcError, ValueError):
    """A parameter or rule is unknown, of the wrong type, or outside its bounds; the text names it."""


class UnwritableObject(MammocalcError):
    """What was asked for cannot be made: the header of an image names no study, or a package is not installed."""


@contextmanager
def naming_file(path: str) -> Iterator[None]:
    """Add to whatever is raised on purpose inside which file it was, as a note under its text.

    A note, not part of the text: tables have a column for the path, and write a hash of it where that is asked for.
    """
    try:
        yield
    except MammocalcError as error:
        if path:
            error.add_note(f"file: {path}")
        raise
