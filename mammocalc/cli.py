"""The command line. Each command imports what it needs when it runs, so that ``--help`` answers at once."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mammocalc.errors import MammocalcError

if TYPE_CHECKING:
    from mammocalc.batch import BatchSummary
    from mammocalc.classify import Lexicon
    from mammocalc.write.explained import StoredCalcification

SOME_INPUTS_FAILED = 3
USAGE_ERROR = 2
INTERRUPTED = 130

NOTICE = "Research software, not a medical device."

app = typer.Typer(
    name="mammocalc",
    help=f"Find, measure and label calcifications on mammograms. {NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """Of the tables."""

    parquet = "parquet"
    csv = "csv"


class Existing(StrEnum):
    """What to do with inputs whose results are there already."""

    skip = "skip"
    redo = "redo"
    error = "error"


# What `detect --write` can make beside the tables.
WRITERS = ("overlay", "html", "cad-sr", "sr", "seg", "pr")


def main() -> None:
    """Run the command line: errors are one line on stderr, status 0, 2 (usage) or 3 (some inputs failed)."""
    try:
        app()
    except MammocalcError as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # To look for rubbish in all that is about to be given back takes as long as writing the tables.
        gc.freeze()


def _fail(message: str) -> NoReturn:
    print(f"mammocalc: error: {message}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def _version(wanted: bool) -> None:
    if wanted:
        from mammocalc import __version__

        print(f"mammocalc {__version__}")
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def detect(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", exists=True, help="Files and folders; folders are walked."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made if need be.")
    ],
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker processes; one a processor unless given.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Of the tables.")] = Format.parquet,
    write: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="What else to write, comma-separated, or none: overlay, a picture an image; html, a page a study for "
            "a browser, and an index; cad-sr, a Mammography CAD SR a study; sr, seg, pr: a DICOM measurement report, "
            "segmentation and presentation state an image. "
            "DICOM objects, and with cad-sr the ledger in DIR, hold the patient's name and number as the images do.",
        ),
    ] = "overlay",
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Changes to the labelling rules (TOML).")
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Parameters (TOML); see `mammocalc info --parameters`."),
    ] = None,
    pixel_spacing: Annotated[
        float | None, typer.Option(metavar="MM", help="Pixel spacing in mm of images that do not state it.")
    ] = None,
    existing: Annotated[
        Existing, typer.Option(help="Inputs done already: skip them, redo them, or stop with an error.")
    ] = Existing.skip,
    min_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Lowest detection score to report; 0 reports every candidate."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N inputs.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only part I of N of the inputs, 1 to N, for array jobs."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on a Dask cluster, e.g. tcp://host:8786.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what happens as JSON lines.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only list what would be read, and why the rest would be skipped."),
    ] = False,
    hash_paths: Annotated[
        bool, typer.Option("--hash-paths", help="Write a hash of each path in place of the path.")
    ] = False,
    image_seconds: Annotated[
        float, typer.Option(metavar="S", help="Longest time for one image; longer costs it its row.")
    ] = 300.0,
    worker_megabytes: Annotated[
        int, typer.Option(metavar="MB", help="Most memory of a worker process; more costs an image its row.")
    ] = 6000,
    file_megabytes: Annotated[
        int, typer.Option(metavar="MB", help="Largest file that is read; a larger one is a failure.")
    ] = 8192,
    file_frames: Annotated[
        int, typer.Option(metavar="N", help="Most frames that a file may declare.")
    ] = 1000,
    frame_megapixels: Annotated[
        float, typer.Option(metavar="N", help="Most pixels that a frame may declare, in millions.")
    ] = 120.0,
    inflated_megabytes: Annotated[
        int, typer.Option(metavar="MB", help="What a deflated file may inflate to.")
    ] = 1024,
    timings: Annotated[
        bool, typer.Option("--timings", help="Print the time of each stage at the end.")
    ] = False,
) -> None:
    """Find and label the calcifications of mammograms: DICOM, or PNG, TIFF, PGM with --pixel-spacing.

    Leaves the tables images, calcifications and clusters, run.json and one overlay picture an image in DIR. Exit
    status: 0 all inputs were read or skipped, 3 some failed (each has its row and reason) or something that was to
    be written of them could not be made (the reasons are listed), 2 usage.
    """
    wanted = _writers(write)
    part = _shard(shard)
    bar = _ProgressBar()
    try:
        if not dry_run and scheduler is None:
            _launch_worker_ahead(paths, out, jobs)
            _announce_compilation()
        from mammocalc.batch import BatchLimits, detect_folder
        from mammocalc.read import ReadLimits

        summary = detect_folder(
            paths,
            out,
            jobs=jobs,
            format=format.value,
            write=wanted,
            rules=rules,
            parameters=parameters,
            pixel_spacing_mm=pixel_spacing,
            existing=existing.value,
            min_score=min_score,
            limit=limit,
            shard=part,
            scheduler=scheduler,
            log=log,
            dry_run=dry_run,
            hash_paths=hash_paths,
            limits=BatchLimits(
                image_seconds,
                worker_megabytes,
                ReadLimits(file_megabytes, frame_megapixels, file_frames, inflated_megabytes),
            ),
            progress=bar.show,
        )
    except KeyboardInterrupt:
        # Once is enough: whoever presses the keys again does not mean to tear the farewell apart.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        bar.close()
        print(
            f"mammocalc: stopped; what is finished is kept in {out}: run the same command again to go on",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None
    finally:
        bar.close()
        _end_worker_ahead()
    if dry_run:
        _print_plan(summary)
    else:
        _print_summary(summary, timings)
    raise typer.Exit(SOME_INPUTS_FAILED if summary.failed or summary.unwritten_reasons else 0)


def _writers(listed: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(word.strip() for word in listed.split(",") if word.strip()))
    if wanted == ("none",):
        return ()
    for word in wanted:
        if word not in WRITERS:
            raise typer.BadParameter(
                f"{word!r} cannot be written; there is: {', '.join(WRITERS)}, or none", param_hint="--write"
            )
    return wanted


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    part, slash, parts = text.partition("/")
    if not (slash and part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise typer.BadParameter(f"{text!r} is not I/N with I from 1 to N", param_hint="--shard")
    return int(part), int(parts)


def _announce_compilation() -> None:
    from mammocalc.warm_up import is_first_run

    if is_first_run():
        print("compiling kernels (first run only) ...", file=sys.stderr, flush=True)


def _launch_worker_ahead(paths: list[Path], out: Path, jobs: int | None) -> None:
    """Have the first worker get ready beside this process, but not where all may have been done already."""
    if os.name == "posix" and not out.exists():
        from mammocalc.batch.launch import launch_ahead, processes_and_threads

        launch_ahead(processes_and_threads(jobs, paths)[1])


def _end_worker_ahead() -> None:
    if "mammocalc.batch.launch" in sys.modules:
        from mammocalc.batch.launch import end_ahead

        end_ahead()


class _ProgressBar:
    """Inputs done, with rate, time left and failures so far; silent where stderr is not a terminal."""

    _FORMAT = "{percentage:3.0f} % |{bar}| {n_fmt} of {total_fmt} inputs, {remaining} left{postfix}"

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar: tqdm[NoReturn] = tqdm(
            desc="looking for inputs ...",
            bar_format="{desc}",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
            smoothing=0,
            miniters=0,
        )

    def show(self, done: int, inputs: int, failed: int, rate: float) -> None:
        """Take note of the state of a run; `rate` is in images per second."""
        bar = self._bar
        if bar.disable:
            return
        begins = bar.total is None
        bar.total = inputs
        bar.bar_format = self._FORMAT
        if rate == 0:
            # Nothing but what an earlier run has done, which says nothing of the time that is left.
            bar.initial, bar.start_t = done, time.time()
        bar.set_postfix_str(f"{60 * rate:.0f} images/min, {failed} failed", refresh=False)
        bar.update(done - bar.n)
        if begins:
            # However soon after the line it replaces; later ones come ten a second at most.
            bar.refresh()

    def close(self) -> None:
        """Clear the line."""
        self._bar.close()


def _print_summary(summary: BatchSummary, timings: bool) -> None:
    counts = [f"{summary.ok} ok", f"{summary.skipped} skipped", f"{summary.failed} failed"]
    if summary.resumed:
        counts.append(f"{summary.resumed} of them done before")
    print(f"images          {summary.images} ({', '.join(counts)})")
    print(f"calcifications  {summary.calcifications}")
    for label, count in sorted(summary.labels.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"  {label:24}{count:6}")
    print(f"clusters        {summary.clusters}")
    print(f"time            {summary.seconds:.1f} s")
    for status, reasons in (
        ("skipped", summary.skipped_reasons),
        ("failed", summary.failed_reasons),
        ("unwritten", summary.unwritten_reasons),
    ):
        for reason, count in reasons.items():
            print(f"{status:8}{count:6}  {reason}")
    if timings:
        _print_timings(summary)
    print(f"results in      {summary.out}")


def _print_plan(summary: BatchSummary) -> None:
    for planned in summary.planned:
        frames = f", {planned.frames} frames" if planned.frames > 1 else ""
        verdict = "would be read" if planned.status == "ok" else f"{planned.status}: {planned.reason}"
        print(f"{_on_one_line(planned.name)}: {verdict}{frames}")
    searched = sum(planned.status == "ok" for planned in summary.planned)
    print(f"{searched} of {len(summary.planned)} inputs would be read")


def _on_one_line(name: str) -> str:
    """A file name as it can be shown: line ends, commands to the terminal and bytes that are no text are spelt out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name
    )


