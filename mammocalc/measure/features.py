"""Every feature of a single calcification: its unit and meaning, in one place for tables, rules and docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """A named measurement.

    Attributes
    ----------
    unit : str
        ``"mm"``, ``"mm2"``, ``"deg"``, ``"px"``, ``"text"``, or empty for a pure number.
    meaning : str
        One line.
    """

    unit: str
    meaning: str


FEATURES: Mapping[str, Feature] = {
    "row": Feature("px", "centroid, row of the stored pixel matrix, 0-based, sub-pixel"),
    "col": Feature("px", "centroid, column of the stored pixel matrix, 0-based, sub-pixel"),
    "row_min": Feature("px", "first row of the bounding box"),
    "col_min": Feature("px", "first column of the bounding box"),
    "row_max": Feature("px", "one past the last row of the bounding box"),
    "col_max": Feature("px", "one past the last column of the bounding box"),
    "area_mm2": Feature("mm2", "area of the outline, holes not counted"),
    "filled_area_mm2": Feature("mm2", "area of the outline, holes filled"),
    "diameter_mm": Feature("mm", "diameter of the disc of equal filled area, corrected for blur"),
    "length_mm": Feature("mm", "length along the (curved) long axis, corrected for blur"),
    "width_mm": Feature("mm", "calibre: median width across the long axis, corrected for blur"),
    "width_max_mm": Feature("mm", "largest calibre along the long axis, corrected for blur"),
    "width_variation": Feature(
        "", "coefficient of variation of the calibre along the middle 80 % of the axis"
    ),
    "bulge": Feature(
        "",
        "largest over median amount of calcium in slices across the long axis; a thread's knot has 2 or more",
    ),
    "taper": Feature("", "calibre near the ends over calibre in the middle; below 1 is a tapered cigar"),
    "elongation": Feature("", "length_mm over width_mm"),
    "straightness": Feature("", "chord over arc of the long axis; 1 is straight"),
    "branches": Feature("", "branch points of the skeleton"),
    "thickness_mm": Feature(
        "mm", "diameter of the largest disc inside the outline; the calibre where the outline is convex"
    ),
    "orientation_deg": Feature(
        "deg", "long axis against the +column axis, counter-clockwise as displayed, -90 to 90"
    ),
    "nipple_angle_deg": Feature(
        "deg", "angle between long axis and line to the nipple, 0 to 90; NaN without nipple"
    ),
    "nipple_distance_mm": Feature("mm", "distance of the centroid to the nipple; NaN without a nipple"),
    "skin_distance_mm": Feature("mm", "distance of the centroid to the skin line"),
    "in_pectoral": Feature("", "1 where the centroid lies on the pectoral muscle, else 0"),
    "flatness": Feature(
        "",
        "share of even thickness in the profile, blur undone; 0 is a ball or cylinder, 1 is flat or a shell",
    ),
    "solidity": Feature("", "area over area of the convex hull, holes filled"),
    "circularity": Feature("", "4 pi area over perimeter squared, holes filled; 1 is a disc"),
    "irregularity": Feature(
        "", "how much less round than a ball of its size under the same noise, natural logarithm; 0 is a ball"
    ),
    "roughness": Feature("", "outline length over that of the smoothed outline, minus 1; 0 is smooth"),
    "lucency": Feature(
        "", "1 minus centre contrast over rim contrast after de-blurring; 0 is solid, 1 fully lucent"
    ),
    "core_lucency": Feature(
        "",
        "1 minus contrast of the inmost part over the part around it, whatever the form; NaN for small ones",
    ),
    "ring_closure": Feature(
        "", "fraction of directions from the centre in which a rim stands above the centre"
    ),
    "wall_thickness_mm": Feature(
        "mm", "median thickness of the rim's wall; NaN where there is no lucent centre"
    ),
    "contrast": Feature("", "peak density above the local background, in units of density"),
    "cnr": Feature("", "peak contrast over local noise and texture"),
    "edge_width_mm": Feature("mm", "contrast over the mean steepest gradient along the outline"),
    "heterogeneity": Feature("", "deviation inside the eroded outline over contrast"),
    "score": Feature("", "how sure the detection is, 0 to 1"),
    "score_alone": Feature("", "the same if it did not lie on an artery that others show to be calcified"),
}
"""Every feature of a single calcification by its name, in the order of the tables."""
