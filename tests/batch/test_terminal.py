"""A run as a person watches it: on a terminal, and stopped with Ctrl-C."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("run_command.py")


class Terminal:
    """A program on a terminal of 120 columns of its own."""

    def __init__(self, *arguments):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

        def own_the_terminal():
            # As a shell starts what runs in front, even where these tests run behind one, which ignores the key.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        command = [sys.executable, str(PROGRAM), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=own_the_terminal
        )
        os.close(theirs)
        self.shown = ""

    def read(self, until=None, seconds=60.0):
        """Take what is shown until the text appears, or to the end."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not (until and re.search(until, self.shown)):
            if select.select([self._ours], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self._ours, 4096).decode()
                except OSError:  # the program has ended
                    break
        return self.shown

    def press(self, key):
        os.write(self._ours, key)

    def end(self):
        self.read()
        os.close(self._ours)
        return self.process.wait(30)


@pytest.fixture
def inputs(folder):
    files = {f"{k:02}": f"stub n={k} sleep=0.1" for k in range(50)}
    return folder(files | {"01_bad": "stub fail", "02_bad": "stub fail", "03_note": "text"})


def test_rate_time_left_and_failures_are_shown_and_cleared_away(inputs, tmp_path):
    terminal = Terminal("detect", inputs, "--out", tmp_path / "out", "--jobs", 2, "--write", "none")
    assert terminal.end() == 3
    lines = [line.strip() for line in re.split(r"[\r\n]+", terminal.shown) if line.strip()]
    assert lines[0] == "looking for inputs ..."
    bar = [line for line in lines if re.search(r"of 53 inputs", line)]
    assert re.fullmatch(r"0 % \|\s*\| 0 of 53 inputs, \? left, 0 images/min, 0 failed", bar[0])
    watched = re.compile(r"\d+ % \|[^|]*\| \d+ of 53 inputs, 0\d:\d\d left, [1-9]\d* images/min, 2 failed")
    assert any(watched.fullmatch(line) for line in bar), bar
    assert max(map(len, bar)) <= 120
    summary = lines[lines.index(bar[-1]) + 1 :]
    assert "images          53 (50 ok, 1 skipped, 2 failed)" in summary
    assert "skipped      1  not a DICOM, PNG, TIFF or PGM file" in summary
    assert "failed       2  a stub that cannot be read" in summary


def test_control_c_says_how_to_go_on_and_that_is_true(inputs, tmp_path, detect, tables):
    out, released = tmp_path / "out", tmp_path / "released"
    # However late the key is pressed, the run has not ended by then.
    (inputs / "49").write_text(f"stub n=49 until={released}\n")
    arguments = ("detect", inputs, "--out", out, "--jobs", 2, "--write", "none")
    terminal = Terminal(*arguments)
    terminal.read(until=r"\b[1-9]\d* of 53 inputs")
    for _ in range(3):  # as people do
        terminal.press(b"\x03")
        time.sleep(0.05)
    assert terminal.end() == 130
    said = f"mammocalc: stopped; what is finished is kept in {out}: run the same command again to go on"
    assert said in terminal.shown.replace("^C", "")
    assert "Traceback" not in terminal.shown
    assert not (out / "images.parquet").exists()
    done = len(list(out.glob("ledger/*/*.entry")))
    assert 1 <= done < 53
    released.touch()
    again = subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert (again.returncode, again.stderr) == (3, "")
    resumed = re.search(r"53 \(50 ok, 1 skipped, 2 failed, (\d+) of them done before\)", again.stdout)
    assert int(resumed[1]) == done
    detect(inputs, tmp_path / "undisturbed")
    assert tables(out) == tables(tmp_path / "undisturbed")
