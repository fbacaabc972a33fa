"""A run over a folder: every input accounted for, the same tables however it was made."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from mammocalc.batch import BatchLimits, crew, guarded, run, work
from mammocalc.errors import InvalidParameter, MammocalcError

ROWS = [
    ("a/1", 0, "ok"),
    ("a/2.dcm", 0, "ok"),
    ("a/deep/3", 0, "skipped"),
    ("b/1", 0, "ok"),
    *[("b/tomo", frame, "failed" if frame == 3 else "ok") for frame in range(5)],
    ("b.txt", 0, "skipped"),
    ("c/empty", 0, "failed"),
    ("c/none", 0, "failed"),
    ("d", 0, "failed"),
]


def test_every_input_has_its_rows_in_order(detect, mixed, tmp_path):
    out = tmp_path / "out"
    summary = detect(mixed, out, jobs=2)
    images = pd.read_parquet(out / "images.parquet")
    assert list(images[["path", "frame", "status"]].itertuples(index=False, name=None)) == ROWS
    assert images.query("status == 'ok'").reason.eq("").all()
    assert images.query("status != 'ok'").reason.ne("").all()
    assert (summary.inputs, summary.images, summary.ok, summary.skipped, summary.failed) == (9, 13, 7, 2, 4)
    assert summary.failed_reasons == {
        "a stub that cannot be read": 2,
        "an empty file (0 bytes)": 1,
        "nothing there": 1,
    }
    calcifications = pd.read_parquet(out / "calcifications.parquet")
    assert len(calcifications) == summary.calcifications == 3 + 700 + 4 * 2
    assert calcifications.label.value_counts().to_dict() == dict(summary.labels)
    assert summary.clusters == len(pd.read_parquet(out / "clusters.parquet")) == 7


def test_the_manifest_adds_up(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "run.json").read_text())
    counts = manifest["counts"]
    assert counts["inputs"] == 9
    assert counts["further_frames"] == 4
    assert (
        sum(counts["images"].values()) == counts["rows"] == 13 == counts["inputs"] + counts["further_frames"]
    )
    assert sum(counts["calcifications"].values()) == 711
    assert sum(manifest["reasons"]["failed"].values()) == counts["images"]["failed"]
    assert manifest["parameters"]
    assert manifest["rules"]


def test_measured_time_is_beside_the_tables(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out" / "images.parquet").seconds.isna().all()
    timings = pd.read_csv(tmp_path / "out" / "timings.csv")
    assert timings.path.tolist() == ["a/1", "a/2.dcm", "b/1", *["b/tomo"] * 4]
    assert (timings.seconds > 0).all()
    assert (timings.prepare_ms == 1).all()


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_same_bytes_for_any_number_of_jobs(detect, detect_in_processes, mixed, tmp_path, tables, format):
    detect(mixed, tmp_path / "threads", format=format)
    for jobs in (1, 4):
        detect_in_processes(mixed, tmp_path / f"{jobs}", jobs=jobs, format=format)
        assert tables(tmp_path / f"{jobs}") == tables(tmp_path / "threads")


def test_the_same_bytes_from_an_executor_of_processes(
    detect, detect_on, mixed, tmp_path, tables, stub_executor
):
    detect(mixed, tmp_path / "one")
    with stub_executor() as executor:
        summary = detect_on(mixed, tmp_path / "other", executor=executor)
    assert summary.images == 13
    assert tables(tmp_path / "one") == tables(tmp_path / "other")


def test_what_a_file_does_to_a_worker_of_an_executor_costs_its_own_row(
    detect_on, folder, tmp_path, guarded_stubs
):
    """The executor itself, here threads of this process, does not notice."""
    files = {f"f{i}": "stub" for i in range(8)}
    files |= {"crash": "stub crash", "exit": "stub exit", "hang": "stub hang", "memory": "stub memory=4000"}
    limits = BatchLimits(image_seconds=2.0, worker_megabytes=3000)
    with ThreadPoolExecutor(2) as executor:
        summary = detect_on(folder(files), tmp_path / "out", executor=executor, limits=limits)
    assert summary.ok == 8
    assert summary.failed_reasons == {
        "its worker process crashed (SIGSEGV)": 1,
        "its worker process ended (status 7)": 1,
        "it took longer than the limit of 2 s": 1,
        "not enough memory to search it": 1,
    }
    assert guarded._idle == {}


def test_an_executor_that_breaks_is_named_and_the_run_goes_on_without_it(
    detect_on, detect_in_processes, folder, tmp_path, tables, stub_executor
):
    inputs = folder({f"f{i:02}": "stub sleep=0.05" for i in range(30)})
    with stub_executor() as executor:

        def progress(done, total, failed, rate):
            for process in executor._processes.values():
                process.kill()

        with pytest.raises(
            MammocalcError, match=r"executor stopped working \(BrokenProcessPool\).*run the same"
        ):
            detect_on(inputs, tmp_path / "out", executor=executor, progress=progress)
    summary = detect_in_processes(inputs, tmp_path / "out")
    assert (summary.ok, summary.failed) == (30, 0)
    assert 1 <= summary.resumed < 30


def test_workers_without_mammocalc_or_with_another_version_end_the_run(
    detect_on, mixed, tmp_path, monkeypatch
):
    """Their results would be failures of every input, or those of another version."""

    def missing(task, settings):
        raise ModuleNotFoundError("No module named 'mammocalc'", name="mammocalc")

    def older(task, settings):
        return work.search(task, b"0.0.1\n" + settings.partition(b"\n")[2])

    for search, message in ((missing, "cannot import mammocalc: install"), (older, r"the run .* by 0\.0\.1")):
        monkeypatch.setattr(crew, "search_guarded", search)
        with ThreadPoolExecutor(1) as executor, pytest.raises(MammocalcError, match=message):
            detect_on(mixed, tmp_path / "out", executor=executor)
    assert not (tmp_path / "out" / "images.parquet").exists()


def test_a_second_run_does_nothing_again(detect, mixed, tmp_path, tables, monkeypatch):
    detect(mixed, tmp_path / "out")
    before = tables(tmp_path / "out")
    monkeypatch.setattr(run, "ExecutorCrew", None)
    assert detect(mixed, tmp_path / "out").resumed == 13
    assert tables(tmp_path / "out") == before


def test_only_what_changed_is_done_again(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    (mixed / "a" / "1").write_bytes(b"stub n=9\n")
    (mixed / "new").write_bytes(b"stub\n")
    (mixed / "a" / "2.dcm").unlink()
    summary = detect(mixed, tmp_path / "out")
    assert (summary.inputs, summary.resumed) == (9, 11)
    images = pd.read_parquet(tmp_path / "out" / "images.parquet").set_index("path")
    assert images.loc["a/1", "n_calcifications"] == 9
    assert "a/2.dcm" not in images.index


def test_the_same_content_at_another_time_is_not_searched_again(detect, mixed, tmp_path, tables):
    detect(mixed, tmp_path / "out")
    before = tables(tmp_path / "out")
    for path in mixed.rglob("*"):
        os.utime(path, (1, 1))
    log = tmp_path / "log"
    assert detect(mixed, tmp_path / "out", log=log).resumed == 13
    assert "image" not in {json.loads(line)["event"] for line in log.read_text().splitlines()}
    assert tables(tmp_path / "out") == before


def test_changed_content_of_the_same_size_is_noticed(detect, folder, tmp_path):
    inputs = folder({"a": "stub n=3"})
    detect(inputs, tmp_path / "out")
    (inputs / "a").write_bytes((inputs / "a").read_bytes().replace(b"n=3", b"n=4"))
    os.utime(inputs / "a")
    assert detect(inputs, tmp_path / "out").calcifications == 4


def test_a_folder_of_the_same_names_sizes_and_times_is_not_taken_for_the_first(detect, folder, tmp_path):
    """As archives leave them: images of one size, all of one time."""
    for number in (3, 4):
        inputs = folder({"1.dcm": f"stub n={number}"}, name=f"patient{number}")
        os.utime(inputs / "1.dcm", (0, 0))
        assert detect(inputs, tmp_path / "out").calcifications == number
    (inputs / "1.dcm").touch()
    assert detect(inputs, tmp_path / "out").resumed == 1


def test_other_parameters_are_other_results(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    assert detect(mixed, tmp_path / "out", min_score=0.77).resumed == 0
    assert detect(mixed, tmp_path / "out", min_score=0.77).resumed == 13
    assert detect(mixed, tmp_path / "out", min_score=0.77, pixel_spacing_mm=0.1).resumed == 0


def test_failures_by_accident_are_tried_again(detect_in_processes, folder, tmp_path):
    inputs = folder({"hang": "stub hang", "fail": "stub fail", "ok": "stub"})
    limits = BatchLimits(image_seconds=1.0)
    assert detect_in_processes(inputs, tmp_path / "out", limits=limits).failed == 2
    assert detect_in_processes(inputs, tmp_path / "out", limits=limits).resumed == 2


@pytest.mark.parametrize("frame", [0, 2])
def test_a_frame_that_crashes_costs_no_other_frame(detect_in_processes, folder, tmp_path, frame):
    inputs = folder({"tomo": f"stub frames=4 crash{frame} n=3", "z": "stub n=1"})
    calls = []
    summary = detect_in_processes(inputs, tmp_path / "out", progress=lambda *now: calls.append(now[:3]))
    assert (summary.inputs, summary.images, summary.ok) == (2, 5, 4)
    images = pd.read_parquet(tmp_path / "out" / "images.parquet").set_index(["path", "frame"])
    assert images.status[images.status == "failed"].index.tolist() == [("tomo", frame)]
    assert images.reason["tomo", frame] == "its worker process crashed (SIGSEGV)"
    assert calls[-1] == (2, 2, 1)
    assert detect_in_processes(inputs, tmp_path / "out").resumed == 4


def test_what_ends_a_worker_is_not_looked_at_by_the_run_itself(
    detect_in_processes, folder, tmp_path, monkeypatch
):
    """A header may be what did it, and pages and reports of a study have to know what it says."""

    def fatal(*arguments, **options):
        raise SystemExit("the run itself has parsed a header")

    monkeypatch.setattr("mammocalc.batch.artefacts._source", fatal)
    inputs = folder({"crash": "stub crash", "tomo": "stub frames=3 crash0 crash1 crash2"})
    summary = detect_in_processes(inputs, tmp_path / "out", write=("html", "cad-sr"))
    assert summary.failed_reasons == {"its worker process crashed (SIGSEGV)": 4}


def test_redo_and_error(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    assert detect(mixed, tmp_path / "out", existing="redo").resumed == 0
    with pytest.raises(InvalidParameter, match="holds results already"):
        detect(mixed, tmp_path / "out", existing="error")
    assert detect(mixed, tmp_path / "fresh", existing="error").images == 13


def pretend_it_was_made_by_an_older_version(out):
    for file in (out / "ledger").glob("inputs*.jsonl"):
        head, _, names = file.read_text().partition("\n")
        file.write_text(json.dumps({**json.loads(head), "version": "0.0.1"}) + "\n" + names)
    for manifest in out.rglob("run.json"):
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "0.0.1"}))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("finished", [True, False])
def test_an_output_of_another_version_is_left_alone(detect, mixed, tmp_path, finished):
    out = tmp_path / "out"
    detect(mixed, out)
    if not finished:
        (out / "run.json").unlink()
        for table in out.glob("*.parquet"):
            table.unlink()
    pretend_it_was_made_by_an_older_version(out)
    before = contents(out)
    with pytest.raises(InvalidParameter, match=r"written by mammocalc 0\.0\.1, .*--existing redo"):
        detect(mixed, out)
    assert contents(out) == before
    detect(mixed, out, existing="redo")
    assert detect(mixed, out).resumed == 13


def test_a_redo_of_an_older_version_that_was_stopped_goes_on(detect, mixed, tmp_path):
    out = tmp_path / "out"
    detect(mixed, out)
    pretend_it_was_made_by_an_older_version(out)

    def stop(done, total, failed, rate):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect(mixed, out, existing="redo", progress=stop)
    assert json.loads((out / "run.json").read_text())["version"] == "0.0.1"
    assert detect(mixed, out).images == 13


def test_tables_of_somebody_else_are_left_alone(detect, mixed, tmp_path):
    for name in ("images.csv", "clusters.parquet"):
        out = tmp_path / name
        out.mkdir()
        (out / name).write_text("mine")
        for existing in ("skip", "redo", "error"):
            with pytest.raises(InvalidParameter, match=f"holds a file {name} that is not of an earlier run"):
                detect(mixed, out, existing=existing)
        assert contents(out) == {out / name: b"mine"}


def test_a_damaged_manifest_is_named_where_nothing_else_tells_the_version(detect, mixed, tmp_path, tables):
    out = tmp_path / "out"
    detect(mixed, out)
    before = tables(out)
    (out / "run.json").write_text("{")
    (out / "ledger" / "inputs.jsonl").unlink()
    with pytest.raises(InvalidParameter, match=r"run\.json: cannot be read"):
        detect(mixed, out)
    detect(mixed, out, existing="redo")
    (out / "run.json").write_text("{")
    assert detect(mixed, out).resumed == 13
    assert json.loads((out / "run.json").read_text())["counts"]["rows"] == 13
    assert tables(out) == before


def test_the_other_format_replaces_the_tables(detect, mixed, tmp_path, tables):
    detect(mixed, tmp_path / "out")
    detect(mixed, tmp_path / "out", format="csv")
    assert set(tables(tmp_path / "out")) == {"images.csv", "calcifications.csv", "clusters.csv"}


def test_files_that_vanish_get_a_row(detect, folder, tmp_path):
    inputs = folder({f"f{i:02}": "stub sleep=0.05" for i in range(20)})

    def progress(done, total, failed, rate):
        (inputs / "f19").unlink(missing_ok=True)

    summary = detect(inputs, tmp_path / "out", jobs=1, progress=progress)
    assert (summary.ok, summary.failed_reasons) == (19, {"no such file": 1})


def test_a_file_that_changes_while_it_is_read_is_no_result(detect, folder, tmp_path, monkeypatch):
    import mammocalc.read

    inputs = folder({"a": "stub n=3", "b": "stub n=2"})
    reading = mammocalc.read.read

    def meddle(path, **options):
        image = reading(path, **options)
        if path.endswith("a") and (inputs / "a").stat().st_size < 50:
            (inputs / "a").write_bytes(b"stub n=9\n" + bytes(100))
        return image

    monkeypatch.setattr(mammocalc.read, "read", meddle)
    summary = detect(inputs, tmp_path / "out")
    assert summary.failed_reasons == {"the file cannot be read (it changed while it was read)": 1}
    assert detect(inputs, tmp_path / "out").calcifications == 9 + 2


def test_a_disk_that_fails_for_once_is_asked_again(detect, folder, tmp_path, monkeypatch):
    import mammocalc.read.reader as reader

    inputs = folder({"a.dcm": b"\0" * 128 + b"DICM"})
    with monkeypatch.context() as broken:

        def fail(path):
            raise OSError(5, "Input/output error")

        broken.setattr(reader, "_open_file", fail)
        summary = detect(inputs, tmp_path / "out")
        assert summary.failed_reasons == {"the file cannot be read (Input/output error)": 1}
    again = detect(inputs, tmp_path / "out")
    assert again.resumed == 0
    assert again.failed_reasons == {"the file ends inside its header: it is cut short": 1}
    assert detect(inputs, tmp_path / "out").resumed == 1


def test_names_of_any_bytes_and_equal_names(detect, folder, tmp_path):
    inputs = folder({"x/same": "stub n=1", "y/same": "stub n=2", "new\nline,comma": "stub n=3"})
    (inputs / os.fsdecode(b"not\xffutf8")).write_bytes(b"stub n=4\n")
    for format, read in (("parquet", pd.read_parquet), ("csv", pd.read_csv)):
        detect(inputs, tmp_path / "out", format=format)
        images = read(tmp_path / "out" / f"images.{format}").set_index("path")
        assert images.n_calcifications.to_dict() == {
            "x/same": 1,
            "y/same": 2,
            "new\nline,comma": 3,
            "not\\xffutf8": 4,
        }


def test_links_and_empty_folders(detect, folder, tmp_path):
    inputs = folder({"a": "stub"})
    (inputs / "loop").symlink_to(inputs)
    (inputs / "gone").symlink_to("nowhere")
    summary = detect(inputs, tmp_path / "out")
    assert (summary.ok, summary.skipped, summary.failed) == (1, 1, 1)
    (tmp_path / "nothing").mkdir()
    assert detect(tmp_path / "nothing", tmp_path / "out2").images == 0
    assert len(pd.read_parquet(tmp_path / "out2" / "images.parquet")) == 0


def test_progress_counts_to_the_end(detect, mixed, tmp_path):
    calls = []
    detect(mixed, tmp_path / "out", progress=lambda *now: calls.append(now))
    assert len(calls) == 14
    assert [done for done, *_ in calls] == sorted(done for done, *_ in calls)
    assert calls[-1][:3] == (9, 9, 4)
    assert calls[-1][3] > 0


def test_limit(detect, mixed, tmp_path):
    summary = detect(mixed, tmp_path / "out", limit=3)
    assert summary.inputs == 3
    assert pd.read_parquet(tmp_path / "out" / "images.parquet").path.tolist() == [
        "a/1",
        "a/2.dcm",
        "a/deep/3",
    ]


def test_dry_run_says_what_would_be_done_and_writes_nothing(detect, mixed, tmp_path):
    seen = []
    summary = detect(
        mixed,
        tmp_path / "out",
        dry_run=True,
        log=tmp_path / "log",
        progress=lambda *now: seen.append(now[:3]),
    )
    assert seen[-1] == (9, 9, 1)
    assert len(seen) == 9
    assert [(plan.name, plan.status, plan.frames) for plan in summary.planned if plan.status != "ok"] == [
        ("b.txt", "skipped", 1),
        ("c/empty", "failed", 1),
    ]
    assert {plan.name: plan.frames for plan in summary.planned}["b/tomo"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["inputs"]


def test_what_a_run_writes_among_its_inputs_is_no_input(detect, mixed, tables):
    out, log = mixed / "findings", mixed / "log.jsonl"
    assert detect(mixed, out, log=log).inputs == 9
    before = tables(out)
    assert detect(mixed, out, log=log).inputs == 9
    assert tables(out) == before


def test_log(detect, mixed, tmp_path):
    log = tmp_path / "logs" / "log.jsonl"
    detect(mixed, tmp_path / "out", log=log)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", *["image"] * 13, "end"]
    images = [event for event in events if event["event"] == "image"]
    assert sorted((e["path"], e["frame"], e["status"]) for e in images) == sorted(ROWS)
    assert events[-1]["failed"] == 4


def test_a_line_of_the_log_that_was_torn_is_ended(detect, folder, tmp_path):
    """By a kill or a full disk, in the middle of a line."""
    log = tmp_path / "log.jsonl"
    log.write_text('{"time": "now", "ev')
    detect(folder({"a": "stub"}), tmp_path / "out", log=log)
    torn, *lines = log.read_text().splitlines()
    assert torn == '{"time": "now", "ev'
    assert [json.loads(line)["event"] for line in lines] == ["start", "image", "end"]


def test_a_log_that_cannot_be_written_is_named(detect, folder, tmp_path):
    inputs = folder({"a": "stub"})
    for log, why in ((tmp_path, "Is a directory"), (inputs / "a" / "log", "File exists")):
        with pytest.raises(MammocalcError, match=rf"the log {log} cannot be written \({why}\)"):
            detect(inputs, tmp_path / "out", log=log)
    if os.path.exists("/dev/full"):  # noqa: PTH110
        with pytest.raises(MammocalcError, match=r"the log /dev/full cannot be written \(No space left"):
            detect(inputs, tmp_path / "out", log="/dev/full")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xlsx"}, "format: 'xlsx' is not one of"),
        ({"write": ("movie",)}, "write: 'movie' is not one of"),
        ({"existing": "maybe"}, "existing: 'maybe' is not one of"),
        ({"jobs": 0}, "jobs: 0 is less than 1"),
        ({"limit": 0}, "limit: 0 is less than 1"),
        ({"shard": (3, 2)}, "shard: part 3 of 2"),
        ({"pixel_spacing_mm": 7.0}, "pixel_spacing_mm: 7.0 is outside"),
        ({"scheduler": "tcp://x"}, "give one of them"),
    ],
)
def test_wrong_choices(detect, mixed, tmp_path, options, message):
    with pytest.raises(InvalidParameter, match=message):
        detect(mixed, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_missing_inputs(detect, tmp_path):
    with pytest.raises(InvalidParameter, match="no such file or folder"):
        detect(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InvalidParameter, match="no input is given"):
        detect([], tmp_path / "out")


def test_time_spent_does_not_count_what_was_resumed(detect, mixed, tmp_path):
    detect(mixed, tmp_path / "out")
    rates = []
    detect(mixed, tmp_path / "out", progress=lambda done, total, failed, rate: rates.append(rate))
    assert rates == [0.0] * 14
