"""Which attribute the pixel spacing is taken from, and when it is refused."""

import pytest

from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.read import read

NONE = {"ImagerPixelSpacing": None}


@pytest.mark.parametrize(
    ("elements", "mm", "source"),
    [
        ({}, 0.07, "ImagerPixelSpacing"),
        (
            {"EstimatedRadiographicMagnificationFactor": 1.75, "DistanceSourceToDetector": 660},
            0.04,
            "ImagerPixelSpacing/EstimatedRadiographicMagnificationFactor",
        ),
        (
            {"DistanceSourceToDetector": 700, "DistanceSourceToPatient": 350},
            0.035,
            "ImagerPixelSpacing/(DistanceSourceToDetector/DistanceSourceToPatient)",
        ),
        # A distance that was never entered must not scale anything.
        ({"DistanceSourceToDetector": 700, "DistanceSourceToPatient": 0}, 0.07, "ImagerPixelSpacing"),
        ({"DistanceSourceToDetector": 700, "DistanceSourceToPatient": 7}, 0.07, "ImagerPixelSpacing"),
        ({"EstimatedRadiographicMagnificationFactor": 0}, 0.07, "ImagerPixelSpacing"),
        ({"PixelSpacing": [0.065, 0.065]}, 0.07, "ImagerPixelSpacing"),
        (
            {"PixelSpacing": [0.065, 0.065], "PixelSpacingCalibrationType": "GEOMETRY"},
            0.065,
            "PixelSpacing (GEOMETRY)",
        ),
        (
            {
                "PixelSpacing": [0.06, 0.06],
                "PixelSpacingCalibrationType": "FIDUCIAL",
                "EstimatedRadiographicMagnificationFactor": 1.0,
            },
            0.07,
            "ImagerPixelSpacing/EstimatedRadiographicMagnificationFactor",
        ),
        ({**NONE, "PixelSpacing": [0.05, 0.05]}, 0.05, "PixelSpacing"),
        ({"ImagerPixelSpacing": [0, 0], "PixelSpacing": [0.05, 0.05]}, 0.05, "PixelSpacing"),
        ({**NONE, "NominalScannedPixelSpacing": [0.043, 0.043], "SpatialResolution": 0.2}, 0.043, "Nominal"),
        ({**NONE, "SpatialResolution": ".05"}, 0.05, "SpatialResolution"),
        ({"ImagerPixelSpacing": [0.07, 0.0702]}, 0.0701, "ImagerPixelSpacing"),
    ],
)
def test_order_of_sources(dicom_file, elements, mm, source):
    mammogram = read(dicom_file(**elements))
    assert mammogram.pixel_spacing_mm == pytest.approx(mm)
    assert mammogram.spacing_source.startswith(source)
    # What is given is for files that do not state it.
    assert read(dicom_file(**elements), pixel_spacing_mm=0.2).pixel_spacing_mm == pytest.approx(mm)


def test_given_spacing_is_the_fallback(dicom_file):
    mammogram = read(dicom_file(**NONE), pixel_spacing_mm=0.05)
    assert (mammogram.pixel_spacing_mm, mammogram.spacing_source) == (0.05, "given")


def test_no_spacing_says_what_to_do(dicom_file):
    with pytest.raises(UnreadableInput, match="no pixel spacing in the header: give --pixel-spacing MM"):
        read(dicom_file(**NONE))


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"ImagerPixelSpacing": [0.07, 0.08]}, r"not square \(0.07 x 0.08 mm, ImagerPixelSpacing\)"),
        ({"ImagerPixelSpacing": [0.7, 0.7]}, r"0.7 x 0.7 mm \(ImagerPixelSpacing\) is outside 0.01 to 0.5"),
        ({"ImagerPixelSpacing": [0.001, 0.001]}, "0.001 x 0.001 mm .* outside"),
    ],
)
def test_unlikely_spacing_is_refused(dicom_file, elements, message):
    with pytest.raises(UnreadableInput, match=message):
        read(dicom_file(**elements))


def test_given_spacing_does_not_hide_oblong_pixels(dicom_file):
    with pytest.raises(UnreadableInput, match=r"not square \(PixelAspectRatio 2:1"):
        read(dicom_file(**NONE, PixelAspectRatio=[2, 1]), pixel_spacing_mm=0.05)


@pytest.mark.parametrize("given", [0, 5, -0.1, float("nan"), "0.07", True])
def test_impossible_given_spacing_is_a_wrong_parameter(dicom_file, given):
    with pytest.raises(InvalidParameter, match="pixel_spacing_mm"):
        read(dicom_file(), pixel_spacing_mm=given)


def test_a_malformed_spacing_is_none(dicom_file, breast):
    data = dicom_file(ImagerPixelSpacing=["0.070", "0.070"]).read_bytes()
    path = dicom_file()
    path.write_bytes(data.replace(b"0.070\\0.070", b"0.070\\abcde"))
    with pytest.raises(UnreadableInput, match="no pixel spacing"):
        read(path)
