"""Profiles of simple bodies as a blurred detector sees them, tabulated once and looked up by the fits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel

# The bodies. A bar and a cylinder are profiled across their axis, a disc and a sphere along a radius; bar and disc are
# flat (equal thickness everywhere), cylinder and sphere are domes (thickness is the chord of a circle).
BAR, CYLINDER, DISC, SPHERE = 0, 1, 2, 3
# The same as elements of an array: a literal would have every fit compiled again for each body.
BODIES = np.arange(4)

# Table axes: relative blur s = sigma / half width, equally spaced in s / (1 + s); distance from the edge in sigmas.
_BLUR_STEPS = 48
_BLUR_SHARE = 0.75
_EDGE_STEPS = 97
_EDGE_RANGE = 6.0
SHARPEST = 0.02
BROADEST = _BLUR_SHARE / (1.0 - _BLUR_SHARE)
_QUADRATURE = 48
_BESSEL_NEAR = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813)
_BESSEL_FAR = (
    0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377,
)  # fmt: skip


def _scaled_bessel_i0(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(-x) I0(x) for x >= 0 (Abramowitz and Stegun 9.8.1 and 9.8.2, error below 2e-7)."""
    near = np.minimum(x, 3.75)
    series = np.polynomial.polynomial.polyval((near / 3.75) ** 2, _BESSEL_NEAR)
    far = np.maximum(x, 3.75)
    tail = np.polynomial.polynomial.polyval(3.75 / far, _BESSEL_FAR)
    return np.where(x < 3.75, np.exp(-near) * series, tail / np.sqrt(far))


def _blurred_bar(position: NDArray[np.float64], blur: float) -> NDArray[np.float64]:
    root = blur * math.sqrt(2.0)
    return np.array([0.5 * (math.erf((x + 1.0) / root) - math.erf((x - 1.0) / root)) for x in position])


