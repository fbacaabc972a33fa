"""Workers that are started ahead are taken where they fit, and ended where they are not needed."""

import pytest

from mammocalc import pipeline, warm_up
from mammocalc.batch import launch


@pytest.fixture
def four_processors(monkeypatch):
    monkeypatch.setattr(pipeline, "usable_threads", lambda: 4)


@pytest.mark.parametrize(
    ("jobs", "files", "folders", "expected"),
    [
        (None, 1, 0, (1, 4)),
        (None, 3, 0, (3, 1)),
        (None, 9, 0, (4, 1)),
        (None, 1, 1, (4, 1)),
        (2, 9, 0, (2, 2)),
        (2, 1, 0, (1, 4)),
        (8, 0, 1, (8, 1)),
    ],
)
def test_no_worker_without_a_file(four_processors, tmp_path, jobs, files, folders, expected):
    roots = [tmp_path / f"{k}" for k in range(files)]
    for root in roots:
        root.touch()
    assert launch.processes_and_threads(jobs, [*roots, *[tmp_path] * folders]) == expected


@pytest.fixture
def ahead():
    yield launch._ahead
    launch.end_ahead()
    assert not launch._ahead


def test_one_that_was_started_ahead_is_taken_once(ahead):
    launch.launch_ahead(3)
    waiting = ahead[0]
    other = launch.launched(2)
    taken = launch.launched(3)
    try:
        assert taken is waiting
        assert other is not waiting
        assert not ahead
    finally:
        other.end()
        taken.end()
    assert taken.process.returncode is not None


def test_one_that_has_died_is_not_taken(ahead):
    launch.launch_ahead(1)
    dead = ahead[0]
    dead.process.kill()
    dead.process.wait()
    taken = launch.launched(1)
    taken.end()
    assert taken is not dead


def test_what_was_not_needed_is_ended(ahead):
    launch.launch_ahead(1)
    one = ahead[0]
    launch.end_ahead()
    assert one.process.returncode is not None


def test_loading_ahead_waits_for_no_compiler(monkeypatch):
    started = []
    monkeypatch.setattr(warm_up, "compile_measuring", lambda: started.append(1))
    load = warm_up.load_measuring_ahead.__wrapped__
    monkeypatch.setattr(warm_up, "is_first_run", lambda: True)
    load()
    assert not started
    monkeypatch.setattr(warm_up, "is_first_run", lambda: False)
    load()
    for thread in warm_up.threading.enumerate():
        if thread.name == "mammocalc-loading":
            thread.join()
    assert started == [1]
