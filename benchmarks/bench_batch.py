"""What a run over many files costs the machine, and whether it loses anything.

    python benchmarks/bench_batch.py stubs --inputs 100000   # the driver's memory over stub images, about half an hour
    python benchmarks/bench_batch.py soak --inputs 2000      # real images, 5 % of them bad: memory of all processes
    python benchmarks/bench_batch.py kills --times 30        # killed and resumed: are the tables those of one run?

Exit status 1 where a row is missing, memory grows, or tables differ.
"""

from __future__ import annotations

import argparse
import functools
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mammocalc.batch import detect_folder, pool, run

TESTS = Path(__file__).parent.parent / "tests" / "batch"
TABLES = ("images.parquet", "calcifications.parquet", "clusters.parquet")
LARGEST_GROWTH = 1.15


class Watch:
    """Notes memory and rate as a run goes on; give it to `detect_folder` as ``progress``."""

    def __init__(self, notes: int = 10) -> None:
        self._notes = notes
        self._next = 0.0
        self.driver: list[float] = []
        self.workers: list[float] = []

    def __call__(self, done: int, inputs: int, failed: int, rate: float) -> None:
        """Note the state at every tenth of the inputs."""
        if done < self._next:
            return
        self._next = done + inputs / self._notes
        self.driver.append(resident_megabytes("self"))
        self.workers.append(sum(map(resident_megabytes, children())))
        print(
            f"{done:8} of {inputs}, {failed} failed, {rate:7.1f}/s, driver {self.driver[-1]:6.1f} MB, "
            f"workers {self.workers[-1]:7.1f} MB",
            flush=True,
        )

    def grown(self) -> float:
        """Memory at the end over that at a quarter of the run, of driver or workers, whichever grew more."""
        quarter = len(self.driver) // 4
        return max(series[-1] / series[quarter] for series in (self.driver, self.workers) if series[quarter])


def resident_megabytes(process: int | str) -> float:
    """Resident memory of a process; 0 for one that is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1e6


def children() -> list[int]:
    """Processes started by this one."""
    return [
        int(word) for word in Path("/proc/self/task").joinpath(str(_self()), "children").read_text().split()
    ]


def _self() -> int:
    return int(Path("/proc/self").resolve().name)


def stubs(folder: Path, inputs: int, jobs: int) -> bool:
    """A run over tiny stub images: the driver's memory must not depend on their number."""
    for k in range(inputs):
        file = folder / "inputs" / f"{k // 1000:04}" / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"stub n=5\n{k}")
    sys.path.append(str(TESTS))
    run.ProcessCrew = functools.partial(pool.ProcessCrew, searcher="stub_stages:search", prepare="")  # type: ignore[misc]
    watch = Watch()
    summary = detect_folder(folder / "inputs", folder / "out", write=(), jobs=jobs, progress=watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{summary.images} rows in {summary.seconds:.0f} s; the driver took at most {peak:.0f} MB, tables included"
    )
    again = detect_folder(folder / "inputs", folder / "out", write=(), jobs=jobs)
    print(f"resumed {again.resumed} in {again.seconds:.0f} s")
    return summary.ok == again.resumed == inputs and watch.grown() < LARGEST_GROWTH


def soak(folder: Path, inputs: int, jobs: int) -> bool:
    """A run over real (synthetic) mammograms of which one in twenty is bad in one of many ways."""
    bad = 0
    for k, data in enumerate(_soak_files(inputs)):
        file = folder / "inputs" / f"{k % 7}" / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        if k % 20 == 19:
            bad += 1
            data = _spoilt(data, k)
        file.write_bytes(data)
    watch = Watch(20)
    summary = detect_folder(folder / "inputs", folder / "out", write=(), jobs=jobs, progress=watch)
    print(f"{summary.images} rows in {summary.seconds:.0f} s: {summary.ok} ok, {summary.failed} failed")
    for reason, count in summary.failed_reasons.items():
        print(f"{count:6} {reason}")
    accounted = summary.images == inputs and summary.failed <= bad
    return accounted and watch.grown() < LARGEST_GROWTH


def _soak_files(inputs: int) -> Iterator[bytes]:
    """Files of a few different mammograms in turn, compressed and not."""
    from mammocalc.phantom import PhantomSettings, make
    from mammocalc.write.dicom import write_mammogram

    originals = []
    for seed in range(6):
        image = make(
            seed, settings=PhantomSettings(rows=900, columns=640, view=("MLO", "CC")[seed % 2])
        ).mammogram
        with tempfile.NamedTemporaryFile() as file:
            write_mammogram(image, file.name, transfer_syntax=("native", "jpeg-lossless")[seed // 3])
            originals.append(Path(file.name).read_bytes())
    for k in range(inputs):
        yield originals[k % len(originals)]


def _spoilt(data: bytes, k: int) -> bytes:
    chance = random.Random(k)
    kind = k // 20 % 5
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        return b""
    if kind == 2:
        return bytes(len(data))
    spoilt = bytearray(data)
    for _ in range(200):
        spoilt[chance.randrange(2000 if kind == 3 else len(data))] = chance.randrange(256)
    return bytes(spoilt)


def kills(folder: Path, times: int, jobs: int) -> bool:
    """A run over stub images, killed (SIGKILL) `times` times: its tables must be those of an undisturbed one."""
    for k in range(20 * times):
        file = folder / "inputs" / f"{k % 7}" / f"{k:05}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"stub n={k % 90} sleep=0.02 {'frames=3' if k % 25 == 0 else ''}\n{k}")
    program = [sys.executable, str(TESTS / "run_stubs.py"), str(folder / "inputs")]
    subprocess.run([*program, str(folder / "undisturbed"), f"jobs={jobs}"], check=True)
    chance = random.Random(1)
    killed = 0
    while killed < times:
        with subprocess.Popen(
            [*program, str(folder / "out"), f"jobs={jobs}"], stdout=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(chance.uniform(0.2, 6))
            except subprocess.TimeoutExpired:
                killed += 1
            process.kill()
        if process.returncode == 0:
            # Finished before the last kill: begin again.
            print(f"killed {killed} times until it was finished; beginning again")
            if not _same(folder):
                return False
            shutil.rmtree(folder / "out")
    subprocess.run([*program, str(folder / "out"), f"jobs={jobs}"], check=True)
    print(f"killed {killed} times")
    return _same(folder)


def _same(folder: Path) -> bool:
    same = all(
        (folder / "out" / table).read_bytes() == (folder / "undisturbed" / table).read_bytes()
        for table in TABLES
    )
    print("the tables are the same, byte for byte" if same else "THE TABLES DIFFER")
    return same


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("stubs", "soak", "kills"))
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {options.jobs} processes")
    what: dict[str, Callable[[Path, int, int], bool]] = {"stubs": stubs, "soak": soak, "kills": kills}
    number = options.times if options.what == "kills" else options.inputs
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        passed = what[options.what](Path(folder), number, options.jobs)
    print(f"{'passed' if passed else 'FAILED'} in {time.perf_counter() - began:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
