"""The pages of a run: one a study, made of what its images left behind, and the index of all images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammocalc.batch.artefacts import PAGES as FOLDER
from mammocalc.batch.ledger import Entry, write_whole
from mammocalc.batch.studies import Members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mammocalc.batch.ledger import Ledger

_DIGEST_HEAD = 4096


def write_pages(out: Path, frames: Iterable[tuple[Ledger, Entry]], configuration: str) -> None:
    """Write the index and the page of every study; a page that is there already, of the same content, stays.

    Parameters
    ----------
    out : Path
        Of the run, or of a run whose parts are joined.
    frames : iterable of (ledger, entry)
        All frames in their order. What they left is beside their ledger.
    configuration : str

    Raises
    ------
    OSError
        When a file cannot be written.
    """
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    with closing(Members(_indexed(out, frames, configuration), page_of)) as members:
        for key, entries in members.entries():
            _write_page(out, key, entries, configuration)


def page_of(entry: Entry) -> str:
    """What the page of a frame is called by: its study, or its own name where it has none; empty for no page."""
    page = entry.record().get("page")
    return str(page["key"][0]) if page else ""


def _indexed(
    out: Path, frames: Iterable[tuple[Ledger, Entry]], configuration: str
) -> Iterator[tuple[Ledger, Entry]]:
    """Hand the frames through, and leave them in the index."""
    from mammocalc.write.html.index import index_parts

    passed: list[tuple[Ledger, Entry]] = []

    def rows() -> Iterator[Mapping[str, Any]]:
        for ledger, entry in frames:
            passed.append((ledger, entry))
            yield _row(out, ledger, entry)

    temporary = out / FOLDER / ".index.html.tmp"
    with temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for part in index_parts(rows(), configuration):
            stream.write(part)
            yield from passed
            passed.clear()
    temporary.replace(out / FOLDER / "index.html")


def _row(out: Path, ledger: Ledger, entry: Entry) -> Mapping[str, Any]:
    from mammocalc.write.html.index import index_row
    from mammocalc.write.html.study import page_name

    record = entry.record()
    page = record.get("page")
    if page is None:
        return index_row(record, None, None)
    thumbnail = str(page["thumbnail"][0])
    origin = ledger.folder.parent
    if thumbnail and origin != out:
        target = out / thumbnail
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (origin / thumbnail).read_bytes())
    return index_row(
        record, page_name(str(page["key"][0])), thumbnail.removeprefix(f"{FOLDER}/") if thumbnail else None
    )


def _write_page(out: Path, key: str, entries: list[tuple[Ledger, Entry]], configuration: str) -> None:
    from mammocalc.write.html.document import with_content
    from mammocalc.write.html.study import page_name, shown_in_record, study_page

    path = out / FOLDER / page_name(key)
    content = _content(entries, configuration)
    if _has_content(path, content):
        return
    shown = []
    for ledger, entry in entries:
        record = entry.record()
        picture = str(record["page"]["picture"][0])
        shown.append(
            shown_in_record(record, (ledger.folder.parent / picture).read_bytes() if picture else b"")
        )
    write_whole(path, with_content(study_page(shown, configuration), content))


def _content(entries: list[tuple[Ledger, Entry]], configuration: str) -> str:
    """Names all that a page is made of."""
    digest = hashlib.sha256(configuration.encode())
    for _, entry in entries:
        digest.update(hashlib.sha256(entry.key.encode() + entry.content.encode() + entry.payload).digest())
    return digest.hexdigest()


def _has_content(path: Path, content: str) -> bool:
    from mammocalc.write.html.document import content_mark

    try:
        with path.open("rb") as stream:
            return content_mark(content) in stream.read(_DIGEST_HEAD)
    except OSError:
        return False
