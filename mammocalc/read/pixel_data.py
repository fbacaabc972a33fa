"""Where pixel data lie in a stream, and one frame's bytes out of them."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import get_frame

from mammocalc.errors import UnreadableInput
from mammocalc.read.decode import FrameFormat
from mammocalc.read.quiet import quiet

_MOST_FRAGMENTS = 1_000_000
# Bytes of a frame from which on threads save more than they cost.
_WORTH_PARTING = 4_000_000


@dataclass(frozen=True)
class PixelData:
    """The value of Pixel Data: its first byte, its length (None: encapsulated), and the end of the stream.

    `words` is False where the element's value representation is bytes (OB).
    """

    stream: BinaryIO
    start: int
    length: int | None
    end: int
    words: bool = True


def native_frame(
    data: PixelData, form: FrameFormat, index: int, little_endian: bool, threads: int = 1
) -> NDArray[Any]:
    """Pixels of an uncompressed frame, in native byte order, in memory of their own.

    `threads` is how many parts of a file are read at once.

    Returns
    -------
    ndarray of uint8 or uint16, shape (rows, columns)

    Raises
    ------
    UnreadableInput
        When the stream ends before the last pixel.
    """
    order = "<" if little_endian else ">"
    kind = np.dtype(f"{order}u{form.bits_allocated // 8}")
    count = form.rows * form.columns
    start = data.start + index * form.nbytes
    data.stream.seek(start)
    if isinstance(data.stream, io.BytesIO):
        pixels = np.frombuffer(bytearray(data.stream.read(form.nbytes)), kind)
    elif threads > 1 and form.nbytes >= _WORTH_PARTING and hasattr(os, "preadv"):
        pixels = _read_in_parts(data.stream.fileno(), start, np.empty(count, kind), threads)
    else:
        pixels = np.fromfile(data.stream, kind, count)
    if pixels.size != count:
        raise UnreadableInput("the pixel data end before the last pixel: the file is cut short")
    if kind.itemsize == 1 and not little_endian and data.words and count % 2 == 0:
        # 8-bit pixels sent as big-endian words come in swapped pairs (PS3.5 8.1.1).
        pixels = pixels.reshape(-1, 2)[:, ::-1].ravel()
    if not pixels.dtype.isnative:
        pixels = pixels.byteswap(inplace=True).view(pixels.dtype.newbyteorder("="))
    return pixels.reshape(form.rows, form.columns)


def _read_in_parts(file: int, start: int, pixels: NDArray[Any], threads: int) -> NDArray[Any]:
    """Fill an array from a file that is open; as many values of it as there are bytes.

    The copy into fresh memory is what takes time, and one thread does not use all that memory can give.
    """
    from mammocalc_kernels.compile import bands, run_each

    target = pixels.view(np.uint8).data

    def read_part(part: tuple[int, int]) -> int:
        return os.preadv(file, [target[slice(*part)]], start + part[0])

    found = run_each(read_part, bands(len(target), threads), threads)
    return pixels[: sum(found) // pixels.itemsize]


def encapsulated_frame(
    data: PixelData, index: int, frames: int, extended_offsets: tuple[bytes, bytes]
) -> bytes:
    """The compressed stream of frame `index` (0-based), its fragments joined; only that frame is read.

    Raises
    ------
    UnreadableInput
        When a fragment runs past the end, or there are fewer fragments than frames.
    """
    fragments = _check_fragments(data)
    if fragments < frames:
        raise UnreadableInput(f"{frames} frames are declared, {fragments} are there: the file is cut short")
    complete = bool(extended_offsets[0]) and len(extended_offsets[0]) == len(extended_offsets[1])
    data.stream.seek(data.start)
    try:
        with quiet():
            return get_frame(
                data.stream,
                index,
                number_of_frames=frames,
                extended_offsets=extended_offsets if complete else None,
            )
    except Exception:
        raise UnreadableInput(f"frame {index} cannot be found: the offset table is damaged") from None


def _check_fragments(data: PixelData) -> int:
    """Walk the items without reading them: each must end inside the stream. Returns their number.

    A missing delimiter is forgiven where the last item ends with the stream.
    """
    at = data.start
    for number in range(_MOST_FRAGMENTS):
        data.stream.seek(at)
        head = data.stream.read(8)
        group, element, length = struct.unpack("<HHL", head) if len(head) == 8 else (0, 0, 0)
        if at == data.end or (group, element) == (0xFFFE, 0xE0DD):
            return number - 1  # the first item is the offset table
        if (group, element) != (0xFFFE, 0xE000):
            raise UnreadableInput("the pixel data are damaged: a fragment does not start where it should")
        at += 8 + length
        if at > data.end:
            raise UnreadableInput("a fragment of the pixel data runs past the end: the file is cut short")
    raise UnreadableInput(f"more than {_MOST_FRAGMENTS} fragments of pixel data")
