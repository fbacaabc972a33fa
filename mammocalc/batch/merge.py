"""Joining the parts of a run that was made in shards."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mammocalc.batch.artefacts import OF_A_STUDY
from mammocalc.batch.assemble import assemble, complete
from mammocalc.batch.inventory import name_order, read_head, read_names
from mammocalc.batch.ledger import Entry, Ledger
from mammocalc.batch.output import LEDGER, check_tables_are_ours, check_version, shard_folder, unwritable
from mammocalc.batch.pages import write_pages
from mammocalc.batch.studies import Members, write_studies
from mammocalc.batch.summary import BatchSummary, Tally, counts, summary_of
from mammocalc.errors import InvalidParameter, MammocalcError
from mammocalc.write.manifest import read_manifest, write_manifest


def merge(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    format: Literal["parquet", "csv"] = "parquet",
) -> BatchSummary:
    """Join the shards of a run into the tables that one run over all inputs would have left.

    Parameters
    ----------
    sources : path or sequence of path
        The outputs of the shards: one folder that all of them shared, or several.
    out : path, optional
        Folder for the tables and ``run.json``; the first source unless given.
    format : {"parquet", "csv"}
        Of the tables.

    Returns
    -------
    BatchSummary
        Counts of the whole run.

    Raises
    ------
    InvalidParameter
        A source holds no shards, or they are not parts of one run, or of another version.
    MammocalcError
        A part is missing or not finished, or the output cannot be written.
    """
    began = time.perf_counter()
    folders = (
        [Path(sources)] if isinstance(sources, (str, os.PathLike)) else [Path(source) for source in sources]
    )
    parts = [part for folder in folders for part in _parts(folder)]
    _check_parts(parts)
    target = Path(out) if out is not None else folders[0]
    check_tables_are_ours(target)
    try:
        manifest = read_manifest(shard_folder(parts[0].folder, parts[0].shard))
        tally = Tally(manifest["settings"]["write"])
        target.mkdir(parents=True, exist_ok=True)
        assemble(target, (entry for _, entry in _entries(parts)), format, tally)
        _write_studies(target, parts, manifest, tally)
        inputs = sum(part.inputs for part in parts)
        _write_manifest(target, manifest, tally, inputs)
        if "html" in manifest["settings"]["write"]:
            write_pages(target, _entries(parts), _configuration(manifest))
    except OSError as error:
        raise unwritable(target, error) from None
    return summary_of(target, tally, inputs, tally.status.total(), time.perf_counter() - began)


class _Part:
    """One shard: where it is, which one it is, and its inputs."""

    def __init__(self, folder: Path, inventory: Path) -> None:
        try:
            head = read_head(inventory)
            self.key: str = head["key"]
            self.version: str = head["version"]
            self.shard: tuple[int, int] = tuple(head["shard"])
            self.inputs: int = head["inputs"]
        except (OSError, ValueError, TypeError, KeyError):
            raise InvalidParameter(f"{inventory}: is damaged") from None
        self.folder = folder
        self._inventory = inventory

    def names(self) -> Iterator[str]:
        return read_names(self._inventory)


def _parts(folder: Path) -> list[_Part]:
    found = [_Part(folder, path) for path in sorted((folder / LEDGER).glob("inputs-*-of-*.jsonl"))]
    if not found:
        raise InvalidParameter(f"{folder}: holds no shards; give the folders that --shard runs wrote to")
    return found


def _check_parts(parts: list[_Part]) -> None:
    if not parts:
        raise InvalidParameter("no shards are given")
    for part in parts:
        check_version(part.folder, part.version, "join parts with the version that made them")
    if len({part.shard[1] for part in parts}) > 1 or len({part.key for part in parts}) > 1:
        raise InvalidParameter(
            "the shards are not parts of one run: their number, parameters, rules or version differ"
        )
    number = parts[0].shard[1]
    there = [part.shard[0] for part in parts]
    if twice := sorted({part for part in there if there.count(part) > 1}):
        raise InvalidParameter(f"shard {twice[0]} of {number} is there twice")
    if missing := sorted(set(range(1, number + 1)) - set(there)):
        shown = ", ".join(map(str, missing[:20]))
        raise MammocalcError(f"{len(missing)} of {number} shards are missing: {shown}")


def _entries(parts: list[_Part]) -> Iterator[tuple[Ledger, Entry]]:
    """The entries of all parts in the order of one run, each with its ledger."""
    ledgers = [Ledger(part.folder / LEDGER) for part in parts]
    for _, number, name in heapq.merge(*(_in_order(part, number) for number, part in enumerate(parts))):
        part = parts[number]
        what = f"shard {part.shard[0]} of {part.shard[1]} is not finished"
        for entry in complete(ledgers[number].frames(name), what):
            yield ledgers[number], entry


def _in_order(part: _Part, number: int) -> Iterator[tuple[tuple[bytes, ...], int, str]]:
    for name in part.names():
        yield name_order(name), number, name


def _write_studies(target: Path, parts: list[_Part], manifest: Mapping[str, Any], tally: Tally) -> None:
    """The objects of whole studies, whose images may be in several parts."""
    wanted = [kind for kind in OF_A_STUDY if kind in manifest["settings"]["write"]]
    if not wanted:
        return
    members = Members(_entries(parts))
    write_studies(target, members, _configuration(manifest), wanted, tally.reasons["unwritten"])


def _configuration(manifest: Mapping[str, Any]) -> str:
    from mammocalc.write.dicom.study import configuration_of

    return configuration_of(manifest["parameters_hash"], manifest["rules_hash"])


def _write_manifest(target: Path, manifest: dict[str, Any], tally: Tally, inputs: int) -> None:
    manifest["counts"] = counts(tally, inputs)
    manifest["reasons"] = {status: tally.by_frequency(status) for status in tally.reasons}
    manifest["settings"] = {**manifest["settings"], "shard": None}
    write_manifest(target, manifest)
