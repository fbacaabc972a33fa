"""Worker processes that crash, hang and die: each costs its own task."""

import os
import signal
import threading

import pytest

from mammocalc.batch.pool import ProcessCrew
from mammocalc.batch.work import Settings, Task
from mammocalc.errors import MammocalcError


@pytest.fixture
def crew(stub_path):
    """``crew(jobs, ...)`` starts worker processes over stubs; they are ended with the test."""
    from mammocalc.classify import load_lexicon
    from mammocalc.parameters import Parameters

    settings = Settings(Parameters(), load_lexicon(), write=()).packed()
    started = []

    def start(jobs=2, **options):
        options = {
            "megabytes": 3000,
            "seconds": 60.0,
            "searcher": "stub_stages:search",
            "prepare": "",
            **options,
        }
        started.append(ProcessCrew(jobs, settings, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def outcomes(crew, folder):
    """Submit all files of a folder, collect all outcomes by name."""
    tasks = [Task(str(path), path.name) for path in sorted(folder.iterdir())]
    for task in tasks:
        crew.submit(task)
    found = dict(crew.collect() for _ in tasks)
    assert set(found) == set(tasks)
    return {task.name: outcome for task, outcome in found.items()}


def test_every_kind_of_end(crew, folder):
    files = {"ok1": "stub", "ok2": "stub", "ok3": "stub", "crash": "stub crash", "exit": "stub exit"}
    files |= {"memory": "stub memory=4000", "skip": "stub skip", "fail": "stub fail", "bug": "stub bug"}
    found = outcomes(crew(), folder(files))
    assert {name: outcome.status for name, outcome in found.items()} == {
        name: "ok" if name.startswith("ok") else "skipped" if name == "skip" else "failed" for name in files
    }
    assert found["crash"].reason == "its worker process crashed (SIGSEGV)"
    assert found["exit"].reason == "its worker process ended (status 7)"
    assert found["memory"].reason == "not enough memory to search it"
    assert found["bug"].reason.startswith("an internal error (KeyError")
    assert "PLANTED" not in found["bug"].reason
    assert {name for name, outcome in found.items() if outcome.transient} == {
        "crash",
        "exit",
        "memory",
        "bug",
    }


def test_a_hang_is_ended_at_the_limit(crew, folder):
    found = outcomes(crew(2, seconds=3), folder({"hang": "stub hang", "a": "stub", "z": "stub"}))
    assert found["hang"].reason == "it took longer than the limit of 3 s"
    assert found["a"].status == found["z"].status == "ok"


def test_a_worker_killed_from_outside_costs_nothing(crew, folder):
    one = crew(2)
    files = folder({f"f{i}": "stub sleep=0.3" for i in range(8)})
    killer = threading.Timer(1.5, lambda: [os.kill(pid, signal.SIGKILL) for pid in one.processes()])
    killer.start()
    found = outcomes(one, files)
    killer.join()
    assert {outcome.status for outcome in found.values()} == {"ok"}


def test_a_task_whose_worker_is_always_killed_fails(crew, folder):
    """As the kernel does when memory runs out: the second time, the task is given up."""
    one = crew(1)
    stop = threading.Event()

    def kill():
        while not stop.wait(0.2):
            for pid in one.processes():
                os.kill(pid, signal.SIGKILL) if one._workers[0].job else None

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        found = outcomes(one, folder({"greedy": "stub sleep=60"}))
    finally:
        stop.set()
        killer.join()
    assert found["greedy"].reason == "its worker process was killed twice, perhaps for want of memory"


def test_workers_that_cannot_start_say_why(crew, folder):
    with pytest.raises(MammocalcError, match=r"could not be started: .*no_such_module"):
        outcomes(crew(searcher="no_such_module:search"), folder({"a": "stub"}))


def test_modules_in_the_current_folder_are_not_taken_for_ours(crew, folder, monkeypatch):
    """People start runs among files that others sent them."""
    hostile = folder(
        {"numpy.py": "raise SystemExit(3)", "mammocalc/__init__.py": "raise SystemExit(4)"}, "cwd"
    )
    monkeypatch.chdir(hostile)
    assert outcomes(crew(1), folder({"a": "stub"}))["a"].status == "ok"


def test_settings_that_a_worker_cannot_read_end_the_run(crew, folder, monkeypatch):
    one = crew(1)
    one._start = one._start._replace(settings=b"0.0.1\n" + one._start.settings.partition(b"\n")[2])
    with pytest.raises(MammocalcError, match=r"could not be started: .*the run was started by 0\.0\.1"):
        outcomes(one, folder({"a": "stub"}))


def test_workers_end_with_their_parent(crew, folder):
    one = crew(2)
    outcomes(one, folder({"a": "stub sleep=0.2", "b": "stub sleep=0.2"}))
    processes = one.processes()
    assert len(processes) == 2
    one.close()
    for process in processes:
        with pytest.raises(ProcessLookupError, match="No such process"):
            os.kill(process, 0)
