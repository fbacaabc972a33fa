"""Which stored values are padding around the image, not image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mammocalc.read.decode import FrameFormat
    from mammocalc.read.header import Header


def padding_range(header: Header, form: FrameFormat) -> tuple[int, int] | None:
    """Inclusive range of padding values from PixelPaddingValue and PixelPaddingRangeLimit, or None.

    Values of signed data are shifted as the pixels are. A padding value that cannot occur is none.
    """
    value = header.integer("PixelPaddingValue")
    if value is None:
        return None
    limit = header.integer("PixelPaddingRangeLimit")
    first, last = sorted((value, value if limit is None else limit))
    values = 1 << form.bits_stored
    if form.signed:
        # The value may have been written as the unsigned number of the same bits.
        first, last = sorted((end - 65536 if end > 32767 else end) + values // 2 for end in (first, last))
    if last < 0 or first >= values:
        return None
    return max(first, 0), min(last, values - 1)
