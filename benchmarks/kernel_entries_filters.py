"""Entries of the kernel benchmark: smoothing, flat morphology, reconstruction, local statistics.

OpenCV writes into arrays that exist already wherever it can, as ours do, and gets its taps to the same radius.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernel_bench import Entry
from mammocalc_kernels.gaussian import decimate, gaussian, gaussian_taps, large_gaussian
from mammocalc_kernels.local_statistics import local_statistics
from mammocalc_kernels.reconstruction import reconstruct
from mammocalc_kernels.tophat import white_top_hat
from numpy.typing import NDArray

WINDOW = 71
WIDE_SIGMA = 30.0
DECIMATION = 8


def entries() -> list[Entry]:
    """Everything of this module, in the order of the table."""
    return [
        *(_gaussian_entry(sigma) for sigma in (1.0, 2.0, 4.0)),
        *(_wide_entry(sigma, target) for sigma, target in ((8.0, None), (WIDE_SIGMA, 20.0))),
        _pyramid_entry(),
        _decimate_entry(),
        *(
            _top_hat_entry(radius, target)
            for radius, target in ((3, None), (5, 1.4), (8, 2.0), (12, 2.8), (20, 5.0))
        ),
        _reconstruction_entry("reconstruction by dilation, marker 2 noise deviations below", _lowered),
        _reconstruction_entry("reconstruction by dilation, opening by a disk of 5 px", _opened),
        _statistics_entry(),
    ]


def _float_planes(image: NDArray[np.uint16]) -> dict[str, Any]:
    plane = image.astype(np.float32)
    return {"plane": plane, "out": np.empty_like(plane), "peer_out": np.empty_like(plane)}


def _integer_planes(image: NDArray[np.uint16]) -> dict[str, Any]:
    return {"plane": image, "out": np.empty_like(image), "peer_out": np.empty_like(image)}


def identical(ours: NDArray[Any], peer: NDArray[Any], _: Any) -> str:
    """Bit for bit."""
    assert np.array_equal(ours, peer), "not identical"
    return "identical"


def within(share: float) -> Callable[[NDArray[Any], NDArray[Any], Any], str]:
    """Root mean square difference of at most `share` of the peer's range."""

    def check(ours: NDArray[Any], peer: NDArray[Any], _: Any) -> str:
        rms = float(np.sqrt(np.mean((ours.astype(np.float64) - peer) ** 2)) / np.ptp(peer))
        assert rms <= share, f"rms difference is {rms:.2e} of the range"
        return f"rms {rms:.1e} of the range"

    return check


def _gaussian_entry(sigma: float) -> Entry:
    side = 2 * gaussian_taps(sigma).size - 1

    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        return cv2.GaussianBlur(
            p["plane"], (side, side), sigma, p["peer_out"], borderType=cv2.BORDER_REPLICATE
        )

    def scipy(p: dict[str, Any], threads: int) -> NDArray[Any]:
        from scipy import ndimage

        return ndimage.gaussian_filter(p["plane"], sigma, mode="nearest", truncate=3.0)

    return Entry(
        f"Gaussian, sigma {sigma:g} px, float32",
        _float_planes,
        lambda p, threads: gaussian(p["plane"], sigma, p["out"], threads),
        {"OpenCV": opencv, "SciPy": scipy},
        within(1e-6),
        slow_peers=("SciPy",),
    )


def _wide_entry(sigma: float, target: float | None) -> Entry:
    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        return cv2.GaussianBlur(p["plane"], (0, 0), sigma, p["peer_out"], borderType=cv2.BORDER_REPLICATE)

    def scipy(p: dict[str, Any], threads: int) -> NDArray[Any]:
        from scipy import ndimage

        return ndimage.gaussian_filter(p["plane"].astype(np.float64), sigma, mode="nearest", truncate=5.0)

    return Entry(
        f"Gaussian, sigma {sigma:g} px, float32",
        _float_planes,
        lambda p, threads: large_gaussian(p["plane"], sigma, p["out"], threads),
        {"OpenCV": opencv, "SciPy": scipy},
        within(1e-3),
        target,
        slow_peers=("SciPy",),
    )


