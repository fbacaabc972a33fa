"""Findings as a notebook shows them: a summary, a small picture, the first rows of the tables."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from mammocalc.write.overlay import NOTICE, draw_preview
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

if TYPE_CHECKING:
    import pandas as pd

    from mammocalc.findings import Findings

_LONGEST_SIDE = 940
_QUALITY = 88
_ROWS = 10
# As many as fit beside each other.
_COLUMNS = ["calcification_id", "label", "suspicion", "length_mm", "width_mm", "elongation", "score", "rule"]
_CLUSTER_COLUMNS = [
    "cluster_id", "n_calcifications", "distribution", "morphology", "suspicion", "extent_mm", "density_per_cm2",
]  # fmt: skip
_READ_AS_WORDS = ("label", "suspicion", "morphology", "distribution")


def html_of(findings: Findings) -> str:
    """The notebook view of `findings` as HTML that needs nothing from outside."""
    image = findings.mammogram
    facts = [
        " ".join(word for word in (image.laterality, image.view, *image.view_modifiers) if word),
        f"{image.pixels.shape[0]} × {image.pixels.shape[1]} px of {image.pixel_spacing_mm:.4g} mm",
        findings.summary(),
    ]
    parts = [
        "<div>",
        f"<p><b>{html.escape('; '.join(fact for fact in facts if fact))}</b></p>",
        f'<p style="line-height:1.9">{_legend(findings)}</p>',
        '<img alt="the breast with the findings" style="max-width:100%;height:auto" '
        f'src="data:image/jpeg;base64,{_picture(findings)}">',
    ]
    for name, columns in (("calcifications", _COLUMNS), ("clusters", _CLUSTER_COLUMNS)):
        table = getattr(findings, name)[columns]
        if len(table):
            parts.append(_table(table.head(_ROWS)))
        if len(table) > _ROWS:
            parts.append(f"<p>and {len(table) - _ROWS} more in <code>.{name}</code></p>")
    parts.append(f"<p><small>{NOTICE}.</small></p></div>")
    return "\n".join(parts)


def _legend(findings: Findings) -> str:
    """Labels with their counts; suspicious ones framed as their outlines are: heavier."""
    label, suspicion = findings.classification.label, findings.classification.suspicion
    chips = []
    for name, colour in LABEL_COLOURS.items():
        members = label == name
        if members.any():
            width = 3 if (suspicion[members] == "suspicious").any() else 1
            chips.append(
                f'<span style="background:#222;color:#eee;border:{width}px solid {hexadecimal(colour)};'
                f'border-radius:4px;padding:1px 6px;white-space:nowrap">{words(name)} {members.sum()}</span>'
            )
    return " ".join(chips)


def _picture(findings: Findings) -> str:
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        # Thin coloured lines need colours at full resolution.
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    picture = cv2.cvtColor(draw_preview(findings, _LONGEST_SIDE), cv2.COLOR_RGB2BGR)
    return base64.b64encode(cv2.imencode(".jpg", picture, settings)[1].tobytes()).decode()


def _table(rows: pd.DataFrame) -> str:
    formatters: Mapping[str, Any] = {
        name: (lambda text: words(str(text))) if name in _READ_AS_WORDS else _figure
        for name in rows.columns
        if name in _READ_AS_WORDS or rows[name].dtype.kind == "f"
    }
    table = rows.to_html(index=False, border=0, formatters=dict(formatters), na_rep="", justify="right")
    return f'<div style="overflow-x:auto">{table}</div>'


def _figure(value: float) -> str:
    """Three digits, and of a position in the thousands all."""
    if not np.isfinite(value):
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
