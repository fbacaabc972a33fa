"""What is known exactly about a synthetic mammogram, as plain data that goes to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTICE = "synthetic mammogram: computed, no patient, no exposure"
"""Written into every truth file and every header."""


@dataclass(frozen=True)
class CalcificationTruth:
    """One calcification. Positions are (row, col) of stored pixels, sub-pixel, (0, 0) at the centre of the first pixel.

    Attributes
    ----------
    calcification_id : int
        From 1, in the order of drawing.
    label : str
        The BI-RADS term with underscores, e.g. ``"large_rod_like"``.
    row, col : float
        Centroid of the projected calcium.
    length_mm, width_mm : float
        Length along the (curved) axis and calibre of the solid itself, before any blur.
    diameter_mm : float
        Diameter of the disc of equal filled area.
    wall_mm : float or None
        Thickness of the shell where the centre is lucent.
    orientation_deg : float
        Long axis against the +column axis, counter-clockwise as displayed, -90 to 90.
    contrast : float
        Highest added attenuation over a pixel, natural logarithm, before blur.
    cnr : float
        Highest added attenuation over a pixel after blur, over the standard deviation of the pixel noise there.
    detectability : float
        Response to the best of four band-pass filters over the standard deviation of the response of the tissue and
        the noise around it. About 4 to 5 is the limit of visibility of a single speck.
    cluster_id, chain_id : int
        0 for none.
    branched : bool
        Whether it has branches.
    runs : tuple of (row, start, stop)
        Pixels where the unblurred projection reaches half of its local peak.
    """

    calcification_id: int
    label: str
    row: float
    col: float
    length_mm: float
    width_mm: float
    diameter_mm: float
    wall_mm: float | None
    orientation_deg: float
    contrast: float
    cnr: float
    detectability: float
    cluster_id: int
    chain_id: int
    branched: bool
    runs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class ClusterTruth:
    """A group of calcifications.

    Attributes
    ----------
    cluster_id : int
        From 1.
    label : str
        Morphology of the group.
    distribution : str
        ``"diffuse"``, ``"regional"``, ``"grouped"``, ``"linear"`` or ``"segmental"``.
    n_calcifications : int
        Members.
    row, col : float
        Mean position of the members, stored pixels.
    extent_mm : float
        Largest distance between two members.
    """

    cluster_id: int
    label: str
    distribution: str
    n_calcifications: int
    row: float
    col: float
    extent_mm: float


@dataclass(frozen=True)
class ChainTruth:
    """The artery or duct that calcifications lie along.

    Attributes
    ----------
    chain_id : int
        From 1.
    kind : {"artery", "duct"}
        What it is.
    length_mm : float
        Of its calcified part, along the curve.
    wall_separation_mm : float or None
        Distance of the two calcified walls; None for a duct.
    polyline : tuple of (row, col)
        Its calcified part, stored pixels.
    """

    chain_id: int
    kind: str
    length_mm: float
    wall_separation_mm: float | None
    polyline: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class DistractorTruth:
    """Something drawn that is not a calcification and might be taken for one.

    Attributes
    ----------
    kind : str
        What it is.
    row, col : float
        Its centre, stored pixels.
    length_mm : float
        Its largest extent.
    """

    kind: str
    row: float
    col: float
    length_mm: float


@dataclass(frozen=True)
class Truth:
    """Everything that was drawn into a phantom.

    Attributes
    ----------
    seed : int
        What it was made from.
    settings : mapping of str to object
        The `PhantomSettings` as plain values.
    pixel_spacing_mm : float
        Side of a pixel in the object plane.
    rows, columns : int
        Size of the image, px.
    laterality, view : str
        As in the settings.
    chest_wall : {"left", "right"}
        Side of the stored image where the chest wall is.
    nipple : tuple of float
        (row, col).
    skin_line, pectoral_line : tuple of (row, col)
        Polylines, stored pixels; `pectoral_line` is empty where no muscle is in view.
    calcifications : tuple of CalcificationTruth
        In the order of drawing.
    clusters : tuple of ClusterTruth
        Groups.
    chains : tuple of ChainTruth
        Arteries and ducts.
    distractors : tuple of DistractorTruth
        What else was drawn.
    notice : str
        That it is synthetic.
    """

    seed: int
    settings: Mapping[str, Any]
    pixel_spacing_mm: float
    rows: int
    columns: int
    laterality: str
    view: str
    chest_wall: str
    nipple: tuple[float, float]
    skin_line: tuple[tuple[float, float], ...]
    pectoral_line: tuple[tuple[float, float], ...]
    calcifications: tuple[CalcificationTruth, ...]
    clusters: tuple[ClusterTruth, ...]
    chains: tuple[ChainTruth, ...]
    distractors: tuple[DistractorTruth, ...]
    notice: str = NOTICE

    def mask(self, calcification_id: int) -> NDArray[np.bool_]:
        """The pixels of one calcification.

        Parameters
        ----------
        calcification_id : int
            1-based.

        Returns
        -------
        ndarray of bool, shape (rows, columns)
            True on the calcification.

        Raises
        ------
        KeyError
            There is no such calcification.
        """
        out = np.zeros((self.rows, self.columns), np.bool_)
        for row, start, stop in self._by_id(calcification_id).runs:
            out[row, start:stop] = True
        return out

    def labels(self) -> NDArray[np.int32]:
        """The label image.

        Returns
        -------
        ndarray of int32, shape (rows, columns)
            0 is background, else the ``calcification_id``.
        """
        out = np.zeros((self.rows, self.columns), np.int32)
        for one in self.calcifications:
            for row, start, stop in one.runs:
                out[row, start:stop] = one.calcification_id
        return out

    def _by_id(self, calcification_id: int) -> CalcificationTruth:
        for one in self.calcifications:
            if one.calcification_id == calcification_id:
                return one
        raise KeyError(f"no calcification {calcification_id} in this truth")

    def to_json(self) -> str:
        """The truth as JSON text, lengths and positions rounded to four decimals.

        Returns
        -------
        str
            One line a calcification.
        """
        return json.dumps(_rounded(dataclasses.asdict(self)), separators=(",", ":")).replace(
            '{"calc', '\n{"calc'
        )

    @classmethod
    def from_json(cls, text: str) -> Truth:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Truth
            Equal to the one written, but for the rounding.
        """
        data = json.loads(text)
        data["calcifications"] = tuple(
            CalcificationTruth(**{**one, "runs": _pairs(one["runs"])}) for one in data["calcifications"]
        )
        data["clusters"] = tuple(ClusterTruth(**one) for one in data["clusters"])
        data["chains"] = tuple(
            ChainTruth(**{**one, "polyline": _pairs(one["polyline"])}) for one in data["chains"]
        )
        data["distractors"] = tuple(DistractorTruth(**one) for one in data["distractors"])
        data["nipple"] = tuple(data["nipple"])
        data["skin_line"] = _pairs(data["skin_line"])
        data["pectoral_line"] = _pairs(data["pectoral_line"])
        return cls(**data)


def _pairs(points: list[list[Any]]) -> tuple[Any, ...]:
    return tuple(tuple(point) for point in points)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_rounded(item) for item in value]
    return value
