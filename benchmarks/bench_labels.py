"""How many true calcifications get their true label: confusion matrix, correct shares, tracks, groups, sensitivity.

    python benchmarks/bench_labels.py                          a quick look: a few images
    python benchmarks/bench_labels.py --long --sensitivity --json labels.json --markdown labels.md

Synthetic mammograms with exact truth: every stage runs, so labels are judged on detected calcifications, matched to
what was drawn. Shares are of the detected ones; what was missed has a column of its own. A group counts as missed where
fewer of its members were detected than make a group, a track where what was detected of it is shorter than a long
track. The rules link what lies within 10 mm, so groups drawn farther from each other than that are also shown apart.
Intervals are 95 %, by drawing whole images again (1,000 times), or Wilson's by images where all or none are right or
there are few. Seeds below 10,000 are for tuning; results are quoted on later ones.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from kernel_bench import environment
from labelled_images import DETECTOR_OF_PITCH, FALSE, MISSED, ONE_CHAIN_SHARE, Tally, tally_of

from mammocalc.classify import LABELS
from mammocalc.phantom import TEST_SEEDS, TRAINING_SEEDS

SHORT = {"mixed": 12}
LONG = {"mixed": 240, "arterial": 80, "secretory": 40, "50": 80, "70": 80, "100": 80}
TITLES = {
    "mixed": "Mixed systems",
    "arterial": "Arteries calcified all around, half of the images with casts: mixed systems",
    "secretory": "Secretory cases: rods and arteries, 70 µm",
    **{pitch: f"{pitch} µm ({name})" for pitch, name in DETECTOR_OF_PITCH.items()},
}
FINE = ("fine_linear", "fine_linear_branching")
GROUP_LABELS = ("fine_pleomorphic", "amorphous", "coarse_heterogeneous")
LONG_TRACK_MM = 15.0
# Drawn groups nearer to each other are one cluster by the rule of linkage.
APART_MM = 10.0
# Between these diameters round and punctate need not be told apart.
NEAR_HALF_MM = (0.45, 0.55)
DRAWS = 1000
# So few cannot be drawn again.
FEW_IMAGES = 5
MOVED_BY = 0.1

Parts = Callable[[Tally], tuple[float, float]]
"""Right and all, of one image."""


@dataclass(frozen=True)
class Row:
    """One line of the table of targets."""

    name: str
    target: str
    right: float
    all: float
    share: float
    low: float
    high: float
    missed: float


def _single(wanted: Callable[[dict], bool], right: Callable[[dict], bool]) -> Parts:
    def parts(tally: Tally) -> tuple[float, float]:
        chosen = [one for one in tally.calcifications if wanted(one) and one["called"] != MISSED]
        return float(sum(right(one) for one in chosen)), float(len(chosen))

    return parts


def _named(*labels: str) -> Parts:
    return _single(lambda one: one["truth"] in labels, lambda one: one["called"] in labels)


def _exactly(*labels: str) -> Parts:
    return _single(lambda one: one["truth"] in labels, lambda one: one["called"] == one["truth"])


def _wall_called_vascular(tally: Tally) -> tuple[float, float]:
    walls: Counter[str] = Counter()
    for one in tally.calcifications:
        walls.update(one.get("wall_mm", {}))
    return walls["vascular"], sum(walls.values()) - walls[MISSED]


def _missed(*labels: str) -> Parts:
    return _all(
        lambda tally: [one["called"] == MISSED for one in tally.calcifications if one["truth"] in labels]
    )


def _all(ask: Callable[[Tally], list[bool]]) -> Parts:
    def parts(tally: Tally) -> tuple[float, float]:
        answers = ask(tally)
        return float(sum(answers)), float(len(answers))

    return parts


def _long(tally: Tally, seen: bool) -> list[dict]:
    return [track for track in tally.tracks if track["seen_mm" if seen else "span_mm"] >= LONG_TRACK_MM]


_long_tracks = _all(lambda tally: [one["share_in_one"] >= ONE_CHAIN_SHARE for one in _long(tally, seen=True)])
_short_seen = _all(lambda tally: [one["seen_mm"] < LONG_TRACK_MM for one in _long(tally, seen=False)])


# Calcifications of the skin are set aside before clusters are formed.
CLUSTERED = tuple(label for label in LABELS if label != "skin")


def _groups(tally: Tally, labels: Sequence[str], least_apart_mm: float) -> list[dict]:
    return [one for one in tally.groups if one["truth"] in labels and one["apart_mm"] >= least_apart_mm]


def _group_labels(*labels: str, apart_mm: float = 0.0) -> Parts:
    return _all(
        lambda tally: [
            one["called"] == one["truth"] for one in _groups(tally, labels, apart_mm) if one["enough"]
        ]
    )


def _distribution(apart_mm: float) -> Parts:
    return _all(
        lambda tally: [
            one["drawn"] == one["named"] for one in _groups(tally, CLUSTERED, apart_mm) if one["enough"]
        ]
    )


def _too_few(*labels: str, apart_mm: float = 0.0) -> Parts:
    return _all(lambda tally: [not one["enough"] for one in _groups(tally, labels, apart_mm)])


def _nothing_missed(tally: Tally) -> tuple[float, float]:
    return 0.0, 0.0


_truly_vascular = _single(lambda one: one["called"] == "vascular", lambda one: one["truth"] == "vascular")


def _told_apart(one: dict) -> bool:
    sizes = NEAR_HALF_MM
    apart = not sizes[0] <= one["diameter_mm"] <= sizes[1]
    return one["truth"] in ("round", "punctate") and one["called"] in ("round", "punctate") and apart


ROWS: tuple[tuple[str, str, Parts, Parts], ...] = (
    ("large_rod_like (incl. lucent ones)", ">= 95 %", _named("large_rod_like"), _missed("large_rod_like")),
    (
        "  of them lucent",
        "",
        _single(
            lambda one: one["truth"] == "large_rod_like" and one["lucent"],
            lambda one: one["called"] == "large_rod_like",
        ),
        _nothing_missed,
    ),
    (
        "  of them branched",
        "",
        _single(
            lambda one: one["truth"] == "large_rod_like" and one["branched"],
            lambda one: one["called"] == "large_rod_like",
        ),
        _nothing_missed,
    ),
    (
        "large_rod_like called fine-linear or vascular",
        "0 in a secretory case",
        _single(
            lambda one: one["truth"] == "large_rod_like", lambda one: one["called"] in (*FINE, "vascular")
        ),
        _missed("large_rod_like"),
    ),
    ("vascular, by length of calcified wall", ">= 90 %", _wall_called_vascular, _missed("vascular")),
    ("tracks of 15 mm or more recovered as one chain", ">= 85 %", _long_tracks, _short_seen),
    ("rim", ">= 95 %", _named("rim"), _missed("rim")),
    ("round and punctate, exactly", ">= 90 %", _exactly("round", "punctate"), _missed("round", "punctate")),
    ("  round", "", _exactly("round"), _missed("round")),
    ("  punctate", "", _exactly("punctate"), _missed("punctate")),
    ("  either of the two", "", _named("round", "punctate"), _missed("round", "punctate")),
    (
        "round and punctate told apart outside 0.45-0.55 mm",
        ">= 95 %",
        _single(_told_apart, lambda one: one["called"] == one["truth"]),
        _nothing_missed,
    ),
    ("fine_linear and branching", ">= 85 %", _named(*FINE), _missed(*FINE)),
    (
        "fine_linear and branching called large_rod_like",
        "<= 2 %",
        _single(lambda one: one["truth"] in FINE, lambda one: one["called"] == "large_rod_like"),
        _missed(*FINE),
    ),
    (
        "fine_linear and branching called vascular",
        "",
        _single(lambda one: one["truth"] in FINE, lambda one: one["called"] == "vascular"),
        _missed(*FINE),
    ),
    ("called vascular: truly a vessel's wall", "", _truly_vascular, _nothing_missed),
    (
        "fine_pleomorphic, amorphous, coarse_heterogeneous as a group label",
        ">= 80 %",
        _group_labels(*GROUP_LABELS),
        _too_few(*GROUP_LABELS),
    ),
    (
        "  of groups 10 mm or more apart",
        "",
        _group_labels(*GROUP_LABELS, apart_mm=APART_MM),
        _too_few(*GROUP_LABELS, apart_mm=APART_MM),
    ),
    *((f"  {label}", "", _group_labels(label), _too_few(label)) for label in GROUP_LABELS),
    *(
        (label, ">= 80 %", _named(label), _missed(label))
        for label in ("coarse", "dystrophic", "skin", "suture")
    ),
    ("milk_of_calcium", "", _named("milk_of_calcium"), _missed("milk_of_calcium")),
    ("distribution of groups", ">= 85 %", _distribution(0.0), _too_few(*CLUSTERED)),
    (
        "  of groups 10 mm or more apart",
        "",
        _distribution(APART_MM),
        _too_few(*CLUSTERED, apart_mm=APART_MM),
    ),
)


def table_of(tallies: Sequence[Tally]) -> list[Row]:
    """The rows that there is something to say about."""
    out = []
    for name, target, parts, left_out in ROWS:
        counts = np.array([parts(tally) for tally in tallies]).reshape(-1, 2)
        if not counts[:, 1].sum():
            continue
        low, high = interval(counts)
        right, total = counts.sum(axis=0)
        gone, drawn = np.array([left_out(tally) for tally in tallies]).sum(axis=0)
        missed = gone / drawn if drawn else math.nan
        out.append(
            Row(name, target, float(right), float(total), float(right / total), low, high, float(missed))
        )
    return out


def interval(counts: np.ndarray, draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of right over all, by drawing images again; Wilson's by images where all or none are right, or few.

    Parameters
    ----------
    counts : ndarray of float64, shape (images, 2)
        Right and all of each image.
    """
    counts = counts[counts[:, 1] > 0]
    right, total = counts.sum(axis=0)
    if right in (0.0, total) or len(counts) < FEW_IMAGES:
        return wilson(len(counts) * right / total, len(counts))
    rng = np.random.default_rng(0)
    again = counts[rng.integers(len(counts), size=(draws, len(counts)))].sum(axis=1)
    low, high = np.quantile(again[:, 0] / again[:, 1], [0.025, 0.975])
    return float(low), float(high)


