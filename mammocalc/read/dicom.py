"""One DICOM object: its transfer syntax, its header and where its pixel data lie, nothing decoded yet."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from mammocalc.errors import UnreadableInput
from mammocalc.read.admission import admit, refuse_colour
from mammocalc.read.decode import TRANSFER_SYNTAXES, FrameFormat, TransferSyntax, decode_frame, stored_values
from mammocalc.read.header import Header, wanted_tags
from mammocalc.read.limits import ReadLimits
from mammocalc.read.pixel_data import PixelData, encapsulated_frame, native_frame
from mammocalc.read.quiet import quiet

_UNDEFINED = 0xFFFFFFFF
_PIXEL_DATA = 0x7FE00010
_OTHER_PIXEL_DATA = frozenset((0x7FE00008, 0x7FE00009))  # float, double
_LONG_VALUES = frozenset((b"OB", b"OW", b"UN"))  # of those that Pixel Data is met with
_SCO_GROUP = 0x7E01  # private
_LARGEST_HEADER_VALUE = 64 << 20
_LARGEST_FILE_META = 1 << 20
_INFLATE_STEP = 1 << 20


@dataclass(frozen=True)
class DicomImage:
    """An admitted grey-scale image of known and bounded size."""

    header: Header
    syntax: TransferSyntax
    form: FrameFormat
    frames: int
    pixel_data: PixelData

    def frame(self, index: int, threads: int = 1) -> NDArray[np.uint16]:
        """Stored values of frame `index` (0-based) as `stored_values` returns them.

        Raises
        ------
        UnreadableInput
            When the frame's bytes are missing or damaged.
        """
        if self.syntax.decode is None:
            native = native_frame(self.pixel_data, self.form, index, self.syntax.little_endian, threads)
            return stored_values(native, self.form, self.syntax, threads)
        offsets = self.header.data("ExtendedOffsetTable"), self.header.data("ExtendedOffsetTableLengths")
        stream = encapsulated_frame(self.pixel_data, index, self.frames, offsets)
        pixels = decode_frame(stream, self.form, self.syntax, threads)
        return stored_values(pixels, self.form, self.syntax, threads)


def open_image(stream: BinaryIO, size: int, limits: ReadLimits) -> DicomImage:
    """Read the header of a DICOM file and check everything that can be checked without decoding.

    Parameters
    ----------
    stream : binary file
        Open at its start; must stay open while frames are read.
    size : int
        Its length, bytes.
    limits : ReadLimits

    Raises
    ------
    SkippedInput
        When it is not a mammogram.
    UnreadableInput
        When it is damaged, cut short, of an unknown transfer syntax or beyond the limits.
    """
    try:
        with quiet():
            meta, syntax_uid = _file_meta(stream)
            syntax = _transfer_syntax(syntax_uid)
            if syntax.deflated:
                stream, size = _inflate(stream, limits)
            dataset, seen = _read_header(stream, syntax, wanted_tags())
    except UnreadableInput:
        raise
    except (Exception, RecursionError):
        raise UnreadableInput("the DICOM header is damaged and cannot be read") from None
    header = Header(dataset)
    sop_class = header.uid("SOPClassUID") or Header(meta).uid("MediaStorageSOPClassUID")
    admit(header, sop_class, any(tag >> 16 == _SCO_GROUP for tag in seen))
    if seen & _OTHER_PIXEL_DATA:
        raise UnreadableInput("the pixels are floating-point numbers, not stored values of 8 or 16 bits")
    return _checked(header, syntax, _find_pixel_data(stream, size, syntax), limits)


def image_of_dataset(dataset: Dataset, limits: ReadLimits) -> DicomImage:
    """The same for a data set that is already in memory.

    Raises
    ------
    SkippedInput, UnreadableInput
        As `open_image`.
    """
    header = Header(dataset)
    meta = Header(getattr(dataset, "file_meta", None) or Dataset())
    sop_class = header.uid("SOPClassUID") or meta.uid("MediaStorageSOPClassUID")
    admit(header, sop_class, any(tag >> 16 == _SCO_GROUP for tag in dataset._dict))
    syntax = _transfer_syntax(meta.uid("TransferSyntaxUID") or "1.2.840.10008.1.2.1")
    value = header.data("PixelData")
    if not value:
        raise UnreadableInput("no pixel data")
    length = None if syntax.decode else len(value)
    return _checked(header, syntax, PixelData(io.BytesIO(value), 0, length, len(value)), limits)


def _transfer_syntax(uid: str) -> TransferSyntax:
    syntax = TRANSFER_SYNTAXES.get(uid)
    if syntax is None:
        raise UnreadableInput(f"transfer syntax {uid or 'not stated'} is not one that mammograms are read in")
    return syntax


def _file_meta(stream: BinaryIO) -> tuple[Dataset, str]:
    """Group 0002 and the transfer syntax, guessed where there is none; leaves the stream behind the group."""
    stream.seek(0)
    preamble = stream.read(132)
    start = 132 if preamble[128:] == b"DICM" else 0
    stream.seek(start)
    if stream.read(2) != b"\x02\x00":
        stream.seek(start)
        return Dataset(), _guessed_syntax(stream)
    stream.seek(start)
    meta = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, vr, length: tag >> 16 != 2,
        defer_size=_LARGEST_FILE_META,
    )
    return meta, Header(meta).uid("TransferSyntaxUID") or _guessed_syntax(stream)


def _guessed_syntax(stream: BinaryIO) -> str:
    """Native syntax of a data set without file meta information, from its first element."""
    start = stream.tell()
    first = stream.read(6)
    stream.seek(start)
    if len(first) < 6:
        raise UnreadableInput("the file ends inside its header: it is cut short")
    explicit = first[4:6].isalpha() and first[4:6].isupper()
    if not explicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if first[0] else "1.2.840.10008.1.2.2"


def _inflate(stream: BinaryIO, limits: ReadLimits) -> tuple[BinaryIO, int]:
    """The rest of a deflated file, inflated step by step so that a bomb is noticed before it goes off."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = io.BytesIO()
    largest = limits.inflated_megabytes * 1_000_000
    pending = b""
    while not inflater.eof:
        pending = inflater.unconsumed_tail or stream.read(_INFLATE_STEP)
        if not pending:
            raise UnreadableInput("the deflated data set has no end: the file is cut short")
        out.write(inflater.decompress(pending, _INFLATE_STEP))
        if out.tell() > largest:
            raise UnreadableInput(f"the deflated data inflate to more than {limits.inflated_megabytes} MB")
    size = out.tell()
    out.seek(0)
    return out, size


