"""Explaining a calcification of a finished run from its tables and ``run.json`` alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.arrange.features import FEATURES as COMPANY_FEATURES
from mammocalc.classify import explain
from mammocalc.classify.cluster_features import ARRANGED
from mammocalc.classify.stored import lexicon_from_dict
from mammocalc.errors import InvalidParameter
from mammocalc.measure.features import FEATURES as SINGLE_FEATURES
from mammocalc.measure.measurements import Measurements
from mammocalc.parameters import Parameters
from mammocalc.write.manifest import read_manifest
from mammocalc.write.tables import CALCIFICATIONS, read_table

if TYPE_CHECKING:
    import pandas as pd

    from mammocalc.classify.lexicon import Lexicon

_LISTED = 8


def explain_row(
    folder: str | os.PathLike[str], calcification_id: int, image: str = "", frame: int = 0
) -> str:
    """Why a calcification of a finished run has its label, in words and numbers.

    Parameters
    ----------
    folder : path
        The ``--out`` folder.
    calcification_id : int
        1-based within the image.
    image : str
        The path as it stands in the tables (or its end), or the SOP Instance UID; may be empty where the run has one
        image.
    frame : int
        0-based.

    Raises
    ------
    InvalidParameter
        No or several images fit, or the image has no such calcification.
    UnreadableInput
        The folder does not hold a finished run.
    """
    return stored_calcification(folder, calcification_id, image, frame).text


@dataclass(frozen=True, eq=False)
class StoredCalcification:
    """One calcification of a finished run, and what is needed to find it in its image again.

    Attributes
    ----------
    text : str
        Why it has its label.
    path : str
        Of its image, as it stands in the tables.
    row, col : float
        As measured, stored pixels.
    pixel_spacing_mm : float
    parameters, lexicon
        Those of the run.
    """

    text: str
    path: str
    row: float
    col: float
    pixel_spacing_mm: float
    parameters: Parameters
    lexicon: Lexicon


def stored_calcification(
    folder: str | os.PathLike[str], calcification_id: int, image: str = "", frame: int = 0
) -> StoredCalcification:
    """Look up a calcification of a finished run; parameters and errors as of `explain_row`."""
    manifest = read_manifest(folder)
    images = read_table(folder, "images", status="ok", frame=frame)
    path = _image_path(images, image, frame)
    rows = read_table(folder, "calcifications", path=path, frame=frame)
    if not 1 <= calcification_id <= len(rows):
        raise InvalidParameter(
            f"there is no calcification {calcification_id} in {path}; it has {len(rows)}, counted from 1"
        )
    clusters = read_table(folder, "clusters", path=path, frame=frame)
    lexicon = lexicon_from_dict(manifest["rules"])
    row = rows.iloc[calcification_id - 1]
    explanation = explain(
        calcification_id - 1,
        Measurements(_columns(rows, SINGLE_FEATURES), float("nan")),
        Arrangement(_columns(rows, COMPANY_FEATURES), (), _cluster_columns(clusters)),
        lexicon,
    )
    where = f"{path}{f', frame {frame}' if frame else ''}"
    return StoredCalcification(
        text=f"calcification {calcification_id} of {where}, row {row['row']:.1f}, column {row['col']:.1f}, "
        f"score {row['score']:.2f}\n{explanation}",
        path=path,
        row=float(row["row"]),
        col=float(row["col"]),
        pixel_spacing_mm=float(images.loc[images["path"] == path, "pixel_spacing_mm"].iloc[0]),
        parameters=Parameters.from_dict(manifest["parameters"], "run.json"),
        lexicon=lexicon,
    )


def _columns(table: pd.DataFrame, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    return {
        column.name: table[column.name].to_numpy(str if column.kind == "text" else None)
        for column in CALCIFICATIONS
        if column.name in names
    }


def _cluster_columns(clusters: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """The columns of clusters as the arrange stage has them; what the table lacks bears on no calcification."""
    missing = {name: np.full(len(clusters), np.nan) for name in ARRANGED if name not in clusters}
    return {**{str(name): values.to_numpy() for name, values in clusters.items()}, **missing}


def _image_path(images: pd.DataFrame, image: str, frame: int) -> str:
    paths = images["path"]
    if image:
        exact = (paths == image) | (images["sop_instance_uid"] == image)
        matching = paths[exact] if exact.any() else paths[paths.str.endswith(image)]
    else:
        matching = paths
    if len(matching) == 1:
        return str(matching.iloc[0])
    listed = ", ".join(matching.iloc[:_LISTED]) + (" ..." if len(matching) > _LISTED else "")
    if len(matching):
        raise InvalidParameter(f"--image: {len(matching)} images fit: {listed}")
    of_frame = f" with frame {frame}" if frame else ""
    raise InvalidParameter(f"--image: no searched image{of_frame} fits {image!r}; there are {len(paths)}")
