"""Bodies of known size as a detector of known blur sees them: what measuring is judged against.

Thickness is drawn on a grid several times finer than the pixel, blurred there, and averaged over the pixels. Nothing
of the package's own drawing is used, so that an error in one cannot hide in the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.segment.regions import Regions

Thickness = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Body:
    """Thickness (any unit) at (y, x) in mm from the body's centre, and how far the body reaches from there."""

    thickness: Thickness
    reach_mm: float


def _chord(square: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(1.0 - square, 0.0))


def disc(diameter: float) -> Body:
    """A coin face on: equal thickness everywhere."""
    return Body(lambda y, x: (np.hypot(y, x) <= diameter / 2) * 1.0, diameter / 2)


def sphere(diameter: float) -> Body:
    """A ball."""
    return Body(lambda y, x: _chord((y**2 + x**2) / (diameter / 2) ** 2), diameter / 2)


def shell(diameter: float, wall: float) -> Body:
    """A hollow ball."""
    outer, inner = diameter / 2, diameter / 2 - wall

    def thickness(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        square = y**2 + x**2
        return outer * _chord(square / outer**2) - inner * _chord(square / inner**2)

    return Body(thickness, outer)


def ring(diameter: float, wall: float, centre: float = 0.0, gap_deg: float = 0.0) -> Body:
    """A flat ring with `centre` times its thickness inside, open over `gap_deg`."""
    outer, inner = diameter / 2, diameter / 2 - wall

    def thickness(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        radius = np.hypot(y, x)
        closed = np.abs(np.degrees(np.arctan2(y, x))) >= gap_deg / 2
        return ((radius <= outer) & (radius > inner) & closed) * 1.0 + (radius <= inner) * centre

    return Body(thickness, outer)


def ellipse(length: float, width: float, angle_deg: float, dome: bool = False) -> Body:
    """An ellipse, flat or as an ellipsoid; the angle is counter-clockwise as displayed (rows down)."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))

    def thickness(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        along, across = x * c - y * s, x * s + y * c
        square = (along / (length / 2)) ** 2 + (across / (width / 2)) ** 2
        return _chord(square) if dome else (square <= 1) * 1.0

    return Body(thickness, length / 2)


def path_wire(
    points: Sequence[tuple[float, float]],
    calibre: float | Sequence[float],
    dome: bool = False,
    round_ends: bool = True,
    wall: float = 0.0,
) -> Body:
    """A wire along (y, x) points in mm: flat or round in section, a tube if it has a wall, calibre by point."""
    path = np.asarray(points, float)
    calibres = np.broadcast_to(np.asarray(calibre, float), len(path))

    def thickness(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        y, x = np.broadcast_arrays(y, x)
        best = np.zeros(y.shape)
        last = len(path) - 2
        for i, (a, b) in enumerate(itertools.pairwise(path)):
            leg = b - a
            size = float(np.hypot(*leg))
            t = ((y - a[0]) * leg[0] + (x - a[1]) * leg[1]) / size**2
            held = np.clip(t, 0, 1)
            half = 0.5 * (calibres[i] + held * (calibres[i + 1] - calibres[i]))
            square = (y - a[0] - held * leg[0]) ** 2 + (x - a[1] - held * leg[1]) ** 2
            if dome:
                here = half * _chord(square / half**2)
                if wall > 0:
                    core = half - wall
                    here = here - core * _chord(square / core**2)
            else:
                here = (square <= half**2) * 1.0
                if wall > 0:
                    here = here * (square > (half - wall) ** 2)
            if not round_ends:
                here = here * ~(((i == 0) & (t < 0)) | ((i == last) & (t > 1)))
            best = np.maximum(best, here)
        return best

    return Body(thickness, float(np.hypot(*path.T).max() + calibres.max() / 2))


def wire(
    length: float,
    calibre: float,
    angle_deg: float,
    dome: bool = False,
    round_ends: bool = True,
    wall: float = 0.0,
) -> Body:
    """A straight wire of `length` end to end; the angle is counter-clockwise as displayed (rows down)."""
    half = length / 2 - (calibre / 2 if round_ends else 0.0)
    dy, dx = -np.sin(np.radians(angle_deg)) * half, np.cos(np.radians(angle_deg)) * half
    return path_wire([(-dy, -dx), (dy, dx)], calibre, dome, round_ends, wall)


def tapered_wire(length: float, calibre: float, angle_deg: float) -> Body:
    """A straight cigar, round in section: full calibre over the middle half, pointed like a cosine to 0.4 of it."""
    along = np.linspace(-1, 1, 41)
    falling = np.clip((np.abs(along) - 0.5) / 0.5, 0, 1)
    calibres = calibre * (0.4 + 0.6 * np.cos(0.5 * np.pi * falling))
    half = length / 2 - calibres[0] / 2
    dy, dx = -np.sin(np.radians(angle_deg)) * half, np.cos(np.radians(angle_deg)) * half
    return path_wire([(t * dy, t * dx) for t in along], list(calibres), dome=True)


def arc_wire(
    arc_length: float,
    radius: float,
    calibre: float,
    angle_deg: float,
    dome: bool = False,
    round_ends: bool = True,
) -> Body:
    """A wire bent to a circle's arc; `arc_length` is end to end along its middle."""
    half = (arc_length - (calibre if round_ends else 0.0)) / 2 / radius
    turn = np.radians(angle_deg) + np.linspace(-half, half, 60)
    path = np.column_stack([radius * np.sin(turn), radius * np.cos(turn)])
    return path_wire([(y, x) for y, x in path - path.mean(0)], calibre, dome, round_ends)


def draw(
    body: Body,
    pitch_mm: float,
    blur_mm: float,
    offset_px: tuple[float, float] = (0.0, 0.0),
    margin_mm: float = 1.1,
) -> NDArray[np.float64]:
    """The body's thickness on pixels, blurred; its centre lies `offset_px` from the middle pixel's centre."""
    half = int(np.ceil((body.reach_mm + margin_mm) / pitch_mm))
    fine = int(np.clip(np.ceil(pitch_mm / 0.012), 4, 9)) | 1
    side = (2 * half + 1) * fine
    place = ((np.arange(side) + 0.5) / fine - half - 0.5) * pitch_mm
    y = place[:, None] - offset_px[0] * pitch_mm
    x = place[None, :] - offset_px[1] * pitch_mm
    sharp = body.thickness(y, x)
    blurred = gaussian_filter(sharp, blur_mm * fine / pitch_mm, truncate=5) if blur_mm > 0 else sharp
    count = 2 * half + 1
    return blurred.reshape(count, fine, count, fine).mean((1, 3))


def scene_of(
    plane: NDArray[np.float64],
    pixel_spacing_mm: float,
    origin: tuple[int, int] = (0, 0),
    nipple: tuple[float, float] | None = None,
) -> Scene:
    """A scene of nothing but a plane of unit noise: no muscle, skin far off, density = plane / 100."""
    step = 8
    cells = (-(-(plane.shape[0] + origin[0]) // step), -(-(plane.shape[1] + origin[1]) // step))
    nowhere = np.zeros(cells, np.bool_)
    anatomy = Anatomy(
        step,
        ~nowhere,
        nowhere,
        nowhere,
        np.full(cells, 20, np.float32),
        nipple,
        "left",
        float(np.prod(plane.shape)),
    )
    axis = np.array([-1e4, 1e4], np.float32)
    return Scene(
        np.ascontiguousarray(plane, np.float32),
        origin,
        pixel_spacing_mm,
        anatomy,
        np.zeros(2, np.float32),
        axis,
        axis / np.float32(100),
        np.zeros(2),
        np.ones(2),
    )


def regions_of(mask: NDArray[np.generic]) -> Regions:
    """Regions from a mask (its 8-connected parts) or from a label image (0 is background)."""
    labels = label(mask, np.ones((3, 3)))[0] if mask.dtype == np.bool_ else np.asarray(mask)
    count = int(labels.max())
    runs: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
    for row, line in enumerate(labels):
        edges = np.flatnonzero(np.diff(line, prepend=0, append=0))
        for start, stop in itertools.pairwise(edges):
            if line[start] > 0:
                runs[line[start] - 1].append((row, int(start), int(stop)))
    flat = np.array([run for region in runs for run in region], np.int32).reshape(-1, 3)
    offsets = np.concatenate([[0], np.cumsum([len(region) for region in runs])]).astype(np.int64)
    bounds = np.array(
        [(r[0][0], min(q[1] for q in r), r[-1][0] + 1, max(q[2] for q in r)) for r in runs],
        np.int32,
    ).reshape(-1, 4)
    return Regions(
        labels.shape,
        offsets,
        np.ascontiguousarray(flat[:, 0]),
        np.ascontiguousarray(flat[:, 1]),
        np.ascontiguousarray(flat[:, 2]),
        bounds,
        np.ones(count),
        {},
    )
