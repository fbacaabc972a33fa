"""What one image may cost: declared size, memory and time."""

from __future__ import annotations

from dataclasses import dataclass, field

from mammocalc.bounded import bounded, check_bounds
from mammocalc.read.limits import ReadLimits


@dataclass(frozen=True)
class BatchLimits:
    """Bounds that a worker process is held to; an input that exceeds one costs its own row and nothing else.

    The defaults are many times what a digital mammogram needs (about 0.5 GB and a second).

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type or outside its bounds.
    """

    image_seconds: float = bounded(300.0, 0.1, 86_400.0, "longest time for one image or frame, s")
    worker_megabytes: int = bounded(6000, 500, 10_000_000, "most memory of one worker process, MB")
    read: ReadLimits = field(default_factory=ReadLimits, metadata={"meaning": "what a file may declare"})

    def __post_init__(self) -> None:
        check_bounds(self)
