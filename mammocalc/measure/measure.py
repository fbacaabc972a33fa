"""From candidate regions to one row of features each, in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.measure.measurements import Measurements
from mammocalc.measure.parameters import MeasureParameters
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.segment.regions import Regions

if TYPE_CHECKING:
    from mammocalc.measure.passes import Backgrounds

# A square pixel averages over its own area: the variance of that, in pixels squared.
_APERTURE_VARIANCE = 1.0 / 12.0
# Blur of detector and aperture together that is looked for, and what is assumed without evidence, in pixels.
_BLURS_PX = 0.3 * 1.2 ** np.arange(12.0)
_USUAL_BLUR_PX, _USUAL_BLUR_SPREAD = 0.7, 0.35
_LEAST_BLUR_PX = 0.1
# Candidates that tell of the blur: how many, how strong (contrast over noise times root of pixels), how surely.
_SHARPNESS_CANDIDATES = 40
_LEAST_STRENGTH = 40.0
_WORST_BLUR_ERROR = 0.2
_SHARP_QUANTILE = 0.3
_BLUR_MODEL_ERROR = 0.05
# Blocks that the noise's correlation is taken from: side (px), how many along each axis; flatter ones are no tissue.
_BLOCK, _BLOCKS = 24, 8
_LEAST_DEVIATION = 0.3

# How round a ball is measured, by its diameter in pixels and its contrast-to-noise ratio: ln(_ROUNDEST - circularity)
# as a quadratic of their logarithms a = ln(px), b = ln(cnr), in the order 1, a, b, a^2, b^2, ab; fitted on balls by
# benchmarks/fit_irregularity.py, which also says where they were.
_ROUNDEST = 1.005
_BALL = (-3.136, 0.001, 0.18, 0.526, 0.104, -0.88)
_BALL_PX, _BALL_CNR = (1.0, 25.0), (1.0, 30.0)


def measure(
    scene: Scene, regions: Regions, parameters: MeasureParameters | None = None, threads: int = 1
) -> Measurements:
    """Measure every candidate on the grey values of the scene.

    Parameters
    ----------
    scene : Scene
        Plane of unit noise, bright = dense.
    regions : Regions
        Candidates as runs of plane pixels; their outlines need to be right to a pixel or two only.
    parameters : MeasureParameters, optional
        Settings of this stage.
    threads : int, optional
        Results are the same, bit for bit, for any number.

    Returns
    -------
    Measurements
        One row a candidate, in the order of `regions`; positions are (row, col) of the stored pixel matrix, 0-based,
        lengths mm. What the pixels cannot tell is NaN.

    Notes
    -----
    A width is not read off an outline, which is too wide by the blur on thin bodies and too narrow on round ones. It
    is that of the body whose blurred profile fits the pixels best: bar, cylinder, disc, sphere or shell. Outlines are
    marching squares [1]_, skeletons are thinned after [2]_.

    References
    ----------
    .. [1] Lorensen W. E., Cline H. E. (1987). Marching cubes. SIGGRAPH 87, 163-169, doi 10.1145/37402.37422.
    .. [2] Zhang T. Y., Suen C. Y. (1984). A fast parallel algorithm for thinning digital patterns. Commun. ACM 27,
       236-239, doi 10.1145/357994.358023.
    """
    from mammocalc_kernels.compile import run_each

    from mammocalc.measure.passes import Backgrounds, measure_pixels, taken_pixels

    parameters = MeasureParameters() if parameters is None else parameters
    pitch = scene.pixel_spacing_mm
    taken, backgrounds = taken_pixels(regions), Backgrounds(len(regions))
    sharpness_and_noise: list[Callable[[], float]] = [
        lambda: (
            parameters.detector_blur_mm
            or estimate_blur_mm(scene, regions, taken, backgrounds, parameters, threads)
        ),
        lambda: noise_correlation(scene.plane),
    ]
    blur, correlation = run_each(lambda step: step(), sharpness_and_noise, threads)
    everyone = np.arange(len(regions), dtype=np.int64)
    sigma = float(np.sqrt((blur / pitch) ** 2 + _APERTURE_VARIANCE))
    raw = measure_pixels(
        scene,
        regions,
        taken,
        backgrounds,
        everyone,
        sigma,
        np.empty(0),
        correlation,
        parameters,
        threads,
    )
    return Measurements(_columns(scene, regions, raw), blur)


def estimate_blur_mm(
    scene: Scene,
    regions: Regions,
    taken: NDArray[np.uint8],
    backgrounds: Backgrounds,
    parameters: MeasureParameters,
    threads: int,
) -> float:
    """Blur of the detector (Gaussian sigma, mm, pixel aperture apart) from the sharpest of the strongest candidates.

    The profile of each is fitted with bodies of free size, flatness and blur. A real edge can only be softer than the
    detector, so a low quantile is taken; where few can be fitted it is drawn towards 0.7 pixels.
    """
    from mammocalc_kernels import shape

    from mammocalc.measure.passes import measure_pixels

    pitch = scene.pixel_spacing_mm
    strength = np.zeros(len(regions))
    shape.rough_strength(
        scene.plane,
        taken,
        regions.offsets,
        regions.run_row,
        regions.run_start,
        regions.run_stop,
        regions.bounds,
        strength,
    )
    order = np.argsort(-strength, kind="stable")[:_SHARPNESS_CANDIDATES].astype(np.int64)
    chosen = np.sort(order[strength[order] > _LEAST_STRENGTH])
    usual = np.sqrt(_USUAL_BLUR_PX**2 + _APERTURE_VARIANCE)
    raw = measure_pixels(
        scene, regions, taken, backgrounds, chosen, float(usual), _BLURS_PX, 1.0, parameters, threads
    )
    blur, error = raw["blur"][chosen], raw["blur_error"][chosen]
    told = np.isfinite(blur) & (error < _WORST_BLUR_ERROR * blur)
    log_sigma, weight = np.log(usual), 1.0 / _USUAL_BLUR_SPREAD**2
    if told.any():
        sharp = np.log(np.quantile(blur[told], _SHARP_QUANTILE))
        spread = np.median(error[told] / blur[told]) ** 2 / told.sum() + _BLUR_MODEL_ERROR**2
        log_sigma = (log_sigma * weight + sharp / spread) / (weight + 1.0 / spread)
    variance = np.exp(2.0 * log_sigma) - _APERTURE_VARIANCE
    return float(np.sqrt(max(variance, _LEAST_BLUR_PX**2)) * pitch)


def noise_correlation(plane: NDArray[np.float32]) -> float:
    """Noise of sums over a speck relative to that of uncorrelated noise of the same pixel deviation: 1 to 2.67.

    By blocks spread over the plane: the deviation of second differences across 12 pixels, which no slope touches, after
    binomial 3 x 3 smoothing and before; smoothing leaves 0.375 of uncorrelated noise and all of what is broad.
    """
    if min(plane.shape) < _BLOCK:
        return 1.0
    step = [max((size - _BLOCK) // _BLOCKS, 1) for size in plane.shape]
    blocks = np.lib.stride_tricks.sliding_window_view(plane, (_BLOCK, _BLOCK))[:: step[0], :: step[1]]
    smooth = blocks[..., :-2] + 2 * blocks[..., 1:-1] + blocks[..., 2:]
    smooth = (smooth[..., :-2, :] + 2 * smooth[..., 1:-1, :] + smooth[..., 2:, :]) / 16
    deviations = []
    for values in (blocks, smooth):
        second = values[..., 6:-6] - 0.5 * (values[..., :-12] + values[..., 12:])
        deviations.append(np.median(np.abs(second), axis=(-2, -1)))
    told = deviations[0] > _LEAST_DEVIATION
    if not told.any():
        return 1.0
    return float(np.clip(np.median(deviations[1][told] / deviations[0][told]) / 0.375, 1.0, 1 / 0.375))


def irregularity(
    circularity: NDArray[np.float64], diameter_px: NDArray[np.float64], cnr: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much less round an outline is than that of a ball of its size under the same noise; 0 for such a ball.

    A difference of logarithms: 0.7 lacks twice as much to a disc. The outline of a small or faint ball is rough by
    noise alone, so its circularity by itself says little. NaN where one of the three is.
    """
    px = np.log(np.clip(diameter_px, *_BALL_PX))
    noise = np.log(np.clip(cnr, *_BALL_CNR))
    terms = (np.ones_like(px), px, noise, px**2, noise**2, px * noise)
    expected = sum(factor * term for factor, term in zip(_BALL, terms, strict=True))
    out: NDArray[np.float64] = np.log(_ROUNDEST - circularity) - expected
    return out


