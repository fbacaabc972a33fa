"""Side and projection of a mammogram, from the coded attributes first, then from the plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mammocalc.read.header import Header

# CID 4014 "View for Mammography": SNOMED CT and the older SNOMED-RT style code of each view.
VIEWS = {
    ("399162004", "R-10242"): "CC",
    ("399368009", "R-10226"): "MLO",
    ("399260004", "R-10224"): "ML",
    ("399352003", "R-10228"): "LM",
    ("399099002", "R-10230"): "LMO",
    ("399196006", "R-10244"): "FB",
    ("399188001", "R-102D0"): "SIO",
    ("441555000", "R-40AAA"): "ISO",
    ("399265009", "R-102CF"): "XCC",
    ("399192008", "R-1024A", "Y-X1770"): "XCCL",
    ("399101009", "R-1024B", "Y-X1771"): "XCCM",
    ("127457009", "G-8310"): "SPECIMEN",
}

# CID 4015 "View Modifier for Mammography".
MODIFIERS = {
    ("399163009", "R-102D6"): "Magnification",
    ("399055006", "R-102D7"): "Spot Compression",
    ("399209000", "R-102D5"): "Implant Displaced",
    ("399161006", "R-102D2"): "Cleavage",
    ("399011000", "R-102D1"): "Axillary Tail",
    ("442580003", "R-40AB2"): "Axillary Tissue",
    ("399197002", "R-102D3"): "Rolled Lateral",
    ("399226006", "R-102D4"): "Rolled Medial",
    ("414493004", "R-102CA"): "Rolled Inferior",
    ("415670009", "R-102C9"): "Rolled Superior",
    ("399110001", "R-102C2"): "Tangential",
    ("442581004", "R-40AB3"): "Nipple in Profile",
    ("441752004", "P2-00161"): "Anterior Compression",
    ("442593008", "R-40ABE"): "Infra-mammary Fold",
}

_VIEW_OF_CODE = {code: view for codes, view in VIEWS.items() for code in codes}
_MODIFIER_OF_CODE = {code: meaning for codes, meaning in MODIFIERS.items() for code in codes}
_PLAIN_VIEWS = frozenset(VIEWS.values()) | {"AT", "CV", "TAN"}


def view_of(header: Header) -> str:
    """``"CC"``, ``"MLO"``, ... or ``""``: ViewCodeSequence, else ViewPosition, else PatientOrientation."""
    for item in header.items("ViewCodeSequence"):
        if view := _VIEW_OF_CODE.get(_code(item)):
            return view
    # Some digitised film sets (CBIS-DDSM) state the view as the patient's orientation.
    for plain in (header.text("ViewPosition"), *header.texts("PatientOrientation")):
        if plain in _PLAIN_VIEWS:
            return plain
    return ""


def view_modifiers_of(header: Header) -> tuple[str, ...]:
    """Meanings of the view's modifiers in file order, those of CID 4015 only."""
    modifiers = [
        _MODIFIER_OF_CODE.get(_code(modifier), "")
        for view in header.items("ViewCodeSequence")
        for modifier in view.items("ViewModifierCodeSequence")
    ]
    return tuple(meaning for meaning in modifiers if meaning)


def laterality_of(header: Header, frame: int = 0) -> str:
    """``"L"``, ``"R"`` or ``""``: ImageLaterality, else Laterality, else that of the frame's anatomy."""
    for plain in (header.text("ImageLaterality"), header.text("Laterality")):
        if plain in ("L", "R"):
            return plain
    for anatomy in header.groups("FrameAnatomySequence", frame):
        if (plain := anatomy.text("FrameLaterality")) in ("L", "R"):
            return plain
    return ""


def _code(item: Header) -> str:
    return item.text("CodeValue") or item.text("LongCodeValue")
