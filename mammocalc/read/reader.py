"""Reading a file into `Mammogram`: the way in for DICOM and raster files alike."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mammocalc.errors import SkippedInput, UnreadableInput, naming_file
from mammocalc.read.identify import IMAGE_SUFFIXES, FileKind, kind_of
from mammocalc.read.limits import ReadLimits
from mammocalc.read.mammogram import Mammogram
from mammocalc.read.padding import padding_range
from mammocalc.read.polarity import polarity
from mammocalc.read.raster import RasterImage, open_raster
from mammocalc.read.spacing import ADVICE, Spacing, check_given_spacing, pixel_spacing
from mammocalc.read.view import laterality_of, view_modifiers_of, view_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from mammocalc.read.dicom import DicomImage


def read(
    source: str | os.PathLike[str] | Dataset,
    *,
    pixel_spacing_mm: float | None = None,
    frame: int = 0,
    limits: ReadLimits | None = None,
    threads: int = 1,
) -> Mammogram:
    """Read one frame of a mammogram.

    Parameters
    ----------
    source : path or pydicom.Dataset
        A DICOM file (any name), a PNG, TIFF or PGM image, or a data set already in memory.
    pixel_spacing_mm : float, optional
        Side of a pixel in mm, 0.01 to 0.5: needed for raster images, used for DICOM that does not state it.
    frame : int
        0-based frame number.
    limits : ReadLimits, optional
        Bounds that a file must keep before anything is unpacked.
    threads : int
        Used where a decoder can (JPEG 2000) and for copying what is not compressed; the pixels do not depend on it.

    Returns
    -------
    Mammogram
        Pixels as stored, shape (rows, columns), uint16.

    Raises
    ------
    SkippedInput
        When it is sound but not a mammogram to be searched.
    UnreadableInput
        When it is damaged, cut short, beyond the limits, or has no pixel spacing.
    InvalidParameter
        When `pixel_spacing_mm` lies outside its range.
    """
    with naming_file(_path_of(source)), _opened(source, pixel_spacing_mm, limits or ReadLimits()) as image:
        if not 0 <= frame < image.frames:
            raise UnreadableInput(f"frame {frame} of {image.frames}: the first is 0")
        return _mammogram(image, source, frame, pixel_spacing_mm, threads)


def read_frames(
    source: str | os.PathLike[str] | Dataset,
    *,
    pixel_spacing_mm: float | None = None,
    limits: ReadLimits | None = None,
    threads: int = 1,
) -> Iterator[Mammogram]:
    """Read all frames of a mammogram one after the other; only one is in memory at a time.

    Parameters
    ----------
    source : path or pydicom.Dataset
        As `read` takes it.
    pixel_spacing_mm : float, optional
        As `read` takes it, mm.
    limits : ReadLimits, optional
        Bounds that a file must keep before anything is unpacked.
    threads : int
        Used where a decoder can; the pixels do not depend on it.

    Yields
    ------
    Mammogram
        Frame after frame.

    Raises
    ------
    SkippedInput, UnreadableInput, InvalidParameter
        As `read`.
    """
    with naming_file(_path_of(source)), _opened(source, pixel_spacing_mm, limits or ReadLimits()) as image:
        for frame in range(image.frames):
            yield _mammogram(image, source, frame, pixel_spacing_mm, threads)


def count_frames(
    source: str | os.PathLike[str] | Dataset,
    *,
    pixel_spacing_mm: float | None = None,
    limits: ReadLimits | None = None,
) -> int:
    """Check all that can be checked without decoding, and tell how many frames there are.

    Parameters
    ----------
    source : path or pydicom.Dataset
        As `read` takes it.
    pixel_spacing_mm : float, optional
        As `read` takes it, mm.
    limits : ReadLimits, optional
        Bounds that a file must keep.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    SkippedInput, UnreadableInput, InvalidParameter
        As `read`.
    """
    with naming_file(_path_of(source)), _opened(source, pixel_spacing_mm, limits or ReadLimits()) as image:
        _spacing(image, 0, pixel_spacing_mm)
        return image.frames


def _path_of(source: str | os.PathLike[str] | Dataset) -> str:
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""


@contextmanager
def _opened(
    source: str | os.PathLike[str] | Dataset, pixel_spacing_mm: float | None, limits: ReadLimits
) -> Iterator[DicomImage | RasterImage]:
    """The checked image behind `source`, its file open for as long as the context lasts."""
    check_given_spacing(pixel_spacing_mm)
    try:
        if not isinstance(source, (str, os.PathLike)):
            from mammocalc.read.dicom import image_of_dataset

            yield image_of_dataset(source, limits)
            return
        path = Path(source)
        with _open_file(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            kind = _admitted_kind(path, stream.read(140), size, limits)
            if kind == "dicom":
                from mammocalc.read.dicom import open_image

                yield open_image(stream, size, limits)
            else:
                yield open_raster(path, kind, limits)
    except MemoryError:
        raise UnreadableInput("not enough memory to read it") from None
    except OSError as error:
        raise UnreadableInput(f"the file cannot be read ({error.strerror or 'input/output error'})") from None


def _open_file(path: Path) -> BinaryIO:
    """Open a regular file; anything else (a pipe would block for ever) is refused."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UnreadableInput("no such file") from None
    except ValueError:
        raise UnreadableInput("an invalid file name") from None
    if stat.S_ISDIR(mode):
        raise UnreadableInput("a folder, not a file")
    if not stat.S_ISREG(mode):
        raise SkippedInput("not a regular file")
    return path.open("rb")


