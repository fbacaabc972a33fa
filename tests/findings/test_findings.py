"""The result object: tables, outlines, pictures, files."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
import re

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import PowerNorm, to_hex
from pandas.testing import assert_frame_equal

from mammocalc.classify import load_lexicon
from mammocalc.errors import InvalidParameter
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal
from mammocalc.write.tables import read_tables


@pytest.fixture(autouse=True)
def _no_window():
    mpl.use("agg")
    yield
    plt.close("all")


def test_one_row_a_calcification_counted_from_one(findings):
    table = findings.calcifications
    assert len(table) == len(findings) == 7
    assert table["calcification_id"].tolist() == list(range(1, 8))
    assert table["path"].unique().tolist() == ["exam/one.dcm"]


def test_rows_hold_what_the_stages_said(findings):
    table = findings.calcifications
    for name in ("row", "width_mm", "score", "taper"):
        np.testing.assert_array_equal(table[name], findings.measurements.columns[name])
    np.testing.assert_array_equal(table["cluster_id"], findings.arrangement.columns["cluster_id"])
    for name in ("label", "suspicion", "rule", "margin", "runner_up"):
        assert table[name].tolist() == getattr(findings.classification, name).tolist()


def test_clusters_have_a_morphology(findings):
    (cluster,) = findings.clusters.to_dict("records")
    assert (cluster["cluster_id"], cluster["n_calcifications"], cluster["distribution"]) == (1, 6, "grouped")
    assert cluster["morphology"] == findings.classification.cluster_morphology[0] == "punctate"
    assert cluster["suspicion"] == findings.classification.cluster_suspicion[0]


def test_the_image_row(findings):
    row = findings.image_row()
    assert (row["rows"], row["columns"], row["pixel_spacing_mm"]) == (800, 600, 0.1)
    assert (row["n_calcifications"], row["n_clusters"], row["status"], row["reason"]) == (7, 1, "ok", "")
    assert (row["laterality"], row["view"], row["seconds"]) == ("L", "CC", 0.25)
    assert findings.images.to_dict("records") == [row]


def test_view_modifiers_are_told(make_findings):
    row = make_findings(view_modifiers=("Magnification", "Spot Compression")).image_row()
    assert row["reason"] == "view modifiers: Magnification, Spot Compression"
    assert row["status"] == "ok"


def test_tables_are_plain_pandas(findings, tmp_path):
    for table in (findings.images, findings.calcifications, findings.clusters):
        assert type(table) is pd.DataFrame
        assert isinstance(table.index, pd.RangeIndex)
        assert not table.columns.has_duplicates
        assert {dtype.kind for dtype in table.dtypes} <= set("iufO")
    by_label = findings.calcifications.groupby("label")["length_mm"].agg(["count", "median"])
    assert by_label.loc["punctate"].tolist() == [6, 0.4]
    joined = findings.calcifications.merge(findings.clusters, on=["path", "cluster_id"], suffixes=("", "_of"))
    assert len(joined) == 6
    findings.calcifications.to_csv(tmp_path / "table.csv", index=False)
    assert len(pd.read_csv(tmp_path / "table.csv")) == 7


def test_nothing_found_gives_empty_tables_of_the_same_types(findings, make_findings):
    nothing = make_findings(rods=0, specks=0)
    assert (len(nothing.calcifications), len(nothing.clusters), len(nothing.images)) == (0, 0, 1)
    pd.testing.assert_series_equal(nothing.calcifications.dtypes, findings.calcifications.dtypes)
    pd.testing.assert_series_equal(nothing.clusters.dtypes, findings.clusters.dtypes)


def test_the_record_is_light(findings):
    record = findings.record(path="other/name.dcm")
    assert record["calcifications"]["path"].tolist() == ["other/name.dcm"] * 7
    assert len(pickle.dumps(record)) < 12_000
    assert findings.mammogram.pixels.nbytes > 900_000


def test_outlines_surround_their_calcifications_in_stored_coordinates(findings):
    outlines = findings.outlines()
    assert len(outlines) == 7
    for polygon, (_, row) in zip(outlines, findings.calcifications.iterrows(), strict=True):
        np.testing.assert_allclose(
            polygon.min(axis=0), (row["row_min"] - 0.4, row["col_min"] - 0.4), atol=0.5
        )
        np.testing.assert_allclose(
            polygon.max(axis=0), (row["row_max"] - 0.6, row["col_max"] - 0.6), atol=0.5
        )


def test_explaining_names_the_rule_in_the_table(findings):
    explanation = findings.explain(1)
    assert explanation.decided.rule == findings.calcifications["rule"][0]
    assert explanation.label == "large_rod_like"


def test_other_rules_label_the_same_calcifications_anew(findings, tmp_path):
    stricter = findings.with_rules(findings.lexicon.with_threshold("long", 8.0))
    assert findings.calcifications["label"][0] == "large_rod_like"
    assert stricter.calcifications["label"][0] == "unclassified"
    assert stricter.explain(1).decided.rule == stricter.calcifications["rule"][0]
    same = stricter.calcifications.columns.difference(["label", "suspicion", "rule", "margin", "runner_up"])
    assert_frame_equal(stricter.calcifications[same], findings.calcifications[same])
    (tmp_path / "rules.toml").write_text("[thresholds]\nrod_calibre_mm = 2.0\n")
    assert findings.with_rules(tmp_path / "rules.toml").lexicon.thresholds["rod_calibre_mm"].value == 2.0
    assert findings.with_rules().lexicon.hash == load_lexicon().hash != findings.lexicon.hash
    (tmp_path / "rules.toml").write_text("[thresholds]\nrod_calibre_mm = 'thick'\n")
    with pytest.raises(InvalidParameter, match=r"rules\.toml, line 2"):
        findings.with_rules(tmp_path / "rules.toml")


@pytest.mark.parametrize("number", [0, 8, -1])
def test_an_unknown_calcification_is_named(findings, number):
    message = f"no calcification {number}; the image has 7, counted from 1"
    with pytest.raises(InvalidParameter, match=message):
        findings.explain(number)
    with pytest.raises(InvalidParameter, match=message):
        findings.outline(number)


def test_its_name_says_what_it_is(findings):
    assert repr(findings) == "<Findings in one.dcm: 7 calcifications, 1 cluster>"


def outline_colours(ax):
    return {collection.get_label(): to_hex(collection.get_colors()[0]) for collection in ax.collections}


def test_a_plot_has_outlines_by_label_legend_and_scale_bar(findings):
    ax = findings.plot()
    assert outline_colours(ax) == {
        label: hexadecimal(LABEL_COLOURS[label]) for label in ("large_rod_like", "punctate")
    }
    legend = [entry.get_text() for entry in ax.get_legend().get_texts()]
    assert legend == ["large rod-like (1)", "punctate (6)"]
    texts = [text.get_text() for text in ax.texts]
    assert "10 mm" in texts
    assert "cluster 1: 6, grouped, punctate" in texts


def test_the_coordinates_of_a_plot_are_stored_pixels(findings):
    ax = findings.plot()
    (rod,) = (collection for collection in ax.collections if collection.get_label() == "large_rod_like")
    (path,) = rod.get_paths()
    x, y = path.vertices.mean(axis=0)
    assert (x, y) == (pytest.approx(129.5, abs=6), pytest.approx(223.5, abs=2))
    assert ax.get_xlim() == (-0.5, 449.5)
    assert ax.get_ylim() == (769.5, 9.5)


def test_a_plot_goes_into_given_axes_with_given_image_arguments(findings):
    _, ax = plt.subplots()
    assert findings.plot(ax, cmap="bone", vmin=0.1, vmax=0.3) is ax
    (image,) = ax.images
    assert image.get_cmap().name == "bone"
    assert image.get_clim() == (0.1, 0.3)


def test_a_plot_takes_the_usual_arguments(findings):
    ax = findings.plot(figsize=(4, 5), legend=False, norm=PowerNorm(0.5, 0.0, 1.0), interpolation="nearest")
    assert tuple(ax.figure.get_size_inches()) == (4, 5)
    assert ax.get_legend() is None
    (image,) = ax.images
    assert isinstance(image.norm, PowerNorm)
    assert (image.get_clim(), image.get_interpolation()) == ((0.0, 1.0), "nearest")
    with pytest.raises(InvalidParameter, match="figsize: the axes are given"):
        findings.plot(ax, figsize=(4, 5))


def test_the_legend_of_given_axes_stays_inside_them(findings):
    figure, (ax, other) = plt.subplots(1, 2, figsize=(9, 5))
    findings.plot(ax)
    findings.plot(other)
    figure.canvas.draw()
    for one in (ax, other):
        legend, picture = one.get_legend().get_window_extent(), one.get_window_extent()
        assert picture.x0 < legend.x0
        assert legend.x1 < picture.x1
        # The chest wall is at the left.
        assert legend.x0 + legend.x1 > picture.x0 + picture.x1


def test_captions_of_clusters_stay_in_the_picture(findings):
    for bounds in ((430, 190, 490, 240), (430, 215, 490, 300), (380, 0, 490, 222)):
        ax = findings.plot(bounds=bounds, figsize=(8, 8))
        ax.figure.canvas.draw()
        (caption,) = (text for text in ax.texts if text.get_text().startswith("cluster"))
        at = caption.xy[0]
        assert bounds[1] - 0.5 <= at <= bounds[3] - 0.5
        assert caption.get_horizontalalignment() == ("left" if at < sum(bounds[1::2]) / 2 else "right")


def test_captions_of_clusters_keep_off_each_other(findings):
    twice = {name: np.concatenate((values, values)) for name, values in findings.arrangement.clusters.items()}
    said = {
        name: np.concatenate((getattr(findings.classification, name),) * 2)
        for name in ("cluster_morphology", "cluster_suspicion")
    }
    crowded = dataclasses.replace(
        findings,
        arrangement=dataclasses.replace(findings.arrangement, clusters=twice),
        classification=dataclasses.replace(findings.classification, **said),
    )
    figure, (ax, _) = plt.subplots(1, 2, figsize=(8, 6))
    crowded.plot(ax=ax, legend=False)
    figure.canvas.draw()
    one, other = (text.get_window_extent() for text in ax.texts if text.get_text().startswith("cluster"))
    assert not one.overlaps(other)
    picture = ax.get_window_extent()
    assert all(picture.y0 <= box.y0 and box.y1 <= picture.y1 for box in (one, other))


def test_the_window_of_a_plot_is_in_density(findings):
    (image,) = findings.plot().images
    shown = np.asarray(image.get_array())
    assert shown.max() > image.get_clim()[1] * 0.9
    assert shown.shape == (760, 450)


def test_a_part_can_be_plotted(findings):
    ax = findings.plot(bounds=(430, 190, 490, 240))
    assert ax.images[0].get_array().shape == (60, 50)
    assert ax.get_ylim() == (489.5, 429.5)
    assert "1 mm" in [text.get_text() for text in ax.texts]
    assert ax.get_title() == "L CC: 6 of 7 calcifications"
    assert [entry.get_text() for entry in ax.get_legend().get_texts()] == ["punctate (6)"]


def test_a_part_outside_the_image_is_refused(findings):
    with pytest.raises(InvalidParameter, match="holds no pixel of the image of 800 x 600"):
        findings.plot(bounds=(900, 0, 950, 50))


def test_a_large_image_is_plotted_reduced(findings, monkeypatch):
    monkeypatch.setattr("mammocalc.write.figure._LONGEST_SIDE", 200)
    ax = findings.plot()
    assert max(ax.images[0].get_array().shape) == 200
    assert ax.images[0].get_extent() == [-0.5, 449.5, 769.5, 9.5]


def test_chains_are_plotted(make_findings):
    findings = make_findings()
    findings.arrangement.columns["chain_id"][0] = 1
    curve = np.array([[200.0, 100.0], [210.0, 130.0], [230.0, 170.0]])
    chained = dataclasses.replace(
        findings, arrangement=dataclasses.replace(findings.arrangement, chains=(curve,))
    )
    line = chained.plot().lines[0]
    np.testing.assert_array_equal(line.get_xdata(), curve[:, 1])
    assert line.get_color() == hexadecimal(LABEL_COLOURS["large_rod_like"])


def test_the_notebook_view(findings, make_findings):
    view = findings._repr_html_()
    assert "7 calcifications, 1 cluster" in view
    assert view.count("<tr") == 1 + 7 + 1 + 1
    assert "large rod-like 1</span>" in view
    assert "not a medical device" in view
    assert "http" not in view
    assert view.count("<table") == 2
    assert make_findings(rods=0, specks=0)._repr_html_().count("<table") == 0
    # The same wherever and whenever it was made: it can be kept in a notebook under version control.
    assert view == dataclasses.replace(findings, seconds=99.0)._repr_html_()


def test_the_picture_of_the_notebook_view(findings):
    encoded = re.search(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"', findings._repr_html_())[1]
    data = base64.b64decode(encoded)
    assert len(data) < 500_000
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    # 760 x 450 px of the breast to a height of 940, details of 300 px beside it.
    assert picture.shape == (940, 557 + 312, 3)
    for label in ("large_rod_like", "punctate"):
        distance = np.abs(picture - LABEL_COLOURS[label]).max(axis=2)
        assert (distance[:, :557] < 60).sum() > 50
        assert (distance[:, 557:] < 60).sum() > 50


def test_the_notebook_view_of_many_findings_stays_short(make_findings):
    view = make_findings(specks=24)._repr_html_()
    assert view.count("<tr") == 1 + 10 + 1 + 1
    assert "and 15 more in <code>.calcifications</code>" in view


def test_details_fit_beside_a_flat_picture(findings):
    from mammocalc.write.overlay import draw_preview

    small = draw_preview(findings, 150)
    assert small.shape == (300, 89 + 2 * 312, 3)
    assert small[:, 89:].std() > 20


def test_figures_of_the_notebook_view_are_readable():
    from mammocalc.write.notebook import _table

    table = pd.DataFrame(
        {"label": ["large_rod_like"], "row": [1029.31], "length_mm": [0.51294], "lucency": [np.nan]}
    )
    cells = re.findall(r"<td>(.*?)</td>", _table(table))
    assert cells == ["large rod-like", "1029", "0.513", ""]


def test_the_notebook_view_quotes_what_comes_from_the_file(make_findings):
    assert "<script>" not in make_findings(view="<script>alert(1)</script>")._repr_html_()


def test_saving(findings, tmp_path):
    out = findings.save(tmp_path / "new")
    tables = read_tables(out)
    assert_frame_equal(
        tables["calcifications"].drop(columns="path"), findings.calcifications.drop(columns="path")
    )
    assert tables["images"]["path"].tolist() == ["one.dcm"]
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["calcifications"] == {"large_rod_like": 1, "punctate": 6}
    (picture,) = (out / "overlays").iterdir()
    assert picture.name.startswith("one.dcm-")
