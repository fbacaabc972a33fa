"""Compiling the kernels with two processes: the compiler itself uses one processor only."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from mammocalc.batch.settings import usable_processors
from mammocalc.warm_up import (
    compile_chaining,
    compile_clustering,
    compile_measuring,
    compile_searching,
    warm_up,
)


def compile_ahead() -> float:
    """Compile every kernel, those that measure and chain beside the others; what goes wrong there is made up for here.

    Returns
    -------
    float
        Seconds it took.
    """
    began = time.perf_counter()
    if usable_processors() > 1:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        with subprocess.Popen(
            [sys.executable, "-m", "mammocalc.batch.compile_ahead"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        ) as measuring:
            try:
                compile_searching()
                compile_clustering()
            except BaseException:
                measuring.kill()
                raise
    warm_up()
    return time.perf_counter() - began


if __name__ == "__main__":
    compile_measuring()
    compile_chaining()
