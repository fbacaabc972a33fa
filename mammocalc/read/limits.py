"""How much of a file the read stage is willing to believe, before anything large is allocated for it."""

from __future__ import annotations

from dataclasses import dataclass

from mammocalc.bounded import bounded, check_bounds


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what a file may declare or unpack to; whatever exceeds them is refused before it is decoded.

    The defaults leave room for film digitised at 25 um (about 80 megapixels) and for tomosynthesis.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    file_megabytes: int = bounded(8192, 1, 1_000_000, "largest file, MB")
    frame_megapixels: float = bounded(120.0, 0.01, 4000.0, "largest declared frame, millions of pixels")
    frames: int = bounded(1000, 1, 100_000, "most frames a file may declare")
    inflated_megabytes: int = bounded(1024, 1, 1_000_000, "what a deflated file may inflate to, MB")

    def __post_init__(self) -> None:
        check_bounds(self)
