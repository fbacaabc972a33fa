"""Reads mutated files of every transfer syntax and format, and reports whatever is neither an image nor a typed error.

Of each input the frames are counted, the first and the last are read, and the header is taken as for DICOM objects.

    python benchmarks/fuzz_read.py --inputs 20000            # the long form, some minutes
    python benchmarks/fuzz_read.py --inputs 500              # the short form

Each input is named by its seed file and a number, from which it is made again: ``--show SEED:NUMBER --keep FOLDER``
writes it to a file. The reading is done in worker processes bounded in memory and time, so that a crash, a hang and a
bomb are told apart. Exit status 1 where there was any, or an exception of another type, or a message that quotes the
file, or an image that is not the same when it is read again.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import io
import os
import platform
import random
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from mammocalc.batch.pool import ProcessCrew
from mammocalc.batch.work import Outcome, Task
from mammocalc.errors import SkippedInput, UnreadableInput, UnwritableObject
from mammocalc.read import Mammogram, count_frames, read
from mammocalc.write.dicom.source import pack_source, read_source

HERE = Path(__file__).parent
MEGABYTES, SECONDS = 1500, 20.0
SECRETS = ("Planted", "PLANTED")
DEFLATED = "1.2.840.10008.1.2.1.99"
WORDS = (0x00, 0xFF, 0x7F, 0x80, 0x01, 0xFE)


@functools.cache
def seed_files() -> dict[str, bytes]:
    """Small sound files: every transfer syntax, one frame and several, and the raster formats."""
    spec = importlib.util.spec_from_file_location(
        "dicom_files", HERE.parent / "tests" / "read" / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    makers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(makers)
    import imagecodecs
    import tifffile

    files = {}
    for syntax in (*makers.NATIVE, *makers.ENCODERS):
        for frames in (1, 3):
            pixels = [makers.breast(40, 32, seed=frame) for frame in range(frames)]
            dataset = makers.mammogram_dataset(pixels if frames > 1 else pixels[0], syntax, 12)
            stream = io.BytesIO()
            dataset.save_as(stream, enforce_file_format=True)
            files[f"{syntax}x{frames}"] = stream.getvalue()
    for name, (syntax, bits, elements) in variants(makers).items():
        pixels = makers.breast(40, 32, bits=bits)
        if elements.pop("signed", False):
            pixels = (pixels.astype(np.int32) - (1 << (bits - 1))).astype(np.int8 if bits == 8 else np.int16)
        stream = io.BytesIO()
        makers.mammogram_dataset(pixels, syntax, bits, **elements).save_as(stream, enforce_file_format=True)
        files[name] = stream.getvalue()
    files["bare"] = files["explicit, 8 bits"][
        144 + int.from_bytes(files["explicit, 8 bits"][140:144], "little") :
    ]
    pixels = makers.breast(40, 32)
    files["png"] = bytes(imagecodecs.png_encode(pixels))
    files["pgm"] = b"P5\n32 40\n4095\n" + pixels.astype(">u2").tobytes()
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, compression="zlib")
    files["tiff"] = stream.getvalue()
    return files


def variants(makers: ModuleType) -> dict[str, tuple[str, int, dict[str, Any]]]:
    """Further seed files: syntax, depth and elements; other depths, signs, and headers with nested sequences."""
    view = _item(CodeValue="399162004", CodingSchemeDesignator="SCT", CodeMeaning="cranio-caudal")
    view.ViewModifierCodeSequence = [_item(CodeValue="399163009", CodingSchemeDesignator="SCT")]
    spacing = _item(PixelMeasuresSequence=[_item(PixelSpacing=[0.09, 0.09])])
    anatomy = _item(FrameAnatomySequence=[_item(FrameLaterality="R")])
    table = _item(LUTDescriptor=[4, 0, 16], ModalityLUTType="US", LUTData=bytes(8))
    nested = {
        "ViewCodeSequence": [view],
        "SharedFunctionalGroupsSequence": [anatomy],
        "PerFrameFunctionalGroupsSequence": [spacing],
        "ModalityLUTSequence": [table],
        "PixelPaddingValue": 0,
    }
    explicit, implicit, big = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
    return {
        "explicit, 8 bits": (explicit, 8, {}),
        "big endian, 8 bits": (big, 8, {}),
        "RLE, 8 bits": ("1.2.840.10008.1.2.5", 8, {}),
        "JPEG 2000, 16 bits signed": ("1.2.840.10008.1.2.4.90", 16, {"signed": True}),
        "JPEG Lossless, 16 bits": ("1.2.840.10008.1.2.4.70", 16, {}),
        "explicit, nested": (explicit, 12, dict(nested)),
        "implicit, nested": (implicit, 12, dict(nested)),
    }


def _item(**elements: Any) -> Dataset:
    """An item of a sequence."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def mutated(name: str, number: int) -> bytes:
    """Input `number` made from the seed file `name`; the same wherever it is made."""
    chance = random.Random(f"{name}:{number}")
    files = seed_files()
    data = bytearray(files[name])
    # What guards a file against chance is put right in half of the inputs, so that blows reach what lies behind it.
    behind = chance.random() < 0.5
    start = 144 + int.from_bytes(data[140:144], "little")
    if behind and DEFLATED in name:
        data[start:] = zlib.decompress(data[start:], -15)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        _mutate(data, chance, files)
    if behind and DEFLATED in name:
        packer = zlib.compressobj(wbits=-15)
        data[start:] = packer.compress(bytes(data[start:])) + packer.flush()
    if behind and name == "png":
        _mend_png(data)
    return bytes(data)


