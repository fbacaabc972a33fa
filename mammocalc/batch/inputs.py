"""Finding the inputs: every file below the given folders, in an order that does not depend on the machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mammocalc.errors import InvalidParameter

_Identity = tuple[int, int]


class FoundInput(NamedTuple):
    """Something that gets a row.

    Attributes
    ----------
    path : str
        Where it is.
    name : str
        What it is called in the tables: its path relative to the folder that was given.
    status, reason : str
        ``"skipped"`` or ``"failed"`` and why, where it is not to be read at all; else empty.
    """

    path: str
    name: str
    status: str = ""
    reason: str = ""


def walk(
    roots: Sequence[str | os.PathLike[str]], exclude: Sequence[str | os.PathLike[str]] = ()
) -> Iterator[FoundInput]:
    """All inputs below `roots`, ordered by the bytes of their relative paths, component by component.

    Names are relative to the folder that was given, or to the common parent of several. Symbolic links are followed;
    a folder is walked once however many links lead to it. Memory grows with the folders, not with the files.

    Parameters
    ----------
    roots : sequence of path
        Files and folders; one inside another is not walked twice.
    exclude : sequence of path
        Files and folders that are left out without a trace, by whatever path they are met: those that the run itself
        writes.

    Raises
    ------
    InvalidParameter
        When a root does not exist.
    """
    given = sorted({_absolute(root) for root in roots}, key=_components)
    for root in given:
        if not os.path.lexists(root):
            raise InvalidParameter(f"no such file or folder: {_printable(root)}")
    tops = [root for root in given if not any(_is_inside(root, other) for other in given)]
    if len(tops) == 1 and Path(tops[0]).is_dir():
        base = tops[0]
    else:
        base = os.path.commonpath([Path(top).parent for top in tops]) if tops else ""
    walked: set[_Identity] = set()
    left_out = {_identity(status) for path in exclude if (status := _status(os.fspath(path))) is not None}
    for top in tops:
        yield from _below(Path(top), base, left_out, walked)


def _below(top: Path, base: str, left_out: set[_Identity], walked: set[_Identity]) -> Iterator[FoundInput]:
    """Depth first, without recursion: the depth of folders is not bounded by that of Python's stack."""
    waiting = [(str(top.parent), [top.name])]
    while waiting:
        folder, names = waiting[-1]
        if not names:
            waiting.pop()
            continue
        path = str(Path(folder, names.pop()))
        name = os.path.relpath(path, base)
        status = _status(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            # However many links lead to it: what the run itself writes is known by what it is.
            if status is not None and _identity(status) in left_out:
                continue
            broken = status is None and _leads_nowhere(path)
            reason = "a symbolic link that leads nowhere" if broken else ""
            yield FoundInput(path, name, "failed" if broken else "", reason)
            continue
        identity = _identity(status)
        if identity in left_out:
            continue
        if identity in walked:
            yield FoundInput(path, name, "skipped", "a folder that is walked already under another path")
            continue
        try:
            names_within = _names_in(path)
        except OSError as error:
            yield FoundInput(path, name, "failed", f"the folder cannot be listed ({error.strerror})")
            continue
        walked.add(identity)
        waiting.append((path, names_within))


def _status(path: str) -> os.stat_result | None:
    """What a path leads to; None where that cannot be told, whatever the reason: whoever reads it will say."""
    try:
        return Path(path).stat()
    except OSError:
        return None


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _leads_nowhere(path: str) -> bool:
    """Whether it is a symbolic link to something that is not there, or to itself."""
    file = Path(path)
    try:
        return file.is_symlink() and not file.exists()
    except OSError:
        return False


def _names_in(folder: str) -> list[str]:
    """Names in a folder, last first."""
    with os.scandir(folder) as entries:
        return sorted((entry.name for entry in entries), key=os.fsencode, reverse=True)


def order_of(name: str) -> tuple[bytes, ...]:
    """Sort key of an input's name: the order in which `walk` gives them."""
    return _components(name)


def _absolute(path: str | os.PathLike[str]) -> str:
    """Absolute and without ``..``, links as they are."""
    return os.path.normpath(Path(path).absolute())


def _components(path: str) -> tuple[bytes, ...]:
    return tuple(os.fsencode(path).split(os.fsencode(os.sep)))


def _is_inside(path: str, folder: str) -> bool:
    return path != folder and Path(path).is_relative_to(folder)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
