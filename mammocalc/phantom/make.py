"""One phantom from one seed: anatomy, tissue, calcium, detector, processing, and the truth of it all."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.anatomy import Breast, make_breast
from mammocalc.phantom.calcifications import Scene, draw_all
from mammocalc.phantom.curves import arc_length, stream
from mammocalc.phantom.detector import RAW_BITS, RAW_LEVEL, expose
from mammocalc.phantom.marks import add_marks
from mammocalc.phantom.plate import Plate, folded, reference_attenuation
from mammocalc.phantom.processing import to_presentation
from mammocalc.phantom.settings import DETECTORS, PhantomSettings
from mammocalc.phantom.tissue import EXCESS_PER_MM, FAT_PER_MM, make_tissue, tube_adder
from mammocalc.phantom.truth import CalcificationTruth, ChainTruth, ClusterTruth, DistractorTruth, Truth
from mammocalc.read.mammogram import Mammogram


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic mammogram and everything that was drawn into it.

    Attributes
    ----------
    mammogram : Mammogram
        As the read stage would hand it over.
    truth : Truth
        What is where.
    """

    mammogram: Mammogram
    truth: Truth


def make(seed: int, *, settings: PhantomSettings | None = None) -> Phantom:
    """A synthetic mammogram with its truth; the same seed and settings give the same pixels.

    Parameters
    ----------
    seed : int
        Not negative. See `TRAINING_SEEDS` and `TEST_SEEDS`.
    settings : PhantomSettings, optional
        Detector, size, and how many of each thing are drawn.

    Returns
    -------
    Phantom
        Pixels of shape (rows, columns), uint16, and the truth.
    """
    settings = settings or PhantomSettings()
    detector = DETECTORS[settings.detector]
    breast = make_breast(seed, settings)
    tissue, in_tissue = make_tissue(seed, settings, breast)
    plate = Plate(breast, tissue, detector, settings.faintest, stream(seed, "visibility"))
    scene = Scene(plate, settings)
    draw_all(seed, scene)
    add = tube_adder(tissue, breast.pitch_mm)
    for course, radii in scene.vessels:
        add(course, radii, EXCESS_PER_MM, 0.5)
    return developed(seed, settings, scene, tissue, in_tissue)


def developed(
    seed: int,
    settings: PhantomSettings,
    scene: Scene,
    tissue: NDArray[np.float64],
    in_tissue: list[tuple[str, float, float, float]],
) -> Phantom:
    """Expose and process tissue with its calcium, and put the truth together."""
    plate = scene.plate
    detector = DETECTORS[settings.detector]
    mirrored = settings.laterality == "R"
    reference = reference_attenuation(tissue, plate.breast)
    exposure = expose(stream(seed, "noise"), _turned(tissue + plate.calcium, mirrored), reference, detector)
    truth = _truth(seed, settings, scene, in_tissue, mirrored)
    pixels, bits, dense_is_bright, marks = _stored(seed, settings, plate.breast, exposure, truth, mirrored)
    mammogram = Mammogram(
        pixels=pixels,
        pixel_spacing_mm=detector.pixel_spacing_mm,
        spacing_source="phantom",
        dense_is_bright=dense_is_bright,
        intent=settings.intent,
        linear_in_exposure=settings.intent == "FOR PROCESSING",
        bits_stored=bits,
        laterality=settings.laterality,
        view=settings.view,
        sop_instance_uid=_uid(truth, "image"),
        study_instance_uid=_uid(truth, "study"),
    )
    return Phantom(mammogram, dataclasses.replace(truth, distractors=truth.distractors + tuple(marks)))


def _uid(truth: Truth, of: str) -> str:
    """A DICOM UID that follows from what was asked for and drawn (2.25 and 120 bits of a hash)."""
    drawn = [f"{one.label} {one.length_mm:.3f} {one.width_mm:.3f}" for one in truth.calcifications]
    words = f"{of} {truth.seed} {sorted(truth.settings.items())} {drawn}"
    return f"2.25.{int.from_bytes(hashlib.sha256(words.encode()).digest()[:15], 'big')}"


def _turned(plane: NDArray[np.float64], mirrored: bool) -> NDArray[np.float64]:
    return np.ascontiguousarray(plane[:, ::-1]) if mirrored else plane


