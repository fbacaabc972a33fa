"""What a phantom is asked to be: detectors, processing styles, what is drawn, and the seeds set apart for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mammocalc.bounded import bounded, check_bounds, explained
from mammocalc.errors import InvalidParameter

LABELS = (
    "skin",
    "vascular",
    "coarse",
    "large_rod_like",
    "round",
    "punctate",
    "rim",
    "dystrophic",
    "milk_of_calcium",
    "suture",
    "amorphous",
    "coarse_heterogeneous",
    "fine_pleomorphic",
    "fine_linear",
    "fine_linear_branching",
)
"""Labels that can be drawn."""
DISTRIBUTIONS = ("diffuse", "regional", "grouped", "linear", "segmental")

TRAINING_SEEDS = range(0, 10_000)
"""Seeds that parameters and weights may be tuned on."""

TEST_SEEDS = range(10_000, 20_000)
"""Seeds that results are quoted on; nothing is ever tuned on them."""

Style = Literal["enhanced", "equalised", "soft", "film"]


@dataclass(frozen=True)
class Detector:
    """A kind of detector with the processing that its images usually come with.

    Attributes
    ----------
    pixel_spacing_mm : float
        Side of a pixel in the object plane.
    blur_sigma_mm : float
        Gaussian standard deviation of the detector's blur, the pixel's own aperture apart.
    signal_to_noise : float
        Mean over standard deviation of one pixel behind the middle of the breast.
    electronic_share : float
        Share of the noise variance there that does not depend on the exposure.
    correlated_share : float
        Share of the noise variance that went through the detector's blur (indirect detectors, film grain).
    style : str
        Processing of FOR PRESENTATION images.
    bits_stored : int
        Of FOR PRESENTATION images; FOR PROCESSING images have 14.
    detector_type : str
        The DICOM term: DIRECT, SCINTILLATOR, STORAGE or FILM.
    """

    pixel_spacing_mm: float
    blur_sigma_mm: float
    signal_to_noise: float
    electronic_share: float
    correlated_share: float
    style: Style
    bits_stored: int
    detector_type: str


DETECTORS: Mapping[str, Detector] = {
    "selenium_65": Detector(0.065, 0.040, 30.0, 0.05, 0.25, "enhanced", 12, "DIRECT"),
    "selenium_70": Detector(0.070, 0.040, 32.0, 0.05, 0.25, "enhanced", 12, "DIRECT"),
    "selenium_85": Detector(0.085, 0.045, 39.0, 0.05, 0.20, "equalised", 12, "DIRECT"),
    "caesium_94": Detector(0.094, 0.080, 46.0, 0.04, 0.60, "soft", 12, "SCINTILLATOR"),
    "caesium_100": Detector(0.100, 0.085, 48.0, 0.04, 0.60, "equalised", 14, "SCINTILLATOR"),
    "storage_50": Detector(0.050, 0.070, 24.0, 0.05, 0.60, "enhanced", 12, "STORAGE"),
    "film_50": Detector(0.050, 0.050, 26.0, 0.02, 0.70, "film", 12, "FILM"),
    "film_100": Detector(0.100, 0.060, 45.0, 0.02, 0.50, "film", 10, "FILM"),
    "film_200": Detector(0.200, 0.080, 60.0, 0.02, 0.30, "film", 8, "FILM"),
}
"""Kinds of detectors by name, with the side of a pixel in um at its end."""


def _count(default: int, maximum: int, meaning: str) -> Any:
    return bounded(default, 0, maximum, meaning)


@dataclass(frozen=True)
class PhantomSettings:
    """How a phantom looks and what is drawn into it. The defaults are a mix of most kinds on one digital system.

    `style` and `dense_is_bright` left open follow the detector and the intent. `distribution` is that of every group
    that can have it (casts lie along ducts, skin calcifications always in tight groups); left open, each label draws
    its usual ones.

    Raises
    ------
    InvalidParameter
        Names the field that is of the wrong type, unknown, or outside its bounds.
    """

    detector: str = explained("selenium_70", "one of `DETECTORS`")
    intent: Literal["FOR PROCESSING", "FOR PRESENTATION"] = explained(
        "FOR PRESENTATION", "raw data, or processed for a reader"
    )
    style: Literal["", "enhanced", "equalised", "soft", "film"] = explained(
        "", "how it is processed; that of the detector unless given"
    )
    dense_is_bright: bool | None = explained(None, "polarity; that of the intent unless given")
    laterality: Literal["L", "R"] = explained("L", "side of the breast")
    view: Literal["CC", "MLO"] = explained("CC", "projection; a muscle is in view on MLO")
    distribution: str = explained("", "of every group that can have it; its label's usual ones unless given")

    rows: int = bounded(1400, 200, 8192, "rows of the image")
    columns: int = bounded(1000, 200, 8192, "columns of the image")
    density: float = bounded(0.45, 0.0, 1.0, "0 almost entirely fat, 1 extremely dense")
    thickness_mm: float = bounded(50.0, 20.0, 90.0, "compressed thickness")
    difficulty: float = bounded(0.5, 0.0, 1.0, "0 all calcium is compact, 1 much of it is faint")
    faintest: float = bounded(
        5.0, 0.0, 100.0, "lowest detectability drawn; 4 to 5 is the limit of visibility"
    )

    large_rod_like: int = _count(4, 200, "secretory rods")
    vascular: int = _count(1, 20, "calcified arteries, plaques in either wall")
    vascular_all_around: int = _count(0, 20, "arteries whose wall is calcified all around, granular tubes")
    round: int = _count(4, 500, "single round calcifications, 0.5 to 1 mm")
    punctate: int = _count(1, 50, "groups of punctate calcifications, below 0.5 mm")
    rim: int = _count(2, 200, "calcified shells")
    coarse: int = _count(1, 100, "popcorn calcifications")
    fine_linear: int = _count(1, 50, "groups of fine linear casts")
    fine_linear_branching: int = _count(1, 50, "groups of fine linear casts that branch")
    skin: int = _count(1, 50, "groups of skin calcifications")
    dystrophic: int = _count(1, 100, "dystrophic calcifications")
    milk_of_calcium: int = _count(0, 50, "groups of sedimented calcium in microcysts")
    suture: int = _count(0, 50, "calcified sutures")
    amorphous: int = _count(0, 50, "groups of amorphous calcifications")
    coarse_heterogeneous: int = _count(0, 50, "groups of coarse heterogeneous calcifications")
    fine_pleomorphic: int = _count(1, 50, "groups of fine pleomorphic calcifications")

    fibres_per_cm2: float = bounded(2.0, 0.0, 20.0, "crossing fibres")
    ligaments_per_cm2: float = bounded(0.2, 0.0, 5.0, "Cooper's ligaments")
    vessels: int = _count(3, 50, "vessels without calcium")
    skin_folds: int = _count(0, 10, "folds of the skin")
    clips: int = _count(0, 20, "surgical clips")
    hot_pixels: int = _count(0, 1000, "single defective pixels")
    dust: int = _count(0, 500, "specks of dust on a film")
    lint: int = _count(0, 100, "fibres of lint on a film")
    scratches: int = _count(0, 50, "scratches of a film")
    grid_lines: bool = explained(False, "lines of an anti-scatter grid")
    bb_marker: bool = explained(False, "a metal marker on the skin")
    view_label: bool = explained(True, "a burned-in label of side and view")

    def __post_init__(self) -> None:
        check_bounds(self)
        _hold_to("detector", self.detector, tuple(DETECTORS))
        _hold_to("intent", self.intent, ("FOR PROCESSING", "FOR PRESENTATION"))
        _hold_to("style", self.style, ("", "enhanced", "equalised", "soft", "film"))
        _hold_to("laterality", self.laterality, ("L", "R"))
        _hold_to("view", self.view, ("CC", "MLO"))
        _hold_to("distribution", self.distribution, ("", *DISTRIBUTIONS))

    def without_calcium(self) -> PhantomSettings:
        """The same settings with no calcification of any kind.

        Returns
        -------
        PhantomSettings
            A copy.
        """
        none: dict[str, Any] = dict.fromkeys((*LABELS, "vascular_all_around"), 0)
        return dataclasses.replace(self, **none)


def _hold_to(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidParameter(f"{name}: {value!r} is none of {', '.join(repr(one) for one in allowed)}")
