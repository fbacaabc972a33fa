"""The walls between the rooms: who may import whom, who prints, who knows processes, who knows DICOM."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import mammocalc_kernels
import pytest

import mammocalc

STAGES = ("read", "prepare", "segment", "measure", "arrange", "classify")

# What a stage hands over: all that a later stage may know of it.
HANDED_OVER = {
    "mammocalc.read.mammogram",
    "mammocalc.prepare.scene",
    "mammocalc.segment.regions",
    "mammocalc.measure.features",
    "mammocalc.measure.measurements",
    "mammocalc.arrange.features",
    "mammocalc.arrange.arrangement",
    "mammocalc.classify.classification",
}
FOR_ALL = {"mammocalc.errors", "mammocalc.bounded"}

PROCESSES = {"multiprocessing", "subprocess", "dask", "distributed", "ProcessPoolExecutor"}


def modules_of(package):
    """Every module of a package by dotted name, with its syntax tree."""
    (root,) = package.__path__
    for path in sorted(Path(root).rglob("*.py")):
        parts = [package.__name__, *path.relative_to(root).with_suffix("").parts]
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports_of(name, tree):
    """Dotted names of all that a module imports, wherever in the module, names of ``from`` imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MAMMOCALC = dict(modules_of(mammocalc))
KERNELS = dict(modules_of(mammocalc_kernels))
EDGES = [
    (name, imported)
    for name, tree in {**MAMMOCALC, **KERNELS}.items()
    for imported in sorted(set(imports_of(name, tree)))
]


def lies_in(dotted, *places):
    return any(dotted == place or dotted.startswith(f"{place}.") for place in places)


def room_of(name):
    return name.split(".")[1] if "." in name else ""


def refused(allowed):
    return [f"{name} imports {imported}" for name, imported in EDGES if not allowed(name, imported)]


def test_the_rooms_are_there():
    assert {room_of(name) for name in MAMMOCALC} >= {
        *STAGES,
        "write",
        "batch",
        "phantom",
        "pipeline",
        "findings",
        "cli",
    }
    assert len(KERNELS) > 5
    assert any(lies_in(imported, "mammocalc_kernels") for _, imported in EDGES)


def test_kernels_know_numpy_and_numba_only():
    # llvmlite is numba's own compiler.
    known = {"numpy", "numba", "llvmlite", "mammocalc_kernels", *sys.stdlib_module_names}
    assert not refused(lambda name, imported: name not in KERNELS or imported.split(".")[0] in known)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_knows_earlier_stages_by_what_they_hand_over(stage):
    def allowed(name, imported):
        if not lies_in(name, f"mammocalc.{stage}") or not lies_in(imported, "mammocalc"):
            return True
        if lies_in(imported, f"mammocalc.{stage}", *FOR_ALL):
            return True
        earlier = STAGES[: STAGES.index(stage)]
        return room_of(imported) in earlier and lies_in(imported, *HANDED_OVER)

    assert not refused(allowed)


def test_writing_knows_neither_batch_nor_command_line_nor_pipeline():
    outside = ("mammocalc.batch", "mammocalc.cli", "mammocalc.pipeline")
    assert not refused(lambda name, imported: room_of(name) != "write" or not lies_in(imported, *outside))


def test_only_command_line_and_public_names_know_the_batch():
    assert not refused(
        lambda name, imported: (
            not lies_in(imported, "mammocalc.batch")
            or lies_in(name, "mammocalc.batch", "mammocalc.cli")
            or name == "mammocalc"
        )
    )


def test_nobody_knows_the_command_line():
    assert not refused(lambda _, imported: not lies_in(imported, "mammocalc.cli"))


def test_only_reading_and_writing_dicom_know_pydicom():
    def allowed(name, imported):
        return not lies_in(imported, "pydicom", "highdicom") or lies_in(
            name, "mammocalc.read", "mammocalc.write.dicom"
        )

    assert not refused(allowed)


def test_only_the_batch_knows_processes():
    assert not refused(
        lambda name, imported: not PROCESSES & set(imported.split(".")) or lies_in(name, "mammocalc.batch")
    )


def test_only_the_command_line_prints():
    printing = []
    for name, tree in {**MAMMOCALC, **KERNELS}.items():
        if name == "mammocalc.cli":
            continue
        for node in ast.walk(tree):
            called = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            )
            streamed = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr", "__stdout__")
            if called or (streamed and isinstance(node.value, ast.Name) and node.value.id == "sys"):
                printing.append(f"{name}, line {node.lineno}")
    assert not printing


def test_a_broken_wall_would_be_seen(monkeypatch):
    monkeypatch.setitem(
        globals(), "EDGES", [("mammocalc.prepare.noise", "mammocalc.segment.regions.Regions")]
    )
    with pytest.raises(AssertionError, match=r"prepare\.noise imports mammocalc\.segment"):
        test_a_stage_knows_earlier_stages_by_what_they_hand_over("prepare")
