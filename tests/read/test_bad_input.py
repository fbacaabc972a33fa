"""Broken, cut and hostile files: one clear line each, quickly, with nothing of the file in it."""

import logging
import os
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pydicom.encaps import encapsulate

from mammocalc.errors import SkippedInput, UnreadableInput
from mammocalc.read import ReadLimits, count_frames, identify, read, read_frames

EXPLICIT, DEFLATED, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG_LS, JPEG_2000, JPEG_LOSSLESS = (f"1.2.840.10008.1.2.4.{k}" for k in (80, 90, 70))


def write(path, data):
    path.write_bytes(data)
    return path


def error_of(path):
    try:
        read(path)
    except (UnreadableInput, SkippedInput) as error:
        return error
    return None


@pytest.mark.parametrize(
    ("name", "data", "kind", "message"),
    [
        ("a.dcm", b"", UnreadableInput, r"an empty file \(0 bytes\)"),
        ("b.dcm", b"\0" * 4096, UnreadableInput, "although its name says so"),
        ("c.png", b"no image at all", UnreadableInput, "although its name says so"),
        ("notes.txt", b"no image at all", SkippedInput, "not a DICOM, PNG, TIFF or PGM file"),
        ("d", b"\0" * 128 + b"DICM", UnreadableInput, "inside its header: it is cut short"),
        ("e", b"\0" * 128 + b"DICM" + b"\xff" * 3000, UnreadableInput, "no SOP class"),
    ],
)
def test_not_an_image(tmp_path, name, data, kind, message):
    with pytest.raises(kind, match=message):
        read(write(tmp_path / name, data))


def test_missing_file_folder_pipe_and_impossible_name(tmp_path):
    with pytest.raises(UnreadableInput, match="no such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(UnreadableInput, match="a folder"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SkippedInput, match="not a regular file"):
        read(tmp_path / "pipe")
    with pytest.raises(UnreadableInput, match="invalid file name"):
        read("nul\0byte")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read(tmp_path / "loop")


def test_the_file_is_named_beside_the_reason(tmp_path):
    """The text alone goes into tables, which have a column for the path; who calls from Python sees both."""
    path = write(tmp_path / "empty.dcm", b"")
    for attempt in (read, count_frames, lambda source: list(read_frames(source))):
        with pytest.raises(UnreadableInput, match="an empty file") as caught:
            attempt(path)
        assert str(path) not in str(caught.value)
        assert caught.value.__notes__ == [f"file: {path}"]


def test_cut_anywhere(dicom_file, breast, syntax):
    """No prefix of a file is read as an image, none raises anything but the two typed errors."""
    data = dicom_file(breast(rows=24, columns=20), syntax, 12).read_bytes()
    path = dicom_file()
    # The last bytes of an encapsulated file are its delimiter, and padding.
    for length in [*range(0, len(data) - 16, max(1, len(data) // 150)), len(data) - 17]:
        with pytest.raises((UnreadableInput, SkippedInput), match=r"\A.+\nfile: .+\Z"):
            read(write(path, data[:length]))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "SOPClassUID", "BitsAllocated", "PixelData"])
def test_missing_elements(dicom_file, dataset, keyword):
    ds = dataset()
    delattr(ds, keyword)
    path = dicom_file()
    ds.file_meta.MediaStorageSOPClassUID = ""
    ds.save_as(path)
    messages = {
        "SOPClassUID": "no SOP class",
        "PixelData": "no pixel data",
        "BitsAllocated": "unknown bits are allocated",
    }
    for source in (path, ds):
        with pytest.raises(UnreadableInput, match=messages.get(keyword, "no rows or columns")):
            read(source)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": 97}, "13580 bytes of pixels are declared, 13440 are there: cut short"),
        ({"Rows": 90}, "12600 bytes of pixels are declared, 13440 are there"),
        ({"BitsAllocated": 32}, "32 bits are allocated"),
        ({"BitsStored": 17}, "17 bits stored"),
        ({"HighBit": 3}, "12 bits stored with high bit 3"),
    ],
)
def test_declared_and_real_size_differ(dicom_file, elements, message):
    with pytest.raises(UnreadableInput, match=message):
        read(dicom_file(**elements))


