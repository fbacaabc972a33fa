"""Compiling where nothing can be kept."""

import threading
import time

import numba
import pytest
from mammocalc_kernels.compile import kernel, run_bands, run_each
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


def test_nothing_is_begun_after_a_piece_has_failed_in_the_callers_thread():
    done = []

    def work(piece):
        if threading.current_thread() is threading.main_thread():
            raise ValueError("in the caller's thread")
        time.sleep(0.01)
        done.append(piece)

    with pytest.raises(ValueError, match="in the caller"):
        run_each(work, range(1000), 2)
    assert len(done) < 1000


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_piece_may_share_out_its_own_work(threads):
    def square_sums(count):
        return sum(run_each(lambda k: k * k, range(count), threads))

    assert run_each(square_sums, range(9), threads) == [sum(k * k for k in range(n)) for n in range(9)]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 63, 64, 1000])
def test_bands_follow_each_other_over_all_rows(rows, threads):
    parts = run_bands(lambda first, end: list(range(first, end)), rows, threads)
    assert [row for part in parts for row in part] == list(range(rows))
    assert all(len(part) >= min(rows, 64) for part in parts)
    assert len(parts) > 1 or threads == 1 or rows < 128


@kernel
def _twice_as_many(count):
    return 2 * count


def test_a_literal_is_compiled_as_the_number_it_is():
    for kind in (types.literal(0), types.literal(7), types.int64):
        _, _, arguments, _ = _twice_as_many.get_call_template((kind,), {})
        assert arguments == (types.int64,)
    assert _twice_as_many.signatures == [(types.int64,)]
    assert _twice_as_many(3) == 6
