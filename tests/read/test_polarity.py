"""Bright must mean dense, decided exactly once."""

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mammocalc.read import read

RAW = {"PresentationIntentType": "FOR PROCESSING"}


def falling_table(vr):
    ds = Dataset()
    ds.LUTDescriptor = [4, 0, 16]
    table = [4095, 2000, 1000, 0]
    ds.add_new("LUTData", vr, table if vr == "US" else struct.pack("<4H", *table))
    ds.ModalityLUTType = "US"
    return ds


@pytest.mark.parametrize(
    ("elements", "dense_is_bright"),
    [
        ({}, True),
        ({"PhotometricInterpretation": "MONOCHROME1"}, False),
        ({"PresentationLUTShape": "INVERSE"}, False),
        # Both state the same inversion.
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, False),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "IDENTITY"}, True),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, False),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095, "PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"RescaleSlope": 1, "RescaleIntercept": 0}, True),
        ({"ModalityLUTSequence": [falling_table("US")]}, False),
        ({"ModalityLUTSequence": [falling_table("OW")]}, False),
        # The sign is defined on stored values, and for raw images nothing else is as sure.
        ({**RAW, "PixelIntensityRelationshipSign": 1}, False),
        ({**RAW, "PixelIntensityRelationshipSign": -1}, True),
        ({**RAW, "PixelIntensityRelationshipSign": 1, "PhotometricInterpretation": "MONOCHROME1"}, False),
        ({**RAW, "PixelIntensityRelationshipSign": -1, "RescaleSlope": -1, "RescaleIntercept": 0}, True),
        ({**RAW, "PhotometricInterpretation": "MONOCHROME1"}, False),
        # For presentation, what is displayed decides.
        ({"PixelIntensityRelationshipSign": 1}, True),
        ({"PixelIntensityRelationshipSign": 1, "PhotometricInterpretation": "MONOCHROME1"}, False),
    ],
)
def test_dense_is_bright(dicom_file, breast, elements, dense_is_bright):
    mammogram = read(dicom_file(**elements))
    assert mammogram.dense_is_bright is dense_is_bright
    assert np.array_equal(mammogram.pixels, breast())  # nothing is inverted here


@pytest.mark.parametrize(
    ("elements", "intent", "linear"),
    [
        ({}, "FOR PRESENTATION", False),
        ({"PixelIntensityRelationship": "LIN"}, "FOR PRESENTATION", False),
        (RAW, "FOR PROCESSING", True),
        ({**RAW, "PixelIntensityRelationship": "LIN"}, "FOR PROCESSING", True),
        ({**RAW, "PixelIntensityRelationship": "LOG"}, "FOR PROCESSING", False),
        ({"PresentationIntentType": None}, "UNKNOWN", False),
        (
            {"PresentationIntentType": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"},
            "FOR PROCESSING",
            True,
        ),
    ],
)
def test_intent(dicom_file, elements, intent, linear):
    mammogram = read(dicom_file(**elements))
    assert (mammogram.intent, mammogram.linear_in_exposure) == (intent, linear)
