"""A headless Chromium that is told what to do over a pipe: no further package, no network."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ANSWER_SECONDS = 120
_PLACED = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def find_browser():
    """Path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium; what it complained of is in `complaints`."""

    def __init__(self, executable):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        heard, self._to = os.pipe()
        self._from, said = os.pipe()
        # Out of the way of 3, on which Chromium listens, and 4, on which it answers.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (heard, said)]
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", _PLACED, *map(str, ends),
                executable, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}", "about:blank",
            ],
            pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (heard, said, *ends):
            os.close(end)
        self._buffer = b""
        self._number = 0
        self._session = None
        self._events = []
        self.complaints = []
        self.requests = []
        target = next(one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def _read(self):
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], _ANSWER_SECONDS)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise EOFError("the browser has gone")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _ask(self, method, **parameters):
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def _take(self, event):
        method, facts = event.get("method"), event.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            details = facts["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(facts["args"]))
        elif method == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.complaints.append(facts["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"][:200])

    def open(self, path, width=1600, height=950, dark=False):
        """Load a file and wait until all is drawn."""
        self.complaints.clear()
        self.requests.clear()
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self._ask("Page.navigate", url=Path(path).absolute().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._take(self._read())
        self.settle()

    def settle(self):
        """Wait for pictures and for two frames to be drawn."""
        self.run(
            "Promise.all([...document.images].filter(i => i.loading !== 'lazy').map(i => i.decode().catch(() => 0)))"
            ".then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1)))))"
        )

    def run(self, script):
        """The value of an expression of JavaScript."""
        answer = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key):
        """Press and let go of a key."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        codes = {"Enter": 13, "Tab": 9, "Escape": 27}
        code = {"windowsVirtualKeyCode": codes[key]} if key in codes else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, **code)
        self.settle()

    def drag(self, start, end, *, shift=False):
        """Press the left button at a point, move, let go."""
        common = {"button": "left", "modifiers": 8 if shift else 0, "clickCount": 1}
        self._ask("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **common)
        if end != start:
            self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=end[0], y=end[1], **common)
        self._ask("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **common)
        self.settle()

    def click(self, x, y):
        """Click at a point of the window."""
        self.drag((x, y), (x, y))

    def wheel(self, x, y, by):
        """Turn the wheel over a point."""
        self._ask("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=by)
        self.settle()

    def screenshot(self, path):
        """Write the window as PNG."""
        Path(path).write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def pdf(self):
        """The page as it prints."""
        return base64.b64decode(
            self._ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
        )

    def close(self):
        """Send it away."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()


@pytest.fixture(scope="module")
def browser():
    executable = find_browser()
    if executable is None:
        pytest.skip(f"there is no browser: none of {', '.join(NAMES)} is installed")
    opened = Browser(executable)
    yield opened
    opened.close()
