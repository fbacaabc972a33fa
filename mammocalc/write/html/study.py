"""The page of a study: its views as they are hung for reading, with everything that was found in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mammocalc.write.html.document import as_json, escaped, head, notice, part, tail
from mammocalc.write.html.view import WINDOW, measures
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, NIPPLE_COLOUR, hexadecimal, words

SUSPICIONS = ("suspicious", "indeterminate", "typically_benign")
# Frames of a tomosynthesis can be hundreds: a page has to stay one that a browser opens.
MOST_VIEWS = 16
_STYLES, _SCRIPT = ("colours.css", "study.css"), "study.js"
# Holds the place of the other breast where it has no such view.
_VACANT = '<div class="pane vacant"><p>no image for this side</p></div>'
_VIEWS = ("CC", "MLO", "ML", "LM", "LMO", "XCC", "XCCL", "XCCM")


@dataclass(frozen=True)
class Shown:
    """An image on a page.

    Attributes
    ----------
    image : mapping
        Its row of the table ``images``.
    description : mapping or None
        As in `mammocalc.write.html.view.View`; None where it was not searched.
    picture : bytes
    """

    image: Mapping[str, Any]
    description: Mapping[str, Any] | None
    picture: bytes = b""

    @property
    def side(self) -> str:
        """The side of the page where it hangs: a right breast at the left, with its chest wall inwards."""
        if self.image["laterality"] in ("L", "R"):
            return "left" if self.image["laterality"] == "R" else "right"
        return (
            "left" if self.description is not None and self.description["chest_wall"] == "right" else "right"
        )

    @property
    def name(self) -> str:
        """Side and view in words."""
        side = {"L": "left", "R": "right"}.get(self.image["laterality"], "")
        modifiers = self.description["modifiers"] if self.description is not None else ()
        return " ".join(word for word in (side, self.image["view"], *modifiers) if word) or "view not stated"


def page_name(key: str) -> str:
    """File name of the page of a study, or of an image of none: readable, unique, safe on every file system."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", key).strip("._")[-80:]
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{digest}.html"


def study_page(shown: Sequence[Shown], configuration: str) -> bytes:
    """The page of the images of one study.

    Parameters
    ----------
    shown : sequence of Shown
    configuration : str
        What tells this way of making it from others.

    Returns
    -------
    bytes
        HTML that needs nothing from outside; the same for the same findings.
    """
    hung, left_out = _chosen(shown)
    study = str(hung[0].image["study_instance_uid"])
    title = f"Study {study}" if study else str(hung[0].image["path"])
    facts = {
        "views": [_facts(view) for view in hung],
        "labels": {
            name: {"words": words(name), "colour": hexadecimal(colour)}
            for name, colour in LABEL_COLOURS.items()
        },
        "suspicions": {name: words(name) for name in SUSPICIONS},
        "clusterColour": hexadecimal(CLUSTER_COLOUR),
        "nippleColour": hexadecimal(NIPPLE_COLOUR),
        "measures": measures(),
        "window": WINDOW,
    }
    parts = [
        head(title, _STYLES, _SCRIPT, "data:"),
        f'<body>\n<header class="bar"><h1>Calcifications <small>{escaped(title)}</small></h1>'
        '<p class="notice">Research software, not a medical device</p>'
        '<p class="buttons"><button type="button" id="theme">Light or dark</button> '
        '<button type="button" id="help-button" aria-keyshortcuts="?">Keys</button> '
        '<button type="button" id="print">Print</button></p></header>\n',
        f'<p class="left-out">{left_out} more images of this study are not on this page.</p>\n'
        if left_out
        else "",
        '<main><div class="work">\n<div id="hanging" class="hanging">\n',
        *_rows(hung),
        "</div>\n",
        part("study_side.html"),
        "</div>\n",
        part("study_list.html"),
        "</main>\n",
        notice(configuration),
        part("study_keys.html"),
        f'<script type="application/json" id="data">{as_json(facts)}</script>\n',
        tail(_SCRIPT),
    ]
    return "".join(parts).encode("utf-8")


def _chosen(shown: Sequence[Shown]) -> tuple[list[Shown], int]:
    """The views in the order of hanging, those with the most findings where they are too many, and how many are not."""
    richest = sorted(
        range(len(shown)),
        key=lambda k: (-int(shown[k].image["n_calcifications"]), k),
    )[:MOST_VIEWS]
    kept = [shown[k] for k in sorted(richest)]
    return sorted(kept, key=lambda view: (_rank(view), view.side)), len(shown) - len(kept)


