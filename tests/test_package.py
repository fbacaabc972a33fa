"""The public names: complete, light to import, and callable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mammocalc


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_public_name_is_there():
    for name in mammocalc.__all__:
        assert getattr(mammocalc, name) is not None, name
    assert set(mammocalc.__all__) <= set(dir(mammocalc))


def test_what_is_promised_in_the_readme_is_public():
    assert {"read", "detect", "detect_folder", "Parameters", "Findings", "Mammogram"} <= set(
        mammocalc.__all__
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mammocalc' has no attribute 'deetct'"):
        mammocalc.deetct  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert mammocalc.__version__ == version("mammocalc")


HEAVY = (
    "numpy",
    "numba",
    "pandas",
    "scipy",
    "cv2",
    "pydicom",
    "matplotlib",
    "pyarrow",
    "skimage",
    "rich",
    "pydantic",
)


@pytest.mark.parametrize("module", ["mammocalc", "mammocalc.cli"])
def test_importing_is_light(module):
    loaded = run(f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])")
    assert loaded.split() == []


@pytest.mark.parametrize("first", ["mammocalc.read.mammogram", "mammocalc.pipeline", "mammocalc.errors"])
def test_read_can_be_called_whatever_was_imported_first(first):
    code = f"import {first}, mammocalc, inspect; print(callable(mammocalc.read), inspect.signature(mammocalc.read))"
    assert run(code).startswith("True (source")


def test_reading_through_the_package_reads(tmp_path):
    import mammocalc.read.mammogram

    (tmp_path / "a.pgm").write_bytes(b"P5 3 2 255\n\x00\x01\x02\x03\x04\x05")
    image = mammocalc.read(tmp_path / "a.pgm", pixel_spacing_mm=0.1)
    assert isinstance(image, mammocalc.read.mammogram.Mammogram)
    assert image.pixels.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_image_is_searched_without_slow_imports():
    sample = sorted((Path(__file__).parents[1] / "sample_images").glob("mixed*.dcm"))[0]
    slow = ("scipy.linalg", "scipy.spatial", "scipy.ndimage", "skimage", "matplotlib", "highdicom")
    code = f"import sys, mammocalc; mammocalc.detect({str(sample)!r}); print(*[m for m in {slow} if m in sys.modules])"

    assert run(code).strip() == ""


def test_linear_algebra_still_compiles_beside_the_kernels():
    code = (
        "import mammocalc_kernels.compile, numba, numpy; solve = numba.njit(lambda a, b: numpy.linalg.solve(a, b));"
        "print(solve(2 * numpy.eye(2), numpy.ones(2)))"
    )
    assert run(code).strip() == "[0.5 0.5]"
