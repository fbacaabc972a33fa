"""A whole run: inputs to crew, outcomes to the ledger, the ledger to tables."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mammocalc.batch.assemble import assemble, complete
from mammocalc.batch.crew import Crew, DaskCrew, ExecutorCrew
from mammocalc.batch.event_log import EventLog
from mammocalc.batch.inputs import FoundInput, walk
from mammocalc.batch.inventory import Inventory, write_inventory
from mammocalc.batch.ledger import Entry, Ledger, write_whole
from mammocalc.batch.limits import BatchLimits
from mammocalc.batch.output import Existing, inventory_path, opened, shard_folder, unwritable
from mammocalc.batch.pool import ProcessCrew
from mammocalc.batch.summary import BatchSummary, PlannedInput, Tally
from mammocalc.batch.work import Outcome, Settings, Task, artefact_paths, failed_record, stamp_of
from mammocalc.errors import InvalidParameter, MammocalcError, SkippedInput

if TYPE_CHECKING:
    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters

Path_ = str | os.PathLike[str]
Progress = Callable[[int, int, int, float], None]
_WRITERS = ("overlay",)


def detect_folder(
    paths: Path_ | Sequence[Path_],
    out: Path_,
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    format: Literal["parquet", "csv"] = "parquet",
    write: Sequence[str] = ("overlay",),
    rules: Lexicon | Path_ | None = None,
    parameters: Parameters | Path_ | None = None,
    pixel_spacing_mm: float | None = None,
    existing: Existing = "skip",
    min_score: float | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    scheduler: str | None = None,
    log: Path_ | None = None,
    dry_run: bool = False,
    hash_paths: bool = False,
    limits: BatchLimits | None = None,
    progress: Progress | None = None,
) -> BatchSummary:
    """Search every mammogram below some folders, and leave tables, pictures and a manifest.

    Every input gets a row in the table ``images`` with its end: ok, skipped or failed, and why. Results are written
    down one by one, so that a run that was stopped, however it was, goes on where it stopped; the tables are the same,
    byte for byte, however and in how many pieces they were made.

    Parameters
    ----------
    paths : path or sequence of path
        Files and folders; folders are walked, whatever the files are called.
    out : path
        Folder for the results; left out of the walk.
    executor : concurrent.futures.Executor, optional
        Does the work in place of worker processes of this machine. Its workers are not protected from what a broken
        file may do to a decoder.
    jobs : int, optional
        Worker processes, one a usable processor unless given.
    format : {"parquet", "csv"}
        Of the tables.
    write : sequence of str
        Further files an image: ``"overlay"``.
    rules : Lexicon or path, optional
    parameters : Parameters or path, optional
    pixel_spacing_mm : float, optional
        For images that do not state it, mm.
    existing : {"skip", "redo", "error"}
        Inputs with a result of the same content, parameters, rules and version: keep it, make it again, or raise.
    min_score : float, optional
        Lowest detection score that is reported, 0 to 1.
    limit : int, optional
        Only the first so many inputs.
    shard : tuple of int, optional
        Part (1-based) and number of parts: only that part of the inputs. `merge` joins them.
    scheduler : str, optional
        Address of a Dask scheduler that does the work, e.g. ``tcp://host:8786``.
    log : path, optional
        JSON lines are appended to it, one an event.
    dry_run : bool
        Only look: nothing is decoded or written, `BatchSummary.planned` says what would be done.
    hash_paths : bool
        Name inputs by a hash of their relative path, in every output.
    limits : BatchLimits, optional
        What an image may cost.
    progress : callable, optional
        Called with inputs done, inputs, failed rows and rows per second since the start of the run.

    Returns
    -------
    BatchSummary

    Raises
    ------
    InvalidParameter
        A parameter is outside its bounds, an input does not exist, the output is that of another version.
    MammocalcError
        The output cannot be written, or the executor or scheduler stopped working; what is finished is kept.
    KeyboardInterrupt
        Stopped by the user; what is finished is kept.
    """
    began = time.perf_counter()
    roots = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    folder = Path(out)
    _check_choices(roots, format, write, existing, jobs, limit, shard, executor, scheduler)
    limits = limits or BatchLimits()
    jobs = jobs or _usable_processors()
    settings = _settings(rules, parameters, pixel_spacing_mm, min_score, tuple(write), limits, jobs)
    found = walk(roots, exclude=folder)
    if dry_run:
        return _plan(folder, found, settings, shard, limit, hash_paths, began)

    key = run_key(settings)
    with opened(folder, shard, existing) as ledger, contextlib.ExitStack() as stack:
        try:
            inventory = Inventory(
                found, shard=shard, limit=limit, hash_paths=hash_paths, folder=ledger.folder
            )
            stack.callback(inventory.close)
            events = EventLog(log)
            stack.callback(events.close)
            write_inventory(
                inventory_path(folder, shard),
                {"key": key, "shard": shard, "inputs": inventory.count},
                inventory.names(),
            )
            make_crew = _crew_maker(executor, scheduler, jobs, settings)
            driver = _Driver(
                folder, ledger, key, settings, existing == "redo", events, progress, inventory.count
            )
            events.event("start", inputs=inventory.count, key=key)
            driver.run(inventory, make_crew)
            summary = finish(folder, shard, ledger, inventory, settings, format, driver.resumed, began)
            events.event("end", ok=summary.ok, skipped=summary.skipped, failed=summary.failed)
        except OSError as error:
            raise unwritable(folder, error) from None
    return summary


def run_key(settings: Settings) -> str:
    """Names all that an outcome depends on beside the content of its input: equal keys, equal results."""
    from mammocalc import __version__

    facts = {
        "version": __version__,
        "parameters": settings.parameters.hash,
        "rules": settings.lexicon.hash,
        "pixel_spacing_mm": settings.pixel_spacing_mm,
        "limits": repr(settings.limits.read),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def finish(
    out: Path,
    shard: tuple[int, int] | None,
    ledger: Ledger,
    inventory: Inventory,
    settings: Settings,
    format: Literal["parquet", "csv"],
    resumed: int,
    began: float,
) -> BatchSummary:
    """Write the tables and ``run.json`` of a run whose inputs all have their entries."""
    from mammocalc.write.manifest import run_manifest, write_manifest

    tables = shard_folder(out, shard)
    tally = Tally()
    entries = (entry for name in inventory.names() for entry in frames_of(ledger, name))
    assemble(tables, complete(entries, str(out)), format, tally)
    further = {
        "settings": {
            "pixel_spacing_mm": settings.pixel_spacing_mm,
            "write": list(settings.write),
            "image_seconds": settings.limits.image_seconds,
            "worker_megabytes": settings.limits.worker_megabytes,
            "read_limits": vars(settings.limits.read),
            "shard": shard,
        },
        "reasons": {status: tally.by_frequency(status) for status in ("skipped", "failed")},
    }
    write_manifest(
        tables, run_manifest(settings.parameters, settings.lexicon, counts(tally, inventory.count), **further)
    )
    return summary_of(out, tally, inventory.count, resumed, time.perf_counter() - began)


def counts(tally: Tally, inputs: int) -> dict[str, Any]:
    """Counts for ``run.json``: rows of ``images`` by status add up to its rows."""
    rows = {status: tally.status[status] for status in ("ok", "skipped", "failed")}
    return {
        "inputs": inputs,
        "rows": sum(rows.values()),
        "images": rows,
        "calcifications": dict(sorted(tally.labels.items())),
        "clusters": tally.clusters,
    }


def summary_of(out: Path, tally: Tally, inputs: int, resumed: int, seconds: float) -> BatchSummary:
    """What the tally came to."""
    return BatchSummary(
        out=out,
        inputs=inputs,
        ok=tally.status["ok"],
        skipped=tally.status["skipped"],
        failed=tally.status["failed"],
        resumed=resumed,
        skipped_reasons=tally.by_frequency("skipped"),
        failed_reasons=tally.by_frequency("failed"),
        labels=dict(sorted(tally.labels.items())),
        clusters=tally.clusters,
        seconds=seconds,
        stage_ms=tally.stage_ms,
    )


def frames_of(ledger: Ledger, name: str) -> Iterator[Entry | None]:
    """The entries of all frames of an input, None where one is missing."""
    first = ledger.load(name)
    yield first
    if first is not None:
        for frame in range(1, first.frames):
            yield ledger.load(name, frame)


class _Driver:
    """Keeps the crew busy and writes down what it brings back."""

    def __init__(
        self,
        out: Path,
        ledger: Ledger,
        key: str,
        settings: Settings,
        redo: bool,
        events: EventLog,
        progress: Progress | None,
        inputs: int,
    ) -> None:
        self.resumed = 0
        self._out = out
        self._ledger = ledger
        self._key = key
        self._settings = settings
        self._redo = redo
        self._events = events
        self._progress = progress
        self._inputs = inputs
        self._inputs_done = 0
        self._rows_done = 0
        self._failed = 0
        self._began = time.perf_counter()
        self._further: deque[Task] = deque()
        self._frames_left: dict[str, int] = {}

    def run(self, inventory: Inventory, make_crew: Callable[[], Crew]) -> None:
        """Bring every input to its end; the crew is called together when there is something to do."""
        crew: Crew | None = None
        tasks = self._tasks(inventory)
        under_way = 0
        try:
            while True:
                while crew is None or under_way < crew.capacity:
                    task = self._further.popleft() if self._further else next(tasks, None)
                    if task is None:
                        break
                    crew = crew or make_crew()
                    crew.submit(task)
                    under_way += 1
                if crew is None or under_way == 0:
                    break
                self._take(*crew.collect())
                under_way -= 1
        finally:
            if crew is not None:
                crew.close()

    def _tasks(self, inventory: Inventory) -> Iterator[Task]:
        """The first frame of every input that has no good result yet."""
        for item in inventory:
            if item.status:
                self._refuse(item)
                continue
            task = Task(item.path, item.name)
            earlier = None if self._redo else self._ledger.load(item.name)
            if earlier is None or not self._is_good(earlier):
                yield task
            elif earlier.content and earlier.stamp == stamp_of(item.path):
                self._keep(task, earlier)
            else:
                yield task._replace(known_content=earlier.content)

    def _is_good(self, entry: Entry) -> bool:
        wanted = artefact_paths(entry.name, entry.frame, self._settings.write) if entry.status == "ok" else []
        return (
            entry.key == self._key
            and not entry.transient
            and set(wanted) <= set(entry.artefacts)
            and all((self._out / path).exists() for path in wanted)
        )

    def _refuse(self, item: FoundInput) -> None:
        """Something the walk found and that is no file to read."""
        task = Task(item.path, item.name)
        record = failed_record(task, item.status, item.reason)
        self._write(Outcome(item.name, 0, 1, item.status, item.reason, record))
        self._end_of_frame(item.name, item.status)

    def _keep(self, task: Task, first: Entry) -> None:
        """The first frame has its result; ask for those of its further frames that have none."""
        self.resumed += 1
        self._open_frames(first.name, first.frames)
        self._end_of_frame(first.name, first.status)
        task = task._replace(known_content="", frames=first.frames, content=first.content, stamp=first.stamp)
        for frame in range(1, first.frames):
            entry = self._ledger.load(first.name, frame)
            if (
                entry is not None
                and entry.content == first.content
                and self._is_good(entry)
                and not self._redo
            ):
                self.resumed += 1
                self._end_of_frame(first.name, entry.status)
            else:
                self._further.append(task._replace(frame=frame))

    def _take(self, task: Task, outcome: Outcome) -> None:
        if outcome.status == "unchanged":
            earlier = self._ledger.load(task.name)
            if earlier is not None:
                self._ledger.restamp(earlier, outcome.stamp)
                self._keep(task, dataclasses.replace(earlier, stamp=outcome.stamp))
            return
        self._write(outcome)
        if outcome.frame == 0:
            self._open_frames(outcome.name, outcome.frames)
            self._further.extend(
                task._replace(
                    frame=frame,
                    known_content="",
                    frames=outcome.frames,
                    content=outcome.content,
                    stamp=outcome.stamp,
                )
                for frame in range(1, outcome.frames)
            )
        self._end_of_frame(outcome.name, outcome.status)

    def _write(self, outcome: Outcome) -> None:
        # The entry comes last: where it is, the further files are.
        for path, data in outcome.artefacts.items():
            file = self._out / path
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data)
        self._ledger.save(outcome, self._key)
        self._events.outcome(outcome)

    def _open_frames(self, name: str, frames: int) -> None:
        if frames > 1:
            self._frames_left[name] = frames

    def _end_of_frame(self, name: str, status: str) -> None:
        self._rows_done += 1
        self._failed += status == "failed"
        left = self._frames_left.get(name, 1) - 1
        if left:
            self._frames_left[name] = left
        else:
            self._frames_left.pop(name, None)
            self._inputs_done += 1
        if self._progress is not None:
            seconds = time.perf_counter() - self._began
            rate = (self._rows_done - self.resumed) / seconds if seconds else 0.0
            self._progress(self._inputs_done, self._inputs, self._failed, rate)


def _plan(
    out: Path,
    found: Iterator[FoundInput],
    settings: Settings,
    shard: tuple[int, int] | None,
    limit: int | None,
    hash_paths: bool,
    began: float,
) -> BatchSummary:
    """What would be read and what would not, from the headers alone."""
    inventory = Inventory(found, shard=shard, limit=limit, hash_paths=hash_paths)
    planned, tally = [], Tally()
    for item in inventory:
        status, reason, frames = item.status, item.reason, 1
        if not status:
            status, reason, frames = _glance(item.path, settings)
        planned.append(PlannedInput(item.name, status, reason, frames))
        for _ in range(frames):
            tally.count(status, reason, {})
    inventory.close()
    summary = summary_of(out, tally, len(planned), 0, time.perf_counter() - began)
    return BatchSummary(**{**vars(summary), "planned": tuple(planned)})


def _glance(path: str, settings: Settings) -> tuple[str, str, int]:
    from mammocalc.read import count_frames

    try:
        frames = count_frames(path, pixel_spacing_mm=settings.pixel_spacing_mm, limits=settings.limits.read)
    except SkippedInput as error:
        return "skipped", str(error), 1
    except MammocalcError as error:
        return "failed", str(error), 1
    return "ok", "", frames


def _check_choices(
    roots: Sequence[Path_],
    format: str,
    write: Sequence[str],
    existing: str,
    jobs: int | None,
    limit: int | None,
    shard: tuple[int, int] | None,
    executor: Executor | None,
    scheduler: str | None,
) -> None:
    for name, value, known in (
        ("format", format, ("parquet", "csv")),
        ("existing", existing, ("skip", "redo", "error")),
        *(("write", word, _WRITERS) for word in write),
    ):
        if value not in known:
            raise InvalidParameter(f"{name}: {value!r} is not one of {', '.join(known)}")
    for name, number in (("jobs", jobs), ("limit", limit)):
        if number is not None and number < 1:
            raise InvalidParameter(f"{name}: {number} is less than 1")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise InvalidParameter(f"shard: part {shard[0]} of {shard[1]}; parts are counted from 1")
    if executor is not None and scheduler is not None:
        raise InvalidParameter("executor and scheduler: give one of them")
    if not roots:
        raise InvalidParameter("paths: no input is given")


def _settings(
    rules: Lexicon | Path_ | None,
    parameters: Parameters | Path_ | None,
    pixel_spacing_mm: float | None,
    min_score: float | None,
    write: tuple[str, ...],
    limits: BatchLimits,
    jobs: int,
) -> Settings:
    from mammocalc.classify.lexicon import Lexicon, load_lexicon
    from mammocalc.parameters import Parameters, load_parameters
    from mammocalc.read.spacing import check_given_spacing

    check_given_spacing(pixel_spacing_mm)
    if parameters is None:
        parameters = Parameters()
    elif not isinstance(parameters, Parameters):
        parameters = load_parameters(parameters)
    if min_score is not None:
        parameters = parameters.replace("segment", min_score=min_score)
    lexicon = rules if isinstance(rules, Lexicon) else load_lexicon(rules)
    threads = max(1, _usable_processors() // jobs)
    return Settings(parameters, lexicon, pixel_spacing_mm, write, limits, threads)


def _usable_processors() -> int:
    from mammocalc.pipeline import usable_threads

    return usable_threads()


def _crew_maker(
    executor: Executor | None, scheduler: str | None, jobs: int, settings: Settings
) -> Callable[[], Crew]:
    packed = settings.packed()
    if scheduler is not None:
        return lambda: DaskCrew(scheduler, packed)
    if executor is not None:
        return lambda: ExecutorCrew(executor, packed, max(4, 2 * jobs))
    if os.name != "posix":
        return lambda: ExecutorCrew(ProcessPoolExecutor(jobs), packed, 2 * jobs)
    return lambda: ProcessCrew(
        jobs,
        packed,
        megabytes=settings.limits.worker_megabytes,
        seconds=settings.limits.image_seconds,
        threads=settings.threads,
    )
