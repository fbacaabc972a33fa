"""The log of a run: one JSON object a line, complete up to the last line at any moment."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from mammocalc.batch.work import Outcome


class EventLog:
    """Appends events to a file; without a path it takes them and does nothing.

    Raises
    ------
    OSError
        When the file cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            file = Path(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("a", encoding="ascii")

    def event(self, event: str, **facts: Any) -> None:
        """Write one line: the time (UTC), the event, and what there is to say of it."""
        if self._file is None:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(json.dumps({"time": moment, "event": event, **facts}) + "\n")
        self._file.flush()

    def outcome(self, outcome: Outcome) -> None:
        """Write what became of a frame."""
        self.event(
            "image",
            path=outcome.name,
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
