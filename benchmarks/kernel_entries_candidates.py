"""Entries of the kernel benchmark: scale space, Hessian, components.

Peers by "OpenCV in place" reuse their buffers and never leave OpenCV where it has the operation; "OpenCV,
NumPy" is the same work as one would write it down.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from kernel_bench import Entry
from mammocalc_kernels.components import (
    component_features,
    hysteresis_runs,
    label_image,
    label_runs,
    runs_above,
)
from mammocalc_kernels.gaussian_rows import derivative_taps
from mammocalc_kernels.hessian import hessian_measures
from mammocalc_kernels.scale_space import blob_response, scale_space_maxima
from numpy.typing import NDArray

FOUR_SCALES = (1.0, 1.6, 2.6, 4.1)
SIX_SCALES = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8)
HESSIAN_SCALES = (1.5, 2.5, 4.0)
OBJECTS = 4000
STEP = 7


def entries() -> list[Entry]:
    """Everything of this module, in the order of the table."""
    return [
        _response_entry(),
        _maxima_entry("0.1 %", 0.999),
        _maxima_entry("1 %", 0.99),
        _hessian_entry(),
        _components_entry(),
        _detection_entry(),
        _hysteresis_entry(),
    ]


def _stabilised(image: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Square root, which makes quantum noise equal everywhere."""
    return np.sqrt(image.astype(np.float32))


