"""A whole run: inputs to crew, outcomes to the ledger, the ledger to tables."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mammocalc.batch.artefacts import configuration
from mammocalc.batch.assemble import assemble, complete
from mammocalc.batch.crew import Crew, DaskCrew, ExecutorCrew
from mammocalc.batch.driver import Driver, Progress
from mammocalc.batch.event_log import EventLog
from mammocalc.batch.inputs import walk
from mammocalc.batch.inventory import Inventory, write_inventory
from mammocalc.batch.launch import processes_and_threads
from mammocalc.batch.ledger import Ledger
from mammocalc.batch.limits import BatchLimits
from mammocalc.batch.output import Existing, inventory_path, opened, shard_folder, unwritable
from mammocalc.batch.pages import write_pages
from mammocalc.batch.plan import plan
from mammocalc.batch.pool import ProcessCrew
from mammocalc.batch.settings import AnyPath, check_choices, run_key, settings_of
from mammocalc.batch.summary import BatchSummary, Tally, counts, summary_of
from mammocalc.batch.work import Settings

if TYPE_CHECKING:
    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters


def detect_folder(
    paths: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    format: Literal["parquet", "csv"] = "parquet",
    write: Sequence[str] = ("overlay",),
    rules: Lexicon | AnyPath | None = None,
    parameters: Parameters | AnyPath | None = None,
    pixel_spacing_mm: float | None = None,
    existing: Existing = "skip",
    min_score: float | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    scheduler: str | None = None,
    log: AnyPath | None = None,
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
        Brings the work elsewhere, or bounds it: each of its workers searches in a process of its own, with the same
        limits.
    jobs : int, optional
        Worker processes, one a usable processor unless given.
    format : {"parquet", "csv"}
        Of the tables.
    write : sequence of str
        Further files: ``"overlay"``, a picture an image; ``"html"``, a page a study for a browser, and an index;
        ``"cad-sr"``, a Mammography CAD SR a study; ``"sr"``, ``"seg"`` and ``"pr"``, a measurement report, a
        segmentation and a presentation state an image. The DICOM objects repeat what the images say of the patient, so
        that they join their study.
    rules : Lexicon or path, optional
        The labelling rules, or a file of changes to the built-in ones.
    parameters : Parameters or path, optional
        Settings of every stage, or a file of those that differ from the defaults.
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
        Counts by status and label, reasons, times.

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
    check_choices(roots, format, write, existing, jobs, limit, shard, executor, scheduler)
    limits = limits or BatchLimits()
    jobs, _ = processes_and_threads(jobs, roots)
    settings = settings_of(rules, parameters, pixel_spacing_mm, min_score, tuple(write), limits, jobs)
    found = walk(roots, exclude=[folder] if log is None else [folder, log])
    choose = functools.partial(Inventory, found, shard=shard, limit=limit, hash_paths=hash_paths)
    if dry_run:
        with contextlib.closing(choose()) as inventory:
            return plan(folder, inventory, settings, began, progress)

    with contextlib.closing(EventLog(log)) as events, opened(folder, shard, existing) as ledger:
        try:
            with contextlib.closing(choose(folder=ledger.folder)) as inventory:
                head = _head(settings, shard, inventory.count)
                write_inventory(inventory_path(folder, shard), head, inventory.names())
                events.event("start", **head)
                driver = Driver(
                    folder,
                    ledger,
                    settings,
                    existing == "redo",
                    events,
                    progress,
                    inventory.count,
                    whole_studies=shard is None,
                )
                make_crew = _crew_maker(executor, scheduler, jobs, settings)
                driver.run(inventory, lambda: _meanwhile_importing(f"pyarrow.{format}", make_crew()))
                tally = Tally(settings.write)
                tally.reasons["unwritten"].update(driver.unwritten)
                _finish(shard_folder(folder, shard), ledger, inventory, settings, format, shard, tally)
        except OSError as error:
            raise unwritable(folder, error) from None
        seconds = time.perf_counter() - began
        summary = summary_of(folder, tally, inventory.count, driver.resumed, seconds)
        events.event("end", ok=summary.ok, skipped=summary.skipped, failed=summary.failed)
    return summary


def _meanwhile_importing(module: str, crew: Crew) -> Crew:
    """Import what the tables are written with while the workers start and this process only waits."""

    def import_it() -> None:
        # What is wrong with it is said where it is needed.
        with contextlib.suppress(Exception):
            importlib.import_module(module)

    threading.Thread(target=import_it, daemon=True).start()
    return crew


def _head(settings: Settings, shard: tuple[int, int] | None, inputs: int) -> dict[str, Any]:
    """What identifies a run, for those that go on with it or join its parts."""
    from mammocalc import __version__

    return {"version": __version__, "key": run_key(settings), "shard": shard, "inputs": inputs}


def _finish(
    tables: Path,
    ledger: Ledger,
    inventory: Inventory,
    settings: Settings,
    format: Literal["parquet", "csv"],
    shard: tuple[int, int] | None,
    tally: Tally,
) -> None:
    """Write the tables and ``run.json`` of a run whose inputs all have their entries."""
    from mammocalc.write.manifest import run_manifest, write_manifest

    entries = (entry for name in inventory.names() for entry in ledger.frames(name))
    assemble(tables, complete(entries, str(tables)), format, tally)
    further = {
        "settings": {
            "pixel_spacing_mm": settings.pixel_spacing_mm,
            "write": list(settings.write),
            "image_seconds": settings.limits.image_seconds,
            "worker_megabytes": settings.limits.worker_megabytes,
            "read_limits": vars(settings.limits.read),
            "shard": shard,
        },
        "reasons": {status: tally.by_frequency(status) for status in tally.reasons},
    }
    manifest = run_manifest(settings.parameters, settings.lexicon, counts(tally, inventory.count), **further)
    write_manifest(tables, manifest)
    if "html" in settings.write and shard is None:
        frames = ((ledger, entry) for name in inventory.names() for entry in ledger.frames(name))
        complete_frames = ((ledger, entry) for ledger, entry in frames if entry is not None)
        write_pages(tables, complete_frames, configuration(settings))


def _crew_maker(
    executor: Executor | None, scheduler: str | None, jobs: int, settings: Settings
) -> Callable[[], Crew]:
    packed = settings.packed()
    if scheduler is not None:
        return lambda: DaskCrew(scheduler, packed)
    if executor is not None:
        return lambda: ExecutorCrew(executor, packed, max(4, 2 * jobs))
    if os.name != "posix":
        # Worker processes of our own inherit a socket, which Windows cannot do.
        return lambda: ExecutorCrew(ProcessPoolExecutor(jobs), packed, 2 * jobs, owned=True)

    def processes() -> ProcessCrew:
        crew = ProcessCrew(
            jobs,
            packed,
            megabytes=settings.limits.worker_megabytes,
            seconds=settings.limits.image_seconds,
            threads=settings.threads,
        )
        crew.start_first()
        return crew

    return processes
