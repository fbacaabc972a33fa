"""What a run over many files costs the machine, and whether it loses anything.

    python benchmarks/bench_batch.py stubs --inputs 100000   # the driver's memory over stub images, about half an hour
    python benchmarks/bench_batch.py soak --inputs 2000      # mammograms, 5 % of them bad: memory of all processes
    python benchmarks/bench_batch.py kills --times 30        # killed and resumed: are the tables those of one run?
    python benchmarks/bench_batch.py frames --inputs 240     # a multi-frame object larger than a worker's memory
    python benchmarks/bench_batch.py same --inputs 24        # jobs, threads, executors, shards, Dask: the same bytes?

With a small number each is done within seconds; growth of memory is judged from 500 inputs on. Exit status 1 where a
row is missing, memory grows, or tables differ.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from batch_inputs import mammograms, names_below, soak_files, stub_files, tomosynthesis
from dask_cluster import cluster

from mammocalc.batch import BatchLimits, BatchSummary, detect_folder, merge, pool, run

TESTS = Path(__file__).parent.parent / "tests" / "batch"
TABLES = ("images.parquet", "calcifications.parquet", "clusters.parquet")
LARGEST_GROWTH = 1.15
FEWEST_FOR_GROWTH = 500


class Watch:
    """Notes memory, open files and rate as a run goes on; give it to `detect_folder` as ``progress``."""

    def __init__(self, notes: int = 20) -> None:
        self._notes = notes
        self._next = 0.0
        self.driver: list[float] = []
        self.workers: list[float] = []
        self.largest_worker = 0.0

    def __call__(self, done: int, inputs: int, failed: int, rate: float) -> None:
        """Note the state at every twentieth of the inputs."""
        for child in children():
            self.largest_worker = max(self.largest_worker, megabytes_of(child, "VmHWM"))
        if done < self._next:
            return
        self._next = done + inputs / self._notes
        self.driver.append(megabytes_of("self"))
        self.workers.append(sum(map(megabytes_of, children())))
        print(
            f"{done:8} of {inputs}, {failed} failed, {rate:7.1f}/s, driver {self.driver[-1]:6.1f} MB "
            f"and {len(list(Path('/proc/self/fd').iterdir()))} files, workers {self.workers[-1]:7.1f} MB",
            flush=True,
        )

    def is_flat(self) -> bool:
        """Whether neither driver nor workers have grown since a quarter of the run."""
        quarter = len(self.driver) // 4
        growth = [series[-1] / series[quarter] for series in (self.driver, self.workers) if series[quarter]]
        print(f"memory at the end over that at a quarter of the run: {', '.join(f'{g:.3f}' for g in growth)}")
        return max(growth) < LARGEST_GROWTH


def megabytes_of(process: int | str, what: str = "VmRSS") -> float:
    """Resident memory of a process, or its peak; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith(what)), 0.0)


def children() -> list[int]:
    """Processes started by this one."""
    return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def accounted(summary: BatchSummary, folder: Path, out: Path) -> bool:
    """Whether every file below the folder has its one row (frame 0), and all counts add up."""
    import pandas as pd

    images = pd.read_parquet(out / "images.parquet")
    first = images[images.frame == 0]
    names = set(names_below(folder))
    complete = first.path.is_unique and set(first.path) == names and len(names) == summary.inputs
    adding = summary.ok + summary.skipped + summary.failed == summary.images == len(images)
    print(
        f"{len(names)} files, {len(images)} rows: {summary.ok} ok, {summary.skipped} skipped, {summary.failed} failed"
    )
    for reasons in (summary.skipped_reasons, summary.failed_reasons):
        for reason, count in reasons.items():
            print(f"{count:6} {reason}")
    return complete and adding


