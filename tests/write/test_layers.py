"""Findings as layers of napari: always as data, and in napari itself where it is installed."""

from __future__ import annotations

import builtins
import dataclasses
import importlib.util

import numpy as np
import pytest

from mammocalc.errors import UnwritableObject
from mammocalc.write.layers import layers_of
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal

SPACING = 0.1
needs_napari = pytest.mark.skipif(
    importlib.util.find_spec("napari") is None, reason="napari (mammocalc[napari]) is not installed"
)


@pytest.fixture(scope="module")
def chained(make_findings):
    """With a chain of rods, and a muscle."""
    findings = make_findings(rods=2)
    company = {**findings.arrangement.columns, "chain_id": np.array([1, 1, 0, 0, 0, 0, 0, 0])}
    curve = np.array([[220.0, 100.0], [220.0, 130.0], [260.0, 130.0]])
    arrangement = dataclasses.replace(findings.arrangement, columns=company, chains=(curve,))
    muscle = np.zeros_like(findings.scene.anatomy.breast)
    muscle[:10, :20] = True
    anatomy = dataclasses.replace(findings.scene.anatomy, pectoral=muscle)
    return dataclasses.replace(
        findings, arrangement=arrangement, scene=dataclasses.replace(findings.scene, anatomy=anatomy)
    )


@pytest.fixture(scope="module")
def layers(chained):
    return {attributes["name"]: (data, attributes, kind) for data, attributes, kind in layers_of(chained)}


def in_mm(attributes, row_col):
    """Where a position of a layer is in the world."""
    return np.asarray(row_col) * attributes["scale"] + attributes["translate"]


def test_every_kind_of_finding_has_its_layer(layers):
    assert {name: kind for name, (_, _, kind) in layers.items()} == {
        "L CC image": "image",
        "L CC anatomy": "labels",
        "L CC breast": "shapes",
        "L CC nipple": "points",
        "L CC regions": "labels",
        "L CC tracks": "shapes",
        "L CC clusters": "shapes",
        "L CC calcifications": "points",
    }
    assert all(attributes["units"] == ("mm", "mm") for _, attributes, _ in layers.values())


def test_the_image_is_bright_where_it_is_dense_and_scaled_in_mm(layers, chained):
    data, attributes, _ = layers["L CC image"]
    assert attributes["scale"] == (SPACING, SPACING)
    assert data.shape == chained.mammogram.pixels.shape
    low, high = attributes["contrast_limits"]
    assert data[223, 130] > data[223, 175] + 0.2 * (high - low)
    assert attributes["metadata"]["file"] == "one.dcm"


def test_a_region_is_where_its_calcification_is_in_its_colour(layers, chained):
    data, attributes, _ = layers["L CC regions"]
    table = chained.calcifications
    assert attributes["features"]["index"].tolist() == list(range(1, 9))
    assert attributes["features"]["label"].tolist() == table["label"].tolist()
    for number, row in enumerate(table.itertuples(), 1):
        where = np.argwhere(data == number)
        centre = in_mm(attributes, where.mean(axis=0))
        np.testing.assert_allclose(centre, (row.row * SPACING, row.col * SPACING), atol=1e-9)
        assert attributes["colormap"][number] == hexadecimal(LABEL_COLOURS[row.label])
    assert attributes["colormap"][0][3] == attributes["colormap"][None][3] == 0


def test_rings_carry_the_table_and_surround_their_calcification(layers, chained):
    data, attributes, _ = layers["L CC calcifications"]
    table = chained.calcifications
    features = attributes["features"]
    assert features["length_mm"].tolist() == table["length_mm"].tolist()
    assert list(features.columns) == [
        name for name in table.columns if name not in ("path", "sop_instance_uid", "frame")
    ]
    np.testing.assert_array_equal(data, table[["row", "col"]])
    # The rod is 60 x 8 px, the room around it 0.6 mm of 0.1 mm pixels.
    assert attributes["size"][0] == pytest.approx(np.hypot(60, 8) + 6)


