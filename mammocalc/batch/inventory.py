"""Which inputs a run is about, kept on disk: the driver's memory does not grow with their number."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from mammocalc.batch.inputs import FoundInput, order_of

_HASH_DIGITS = 24
# Files that are open at once while hashed names are sorted.
_PARTS = 64


def hashed(name: str) -> str:
    """The pseudonym of a path: the same wherever the same relative path occurs."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:_HASH_DIGITS]


def in_shard(name: str, shard: tuple[int, int] | None) -> bool:
    """Whether an input belongs to part `shard[0]` (1-based) of `shard[1]`.

    Told from the name alone, so that parts run at different times share no input and leave none out.
    """
    if shard is None:
        return True
    return int(hashed(name), 16) % shard[1] == shard[0] - 1


class Inventory:
    """The inputs of a run in their order, in an anonymous temporary file.

    Parameters
    ----------
    found : iterable of FoundInput
        In the order of `walk`.
    shard : tuple of int, optional
        Part (1-based) and number of parts.
    limit : int, optional
        Only the first so many (of the part).
    hash_paths : bool
        Name inputs by `hashed`, and order them by that, which tells nothing of the paths.
    folder : path, optional
        Where the temporary file is; that of the system unless given.
    """

    def __init__(
        self,
        found: Iterable[FoundInput],
        *,
        shard: tuple[int, int] | None = None,
        limit: int | None = None,
        hash_paths: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._file = _temporary_file(folder)
        self.count = 0
        chosen = islice((item for item in found if in_shard(item.name, shard)), limit)
        try:
            self._fill(_hashed_all(chosen, folder) if hash_paths else chosen)
        except BaseException:
            self.close()
            raise

    def _fill(self, items: Iterable[FoundInput]) -> None:
        for item in items:
            _put(self._file, item)
            self.count += 1

    def __iter__(self) -> Iterator[FoundInput]:
        """All inputs; one pass at a time."""
        return _taken_from(self._file)

    def names(self) -> Iterator[str]:
        """Names of all inputs, as they stand in the tables."""
        return (item.name for item in self)

    def close(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):  # what a full disk did not take is of no use any more
            self._file.close()


def _hashed_all(items: Iterable[FoundInput], folder: Path | None) -> Iterator[FoundInput]:
    """The inputs named and ordered by their hashes: laid out on disk by the first digits, then sorted part by part."""
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(_temporary_file(folder)) for _ in range(_PARTS)]
        for item in items:
            name = hashed(item.name)
            _put(parts[int(name[:4], 16) * _PARTS >> 16], item._replace(name=name))
        for part in parts:
            yield from sorted(_taken_from(part), key=lambda item: item.name)


def _temporary_file(folder: Path | None) -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="ascii", dir=folder)


def _put(stream: IO[str], item: FoundInput) -> None:
    stream.write(json.dumps(item) + "\n")


def _taken_from(stream: IO[str]) -> Iterator[FoundInput]:
    stream.seek(0)
    for line in stream:
        yield FoundInput(*json.loads(line))


def write_inventory(path: Path, head: dict[str, Any], names: Iterable[str]) -> None:
    """Leave the names of a run's inputs beside its ledger, in order, without where they are.

    Raises
    ------
    OSError
        When it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("w", encoding="ascii") as stream:
            stream.write(json.dumps(head) + "\n")
            stream.writelines(json.dumps(name) + "\n" for name in names)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_head(path: Path) -> dict[str, Any]:
    """The head that `write_inventory` left.

    Raises
    ------
    OSError, ValueError
        When it cannot be read or is damaged.
    """
    with path.open(encoding="ascii") as stream:
        head: dict[str, Any] = json.loads(stream.readline())
    return head


def read_names(path: Path) -> Iterator[str]:
    """The names that `write_inventory` left, one after the other."""
    with path.open(encoding="ascii") as stream:
        stream.readline()
        for line in stream:
            yield json.loads(line)


def name_order(name: str) -> tuple[bytes, ...]:
    """Sort key of a name in the tables, hashed or not."""
    return order_of(name)
