"""Findings as layers of napari: positions in millimetres, features as tables, colours as in every picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import UnwritableObject
from mammocalc.write.display import display_of, outline
from mammocalc.write.overlay import chain_label, cluster_caption, cluster_hull
from mammocalc.write.palette import CLUSTER_COLOUR, LABEL_COLOURS, NIPPLE_COLOUR, hexadecimal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mammocalc.findings import Findings

LayerData = tuple[Any, dict[str, Any], str]
"""Data, attributes and kind of a layer, as napari takes them from readers and from ``napari.layers.Layer.create``."""

_INSTALL = "pip install 'mammocalc[napari]'"
_TRANSPARENT = (0.0, 0.0, 0.0, 0.0)
_MUSCLE, _FOREIGN = 1, 2
_ANATOMY_COLOURS = {_MUSCLE: "#b06a5c", _FOREIGN: "#7a7a7a"}
# A ring is drawn this far around its calcification.
_ROOM_MM = 0.6
_LINE_MM, _HEAVY_LINE_MM = 0.12, 0.25
# The same in each row.
_KEY = ["path", "sop_instance_uid", "frame"]
# What fits into the line that napari shows of what is under the pointer.
_AT_A_GLANCE = [
    "calcification_id",
    "label",
    "suspicion",
    "score",
    "length_mm",
    "width_mm",
    "elongation",
    "rule",
]


def show(findings: Findings, viewer: Any | None) -> Any:
    """Add the layers of `findings` to a viewer; see `mammocalc.findings.Findings.to_napari`.

    Raises
    ------
    UnwritableObject
        napari, or the window system that it needs to open a viewer, is not installed.
    """
    try:
        from napari.layers import Layer
    except ImportError:
        raise UnwritableObject(f"napari is needed: {_INSTALL}") from None
    shown = _new_viewer() if viewer is None else viewer
    for data, attributes, kind in layers_of(findings):
        shown.add_layer(Layer.create(data, attributes, kind))
    return shown


def _new_viewer() -> Any:
    import napari

    try:
        # Without a window system napari hands out a viewer that nobody sees.
        import qtpy.QtWidgets  # noqa: F401
    except ImportError:
        raise UnwritableObject(f"napari has no window system to open a viewer with: {_INSTALL}") from None
    viewer = napari.Viewer(title="mammocalc: research software, not a medical device")
    viewer.scale_bar.visible = True
    return viewer


def layers_of(findings: Findings) -> list[LayerData]:
    """The layers of `findings`, lowest first; those that would hold nothing are left out."""
    layers = [_image(findings), *_anatomy(findings)]
    if len(findings):
        layers.append(_regions(findings))
    vessels, others = _chains_by_kind(findings)
    layers += [
        *_curves(findings, "vessels", vessels),
        *_curves(findings, "tracks", others),
        *_clusters(findings),
    ]
    if len(findings):
        layers.append(_centres(findings))
    return layers


def _attributes(
    findings: Findings, name: str, pixels: float = 1.0, first: Sequence[float] = (0.0, 0.0), **further: Any
) -> dict[str, Any]:
    """Name, place and scale of a layer.

    Parameters
    ----------
    findings : Findings
    name : str
    pixels : float
        Side of one of the layer's pixels, stored pixels.
    first : (row, col)
        Stored position of the layer's (0, 0).
    **further
    """
    image = findings.mammogram
    spacing = image.pixel_spacing_mm
    side = " ".join(word for word in (image.laterality, image.view) if word)
    return {
        "name": f"{side} {name}" if side else name,
        "scale": (pixels * spacing, pixels * spacing),
        "translate": (first[0] * spacing, first[1] * spacing),
        "units": ("mm", "mm"),
        "axis_labels": ("row", "column"),
        **further,
    }


def _image(findings: Findings) -> LayerData:
    image = findings.mammogram
    display = display_of(image, findings.scene)
    shown = display.shown(image.pixels, (0, 0, *image.pixels.shape))
    metadata = {
        "file": Path(image.path).name,
        "frame": image.frame,
        "study_instance_uid": image.study_instance_uid,
        "spacing_source": image.spacing_source,
    }
    window: dict[str, Any] = {"colormap": "gray", "contrast_limits": (display.low, display.high)}
    return shown, _attributes(findings, "image", metadata=metadata, **window), "image"


def _anatomy(findings: Findings) -> Iterator[LayerData]:
    """Muscle and foreign objects on their coarse cells, the breast's outline, the nipple."""
    anatomy = findings.scene.anatomy
    half = (anatomy.step - 1) / 2
    parts = np.where(anatomy.pectoral, _MUSCLE, 0).astype(np.uint8)
    parts[anatomy.foreign] = _FOREIGN
    if parts.any():
        names = {"index": [_MUSCLE, _FOREIGN], "part": ["pectoral muscle", "foreign object"]}
        colours: dict[Any, Any] = {None: _TRANSPARENT, 0: _TRANSPARENT, **_ANATOMY_COLOURS}
        yield (
            parts,
            _attributes(
                findings, "anatomy", anatomy.step, (half, half),
                colormap=colours, features=names, opacity=0.35, visible=False,
            ),
            "labels",
        )  # fmt: skip
    if anatomy.breast.any():
        around = (outline(anatomy.breast, 0.0, 0.0) + 0.5) * anatomy.step - 0.5
        yield _shapes(findings, "breast", [around], "polygon", [hexadecimal(NIPPLE_COLOUR)], [_LINE_MM])
    if anatomy.nipple is not None:
        ring: dict[str, Any] = {
            "face_color": "transparent",
            "border_color": hexadecimal(NIPPLE_COLOUR),
            "border_width": 0.1,
        }
        size = 4.0 / findings.mammogram.pixel_spacing_mm
        yield np.array([anatomy.nipple]), _attributes(findings, "nipple", size=size, **ring), "points"


