"""A Dask cluster of processes of its own on this machine; one worker is killed midway."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mammocalc.errors import MammocalcError

pytest.importorskip("distributed", reason="needs mammocalc[dask]")
HERE = os.path.dirname(__file__)  # noqa: PTH120


def program(module, *arguments):
    path = os.pathsep.join([HERE, *filter(None, sys.path)])
    # The stubs are imported before the worker takes its first task.
    environment = {**os.environ, "PYTHONPATH": path, "DASK_DISTRIBUTED__WORKER__PRELOAD": "stub_stages"}
    command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def worker(address, *options):
    return program("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *options)


@pytest.fixture
def scheduler(tmp_path):
    """Address of a scheduler that runs as a process of its own."""
    file = tmp_path / "scheduler.json"
    process = program(
        "dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    )
    limit = time.monotonic() + 60
    while not (file.exists() and file.read_text().strip().endswith("}")) and time.monotonic() < limit:
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    process.kill()
    process.wait()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_tables(detect, folder, tmp_path, tables, scheduler):
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
        summary = detect(inputs, tmp_path / "there", executor=None, scheduler=scheduler, progress=progress)
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
