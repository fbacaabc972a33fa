"""Searching in a process of its own, held to the limits, wherever an executor or a cluster has brought a task."""

from __future__ import annotations

import atexit
import os
import threading

from mammocalc.batch.pool import ProcessCrew
from mammocalc.batch.work import Outcome, Task, search, unpacked

_lock = threading.Lock()
# By the settings they were started with; as many as there were tasks at a time.
_idle: dict[bytes, list[ProcessCrew]] = {}


def search_guarded(task: Task, settings: bytes) -> Outcome:
    """Search one frame in a worker process next to this one: it may crash, hang and grow, this process does not.

    The worker process stays for the next task. Where there are none (Windows), the search is done here.

    Parameters
    ----------
    task : Task
    settings : bytes
        As `Settings.packed` gives them.

    Raises
    ------
    MammocalcError
        When a worker process cannot be started here, or the settings are of another version.
    """
    if os.name != "posix":
        return search(task, settings)
    crew = _taken(settings)
    try:
        crew.submit(task)
        _, outcome = crew.collect()
    except BaseException:
        crew.close()
        raise
    with _lock:
        _idle.setdefault(settings, []).append(crew)
    return outcome


def close_idle() -> None:
    """End the worker processes that wait for a task."""
    with _lock:
        crews = [crew for waiting in _idle.values() for crew in waiting]
        _idle.clear()
    for crew in crews:
        crew.close()


def _taken(settings: bytes) -> ProcessCrew:
    """A crew of one for these settings; those that wait for tasks of an earlier run are closed."""
    with _lock:
        waiting = _idle.get(settings)
        if waiting:
            return waiting.pop()
        earlier = [_idle.pop(other) for other in list(_idle) if other != settings]
    for crews in earlier:
        for crew in crews:
            crew.close()
    given = unpacked(settings)
    return ProcessCrew(
        1,
        settings,
        megabytes=given.limits.worker_megabytes,
        seconds=given.limits.image_seconds,
        threads=given.threads,
    )


atexit.register(close_idle)
