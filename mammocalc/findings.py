"""The result of a detection: tables, outlines, pictures, explanations, files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.arrange.arrangement import Arrangement
from mammocalc.classify.classification import Classification
from mammocalc.errors import InvalidParameter
from mammocalc.measure.measurements import Measurements
from mammocalc.prepare.scene import Scene
from mammocalc.read.mammogram import Mammogram
from mammocalc.segment.regions import Regions
from mammocalc.write.tables import TableFormat, TableName, columns_of, data_frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mammocalc.classify.explanation import Explanation
    from mammocalc.classify.lexicon import Lexicon
    from mammocalc.parameters import Parameters
    from mammocalc.write.layers import LayerData


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """Everything that was found in one image, with what is needed to show and explain it.

    Attributes
    ----------
    mammogram : Mammogram
        The image as stored.
    scene : Scene
        The plane that was searched, and the anatomy.
    regions : Regions
        Candidate outlines, plane pixels. Region k is the calcification with ``calcification_id`` k + 1.
    measurements : Measurements
        Features of each calcification by itself.
    arrangement : Arrangement
        Chains and clusters.
    classification : Classification
        Labels.
    parameters : Parameters
        The settings in force.
    lexicon : Lexicon
        The rules in force.
    seconds : float
        From file to findings.
    timings : mapping of str to float
        Milliseconds by stage, in the order of the stages.
    """

    mammogram: Mammogram
    scene: Scene
    regions: Regions
    measurements: Measurements
    arrangement: Arrangement
    classification: Classification
    parameters: Parameters
    lexicon: Lexicon
    seconds: float = float("nan")
    timings: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of calcifications."""
        return len(self.classification)

    def __repr__(self) -> str:
        return f"<Findings in {Path(self.mammogram.path).name or 'image'}: {self.summary()}>"

    def summary(self) -> str:
        """How many calcifications and clusters there are, in words.

        Returns
        -------
        str
            As in ``12 calcifications, 1 cluster``.
        """
        counts = {"calcification": len(self), "cluster": len(self.arrangement.clusters["cluster_id"])}
        return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items())

    def record(self, path: str | None = None) -> dict[TableName, dict[str, NDArray[Any]]]:
        """The rows of the three tables as plain columns, without pixels: small to pickle, ready for `write_tables`.

        Parameters
        ----------
        path : str, optional
            What stands in the column ``path``; by default the path that was given to `read`.

        Returns
        -------
        dict of str to dict of str to ndarray
            Columns of equal length by table and name, with the types of `mammocalc.write.tables.TABLES`.
        """
        image = self.mammogram
        rows, columns = image.pixels.shape
        key = {
            "path": image.path if path is None else path,
            "sop_instance_uid": image.sop_instance_uid,
            "frame": image.frame,
        }
        clusters = self.arrangement.clusters
        count, cluster_count = len(self), len(clusters["cluster_id"])
        modifiers = ", ".join(image.view_modifiers)
        of_image = {
            **key,
            "study_instance_uid": image.study_instance_uid,
            "laterality": image.laterality,
            "view": image.view,
            "rows": rows,
            "columns": columns,
            "pixel_spacing_mm": image.pixel_spacing_mm,
            "spacing_source": image.spacing_source,
            "breast_area_mm2": self.scene.anatomy.breast_area_mm2,
            "n_calcifications": count,
            "n_clusters": cluster_count,
            "status": "ok",
            "reason": f"view modifiers: {modifiers}" if modifiers else "",
            "seconds": self.seconds,
        }
        of_calcifications = {
            **self.arrangement.columns,
            **self.measurements.columns,
            **key,
            "calcification_id": np.arange(1, count + 1),
            "label": self.classification.label,
            "suspicion": self.classification.suspicion,
            "rule": self.classification.rule,
            "margin": self.classification.margin,
            "runner_up": self.classification.runner_up,
        }
        of_clusters = {
            **clusters,
            **key,
            "morphology": self.classification.cluster_morphology,
            "suspicion": self.classification.cluster_suspicion,
        }
        return {
            "images": columns_of("images", of_image, 1),
            "calcifications": columns_of("calcifications", of_calcifications, count),
            "clusters": columns_of("clusters", of_clusters, cluster_count),
        }

    @cached_property
    def _tables(self) -> dict[TableName, pd.DataFrame]:
        return {table: data_frame(table, columns) for table, columns in self.record().items()}

    @property
    def calcifications(self) -> pd.DataFrame:
        """One row a calcification; `mammocalc.write.tables.CALCIFICATIONS` says what each column means.

        ``calcification_id`` counts from 1 within the image.
        """
        return self._tables["calcifications"]

    @property
    def clusters(self) -> pd.DataFrame:
        """One row a cluster; `mammocalc.write.tables.CLUSTERS` says what each column means."""
        return self._tables["clusters"]

    @property
    def images(self) -> pd.DataFrame:
        """The one row of this image; `mammocalc.write.tables.IMAGES` says what each column means."""
        return self._tables["images"]

    def image_row(self) -> dict[str, Any]:
        """The row of this image in the table ``images``.

        Returns
        -------
        dict of str to object
            Plain values by column.
        """
        return {name: values[0] for name, values in self.record()["images"].items()}

    def outline(self, calcification_id: int, distance_px: float = 0.0) -> NDArray[np.float64]:
        """The outline of one calcification as a closed polygon.

        Parameters
        ----------
        calcification_id : int
            1-based, as in the table.
        distance_px : float
            How far outside the calcification the outline runs, stored pixels.

        Returns
        -------
        ndarray of float64, shape (k, 2)
            (row, col) of the stored pixel matrix, 0-based, sub-pixel; the first point is not repeated.

        Raises
        ------
        InvalidParameter
            There is no such calcification.
        """
        from mammocalc.write.display import outline

        k = self._index(calcification_id)
        row, col = self.regions.bounds[k, :2] + np.asarray(self.scene.origin)
        return outline(self.regions.mask(k), float(row), float(col), distance_px)

    def outlines(self) -> list[NDArray[np.float64]]:
        """The outline of every calcification.

        Returns
        -------
        list of ndarray of float64, shape (k, 2)
            In the order of the table; see `outline`.
        """
        return [self.outline(k + 1) for k in range(len(self))]

    def explain(self, calcification_id: int) -> Explanation:
        """Why a calcification has its label: the rule, each condition with its measured value and threshold.

        Parameters
        ----------
        calcification_id : int
            1-based, as in the table.

        Returns
        -------
        Explanation
            Prints as text; a notebook shows it as a table.

        Raises
        ------
        InvalidParameter
            There is no such calcification.
        """
        from mammocalc.classify import explain

        return explain(self._index(calcification_id), self.measurements, self.arrangement, self.lexicon)

    def with_rules(self, rules: Lexicon | str | os.PathLike[str] | None = None) -> Findings:
        """The same calcifications labelled by other rules: quick, as nothing is searched or measured again.

        Parameters
        ----------
        rules : Lexicon or path, optional
            As of `mammocalc.detect`; the built-in rules unless given.

        Returns
        -------
        Findings
            Its own labels and lexicon, all else shared.

        Raises
        ------
        InvalidParameter
            A rule file is not valid.
        """
        from mammocalc.classify import Lexicon, classify, load_lexicon

        lexicon = rules if isinstance(rules, Lexicon) else load_lexicon(rules)
        labelled = classify(self.measurements, self.arrangement, lexicon)
        return replace(self, classification=labelled, lexicon=lexicon)

    def _index(self, calcification_id: int) -> int:
        if not 1 <= calcification_id <= len(self):
            raise InvalidParameter(
                f"calcification_id: there is no calcification {calcification_id}; "
                f"the image has {len(self)}, counted from 1"
            )
        return int(calcification_id) - 1

    def plot(
        self,
        ax: Axes | None = None,
        *,
        bounds: tuple[int, int, int, int] | None = None,
        figsize: tuple[float, float] | None = None,
        legend: bool = True,
        **image_arguments: Any,
    ) -> Axes:
        """Draw the image with outlines coloured by label, clusters, chains, a legend and a millimetre scale bar.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn into; by default a new figure of fitting shape.
        bounds : tuple of int, optional
            The part to show as (row_min, col_min, row_max, col_max), stored pixels, half open; by default the breast.
        figsize : (width, height), optional
            Of the new figure, inches; by default what fits the part shown.
        legend : bool
            Whether labels and their counts are told: beside a new picture, in a corner of given axes.
        **image_arguments
            Go to `matplotlib.axes.Axes.imshow`, e.g. ``vmin``, ``vmax`` (window, in density), ``cmap``, ``norm``.

        Returns
        -------
        matplotlib.axes.Axes
            Its coordinates are stored pixels: x is the column, y the row.

        Raises
        ------
        InvalidParameter
            The bounds hold no pixel of the image, or a size is given for the figure of axes that are there.
        """
        from mammocalc.write.figure import plot

        return plot(self, ax, bounds, figsize, legend, image_arguments)

    def napari_layers(self) -> list[LayerData]:
        """What `to_napari` shows, as layer data tuples; nothing of napari is needed for it.

        Returns
        -------
        list of (data, attributes, kind)
            Lowest first: image, anatomy, breast, nipple, regions, vessels, tracks, clusters, calcifications; those that
            would hold nothing are left out. In their own pixels, scaled and moved into millimetres, with (0, 0) at the
            centre of the first stored pixel. Regions, calcifications, clusters and tracks carry their tables as
            features; a region's value is its ``calcification_id``.
        """
        from mammocalc.write.layers import layers_of

        return layers_of(self)

    def to_napari(self, viewer: Any | None = None) -> Any:
        """Show the image and what was found in it in napari, in millimetres.

        Parameters
        ----------
        viewer : napari.Viewer, optional
            Takes the layers, above those it has; by default a new one is opened.

        Returns
        -------
        napari.Viewer
            The one that was given, or the new one.

        Raises
        ------
        UnwritableObject
            napari is not installed: ``pip install 'mammocalc[napari]'``.
        """
        from mammocalc.write.layers import show

        return show(self, viewer)

    def save(self, folder: str | os.PathLike[str], format: TableFormat = "parquet") -> Path:
        """Write the three tables, ``run.json`` and the overlay picture of this image.

        Parameters
        ----------
        folder : path
            Made where it does not exist; files of the same names are replaced.
        format : {"parquet", "csv"}
            Of the tables.

        Returns
        -------
        pathlib.Path
            The folder.
        """
        from mammocalc.write.manifest import count_labels, run_manifest, write_manifest
        from mammocalc.write.overlay import overlay_name, write_overlay
        from mammocalc.write.tables import write_tables

        out = Path(folder)
        name = Path(self.mammogram.path).name
        record = self.record(path=name)
        write_tables(out, record["images"], record["calcifications"], record["clusters"], format)
        write_overlay(self, out / "overlays" / overlay_name(name, self.mammogram.frame))
        counts = {
            "images": {"ok": 1, "skipped": 0, "failed": 0},
            "calcifications": count_labels(self.classification.label),
            "clusters": len(self.arrangement.clusters["cluster_id"]),
        }
        write_manifest(out, run_manifest(self.parameters, self.lexicon, counts))
        return out

    def _repr_html_(self) -> str:
        from mammocalc.write.notebook import html_of

        return html_of(self)
