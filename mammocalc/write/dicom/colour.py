"""Colours of labels in CIELab of the profile connection space, 16 bits a component (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

import numpy as np

from mammocalc.write.palette import Colour

# Linear sRGB to XYZ under D50 (ICC profile of sRGB), and that white.
_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_WHITE = np.array([0.9642, 1.0, 0.8249])
_CUBE_FROM = (6 / 29) ** 3


def cielab(colour: Colour) -> list[int]:
    """L, a and b of an sRGB colour: L* 0 to 100 and a*, b* -128 to 127 as 0 to 65535 each."""
    display = np.asarray(colour, np.float64) / 255
    linear = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    relative = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(
        relative > _CUBE_FROM, np.cbrt(relative), (relative * (29 / 6) ** 2 / 3) + 4 / 29
    ).tolist()
    lightness, a, b = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    return [
        round(min(max(share, 0.0), 1.0) * 65535)
        for share in (lightness / 100, (a + 128) / 255, (b + 128) / 255)
    ]
