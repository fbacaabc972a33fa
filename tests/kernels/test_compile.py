"""Compiling where nothing can be kept."""

import numba
import pytest
from mammocalc_kernels.compile import kernel, run_each
from numba import types


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


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_pieces_are_worked_on_once_and_come_back_in_order(threads, count):
    seen = []

    def work(piece):
        seen.append(piece)
        return piece * piece

    assert run_each(work, range(count), threads) == [k * k for k in range(count)]
    assert sorted(seen) == list(range(count))


def test_what_a_piece_raises_is_raised():
    with pytest.raises(ZeroDivisionError, match="by zero"):
        run_each(lambda piece: 1 // piece, [1, 0, 2], 2)


@kernel
def _twice_as_many(count):
    return 2 * count


def test_a_literal_is_compiled_as_the_number_it_is():
    for kind in (types.literal(0), types.literal(7), types.int64):
        _, _, arguments, _ = _twice_as_many.get_call_template((kind,), {})
        assert arguments == (types.int64,)
    assert _twice_as_many.signatures == [(types.int64,)]
    assert _twice_as_many(3) == 6
