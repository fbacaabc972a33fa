"""Tracks that continue each other across a longer gap, as pieces of one vessel do where its wall is free of calcium."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.curves import STEP_MM, Curve
from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.arrange.pieces import Points

END_MM = 3.0
"""The direction in which a track ends is taken over this length."""
SURE_MM, SURE_LENGTHS = 4.0, 8.0
"""A track's direction is trusted across so many times its length, but at least this far."""

STRONG_BEND, STRONG_BLIND = 2.2, 10.0
"""Between two likely vessels a bridge may bend this much more, and be this much longer without a vessel in sight."""

Support = Callable[[Points], float]


def bridged(
    curves: list[Curve],
    strong: list[bool],
    support: Support,
    parameters: ArrangeParameters,
    threads: int = 1,
) -> list[list[int]]:
    """Sort tracks into groups that are one vessel; each end is bridged at most once, the best bridges first.

    Parameters
    ----------
    curves : list of Curve
    strong : list of bool
        Which of them are likely vessels by themselves: between two such, more is believed.
    support : callable
        Share of a path, given as (row, col) in mm, that lies on a vessel.
    threads : int
        The result does not depend on it.

    Returns
    -------
    list of list of int
        Places of the curves of each group, in order of the first.
    """
    from mammocalc_kernels.compile import run_each

    ends = [_end(curve.points, last) for curve in curves for last in (False, True)]
    position = np.array([end[0] for end in ends]).reshape(-1, 2)
    outward = np.array([end[1] for end in ends]).reshape(-1, 2)
    length = np.repeat([curve.length_mm for curve in curves], 2)
    likely = np.repeat(np.array(strong, np.bool_), 2)
    one, other = _near(position, parameters.bridge_mm).T
    apart = one // 2 != other // 2
    one, other = one[apart], other[apart]
    believed = likely[one] & likely[other]
    limit = np.radians(parameters.bridge_bend_deg) * np.where(believed, STRONG_BEND, 1.0)
    cost = _bend_costs(position[one], outward[one], position[other], outward[other], limit, parameters)
    gap = np.linalg.norm(position[other] - position[one], axis=1)
    trusted = np.maximum(SURE_MM, SURE_LENGTHS * np.minimum(length[one], length[other]))
    fits = np.flatnonzero((cost < 1.0) & (gap <= trusted))
    paths = [
        bridge(position[a], outward[a], position[b], outward[b])
        for a, b in zip(one[fits], other[fits], strict=True)
    ]
    offers = []
    for k, on_vessel in zip(fits.tolist(), run_each(support, paths, threads), strict=True):
        # Without a vessel in sight, only a short and nearly straight bridge will do.
        blind = parameters.blind_bridge_mm * (STRONG_BLIND if believed[k] else 1.0)
        if on_vessel >= parameters.bridge_on_vessel or cost[k] * gap[k] <= blind:
            offers.append((float(cost[k] * gap[k] * (1.5 - on_vessel)), int(one[k]), int(other[k])))
    group = list(range(len(curves)))
    used: set[int] = set()
    for _, a, b in sorted(offers):
        if a in used or b in used or group[a // 2] == group[b // 2]:
            continue
        used |= {a, b}
        old, new = group[b // 2], group[a // 2]
        group = [new if one == old else one for one in group]
    out: dict[int, list[int]] = {}
    for i, one in enumerate(group):
        out.setdefault(one, []).append(i)
    return sorted(out.values())


def bridge(start: Points, leaves: Points, end: Points, meets: Points) -> Points:
    """The smooth path (a cubic Hermite curve) from one end to another, which leave in the directions given."""
    from mammocalc_kernels.curves import even_steps

    gap = float(np.linalg.norm(end - start))
    t = np.linspace(0.0, 1.0, max(3, int(2 * gap / STEP_MM)))[:, None]
    path = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * gap * leaves
        + (3 * t**2 - 2 * t**3) * end
        - (t**3 - t**2) * gap * meets
    )
    return even_steps(path, STEP_MM) if gap > 2 * STEP_MM else path


def _end(points: Points, last: bool) -> tuple[Points, Points]:
    line = points[::-1] if last else points
    inner = line[min(len(line) - 1, round(END_MM / STEP_MM))]
    away = line[0] - inner
    return line[0], away / max(float(np.linalg.norm(away)), 1e-9)


def _near(position: Points, reach_mm: float) -> NDArray[np.int64]:
    from mammocalc_kernels.neighbours import near_pairs

    one, other, _ = near_pairs(position[:, 0], position[:, 1], reach_mm)
    return np.stack([one, other], axis=1)[np.lexsort((other, one))]


def _bend_costs(
    start: Points,
    leaves: Points,
    end: Points,
    meets: Points,
    limit: NDArray[np.float64],
    parameters: ArrangeParameters,
) -> NDArray[np.float64]:
    """The sharper of the two bends of each bridge as a share of what is allowed; above 1 it is too sharp.

    A vessel's width of sideways play is granted: the two tracks may be opposite walls.
    """
    way = end - start
    gap = np.linalg.norm(way, axis=1)
    play = np.arctan2(0.5 * parameters.wall_most_mm, gap)
    turn = _angle(-leaves, meets) / (2 * limit)
    unit = way / np.maximum(gap, 1e-9)[:, None]
    bends = [np.maximum(_angle(direction, unit) - play, 0.0) / limit for direction in (leaves, -meets)]
    # Ends so near may overlap: the way from one to the other says nothing.
    overlaps = gap <= 0.5 * parameters.wall_most_mm
    return np.where(overlaps, turn, np.maximum(turn, np.maximum(*bends)))


def _angle(one: Points, other: Points) -> NDArray[np.float64]:
    """Between unit vectors, radians."""
    cosine: NDArray[np.float64] = np.einsum("ij,ij->i", one, other)
    return np.arccos(np.clip(cosine, -1.0, 1.0))
