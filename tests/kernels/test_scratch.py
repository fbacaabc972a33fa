"""Planes that are kept from one user to the next."""

from __future__ import annotations

import numpy as np
import pytest
from mammocalc_kernels import scratch
from mammocalc_kernels.scratch import scratch_plane


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(scratch, "_empty", [])
    monkeypatch.setattr(scratch, "_cleared", [])


def address(plane):
    return plane.__array_interface__["data"][0]


def test_the_next_user_gets_the_same_memory_in_another_form():
    with scratch_plane((40, 50), np.float32) as plane:
        assert (plane.shape, plane.dtype) == ((40, 50), np.float32)
        assert plane.flags.c_contiguous
        first = address(plane)
    with scratch_plane((30, 20), np.int32) as plane:
        assert (plane.shape, plane.dtype) == ((30, 20), np.int32)
        assert address(plane) == first


def test_two_users_at_once_share_nothing():
    with scratch_plane((40, 50), np.float32) as one, scratch_plane((40, 50), np.float32) as other:
        assert not np.may_share_memory(one, other)
        one[:], other[:] = 1, 2
        assert (one == 1).all()


def test_a_cleared_plane_is_never_one_that_held_anything():
    with scratch_plane((40, 50), np.float32) as plane:
        plane[:] = 7
    with scratch_plane((40, 50), np.int32, cleared=True) as plane:
        assert not plane.any()
        first = address(plane)
    with scratch_plane((40, 50), np.int32, cleared=True) as plane:
        assert address(plane) == first


def test_after_an_error_the_plane_is_let_go():
    def fail():
        with scratch_plane((40, 50), np.int32, cleared=True) as plane:
            plane[:] = 3
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with scratch_plane((40, 50), np.int32, cleared=True) as plane:
        assert not plane.any()


def test_what_is_too_small_makes_room(monkeypatch):
    monkeypatch.setattr(scratch, "_MOST_KEPT_BYTES", 1000)
    with scratch_plane((10, 10), np.uint8):
        pass
    with scratch_plane((30, 30), np.uint8):
        pass
    assert [kept.nbytes for kept in scratch._empty] == [900]


def test_no_more_is_kept_than_is_allowed(monkeypatch):
    monkeypatch.setattr(scratch, "_MOST_KEPT_BYTES", 1000)
    with scratch_plane((20, 30), np.uint8), scratch_plane((20, 30), np.uint8, cleared=True):
        pass
    with scratch_plane((20, 60), np.uint8):
        pass
    assert sum(kept.nbytes for kept in (*scratch._empty, *scratch._cleared)) == 600
