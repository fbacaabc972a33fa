"""Compiling where nothing can be kept."""

import numba
import pytest
from mammocalc_kernels.compile import kernel


def add_one(value):
    return value + 1


@pytest.fixture
def no_folder_to_write_in(monkeypatch):
    """As an account without a home finds it, in a container say: numba refuses to compile with a cache."""
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])


def test_kernels_are_compiled_without_a_cache_where_none_can_be_written(no_folder_to_write_in):
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(add_one)
    compiled = kernel(add_one)
    assert compiled(1) == 2
    assert len(compiled.signatures) == 1
