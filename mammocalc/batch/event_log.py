"""The log of a run: one JSON object a line, complete up to the last line at any moment."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from mammocalc.batch.crew import RESUME
from mammocalc.batch.work import Outcome
from mammocalc.errors import MammocalcError


class EventLog:
    """Appends events to a file; without a path it takes them and does nothing.

    Raises
    ------
    MammocalcError
        When the file cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file: IO[bytes] | None = None
        if path is None:
            return
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torn = _ends_within_a_line(file)
            self._file = file.open("ab", buffering=0)
            self._write(b"\n" if torn else b"")
        except OSError as error:
            raise _unwritable(file, error) from None

    def event(self, event: str, **facts: Any) -> None:
        """Write one line: the time (UTC), the event, and what there is to say of it."""
        if self._file is None:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, "event": event, **facts}) + "\n"
        try:
            self._write(line.encode("ascii"))
        except OSError as error:
            raise _unwritable(Path(self._file.name), error) from None

    def _write(self, data: bytes) -> None:
        """At once, without a buffer: a disk that is full takes a part, or nothing, and it is known of here."""
        assert self._file is not None
        while data:
            data = data[self._file.write(data) :]

    def outcome(self, outcome: Outcome) -> None:
        """Write what became of a frame; its path as in the tables."""
        from mammocalc.write.tables import text

        self.event(
            "image",
            path=text(outcome.name),
            frame=outcome.frame,
            status=outcome.status,
            reason=outcome.reason,
            seconds=round(outcome.seconds, 4),
            stage_ms={stage: round(ms, 2) for stage, ms in outcome.timings.items()},
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _ends_within_a_line(file: Path) -> bool:
    """Whether an earlier run was stopped, or its disk was full, in the middle of a line."""
    if not file.is_file() or file.stat().st_size == 0:
        return False
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


def _unwritable(file: Path, error: OSError) -> MammocalcError:
    what = os.strerror(error.errno) if error.errno else type(error).__name__
    return MammocalcError(f"the log {file} cannot be written ({what}); {RESUME}")