def _stored(
    seed: int,
    settings: PhantomSettings,
    breast: Breast,
    exposure: NDArray[np.float64],
    truth: Truth,
    mirrored: bool,
) -> tuple[NDArray[np.uint16], int, bool, list[DistractorTruth]]:
    detector = DETECTORS[settings.detector]
    inside = _turned(breast.skin_distance_mm, mirrored) > 0
    if settings.intent == "FOR PROCESSING":
        values = exposure * RAW_LEVEL
        bits, white, bright = RAW_BITS, 0.0, False
    else:
        fat = _turned(FAT_PER_MM * breast.thickness_mm, mirrored)
        style = settings.style or detector.style
        bits, bright = detector.bits_stored, True
        values = to_presentation(exposure, fat, inside, breast.pitch_mm, style, bits).astype(np.float64)
        white = float(2**bits - 1)
    marks = add_marks(seed, values, settings, breast.pitch_mm, inside, truth.nipple, white)
    pixels = np.clip(np.rint(values), 0, 2**bits - 1).astype(np.uint16)
    wanted = bright if settings.dense_is_bright is None else settings.dense_is_bright
    if wanted != bright:
        pixels, bright = (2**bits - 1 - pixels).astype(np.uint16), wanted
    return np.ascontiguousarray(pixels), bits, bright, marks


def _truth(
    seed: int,
    settings: PhantomSettings,
    scene: Scene,
    in_tissue: list[tuple[str, float, float, float]],
    mirrored: bool,
) -> Truth:
    pitch = scene.plate.pitch
    last = settings.columns - 1

    def point(y_mm: float, x_mm: float) -> tuple[float, float]:
        column = x_mm / pitch
        return float(y_mm / pitch), float(last - column if mirrored else column)

    def line(points: NDArray[np.float64], every: int) -> tuple[tuple[float, float], ...]:
        return tuple(point(y, x) for y, x in points[::every])

    for number, group in enumerate(scene.groups, 1):
        for index in group.members:
            scene.plate.put_in_cluster(index, number)
    for number, chain in enumerate(scene.chains, 1):
        for index in chain.members:
            scene.plate.put_in_chain(index, number)
    calcifications = tuple(
        _calcification(number, scene.plate, number - 1, settings.columns, mirrored)
        for number in range(1, len(scene.plate.deposits) + 1)
    )
    clusters = []
    for number, group in enumerate(scene.groups, 1):
        at = np.array([(calcifications[k].row, calcifications[k].col) for k in group.members])
        apart = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1))
        row, col = at.mean(0)
        clusters.append(
            ClusterTruth(
                number,
                group.label,
                group.distribution,
                len(at),
                float(row),
                float(col),
                float(apart.max()) * pitch,
            )
        )
    chains = tuple(
        ChainTruth(
            number,
            chain.kind,
            float(arc_length(chain.polyline)[-1]),
            chain.wall_separation_mm,
            line(chain.polyline, 5),
        )
        for number, chain in enumerate(scene.chains, 1)
    )
    breast = scene.plate.breast
    return Truth(
        seed=seed,
        settings=dataclasses.asdict(settings),
        pixel_spacing_mm=pitch,
        rows=settings.rows,
        columns=settings.columns,
        laterality=settings.laterality,
        view=settings.view,
        chest_wall="right" if mirrored else "left",
        nipple=point(*breast.nipple),
        skin_line=line(breast.skin_line, 6),
        pectoral_line=line(breast.muscle_line, 6),
        calcifications=calcifications,
        clusters=tuple(clusters),
        chains=chains,
        distractors=tuple(DistractorTruth(kind, *point(y, x), size) for kind, y, x, size in in_tissue),
    )


def _calcification(number: int, plate: Plate, index: int, columns: int, mirrored: bool) -> CalcificationTruth:
    deposit = plate.deposits[index]
    solid = deposit.solid
    runs = []
    for offset, covered in enumerate(deposit.mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], covered, [False]]).astype(np.int8)))
        for start, stop in zip(edges[::2] + deposit.left, edges[1::2] + deposit.left, strict=True):
            first, end = (columns - stop, columns - start) if mirrored else (start, stop)
            runs.append((deposit.top + offset, int(first), int(end)))
    angle = solid.orientation_deg or 0.0
    return CalcificationTruth(
        calcification_id=number,
        label=solid.label,
        row=deposit.row,
        col=columns - 1 - deposit.col if mirrored else deposit.col,
        length_mm=float(solid.length_mm or 0.0),
        width_mm=float(solid.width_mm or 0.0),
        diameter_mm=float(solid.diameter_mm or 0.0),
        wall_mm=solid.wall_mm,
        orientation_deg=folded(-angle) if mirrored else angle,
        contrast=deposit.contrast,
        cnr=deposit.cnr,
        detectability=deposit.detectability,
        cluster_id=deposit.cluster_id,
        chain_id=deposit.chain_id,
        branched=solid.branched,
        runs=tuple(sorted(runs)),
    )
