"""Folders of inputs for runs over many files: stubs, synthetic mammograms, and files that are bad in many ways."""

from __future__ import annotations

import random
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Of small breasts with room for everything that is drawn; full images only take longer.
ROWS, COLUMNS = 900, 640
DEFLATED = b"1.2.840.10008.1.2.1.99\0"


def stub_files(folder: Path, inputs: int, words: str = "n=5") -> Path:
    """Text files that say what is to become of them, a thousand a folder."""
    for k in range(inputs):
        file = folder / "inputs" / f"{k // 1000:04}" / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"stub {words}\n{k}")
    return folder / "inputs"


def mammograms(count: int) -> list[bytes]:
    """Different synthetic mammograms: raw and processed, MLO and CC, compressed and not."""
    from mammocalc.phantom import PhantomSettings, make
    from mammocalc.write.dicom import write_mammogram

    files = []
    for k in range(count):
        settings = PhantomSettings(
            rows=ROWS,
            columns=COLUMNS,
            view=("MLO", "CC")[k % 2],
            intent=("FOR PRESENTATION", "FOR PROCESSING")[k // 2 % 2],
        )
        with tempfile.NamedTemporaryFile() as file:
            image = make(k, settings=settings).mammogram
            write_mammogram(image, file.name, transfer_syntax=("native", "jpeg-lossless")[k // 3 % 2])
            files.append(Path(file.name).read_bytes())
    return files


def tomosynthesis(path: Path, frames: int, rows: int = ROWS, columns: int = COLUMNS) -> None:
    """One multi-frame object, native, written frame by frame."""
    from pydicom.dataset import Dataset, FileMetaDataset

    from mammocalc.phantom import PhantomSettings, make

    image = make(1, settings=PhantomSettings(rows=ROWS, columns=COLUMNS)).mammogram
    pixels = np.tile(image.pixels.min(), (rows, columns)).astype(np.uint16)
    pixels[:ROWS, :COLUMNS] = image.pixels
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.3", "1.2"
    ds.Modality, ds.PresentationIntentType = "MG", image.intent
    ds.ImagerPixelSpacing = [image.pixel_spacing_mm] * 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, image.bits_stored, image.bits_stored - 1
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames, rows, columns
    ds.save_as(path, enforce_file_format=True)
    with path.open("ab") as stream:
        stream.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, pixels.nbytes * frames))
        for _ in range(frames):
            stream.write(pixels.tobytes())


def soak_files(folder: Path, inputs: int) -> tuple[Path, int]:
    """Copies of a few mammograms, one in twenty spoilt or hostile; the folder, and the number of bad ones."""
    originals = mammograms(6)
    bad = 0
    for k in range(inputs):
        file = folder / "inputs" / f"{k % 7}" / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        data = originals[k % len(originals)]
        if k % 20 == 19:
            bad += 1
            data = spoilt(data, k // 20)
        file.write_bytes(data)
    return folder / "inputs", bad


def spoilt(data: bytes, number: int) -> bytes:
    """A mammogram made bad in one of ten ways; which, and where, depends on the number alone."""
    chance = random.Random(number)
    kind = number % 10
    start = 144 + int.from_bytes(data[140:144], "little")  # of the data set
    if kind == 0:  # cut short
        return data[: chance.randrange(len(data))]
    if kind == 1:
        return b""
    if kind == 2:
        return bytes(len(data))
    if kind in (3, 4):  # bits flipped, in the header or anywhere
        broken = bytearray(data)
        for _ in range(200):
            broken[chance.randrange(2000 if kind == 3 else len(data))] ^= 1 << chance.randrange(8)
        return bytes(broken)
    if kind == 5:  # 84 GiB and more
        return _declaring(data, rows=30_000, columns=60_000)
    if kind == 6:  # inflates to half a gigabyte
        return data[:132] + deflate_bomb(500)
    if kind == 7:  # sequences in sequences in sequences
        nest = struct.pack("<HH2sHLHHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
        return data[:start] + nest * 30_000 + data[start:]
    if kind == 8:  # a length beyond the end
        return data[:start] + struct.pack("<HH2sHL", 9, 0x1010, b"OB", 0, 0xFFFFFFF0) + data[start:]
    return b"\x89PNG\r\n\x1a\n" + data[:5000]


def _declaring(data: bytes, rows: int, columns: int) -> bytes:
    for element, value in ((0x0010, rows), (0x0011, columns)):
        head = struct.pack("<HH2sH", 0x0028, element, b"US", 2)
        at = data.index(head) + len(head)
        data = data[:at] + struct.pack("<H", value) + data[at + 2 :]
    return data


def deflate_bomb(megabytes: int) -> bytes:
    """File meta information of a deflated data set, and a data set that inflates to so much."""
    syntax = struct.pack("<HH2sH", 2, 0x0010, b"UI", len(DEFLATED)) + DEFLATED
    head = struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(syntax)) + syntax
    packer = zlib.compressobj(9, wbits=-15)
    parts = [packer.compress(struct.pack("<HH2sHL", 5, 0x1010, b"OB", 0, megabytes * 1_000_000))]
    parts += [packer.compress(bytes(1_000_000)) for _ in range(megabytes)]
    return head + b"".join(parts) + packer.flush()


def names_below(folder: Path) -> Iterator[str]:
    """Relative paths of all files below a folder."""
    return (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
