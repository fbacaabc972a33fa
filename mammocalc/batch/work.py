"""One unit of work: one frame of one input, from file to rows. Runs in a worker, wherever that is."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import time
import traceback
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mammocalc.batch.artefacts import configuration, made_of_failure, made_of_findings
from mammocalc.batch.limits import BatchLimits
from mammocalc.errors import MammocalcError, SkippedInput

if TYPE_CHECKING:
    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters
    from mammocalc.read.mammogram import Mammogram

Record = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Settings:
    """What is the same for every unit of a run."""

    parameters: Parameters
    lexicon: Lexicon
    pixel_spacing_mm: float | None = None
    write: tuple[str, ...] = ("overlay",)
    limits: BatchLimits = field(default_factory=BatchLimits)
    threads: int = 1

    def packed(self) -> bytes:
        """Small enough to travel with every task; the version stands in front."""
        return f"{_version()}\n".encode() + zlib.compress(pickle.dumps(self))


@lru_cache(maxsize=4)
def unpacked(settings: bytes) -> Settings:
    """The settings that were packed.

    Raises
    ------
    MammocalcError
        When they were packed by another version: results of two versions are not to be mixed.
    """
    version, _, pickled = settings.partition(b"\n")
    if version.decode() != _version():
        raise MammocalcError(
            f"a worker has mammocalc {_version()}, the run was started by {version.decode()}"
        )
    given: Settings = pickle.loads(zlib.decompress(pickled))
    return given


def _version() -> str:
    from mammocalc import __version__

    return __version__


class Stamp(NamedTuple):
    """Size of a file, and when it was changed: equal stamps are taken for equal content without reading it.

    Attributes
    ----------
    size : int
        Bytes.
    modified_ns : int
        When it says that it was changed: files of an archive may all say the same.
    changed_ns : int
        When the system was last told anything of it: unpacked, copied, renamed or given another time of change.
    """

    size: int = -1
    modified_ns: int = -1
    changed_ns: int = -1

    def is_of_same_content(self, other: Stamp) -> bool:
        """Whether nothing was written between two looks at one and the same file."""
        return self[:2] == other[:2]


NO_STAMP = Stamp()


class Task(NamedTuple):
    """A frame to be searched.

    Attributes
    ----------
    path, name : str
        Where the input is, and what it is called in the tables.
    frame : int
        0-based.
    known_content : str
        Content hash of an earlier result that would still be good; empty for none.
    frames, content, stamp
        What frame 0 found out, for the further frames of the same file.
    header_only : bool
        Read no pixels: only tell how many frames there are, and what is to be known of a frame that cannot be searched.
    study : tuple of bytes
        For the objects of a whole study, which `name` names: the records of its frames. Nothing is searched then.
    """

    path: str
    name: str
    frame: int = 0
    known_content: str = ""
    frames: int = 1
    content: str = ""
    stamp: Stamp = NO_STAMP
    header_only: bool = False
    study: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a frame.

    Attributes
    ----------
    name, frame, frames
        As in `Task`; `frames` is the number in the file.
    status : {"ok", "skipped", "failed", "unchanged", "counted"}
        "unchanged": the content is that of the earlier result, which stays. "counted": `frames` is what was asked for.
    reason : str
    record : mapping
        Columns of the three tables as `mammocalc.findings.Findings.record` gives them, without measured times.
    seconds, timings
        Measured time in s, and by stage in ms.
    content, stamp
        SHA-256 of the file, and its stamp.
    artefacts : mapping of str to bytes
        Further files of this frame, by path relative to the output.
    transient : bool
        A failure that another attempt might not meet again (time, memory, a crash): it is tried again on resuming.
    written : tuple of str
        What was asked for beside the tables, made or not.
    unwritten : mapping of str to str
        Why, for each kind of further file that could not be made.
    lost : bool
        Its worker did not come back, so that nothing is known of the file.
    """

    name: str
    frame: int
    frames: int
    status: str
    reason: str
    record: Record
    seconds: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    content: str = ""
    stamp: Stamp = NO_STAMP
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    transient: bool = False
    written: tuple[str, ...] = ()
    unwritten: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False


def search(task: Task, settings: bytes) -> Outcome:
    """Read and search one frame; whatever goes wrong with it is an outcome, never an exception.

    Parameters
    ----------
    task : Task
    settings : bytes
        As `Settings.packed` gives them.

    Raises
    ------
    MammocalcError
        When the settings are of another version.
    """
    given = unpacked(settings)
    if task.study:
        return write_study(task, given)
    if task.frame or task.known_content:
        return _searched(task, given)
    # Nothing hangs on the hash until the end, and it is found on a processor that may have nothing to do.
    with ThreadPoolExecutor(1) as beside:
        content = beside.submit(_content_hash, task.path, given)
        outcome = _searched(task, given)
    return replace(outcome, content=content.result())


