"""The segment stage: where something bright and small stands out, how far it reaches, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.scene import Scene
from mammocalc.segment.arteries import scores_on_bands
from mammocalc.segment.company import COMPANY, company_of
from mammocalc.segment.components import Components, lump_components, searched_cells, speck_components
from mammocalc.segment.objects import Objects, described, lumps_over_specks, outlines_of
from mammocalc.segment.parameters import SegmentParameters
from mammocalc.segment.regions import Regions
from mammocalc.segment.score import SUPPORT, built_in_score, scores_in_company
from mammocalc.segment.strands import joined_strands
from mammocalc.segment.threads import joined_threads

__all__ = ["Regions", "SegmentParameters", "segment"]


def segment(scene: Scene, parameters: SegmentParameters | None = None, threads: int = 1) -> Regions:
    """Find candidate calcifications and outline them at half of their contrast.

    Differences of Gaussians over scales, judged against local noise and texture, give components by hysteresis [1]_;
    each is split and outlined by flooding from its peaks [2]_; the evidence is weighed up to a score [3]_; what
    is faint but lies on an artery calcified beyond doubt is believed, too.

    Parameters
    ----------
    scene : Scene
        Plane of unit noise, bright = dense.
    parameters : SegmentParameters, optional
        Settings of this stage.
    threads : int
        The result does not depend on it.

    Returns
    -------
    Regions
        Ordered by first pixel; only those that reach ``parameters.min_score``, at most ``parameters.candidate_cap``.

    References
    ----------
    .. [1] Netsch T., Peitgen H.-O. (1999). Scale-space signatures for the detection of clustered microcalcifications in
       digital mammograms. IEEE Trans Med Imaging 18, 774-786.
    .. [2] Najman L., Couprie M. (2006). Building the component tree in quasi-linear time. IEEE Trans Image Process 15,
       3531-3539, doi 10.1109/TIP.2006.877518.
    .. [3] Friedman J. H. (2001). Greedy function approximation: a gradient boosting machine. Annals of Statistics 29,
       1189-1232, doi 10.1214/aos/1013203451.
    """
    from mammocalc_kernels.compile import run_each
    from mammocalc_kernels.scratch import scratch_plane

    parameters = parameters or SegmentParameters()
    inside = searched_cells(scene, parameters.skin_margin_mm)
    if not inside.any():
        return _as_regions(_no_objects(), np.empty(0), scene.plane.shape)

    shape, ring_mm = scene.plane.shape, parameters.background_ring_mm
    owned = scratch_plane(shape, np.int32, cleared=True)
    with scratch_plane(shape, np.float32) as response, owned as owner:
        # The lumps' search, and later their outlines, beside what the search for specks cannot share out.
        searches: list[Callable[[], Components]] = [
            lambda: speck_components(scene, inside, response, parameters, threads),
            lambda: lump_components(scene, inside, parameters, threads),
        ]
        fine, coarse = run_each(lambda search: search(), searches, threads)
        pieces = outlines_of(scene, fine, owner, ring_mm, parameters, threads)

        def outlined_specks() -> Objects:
            pitch = scene.pixel_spacing_mm
            strands = joined_strands(pieces, scene.plane, owner, pitch, parameters, threads)
            return described(scene, fine, strands, ring_mm, threads)

        def outlined_lumps() -> Objects:
            with scratch_plane(shape, np.int32, cleared=True) as other_owner:
                rough = outlines_of(scene, coarse, other_owner, 2 * ring_mm, parameters, threads)
            return described(scene, coarse, rough, 2 * ring_mm, threads)

        outlining = outlined_specks, outlined_lumps
        specks, lumps = run_each(lambda step: step(), outlining, threads)
        objects = lumps_over_specks(specks, lumps, owner, parameters)
    place = (
        objects.evidence["row"] * scene.pixel_spacing_mm,
        objects.evidence["col"] * scene.pixel_spacing_mm,
        parameters.neighbourhood_mm,
    )
    evidence = {**objects.evidence, **company_of(objects.evidence, *place)}
    score, support = scores_in_company(built_in_score(), evidence, *place, threads)
    objects = dataclasses.replace(objects, evidence={**evidence, **support})
    with scratch_plane(shape, np.int32, cleared=True) as owner:
        pitch = scene.pixel_spacing_mm
        objects, score = joined_threads(objects, score, scene.plane, owner, pitch, parameters, threads)
    objects = dataclasses.replace(objects, evidence={**objects.evidence, "score_alone": score})
    score = scores_on_bands(scene, objects, score, parameters)
    keep = np.flatnonzero(score >= parameters.min_score)
    if len(keep) > parameters.candidate_cap:
        best = keep[np.argsort(-score[keep], kind="stable")[: parameters.candidate_cap]]
        keep = np.sort(best)
    return _as_regions(objects.subset(keep), score[keep], scene.plane.shape)


def _no_objects() -> Objects:
    from mammocalc.segment.objects import EVIDENCE

    empty = {name: np.empty(0) for name in (*EVIDENCE, *COMPANY, *SUPPORT, "score_alone")}
    return Objects(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.float32), empty)


def _as_regions(objects: Objects, score: NDArray[np.float64], shape: tuple[int, ...]) -> Regions:
    """Pixel lists as runs: a run ends where the next pixel is not the neighbour to the right."""
    h, w = shape
    owner = objects.owner()
    pixel = objects.pixel
    row, col = (pixel // w).astype(np.int32), (pixel % w).astype(np.int32)
    begins = np.ones(len(pixel), np.bool_)
    if len(pixel):
        begins[1:] = (np.diff(pixel) != 1) | (np.diff(owner) != 0) | (np.diff(row) != 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(pixel)) - 1 if len(first) else first
    n = len(objects)
    bounds = np.zeros((n, 4), np.int32)
    if n:
        at = objects.start[:-1]
        bounds[:, 0] = np.minimum.reduceat(row, at)
        bounds[:, 1] = np.minimum.reduceat(col, at)
        bounds[:, 2] = np.maximum.reduceat(row, at) + 1
        bounds[:, 3] = np.maximum.reduceat(col, at) + 1
    counts = np.bincount(owner[first], minlength=n) if n else np.empty(0, np.int64)
    return Regions(
        (h, w),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        row[first],
        col[first],
        (col[last] + 1).astype(np.int32),
        bounds,
        score,
        dict(objects.evidence),
    )
