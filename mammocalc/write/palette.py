"""The colour of every label, the same in every picture.

Warm colours are suspicious descriptors, the others are benign ones. The colours were spread in the OKLab space
(Ottosson 2020) as seen with normal vision and, after Machado et al. 2009 (10.1109/TVCG.2009.113), without red and
without green cones; on top of that, pictures draw suspicious outlines with a heavier line.
"""

from __future__ import annotations

from collections.abc import Mapping

Colour = tuple[int, int, int]

LABEL_COLOURS: Mapping[str, Colour] = {
    "skin": (0xFA, 0x99, 0x90),
    "vascular": (0x42, 0x8E, 0xFF),
    "coarse": (0x4E, 0x3B, 0xFD),
    "large_rod_like": (0x6C, 0xE9, 0x2A),
    "round": (0x00, 0x88, 0x9C),
    "punctate": (0x4B, 0xEB, 0xEA),
    "rim": (0xE3, 0x9D, 0xFF),
    "dystrophic": (0x6D, 0x88, 0x29),
    "milk_of_calcium": (0xD9, 0xD9, 0x9C),
    "suture": (0x95, 0xA4, 0xC4),
    "amorphous": (0xFF, 0xFF, 0x1A),
    "coarse_heterogeneous": (0xCF, 0xA4, 0x04),
    "fine_pleomorphic": (0xC6, 0x5B, 0xD6),
    "fine_linear": (0xFF, 0x2D, 0x00),
    "fine_linear_branching": (0xF0, 0x00, 0x87),
    "unclassified": (0xFF, 0xFF, 0xFF),
}
"""Red, green, blue, 0 to 255."""

CLUSTER_COLOUR: Colour = (0xFF, 0xD8, 0x8A)
NIPPLE_COLOUR: Colour = (0xA0, 0xA0, 0xA0)


def hexadecimal(colour: Colour) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def words(label: str) -> str:
    """A label as it is read: ``large_rod_like`` is "large rod-like"."""
    return label.replace("_like", "-like").replace("_", " ")