def _mend_png(data: bytearray) -> None:
    """Put the checksums of all chunks right."""
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        data[at + 8 + length : at + 12 + length] = zlib.crc32(data[at + 4 : at + 8 + length]).to_bytes(
            4, "big"
        )
        at += 12 + length


def _mutate(data: bytearray, chance: random.Random, files: dict[str, bytes]) -> None:
    if not data:
        return
    # Half of the blows go to the header, whose few bytes decide the most.
    reach = min(len(data), 1200) if chance.random() < 0.5 else len(data)
    at = chance.randrange(reach)
    kind = chance.randrange(9)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at] = chance.randrange(256)
    elif kind == 2:
        size = chance.choice((2, 4, 8))
        data[at : at + size] = bytes([chance.choice(WORDS)]) * size
    elif kind == 3:
        del data[at : at + chance.choice((1, 2, 4, 16, 200))]
    elif kind == 4:
        data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 2, 4, 16))))
    elif kind == 5:
        del data[at:]
    elif kind == 6:
        size = chance.choice((8, 64, 500))
        data[at:at] = data[at : at + size]
    elif kind == 7:
        other = files[chance.choice(sorted(files))]
        start = chance.randrange(len(other))
        data[at : at + 300] = other[start : start + 300]
    else:
        data[at : at + 4] = chance.randrange(1 << 32).to_bytes(4, chance.choice(("little", "big")))


def search(task: Task, settings: bytes) -> Outcome:
    """Make one input and read it; `status` says what came of it, `seconds` and ``timings["mb"]`` what it took."""
    name, _, number = task.name.partition(":")
    began = time.perf_counter()
    with tempfile.NamedTemporaryFile() as file:
        file.write(mutated(name, int(number)))
        file.flush()
        status, reason = _result(file.name)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Outcome(task.name, 0, 1, status, reason, {}, time.perf_counter() - began, {"mb": largest})


