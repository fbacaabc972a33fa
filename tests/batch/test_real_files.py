"""Real stages on real files: foreign, hostile and multi-frame DICOM, and a synthetic mammogram from file to tables."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom.data
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from mammocalc.batch import BatchLimits, detect_folder
from mammocalc.read import ReadLimits


def dataset(pixels, **elements):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.3", "1.2"
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImagerPixelSpacing = [0.1, 0.1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.NumberOfFrames, ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def test_every_file_that_pydicom_brings_along_has_a_row(detect, tmp_path):
    folder = Path(pydicom.data.__file__).parent
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert len(files) > 150
    summary = detect(folder, tmp_path / "out")
    images = pd.read_parquet(tmp_path / "out" / "images.parquet")
    assert set(images.path) == files
    assert images.path.is_unique
    assert images.reason.ne("").all()
    assert not images.reason.str.contains("internal error").any()
    assert summary.skipped > 150


@pytest.fixture
def hostile(tmp_path):
    """A folder of files that want too much, and one that is harmless."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    pixels = np.zeros((1, 64, 48), np.uint16)
    dataset(pixels).save_as(folder / "harmless", enforce_file_format=True)
    dataset(pixels, NumberOfFrames=5000, Rows=3000, Columns=3000).save_as(
        folder / "84_gib", enforce_file_format=True
    )
    dataset(pixels, Rows=60000, Columns=60000).save_as(folder / "wide", enforce_file_format=True)
    plain = (folder / "harmless").read_bytes()
    start = 144 + int.from_bytes(plain[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(struct.pack("<HH2sHL", 5, 0x1010, b"OB", 0, 300_000_000))
    bomb += b"".join(packer.compress(bytes(1_000_000)) for _ in range(300)) + packer.flush()
    deflated = dataset(pixels)
    deflated.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    deflated.save_as(folder / "bomb", enforce_file_format=True)
    head = (folder / "bomb").read_bytes()
    (folder / "bomb").write_bytes(head[: 144 + int.from_bytes(head[140:144], "little")] + bomb)
    nest = struct.pack("<HH2sHLHHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    (folder / "nested").write_bytes(plain[:start] + nest * 50_000 + plain[start:])
    (folder / "cut").write_bytes(plain[:-3000])
    (folder / "flipped").write_bytes(plain.replace(b"US\x02\x00", b"US\xff\xff"))
    return folder


def test_hostile_files_cost_their_own_rows(hostile, tmp_path):
    limits = BatchLimits(worker_megabytes=1500, read=ReadLimits(inflated_megabytes=100))
    detect_folder(hostile, tmp_path / "out", jobs=1, limits=limits, write=())
    images = pd.read_parquet(tmp_path / "out" / "images.parquet").set_index("path")
    assert images.status.eq("failed").all()
    reasons = images.reason.to_dict()
    assert reasons.pop("harmless").startswith("no breast found")
    assert reasons.pop("84_gib") == "5000 frames are declared, the limit is 1000"
    assert reasons.pop("wide") == "3600 megapixels a frame, the limit is 120"
    assert reasons.pop("bomb") == "the deflated data inflate to more than 100 MB"
    assert reasons.pop("nested") == "the DICOM header is damaged and cannot be read"
    assert reasons.pop("cut").endswith("are there: cut short")
    assert list(reasons) == ["flipped"]
    assert "internal error" not in reasons["flipped"]


def test_tomosynthesis_is_searched_frame_by_frame(tmp_path):
    """Forty frames of which the worker may hold a few: each has its row, and none fails for want of memory."""
    from mammocalc.phantom import PhantomSettings, make

    folder = tmp_path / "inputs"
    folder.mkdir()
    image = make(1, settings=PhantomSettings(rows=900, columns=640)).mammogram
    bits = image.bits_stored
    ds = dataset(
        np.stack([image.pixels] * 40), BitsStored=bits, HighBit=bits - 1, ImagerPixelSpacing=[0.1, 0.1]
    )
    ds.save_as(folder / "tomo", enforce_file_format=True)
    detect_folder(folder, tmp_path / "out", jobs=1, limits=BatchLimits(worker_megabytes=1200), write=())
    images = pd.read_parquet(tmp_path / "out" / "images.parquet")
    assert images.frame.tolist() == list(range(40))
    assert images.status.eq("ok").all(), images.reason.unique()
    assert images.breast_area_mm2.nunique() == 1


def test_a_synthetic_mammogram_from_file_to_tables(tmp_path, tables):
    """Worker processes, threads of this process and another number of threads give the same bytes."""
    from concurrent.futures import ThreadPoolExecutor

    from mammocalc.phantom import PhantomSettings, make

    folder = tmp_path / "inputs"
    folder.mkdir()
    image = make(3, settings=PhantomSettings(intent="FOR PROCESSING")).mammogram
    ds = dataset(
        image.pixels[None], NumberOfFrames=1, BitsStored=image.bits_stored, HighBit=image.bits_stored - 1
    )
    ds.SOPClassUID, ds.PresentationIntentType = "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PROCESSING"
    ds.ImagerPixelSpacing = [image.pixel_spacing_mm] * 2
    ds.PixelIntensityRelationshipSign = -1 if image.dense_is_bright else 1
    ds.save_as(folder / "phantom.dcm", enforce_file_format=True)
    summary = detect_folder(folder, tmp_path / "out", jobs=1)
    assert (summary.ok, summary.failed) == (1, 0)
    assert summary.calcifications > 0
    assert set(summary.stage_ms) == {"read", "prepare", "segment", "measure", "arrange", "classify"}
    (overlay,) = (tmp_path / "out" / "overlays").iterdir()
    assert overlay.read_bytes().startswith(b"\x89PNG")
    with ThreadPoolExecutor(1) as executor:
        detect_folder(folder, tmp_path / "threads", executor=executor, jobs=2)
    assert tables(tmp_path / "threads") == tables(tmp_path / "out")
    assert (tmp_path / "threads" / "overlays" / overlay.name).read_bytes() == overlay.read_bytes()
    overlay.unlink()
    assert detect_folder(folder, tmp_path / "out", jobs=1).resumed == 0
    assert overlay.exists()
