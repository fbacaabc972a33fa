"""From components to objects: outlines at half contrast, and the evidence that each is a calcification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.scene import Scene
from mammocalc.segment.components import Components, level_at
from mammocalc.segment.parameters import SegmentParameters
from mammocalc.segment.strands import Outlines


@dataclass(frozen=True, eq=False)
class Objects:
    """Outlined objects as lists of pixels, with the evidence for each.

    Attributes
    ----------
    pixel : ndarray of int64
        Flat plane index, ascending within an object; objects follow each other.
    start : ndarray of int64, shape (n + 1,)
        Object k owns ``pixel[start[k]:start[k + 1]]``.
    contrast : ndarray of float32
        Of each pixel against the object's background.
    evidence : dict of str to ndarray of float64, shape (n,)
        See `EVIDENCE`.
    """

    pixel: NDArray[np.int64]
    start: NDArray[np.int64]
    contrast: NDArray[np.float32]
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
            self.pixel[index],
            start,
            self.contrast[index],
            {name: values[keep] for name, values in self.evidence.items()},
        )

    def without(self, removed: NDArray[np.bool_]) -> Objects:
        """The same objects and evidence without some of their pixels, of none all."""
        sizes = np.bincount(self.owner()[~removed], minlength=len(self))
        start = np.concatenate(([0], np.cumsum(sizes)))
        return Objects(self.pixel[~removed], start, self.contrast[~removed], self.evidence)

    def with_others(self, others: Objects) -> Objects:
        """These objects, then the others."""
        return Objects(
            np.concatenate((self.pixel, others.pixel)),
            np.concatenate((self.start, others.start[1:] + self.start[-1])),
            np.concatenate((self.contrast, others.contrast)),
            {name: np.concatenate((self.evidence[name], others.evidence[name])) for name in self.evidence},
        )


# Share of a lump's pixels that may lie on specks that it does not replace.
_MOST_SHARED = 0.2
# A lump is this many times as large as the only fragment that it covers, or as all of several together.
_LARGER_THAN_ONE, _LARGER_THAN_ALL = 2.0, 1.15
# Isolation of a fragment, one of several or the only one, from which on it is rather a speck in front of the lump, and
# least isolation of the lump itself.
_MOST_ISOLATED, _ONLY_ISOLATED, _LUMP_ISOLATED = 0.6, 0.4, 0.2

#: What speaks for or against an object, and in what unit.
EVIDENCE = {
    "response": "strongest scale-space response inside the outline over local noise and texture",
    "texture": "that noise and texture, the breast's usual ones as 1",
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
    "continued": "how bright the way is from a tip to a larger object ahead, as a share of the lower peak contrast",
    "skin_alignment": "cosine of the angle between the longer axis and the skin line",
    "row": "centroid, plane row",
    "col": "centroid, plane column",
}


def outlines_of(
    scene: Scene,
    components: Components,
    owner: NDArray[np.int32],
    ring_mm: float,
    parameters: SegmentParameters,
    threads: int,
) -> Outlines:
    """Delineate every component at full resolution.

    Parameters
    ----------
    scene : Scene
    components : Components
    owner : ndarray of int32, of the plane's shape
        Scratch: all 0, and so again afterwards.
    ring_mm : float
        Width of the background ring, mm.
    parameters : SegmentParameters
    threads : int

    Returns
    -------
    Outlines
        In order of component, then first pixel.
    """
    from mammocalc_kernels.delineation import delineate

    delineated = delineate(
        scene.plane,
        components.offsets,
        components.run_row,
        components.run_start,
        components.run_stop,
        ring=_ring_px(scene, ring_mm),
        fraction=parameters.outline_fraction,
        saddle=parameters.saddle_fraction if components.factor == 1 else parameters.lump_saddle_fraction,
        smallest_contrast=1.0,
        owner=owner,
        threads=threads,
    )
    return Outlines(*delineated, continued=np.zeros(len(delineated[3])))


def _ring_px(scene: Scene, ring_mm: float) -> int:
    return max(3, round(ring_mm / scene.pixel_spacing_mm))


def described(
    scene: Scene, components: Components, outlines: Outlines, ring_mm: float, threads: int
) -> Objects:
    """Gather the evidence for every outlined object.

    Parameters
    ----------
    scene : Scene
    components : Components
        Those that were outlined.
    outlines : Outlines
    ring_mm : float
        Width of the background ring, mm.
    threads : int

    Returns
    -------
    Objects
        In the order of `outlines`.
    """
    from mammocalc_kernels.delineation import object_evidence

    plane, pitch = scene.plane, scene.pixel_spacing_mm
    pixel, start, contrast = outlines.pixel, outlines.start, outlines.contrast
    measured = object_evidence(
        plane,
        components.response,
        pixel,
        contrast,
        start,
        gap=2,
        ring=_ring_px(scene, ring_mm),
        factor=components.factor,
        threads=threads,
    )
    row, col, row_row, col_col, row_col, level, above, response, gradient = measured[:, :9].T
    # A pixel is a square, not a point: 1/12 is its own second moment.
    row_row, col_col = row_row + 1 / 12, col_col + 1 / 12
    spread = np.sqrt((row_row - col_col) ** 2 + 4 * row_col**2)
    peak = np.maximum(outlines.peak.astype(np.float64), 1e-6)
    deviation, slope = outlines.surroundings.astype(np.float64).T
    diameter = np.sqrt(4 / np.pi * np.diff(start))
    isolation, one_sided = _isolation(measured[:, 9:], level, peak)
    edge_width = peak / np.maximum(gradient, 1e-6)
    texture = level_at(components, row, col)
    step = scene.anatomy.step
    cell_row = ((row + scene.origin[0]) // step).astype(int)
    cell_col = ((col + scene.origin[1]) // step).astype(int)
    return Objects(
        pixel,
        start,
        contrast,
        {
            "response": response / texture,
            "texture": texture,
            "background_ratio": peak / np.maximum(deviation, 0.05),
            "contrast_noise": peak,
            "edge_width_mm": edge_width * pitch,
            "diameter_mm": diameter * pitch,
            "elongation": np.sqrt(
                (row_row + col_col + spread) / np.maximum(row_row + col_col - spread, 1e-9)
            ),
            "fill": above / peak,
            "background_slope": slope * diameter / (0.5 * peak),
            "isolation": isolation,
            "one_sided": one_sided,
            "edge_width_px": edge_width,
            "skin_distance_mm": scene.anatomy.skin_distance_mm[cell_row, cell_col].astype(np.float64),
            "continued": outlines.continued,
            "skin_alignment": _skin_alignment(scene, cell_row, cell_col, row_row, col_col, row_col),
            "row": row,
            "col": col,
        },
    )


def _skin_alignment(
    scene: Scene,
    cell_row: NDArray[np.int64],
    cell_col: NDArray[np.int64],
    row_row: NDArray[np.float64],
    col_col: NDArray[np.float64],
    row_col: NDArray[np.float64],
) -> NDArray[np.float64]:
    """1 for what runs along the skin line, 0 for what runs towards it or where the skin has no direction."""
    distance = scene.anatomy.skin_distance_mm
    low = np.maximum(cell_row - 1, 0), np.maximum(cell_col - 1, 0)
    high = (
        np.minimum(cell_row + 1, distance.shape[0] - 1),
        np.minimum(cell_col + 1, distance.shape[1] - 1),
    )
    inwards_row = distance[high[0], cell_col].astype(np.float64) - distance[low[0], cell_col]
    inwards_col = distance[cell_row, high[1]].astype(np.float64) - distance[cell_row, low[1]]
    angle = 0.5 * np.arctan2(2 * row_col, col_col - row_row)
    across = np.abs(np.sin(angle) * inwards_col - np.cos(angle) * inwards_row)
    steepness = np.hypot(inwards_row, inwards_col)
    return np.where(steepness > 0, across / np.maximum(steepness, 1e-9), 0.0)


def _isolation(
    around: NDArray[np.float64], level: NDArray[np.float64], peak: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of the contrast is left against the brightest directions, and how one-sided the surroundings are.

    Directions outside the plane count as the mean of the others.
    """
    missing = np.isnan(around)
    known = np.where(missing, 0.0, around).sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)
    around = np.where(missing, known[:, None], around)
    brightest = np.sort(around, axis=1)[:, -2:].mean(axis=1)
    mean = around.mean(axis=1)
    contrast = np.maximum(level - mean, 1e-3)
    opposite = np.abs(around[:, :4] - around[:, 4:]).max(axis=1)
    return np.clip((level - brightest) / contrast, -1.0, 1.0), opposite / np.maximum(peak, 1e-6)