def _columns(scene: Scene, regions: Regions, raw: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """Every feature of the catalogue from the kernel's columns: pixels to mm, plane values to density, anatomy."""
    pitch = scene.pixel_spacing_mm
    row, col = raw["row"] + scene.origin[0], raw["col"] + scene.origin[1]
    bounds = regions.bounds.astype(np.int64) + np.tile(np.asarray(scene.origin, np.int64), 2)
    orientation = _fold_degrees(np.degrees(raw["orientation"]))
    nipple_angle, nipple_distance = _towards_nipple(scene.anatomy, row, col, orientation)
    skin_distance, in_pectoral = _anatomy_at(scene.anatomy, row, col)
    density = np.interp(raw["background"] + raw["peak"], scene.density_plane, scene.density)
    density_around = np.interp(raw["background"], scene.density_plane, scene.density)
    with np.errstate(invalid="ignore", divide="ignore"):
        elongation = np.maximum(raw["length"] / raw["width"], 1.0)
        cnr = raw["peak"] / raw["noise"]
    return {
        "row": row,
        "col": col,
        "row_min": bounds[:, 0],
        "col_min": bounds[:, 1],
        "row_max": bounds[:, 2],
        "col_max": bounds[:, 3],
        "area_mm2": raw["area"] * pitch**2,
        "filled_area_mm2": raw["filled_area"] * pitch**2,
        "diameter_mm": raw["diameter"] * pitch,
        "length_mm": raw["length"] * pitch,
        "width_mm": raw["width"] * pitch,
        "width_max_mm": raw["width_max"] * pitch,
        "width_variation": raw["width_variation"],
        "bulge": raw["bulge"],
        "taper": raw["taper"],
        "elongation": elongation,
        "straightness": raw["straightness"],
        "branches": raw["branches"],
        "thickness_mm": np.where(np.isnan(raw["thickness"]), raw["width"], raw["thickness"]) * pitch,
        "orientation_deg": orientation,
        "nipple_angle_deg": nipple_angle,
        "nipple_distance_mm": nipple_distance * pitch,
        "skin_distance_mm": skin_distance,
        "in_pectoral": in_pectoral,
        "flatness": raw["flatness"],
        "solidity": raw["solidity"],
        "circularity": raw["circularity"],
        "irregularity": irregularity(raw["circularity"], raw["diameter"], cnr),
        "roughness": raw["roughness"],
        "lucency": raw["lucency"],
        "core_lucency": raw["core_lucency"],
        "ring_closure": raw["ring_closure"],
        "wall_thickness_mm": raw["wall_thickness"] * pitch,
        "contrast": density - density_around,
        "cnr": cnr,
        "edge_width_mm": raw["edge_width"] * pitch,
        "heterogeneity": raw["heterogeneity"],
        "score": regions.score.astype(np.float64),
        "score_alone": np.asarray(regions.evidence.get("score_alone", regions.score), np.float64),
    }


def _fold_degrees(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle of an undirected line in (-90, 90]."""
    return 90.0 - np.mod(90.0 - angle, 180.0)


def _towards_nipple(
    anatomy: Anatomy, row: NDArray[np.float64], col: NDArray[np.float64], orientation: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angle between the long axis and the line to the nipple (deg, 0 to 90) and the distance to it (px); or NaN."""
    if anatomy.nipple is None:
        return np.full(row.shape, np.nan), np.full(row.shape, np.nan)
    up, right = row - anatomy.nipple[0], anatomy.nipple[1] - col
    line = np.degrees(np.arctan2(up, right))
    return np.abs(_fold_degrees(orientation - line)), np.hypot(up, right)


def _anatomy_at(
    anatomy: Anatomy, row: NDArray[np.float64], col: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance to the skin line (mm, bilinear between cell centres) and 1 on the pectoral muscle, else 0."""
    grid = anatomy.skin_distance_mm
    rows, columns = grid.shape
    y = np.clip((row + 0.5) / anatomy.step - 0.5, 0.0, rows - 1.0)
    x = np.clip((col + 0.5) / anatomy.step - 0.5, 0.0, columns - 1.0)
    i, j = np.minimum(y.astype(np.intp), max(rows - 2, 0)), np.minimum(x.astype(np.intp), max(columns - 2, 0))
    below, beside = np.minimum(i + 1, rows - 1), np.minimum(j + 1, columns - 1)
    v, u = y - i, x - j
    distance = (1 - v) * ((1 - u) * grid[i, j] + u * grid[i, beside]) + v * (
        (1 - u) * grid[below, j] + u * grid[below, beside]
    )
    cell_row = np.clip(((row + 0.5) / anatomy.step).astype(np.intp), 0, rows - 1)
    cell_col = np.clip(((col + 0.5) / anatomy.step).astype(np.intp), 0, columns - 1)
    return distance.astype(np.float64), anatomy.pectoral[cell_row, cell_col].astype(np.float64)
