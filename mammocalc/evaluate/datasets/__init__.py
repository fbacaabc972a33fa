"""Readers of truth, one file a data set: each knows the layout of one set and what misleads in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from mammocalc.errors import InvalidParameter, UnreadableInput
from mammocalc.evaluate.datasets import cbis_ddsm, cmmd, embed, inbreast, mini_mias, own_table, phantom, vindr
from mammocalc.evaluate.truth import DataSet

READERS: Mapping[str, ModuleType] = {
    "phantom": phantom,
    "inbreast": inbreast,
    "cbis-ddsm": cbis_ddsm,
    "vindr": vindr,
    "embed": embed,
    "cmmd": cmmd,
    "mini-mias": mini_mias,
    "own-table": own_table,
}
DATASETS = tuple(name for name in READERS if name != "phantom")
"""Data sets by name: public ones, and a table of one's own."""


def read_truth(root: str | os.PathLike[str], dataset: str | None = None) -> DataSet:
    """The truth of a data set.

    Parameters
    ----------
    root : path
        Folder of the data set as it is distributed.
    dataset : str, optional
        ``"phantom"``, ``"inbreast"``, ``"cbis-ddsm"``, ``"vindr"``, ``"embed"``, ``"cmmd"``, ``"mini-mias"`` or
        ``"own-table"``; found out from the files where it is not given.

    Returns
    -------
    DataSet
        Images with their truth.

    Raises
    ------
    InvalidParameter
        The data set is not known.
    UnreadableInput
        There is no such truth in the folder, or it is damaged.
    """
    folder = Path(root)
    if dataset is not None and dataset not in READERS:
        raise InvalidParameter(f"data set {dataset!r} is none of {', '.join(READERS)}")
    if not folder.is_dir():
        raise UnreadableInput(f"{folder}: is not a folder")
    if dataset is None:
        dataset = next((name for name, reader in READERS.items() if reader.is_here(folder)), None)
        if dataset is None:
            raise UnreadableInput(f"{folder}: holds the truth of none of {', '.join(READERS)}")
    data: DataSet = READERS[dataset].read(folder)
    if not data.images:
        raise UnreadableInput(f"{folder}: holds no images of {dataset}")
    return data