def _rank(view: Shown) -> int:
    name = view.image["view"]
    return _VIEWS.index(name) if name in _VIEWS else len(_VIEWS)


def _rows(hung: Sequence[Shown]) -> list[str]:
    """Pairs of the same view, right breast at the left; at the end what could not be read."""
    numbered = list(enumerate(hung))
    both_sides = len({view.side for view in hung if view.description is not None}) > 1
    read, unread = [], []
    for rank in sorted({_rank(view) for view in hung}):
        of_rank = [(number, view) for number, view in numbered if _rank(view) == rank]
        # It takes nobody's place beside the other breast.
        of_rank.sort(key=lambda pane: pane[1].description is None)
        lefts = [pane for pane in of_rank if pane[1].side == "left"]
        rights = [pane for pane in of_rank if pane[1].side == "right"]
        for k in range(max(len(lefts), len(rights))):
            pair = (*lefts[k : k + 1], *rights[k : k + 1])
            panes = "".join(_pane(number, view) for number, view in pair)
            if all(view.description is None for _, view in pair):
                unread.append(f'<div class="pair unread">{panes}</div>\n')
            elif both_sides and len(pair) == 1:
                halves = (_VACANT, panes) if pair[0][1].side == "right" else (panes, _VACANT)
                read.append(f'<div class="pair">{"".join(halves)}</div>\n')
            else:
                read.append(f'<div class="pair">{panes}</div>\n')
    return [*read, *unread]


def _pane(number: int, view: Shown) -> str:
    image, seen = view.image, view.description
    frame = f", frame {int(image['frame']) + 1}" if int(image["frame"]) else ""
    caption = f"{view.name}{', mirrored' if seen is not None and seen['mirrored'] else ''}"
    path = escaped(f"{image['path']}{frame}")
    start = f'<figure class="pane {view.side}" id="view-{number}" data-view="{number}"'
    title = f"<b>{escaped(caption)}</b>"
    if seen is None:
        reason = escaped(str(image["reason"]))
        return (
            f'{start}><figcaption><span class="title">{title}</span>'
            f'<span class="path" title="{path}">{path}</span></figcaption>'
            f'<div class="failed" role="note"><p><b>{escaped(str(image["status"]))}</b></p><p>{reason}</p></div>'
            "</figure>"
        )
    count = int(image["n_calcifications"])
    found = f"{count} calcification{'' if count == 1 else 's'}" if count else "no calcifications found"
    encoded = base64.b64encode(view.picture).decode("ascii")
    return (
        f'{start}><figcaption><span class="title">{title}'
        '<button type="button" class="large" aria-pressed="false">Enlarge</button></span>'
        f'<span class="path" title="{path}"><span class="found">{found}</span> {path}</span></figcaption>'
        f'<div class="stage" tabindex="0" role="group" aria-label="{escaped(view.name)}, {found}">'
        f'<img class="picture" alt="{escaped(view.name)} mammogram" src="data:image/jpeg;base64,{encoded}">'
        '<canvas aria-hidden="true"></canvas><svg class="marks" aria-hidden="true"></svg></div></figure>'
    )


def _facts(view: Shown) -> dict[str, Any]:
    image = view.image
    found: dict[str, Any] = {
        "name": view.name,
        "side": view.side,
        "path": str(image["path"]),
        "frame": int(image["frame"]),
        "status": str(image["status"]),
        "reason": str(image["reason"]),
        "rows": int(image["rows"]),
        "columns": int(image["columns"]),
        "found": view.description,
    }
    if view.description is not None:
        found["spacing_mm"] = float(image["pixel_spacing_mm"])
        found["spacing_source"] = str(image["spacing_source"])
    return found


def shown_in_record(record: Mapping[str, Mapping[str, Any]], picture: bytes) -> Shown:
    """An image from the rows of its record and its table ``page``."""
    page = record["page"]
    image = {name: values[0] for name, values in record["images"].items()}
    for name, known in json.loads(page["known"][0]).items():
        image[name] = image[name] or known
    packed = page["description"].tobytes()
    return Shown(image, json.loads(packed) if packed else None, picture)
