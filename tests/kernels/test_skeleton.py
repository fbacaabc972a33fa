import numpy as np
import pytest
from mammocalc_kernels.local_background import chamfer_distance
from mammocalc_kernels.skeleton import count_branch_points, prune, thin
from scipy import ndimage

AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def ring(image):
    """The eight neighbours of every pixel, clockwise from the one above."""
    padded = np.pad(image.astype(int), 1)
    h, w = image.shape
    return np.array([padded[1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w] for dy, dx in AROUND])


def transitions(image):
    near = ring(image)
    return ((near == 0) & (np.roll(near, -1, axis=0) == 1)).sum(axis=0)


def thinned(image):
    """Twin: Zhang and Suen's two conditions on whole images, until nothing changes."""
    image = image.astype(bool)
    while True:
        before = image
        for turn in range(2):
            near = ring(image)
            up, right, down, left = near[0], near[2], near[4], near[6]
            if turn == 0:
                sides = (up * right * down == 0) & (right * down * left == 0)
            else:
                sides = (up * right * left == 0) & (up * down * left == 0)
            count = near.sum(axis=0)
            image = image & ~((count >= 2) & (count <= 6) & (transitions(image) == 1) & sides)
        if (image == before).all():
            return image


def branch_groups(skeleton):
    """Twin: touching groups of pixels from which three ways or more lead."""
    return ndimage.label(skeleton.astype(bool) & (transitions(skeleton) >= 3), np.ones((3, 3)))[1]


def drawn(*lines, shape=(50, 60), width=0):
    """Lines from (row, col) to (row, col), `width` pixels added around."""
    image = np.zeros(shape, bool)
    for (y0, x0), (y1, x1) in lines:
        n = 4 * max(abs(y1 - y0), abs(x1 - x0)) + 1
        image[np.linspace(y0, y1, n).round().astype(int), np.linspace(x0, x1, n).round().astype(int)] = True
    return (ndimage.binary_dilation(image, iterations=width) if width else image).astype(np.uint8)


def branches(image, spur=3.0):
    inside = image.copy()
    queue, depth = np.empty(2 * image.size, np.int32), np.empty(image.shape, np.int16)
    outside = np.zeros_like(image)
    outside[1:-1, 1:-1] = 1 - image[1:-1, 1:-1]
    chamfer_distance(outside, 1, depth)
    thin(inside, queue)
    prune(inside, depth, spur, queue)
    return count_branch_points(inside, queue)


@pytest.mark.parametrize("seed", range(6))
def test_thinning(seed):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 50)), 2)
    image = np.zeros(field.shape, np.uint8)
    image[1:-1, 1:-1] = field[1:-1, 1:-1] > 0
    skeleton = image.copy()
    thin(skeleton, np.empty(image.size, np.int32))
    np.testing.assert_array_equal(skeleton, thinned(image))


@pytest.mark.parametrize("seed", range(6))
def test_branch_points(seed):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 50)), 1.5)
    image = np.zeros(field.shape, np.uint8)
    image[1:-1, 1:-1] = np.abs(field[1:-1, 1:-1]) < 0.05
    skeleton = thinned(image).astype(np.uint8)
    expected = branch_groups(skeleton)
    assert expected > 0
    assert count_branch_points(skeleton, np.empty(2 * image.size, np.int32)) == expected


def test_one_pixel_and_nothing_have_no_branches():
    for image in (np.zeros((5, 5), np.uint8), drawn(((2, 2), (2, 2)), shape=(5, 5))):
        before = image.copy()
        thin(image, np.empty(25, np.int32))
        np.testing.assert_array_equal(image, before)
        assert branches(image) == 0


@pytest.mark.parametrize("width", [0, 1, 2])
def test_arms_that_meet_are_branches(width):
    line = drawn(((25, 10), (25, 50)), width=width)
    fork = drawn(((25, 10), (25, 50)), ((25, 30), (10, 45)), width=width)
    both = drawn(((25, 5), (25, 55)), ((25, 20), (8, 37)), ((25, 38), (42, 55)), width=width)
    assert branches(line) == 0
    assert branches(fork) == 1
    assert branches(both) == 2


def test_short_twigs_are_pruned_and_the_line_stays():
    image = drawn(((25, 10), (25, 50)), ((25, 30), (22, 30)))
    depth = np.full(image.shape, 3, np.int16)
    queue = np.empty(2 * image.size, np.int32)
    kept = image.copy()
    prune(kept, depth, 1.0, queue)
    np.testing.assert_array_equal(kept, image)
    prune(kept, depth, 3.0, queue)
    np.testing.assert_array_equal(kept, drawn(((25, 10), (25, 50))))


def twig_from(skeleton, ways, end):
    """Twin: the pixels from an end to the branch it meets, its length, and that branch or None."""
    path, length = [end], 0.0
    while True:
        here = path[-1]
        before = path[-2] if len(path) > 1 else here
        straight_first = sorted(AROUND, key=lambda step: abs(step[0]) + abs(step[1]))
        onwards = [
            there
            for there in ((here[0] + dy, here[1] + dx) for dy, dx in straight_first)
            if skeleton[there]
            and there != before
            and not (len(path) > 1 and max(abs(there[0] - before[0]), abs(there[1] - before[1])) <= 1)
        ]
        if not onwards:
            return path, length, None
        length += np.hypot(onwards[0][0] - here[0], onwards[0][1] - here[1])
        if ways[onwards[0]] >= 3:
            return path, length, onwards[0]
        path.append(onwards[0])


def pruned(skeleton, depth, spur):
    """Twin: the shortest twig that does not reach out of the depth of its branch goes, until none is left."""
    skeleton = skeleton.astype(bool)
    while True:
        ways, near = transitions(skeleton), ring(skeleton).sum(axis=0)
        ends = [tuple(p) for p in np.argwhere(skeleton & (ways == 1) & (near <= 2)).tolist()]
        twigs = [twig_from(skeleton, ways, end) for end in ends]
        short = [t for t in twigs if t[2] is not None and t[1] < spur + depth[t[2]] / 3]
        if not short:
            return skeleton
        for pixel in min(short, key=lambda t: t[1])[0]:
            skeleton[pixel] = False


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spur", [2.0, 5.0])
def test_pruning(seed, spur):
    rng = np.random.default_rng(seed)
    mask = np.zeros((44, 52), bool)
    mask[2:-2, 2:-2] = ndimage.gaussian_filter(rng.normal(size=(40, 48)), 1.3) > 0.05
    skeleton = thinned(mask).astype(np.uint8)
    depth = (3 * ndimage.distance_transform_edt(mask)).astype(np.int16)
    expected = pruned(skeleton, depth, spur)
    assert expected.sum() < skeleton.sum()

    prune(skeleton, depth, spur, np.empty(skeleton.size, np.int32))

    np.testing.assert_array_equal(skeleton, expected)


def test_a_smooth_lump_has_no_branches():
    y, x = np.indices((40, 40))
    assert branches((np.hypot((y - 20) / 1.3, x - 20) < 12).astype(np.uint8)) == 0
