"""What kind of file this is, from its first bytes alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

FileKind = Literal["dicom", "png", "tiff", "pgm"]

_SIGNATURES: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
# A data set without preamble starts with an early group, in either byte order.
_FIRST_GROUPS = (b"\x02\0", b"\x08\0", b"\0\x08")
IMAGE_SUFFIXES = frozenset((".dcm", ".dicom", ".dic", ".ima", ".png", ".tif", ".tiff", ".pgm"))


def identify(path: str | os.PathLike[str]) -> FileKind | None:
    """Kind of a file by its content: ``"dicom"``, ``"png"``, ``"tiff"``, ``"pgm"``, else None.

    Reads 140 bytes. A DICOM data set without preamble is recognised by a plausible first element.

    Parameters
    ----------
    path : path
        Whatever its name.

    Returns
    -------
    str or None
        The kind; None where it is none of these.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    with Path(path).open("rb") as stream:
        return kind_of(stream.read(140))


def kind_of(head: bytes) -> FileKind | None:
    """The same for a file's first 140 bytes."""
    if head[128:132] == b"DICM":
        return "dicom"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:2] in (b"P2", b"P5") and head[2:3].isspace():
        return "pgm"
    return "dicom" if _is_bare_data_set(head) else None


def _is_bare_data_set(head: bytes) -> bool:
    if len(head) < 16 or head[:2] not in _FIRST_GROUPS:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    order: Literal["big", "little"] = "big" if head[0] == 0 else "little"
    if explicit:
        return True
    # Implicit: an early element number and a short value.
    return order == "little" and head[3] == 0 and int.from_bytes(head[4:8], order) <= 256
