"""From folders to tables: walk, crew, ledger."""

from mammocalc.batch.limits import BatchLimits
from mammocalc.batch.merge import merge
from mammocalc.batch.run import detect_folder
from mammocalc.batch.summary import BatchSummary, PlannedInput

__all__ = ["BatchLimits", "BatchSummary", "PlannedInput", "detect_folder", "merge"]
