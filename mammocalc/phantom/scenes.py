"""Settings for whole sets of phantoms, one settings object a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from mammocalc.phantom.curves import stream
from mammocalc.phantom.settings import DETECTORS, LABELS, PhantomSettings

Size = Literal["small", "full"]

FIELD_MM: Mapping[Size, tuple[float, float]] = {"small": (98.0, 70.0), "full": (232.0, 178.0)}
"""Height and width of the image."""

# How often each kind of system comes up in the mix.
SHARES: Mapping[str, float] = {
    "selenium_65": 0.17,
    "selenium_70": 0.20,
    "selenium_85": 0.17,
    "caesium_94": 0.14,
    "caesium_100": 0.14,
    "storage_50": 0.09,
    "film_50": 0.05,
    "film_100": 0.03,
    "film_200": 0.01,
}

NO_CALCIUM: Mapping[str, int] = dict.fromkeys(LABELS, 0)


def mixed(seed: int, size: Size = "small", shares: Mapping[str, float] = SHARES) -> PhantomSettings:
    """Any system, side, view, density and difficulty; a few kinds of calcification, and distractors, in each image.

    Parameters
    ----------
    seed : int
        The same seed and size give the same settings.
    size : {"small", "full"}
        A small breast (98 x 70 mm) or a full field (232 x 178 mm).
    shares : mapping of str to float
        How often each kind of system comes up; they sum to 1.

    Returns
    -------
    PhantomSettings
        For `make`, with the same seed.
    """
    rng = stream(seed, "mixed settings")
    values = _system(rng, size, shares)
    film = values["detector"].startswith("film")
    values |= NO_CALCIUM
    # Two to five kinds an image, now and then none at all.
    for label in rng.choice(LABELS, int(rng.integers(2, 6)), replace=False) if rng.random() > 0.08 else ():
        values[str(label)] = int(rng.integers(1, _MANY.get(str(label), 1) + 1))
    values |= {
        "difficulty": float(rng.uniform(0.2, 0.9)),
        "fibres_per_cm2": float(rng.uniform(1.0, 4.0)),
        "ligaments_per_cm2": float(rng.uniform(0.1, 0.5)),
        "vessels": int(rng.integers(1, 7)),
        "skin_folds": int(rng.random() < 0.25),
        "clips": int(rng.integers(1, 4)) if rng.random() < 0.1 else 0,
        "hot_pixels": int(rng.integers(1, 6)) if not film and rng.random() < 0.2 else 0,
        "dust": int(rng.integers(1, 9)) if film else 0,
        "lint": int(rng.integers(0, 3)) if film else 0,
        "scratches": int(rng.integers(0, 2)) if film else 0,
        "grid_lines": bool(rng.random() < 0.12),
        "bb_marker": bool(rng.random() < 0.2),
        "view_label": bool(rng.random() < 0.8),
    }
    return PhantomSettings(**values)


_MANY = {"large_rod_like": 8, "vascular": 2, "round": 8, "rim": 4, "coarse": 2, "dystrophic": 2, "suture": 2}


def classic_benign(seed: int, size: Size = "small") -> PhantomSettings:
    """Secretory rods and calcified arteries together, with some round calcifications and rims: nothing suspicious.

    Parameters
    ----------
    seed : int
        The same seed and size give the same settings.
    size : {"small", "full"}
        A small breast (98 x 70 mm) or a full field (232 x 178 mm).

    Returns
    -------
    PhantomSettings
        For `make`, with the same seed.
    """
    rng = stream(seed, "classic benign settings")
    values = {**_system(rng, size, SHARES), **NO_CALCIUM}
    values |= {
        "large_rod_like": int(rng.integers(6, 16)),
        "vascular": int(rng.integers(1, 4)),
        "round": int(rng.integers(2, 8)),
        "rim": int(rng.integers(0, 3)),
    }
    return PhantomSettings(**values)


def arterial(seed: int, size: Size = "small") -> PhantomSettings:
    """Arteries calcified all around, granular as film shows them, in half of the images beside fine linear casts.

    Parameters
    ----------
    seed : int
        The same seed and size give the same settings.
    size : {"small", "full"}
        A small breast (98 x 70 mm) or a full field (232 x 178 mm).

    Returns
    -------
    PhantomSettings
        For `make`, with the same seed.
    """
    rng = stream(seed, "arterial settings")
    values = {**_system(rng, size, SHARES), **NO_CALCIUM}
    casts = str(rng.choice(["fine_linear", "fine_linear_branching"]))
    values |= {
        "vascular_all_around": int(rng.integers(1, 4)),
        "vascular": int(rng.integers(0, 2)),
        "round": int(rng.integers(0, 4)),
        casts: int(rng.random() < 0.5),
        "vessels": int(rng.integers(1, 7)),
    }
    return PhantomSettings(**values)


def normal(seed: int, size: Size = "small") -> PhantomSettings:
    """The mix of `mixed` with no calcification at all: every mark on it is false.

    Parameters
    ----------
    seed : int
        The same seed and size give the same settings.
    size : {"small", "full"}
        A small breast (98 x 70 mm) or a full field (232 x 178 mm).

    Returns
    -------
    PhantomSettings
        For `make`, with the same seed.
    """
    return mixed(seed, size).without_calcium()


def _system(rng: np.random.Generator, size: Size, shares: Mapping[str, float]) -> dict[str, Any]:
    detector = str(rng.choice(list(shares), p=list(shares.values())))
    film = detector.startswith("film")
    pitch = DETECTORS[detector].pixel_spacing_mm
    tall, wide = FIELD_MM[size]
    raw = not film and rng.random() < 0.35
    return {
        "detector": detector,
        "rows": round(tall / pitch),
        "columns": round(wide / pitch),
        "intent": "FOR PROCESSING" if raw else "FOR PRESENTATION",
        "dense_is_bright": False if not raw and rng.random() < 0.15 else None,
        "laterality": str(rng.choice(["L", "R"])),
        "view": str(rng.choice(["CC", "MLO"])),
        "density": float(rng.beta(1.6, 1.8)),
        "thickness_mm": float(rng.uniform(35, 70)),
    }


SCENES: Mapping[str, Callable[[int, Size], PhantomSettings]] = {
    "mixed": mixed,
    "classic-benign": classic_benign,
    "arterial": arterial,
    "normal": normal,
}
"""Sets of phantoms by name."""
