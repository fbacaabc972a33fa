"""The three tables: columns, types, files."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mammocalc.arrange.features import FEATURES as COMPANY_FEATURES
from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.measure.features import FEATURES as SINGLE_FEATURES
from mammocalc.write import tables
from mammocalc.write.tables import (
    TABLES,
    TableWriter,
    columns_of,
    data_frame,
    read_table,
    read_tables,
    write_tables,
)

IMAGES = [
    "path", "sop_instance_uid", "study_instance_uid", "frame", "laterality", "view", "rows", "columns",
    "pixel_spacing_mm", "spacing_source", "breast_area_mm2", "n_calcifications", "n_clusters", "status",
    "reason", "seconds",
]  # fmt: skip
CALCIFICATIONS = [
    "path", "sop_instance_uid", "frame", "calcification_id", "row", "col", "row_min", "col_min",
    "row_max", "col_max", "area_mm2", "length_mm", "width_mm", "elongation", "orientation_deg",
    "lucency", "contrast", "cnr", "score", "label", "suspicion", "rule", "chain_id", "cluster_id",
]  # fmt: skip
CLUSTERS = [
    "path", "sop_instance_uid", "frame", "cluster_id", "n_calcifications", "row", "col", "extent_mm",
    "area_mm2", "density_per_cm2", "linearity", "distribution", "morphology", "suspicion",
]  # fmt: skip


def names(table):
    return [column.name for column in TABLES[table]]


def test_columns_are_those_promised_in_order():
    assert names("images") == IMAGES
    assert names("clusters") == CLUSTERS
    assert names("calcifications")[: len(CALCIFICATIONS)] == CALCIFICATIONS


def test_calcifications_hold_every_feature_once_in_catalogue_order():
    further = names("calcifications")[len(CALCIFICATIONS) :]
    catalogue = [name for name in (*SINGLE_FEATURES, *COMPANY_FEATURES) if name not in CALCIFICATIONS]
    assert further == ["margin", "runner_up", *catalogue]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_means(table):
    for column in TABLES[table]:
        assert len(column.meaning) > 3
        for unit in ("mm2", "mm", "deg"):
            if column.name.endswith(f"_{unit}"):
                assert column.unit == (f"1/{unit}" if column.name.endswith(f"_per_{unit}") else unit)
                break


def blank(table, rows=0):
    return columns_of(table, {}, rows)


def test_branches_that_could_not_be_counted_stay_missing():
    columns = columns_of("calcifications", {"branches": np.array([2.0, np.nan])}, 2)
    np.testing.assert_array_equal(columns["branches"], [2.0, np.nan])


def test_an_empty_table_has_the_types_of_a_full_one(findings):
    for table, columns in findings.record().items():
        full, empty = data_frame(table, columns), data_frame(table, blank(table))
        assert len(full) > 0
        assert len(empty) == 0
        pd.testing.assert_series_equal(full.dtypes, empty.dtypes)


def test_blanks_are_missing_not_zero_where_zero_would_be_a_measurement():
    row = {name: values[0] for name, values in blank("images", 1).items()}
    assert np.isnan(row["pixel_spacing_mm"])
    assert np.isnan(row["seconds"])
    assert (row["status"], row["rows"]) == ("", 0)


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"clusters\.row: 3 values for 2 rows"):
        columns_of("clusters", {"row": [1.0, 2.0, 3.0]}, 2)


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_a_whole_number_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match=r"clusters\.cluster_id: whole numbers are needed"):
        columns_of("clusters", {"cluster_id": np.array([value])}, 1)


AWKWARD = ['with,comma "and quotes"', "line\nbreak.dcm", "umlaut ä.dcm", "leading =1+1", "", "nan", "NA"]


@pytest.fixture
def awkward(findings):
    """Rows whose texts and numbers are hard on a file format."""
    record = findings.record()
    count = len(AWKWARD)
    record["images"] = columns_of("images", {**record["images"], "path": AWKWARD, "seconds": np.nan} | {
        name: values[0] for name, values in record["images"].items() if name not in ("path", "seconds")
    }, count)  # fmt: skip
    rows = len(record["calcifications"]["row"])
    record["calcifications"] |= {"path": np.array([AWKWARD[i % count] for i in range(rows)], object)}
    record["calcifications"]["row"] = np.linspace(0.1, 1 / 3, rows) * 1e5
    record["calcifications"]["cnr"][0] = 5e-324
    return record


def test_csv_and_parquet_hold_the_same(awkward, tmp_path):
    for format in ("parquet", "csv"):
        write_tables(tmp_path / format, *awkward.values(), format)
    parquet, csv = read_tables(tmp_path / "parquet"), read_tables(tmp_path / "csv")
    for table, columns in awkward.items():
        assert len(parquet[table]) > 0
        assert_frame_equal(parquet[table], csv[table], check_exact=True)
        assert_frame_equal(parquet[table], data_frame(table, columns), check_exact=True)


def test_pandas_reads_both_files_without_help(awkward, tmp_path):
    for format in ("parquet", "csv"):
        write_tables(tmp_path, *awkward.values(), format)
    parquet = pd.read_parquet(tmp_path / "calcifications.parquet")
    csv = pd.read_csv(tmp_path / "calcifications.csv")
    assert list(parquet) == list(csv) == names("calcifications")
    np.testing.assert_allclose(parquet["row"], csv["row"], rtol=1e-14)
    np.testing.assert_array_equal(parquet["wall_thickness_mm"], csv["wall_thickness_mm"])
    assert csv["wall_thickness_mm"].isna().all()


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_empty_tables_are_written_with_all_columns(format, tmp_path):
    written = write_tables(tmp_path, *(blank(table) for table in TABLES), format)
    assert written == {"images": 0, "calcifications": 0, "clusters": 0}
    for table, frame in read_tables(tmp_path).items():
        assert list(frame) == names(table)
        pd.testing.assert_series_equal(frame.dtypes, data_frame(table, blank(table)).dtypes)


def many(rows):
    return columns_of("clusters", {"path": "a", "row": np.arange(rows, dtype=float)}, rows)


def pieces(columns, edges):
    return [
        {name: values[start:stop] for name, values in columns.items()}
        for start, stop in itertools.pairwise(edges)
    ]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_bytes_do_not_depend_on_how_rows_arrive(format, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 100)
    columns = many(350)
    contents = []
    for i, edges in enumerate(([0, 350], [0, 1, 99, 100, 101, 349, 350], [0, 0, 200, 350, 350])):
        with TableWriter(tmp_path, "clusters", format) as writer:
            for piece in pieces(columns, edges):
                writer.append(piece)
        assert writer.rows == 350
        path = writer.path.rename(tmp_path / f"{i}")
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] == contents[2]


def test_rows_keep_their_order_over_many_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 64)
    write_tables(
        tmp_path, blank("images"), blank("calcifications"), iter(pieces(many(300), [0, 3, 130, 300]))
    )
    np.testing.assert_array_equal(read_table(tmp_path, "clusters")["row"], np.arange(300))


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_a_failure_leaves_the_earlier_table_and_no_remains(format, tmp_path):
    with TableWriter(tmp_path, "clusters", format) as writer:
        writer.append(many(2))
    before = writer.path.read_bytes()

    def fail():
        with TableWriter(tmp_path, "clusters", format) as second:
            second.append(many(5))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert writer.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [writer.path]


def test_names_that_are_not_utf8_are_written_readably(tmp_path):
    name = os.fsdecode(b"caf\xe9.dcm")
    rows = columns_of("images", {"path": name, "status": "failed"}, 1)
    write_tables(tmp_path, rows, blank("calcifications"), blank("clusters"))
    assert read_table(tmp_path, "images")["path"].tolist() == [r"caf\xe9.dcm"]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_reading_selects_rows(format, tmp_path, findings):
    first, second = findings.record(path="a"), findings.record(path="b")
    write_tables(tmp_path, *([first[table], second[table]] for table in TABLES), format)
    chosen = read_table(tmp_path, "calcifications", path="b", frame=0)
    assert chosen["path"].tolist() == ["b"] * len(findings)
    assert len(read_table(tmp_path, "calcifications", path="b", frame=1)) == 0


def test_units_travel_with_the_parquet_file(tmp_path):
    from pyarrow import parquet

    write_tables(tmp_path, *(blank(table) for table in TABLES))
    schema = parquet.read_schema(tmp_path / "calcifications.parquet")
    assert schema.field("width_mm").metadata[b"unit"] == b"mm"
    assert b"calibre" in schema.field("width_mm").metadata[b"meaning"]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidParameter, match="format: 'xlsx' is not one of parquet, csv"):
        write_tables(tmp_path, *(blank(table) for table in TABLES), "xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(UnreadableInput, match=r"no images\.parquet or images\.csv"):
        read_tables(tmp_path)


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "images.parquet").write_bytes(b"not a table")
    with pytest.raises(UnreadableInput, match="images cannot be read"):
        read_table(tmp_path, "images")


def test_a_table_of_another_version_is_named(tmp_path):
    pd.DataFrame({"path": ["a"]}).to_parquet(tmp_path / "images.parquet")
    with pytest.raises(UnreadableInput, match="images lacks the column sop_instance_uid"):
        read_table(tmp_path, "images")
