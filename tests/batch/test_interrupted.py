"""Runs that are stopped: by a kill, by Ctrl-C, by a full or read-only disk. They resume, and lose nothing."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mammocalc.errors import MammocalcError

PROGRAM = Path(__file__).with_name("run_stubs.py")


def start(inputs, out, *options, **popen):
    command = [sys.executable, str(PROGRAM), str(inputs), str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **popen)


def heed_interrupts():
    """A shell that starts the tests in the background has its children ignore SIGINT, and they theirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(inputs, out, *options, **popen):
    process = start(inputs, out, *options, **popen)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said.strip()


def entries(out):
    return len(list(out.glob("ledger/*/*.entry")))


def wait_for_entries(out, number, process):
    limit = time.monotonic() + 60
    while entries(out) < number and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)


@pytest.fixture
def inputs(folder):
    files = {f"{k % 4}/{k:02}": f"stub n={k * 3} sleep=0.05" for k in range(40)}
    return folder(files | {"tomo": "stub frames=6 n=4", "bad": "stub fail", "z.txt": "text"})


def test_killed_again_and_again(inputs, tmp_path, tables):
    """SIGKILL at moments of every phase: start, search, tables. What is left is always whole."""
    status, said = finish(inputs, tmp_path / "undisturbed", "threads=2")
    assert (status, said) == (0, "43 48 0")
    chance = random.Random(4)
    out = tmp_path / "out"
    kills = 0
    while True:
        process = start(inputs, out, "threads=2")
        wait_for_entries(out, entries(out) + chance.choice((0, 1, 4, 9)), process)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.communicate()
        if process.returncode == 0:
            break
        kills += 1
        for table in out.glob("*.parquet"):
            assert table.read_bytes() == (tmp_path / "undisturbed" / table.name).read_bytes()
    assert kills >= 3
    assert finish(inputs, out, "threads=2") == (0, "43 48 48")
    assert tables(out) == tables(tmp_path / "undisturbed")
    remains = [
        path for path in out.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".tables")
    ]
    assert len([path for path in remains if path.parent == out]) == 0


def test_control_c_stops_the_workers_and_keeps_what_is_finished(inputs, tmp_path):
    out = tmp_path / "out"
    process = start(inputs, out, start_new_session=True, preexec_fn=heed_interrupts)
    wait_for_entries(out, 5, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "interrupted")
    with pytest.raises(ProcessLookupError, match="No such process"):
        os.killpg(process.pid, 0)
    done = entries(out)
    assert done >= 5
    status, said = finish(inputs, out)
    assert (status, said.split()[:2]) == (0, ["43", "48"])
    assert int(said.split()[2]) >= done - 6  # frames 1 to 5 of the multi-frame input count one by one


def test_workers_do_not_outlive_a_killed_run(folder, tmp_path):
    inputs = folder({f"{k}": "stub hang" for k in range(4)})
    process = start(inputs, tmp_path / "out", start_new_session=True)
    limit = time.monotonic() + 60
    while len(_group(process.pid)) < 3 and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(1)
    process.kill()
    process.communicate()
    limit = time.monotonic() + 10
    while _group(process.pid) and time.monotonic() < limit:
        time.sleep(0.05)
    assert _group(process.pid) == []


def _group(leader):
    """Processes of a group that are alive."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize("largest", [0, 3000, 30_000])
def test_a_full_disk_is_named_and_damages_nothing(detect, folder, tmp_path, tables, largest):
    """Files may grow to so many bytes only, as on a disk that is full: in the ledger, or in the tables."""
    inputs = folder({f"{k:02}": f"stub n={k}" for k in range(0, 40)})
    out = tmp_path / "out"
    detect(inputs, out, limit=5)
    before = tables(out)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    status, said = finish(inputs, out, preexec_fn=fill)
    assert status == 2
    assert "out cannot be written (File too large); what was there before is untouched" in said
    assert tables(out) == before
    assert not list(out.rglob("*.tmp"))
    assert detect(inputs, out).ok == 40
    detect(inputs, tmp_path / "undisturbed")
    assert tables(out) == tables(tmp_path / "undisturbed")


def test_an_output_that_cannot_be_made(detect, mixed, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MammocalcError, match="is a file, not a folder"):
        detect(mixed, tmp_path / "file")
    with pytest.raises(MammocalcError, match=r"out cannot be written .*; what was there before is untouched"):
        detect(mixed, tmp_path / "file" / "out")


def test_an_output_whose_name_tables_cannot_have(detect, mixed, tmp_path):
    with pytest.raises(MammocalcError, match=r"not\\xffutf8: the name of a folder for results must be valid"):
        detect(mixed, tmp_path / os.fsdecode(b"not\xffutf8"))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_read_only_output(detect, mixed, tmp_path, monkeypatch):
    detect(mixed, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def refuse(self, *arguments, **options):
        raise OSError(30, "Read-only file system", str(self))

    (mixed / "new").write_text("stub\n")
    for method in ("write_bytes", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(MammocalcError, match=r"cannot be written \(Read-only file system\)"):
        detect(mixed, tmp_path / "out")
    monkeypatch.undo()
    assert before == {path: path.read_bytes() for path in before}


def test_a_second_run_into_the_same_output_waits_its_turn(detect, inputs, tmp_path):
    process = start(inputs, tmp_path / "out")
    wait_for_entries(tmp_path / "out", 2, process)
    with pytest.raises(MammocalcError, match="another run is writing to it"):
        detect(inputs, tmp_path / "out")
    assert process.communicate(timeout=60)[0].strip() == "43 48 0"
