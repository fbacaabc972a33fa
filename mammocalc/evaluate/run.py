"""A run held against a truth: which image is which, and the evaluation of those that are in both."""

from __future__ import annotations

import os

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.datasets import read_truth
from mammocalc.evaluate.detections import Detections, read_detections
from mammocalc.evaluate.evaluation import OPERATING_POINT, Evaluation, evaluate


def evaluate_run(
    findings: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    dataset: str | None = None,
    *,
    operating_point: float = OPERATING_POINT,
    resamples: int = 1000,
) -> Evaluation:
    """Judge the tables of a run against the truth of a data set.

    Parameters
    ----------
    findings : path
        The ``--out`` of ``mammocalc detect``; with ``--min-score 0`` the curves are whole.
    truth : path
        Folder of the data set.
    dataset : str, optional
        See `read_truth`.
    operating_point : float
        The score from which on marks are shown to a user.
    resamples : int
        Bootstrap samples of patients for the intervals.

    Returns
    -------
    Evaluation
        Of the images that are in both.

    Raises
    ------
    UnreadableInput
        Either cannot be read, or they have no image in common.
    InvalidParameter
        The data set is not known.
    """
    data = read_truth(truth, dataset)
    found = by_image(read_detections(findings), [image.path for image in data.images])
    pairs = [(image, one) for image, one in zip(data.images, found, strict=True) if one is not None]
    if not pairs:
        raise UnreadableInput(
            f"{findings}: holds none of the {len(data.images)} images of {data.name} in {truth}, "
            f"such as {data.images[0].path}"
        )
    remarks = list(data.remarks)
    if len(pairs) < len(found):
        remarks.append(
            f"{len(found) - len(pairs)} images of {data.name} are not among the findings: left out"
        )
    if any(image.specks is not None and image.specks.marks.runs is not None for image, _ in pairs):
        remarks.append(
            "the tables of a run hold no outlines: marks hit by distance alone, overlap is not judged"
        )
    if all((one.score >= operating_point).all() for _, one in pairs):
        remarks.append("no mark scores below the operating point: detect with --min-score 0 for whole curves")
    return evaluate(pairs, operating_point=operating_point, resamples=resamples, remarks=remarks)


def by_image(detections: list[Detections], paths: list[str]) -> list[Detections | None]:
    """For each path of a truth the detections of that image: those that share the longest end of their path with it.

    ``set/1/left.dcm`` finds ``1/left.dcm`` or ``left.dcm``, whichever folder the run was started on. Endings may be
    missing on either side. None where nothing or more than one image fits equally well.
    """
    by_stem: dict[str, list[tuple[tuple[str, ...], Detections]]] = {}
    for one in detections:
        parts = _parts(one.path)
        by_stem.setdefault(parts[0], []).append((parts, one))
    found: list[Detections | None] = []
    for path in paths:
        parts = _parts(path)
        candidates = [(_shared(parts, other), one) for other, one in by_stem.get(parts[0], [])]
        most = max((shared for shared, _ in candidates), default=0)
        best = [one for shared, one in candidates if shared == most]
        found.append(best[0] if len(best) == 1 else None)
    return found


_ENDINGS = (".dcm", ".dicom", ".png", ".pgm", ".tif", ".tiff")


def _parts(path: str) -> tuple[str, ...]:
    """Parts of a path, last first, without the ending of an image file."""
    last, *rest = reversed(path.replace("\\", "/").split("/"))
    for ending in _ENDINGS:
        if last.lower().endswith(ending):
            last = last[: -len(ending)]
    return (last, *rest)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    for k, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return k
    return min(len(one), len(other))
