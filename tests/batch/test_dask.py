"""A Dask cluster of processes of its own on this machine; one worker is killed midway."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mammocalc.batch import BatchLimits
from mammocalc.errors import MammocalcError

pytest.importorskip("distributed", reason="needs mammocalc[dask]")
HERE = os.path.dirname(__file__)  # noqa: PTH120


def program(module, *arguments):
    path = os.pathsep.join([HERE, *filter(None, sys.path)])
    # They are imported before the worker takes its first task.
    environment = {**os.environ, "PYTHONPATH": path, "DASK_DISTRIBUTED__WORKER__PRELOAD": "stub_workers"}
    command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def worker(address, *options):
    return program("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *options)


@pytest.fixture
def start_scheduler(tmp_path):
    """Starts a scheduler as a process of its own; gives it and its address."""
    started = []

    def start():
        file = tmp_path / f"scheduler{len(started)}.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        started.append(program("dask_scheduler", *options))
        limit = time.monotonic() + 60
        while not (file.exists() and file.read_text().strip().endswith("}")) and time.monotonic() < limit:
            time.sleep(0.1)
        return started[-1], json.loads(file.read_text())["address"]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(start_scheduler):
    """Address of a scheduler."""
    return start_scheduler()[1]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_tables(
    detect, detect_on, folder, tmp_path, tables, scheduler
):
    inputs = folder(
        {f"{k:02}": f"stub n={k} sleep=0.1" for k in range(40)} | {"tomo": "stub frames=3", "x": "text"}
    )
    detect(inputs, tmp_path / "here")
    workers = [worker(scheduler), worker(scheduler)]
    killed = threading.Event()

    def progress(done, total, failed, rate):
        if done == 8:
            workers[0].send_signal(signal.SIGKILL)
            killed.set()

    try:
        summary = detect_on(inputs, tmp_path / "there", scheduler=scheduler, progress=progress)
    finally:
        for one in workers:
            one.kill()
            one.wait()
    assert killed.is_set()
    assert (summary.images, summary.failed) == (44, 0)
    assert tables(tmp_path / "there") == tables(tmp_path / "here")


def test_no_scheduler(detect, mixed, tmp_path, monkeypatch):
    monkeypatch.setattr("mammocalc.batch.crew.CONNECT_SECONDS", 1)
    with pytest.raises(MammocalcError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        detect(mixed, tmp_path / "out", executor=None, scheduler="tcp://127.0.0.1:9")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_a_file_does_to_a_worker_of_a_cluster_costs_its_own_row(detect_on, folder, tmp_path, scheduler):
    files = {f"{k}": "stub" for k in range(6)} | {"crash": "stub crash", "hang": "stub hang"}
    one = worker(scheduler)
    try:
        limits = BatchLimits(image_seconds=2.0)
        summary = detect_on(folder(files), tmp_path / "out", scheduler=scheduler, limits=limits)
    finally:
        one.kill()
        one.wait()
    assert summary.ok == 6
    assert summary.failed_reasons == {
        "its worker process crashed (SIGSEGV)": 1,
        "it took longer than the limit of 2 s": 1,
    }


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_scheduler_that_dies_is_named_and_the_run_goes_on_elsewhere(
    detect, detect_on, folder, tmp_path, tables, start_scheduler
):
    inputs = folder({f"{k:02}": f"stub n={k} sleep=0.1" for k in range(30)})
    process, address = start_scheduler()
    one = worker(address)

    def progress(done, total, failed, rate):
        if done == 5:
            process.kill()

    try:
        with pytest.raises(MammocalcError, match="the Dask scheduler is gone; what is finished is kept"):
            detect_on(inputs, tmp_path / "out", scheduler=address, progress=progress)
    finally:
        one.kill()
        one.wait()
    assert detect(inputs, tmp_path / "out").resumed >= 5
    detect(inputs, tmp_path / "undisturbed")
    assert tables(tmp_path / "out") == tables(tmp_path / "undisturbed")


def test_a_client_that_has_lost_its_scheduler_says_so_whatever_it_was_doing(monkeypatch):
    from types import SimpleNamespace

    from mammocalc.batch.crew import DaskCrew
    from mammocalc.batch.work import Task

    def lost(*arguments, **options):
        raise OSError("Timed out trying to connect")

    client = SimpleNamespace(nthreads=lost, submit=lost, run=lost, close=lambda timeout: None)
    monkeypatch.setattr("distributed.Client", lambda *arguments, **options: client)
    crew = DaskCrew("tcp://somewhere:1", b"")
    for doing in (lambda: crew.capacity, lambda: crew.submit(Task("a", "a"))):
        with pytest.raises(MammocalcError, match="the Dask scheduler is gone; what is finished is kept"):
            doing()
    crew.close()