def stubs(folder: Path, inputs: int, jobs: int) -> bool:
    """A run over tiny stub images: the driver's memory must not depend on their number."""
    inputs_folder = stub_files(folder, inputs)
    sys.path.append(str(TESTS))
    run.ProcessCrew = functools.partial(pool.ProcessCrew, searcher="stub_stages:search", prepare="")  # type: ignore[misc]
    watch = Watch()
    summary = detect_folder(inputs_folder, folder / "out", write=(), jobs=jobs, progress=watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{summary.images} rows in {summary.seconds:.0f} s; the driver took at most {peak:.0f} MB, tables included"
    )
    again = detect_folder(inputs_folder, folder / "out", write=(), jobs=jobs)
    print(f"resumed {again.resumed} in {again.seconds:.0f} s")
    flat = watch.is_flat() or inputs < FEWEST_FOR_GROWTH
    return (
        summary.ok == again.resumed == inputs and flat and accounted(summary, inputs_folder, folder / "out")
    )


def soak(folder: Path, inputs: int, jobs: int) -> bool:
    """A run over synthetic mammograms of which one in twenty is bad in one of many ways."""
    inputs_folder, bad = soak_files(folder, inputs)
    watch = Watch()
    limits = BatchLimits(image_seconds=120.0, worker_megabytes=2000)
    summary = detect_folder(inputs_folder, folder / "out", write=(), jobs=jobs, limits=limits, progress=watch)
    print(f"{bad} files are bad; {summary.seconds:.0f} s; largest worker {watch.largest_worker:.0f} MB")
    flat = watch.is_flat() or inputs < FEWEST_FOR_GROWTH
    few = summary.failed + summary.skipped <= bad and summary.ok >= inputs - bad
    internal = any("internal error" in reason for reason in summary.failed_reasons)
    return accounted(summary, inputs_folder, folder / "out") and few and flat and not internal


def frames(folder: Path, inputs: int, jobs: int) -> bool:
    """A multi-frame object of so many frames, by a worker that may hold less than the whole of a large one."""
    (folder / "inputs").mkdir()
    file = folder / "inputs" / "tomosynthesis"
    tomosynthesis(file, inputs, rows=1800, columns=1400)
    limits = BatchLimits(worker_megabytes=1000)
    watch = Watch()
    summary = detect_folder(
        folder / "inputs", folder / "out", write=(), jobs=jobs, limits=limits, progress=watch
    )
    print(
        f"{file.stat().st_size / 1e6:.0f} MB in {inputs} frames, {limits.worker_megabytes} MB allowed; a worker took "
        f"at most {watch.largest_worker:.0f} MB; {summary.seconds / inputs:.2f} s a frame"
    )
    return accounted(summary, folder / "inputs", folder / "out") and summary.ok == inputs


def kills(folder: Path, times: int, jobs: int) -> bool:
    """A run over stub images, killed (SIGKILL) `times` times: its tables must be those of an undisturbed one."""
    for k in range(20 * times):
        file = folder / "inputs" / f"{k % 7}" / f"{k:05}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"stub n={k % 90} sleep=0.02 {'frames=3' if k % 25 == 0 else ''}\n{k}")
    program = [sys.executable, str(TESTS / "run_stubs.py"), str(folder / "inputs")]
    subprocess.run([*program, str(folder / "out0"), f"jobs={jobs}"], check=True)
    chance = random.Random(1)
    killed = 0
    out = folder / "out1"
    while killed < times:
        with subprocess.Popen([*program, str(out), f"jobs={jobs}"], stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0.2, 6))
            except subprocess.TimeoutExpired:
                killed += 1
            process.kill()
        if process.returncode == 0:
            # Finished before the last kill: begin again, in another folder.
            print(f"killed {killed} times until it was finished; beginning again")
            if not _same(out, folder / "out0"):
                return False
            out = out.with_name(f"out{int(out.name[3:]) + 1}")
    subprocess.run([*program, str(out), f"jobs={jobs}"], check=True)
    print(f"killed {killed} times")
    return _same(out, folder / "out0")


