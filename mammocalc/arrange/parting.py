"""Groups of different form that lie beside or among each other, parted where two describe their members better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Points

PLACE_MM = 5.0
"""So far apart counts as much as an octave of form when the tree of possible parts is built."""
PLACE_PLAY_MM, FORM_PLAY_OCTAVES = 0.7, 0.25
"""No group counts as more compact than this, in place or in form."""
LEAST_PLACE_GAIN = 8.0
"""Places must gain this much of it: one group may well hold two forms in one place."""
LEAST_PART = 4
"""Smaller parts are strays, not groups."""


def form_of(diameter_mm: NDArray[np.float64], elongation: NDArray[np.float64]) -> Points:
    """Size and shape as octaves, shape (n, 2): the logarithms of diameter and elongation; NaN counts as usual."""
    size = np.log2(np.maximum(np.nan_to_num(diameter_mm, nan=0.3), 0.05))
    shape = np.log2(np.clip(np.nan_to_num(elongation, nan=1.0), 1.0, 8.0))
    return np.stack([size, shape], axis=1)


def parted(points: Points, form: Points, parameters: ArrangeParameters) -> list[NDArray[np.int64]]:
    """Part a group into as many as describe it better.

    The possible parts are the branches of a tree (Ward 1963, doi 10.1080/01621459.1963.10500845) of place and form.
    Each part is described by a normal distribution of its places and of its form; the cut that gains most
    likelihood is made if it gains enough, and each part is parted again.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col) in mm.
    form : ndarray of float64, shape (n, 2)
        See `form_of`.

    Returns
    -------
    list of ndarray of int64
        Places of the members of each part, ascending; parts by their first member.
    """
    waiting, out = [np.arange(len(points))], []
    while waiting:
        members = waiting.pop()
        branch = _best_cut(points[members], form[members], parameters.parting_gain)
        if branch is None:
            out.append(members)
        else:
            waiting += [members[branch], members[~branch]]
    return sorted(out, key=lambda members: int(members[0]))


def _best_cut(points: Points, form: Points, least_gain: float) -> NDArray[np.bool_] | None:
    """The branch that is best cut off, shape (n,); None where no cut gains `least_gain` (natural logarithm)."""
    from mammocalc_kernels.wards_tree import wards_tree

    count = len(points)
    if count < 2 * LEAST_PART:
        return None
    # In the order of the tree every branch is a run; the last is the whole.
    order, first, size = wards_tree(np.column_stack([points / PLACE_MM, form]))
    first, size = first[:-1], size[:-1]
    large = (size >= LEAST_PART) & (count - size >= LEAST_PART)
    if not large.any():
        return None
    first, size = first[large], size[large]
    moments = _moments(points - points.mean(axis=0), form)
    sums = np.vstack([np.zeros(moments.shape[1]), np.cumsum(moments[order], axis=0)])
    branch = sums[first + size] - sums[first]
    gain = _cost(sums[-1:]) - _cost(branch) - _cost(sums[-1:] - branch)
    mixing = size * np.log(size / count) + (count - size) * np.log(1.0 - size / count)
    total = np.where(gain[:, 0] >= LEAST_PLACE_GAIN, gain.sum(axis=1) + mixing, -np.inf)
    best = int(total.argmax())
    if total[best] < least_gain:
        return None
    inside = np.zeros(count, np.bool_)
    inside[order[first[best] : first[best] + size[best]]] = True
    return inside


def _moments(points: Points, form: Points) -> NDArray[np.float64]:
    y, x = points.T
    return np.column_stack([np.ones(len(y)), y, x, y * y, x * x, y * x, form, form**2])


def _cost(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negative log-likelihood of each set's places and of its forms, but for a constant a member, shape (sets, 2)."""
    count = sums[:, 0]
    mean = sums / count[:, None]
    y, x, yy, xx, yx = mean[:, 1:6].T
    play = PLACE_PLAY_MM**2
    place = (yy - y * y + play) * (xx - x * x + play) - (yx - y * x) ** 2
    variance = np.maximum(mean[:, 8:] - mean[:, 6:8] ** 2, 0.0) + FORM_PLAY_OCTAVES**2
    out: NDArray[np.float64] = 0.5 * count[:, None] * np.log(np.stack([place, variance.prod(axis=1)], axis=1))
    return out
