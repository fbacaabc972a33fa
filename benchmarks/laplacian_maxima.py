"""The plain detector to judge an image set by: maxima of the Laplacian of Gaussian over their local deviation.

Multi-scale blob detection (Lindeberg 1998, doi 10.1023/A:1008045108935) on the noise-equalised plane, searched where
the product searches, with no outlines, no evidence and nothing learnt. How hard a set of images is shows in how far
this gets.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

import mammocalc as mc
from mammocalc.evaluate import Detections
from mammocalc.evaluate.matching import Marks
from mammocalc.segment.components import searched_cells

SIGMAS_MM = (0.08, 0.12, 0.18, 0.27)
WINDOW_MM, APART_MM = 5.0, 0.5
LEAST, MOST = 2.5, 2000


def laplacian_maxima(scene, path):
    """Marks at the maxima, the ratio to the local deviation as their score.

    Parameters
    ----------
    scene : mammocalc.prepare.scene.Scene
    path : str
        Of the image, as the truth names it.
    """
    plane, pitch = scene.plane, scene.pixel_spacing_mm
    cells = searched_cells(scene, mc.Parameters().segment.skin_margin_mm)
    inside = np.kron(cells, np.ones((scene.anatomy.step,) * 2, bool))[: plane.shape[0], : plane.shape[1]]
    window = max(3, round(WINDOW_MM / pitch))
    share = np.maximum(ndimage.uniform_filter(inside.astype(np.float32), window), 1e-3)
    strongest, sigma = np.full(plane.shape, -np.inf), np.zeros(plane.shape)
    for sigma_mm in SIGMAS_MM:
        response = -ndimage.gaussian_laplace(plane, sigma_mm / pitch)
        power = ndimage.uniform_filter(np.where(inside, response**2, 0.0), window)
        ratio = response / np.sqrt(np.maximum(power, 0.0) / share + 1e-9)
        better = ratio > strongest
        strongest[better], sigma[better] = ratio[better], sigma_mm
    apart = max(3, 2 * round(APART_MM / pitch / 2) + 1)
    peaks = inside & (strongest > LEAST) & (ndimage.maximum_filter(strongest, apart) == strongest)
    row, col = np.nonzero(peaks)
    best = np.argsort(-strongest[row, col], kind="stable")[:MOST]
    row, col = row[best], col[best]
    top, left = scene.origin
    pixels = [[(int(r + top), int(c + left), int(c + left) + 1)] for r, c in zip(row, col, strict=True)]
    # A ball of this diameter answers most to this scale.
    marks = Marks(row + top, col + left, 2 * np.sqrt(2) * sigma[row, col], pixels)
    return Detections(
        path, marks, strongest[row, col], np.full(len(row), "", np.str_), pitch, scene.anatomy.breast_area_mm2
    )
