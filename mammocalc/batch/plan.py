"""What a run would do, from the headers alone."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from mammocalc.batch.driver import Progress
from mammocalc.batch.inventory import Inventory
from mammocalc.batch.summary import BatchSummary, PlannedInput, Tally, summary_of
from mammocalc.batch.work import Settings
from mammocalc.errors import MammocalcError, SkippedInput


def plan(
    out: Path, inventory: Inventory, settings: Settings, began: float, progress: Progress | None = None
) -> BatchSummary:
    """What would become of each input; nothing is decoded or written.

    Parameters
    ----------
    out : Path
        Named in the summary only.
    inventory : Inventory
    settings : Settings
    began : float
        When the run began, by `time.perf_counter`.
    progress : callable, optional
        As that of `Driver`.
    """
    from mammocalc.write.tables import text

    planned, tally = [], Tally()
    for item in inventory:
        status, reason, frames = item.status, item.reason, 1
        if not status:
            status, reason, frames = _glance(item.path, settings)
        planned.append(PlannedInput(text(item.name), status, reason, frames))
        for _ in range(frames):
            tally.count(status, reason, {})
        if progress is not None:
            rate = tally.status.total() / (time.perf_counter() - began)
            progress(len(planned), inventory.count, tally.status["failed"], rate)
    summary = summary_of(out, tally, len(planned), 0, time.perf_counter() - began)
    return dataclasses.replace(summary, planned=tuple(planned))


def _glance(path: str, settings: Settings) -> tuple[str, str, int]:
    from mammocalc.read import count_frames

    try:
        frames = count_frames(path, pixel_spacing_mm=settings.pixel_spacing_mm, limits=settings.limits.read)
    except SkippedInput as error:
        return "skipped", str(error), 1
    except MammocalcError as error:
        return "failed", str(error), 1
    return "ok", "", frames
