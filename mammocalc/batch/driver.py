"""Keeping the crew busy, and writing down what it brings back."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from mammocalc.batch.artefacts import OF_A_STUDY, OF_FAILURES, kind_of
from mammocalc.batch.crew import Crew
from mammocalc.batch.event_log import EventLog
from mammocalc.batch.inputs import FoundInput
from mammocalc.batch.inventory import Inventory
from mammocalc.batch.ledger import TABLE_NAMES, Entry, Ledger, write_whole
from mammocalc.batch.settings import run_key
from mammocalc.batch.studies import (
    Members,
    content_of,
    is_study,
    study_name,
    uid_of_study,
    unwritten_words,
)
from mammocalc.batch.work import Outcome, Settings, Task, failed_record, stamp_of

Progress = Callable[[int, int, int, float], None]


class Driver:
    """Brings every input to its end, and an entry of the ledger.

    Parameters
    ----------
    out : Path
        Folder of the further files.
    ledger : Ledger
    settings : Settings
        Entries of another `run_key` are made again.
    redo : bool
        Make all entries again.
    events : EventLog
    progress : callable, optional
        Called with inputs done, inputs, failed rows and rows per second.
    inputs : int
        Their number.
    whole_studies : bool
        Whether the inputs are more than a part of a run: only then are objects of whole studies made.

    Attributes
    ----------
    resumed : int
        Rows that were there already.
    unwritten : Counter
        Objects of studies that could not be made, by kind and reason.
    """

    def __init__(
        self,
        out: Path,
        ledger: Ledger,
        settings: Settings,
        redo: bool,
        events: EventLog,
        progress: Progress | None,
        inputs: int,
        whole_studies: bool = True,
    ) -> None:
        self.resumed = 0
        self.unwritten: Counter[str] = Counter()
        self._whole_studies = whole_studies
        self._crew: Crew | None = None
        self._out = out
        self._ledger = ledger
        self._key = run_key(settings)
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
        self._lost: dict[tuple[str, int], Outcome] = {}

    def run(self, inventory: Inventory, make_crew: Callable[[], Crew]) -> None:
        """Bring every input to its end; the crew is called together when there is something to do."""
        self._tell()
        try:
            self._bring_to_end(self._tasks(inventory), make_crew)
            if self._whole_studies and set(OF_A_STUDY) & set(self._settings.write):
                self._bring_to_end(self._study_tasks(inventory), make_crew)
        finally:
            if self._crew is not None:
                self._crew.close()

    def _bring_to_end(self, tasks: Iterator[Task], make_crew: Callable[[], Crew]) -> None:
        under_way = 0
        while True:
            while self._crew is None or under_way < self._crew.capacity:
                task = self._further.popleft() if self._further else next(tasks, None)
                if task is None:
                    break
                self._crew = self._crew or make_crew()
                self._crew.submit(task)
                under_way += 1
            if self._crew is None or under_way == 0:
                break
            self._take(*self._crew.collect())
            under_way -= 1

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
        wanted = (
            set(self._settings.write)
            if entry.status == "ok"
            else set(OF_FAILURES) & set(self._settings.write)
        )
        return (
            entry.key == self._key
            and not entry.transient
            and (wanted <= set(entry.written) or entry.status == "skipped")
            and all((self._out / path).exists() for path in entry.artefacts if kind_of(path) in wanted)
        )

    def _study_tasks(self, inventory: Inventory) -> Iterator[Task]:
        """Every study whose objects are not there yet."""
        entries = (entry for name in inventory.names() for entry in self._ledger.frames(name))
        frames = ((self._ledger, entry) for entry in entries if entry is not None)
        with closing(Members(frames)) as members:
            for study, payloads in members:
                name, content = study_name(study), content_of(payloads)
                earlier = None if self._redo else self._ledger.load(name)
                if earlier is not None and earlier.content == content and self._is_good(earlier):
                    self._note_unwritten(earlier)
                else:
                    yield Task("", name, content=content, study=payloads)

    def _note_unwritten(self, study: Outcome | Entry) -> None:
        if study.status == "failed":
            kinds = [kind for kind in OF_A_STUDY if kind in self._settings.write]
            self.unwritten.update(unwritten_words(dict.fromkeys(kinds, study.reason)))

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
        self._ask_for_further(task, first)

    def _ask_for_further(self, task: Task, first: Outcome | Entry) -> None:
        """Have the further frames of an input searched, but for those that have their result."""
        task = task._replace(
            known_content="",
            frames=first.frames,
            content=first.content,
            stamp=first.stamp,
            header_only=False,
        )
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
        if task.study:
            self._write(outcome)
            self._note_unwritten(outcome)
            return
        if task.header_only:
            outcome = self._looked_at(outcome)
        elif outcome.lost:
            # Another worker looks at the header: how many frames there are, which study it belongs to. Not this
            # process, to which a header that ends a worker would do the same.
            self._lost[task.name, task.frame] = outcome
            self._further.append(task._replace(known_content="", header_only=True))
            return
        if outcome.status == "unchanged":
            earlier = self._ledger.load(task.name)
            if earlier is not None:
                self._ledger.restamp(earlier, outcome.stamp)
                self._keep(task, dataclasses.replace(earlier, stamp=outcome.stamp))
            return
        self._write(outcome)
        if outcome.frame == 0:
            self._open_frames(outcome.name, outcome.frames)
            self._ask_for_further(task, outcome)
        self._end_of_frame(outcome.name, outcome.status)

    def _looked_at(self, look: Outcome) -> Outcome:
        """The loss of a frame, with what its header tells, if anything."""
        lost = self._lost.pop((look.name, look.frame))
        further = {table: columns for table, columns in look.record.items() if table not in TABLE_NAMES}
        lost = dataclasses.replace(lost, record={**lost.record, **further})
        if look.status != "counted":
            return lost
        return dataclasses.replace(lost, frames=look.frames, content=look.content, stamp=look.stamp)

    def _write(self, outcome: Outcome) -> None:
        # The entry comes last: where it is, the further files are.
        for path, data in outcome.artefacts.items():
            file = self._out / path
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data)
        self._ledger.save(outcome, self._key)
        if is_study(outcome.name):
            study = uid_of_study(outcome.name)
            self._events.event("study", study=study, status=outcome.status, reason=outcome.reason)
        else:
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
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            seconds = time.perf_counter() - self._began
            rate = (self._rows_done - self.resumed) / seconds if seconds else 0.0
            self._progress(self._inputs_done, self._inputs, self._failed, rate)
