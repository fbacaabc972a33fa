"""The output folder of a run: whether it may be written, by one run at a time, and what an earlier run left in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mammocalc.batch.assemble import TIMINGS
from mammocalc.batch.inventory import read_head
from mammocalc.batch.ledger import TABLE_NAMES, Ledger
from mammocalc.errors import InvalidParameter, MammocalcError, UnreadableInput

Existing = Literal["skip", "redo", "error"]
LEDGER = "ledger"


def shard_folder(out: Path, shard: tuple[int, int] | None) -> Path:
    """Where the tables of a run go: a part's own folder, so that parts may share an output."""
    return out if shard is None else out / "shards" / f"{shard[0]}-of-{shard[1]}"


def inventory_path(out: Path, shard: tuple[int, int] | None) -> Path:
    """Where the names of a run's inputs are left."""
    return out / LEDGER / ("inputs.jsonl" if shard is None else f"inputs-{shard[0]}-of-{shard[1]}.jsonl")


@contextlib.contextmanager
def opened(out: Path, shard: tuple[int, int] | None, existing: Existing) -> Iterator[Ledger]:
    """The ledger of an output that may be written, locked against a second run.

    Raises
    ------
    InvalidParameter
        When the output was written by another version, holds tables of somebody else, or holds results and `existing`
        is ``"error"``.
    MammocalcError
        When it cannot be written, or another run is writing to it.
    """
    tables = shard_folder(out, shard)
    ledger = Ledger(out / LEDGER)
    _check_earlier(out, tables, ledger, shard, existing)
    try:
        tables.mkdir(parents=True, exist_ok=True)
        ledger.folder.mkdir(exist_ok=True)
        lock = (ledger.folder / f"{inventory_path(out, shard).stem}.lock").open("w")
    except OSError as error:
        raise unwritable(out, error) from None
    with lock:
        _take(lock.fileno(), out)
        yield ledger


def unwritable(out: Path, error: OSError) -> MammocalcError:
    """What to say when the output cannot be written."""
    what = os.strerror(error.errno) if error.errno else type(error).__name__
    return MammocalcError(
        f"{out} cannot be written ({what}); what was there before is untouched, and what is finished is kept: "
        "once it can be written, run the same command again to go on"
    )


def _check_earlier(
    out: Path, tables: Path, ledger: Ledger, shard: tuple[int, int] | None, existing: Existing
) -> None:
    try:
        os.fspath(out).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(out).decode("utf-8", "backslashreplace")
        raise InvalidParameter(f"{shown}: the name of a folder for results must be valid UTF-8") from None
    if out.exists() and not out.is_dir():
        raise InvalidParameter(f"{out}: is a file, not a folder for results")
    check_tables_are_ours(tables)
    if existing == "redo":
        return
    if existing == "error":
        run = inventory_path(out, shard).exists() or any(tables.glob("images.*"))
        if run or (shard is None and not ledger.is_empty()):
            raise InvalidParameter(
                f"{out}: holds results already; choose another folder, or --existing skip or redo"
            )
        return
    advice = "choose another folder, or --existing redo to replace it"
    check_version(out, _version_of(inventory_path(out, shard), tables), advice)


def check_tables_are_ours(folder: Path) -> None:
    """Let a folder pass in which tables may be replaced.

    Raises
    ------
    InvalidParameter
        When it holds files of their names and nothing else of a run: somebody else's.
    """
    if (folder / "run.json").exists() or (folder / TIMINGS).exists():
        return
    for table in TABLE_NAMES:
        for ending in ("parquet", "csv"):
            if (folder / f"{table}.{ending}").exists():
                raise InvalidParameter(
                    f"{folder}: holds a file {table}.{ending} that is not of an earlier run; choose another folder"
                )


def check_version(out: Path, version: str, advice: str) -> None:
    """Let results of this version pass, and a folder without any (empty).

    Raises
    ------
    InvalidParameter
        When they are of another version.
    """
    from mammocalc import __version__

    if version not in ("", __version__):
        raise InvalidParameter(f"{out}: was written by mammocalc {version}, this is {__version__}; {advice}")


def _version_of(inventory: Path, tables: Path) -> str:
    """Version of the latest run into an output, finished or not; empty where there was none.

    Raises
    ------
    InvalidParameter
        When only ``run.json`` could tell, and it is damaged.
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(read_head(inventory)["version"])
    if not (tables / "run.json").exists():
        return ""
    from mammocalc.write.manifest import read_manifest

    try:
        return str(read_manifest(tables).get("version"))
    except UnreadableInput as error:
        raise InvalidParameter(f"{error}; choose another folder, or --existing redo to replace it") from None


def _take(handle: int, out: Path) -> None:
    """Lock a file for as long as it is open; where that is not possible (some network drives) go on without."""
    if os.name != "posix":
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MammocalcError(f"{out}: another run is writing to it") from None
    except OSError:
        return
