"""What the other candidates nearby say of a candidate: a piece of something larger, one of a crowd, or alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: What is known from company alone, and in what unit.
COMPANY = {
    "larger_mm": "distance to the nearest larger candidate, mm; the neighbourhood's radius where there is none in it",
    "larger_diameter": "own diameter as a share of that candidate's; 1 without one",
    "larger_contrast": "own peak contrast over that candidate's; 1 without one",
    "larger_elongation": "elongation of that candidate; 1 without one",
    "stronger_mm": "distance to the nearest candidate of stronger response, mm; as above",
    "stronger_response": "own response as a share of that candidate's; 1 without one",
    "crowd": "other candidates within three tenths of the neighbourhood's radius",
}
_CROWD = 0.3


def company_of(
    evidence: Mapping[str, NDArray[np.float64]],
    row_mm: NDArray[np.float64],
    col_mm: NDArray[np.float64],
    radius_mm: float,
) -> dict[str, NDArray[np.float64]]:
    """The evidence of `COMPANY`, whatever the scores of the others.

    Parameters
    ----------
    evidence : mapping of str to ndarray of float64, shape (n,)
        At least diameter_mm, contrast_noise, elongation and response.
    row_mm, col_mm : ndarray of float64, shape (n,)
    radius_mm : float
        Of the neighbourhood.
    """
    from mammocalc_kernels.neighbours import near_pairs, nearest_above

    one, other, distance = near_pairs(row_mm, col_mm, radius_mm)
    larger, larger_mm = nearest_above(one, other, distance, evidence["diameter_mm"])
    stronger, stronger_mm = nearest_above(one, other, distance, evidence["response"])

    def share(name: str, of: NDArray[np.int64]) -> NDArray[np.float64]:
        values = evidence[name]
        return np.where(of >= 0, values / np.maximum(values[of], 1e-6), 1.0)

    beside = np.concatenate((one, other))[np.tile(distance < _CROWD * radius_mm, 2)]
    return {
        "larger_mm": np.minimum(larger_mm, radius_mm),
        "larger_diameter": share("diameter_mm", larger),
        "larger_contrast": share("contrast_noise", larger),
        "larger_elongation": np.where(larger >= 0, evidence["elongation"][larger], 1.0),
        "stronger_mm": np.minimum(stronger_mm, radius_mm),
        "stronger_response": share("response", stronger),
        "crowd": np.bincount(beside, minlength=len(row_mm)).astype(np.float64),
    }
