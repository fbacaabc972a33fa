"""A picture archive on this machine takes the objects, keeps them with their images, and gives them back unchanged."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from mammocalc.write.dicom.measurement_report import measurement_report
from mammocalc.write.dicom.presentation_state import presentation_state
from mammocalc.write.dicom.segmentation import segmentation
from mammocalc.write.dicom.study import reported_image, study_cad_sr

CONFIGURATION = "parameters 0123456789abcdef, rules 0123456789abcdef"
LONGEST_START_SECONDS = 60


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """``archive(path, data)`` asks an Orthanc of our own on the loopback address: data are posted, else it is read."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("Orthanc (Debian: orthanc) is not installed")
    folder = tmp_path_factory.mktemp("archive")
    http, dicom = _free_ports()
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    }
    (folder / "settings.json").write_text(json.dumps(settings))

    def ask(path, data=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/{path}", data, timeout=30) as answer:
            return answer.read()

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "settings.json")], stdout=log, stderr=log)
        try:
            _wait_for(process, ask, folder / "log")
            yield ask
        finally:
            process.terminate()
            process.wait(30)


def _free_ports():
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _wait_for(process, ask, log):
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        try:
            ask("system")
            return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def test_objects_are_kept_with_their_images_and_come_back_unchanged(archive, make_view, members_of):
    views = [make_view("L", "CC"), make_view("L", "MLO", rods=2), make_view("R", "CC", is_failed=True)]
    sent = [view.path.read_bytes() for view in views]
    sent.append(study_cad_sr(members_of(views), CONFIGURATION))
    for view in views[:2]:
        sent.append(measurement_report(reported_image(view.record, view.source), view.source, CONFIGURATION))
        sent.append(segmentation(view.findings, view.source, CONFIGURATION))
        sent.append(presentation_state(view.findings, view.source, CONFIGURATION))
    answers = [json.loads(archive("instances", data)) for data in sent]
    assert [answer["Status"] for answer in answers] == ["Success"] * len(sent)
    assert len({answer["ParentStudy"] for answer in answers}) == 1
    assert len({answer["ParentPatient"] for answer in answers}) == 1
    assert [archive(f"instances/{answer['ID']}/file") for answer in answers] == sent

    (study,) = json.loads(archive("studies"))
    series = json.loads(archive(f"studies/{study}/series"))
    found = {}
    for one in series:
        modality = one["MainDicomTags"]["Modality"]
        found[modality] = found.get(modality, 0) + len(one["Instances"])
    assert found == {"MG": 3, "SR": 3, "SEG": 2, "PR": 2}

    # Sent again, nothing is there twice.
    again = [json.loads(archive("instances", data))["Status"] for data in sent]
    assert again == ["AlreadyStored"] * len(sent)
