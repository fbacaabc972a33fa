"""Whether the kernels are compiled is known without the compiler, and per version of their sources."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from mammocalc import warm_up


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Kernels of our own, an empty cache, and a flow that takes no time."""
    sources = tmp_path / "kernels"
    sources.mkdir()
    (sources / "blur.py").write_text("def blur(): ...")
    monkeypatch.setattr(warm_up, "_kernel_folder", lambda: sources)
    monkeypatch.setattr("mammocalc.phantom.make", lambda seed, settings: SimpleNamespace(mammogram=settings))
    seen = []
    monkeypatch.setattr("mammocalc.pipeline.detect", seen.append)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    warm_up._example.cache_clear()
    yield sources, seen
    warm_up._example.cache_clear()


def test_the_first_run_is_over_after_warming_up(compiled):
    _, seen = compiled
    assert warm_up.is_first_run()
    assert not warm_up.kernel_cache().is_complete
    assert warm_up.warm_up() >= 0
    assert [settings.intent for settings in seen] == ["FOR PROCESSING"]
    assert not warm_up.is_first_run()
    assert warm_up.kernel_cache().is_complete


def test_changed_kernels_make_a_first_run_again(compiled):
    sources, _ = compiled
    warm_up.warm_up()
    (sources / "blur.py").write_text("def blur(): return 1")
    assert warm_up.is_first_run()


def test_the_cache_is_beside_the_sources_by_default(compiled, monkeypatch):
    sources, _ = compiled
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert warm_up.kernel_cache().folder == sources / "__pycache__"


def test_a_cache_that_cannot_be_written_is_no_error(compiled, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    warm_up.warm_up()
    assert warm_up.is_first_run()


def test_the_size_of_the_cache_is_told(compiled, tmp_path):
    folder = tmp_path / "cache" / "kernels_0123"
    folder.mkdir(parents=True)
    (folder / "blur.blur-1.py311.nbc").write_bytes(bytes(3_000_000))
    assert warm_up.kernel_cache().megabytes == pytest.approx(3.0)


def test_asking_does_not_import_the_compiler():
    code = "import sys; from mammocalc.warm_up import is_first_run; is_first_run(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
