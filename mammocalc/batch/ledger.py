"""The ledger: one small file a frame, written whole or not at all, from which tables are put together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammocalc.batch.columns import packed, unpacked
from mammocalc.batch.work import Outcome, Record, Stamp

if TYPE_CHECKING:
    from mammocalc.write.tables import TableName

_MAGIC = b"mammocalc ledger 1\n"
_DIGEST_BYTES = 16
TABLE_NAMES: tuple[TableName, ...] = ("images", "calcifications", "clusters")


@dataclass(frozen=True)
class Entry:
    """An outcome as it was written down; `record` is read from the file on demand.

    `key` names all that the outcome depends on beside the content: version, parameters, rules, spacing, limits.
    """

    key: str
    name: str
    frame: int
    frames: int
    status: str
    reason: str
    transient: bool
    seconds: float
    timings: dict[str, float]
    content: str
    stamp: Stamp
    artefacts: tuple[str, ...]
    payload: bytes
    written: tuple[str, ...] = ()
    unwritten: dict[str, str] = field(default_factory=dict)

    def record(self) -> Record:
        """Columns of the three tables."""
        return unpacked(self.payload)


class Ledger:
    """The entries below one folder.

    Parameters
    ----------
    folder : path
        Made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, name: str, frame: int = 0) -> Entry | None:
        """The entry of a frame; None where there is none, or where it is damaged, so that it is made again."""
        try:
            data = self._path(name, frame).read_bytes()
        except OSError:
            return None
        entry = _parsed(data)
        return entry if entry is not None and (entry.name, entry.frame) == (name, frame) else None

    def frames(self, name: str) -> Iterator[Entry | None]:
        """The entries of all frames of an input, None where one is missing."""
        first = self.load(name)
        yield first
        if first is not None:
            for frame in range(1, first.frames):
                yield self.load(name, frame)

    def save(self, outcome: Outcome, key: str) -> None:
        """Write an outcome down, replacing an earlier one.

        Raises
        ------
        OSError
            When it cannot be written; an earlier entry is then still there.
        """
        path = self._path(outcome.name, outcome.frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _formatted(outcome, key))

    def restamp(self, entry: Entry, stamp: Stamp) -> None:
        """Note that the same content now has another time of change.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        write_whole(
            self._path(entry.name, entry.frame), _sealed({**_header(entry), "stamp": stamp}, entry.payload)
        )

    def is_empty(self) -> bool:
        """Whether nothing was ever written down here."""
        return next(self._files(), None) is None

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("[0-9a-f][0-9a-f]/*.entry")

    def _path(self, name: str, frame: int) -> Path:
        identity = hashlib.sha256(os.fsencode(name) + b"\0%d" % frame).hexdigest()[:32]
        return self.folder / identity[:2] / f"{identity}.entry"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that at every moment there is either the old one or the new one, never a part.

    Raises
    ------
    OSError
        When it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _formatted(outcome: Outcome, key: str) -> bytes:
    return _sealed({"key": key, **_header(outcome)}, packed(outcome.record))


def _header(known: Outcome | Entry) -> dict[str, Any]:
    header = {
        "name": known.name,
        "frame": known.frame,
        "frames": known.frames,
        "status": known.status,
        "reason": known.reason,
        "transient": known.transient,
        "seconds": round(known.seconds, 6),
        "timings": {stage: round(ms, 3) for stage, ms in known.timings.items()},
        "content": known.content,
        "stamp": known.stamp,
        "artefacts": sorted(known.artefacts),
        "written": sorted(known.written),
        "unwritten": dict(known.unwritten),
    }
    return {"key": known.key, **header} if isinstance(known, Entry) else header


def _sealed(header: dict[str, Any], payload: bytes) -> bytes:
    body = _MAGIC + json.dumps(header).encode("ascii") + b"\n" + payload
    return body + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _parsed(data: bytes) -> Entry | None:
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not body.startswith(_MAGIC) or hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    try:
        end = body.index(b"\n", len(_MAGIC))
        header = json.loads(body[len(_MAGIC) : end])
        header["stamp"] = Stamp(*header["stamp"])
        for name in ("artefacts", "written"):
            header[name] = tuple(header.get(name, ()))
        return Entry(**header, payload=body[end + 1 :])
    except (ValueError, TypeError, KeyError):  # whole, but of another version's form
        return None