def test_clusters_and_tracks_carry_what_is_said_of_them(layers, chained):
    (hull,), attributes, _ = layers["L CC clusters"]
    assert attributes["features"]["caption"].tolist() == ["cluster 1: 6, grouped, punctate"]
    members = chained.calcifications.query("cluster_id == 1")
    assert hull[:, 0].min() < members["row"].min() < members["row"].max() < hull[:, 0].max()
    (curve,), attributes, _ = layers["L CC tracks"]
    assert attributes["shape_type"] == "path"
    assert attributes["features"] == {
        "chain_id": [1],
        "label": ["large_rod_like"],
        "length_mm": [pytest.approx(7.0)],
        "n_calcifications": [2],
    }
    assert attributes["edge_color"] == [hexadecimal(LABEL_COLOURS["large_rod_like"])]
    np.testing.assert_array_equal(curve, chained.arrangement.chains[0])


def test_chains_along_arteries_are_vessels(chained):
    label = np.where(np.arange(8) < 2, "vascular", chained.classification.label)
    artery = dataclasses.replace(
        chained, classification=dataclasses.replace(chained.classification, label=label)
    )
    names = [attributes["name"] for _, attributes, _ in layers_of(artery)]
    assert "L CC vessels" in names
    assert "L CC tracks" not in names


def test_the_breast_and_its_parts_lie_where_their_cells_are(layers, chained):
    anatomy = chained.scene.anatomy
    (around,), attributes, _ = layers["L CC breast"]
    # A cell is 5 px; cell (i, j) begins half a pixel before the centre of its first pixel.
    rows, cols = np.nonzero(anatomy.breast)
    first, last = in_mm(attributes, around.min(axis=0)), in_mm(attributes, around.max(axis=0))
    np.testing.assert_allclose(first, (rows.min() * 0.5 - 0.05, cols.min() * 0.5 - 0.05), atol=0.1)
    np.testing.assert_allclose(last, (rows.max() * 0.5 + 0.45, cols.max() * 0.5 + 0.45), atol=0.1)
    parts, attributes, _ = layers["L CC anatomy"]
    np.testing.assert_allclose(in_mm(attributes, (0, 0)), (0.2, 0.2))
    np.testing.assert_allclose(in_mm(attributes, (9, 19)), (4.7, 9.7))
    assert (parts[:10, :20] == 1).all()
    assert attributes["features"]["part"][0] == "pectoral muscle"


def test_of_nothing_found_there_is_the_image(make_findings):
    names = [attributes["name"] for _, attributes, _ in layers_of(make_findings(rods=0, specks=0))]
    assert names == ["L CC image", "L CC breast", "L CC nipple"]


def without(monkeypatch, *packages):
    imported = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith(packages):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_without_napari_it_says_what_to_install(findings, monkeypatch):
    without(monkeypatch, "napari")
    with pytest.raises(UnwritableObject, match=r"napari is needed: pip install 'mammocalc\[napari\]'"):
        findings.to_napari()


@needs_napari
@pytest.mark.filterwarnings("ignore")
def test_without_a_window_system_it_says_what_to_install(findings, monkeypatch):
    without(monkeypatch, "qtpy.QtWidgets")
    with pytest.raises(UnwritableObject, match=r"no window system .* pip install 'mammocalc\[napari\]'"):
        findings.to_napari()


@needs_napari
@pytest.mark.filterwarnings("ignore")
def test_napari_takes_the_layers_and_finds_a_calcification_where_it_is(chained):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    assert chained.to_napari(viewer) is viewer
    assert [layer.name for layer in viewer.layers] == [
        attributes["name"] for _, attributes, _ in chained.napari_layers()
    ]
    regions = viewer.layers["L CC regions"]
    row = chained.calcifications.iloc[4]
    at = (row["row"] * SPACING, row["col"] * SPACING)
    assert regions.get_value(at, world=True) == row["calcification_id"] == 5
    assert "label: punctate" in regions.get_status(at, world=True)["value"]
    assert [str(unit) for unit in regions.units] == ["millimeter", "millimeter"]
