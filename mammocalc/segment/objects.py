"""From components to objects: outlines at half contrast, and the evidence that each is a calcification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.scene import Scene
from mammocalc.segment.components import Components, level_at
from mammocalc.segment.parameters import SegmentParameters


@dataclass(frozen=True, eq=False)
class Objects:
    """Outlined objects as lists of pixels, with the evidence for each.

    Attributes
    ----------
    pixel : ndarray of int64
        Flat plane index, ascending within an object; objects follow each other.
    start : ndarray of int64, shape (n + 1,)
        Object k owns ``pixel[start[k]:start[k + 1]]``.
    evidence : dict of str to ndarray of float64, shape (n,)
        See `EVIDENCE`.
    """

    pixel: NDArray[np.int64]
    start: NDArray[np.int64]
    evidence: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.start) - 1

    def owner(self) -> NDArray[np.int64]:
        """Object number of each pixel."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def subset(self, keep: NDArray[np.int64]) -> Objects:
        """Objects `keep`, in that order."""
        sizes = np.diff(self.start)[keep]
        start = np.concatenate(([0], np.cumsum(sizes)))
        index = np.arange(start[-1]) - np.repeat(start[:-1], sizes) + np.repeat(self.start[keep], sizes)
        return Objects(
            self.pixel[index], start, {name: values[keep] for name, values in self.evidence.items()}
        )


#: What speaks for or against an object, and in what unit.
EVIDENCE = {
    "response": "strongest scale-space response inside the outline over local noise and texture",
    "background_ratio": "peak contrast over the deviation of the fitted background around it",
    "contrast_noise": "peak contrast in standard deviations of the pixel noise",
    "edge_width_mm": "peak contrast over the mean gradient along the outline, mm",
    "diameter_mm": "diameter of the disc of equal area, mm",
    "elongation": "ratio of the axes of the ellipse of equal second moments",
    "fill": "mean over peak contrast",
    "background_slope": "slope of the fitted background over half the contrast, per diameter",
    "isolation": "share of the peak contrast that is left against the two brightest of eight directions around it",
    "one_sided": "difference between opposite sides of the surroundings over the peak contrast",
    "edge_width_px": "the same edge width in pixels: what is sharper than any detector is a defect or dust",
    "skin_distance_mm": "distance to the skin line, mm",
    "row": "centroid, plane row",
    "col": "centroid, plane column",
}