def read_elements(stream: BinaryIO, tags: Iterable[int], limits: ReadLimits) -> Dataset:
    """Elements of a DICOM file that lie before its pixel data, as they stand there; nothing is judged.

    Parameters
    ----------
    stream : binary file
        Open at its start.
    tags : iterable of int
        Those that are kept; what is absent is left out.
    limits : ReadLimits

    Raises
    ------
    UnreadableInput
        When there is no header to be read.
    """
    try:
        with quiet():
            syntax = _transfer_syntax(_file_meta(stream)[1])
            if syntax.deflated:
                stream, _ = _inflate(stream, limits)
            return _read_header(stream, syntax, tags)[0]
    except UnreadableInput:
        raise
    except (Exception, RecursionError):
        raise UnreadableInput("the DICOM header is damaged and cannot be read") from None


def _read_header(stream: BinaryIO, syntax: TransferSyntax, tags: Iterable[int]) -> tuple[Dataset, set[int]]:
    """The elements `tags` before the pixel data, and the tags of all; leaves the stream at the pixel data."""
    seen: set[int] = set()

    def at_pixel_data(tag: int, vr: str | None, length: int) -> bool:
        seen.add(int(tag))
        return tag == _PIXEL_DATA or tag in _OTHER_PIXEL_DATA

    dataset = read_dataset(
        stream,
        is_implicit_VR=syntax.implicit,
        is_little_endian=syntax.little_endian,
        stop_when=at_pixel_data,
        defer_size=_LARGEST_HEADER_VALUE,
        specific_tags=list(tags),
    )
    return dataset, seen


def _find_pixel_data(stream: BinaryIO, size: int, syntax: TransferSyntax) -> PixelData:
    """Parse the element header at the stream's position, where reading the data set stopped."""
    order = "<" if syntax.little_endian else ">"
    head = stream.read(12)
    start = stream.tell()
    if len(head) < 8 or struct.unpack_from(f"{order}HH", head) != (0x7FE0, 0x0010):
        raise UnreadableInput("no pixel data: the file is cut short, or holds no image")
    if head[4:6] in _LONG_VALUES:
        if len(head) < 12:
            raise UnreadableInput("the file ends at the pixel data: it is cut short")
        (length,) = struct.unpack_from(f"{order}L", head, 8)
    else:
        (length,) = struct.unpack_from(f"{order}L", head, 4)
        start -= len(head) - 8
    return PixelData(stream, start, None if length == _UNDEFINED else length, size, head[4:6] != b"OB")


def _checked(header: Header, syntax: TransferSyntax, pixel_data: PixelData, limits: ReadLimits) -> DicomImage:
    """Hold the declared size to the limits and to the bytes that are there."""
    refuse_colour(header)
    form = _frame_format(header)
    frames = max(1, header.integer("NumberOfFrames") or 1)
    megapixels = form.rows * form.columns / 1e6
    if megapixels > limits.frame_megapixels:
        raise UnreadableInput(
            f"{megapixels:.0f} megapixels a frame, the limit is {limits.frame_megapixels:g}"
        )
    if frames > limits.frames:
        raise UnreadableInput(f"{frames} frames are declared, the limit is {limits.frames}")
    if syntax.decode is None:
        if pixel_data.length is None:
            raise UnreadableInput("the pixel data are encapsulated, against the transfer syntax")
        there = min(pixel_data.length, pixel_data.end - pixel_data.start)
        needed = form.nbytes * frames
        if there < needed:
            raise UnreadableInput(f"{needed} bytes of pixels are declared, {there} are there: cut short")
        if pixel_data.length - needed >= form.columns * form.bits_allocated // 8 + 2:
            raise UnreadableInput(f"{needed} bytes of pixels are declared, {pixel_data.length} are there")
    elif pixel_data.length is not None:
        raise UnreadableInput("the pixel data are not encapsulated, against the transfer syntax")
    return DicomImage(header, syntax, form, frames, pixel_data)


def _frame_format(header: Header) -> FrameFormat:
    rows, columns = header.integer("Rows"), header.integer("Columns")
    if not rows or not columns or min(rows, columns) < 1:
        raise UnreadableInput("no rows or columns in the header: the file is cut short, or holds no image")
    allocated = header.integer("BitsAllocated")
    if allocated not in (8, 16):
        raise UnreadableInput(f"{allocated or 'unknown'} bits are allocated a pixel, 8 or 16 are read")
    stored = header.integer("BitsStored") or allocated
    high = header.integer("HighBit")
    high = stored - 1 if high is None else high
    if not 2 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise UnreadableInput(f"{stored} bits stored with high bit {high} do not fit into {allocated} bits")
    return FrameFormat(rows, columns, allocated, stored, high, header.integer("PixelRepresentation") == 1)
