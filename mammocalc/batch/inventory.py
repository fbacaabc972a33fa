"""Which inputs a run is about, kept on disk: the driver's memory does not grow with their number."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from mammocalc.batch.inputs import FoundInput, order_of

_HASH_DIGITS = 24


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
    """

    def __init__(
        self,
        found: Iterable[FoundInput],
        *,
        shard: tuple[int, int] | None = None,
        limit: int | None = None,
        hash_paths: bool = False,
    ) -> None:
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 (closed by `close`)
        self.count = 0
        chosen: Iterable[FoundInput] = (item for item in found if in_shard(item.name, shard))
        if hash_paths:
            chosen = sorted(
                (item._replace(name=hashed(item.name)) for item in chosen), key=lambda item: item.name
            )
        for item in chosen:
            if self.count == limit:
                break
            self._file.write(json.dumps(item) + "\n")
            self.count += 1

    def __iter__(self) -> Iterator[FoundInput]:
        """All inputs; one pass at a time."""
        self._file.seek(0)
        for line in self._file:
            yield FoundInput(*json.loads(line))

    def names(self) -> Iterator[str]:
        """Names of all inputs, as they stand in the tables."""
        return (item.name for item in self)

    def close(self) -> None:
        """Forget it."""
        self._file.close()


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


def read_inventory(path: Path) -> tuple[dict[str, Any], Iterator[str]]:
    """What `write_inventory` left: the head, and the names one after the other.

    Raises
    ------
    OSError, ValueError
        When it cannot be read or is damaged.
    """
    stream = path.open(encoding="ascii")
    head = json.loads(stream.readline())

    def names() -> Iterator[str]:
        with stream:
            for line in stream:
                yield json.loads(line)

    return head, names()


def name_order(name: str) -> tuple[bytes, ...]:
    """Sort key of a name in the tables, hashed or not."""
    return order_of(name)
