"""Examinations made by hand as DICOM files, and independent readers of DICOM objects where they are installed."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from mammocalc.batch.work import Task, failed_record
from mammocalc.read import read
from mammocalc.write.dicom import write_mammogram
from mammocalc.write.dicom.report import outlines_as_columns
from mammocalc.write.dicom.source import read_source

STUDY = "1.2.826.0.1.3680043.8.498.77"
JAVA_CLASSES = Path("/usr/share/java")
# Its rules have more conditions than Java's XML library evaluates unless told to.
JAVA_OPTIONS = (
    # It compiles its rules anew each time, and is over before a better compiler would pay.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xss256m",
    "-Djdk.xml.xpathTotalOpLimit=0",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathExprGrpLimit=0",
)


def run(*command):
    """Standard output and error of a program that must not hang; its status says nothing here."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=300, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def check_modules():
    """Holds a file to the modules of its object: dciodvfy of dicom3tools finds no error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")

    def check(path):
        said = run("dciodvfy", path).splitlines()
        assert len(said) >= 1
        assert [line for line in said if line.startswith("Error")] == []
        return said

    return check


@pytest.fixture(scope="session")
def check_template():
    """Holds a structured report to its template, row by row: PixelMed's validator finds no error."""
    if shutil.which("java") is None or not (JAVA_CLASSES / "pixelmed.jar").exists():
        pytest.skip("PixelMed's validator (Debian: libpixelmed-java and a Java runtime) is not installed")

    def check(path):
        said = run(
            "java",
            *JAVA_OPTIONS,
            "-cp",
            f"{JAVA_CLASSES}/*",
            "com.pixelmed.validate.DicomSRValidator",
            path,
        )
        assert "IOD validation complete" in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []
        return said

    return check


@pytest.fixture(scope="session")
def tree_of():
    """The content tree of a structured report as DCMTK reads it, a line an item."""
    if shutil.which("dsrdump") is None:
        pytest.skip("dsrdump (Debian: dcmtk) is not installed")

    def dump(path):
        # Codes, all values in full, numbers of items by their place.
        said = run("dsrdump", "+Pc", "+Pl", "+Pn", path)
        assert not [line for line in said.splitlines() if line.startswith("E:")]
        return said

    return dump


@dataclasses.dataclass(frozen=True)
class View:
    """One image of an examination: its file, what was found, and both as the objects need them."""

    path: Path
    findings: object
    record: dict
    source: object


@pytest.fixture(scope="session")
def make_view(make_findings, tmp_path_factory):
    """Makes one image of an examination with its findings, or, with `is_failed`, with none known."""

    def make(laterality="L", view="CC", *, is_failed=False, study=STUDY, number=1, **findings):
        uid = f"{study}.{'LR'.index(laterality)}.{('CC', 'MLO').index(view)}.{number}"
        found = make_findings(
            laterality=laterality, view=view, sop_instance_uid=uid, study_instance_uid=study, **findings
        )
        path = tmp_path_factory.mktemp("view") / f"{laterality}{view}.dcm"
        write_mammogram(found.mammogram, path)
        found = dataclasses.replace(found, mammogram=read(path))
        record = {**found.record(), "outlines": outlines_as_columns(found.outlines())}
        if is_failed:
            record = dict(failed_record(Task(str(path), path.name), "failed", "made to fail"))
            record["outlines"] = outlines_as_columns([])
        return View(path, found, record, read_source(path))

    return make


@pytest.fixture(scope="session")
def members_of():
    """Images as the writers of a study's objects take them."""
    return lambda views: [(view.record, view.source) for view in views]