def wilson(right: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, doi 10.1080/01621459.1927.10502953)."""
    z = 1.959964
    share, spread = right / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return middle - reach, middle + reach


def confusion_of(tallies: Iterable[Tally]) -> dict[str, Counter[str]]:
    """For each true label how often its calcifications were called what, the missed and the false ones too."""
    out: dict[str, Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        for one in tally.calcifications:
            out[one["truth"]][one["called"]] += 1
        out[FALSE].update(tally.false)
    return out


def pieces_of(tallies: Iterable[Tally]) -> dict[str, Counter[str]]:
    """For each true label what further pieces of its calcifications were called."""
    out: dict[str, Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        for (truth, called), count in tally.pieces.items():
            out[truth][called] += count
    return out


def groups_of(tallies: Iterable[Tally], truth: str, called: str) -> dict[str, Counter[str]]:
    """Confusion of groups: of their labels or of their distributions."""
    out: dict[str, Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        for group in tally.groups:
            if group["truth"] != "skin":
                out[group[truth]][group[called] if group["enough"] else "(too few detected)"] += 1
    return out


def sensitivity_of(tallies: Iterable[Tally]) -> list[dict]:
    """What each threshold moved by a tenth changes, summed over images, the largest effects first."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        for moved in tally.moved:
            sums[moved["threshold"], moved["direction"]].update(
                {key: value for key, value in moved.items() if isinstance(value, int)}
            )
    out = []
    for (threshold, direction), total in sums.items():
        matched = max(total["matched"], 1)
        out.append(
            {
                "threshold": threshold,
                "direction": direction,
                "relabelled": total["relabelled"] / max(total["detections"], 1),
                "correct": (total["correct_after"] - total["correct_before"]) / matched,
                "fine_as_rod": total["fine_as_rod_after"] - total["fine_as_rod_before"],
            }
        )
    return sorted(out, key=lambda one: -one["relabelled"])