def _admitted_kind(path: Path, head: bytes, size: int, limits: ReadLimits) -> FileKind:
    if size == 0:
        raise UnreadableInput("an empty file (0 bytes)")
    if size > limits.file_megabytes * 1_000_000:
        raise UnreadableInput(f"a file of {size // 1_000_000} MB, the limit is {limits.file_megabytes} MB")
    if kind := kind_of(head):
        return kind
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UnreadableInput("not a DICOM, PNG, TIFF or PGM file, although its name says so")
    raise SkippedInput("not a DICOM, PNG, TIFF or PGM file")


def _spacing(image: DicomImage | RasterImage, frame: int, given_mm: float | None) -> Spacing:
    if not isinstance(image, RasterImage):
        return pixel_spacing(image.header, frame, given_mm)
    if given_mm is None:
        raise UnreadableInput(f"a {image.kind.upper()} image does not state its pixel spacing: {ADVICE}")
    return Spacing(float(given_mm), "given")


def _mammogram(
    image: DicomImage | RasterImage,
    source: str | os.PathLike[str] | Dataset,
    frame: int,
    pixel_spacing_mm: float | None,
    threads: int,
) -> Mammogram:
    path = _path_of(source)
    # The spacing comes first: it fails at once, decoding may take a second.
    spacing = _spacing(image, frame, pixel_spacing_mm)
    if isinstance(image, RasterImage):
        return Mammogram(
            pixels=image.frame(frame),
            pixel_spacing_mm=spacing.mm,
            spacing_source=spacing.source,
            dense_is_bright=image.dense_is_bright,
            bits_stored=image.bits,
            path=path,
            frame=frame,
        )
    header = image.header
    sense = polarity(header, frame)
    return Mammogram(
        pixels=image.frame(frame, threads),
        pixel_spacing_mm=spacing.mm,
        spacing_source=spacing.source,
        dense_is_bright=sense.dense_is_bright,
        intent=sense.intent,
        linear_in_exposure=sense.linear_in_exposure,
        bits_stored=image.form.bits_stored,
        padding=padding_range(header, image.form),
        laterality=laterality_of(header, frame),
        view=view_of(header),
        view_modifiers=view_modifiers_of(header),
        path=path,
        sop_instance_uid=header.uid("SOPInstanceUID"),
        study_instance_uid=header.uid("StudyInstanceUID"),
        frame=frame,
    )
