"""Attenuation of a breast without calcium: fat, gland, septa, fibres, ligaments, vessels, skin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from mammocalc_kernels.tubes import stamp_tube
from numpy.typing import NDArray

from mammocalc.phantom.anatomy import SKIN_MM, Breast
from mammocalc.phantom.curves import smooth_noise, stream, winding_curve
from mammocalc.phantom.settings import PhantomSettings

Plane = NDArray[np.float64]

FAT_PER_MM = 0.046
"""Linear attenuation of adipose tissue at about 20 keV (Johns and Yaffe 1987, 10.1088/0031-9155/32/6/002)."""

GLAND_PER_MM = 0.080
"""Linear attenuation of fibroglandular tissue, blood, muscle and skin at the same energy."""

EXCESS_PER_MM = GLAND_PER_MM - FAT_PER_MM

COARSE_STEP_MM = 0.2
"""Grid on which the larger structures are computed."""


def power_law_field(
    rng: np.random.Generator, shape: tuple[int, int], step: float, beta: float, longest: float
) -> Plane:
    """A Gaussian random field of zero mean and unit variance whose power falls as frequency to the -`beta`.

    `longest` is the wavelength above which the power stays flat, in the unit of `step`. Periodic.
    Burgess 1999, 10.1364/JOSAA.16.000633.
    """
    from scipy import fft

    rows, columns = (fft.next_fast_len(n, real=True) for n in shape)
    squared = fft.fftfreq(rows, step)[:, None] ** 2 + fft.rfftfreq(columns, step)[None, :] ** 2
    spectrum = fft.rfft2(rng.standard_normal((rows, columns)))
    spectrum *= (squared + longest**-2.0) ** (-beta / 4)
    spectrum[0, 0] = 0.0
    field = fft.irfft2(spectrum, s=(rows, columns))[: shape[0], : shape[1]]
    return np.ascontiguousarray(field / field.std())


def make_tissue(
    seed: int, settings: PhantomSettings, breast: Breast
) -> tuple[Plane, list[tuple[str, float, float, float]]]:
    """Attenuation (natural logarithm) of the breast, and the distractors drawn: kind, y, x and length in mm."""
    attenuation = FAT_PER_MM * breast.thickness_mm
    attenuation += EXCESS_PER_MM * (_gland_mm(seed, settings, breast) + _skin_mm(breast))
    _add_fine_texture(stream(seed, "fine texture"), attenuation, settings, breast)
    drawn: list[tuple[str, float, float, float]] = []
    _add_ducts(stream(seed, "ducts"), attenuation, breast)
    _add_ligaments(stream(seed, "ligaments"), attenuation, settings, breast, drawn)
    _add_fibres(stream(seed, "fibres"), attenuation, settings, breast, drawn)
    _add_vessels(stream(seed, "vessels"), attenuation, settings, breast, drawn)
    _add_folds(stream(seed, "folds"), attenuation, settings, breast, drawn)
    _add_clips(stream(seed, "clips"), attenuation, settings, breast, drawn)
    return attenuation, drawn


def _skin_mm(breast: Breast) -> Plane:
    # Chord through a shell: the full path less the path through the same shape one skin thickness further in.
    # Above and below, the two layers of skin are crossed squarely everywhere.
    inner = np.minimum(np.maximum(breast.skin_distance_mm - SKIN_MM, 0.0) / 6.0, 1.0)
    return np.minimum(breast.thickness_mm, 2 * SKIN_MM + 4.0 * (1.0 - np.sqrt(inner)))


def _gland_mm(seed: int, settings: PhantomSettings, breast: Breast) -> Plane:
    """Thickness of gland, muscle and strands of connective tissue along the beam, mm."""
    import cv2

    rng = stream(seed, "gland")
    rows, columns = breast.thickness_mm.shape
    ratio = breast.pitch_mm / COARSE_STEP_MM
    shape = (max(64, round(rows * ratio)), max(64, round(columns * ratio)))
    depth, thickness, muscle = (
        cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA)
        for plane in (breast.skin_distance_mm, breast.thickness_mm, breast.muscle)
    )
    y = (np.arange(shape[0])[:, None] + 0.5) * rows * breast.pitch_mm / shape[0]
    x = (np.arange(shape[1])[None, :] + 0.5) * columns * breast.pitch_mm / shape[1]
    reach = float(breast.skin_line[:, 1].max())
    away = np.hypot(y - breast.nipple[0], x - breast.nipple[1] - 8.0)
    density = settings.density

    def field(beta: float, longest: float) -> Plane:
        return power_law_field(rng, shape, COARSE_STEP_MM, beta, longest)

    # Tissue is drawn out towards the nipple, more or less.
    towards = np.arctan2(y - breast.nipple[0], x - breast.nipple[1] - 8.0) + 0.45 * field(4.5, 40.0)

    # The gland lies as a cone behind the nipple, under a layer of fat; both borders undulate.
    border = 3.0 + 0.15 * reach * (1 - 0.7 * density) * (1 + 0.5 * field(5.0, 45.0))
    cone = away / reach + 0.16 * field(5.0, 45.0)
    envelope = _step((depth - border) / (1.5 + 0.03 * reach)) * _step((0.75 + 0.4 * density - cone) / 0.2)
    envelope = (0.05 + 0.10 * density) + 0.9 * envelope
    # Lobules of fat leave smooth dark holes; several layers of them lie over each other.
    lobules = np.mean(
        [_step((field(4.3, 25.0) - 0.8 + 1.7 * density) / rng.uniform(0.4, 0.9)) for _ in range(5)], axis=0
    )
    grain = 0.8 * _streaks(rng, shape, towards, 3.3, 18.0, 2.5) + 0.5 * field(3.0, 10.0)
    gland = (
        thickness * envelope * (0.15 + 0.85 * lobules) * (0.16 + 0.55 * density) * np.exp(0.35 * grain - 0.05)
    )

    # Sheets and strands of connective tissue, in the fat too.
    under_skin = _step((depth - 2.0) / 1.5)
    share = (0.30 + 0.70 * envelope) * under_skin
    for width, stretch, weight in ((0.3, 6.0, 1.8), (0.4, 4.0, 2.2), (0.6, 3.0, 2.2), (0.35, 2.0, 1.4)):
        strands = _strands(rng, shape, towards, width, stretch)
        gland += weight * share * np.maximum(field(3.0, 15.0) - 0.2, 0.0) * strands
    fibres_of_muscle = _streaks(rng, shape, np.full(shape, 1.9), 3.0, 15.0, 6.0)
    gland = gland * (1 - muscle) + thickness * muscle * (0.42 + 0.18 * density) * (
        1 + 0.10 * fibres_of_muscle
    )
    fine = cv2.resize(gland, (columns, rows), interpolation=cv2.INTER_CUBIC)
    # There can be no more gland than breast.
    room = np.maximum(breast.thickness_mm, 1e-6)
    return room * np.tanh(np.maximum(fine, 0.0) / room)


DIRECTIONS = 8
"""Of the oriented random fields that streaks are mixed from."""


def _oriented(
    rng: np.random.Generator, shape: tuple[int, int], beta: float, longest: float, stretch: float
) -> Iterator[tuple[float, Plane]]:
    """Random fields drawn out by `stretch` along one direction each: the direction in radians and the field."""
    from scipy import fft

    rows, columns = (fft.next_fast_len(n, real=True) for n in shape)
    down = fft.fftfreq(rows, COARSE_STEP_MM)[:, None]
    right = fft.rfftfreq(columns, COARSE_STEP_MM)[None, :]
    for k in range(DIRECTIONS):
        direction = np.pi * k / DIRECTIONS
        along = down * np.sin(direction) + right * np.cos(direction)
        across = down * np.cos(direction) - right * np.sin(direction)
        spectrum = fft.rfft2(rng.standard_normal((rows, columns)))
        spectrum *= ((along * stretch) ** 2 + across**2 + longest**-2.0) ** (-beta / 4)
        spectrum[0, 0] = 0.0
        field = fft.irfft2(spectrum, s=(rows, columns))[: shape[0], : shape[1]]
        yield direction, field / field.std()


def _alignment(towards: Plane, direction: float) -> Plane:
    """1 along a direction, falling to 0 across it: the eighth power of the cosine."""
    squared = np.square(np.cos(towards - direction))
    return np.square(np.square(squared))


def _streaks(
    rng: np.random.Generator,
    shape: tuple[int, int],
    towards: Plane,
    beta: float,
    longest: float,
    stretch: float,
) -> Plane:
    """A random field of about unit variance drawn out along the direction `towards` (radians) of each place."""
    total, squares = np.zeros(shape), np.zeros(shape)
    for direction, field in _oriented(rng, shape, beta, longest, stretch):
        weight = _alignment(towards, direction)
        total += weight * field
        squares += weight**2
    return total / np.sqrt(squares)


def _strands(
    rng: np.random.Generator, shape: tuple[int, int], towards: Plane, width_mm: float, stretch: float
) -> Plane:
    """Curved lines of one width, 0 to about 1, along `towards` and sometimes across it.

    The lines are where smooth drawn-out fields cross zero; the distance to such a line is value over slope.
    """
    total = np.zeros(shape)
    for direction, field in _oriented(rng, shape, 4.6, 10.0, stretch):
        slope_y, slope_x = np.gradient(field, COARSE_STEP_MM)
        distance = np.abs(field) / np.maximum(np.hypot(slope_y, slope_x), 1e-3)
        total += (0.08 + _alignment(towards, direction)) * np.exp(-((distance / width_mm) ** 2))
    return total


def _step(value: Plane) -> Plane:
    return 0.5 + 0.5 * np.tanh(value)


def _add_fine_texture(
    rng: np.random.Generator, attenuation: Plane, settings: PhantomSettings, breast: Breast
) -> None:
    import cv2

    shape = (attenuation.shape[0], attenuation.shape[1])
    field = power_law_field(rng, shape, breast.pitch_mm, 2.9, 2.5)
    # More texture where there is more tissue along the beam.
    small = cv2.resize(attenuation, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1.5 / breast.pitch_mm / 10)
    smooth = cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR)
    gland = np.clip(smooth - FAT_PER_MM * breast.thickness_mm, 0.0, None)
    attenuation += field * (0.006 + 0.012 * gland) * np.minimum(breast.skin_distance_mm / 2.0, 1.0)


def tube_adder(plane: Plane, pitch: float) -> Callable[..., None]:
    """A function that adds one soft or solid tube (points and radii in mm, attenuation per mm) to a plane."""

    def add(
        points: NDArray[np.float64], radii_mm: NDArray[np.float64], per_mm: float, exponent: float = 1.5
    ) -> None:
        points, radii = points / pitch, radii_mm / pitch
        margin = float(radii.max()) + 1
        top, left = np.maximum(np.floor(points.min(0) - margin).astype(int), 0)
        bottom, right = np.minimum(np.ceil(points.max(0) + margin).astype(int) + 1, plane.shape)
        if bottom <= top or right <= left:
            return
        scratch = np.zeros((bottom - top, right - left))
        stamp_tube(scratch, points - (top, left), radii, exponent)
        plane[top:bottom, left:right] += scratch * (pitch * per_mm)

    return add


def _start(rng: np.random.Generator, breast: Breast, margin_mm: float) -> tuple[float, float] | None:
    rows, columns = breast.thickness_mm.shape
    for _ in range(60):
        y, x = rng.uniform(0, rows * breast.pitch_mm), rng.uniform(0, columns * breast.pitch_mm)
        if breast.at(breast.skin_distance_mm, y, x) > margin_mm:
            return y, x
    return None


def _inside(points: NDArray[np.float64], breast: Breast, margin_mm: float) -> NDArray[np.float64]:
    """The first stretch of a curve that stays in the breast."""
    rows, columns = breast.skin_distance_mm.shape
    index = np.round(points / breast.pitch_mm).astype(int)
    within = ((index >= 0) & (index < (rows, columns))).all(1)
    index = np.clip(index, 0, (rows - 1, columns - 1))
    within &= breast.skin_distance_mm[index[:, 0], index[:, 1]] > margin_mm
    return points[: len(points) if within.all() else int(np.argmin(within))]


def breast_area_cm2(breast: Breast) -> float:
    """Area of the projected breast."""
    return float((breast.skin_distance_mm > 0).sum()) * breast.pitch_mm**2 / 100


def _strand(
    rng: np.random.Generator, points: NDArray[np.float64], radius_mm: float, unevenness: float
) -> NDArray[np.float64]:
    ends = np.minimum(1.0, np.minimum(np.arange(len(points)) + 1, np.arange(len(points))[::-1] + 1) / 8)
    return radius_mm * ends * np.exp(unevenness * smooth_noise(rng, len(points), 6.0))


def _add_ducts(rng: np.random.Generator, attenuation: Plane, breast: Breast) -> None:
    add = tube_adder(attenuation, breast.pitch_mm)
    for duct in breast.ducts:
        inside = _inside(duct, breast, 0.5)
        if len(inside) > 3:
            calibre = np.linspace(0.8, 0.35, len(inside)) * np.exp(0.15 * smooth_noise(rng, len(inside), 8.0))
            add(inside, calibre * rng.uniform(0.5, 1.0), EXCESS_PER_MM * rng.uniform(0.3, 1.0))


def _add_ligaments(
    rng: np.random.Generator,
    attenuation: Plane,
    settings: PhantomSettings,
    breast: Breast,
    drawn: list[tuple[str, float, float, float]],
) -> None:
    add = tube_adder(attenuation, breast.pitch_mm)
    for _ in range(rng.poisson(settings.ligaments_per_cm2 * breast_area_cm2(breast))):
        start = _start(rng, breast, 3.0)
        if start is None:
            continue
        curve = winding_curve(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(8, 35), 0.07, 15.0)
        curve = _inside(curve, breast, 1.5)
        if len(curve) < 8:
            continue
        # A sheet that is seen edge on for part of its way.
        add(curve, _strand(rng, curve, rng.uniform(0.25, 0.7), 0.25), EXCESS_PER_MM * rng.uniform(1.0, 3.0))
        drawn.append(("ligament", *_middle(curve), len(curve) * 0.4))


def _add_fibres(
    rng: np.random.Generator,
    attenuation: Plane,
    settings: PhantomSettings,
    breast: Breast,
    drawn: list[tuple[str, float, float, float]],
) -> None:
    add = tube_adder(attenuation, breast.pitch_mm)
    for _ in range(rng.poisson(settings.fibres_per_cm2 * breast_area_cm2(breast))):
        start = _start(rng, breast, 1.0)
        if start is None:
            continue
        inwards = np.arctan2(start[0] - breast.nipple[0], start[1] - breast.nipple[1])
        heading = inwards + rng.normal(0, 0.6) if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi)
        curve = _inside(winding_curve(rng, start, heading, rng.uniform(4, 40), 0.025, 10.0), breast, 0.8)
        if len(curve) < 6:
            continue
        add(curve, _strand(rng, curve, rng.uniform(0.08, 0.3), 0.2), EXCESS_PER_MM * rng.uniform(0.8, 2.5))
        drawn.append(("fibre", *_middle(curve), len(curve) * 0.4))


def _add_vessels(
    rng: np.random.Generator,
    attenuation: Plane,
    settings: PhantomSettings,
    breast: Breast,
    drawn: list[tuple[str, float, float, float]],
) -> None:
    add = tube_adder(attenuation, breast.pitch_mm)
    for _ in range(settings.vessels):
        for _attempt in range(20):
            start = _start(rng, breast, 4.0)
            if start is None:
                break
            curve = winding_curve(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(25, 90), 0.04, 7.0)
            curve = _inside(curve, breast, 2.0)
            if len(curve) * 0.4 > 15:
                radii = _strand(rng, curve, rng.uniform(0.4, 1.2), 0.08) * np.linspace(1.0, 0.7, len(curve))
                add(curve, radii, EXCESS_PER_MM, 0.5)
                drawn.append(("vessel", *_middle(curve), len(curve) * 0.4))
                break


def _add_folds(
    rng: np.random.Generator,
    attenuation: Plane,
    settings: PhantomSettings,
    breast: Breast,
    drawn: list[tuple[str, float, float, float]],
) -> None:
    add = tube_adder(attenuation, breast.pitch_mm)
    for _ in range(settings.skin_folds):
        height = breast.skin_distance_mm.shape[0] * breast.pitch_mm
        near_top = settings.view == "MLO" or rng.random() < 0.5
        y = height * (rng.uniform(0.05, 0.22) if near_top else rng.uniform(0.78, 0.92))
        curve = winding_curve(rng, (y, 0.5), rng.uniform(-0.6, 0.6), rng.uniform(12, 40), 0.035, 20.0)
        curve = _inside(curve, breast, 1.0)
        if len(curve) > 8:
            width = rng.uniform(0.6, 1.6)
            add(curve, np.full(len(curve), width), EXCESS_PER_MM * rng.uniform(1.0, 2.5), 1.0)
            add(
                curve + np.array([0.7 * width, 0.0]),
                np.full(len(curve), 0.3 * width),
                EXCESS_PER_MM * 2.0,
                0.5,
            )
            drawn.append(("skin fold", *_middle(curve), len(curve) * 0.4))


METAL_PER_MM = 6.0
"""Titanium at about 20 keV."""


def _add_clips(
    rng: np.random.Generator,
    attenuation: Plane,
    settings: PhantomSettings,
    breast: Breast,
    drawn: list[tuple[str, float, float, float]],
) -> None:
    """Surgical clips: two straight legs of one thickness that meet at a bend."""
    add = tube_adder(attenuation, breast.pitch_mm)
    for _ in range(settings.clips):
        start = _start(rng, breast, 8.0)
        if start is None:
            continue
        heading, opening = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.35)
        leg = rng.uniform(2.0, 4.0)
        ends = [
            np.array(start) + leg * np.array([np.sin(heading + turn), np.cos(heading + turn)])
            for turn in (-opening, opening)
        ]
        bent = np.stack([ends[0], np.array(start), ends[1]])
        add(bent, np.full(3, rng.uniform(0.2, 0.3)), METAL_PER_MM, 0.5)
        drawn.append(("clip", *_middle(bent), leg))


def _middle(curve: NDArray[np.float64]) -> tuple[float, float]:
    y, x = curve[len(curve) // 2]
    return float(y), float(x)
