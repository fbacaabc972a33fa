"""Starting worker processes. The first one may be started ahead: getting ready takes it longer than its parent."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, NamedTuple


class Launched(NamedTuple):
    """A worker process, the connection to it, and what it says on its way; `threads` is what it may use."""

    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]
    said: IO[bytes]
    threads: int

    def end(self) -> None:
        """Kill it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()
        self.said.close()


_ahead: list[Launched] = []


def processes_and_threads(jobs: int | None, roots: Sequence[str | os.PathLike[str]]) -> tuple[int, int]:
    """How many worker processes have something to do, and how many threads each may use.

    Parameters
    ----------
    jobs : int, optional
        What was asked for; one a usable processor unless given.
    roots : sequence of path
        Files and folders.
    """
    from mammocalc.pipeline import usable_threads

    processors = usable_threads()
    jobs = jobs or processors
    if all(Path(root).is_file() for root in roots):
        # More workers would only keep threads from those that have something to do.
        jobs = max(1, min(jobs, len(roots)))
    return jobs, max(1, processors // jobs)


def launch(threads: int, *options: str) -> Launched:
    """Start a worker as a new program: nothing of this process is inherited but one end of a socket."""
    ours, theirs = socket.socketpair()
    said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
    with theirs:
        process = subprocess.Popen(
            # -P: a module that lies in the current folder, among the inputs perhaps, is not taken for one of ours.
            [sys.executable, "-P", "-m", "mammocalc.batch.worker", str(theirs.fileno()), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=[theirs.fileno()],
            env=_environment(threads),
        )
    return Launched(process, Connection(ours.detach()), said, threads)


def launch_ahead(threads: int) -> None:
    """Start a worker that imports what a search needs before it is told anything; `launched` hands it out."""
    _ahead.append(launch(threads, "ahead"))


def launched(threads: int) -> Launched:
    """A worker that was started ahead for so many threads, or one that is started now."""
    for k, one in enumerate(_ahead):
        if one.threads == threads and one.process.poll() is None:
            return _ahead.pop(k)
    return launch(threads)


def end_ahead() -> None:
    """End those that were started ahead and not needed."""
    while _ahead:
        with contextlib.suppress(OSError):
            _ahead.pop().end()


def _environment(threads: int) -> dict[str, str]:
    """That of this process, with its module path, a bound on the threads of numeric libraries, and memory kept."""
    bounded = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    # glibc would give the memory of every plane back to the system, which would clear it again for the next image.
    kept = {name: str(1 << 30) for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}
    # An empty entry is the current folder, which this process takes modules from, too.
    return {
        **kept,
        **os.environ,
        **bounded,
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
    }
