"""Side, view and modifiers, and the code tables behind them."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from mammocalc.read import Mammogram, read
from mammocalc.read.view import MODIFIERS, VIEWS


def code(value, scheme="SCT", meaning="anything", **elements):
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    for keyword, item in elements.items():
        setattr(ds, keyword, item)
    return ds


def test_tables_hold_every_code_of_the_standard():
    for context_group, table in (("cid4014", VIEWS), ("cid4015", MODIFIERS)):
        group = getattr(codes, context_group)
        known = {value for values in table for value in values}
        assert {getattr(group, name).value for name in group.dir()} <= known


def test_modifier_meanings_are_those_of_the_standard():
    group = codes.cid4015
    standard = {getattr(group, name).value: getattr(group, name).meaning.lower() for name in group.dir()}
    assert {values[0]: meaning.lower() for values, meaning in MODIFIERS.items()} == standard


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({"ViewCodeSequence": [code("399368009")], "ViewPosition": "CC"}, "MLO"),
        ({"ViewCodeSequence": [code("R-10226", "SRT")], "ViewPosition": None}, "MLO"),
        ({"ViewCodeSequence": [code("R-10242", "SNM3")], "ViewPosition": None}, "CC"),
        ({"ViewCodeSequence": [code("12345")], "ViewPosition": "XCCL"}, "XCCL"),
        ({"ViewPosition": "mlo "}, "MLO"),
        ({"ViewPosition": "Somebody^Jane"}, ""),
        ({"ViewPosition": None, "PatientOrientation": "CC"}, "CC"),
        ({"ViewPosition": None, "PatientOrientation": ["A", "R"]}, ""),
        ({"ViewPosition": None}, ""),
    ],
)
def test_view(dicom_file, elements, view):
    assert read(dicom_file(**elements)).view == view


def test_view_modifiers_are_kept(dicom_file):
    modifiers = [code("R-102D6", "SRT"), code("399055006", meaning="Jane Somebody"), code("1")]
    path = dicom_file(ViewCodeSequence=[code("399162004", ViewModifierCodeSequence=modifiers)])
    assert read(path).view_modifiers == ("Magnification", "Spot Compression")


@pytest.mark.parametrize(
    ("elements", "side"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, "R"),
        ({"ImageLaterality": None, "Laterality": "L"}, "L"),
        ({"ImageLaterality": "B"}, ""),
        ({"ImageLaterality": None}, ""),
    ],
)
def test_laterality(dicom_file, elements, side):
    assert read(dicom_file(**elements)).laterality == side


def test_a_mammogram_says_in_short_what_it_is():
    pixels = np.zeros((30, 20), np.uint16)
    image = Mammogram(pixels, 0.07, "given", laterality="R", view="MLO", view_modifiers=("Magnification",))
    assert repr(image) == "<Mammogram R MLO Magnification: 30 x 20 px of 0.07 mm, UNKNOWN>"
    assert (
        repr(Mammogram(pixels, 0.1, "given", frame=3))
        == "<Mammogram, frame 3: 30 x 20 px of 0.1 mm, UNKNOWN>"
    )