def _result(path: str) -> tuple[str, str]:
    """What came of a file as a whole: of its header and of its frames."""
    images: list[Mammogram] = []
    status, said = "image", ""
    try:
        header = _of_header(path)
        try:
            images = _images(path)
        except (UnreadableInput, SkippedInput) as error:
            status, said = type(error).__name__, str(error)
        again = [read(path, pixel_spacing_mm=0.07, frame=image.frame) for image in images]
    except BaseException as error:
        return "other exception", f"{type(error).__name__}: {error}"
    if any("\n" in text or any(secret in text for secret in SECRETS) for text in (header, said)):
        return "bad message", f"{header} / {said}"
    for image, second in zip(images, again, strict=True):
        if not np.array_equal(image.pixels, second.pixels):
            return "unstable image", f"frame {image.frame}"
        sound = image.pixels.dtype == np.uint16 and image.pixels.ndim == 2
        if not (sound and int(image.pixels.max(initial=0)) < 1 << image.bits_stored):
            return "broken image", f"frame {image.frame}, {image.pixels.dtype}"
    return status, said


def _images(path: str) -> list[Mammogram]:
    """The first and the last frame."""
    last = count_frames(path, pixel_spacing_mm=0.07) - 1
    return [read(path, pixel_spacing_mm=0.07, frame=frame) for frame in sorted({0, last})]


def _of_header(path: str) -> str:
    """Take from it what DICOM objects repeat; why there is nothing to be taken, if so."""
    try:
        pack_source(read_source(path))
    except (UnreadableInput, UnwritableObject) as error:
        return str(error)
    return ""


def tasks(inputs: int, first: int) -> Iterator[Task]:
    """`inputs` of them, seed files in turn."""
    names = sorted(seed_files())
    for k in range(inputs):
        yield Task("", f"{names[k % len(names)]}:{first + k // len(names)}")


def run(inputs: int, first: int, jobs: int) -> tuple[Counter[tuple[str, str]], list[Outcome], Outcome, float]:
    """Read all inputs; counts by seed file and result, the bad ones, the one that took longest, the largest memory."""
    crew = ProcessCrew(
        jobs, b"", megabytes=MEGABYTES, seconds=SECONDS, searcher="fuzz_read:search", prepare=""
    )
    waiting = deque(tasks(inputs, first))
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[Outcome] = []
    longest, largest = Outcome("", 0, 1, "", "", {}), 0.0
    under_way = 0
    try:
        while waiting or under_way:
            while waiting and under_way < crew.capacity:
                crew.submit(waiting.popleft())
                under_way += 1
            _, outcome = crew.collect()
            under_way -= 1
            counts[outcome.name.partition(":")[0], outcome.status] += 1
            longest = max(longest, outcome, key=lambda one: one.seconds)
            largest = max(largest, outcome.timings.get("mb", 0.0))
            if outcome.status not in ("image", "UnreadableInput", "SkippedInput"):
                bad.append(outcome)
    finally:
        crew.close()
    return counts, bad, longest, largest


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each seed file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="write the bad inputs into this folder")
    parser.add_argument("--show", help="only write the input SEED:NUMBER into --keep")
    options = parser.parse_args()
    if options.show:
        name, _, number = options.show.partition(":")
        (options.keep / f"{name}-{number}").write_bytes(mutated(name, int(number)))
        return 0
    for name, data in seed_files().items():
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            assert _result(file.name)[0] == "image", f"the seed file {name} is not sound"
    sys.path.append(str(HERE))
    began = time.perf_counter()
    counts, bad, longest, largest = run(options.inputs, options.first, options.jobs)
    seconds = time.perf_counter() - began
    print(f"{platform.platform()}, Python {platform.python_version()}, {options.jobs} processes")
    kinds = sorted({status for _, status in counts})
    print(f"{'seed file':28}" + "".join(f"{kind:>17}" for kind in kinds))
    for name in sorted(seed_files()):
        print(f"{name:28}" + "".join(f"{counts[name, kind]:17}" for kind in kinds))
    print(
        f"{options.inputs} inputs in {seconds:.0f} s; the longest, {longest.name}, {longest.seconds:.2f} s of "
        f"{SECONDS:g}; a process took at most {largest:.0f} MB of {MEGABYTES}"
    )
    for outcome in bad:
        print(f"BAD {outcome.name}: {outcome.status}: {outcome.reason}")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            name, _, number = outcome.name.partition(":")
            (options.keep / f"{name}-{number}").write_bytes(mutated(name, int(number)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
