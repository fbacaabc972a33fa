"""PNG, TIFF and PGM images: stored values only, so the spacing must be given."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import SkippedInput, UnreadableInput
from mammocalc.read.limits import ReadLimits
from mammocalc.read.quiet import quiet

RasterFormat = Literal["png", "tiff", "pgm"]
_SINGLE_CHANNEL_PNG = 0
_PGM_HEADER = re.compile(rb"P([25])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
_LONGEST_PGM_HEADER = 65536
_TIFF_WHITE_IS_ZERO, _TIFF_BLACK_IS_ZERO = 0, 1


@dataclass(frozen=True)
class RasterImage:
    """A raster file whose size was checked; `decode` turns one frame into stored values."""

    path: Path
    kind: RasterFormat
    rows: int
    columns: int
    bits: int
    frames: int = 1
    dense_is_bright: bool = True
    header_length: int = 0
    plain: bool = False

    def frame(self, index: int) -> NDArray[np.uint16]:
        """Stored values of frame `index` (0-based), shape (rows, columns), C-contiguous and writable.

        Raises
        ------
        UnreadableInput
            When the pixels are damaged or cut short.
        """
        try:
            with quiet():
                pixels = _DECODE[self.kind](self, index)
        except Exception:
            raise UnreadableInput(f"the {self.kind.upper()} image is damaged or cut short") from None
        if pixels.shape != (self.rows, self.columns) or pixels.dtype not in (np.uint8, np.uint16):
            raise UnreadableInput(f"the {self.kind.upper()} image is damaged or cut short")
        if int(pixels.max()) >= 1 << self.bits:
            raise UnreadableInput(f"the {self.kind.upper()} image has values above the largest it declares")
        return np.require(pixels.astype(np.uint16, copy=False), requirements=["C", "W"])


def open_raster(path: Path, kind: RasterFormat, limits: ReadLimits) -> RasterImage:
    """Read the header of a raster file and check it without decoding.

    Raises
    ------
    SkippedInput
        When it is a colour image.
    UnreadableInput
        When it is damaged, of an unsuitable depth, or beyond the limits.
    """
    try:
        with quiet():
            image = _OPEN[kind](path)
    except (SkippedInput, UnreadableInput):
        raise
    except Exception:
        raise UnreadableInput(f"the header of the {kind.upper()} image is damaged or cut short") from None
    megapixels = image.rows * image.columns / 1e6
    if min(image.rows, image.columns) < 1:
        raise UnreadableInput("the image has no pixels")
    if megapixels > limits.frame_megapixels:
        raise UnreadableInput(f"{megapixels:.0f} megapixels, the limit is {limits.frame_megapixels:g}")
    if image.frames > limits.frames:
        raise UnreadableInput(f"{image.frames} pages, the limit is {limits.frames}")
    return image


def _refuse_depth(bits: int) -> None:
    if bits not in (8, 16):
        raise UnreadableInput(f"{bits} bits a pixel, 8 or 16 are read")


def _open_png(path: Path) -> RasterImage:
    with path.open("rb") as stream:
        head = stream.read(33)
    columns, rows, bits, colour = struct.unpack_from(">LLBB", head, 16)
    if head[12:16] != b"IHDR":
        raise UnreadableInput("the header of the PNG image is damaged or cut short")
    if colour != _SINGLE_CHANNEL_PNG:
        raise SkippedInput("a colour, palette or transparent PNG, not a mammogram: convert it to grey first")
    _refuse_depth(bits)
    return RasterImage(path, "png", rows, columns, bits)


def _decode_png(image: RasterImage, index: int) -> NDArray[Any]:
    from imagecodecs import png_decode

    return png_decode(image.path.read_bytes())


def _open_tiff(path: Path) -> RasterImage:
    from tifffile import TiffFile

    with TiffFile(path) as file:
        page = file.pages.first
        if len(page.shape) != 2 or page.photometric not in (_TIFF_WHITE_IS_ZERO, _TIFF_BLACK_IS_ZERO):
            raise SkippedInput("a colour or palette TIFF, not a mammogram: convert it to grey first")
        if page.sampleformat != 1:
            raise UnreadableInput("the pixels of the TIFF image are not unsigned whole numbers")
        _refuse_depth(page.bitspersample)
        rows, columns = (int(side) for side in page.shape)  # a damaged tag may hold several numbers
        bright = page.photometric != _TIFF_WHITE_IS_ZERO
        return RasterImage(path, "tiff", rows, columns, page.bitspersample, len(file.pages), bright)


def _decode_tiff(image: RasterImage, index: int) -> NDArray[Any]:
    from tifffile import TiffFile

    with TiffFile(image.path) as file:
        page = file.pages[index]
        if page.shape != (image.rows, image.columns):
            raise UnreadableInput("the pages of the TIFF image differ in size")
        return page.asarray(maxworkers=1)


def _open_pgm(path: Path) -> RasterImage:
    with path.open("rb") as stream:
        match = _PGM_HEADER.match(stream.read(_LONGEST_PGM_HEADER))
    if match is None:
        raise UnreadableInput("the header of the PGM image is damaged or cut short")
    columns, rows, largest = (int(number) for number in match.groups()[1:])
    if not 1 <= largest <= 65535:
        raise UnreadableInput(f"largest grey value {largest}: 1 to 65535 can be read")
    return RasterImage(
        path, "pgm", rows, columns, largest.bit_length(), header_length=match.end(), plain=match[1] == b"2"
    )


def _decode_pgm(image: RasterImage, index: int) -> NDArray[Any]:
    count = image.rows * image.columns
    if image.plain:
        return np.array(image.path.read_bytes()[image.header_length :].split()[:count], np.uint16).reshape(
            image.rows, image.columns
        )
    kind = np.dtype(">u2" if image.bits > 8 else "u1")
    pixels = np.fromfile(image.path, kind, count, offset=image.header_length)
    return pixels.reshape(image.rows, image.columns).astype(np.uint16)


_OPEN = {"png": _open_png, "tiff": _open_tiff, "pgm": _open_pgm}
_DECODE = {"png": _decode_png, "tiff": _decode_tiff, "pgm": _decode_pgm}
