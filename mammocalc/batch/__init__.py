"""From folders to tables: walk, crew, ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mammocalc.batch.limits import BatchLimits
    from mammocalc.batch.merge import merge
    from mammocalc.batch.run import detect_folder
    from mammocalc.batch.summary import BatchSummary, PlannedInput

__all__ = ["BatchLimits", "BatchSummary", "PlannedInput", "detect_folder", "merge"]

# Imported when first used: a worker process is started, and starts, without waiting for all of it.
_HOME = {
    "BatchLimits": "limits",
    "BatchSummary": "summary",
    "PlannedInput": "summary",
    "detect_folder": "run",
    "merge": "merge",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