# --- writing ---------------------------------------------------------------------------------------------------


def table_text(rows: Sequence[Row]) -> str:
    """The table of targets in Markdown."""
    lines = ["| truth | target | correct | 95 % interval | of | missed |", "|---|---|---|---|---|---|"]
    for row in rows:
        missed = "" if math.isnan(row.missed) else f"{row.missed:.1%}"
        indented = row.name.replace("  ", "&nbsp;&nbsp;")
        lines.append(
            f"| {indented} | {row.target} | {row.share:.1%} | {row.low:.1%} to {row.high:.1%} "
            f"| {row.all:.0f} | {missed} |"
        )
    return "\n".join(lines)


def matrix_text(matrix: dict[str, Counter[str]], columns: Sequence[str]) -> str:
    """A confusion matrix in Markdown, true labels down, given ones across; empty rows and columns are left out."""
    order = [*LABELS, *sorted(set(matrix) - set(LABELS) - {FALSE}), FALSE]
    used = [name for name in columns if any(count[name] for count in matrix.values())]
    lines = [f"| truth | {' | '.join(used)} |", "|---" * (len(used) + 1) + "|"]
    for truth in order:
        if matrix.get(truth):
            cells = (str(matrix[truth][name] or "") for name in used)
            lines.append(f"| {truth} | {' | '.join(cells)} |")
    return "\n".join(lines)


