"""Compiling every kernel ahead of time, and knowing whether that is still to come."""

from __future__ import annotations

import os
import pkgutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class KernelCache:
    """Where compiled kernels are kept, and how far they are there.

    Attributes
    ----------
    folder : Path
    compiled, kernels : int
        Kernels with compiled code that fits their source, of all that there are. Kernels that are only ever called by
        other kernels have none of their own.
    megabytes : float
        Size of the folder's kernel files.
    """

    folder: Path
    compiled: int
    kernels: int
    megabytes: float


def _kernels() -> Iterator[Any]:
    """Every compiled function of ``mammocalc_kernels``, in the module that defines it."""
    import mammocalc_kernels
    from numba.core.dispatcher import Dispatcher

    for module_info in pkgutil.iter_modules(mammocalc_kernels.__path__):
        module = import_module(f"mammocalc_kernels.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                yield value


def _index_is_fresh(kernel: Any) -> bool:
    """Whether the cache has code of this kernel that is not older than its source."""
    code = kernel.py_func.__code__
    source = Path(code.co_filename)
    pattern = f"{source.stem}.{kernel.py_func.__qualname__}-{code.co_firstlineno}.{_python()}.nbi"
    return _any_fresh(Path(kernel.stats.cache_path), pattern, source)


def _any_fresh(folder: Path, pattern: str, source: Path) -> bool:
    changed = source.stat().st_mtime
    return any(file.stat().st_mtime >= changed for file in folder.glob(pattern))


def _python() -> str:
    return f"py{sys.version_info.major}{sys.version_info.minor}"


def kernel_cache() -> KernelCache:
    """The state of the compiled kernels' cache on disk."""
    kernels = list(_kernels())
    folder = Path(kernels[0].stats.cache_path)
    size = sum(file.stat().st_size for file in folder.glob("*.nb[ic]")) if folder.is_dir() else 0
    return KernelCache(folder, sum(_index_is_fresh(kernel) for kernel in kernels), len(kernels), size / 1e6)


def is_first_run() -> bool:
    """Whether no kernel has been compiled here yet, so that the first image takes much longer than the next.

    Looks first where numba keeps code by default, without waiting for numba itself.
    """
    spec = find_spec("mammocalc_kernels")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("mammocalc_kernels is not installed")
    folder = Path(spec.submodule_search_locations[0])
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    caches = list(Path(chosen).glob("*/")) if chosen else [folder / "__pycache__"]
    for source in folder.glob("*.py"):
        if any(_any_fresh(cache, f"{source.stem}.*.{_python()}.nbi", source) for cache in caches):
            return False
    return not any(_index_is_fresh(kernel) for kernel in _kernels())


def warm_up() -> float:
    """Run the whole flow on small synthetic mammograms, so that every kernel is compiled and kept on disk.

    Returns
    -------
    float
        Seconds it took.
    """
    from mammocalc.phantom import PhantomSettings, make
    from mammocalc.pipeline import detect

    began = time.perf_counter()
    for intent in ("FOR PROCESSING", "FOR PRESENTATION"):
        settings = PhantomSettings(intent=intent)
        detect(make(1, settings=settings).mammogram)
    return time.perf_counter() - began