def _print_timings(summary: BatchSummary) -> None:
    total = sum(summary.stage_ms.values())
    print("stage         ms an image   share")
    for stage, milliseconds in summary.stage_ms.items():
        print(f"{stage:12}{milliseconds:13.1f}{100 * milliseconds / total:7.0f} %")


@app.command()
def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="The --out folders of the parts of a run with --shard."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the tables; the first DIR unless given."),
    ] = None,
    format: Annotated[Format, typer.Option(help="Of the tables.")] = Format.parquet,
) -> None:
    """Join the parts of a run that was made with --shard into the tables of one run."""
    from mammocalc.batch import merge as join

    summary = join(sources, out, format=format.value)
    _print_summary(summary, timings=False)
    raise typer.Exit(SOME_INPUTS_FAILED if summary.failed or summary.unwritten_reasons else 0)


@app.command()
def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of a run.")],
    calcification_id: Annotated[int, typer.Argument(metavar="ID", help="calcification_id, counted from 1.")],
    image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE", help="Path (or its end) or SOP Instance UID, where the run has several."
        ),
    ] = "",
    frame: Annotated[
        int, typer.Option(min=0, metavar="N", help="Frame of a multi-frame image, 0-based.")
    ] = 0,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that `detect` was given; looked for in and below the current one unless given.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Where the close-up goes; into DIR/closeups unless given."),
    ] = None,
) -> None:
    """Say why a calcification has its label: the rule, each condition with its measured value and threshold.

    Where the image is at hand, a close-up is written too, with axis, calibre and rim drawn on it.
    """
    from mammocalc.write.closeup import closeup_name, find_image
    from mammocalc.write.explained import stored_calcification

    stored = stored_calcification(folder, calcification_id, image, frame)
    print(stored.text)
    file = find_image(stored.path, [source] if source else [Path(), folder.absolute().parent])
    if file is None:
        where = source or "or below the current folder"
        print(f"no picture: {stored.path} is not in {where}; --source FOLDER says where the images are")
        return
    target = picture or folder / "closeups" / closeup_name(stored.path, calcification_id, frame)
    print(f"picture: {_draw_stored(stored, calcification_id, file, frame, target)}")