def _blurred(
    along_radius: bool, position: NDArray[np.float64], blur: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of the table by quadrature: the flat and the dome body of half width 1 and centre height 1, blurred."""
    low = np.maximum(position - _EDGE_RANGE * blur, 0.0 if along_radius else -1.0)
    high = np.minimum(position + _EDGE_RANGE * blur, 1.0)
    # Integrate over the angle of t = sin(angle): the chord's infinite slope at the edge vanishes.
    first, last = np.arcsin(np.minimum(low, high)), np.arcsin(high)
    step = (last - first) / _QUADRATURE
    angle = first[:, None] + (np.arange(_QUADRATURE) + 0.5) * step[:, None]
    t, chord = np.sin(angle), np.cos(angle)
    weight = np.exp(-0.5 * ((position[:, None] - t) / blur) ** 2) * chord
    if along_radius:
        weight *= t / blur**2 * _scaled_bessel_i0(position[:, None] * t / blur**2)
    else:
        weight /= blur * math.sqrt(2.0 * math.pi)
    return weight.sum(axis=1) * step, (weight * chord).sum(axis=1) * step


def tabulate_profiles() -> NDArray[np.float64]:
    """Blurred profiles of bar, cylinder, disc and sphere for `profile_value`.

    Returns
    -------
    ndarray of float64, shape (4, 48, 97)
        Height relative to the centre of the sharp body, by body, by relative blur ``s = sigma / half_width`` (equal
        steps of ``s / (1 + s)`` from 0 to 0.75), by distance from the sharp edge (-6 to 6 sigma).

    Notes
    -----
    Bar: difference of two error functions. Cylinder: convolution of ``sqrt(1 - t**2)``. Disc and sphere: the Hankel
    form of the convolution of a radial function with a Gaussian, ``f(t) t / s**2 exp(-(r**2 + t**2) / 2 s**2) I0(r t /
    s**2)`` (Bracewell, The Fourier Transform and Its Applications, ch. 12).
    """
    table = np.zeros((4, _BLUR_STEPS, _EDGE_STEPS))
    edge = np.linspace(-_EDGE_RANGE, _EDGE_RANGE, _EDGE_STEPS)
    for i in range(_BLUR_STEPS):
        share = _BLUR_SHARE * max(i, 0.25) / (_BLUR_STEPS - 1)
        blur = share / (1.0 - share)
        position = np.abs(1.0 + edge * blur)
        table[BAR, i] = _blurred_bar(position, blur)
        _, table[CYLINDER, i] = _blurred(False, position, blur)
        table[DISC, i], table[SPHERE, i] = _blurred(True, position, blur)
    return table


@kernel
def blur_place(half_width: float, sigma: float) -> tuple[float, int, float]:
    """Relative blur of a body, held within bounds, and where the table has it: step and share of the next."""
    blur = min(max(sigma / half_width, SHARPEST), BROADEST)
    a = blur / (1.0 + blur) * ((_BLUR_STEPS - 1) / _BLUR_SHARE)
    i = min(int(a), _BLUR_STEPS - 2)
    return blur, i, a - i


@kernel
def pair_values(
    table: Any, flat_body: int, distance: float, half_width: float, blur: float, i: int, a: float
) -> tuple[float, float]:
    """`profile_value` of a flat body and of the dome that follows it in the table.

    Parameters
    ----------
    table, distance, half_width
        As for `profile_value`.
    flat_body : int
        `BAR` or `DISC`.
    blur, i, a
        From `blur_place`.
    """
    position = abs(distance) / half_width
    edge = (position - 1.0) / blur
    if edge >= _EDGE_RANGE:
        return 0.0, 0.0
    if edge <= -_EDGE_RANGE:
        square = 1.0 - position * position
        curvature = 1.0 if flat_body == BAR else 2.0 - position * position
        return 1.0, math.sqrt(square) - 0.5 * blur * blur * curvature / (square * math.sqrt(square))
    b = (edge + _EDGE_RANGE) * ((_EDGE_STEPS - 1) / (2.0 * _EDGE_RANGE))
    j = min(int(b), _EDGE_STEPS - 2)
    b -= j
    flat, dome = table[flat_body], table[flat_body + 1]
    flat_near = flat[i, j] + b * (flat[i, j + 1] - flat[i, j])
    flat_far = flat[i + 1, j] + b * (flat[i + 1, j + 1] - flat[i + 1, j])
    dome_near = dome[i, j] + b * (dome[i, j + 1] - dome[i, j])
    dome_far = dome[i + 1, j] + b * (dome[i + 1, j + 1] - dome[i + 1, j])
    return flat_near + a * (flat_far - flat_near), dome_near + a * (dome_far - dome_near)


@kernel
def profile_value(table: Any, body: int, distance: float, half_width: float, sigma: float) -> float:
    """Height of a blurred body at `distance` from its centre or axis, relative to the centre of the sharp body.

    Parameters
    ----------
    table : ndarray of float64
        From `tabulate_profiles`.
    body : int
        `BAR`, `CYLINDER`, `DISC` or `SPHERE`.
    distance, half_width, sigma : float
        In one unit, whichever; the ratio sigma / half_width is held between 0.02 and 3.
    """
    blur = min(max(sigma / half_width, SHARPEST), BROADEST)
    position = abs(distance) / half_width
    edge = (position - 1.0) / blur
    if edge >= _EDGE_RANGE:
        return 0.0
    if edge <= -_EDGE_RANGE:
        if body in (BAR, DISC):
            return 1.0
        # Far inside the edge the blur only lowers the dome by half its curvature times sigma squared.
        square = 1.0 - position * position
        curvature = 1.0 if body == CYLINDER else 2.0 - position * position
        return math.sqrt(square) - 0.5 * blur * blur * curvature / (square * math.sqrt(square))
    a = blur / (1.0 + blur) * ((_BLUR_STEPS - 1) / _BLUR_SHARE)
    b = (edge + _EDGE_RANGE) * ((_EDGE_STEPS - 1) / (2.0 * _EDGE_RANGE))
    i = min(int(a), _BLUR_STEPS - 2)
    j = min(int(b), _EDGE_STEPS - 2)
    a -= i
    b -= j
    near = table[body, i, j] + b * (table[body, i, j + 1] - table[body, i, j])
    far = table[body, i + 1, j] + b * (table[body, i + 1, j + 1] - table[body, i + 1, j])
    return near + a * (far - near)