def test_a_trailing_row_less_than_one_is_forgiven(dicom_file, dataset, breast):
    ds = dataset()
    ds.PixelData += b"\0" * 20
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    assert np.array_equal(read(path).pixels, breast())


def test_warnings_do_not_escape(dicom_file):
    """Values out of range for their representation make pydicom warn; users get the image."""
    path = dicom_file(Laterality="L")
    data = (
        path.read_bytes()
        .replace(b"1.2.3.4\0", b"1.2.x.4\0")
        .replace(b"FOR PRESENTATION", b"for presentation")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(write(path, data)).sop_instance_uid == ""


def test_threads_leave_the_warning_filters_as_they_were(dicom_file):
    path = dicom_file()
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: read(path), range(60)))
    assert warnings.filters == before
    assert not logging.getLogger("pydicom").disabled


def test_nothing_is_logged(dicom_file, caplog):
    path = dicom_file()
    broken = path.read_bytes().replace(b"1.2.3.4\0", b"1.2.x.4\0")
    caplog.clear()  # pydicom may have had something to say when it wrote the file
    read(write(path, broken))
    assert caplog.records == []


def test_compressed_size_differs_from_the_header(dicom_file, breast):
    """Refused from the stream's own header, before a decoder allocates what it says."""
    for syntax, name in ((JPEG_LS, "JPEG-LS"), (JPEG_2000, "JPEG 2000"), (JPEG_LOSSLESS, "JPEG Lossless")):
        path = dicom_file(breast(rows=40, columns=30), syntax, 12, Rows=41)
        with pytest.raises(
            UnreadableInput, match=f"{name} stream is 40 x 30 pixels, the header says 41 x 30"
        ):
            read(path)


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_LOSSLESS])
def test_a_stream_that_claims_65500_squared_costs_nothing(dicom_file, dataset, breast, syntax):
    from pydicom.encaps import get_frame

    ds = dataset(pixels=breast(), syntax=syntax)
    stream = bytearray(get_frame(ds.PixelData, 0, number_of_frames=1))
    for marker in (b"\xff\xc3", b"\xff\xf7"):
        if (at := stream.find(marker)) >= 0:
            stream[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    ds.PixelData = encapsulate([bytes(stream)])
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    tracemalloc.start()
    with pytest.raises(UnreadableInput, match="65500 x 65500"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_stream_of_another_kind(dicom_file, dataset, breast):
    ds = dataset(pixels=breast(), syntax=JPEG_LS)
    ds.file_meta.TransferSyntaxUID = JPEG_LOSSLESS
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    with pytest.raises(UnreadableInput, match="not a JPEG Lossless stream"):
        read(path)


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_2000, JPEG_LOSSLESS])
def test_a_stream_without_its_end(dicom_file, dataset, breast, syntax):
    from pydicom.encaps import get_frame

    ds = dataset(pixels=breast(), syntax=syntax)
    stream = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([stream[: len(stream) // 2]])
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    with pytest.raises(UnreadableInput, match="has no end: the file is cut short"):
        read(path)


def test_damaged_htj2k_is_noticed_or_decoded_to_the_end(dicom_file, dataset, breast):
    """A decoder that gives up halfway must say so: rows of zeros would pass for background."""
    from pydicom.encaps import get_frame

    ds = dataset(pixels=breast(rows=200, columns=150) // 2 + 500, syntax="1.2.840.10008.1.2.4.201")
    sound = get_frame(ds.PixelData, 0, number_of_frames=1)
    generator = np.random.default_rng(3)
    path, noticed = dicom_file(), 0
    for _ in range(40):
        stream = bytearray(sound)
        for at in generator.integers(150, len(sound) - 10, 4):
            stream[at] = generator.integers(256)
        ds.PixelData = encapsulate([bytes(stream)])
        ds.save_as(path, enforce_file_format=True)
        if error_of(path):
            noticed += 1
        else:
            assert read(path).pixels[-1].any()
    assert noticed >= 5


def test_deflate_bomb(dicom_file, breast):
    data = dicom_file(breast(), DEFLATED, 12).read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    header = zlib.decompress(data[start:], -15)
    packer = zlib.compressobj(9, wbits=-15)
    # A private element of 400 MB in front of everything else.
    bomb = packer.compress(struct.pack("<HH2sHL", 0x0005, 0x1010, b"OB", 0, 400_000_000))
    for _ in range(400):
        bomb += packer.compress(bytes(1_000_000))
    bomb += packer.compress(header) + packer.flush()
    path = dicom_file()
    write(path, data[:start] + bomb)
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(UnreadableInput, match="inflate to more than 50 MB"):
        read(path, limits=ReadLimits(inflated_megabytes=50))
    assert tracemalloc.get_traced_memory()[1] < 120e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"NumberOfFrames": 5000}, "5000 frames are declared, the limit is 1000"),
        ({"Rows": 65535, "Columns": 65535}, "4295 megapixels"),
        (
            {"NumberOfFrames": 900, "Rows": 10000, "Columns": 10000},
            "180000000000 bytes of pixels are declared",
        ),
    ],
)
def test_headers_that_declare_too_much(dicom_file, elements, message):
    path = dicom_file(**elements)
    tracemalloc.start()
    with pytest.raises(UnreadableInput, match=message):
        next(read_frames(path))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_tiny_rle_stream_for_a_large_image(dicom_file, dataset, breast):
    ds = dataset(pixels=breast(rows=24, columns=20), syntax=RLE)
    ds.Rows = ds.Columns = 10000
    path = dicom_file()
    ds.save_as(path, enforce_file_format=True)
    with pytest.raises(UnreadableInput, match="RLE stream is too short"):
        read(path)