def _draw_stored(
    stored: StoredCalcification, calcification_id: int, file: Path, frame: int, target: Path
) -> Path:
    """Search the image again as the run did, and draw the calcification."""
    from mammocalc.errors import InvalidParameter
    from mammocalc.pipeline import detect as search
    from mammocalc.write.closeup import write_closeup

    findings = search(
        file,
        parameters=stored.parameters,
        rules=stored.lexicon,
        pixel_spacing_mm=stored.pixel_spacing_mm,
        frame=frame,
    )
    columns = findings.measurements.columns
    k = calcification_id - 1
    if (
        k >= len(findings)
        or max(abs(columns["row"][k] - stored.row), abs(columns["col"][k] - stored.col)) > 0.5
    ):
        raise InvalidParameter(
            f"{file}: calcification {calcification_id} is not where the run found it; another image or version?"
        )
    return write_closeup(findings, calcification_id, target)


@app.command()
def rules(
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check a file of changes, and print the rules that result."),
    ] = None,
) -> None:
    """Print the labelling rules with every threshold and source."""
    from mammocalc.classify import describe, load_lexicon

    lexicon = load_lexicon(check)
    if check is not None:
        print(f"{check}: valid; {_changes(load_lexicon(), lexicon)}\n")
    print(describe(lexicon))


