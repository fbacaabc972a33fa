"""What a run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Reasons may hold numbers of the file; beyond this many different ones they are counted together.
_MOST_REASONS = 200
OTHER_REASONS = "other reasons"


@dataclass(frozen=True)
class PlannedInput:
    """What a run would do with an input.

    Attributes
    ----------
    name : str
        As it would stand in the column ``path``.
    status : {"ok", "skipped", "failed"}
        ``"ok"`` where it would be searched.
    reason : str
        Why it would not be; empty for ok.
    frames : int
        Frames that it declares.
    """

    name: str
    status: str
    reason: str
    frames: int


@dataclass(frozen=True)
class BatchSummary:
    """What a run came to, as counts.

    Attributes
    ----------
    out : Path
        The folder of the results.
    inputs : int
        Files (and folders that could not be listed).
    images : int
        Rows of the table ``images``: one an input, one a frame of a multi-frame input. ``ok + skipped + failed``.
    ok, skipped, failed : int
        Rows by status.
    resumed : int
        Rows that were there already.
    skipped_reasons, failed_reasons : mapping of str to int
        Rows by reason, most frequent first.
    unwritten_reasons : mapping of str to int
        Further files that were asked for and could not be made, by kind and reason.
    labels : mapping of str to int
        Calcifications by label.
    clusters : int
        Clusters in all images.
    seconds : float
        The whole run, s.
    stage_ms : mapping of str to float
        Mean time of each stage over the images searched, ms.
    planned : tuple of PlannedInput
        Of a dry run, in order; else empty.
    """

    out: Path
    inputs: int = 0
    ok: int = 0
    skipped: int = 0
    failed: int = 0
    resumed: int = 0
    skipped_reasons: Mapping[str, int] = field(default_factory=dict)
    failed_reasons: Mapping[str, int] = field(default_factory=dict)
    unwritten_reasons: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    clusters: int = 0
    seconds: float = 0.0
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    planned: tuple[PlannedInput, ...] = ()

    @property
    def images(self) -> int:
        """Rows of the table ``images``."""
        return self.ok + self.skipped + self.failed

    @property
    def calcifications(self) -> int:
        """Calcifications of all labels."""
        return sum(self.labels.values())


class Tally:
    """Counts rows as they go by, in bounded memory.

    Parameters
    ----------
    write : iterable of str
        What was asked for beside the tables.
    """

    def __init__(self, write: Iterable[str] = ()) -> None:
        self.status: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {
            kind: Counter() for kind in ("skipped", "failed", "unwritten")
        }
        self._write = frozenset(write)
        self.labels: Counter[str] = Counter()
        self.clusters = 0
        self._stage_ms: Counter[str] = Counter()
        self._timed = 0

    def count(self, status: str, reason: str, timings: Mapping[str, float]) -> None:
        """Take note of one row of ``images``."""
        self.status[status] += 1
        if status in self.reasons:
            self._count_reason(status, reason)
        if timings:
            self._timed += 1
            self._stage_ms.update(timings)

    def count_unwritten(self, unwritten: Mapping[str, str]) -> None:
        """Take note of what was asked for and could not be made: reasons by kind of file."""
        for kind in sorted(self._write & unwritten.keys()):
            self._count_reason("unwritten", f"{kind}: {unwritten[kind]}")

    def _count_reason(self, status: str, reason: str) -> None:
        known = self.reasons[status]
        known[reason if reason in known or len(known) < _MOST_REASONS else OTHER_REASONS] += 1

    @property
    def stage_ms(self) -> dict[str, float]:
        """Mean time of each stage, ms."""
        return {stage: total / self._timed for stage, total in self._stage_ms.items()}

    def by_frequency(self, status: str) -> dict[str, int]:
        """Reasons of a status, most frequent first, then by name."""
        return dict(sorted(self.reasons[status].items(), key=lambda pair: (-pair[1], pair[0])))


def counts(tally: Tally, inputs: int) -> dict[str, Any]:
    """Counts for ``run.json``: inputs and further frames add up to the rows of ``images``, and so do rows by status."""
    rows = {status: tally.status[status] for status in ("ok", "skipped", "failed")}
    return {
        "inputs": inputs,
        "further_frames": sum(rows.values()) - inputs,
        "rows": sum(rows.values()),
        "images": rows,
        "calcifications": dict(sorted(tally.labels.items())),
        "clusters": tally.clusters,
    }


def summary_of(out: Path, tally: Tally, inputs: int, resumed: int, seconds: float) -> BatchSummary:
    """What the tally came to."""
    return BatchSummary(
        out=out,
        inputs=inputs,
        ok=tally.status["ok"],
        skipped=tally.status["skipped"],
        failed=tally.status["failed"],
        resumed=resumed,
        skipped_reasons=tally.by_frequency("skipped"),
        failed_reasons=tally.by_frequency("failed"),
        unwritten_reasons=tally.by_frequency("unwritten"),
        labels=dict(sorted(tally.labels.items())),
        clusters=tally.clusters,
        seconds=seconds,
        stage_ms=tally.stage_ms,
    )