def test_large_file_limit(dicom_file):
    with pytest.raises(UnreadableInput, match="a file of 2 MB, the limit is 1 MB"):
        read(dicom_file(np.zeros((1000, 1000), np.uint16)), limits=ReadLimits(file_megabytes=1))


def test_nested_sequences_without_end(dicom_file):
    """A thousand sequences inside each other end in a typed error, not in a stack overflow."""
    data = dicom_file().read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    opening = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    path = dicom_file()
    write(path, data[:start] + opening * 20_000 + data[start:])
    with pytest.raises(UnreadableInput, match="header is damaged"):
        read(path)


def test_length_beyond_the_file(dicom_file):
    data = dicom_file().read_bytes()
    at = data.index(struct.pack("<HH2s", 0x0018, 0x5101, b"CS"))
    broken = data[:at] + struct.pack("<HH2sHL", 0x0018, 0x5101, b"UN", 0, 0xFFFFFFF0) + data[at + 10 :]
    path = dicom_file()
    with pytest.raises(UnreadableInput, match="no pixel data: the file is cut short"):
        read(write(path, broken))


def test_no_patient_data_in_any_message(dicom_file, syntax, breast):
    """Planted name and number come back in no message, wherever the file is broken."""
    data = dicom_file(breast(rows=24, columns=20), syntax, 12).read_bytes()
    path = dicom_file()
    generator = np.random.default_rng(5)
    for _ in range(60):
        broken = bytearray(data)
        for at in generator.integers(132, len(data), 8):
            broken[at] = generator.integers(256)
        error = error_of(write(path, bytes(broken)))
        assert "planted" not in str(error).lower()
        assert error is None or error.__suppress_context__ or error.__context__ is None


def test_checking_does_not_decode(dicom_file, breast, monkeypatch):
    import imagecodecs

    path = dicom_file(breast(), JPEG_2000, 12)
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", None)
    assert count_frames(path) == 1
    with pytest.raises(UnreadableInput, match="damaged"):
        read(path)


def test_identify(tmp_path, dicom_file):
    assert identify(dicom_file()) == "dicom"
    for name, start, kind in (
        ("p", b"\x89PNG\r\n\x1a\n", "png"),
        ("t", b"II*\0", "tiff"),
        ("u", b"MM\0*", "tiff"),
        ("g", b"P5 3 3", "pgm"),
        ("x", b"P55", None),
        ("y", b"", None),
        ("z", b"\x08\0\0\0text that is none", None),
    ):
        assert identify(write(tmp_path / name, start)) == kind
