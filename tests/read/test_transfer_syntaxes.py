"""Every transfer syntax gives back the pixels that were put in, at every depth it can carry."""

import numpy as np
import pytest

from mammocalc.errors import UnreadableInput
from mammocalc.read import read

DCT = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
DEPTH_OF_DCT = {8, 12}


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_pixels_survive(dicom_file, breast, tolerance, syntax, bits):
    if syntax in DCT and bits not in DEPTH_OF_DCT:
        pytest.skip("the DCT of JPEG carries 8 or 12 bits")
    pixels = breast(bits=bits)
    mammogram = read(dicom_file(pixels, syntax, bits))
    error = np.abs(mammogram.pixels.astype(int) - pixels)
    assert error.max() <= tolerance(syntax, bits)
    assert mammogram.pixels.dtype == np.uint16
    assert mammogram.pixels.flags.c_contiguous
    assert mammogram.pixels.flags.writeable
    assert mammogram.bits_stored == bits


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_values_are_shifted_in_order(dicom_file, breast, tolerance, syntax, bits):
    if syntax in (*DCT, "1.2.840.10008.1.2.4.81"):
        pytest.skip("lossy coding of the bit patterns of signed values makes no sense")
    unsigned = breast(bits=bits)
    signed = (unsigned.astype(np.int32) - (1 << (bits - 1))).astype(np.int8 if bits == 8 else np.int16)
    mammogram = read(dicom_file(signed, syntax, bits))
    assert np.abs(mammogram.pixels.astype(int) - unsigned).max() <= tolerance(syntax, bits)


def test_odd_sizes(dicom_file, breast, tolerance, syntax):
    pixels = breast(rows=37, columns=29, bits=8)
    found = read(dicom_file(pixels, syntax)).pixels
    assert np.abs(found.astype(int) - pixels).max() <= tolerance(syntax, 8)


def test_overshoot_of_lossy_coding_is_clipped_not_wrapped(dicom_file):
    """Near-lossless coding at 16 bits lets 4095 become 4097: masked to 12 bits that would be 1."""
    pixels = np.full((64, 64), 4095, np.uint16)
    pixels[::2, ::3] -= np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)[::2, ::3] % 3
    found = read(dicom_file(pixels, "1.2.840.10008.1.2.4.81", 12)).pixels
    assert found.min() >= 4090


def test_a_data_set_in_memory_reads_as_its_file(dataset, breast, tolerance, syntax):
    bits = 12
    ds = dataset(pixels=breast(bits=bits), syntax=syntax, bits=bits)
    ds.set_original_encoding(False, syntax != "1.2.840.10008.1.2.2")
    found = read(ds)
    assert np.abs(found.pixels.astype(int) - breast(bits=bits)).max() <= tolerance(syntax, bits)
    assert found.path == ""


def test_threads_do_not_change_jpeg_2000(dicom_file, breast):
    path = dicom_file(breast(rows=300, columns=200), "1.2.840.10008.1.2.4.91", 12)
    assert np.array_equal(read(path, threads=1).pixels, read(path, threads=2).pixels)


def test_jpeg_lossless_of_the_other_predictor_syntax_is_read(dicom_file, breast):
    from pydicom.uid import JPEGLossless

    path = dicom_file(breast(), "1.2.840.10008.1.2.4.70", 12)
    renamed = path.with_name("renamed")
    renamed.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.70", bytes(JPEGLossless, "ascii")))
    assert np.array_equal(read(renamed).pixels, breast())


def test_unknown_transfer_syntax_is_refused(dicom_file, breast):
    path = dicom_file(breast())
    renamed = path.with_name("mpeg")
    renamed.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))
    with pytest.raises(UnreadableInput, match=r"transfer syntax 1\.2\.840\.10008\.1\.2\.9 is not one"):
        read(renamed)


def test_a_data_set_without_file_meta_information_is_read(dicom_file, breast, tmp_path):
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"):
        data = dicom_file(breast(), syntax, 12).read_bytes()
        meta_length = int.from_bytes(data[140:144], "little")
        bare = tmp_path / f"bare_{syntax}"
        bare.write_bytes(data[144 + meta_length :])
        assert np.array_equal(read(bare).pixels, breast())
