"""Keeping the remarks of libraries on a file from the user: they may quote it; what matters becomes a typed error."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0
_before = contextlib.ExitStack()
_READERS = ("pydicom", "tifffile")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no log entries of readers while any thread is inside; afterwards everything is as before.

    `warnings.catch_warnings` alone would not do: threads that overlap would restore each other's state.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _before.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            for name in _READERS:
                logger = logging.getLogger(name)
                _before.callback(setattr, logger, "disabled", logger.disabled)
                logger.disabled = True
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _before.close()