def _response_entry() -> Entry:
    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        plane = _stabilised(image)
        return {"plane": plane, "out": np.empty_like(plane), **_room(plane, "fine", "coarse", "d", "largest")}

    def ours(p: dict[str, Any], threads: int) -> NDArray[Any]:
        return blob_response(p["plane"], FOUR_SCALES, FOUR_SCALES[:-1], p["out"], threads=threads)

    def in_place(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        fine, coarse = p["fine"], p["coarse"]
        cv2.GaussianBlur(p["plane"], (0, 0), FOUR_SCALES[0], fine, borderType=cv2.BORDER_REFLECT)
        for i, (before, sigma) in enumerate(itertools.pairwise(FOUR_SCALES)):
            cv2.GaussianBlur(p["plane"], (0, 0), sigma, coarse, borderType=cv2.BORDER_REFLECT)
            difference = p["d"] if i else p["largest"]
            cv2.addWeighted(fine, before, coarse, -before, 0, difference)
            if i:
                cv2.max(p["largest"], difference, p["largest"])
            fine, coarse = coarse, fine
        return p["largest"]

    def cascaded(p: dict[str, Any], threads: int) -> NDArray[Any]:
        """The short cut of ours: blur the blurred; less exact, for OpenCV cuts its taps off."""
        import cv2

        fine, coarse = p["fine"], p["coarse"]
        cv2.GaussianBlur(p["plane"], (0, 0), FOUR_SCALES[0], fine, borderType=cv2.BORDER_REFLECT)
        for i, (before, sigma) in enumerate(itertools.pairwise(FOUR_SCALES)):
            further = (sigma**2 - before**2) ** 0.5
            cv2.GaussianBlur(fine, (0, 0), further, coarse, borderType=cv2.BORDER_REFLECT)
            difference = p["d"] if i else p["largest"]
            cv2.addWeighted(fine, before, coarse, -before, 0, difference)
            if i:
                cv2.max(p["largest"], difference, p["largest"])
            fine, coarse = coarse, fine
        return p["largest"]

    def check(result: NDArray[Any], peer: NDArray[Any], _: Any) -> str:
        error = float(np.abs(result - peer).max() / np.ptp(peer))
        assert error < 5e-3, f"responses differ by {error:.1e} of the range"
        return f"within {error:.1e} of the range"

    return Entry(
        f"blob response, differences of {len(FOUR_SCALES)} Gaussians",
        prepare,
        ours,
        {"OpenCV in place": in_place, "OpenCV in place, cascaded": cascaded},
        check,
    )


def _room(plane: NDArray[np.float32], *names: str) -> dict[str, NDArray[np.float32]]:
    return {name: np.empty_like(plane) for name in names}


def _maxima_entry(share: str, quantile: float) -> Entry:
    layers = len(SIX_SCALES) - 1

    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        plane = _stabilised(image)
        response = blob_response(plane, SIX_SCALES, SIX_SCALES[:-1])
        buffers = {
            "gaussian": [np.empty_like(plane) for _ in SIX_SCALES],
            "layer": [np.empty_like(plane) for _ in range(layers)],
            "dilated": [np.empty_like(plane) for _ in range(layers)],
        }
        threshold = float(np.quantile(response[::4, ::4], quantile))
        return {"plane": plane, "threshold": threshold, **_room(plane, "largest"), **buffers}

    def ours(p: dict[str, Any], threads: int) -> NDArray[Any]:
        found = scale_space_maxima(p["plane"], SIX_SCALES, p["threshold"], threads)
        return np.stack([found.row, found.col, found.scale], 1)

    def opencv(p: dict[str, Any], threads: int) -> NDArray[Any]:
        import cv2

        for sigma, gaussian in zip(SIX_SCALES, p["gaussian"], strict=True):
            cv2.GaussianBlur(p["plane"], (0, 0), sigma, gaussian, borderType=cv2.BORDER_REFLECT)
        square = np.ones((3, 3), np.uint8)
        for i in range(layers):
            weight = SIX_SCALES[i]
            cv2.addWeighted(p["gaussian"][i], weight, p["gaussian"][i + 1], -weight, 0, p["layer"][i])
            cv2.dilate(p["layer"][i], square, p["dilated"][i])
        found = []
        for i in range(layers):
            largest = p["dilated"][i]
            for j in (i - 1, i + 1):
                if 0 <= j < layers:
                    largest = cv2.max(largest, p["dilated"][j], p["largest"])
            above = cv2.compare(p["layer"][i], p["threshold"], cv2.CMP_GT)
            same = cv2.compare(p["layer"][i], largest, cv2.CMP_EQ)
            places = cv2.findNonZero(cv2.bitwise_and(above, same))
            if places is not None:
                col, row = places.reshape(-1, 2).T
                found.append(np.stack([row, col, np.full(row.size, i)], 1))
        together = np.concatenate(found)
        return together[np.lexsort(together.T[::-1])]

    def check(result: NDArray[Any], peer: NDArray[Any], _: Any) -> str:
        a, b = set(map(tuple, result.tolist())), set(map(tuple, peer.tolist()))
        share = len(a & b) / max(len(a), len(b))
        assert share > 0.98, f"only {share:.1%} of the maxima are common"
        return f"{share:.1%} of {len(b)} maxima common"

    return Entry(
        f"scale space, {len(SIX_SCALES)} scales, 3x3x3 maxima, {share} of the pixels above the threshold",
        prepare,
        ours,
        {"OpenCV in place": opencv},
        check,
        5.0,
    )


def _derivatives(sigma: float) -> tuple[NDArray[np.float32], ...]:
    """Gaussian and its derivatives to four sigma, times sigma and its square, both halves."""
    smooth, first, second = derivative_taps(sigma, 4.0)
    return (
        np.concatenate([smooth[:0:-1], smooth]),
        np.concatenate([-first[:0:-1], first]) * np.float32(sigma),
        np.concatenate([second[:0:-1], second]) * np.float32(sigma**2),
    )


def _hessian_entry() -> Entry:
    structure = 3.0

    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        plane = _stabilised(image)
        buffers = _room(plane, "rr", "rc", "cc", "a", "b", "c", "ridge", "blob")
        return {"plane": plane, "out": (np.empty_like(plane), np.empty_like(plane)), **buffers}

    def ours(p: dict[str, Any], threads: int) -> Any:
        return hessian_measures(p["plane"], HESSIAN_SCALES, structure, p["out"], threads)

    def second_derivatives(p: dict[str, Any], sigma: float) -> tuple[NDArray[Any], ...]:
        import cv2

        smooth, first, second = _derivatives(sigma)
        edge = cv2.BORDER_REFLECT
        return (
            cv2.sepFilter2D(p["plane"], -1, smooth, second, p["rr"], borderType=edge),
            cv2.sepFilter2D(p["plane"], -1, first, first, p["rc"], borderType=edge),
            cv2.sepFilter2D(p["plane"], -1, second, smooth, p["cc"], borderType=edge),
        )

    def numpy(p: dict[str, Any], threads: int) -> Any:
        import cv2

        for i, sigma in enumerate(HESSIAN_SCALES):
            rr, rc, cc = second_derivatives(p, sigma)
            mean, difference = (rr + cc) / 2, (rr - cc) / 2
            root = np.sqrt(difference**2 + rc**2)
            upper, lower = mean + root, mean - root
            line = np.exp(-((upper / lower) ** 2) / (2 * 0.5**2))
            ridge = line * (1 - np.exp(-(upper**2 + lower**2) / (2 * structure**2)))
            ridge[mean >= 0] = 0
            blob = np.where(upper < 0, upper * lower, 0)
            p["ridge"] = ridge if i == 0 else cv2.max(p["ridge"], ridge)
            p["blob"] = blob if i == 0 else cv2.max(p["blob"], blob)
        return p["ridge"], p["blob"]

    def in_place(p: dict[str, Any], threads: int) -> Any:
        import cv2

        a, b, c, ridge, blob = p["a"], p["b"], p["c"], p["ridge"], p["blob"]
        ridge[:], blob[:] = 0, 0
        for sigma in HESSIAN_SCALES:
            rr, rc, cc = second_derivatives(p, sigma)
            cv2.addWeighted(rr, 0.5, cc, 0.5, 0, a)
            cv2.addWeighted(rr, 0.5, cc, -0.5, 0, b)
            cv2.magnitude(b, rc, c)
            upper, lower = cv2.add(a, c, rr), cv2.subtract(a, c, cc)
            cv2.divide(upper, lower, b)
            cv2.exp(cv2.multiply(b, b, b, -2), b)
            cv2.multiply(upper, lower, rc)
            cv2.multiply(upper, upper, c)
            cv2.accumulateSquare(lower, c)
            cv2.exp(np.multiply(c, np.float32(-0.5 / structure**2), out=c), c)
            cv2.multiply(b, cv2.subtract(1, c, c), b)
            np.copyto(b, 0, where=a >= 0)
            cv2.max(ridge, b, ridge)
            np.copyto(rc, 0, where=upper >= 0)
            cv2.max(blob, rc, blob)
        return ridge, blob

    def scikit_image(p: dict[str, Any], threads: int) -> Any:
        from skimage.filters import frangi

        return frangi(
            p["plane"], HESSIAN_SCALES, beta=0.5, gamma=structure, black_ridges=False, mode="reflect"
        ), None

    def check(result: Any, peer: Any, _: Any) -> str:
        ridge = np.abs(result[0] - peer[0])
        if peer[1] is None:
            return f"ridge alone, by differences of neighbours: {float(np.median(ridge)):.0e} apart"
        blob = float(np.abs(result[1] - peer[1]).max() / np.ptp(peer[1]))
        share = float((ridge > 5e-3).mean())
        assert blob < 1e-2, f"blob strengths differ by {blob:.1e} of the range"
        assert share < 1e-3, f"{share:.2%} of the ridge strengths differ"
        return (
            f"blob within {blob:.1e} (the peer's taps end at 4 sigma), ridge within 5e-3 but for {share:.2%}"
        )

    return Entry(
        f"Hessian ridge and blob strength, {len(HESSIAN_SCALES)} scales",
        prepare,
        ours,
        {"OpenCV, NumPy": numpy, "OpenCV in place": in_place, "scikit-image": scikit_image},
        check,
        15.0,
        slow_peers=("scikit-image",),
    )


def _with_components(image: NDArray[np.uint16]) -> dict[str, Any]:
    """A response, and the threshold that leaves about the wanted number of objects."""
    response = blob_response(_stabilised(image), FOUR_SCALES, FOUR_SCALES[:-1])
    wanted = OBJECTS * image.size // (4096 * 3328)
    low, high = (float(np.quantile(response[::4, ::4], q)) for q in (0.98, 0.9999))
    for _ in range(20):
        threshold = (low + high) / 2
        if runs_above(response, threshold).offsets.size - 1 > wanted:
            low = threshold
        else:
            high = threshold
    return {"response": response, "threshold": threshold, "mask": response > np.float32(threshold)}


def _contour_features(mask: NDArray[Any], response: NDArray[Any]) -> list[tuple[float, ...]]:
    """Area, centroid, axes, perimeter, hull, intensities and bounds of every object, from its outline."""
    import cv2

    rows = []
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        m = cv2.moments(contour)
        area = m["m00"] or 1.0
        x, y, width, height = cv2.boundingRect(contour)
        rr, cc, rc = m["mu02"] / area, m["mu20"] / area, m["mu11"] / area
        root = ((rr - cc) ** 2 + 4 * rc * rc) ** 0.5
        box = response[y : y + height, x : x + width]
        inside = mask[y : y + height, x : x + width].view(np.uint8)
        lowest, highest, _, peak = cv2.minMaxLoc(box, inside)
        mean, deviation = cv2.meanStdDev(box, mask=inside)
        rows.append(
            (
                area,
                m["m01"] / area,
                m["m10"] / area,
                (rr + cc + root) / 2,
                (rr + cc - root) / 2,
                cv2.arcLength(contour, True),
                cv2.contourArea(cv2.convexHull(contour)),
                mean[0, 0],
                deviation[0, 0],
                lowest,
                highest,
                *peak,
                x,
                y,
                width,
                height,
            )
        )
    return rows


def _same_labels(result: Any, labels: NDArray[Any]) -> None:
    runs = result[0]
    painted = label_image(runs, labels.shape)
    inside = painted > 0
    assert np.array_equal(inside, labels > 0), "the objects' pixels differ"
    pairs = np.unique(np.stack([painted[inside], labels[inside]]), axis=1)
    assert pairs.shape[1] == runs.offsets.size - 1 == labels.max(), "the labels differ"


def _components_entry() -> Entry:
    def ours(p: dict[str, Any], threads: int) -> Any:
        runs = label_runs(p["mask"], threads)
        return runs, component_features(runs, p["response"])

    def cc3d_contours(p: dict[str, Any], threads: int) -> Any:
        import cc3d

        labels = cc3d.connected_components(p["mask"], connectivity=8)
        return labels, _contour_features(p["mask"], p["response"])

    def scikit_image(p: dict[str, Any], threads: int) -> Any:
        from skimage.measure import label, regionprops_table

        labels = label(p["mask"], connectivity=2)
        wanted = (
            "area",
            "bbox",
            "centroid",
            "axis_major_length",
            "axis_minor_length",
            "orientation",
            "eccentricity",
            "perimeter_crofton",
            "area_convex",
            "euler_number",
            "intensity_mean",
            "intensity_std",
            "intensity_min",
            "intensity_max",
        )
        return labels, regionprops_table(labels, p["response"], wanted)

    def check(result: Any, peer: Any, _: Any) -> str:
        labels, table = peer
        features = result[1]
        count = features.area.size
        _same_labels(result, labels)
        if isinstance(table, dict):
            for name in ("area", "perimeter_crofton", "intensity_max"):
                own = {"perimeter_crofton": "perimeter"}.get(name, name)
                assert np.allclose(np.sort(table[name]), np.sort(getattr(features, own))), f"{name} differs"
        return f"labels of {count} objects identical"

    return Entry(
        f"components of a mask with all features, about {OBJECTS} objects",
        _with_components,
        ours,
        {
            "cc3d, OpenCV contours": cc3d_contours,
            "scikit-image": scikit_image,
        },
        check,
        20.0,
        slow_peers=("scikit-image",),
    )


def _detection_entry() -> Entry:
    """The same from the response itself, which is what sep is made for."""

    def ours(p: dict[str, Any], threads: int) -> Any:
        runs = runs_above(p["response"], p["threshold"], threads=threads)
        return runs, component_features(runs, p["response"])

    def sep_extract(p: dict[str, Any], threads: int) -> Any:
        import sep

        sep.set_extract_pixstack(3_000_000)
        return sep.extract(
            p["response"], p["threshold"], minarea=1, filter_kernel=None, deblend_cont=1.0, clean=False
        )

    def check(result: Any, peer: Any, _: Any) -> str:
        area = result[1].area
        assert peer.size == area.size, f"{peer.size} objects against {area.size}"
        assert np.array_equal(np.sort(peer["npix"]), np.sort(area)), "areas differ"
        return f"areas of {area.size} objects identical"

    return Entry(
        "threshold of a response, components with all features",
        _with_components,
        ours,
        {"sep (no outline)": sep_extract},
        check,
    )


def _hysteresis_entry() -> Entry:
    def prepare(image: NDArray[np.uint16]) -> dict[str, Any]:
        p = _with_components(image)
        cells = tuple(-(-size // STEP) for size in image.shape)
        high = np.full(cells, p["threshold"], np.float32)
        low = np.full(cells, 0.5 * p["threshold"], np.float32)
        fine = np.kron(low, np.ones((STEP, STEP), np.float32))[: image.shape[0], : image.shape[1]].copy()
        return {**p, "low": low, "high": high, "fine_low": fine, "fine_high": 2 * fine}

    def ours(p: dict[str, Any], threads: int) -> Any:
        return (hysteresis_runs(p["response"], p["low"], p["high"], STEP, threads),)

    def cc3d_lookup(p: dict[str, Any], threads: int) -> Any:
        """The thresholds spread out beforehand, which ours need not."""
        import cc3d
        import cv2

        labels = cc3d.connected_components(
            cv2.compare(p["response"], p["fine_low"], cv2.CMP_GT), connectivity=8
        )
        kept = np.zeros(int(labels.max()) + 1, bool)
        kept[labels[p["response"] > p["fine_high"]]] = True
        kept[0] = False
        return np.take(np.cumsum(kept, dtype=np.int32) * kept, labels)

    def scipy(p: dict[str, Any], threads: int) -> Any:
        from scipy import ndimage

        labels, _ = ndimage.label(p["response"] > p["fine_low"], np.ones((3, 3)))
        kept = np.unique(labels[p["response"] > p["fine_high"]])
        return ndimage.label(np.isin(labels, kept[kept > 0]), np.ones((3, 3)))[0]

    def check(result: Any, peer: NDArray[Any], _: Any) -> str:
        _same_labels(result, peer)
        return f"labels of {int(peer.max())} objects identical"

    return Entry(
        f"hysteresis, thresholds a cell of {STEP} px, peaks",
        prepare,
        ours,
        {"cc3d, NumPy look-up": cc3d_lookup, "SciPy": scipy},
        check,
        slow_peers=("SciPy",),
    )
