"""What a user may set about measuring."""

from __future__ import annotations

from dataclasses import dataclass

from mammocalc.bounded import bounded, check_bounds


@dataclass(frozen=True)
class MeasureParameters:
    """Settings of the measure stage; every one is written out with the result.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    detector_blur_mm: float = bounded(
        0.0,
        0.0,
        0.5,
        "Gaussian sigma of the detector's blur without the pixel's aperture; 0 estimates it",
    )
    background_gap_mm: float = bounded(
        0.25, 0.05, 2.0, "distance from a candidate to the ring that its background is taken from"
    )
    background_ring_mm: float = bounded(
        0.35, 0.1, 5.0, "thickness of that ring for a speck; twice this for large ones"
    )
    largest_mm: float = bounded(
        30.0, 1.0, 400.0, "candidates longer than this are not measured, only located"
    )

    def __post_init__(self) -> None:
        check_bounds(self)
