"""Readers of public data sets, on small files in their layouts."""

from __future__ import annotations

import dataclasses
import plistlib
import re

import numpy as np
import pytest

from mammocalc.errors import UnreadableInput
from mammocalc.evaluate import Detections, Marks, evaluate
from mammocalc.evaluate.datasets import READERS, read_truth
from mammocalc.evaluate.datasets.tables import rows_of
from mammocalc.evaluate.truth import outlines_of
from mammocalc.read import Mammogram
from mammocalc.write.dicom import write_mammogram


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_image(path, pixels, uid="1.2.3"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Mammogram(
        np.asarray(pixels, np.uint16), 0.05, "ImagerPixelSpacing", laterality="L", view="CC", bits_stored=12,
        intent="FOR PRESENTATION", sop_instance_uid=uid, study_instance_uid="1.2",
    )  # fmt: skip
    write_mammogram(image, path, transfer_syntax="native")


def inside(region, row, col):
    return bool(region.contains(np.array([float(row)]), np.array([float(col)]))[0])


# mini-MIAS

INFO = """\
mdb209 G CALC M 647 503 87
mdb212 G CALC B 687 882 3
mdb216 D CALC M
mdb223 D CALC B 523 482 29
mdb223 D CALC B 591 529 6
mdb001 G CIRC B 535 425 197
mdb003 D NORM
mdb059 F CIRC B *NOTE 3*
"""


def test_mini_mias_counts_rows_from_the_bottom(tmp_path):
    write(tmp_path / "Info.txt", INFO)
    for name in ("mdb209", "mdb216", "mdb223", "mdb224", "mdb001", "mdb003"):
        (tmp_path / f"{name}.pgm").write_bytes(b"P5 1 1 255 \0")
    images = {image.path: image for image in read_truth(tmp_path).images}
    assert sorted(images) == [f"mdb{n}.pgm" for n in ("001", "003", "209", "216", "223", "224")]
    (region,) = images["mdb209.pgm"].regions
    assert inside(region, 1023 - 503, 647)
    assert inside(region, 1023 - 503 + 86, 647)
    assert not inside(region, 1023 - 503 + 88, 647)
    assert region.outcome == "malignant"
    assert len(images["mdb223.pgm"].regions) == 2
    assert images["mdb223.pgm"].pixel_spacing_mm == 0.2


def test_mini_mias_calcifications_without_a_circle_are_neither_region_nor_normal(tmp_path):
    write(tmp_path / "Info.txt", INFO)
    for name in ("mdb216", "mdb001", "mdb003"):
        (tmp_path / f"{name}.pgm").write_bytes(b"P5 1 1 255 \0")
    data = read_truth(tmp_path, "mini-mias")
    truth = {image.path[:6]: (image.regions, image.calcified) for image in data.images}
    assert truth == {"mdb216": (None, True), "mdb001": ((), False), "mdb003": ((), False)}
    assert any("1 films" in remark for remark in data.remarks)


def test_mini_mias_films_in_a_row_are_one_woman(tmp_path):
    for number in (3, 4, 5):
        (tmp_path / f"mdb00{number}.pgm").write_bytes(b"P5 1 1 255 \0")
    patients = [image.patient for image in read_truth(tmp_path).images]
    assert patients[0] == patients[1] != patients[2]


def test_mini_mias_from_a_table_with_rows_from_the_top(tmp_path):
    write(tmp_path / "truth.csv", "image,severity,col,row,radius_px\nmdb209,M,647,520,87\n")
    (tmp_path / "mdb209.pgm").write_bytes(b"P5 1 1 255 \0")
    (image,) = read_truth(tmp_path).images
    assert inside(image.regions[0], 520, 647)
    assert not inside(image.regions[0], 520, 735)


# INbreast


def roi(name, *points):
    return {
        "Name": name,
        "NumberOfPoints": len(points),
        "Point_px": [f"({x:f}, {y:f})" for x, y in points],
        "IndexInImage": 0,
    }


SQUARE = ((100, 200), (103, 200), (103, 203), (100, 203))


@pytest.fixture
def inbreast(tmp_path):
    root = tmp_path / "INbreast Release 1.0"
    for name in (
        "20586908_6c613a14b80a8591_MG_R_CC",
        "20586934_6c613a14b80a8591_MG_L_CC",
        "24065251_0b7396cdccacca82_MG_R_ML",
    ):
        write(root / "AllDICOMs" / f"{name}_ANON.dcm", "")
    rois = [
        roi("Calcification", *SQUARE),
        roi("Calcifications", (400, 500)),
        roi("Point 1", (410, 510), (411, 511)),
        roi("Unnamed", (420, 520)),
        roi("Unnamed", (0, 0), (900, 0), (900, 900)),
        roi("Cluster", (-5, -3), (600, -3), (600, 700), (-5, 700)),
        roi("Espiculated Region", (0, 0), (5, 0), (5, 5)),
        roi("Assymetry", (0, 0), (5, 0), (5, 5)),
        roi("Mass", (0, 0), (5, 0), (5, 5)),
    ]
    (root / "AllXML").mkdir()
    with (root / "AllXML" / "20586908.xml").open("wb") as stream:
        plistlib.dump({"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]}, stream)
    return root


def test_inbreast_points_and_outlines_are_specks_and_clusters_are_regions(inbreast):
    data = read_truth(inbreast)
    image = data.images[0]
    assert (data.name, image.path) == ("inbreast", "AllDICOMs/20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm")
    marks = image.specks.marks
    # x is the column.
    np.testing.assert_allclose(marks.row, [201.5, 500, 510.5, 520], atol=0.51)
    np.testing.assert_allclose(marks.col, [101.5, 400, 410.5, 420], atol=0.51)
    assert [bool(runs) for runs in marks.runs] == [True, False, False, False]
    assert marks.diameter_mm[0] == pytest.approx(4 * 0.07 * 2 / np.sqrt(np.pi), rel=0.3)
    assert marks.diameter_mm[1] == 0.0
    (region,) = image.regions
    assert inside(region, 500, 400)
    assert min(region.polygons[0].ravel()) == 0.0
    assert any("1 outlines without a name" in remark for remark in data.remarks)


def test_inbreast_without_annotations_is_normal_and_two_views_are_one_patient(inbreast):
    first, second, third = read_truth(inbreast).images
    assert (len(second.specks), second.regions, second.calcified) == (0, (), False)
    assert first.patient == second.patient == "6c613a14b80a8591" != third.patient


def test_inbreast_overlap_is_judged_where_there_is_an_outline(inbreast):
    image = read_truth(inbreast).images[0]
    everything = image.specks.marks
    found = Detections(
        image.path, dataclasses.replace(everything, runs=[[(0, 0, 1)], *everything.runs[1:]]), np.ones(4),
        np.full(4, ""), 0.07, 1e4,
    )  # fmt: skip
    specks = evaluate([(image, found)], resamples=5).specks
    assert specks.sensitivity.value == 1.0
    assert specks.iou.value == 0.0


def test_inbreast_damaged_annotation_is_told(inbreast):
    (inbreast / "AllXML" / "20586934.xml").write_text("<plist><dict>")
    with pytest.raises(UnreadableInput, match=r"20586934\.xml: is not an INbreast annotation"):
        read_truth(inbreast)


# VinDr-Mammo

VINDR = """\
study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,breast_density,finding_categories,finding_birads,xmin,ymin,xmax,ymax,split
s1,r1,i1,L,CC,3518,2800,BI-RADS 4,DENSITY C,"['Mass', 'Suspicious Calcification']",BI-RADS 4,2355.13,1731.62,2482.97,1852.75,training
s1,r1,i1,L,CC,3518,2800,BI-RADS 4,DENSITY C,['Mass'],BI-RADS 4,100.0,100.0,300.0,300.0,training
s1,r1,i2,R,CC,3518,2800,BI-RADS 1,DENSITY C,['No Finding'],,,,,,training
s2,r2,i3,R,CC,3518,2800,BI-RADS 4,DENSITY C,['Suspicious Calcification'],BI-RADS 4,10,20,30,40,test
"""  # noqa: E501


def test_vindr_takes_boxes_of_calcifications_only(tmp_path):
    write(tmp_path / "finding_annotations.csv", VINDR)
    data = read_truth(tmp_path)
    one, none, other = data.images
    assert (one.path, one.patient, one.group) == ("images/s1/i1.dicom", "s1", "training")
    (region,) = one.regions
    assert inside(region, 1800, 2400)
    assert not inside(region, 2400, 1800)
    assert not inside(region, 200, 200)
    assert (none.regions, none.calcified) == ((), False)
    assert (other.group, other.calcified) == ("test", True)
    assert "upper bound" in data.remarks[0]


def test_vindr_tells_what_it_cannot_read(tmp_path):
    write(tmp_path / "finding_annotations.csv", VINDR.replace("10,20,30,40", ",,,"))
    with pytest.raises(UnreadableInput, match="a calcification of i3 has no box"):
        read_truth(tmp_path)
    write(tmp_path / "finding_annotations.csv", VINDR.replace("['No Finding']", "No Finding"))
    with pytest.raises(UnreadableInput, match="'No Finding' is no list of findings"):
        read_truth(tmp_path)
    write(tmp_path / "finding_annotations.csv", "study_id,image_id\n")
    with pytest.raises(UnreadableInput, match="has no column finding_categories, xmin"):
        read_truth(tmp_path)


# CBIS-DDSM

CBIS_HEAD = (
    "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,calc type,"
    "calc distribution,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path\n"
)


def cbis_row(series, number, calc_type, distribution, pathology="MALIGNANT"):
    film, finding = f"{series}/1.3.6/1.3.7/000000.dcm", f"{series}_{number}/1.3.8/1.3.9"
    return (
        f"P_00005,3,RIGHT,CC,{number},calcification,{calc_type},{distribution},3,{pathology},3,"
        f'{film},"{finding}/000000.dcm\n","{finding}/000001.dcm\n"\n'
    )


@pytest.fixture
def cbis(tmp_path):
    """One film with two findings, crop and mask of the second swapped, in the layout of later downloads."""
    series = "Calc-Training_P_00005_RIGHT_CC"
    write(
        tmp_path / "calc_case_description_train_set.csv",
        CBIS_HEAD
        + cbis_row(series, 1, "AMORPHOUS-PLEOMORPHIC", "CLUSTERED")
        + cbis_row(series, 2, "LUCENT_CENTERED", "N/A", "BENIGN_WITHOUT_CALLBACK"),
    )
    write(
        tmp_path / "calc_case_description_test_set.csv",
        CBIS_HEAD + cbis_row("Calc-Test_P_00038_LEFT_MLO", 1, "VASCULAR", "LINEAR", "BENIGN"),
    )
    folder = tmp_path / "CBIS-DDSM"
    rng = np.random.default_rng(1)
    write_image(folder / series / "01-02-2003" / "1.000000-full" / "1-1.dcm", rng.integers(1, 4000, (60, 50)))
    crop = rng.integers(1, 4000, (12, 14))
    for number, (rows, cols), swapped in (
        (1, (slice(10, 20), slice(5, 15)), False),
        (2, (slice(40, 50), slice(30, 45)), True),
    ):
        mask = np.zeros((60, 50))
        mask[rows, cols] = 255
        first, second = (mask, crop) if swapped else (crop, mask)
        series_folder = folder / f"{series}_{number}" / "01-02-2003" / "1.000000-ROI mask images"
        write_image(series_folder / "1-1.dcm", first)
        write_image(series_folder / "1-2.dcm", second)
    return tmp_path


def test_cbis_ddsm_finds_masks_by_their_values_and_files_by_their_series(cbis):
    test, training = read_truth(cbis).images
    assert training.path == "CBIS-DDSM/Calc-Training_P_00005_RIGHT_CC/01-02-2003/1.000000-full/1-1.dcm"
    first, second = training.regions
    assert (first.label, first.distribution, first.outcome) == (
        "amorphous/fine_pleomorphic",
        "grouped",
        "malignant",
    )
    assert (second.label, second.distribution, second.outcome) == ("rim", "", "benign")
    assert inside(first, 10, 5)
    assert inside(first, 19, 14)
    assert not inside(first, 20, 14)
    assert inside(second, 45, 40)
    assert not inside(second, 15, 10)
    assert (training.patient, training.group, test.group) == ("P_00005", "training", "test")
    assert training.pixel_spacing_mm == 0.05
    # The film of the test set is described and not there.
    assert test.regions is None


def test_cbis_ddsm_without_a_mask_among_the_files_is_told(cbis):
    for path in (cbis / "CBIS-DDSM" / "Calc-Training_P_00005_RIGHT_CC_1").rglob("1-2.dcm"):
        path.unlink()
    _, training = read_truth(cbis).images
    with pytest.raises(UnreadableInput, match="none of its 1 images is a mask"):
        inside(training.regions[0], 1, 1)


def test_outlines_of_a_mask_enclose_its_pixels():
    mask = np.zeros((9, 9), bool)
    mask[0:3, 0:4] = True
    mask[6, 7] = True
    first, second = outlines_of(mask)
    assert first.min(axis=0).tolist() == [-0.5, -0.5]
    assert first.max(axis=0).tolist() == [2.5, 3.5]
    assert second.mean(axis=0).tolist() == [6.0, 7.0]


# EMBED

METADATA = """\
,empi_anon,acc_anon,anon_dicom_path,ImageLateralityFinal,ViewPosition,FinalImageType,num_roi,ROI_coords
0,11,101.0,/mnt/NAS2/mammo/anon_dicom/cohort_1/11/101/a.dcm,L,CC,2D,1,"((1136, 334, 1440, 596),)"
1,11,101.0,/mnt/NAS2/mammo/anon_dicom/cohort_1/11/101/b.dcm,R,CC,2D,0,()
2,11,101.0,/mnt/NAS2/mammo/anon_dicom/cohort_1/11/101/c.dcm,L,CC,cview,1,"((1, 1, 2, 2),)"
3,12,102,/mnt/NAS2/mammo/anon_dicom/cohort_1/12/102/d.dcm,L,CC,2D,1,"((10, 20, 30, 40),)"
4,13,103,/mnt/NAS2/mammo/anon_dicom/cohort_2/13/103/e.dcm,R,MLO,2D,0,()
5,14,104,/mnt/NAS2/mammo/anon_dicom/cohort_2/14/104/f.dcm,R,MLO,2D,1,"((10, 20, 30, 40),)"
6,15,105,/mnt/NAS2/mammo/anon_dicom/cohort_2/15/105/g.dcm,R,MLO,2D,0,
"""
CLINICAL = """\
,empi_anon,acc_anon,side,numfind,massshape,otherfind,calcfind,calcdistri,asses
0,11,101,L,1,,,AP,G,S
1,11,101,R,1,,,,,N
2,12,102,B,1,,,V,,B
3,12,102,L,2,O,,,,B
4,13,103,,1,,,F,L,S
5,14,104,R,1,,,,,N
"""


@pytest.fixture
def embed(tmp_path):
    write(tmp_path / "tables" / "EMBED_OpenData_metadata.csv", METADATA)
    write(tmp_path / "tables" / "EMBED_OpenData_clinical.csv", CLINICAL)
    write(tmp_path / "images" / "cohort_1" / "11" / "101" / "a.dcm", "")
    return tmp_path


def test_embed_boxes_count_rows_first_and_belong_to_their_breast(embed):
    data = read_truth(embed)
    images = {image.path.rsplit("/", 1)[-1]: image for image in data.images}
    assert sorted(images) == ["a.dcm", "b.dcm", "d.dcm", "e.dcm", "f.dcm"]
    (region,) = images["a.dcm"].regions
    assert inside(region, 1400, 400)
    assert not inside(region, 400, 1400)
    assert (region.label, region.distribution) == ("amorphous/punctate", "grouped")
    assert images["a.dcm"].path == "images/cohort_1/11/101/a.dcm"
    assert (images["b.dcm"].regions, images["b.dcm"].calcified) == ((), False)
    assert images["a.dcm"].patient == images["b.dcm"].patient == "11"


def test_embed_boxes_that_may_be_around_something_else_are_not_judged(embed):
    data = read_truth(embed)
    images = {image.path.rsplit("/", 1)[-1]: image for image in data.images}
    # A mass beside calcifications; calcifications of both breasts without a box; a negative breast with a box.
    assert (images["d.dcm"].regions, images["d.dcm"].calcified) == (None, True)
    assert (images["e.dcm"].regions, images["e.dcm"].calcified) == (None, True)
    assert images["f.dcm"].regions == ()
    assert sum("1 images" in remark for remark in data.remarks) == 3


def test_embed_tells_of_boxes_it_cannot_read(embed):
    write(
        embed / "tables" / "EMBED_OpenData_metadata.csv",
        METADATA.replace("((1136, 334, 1440, 596),)", "1136 334"),
    )
    with pytest.raises(UnreadableInput, match="'1136 334' is no list of boxes"):
        read_truth(embed)


# CMMD

CMMD = """\
ID1,LeftRight,Age,number,abnormality,classification,subtype
D1-0001,R,44,2,calcification,Benign,
D2-0007,L,51,4,mass,Malignant,Luminal A
D2-0007,R,51,4,both,Malignant,Luminal B
"""


def found(path, laterality, score):
    places = np.array([100.0, 110.0, 120.0])
    return Detections(
        path,
        Marks(places, places, np.full(3, 0.3)),
        np.full(3, score),
        np.full(3, ""),
        0.1,
        1e4,
        laterality=laterality,
    )


def test_cmmd_knows_breasts_and_learns_from_the_image_which_it_shows(tmp_path):
    write(tmp_path / "CMMD_clinicaldata_revision.csv", CMMD)
    for name in ("D1-0001/s/r/1-1", "D2-0007/s/r/1-1", "D2-0007/s/r/1-2", "D9-0001/s/r/1-1"):
        write(tmp_path / "CMMD" / f"{name}.dcm", "")
    data = read_truth(tmp_path)
    assert [image.patient for image in data.images] == ["D1-0001", "D2-0007", "D2-0007"]
    assert all(image.regions is None and image.specks is None for image in data.images)
    one, left, right = data.images
    pairs = [
        (one, found(one.path, "R", 0.6)),
        (left, found(left.path, "L", 0.2)),
        (right, found(right.path, "R", 0.9)),
    ]
    presence = evaluate(pairs, resamples=5).presence
    assert (presence.images_with, presence.images_without, presence.auc.value) == (2, 1, 1.0)
    unknown = evaluate([(one, found(one.path, "", 0.6)), *pairs[1:]], resamples=5).presence
    assert unknown.images_with == 1


def test_cmmd_as_an_excel_file_needs_its_package_or_is_read(tmp_path):
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    import pandas as pd

    rows = [line.split(",") for line in CMMD.splitlines()]
    pd.DataFrame(rows[1:], columns=rows[0]).to_excel(
        tmp_path / "CMMD_clinicaldata_revision.xlsx", index=False
    )
    write(tmp_path / "D1-0001" / "1-1.dcm", "")
    (image,) = read_truth(tmp_path).images
    assert image.calcified_by_side == {"R": True}


# A table of one's own

OWN = """\
image,kind,row,col,diameter_mm,label,pixel_spacing_mm,patient
a/1.png,calcification,10.5,20,0.4,round,0.1,p1
a/1.png,calcification,30,40,,,,
a/2.png,region,100,200,10,amorphous,0.05,p1
a/3.png,none,,,,,0.05,
"""


def test_own_table_of_calcifications_regions_and_normal_images(tmp_path):
    write(tmp_path / "set" / "truth.csv", OWN)
    data = read_truth(tmp_path)
    specks, regions, normal = data.images
    assert (data.name, specks.path, specks.patient, specks.pixel_spacing_mm) == (
        "own-table",
        "set/a/1.png",
        "p1",
        0.1,
    )
    assert specks.specks.marks.row.tolist() == [10.5, 30.0]
    assert specks.specks.marks.diameter_mm.tolist() == [0.4, 0.0]
    assert (list(specks.specks.label), specks.regions, specks.calcified) == (["round", ""], None, True)
    assert regions.specks is None
    assert regions.regions[0].label == "amorphous"
    assert inside(regions.regions[0], 100 + 99, 200)
    assert not inside(regions.regions[0], 100 + 101, 200)
    assert (len(normal.specks), normal.regions, normal.calcified) == (0, (), False)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("none,,", "nothing,,", "kind 'nothing' is none of calcification, region, none"),
        ("amorphous,0.05", "amorphous,", "a/2.png: a region needs pixel_spacing_mm"),
        ("10.5,20", "x,20", "a/1.png: could not convert"),
        ("30,40,,,,", "30,40,,,0.2,", "a/1.png: has more than one pixel_spacing_mm"),
    ],
)
def test_own_table_tells_what_is_wrong(tmp_path, old, new, told):
    assert old in OWN
    write(tmp_path / "truth.csv", OWN.replace(old, new))
    with pytest.raises(UnreadableInput, match=re.escape(told)):
        read_truth(tmp_path, "own-table")


# Tables


def test_tables_may_have_a_byte_order_mark_short_lines_and_blanks(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfa, b ,c\r\n1, 2\r\n\r\n3,4,"5\n"\r\n')
    assert rows_of(tmp_path / "t.csv", "a", "b") == [
        {"a": "1", "b": "2", "c": ""},
        {"a": "3", "b": "4", "c": "5"},
    ]
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableInput, match="cannot be read as a table"):
        rows_of(tmp_path / "t.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UnreadableInput, match="cannot be read as a table"):
        rows_of(tmp_path / "empty.csv")


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_folder_without_the_data_set_is_told(name, tmp_path):
    (tmp_path / "note.txt").write_text("nothing")
    with pytest.raises(UnreadableInput, match=r"there is no|holds no images"):
        read_truth(tmp_path, name)
