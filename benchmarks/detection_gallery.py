"""The worst misses and the worst false marks: counted by kind, and drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import mammocalc as mc
from mammocalc.segment.components import searched_cells

SHOWN = 20
MOST_OF_ONE_IMAGE = 2
HALF_MM = 5.0
BORDER_MM = 1.0
LONG = 1.8
POINT_LIKE = ("hot pixel", "dust", "clip", "marker")


def searched_places(findings, truth):
    """Whether the place of each true calcification was searched: not masked as foreign, skin line or border."""
    if truth.specks is None:
        return np.empty(0, bool)
    scene = findings.scene
    inside = searched_cells(scene, findings.parameters.segment.skin_margin_mm)
    step = scene.anatomy.step
    top, left = (edge // step for edge in scene.origin)
    row = (truth.specks.marks.row // step).astype(int) - top
    col = (truth.specks.marks.col // step).astype(int) - left
    within = (row >= 0) & (row < inside.shape[0]) & (col >= 0) & (col < inside.shape[1])
    found = np.zeros(len(row), bool)
    found[within] = inside[row[within], col[within]]
    return found


def why_missed(outcome, result, k, operating_point):
    """One word or two for why true calcification `k` has no mark."""
    if np.isfinite(outcome.found_at[k]):
        return f"score {outcome.found_at[k]:.2f}"
    if outcome.detections.status != "ok":
        return f"image {outcome.detections.status}"
    if not result.in_search[k]:
        return "not searched"
    marks, spacing = outcome.detections.marks, outcome.detections.pixel_spacing_mm
    truth = outcome.truth.specks.marks
    covering = set(truth.runs[k]) if truth.runs else set()
    rows = {row: (start, stop) for row, start, stop in covering}
    for j, runs in enumerate(marks.runs or ()):
        shares = any(
            row in rows and start < rows[row][1] and stop > rows[row][0] for row, start, stop in runs
        )
        if shares:
            return "merged with another" if outcome.matches.truth_of[j] >= 0 else "outline is off"
    near = np.hypot(marks.row - truth.row[k], marks.col - truth.col[k]) * spacing
    if len(near) and near.min() < 0.35:
        return "its mark went to another"
    return "no candidate"


def kind_of_false(outcome, result, j):
    """What a false mark lies on or near."""
    truth, spacing = outcome.truth, outcome.detections.pixel_spacing_mm
    row, col = outcome.detections.marks.row[j], outcome.detections.marks.col[j]
    label, apart = "", np.inf
    if truth.specks is not None and len(truth.specks):
        near = np.hypot(truth.specks.marks.row - row, truth.specks.marks.col - col) * spacing
        at = int(np.argmin(near - truth.specks.marks.diameter_mm / 2))
        label, apart = truth.specks.label[at], float(near[at] - truth.specks.marks.diameter_mm[at] / 2)
    if min(row, col, result.shape[0] - 1 - row, result.shape[1] - 1 - col) * spacing < BORDER_MM:
        return "border of the image"
    if outcome.matches is not None and outcome.matches.fragment[j]:
        return f"piece of {label or 'a calcification'}"
    things = [
        (np.hypot(one.row - row, one.col - col) * spacing - one.length_mm / 2, one.kind)
        for one in truth.distractors
    ]
    exact = [kind for distance, kind in things if kind in POINT_LIKE and distance < 0.5]
    if exact:
        return exact[0]
    if apart < 1.0:
        return f"beside {label or 'a calcification'}"
    if result.evidence["skin_distance_mm"][j] < 3.0:
        return "skin line"
    if result.evidence["elongation"][j] < LONG:
        return "tissue or noise, compact"
    # Only the middle of a strand is known: the one whose end may come nearest.
    strands = sorted((distance, kind) for distance, kind in things if kind not in POINT_LIKE and distance < 0)
    return f"long, maybe {strands[0][1]}" if strands else "tissue or noise, long"


def misses(evaluation, results):
    """(outcome, result, index, why) of every true calcification below the operating point, the plainest first."""
    out = []
    for outcome, result in zip(evaluation.outcomes, results, strict=True):
        if outcome.matches is None:
            continue
        specks = outcome.truth.specks
        plain = specks.marks.diameter_mm if specks.visibility is None else specks.visibility
        for k in np.flatnonzero(outcome.found_at < evaluation.operating_point):
            why = why_missed(outcome, result, k, evaluation.operating_point)
            out.append((float(plain[k]), outcome, result, int(k), why))
    out.sort(key=lambda one: -one[0])
    return out


def false_marks(evaluation, results):
    """(score, outcome, result, index, kind) of every false mark above the operating point, the surest first."""
    out = []
    for outcome, result in zip(evaluation.outcomes, results, strict=True):
        if outcome.matches is None and outcome.truth.regions is None:
            continue
        false = ~outcome.is_true
        if outcome.matches is None and outcome.truth.regions is not None:
            marks = outcome.detections.marks
            for region in outcome.truth.regions:
                false &= ~region.contains(marks.row, marks.col)
        for j in np.flatnonzero(false & (outcome.detections.score >= evaluation.operating_point)):
            kind = kind_of_false(outcome, result, j)
            out.append((float(outcome.detections.score[j]), outcome, result, int(j), kind))
    out.sort(key=lambda one: -one[0])
    return out


def missed_regions(evaluation, results):
    """(score, outcome, result, index) of every true region below the operating point, the nearest to it first."""
    out = [
        (float(outcome.region_found_at[k]), outcome, result, int(k))
        for outcome, result in zip(evaluation.outcomes, results, strict=True)
        for k in np.flatnonzero(outcome.region_found_at < evaluation.operating_point)
    ]
    return sorted(out, key=lambda one: -one[0])


def kinds(evaluation, results):
    """Counts of misses by reason and label, and of false marks by kind, at the operating point."""
    missed, false = misses(evaluation, results), false_marks(evaluation, results)

    def reason(why):
        return "score too low" if why.startswith("score") else why

    return {
        "misses_by_reason": Counter(reason(why) for *_, why in missed).most_common(),
        "misses_by_label_and_reason": Counter(
            f"{outcome.truth.specks.label[k] or 'calcification'}: {reason(why)}"
            for _, outcome, _, k, why in missed
        ).most_common(25),
        "false_by_kind": Counter(kind for *_, kind in false).most_common(),
        "of_known_distractors_marked": _marked_distractors(evaluation),
        "false_by_label_given": Counter(
            str(outcome.detections.label[j]) or "not labelled" for _, outcome, _, j, _ in false
        ).most_common(),
    }


def _marked_distractors(evaluation):
    """How many of the distractors that are points have a mark on them, and of how many, by kind."""
    drawn, marked = Counter(), Counter()
    for outcome in evaluation.outcomes:
        shown = outcome.detections.score >= evaluation.operating_point
        marks, spacing = outcome.detections.marks, outcome.detections.pixel_spacing_mm
        for one in outcome.truth.distractors:
            if one.kind in POINT_LIKE:
                apart = np.hypot(marks.row - one.row, marks.col - one.col)[shown] * spacing
                drawn[one.kind] += 1
                marked[one.kind] += bool((apart < 0.5 + one.length_mm / 2).any())
    return [(kind, f"{marked[kind]} of {count}") for kind, count in drawn.most_common()]


def as_text(counted):
    """The counts to read."""
    lines = []
    for title, pairs in counted.items():
        lines.append(
            f"{title.replace('_', ' ')}: " + (", ".join(f"{name} {n}" for name, n in pairs) or "none")
        )
    return "\n".join(lines)


def _few_of_each(ordered):
    """The first of an ordered list, at most a few of one image."""
    taken, chosen = Counter(), []
    for one in ordered:
        path = one[1].truth.path
        if taken[path] < MOST_OF_ONE_IMAGE and len(chosen) < SHOWN:
            taken[path] += 1
            chosen.append(one)
    return chosen


def draw(evaluation, results, root, folder):
    """Write misses.png, missed_regions.png and false_marks.png, as far as there are any; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    chosen = _few_of_each(misses(evaluation, results))
    if chosen:
        captions = []
        for plain, outcome, _, k, why in chosen:
            specks = outcome.truth.specks
            measure = "" if specks.visibility is None else f", det. {plain:.0f}"
            size = specks.marks.diameter_mm[k]
            captions.append(f"{specks.label[k]} {size:.2f} mm{measure}\n{why}\n{_name(outcome)}")
        places = [
            (one.truth.specks.marks.row[k], one.truth.specks.marks.col[k]) for _, one, _, k, _ in chosen
        ]
        drawn.append(
            _sheet(folder / "misses.png", chosen, places, captions, root, evaluation.operating_point)
        )
    chosen = missed_regions(evaluation, results)[:SHOWN]
    if chosen:
        captions = [f"region, found at {score:.2f}\n{_name(one)}" for score, one, _, _ in chosen]
        places = [np.vstack(one.truth.regions[k].outlines).mean(axis=0) for _, one, _, k in chosen]
        half = max(HALF_MM, *(_half_of_region(one, k) for _, one, _, k in chosen))
        drawn.append(
            _sheet(
                folder / "missed_regions.png",
                chosen,
                places,
                captions,
                root,
                evaluation.operating_point,
                half,
            )
        )
    chosen = _few_of_each(false_marks(evaluation, results))
    if chosen:
        captions = [
            f"{score:.2f}, named {one.detections.label[j]}\n{kind}\n{_name(one)}"
            for score, one, _, j, kind in chosen
        ]
        places = [(one.detections.marks.row[j], one.detections.marks.col[j]) for _, one, _, j, _ in chosen]
        drawn.append(
            _sheet(folder / "false_marks.png", chosen, places, captions, root, evaluation.operating_point)
        )
    return drawn