def _searched(task: Task, given: Settings) -> Outcome:
    began = time.perf_counter()
    mammogram: Mammogram | None = None
    known = task
    status, reason, transient = "failed", "", False
    try:
        known = _identified(task, given)
        if known.known_content and known.known_content == known.content:
            return _outcome(known, "unchanged", "", {})
        from mammocalc.pipeline import detect
        from mammocalc.read import count_frames, read

        if known.frame == 0:
            frames = count_frames(
                known.path, pixel_spacing_mm=given.pixel_spacing_mm, limits=given.limits.read
            )
            known = known._replace(frames=frames)
        if known.header_only:
            return _outcome(known, "counted", "", made_of_failure(known.path, given).tables)
        mammogram = read(
            known.path,
            pixel_spacing_mm=given.pixel_spacing_mm,
            frame=known.frame,
            limits=given.limits.read,
            threads=given.threads,
        )
        read_ms = (time.perf_counter() - began) * 1e3
        findings = detect(mammogram, given.parameters, given.lexicon, threads=given.threads)
        record = _without_seconds(findings.record(path=known.name))
        made = made_of_findings(findings, record, known.path, known.name, given)
        seconds = time.perf_counter() - began
        timings = {"read": read_ms, **findings.timings}
        if not stamp_of(known.path).is_of_same_content(known.stamp):
            raise OSError(0, "it changed while it was read")
        return _outcome(
            known,
            "ok",
            "",
            {**record, **made.tables},
            seconds=seconds,
            timings=timings,
            artefacts=made.files,
            written=given.write,
            unwritten=made.unwritten,
        )
    except SkippedInput as error:
        status, reason = "skipped", str(error)
    except MammocalcError as error:
        # Whether the disk or the memory was at fault, or the file itself, can be told from what it was raised in.
        reason, transient = str(error), isinstance(error.__context__, (OSError, MemoryError))
    except MemoryError:
        reason, transient = "not enough memory to search it", True
    except OSError as error:
        reason, transient = f"the file cannot be read ({error.strerror or 'input/output error'})", True
    except Exception as error:
        reason, transient = f"an internal error ({_place(error)}); please report it", True
    record = failed_record(known, status, reason, mammogram)
    if status == "failed":
        record = {**record, **made_of_failure(known.path, given).tables}
    return _outcome(
        known,
        status,
        reason,
        record,
        seconds=time.perf_counter() - began,
        transient=transient,
        written=given.write,
    )


def write_study(task: Task, given: Settings) -> Outcome:
    """Make the objects of a whole study from the records of its frames."""
    from mammocalc.batch.studies import study_files, uid_of_study

    try:
        study = uid_of_study(task.name)
        files = study_files(study, task.study, configuration(given), given.write)
        return _outcome(task, "ok", "", {}, artefacts=files, written=given.write)
    except MammocalcError as error:
        reason, transient = str(error), False
    except MemoryError:
        reason, transient = "not enough memory to make it", True
    except Exception as error:
        reason, transient = f"an internal error ({_place(error)}); please report it", True
    return _outcome(task, "failed", reason, {}, transient=transient, written=given.write)


def failed_record(task: Task, status: str, reason: str, mammogram: Mammogram | None = None) -> Record:
    """Rows of a frame that was not searched: one in ``images``, none in the others."""
    from mammocalc.write.tables import columns_of

    values: dict[str, Any] = {"path": task.name, "frame": task.frame, "status": status, "reason": reason}
    if mammogram is not None:
        rows, columns = mammogram.pixels.shape
        values |= {
            "sop_instance_uid": mammogram.sop_instance_uid,
            "study_instance_uid": mammogram.study_instance_uid,
            "laterality": mammogram.laterality,
            "view": mammogram.view,
            "rows": rows,
            "columns": columns,
            "pixel_spacing_mm": mammogram.pixel_spacing_mm,
            "spacing_source": mammogram.spacing_source,
        }
    return {
        "images": columns_of("images", values, 1),
        "calcifications": columns_of("calcifications", {}, 0),
        "clusters": columns_of("clusters", {}, 0),
    }


def failure(task: Task, reason: str) -> Outcome:
    """The outcome of a frame whose worker did not come back."""
    record = failed_record(task, "failed", reason)
    return _outcome(task, "failed", reason, record, transient=True, lost=True)


def _identified(task: Task, given: Settings) -> Task:
    """The task with the file's stamp, and its hash where an earlier one is known; further frames hold to the stamp."""
    if task.frame:
        if not stamp_of(task.path).is_of_same_content(task.stamp):
            raise OSError(0, "it changed while it was read")
        return task
    task = task._replace(stamp=stamp_of(task.path))
    return task._replace(content=_content_hash(task.path, given)) if task.known_content else task


def stamp_of(path: str) -> Stamp:
    """The stamp of a file, or that of none where it is not there."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return NO_STAMP
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _content_hash(path: str, given: Settings) -> str:
    """SHA-256 of a file; empty where it cannot be read or is larger than what is read."""
    file = Path(path)
    with contextlib.suppress(OSError, ValueError):
        if file.is_file() and file.stat().st_size <= given.limits.read.file_megabytes * 1_000_000:
            with file.open("rb", buffering=0) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
    return ""


def _outcome(task: Task, status: str, reason: str, record: Record, **further: Any) -> Outcome:
    return Outcome(
        task.name,
        task.frame,
        task.frames,
        status,
        reason,
        record,
        content=task.content,
        stamp=task.stamp,
        **further,
    )


def _without_seconds(record: Mapping[Any, Mapping[str, Any]]) -> Record:
    """Measured time is no result: it is kept apart, so that equal inputs give equal tables."""
    import numpy as np

    images = {**record["images"], "seconds": np.full(1, np.nan)}
    return {**record, "images": images}


def _place(error: Exception) -> str:
    """Kind and place of an unexpected error; its message may quote the file and is left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "mammocalc" in frame.filename]
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
