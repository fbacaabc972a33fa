"""Each idea of the detector switched off in turn, on the same images."""

from __future__ import annotations

import dataclasses

import numpy as np
from laplacian_maxima import laplacian_maxima

import mammocalc as mc
from mammocalc.evaluate import Detections, evaluate
from mammocalc.evaluate.detections import masks_of
from mammocalc.evaluate.matching import Marks
from mammocalc.prepare import prepare
from mammocalc.segment import segment
from mammocalc.segment.company import COMPANY
from mammocalc.segment.score import SUPPORT, built_in_score, scores_in_company

# Evidence that is hidden together: every candidate of an image then has the image's median of it.
HIDDEN = {
    "noise and texture around it": ("response", "texture", "background_ratio"),
    "background's slope, isolation, one-sidedness": ("background_slope", "isolation", "one_sided"),
    "edge": ("edge_width_mm", "edge_width_px", "fill"),
    "size and shape": ("diameter_mm", "elongation"),
    "distance to the skin": ("skin_distance_mm",),
    "the way on from its tips": ("continued",),
    "larger, stronger and crowding candidates": tuple(COMPANY),
}

# What is searched differently: stage, and the parameters that switch an idea off.
SEARCHES = {
    "no hysteresis (grow from the seeds only)": (
        "segment",
        {"growth_response": mc.Parameters().segment.seed_response},
    ),
    "texture judged over 20 mm, not locally": ("segment", {"texture_window_mm": 20.0}),
    "candidates must rise in proportion to texture": ("segment", {"texture_weight": 1.0}),
    "no search at the scales of lumps": (
        "segment",
        {"lump_seed_response": 50.0, "lump_growth_response": 50.0},
    ),
    "touching specks hardly ever split": ("segment", {"saddle_fraction": 0.4}),
    "foreign objects not masked": ("prepare", {"find_foreign": False}),
    "pectoral muscle not found": ("prepare", {"find_pectoral": False}),
}
RESPONSE = "score is the response alone"
PLAIN = "none of it: maxima of the Laplacian of Gaussian"
NOISE = "noise not equalised"
RATES = (1.0, 2.0, 5.0, 10.0, 50.0)


def variants_of(findings, path):
    """The marks of one image under every ablation, by name of what is switched off."""
    parameters, image, scene = findings.parameters, findings.mammogram, findings.scene
    out = {}
    for name, (stage, values) in SEARCHES.items():
        changed = parameters.replace(stage, **values)
        other = prepare(image, changed.prepare) if stage == "prepare" else scene
        out[name] = marks_of(segment(other, changed.segment), other, path)
    linear = _without_equalisation(scene)
    out[NOISE] = marks_of(segment(linear, parameters.segment), linear, path)
    whole = built_in_score()
    regions = findings.regions
    full = marks_of(regions, scene, path)
    known = {name: values for name, values in regions.evidence.items() if name not in SUPPORT}
    place_mm = [known[name] * scene.pixel_spacing_mm for name in ("row", "col")]

    def rescored(score, evidence):
        return scores_in_company(score, evidence, *place_mm, parameters.segment.neighbourhood_mm)[0]

    if not np.allclose(rescored(whole, known), regions.score):
        raise RuntimeError("scores are no longer made of the regions' evidence: this ablation does not apply")
    alone = dataclasses.replace(whole, together=None)
    uncorrected = dataclasses.replace(whole, corrections=())
    scores = {
        "score without support by others": rescored(alone, known),
        "score without corrections by hand": rescored(uncorrected, known),
        **{
            f"score blind to: {title}": rescored(whole, _hidden(known, names))
            for title, names in HIDDEN.items()
        },
        # In the order of the response, between 0 and 1.
        RESPONSE: known["response"] / (1.0 + known["response"]),
    }
    out[PLAIN] = laplacian_maxima(scene, path)
    for name, score in scores.items():
        out[name] = dataclasses.replace(full, score=score)
    return out


def _hidden(evidence, names):
    """The same evidence with one value, the image's median, for all candidates. Nothing is grown again."""
    return {
        name: np.full_like(values, np.median(values)) if name in names and len(values) else values
        for name, values in evidence.items()
    }


def _without_equalisation(scene):
    """The same scene on a plane that is linear in the stored values, one unit the median noise of the breast."""
    values = np.arange(len(scene.stabiliser), dtype=np.float64)
    used = np.isin(np.round(scene.stabiliser, 3), np.round(scene.plane[::7, ::7], 3))
    gain = np.median(np.abs(np.gradient(scene.stabiliser.astype(np.float64)))[used])
    rising = scene.stabiliser[-1] >= scene.stabiliser[0]
    line = (values if rising else values[::-1]) * gain
    order = np.argsort(scene.stabiliser, kind="stable")
    plane = np.interp(scene.plane, scene.stabiliser[order], line[order]).astype(np.float32)
    return dataclasses.replace(scene, plane=np.ascontiguousarray(plane))


def marks_of(regions, scene, path):
    """Marks from regions alone: outlines and scores without measurements and labels."""
    top, left = scene.origin
    evidence = regions.evidence
    return Detections(
        path,
        Marks(
            evidence["row"] + top,
            evidence["col"] + left,
            evidence["diameter_mm"],
            masks_of(regions, scene.origin),
        ),
        regions.score,
        np.full(len(regions), "", np.str_),
        scene.pixel_spacing_mm,
        scene.anatomy.breast_area_mm2,
    )


def table(truths, results, operating_point):
    """One row a variant: sensitivity at each rate, overlap, and false marks at the operating point."""
    names = list(next((result.variants for result in results if result.variants), {}))
    rows = []
    for name in ["everything on", *names]:
        pairs = [
            (truth, result.variants.get(name, result.detections))
            for truth, result in zip(truths, results, strict=True)
        ]
        specks = evaluate(pairs, operating_point=operating_point, resamples=0).specks
        if specks is None:
            break
        rows.append(
            {
                "switched_off": name,
                "sensitivity": {f"{rate:g}": specks.curve.at(rate)[0] for rate in RATES},
                "iou": specks.iou.value if specks.iou and name != PLAIN else None,
                # These scores are no probabilities: their scale has no operating point.
                "shown_sensitivity": None if name in (RESPONSE, PLAIN) else specks.sensitivity.value,
                "shown_false_per_image": None if name in (RESPONSE, PLAIN) else specks.false_per_image.value,
            }
        )
    return rows


def as_text(rows):
    """The table to read, each row against the first."""
    head = "".join(f"{f'@{rate:g}/im':>9}" for rate in RATES)
    lines = [f"{'switched off':44}{head}{'IoU':>8}{'shown: sens':>13}{'false/im':>10}"]
    for row in rows:
        found = "".join(f"{value:9.3f}" for value in row["sensitivity"].values())
        iou, sensitivity, false = (
            "-" if row[name] is None else f"{row[name]:.{digits}f}"
            for name, digits in (("iou", 3), ("shown_sensitivity", 3), ("shown_false_per_image", 2))
        )
        lines.append(f"{row['switched_off']:44}{found}{iou:>8}{sensitivity:>13}{false:>10}")
    return "\n".join(lines)
