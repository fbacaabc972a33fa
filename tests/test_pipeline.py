"""The whole flow in memory: the same bits for any number of threads, every stage timed."""

from __future__ import annotations

import dataclasses
import pickle

import cv2
import numpy as np
import pytest

import mammocalc as mc
from mammocalc.phantom import PhantomSettings, make


@pytest.fixture(scope="module")
def mammogram():
    settings = PhantomSettings(
        rows=1100, columns=800, view="MLO", large_rod_like=3, vascular=1, fine_linear=1
    )
    return make(11, settings=settings).mammogram


@pytest.fixture(scope="module")
def alone(mammogram):
    return mc.detect(mammogram, threads=1)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_change_no_bit(mammogram, alone, threads):
    together = mc.detect(mammogram, threads=threads)
    assert len(alone) > 10
    np.testing.assert_array_equal(together.regions.labels(), alone.regions.labels())
    for table, columns in alone.record().items():
        others = together.record()[table]
        for name, values in columns.items():
            if name != "seconds":
                assert pickle.dumps(others[name].tolist()) == pickle.dumps(values.tolist()), f"{table}.{name}"


def test_the_same_image_gives_the_same_findings_again(mammogram, alone):
    again = mc.detect(mammogram, threads=1)
    np.testing.assert_array_equal(again.regions.score, alone.regions.score)


def test_every_stage_is_timed_in_order(alone):
    assert list(alone.timings) == ["prepare", "segment", "measure", "arrange", "classify"]
    assert all(milliseconds > 0 for milliseconds in alone.timings.values())
    assert sum(alone.timings.values()) <= 1000 * alone.seconds


def test_an_image_without_a_breast_is_named(tmp_path):
    path = tmp_path / "flat.png"
    cv2.imwrite(str(path), np.full((1200, 900), 900, np.uint16))
    with pytest.raises(mc.NoBreastFound, match="no breast found") as caught:
        mc.detect(path, pixel_spacing_mm=0.1)
    assert caught.value.__notes__ == [f"file: {path}"]
    mammogram = mc.read(path, pixel_spacing_mm=0.1)
    with pytest.raises(mc.NoBreastFound, match="no breast found") as caught:
        mc.detect(dataclasses.replace(mammogram, path=""))
    assert not hasattr(caught.value, "__notes__")
