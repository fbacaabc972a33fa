import numpy as np
import pytest
from mammocalc_kernels.compile import kernel
from mammocalc_kernels.lanes import LANES, filter_four, filter_line, from_lanes, lanes, mirror_lanes, to_lanes


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 100, 240, 241, 255, 256, 257, 300, 1000])
@pytest.mark.parametrize("radius", [0, 1, 20])
def test_a_row_is_cut_into_mirrored_pieces_and_put_together_again(width, radius):
    row = np.random.default_rng(width).random(width + LANES, dtype=np.float32)
    layout = lanes(width, radius)
    line = np.full((layout.length + 2 * radius) * LANES, np.nan, np.float32)
    to_lanes(row, 0, width, layout.length, layout.beyond, line, radius * LANES)
    mirror_lanes(line, radius * LANES, layout.length, layout.before, layout.after, radius)

    beyond = layout.length * LANES - width
    twin = np.pad(row[:width], (radius, beyond + radius), mode="symmetric")
    for lane, piece in enumerate(line.reshape(-1, LANES).T):
        begin = lane * layout.length
        assert np.array_equal(piece, twin[begin : begin + layout.length + 2 * radius])

    back = np.full(width + 2, 7, np.float32)
    from_lanes(line, radius * LANES, width, layout.length, back, 1, np.empty(layout.length, np.float32))
    assert np.array_equal(back[1:-1], row[:width])
    assert back[0] == back[-1] == 7


@kernel
def _four(source, places, out, to, taps, n, blocks, step):
    filter_four(source, places, out, to, taps, n, blocks, step)


@kernel
def _line(source, places, out, to, taps, n, blocks, step):
    filter_line(source, places, out, to, taps, n, blocks, step)


@pytest.mark.parametrize("pairs", [2, 4, 6, 12])
@pytest.mark.parametrize("n", [16, 17, 31, 32, 50])
def test_four_lines_at_once_are_those_of_the_filter_and_of_each_alone(pairs, n):
    generator = np.random.default_rng(pairs)
    lines = generator.normal(size=(2 * pairs + 4, 120)).astype(np.float32)
    taps = generator.normal(size=pairs + 1).astype(np.float32)
    # In no order: only `places` says where a line is.
    order = generator.permutation(len(lines))
    places = (order * 120).astype(np.uint64)
    to = (np.arange(4) * 120).astype(np.uint64)
    source = np.ascontiguousarray(lines[np.argsort(order)])
    found = np.full((4, 120), 7, np.float32)
    blocks, step = 2, 60
    _four(source.reshape(-1), places, found.reshape(-1), to, taps, n, blocks, step)

    both_sides = np.concatenate([taps[:0:-1], taps]).astype(np.float64)
    for j in range(4):
        twin = both_sides @ lines[j : j + 2 * pairs + 1]
        alone = np.full(120, 7, np.float32)
        _line(source.reshape(-1), places[j:], alone, to[:1], taps, n, blocks, step)
        for begin in (0, step):
            part = slice(begin, begin + n)
            np.testing.assert_allclose(found[j, part], twin[part], atol=2e-6 * np.abs(both_sides).sum())
        assert np.array_equal(found[j], alone)
        assert (found[j, step - 1] == 7) == (n < step)
        assert (found[j, step + n :] == 7).all()
