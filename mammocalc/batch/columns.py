"""Columns of tables as compact bytes, and joined: most images have few rows, so every call per column counts."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = Mapping[str, Mapping[str, NDArray[Any]]]
_LENGTH = struct.Struct("<L")


def packed(record: Record) -> bytes:
    """A record as bytes: a description with all text in JSON, then the numbers, column after column, compressed."""
    description = {
        table: {
            name: values.tolist() if values.dtype == object else [values.dtype.str, len(values)]
            for name, values in columns.items()
        }
        for table, columns in record.items()
    }
    texts = {
        table: [name for name, values in columns.items() if values.dtype == object]
        for table, columns in record.items()
    }
    head = json.dumps([description, texts]).encode("ascii")
    numbers = (
        values.tobytes()
        for columns in record.values()
        for values in columns.values()
        if values.dtype != object
    )
    return zlib.compress(_LENGTH.pack(len(head)) + head + b"".join(numbers), 1)


def unpacked(data: bytes) -> dict[str, dict[str, NDArray[Any]]]:
    """The record that `packed` made into bytes."""
    data = zlib.decompress(data)
    (length,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + length
    description, texts = json.loads(data[_LENGTH.size : at])
    record: dict[str, dict[str, NDArray[Any]]] = {}
    for table, columns in description.items():
        record[table] = {}
        for name, described in columns.items():
            if name in texts[table]:
                values = np.empty(len(described), object)
                values[:] = described
            else:
                values = np.frombuffer(data, described[0], described[1], at)
                at += values.nbytes
            record[table][name] = values
    return record


def joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Rows of several parts with the same columns, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
