"""Small DICOM files of every kind, made on the spot."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

MAMMOGRAM_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

ENCODERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "1.2.840.10008.1.2.4.50": lambda a, bits: imagecodecs.jpeg8_encode(a, level=98),
    "1.2.840.10008.1.2.4.51": lambda a, bits: imagecodecs.jpeg8_encode(a, level=98, bitspersample=bits),
    "1.2.840.10008.1.2.4.57": lambda a, bits: imagecodecs.jpeg8_encode(
        a, lossless=True, predictor=4, bitspersample=bits
    ),
    "1.2.840.10008.1.2.4.70": lambda a, bits: imagecodecs.jpeg8_encode(
        a, lossless=True, predictor=1, bitspersample=bits
    ),
    "1.2.840.10008.1.2.4.80": lambda a, bits: imagecodecs.jpegls_encode(a),
    "1.2.840.10008.1.2.4.81": lambda a, bits: imagecodecs.jpegls_encode(a, level=2),
    "1.2.840.10008.1.2.4.90": lambda a, bits: imagecodecs.jpeg2k_encode(
        a, codecformat="j2k", reversible=True, bitspersample=bits
    ),
    "1.2.840.10008.1.2.4.91": lambda a, bits: imagecodecs.jpeg2k_encode(
        a, level=60, codecformat="j2k", bitspersample=bits
    ),
    "1.2.840.10008.1.2.4.201": lambda a, bits: imagecodecs.htj2k_encode(a, reversible=True),
    "1.2.840.10008.1.2.4.202": lambda a, bits: imagecodecs.htj2k_encode(a, reversible=True, tlm=True),
    "1.2.840.10008.1.2.4.203": lambda a, bits: imagecodecs.htj2k_encode(a, level=0.0005, reversible=False),
    "1.2.840.10008.1.2.5": lambda a, bits: b"",  # encoded by pydicom, see below
}
JPEG_2000 = ("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")
NATIVE = (EXPLICIT, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
LOSSY = {
    "1.2.840.10008.1.2.4.50": 4,
    "1.2.840.10008.1.2.4.51": 4,
    "1.2.840.10008.1.2.4.81": 2,
    "1.2.840.10008.1.2.4.91": 32,
    "1.2.840.10008.1.2.4.203": 64,
}


def breast(rows: int = 96, columns: int = 70, bits: int = 12, seed: int = 1) -> np.ndarray:
    """A smooth half disc with noise that uses the whole depth, uint8 or uint16."""
    row, column = np.mgrid[:rows, :columns]
    smooth = np.clip(1.1 - np.hypot((row - rows / 2) / rows * 2, column / columns), 0, 1)
    noise = np.random.default_rng(seed).normal(0, 0.004, (rows, columns))
    top = (1 << bits) - 1
    values = np.clip((smooth + noise) * top, 0, top)
    values[0, 0], values[0, 1] = 0, top
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def mammogram_dataset(
    pixels: np.ndarray | list[np.ndarray],
    syntax: str = EXPLICIT,
    bits: int | None = None,
    **elements: Any,
) -> Dataset:
    """A digital mammogram of one or several frames, encoded in `syntax`; `elements` by keyword, None removes one."""
    frames = pixels if isinstance(pixels, list) else [pixels]
    first = frames[0]
    allocated = first.dtype.itemsize * 8
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = MAMMOGRAM_FOR_PRESENTATION
    ds.SOPInstanceUID = "1.2.3.4"
    ds.StudyInstanceUID = "1.2.3"
    ds.Modality = "MG"
    ds.PatientName = "Planted^Name"
    ds.PatientID = "PLANTED-ID-77"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImagerPixelSpacing = [0.07, 0.07]
    ds.ImageLaterality = "L"
    ds.ViewPosition = "CC"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = first.shape
    ds.BitsAllocated = allocated
    ds.BitsStored = bits or allocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(first.dtype.kind == "i")
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that break the rules are what the tests are about
        for keyword, value in elements.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
    if syntax == str(RLELossless):
        ds.file_meta.TransferSyntaxUID = EXPLICIT
        ds.PixelData = b"".join(frame.tobytes() for frame in frames)
        ds.compress(RLELossless, generate_instance_uid=False)
    elif syntax in ENCODERS:
        # All but JPEG 2000 carry signed values as their bit pattern.
        if first.dtype.kind == "i" and not syntax.startswith(JPEG_2000):
            mask = (1 << ds.BitsStored) - 1
            frames = [frame.view(f"u{frame.dtype.itemsize}") & mask for frame in frames]
        ds.PixelData = encapsulate([bytes(ENCODERS[syntax](frame, ds.BitsStored)) for frame in frames])
        ds["PixelData"].VR = "OB"
    else:
        order = ">" if syntax == "1.2.840.10008.1.2.2" else "<"
        ds.PixelData = b"".join(f.astype(f.dtype.newbyteorder(order)).tobytes() for f in frames)
        if len(ds.PixelData) % 2:
            ds.PixelData += b"\0"
        ds["PixelData"].VR = "OW" if allocated == 16 else "OB"
    return ds


def save(ds: Dataset, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(name="breast")
def breast_fixture() -> Callable[..., np.ndarray]:
    return breast


@pytest.fixture
def dataset() -> Callable[..., Dataset]:
    """As `dicom_file`, but gives the data set."""
    return lambda **elements: mammogram_dataset(elements.pop("pixels", breast()), **({"bits": 12} | elements))


@pytest.fixture(params=[*NATIVE, *ENCODERS])
def syntax(request: pytest.FixtureRequest) -> str:
    """Every transfer syntax that is read."""
    return str(request.param)


@pytest.fixture
def tolerance() -> Callable[[str, int], int]:
    """Largest error of a pixel for a syntax and depth."""
    return lambda syntax, bits: LOSSY.get(syntax, 0) if bits <= 12 else 8 * LOSSY.get(syntax, 0)


@pytest.fixture
def dicom_file(tmp_path: Path) -> Callable[..., Path]:
    """``dicom_file(pixels=..., syntax=..., bits=..., KEYWORD=value)`` writes a mammogram and gives its path."""

    def write(pixels: Any = None, syntax: str = EXPLICIT, bits: int | None = None, **elements: Any) -> Path:
        if pixels is None:
            pixels, bits = breast(), bits or 12
        number = len(list(tmp_path.iterdir()))
        return save(mammogram_dataset(pixels, syntax, bits, **elements), tmp_path / f"image_{number}")

    return write