def sensitivity_text(rows: Sequence[dict], most: int = 30) -> str:
    """What moved thresholds change, in Markdown; those that change fewer than one label in 2,000 are left out."""
    lines = [
        "| threshold | moved | relabelled | correct | fine-linear called rod |",
        "|---|---|---|---|---|",
    ]
    for row in rows[:most]:
        if row["relabelled"] >= 0.0005:
            moved = "+10 %" if row["direction"] == "up" else "-10 %"
            lines.append(
                f"| {row['threshold']} | {moved} | {row['relabelled']:.2%} | {row['correct']:+.2%} "
                f"| {row['fine_as_rod']:+d} |"
            )
    return "\n".join(lines)


def report(kind: str, tallies: Sequence[Tally]) -> tuple[str, dict]:
    """One set of images as Markdown and as plain data."""
    rows = table_of(tallies)
    single, pieces = confusion_of(tallies), pieces_of(tallies)
    labels = groups_of(tallies, "truth", "called")
    distributions = groups_of(tallies, "drawn", "named")
    moved = sensitivity_of(tallies)
    across = [*LABELS, MISSED, "(too few detected)"]
    named = ("diffuse", "regional", "grouped", "linear", "segmental", MISSED, "(too few detected)")
    drawn = sum(len(tally.calcifications) for tally in tallies)
    seeds = [tally.seed for tally in tallies]
    parts = [
        f"## {TITLES[kind]}",
        f"{len(tallies)} images, seeds {min(seeds)} to {max(seeds)}, {drawn} calcifications drawn.",
        table_text(rows),
        "### Calcifications: drawn (down) and called (across)",
        matrix_text(single, across),
        "### Further pieces of a calcification that was found already",
        matrix_text(pieces, across),
        "### Groups by label",
        matrix_text(labels, across),
        "### Groups by distribution",
        matrix_text(distributions, named),
    ]
    if moved:
        parts += ["### What changes when a threshold moves by a tenth", sensitivity_text(moved)]
    data = {
        "images": len(tallies),
        "seeds": [min(seeds), max(seeds)],
        "detectors": Counter(tally.detector for tally in tallies),
        "rows": [asdict(row) for row in rows],
        "confusion": single,
        "pieces": pieces,
        "groups": labels,
        "distributions": distributions,
        "sensitivity": moved,
    }
    return "\n\n".join(parts), data


def tallies_of(kind: str, seeds: Sequence[int], jobs: int, change: float) -> list[Tally]:
    """Work through the images of one set."""
    work = partial(tally_of, kind, change=change)
    if jobs == 1:
        return [work(seed) for seed in seeds]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(work, seeds))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true", help="all sets, enough images to report")
    parser.add_argument("--set", action="append", choices=list(LONG), help="these sets only")
    parser.add_argument("--images", type=int, help="images of each set")
    parser.add_argument("--seeds", type=int, default=TEST_SEEDS.start, metavar="FIRST", help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sensitivity", action="store_true", help="also move every threshold by a tenth")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    plan = LONG if options.long else SHORT
    plan = {kind: plan.get(kind, LONG[kind]) for kind in options.set or plan}
    texts, data = [], {}
    for kind, images in plan.items():
        seeds = range(options.seeds, options.seeds + (options.images or images))
        change = MOVED_BY if options.sensitivity and kind == "mixed" else 0.0
        text, data[kind] = report(kind, tallies_of(kind, seeds, options.jobs, change))
        texts.append(text)
        print(text, end="\n\n", flush=True)
    purpose = "training seeds, not for quoting" if options.seeds in TRAINING_SEEDS else "test seeds"
    about = environment()
    if options.json:
        options.json.write_text(
            json.dumps({"environment": about, "seeds": purpose, "sets": data}), encoding="utf-8"
        )
    if options.markdown:
        title = f"# Labels of detected calcifications ({purpose})"
        options.markdown.write_text("\n\n".join([title, *texts]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
