"""Bits, padding and overlays: what is a stored value and what is not."""

import numpy as np
import pytest

from mammocalc.read import read


def test_bits_above_the_stored_ones_are_dropped(dicom_file, breast):
    overlay = np.zeros((96, 70), np.uint16)
    overlay[10:20] = 0x8000
    found = read(dicom_file(breast() | overlay, bits=12))
    assert np.array_equal(found.pixels, breast())


def test_a_higher_high_bit_is_brought_down(dicom_file, breast):
    found = read(dicom_file(breast(bits=12) << 4, bits=12, HighBit=15))
    assert np.array_equal(found.pixels, breast(bits=12))


def test_signed_with_bits_above(dicom_file, breast):
    """Sign extension to 16 bits and its absence store the same 12-bit value."""
    signed = breast(bits=12).astype(np.int16) - 2048
    extended = read(dicom_file(signed, bits=12))
    cut = read(dicom_file((signed.view(np.uint16) & 0xFFF).view(np.int16), bits=12))
    assert np.array_equal(extended.pixels, breast(bits=12))
    assert np.array_equal(cut.pixels, breast(bits=12))


@pytest.mark.parametrize(
    ("elements", "padding"),
    [
        ({}, None),
        ({"PixelPaddingValue": 0}, (0, 0)),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 30}, (0, 30)),
        ({"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4000}, (4000, 4095)),
        ({"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 65535}, (4000, 4095)),
        ({"PixelPaddingValue": 65535}, None),
    ],
)
def test_padding(dicom_file, elements, padding):
    assert read(dicom_file(**elements)).padding == padding


def test_padding_of_signed_data_is_shifted_with_them(dicom_file, breast):
    signed = breast(bits=12).astype(np.int16) - 2048
    path = dicom_file(signed, bits=12, PixelPaddingValue=-2048, PixelPaddingRangeLimit=-2000)
    found = read(path)
    assert found.padding == (0, 48)
    assert found.pixels[0, 0] == 0


def test_eight_bit_pixels_in_big_endian_words(dicom_file, dataset, breast):
    pixels = breast(bits=8)
    ds = dataset(pixels=pixels, syntax="1.2.840.10008.1.2.2", bits=8)
    ds.PixelData = pixels.reshape(-1, 2)[:, ::-1].tobytes()
    ds["PixelData"].VR = "OW"
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    # pydicom swaps no words on writing, so the bytes above are what lies in the file.
    assert np.array_equal(read(path).pixels, pixels)
