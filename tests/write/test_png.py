"""PNG files against two readers."""

import io

import cv2
import numpy as np
import pytest
from matplotlib import image

from mammocalc.write.png import png_bytes


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (301, 222)])
def test_readers_see_the_picture(shape):
    picture = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)

    encoded = png_bytes(picture)

    by_cv2 = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(by_cv2[..., ::-1], picture)
    by_matplotlib = image.imread(io.BytesIO(encoded))
    np.testing.assert_array_equal(np.rint(by_matplotlib * 255), picture)


def test_an_even_picture_is_small():
    assert len(png_bytes(np.full((500, 400, 3), 90, np.uint8))) < 5_000
