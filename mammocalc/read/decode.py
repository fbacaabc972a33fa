"""From one frame's bytes to its stored values, for every transfer syntax mammograms are sent in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import UnreadableInput
from mammocalc.read.codestream import Codestream, has_end, jpeg2000_codestream, jpeg_codestream

_HUFFMAN_DCT = frozenset((0xC0, 0xC1, 0xC2))
_HUFFMAN_LOSSLESS = frozenset((0xC3,))
_JPEG_LS = frozenset((0xF7,))
_JPEG_2000 = frozenset((0x51,))
_STORED_TYPES = (np.uint8, np.int8, np.uint16, np.int16)
# PackBits turns 2 bytes into at most 128.
_LARGEST_RLE_RATIO = 64


class FrameFormat(NamedTuple):
    """How the pixels of one frame are stored (PS3.3 C.7.6.3): all but the compression."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def nbytes(self) -> int:
        """Size of one native frame."""
        return self.rows * self.columns * self.bits_allocated // 8


Decoder = Callable[[bytes, FrameFormat, int], NDArray[Any]]


@dataclass(frozen=True)
class TransferSyntax:
    """A transfer syntax: its name, the header's encoding, and the decoder of a frame (None: native data)."""

    name: str
    decode: Decoder | None = None
    implicit: bool = False
    little_endian: bool = True
    deflated: bool = False
    lossy: bool = False


def _check_declared(
    data: bytes, form: FrameFormat, found: Codestream | None, processes: frozenset[int], name: str
) -> None:
    """Refuse a stream that is not what the header says, before anything is allocated for it."""
    if found is None:
        raise UnreadableInput(f"the {name} stream has no readable header")
    if found.process not in processes:
        raise UnreadableInput(f"the pixel data are not a {name} stream, as the transfer syntax says they are")
    if found.samples != 1:
        raise UnreadableInput(f"the {name} stream holds {found.samples} colour components, one is needed")
    if (found.rows, found.columns) != (form.rows, form.columns):
        raise UnreadableInput(
            f"the {name} stream is {found.rows} x {found.columns} pixels, "
            f"the header says {form.rows} x {form.columns}"
        )
    if found.bits > 16:
        raise UnreadableInput(f"the {name} stream has {found.bits} bits a pixel, at most 16 are read")
    if not has_end(data):
        raise UnreadableInput(f"the {name} stream has no end: the file is cut short")


