"""Whoever does the work: takes tasks, gives back outcomes, in any order."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any, Protocol

from mammocalc.batch.guarded import close_idle, search_guarded
from mammocalc.batch.work import Outcome, Task, failure
from mammocalc.errors import MammocalcError

CONNECT_SECONDS = 30
_SECONDS_BETWEEN_LOOKS = 5.0
RESUME = "what is finished is kept: run the same command again to go on"


class Crew(Protocol):
    """Tasks in, outcomes out; every task comes back exactly once."""

    @property
    def capacity(self) -> int:
        """How many tasks it takes at a time."""

    def submit(self, task: Task) -> None:
        """Take a task; called at most `capacity` times ahead of `collect`."""

    def collect(self) -> tuple[Task, Outcome]:
        """Wait for the next task that is done."""

    def close(self) -> None:
        """Let go of everything; what is under way is dropped."""


class ExecutorCrew:
    """Any `concurrent.futures.Executor`; each of its workers searches in a process of its own, held to the limits.

    Parameters
    ----------
    executor : Executor
        Stays open unless `owned`.
    settings : bytes
        As `Settings.packed` gives them.
    capacity : int
        Tasks handed over ahead of their outcomes.
    owned : bool
        Shut it down in the end.
    """

    def __init__(self, executor: Executor, settings: bytes, capacity: int, owned: bool = False) -> None:
        self._executor = executor
        self._owned = owned
        self._settings = settings
        self._done: queue.SimpleQueue[tuple[Task, Future[Outcome]]] = queue.SimpleQueue()
        self._waiting: set[Future[Outcome]] = set()
        self.capacity = capacity

    def submit(self, task: Task) -> None:
        """Hand a task over."""
        try:
            future = self._executor.submit(search_guarded, task, self._settings)
        except RuntimeError as error:  # BrokenExecutor, or shut down
            raise MammocalcError(f"the executor stopped working ({type(error).__name__}); {RESUME}") from None
        self._waiting.add(future)
        future.add_done_callback(lambda done: self._done.put((task, done)))

    def collect(self) -> tuple[Task, Outcome]:
        """Wait for the next task that is done.

        Raises
        ------
        MammocalcError
            When the executor broke or was shut down.
        """
        task, future = self._done.get()
        self._waiting.discard(future)
        try:
            return task, future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise MammocalcError(f"the executor stopped working ({type(error).__name__}); {RESUME}") from None
        except Exception as error:
            return task, _failure(task, error)

    def close(self) -> None:
        """Withdraw what has not started."""
        for future in self._waiting:
            future.cancel()
        if self._owned:
            self._executor.shutdown()
        close_idle()


class DaskCrew:
    """An existing Dask cluster.

    A worker that dies is replaced by the cluster, its tasks are run again elsewhere; a task that takes several workers
    with it (``distributed.scheduler.allowed-failures``) is a failure of its own input.

    Parameters
    ----------
    address : str
        Of the scheduler, e.g. ``tcp://host:8786``.
    settings : bytes
        As `Settings.packed` gives them.
    """

    def __init__(self, address: str, settings: bytes) -> None:
        try:
            from distributed import Client  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise MammocalcError("a scheduler needs Dask: pip install 'mammocalc[dask]'") from None
        try:
            self._client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise MammocalcError(f"no Dask scheduler at {address} ({type(error).__name__})") from None
        self._settings = settings
        self._threads = 0
        self._asked_at = float("-inf")
        self._done: queue.SimpleQueue[tuple[Task, Any]] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """Twice the threads of the cluster as it was lately, so that none waits for the next task.

        Raises
        ------
        MammocalcError
            When the scheduler is gone.
        """
        if time.monotonic() > self._asked_at + _SECONDS_BETWEEN_LOOKS:
            with _scheduler_there():
                self._threads = sum(self._client.nthreads().values())
            self._asked_at = time.monotonic()
        return max(4, 2 * self._threads)

    def submit(self, task: Task) -> None:
        """Hand a task over."""
        with _scheduler_there():
            future = self._client.submit(search_guarded, task, self._settings, pure=False)
            future.add_done_callback(lambda done: self._done.put((task, done)))

    def collect(self) -> tuple[Task, Outcome]:
        """Wait for the next task that is done.

        Raises
        ------
        MammocalcError
            When the scheduler is gone.
        """
        task, future = self._done.get()
        if future.status in ("cancelled", "lost"):
            raise _scheduler_gone()
        with _scheduler_there():
            error = future.exception()
            if error is None:
                return task, future.result()
        return task, _failure(task, error)

    def close(self) -> None:
        """Leave the cluster; tasks under way are dropped."""
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.run(close_idle, on_error="ignore")
        self._client.close(timeout=5)


@contextlib.contextmanager
def _scheduler_there() -> Iterator[None]:
    """What a client raises that has lost its scheduler depends on what it was doing: lost connections, time-outs, ...

    Raises
    ------
    MammocalcError
    """
    try:
        yield
    except Exception:
        raise _scheduler_gone() from None


def _scheduler_gone() -> MammocalcError:
    return MammocalcError(f"the Dask scheduler is gone; {RESUME}")


def _failure(task: Task, error: BaseException) -> Outcome:
    """The outcome of a task whose worker raised; what would be raised for every task ends the run instead.

    Raises
    ------
    MammocalcError
        When the worker has no mammocalc, another version of it, or can start no processes.
    """
    if isinstance(error, MammocalcError):
        raise error
    if isinstance(error, ImportError):
        raise MammocalcError(
            f"the workers cannot import {error.name}: install mammocalc there, in the same version; {RESUME}"
        ) from None
    name = type(error).__name__
    known = {"KilledWorker": "it took several workers with it"}
    return failure(task, known.get(name, f"the worker could not do it ({name})"))