def _half_of_region(outcome, k):
    """Half of the side of a crop that shows a region and a little more, mm."""
    points = np.vstack(outcome.truth.regions[k].outlines)
    return float(np.ptp(points, axis=0).max()) * outcome.detections.pixel_spacing_mm * 0.6


def _name(outcome):
    group = f" {outcome.truth.group}" if outcome.truth.group else ""
    return f"{outcome.truth.path.rsplit('/', 1)[-1].split('.')[0]}{group}"


def _sheet(path, chosen, places, captions, root, operating_point, half_mm=HALF_MM):
    """Crops in a grid: the truth green, marks that are shown orange, weaker ones thin blue."""
    rows = -(-len(chosen) // 5)
    figure = Figure(figsize=(15, 3.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    images = {}
    for n, ((_, outcome, *_), place, caption) in enumerate(zip(chosen, places, captions, strict=True)):
        truth = outcome.truth
        if truth.path not in images:
            images[truth.path] = mc.read(root / truth.path, pixel_spacing_mm=truth.pixel_spacing_mm)
        axes = figure.add_subplot(rows, 5, n + 1)
        _crop(axes, images[truth.path], outcome, place, operating_point, half_mm)
        axes.set_title(caption, fontsize=8)
    figure.savefig(path, dpi=85)
    return path


def _crop(axes, image, outcome, place, operating_point, half_mm):
    half = half_mm / image.pixel_spacing_mm
    rows, columns = image.pixels.shape
    top, left = max(0, int(place[0] - half)), max(0, int(place[1] - half))
    bottom, right = min(rows, int(place[0] + half) + 1), min(columns, int(place[1] + half) + 1)
    pixels = image.pixels[top:bottom, left:right].astype(float)
    if image.linear_in_exposure:
        pixels = np.log(np.maximum(pixels, 1.0))
    if not image.dense_is_bright:
        pixels = -pixels
    low, high = np.quantile(pixels, (0.02, 0.998))
    axes.imshow(
        pixels, cmap="gray", vmin=low, vmax=high, extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
    )
    detections = outcome.detections
    if outcome.truth.specks is not None:
        _outline(
            axes,
            outcome.truth.specks.marks,
            range(len(outcome.truth.specks)),
            "#35e06a",
            0.9,
            pixels.shape,
            top,
            left,
        )
    shown = np.flatnonzero(detections.score >= operating_point)
    weak = np.flatnonzero((detections.score < operating_point) & (detections.score >= 0.05))
    _outline(axes, detections.marks, shown, "#ff8c1a", 0.9, pixels.shape, top, left)
    _outline(axes, detections.marks, weak, "#4aa8ff", 0.5, pixels.shape, top, left)
    for region in outcome.truth.regions or ():
        for polygon in region.outlines:
            closed = np.vstack((polygon, polygon[:1]))
            axes.plot(closed[:, 1], closed[:, 0], color="#e0d030", linewidth=0.6, linestyle=":")
    for j in np.concatenate((shown, weak)):
        row, col = detections.marks.row[j], detections.marks.col[j]
        if top < row < bottom and left < col < right:
            axes.annotate(
                f"{detections.score[j]:.2f}",
                (col, row),
                (4, 4),
                textcoords="offset points",
                fontsize=6,
                color="orange",
            )
    axes.plot(place[1], place[0], "+", color="#ff40ff", markersize=22, markeredgewidth=0.5, alpha=0.6)
    axes.set_xlim(left - 0.5, right - 0.5)
    axes.set_ylim(bottom - 0.5, top - 0.5)
    axes.set_axis_off()


def _outline(axes, marks, which, colour, width, shape, top, left):
    """Borders of masks inside a crop; circles where only places are known."""
    cover = np.zeros(shape)
    for k in which:
        runs = marks.runs[k] if marks.runs is not None else ()
        if not runs and top < marks.row[k] < top + shape[0] and left < marks.col[k] < left + shape[1]:
            axes.plot(
                marks.col[k],
                marks.row[k],
                "o",
                color=colour,
                markerfacecolor="none",
                markersize=6,
                linewidth=width,
            )
        for row, start, stop in runs:
            if 0 <= row - top < shape[0]:
                cover[row - top, max(0, start - left) : max(0, stop - left)] = 1
    if cover.any():
        columns, rows = np.arange(shape[1]) + left, np.arange(shape[0]) + top
        axes.contour(columns, rows, cover, [0.5], colors=colour, linewidths=width)
