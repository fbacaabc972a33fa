"""Compiling every kernel ahead of time, and knowing whether that is still to come."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mammocalc.read.mammogram import Mammogram

# A breast with room for everything that is drawn; what is compiled does not depend on size.
_ROWS, _COLUMNS = 600, 440


@dataclass(frozen=True)
class KernelCache:
    """Where compiled kernels are kept.

    Attributes
    ----------
    folder : Path
    megabytes : float
        Size of the compiled code, of earlier versions too.
    is_complete : bool
        Whether `warm_up` has run here for these sources.
    """

    folder: Path
    megabytes: float
    is_complete: bool


def kernel_cache() -> KernelCache:
    """The state of the compiled kernels' cache on disk."""
    folder = _cache_folder()
    size = sum(file.stat().st_size for file in folder.rglob("*.nb[ic]")) if folder.is_dir() else 0
    return KernelCache(folder, size / 1e6, not is_first_run())


def is_first_run() -> bool:
    """Whether kernels may still have to be compiled, so that the first image takes much longer than the next.

    Answers without waiting for the compiler to be imported.
    """
    return not _mark().exists()


def warm_up() -> float:
    """Run the whole flow on small synthetic mammograms, so that every kernel is compiled and kept on disk.

    Returns
    -------
    float
        Seconds it took.
    """
    from mammocalc.pipeline import detect

    began = time.perf_counter()
    with _rarely_collecting():
        detect(_example())
    # Where the cache cannot be written, the next run has to find out again.
    with contextlib.suppress(OSError):
        mark = _mark()
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return time.perf_counter() - began


def compile_searching() -> None:
    """Compile the kernels of the stages before measuring."""
    from mammocalc.prepare import prepare
    from mammocalc.segment import segment

    with _rarely_collecting():
        segment(prepare(_example()))


def compile_clustering() -> None:
    """Compile the kernels that bring candidates into company, but for those along curves, on a few points."""
    import numpy as np
    from mammocalc_kernels import neighbours, paths, walls, wards_tree

    with _rarely_collecting():
        along, points = _few_points()
        one, other, _ = neighbours.near_pairs(along, along, 2.0)
        neighbours.few_nearest(along, along, 2)
        neighbours.nearest_among(points, points)
        walls.facing_points(points, points, 0.5, 0.5, 2.0, 0.5)
        paths.connected_parts(len(points), one, other)
        paths.longest_way(along, along, 2.0)
        wards_tree.wards_tree(np.concatenate([points, points], axis=1))


def compile_chaining() -> None:
    """Compile the kernels that follow curves and vessels, on a few points."""
    import numpy as np
    from mammocalc_kernels import bows, cross_profiles, curves, ridges, walls

    with _rarely_collecting():
        along, points = _few_points()
        plane = np.zeros((8, 8), np.float32)
        curves.smooth_curve(points, 0.5, np.array([0.2, 0.6, 0.2]))
        curves.tangents_of(points)
        curves.beside(points, points, 0.5)
        walls.middle_points(points, points, np.array([1, 0, *[-1] * 6]))
        walls.wall_courses(along, along, along, 1.0, 0.5)
        profile = cross_profiles.cross_profiles(plane, points, points, along, np.zeros((1, 5)))
        ridges.ridge_significance(profile, np.array([[(2, 4), (0, 2), (4, 6)]]), 2)
        bows.trace_bows(plane, points, points, along, along, along)


def _few_points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    along = np.arange(8.0)
    return along, np.stack([along % 2, along], axis=1)


def compile_measuring() -> None:
    """Compile the kernels that measure, without those of the stages before."""
    import numpy as np

    from mammocalc.measure import measure
    from mammocalc.prepare.scene import Anatomy, Scene
    from mammocalc.segment.regions import Regions

    side, step = 64, 8
    plane = np.zeros((side, side), np.float32)
    plane[30:34, 28:36] = 30
    rows = np.arange(30, 34, dtype=np.int32)
    regions = Regions(
        plane.shape,
        np.array([0, 4], np.int64),
        rows,
        np.full(4, 28, np.int32),
        np.full(4, 36, np.int32),
        np.array([[30, 28, 34, 36]], np.int32),
        np.ones(1),
        {},
    )
    cells = np.ones((side // step, side // step), np.bool_)
    anatomy = Anatomy(step, cells, ~cells, ~cells, cells.astype(np.float32), None, "left", 1.0)
    curve, level = np.array([0.0, 1.0], np.float32), np.array([0.0, 1.0])
    with _rarely_collecting():
        measure(Scene(plane, (0, 0), 0.1, anatomy, curve, curve, curve, level, level + 1), regions)


@contextlib.contextmanager
def _rarely_collecting() -> Iterator[None]:
    """Look for rubbish rarely: the compiler makes very many objects, nearly all of which stay, and waits for that."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@cache
def load_measuring_ahead() -> None:
    """Load the compiled kernels that measure in a thread of its own, beside the stages before; once a process.

    Loading is the compiler's work on one processor, and most of it lets Python go on. Where the kernels are still to
    be compiled nothing is done: two threads would only wait for each other.
    """

    def load() -> None:
        # What is wrong is said where it is needed.
        with contextlib.suppress(Exception):
            compile_measuring()

    if not is_first_run():
        threading.Thread(target=load, name="mammocalc-loading").start()


@cache
def _example() -> Mammogram:
    from mammocalc.phantom import PhantomSettings, make

    settings = PhantomSettings(intent="FOR PROCESSING", view="MLO", rows=_ROWS, columns=_COLUMNS)
    return make(1, settings=settings).mammogram


def _mark() -> Path:
    """A file that says that the kernels, as they are now, are compiled for this Python and this numba."""
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {version('numba')}".encode())
    for source in sorted(_kernel_folder().glob("*.py")):
        digest.update(source.read_bytes())
    return _cache_folder() / f"mammocalc-{digest.hexdigest()[:16]}.compiled"


def _kernel_folder() -> Path:
    spec = find_spec("mammocalc_kernels")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("mammocalc_kernels is not installed")
    return Path(spec.submodule_search_locations[0])


def _cache_folder() -> Path:
    """Where numba keeps the code: the folder of its own variable, beside the sources, else in the user's cache."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    beside = _kernel_folder() / "__pycache__"
    if os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return beside
    from numba.misc.appdirs import user_cache_dir

    return Path(user_cache_dir(appname="numba", appauthor=False))
