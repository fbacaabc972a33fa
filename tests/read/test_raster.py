"""PNG, TIFF and PGM: stored values untouched, spacing on request only."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile

from mammocalc.errors import SkippedInput, UnreadableInput
from mammocalc.read import ReadLimits, count_frames, read, read_frames

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def save_png(path, pixels):
    path.write_bytes(imagecodecs.png_encode(pixels))


def save_pgm(path, pixels):
    largest = 255 if pixels.dtype == np.uint8 else 4095
    header = f"P5\n# a comment\n{pixels.shape[1]} {pixels.shape[0]}\n{largest}\n".encode()
    path.write_bytes(header + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes())


def save_tiff(path, pixels):
    tifffile.imwrite(path, pixels, compression="zlib")


SAVE = {"png": save_png, "pgm": save_pgm, "tiff": save_tiff}


@pytest.fixture(params=list(SAVE))
def kind(request):
    return request.param


@pytest.mark.parametrize("bits", [8, 12])
def test_pixels_are_those_of_the_file(tmp_path, breast, kind, bits):
    pixels = breast(bits=bits)
    path = tmp_path / "without_extension"
    SAVE[kind](path, pixels)
    mammogram = read(path, pixel_spacing_mm=0.07)
    assert np.array_equal(mammogram.pixels, pixels)
    assert mammogram.pixels.dtype == np.uint16
    assert mammogram.pixels.flags.c_contiguous
    assert mammogram.pixels.flags.writeable
    assert (mammogram.pixel_spacing_mm, mammogram.spacing_source) == (0.07, "given")
    assert (mammogram.path, mammogram.intent) == (str(path), "UNKNOWN")
    assert mammogram.bits_stored == (bits if kind == "pgm" or bits == 8 else 16)
    assert mammogram.dense_is_bright


def test_spacing_is_asked_for(tmp_path, breast, kind):
    SAVE[kind](tmp_path / "x", breast())
    for reader in (read, count_frames):
        with pytest.raises(UnreadableInput, match=f"{kind.upper()} image does not state .* --pixel-spacing"):
            reader(tmp_path / "x")


def test_cut_short(tmp_path, breast, kind):
    path = tmp_path / "x"
    SAVE[kind](path, breast())
    data = path.read_bytes()
    for length in (9, 30, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableInput, match=f"{kind.upper()} image is damaged or cut short"):
            read(path, pixel_spacing_mm=0.07)


def test_declared_size_is_limited(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"P5 60000 60000 255\n123")
    with pytest.raises(UnreadableInput, match="3600 megapixels, the limit is 120"):
        read(path, pixel_spacing_mm=0.07)
    chunk = struct.pack(">LLBBBBB", 50000, 50000, 16, 0, 0, 0, 0)
    ihdr = struct.pack(">L", 13) + b"IHDR" + chunk + struct.pack(">L", zlib.crc32(b"IHDR" + chunk))
    path.write_bytes(PNG_SIGNATURE + ihdr)
    with pytest.raises(UnreadableInput, match="2500 megapixels"):
        read(path, pixel_spacing_mm=0.07)


def test_a_tiff_whose_width_is_several_numbers_is_refused(tmp_path, breast):
    path = tmp_path / "t"
    save_tiff(path, breast())
    data = path.read_bytes()
    width = struct.pack("<HHLL", 256, 4, 1, breast().shape[1])
    assert width in data
    path.write_bytes(data.replace(width, struct.pack("<HHLL", 256, 4, 2, breast().shape[1])))
    with pytest.raises(UnreadableInput, match="header of the TIFF image is damaged"):
        read(path, pixel_spacing_mm=0.07)


def test_values_above_the_declared_largest_are_refused(tmp_path):
    """Tables downstream have as many places as there are declared values."""
    (tmp_path / "x").write_bytes(b"P5 2 2 15\n\x00\x01\x0f\x10")
    with pytest.raises(UnreadableInput, match="values above the largest it declares"):
        read(tmp_path / "x", pixel_spacing_mm=0.2)


def test_colour_is_skipped(tmp_path, breast):
    colour = np.dstack([breast(bits=8)] * 3)
    save_png(tmp_path / "p", colour)
    tifffile.imwrite(tmp_path / "t", colour, photometric="rgb")
    for name in "pt":
        with pytest.raises(SkippedInput, match="convert it to grey first"):
            read(tmp_path / name, pixel_spacing_mm=0.07)


def test_floating_point_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "t", np.ones((9, 9), np.float32))
    with pytest.raises(UnreadableInput, match="not unsigned whole numbers"):
        read(tmp_path / "t", pixel_spacing_mm=0.07)


def test_what_the_tiff_reader_remarks_on_a_damaged_file_is_not_shown(tmp_path, breast, caplog):
    path = tmp_path / "t"
    save_tiff(path, breast())
    data = path.read_bytes()
    byte_counts = struct.pack("<HH", 279, 4)
    assert byte_counts in data
    path.write_bytes(data.replace(byte_counts, struct.pack("<HH", 279, 99)))
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.shape == breast().shape
    assert "tifffile" in {record.name for record in caplog.records}
    caplog.clear()
    np.testing.assert_array_equal(read(path, pixel_spacing_mm=0.07).pixels, breast())
    assert not caplog.records


def test_tiff_where_white_is_zero(tmp_path, breast):
    tifffile.imwrite(tmp_path / "t", breast(), photometric="miniswhite")
    mammogram = read(tmp_path / "t", pixel_spacing_mm=0.07)
    assert not mammogram.dense_is_bright
    assert np.array_equal(mammogram.pixels, breast())


def test_tiff_pages_are_frames(tmp_path, breast):
    pages = np.stack([breast(seed=k) for k in range(3)])
    tifffile.imwrite(tmp_path / "t", pages, photometric="minisblack")
    found = list(read_frames(tmp_path / "t", pixel_spacing_mm=0.07))
    assert [m.frame for m in found] == [0, 1, 2]
    assert all(np.array_equal(m.pixels, page) for m, page in zip(found, pages, strict=True))
    with pytest.raises(UnreadableInput, match="3 pages, the limit is 2"):
        count_frames(tmp_path / "t", pixel_spacing_mm=0.07, limits=ReadLimits(frames=2))


def test_plain_pgm(tmp_path):
    (tmp_path / "x").write_bytes(b"P2 3 2 15\n0 1 2\n13 14 15\n")
    assert read(tmp_path / "x", pixel_spacing_mm=0.2).pixels.tolist() == [[0, 1, 2], [13, 14, 15]]
