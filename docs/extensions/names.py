"""Names in docstrings: what is a page here becomes a link, what is not stays as it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from docutils import nodes
from markup import number
from public_names import is_settings, pages
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

# Described by others; there is no network to look up where.
ELSEWHERE = ("python:", "numpy.", "pandas.", "matplotlib.", "pathlib.", "pydicom.", "concurrent.", "napari.")


def name_role(
    role: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Any,
    options: Any = None,
    content: Sequence[str] = (),
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """A name in single backticks: a link where it is a page, else in a typewriter face."""
    shown = nodes.literal(rawtext, text, classes=["xref", "py"])
    reference = addnodes.pending_xref(
        rawtext,
        shown,
        refdomain="py",
        reftype="obj",
        reftarget=text,
        refexplicit=False,
        refwarn=False,
        soft=True,
    )
    context = inliner.document.settings.env.ref_context
    reference["py:module"], reference["py:class"] = context.get("py:module"), context.get("py:class")
    return [reference], []


def resolve(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.Element) -> Any:
    """A public name by its last part, or by that of its class; what lies elsewhere, and soft references, stay text."""
    name = node["reftarget"]
    if name.startswith(ELSEWHERE):
        return shown if node.get("soft") else nodes.inline("", shown.astext().removeprefix("python:"))
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    *_, owner, last = ("", *name.split("."))
    # Constants have their page where they are defined.
    constants = [path for path in objects if last.isupper() and path.endswith(f".{last}")]
    for path in (pages().get(last, ""), f"{pages().get(owner, '')}.{last}", *constants[:1]):
        if path in objects:
            entry = objects[path]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, shown, path)
    return shown if node.get("soft") else None


def add_attributes(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """A class of settings gets its attributes from the meanings and bounds of its fields."""
    if what != "class" or not is_settings(value):
        return
    section = ["", "Attributes", "----------"]
    for field in dataclasses.fields(value):
        default = "" if field.default is dataclasses.MISSING else f", default {field.default!r}"
        bounds = ""
        if "minimum" in field.metadata:
            bounds = f", {number(field.metadata['minimum'])} to {number(field.metadata['maximum'])}"
        section += [
            f"{field.name} : {field.type}{default}{bounds}",
            f"    {sentence(field.metadata['meaning'])}",
        ]
    lines += section


def shorten_signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, result: str | None
) -> tuple[str, str | None] | None:
    """A class of settings takes them by name; there may be dozens."""
    return ("(**settings)", result) if what == "class" and is_settings(value) else None


def sentence(text: str) -> str:
    """`text` with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def swatch_role(
    role: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Any,
    options: Any = None,
    content: Sequence[str] = (),
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """A patch of a colour such as ``#ff8800``."""
    return [nodes.raw("", f'<span class="swatch" style="background:{text}"></span>', format="html")], []


def set_aliases(app: Sphinx, config: Any) -> None:
    """Types in docstrings link to the pages of their classes."""
    config.numpydoc_xref_aliases = {name: path for name, path in pages().items() if name[0].isupper()}


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("name", name_role)
    app.add_role("swatch", swatch_role)
    # Before numpydoc, which takes them from there.
    app.connect("config-inited", set_aliases, priority=400)
    app.connect("missing-reference", resolve)
    # Before numpydoc, which reads the section.
    app.connect("autodoc-process-docstring", add_attributes, priority=400)
    app.connect("autodoc-process-signature", shorten_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
