"""What became of every true calcification of a synthetic mammogram: its label, its chain and its cluster."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mammocalc.arrange import Arrangement, ArrangeParameters, arrange
from mammocalc.classify import Classification, Lexicon, classify, load_lexicon, moved_thresholds
from mammocalc.evaluate.matching import Marks, match
from mammocalc.measure import Measurements, measure
from mammocalc.phantom import SCENES, PhantomSettings, Truth, classic_benign, make, mixed
from mammocalc.phantom.curves import arc_length
from mammocalc.phantom.settings import DETECTORS
from mammocalc.prepare import Scene, prepare
from mammocalc.segment import Regions, segment

MISSED = "(missed)"
FALSE = "(nothing there)"

DETECTOR_OF_PITCH = {"50": "storage_50", "70": "selenium_70", "100": "caesium_100"}

# A track counts as one chain where this share of the calcified wall that was detected is in it.
ONE_CHAIN_SHARE = 0.8
FEWEST_OF = {"linear": 3}
FEWEST = 5


@dataclass
class Tally:
    """Everything about one image that the tables need, small enough to pickle.

    Attributes
    ----------
    calcifications : list of dict
        One a true calcification: truth, called (`MISSED` where nothing matched), diameter_mm, lucent, branched, and
        for a vessel's wall the millimetres called each label.
    pieces : Counter of (str, str)
        Further detections on a true calcification that a better one took: (truth, called).
    false : Counter of str
        Labels of the detections where nothing was drawn.
    tracks : list of dict
        One an artery: span_mm of its calcium, seen_mm of what of it was detected, share of the detected wall in its
        best chain.
    groups : list of dict
        One a drawn cluster: truth, called, distribution drawn and named, members drawn and detected, and how far the
        next other group is.
    moved : list of dict
        What each moved threshold changes; empty unless asked for.
    """

    seed: int
    detector: str
    calcifications: list[dict[str, Any]] = field(default_factory=list)
    pieces: Counter[tuple[str, str]] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    tracks: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)


def settings_of(kind: str, seed: int) -> PhantomSettings:
    """Settings of one image.

    ``mixed``, ``arterial``, ``secretory``, or a pitch in micrometres as a key of `DETECTOR_OF_PITCH`.
    """
    if kind in ("mixed", "arterial"):
        return SCENES[kind](seed, "small")
    made = classic_benign(seed) if kind == "secretory" else mixed(seed)
    detector = DETECTOR_OF_PITCH["70" if kind == "secretory" else kind]
    scale = DETECTORS[made.detector].pixel_spacing_mm / DETECTORS[detector].pixel_spacing_mm
    return dataclasses.replace(
        made,
        detector=detector,
        rows=round(made.rows * scale),
        columns=round(made.columns * scale),
        dust=0,
        lint=0,
        scratches=0,
    )


def tally_of(kind: str, seed: int, change: float = 0.0) -> Tally:
    """Make one image, run the stages on it, and see what became of every true calcification.

    Parameters
    ----------
    change : float
        By how much every threshold of the rules is moved, one at a time, as a share of its value; 0 for not at all.
    """
    phantom = make(seed, settings=settings_of(kind, seed))
    scene = prepare(phantom.mammogram)
    regions = segment(scene)
    measurements = measure(scene, regions)
    return compare(phantom.truth, scene, regions, measurements, load_lexicon(), change)


def compare(
    truth: Truth,
    scene: Scene,
    regions: Regions,
    measurements: Measurements,
    lexicon: Lexicon,
    change: float = 0.0,
    parameters: ArrangeParameters | None = None,
) -> Tally:
    """Arrange, label, and compare with what was drawn."""
    arrangement = arrange(scene, measurements, parameters or ArrangeParameters())
    classification = classify(measurements, arrangement, lexicon)
    lies_on, pixels = coverage(truth, scene, regions)
    matched = matches(truth, scene, regions, measurements)
    tally = Tally(truth.seed, str(truth.settings["detector"]))
    tally.calcifications = list(_calcifications(truth, classification, matched, lies_on, pixels))
    taken = {one["detection"] for one in tally.calcifications}
    for k, label in enumerate(classification.label.tolist()):
        if k in taken:
            continue
        if lies_on[k] >= 0:
            tally.pieces[truth.calcifications[lies_on[k]].label, label] += 1
        else:
            tally.false[label] += 1
    tally.tracks = list(_tracks(truth, arrangement, lies_on, pixels))
    tally.groups = list(_groups(truth, arrangement, classification, lies_on, lexicon))
    if change:
        tally.moved = list(_moved(tally, measurements, arrangement, lexicon, change, classification))
    return tally


def matches(truth: Truth, scene: Scene, regions: Regions, measurements: Measurements) -> np.ndarray:
    """For each true calcification the detection that found it, -1 for none."""
    runs = [
        [
            (
                int(regions.run_row[i] + scene.origin[0]),
                int(regions.run_start[i] + scene.origin[1]),
                int(regions.run_stop[i] + scene.origin[1]),
            )
            for i in range(regions.offsets[k], regions.offsets[k + 1])
        ]
        for k in range(len(regions))
    ]
    columns = measurements.columns
    found = Marks(columns["row"], columns["col"], columns["diameter_mm"], runs)
    drawn = Marks(
        np.array([one.row for one in truth.calcifications]),
        np.array([one.col for one in truth.calcifications]),
        np.array([one.diameter_mm for one in truth.calcifications]),
        [one.runs for one in truth.calcifications],
    )
    return match(found, regions.score, drawn, scene.pixel_spacing_mm).detection_of


def coverage(truth: Truth, scene: Scene, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """For each detection the place of the true calcification that it mostly lies on, -1 for none, and pixels shared."""
    drawn = truth.labels()
    place, shared = np.full(len(regions), -1), np.zeros(len(regions))
    row, start, stop = (
        runs + scene.origin[axis]
        for runs, axis in ((regions.run_row, 0), (regions.run_start, 1), (regions.run_stop, 1))
    )
    for k in range(len(regions)):
        mine = [drawn[row[i], start[i] : stop[i]] for i in range(regions.offsets[k], regions.offsets[k + 1])]
        count = np.bincount(np.concatenate(mine))
        count[0] = 0
        if count.any():
            place[k], shared[k] = count.argmax() - 1, count.max()
    return place, shared


def _calcifications(
    truth: Truth,
    classification: Classification,
    matched: np.ndarray,
    lies_on: np.ndarray,
    pixels: np.ndarray,
) -> Iterator[dict[str, Any]]:
    for t, one in enumerate(truth.calcifications):
        k = int(matched[t])
        out = {
            "truth": one.label,
            "called": str(classification.label[k]) if k >= 0 else MISSED,
            "detection": k,
            "diameter_mm": one.diameter_mm,
            "width_mm": one.width_mm,
            "lucent": one.wall_mm is not None,
            "branched": one.branched,
        }
        if one.label == "vascular":
            out["wall_mm"] = _wall(one.length_mm, classification.label, np.flatnonzero(lies_on == t), pixels)
        yield out


def _wall(
    length_mm: float, label: np.ndarray, detections: np.ndarray, pixels: np.ndarray
) -> dict[str, float]:
    """Length of one piece of wall by what it was called; its detections share it by their pixels on it."""
    if not len(detections):
        return {MISSED: length_mm}
    out: Counter[str] = Counter()
    for k in detections:
        out[str(label[k])] += float(length_mm * pixels[k] / pixels[detections].sum())
    return dict(out)


def _tracks(
    truth: Truth, arrangement: Arrangement, lies_on: np.ndarray, pixels: np.ndarray
) -> Iterator[dict[str, Any]]:
    of_chain = np.array([one.chain_id for one in truth.calcifications] + [0])
    chain_of_detection = of_chain[lies_on]
    for chain in truth.chains:
        if chain.kind != "artery":
            continue
        mine = np.flatnonzero(chain_of_detection == chain.chain_id)
        numbers = arrangement.columns["chain_id"][mine]
        weight = np.bincount(numbers, weights=pixels[mine], minlength=2)
        yield {
            "span_mm": _span(truth, chain.chain_id, np.array(chain.polyline), None),
            "seen_mm": _span(truth, chain.chain_id, np.array(chain.polyline), np.unique(lies_on)),
            "share_in_one": float(weight[1:].max() / max(weight.sum(), 1e-9)),
            "detections": len(mine),
        }


def _span(truth: Truth, chain_id: int, polyline: np.ndarray, found: np.ndarray | None) -> float:
    """Length of an artery between its first and last calcium, all of it or only the places `found`, mm."""
    ends = [
        (row, col)
        for place, one in enumerate(truth.calcifications)
        if one.chain_id == chain_id and (found is None or place in found)
        for row, start, stop in one.runs
        for col in (start, stop - 1)
    ]
    if not ends:
        return 0.0
    apart = ((np.array(ends)[:, None, :] - polyline[None, :, :]) ** 2).sum(axis=2)
    at = arc_length(polyline)[apart.argmin(axis=1)]
    return float(np.ptp(at)) * truth.pixel_spacing_mm


def _groups(
    truth: Truth,
    arrangement: Arrangement,
    classification: Classification,
    lies_on: np.ndarray,
    lexicon: Lexicon,
) -> Iterator[dict[str, Any]]:
    of_cluster = np.array([one.cluster_id for one in truth.calcifications] + [0])
    cluster_of_detection = of_cluster[lies_on]
    for group in truth.clusters:
        mine = np.flatnonzero(cluster_of_detection == group.cluster_id)
        numbers = arrangement.columns["cluster_id"][mine]
        count = np.bincount(numbers[numbers > 0], minlength=1)
        best = int(count.argmax())
        found = bool(count.any())
        yield {
            "truth": group.label,
            "drawn": group.distribution,
            "members": group.n_calcifications,
            "detected": len(mine),
            "enough": len(mine) >= FEWEST_OF.get(group.distribution, FEWEST),
            "apart_mm": _apart_mm(truth, group.cluster_id),
            "called": str(classification.cluster_morphology[best - 1]) if found else MISSED,
            "named": str(arrangement.clusters["distribution"][best - 1]) if found else MISSED,
        }


def _apart_mm(truth: Truth, cluster_id: int) -> float:
    """Distance from the members of a drawn group to the nearest member of another, mm; infinite where there is none."""
    place = np.array([(one.row, one.col) for one in truth.calcifications])
    group = np.array([one.cluster_id for one in truth.calcifications])
    mine, others = place[group == cluster_id], place[(group > 0) & (group != cluster_id)]
    if not len(others):
        return float("inf")
    apart = np.sqrt(((mine[:, None, :] - others[None, :, :]) ** 2).sum(axis=2).min())
    return float(apart) * truth.pixel_spacing_mm


def _moved(
    tally: Tally,
    measurements: Measurements,
    arrangement: Arrangement,
    lexicon: Lexicon,
    change: float,
    before: Classification,
) -> Iterator[dict[str, Any]]:
    found = [one for one in tally.calcifications if one["detection"] >= 0]
    truth = np.array([one["truth"] for one in found], "U32")
    place = np.array([one["detection"] for one in found], np.int64)
    fine = np.char.startswith(truth, "fine_linear")
    for name, moved_to, after in moved_thresholds(measurements, arrangement, lexicon, change):
        yield {
            "threshold": name,
            "direction": "up" if moved_to > lexicon.thresholds[name].value else "down",
            "relabelled": int((before.label != after.label).sum()),
            "detections": len(before.label),
            "correct_before": int((before.label[place] == truth).sum()),
            "correct_after": int((after.label[place] == truth).sum()),
            "fine_as_rod_before": int((before.label[place[fine]] == "large_rod_like").sum()),
            "fine_as_rod_after": int((after.label[place[fine]] == "large_rod_like").sum()),
            "matched": len(found),
        }
