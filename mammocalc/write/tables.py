"""The three tables: every column's type, unit and meaning in one place, and Parquet or CSV files that hold them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.features import FEATURES as COMPANY_FEATURES
from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.measure.features import FEATURES as SINGLE_FEATURES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["text", "int32", "float64"]
TableName = Literal["images", "calcifications", "clusters"]
TableFormat = Literal["parquet", "csv"]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
        As it stands in the files.
    kind : {"text", "int32", "float64"}
        Its type.
    unit : str
        ``"mm"``, ``"mm2"``, ``"deg"``, ``"px"``, ``"s"``, ``"1/cm2"``; empty for a pure number or a text.
    meaning : str
        One line.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str


# Whole numbers among the features; all others are real numbers or text.
_WHOLE = frozenset((
    "row_min", "col_min", "row_max", "col_max", "in_pectoral", "chain_id", "chain_n", "neighbours",
    "rods_in_image", "cluster_id", "cluster_n",
))  # fmt: skip
_HEAD_FEATURES = (
    "row", "col", "row_min", "col_min", "row_max", "col_max", "area_mm2", "length_mm", "width_mm", "elongation",
    "orientation_deg", "lucency", "contrast", "cnr", "score",
)  # fmt: skip

_FEATURES = {**SINGLE_FEATURES, **COMPANY_FEATURES}


def _feature(name: str) -> Column:
    feature = _FEATURES[name]
    kind: Kind = "text" if feature.unit == "text" else "int32" if name in _WHOLE else "float64"
    return Column(name, kind, "" if kind == "text" else feature.unit, feature.meaning)


_PATH = Column("path", "text", "", "path of the input, relative to the folder that was given")
_SOP_INSTANCE_UID = Column("sop_instance_uid", "text", "", "SOP Instance UID, empty for raster images")
_FRAME = Column("frame", "int32", "", "frame number within the input, 0-based")

IMAGES: tuple[Column, ...] = (
    _PATH,
    _SOP_INSTANCE_UID,
    Column("study_instance_uid", "text", "", "Study Instance UID, empty for raster images"),
    _FRAME,
    Column("laterality", "text", "", "L, R, or empty where the input does not say"),
    Column("view", "text", "", "CC, MLO, ML, ..., or empty where the input does not say"),
    Column("rows", "int32", "px", "rows of the stored pixel matrix, 0 where it was not read"),
    Column("columns", "int32", "px", "columns of the stored pixel matrix, 0 where it was not read"),
    Column(
        "pixel_spacing_mm", "float64", "mm", "side of a pixel in the object plane, NaN where it was not read"
    ),
    Column("spacing_source", "text", "", "where the pixel spacing came from"),
    Column("breast_area_mm2", "float64", "mm2", "area of the breast, NaN where the image was not searched"),
    Column("n_calcifications", "int32", "", "calcifications found in the image"),
    Column("n_clusters", "int32", "", "clusters found in the image"),
    Column("status", "text", "", "ok, skipped or failed"),
    Column("reason", "text", "", "why the input was skipped or failed, empty for ok"),
    Column("seconds", "float64", "s", "time from file to findings, NaN where the image was not searched"),
)
"""Columns of the table ``images`` in their order: one row for every input and frame."""

_CALCIFICATION_HEAD = (
    _PATH,
    _SOP_INSTANCE_UID,
    _FRAME,
    Column("calcification_id", "int32", "", "number of the calcification within its image, 1-based"),
    *map(_feature, _HEAD_FEATURES),
    Column("label", "text", "", "BI-RADS descriptor"),
    Column("suspicion", "text", "", "typically_benign, indeterminate or suspicious"),
    Column("rule", "text", "", "name of the rule that decided"),
    _feature("chain_id"),
    _feature("cluster_id"),
    Column("margin", "float64", "", "distance of the measured values from another label, in soft edges"),
    Column("runner_up", "text", "", "the label on the other side of the nearest threshold, empty for none"),
)

CALCIFICATIONS: tuple[Column, ...] = (
    *_CALCIFICATION_HEAD,
    # Every further feature, whether or not the rules in force use it: the columns do not change with the rules, and
    # rules can be tried on a table without searching the images again.
    *(_feature(name) for name in _FEATURES if name not in {column.name for column in _CALCIFICATION_HEAD}),
)
"""Columns of the table ``calcifications`` in their order: one row a calcification."""

CLUSTERS: tuple[Column, ...] = (
    _PATH,
    _SOP_INSTANCE_UID,
    _FRAME,
    Column("cluster_id", "int32", "", "number of the cluster within its image, 1-based"),
    Column("n_calcifications", "int32", "", "members"),
    Column("row", "float64", "px", "mean row of the members, stored pixel matrix, 0-based"),
    Column("col", "float64", "px", "mean column of the members, stored pixel matrix, 0-based"),
    Column("extent_mm", "float64", "mm", "largest distance between two members"),
    Column("area_mm2", "float64", "mm2", "area of the members' convex hull"),
    Column("density_per_cm2", "float64", "1/cm2", "members per area"),
    Column("linearity", "float64", "", "minor over major axis of the members' positions"),
    Column("distribution", "text", "", "diffuse, regional, grouped, linear or segmental"),
    Column("morphology", "text", "", "BI-RADS descriptor of the cluster as a whole"),
    Column("suspicion", "text", "", "typically_benign, indeterminate or suspicious"),
)
"""Columns of the table ``clusters`` in their order: one row a cluster."""

TABLES: Mapping[TableName, tuple[Column, ...]] = {
    "images": IMAGES,
    "calcifications": CALCIFICATIONS,
    "clusters": CLUSTERS,
}
"""The columns of every table by its name."""

_BLANK: Mapping[Kind, Any] = {"text": "", "int32": 0, "float64": float("nan")}
_DTYPE: Mapping[Kind, Any] = {"text": object, "int32": np.int32, "float64": np.float64}
# Rows that are encoded and written at once: bounds memory and makes the bytes independent of how rows arrive.
_ROWS_AT_ONCE = 65536


def text(value: str) -> str:
    """`value` as valid Unicode: bytes of a file name that are not UTF-8 are written as ``\\xNN``."""
    return (
        value
        if value.isascii()
        else value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    )


def columns_of(table: TableName, values: Mapping[str, Any], rows: int) -> dict[str, NDArray[Any]]:
    """Columns of `table` in its order and types: arrays as given, single values repeated, blanks for what is missing.

    Parameters
    ----------
    table : {"images", "calcifications", "clusters"}
    values : mapping of str to array of shape (rows,) or to a single value
        Names that are not columns of the table are ignored.
    rows : int

    Raises
    ------
    ValueError
        A column has another length than `rows`, or a whole number is missing or not whole.
    """
    out: dict[str, NDArray[Any]] = {}
    for column in TABLES[table]:
        given = values.get(column.name, _BLANK[column.kind])
        if column.kind == "text":
            words = [text(given)] * rows if isinstance(given, str) else [text(str(word)) for word in given]
            array = np.empty(len(words), object)
            array[:] = words
        else:
            array = np.full(rows, given) if np.ndim(given) == 0 else np.asarray(given)
            if (
                column.kind == "int32"
                and array.dtype.kind == "f"
                and not np.array_equal(array, np.floor(array))
            ):
                raise ValueError(f"{table}.{column.name}: whole numbers are needed")
            array = array.astype(_DTYPE[column.kind])
        if len(array) != rows:
            raise ValueError(f"{table}.{column.name}: {len(array)} values for {rows} rows")
        out[column.name] = array
    return out


def data_frame(table: TableName, columns: Columns) -> pd.DataFrame:
    """`columns` as a pandas DataFrame with the types of `table`, the same for none and for many rows."""
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: pd.Series(
                columns[column.name], dtype="str" if column.kind == "text" else column.kind
            )
            for column in TABLES[table]
        }
    )


def _schema(table: TableName) -> pa.Schema:
    import pyarrow as pa

    types = {"text": pa.string(), "int32": pa.int32(), "float64": pa.float64()}
    return pa.schema(
        [
            pa.field(
                column.name,
                types[column.kind],
                nullable=False,
                metadata={"unit": column.unit, "meaning": column.meaning},
            )
            for column in TABLES[table]
        ]
    )


def _arrow_array(values: Any, type_: pa.DataType) -> pa.Array:
    """A column without missing values from its buffers: `pyarrow.array` would import pandas, 0.3 s, to look at it."""
    import pyarrow as pa

    values = np.asarray(values)
    if pa.types.is_string(type_):
        encoded = [str(value).encode() for value in values.tolist()]
        offsets = np.concatenate(([0], np.cumsum([len(text) for text in encoded]))).astype(np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    elif pa.types.is_boolean(type_):
        buffers = [None, pa.py_buffer(np.packbits(values.astype(np.bool_), bitorder="little"))]
    else:
        buffers = [None, pa.py_buffer(np.ascontiguousarray(values, type_.to_pandas_dtype()))]
    return pa.Array.from_buffers(type_, len(values), buffers)


class TableWriter:
    """One table as a file, written in chunks of rows to a temporary file that is renamed when all is well.

    The bytes depend on the rows alone, not on how they were split into chunks, nor on time or machine.

    Parameters
    ----------
    folder : path
        Exists already. The file is ``<table>.parquet`` or ``<table>.csv`` in it.
    table : {"images", "calcifications", "clusters"}
    format : {"parquet", "csv"}

    Examples
    --------
    >>> with TableWriter(folder, "images", "parquet") as images:   # doctest: +SKIP
    ...     images.append(findings.record()["images"])
    """

    def __init__(
        self, folder: str | os.PathLike[str], table: TableName, format: TableFormat = "parquet"
    ) -> None:
        if format not in ("parquet", "csv"):
            raise InvalidParameter(f"format: {format!r} is not one of parquet, csv")
        self.path = Path(folder) / f"{table}.{format}"
        self.rows = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._table = table
        self._schema = _schema(table)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._writer = self._open(format)

    def _open(self, format: TableFormat) -> Any:
        if format == "csv":
            from pyarrow import csv

            options = csv.WriteOptions(quoting_style="needed")
            return csv.CSVWriter(str(self._temporary), self._schema_nullable(), write_options=options)
        from pyarrow import parquet

        return parquet.ParquetWriter(str(self._temporary), self._schema, compression="zstd", version="2.6")

    def append(self, columns: Columns) -> None:
        """Add rows: a column of equal length for every column of the table."""
        import pyarrow as pa

        arrays = [_arrow_array(columns[field.name], field.type) for field in self._schema]
        batch = pa.record_batch(arrays, schema=self._schema)
        self.rows += batch.num_rows
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= _ROWS_AT_ONCE:
            self._write_waiting(keep_rest=True)

    def _write_waiting(self, keep_rest: bool) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        start = 0
        while table.num_rows - start >= _ROWS_AT_ONCE or (not keep_rest and start < table.num_rows):
            self._writer.write_table(self._blank_nan(table.slice(start, _ROWS_AT_ONCE)))
            start += _ROWS_AT_ONCE
        rest = table.slice(start)
        self._waiting, self._waiting_rows = rest.to_batches(), rest.num_rows

    def _blank_nan(self, table: pa.Table) -> pa.Table:
        """In CSV a missing number is an empty cell, which every reader takes for missing; Parquet has NaN itself."""
        if self.path.suffix == ".parquet":
            return table
        import pyarrow as pa
        from pyarrow import compute

        for i, field in enumerate(self._schema):
            if pa.types.is_floating(field.type):
                values = table.column(i)
                table = table.set_column(
                    i,
                    field.name,
                    compute.if_else(compute.is_nan(values), pa.scalar(None, field.type), values),
                )
        return table.cast(self._schema_nullable())

    def _schema_nullable(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([field.with_nullable(True) for field in self._schema])

    def close(self) -> None:
        """Write what is left and put the file in its place."""
        self._write_waiting(keep_rest=False)
        self._writer.close()
        self._temporary.replace(self.path)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError):
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


def _chunks(rows: Columns | Iterable[Columns]) -> Iterator[Columns]:
    if isinstance(rows, Mapping):
        yield rows
    else:
        yield from rows


def write_tables(
    out: str | os.PathLike[str],
    images: Columns | Iterable[Columns],
    calcifications: Columns | Iterable[Columns],
    clusters: Columns | Iterable[Columns],
    format: TableFormat = "parquet",
) -> dict[TableName, int]:
    """Write the three tables into the folder `out`, each by temporary file and rename.

    Parameters
    ----------
    out : path
        Made where it does not exist.
    images, calcifications, clusters : mapping of str to ndarray, or iterable of such mappings
        The rows in the order in which they are to stand; an iterable is taken piece by piece, in bounded memory.
    format : {"parquet", "csv"}
        The columns and values are the same in both; in CSV a missing number is an empty cell.

    Returns
    -------
    dict
        Rows written, by table.

    Raises
    ------
    InvalidParameter
        An unknown format.
    OSError
        The folder cannot be written; no table is left half written.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[TableName, int] = {}
    tables: dict[TableName, Columns | Iterable[Columns]] = {
        "images": images,
        "calcifications": calcifications,
        "clusters": clusters,
    }
    for table, rows in tables.items():
        with TableWriter(folder, table, format) as writer:
            for chunk in _chunks(rows):
                writer.append(chunk)
        written[table] = writer.rows
    return written


