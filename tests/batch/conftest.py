"""Folders of stub inputs, and runs over them in real worker processes."""

import functools
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pytest

from mammocalc.batch import crew, detect_folder, guarded, pool, run, work

HERE = Path(__file__).parent
STUB = {"searcher": "stub_stages:search", "prepare": ""}


@pytest.fixture
def stub_path(monkeypatch):
    """Makes `stub_stages` importable here and in processes started from here."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])


@pytest.fixture
def stub_crew(monkeypatch, stub_path):
    """Worker processes search stubs."""
    monkeypatch.setattr(run, "ProcessCrew", functools.partial(pool.ProcessCrew, **STUB))


@pytest.fixture
def folder(tmp_path):
    """``folder({"a/b": "stub n=3", ...})`` writes files and gives the folder."""

    def write(files, name="inputs"):
        for path, content in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else f"{content}\n{path}\n".encode())
        return tmp_path / name

    return write


MIXED = {
    "a/1": "stub n=3",
    "a/2.dcm": "stub n=0",
    "a/deep/3": "stub skip",
    "b/1": "stub n=700",
    "b/tomo": "stub frames=5 fail3 n=2",
    "b.txt": "no image",
    "c/empty": b"",
    "c/none": "stub empty",
    "d": "stub fail",
}


@pytest.fixture
def mixed(folder):
    """A small folder with every kind of end: 9 inputs, 13 rows."""
    return folder(MIXED)


@pytest.fixture
def guarded_stubs(monkeypatch, stub_path):
    """Workers of an executor search stubs in processes of their own."""
    monkeypatch.setattr(guarded, "ProcessCrew", functools.partial(pool.ProcessCrew, **STUB))
    yield
    guarded.close_idle()


@pytest.fixture
def detect(stubs_here, monkeypatch):
    """`detect_folder` over stubs in threads of this process, unguarded and without pictures: quick to start."""
    with ThreadPoolExecutor(2) as executor:

        def run(*arguments, **options):
            with monkeypatch.context() as unguarded:
                unguarded.setattr(crew, "search_guarded", work.search)
                return detect_folder(*arguments, **{"write": (), "executor": executor, **options})

        yield run


@pytest.fixture
def detect_in_processes(stub_crew):
    """The same in worker processes."""
    return functools.partial(detect_folder, write=(), jobs=1)


@pytest.fixture
def tables():
    """Bytes of the three tables of an output."""

    def read(out):
        found = {
            path.name: path.read_bytes()
            for path in Path(out).iterdir()
            if path.suffix in (".parquet", ".csv")
        }
        found.pop("timings.csv", None)
        assert len(found) == 3
        return found

    return read


@pytest.fixture
def stubs_here(stub_path, monkeypatch):
    """Stubs are read in this process, too; undone with the test."""
    import mammocalc.pipeline
    import mammocalc.read

    for module, name in (
        (mammocalc.read, "read"),
        (mammocalc.read, "count_frames"),
        (mammocalc.pipeline, "detect"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    sys.modules.pop("stub_stages", None)
    import stub_stages

    yield stub_stages
    sys.modules.pop("stub_stages", None)


@pytest.fixture
def detect_on(stub_path):
    """`detect_folder` over stubs by an executor or a scheduler of the test's, whose workers know `stub_stages`."""
    return functools.partial(detect_folder, write=())


@pytest.fixture
def stub_executor(stub_path):
    """Starts a `ProcessPoolExecutor` whose workers search stubs; not forked, as this process has threads."""
    return lambda: ProcessPoolExecutor(
        2, mp_context=get_context("spawn"), initializer=import_module, initargs=("stub_workers",)
    )
