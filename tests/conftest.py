"""Findings made by hand, for tests of everything that comes after the stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.features import FEATURES as COMPANY_FEATURES
from mammocalc.classify import Lexicon, classify, load_lexicon
from mammocalc.classify.cluster_features import ARRANGED as CLUSTER_FEATURES
from mammocalc.classify.rules import Condition, Group, Rule, Threshold
from mammocalc.findings import Findings
from mammocalc.measure.features import FEATURES as SINGLE_FEATURES
from mammocalc.measure.measurements import Measurements
from mammocalc.parameters import Parameters
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.read.mammogram import Mammogram
from mammocalc.segment.regions import Regions

ROWS, COLUMNS, SPACING_MM, STEP = 800, 600, 0.1, 5
ORIGIN = (40, 0)
SHAPE = (700, 420)


def regions_of(masks: list[tuple[int, int, np.ndarray]], shape: tuple[int, int]) -> Regions:
    """Regions from (row, col, mask) in plane pixels."""
    rows, starts, stops, offsets, bounds = [], [], [], [0], []
    for row, col, mask in masks:
        for i, line in enumerate(mask.astype(np.int8)):
            edges = np.flatnonzero(np.diff(np.concatenate(([0], line, [0]))))
            for start, stop in edges.reshape(-1, 2):
                rows.append(row + i)
                starts.append(col + start)
                stops.append(col + stop)
        offsets.append(len(rows))
        bounds.append((row, col, row + mask.shape[0], col + mask.shape[1]))
    count = len(masks)
    return Regions(
        shape,
        np.array(offsets, np.int64),
        np.array(rows, np.int32),
        np.array(starts, np.int32),
        np.array(stops, np.int32),
        np.array(bounds, np.int32).reshape(count, 4),
        np.linspace(0.9, 0.6, count),
        {},
    )


def small_lexicon() -> Lexicon:
    """Rules of our own, so that labels here do not change when the built-in rules are tuned."""

    def rule(label: str, suspicion: str, feature: str, operator: str, threshold: str) -> Rule:
        when = Group("all", (Condition(feature, operator, threshold),))
        return Rule(f"{label}_by_{feature}", label, suspicion, f"{feature} decides", ("here",), when)

    return dataclasses.replace(
        load_lexicon(),
        sources={"here": "these tests"},
        thresholds={
            "long": Threshold(3.0, 0.3, "proposal"),
            "small_mm": Threshold(0.5, 0.05, "proposal"),
            "most": Threshold(0.6, 0.1, "proposal"),
        },
        rules=(
            rule("large_rod_like", "typically_benign", "elongation", ">=", "long"),
            rule("punctate", "indeterminate", "diameter_mm", "<", "small_mm"),
        ),
        cluster_rules=(rule("punctate", "indeterminate", "share_punctate", ">=", "most"),),
    )


def disk(radius: int) -> np.ndarray:
    i, j = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return i * i + j * j <= radius * radius


def hand_made(
    *,
    rods: int = 1,
    specks: int = 6,
    dense_is_bright: bool = True,
    pixel_spacing_mm: float = SPACING_MM,
    **image: Any,
) -> Findings:
    """A breast with large rods and a group of specks, classified by rules of our own."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    breast = ((rows - 390) / 350) ** 2 + (columns / 420) ** 2 < 1
    density = np.where(breast, 1000.0 + 2 * (420 - columns), 100.0)
    masks: list[tuple[int, int, np.ndarray]] = [
        (180 + 30 * i, 100, np.ones((8, 60), bool)) for i in range(rods)
    ] + [(int(400 + 15 * (i % 3)), int(200 + 12 * (i // 3)), disk(2)) for i in range(specks)]
    for row, col, mask in masks:
        density[ORIGIN[0] + row :, ORIGIN[1] + col :][: mask.shape[0], : mask.shape[1]][mask] += 900
    pixels = np.clip(density + rng.normal(0, 8, density.shape), 0, 4095).astype(np.uint16)
    stabiliser = (np.arange(4096) / 8).astype(np.float32)
    if not dense_is_bright:
        pixels = (4095 - pixels).astype(np.uint16)
        stabiliser = stabiliser[::-1].copy()
    plane = stabiliser[pixels[ORIGIN[0] : ORIGIN[0] + SHAPE[0], ORIGIN[1] : ORIGIN[1] + SHAPE[1]]]
    cells = breast[STEP // 2 :: STEP, STEP // 2 :: STEP]
    nothing = np.zeros_like(cells)
    anatomy = Anatomy(
        STEP, cells, nothing, nothing, np.where(cells, 10, 0).astype(np.float32), (390.0, 415.0), "left",
        float(breast.sum()) * pixel_spacing_mm**2,
    )  # fmt: skip
    curve = np.array([0.0, 511.0], np.float32)
    noise = np.array([0.0, 4095.0])
    scene = Scene(
        plane,
        ORIGIN,
        pixel_spacing_mm,
        anatomy,
        stabiliser,
        curve,
        np.array([0.0, 1.0], np.float32),
        noise,
        noise,
    )
    regions = regions_of(masks, SHAPE)
    measurements, arrangement = _columns(regions, rods, specks, pixel_spacing_mm)
    lexicon = small_lexicon()
    mammogram = Mammogram(
        pixels, pixel_spacing_mm, "ImagerPixelSpacing", dense_is_bright=dense_is_bright, bits_stored=12,
        **{"laterality": "L", "view": "CC", "path": "exam/one.dcm", "sop_instance_uid": "1.2.3",
           "study_instance_uid": "1.2", "intent": "FOR PRESENTATION", **image},
    )  # fmt: skip
    return Findings(
        mammogram, scene, regions, measurements, arrangement, classify(measurements, arrangement, lexicon),
        Parameters(), lexicon, 0.25, {"prepare": 40.0},
    )  # fmt: skip


def _columns(regions: Regions, rods: int, specks: int, spacing: float) -> tuple[Measurements, Arrangement]:
    count = rods + specks
    is_rod = np.arange(count) < rods
    columns = {name: np.zeros(count) for name in SINGLE_FEATURES}
    bounds = regions.bounds + np.tile(np.array(ORIGIN), 2)
    columns.update(zip(("row_min", "col_min", "row_max", "col_max"), bounds.T.astype(np.int64), strict=True))
    area = np.array([regions.mask(k).sum() for k in range(count)]) * spacing**2
    columns.update(
        row=(bounds[:, 0] + bounds[:, 2] - 1) / 2,
        col=(bounds[:, 1] + bounds[:, 3] - 1) / 2,
        area_mm2=area,
        filled_area_mm2=area,
        diameter_mm=np.sqrt(4 * area / np.pi),
        length_mm=np.where(is_rod, 6.0, 0.4),
        width_mm=np.where(is_rod, 0.8, 0.4),
        width_max_mm=np.where(is_rod, 0.8, 0.4),
        elongation=np.where(is_rod, 7.5, 1.0),
        taper=np.where(is_rod, 0.6, 1.0),
        straightness=np.ones(count),
        nipple_angle_deg=np.where(is_rod, 8.0, 45.0),
        nipple_distance_mm=np.full(count, 25.0),
        skin_distance_mm=np.full(count, 15.0),
        solidity=np.full(count, 0.97),
        circularity=np.where(is_rod, 0.4, 0.95),
        wall_thickness_mm=np.full(count, np.nan),
        contrast=np.full(count, 0.2),
        cnr=np.full(count, 12.0),
        edge_width_mm=np.full(count, 0.1),
        score=regions.score,
    )
    company = {
        name: np.zeros(count, "U10" if feature.unit == "text" else np.float64)
        for name, feature in COMPANY_FEATURES.items()
    }
    grouped = specks >= 5
    member = ~is_rod & grouped
    for name, value in (("cluster_id", 1), ("cluster_n", specks), ("cluster_extent_mm", 3.2)):
        company[name][member] = value
    company["cluster_distribution"][member] = "grouped"
    for name in (
        "chain_tortuosity",
        "chain_calcified_fraction",
        "chain_nipple_angle_deg",
        "wall_separation_mm",
    ):
        company[name][:] = np.nan
    for name in ("chain_id", "cluster_id"):
        company[name] = company[name].astype(np.int64)
    one = (slice(0, 1),) if grouped else (slice(0, 0),)
    clusters = {
        name: np.array([value])[one]
        for name, value in {
            **dict.fromkeys(CLUSTER_FEATURES, 0.1),
            "cluster_id": 1, "n_calcifications": specks, "row": 457.0, "col": 208.0, "extent_mm": 3.2,
            "area_mm2": 4.0, "density_per_cm2": 150.0, "linearity": 0.5, "distribution": "grouped",
        }.items()
    }  # fmt: skip
    return Measurements(columns, 0.05), Arrangement(company, (), clusters)


@pytest.fixture(scope="session")
def make_findings() -> Callable[..., Findings]:
    """Builds findings by hand; see `hand_made`."""
    return hand_made


@pytest.fixture(scope="session")
def findings(make_findings: Callable[..., Findings]) -> Findings:
    """One rod and a group of six specks."""
    return make_findings()