def _pyramid_entry() -> Entry:
    """Against the short cut that an engineer would take with OpenCV; it is less exact than ours."""

    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        size = p["plane"].shape[::-1]
        small = cv2.resize(
            p["plane"], (-(-size[0] // DECIMATION), -(-size[1] // DECIMATION)), interpolation=cv2.INTER_AREA
        )
        small = cv2.GaussianBlur(small, (0, 0), WIDE_SIGMA / DECIMATION, borderType=cv2.BORDER_REPLICATE)
        return cv2.resize(small, size, p["peer_out"], interpolation=cv2.INTER_LINEAR)

    def check(ours: NDArray[Any], peer: NDArray[Any], prepared: dict[str, Any]) -> str:
        from scipy import ndimage

        plane = prepared["plane"]
        middle = plane.shape[0] // 2
        half = min(400, middle - 160)
        rows = slice(middle - half, middle + half)
        around = slice(rows.start - 160, rows.stop + 160)
        exact = ndimage.gaussian_filter(
            plane[around].astype(np.float64), WIDE_SIGMA, mode="nearest", truncate=5.0
        )
        exact = exact[160:-160]
        errors = [
            float(np.sqrt(np.mean((result[rows] - exact) ** 2)) / np.ptp(plane)) for result in (ours, peer)
        ]
        return "rms error {:.1e} of the range, the peer's {:.1e}".format(*errors)

    return Entry(
        f"Gaussian, sigma {WIDE_SIGMA:g} px, both decimated {DECIMATION} times",
        _float_planes,
        lambda p, threads: large_gaussian(p["plane"], WIDE_SIGMA, p["out"], threads),
        {"OpenCV resize, blur, resize": opencv},
        check,
    )


def _decimate_entry() -> Entry:
    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        rows, columns = p["plane"].shape
        return cv2.resize(
            p["plane"], (columns // DECIMATION, rows // DECIMATION), interpolation=cv2.INTER_AREA
        )

    return Entry(
        f"mean of blocks of {DECIMATION} x {DECIMATION} px, float32",
        _float_planes,
        lambda p, threads: decimate(p["plane"], DECIMATION, threads),
        {"OpenCV": opencv},
        within(1e-6),
    )


def _top_hat_entry(radius: int, target: float | None) -> Entry:
    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2
        from skimage.morphology import disk

        return cv2.morphologyEx(p["plane"], cv2.MORPH_TOPHAT, disk(radius), p["peer_out"])

    return Entry(
        f"white top-hat, exact disk, radius {radius} px, uint16",
        _integer_planes,
        lambda p, threads: white_top_hat(p["plane"], radius, p["out"], threads),
        {"OpenCV": opencv},
        identical,
        target,
    )


def _lowered(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    step = np.uint16(max(1, round(2 * _noise_deviation(image))))
    return np.maximum(image, step) - step


def _opened(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    import cv2
    from skimage.morphology import disk

    return cv2.morphologyEx(image, cv2.MORPH_OPEN, disk(5))


def _noise_deviation(image: NDArray[np.uint16]) -> float:
    """From the differences of neighbours in the middle of the chest wall's side."""
    rows = image.shape[0]
    part = image[rows // 2 - 200 : rows // 2 + 200, 100:500].astype(np.float64)
    return float(1.4826 * np.median(np.abs(np.diff(part, axis=1))) / np.sqrt(2))


def _reconstruction_entry(name: str, marker: Callable[[NDArray[np.uint16]], NDArray[np.uint16]]) -> Entry:
    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        return {**_integer_planes(image), "marker": marker(image)}

    def simple_itk(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import SimpleITK

        # Its own image type once, outside of what is timed.
        if "images" not in p:
            p["images"] = [SimpleITK.GetImageFromArray(p[key]) for key in ("marker", "plane")]
        reconstruction = SimpleITK.ReconstructionByDilationImageFilter()
        reconstruction.SetFullyConnected(True)
        return SimpleITK.GetArrayFromImage(reconstruction.Execute(*p["images"]))

    def scikit_image(p: dict[str, Any], threads: int) -> NDArray[Any]:
        from skimage.morphology import reconstruction

        return reconstruction(p["marker"], p["plane"], footprint=np.ones((3, 3)))

    return Entry(
        name,
        prepare,
        lambda p, threads: reconstruct(p["marker"], p["plane"], p["out"], threads),
        {"SimpleITK": simple_itk, "scikit-image": scikit_image},
        identical,
        3.5,
        slow_peers=("scikit-image",),
    )


def _statistics_entry() -> Entry:
    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        room = {
            key: np.empty(image.shape, np.float32) for key in ("mean", "deviation", "plane32", "m", "s", "d")
        }
        return {"plane": image, **room}

    def opencv(p: dict[str, Any], threads: int) -> tuple[NDArray[Any], NDArray[Any]]:
        import cv2

        side = (WINDOW, WINDOW)
        np.copyto(p["plane32"], p["plane"])
        cv2.boxFilter(p["plane32"], cv2.CV_32F, side, p["m"], borderType=cv2.BORDER_REPLICATE)
        cv2.sqrBoxFilter(p["plane32"], cv2.CV_32F, side, p["s"], borderType=cv2.BORDER_REPLICATE)
        cv2.multiply(p["m"], p["m"], p["d"])
        cv2.subtract(p["s"], p["d"], p["d"])
        cv2.max(p["d"], 0.0, p["d"])
        cv2.sqrt(p["d"], p["d"])
        return p["m"], p["d"]

    def scipy(p: dict[str, Any], threads: int) -> tuple[NDArray[Any], NDArray[Any]]:
        from scipy import ndimage

        wide = p["plane"].astype(np.float64)
        mean = ndimage.uniform_filter(wide, WINDOW, mode="nearest")
        square = ndimage.uniform_filter(wide * wide, WINDOW, mode="nearest")
        return mean, np.sqrt(np.maximum(square - mean * mean, 0))

    def check(ours: Any, peer: Any, _: Any) -> str:
        # Peers continue the border pixels outwards, ours counts what is inside; away from the border they agree.
        half = WINDOW // 2
        inner = np.s_[half:-half, half:-half]
        mean = float(np.abs(ours[0][inner] - peer[0][inner]).max())
        deviation = float(np.abs(ours[1][inner] - peer[1][inner]).max())
        assert mean < 0.01, f"means differ by {mean}"
        assert deviation < 2, f"deviations differ by {deviation}"
        return f"deviation within {deviation:.1g} away from the border (the peer's rounding)"

    return Entry(
        f"local mean and deviation, {WINDOW} px, uint16",
        prepare,
        lambda p, threads: local_statistics(p["plane"], WINDOW, p["mean"], p["deviation"], threads),
        {"OpenCV": opencv, "SciPy": scipy},
        check,
        4.0,
        slow_peers=("SciPy",),
    )