def _changes(before: Lexicon, after: Lexicon) -> str:
    """How many thresholds and rules differ, in words."""
    counts = {
        "thresholds": _differing(before.thresholds, after.thresholds),
        "rules": _differing(
            {rule.name: rule for rule in (*before.rules, *before.cluster_rules)},
            {rule.name: rule for rule in (*after.rules, *after.cluster_rules)},
        ),
    }
    return ", ".join(f"{name} that differ from the built-in ones: {count}" for name, count in counts.items())


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    return sum(before.get(name) != after.get(name) for name in {*before, *after})


class Size(StrEnum):
    """Of a phantom."""

    small = "small"
    full = "full"


@app.command()
def phantom(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if need be.")],
    count: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Make N phantoms; unless given, the sample images are made again."
        ),
    ] = None,
    scene: Annotated[str, typer.Option(metavar="NAME", help="What is drawn, e.g. mixed, normal.")] = "mixed",
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the first; the next have the next.")
    ] = 0,
    size: Annotated[Size, typer.Option(help="A small breast or a full field.")] = Size.small,
) -> None:
    """Make synthetic mammograms (DICOM) with the exact truth of every calcification beside them (JSON)."""
    from mammocalc.phantom import SCENES, write_phantoms, write_samples

    if scene not in SCENES:
        raise typer.BadParameter(f"{scene!r} is not one of: {', '.join(SCENES)}", param_hint="--scene")
    if count is None:
        files = write_samples(out)
    else:
        files = write_phantoms(out, range(seed, seed + count), scene, size=size.value)
    print(f"{len(files)} synthetic mammograms in {out}, each with its truth in a .truth.json")


@app.command()
def evaluate(
    findings: Annotated[
        Path,
        typer.Argument(
            metavar="FINDINGS",
            exists=True,
            file_okay=False,
            help="The --out folder of a run; with `detect --min-score 0` the curves are whole.",
        ),
    ],
    truth: Annotated[
        Path,
        typer.Argument(metavar="TRUTH", exists=True, file_okay=False, help="Folder of the data set's truth."),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="phantom, inbreast, cbis-ddsm, vindr, embed, cmmd, mini-mias or own-table; told from the files "
            "unless given.",
        ),
    ] = None,
    operating_point: Annotated[
        float, typer.Option(min=0, max=1, metavar="SCORE", help="From this score on, marks count as shown.")
    ] = 0.5,
    resamples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Bootstrap samples of patients for the intervals.")
    ] = 1000,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all figures as JSON.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the curves and the score's reliability (PNG).")
    ] = None,
) -> None:
    """Hold findings against a known truth: sensitivity at false marks per image and per cm2, by label and size."""
    from json import dumps

    from mammocalc.evaluate import evaluate_run

    result = evaluate_run(findings, truth, dataset, operating_point=operating_point, resamples=resamples)
    print(result.as_text())
    if json is not None:
        json.write_text(dumps(result.as_dict(), indent=1) + "\n", encoding="utf-8")
    if plot is not None:
        result.plot(plot)


@app.command()
def info(
    warm_up: Annotated[
        bool, typer.Option("--warm-up", help="Compile all kernels now, so that the first image is not slow.")
    ] = False,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="Print the default parameters as a file for --parameters.")
    ] = False,
) -> None:
    """Print versions, processors and the state of the compiled kernels."""
    if parameters:
        from mammocalc.parameters import Parameters

        print(Parameters().as_toml(), end="")
        return
    if warm_up:
        from mammocalc.batch.compile_ahead import compile_ahead

        print("compiling kernels ...", file=sys.stderr, flush=True)
        print(f"compiled and kept on disk in {compile_ahead():.1f} s")
        return
    from mammocalc import __version__
    from mammocalc.warm_up import kernel_cache
    from mammocalc.write.manifest import dependency_versions, machine

    cache = kernel_cache()
    facts = {
        "mammocalc": __version__,
        **dependency_versions(),
        **{name: str(value) for name, value in machine().items()},
        "kernels compiled": "all" if cache.is_complete else "not all yet",
        "kernel cache": f"{cache.megabytes:.1f} MB in {cache.folder}",
    }
    for name, value in facts.items():
        print(f"{name:24} {value or 'not installed'}")
    print(NOTICE)
