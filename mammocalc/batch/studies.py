"""The objects of whole studies: they are made when all images have their results."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mammocalc.batch.artefacts import OF_A_STUDY, study_path
from mammocalc.batch.columns import unpacked
from mammocalc.batch.ledger import Entry
from mammocalc.errors import MammocalcError

if TYPE_CHECKING:
    from mammocalc.batch.ledger import Ledger

# No file is called so.
_MARK = "\0study "


def study_name(study_instance_uid: str) -> str:
    """What the entry of a study is called in the ledger."""
    return f"{_MARK}{study_instance_uid}"


def is_study(name: str) -> bool:
    """Whether an entry is that of a study."""
    return name.startswith(_MARK)


def uid_of_study(name: str) -> str:
    """The study of an entry that `study_name` named."""
    return name.removeprefix(_MARK)


class Members:
    """Which frames belong to which study, kept on disk: memory does not grow with their number.

    Parameters
    ----------
    frames : iterable of (ledger, entry)
        All frames in their order, with where their entries are; those that name no study are left out.
    study_of : callable, optional
        Gives the study of an entry, or an empty text; by default the one that DICOM objects of it belong to.
    """

    def __init__(
        self, frames: Iterable[tuple[Ledger, Entry]], study_of: Callable[[Entry], str] | None = None
    ) -> None:
        import sqlite3

        self._ledgers: list[Ledger] = []
        self._index = sqlite3.connect("")  # a temporary file
        self._index.execute(
            "CREATE TABLE member (study TEXT, place INTEGER, ledger INTEGER, name BLOB, frame INTEGER)"
        )
        self._index.executemany(
            "INSERT INTO member VALUES (?, ?, ?, ?, ?)",
            (
                (
                    study,
                    place,
                    self._number(ledger),
                    entry.name.encode("utf-8", "surrogateescape"),
                    entry.frame,
                )
                for place, (ledger, entry) in enumerate(frames)
                if (study := (study_of or _study_of)(entry))
            ),
        )

    def _number(self, ledger: Ledger) -> int:
        if ledger not in self._ledgers:
            self._ledgers.append(ledger)
        return self._ledgers.index(ledger)

    def __iter__(self) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """Each study, in the order of its first frame, with the records of its frames as the ledger holds them."""
        for study, entries in self.entries():
            yield study, tuple(entry.payload for _, entry in entries)

    def entries(self) -> Iterator[tuple[str, list[tuple[Ledger, Entry]]]]:
        """Each study with its frames, and where their entries are."""
        studies = self._index.execute("SELECT study FROM member GROUP BY study ORDER BY MIN(place)")
        for (study,) in studies:
            rows = self._index.execute(
                "SELECT ledger, name, frame FROM member WHERE study = ? ORDER BY place", (study,)
            )
            found = (
                (
                    self._ledgers[ledger],
                    self._ledgers[ledger].load(name.decode("utf-8", "surrogateescape"), frame),
                )
                for ledger, name, frame in rows
            )
            yield study, [(ledger, entry) for ledger, entry in found if entry is not None]

    def close(self) -> None:
        """Forget it."""
        self._index.close()


def _study_of(entry: Entry) -> str:
    source = entry.record().get("source")
    return str(source["study_instance_uid"][0]) if source else ""


def content_of(members: Sequence[bytes]) -> str:
    """Names what the objects of a study are made of."""
    digest = hashlib.sha256()
    for payload in members:
        digest.update(hashlib.sha256(payload).digest())
    return digest.hexdigest()


def study_files(
    study_instance_uid: str, members: Sequence[bytes], configuration: str, write: Sequence[str]
) -> dict[str, bytes]:
    """The objects of one study that were asked for, by path relative to the output.

    Parameters
    ----------
    study_instance_uid : str
    members : sequence of bytes
        The records of its frames as the ledger holds them, in order.
    configuration : str
    write : sequence of str

    Raises
    ------
    UnwritableObject
        When an object cannot be made of these images.
    """
    from mammocalc.write.dicom.source import unpack_source
    from mammocalc.write.dicom.study import study_cad_sr

    if "cad-sr" not in write:
        return {}
    records = [unpacked(payload) for payload in members]
    views = [(record, unpack_source(record["source"]["header"].tobytes())) for record in records]
    return {study_path(study_instance_uid, "cad-sr"): study_cad_sr(views, configuration)}


def write_studies(
    out: Path, members: Members, configuration: str, write: Sequence[str], unwritten: Counter[str]
) -> None:
    """Write the objects of all studies here and now, for parts of a run that are joined.

    Parameters
    ----------
    out : Path
    members : Members
    configuration : str
    write : sequence of str
    unwritten : Counter
        Counts, by kind and reason, what could not be made.

    Raises
    ------
    OSError
        When a file cannot be written.
    """
    from mammocalc.batch.ledger import write_whole

    with closing(members):
        for study, payloads in members:
            try:
                files = study_files(study, payloads, configuration, write)
            except MammocalcError as error:
                unwritten.update(unwritten_words({kind: str(error) for kind in OF_A_STUDY if kind in write}))
                continue
            for path, data in files.items():
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                write_whole(out / path, data)


def unwritten_words(unwritten: dict[str, str]) -> list[str]:
    """Kind and reason in one phrase each."""
    return [f"{kind}: {reason}" for kind, reason in sorted(unwritten.items())]
