"""The bench under the kernel benchmarks: what an entry is, the images, interleaved timing, the table.

A module of entries defines ``entries() -> list[Entry]`` and is listed in `bench_kernels.py`.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = (
    "numpy",
    "numba",
    "scipy",
    "scikit-image",
    "opencv-python-headless",
    "simpleitk",
    "connected-components-3d",
    "sep",
)


@dataclass(frozen=True)
class Entry:
    """One line of work that our kernel and its peers all do.

    Attributes
    ----------
    name : str
        Shown in the table.
    prepare : callable
        ``prepare(image)`` turns the uint16 test image into the input of `ours` and `peers`; not timed.
    ours : callable
        ``ours(prepared, threads)`` returns the result that `check` sees.
    peers : dict of str to callable
        ``peer(prepared, threads)`` by the peer's name. A peer that is not installed raises ImportError and is
        reported as missing; one that has no threads runs with one.
    check : callable
        ``check(ours_result, peer_result, prepared)`` returns a few words on how equal they are ("identical",
        "rms 2e-4 of range") and raises AssertionError when they are not what is claimed. Called once per
        peer, on the warm-up's results.
    target : float or None
        Ratio to the fastest peer, one thread, that we mean to reach; None where we claim nothing.
    slow_peers : tuple of str
        Peers too slow to be timed more than once, on the warm-up; left out of a quick run.
    """

    name: str
    prepare: Callable[[NDArray[np.uint16]], Any]
    ours: Callable[[Any, int], Any]
    peers: dict[str, Callable[[Any, int], Any]]
    check: Callable[[Any, Any, Any], str]
    target: float | None = None
    slow_peers: tuple[str, ...] = field(default=())


def breast_image(rows: int, columns: int, bits: int, seed: int = 1) -> NDArray[np.uint16]:
    """A mammogram-like image: breast-shaped silhouette, power-law tissue (1/f^3 power), quantum noise, specks.

    Nothing anatomical is claimed; it has the spatial statistics, the flat air and the bit depth that kernels
    meet.
    """
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    # Below three periods an image there is no tissue but the breast's shape.
    spectrum = np.fft.rfft2(random.standard_normal((rows, columns))) / np.maximum(frequency, 3 / rows) ** 1.5
    tissue = np.fft.irfft2(spectrum, (rows, columns))
    tissue = (tissue - tissue.mean()) / tissue.std()
    row, column = np.ogrid[:rows, :columns]
    # 1 at the chest wall (left), 0 on the skin line, negative in air.
    depth = 1.0 - np.hypot((row - rows / 2) / (0.46 * rows), column / (0.82 * columns))
    top = 2.0**bits - 1
    thickness = np.clip(depth / 0.12, 0.0, 1.0) ** 0.5
    signal = top * (0.04 + thickness * (0.38 + 0.07 * tissue))
    count = rows * columns // 4000
    speck_row = random.integers(2, rows - 2, count)
    speck_column = random.integers(2, columns - 2, count)
    height = top * 0.03 * random.random(count)
    for offset_row, offset_column, share in (
        (0, 0, 1.0),
        (0, 1, 0.8),
        (1, 0, 0.8),
        (1, 1, 0.6),
        (-1, 0, 0.4),
        (0, -1, 0.4),
    ):
        np.add.at(signal, (speck_row + offset_row, speck_column + offset_column), share * height)
    noise = np.sqrt(np.clip(signal, 1.0, None) * top) * 0.006 * random.standard_normal((rows, columns))
    return np.clip(np.rint(signal + noise), 0, top).astype(np.uint16)


def environment() -> dict[str, Any]:
    """Machine and versions, for the head of the table and the JSON."""
    versions: dict[str, str] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": _processor(),
        "processors_usable": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **{package.replace("-", "_"): version for package, version in versions.items()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def set_peer_threads(threads: int) -> None:
    """Tell the peers that have a switch how many threads to use."""
    try:
        import cv2
    except ImportError:
        pass
    else:
        cv2.setNumThreads(threads)
    try:
        import SimpleITK
    except ImportError:
        pass
    else:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


@dataclass
class Timing:
    """Seconds of one entry on one image with a number of threads."""

    entry: str
    image: str
    threads: int
    ours_ms: float
    peers_ms: dict[str, float]
    agreement: dict[str, str]
    missing: dict[str, str]
    disagreeing: list[str]
    target: float | None

    @property
    def best_peer(self) -> str | None:
        """The fastest peer that ran."""
        return min(self.peers_ms, key=lambda name: self.peers_ms[name]) if self.peers_ms else None

    @property
    def ratio(self) -> float | None:
        """Time of the fastest peer over ours; below 1 the peer wins."""
        best = self.best_peer
        return None if best is None else self.peers_ms[best] / self.ours_ms

    @property
    def missed(self) -> bool:
        """Whether a target was set for this and not reached; targets are for one thread."""
        return self.threads == 1 and None not in (self.target, self.ratio) and self.ratio < self.target

    def as_dict(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "entry": self.entry,
            "image": self.image,
            "threads": self.threads,
            "ours_ms": self.ours_ms,
            "peers_ms": self.peers_ms,
            "best_peer": self.best_peer,
            "ratio": self.ratio,
            "target": self.target if self.threads == 1 else None,
            "agreement": self.agreement,
            "missing": self.missing,
            "disagreeing": self.disagreeing,
        }


def run_entry(
    entry: Entry,
    image: NDArray[np.uint16],
    image_name: str,
    threads: int,
    repeats: int,
    with_slow_peers: bool = True,
) -> Timing:
    """Warm up and check once, then time ours and the peers in turn `repeats` times and keep the medians."""
    set_peer_threads(threads)
    prepared = entry.prepare(image)
    result = entry.ours(prepared, threads)
    agreement: dict[str, str] = {}
    missing: dict[str, str] = {}
    disagreeing: list[str] = []
    once: dict[str, float] = {}
    for name, peer in entry.peers.items():
        if name in entry.slow_peers and not with_slow_peers:
            continue
        try:
            start = time.perf_counter()
            peer_result = peer(prepared, threads)
            once[name] = time.perf_counter() - start
        except ImportError as error:
            missing[name] = str(error)
            continue
        try:
            agreement[name] = entry.check(result, peer_result, prepared)
        except AssertionError as error:
            agreement[name] = f"DISAGREES with {name}: {error}"
            disagreeing.append(name)
        del peer_result
    del result
    timed = [name for name in agreement if name not in entry.slow_peers]
    ours: list[float] = []
    peers: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        start = time.perf_counter()
        entry.ours(prepared, threads)
        ours.append(time.perf_counter() - start)
        for name in timed:
            start = time.perf_counter()
            entry.peers[name](prepared, threads)
            peers[name].append(time.perf_counter() - start)
    seconds = {
        name: once[name] if name in entry.slow_peers else statistics.median(peers[name]) for name in agreement
    }
    return Timing(
        entry=entry.name,
        image=image_name,
        threads=threads,
        ours_ms=1e3 * statistics.median(ours),
        peers_ms={name: 1e3 * value for name, value in seconds.items()},
        agreement=agreement,
        missing=missing,
        disagreeing=disagreeing,
        target=entry.target,
    )


def format_timing(timing: Timing) -> str:
    """One row of the table."""
    peers = ", ".join(
        f"{name} {ms:.1f}" for name, ms in sorted(timing.peers_ms.items(), key=lambda pair: pair[1])
    )
    peers += "".join(f", {name} not installed" for name in timing.missing)
    ratio = "" if timing.ratio is None else f"{timing.ratio:.2f}"
    target = "" if timing.target is None or timing.threads != 1 else f"{timing.target:g}"
    equal = "; ".join(sorted(set(timing.agreement.values())))
    cells = (timing.entry, timing.image, timing.threads, f"{timing.ours_ms:.1f}", peers, ratio, target, equal)
    return "| " + " | ".join(map(str, cells)) + " |"


TABLE_HEAD = (
    "| stage | image | threads | ours, ms | peers, ms | best peer / ours | target | agreement |\n"
    "|---|---|---|---|---|---|---|---|"
)
