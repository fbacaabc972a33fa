"""The index of a run: every image with its end, its picture in small, and the page it is on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mammocalc.write.html.document import as_json, head, notice, part, tail
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

_STYLES, _SCRIPT = ("colours.css", "index.css"), "index.js"
_STATUSES = ("ok", "skipped", "failed")


def index_row(
    record: Mapping[str, Mapping[str, Any]], page: str | None, thumbnail: str | None
) -> dict[str, Any]:
    """What the index says of one image.

    Parameters
    ----------
    record : mapping
        Its rows.
    page, thumbnail : str or None
        Relative to the index.
    """
    image = {name: values[0] for name, values in record["images"].items()}
    counted = Counter(map(str, record["calcifications"]["label"]))
    suspicious = sum(1 for word in record["calcifications"]["suspicion"] if word == "suspicious")
    row: dict[str, Any] = {
        "path": str(image["path"]),
        "frame": int(image["frame"]),
        "study": str(image["study_instance_uid"]),
        "laterality": str(image["laterality"]),
        "view": str(image["view"]),
        "status": _STATUSES.index(str(image["status"])),
        "reason": str(image["reason"]),
        "labels": {name: counted[name] for name in LABEL_COLOURS if counted[name]},
        "suspicious": suspicious,
        "clusters": int(image["n_clusters"]),
        "page": page,
        "thumbnail": thumbnail,
    }
    # What is empty is left out: a run may have a hundred thousand rows.
    return {
        name: value
        for name, value in row.items()
        if value or name in ("path", "status", "laterality", "view")
    }


def index_parts(rows: Iterable[Mapping[str, Any]], configuration: str) -> Iterator[str]:
    """The page, piece by piece, in bounded memory."""
    yield head("Calcifications: index of a run", _STYLES, _SCRIPT, "'self' file: data:")
    yield part("index_body.html")
    yield notice(configuration)
    facts = {
        "statuses": _STATUSES,
        "words": {label: words(label) for label in LABEL_COLOURS},
        "colours": {label: hexadecimal(colour) for label, colour in LABEL_COLOURS.items()},
    }
    yield f'<script type="application/json" id="data">{as_json(facts)[:-1]},"rows":['
    comma = ""
    for row in rows:
        yield f"{comma}{as_json(row)}"
        comma = ",\n"
    yield "]}</script>\n"
    yield tail(_SCRIPT)
