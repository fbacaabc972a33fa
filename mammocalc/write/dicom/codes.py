"""Coded concepts of result objects: what is written, and the older codes of the same meaning that are read."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.sr.coding import Code

from mammocalc.read.view import MODIFIERS, VIEWS


def dcm(value: str, meaning: str) -> Code:
    """A concept of PS3.16 annex D."""
    return Code(value, "DCM", meaning)


def sct(value: str, meaning: str) -> Code:
    """A concept of SNOMED CT."""
    return Code(value, "SCT", meaning)


# CID 6010 "Mammography Calcification Types". What has no descriptor is said to be small or large, no more.
CALCIFICATION_TYPES: Mapping[str, Code] = {
    "skin": sct("129757003", "Calcified skin of breast"),
    "vascular": sct("129759000", "Vascular calcification"),
    "coarse": sct("129749001", "Coarse (popcorn-like) calcification"),
    "large_rod_like": sct("129752009", "Large rod-like calcification"),
    "round": sct("129756007", "Round shaped calcification"),
    "punctate": sct("129755006", "Punctate calcification"),
    "rim": sct("129751002", "Eggshell calcification"),
    "dystrophic": sct("129750001", "Dystrophic calcification"),
    "milk_of_calcium": sct("129753004", "Milk of calcium calcification"),
    "suture": sct("129758008", "Calcified suture material"),
    "amorphous": sct("129760005", "Amorphous calcification"),
    "coarse_heterogeneous": sct("129763007", "Heterogeneous calcification"),
    "fine_pleomorphic": dcm("111344", "Fine pleomorphic calcification"),
    "fine_linear": sct("129761009", "Fine, linear (casting) calcification"),
    "fine_linear_branching": sct("129762002", "Fine linear, branching (casting) calcification"),
    "unclassified": sct("44771000", "Microcalcifications of the breast"),
}
LARGE_UNCLASSIFIED = dcm("111345", "Macrocalcifications")
LARGE_FROM_MM = 0.5

# CID 6012 "Calcification Distribution Modifier".
DISTRIBUTIONS: Mapping[str, Code] = {
    "diffuse": sct("129764001", "Diffuse calcification distribution"),
    "linear": sct("129765000", "Linear calcification distribution"),
    "grouped": sct("129766004", "Grouped calcification distribution"),
    "regional": sct("129767008", "Regional calcification distribution"),
    "segmental": sct("129768003", "Segmental calcification distribution"),
}

# Codes in SNOMED-RT style, and others of CID 6010, as they stand in older files.
_OLDER_TYPES = {
    "F-01761": "coarse", "F-01762": "dystrophic", "F-01763": "rim", "F-01764": "large_rod_like",
    "F-01765": "milk_of_calcium", "F-01766": "rim", "F-01767": "punctate", "F-01768": "round", "F-01769": "skin",
    "F-0176A": "suture", "F-0176B": "vascular", "F-0176C": "amorphous", "F-0176D": "fine_linear",
    "F-0176E": "fine_linear_branching", "F-0176F": "coarse_heterogeneous", "129754005": "rim",
}  # fmt: skip
_OLDER_DISTRIBUTIONS = {
    "F-01770": "diffuse", "F-01771": "linear", "F-01772": "grouped", "F-01773": "regional", "F-01774": "segmental",
}  # fmt: skip
TYPE_OF_CODE: Mapping[str, str] = {
    **{code.value: label for label, code in CALCIFICATION_TYPES.items()},
    **_OLDER_TYPES,
}
DISTRIBUTION_OF_CODE: Mapping[str, str] = {
    **{code.value: distribution for distribution, code in DISTRIBUTIONS.items()},
    **_OLDER_DISTRIBUTIONS,
}


def calcification_type(label: str, length_mm: float | None) -> Code:
    """The descriptor of a calcification of CID 6010."""
    if label == "unclassified" and length_mm is not None and length_mm >= LARGE_FROM_MM:
        return LARGE_UNCLASSIFIED
    return CALCIFICATION_TYPES[label]


# CID 6022 "Side".
SIDES: Mapping[str, Code] = {
    "L": sct("80248007", "Left breast"),
    "R": sct("73056007", "Right breast"),
}
SIDE_OF_CODE: Mapping[str, str] = {"80248007": "L", "T-04030": "L", "73056007": "R", "T-04020": "R"}

_VIEW_MEANINGS: Mapping[str, str] = {
    "CC": "cranio-caudal",
    "MLO": "medio-lateral oblique",
    "ML": "medio-lateral",
    "LM": "latero-medial",
    "LMO": "latero-medial oblique",
    "FB": "caudo-cranial",
    "SIO": "superolateral to inferomedial oblique",
    "ISO": "inferomedial to superolateral oblique",
    "XCCL": "cranio-caudal exaggerated laterally",
    "XCCM": "cranio-caudal exaggerated medially",
    "SPECIMEN": "tissue specimen from breast",
}
# CID 4014 "View for Mammography"; a view that is no member of it is not stated.
VIEW_CODES: Mapping[str, Code] = {
    view: sct(codes[0], _VIEW_MEANINGS[view]) for codes, view in VIEWS.items() if view in _VIEW_MEANINGS
}
VIEW_OF_CODE: Mapping[str, str] = {code: view for codes, view in VIEWS.items() for code in codes}
# CID 4015 "View Modifier for Mammography".
MODIFIER_CODES: Mapping[str, Code] = {meaning: sct(codes[0], meaning) for codes, meaning in MODIFIERS.items()}
MODIFIER_OF_CODE: Mapping[str, str] = {
    code: meaning for codes, meaning in MODIFIERS.items() for code in codes
}

INDIVIDUAL_CALCIFICATION = sct("129770007", "Individual Calcification")
CALCIFICATION_CLUSTER = sct("129769006", "Calcification Cluster")
OLDER_FINDINGS = {"F-01776": INDIVIDUAL_CALCIFICATION.value, "F-01775": CALCIFICATION_CLUSTER.value}

# CID 6034 "Intended Use of CAD Output".
REQUIRED = dcm("111150", "Presentation Required: Rendering device is expected to present")
OPTIONAL = dcm("111151", "Presentation Optional: Rendering device may present")

LENGTH = sct("410668003", "Length")
WIDTH = sct("103355008", "Width")
DIAMETER = sct("81827009", "Diameter")
LONG_AXIS = sct("103339001", "Long Axis")
AREA = sct("42798000", "Area")

MILLIMETRE = Code("mm", "UCUM", "millimeter")
SQUARE_MILLIMETRE = Code("mm2", "UCUM", "Square millimeter")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")