def _regions(findings: Findings) -> LayerData:
    """The pixels of every calcification: their value is its ``calcification_id``."""
    labels = findings.regions.labels()
    small = labels.astype(np.uint16) if len(findings) < 2**16 else labels
    colours: dict[Any, Any] = {None: _TRANSPARENT, 0: _TRANSPARENT, **dict(enumerate(_colours(findings), 1))}
    table = findings.calcifications[_AT_A_GLANCE].rename(columns={"calcification_id": "index"})
    return (
        small,
        _attributes(
            findings, "regions", 1.0, findings.scene.origin, colormap=colours, features=table, opacity=0.6
        ),
        "labels",
    )


def _centres(findings: Findings) -> LayerData:
    """A ring around every calcification, with its row of the table."""
    table = findings.calcifications.drop(columns=_KEY)
    spacing = findings.mammogram.pixel_spacing_mm
    height, width = (table[f"{side}_max"] - table[f"{side}_min"] for side in ("row", "col"))
    size = np.hypot(height.to_numpy(), width.to_numpy()) + _ROOM_MM / spacing
    suspicious = (table["suspicion"] == "suspicious").to_numpy()
    line = np.where(suspicious, _HEAVY_LINE_MM, _LINE_MM) / spacing
    return (
        table[["row", "col"]].to_numpy(),
        _attributes(
            findings, "calcifications", features=table, size=size, face_color="transparent",
            border_color=_colours(findings), border_width=line, border_width_is_relative=False,
        ),
        "points",
    )  # fmt: skip


def _colours(findings: Findings) -> list[str]:
    return [hexadecimal(LABEL_COLOURS[str(label)]) for label in findings.classification.label]


def _clusters(findings: Findings) -> Iterator[LayerData]:
    table = findings.clusters.drop(columns=_KEY)
    if table.empty:
        return
    table.insert(0, "caption", [cluster_caption(findings, place) for place in range(len(table))])
    suspicious = table["suspicion"] == "suspicious"
    colour = hexadecimal(CLUSTER_COLOUR)
    yield _shapes(
        findings,
        "clusters",
        [cluster_hull(findings, place) for place in range(len(table))],
        "polygon",
        [colour] * len(table),
        [_HEAVY_LINE_MM if heavy else _LINE_MM for heavy in suspicious],
        features=table,
        text={"string": "{caption}", "color": colour, "size": 9, "anchor": "upper_left"},
    )


def _chains_by_kind(findings: Findings) -> tuple[list[int], list[int]]:
    """Numbers, from 1, of the chains that run along calcified vessels, and of the others."""
    numbers = range(1, len(findings.arrangement.chains) + 1)
    vessels = [number for number in numbers if chain_label(findings, number) == "vascular"]
    return vessels, [number for number in numbers if number not in vessels]


def _curves(findings: Findings, name: str, numbers: list[int]) -> Iterator[LayerData]:
    if not numbers:
        return
    curves = [findings.arrangement.chains[number - 1] for number in numbers]
    labels = [chain_label(findings, number) for number in numbers]
    spacing = findings.mammogram.pixel_spacing_mm
    chain_of = findings.arrangement.columns["chain_id"]
    features = {
        "chain_id": numbers,
        "label": labels,
        "length_mm": [float(np.hypot(*np.diff(curve, axis=0).T).sum()) * spacing for curve in curves],
        "n_calcifications": [int((chain_of == number).sum()) for number in numbers],
    }
    colours = [hexadecimal(LABEL_COLOURS[label]) for label in labels]
    yield _shapes(findings, name, curves, "path", colours, [_LINE_MM] * len(curves), features=features)


def _shapes(
    findings: Findings,
    name: str,
    polygons: list[NDArray[np.float64]],
    kind: str,
    colours: list[str],
    lines_mm: list[float],
    **further: Any,
) -> LayerData:
    spacing = findings.mammogram.pixel_spacing_mm
    drawn: dict[str, Any] = {
        "shape_type": kind,
        "edge_color": colours,
        "edge_width": [line / spacing for line in lines_mm],
        "face_color": "transparent",
    }
    return polygons, _attributes(findings, name, **drawn, **further), "shapes"