def read_table(out: str | os.PathLike[str], table: TableName, **filters: str | int) -> pd.DataFrame:
    """Read one table of a finished run, whichever format it is in.

    Parameters
    ----------
    out : path
        The folder that was given to `write_tables` or ``--out``.
    table : {"images", "calcifications", "clusters"}
        Which one.
    **filters : str or int
        Values that named columns must have; Parquet reads only what may match.

    Returns
    -------
    pandas.DataFrame
        The columns and types of `TABLES`.

    Raises
    ------
    UnreadableInput
        There is no such table in the folder, or it is damaged or of another version.
    """
    import pyarrow as pa

    schema = _schema(table)
    folder = Path(out)
    parquet_file, csv_file = folder / f"{table}.parquet", folder / f"{table}.csv"
    try:
        if parquet_file.is_file():
            from pyarrow import parquet

            wanted = [(name, "==", value) for name, value in filters.items()] or None
            found = parquet.read_table(parquet_file, filters=wanted, partitioning=None)
        elif csv_file.is_file():
            found = _read_csv(csv_file, schema, filters)
        else:
            raise UnreadableInput(
                f"{folder}: no {table}.parquet or {table}.csv; is it the --out folder of a run?"
            )
    except pa.ArrowException as error:
        raise UnreadableInput(f"{folder}: {table} cannot be read: {str(error).splitlines()[0]}") from error
    missing = [field.name for field in schema if field.name not in found.column_names]
    if missing:
        raise UnreadableInput(
            f"{folder}: {table} lacks the column {missing[0]}; it was written by another version"
        )
    return data_frame(
        table, {field.name: found.column(field.name).to_numpy(zero_copy_only=False) for field in schema}
    )


def _read_csv(path: Path, schema: pa.Schema, filters: Mapping[str, str | int]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import compute, csv

    table = csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={field.name: field.type for field in schema}, strings_can_be_null=False
        ),
    )
    for name, value in filters.items():
        table = table.filter(compute.equal(table.column(name), pa.scalar(value, schema.field(name).type)))
    return table


def read_tables(out: str | os.PathLike[str]) -> dict[TableName, pd.DataFrame]:
    """Read the three tables of a finished run as pandas DataFrames.

    Parameters
    ----------
    out : path
        The folder that was given to ``--out``.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``images``, ``calcifications`` and ``clusters``, with the columns and types of `TABLES`.

    Raises
    ------
    UnreadableInput
        A table is not there, damaged, or of another version.
    """
    names: Sequence[TableName] = tuple(TABLES)
    return {name: read_table(out, name) for name in names}
