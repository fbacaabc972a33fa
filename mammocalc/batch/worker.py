"""A worker process: takes tasks from its parent, bounded in memory, silent, gone when the parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def main(handle: int, ahead: bool = False) -> None:
    """Serve one parent over an inherited socket until it closes.

    The parent sends a `Start` first, then tasks; it is sent ``"ready"`` and then one outcome a task. One that is
    started `ahead` imports what a search needs while it waits for that.
    """
    # What is loaded for the first image is no rubbish: to look for some over and over takes a tenth of a second.
    gc.disable()
    # Ctrl-C goes to the whole group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    parent: Connection[Any, Any] = Connection(handle)
    if ahead:
        _import_search()
    from mammocalc.batch.work import unpacked

    with contextlib.suppress(EOFError, OSError):
        start = parent.recv()
        _bound(start.megabytes)
        module, _, name = start.searcher.partition(":")
        search = getattr(importlib.import_module(module), name)
        if start.settings:
            unpacked(start.settings)  # what is wrong with them is wrong for every task
        if start.prepare:
            prepare_module, _, prepare_name = start.prepare.partition(":")
            getattr(importlib.import_module(prepare_module), prepare_name)(start.threads)
        _be_silent()
        parent.send("ready")
        parent.send(search(parent.recv(), start.settings))
        gc.freeze()
        gc.enable()
        while True:
            parent.send(search(parent.recv(), start.settings))


def prepare(threads: int) -> None:
    """Import what a search needs and compile the kernels where that has not been done."""
    import cv2

    _import_search()
    from mammocalc.batch.compile_ahead import compile_ahead
    from mammocalc.warm_up import is_first_run

    cv2.setNumThreads(threads)
    # Here, where no time limit runs yet, and before any other worker starts.
    if is_first_run():
        compile_ahead()


# What others look for when a search imports them, and never use in one: colour profiles and what downloads examples
# (pydicom), a reader of settings files (numba). To find them takes a twentieth of a second.
_UNUSED = ("PIL.ImageCms", "ssl", "tqdm", "yaml")
_NUMBA_SETTINGS = ".numba_config.yaml"


def _import_search() -> None:
    hidden = {name for name in _UNUSED if name not in sys.modules}
    if Path(_NUMBA_SETTINGS).exists():
        hidden.discard("yaml")
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import cv2  # noqa: F401
        import mammocalc_kernels.compile  # noqa: F401

        import mammocalc.pipeline
        import mammocalc.read.dicom  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def _be_silent() -> None:
    """What decoders print about broken files goes nowhere; until here it says why a worker could not start."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_parent() -> None:
    """Have the kernel end this process with its parent, even if it hangs in a decoder."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _bound(megabytes: int) -> None:
    """Allocations beyond the limit raise MemoryError; a crash leaves no image of memory with pixels in it."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if hasattr(resource, "RLIMIT_DATA"):
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            wanted = megabytes * 1_000_000
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), "ahead" in sys.argv[2:])
    # Threads of a decoder that hangs must not keep the process.
    os._exit(0)