def same(folder: Path, inputs: int, jobs: int) -> bool:
    """Mammograms, one of several frames, and bad files, searched in every way there is."""
    originals = mammograms(min(inputs, 12))
    for k in range(inputs):
        file = folder / "inputs" / "abc"[k % 3] / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(originals[k % len(originals)])
    tomosynthesis(folder / "inputs" / "tomosynthesis", 3)
    (folder / "inputs" / "cut.dcm").write_bytes(originals[0][:70_000])
    (folder / "inputs" / "note.txt").write_text("text")
    first = folder / "first"
    passed = accounted(detect_folder(folder / "inputs", first, jobs=1), folder / "inputs", first)
    for name, search in _ways(folder, inputs).items():
        out = folder / name.replace(" ", "_")
        began = time.perf_counter()
        search(out)
        print(f"{name:40} {time.perf_counter() - began:6.1f} s  ", end="")
        passed &= _same(out, first) & _same_pictures(out, first)
    return passed


def _ways(folder: Path, inputs: int) -> dict[str, Callable[[Path], Any]]:
    source = folder / "inputs"

    def search(out: Path, **options: Any) -> BatchSummary:
        return detect_folder(source, out, **options)

    def on_one_processor(out: Path) -> None:
        with processors(1):
            search(out, jobs=1)

    def in_executor(out: Path, executor: ThreadPoolExecutor | ProcessPoolExecutor) -> None:
        with executor:
            search(out, executor=executor)

    def in_shards(out: Path) -> None:
        for k in (3, 1, 2):
            search(out, shard=(k, 3), jobs=k)
        merge(out)

    def on_a_cluster(out: Path) -> None:
        with cluster(folder, 2) as (address, workers):

            def kill(done: int, total: int, failed: int, rate: float) -> None:
                if done >= total // 2 and workers[0].poll() is None:
                    workers[0].kill()

            summary = search(out, scheduler=address, progress=kill)
            assert workers[0].poll() is not None
            assert summary.failed == 1

    def interrupted(out: Path) -> None:
        class Stopped(Exception):
            pass

        def stop(done: int, total: int, failed: int, rate: float) -> None:
            if done == min(inputs, 3):
                raise Stopped

        try:
            search(out, jobs=2, progress=stop)
        except Stopped:
            search(out, jobs=2, format="csv")
        search(out, jobs=1)

    # By module name, so that `spawn` finds it.
    context = get_context("spawn")
    return {
        "jobs 4": lambda out: search(out, jobs=4),
        "one processor, one thread": on_one_processor,
        "threads of one process": lambda out: in_executor(out, ThreadPoolExecutor(2)),
        "an executor of processes": lambda out: in_executor(out, ProcessPoolExecutor(2, mp_context=context)),
        "three shards joined": in_shards,
        "stopped, resumed as CSV, then as Parquet": interrupted,
        "Dask, one of two workers killed": on_a_cluster,
    }


@contextmanager
def processors(number: int) -> Iterator[None]:
    """Only so many processors, for this process and those it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _same(out: Path, other: Path) -> bool:
    same = all((out / table).read_bytes() == (other / table).read_bytes() for table in TABLES)
    print("the tables are the same, byte for byte" if same else "THE TABLES DIFFER")
    return same


def _same_pictures(out: Path, other: Path) -> bool:
    names = {path.name for path in (other / "overlays").iterdir()}
    same = names == {path.name for path in (out / "overlays").iterdir()} and all(
        (out / "overlays" / name).read_bytes() == (other / "overlays" / name).read_bytes() for name in names
    )
    print("" if same else "THE PICTURES DIFFER\n", end="")
    return same


WHAT: dict[str, Callable[[Path, int, int], bool]] = {
    "stubs": stubs,
    "soak": soak,
    "kills": kills,
    "frames": frames,
    "same": same,
}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {options.jobs} processes")
    number = options.times if options.what == "kills" else options.inputs
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        passed = WHAT[options.what](Path(folder), number, options.jobs)
    print(f"{'passed' if passed else 'FAILED'} in {time.perf_counter() - began:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
