"""The command line as a page, from the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from markup import code_words, heading, literal

from mammocalc.cli import app


def commands(_: str) -> list[str]:
    """Every command with its arguments and options."""
    program = typer.main.get_command(app)
    lines = []
    for name, command in program.commands.items():  # type: ignore[attr-defined]
        lines += list(_command(name, command))
    return lines


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    yield f".. program:: mammocalc {name}"
    yield ""
    yield from heading(name, "-")
    yield ".. code-block:: text"
    yield ""
    needed = [f"{one.opts[0]} {value_of(one)}" for one in options if one.required]
    rest = ["[OPTIONS]"] if len(needed) < len(options) else []
    yield f"   {' '.join(['mammocalc', name, *(one.metavar for one in arguments), *needed, *rest])}"
    yield ""
    for paragraph in command.help.split("\n\n"):
        yield code_words(" ".join(paragraph.split()))
        yield ""
    for one in arguments:
        yield from _described(one.metavar, one)
    for one in options:
        yield from _described(" ".join(filter(None, [one.opts[0], value_of(one)])), one)


def _described(signature: str, one: Any) -> Iterator[str]:
    yield f".. option:: {signature}"
    yield ""
    yield f"   {code_words(' '.join((one.help or '').split()))}{remark(one)}"
    yield ""


def value_of(option: Any) -> str:
    """What stands behind an option: its own word, its choices, or the kind of number."""
    if getattr(option, "is_flag", False):
        return ""
    choices = getattr(option.type, "choices", None)
    if choices:
        return "|".join(choices)
    return option.metavar or "NUMBER"


def remark(option: Any) -> str:
    """Default and bounds, as far as there are any."""
    parts = []
    low, high = getattr(option.type, "min", None), getattr(option.type, "max", None)
    if low is not None:
        parts.append(f"{low} to {high}" if high is not None else f"at least {low}")
    if option.default not in (None, False, "") and not option.required:
        parts.append(
            f"default {literal(f'{option.default:g}' if isinstance(option.default, float) else option.default)}"
        )
    return f" ({'; '.join(parts)})" if parts else ""
