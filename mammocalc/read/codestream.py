"""What a compressed frame says of itself in its first bytes, read without decoding it."""

from __future__ import annotations

import struct
from typing import NamedTuple

# Start-of-frame markers of ITU-T T.81 (JPEG) and T.87 (JPEG-LS); DHT, JPG and DAC lie between them.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_STANDALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
_LONGEST_MARKERS = 4096
_J2K_START = b"\xff\x4f\xff\x51"
END_MARKER = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000


class Codestream(NamedTuple):
    """Size and depth declared in a stream; `process` is JPEG's start-of-frame marker, 0x51 for JPEG 2000."""

    rows: int
    columns: int
    samples: int
    bits: int
    process: int


def jpeg_codestream(data: bytes) -> Codestream | None:
    """Declared size of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2), None where it has none."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    for _ in range(_LONGEST_MARKERS):
        if len(data) < at + 4 or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker in _JPEG_FRAMES:
            if len(data) < at + 10:
                return None
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            return Codestream(rows, columns, samples, bits, marker)
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def jpeg2000_codestream(data: bytes) -> Codestream | None:
    """Declared size of a JPEG 2000 stream (ITU-T T.800 A.5.1), bare or in a JP2 file, else None."""
    at = data[:4096].find(_J2K_START)
    if at < 0 or len(data) < at + 43:
        return None
    right, bottom, left, top = struct.unpack_from(">4L", data, at + 8)
    samples, depth = struct.unpack_from(">HB", data, at + 40)
    return Codestream(bottom - top, right - left, samples, (depth & 0x7F) + 1, 0x51)


def has_end(data: bytes) -> bool:
    """Whether the stream's end marker is there, up to padding: one cut short has lost it."""
    return data[-64:].rstrip(b"\0").endswith(END_MARKER)
