"""Pieces of arteries that are calcified all around: faint ones are believed on a band on which sure ones lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.scene import Scene
from mammocalc.segment.objects import Objects
from mammocalc.segment.parameters import SegmentParameters

SURE_SCORE = 0.5
"""What is surer is not looked at again, and makes others believed."""
STRAND_ELONGATION, STRAND_MM, STRAND_BEND_DEG = 1.7, 1.0, 28.0
"""What is so elongated has a direction, and lies along a band to within this; from what is so long one is followed."""
_ALONG = np.arange(-1.0, 1.01, 0.125)


def scores_on_bands(
    scene: Scene, objects: Objects, score: NDArray[np.float64], parameters: SegmentParameters
) -> NDArray[np.float64]:
    """Raise the scores of faint candidates on a band as wide as an artery that is calcified beyond doubt.

    By itself a piece of a granular tube looks like tissue. Where at least two sure candidates cover enough of a band,
    every candidate on it gets the mean of their scores, if it has none higher.

    Parameters
    ----------
    scene : Scene
    objects : Objects
        n candidates.
    score : ndarray of float64, shape (n,)
    parameters : SegmentParameters

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    from mammocalc_kernels.artery_bands import STEP_MM, calcified, line_along, on_stretches, stretches_along

    looked_at = np.flatnonzero(score >= parameters.band_score)
    sure = score[looked_at] >= SURE_SCORE
    if sure.all() or sure.sum() < 2:
        return score
    pitch = scene.pixel_spacing_mm
    evidence = {
        name: objects.evidence[name][looked_at] for name in ("row", "col", "diameter_mm", "elongation")
    }
    centre = np.stack([evidence["row"], evidence["col"]], axis=1) * pitch
    strand = evidence["elongation"] >= STRAND_ELONGATION
    length = np.where(strand, evidence["diameter_mm"] * np.sqrt(evidence["elongation"]), 0.0)
    calibre = evidence["diameter_mm"] / np.sqrt(evidence["elongation"])
    direction = _directions(objects.subset(looked_at), scene.plane.shape[1])
    out = score.copy()
    free = sure & (length >= STRAND_MM)
    for k in np.argsort(-length, kind="stable").tolist():
        if not free[k]:
            continue
        line = line_along(scene.plane, pitch, centre[k], direction[k])
        if STEP_MM * len(line) < parameters.band_covered_mm:
            continue
        stretches = stretches_along(scene.plane, pitch, line)
        on = on_stretches(line, stretches, centre, direction, strand, calibre, STRAND_BEND_DEG)
        known = np.flatnonzero(on & sure)
        free[known] = False
        if len(known) < 2:
            continue
        points = (
            centre[known, None] + 0.5 * (length[known, None] * _ALONG)[:, :, None] * direction[known, None]
        )
        covered_mm, covered = calcified(
            line, stretches, points.reshape(-1, 2), np.repeat(calibre[known], len(_ALONG))
        )
        if covered_mm >= parameters.band_covered_mm and covered >= parameters.band_covered:
            faint = looked_at[on & ~sure]
            out[faint] = np.maximum(out[faint], score[looked_at[known]].mean())
    return out


def _directions(objects: Objects, columns: int) -> NDArray[np.float64]:
    """Unit vectors (row, col) along the longer axes, shape (n, 2)."""
    owner, sizes = objects.owner(), np.diff(objects.start)
    row, col = (place.astype(np.float64) for place in divmod(objects.pixel, columns))
    mean_row, mean_col = (np.bincount(owner, place) / sizes for place in (row, col))
    row, col = row - mean_row[owner], col - mean_col[owner]
    row_row, col_col, row_col = (np.bincount(owner, values) for values in (row * row, col * col, row * col))
    angle = 0.5 * np.arctan2(2 * row_col, col_col - row_row)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)
