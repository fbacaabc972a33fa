"""Which DICOM objects are mammograms to be searched, and what the others are called when they are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mammocalc.errors import SkippedInput, UnreadableInput
from mammocalc.read.view import view_of

if TYPE_CHECKING:
    from mammocalc.read.header import Header

_STORAGE = "1.2.840.10008.5.1.4.1.1."
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
MAMMOGRAPHY = frozenset(_STORAGE + end for end in ("1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5"))
# Digitised film, storage phosphor and exports: mammograms only where the header says so.
GENERAL_RADIOGRAPHY = frozenset(
    _STORAGE + end for end in ("1", "1.1", "1.1.1", "7", "7.2", "7.3", "12.1", "12.1.1", "12.2", "12.2.1")
)
SECONDARY_CAPTURE = _STORAGE + "7"
_NOT_IMAGES = {
    MEDIA_DIRECTORY: "a DICOMDIR (a directory of files, not an image)",
    _STORAGE + "66": "raw data",
    _STORAGE + "66.4": "a segmentation",
    _STORAGE + "104.1": "an encapsulated PDF",
}
_NOT_IMAGE_FAMILIES = {
    _STORAGE + "11.": "a presentation state",
    _STORAGE + "88.": "a structured report",
    _STORAGE + "9.": "a waveform",
    _STORAGE + "481.": "a radiotherapy object",
    _STORAGE + "104.": "an encapsulated document",
}
# PS3.3 C.7.3.1.1.1.
_MODALITIES = frozenset(
    """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS
    KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE
    RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XC
    """.split()  # noqa: SIM905 (a list of them would be as long as the rest of the file)
)
_FILM_MODALITIES = frozenset(("MG", "RG", "CR", "DX", "OT", "SC", ""))


def admit(header: Header, sop_class: str, tags_of_sco: bool) -> None:
    """Let a mammogram pass.

    Parameters
    ----------
    header : Header
    sop_class : str
        SOP class of the data set, or of the file's meta information where the data set has none.
    tags_of_sco : bool
        Whether private elements of the kind that hold hidden tomosynthesis slices were seen.

    Raises
    ------
    SkippedInput
        When the object is sound but nothing to be searched; the text says what it is.
    UnreadableInput
        When it has no SOP class: the file is cut short or is no DICOM image.
    """
    if not sop_class:
        raise UnreadableInput("no SOP class in the header: the file is cut short or is not a DICOM image")
    if what := _NOT_IMAGES.get(sop_class):
        raise SkippedInput(f"not an image: {what}")
    for start, what in _NOT_IMAGE_FAMILIES.items():
        if sop_class.startswith(start):
            raise SkippedInput(f"not an image: {what}")
    if sop_class == SECONDARY_CAPTURE and tags_of_sco:
        raise SkippedInput(
            "a secondary capture that hides tomosynthesis slices in private elements (Hologic SCO): "
            "export it as Breast Tomosynthesis objects"
        )
    modality = header.text("Modality")
    if sop_class in MAMMOGRAPHY:
        return
    if sop_class not in GENERAL_RADIOGRAPHY:
        raise SkippedInput(f"not a mammogram (modality {_shown(modality)})")
    if modality == "MG":
        return
    if modality not in _FILM_MODALITIES:
        raise SkippedInput(f"not a mammogram (modality {_shown(modality)})")
    if "BREAST" not in header.text("BodyPartExamined") and not view_of(header):
        raise SkippedInput(
            f"modality {_shown(modality)} without a sign of being a mammogram "
            "(modality MG, BodyPartExamined BREAST, or a mammography view)"
        )


def refuse_colour(header: Header) -> None:
    """Let grey-scale images pass.

    Raises
    ------
    SkippedInput
        When the image has several samples a pixel, a palette, or a colour space.
    UnreadableInput
        When the photometric interpretation is missing or unknown.
    """
    photometric = header.text("PhotometricInterpretation")
    samples = header.integer("SamplesPerPixel")
    family = "YBR" if photometric.startswith("YBR") else photometric
    if family in ("RGB", "YBR", "PALETTE COLOR", "HSV", "ARGB", "CMYK"):
        raise SkippedInput(f"a colour image ({family}), not a mammogram")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableInput("the photometric interpretation is neither MONOCHROME1 nor MONOCHROME2")
    if samples not in (1, None):
        raise SkippedInput(f"an image of {samples} samples a pixel, not a mammogram")


def _shown(modality: str) -> str:
    """A modality fit to print: one that there is, so that nothing else put there gets out."""
    if not modality:
        return "not stated"
    return modality if modality in _MODALITIES else "unknown"
