"""Test objects of known size on plain fat: what lengths, calibres, diameters and walls are checked with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.anatomy import make_breast
from mammocalc.phantom.calcifications import Scene
from mammocalc.phantom.curves import stream
from mammocalc.phantom.make import Phantom, developed
from mammocalc.phantom.plate import Plate, Solid, folded
from mammocalc.phantom.settings import DETECTORS, PhantomSettings
from mammocalc.phantom.solids import ellipsoid, shell, tube
from mammocalc.phantom.tissue import FAT_PER_MM

Kind = Literal["wire", "disc", "ball", "shell"]


def make_gauge(
    seed: int,
    kind: Kind,
    sizes_mm: Sequence[float],
    *,
    settings: PhantomSettings | None = None,
    length_mm: float = 6.0,
    wall_share: float = 0.12,
    per_mm: float = 0.9,
) -> Phantom:
    """Make objects of known size on a breast of fat alone, each at a random sub-pixel position and direction.

    Parameters
    ----------
    seed : int
        Not negative.
    kind : {"wire", "disc", "ball", "shell"}
        Straight round wires with round ends, flat discs 0.3 mm thick, solid balls, hollow balls.
    sizes_mm : sequence of float
        Calibre of a wire, diameter of the others; one object each, in order, as long as there is room.
    settings : PhantomSettings, optional
        Detector, intent and size of the image; what they ask to be drawn is left out.
    length_mm : float
        Of wires, end to end.
    wall_share : float
        Wall of a shell as a share of its diameter.
    per_mm : float
        Attenuation of the objects above fat, 1/mm.

    Returns
    -------
    Phantom
        The image and the true sizes.
    """
    asked = settings or PhantomSettings(rows=2000, columns=1600)
    settings = dataclasses.replace(
        asked.without_calcium(), fibres_per_cm2=0.0, ligaments_per_cm2=0.0, vessels=0
    )
    breast = make_breast(seed, settings)
    fat = FAT_PER_MM * breast.thickness_mm
    plate = Plate(breast, fat, DETECTORS[settings.detector], 0.0, stream(seed, "visibility"))
    scene = Scene(plate, settings)
    rng = stream(seed, "gauge")
    for size in sizes_mm:
        angle = rng.uniform(0, math.pi)
        solid = _object(kind, size, angle, length_mm, wall_share, per_mm)
        for _ in range(100):
            place = scene.somewhere(rng, 2.0 + 0.5 * max(size, length_mm if kind == "wire" else 0.0))
            if place is not None and plate.lay(solid, place[0], place[1], gap_mm=1.5) is not None:
                break
    return developed(seed, settings, scene, fat, [])


def _object(
    kind: Kind, size: float, angle: float, length_mm: float, wall_share: float, per_mm: float
) -> Solid:
    along = np.array([math.sin(angle), math.cos(angle)])
    half = 0.5 * size
    orientation = folded(-math.degrees(angle))
    if kind == "wire":
        ends = np.stack([-along, along]) * (0.5 * length_mm - half)
        return Solid(
            "large_rod_like" if size >= 0.5 else "fine_linear",
            lambda y, x: tube(y, x, ends, np.full(2, half)),
            0.5 * length_mm,
            per_mm,
            length_mm=length_mm,
            width_mm=size,
            orientation_deg=orientation,
        )
    projections = {
        "disc": lambda y, x: 0.3 * (y**2 + x**2 <= half**2),
        "ball": lambda y, x: ellipsoid(y, x, half, half, half, 0.0),
        "shell": lambda y, x: shell(y, x, half, half, wall_share * size, 0.0),
    }

    def projection(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(projections[kind](y, x), np.float64)

    return Solid(
        "rim" if kind == "shell" else "round" if size >= 0.5 else "punctate",
        projection,
        half,
        per_mm,
        length_mm=size,
        width_mm=size,
        diameter_mm=size,
        wall_mm=wall_share * size if kind == "shell" else None,
        orientation_deg=orientation,
    )
