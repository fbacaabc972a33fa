"""How elongated objects bend: the gentle curve through each along which a plane is brightest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc_kernels.compile import kernel


@kernel
def _trace_bows(plane, centre, direction, half, bows, twists, out):  # type: ignore[no-untyped-def]
    rows, columns = plane.shape
    for k in range(len(centre)):
        reach = half[k]
        samples = max(8, int(2.0 * reach / 3.0))
        best = -np.inf
        out[k, 0] = 0.0
        out[k, 1] = 0.0
        for i in range(len(bows)):
            for j in range(len(twists)):
                total = 0.0
                for n in range(samples):
                    t = 2.0 * (n + 0.5) / samples - 1.0
                    across = reach * (bows[i] * (1.0 / 3.0 - t * t) + twists[j] * (t * t * t - 0.6 * t))
                    r = int(
                        np.floor(centre[k, 0] + t * reach * direction[k, 0] - across * direction[k, 1] + 0.5)
                    )
                    c = int(
                        np.floor(centre[k, 1] + t * reach * direction[k, 1] + across * direction[k, 0] + 0.5)
                    )
                    r = min(max(r, 1), rows - 2)
                    c = min(max(c, 1), columns - 2)
                    total += plane[r, c] + 0.5 * (
                        plane[r - 1, c] + plane[r + 1, c] + plane[r, c - 1] + plane[r, c + 1]
                    )
                # Of equally bright curves the straighter one, which is why the weight of bending is there at all.
                total = total / samples - 1e-3 * (bows[i] * bows[i] + twists[j] * twists[j])
                if total > best:
                    best = total
                    out[k, 0] = bows[i]
                    out[k, 1] = twists[j]


def trace_bows(
    plane: NDArray[np.float32],
    centre: NDArray[np.float64],
    direction: NDArray[np.float64],
    half: NDArray[np.float64],
    bows: NDArray[np.float64],
    twists: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Find how far each object bows to one side, and twists to both, by what is brightest.

    The curve of object k is, for t from -1 to 1 along its axis, with u its direction and v the direction turned from
    (row, col) to (-col, row), ::

        centre + t half u + half (bow (1/3 - t**2) + twist (t**3 - 3/5 t)) v

    whose mean is the centre whatever the bow, and whose mean direction is u whatever the twist.

    Parameters
    ----------
    plane : ndarray of float32, shape (rows, columns)
        At least 3 x 3.
    centre, direction : ndarray of float64, shape (n, 2)
        (row, col) of the centroids, px of this plane, (0, 0) at the centre of the first pixel; unit vectors.
    half : ndarray of float64, shape (n,)
        Half of the length, px.
    bows, twists : ndarray of float64, shape (p,), (q,)
        What is tried, in shares of `half`; each should hold 0.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        bow and twist of the brightest curve; the first tried of equals.

    Raises
    ------
    ValueError
        For arrays of other types or shapes.
    """
    if plane.dtype != np.float32 or plane.ndim != 2 or min(plane.shape) < 3:
        raise ValueError(f"plane must be 2-D float32 of at least 3 x 3, got {plane.shape} {plane.dtype}")
    if (
        centre.ndim != 2
        or centre.shape[1] != 2
        or direction.shape != centre.shape
        or half.shape != centre.shape[:1]
    ):
        raise ValueError(
            f"centre, direction, half do not match: {centre.shape}, {direction.shape}, {half.shape}"
        )
    if bows.ndim != 1 or twists.ndim != 1 or not (len(bows) and len(twists)):
        raise ValueError(f"bows and twists must be 1-D and not empty, got {bows.shape} and {twists.shape}")
    out = np.zeros((len(centre), 2))
    _trace_bows(
        np.ascontiguousarray(plane),
        np.ascontiguousarray(centre, np.float64),
        np.ascontiguousarray(direction, np.float64),
        np.ascontiguousarray(half, np.float64),
        np.ascontiguousarray(bows, np.float64),
        np.ascontiguousarray(twists, np.float64),
        out,
    )
    return out
