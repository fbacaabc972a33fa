import numba
import numpy as np
import pytest
from mammocalc_kernels.streams import (
    clamp_left,
    clamp_right,
    multiply_add,
    prefetch,
    read,
    span,
    times_power_of_two,
    write,
)


@numba.njit
def shifted_sum(plane, out, start, n):
    a = span(plane, start, n)
    b = span(plane, start + 1, n)
    for k in range(n):
        write(out, k, read(a, k) + read(b, k))


@numba.njit
def twice(plane, room, out, n):
    # The second call reads what the first one wrote.
    shifted_sum(plane, room, 1, n)
    shifted_sum(room, out, 0, n - 1)


def test_spans_index_the_flat_array_and_calls_keep_their_order():
    plane = np.arange(200, dtype=np.float32).reshape(10, 20) ** 2
    room = np.zeros(101, np.float32)
    out = np.zeros(100, np.float32)
    flat = plane.ravel()
    for _ in range(3):
        twice(plane, room, out, 101)
        first = flat[1:102] + flat[2:103]
        assert np.array_equal(room, first)
        assert np.array_equal(out, first[:-1] + first[1:])
        flat += 1


@numba.njit
def all_multiply_added(a, b, c):
    out = np.empty_like(a)
    for k in range(a.size):
        out[k] = multiply_add(a[k], b[k], c[k])
    return out


def test_a_product_and_a_sum_are_rounded_once():
    # Products of float32 are exact in float64, and so are these sums, for what the products lose is what is left.
    generator = np.random.default_rng(2)
    a, b = generator.normal(0, 9, (2, 1000)).astype(np.float32)
    c = -(a * b)
    expected = (a.astype(np.float64) * b.astype(np.float64) + c).astype(np.float32)
    assert np.array_equal(all_multiply_added(a, b, c), expected)
    assert np.count_nonzero(expected) > 900


@numba.njit
def all_scaled(values, powers):
    out = np.empty_like(values)
    for k in range(values.size):
        out[k] = times_power_of_two(values[k], powers[k] + np.float32(1.5 * 2**23))
    return out


def test_a_power_of_two_goes_into_the_exponent():
    powers = np.arange(-120, 20, dtype=np.float32)
    values = np.random.default_rng(4).uniform(0.7, 1.5, powers.size).astype(np.float32)
    assert np.array_equal(all_scaled(values, powers), np.ldexp(values, powers.astype(int)))


@numba.njit
def prefetched(plane, index):
    prefetch(plane, index)
    return plane[0, 0]


def test_what_is_asked_for_may_lie_outside():
    plane = np.full((3, 4), 7, np.float32)
    assert [prefetched(plane, index) for index in (0, 11, 12, -1, 1 << 40)] == [7] * 5


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("backwards", [False, True])
def test_running_clamp_is_the_chain_of_clamps(dtype, backwards):
    random = np.random.default_rng(1)
    scan = clamp_left if backwards else clamp_right

    @numba.njit
    def run(low, high, target, n, carry):
        return scan(low, high, 5, target, n, carry)

    n = 128
    for top in (3, 65535):
        high = random.integers(0, top + 1, n + 5).astype(dtype)
        low = np.minimum(random.integers(0, top + 1, n).astype(dtype), high[5:])
        target = np.zeros(n + 1, dtype)
        x = carry = dtype(top // 2)
        expected = np.zeros(n + 1, dtype)
        for k in range(n - 1, -1, -1) if backwards else range(n):
            x = max(low[k], min(high[5 + k], x))
            expected[k] = x
        assert run(low, high, target, n, carry) == x
        assert np.array_equal(target, expected)
        run(low, high, low, n, carry)
        assert np.array_equal(low, expected[:n])
