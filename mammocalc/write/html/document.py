"""What every page is made of: markup that quotes nothing unescaped, data as JSON, styles and scripts by their hash."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from mammocalc.write.overlay import NOTICE

_FOLDER = Path(__file__).parent
_PRIVACY = (
    "Not here: name, number, birth date and dates of the patient. Here: the pictures, with whatever is burned into "
    "them, the identifiers of studies, and the names of files unless they were hashed."
)


def escaped(text: str) -> str:
    """Text as it may stand in markup and in quoted attributes."""
    # What cannot be encoded, or would end a page for a parser, is shown as a mark of replacement.
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(clean.encode("utf-8", "replace").decode("utf-8"), quote=True)


def as_json(value: Any) -> str:
    """A value as JSON that may stand inside a script element, whatever texts it holds.

    Raises
    ------
    ValueError
        A number is not finite.
    """
    plain = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def part(name: str) -> str:
    """A style or script of this package."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def head(title: str, styles: tuple[str, ...], script: str, pictures: str) -> str:
    """The beginning of a page up to its body.

    Parameters
    ----------
    title : str
    styles : tuple of str
        Files of this package.
    script : str
        A file of this package; it has to be given to `tail`, too.
    pictures : str
        Where pictures may come from. Nothing else may be loaded, and no script run but this one.
    """
    style = "\n".join(part(name) for name in styles)
    policy = (
        f"default-src 'none'; img-src {pictures}; style-src '{_hash(style)}'; "
        f"script-src '{_hash(part(script))}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy, quote=False)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escaped(title)}</title>\n<style>{style}</style>\n</head>\n"
    )


def content_mark(content: str) -> bytes:
    """What stands at the head of a page whose content has this name."""
    return f'<meta name="mammocalc-content" content="{content}">'.encode("ascii")


def with_content(page: bytes, content: str) -> bytes:
    """The page with its mark."""
    return page.replace(b"<title>", content_mark(content) + b"\n<title>", 1)


def tail(script: str) -> str:
    """The end of a page."""
    return f"<script>{part(script)}</script>\n</body>\n</html>\n"


def notice(facts: str) -> str:
    """What stands at the foot of every page."""
    from mammocalc import __version__

    return (
        f"<footer><p><strong>{NOTICE}.</strong> It gives descriptors and measurements, never a diagnosis.</p>"
        f"<p>{_PRIVACY}</p>"
        f"<p>mammocalc {escaped(__version__)}; {escaped(facts)}</p></footer>\n"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
