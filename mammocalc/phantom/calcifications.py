"""How each kind of calcification is drawn: one function a label, after the BI-RADS atlas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.curves import arc_length, normals, piece, smooth_noise, stream, winding_curve
from mammocalc.phantom.plate import Plate, Solid, folded
from mammocalc.phantom.settings import PhantomSettings
from mammocalc.phantom.solids import angular, ellipsoid, haze, merged, random_faces, shell, tube

Points = NDArray[np.float64]
Place = tuple[float, float, float]
"""y and x in mm, and the direction of the tissue there in radians from +x towards +y."""

COMPACT_PER_MM = 0.95
"""Attenuation of compact calcium above tissue at about 20 keV, 1/mm; most calcifications are less compact."""


@dataclass(frozen=True)
class Group:
    """Deposits that form a cluster."""

    label: str
    distribution: str
    members: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Chain:
    """Deposits along an artery or a duct; the polyline is (y, x) in mm."""

    kind: str
    polyline: Points
    wall_separation_mm: float | None
    members: tuple[int, ...]


@dataclass
class Scene:
    """Where the recipes draw, and what they say of it."""

    plate: Plate
    settings: PhantomSettings
    groups: list[Group] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    vessels: list[tuple[Points, NDArray[np.float64]]] = field(default_factory=list)

    def material(self, rng: np.random.Generator, least: float, most: float) -> float:
        """Attenuation per mm: between two shares of compact calcium, the fainter the harder the settings."""
        share = most * (least / most) ** (rng.random() ** 0.8 * min(1.0, 2 * self.settings.difficulty))
        return COMPACT_PER_MM * share

    def somewhere(self, rng: np.random.Generator, margin_mm: float) -> Place | None:
        """A position in the breast at least `margin_mm` from the skin, outside the muscle."""
        breast = self.plate.breast
        rows, columns = breast.thickness_mm.shape
        for _ in range(200):
            y, x = rng.uniform(2, rows * breast.pitch_mm - 2), rng.uniform(2, columns * breast.pitch_mm - 2)
            if breast.at(breast.skin_distance_mm, y, x) > margin_mm and breast.at(breast.muscle, y, x) < 0.1:
                towards = math.atan2(breast.nipple[0] - y, breast.nipple[1] - x)
                return y, x, towards + rng.normal(0, 0.25)
        return None

    def allows(self, y: float, x: float, margin_mm: float) -> bool:
        """True where a member of a group may lie."""
        breast = self.plate.breast
        rows, columns = breast.thickness_mm.shape
        if not (0 <= y < rows * breast.pitch_mm and 0 <= x < columns * breast.pitch_mm):
            return False
        return breast.at(breast.skin_distance_mm, y, x) > margin_mm and breast.at(breast.muscle, y, x) < 0.1


def draw_all(seed: int, scene: Scene) -> None:
    """Draw every kind as often as the settings say; large and long things first, while there is room."""
    for label, recipe in RECIPES.items():
        rng = stream(seed, label)
        for _ in range(getattr(scene.settings, label)):
            for _attempt in range(12):
                if recipe(rng, scene):
                    break


# --- along ducts -----------------------------------------------------------------------------------------------


def _duct_piece(rng: np.random.Generator, scene: Scene, length_mm: float, margin_mm: float) -> Points | None:
    ducts = scene.plate.breast.ducts
    for _ in range(40):
        duct = ducts[rng.integers(len(ducts))]
        total = arc_length(duct)[-1]
        if total < length_mm + 8:
            continue
        first = rng.uniform(6.0, total - length_mm)
        points = piece(duct, first, first + length_mm)
        shift = normals(points)[len(points) // 2] * rng.normal(0, 1.5)
        points = points + shift
        if all(scene.allows(y, x, margin_mm) for y, x in points[:: max(1, len(points) // 8)]):
            return points
    return None


def _orientation(points: Points) -> float:
    dy, dx = points[-1] - points[0]
    return folded(math.degrees(math.atan2(-dy, dx)))


def _cigar(count: int, calibre_mm: float, bluntness: float) -> NDArray[np.float64]:
    """Radii of a cigar with the median calibre asked for."""
    along = np.linspace(-1, 1, count)
    profile = np.sqrt(np.maximum(1 - np.abs(along) ** bluntness, 0.0))
    profile = np.maximum(profile, 0.3)
    return 0.5 * calibre_mm * profile / np.median(profile)


def _uneven(rng: np.random.Generator, count: int, spread: float, width: float) -> NDArray[np.float64]:
    """Factors around 1 that vary smoothly, never by more than about two spreads."""
    return np.exp(2 * spread * np.tanh(0.5 * smooth_noise(rng, count, width)))


def _around(points: Points) -> tuple[float, float, float]:
    middle = 0.5 * (points.min(0) + points.max(0))
    return float(middle[0]), float(middle[1]), float(0.5 * np.ptp(points, axis=0).max())


def _rod(rng: np.random.Generator, scene: Scene) -> bool:
    calibre = rng.uniform(0.55, 1.2)
    length = max(rng.uniform(3.0, 10.0), 3.6 * calibre)
    points = _duct_piece(rng, scene, length, 3.0)
    if points is None:
        return False
    # A duct is never quite straight, and its cast never quite even.
    sway = smooth_noise(rng, len(points), rng.uniform(12.0, 25.0)) * rng.uniform(0.05, 0.35) * calibre
    points = points + normals(points) * sway[:, None]
    radii = _cigar(len(points), calibre, rng.uniform(2.5, 7.0)) * _uneven(rng, len(points), 0.06, 9.0)
    radii *= 0.5 * calibre / np.median(radii)
    parts = [(points, radii)]
    branched = rng.random() < 0.15 and length > 5
    if branched:
        fork = int(len(points) * rng.uniform(0.35, 0.6))
        ahead = points[fork] - points[fork - 1]
        turn = math.atan2(ahead[0], ahead[1]) + rng.choice([-1, 1]) * rng.uniform(0.35, 0.6)
        side = winding_curve(
            rng, (points[fork, 0], points[fork, 1]), turn, length * rng.uniform(0.3, 0.45), 0.02, 10.0
        )
        side = piece(side, 0.0, float(arc_length(side)[-1]))
        thinner = _cigar(2 * len(side), 0.85 * calibre, 6.0)[len(side) :]
        parts.append((side, thinner))
    lucent = not branched and rng.random() < 0.15
    lumen = rng.uniform(0.45, 0.65)
    y0, x0, half = _around(np.vstack([part for part, _ in parts]))
    here = (y0, x0)

    def projection(y: Points, x: Points) -> Points:
        solid = np.maximum.reduce([tube(y, x, line - here, radius) for line, radius in parts])
        if lucent:
            trim = slice(len(points) // 12, -(len(points) // 12) or None)
            solid = solid - tube(y, x, points[trim] - here, radii[trim] * lumen)
        return solid

    outer = float(arc_length(points)[-1] + radii[0] + radii[-1])
    solid = Solid(
        "large_rod_like",
        projection,
        half + calibre,
        scene.material(rng, 0.45, 1.0) * (1.3 if lucent else 1.0),
        length_mm=outer,
        width_mm=float(2 * np.median(radii)),
        wall_mm=float(np.median(radii)) * (1 - lumen) if lucent else None,
        orientation_deg=_orientation(points),
        peak_window_mm=1.2 * calibre,
        branched=branched,
    )
    index = scene.plate.lay(solid, y0, x0, gap_mm=0.5)
    if index is None:
        return False
    scene.chains.append(Chain("duct", points, None, (index,)))
    return True


def _cast(
    rng: np.random.Generator, scene: Scene, points: Points, calibre: float, branch: bool
) -> tuple[Solid, float, float]:
    """One fine, uneven cast of a ductule along `points`, on request with a branch, and where its centre is."""
    wander = 0.35 * calibre * smooth_noise(rng, len(points), 5.0)
    points = points + normals(points) * wander[:, None]
    radii = _cigar(len(points), calibre, 5.0) * _uneven(rng, len(points), 0.25, 2.5)
    radii = np.minimum(radii * (0.5 * calibre / np.median(radii)), 0.75 * calibre)
    parts = [(points, radii)]
    length = float(arc_length(points)[-1])
    if branch:
        fork = int(len(points) * rng.uniform(0.35, 0.65))
        ahead = points[min(fork + 1, len(points) - 1)] - points[fork - 1]
        turn = math.atan2(ahead[0], ahead[1]) + rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
        side = winding_curve(
            rng, (points[fork, 0], points[fork, 1]), turn, max(0.8, 0.55 * length), 0.05, 3.0
        )
        side = piece(side, 0.0, float(arc_length(side)[-1]))
        parts.append((side, 0.45 * calibre * _uneven(rng, len(side), 0.25, 2.5)))
    y0, x0, half = _around(np.vstack([part for part, _ in parts]))
    here = (y0, x0)
    solid = Solid(
        "fine_linear_branching" if branch else "fine_linear",
        lambda y, x: np.maximum.reduce([tube(y, x, line - here, radius) for line, radius in parts]),
        half + calibre,
        scene.material(rng, 0.5, 1.1),
        length_mm=length + float(radii[0] + radii[-1]),
        width_mm=float(2 * np.median(radii)),
        orientation_deg=_orientation(points),
        peak_window_mm=2.0 * calibre,
        branched=branch,
    )
    return solid, y0, x0


def _casts(rng: np.random.Generator, scene: Scene, branching: bool) -> bool:
    """A group of casts along one duct (linear) or along several neighbouring ducts (segmental)."""
    distribution = "segmental" if rng.random() < 0.4 else "linear"
    if scene.settings.distribution in ("linear", "segmental"):
        distribution = scene.settings.distribution
    plate = scene.plate
    before = len(plate.deposits)
    wanted = int(rng.integers(6, 14))
    members: list[int] = []
    kinds: list[str] = []
    used: set[int] = set()
    paths = list(_paths(rng, scene, distribution))
    for number, path in enumerate(paths):
        total = float(arc_length(path)[-1])
        at = rng.uniform(0.0, 1.0)
        while len(members) < wanted * (1 if distribution == "linear" else 2):
            calibre = rng.uniform(0.13, 0.38)
            branch = branching and ("fine_linear_branching" not in kinds or rng.random() < 0.35)
            length = max(rng.uniform(0.7, 3.0), 3.6 * calibre) * (1.5 if branch else 1.0)
            if at + length > total:
                break
            solid, y, x = _cast(rng, scene, piece(path, at, at + length, 0.05), calibre, branch)
            at += length + rng.uniform(0.35, 1.4)
            index = plate.lay(solid, y, x, gap_mm=0.2) if scene.allows(y, x, 2.0) else None
            if index is not None:
                members.append(index)
                kinds.append(solid.label)
                used.add(number)
    needed = "fine_linear_branching" if branching else "fine_linear"
    # The first duct may have taken all members: that is a line, not a segment.
    drawn = distribution if len(used) > 1 else "linear"
    wrong = scene.settings.distribution == "segmental" != drawn
    if len(members) < 4 or needed not in kinds or wrong or not _spreads(plate, members, distribution):
        plate.undo(before)
        return False
    scene.groups.append(Group(needed, drawn, tuple(members)))
    if distribution == "linear" and len(paths) == 1:
        scene.chains.append(Chain("duct", paths[0], None, tuple(members)))
    return True


def _paths(rng: np.random.Generator, scene: Scene, distribution: str) -> Iterator[Points]:
    """One duct for a linear group, three to five that fan out from the nipple for a segmental one."""
    if distribution == "segmental":
        apex, direction, near, far, opening = _wedge(rng, scene)
        for fan in np.linspace(-opening, opening, int(rng.integers(3, 6))):
            heading = direction + fan + rng.normal(0, 0.03)
            start = apex + near * np.array([math.sin(heading), math.cos(heading)])
            path = winding_curve(rng, (start[0], start[1]), heading, far - near, 0.015, 10.0)
            yield piece(path, 0.0, float(arc_length(path)[-1]), 0.1)
        return
    found = _duct_piece(rng, scene, rng.uniform(10.0, 22.0), 3.0)
    if found is not None:
        yield found


def _wedge(rng: np.random.Generator, scene: Scene) -> tuple[Points, float, float, float, float]:
    """A lobe: its apex, direction, nearest and farthest distance in mm, and half its opening in radians."""
    breast = scene.plate.breast
    some = [breast.ducts[k] for k in rng.integers(len(breast.ducts), size=3)]
    duct = max(some, key=lambda points: float(arc_length(points)[-1]))
    middle = duct[len(duct) // 2]
    direction = math.atan2(middle[0] - breast.nipple[0], middle[1] - breast.nipple[1])
    total = float(arc_length(duct)[-1])
    far = rng.uniform(0.8, 1.0) * total
    near = max(8.0, far - rng.uniform(23.0, 38.0))
    return breast.nipple, direction, near, far, rng.uniform(0.10, 0.22)


# --- along arteries --------------------------------------------------------------------------------------------


def _artery(rng: np.random.Generator, scene: Scene) -> bool:
    """Tram tracks: plaques in the two walls of a winding artery, interrupted."""
    course = _vessel_course(rng, scene, 14.0, 0.07)
    if course is None:
        return False
    plate = scene.plate
    before = len(plate.deposits)
    separation = rng.uniform(0.8, 2.6)
    material = scene.material(rng, 0.35, 0.75)
    fullness = rng.uniform(0.3, 1.0)
    sideways = normals(course)
    both = smooth_noise(rng, len(course), 25.0)
    members: list[int] = []
    for side in (-0.5, 0.5):
        wall = course + side * separation * sideways
        calcified = 0.7 * both + 0.7 * smooth_noise(rng, len(course), 12.0) > 0.6 - 1.3 * fullness
        calibre = rng.uniform(0.22, 0.42)
        for first, last in _stretches(calcified, 7):
            last = min(last, first + int(rng.uniform(30, 110)))
            members += _plaque(rng, scene, wall[first:last], calibre * rng.uniform(0.8, 1.2), material)
    if len(members) < 4:
        plate.undo(before)
        return False
    _add_vessel(scene, course, separation, members)
    return True


def _artery_all_around(rng: np.random.Generator, scene: Scene) -> bool:
    """A winding artery with stretches of wall that are calcified all around: hollow tubes, granular, bright-edged."""
    course = _vessel_course(rng, scene, 20.0, 0.06)
    if course is None:
        return False
    plate = scene.plate
    before = len(plate.deposits)
    count = len(course)
    diameter = rng.uniform(0.5, 1.3) * np.linspace(1.0, rng.uniform(0.6, 1.0), count)
    wall = rng.uniform(0.08, 0.15)
    material = scene.material(rng, 0.35, 0.75)
    calcified = smooth_noise(rng, count, 20.0) > rng.uniform(-1.0, 0.3)
    members: list[int] = []
    for first, last in _stretches(calcified, 15):
        members += _hollow_plaque(rng, scene, course[first:last], 0.5 * diameter[first:last], wall, material)
    if len(members) < 2:
        plate.undo(before)
        return False
    _add_vessel(scene, course, float(np.median(diameter)) - wall, members)
    return True


def _vessel_course(
    rng: np.random.Generator, scene: Scene, shortest_mm: float, bend_per_mm: float
) -> Points | None:
    """A winding course within the breast, points 0.1 mm apart; None where there is no room."""
    start = scene.somewhere(rng, 6.0)
    if start is None:
        return None
    wanted = rng.uniform(shortest_mm, 60.0)
    course = winding_curve(rng, start[:2], rng.uniform(0, 2 * math.pi), wanted, bend_per_mm, 6.0)
    good = np.array([scene.allows(y, x, 4.0) for y, x in course])
    course = course[: len(course) if good.all() else int(np.argmin(good))]
    if len(course) < 2 or arc_length(course)[-1] < 11.0:
        return None
    return piece(course, 0.0, float(arc_length(course)[-1]), 0.1)


def _add_vessel(scene: Scene, course: Points, separation: float, members: list[int]) -> None:
    """The vessel itself, fading at its ends, and the chain of its calcium."""
    fading = np.minimum(1.0, 0.15 + np.minimum(np.arange(len(course)), np.arange(len(course))[::-1]) / 40)
    scene.vessels.append((course, (0.5 * separation + 0.25) * fading))
    scene.chains.append(Chain("artery", course, separation, tuple(members)))


def _hollow_plaque(
    rng: np.random.Generator,
    scene: Scene,
    points: Points,
    radii: NDArray[np.float64],
    wall: float,
    per_mm: float,
) -> list[int]:
    outer = radii * _uneven(rng, len(points), 0.08, 8.0)
    inner = np.maximum(outer - wall * _uneven(rng, len(points), 0.3, 4.0), 0.02)
    y0, x0, half = _around(points)
    grain, reach = _granules(rng, half + 1.0), half + 1.0

    def projection(y: Points, x: Points) -> Points:
        hollow = tube(y, x, points - (y0, x0), outer) - tube(y, x, points - (y0, x0), inner)
        at = np.clip(np.rint((np.stack([y, x]) + reach) / GRAIN_STEP_MM).astype(int), 0, len(grain) - 1)
        return np.asarray(np.maximum(hollow, 0.0) * grain[at[0], at[1]])

    solid = Solid(
        "vascular",
        projection,
        half + float(outer.max()),
        per_mm * rng.uniform(0.8, 1.2),
        length_mm=float(arc_length(points)[-1] + radii[0] + radii[-1]),
        width_mm=float(2 * np.median(radii)),
        orientation_deg=_orientation(points),
        peak_window_mm=float(2 * np.median(radii)),
    )
    index = scene.plate.lay(solid, y0, x0, gap_mm=0.15)
    return [] if index is None else [index]


GRAIN_STEP_MM = 0.05
"""Distance of the points on which granules of calcium are drawn."""


def _granules(rng: np.random.Generator, reach_mm: float) -> Points:
    """How much more or less calcium there is from place to place, 1 on average, on a square of twice the reach."""
    from scipy.ndimage import gaussian_filter

    count = 2 * math.ceil(reach_mm / GRAIN_STEP_MM) + 1
    noise = np.zeros((count, count))
    for size_mm, weight in ((0.1, 0.45), (0.4, 0.35)):
        smooth = gaussian_filter(rng.standard_normal((count, count)), size_mm / GRAIN_STEP_MM)
        noise += weight * smooth / smooth.std()
    return np.asarray(np.exp(noise - 0.5 * noise.var()))


def _stretches(on: NDArray[np.bool_], least: int) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        # Long plaques are broken here and there.
        while last - first >= least:
            end = min(last, first + 110)
            yield int(first), int(end)
            first = end + 6


def _plaque(
    rng: np.random.Generator, scene: Scene, points: Points, calibre: float, per_mm: float
) -> list[int]:
    radii = _cigar(len(points), calibre, 6.0) * _uneven(rng, len(points), 0.18, 4.0)
    y0, x0, half = _around(points)
    solid = Solid(
        "vascular",
        lambda y, x: tube(y, x, points - (y0, x0), radii),
        half + calibre,
        per_mm * rng.uniform(0.7, 1.3),
        length_mm=float(arc_length(points)[-1] + radii[0] + radii[-1]),
        width_mm=float(2 * np.median(radii)),
        orientation_deg=_orientation(points),
        peak_window_mm=2.0 * calibre,
    )
    index = scene.plate.lay(solid, y0, x0, gap_mm=0.15)
    return [] if index is None else [index]


# --- one at a time ---------------------------------------------------------------------------------------------


def _alone(rng: np.random.Generator, scene: Scene, solid: Solid, margin_mm: float) -> bool:
    place = scene.somewhere(rng, margin_mm)
    return place is not None and scene.plate.lay(solid, place[0], place[1], gap_mm=0.6) is not None


def _ball(rng: np.random.Generator, scene: Scene, label: str, least_mm: float, most_mm: float) -> Solid:
    diameter = rng.uniform(least_mm, most_mm)
    ratio, angle = rng.uniform(0.86, 1.0), rng.uniform(0, math.pi)
    along, across = 0.5 * diameter / math.sqrt(ratio), 0.5 * diameter * math.sqrt(ratio)
    return Solid(
        label,
        lambda y, x: ellipsoid(y, x, along, across, 0.5 * diameter, angle),
        along,
        scene.material(rng, 0.35, 0.95),
        length_mm=2 * along,
        width_mm=2 * across,
        diameter_mm=diameter,
        orientation_deg=folded(-math.degrees(angle)),
    )


def _round(rng: np.random.Generator, scene: Scene) -> bool:
    return _alone(rng, scene, _ball(rng, scene, "round", 0.5, 1.0), 3.0)


def _rim(rng: np.random.Generator, scene: Scene) -> bool:
    diameter = math.exp(rng.uniform(math.log(1.0), math.log(8.0)))
    wall = min(rng.uniform(0.12, 0.40) + 0.04 * diameter, 0.9, 0.24 * diameter)
    ratio, angle = rng.uniform(0.75, 1.0), rng.uniform(0, math.pi)
    along, across = 0.5 * diameter / math.sqrt(ratio), 0.5 * diameter * math.sqrt(ratio)
    unevenness = rng.uniform(0.0, 0.25)
    phase = rng.uniform(0, 2 * math.pi)

    def projection(y: Points, x: Points) -> Points:
        uneven = 1 + unevenness * np.sin(np.arctan2(y, x) + phase) * np.minimum(
            np.hypot(y, x) / (0.5 * across), 1
        )
        return shell(y, x, along, across, wall, angle) * uneven

    solid = Solid(
        "rim",
        projection,
        along,
        scene.material(rng, 0.25, 0.65) * (1.0 if diameter < 3 else 0.7),
        length_mm=2 * along,
        width_mm=2 * across,
        diameter_mm=diameter,
        wall_mm=wall,
        orientation_deg=folded(-math.degrees(angle)),
    )
    return _alone(rng, scene, solid, 3.0 + 0.5 * diameter)


def _popcorn(rng: np.random.Generator, scene: Scene) -> bool:
    """Many lobes grown together, as in an involuting fibroadenoma."""
    size = rng.uniform(2.2, 8.0)
    lobes = []
    for _ in range(int(rng.integers(7, 16))):
        radius = size * rng.uniform(0.13, 0.26)
        away, turn = (0.5 * size - radius) * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        lobes.append((away * math.sin(turn), away * math.cos(turn), radius, rng.uniform(0.7, 1.0)))

    def projection(y: Points, x: Points) -> Points:
        return merged(*(ellipsoid(y - v, x - u, r, r * f, 0.6 * r, 7 * f) for v, u, r, f in lobes))

    solid = Solid("coarse", projection, 0.5 * size, scene.material(rng, 0.55, 1.0), peak_window_mm=0.4 * size)
    return _alone(rng, scene, solid, 4.0 + 0.5 * size)


def _dystrophic(rng: np.random.Generator, scene: Scene) -> bool:
    """An irregular plaque of more than 1 mm, lucent in its middle."""
    size = rng.uniform(1.3, 6.0)
    orders = np.arange(2, 9)
    waves = rng.normal(0, 0.35, len(orders)) / orders
    phases = rng.uniform(0, 2 * math.pi, len(orders))
    lucent = rng.uniform(0.3, 0.9)
    ratio = rng.uniform(0.55, 1.0)
    blobs = rng.uniform(-0.35, 0.35, (5, 2)) * size

    def projection(y: Points, x: Points) -> Points:
        around = np.arctan2(y / ratio, x)
        border = (
            0.5
            * size
            * (1 + (waves[:, None] * np.sin(orders[:, None] * around.ravel() + phases[:, None])).sum(0))
        )
        border = np.maximum(border, 0.15 * size).reshape(y.shape)
        inward = np.hypot(y / ratio, x) / border
        body = np.sqrt(np.maximum(1 - inward**2, 0.0)) * (1 - lucent * np.exp(-((inward / 0.55) ** 4)))
        mottle = sum(np.exp(-((y - v) ** 2 + (x - u) ** 2) / (0.18 * size) ** 2) for v, u in blobs)
        return 0.45 * size**0.6 * body * (0.7 + 0.5 * mottle)

    solid = Solid(
        "dystrophic", projection, 0.85 * size, scene.material(rng, 0.45, 0.9), peak_window_mm=0.5 * size
    )
    return _alone(rng, scene, solid, 3.0 + 0.5 * size)


def _suture(rng: np.random.Generator, scene: Scene) -> bool:
    """A curved thread of constant calibre with knots."""
    calibre = rng.uniform(0.2, 0.5)
    length = rng.uniform(4.0, 14.0)
    curve = winding_curve(rng, (0.0, 0.0), rng.uniform(0, 2 * math.pi), length, 0.22, 6.0)
    points = piece(curve, 0.0, float(arc_length(curve)[-1]))
    points = points - 0.5 * (points.min(0) + points.max(0))
    radii = np.full(len(points), 0.5 * calibre)
    knots = [points[int(k)] for k in rng.uniform(0.05, 0.95, int(rng.integers(1, 4))) * (len(points) - 1)]
    sizes = rng.uniform(0.8, 1.25, (len(knots), 2)) * calibre

    def projection(y: Points, x: Points) -> Points:
        thread = tube(y, x, points, radii)
        return merged(
            thread,
            *(
                ellipsoid(y - k[0], x - k[1], a, b, 0.8 * calibre, 10 * a)
                for k, (a, b) in zip(knots, sizes, strict=True)
            ),
        )

    solid = Solid(
        "suture",
        projection,
        _around(points)[2] + 2 * calibre,
        scene.material(rng, 0.4, 0.9),
        length_mm=float(arc_length(points)[-1]) + calibre,
        width_mm=calibre,
        orientation_deg=_orientation(points),
        peak_window_mm=1.5 * calibre,
    )
    return _alone(rng, scene, solid, 4.0 + 0.25 * length)


# --- in groups -------------------------------------------------------------------------------------------------


def _places(rng: np.random.Generator, scene: Scene, distribution: str) -> Iterator[tuple[float, float]]:
    """Positions for the members of a group, without end."""
    if distribution == "diffuse":
        while True:
            place = scene.somewhere(rng, 3.0)
            if place is None:
                return
            yield place[0], place[1]
    if distribution == "linear":
        path = _duct_piece(rng, scene, rng.uniform(10.0, 22.0), 3.0)
        while path is not None:
            point = path[rng.integers(len(path))] + rng.normal(0, 0.25, 2)
            yield float(point[0]), float(point[1])
        return
    if distribution == "segmental":
        apex, direction, near, far, opening = _wedge(rng, scene)
        while True:
            away, turn = math.sqrt(rng.uniform(near**2, far**2)), direction + rng.uniform(-opening, opening)
            yield apex[0] + away * math.sin(turn), apex[1] + away * math.cos(turn)
    place = scene.somewhere(rng, 6.0)
    if place is None:
        return
    along, across = (
        (rng.uniform(12, 20), rng.uniform(9, 14))
        if distribution == "regional"
        else (
            rng.uniform(2.5, 7.5),
            rng.uniform(2.5, 6.0),
        )
    )
    turn = rng.uniform(0, math.pi)
    while True:
        away, around = math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        u, v = along * away * math.cos(around), across * away * math.sin(around)
        yield (
            place[0] + u * math.sin(turn) + v * math.cos(turn),
            place[1] + u * math.cos(turn) - v * math.sin(turn),
        )


NUMBERS = {
    "diffuse": (18, 45),
    "regional": (14, 32),
    "grouped": (6, 22),
    "linear": (6, 14),
    "segmental": (14, 32),
}
"""Least and most members of a group."""


def _spreads(plate: Plate, members: list[int], distribution: str) -> bool:
    """True where a group is as wide as its distribution says: 20 mm part a group from a region or a segment."""
    at = np.array([(plate.deposits[k].row, plate.deposits[k].col) for k in members]) * plate.pitch
    extent = float(np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1)).max())
    if distribution == "grouped":
        return extent <= 20.0
    return distribution == "linear" or extent > 20.0


def _group(
    rng: np.random.Generator, scene: Scene, label: str, usual: dict[str, float], member: Callable[[], Solid]
) -> bool:
    """A group of one morphology; `usual` are the odds of its distributions."""
    odds = np.array(list(usual.values()))
    drawn = str(rng.choice(list(usual), p=odds / odds.sum()))
    distribution = scene.settings.distribution or drawn
    least, most = NUMBERS[distribution]
    wanted = int(rng.integers(least, most + 1))
    before = len(scene.plate.deposits)
    members: list[int] = []
    for attempt, (y, x) in enumerate(_places(rng, scene, distribution)):
        if len(members) >= wanted or attempt > 12 * wanted:
            break
        if scene.allows(y, x, 2.5):
            index = scene.plate.lay(member(), y, x)
            if index is not None:
                members.append(index)
    if len(members) < least or not _spreads(scene.plate, members, distribution):
        scene.plate.undo(before)
        return False
    scene.groups.append(Group(label, distribution, tuple(members)))
    return True


def _punctate(rng: np.random.Generator, scene: Scene) -> bool:
    usual = {"grouped": 0.45, "diffuse": 0.2, "regional": 0.15, "linear": 0.1, "segmental": 0.1}
    return _group(rng, scene, "punctate", usual, lambda: _ball(rng, scene, "punctate", 0.18, 0.46))


def _pleomorphic_member(
    rng: np.random.Generator, scene: Scene, label: str, least: float, most: float
) -> Solid:
    size = math.exp(rng.uniform(math.log(least), math.log(most)))
    ratio = rng.uniform(0.45, 0.9)
    bodies = []
    for k in range(int(rng.integers(1, 4))):
        scale = 1.0 if k == 0 else rng.uniform(0.4, 0.75)
        angle = rng.uniform(0, math.pi)
        faces = random_faces(
            rng, int(rng.integers(5, 9)), 0.5 * size * scale, 0.5 * size * ratio * scale, angle
        )
        shift = (0.0, 0.0) if k == 0 else tuple(rng.uniform(-0.3, 0.3, 2) * size)
        bodies.append((faces, shift))
    return Solid(
        label,
        lambda y, x: merged(*(angular(y - v, x - u, *faces) for faces, (v, u) in bodies)),
        0.85 * size,
        scene.material(rng, 0.35, 1.0),
    )


def _fine_pleomorphic(rng: np.random.Generator, scene: Scene) -> bool:
    usual = {"grouped": 0.6, "segmental": 0.2, "linear": 0.1, "regional": 0.1}
    return _group(
        rng,
        scene,
        "fine_pleomorphic",
        usual,
        lambda: _pleomorphic_member(rng, scene, "fine_pleomorphic", 0.2, 0.55),
    )


def _coarse_heterogeneous(rng: np.random.Generator, scene: Scene) -> bool:
    usual = {"grouped": 0.6, "regional": 0.3, "segmental": 0.1}
    return _group(
        rng,
        scene,
        "coarse_heterogeneous",
        usual,
        lambda: _pleomorphic_member(rng, scene, "coarse_heterogeneous", 0.55, 1.15),
    )


def _amorphous(rng: np.random.Generator, scene: Scene) -> bool:
    def member() -> Solid:
        along = rng.uniform(0.11, 0.22)
        across, angle = along * rng.uniform(0.7, 1.0), rng.uniform(0, math.pi)
        return Solid(
            "amorphous",
            lambda y, x: 0.2 * haze(y, x, along, across, angle),
            3 * along,
            scene.material(rng, 0.2, 0.5),
            length_mm=2.355 * along,
            width_mm=2.355 * across,
            diameter_mm=2.355 * math.sqrt(along * across),
            orientation_deg=folded(-math.degrees(angle)),
        )

    return _group(rng, scene, "amorphous", {"grouped": 0.7, "regional": 0.2, "segmental": 0.1}, member)


def _milk_of_calcium(rng: np.random.Generator, scene: Scene) -> bool:
    """Sediment in microcysts: a smudge seen from above, a crescent or a level seen from the side."""

    def member() -> Solid:
        radius = rng.uniform(0.3, 0.9)
        if scene.settings.view == "CC":
            return Solid(
                "milk_of_calcium",
                lambda y, x: 0.5 * radius * np.exp(-(((y**2 + x**2) / (0.8 * radius) ** 2) ** 1.5)),
                1.6 * radius,
                scene.material(rng, 0.25, 0.6),
            )
        level = rng.uniform(0.1, 0.55) * radius
        hollow = rng.uniform(0.0, 0.5) * radius

        def settled(y: Points, x: Points) -> Points:
            meniscus = level - hollow * (x / radius) ** 2
            sharp = 0.5 + 0.5 * np.tanh((y - meniscus) / 0.03)
            return ellipsoid(y, x, radius, radius, radius, 0.0) * sharp

        return Solid("milk_of_calcium", settled, radius, scene.material(rng, 0.3, 0.7))

    return _group(rng, scene, "milk_of_calcium", {"grouped": 0.8, "regional": 0.2}, member)


def _skin(rng: np.random.Generator, scene: Scene) -> bool:
    """Small lucent-centred rings in tight groups in the skin: near the skin line, where they are seen in profile."""
    plate = scene.plate
    breast = plate.breast
    line = breast.skin_line
    before = len(plate.deposits)
    anchor = line[rng.integers(len(line) // 8, len(line) - len(line) // 8)]
    members: list[int] = []
    wanted = int(rng.integers(3, 9))
    for _ in range(60):
        y, x = anchor + rng.normal(0, 2.0, 2)
        depth = breast.at(breast.skin_distance_mm, float(y), float(x))
        if len(members) >= wanted or not 0.9 < depth < 4.0:
            continue
        diameter = rng.uniform(0.6, 1.4)
        wall = diameter * rng.uniform(0.16, 0.24)
        radius = 0.5 * diameter
        solid = Solid(
            "skin",
            lambda y, x, radius=radius, wall=wall: shell(y, x, radius, radius, wall, 0.0),  # type: ignore[misc]
            radius,
            scene.material(rng, 0.4, 0.8),
            length_mm=diameter,
            width_mm=diameter,
            diameter_mm=diameter,
            wall_mm=wall,
        )
        index = plate.lay(solid, float(y), float(x), gap_mm=0.2)
        if index is not None:
            members.append(index)
    if len(members) < 3:
        plate.undo(before)
        return False
    scene.groups.append(Group("skin", "grouped", tuple(members)))
    return True


RECIPES: dict[str, Callable[[np.random.Generator, Scene], bool]] = {
    "vascular": _artery,
    "vascular_all_around": _artery_all_around,
    "coarse": _popcorn,
    "large_rod_like": _rod,
    "suture": _suture,
    "rim": _rim,
    "dystrophic": _dystrophic,
    "fine_linear_branching": lambda rng, scene: _casts(rng, scene, branching=True),
    "fine_linear": lambda rng, scene: _casts(rng, scene, branching=False),
    "skin": _skin,
    "coarse_heterogeneous": _coarse_heterogeneous,
    "fine_pleomorphic": _fine_pleomorphic,
    "milk_of_calcium": _milk_of_calcium,
    "amorphous": _amorphous,
    "round": _round,
    "punctate": _punctate,
}
"""What the settings count with the function that draws one of it (or one group) and says whether it found room."""
