"""The truth of synthetic mammograms: ``NAME.truth.json`` beside ``NAME.dcm``, as `mammocalc phantom` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate.matching import Marks
from mammocalc.evaluate.truth import DataSet, Distractor, Points, Region, Specks, TrueImage
from mammocalc.phantom.truth import CalcificationTruth, Truth

ENDING = ".truth.json"
LEAST_MEMBERS = 3
"""A group of fewer is not a cluster that a reader would name."""

RIM_MM = 1.0
"""How far a region reaches beyond its members."""


def is_here(root: Path) -> bool:
    """Whether a folder holds such files."""
    return next(root.rglob(f"*{ENDING}"), None) is not None


def read(root: Path) -> DataSet:
    """Every synthetic mammogram under a folder."""
    images = []
    for path in sorted(root.rglob(f"*{ENDING}")):
        try:
            truth = Truth.from_json(path.read_text(encoding="utf-8"))
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableInput(f"{path}: is not the truth of a synthetic mammogram: {error}") from None
        name = path.relative_to(root).as_posix().removesuffix(ENDING) + ".dcm"
        images.append(true_image(truth, name))
    return DataSet("phantom", tuple(images), ("synthetic mammograms",))


def true_image(truth: Truth, path: str) -> TrueImage:
    """The truth of one phantom as it is judged; groups of three or more are regions."""
    drawn = truth.calcifications
    marks = Marks(
        np.array([one.row for one in drawn], np.float64),
        np.array([one.col for one in drawn], np.float64),
        np.array([one.diameter_mm for one in drawn], np.float64),
        [one.runs for one in drawn],
    )
    visibility = np.array([one.detectability for one in drawn], np.float64)
    regions = []
    for group in truth.clusters:
        members = [one for one in drawn if one.cluster_id == group.cluster_id]
        if len(members) >= LEAST_MEMBERS:
            outline = _around(members, truth.pixel_spacing_mm)
            regions.append(Region((outline,), group.label, group.distribution))
    raw = "raw" if truth.settings["intent"] == "FOR PROCESSING" else "processed"
    return TrueImage(
        path=path,
        patient=f"{path.rsplit('/', 1)[-1]}",
        specks=Specks(marks, tuple(one.label for one in drawn), visibility),
        regions=tuple(regions),
        calcified=bool(drawn),
        group=f"{truth.settings['detector']} {raw}",
        distractors=tuple(Distractor(one.kind, one.row, one.col, one.length_mm) for one in truth.distractors),
    )


def _around(members: list[CalcificationTruth], spacing_mm: float) -> Points:
    """The convex hull of the members with a rim around each."""
    from scipy.spatial import ConvexHull

    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.column_stack((np.sin(turn), np.cos(turn)))
    points = np.concatenate(
        [(one.row, one.col) + circle * (RIM_MM + 0.5 * one.diameter_mm) / spacing_mm for one in members]
    )
    return np.asarray(points[ConvexHull(points).vertices], np.float64)
