"""Simple breasts of known shape, tissue and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from mammocalc.read.mammogram import Mammogram

ROWS, COLUMNS, SPACING_MM = 900, 700, 0.2
CENTRE, HALF_HEIGHT, DEPTH = 450.0, 360.0, 480.0


@dataclass(frozen=True)
class Tissue:
    """Attenuation of a half ellipse with the chest wall on the left, 0 outside.

    `depth` is 1 at the chest wall's middle and 0 at the skin line.
    """

    attenuation: np.ndarray
    inside: np.ndarray


def half_ellipse() -> Tissue:
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    away = 1 - np.hypot((rows - CENTRE) / HALF_HEIGHT, columns / DEPTH)
    inside = away > 0
    rng = np.random.default_rng(11)
    texture = sum(
        cv2.GaussianBlur(rng.normal(0, 1, (ROWS, COLUMNS)), (0, 0), sigma) * sigma * sigma
        for sigma in (6.0, 15.0, 40.0)
    )
    texture *= 0.12 / texture[inside].std()
    thickness = np.sqrt(1 - (1 - np.clip(away / 0.2, 0, 1)) ** 2)
    return Tissue(np.where(inside, thickness * (1.0 + 0.9 * np.clip(away, 0, 1) + texture), 0.0), inside)


@pytest.fixture(scope="session")
def tissue() -> Tissue:
    return half_ellipse()


@pytest.fixture(scope="session")
def exposure(tissue: Tissue) -> np.ndarray:
    """Mean exposure of a raw image, 14 bits: 12000 in air, some 1500 behind the densest tissue."""
    return 12000 * np.exp(-tissue.attenuation)


@pytest.fixture(scope="session")
def raw_image(exposure: np.ndarray) -> Mammogram:
    """FOR PROCESSING with variance 3 * exposure + 400."""
    noise = np.random.default_rng(7).normal(0, 1, exposure.shape) * np.sqrt(3 * exposure + 400)
    return raw(np.rint(exposure + noise))


def raw(pixels: np.ndarray, **more: object) -> Mammogram:
    return Mammogram(
        np.clip(pixels, 0, 16383).astype(np.uint16),
        SPACING_MM,
        "test",
        dense_is_bright=False,
        intent="FOR PROCESSING",
        linear_in_exposure=True,
        bits_stored=14,
        **more,
    )


@pytest.fixture(scope="session")
def make_processed(tissue: Tissue) -> Callable[..., Mammogram]:
    """Builds FOR PRESENTATION images, 12 bits, black background: density plus what is painted over it, plus noise."""

    def make(
        painted: np.ndarray | None = None, sigma: float = 12.0, background: float = 0.0, **more: object
    ) -> Mammogram:
        density = np.where(tissue.inside, 700 + 1100 * tissue.attenuation, background)
        density += np.random.default_rng(3).normal(0, sigma, density.shape)
        density = np.where(tissue.inside | (background > 0), density, 0.0)
        if painted is not None:
            density = np.where(np.isnan(painted), density, painted)
        pixels = np.clip(np.rint(density), 0, 4095).astype(np.uint16)
        return Mammogram(pixels, SPACING_MM, "test", intent="FOR PRESENTATION", bits_stored=12, **more)

    return make


@pytest.fixture
def nothing_painted() -> np.ndarray:
    return np.full((ROWS, COLUMNS), np.nan)
