"""What the measure stage hands over: one row of features a candidate, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Measurements:
    """Columns of equal length, one for every name in `mammocalc.measure.features.FEATURES`, in region order.

    Attributes
    ----------
    columns : mapping of str to ndarray
        float64 unless said otherwise in the catalogue (row_min .. col_max are int64).
    detector_blur_mm : float
        The blur (Gaussian sigma, mm) that lengths were corrected for.
    """

    columns: Mapping[str, NDArray[Any]]
    detector_blur_mm: float

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.columns["row"])
