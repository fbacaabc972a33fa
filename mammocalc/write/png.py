"""PNG files of large pictures with few structures, several times faster than general encoders."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUECOLOUR = 2
_UP = 2
_FASTEST = 1


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A picture as a PNG file's bytes, the same for the same picture (ISO/IEC 15948).

    Every row is stored as its difference from the one above, the best of the fixed filters for grey pictures with a few
    coloured lines, and compressed by libdeflate.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        Red, green, blue.
    """
    from imagecodecs import deflate_encode

    height, width, _ = picture.shape
    rows = picture.reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _TRUECOLOUR, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", bytes(deflate_encode(filtered.tobytes(), level=_FASTEST))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
