"""What can be set in the prepare stage."""

from __future__ import annotations

from dataclasses import dataclass

from mammocalc.bounded import bounded, check_bounds, explained


@dataclass(frozen=True)
class PrepareParameters:
    """Settings of `prepare`; every length in mm.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    cell_mm: float = bounded(0.5, 0.2, 2.0, "side of the cells on which anatomy is found")
    minimum_breast_area_mm2: float = bounded(500.0, 0.0, 100_000.0, "a smaller bright object is no breast")
    outline_smoothing_mm: float = bounded(4.0, 0.5, 20.0, "strips narrower than twice this are no breast")
    skin_search_mm: float = bounded(
        3.0, 1.0, 20.0, "how far the drawn outline may lie from the found grey level's"
    )
    noise_samples: int = bounded(60_000, 1_000, 10_000_000, "pixels the noise curve is estimated from")
    find_pectoral: bool = explained(True, "look for the pectoral muscle")
    find_foreign: bool = explained(
        True, "look for burned-in labels, markers, clips, paddle edges and film borders"
    )

    def __post_init__(self) -> None:
        check_bounds(self)
