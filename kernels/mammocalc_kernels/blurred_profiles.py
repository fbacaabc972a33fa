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


@kernel
def _scaled_bessel_i0(x: float) -> float:
    """exp(-x) I0(x) for x >= 0 (Abramowitz and Stegun 9.8.1 and 9.8.2, error below 2e-7)."""
    if x < 3.75:
        t = (x / 3.75) ** 2
        series = 1.0 + t * (
            3.5156229 + t * (3.0899424 + t * (1.2067492 + t * (0.2659732 + t * (0.0360768 + t * 0.0045813))))
        )
        return math.exp(-x) * series
    t = 3.75 / x
    tail = 0.02635537 + t * (-0.01647633 + t * 0.00392377)
    series = 0.39894228 + t * (
        0.01328592 + t * (0.00225319 + t * (-0.00157565 + t * (0.00916281 + t * (-0.02057706 + t * tail))))
    )
    return series / math.sqrt(x)


@kernel
def _blurred(body: int, position: float, blur: float) -> float:
    """One table entry: the body of half width 1 and centre height 1, blurred, at `position`, by quadrature."""
    low = max(position - _EDGE_RANGE * blur, 0.0 if body >= DISC else -1.0)
    high = min(position + _EDGE_RANGE * blur, 1.0)
    if low >= high:
        return 0.0
    if body == BAR:
        root = blur * math.sqrt(2.0)
        return 0.5 * (math.erf((position + 1.0) / root) - math.erf((position - 1.0) / root))
    # Integrate over the angle of t = sin(angle): the chord's infinite slope at the edge vanishes.
    first, last = math.asin(low), math.asin(high)
    step = (last - first) / _QUADRATURE
    total = 0.0
    for k in range(_QUADRATURE):
        angle = first + (k + 0.5) * step
        t, chord = math.sin(angle), math.cos(angle)
        weight = math.exp(-0.5 * ((position - t) / blur) ** 2) * chord
        if body != DISC:
            weight *= chord
        if body == CYLINDER:
            weight /= blur * math.sqrt(2.0 * math.pi)
        else:
            weight *= t / blur**2 * _scaled_bessel_i0(position * t / blur**2)
        total += weight
    return total * step


@kernel
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
    for i in range(_BLUR_STEPS):
        share = _BLUR_SHARE * max(i, 0.25) / (_BLUR_STEPS - 1)
        blur = share / (1.0 - share)
        for j in range(_EDGE_STEPS):
            edge = -_EDGE_RANGE + 2.0 * _EDGE_RANGE * j / (_EDGE_STEPS - 1)
            position = abs(1.0 + edge * blur)
            for body in range(4):
                table[body, i, j] = _blurred(body, position, blur)
    return table


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
