"""Putting the tables together from the ledger, in the order of the inputs."""

from __future__ import annotations

import contextlib
import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mammocalc.batch.columns import joined
from mammocalc.batch.ledger import TABLE_NAMES, Entry
from mammocalc.batch.summary import Tally
from mammocalc.errors import MammocalcError

if TYPE_CHECKING:
    from mammocalc.write.tables import Columns, TableFormat, TableName

STAGES = ("read", "prepare", "segment", "measure", "arrange", "classify")
TIMINGS = "timings.csv"
# Few and large appends: each costs the writer memory of its own, whatever its size.
_ENTRIES_AT_ONCE = 200
_UNFINISHED = ".tables-"


def assemble(out: Path, entries: Iterable[Entry], format: TableFormat, tally: Tally) -> None:
    """Write ``images``, ``calcifications``, ``clusters`` and ``timings.csv`` into `out`, each by rename.

    The three tables depend on the outcomes and their order alone. What differs from run to run, measured time, is in
    ``timings.csv``.

    Parameters
    ----------
    out : Path
        Exists already.
    entries : iterable of Entry
        One a row of ``images``, in order.
    format : {"parquet", "csv"}
    tally : Tally
        Counts every row.

    Raises
    ------
    OSError
        When a table cannot be written; those of an earlier run are then still whole.
    """
    for remains in out.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(remains, ignore_errors=True)
    # Everything is written beside the tables first: moving them into place needs no room on the disk.
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=out) as unfinished:
        _write(Path(unfinished), entries, format, tally)
        for file in Path(unfinished).iterdir():
            file.replace(out / file.name)
    for table in TABLE_NAMES:
        (out / f"{table}.{'csv' if format == 'parquet' else 'parquet'}").unlink(missing_ok=True)


def _write(folder: Path, entries: Iterable[Entry], format: TableFormat, tally: Tally) -> None:
    from mammocalc.write.tables import TableWriter

    with contextlib.ExitStack() as stack:
        writers = {table: stack.enter_context(TableWriter(folder, table, format)) for table in TABLE_NAMES}
        timings = csv.writer(stack.enter_context((folder / TIMINGS).open("w", encoding="utf-8", newline="")))
        timings.writerow(["path", "frame", "seconds", *(f"{stage}_ms" for stage in STAGES)])
        waiting: dict[TableName, list[Columns]] = {table: [] for table in TABLE_NAMES}
        for entry in entries:
            record = entry.record()
            for table in TABLE_NAMES:
                waiting[table].append(record[table])
                if len(waiting[table]) >= _ENTRIES_AT_ONCE:
                    writers[table].append(joined(waiting[table]))
                    waiting[table].clear()
            tally.count(entry.status, entry.reason, entry.timings)
            tally.count_unwritten(entry.unwritten)
            tally.labels.update(record["calcifications"]["label"].tolist())
            tally.clusters += len(record["clusters"]["cluster_id"])
            if entry.timings:
                stages = (f"{entry.timings.get(stage, 0.0):.3f}" for stage in STAGES)
                path = record["images"]["path"][0]
                timings.writerow([path, entry.frame, f"{entry.seconds:.4f}", *stages])
        for table, parts in waiting.items():
            if parts:
                writers[table].append(joined(parts))


def complete(entries: Iterable[Entry | None], what: str) -> Iterator[Entry]:
    """Hand entries through.

    Raises
    ------
    MammocalcError
        When one is missing: no table is written that lacks a row.
    """
    for entry in entries:
        if entry is None:
            raise MammocalcError(f"{what}: an input has no result; run it again to go on")
        yield entry
