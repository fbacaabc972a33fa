"""What lies on an image without being in the breast: labels, markers, defects of detectors and of films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.curves import stream, winding_curve
from mammocalc.phantom.settings import PhantomSettings
from mammocalc.phantom.truth import DistractorTruth

Image = NDArray[np.float64]


def add_marks(
    seed: int,
    image: Image,
    settings: PhantomSettings,
    pitch: float,
    inside: NDArray[np.bool_],
    nipple: tuple[float, float],
    white: float,
) -> list[DistractorTruth]:
    """Draw the marks into an image in place; `white` is the value of a fully opaque mark. Returns those drawn."""
    drawn: list[DistractorTruth] = []
    if settings.grid_lines:
        _grid(stream(seed, "grid"), image, pitch, inside, white)
    if settings.view_label:
        _label(stream(seed, "label"), image, settings, pitch, inside, white)
    if settings.bb_marker:
        drawn.append(_marker(stream(seed, "marker"), image, pitch, inside, nipple, white))
    drawn += _hot_pixels(stream(seed, "hot pixels"), image, settings.hot_pixels, pitch, inside, white)
    drawn += _dust(stream(seed, "dust"), image, settings.dust, pitch, inside, white)
    drawn += _threads(stream(seed, "lint"), image, settings.lint, pitch, inside, white, "lint")
    drawn += _threads(stream(seed, "scratches"), image, settings.scratches, pitch, inside, white, "scratch")
    return drawn


def _paint(image: Image, cover: NDArray[np.uint8], value: float) -> None:
    share = cover.astype(np.float64) / 255
    image *= 1 - share
    image += share * value


def _label(
    rng: np.random.Generator,
    image: Image,
    settings: PhantomSettings,
    pitch: float,
    inside: NDArray[np.bool_],
    white: float,
) -> None:
    import cv2

    text = f"{settings.laterality} {settings.view}"
    rows, columns = image.shape
    scale = min(4.0 / pitch, 0.035 * columns) / 22
    thick = max(1, round(scale * 2.2))
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    for y in np.linspace(0.06, 0.9, 15) * rows:
        x = int(columns * 0.96) - wide if not inside[:, -1].any() else int(columns * 0.04)
        y = int(y + rng.uniform(0, 0.01) * rows) + tall
        box = inside[max(0, y - 2 * tall) : y + tall, max(0, x - tall) : x + wide + tall]
        if not box.any():
            cover = np.zeros(image.shape, np.uint8)
            cv2.putText(cover, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
            if rng.random() < 0.5:
                frame = ((x - tall // 2, y - tall - tall // 2), (x + wide + tall // 2, y + tall // 2))
                cv2.rectangle(cover, *frame, 255, max(1, thick // 2), cv2.LINE_AA)
            _paint(image, cover, white)
            return


def _marker(
    rng: np.random.Generator,
    image: Image,
    pitch: float,
    inside: NDArray[np.bool_],
    nipple: tuple[float, float],
    white: float,
) -> DistractorTruth:
    import cv2

    outwards = 1.0 if not inside[:, -1].any() else -1.0
    row, col = nipple[0] + rng.normal(0, 3) / pitch, nipple[1] + outwards * rng.uniform(-2.5, 1.5) / pitch
    radius = rng.uniform(0.75, 1.0) / pitch
    cover = np.zeros(image.shape, np.uint8)
    cv2.circle(cover, (round(col * 16), round(row * 16)), round(radius * 16), 255, -1, cv2.LINE_AA, shift=4)
    _paint(image, cv2.GaussianBlur(cover, (0, 0), 0.05 / pitch), white)
    return DistractorTruth("marker", row, col, 2 * radius * pitch)


def _grid(
    rng: np.random.Generator, image: Image, pitch: float, inside: NDArray[np.bool_], white: float
) -> None:
    period = rng.uniform(0.30, 0.42) / pitch
    tilt = rng.normal(0, 0.01)
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    wave = np.sin(2 * np.pi * (rows + tilt * columns) / max(period, 2.5))
    image += inside * wave * abs(white) * 0.004


def _spot(rng: np.random.Generator, inside: NDArray[np.bool_]) -> tuple[int, int]:
    for _ in range(100):
        row, col = int(rng.integers(4, inside.shape[0] - 4)), int(rng.integers(4, inside.shape[1] - 4))
        if inside[row, col]:
            break
    return row, col


def _hot_pixels(
    rng: np.random.Generator, image: Image, count: int, pitch: float, inside: NDArray[np.bool_], white: float
) -> list[DistractorTruth]:
    drawn = []
    for _ in range(count):
        row, col = _spot(rng, inside)
        share = rng.uniform(0.15, 0.7)
        image[row, col] += share * (white - image[row, col])
        if rng.random() < 0.2:
            image[row, col + 1] += share * (white - image[row, col + 1])
        drawn.append(DistractorTruth("hot pixel", float(row), float(col), pitch))
    return drawn


def _dust(
    rng: np.random.Generator, image: Image, count: int, pitch: float, inside: NDArray[np.bool_], white: float
) -> list[DistractorTruth]:
    """Specks that kept the light from the film: white, sharp, of any shape."""
    import cv2

    drawn = []
    cover = np.zeros(image.shape, np.uint8)
    for _ in range(count):
        row, col = _spot(rng, inside)
        size = rng.uniform(0.08, 0.5) / pitch
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 8))))
        reach = 0.5 * size * rng.uniform(0.5, 1.0, len(turns))
        corners = np.stack([col + reach * np.cos(turns), row + reach * np.sin(turns)], axis=1)
        cv2.fillPoly(
            cover, [np.round(corners * 16).astype(np.int32)], int(rng.integers(90, 256)), cv2.LINE_AA, shift=4
        )
        drawn.append(DistractorTruth("dust", float(row), float(col), size * pitch))
    _paint(image, cover, white)
    return drawn


def _threads(
    rng: np.random.Generator,
    image: Image,
    count: int,
    pitch: float,
    inside: NDArray[np.bool_],
    white: float,
    kind: str,
) -> list[DistractorTruth]:
    import cv2

    drawn = []
    cover = np.zeros(image.shape, np.uint8)
    for _ in range(count):
        row, col = _spot(rng, inside)
        straight = kind == "scratch"
        length = rng.uniform(6, 40) if straight else rng.uniform(1.0, 6.0)
        bend = 0.005 if straight else 0.5
        curve = (
            winding_curve(rng, (row * pitch, col * pitch), rng.uniform(0, 2 * np.pi), length, bend, 2.0)
            / pitch
        )
        strokes = [np.round(curve[:, ::-1] * 16).astype(np.int32)]
        thick = max(1, round(rng.uniform(0.03, 0.09) / pitch))
        cv2.polylines(cover, strokes, False, int(rng.integers(60, 220)), thick, cv2.LINE_AA, shift=4)
        middle = curve[len(curve) // 2]
        drawn.append(DistractorTruth(kind, float(middle[0]), float(middle[1]), length))
    _paint(image, cover, white)
    return drawn