def outlined_objects(
    scene: Scene, components: Components, ring_mm: float, parameters: SegmentParameters, threads: int
) -> Objects:
    """Delineate every component and gather the evidence.

    Parameters
    ----------
    scene : Scene
    components : Components
    ring_mm : float
        Width of the background ring, mm.
    parameters : SegmentParameters
    threads : int

    Returns
    -------
    Objects
        In order of component, then first pixel.
    """
    from mammocalc_kernels.delineation import delineate, sector_levels

    plane, pitch = scene.plane, scene.pixel_spacing_mm
    width = plane.shape[1]
    pixel, region, contrast, peak, surroundings = delineate(
        plane,
        components.offsets,
        components.run_row,
        components.run_start,
        components.run_stop,
        ring=max(3, round(ring_mm / pitch)),
        fraction=parameters.outline_fraction,
        saddle=parameters.saddle_fraction,
        smallest_contrast=1.0,
        threads=threads,
    )
    # Neighbouring components reach two pixels beyond themselves: a pixel claimed twice goes to the higher contrast.
    order = np.lexsort((-contrast, pixel))
    order = order[np.append(True, np.diff(pixel[order]) != 0)[: len(order)]]
    order = order[np.lexsort((pixel[order], region[order]))]
    pixel, contrast = pixel[order], contrast[order]
    kept, region = np.unique(region[order], return_inverse=True)
    peak, surroundings = peak[kept], surroundings[kept]
    n = len(kept)
    area = np.bincount(region, minlength=n).astype(np.float64)
    start = np.concatenate(([0], np.cumsum(area))).astype(np.int64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(region, values, n) / area)

    row, col = pixel // width, pixel % width
    centre_row, centre_col = mean(row), mean(col)
    down, across = row - centre_row[region], col - centre_col[region]
    # A pixel is a square, not a point: 1/12 is its own second moment.
    rr, cc, rc = mean(down * down) + 1 / 12, mean(across * across) + 1 / 12, mean(down * across)
    spread = np.sqrt((rr - cc) ** 2 + 4 * rc**2)
    elongation = np.sqrt((rr + cc + spread) / np.maximum(rr + cc - spread, 1e-9))

    response = np.zeros(n)
    factor = components.factor
    source = components.response
    at = np.minimum(row // factor, source.shape[0] - 1), np.minimum(col // factor, source.shape[1] - 1)
    np.maximum.at(response, region, source[at])
    response /= level_at(components, centre_row.astype(np.int64), centre_col.astype(np.int64))

    gradient = _outline_gradient(plane, pixel, region, n)
    sectors = sector_levels(plane, pixel, start, gap=2, ring=max(3, round(ring_mm / pitch)), threads=threads)
    level = _mean_level(plane, pixel, region, n)
    isolation, one_sided = _isolation(sectors, level, peak.astype(np.float64))
    deviation, slope = surroundings[:, 0].astype(np.float64), surroundings[:, 1].astype(np.float64)
    diameter = np.sqrt(4 * area / np.pi)
    peak = peak.astype(np.float64)
    step = scene.anatomy.step
    cell_row = ((centre_row + scene.origin[0]) // step).astype(int)
    cell_col = ((centre_col + scene.origin[1]) // step).astype(int)
    return Objects(
        pixel,
        start,
        {
            "response": response,
            "background_ratio": peak / np.maximum(deviation, 0.05),
            "contrast_noise": peak,
            "edge_width_mm": peak / np.maximum(gradient, 1e-6) * pitch,
            "diameter_mm": diameter * pitch,
            "elongation": elongation,
            "fill": mean(contrast.astype(np.float64)) / np.maximum(peak, 1e-6),
            "background_slope": slope * diameter / (0.5 * np.maximum(peak, 1e-6)),
            "isolation": isolation,
            "one_sided": one_sided,
            "edge_width_px": peak / np.maximum(gradient, 1e-6),
            "skin_distance_mm": scene.anatomy.skin_distance_mm[cell_row, cell_col].astype(np.float64),
            "row": centre_row,
            "col": centre_col,
        },
    )


def _outline_gradient(
    plane: NDArray[np.float32], pixel: NDArray[np.int64], region: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean gradient magnitude (Sobel) per px over each object's outline pixels."""
    h, w = plane.shape
    row, col = np.clip(pixel // w, 1, h - 2), np.clip(pixel % w, 1, w - 2)
    at = row * w + col
    # Pixels are sorted within an object, so a neighbour belongs to it where a search in (object, pixel) finds it.
    key = region * np.int64(h * w) + pixel
    inner = np.ones(len(pixel), np.bool_)
    for shift in (1, -1, w, -w):
        wanted = key + shift
        found = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        inner &= key[found] == wanted
    flat = plane.ravel()
    corners = flat[at + w + 1] - flat[at - w - 1], flat[at + w - 1] - flat[at - w + 1]
    by_row = (2 * (flat[at + w] - flat[at - w]) + corners[0] + corners[1]) / 8
    by_col = (2 * (flat[at + 1] - flat[at - 1]) + corners[0] - corners[1]) / 8
    magnitude = np.where(inner, 0.0, np.hypot(by_row, by_col))
    return np.asarray(np.bincount(region, magnitude, n) / np.maximum(np.bincount(region, ~inner, n), 1.0))


def _mean_level(
    plane: NDArray[np.float32], pixel: NDArray[np.int64], region: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean grey level of each object, over its pixels."""
    return np.asarray(np.bincount(region, plane.ravel()[pixel], n) / np.bincount(region, minlength=n))


def _isolation(
    sectors: NDArray[np.float32], level: NDArray[np.float64], peak: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of the contrast is left against the brightest directions, and how one-sided the surroundings are.

    Directions outside the plane count as the mean of the others.
    """
    around = sectors.astype(np.float64)
    missing = np.isnan(around)
    known = np.where(missing, 0.0, around).sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)
    around = np.where(missing, known[:, None], around)
    brightest = np.sort(around, axis=1)[:, -2:].mean(axis=1)
    mean = around.mean(axis=1)
    contrast = np.maximum(level - mean, 1e-3)
    opposite = np.abs(around[:, :4] - around[:, 4:]).max(axis=1)
    return np.clip((level - brightest) / contrast, -1.0, 1.0), opposite / np.maximum(peak, 1e-6)


def lumps_over_specks(
    specks: Objects, lumps: Objects, scene: Scene, parameters: SegmentParameters
) -> Objects:
    """Join both searches: a sharp-edged lump replaces the fragments that the finer search made of it.

    A lump stands where its edge is as sharp as calcium's and it is at least three times the fragments it covers;
    otherwise the specks stand and the lump is dropped. Objects come back ordered by first pixel.
    """
    covered_by = np.full(scene.plane.size, -1, np.int32) if len(lumps) else np.empty(0, np.int32)
    smallest_mm = 2 * parameters.speck_scale_mm
    sharp = (lumps.evidence["edge_width_mm"] <= parameters.coarse_edge_width_mm) & (
        lumps.evidence["diameter_mm"] >= smallest_mm
    )
    lump_area = np.diff(lumps.start)
    dropped = np.zeros(len(specks), np.bool_)
    kept: list[int] = []
    owner = specks.owner()
    for k in np.flatnonzero(sharp):
        covered_by[lumps.pixel[lumps.start[k] : lumps.start[k + 1]]] = k
    speck_area = np.diff(specks.start)
    inside = covered_by[specks.pixel] if len(lumps) else np.full(len(specks.pixel), -1, np.int32)
    for k in np.flatnonzero(sharp):
        shared = np.bincount(owner[inside == k], minlength=len(specks))
        fragments = shared > 0.5 * speck_area
        largest = int(speck_area[fragments].max()) if fragments.any() else 0
        if lump_area[k] >= 2 * largest:
            dropped |= fragments
            kept.append(int(k))
    survivors = specks.subset(np.flatnonzero(~dropped))
    both = _joined(survivors, lumps.subset(np.array(kept, np.int64)))
    return both.subset(np.argsort(both.pixel[both.start[:-1]], kind="stable"))


def _joined(one: Objects, other: Objects) -> Objects:
    return Objects(
        np.concatenate((one.pixel, other.pixel)),
        np.concatenate((one.start, other.start[1:] + one.start[-1])),
        {name: np.concatenate((one.evidence[name], other.evidence[name])) for name in one.evidence},
    )
