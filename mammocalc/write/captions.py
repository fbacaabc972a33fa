"""Where captions stand on a picture: by what they name, on no other caption, and on a mark only if they must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Extent(NamedTuple):
    """The size of a text in pixels of the picture: its width, and how far it reaches above and below its base line."""

    width: int
    above: int
    below: int


class Room:
    """What of a picture is taken.

    Parameters
    ----------
    width, height : int
        Of the picture, pixels.
    marks : ndarray of float, shape (k, 4)
        Left, top, right and bottom of what should stay visible.
    """

    _EDGE = 4

    def __init__(self, width: int, height: int, marks: NDArray[np.float64]) -> None:
        self._width, self._height = width, height
        self._marks = marks.reshape(-1, 4)
        self._captions: list[tuple[float, float, float, float]] = []

    def take(
        self, places: Iterable[tuple[float, float]], extent: Extent, *, is_needed: bool
    ) -> tuple[int, int] | None:
        """The best place for a caption, which is taken from then on.

        Parameters
        ----------
        places : iterable of (x, y)
            Where its base line may begin, the first choice first; each is moved so that all of it is on the picture.
        extent : Extent
        is_needed : bool
            If not, it is left out where there is no place at which it covers nothing.

        Returns
        -------
        (x, y) or None
            Where its base line begins.
        """
        best, least = None, (np.inf, np.inf) if is_needed else (0, 1)
        for place in places:
            x, y = self._inside(place, extent)
            box = (x - 2, y - extent.above - 2, x + extent.width + 2, y + extent.below + 2)
            cost = (_overlaps(box, self._captions), _overlaps(box, self._marks))
            if cost < least:
                best, least = (x, y, box), cost
            if cost == (0, 0):
                break
        if best is None:
            return None
        x, y, box = best
        self._captions.append(box)
        return x, y

    def _inside(self, place: tuple[float, float], extent: Extent) -> tuple[int, int]:
        x = max(min(place[0], self._width - extent.width - self._EDGE), self._EDGE)
        y = max(min(place[1], self._height - extent.below - self._EDGE), extent.above + self._EDGE)
        return round(x), round(y)


def around(x: float, y: float, extent: Extent, gap: float) -> list[tuple[float, float]]:
    """Places of a caption about a point: to the right above it first, then further and further from that."""
    line = extent.above + extent.below + 4
    over, under = y - gap / 2, y + gap / 2 + extent.above
    sides = (x + gap / 2, x - gap / 2 - extent.width)
    middle = x - extent.width / 2
    near = [(side, base) for base in (over, under) for side in sides]
    far = [(side, base) for base in (over - line, under + line) for side in sides]
    return [*near, (middle, over - gap / 2), (middle, under + gap / 2), *far]


def _overlaps(
    box: tuple[float, float, float, float], others: NDArray[np.float64] | Sequence[tuple[float, ...]]
) -> int:
    if not len(others):
        return 0
    left, top, right, bottom = np.asarray(others, np.float64).T
    return int(((left < box[2]) & (box[0] < right) & (top < box[3]) & (box[1] < bottom)).sum())
