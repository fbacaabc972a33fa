"""Multi-frame objects: each frame an image, one in memory at a time."""

import tracemalloc

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

from mammocalc.errors import UnreadableInput
from mammocalc.read import count_frames, read, read_frames

TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
JPEG_LS = "1.2.840.10008.1.2.4.80"


def item(**elements):
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def frames(breast):
    return [breast(seed=seed) for seed in range(4)]


def test_each_frame_is_an_image(dicom_file, frames, tolerance, syntax):
    path = dicom_file(frames, syntax, 12, SOPClassUID=TOMOSYNTHESIS)
    assert count_frames(path) == 4
    read_one_by_one = list(read_frames(path))
    assert [m.frame for m in read_one_by_one] == [0, 1, 2, 3]
    for frame, mammogram in enumerate(read_one_by_one):
        assert np.abs(mammogram.pixels.astype(int) - frames[frame]).max() <= tolerance(syntax, 12)
        assert np.array_equal(read(path, frame=frame).pixels, mammogram.pixels)


@pytest.mark.parametrize("frame", [-1, 4])
def test_a_frame_that_is_not_there(dicom_file, frames, frame):
    with pytest.raises(UnreadableInput, match=f"frame {frame} of 4"):
        read(dicom_file(frames, bits=12), frame=frame)


@pytest.mark.parametrize("offset_table", [True, False])
@pytest.mark.parametrize("fragments", [1, 3])
def test_fragments_are_joined(dicom_file, dataset, frames, offset_table, fragments):
    from pydicom.encaps import generate_frames

    streams = list(generate_frames(dataset(pixels=frames, syntax=JPEG_LS).PixelData, number_of_frames=4))
    value = encapsulate(streams, fragments_per_frame=fragments, has_bot=offset_table)
    path = dicom_file(frames, JPEG_LS, 12, PixelData=b"")
    ds = dataset(pixels=frames, syntax=JPEG_LS)
    ds.PixelData = value
    ds.save_as(path, enforce_file_format=True)
    assert all(np.array_equal(read(path, frame=k).pixels, frames[k]) for k in range(4))


def test_extended_offset_table(dicom_file, dataset, frames):
    from pydicom.encaps import generate_frames

    ds = dataset(pixels=frames, syntax=JPEG_LS)
    streams = list(generate_frames(ds.PixelData, number_of_frames=4))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    path = dicom_file(frames, JPEG_LS, 12)
    ds.save_as(path, enforce_file_format=True)
    assert all(np.array_equal(read(path, frame=k).pixels, frames[k]) for k in range(4))


def test_spacing_and_side_come_from_the_functional_groups(dicom_file, frames):
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.1, 0.1])],
        FrameAnatomySequence=[item(FrameLaterality="R")],
    )
    own = [item(), item(PixelMeasuresSequence=[item(PixelSpacing=[0.09, 0.09])]), item(), item()]
    path = dicom_file(
        frames,
        bits=12,
        SOPClassUID=TOMOSYNTHESIS,
        ImageLaterality=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=own,
    )
    found = list(read_frames(path))
    assert [m.pixel_spacing_mm for m in found] == [0.1, 0.09, 0.1, 0.1]
    assert found[0].spacing_source == "PixelMeasuresSequence/PixelSpacing"
    assert {m.laterality for m in found} == {"R"}


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.1", JPEG_LS], ids=["native", "JPEG-LS"], indirect=False
)
def test_only_one_frame_is_in_memory(dicom_file, breast, syntax):
    frame = breast(rows=400, columns=500)
    path = dicom_file([frame] * 24, syntax, 12, SOPClassUID=TOMOSYNTHESIS)
    next(read_frames(path))
    tracemalloc.start()
    for mammogram in read_frames(path):
        del mammogram
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * frame.nbytes


def test_enhanced_projections_state_spacing_and_sign_frame_by_frame(dicom_file, frames):
    properties = item(ImagerPixelSpacing=[0.14, 0.14], PixelIntensityRelationship="LOG")
    properties.PixelIntensityRelationshipSign = 1
    path = dicom_file(
        frames,
        bits=12,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.5",
        ImagerPixelSpacing=None,
        PresentationIntentType=None,
        PerFrameFunctionalGroupsSequence=[item(FramePixelDataPropertiesSequence=[properties])] * 4,
    )
    found = read(path, frame=2)
    assert (found.pixel_spacing_mm, found.spacing_source) == (0.14, "ImagerPixelSpacing")
    assert (found.dense_is_bright, found.intent, found.linear_in_exposure) == (False, "FOR PROCESSING", False)


def test_fewer_frames_than_declared(dicom_file, frames):
    path = dicom_file(frames, JPEG_LS, 12, NumberOfFrames=9)
    with pytest.raises(UnreadableInput, match="9 frames are declared, 4 are there"):
        read(path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_a_frame_is_the_same_in_parts(dicom_file, frames, monkeypatch, syntax):
    path = dicom_file(frames, syntax, 12)
    whole = [read(path, frame=k).pixels for k in range(4)]
    monkeypatch.setattr("mammocalc.read.pixel_data._WORTH_PARTING", 1)
    for frame, pixels in enumerate(whole):
        assert np.array_equal(read(path, frame=frame, threads=3).pixels, pixels)


def test_a_file_that_is_cut_short_in_the_last_part(dicom_file, frames, monkeypatch):
    path = dicom_file(frames[:1], "1.2.840.10008.1.2.1", 12)
    monkeypatch.setattr("mammocalc.read.pixel_data._WORTH_PARTING", 1)
    monkeypatch.setattr(
        "mammocalc.read.pixel_data.os.preadv", lambda file, parts, at: max(len(parts[0]) - 8, 0)
    )
    with pytest.raises(UnreadableInput, match="the file is cut short"):
        read(path, threads=2)
