"""Colours that can be told apart, by everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mammocalc.classify import LABELS
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

# Machado et al. 2009, full deficiency, in linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def oklab(colour, vision):
    """Ottosson 2020."""
    value = np.asarray(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(vision) @ linear, 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponents @ np.cbrt(cones @ seen)


def test_every_label_has_a_colour():
    assert set(LABEL_COLOURS) == set(LABELS)


@pytest.mark.parametrize(
    ("vision", "least"), [("normal", 0.12), ("without green cones", 0.07), ("without red cones", 0.07)]
)
def test_any_two_labels_can_be_told_apart(vision, least):
    seen = {label: oklab(colour, VISIONS[vision]) for label, colour in LABEL_COLOURS.items()}
    distance = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}
    nearest = min(distance, key=distance.get)
    assert distance[nearest] > least, nearest


def test_every_colour_is_bright_enough_on_dark_tissue():
    for colour in LABEL_COLOURS.values():
        assert oklab(colour, VISIONS["normal"])[0] > 0.5


def test_words():
    assert words("large_rod_like") == "large rod-like"
    assert words("fine_linear_branching") == "fine linear branching"


def test_hexadecimal():
    assert hexadecimal((1, 171, 255)) == "#01abff"
