"""Compiling with two processes where there are two processors, and with one where there is one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mammocalc.batch import compile_ahead


@pytest.fixture
def steps(monkeypatch):
    """What was done in this process, in order; nothing is compiled."""
    done = []
    for name in ("compile_searching", "compile_clustering", "warm_up"):
        monkeypatch.setattr(compile_ahead, name, lambda name=name: done.append(name))
    return done


def test_a_second_process_compiles_what_measures(steps, monkeypatch):
    started = []
    real = subprocess.Popen

    def popen(command, **options):
        started.append(command[1:])
        return real([sys.executable, "-c", "pass"], **options)

    monkeypatch.setattr(compile_ahead.subprocess, "Popen", popen)
    monkeypatch.setattr(compile_ahead, "usable_processors", lambda: 2)
    assert compile_ahead.compile_ahead() > 0
    assert started == [["-m", "mammocalc.batch.compile_ahead"]]
    assert steps == ["compile_searching", "compile_clustering", "warm_up"]


def test_one_processor_compiles_alone(steps, monkeypatch):
    def popen(*arguments, **options):
        raise AssertionError("no second process was to be started")

    monkeypatch.setattr(compile_ahead.subprocess, "Popen", popen)
    monkeypatch.setattr(compile_ahead, "usable_processors", lambda: 1)
    compile_ahead.compile_ahead()
    assert steps == ["warm_up"]


@pytest.mark.parametrize(
    ("stages", "modules"),
    [
        (["measuring"], "shape, calibre, skeleton"),
        (["clustering", "chaining"], "walls, ridges, paths, bows, curves, wards_tree"),
    ],
)
def test_what_is_compiled_ahead_is_what_a_run_uses(stages, modules):
    """The small examples have the types of real scenes, else their work would be in vain."""
    code = f"""
from mammocalc import warm_up
for stage in {stages}:
    getattr(warm_up, "compile_" + stage)()
from mammocalc_kernels import {modules}
from mammocalc.phantom import PhantomSettings, make
import mammocalc as mc
found = [value for module in ({modules}) for value in vars(module).values()]
kernels = [value for value in found if hasattr(value, "signatures")]
before = [len(kernel.signatures) for kernel in kernels]
assert any(before)
mc.detect(make(1, settings=PhantomSettings(rows=900, columns=640)).mammogram)
assert [len(kernel.signatures) for kernel in kernels] == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
