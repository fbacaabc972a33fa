"""Nothing that identifies a patient leaves the input: not from headers, not from names where paths are hashed."""

import zlib

import numpy as np
import pandas as pd
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from mammocalc.batch import merge

PLANTED = ("PLANTEDNAME", "PLANTEDID77", "19481231", "PLANTEDACCESSION", "PLANTEDDESCRIPTION")


def mammogram(path, **elements):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.3", "1.2"
    ds.Modality, ds.PresentationIntentType, ds.ImageLaterality = "MG", "FOR PRESENTATION", "L"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "PLANTEDNAME^Jane", "PLANTEDID77", "19481231"
    ds.AccessionNumber, ds.StudyDescription = "PLANTEDACCESSION", "PLANTEDDESCRIPTION"
    ds.ViewPosition = "PLANTEDNAME"
    ds.ImagerPixelSpacing = [0.07, 0.07]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 64, 48, 16, 12, 11
    ds.PixelData = np.zeros((64, 48), np.uint16).tobytes()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def inputs(tmp_path):
    """Mammograms whose headers and names hold planted values, and which end in every way."""
    folder = tmp_path / "inputs"
    named = folder / "PLANTEDNAME_Jane" / "PLANTEDID77"
    mammogram(named / "no_breast.dcm")
    mammogram(named / "other.dcm", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    mammogram(named / "no_modality.dcm", Modality="PLANTEDNAME", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    mammogram(named / "no_colour.dcm", PhotometricInterpretation="YBRPLANTEDID77")
    mammogram(named / "no_intent.dcm", PresentationIntentType="PLANTEDNAME")
    mammogram(named / "no_spacing.dcm", ImagerPixelSpacing=None)
    whole = mammogram(named / "cut.dcm").read_bytes()
    (named / "cut.dcm").write_bytes(whole[:-2000])
    (named / "bits.dcm").write_bytes(whole.replace(b"IS", b"\xff\xff").replace(b"US", b"XX"))
    (named / "stub_PLANTEDACCESSION").write_bytes(b"stub n=3\nPLANTEDNAME")
    (named / "bug_19481231").write_bytes(b"stub bug\nPLANTEDNAME")
    return folder


def everything(folder):
    """Names and contents of all files of an output, unpacked where that can be."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)), str(path.relative_to(folder)).encode()
        if path.is_file():
            yield path.name, path.read_bytes()
        if path.suffix == ".parquet":
            yield path.name, pd.read_parquet(path).to_csv().encode()
        if path.suffix == ".entry":
            data = path.read_bytes()
            yield path.name, zlib.decompress(data[data.index(b"\n", 20) + 1 : -16])


def leaks(folder):
    return {
        (name, planted)
        for name, data in everything(folder)
        for planted in PLANTED
        if planted.encode() in data
    }


def test_no_identifying_value_in_any_output_where_paths_are_hashed(detect, inputs, tmp_path):
    out = tmp_path / "out"
    for k in (1, 2):
        detect(inputs, out, hash_paths=True, shard=(k, 2), log=out / "log.jsonl")
    merge(out)
    detect(inputs, out, hash_paths=True, log=out / "log.jsonl")
    assert leaks(out) == set()
    images = pd.read_parquet(out / "images.parquet")
    assert images.status.value_counts().to_dict() == {"failed": 6, "skipped": 3, "ok": 1}
    assert images.path.str.fullmatch("[0-9a-f]{24}").all()
    assert images.path.is_monotonic_increasing


def test_headers_never_leak_and_paths_are_relative(detect, inputs, tmp_path):
    named = inputs / "PLANTEDNAME_Jane" / "PLANTEDID77"
    for number, path in enumerate(sorted(named.iterdir())):
        path.rename(inputs / f"image_{number}")
    named.rmdir()
    named.parent.rmdir()
    out = tmp_path / "out"
    detect(inputs, out, log=out / "log.jsonl")
    assert leaks(out) == set()
    assert not any(str(tmp_path).encode() in data for _, data in everything(out))


def test_the_search_for_leaks_finds_them(detect, inputs, tmp_path):
    detect(inputs, tmp_path / "out")
    assert {planted for _, planted in leaks(tmp_path / "out")} == set(PLANTED) - {"PLANTEDDESCRIPTION"}


def test_pictures_of_hashed_paths_tell_nothing(tmp_path):
    """Real stages, real worker processes; pictures are unpacked, too."""
    import cv2
    import pydicom

    from mammocalc.batch import detect_folder
    from mammocalc.phantom import PhantomSettings, make
    from mammocalc.write.dicom import write_mammogram

    folder = tmp_path / "inputs" / "PLANTEDNAME"
    folder.mkdir(parents=True)
    image = make(1, settings=PhantomSettings(rows=900, columns=640)).mammogram
    write_mammogram(image, tmp_path / "image")
    ds = pydicom.dcmread(tmp_path / "image")
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "PLANTEDNAME^Jane", "PLANTEDID77", "19481231"
    ds.AccessionNumber, ds.StudyDescription = "PLANTEDACCESSION", "PLANTEDDESCRIPTION"
    ds.save_as(folder / "PLANTEDID77.dcm")
    for name in ("one", "two"):  # what the path says is not in the picture
        detect_folder(folder.parent, tmp_path / name, jobs=1, hash_paths=True, log=tmp_path / name / "log")
        assert leaks(tmp_path / name) == set()
        (picture,) = (tmp_path / name / "overlays").iterdir()
        assert picture.name[:24] == pd.read_parquet(tmp_path / name / "images.parquet").path[0]
        folder = folder.rename(tmp_path / "inputs" / "other")
    pictures = [cv2.imread(str(next((tmp_path / name / "overlays").iterdir()))) for name in ("one", "two")]
    assert pictures[0].std() > 10
    assert np.array_equal(*pictures)
