"""Which way stored values run, and what they are proportional to."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from mammocalc.read.mammogram import Intent

if TYPE_CHECKING:
    from mammocalc.read.header import Header


# Digital Mammography and Breast Projection X-Ray Image Storage - For Processing.
RAW_CLASSES = ("1.2.840.10008.5.1.4.1.1.1.2.1", "1.2.840.10008.5.1.4.1.1.13.1.5")


class Polarity(NamedTuple):
    """`dense_is_bright`: a higher stored value is more attenuation. The rest as in `Mammogram`."""

    dense_is_bright: bool
    intent: Intent
    linear_in_exposure: bool


def polarity(header: Header, frame: int = 0) -> Polarity:
    """Decide the polarity once, from every attribute that has a say.

    Raw images: PixelIntensityRelationshipSign speaks of the stored values themselves and decides; without
    it, as for all other images, what is displayed bright is dense: MONOCHROME1 and PresentationLUTShape
    INVERSE state the same one inversion, a falling modality transformation (negative rescale slope) turns
    it round.
    """
    stated = header.text("PresentationIntentType")
    intent: Intent = "UNKNOWN"
    if stated in ("FOR PROCESSING", "FOR PRESENTATION"):
        intent = "FOR PROCESSING" if stated == "FOR PROCESSING" else "FOR PRESENTATION"
    elif header.uid("SOPClassUID") in RAW_CLASSES:
        intent = "FOR PROCESSING"

    raw = intent == "FOR PROCESSING"
    # Enhanced projection images state the relationship frame by frame.
    places = [header, *header.groups("FramePixelDataPropertiesSequence", frame)]
    relationship = next(
        (found for place in places if (found := place.text("PixelIntensityRelationship"))), ""
    )
    signs = (place.integer("PixelIntensityRelationshipSign") for place in places)
    sign = next((found for found in signs if found is not None), None)
    linear = raw and relationship in ("LIN", "")
    if raw and sign in (-1, 1):
        return Polarity(sign == -1, intent, linear)
    dark_is_bright = header.text("PhotometricInterpretation") == "MONOCHROME1"
    dark_is_bright |= header.text("PresentationLUTShape") == "INVERSE"
    return Polarity(dark_is_bright == _modality_falls(header, frame), intent, linear)


def _modality_falls(header: Header, frame: int) -> bool:
    """Whether a higher stored value has a lower modality value."""
    for item in header.items("ModalityLUTSequence"):
        words = item.data("LUTData")  # as OW; as US they come as numbers
        table = struct.unpack(f"<{len(words) // 2}H", words[: len(words) // 2 * 2]) or item.numbers("LUTData")
        if len(table) > 1:
            return table[-1] < table[0]
    groups = header.groups("PixelValueTransformationSequence", frame)
    slope = next((found for group in groups if (found := group.number("RescaleSlope"))), None)
    slope = slope or header.number("RescaleSlope")
    return slope is not None and slope < 0
