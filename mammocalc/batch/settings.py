"""What a run was asked for, checked and brought into one form."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mammocalc.batch.artefacts import WRITERS
from mammocalc.batch.limits import BatchLimits
from mammocalc.batch.work import Settings
from mammocalc.errors import InvalidParameter

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters

AnyPath = str | os.PathLike[str]


def check_choices(
    roots: Sequence[AnyPath],
    format: str,
    write: Sequence[str],
    existing: str,
    jobs: int | None,
    limit: int | None,
    shard: tuple[int, int] | None,
    executor: Executor | None,
    scheduler: str | None,
) -> None:
    """Hold what was asked for to what there is.

    Raises
    ------
    InvalidParameter
        Names the parameter and its value.
    """
    for name, value, known in (
        ("format", format, ("parquet", "csv")),
        ("existing", existing, ("skip", "redo", "error")),
        *(("write", word, WRITERS) for word in write),
    ):
        if value not in known:
            raise InvalidParameter(f"{name}: {value!r} is not one of {', '.join(known)}")
    if {"sr", "seg"} & set(write) and find_spec("highdicom") is None:
        raise InvalidParameter("write: sr and seg need highdicom: pip install 'mammocalc[dicom]'")
    for name, number in (("jobs", jobs), ("limit", limit)):
        if number is not None and number < 1:
            raise InvalidParameter(f"{name}: {number} is less than 1")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise InvalidParameter(f"shard: part {shard[0]} of {shard[1]}; parts are counted from 1")
    if executor is not None and scheduler is not None:
        raise InvalidParameter("executor and scheduler: give one of them")
    if not roots:
        raise InvalidParameter("paths: no input is given")


def settings_of(
    rules: Lexicon | AnyPath | None,
    parameters: Parameters | AnyPath | None,
    pixel_spacing_mm: float | None,
    min_score: float | None,
    write: tuple[str, ...],
    limits: BatchLimits,
    jobs: int,
) -> Settings:
    """Everything that is the same for every unit of a run; files are read.

    Raises
    ------
    InvalidParameter
        A file of rules or parameters is not valid, or a value is outside its bounds.
    """
    from mammocalc.classify.lexicon import Lexicon, load_lexicon
    from mammocalc.parameters import Parameters, load_parameters
    from mammocalc.read.spacing import check_given_spacing

    check_given_spacing(pixel_spacing_mm)
    if parameters is None:
        parameters = Parameters()
    elif not isinstance(parameters, Parameters):
        parameters = load_parameters(parameters)
    if min_score is not None:
        parameters = parameters.replace("segment", min_score=min_score)
    lexicon = rules if isinstance(rules, Lexicon) else load_lexicon(rules)
    threads = max(1, usable_processors() // jobs)
    return Settings(parameters, lexicon, pixel_spacing_mm, write, limits, threads)


def usable_processors() -> int:
    """Number of processors this process may run on."""
    from mammocalc.pipeline import usable_threads

    return usable_threads()


def run_key(settings: Settings) -> str:
    """Names all that an outcome depends on beside the content of its input: equal keys, equal results."""
    from mammocalc import __version__
    from mammocalc.write.tables import TABLES

    facts = {
        "version": __version__,
        "columns": {table: [column.name for column in columns] for table, columns in TABLES.items()},
        "parameters": settings.parameters.hash,
        "rules": settings.lexicon.hash,
        "pixel_spacing_mm": settings.pixel_spacing_mm,
        "limits": repr(settings.limits.read),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
