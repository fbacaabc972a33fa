"""Findings as a notebook shows them: a summary, a small picture, the first rows of the tables."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mammocalc.write.overlay import NOTICE, draw_overlay
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

if TYPE_CHECKING:
    from mammocalc.findings import Findings

_LONGEST_SIDE = 1100
_ROWS = 10
_COLUMNS = [
    "calcification_id", "row", "col", "length_mm", "width_mm", "elongation", "lucency", "score", "label", "suspicion",
    "rule", "cluster_id",
]  # fmt: skip


def html_of(findings: Findings) -> str:
    """The notebook view of `findings` as HTML that needs nothing from outside."""
    image = findings.mammogram
    clusters = findings.clusters
    facts = [
        " ".join(word for word in (image.laterality, image.view, *image.view_modifiers) if word),
        f"{image.pixels.shape[0]} × {image.pixels.shape[1]} px of {image.pixel_spacing_mm:.4g} mm",
        f"{len(findings)} calcifications, {len(clusters)} clusters",
        f"{findings.seconds:.2f} s" if np.isfinite(findings.seconds) else "",
    ]
    parts = [
        "<div>",
        f"<p><b>{html.escape('; '.join(fact for fact in facts if fact))}</b></p>",
        f"<p>{_legend(findings)}</p>",
        f'<img alt="overlay of the findings" style="max-width:100%" src="data:image/png;base64,{_picture(findings)}">',
    ]
    if len(findings):
        table = findings.calcifications[_COLUMNS]
        parts.append(table.head(_ROWS).to_html(index=False, float_format="{:.3g}".format, border=0))
        if len(table) > _ROWS:
            parts.append(f"<p>and {len(table) - _ROWS} more in <code>.calcifications</code></p>")
    if len(clusters):
        shown = clusters.drop(columns=["path", "sop_instance_uid", "frame"])
        parts.append(shown.to_html(index=False, float_format="{:.3g}".format, border=0))
    parts.append(f"<p><small>{NOTICE}.</small></p></div>")
    return "\n".join(parts)


def _legend(findings: Findings) -> str:
    labels, counts = np.unique(findings.classification.label, return_counts=True)
    count_of = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    return " ".join(
        f'<span style="background:#333;color:{hexadecimal(colour)};padding:1px 6px;white-space:nowrap">'
        f"{words(label)} {count_of[label]}</span>"
        for label, colour in LABEL_COLOURS.items()
        if label in count_of
    )


def _picture(findings: Findings) -> str:
    picture = draw_overlay(findings)
    scale = min(1.0, _LONGEST_SIDE / max(picture.shape))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return base64.b64encode(
        cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
    ).decode()