def lumps_over_specks(
    specks: Objects, lumps: Objects, owner: NDArray[np.int32], parameters: SegmentParameters
) -> Objects:
    """Join both searches: a sharp-edged lump replaces the fragments that the finer search made of it.

    A lump stands where its edge is as sharp as calcium's, no more than a fifth of it lies on specks that reach beyond
    it, and it is a body in which nothing stands out by itself: one that several fragments do not fill, high above the
    tissue and large, or one that is twice as large as its only fragment. Otherwise the specks stand and the lump is
    dropped. Objects come back ordered by first pixel. `owner` is scratch of the plane's shape, all 0.
    """
    from mammocalc_kernels.strands import number_objects

    smallest_mm = 2 * parameters.speck_scale_mm
    diameter = lumps.evidence["diameter_mm"]
    sharpest = np.maximum(parameters.coarse_edge_width_mm, parameters.coarse_edge_share * diameter)
    sharp = (lumps.evidence["edge_width_mm"] <= sharpest) & (diameter >= smallest_mm)
    # Few are left, and nothing is asked of the others.
    lumps = lumps.subset(np.flatnonzero(sharp))
    number_objects(owner, specks.pixel, specks.start)
    speck_on = owner.reshape(-1)
    speck_area, lump_area = np.diff(specks.start), np.diff(lumps.start)
    # Every pair of a lump and a speck beneath it, with the number of pixels they share.
    covered = speck_on[lumps.pixel].astype(np.int64)
    pairs = (lumps.owner() * (len(specks) + 1) + covered)[covered > 0]
    # Pixels of a pair come in runs: to sort those takes far less.
    begins = np.flatnonzero(np.diff(pairs, prepend=-1))
    run = np.diff(begins, append=len(pairs))
    pairs, place = np.unique(pairs[begins], return_inverse=True)
    shared = np.bincount(place, run, len(pairs))
    lump, speck = pairs // (len(specks) + 1), pairs % (len(specks) + 1) - 1
    fragment = shared > 0.5 * speck_area[speck]
    fragments = np.bincount(lump[fragment], minlength=len(lumps))
    filled = np.bincount(lump[fragment], speck_area[speck[fragment]], len(lumps))
    most_isolated = np.full(len(lumps), -np.inf)
    np.maximum.at(most_isolated, lump[fragment], specks.evidence["isolation"][speck[fragment]])
    # What mostly lies on an object that reaches beyond it is a part of that object.
    beyond = np.bincount(lump[~fragment], shared[~fragment], len(lumps))
    alone = (lump_area >= _LARGER_THAN_ONE * filled) & (most_isolated < _ONLY_ISOLATED)
    body = (
        (lump_area >= _LARGER_THAN_ALL * filled)
        & (most_isolated < _MOST_ISOLATED)
        & (lumps.evidence["isolation"] >= _LUMP_ISOLATED)
        & (lumps.evidence["contrast_noise"] >= parameters.body_contrast)
        & (lumps.evidence["diameter_mm"] >= parameters.body_diameter_mm)
    )
    stands = (beyond <= _MOST_SHARED * lump_area) & np.where(fragments > 1, body, alone)
    dropped = np.zeros(len(specks), np.bool_)
    dropped[speck[fragment & stands[lump]]] = True
    chosen = lumps.subset(np.flatnonzero(stands))
    if len(chosen):
        beneath = speck_on[chosen.pixel]
        chosen = chosen.without((beneath > 0) & ~dropped[beneath - 1])
    number_objects(owner, specks.pixel, specks.start, clear=True)
    both = specks.with_others(chosen)
    kept = np.append(np.flatnonzero(~dropped), len(specks) + np.arange(len(chosen)))
    return both.subset(kept[np.argsort(both.pixel[both.start[kept]], kind="stable")])
