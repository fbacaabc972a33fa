"""Worker processes on this machine: one that crashes, hangs or is killed costs its task and is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import IO, Any, NamedTuple

from mammocalc.batch.launch import launched
from mammocalc.batch.work import Outcome, Task, failure
from mammocalc.errors import MammocalcError

SEARCHER = "mammocalc.batch.work:search"
PREPARE = "mammocalc.batch.worker:prepare"
# Compiling every kernel on a slow machine.
_LONGEST_START_SECONDS = 1800.0
# A killed process that waits for a dead file server does not go away at once.
_LONGEST_FAREWELL_SECONDS = 2.0
# One that ends by itself may take a while on a busy machine; to cut that short would hide how it ended.
_LONGEST_END_SECONDS = 10.0
_MOST_FAILED_STARTS = 5
_KILLED_BY_OTHERS = (signal.SIGKILL, signal.SIGTERM)


class Start(NamedTuple):
    """What a worker is told first."""

    searcher: str
    prepare: str
    settings: bytes
    megabytes: int
    threads: int


class ProcessCrew:
    """A fixed number of worker processes, started as new programs: nothing of this process is inherited.

    Parameters
    ----------
    jobs : int
        Processes.
    settings : bytes
        As `Settings.packed` gives them.
    megabytes : int
        Most memory of one.
    seconds : float
        Longest time for one task.
    threads : int
        Threads each may use.
    searcher, prepare : str
        ``module:function`` that does a task, and one that is called first (may be empty).

    Notes
    -----
    The first worker gets ready alone: it may have to compile the kernels, and a cache that several processes fill at
    once can break.
    """

    def __init__(
        self,
        jobs: int,
        settings: bytes,
        *,
        megabytes: int,
        seconds: float,
        threads: int = 1,
        searcher: str = SEARCHER,
        prepare: str = PREPARE,
    ) -> None:
        self._start = Start(searcher, prepare, settings, megabytes, threads)
        self._seconds = seconds
        self._workers = [_Worker() for _ in range(jobs)]
        self._queue: deque[_Job] = deque()
        self._done: deque[tuple[Task, Outcome]] = deque()
        self._is_prepared = False
        self._failed_starts = 0
        # One task a worker ahead, so that none waits while outcomes are written down.
        self.capacity = 2 * jobs

    def start_first(self) -> None:
        """Start the first worker, which takes a while to get ready, before there is a task."""
        self._workers[0].start(self._start)

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._queue.append(_Job(task))
        self._hand_out()

    def collect(self) -> tuple[Task, Outcome]:
        """Wait for the next task that is done.

        Raises
        ------
        MammocalcError
            When worker processes cannot be started.
        """
        while not self._done:
            self._hand_out()
            self._wait()
        # Whoever is done gets the next task before the outcome is looked at.
        self._hand_out()
        return self._done.popleft()

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            worker.kill()

    def processes(self) -> list[int]:
        """Process ids of the workers that are running."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._queue:
                return
            if worker.process is None and (self._is_prepared or worker is self._workers[0]):
                worker.start(self._start)
            if worker.is_idle and worker.began < self._queue[0].killed_at:
                # Whoever killed the first process may have killed this one, too: the second try is a fresh one's.
                worker.kill()
                worker.start(self._start)
            if worker.is_idle:
                worker.give(self._queue.popleft(), self._seconds)

    def _wait(self) -> None:
        running = {worker.connection: worker for worker in self._workers if worker.connection is not None}
        deadline = min(worker.deadline for worker in running.values())
        timeout = max(0.0, deadline - time.monotonic()) if deadline < float("inf") else None
        for connection in wait(list(running), timeout):
            worker = running[connection]  # type: ignore[index]
            try:
                self._receive(worker, worker.connection.recv())  # type: ignore[union-attr]
            except (EOFError, OSError):
                self._bury(worker)
        for worker in self._workers:
            if worker.connection is not None and time.monotonic() > worker.deadline:
                self._give_up_on(worker)

    def _receive(self, worker: _Worker, message: Any) -> None:
        if worker.job is None:
            worker.is_ready, worker.deadline = True, float("inf")
            self._is_prepared = True
            self._failed_starts = 0
            return
        self._done.append((worker.job.task, message))
        worker.job, worker.deadline = None, float("inf")

    def _give_up_on(self, worker: _Worker) -> None:
        job = worker.job
        worker.kill()
        if job is None:
            raise MammocalcError("a worker process did not get ready in time")
        reason = f"it took longer than the limit of {self._seconds:g} s"
        self._done.append((job.task, failure(job.task, reason)))

    def _bury(self, worker: _Worker) -> None:
        """A worker is gone: try its task once more if it was killed from outside, else the task has failed."""
        job, was_ready = worker.job, worker.is_ready
        status, said = worker.kill(grace=_LONGEST_END_SECONDS)
        if not was_ready:
            self._failed_starts += 1
            if -status not in _KILLED_BY_OTHERS or self._failed_starts > _MOST_FAILED_STARTS:
                raise MammocalcError(
                    f"a worker process could not be started: {said or f'exit status {status}'}"
                )
        if job is None:
            return
        if -status in _KILLED_BY_OTHERS and not job.killed_at:
            self._queue.appendleft(_Job(job.task, killed_at=time.monotonic()))
            return
        self._done.append((job.task, failure(job.task, _death(status))))


def _death(status: int) -> str:
    if -status in _KILLED_BY_OTHERS:
        return "its worker process was killed twice, perhaps for want of memory"
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"its worker process crashed ({signal.Signals(-status).name})"
    return f"its worker process ended (status {status})"


class _Job(NamedTuple):
    task: Task
    killed_at: float = 0.0
    """When the process of the first try was found killed; 0 for a first try."""


class _Worker:
    """One place in the crew, filled by one process after another."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: Connection[Any, Any] | None = None
        self.job: _Job | None = None
        self.is_ready = False
        self.began = 0.0
        self.deadline = float("inf")
        self._said: IO[bytes] | None = None

    @property
    def is_idle(self) -> bool:
        return self.is_ready and self.job is None

    def start(self, start: Start) -> None:
        self.process, self.connection, self._said, _ = launched(start.threads)
        self.is_ready = False
        self.began = time.monotonic()
        self.deadline = self.began + _LONGEST_START_SECONDS
        with contextlib.suppress(OSError):  # it died at once, which the next receive notices
            self.connection.send(start)

    def give(self, job: _Job, seconds: float) -> None:
        assert self.connection is not None
        self.job = job
        self.deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # it died meanwhile, which the next receive notices
            self.connection.send(job.task)

    def kill(self, grace: float = 0.0) -> tuple[int, str]:
        """End the process, after `grace` seconds to end by itself; its exit status, and its last line."""
        if self.process is None or self.connection is None or self._said is None:
            return 0, ""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LONGEST_FAREWELL_SECONDS)
        status = self.process.returncode if self.process.returncode is not None else -signal.SIGKILL
        said = _last_line(self._said)
        self._said.close()
        self.__init__()  # type: ignore[misc]
        return status, said


def _last_line(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 2000))
    lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