def _jpeg(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    from imagecodecs import jpeg8_decode

    _check_declared(data, form, jpeg_codestream(data), _HUFFMAN_DCT, "JPEG")
    return jpeg8_decode(data)


def _jpeg_lossless(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    from imagecodecs import jpeg8_decode

    _check_declared(data, form, jpeg_codestream(data), _HUFFMAN_LOSSLESS, "JPEG Lossless")
    return jpeg8_decode(data)


def _jpeg_ls(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    from imagecodecs import jpegls_decode

    _check_declared(data, form, jpeg_codestream(data), _JPEG_LS, "JPEG-LS")
    return jpegls_decode(data)


def _jpeg_2000(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    from imagecodecs import jpeg2k_decode

    _check_declared(data, form, jpeg2000_codestream(data), _JPEG_2000, "JPEG 2000")
    return jpeg2k_decode(data, numthreads=threads)


def _htj2k(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    # Through OpenJPEG: the faster OpenJPH hands out zeros for what it fails to decode, without an error.
    from imagecodecs import jpeg2k_decode

    _check_declared(data, form, jpeg2000_codestream(data), _JPEG_2000, "High-Throughput JPEG 2000")
    return jpeg2k_decode(data, numthreads=threads)


def _rle(data: bytes, form: FrameFormat, threads: int) -> NDArray[Any]:
    from imagecodecs import dicomrle_decode

    segments = form.bits_allocated // 8
    if len(data) < 64 or struct.unpack_from("<L", data)[0] != segments:
        raise UnreadableInput(f"the RLE stream does not hold the {segments} segments that this depth needs")
    if len(data) * _LARGEST_RLE_RATIO < form.nbytes:
        raise UnreadableInput("the RLE stream is too short for the declared number of pixels")
    out = bytearray(form.nbytes)
    written = dicomrle_decode(data, f"<u{segments}", out=out)
    if len(written) != form.nbytes:
        raise UnreadableInput("the RLE stream ends before the last pixel: the file is cut short")
    return np.frombuffer(out, f"<u{segments}").reshape(form.rows, form.columns)


TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": TransferSyntax("Implicit VR Little Endian", implicit=True),
    "1.2.840.10008.1.2.1": TransferSyntax("Explicit VR Little Endian"),
    "1.2.840.10008.1.2.1.99": TransferSyntax("Deflated Explicit VR Little Endian", deflated=True),
    "1.2.840.10008.1.2.2": TransferSyntax("Explicit VR Big Endian", little_endian=False),
    "1.2.840.10008.1.2.4.50": TransferSyntax("JPEG Baseline", _jpeg, lossy=True),
    "1.2.840.10008.1.2.4.51": TransferSyntax("JPEG Extended", _jpeg, lossy=True),
    "1.2.840.10008.1.2.4.57": TransferSyntax("JPEG Lossless", _jpeg_lossless),
    "1.2.840.10008.1.2.4.70": TransferSyntax("JPEG Lossless SV1", _jpeg_lossless),
    "1.2.840.10008.1.2.4.80": TransferSyntax("JPEG-LS Lossless", _jpeg_ls),
    "1.2.840.10008.1.2.4.81": TransferSyntax("JPEG-LS Near-lossless", _jpeg_ls, lossy=True),
    "1.2.840.10008.1.2.4.90": TransferSyntax("JPEG 2000 Lossless", _jpeg_2000),
    "1.2.840.10008.1.2.4.91": TransferSyntax("JPEG 2000", _jpeg_2000, lossy=True),
    "1.2.840.10008.1.2.4.201": TransferSyntax("HTJ2K Lossless", _htj2k),
    "1.2.840.10008.1.2.4.202": TransferSyntax("HTJ2K Lossless RPCL", _htj2k),
    "1.2.840.10008.1.2.4.203": TransferSyntax("HTJ2K", _htj2k, lossy=True),
    "1.2.840.10008.1.2.5": TransferSyntax("RLE Lossless", _rle),
}


def decode_frame(data: bytes, form: FrameFormat, syntax: TransferSyntax, threads: int = 1) -> NDArray[Any]:
    """Decode one compressed frame.

    Parameters
    ----------
    data : bytes
        The frame's stream, its fragments joined.
    form : FrameFormat
    syntax : TransferSyntax
        One that compresses pixel data.
    threads : int
        Used by the JPEG 2000 decoder only; the pixels do not depend on it.

    Returns
    -------
    ndarray of uint8, int8, uint16 or int16, shape (rows, columns)

    Raises
    ------
    UnreadableInput
        When the stream is damaged, cut short, or is not of the size and kind the header says.
    """
    assert syntax.decode is not None
    try:
        pixels = syntax.decode(data, form, threads)
    except UnreadableInput:
        raise
    except Exception:
        # What a decoder has to say may quote the file; the kind of failure is enough.
        raise UnreadableInput(f"the {syntax.name} stream is damaged and cannot be decoded") from None
    if pixels.shape != (form.rows, form.columns) or pixels.dtype not in _STORED_TYPES:
        raise UnreadableInput(f"the {syntax.name} stream decodes to something other than the header says")
    return pixels


def stored_values(
    pixels: NDArray[Any], form: FrameFormat, syntax: TransferSyntax, threads: int = 1
) -> NDArray[np.uint16]:
    """Bring decoded values to unsigned 16-bit in the order of the stored ones.

    Bits outside ``bits_stored`` (old overlays live there) are dropped, lossy values that overshoot the range
    are clipped to it; signed data are shifted by ``2**(bits_stored - 1)``. Works in place where it can.

    Parameters
    ----------
    pixels : ndarray of uint8, int8, uint16 or int16, shape (rows, columns)
        Writable, native byte order.
    form : FrameFormat
    syntax : TransferSyntax
    threads : int
        The values do not depend on it.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        C-contiguous and writable.
    """
    if pixels.dtype.itemsize == 1:
        pixels = pixels.astype(np.int16 if pixels.dtype.kind == "i" else np.uint16)
    pixels = np.require(pixels, requirements=["C", "W"])
    values = pixels.view(np.uint16)
    # Compressed streams hold the stored bits alone, with no gap below them.
    below = form.high_bit + 1 - form.bits_stored if syntax.decode is None else 0
    if below:
        np.right_shift(values, below, out=values)
    top = (1 << form.bits_stored) - 1
    half = (top + 1) >> 1
    if top < 0xFFFF and syntax.lossy:
        low, high = (-half, half - 1) if pixels.dtype.kind == "i" else (0, top)
        np.clip(pixels, low, high, out=pixels)
    if top < 0xFFFF and _greatest(values, threads) > top:
        np.bitwise_and(values, np.uint16(top), out=values)
    if form.signed:
        np.bitwise_xor(values, np.uint16(half), out=values)
    return values


def _greatest(values: NDArray[np.uint16], threads: int) -> int:
    if threads == 1:
        return int(values.max())
    from mammocalc_kernels.compile import run_bands

    return max(run_bands(lambda first, end: int(values[first:end].max()), len(values), threads))
