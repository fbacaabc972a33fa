"""The whole flow for one image, stage by stage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mammocalc.errors import naming_file

if TYPE_CHECKING:
    from mammocalc.classify import Lexicon
    from mammocalc.findings import Findings
    from mammocalc.parameters import Parameters
    from mammocalc.read.mammogram import Mammogram

Handed = TypeVar("Handed")


def usable_threads() -> int:
    """Number of processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def detect(
    image: Mammogram | str | os.PathLike[str],
    parameters: Parameters | None = None,
    rules: Lexicon | str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    pixel_spacing_mm: float | None = None,
    frame: int = 0,
) -> Findings:
    """Find, measure and label the calcifications of one mammogram.

    Parameters
    ----------
    image : Mammogram or path
        A path is read first: DICOM, or PNG, TIFF, PGM with `pixel_spacing_mm`.
    parameters : Parameters, optional
        Settings of every stage.
    rules : Lexicon or path, optional
        The labelling rules; the built-in lexicon unless given.
    threads : int, optional
        Threads inside the kernels; all usable processors unless given. The result does not depend on it.
    pixel_spacing_mm : float, optional
        For a path without a spacing of its own, mm.
    frame : int
        0-based frame, for a path to a multi-frame object.

    Returns
    -------
    Findings
        Tables, outlines, pictures and explanations; what each stage handed over is in it.

    Raises
    ------
    UnreadableInput
        The file is damaged, cut short, or states no pixel spacing.
    SkippedInput
        The file is sound but not a mammogram to be searched.
    NoBreastFound
        Nothing in the image looks like a breast.
    InvalidParameter
        A rule file is not valid.
    """
    from mammocalc.warm_up import load_measuring_ahead

    load_measuring_ahead()
    from mammocalc.arrange import arrange
    from mammocalc.classify import Lexicon, classify, load_lexicon
    from mammocalc.findings import Findings
    from mammocalc.measure import measure
    from mammocalc.parameters import Parameters
    from mammocalc.prepare import prepare
    from mammocalc.read import Mammogram, read
    from mammocalc.segment import segment

    parameters = parameters or Parameters()
    threads = threads or usable_threads()
    lexicon = rules if isinstance(rules, Lexicon) else load_lexicon(rules)
    timings: dict[str, float] = {}
    began = time.perf_counter()

    def timed(stage: str, step: Callable[[], Handed]) -> Handed:
        start = time.perf_counter()
        handed = step()
        timings[stage] = (time.perf_counter() - start) * 1e3
        return handed

    if isinstance(image, Mammogram):
        mammogram = image
    else:
        path = Path(image)
        mammogram = timed(
            "read",
            lambda: read(path, pixel_spacing_mm=pixel_spacing_mm, frame=frame, threads=threads),
        )
    with naming_file(mammogram.path):
        scene = timed("prepare", lambda: prepare(mammogram, parameters.prepare, threads))
    regions = timed("segment", lambda: segment(scene, parameters.segment, threads))
    measurements = timed("measure", lambda: measure(scene, regions, parameters.measure, threads))
    arrangement = timed("arrange", lambda: arrange(scene, measurements, parameters.arrange, threads))
    classification = timed("classify", lambda: classify(measurements, arrangement, lexicon))
    return Findings(
        mammogram=mammogram,
        scene=scene,
        regions=regions,
        measurements=measurements,
        arrangement=arrangement,
        classification=classification,
        parameters=parameters,
        lexicon=lexicon,
        seconds=time.perf_counter() - began,
        timings=timings,
    )
