"""Pixel spacing in the object plane: which attribute tells it, and whether it can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mammocalc.errors import InvalidParameter, UnreadableInput

if TYPE_CHECKING:
    from mammocalc.read.header import Header

SMALLEST_MM, LARGEST_MM = 0.01, 0.5
LARGEST_ANISOTROPY = 0.01
# A magnification view stands at most this far from the detector; anything else is a distance entered wrongly.
LARGEST_MAGNIFICATION = 3.0
ADVICE = "give --pixel-spacing MM (pixel_spacing_mm=...)"


class Spacing(NamedTuple):
    """Side of a pixel in the object plane, mm, and the attribute it came from."""

    mm: float
    source: str


def check_given_spacing(pixel_spacing_mm: float | None) -> None:
    """Hold a spacing given by the caller to the range of mammography.

    Raises
    ------
    InvalidParameter
        When it lies outside 0.01 to 0.5 mm or is not a number.
    """
    if pixel_spacing_mm is None:
        return
    if isinstance(pixel_spacing_mm, bool) or not isinstance(pixel_spacing_mm, (int, float)):
        raise InvalidParameter(f"pixel_spacing_mm: a number is needed, got {pixel_spacing_mm!r}")
    if not SMALLEST_MM <= pixel_spacing_mm <= LARGEST_MM:
        raise InvalidParameter(
            f"pixel_spacing_mm: {pixel_spacing_mm!r} is outside {SMALLEST_MM} to {LARGEST_MM} mm"
        )


def pixel_spacing(header: Header, frame: int = 0, given_mm: float | None = None) -> Spacing:
    """Pixel spacing of one frame, from the first attribute that tells it.

    The order: the frame's pixel measures; ImagerPixelSpacing, brought from the detector into the object plane
    by the magnification factor or the two distances; PixelSpacing; NominalScannedPixelSpacing;
    SpatialResolution; `given_mm`. A calibrated PixelSpacing goes before an ImagerPixelSpacing whose
    magnification is not known.

    Raises
    ------
    UnreadableInput
        When nothing tells it, pixels are not square within 1 %, or it lies outside 0.01 to 0.5 mm.
    """
    found = _stated(header, frame)
    if found is None:
        if given_mm is None:
            raise UnreadableInput(f"no pixel spacing in the header: {ADVICE}")
        found = (given_mm, given_mm), "given"
        aspect = header.numbers("PixelAspectRatio")
        if len(aspect) == 2 and min(aspect) > 0 and _anisotropy(aspect[0], aspect[1]) > LARGEST_ANISOTROPY:
            raise UnreadableInput(
                f"pixels are not square (PixelAspectRatio {aspect[0]:g}:{aspect[1]:g}): resample first"
            )
    (row_mm, column_mm), source = found
    if not (SMALLEST_MM <= row_mm <= LARGEST_MM and SMALLEST_MM <= column_mm <= LARGEST_MM):
        raise UnreadableInput(
            f"pixel spacing {row_mm:g} x {column_mm:g} mm ({source}) "
            f"is outside {SMALLEST_MM} to {LARGEST_MM} mm"
        )
    if _anisotropy(row_mm, column_mm) > LARGEST_ANISOTROPY:
        raise UnreadableInput(
            f"pixels are not square ({row_mm:g} x {column_mm:g} mm, {source}): resample first"
        )
    return Spacing(row_mm if row_mm == column_mm else (row_mm + column_mm) / 2, source)


def _anisotropy(a: float, b: float) -> float:
    return abs(a - b) / max(a, b)


def _stated(header: Header, frame: int) -> tuple[tuple[float, float], str] | None:
    for measures in header.groups("PixelMeasuresSequence", frame):
        if pair := _pair(measures, "PixelSpacing"):
            return pair, "PixelMeasuresSequence/PixelSpacing"

    calibration = header.text("PixelSpacingCalibrationType")
    calibration = calibration if calibration in ("GEOMETRY", "FIDUCIAL") else ""
    at_patient = _pair(header, "PixelSpacing")
    # Enhanced projection images state the detector's spacing frame by frame.
    places = [header, *header.groups("FramePixelDataPropertiesSequence", frame)]
    if at_detector := next((pair for place in places if (pair := _pair(place, "ImagerPixelSpacing"))), None):
        magnification, name = _magnification(header)
        if name:
            in_object = at_detector[0] / magnification, at_detector[1] / magnification
            return in_object, f"ImagerPixelSpacing/{name}"
        if not (at_patient and calibration):
            return at_detector, "ImagerPixelSpacing"
    if at_patient:
        return at_patient, f"PixelSpacing ({calibration})" if calibration else "PixelSpacing"
    if scanned := _pair(header, "NominalScannedPixelSpacing"):
        return scanned, "NominalScannedPixelSpacing"
    if (resolution := header.number("SpatialResolution")) and resolution > 0:
        return (resolution, resolution), "SpatialResolution"
    return None


def _pair(header: Header, keyword: str) -> tuple[float, float] | None:
    """Row and column spacing; zeros and a wrong count are no spacing at all."""
    found = header.numbers(keyword)
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None


def _magnification(header: Header) -> tuple[float, str]:
    """Radiographic magnification and the attribute that tells it; 1 and an empty name where none does."""
    factor = header.number("EstimatedRadiographicMagnificationFactor")
    if factor is not None and 1 <= factor <= LARGEST_MAGNIFICATION:
        return factor, "EstimatedRadiographicMagnificationFactor"
    to_detector = header.number("DistanceSourceToDetector")
    to_patient = header.number("DistanceSourceToPatient")
    if to_detector and to_patient and 1 <= to_detector / to_patient <= LARGEST_MAGNIFICATION:
        return to_detector / to_patient, "(DistanceSourceToDetector/DistanceSourceToPatient)"
    return 1.0, ""
