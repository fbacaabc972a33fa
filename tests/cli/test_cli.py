"""The command line, as a user meets it: exit status, one clear line an error, results, and no patient data anywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from mammocalc import cli
from mammocalc.write.tables import read_tables

PLANTED = {
    "PatientName": "PLANTEDNAME^Grace",
    "PatientID": "PLANTEDID-4711",
    "PatientBirthDate": "19370823",
    "AccessionNumber": "PLANTEDACC99",
    "OtherPatientIDs": "PLANTEDOTHER",
    "ReferringPhysicianName": "PLANTEDDOCTOR",
    "InstitutionName": "PLANTEDCLINIC",
}


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process; gives status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mammocalc", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def folder(make_findings, tmp_path_factory):
    """Two images of one patient, one cut short after its header, and a note."""
    import pydicom

    from mammocalc.write.dicom import write_mammogram

    folder = tmp_path_factory.mktemp("exam")
    write_mammogram(make_findings().mammogram, folder / "left.dcm", transfer_syntax="native")
    image = pydicom.dcmread(folder / "left.dcm")
    for keyword, value in PLANTED.items():
        setattr(image, keyword, value)
    image.save_as(folder / "left.dcm")
    whole = (folder / "left.dcm").read_bytes()
    assert b"PLANTEDNAME" in whole
    (folder / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "note.txt").write_text("PLANTEDNOTE")
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A finished run over the folder: its output and what it printed."""
    out = tmp_path_factory.mktemp("out")
    arguments = [
        "detect",
        str(folder),
        "--out",
        str(out),
        "--jobs",
        "1",
        "--timings",
        "--log",
        str(out / "log.jsonl"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from mammocalc.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
    )
    return out, done


def test_some_failures_give_status_3_and_a_row_with_the_reason(finished):
    out, done = finished
    assert done.returncode == 3, done.stderr
    images = read_tables(out)["images"].set_index("path")
    assert images["status"].to_dict() == {"left.dcm": "ok", "cut.dcm": "failed", "note.txt": "skipped"}
    assert images.loc["cut.dcm", "reason"]
    assert "Traceback" not in done.stdout + done.stderr


def test_the_summary_counts_images_labels_clusters_and_time(finished):
    out, done = finished
    tables = read_tables(out)
    assert "images          3 (1 ok, 1 skipped, 1 failed)" in done.stdout
    assert re.search(rf"^calcifications  {len(tables['calcifications'])}$", done.stdout, re.MULTILINE)
    for label, count in tables["calcifications"]["label"].value_counts().items():
        assert re.search(rf"^  {label} +{count}$", done.stdout, re.MULTILINE)
    assert re.search(rf"^clusters +{len(tables['clusters'])}$", done.stdout, re.MULTILINE)
    assert re.search(r"^time +[0-9.]+ s$", done.stdout, re.MULTILINE)
    assert re.search(r"^failed +1  \S", done.stdout, re.MULTILINE)


def test_timings_are_printed_by_stage(finished):
    lines = finished[1].stdout.splitlines()
    stages = [line.split() for line in lines[lines.index("stage         ms an image   share") + 1 :]]
    assert [stage[0] for stage in stages[:6]] == [
        "read",
        "prepare",
        "segment",
        "measure",
        "arrange",
        "classify",
    ]
    assert sum(float(stage[2]) for stage in stages[:6]) == pytest.approx(100, abs=4)


def test_nothing_is_drawn_where_stderr_is_no_terminal(finished):
    assert set(finished[1].stderr.splitlines()) <= {"compiling kernels (first run only) ..."}


def test_results_are_tables_manifest_and_a_picture_an_image(finished):
    out, _ = finished
    assert {"images.parquet", "calcifications.parquet", "clusters.parquet", "run.json"} <= {
        path.name for path in out.iterdir()
    }
    assert [path.name[:9] for path in (out / "overlays").iterdir()] == ["left.dcm-"]
    assert json.loads((out / "run.json").read_text())["counts"]["images"] == {
        "ok": 1,
        "skipped": 1,
        "failed": 1,
    }


def test_no_patient_data_appears_in_any_output(finished):
    out, done = finished
    written = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    written |= {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    tables = "".join(table.to_csv() for table in read_tables(out).values())
    written |= {"tables in plain text": tables.encode(), "names of files": "".join(written).encode()}
    assert len(written) > 8
    for where, content in written.items():
        for planted in (*PLANTED.values(), "PLANTED", "Grace"):
            for spelling in (planted.encode(), planted.encode("utf-16-le"), planted.split("^")[0].encode()):
                assert spelling.lower() not in content.lower(), f"{planted} in {where}"


def test_a_finished_run_explains_itself(finished, command):
    status, printed, _ = command("explain", finished[0], 1)
    first = read_tables(finished[0])["calcifications"].iloc[0]
    assert status == 0
    assert printed.startswith(f"calcification 1 of left.dcm, row {first['row']:.1f}")
    assert f"by the rule {first['rule']}" in printed


def test_an_explanation_draws_a_close_up_where_the_image_is_at_hand(finished, command, folder, tmp_path):
    import cv2

    target = tmp_path / "made" / "one.png"
    status, printed, _ = command("explain", finished[0], 1, "--source", folder, "--picture", target)
    assert (status, printed.splitlines()[-1]) == (0, f"picture: {target}")
    assert min(cv2.imread(str(target)).shape[:2]) > 500
    status, printed, _ = command("explain", finished[0], 1, "--source", folder)
    (written,) = (finished[0] / "closeups").iterdir()
    assert written.name.endswith("-calcification1.png")
    assert written.read_bytes() == target.read_bytes()


def test_an_explanation_says_where_it_looked_for_the_image(finished, command, tmp_path):
    status, printed, _ = command("explain", finished[0], 1, "--source", tmp_path)
    assert status == 0
    assert printed.splitlines()[-1].startswith(f"no picture: left.dcm is not in {tmp_path}; --source FOLDER")


def test_what_is_not_there_cannot_be_explained(finished, command, tmp_path):
    status, _, error = command("explain", finished[0], 999)
    assert status == 2
    assert re.fullmatch(r"mammocalc: error: there is no calcification 999 in left\.dcm; .*\n", error)
    status, _, error = command("explain", tmp_path, 1)
    assert (status, error.count("\n")) == (2, 1)
    assert "no run.json; is it the --out folder of a run?" in error


def test_a_second_run_resumes_and_csv_holds_the_same(finished, folder, command):
    out, _ = finished
    before = read_tables(out)
    status, printed, _ = command("detect", folder, "--out", out, "--jobs", 1, "--format", "csv")
    assert status == 3
    assert "done before" in printed
    after = read_tables(out)
    assert not (out / "images.parquet").exists()
    for table, frame in before.items():
        np.testing.assert_array_equal(frame.fillna(-1).to_numpy(), after[table].fillna(-1).to_numpy())


def test_a_dry_run_reads_and_writes_nothing(folder, command, tmp_path):
    status, printed, _ = command("detect", folder, "--out", tmp_path / "new", "--dry-run")
    assert status == 0 or status == 3
    assert "left.dcm: would be read" in printed
    assert "note.txt: skipped: " in printed
    assert not (tmp_path / "new").exists()


def test_names_cannot_break_lines_or_command_the_terminal(command, tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in (b"new\nline", b"not\xffutf8", b"red\x1b[31m", "grün".encode()):
        (folder / os.fsdecode(name)).write_bytes(b"x")
    _, printed, _ = command("detect", folder, "--out", tmp_path / "out", "--dry-run")
    assert [line.partition(":")[0] for line in printed.splitlines()] == [
        "grün",
        r"new\nline",
        r"not\xffutf8",
        r"red\x1b[31m",
        "0 of 4 inputs would be read",
    ]


# {} is a folder with images.
USAGE_ERRORS = {
    "no output": ("detect {}", "--out"),
    "no input": ("detect --out x", "PATH"),
    "missing input": ("detect {}/none --out {}/o", "none"),
    "unknown writer": ("detect {} --out {}/o --write overlay,dwg", "'dwg' cannot be written"),
    "unknown format": ("detect {} --out {}/o --format xlsx", "xlsx"),
    "unknown existing": ("detect {} --out {}/o --existing maybe", "maybe"),
    "score": ("detect {} --out {}/o --min-score 1.5", "1.5"),
    "jobs": ("detect {} --out {}/o --jobs 0", "0"),
    "shard": ("detect {} --out {}/o --shard 3/2", "'3/2' is not I/N with I from 1 to N"),
    "shard text": ("detect {} --out {}/o --shard one", "'one' is not I/N"),
    "spacing": ("detect {} --out {}/o --pixel-spacing 70", "70"),
    "memory": ("detect {} --out {}/o --worker-megabytes 1", "worker_megabytes: 1 is outside"),
    "rules": ("detect {} --out {}/o --rules {}/no.toml", "no.toml"),
    "parameters": ("detect {} --out {}/o --parameters {}/no.toml", "no.toml"),
    "not a run": ("explain {} 1", "no run.json"),
    "id": ("explain {} first", "first"),
    "rule file": ("rules --check {}/note.txt", "note.txt"),
    "scene": ("phantom --out {}/o --scene cubist", "'cubist' is not one of: "),
    "no shards": ("merge {}", "holds no shards"),
    "command": ("detekt", "detekt"),
}


@pytest.mark.parametrize("case", USAGE_ERRORS)
def test_wrong_usage_gives_status_2_and_says_what_is_wrong(case, folder, command):
    line, complaint = USAGE_ERRORS[case]
    status, printed, error = command(*(word.replace("{}", str(folder)) for word in line.split()))
    assert status == 2
    assert complaint in " ".join(error.split())
    assert "Traceback" not in error
    assert printed == ""
    assert not (folder / "o").exists()


def test_an_unwritable_output_is_one_clear_line(folder, command, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, error = command("detect", folder, "--out", tmp_path / "file" / "below")
    assert status == 2
    assert re.fullmatch(r"(compiling .*\n)?mammocalc: error: .*file/below.*\n", error)


def test_interrupting_says_how_to_go_on(folder, command, tmp_path, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mammocalc.batch.detect_folder", stopped)
    status, _, error = command("detect", folder, "--out", tmp_path)
    assert status == 130
    assert "run the same command again to go on" in error


def test_the_progress_bar_tells_rate_time_left_and_failures(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    bar = cli._ProgressBar()
    assert capsys.readouterr().err.strip() == "looking for inputs ..."
    bar._bar.mininterval = 0
    bar.show(0, 40, 0, 0.0)
    bar.show(16, 40, 1, 0.0)  # done by an earlier run
    assert "16 of 40 inputs, ? left" in capsys.readouterr().err
    bar._bar.start_t -= 60
    bar.show(20, 40, 2, 5.0)  # four in a minute; frames are counted by the rate
    drawn = capsys.readouterr().err
    bar.close()
    assert "20 of 40 inputs, 05:00 left, 300 images/min, 2 failed" in drawn


def test_the_first_run_says_that_kernels_are_compiled(folder, command, tmp_path, monkeypatch):
    monkeypatch.setattr("mammocalc.warm_up.is_first_run", lambda: True)
    monkeypatch.setattr(
        "mammocalc.batch.detect_folder", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert "compiling kernels (first run only) ...\n" in command("detect", folder, "--out", tmp_path)[2]


def test_options_reach_the_batch(folder, command, monkeypatch, tmp_path):
    from mammocalc.batch import BatchLimits, BatchSummary
    from mammocalc.read import ReadLimits

    seen = {}

    def record(paths, out, **options):
        seen.update(options, paths=paths, out=out)
        return BatchSummary(out=out)

    monkeypatch.setattr("mammocalc.batch.detect_folder", record)
    status, *_ = command(
        "detect", folder / "left.dcm", folder, "--out", tmp_path,
        "--jobs", 3, "--format", "csv", "--write", "none", "--rules", "r.toml",
        "--parameters", "p.toml", "--pixel-spacing", 0.07, "--existing", "redo", "--min-score", 0.25, "--limit", 9,
        "--shard", "2/5", "--scheduler", "tcp://h:1", "--log", "l", "--hash-paths", "--image-seconds", 60,
        "--worker-megabytes", 900, "--file-megabytes", 70, "--file-frames", 80, "--frame-megapixels", 9.5,
        "--inflated-megabytes", 60,
    )  # fmt: skip
    assert status == 0
    paths = [str(path) for path in seen.pop("paths")]
    limits = seen.pop("limits")
    seen.pop("progress")
    assert (paths, limits.image_seconds, limits.worker_megabytes) == (
        [str(folder / "left.dcm"), str(folder)],
        60,
        900,
    )
    assert limits.read == ReadLimits(
        file_megabytes=70, frames=80, frame_megapixels=9.5, inflated_megabytes=60
    )
    assert {name: str(value) if "toml" in str(value) else value for name, value in seen.items()} == {
        "out": tmp_path, "jobs": 3, "format": "csv", "write": (), "rules": "r.toml", "parameters": "p.toml",
        "pixel_spacing_mm": 0.07, "existing": "redo", "min_score": 0.25, "limit": 9, "shard": (2, 5),
        "scheduler": "tcp://h:1", "log": seen["log"], "dry_run": False, "hash_paths": True,
    }  # fmt: skip
    command("detect", folder, "--out", tmp_path)
    assert seen["limits"] == BatchLimits()


def test_rules_are_printed_with_their_sources(command):
    status, printed, _ = command("rules")
    assert status == 0
    assert "large_rod_like" in printed
    assert "SOURCES" in printed


def test_a_users_rules_are_checked(command, tmp_path):
    from mammocalc.classify import load_lexicon

    name = next(iter(load_lexicon().thresholds))
    (tmp_path / "my.toml").write_text(f"[thresholds]\n{name} = 0.61\n")
    status, printed, _ = command("rules", "--check", tmp_path / "my.toml")
    assert status == 0
    assert "my.toml: valid; thresholds that differ from the built-in ones: 1, rules that differ" in printed


def test_info_names_versions_and_kernels(command):
    status, printed, _ = command("info")
    assert status == 0
    for fact in ("mammocalc", "numba", "cores", "kernels compiled", "not a medical device"):
        assert fact in printed
    assert re.search(r"kernels compiled +(all|not all yet)\nkernel cache +[0-9.]+ MB in /", printed)


def test_info_prints_a_parameter_file_that_can_be_read(command, tmp_path):
    from mammocalc.parameters import Parameters, load_parameters

    _, printed, _ = command("info", "--parameters")
    (tmp_path / "p.toml").write_text(printed)
    assert load_parameters(tmp_path / "p.toml") == Parameters()


def test_phantoms_are_made_with_their_truth(command, tmp_path):
    status, printed, _ = command("phantom", "--out", tmp_path, "--count", 1, "--seed", 5, "--scene", "normal")
    assert status == 0
    assert printed.startswith("1 synthetic mammograms in ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["normal_00005.dcm", "normal_00005.truth.json"]


@pytest.mark.parametrize("name", ["", "detect", "merge", "explain", "rules", "phantom", "evaluate", "info"])
def test_help_needs_nothing_heavy(name):
    code = (
        "import sys; from mammocalc.cli import main\n"
        f"sys.argv = ['mammocalc', *{[name] if name else []}, '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('LOADED', *[m for m in ('numpy', 'numba', 'pandas', 'cv2', 'pydicom', 'matplotlib', 'pyarrow', 'rich', "
        "'pydantic', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: mammocalc" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_the_version_is_printed(command):
    import mammocalc

    assert command("--version") == (0, f"mammocalc {mammocalc.__version__}\n", "")
