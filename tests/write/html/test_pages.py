"""Pages without a browser: what is in them, how large they are, and that nothing gets out or in."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

import mammocalc as mc
from mammocalc.classify import explain
from mammocalc.errors import InvalidParameter
from mammocalc.write.html.index import index_parts, index_row
from mammocalc.write.html.study import MOST_VIEWS, Shown, page_name, study_page
from mammocalc.write.html.view import (
    LEAST_PICTURE_BYTES,
    MEASURES,
    TOLD_IN_FULL,
    VIEW_BYTES,
    WINDOW,
    _fitting,
    view_of_findings,
)

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&\u2028\udcff"


class Reader(HTMLParser):
    """Elements, attributes and texts; complains of what is not closed."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.data, self.text, self._open = [], "", [], []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "input", "img", "br", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] == "script" and self.elements[-1][1].get("id") == "data":
            self.data += data
        elif not self._open or self._open[-1] not in ("script", "style"):
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def shown(found):
    view = view_of_findings(found)
    return Shown(found.image_row(), json.loads(view.description), view.picture)


def failed(found, reason="the pixel data is cut short", **image):
    row = {**found.image_row(), "status": "failed", "reason": reason, "n_calcifications": 0}
    return Shown({**row, **image}, None)


def page_of(*views):
    return Reader(study_page(views, "parameters a, rules b"))


def pictures(page):
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(image["src"].split(",")[1]), np.uint8), -1)
        for image in page.all("img")
    ]


def test_all_that_was_found_is_on_the_page(findings):
    page = page_of(shown(findings))
    data = json.loads(page.data)
    (view,) = data["views"]
    table = findings.calcifications
    assert [one["label"] for one in view["found"]["calcifications"]] == table["label"].tolist()
    for one, (_, row) in zip(view["found"]["calcifications"], table.iterrows(), strict=True):
        for name, value in zip(MEASURES, one["measures"], strict=True):
            assert value == pytest.approx(row[name], rel=1e-3) or (
                value is None and not np.isfinite(row[name])
            )
    assert [one["id"] for one in view["found"]["clusters"]] == [1]
    assert "Research software, not a medical device" in " ".join(page.text)


def test_the_trace_says_what_the_explanation_says(findings):
    (view,) = json.loads(page_of(shown(findings)).data)["views"]
    texts = view["found"]["texts"]
    for k, one in enumerate(view["found"]["calcifications"]):
        told = explain(k, findings.measurements, findings.arrangement, findings.lexicon)
        why = one["why"]
        assert texts[why["rule"]] == told.decided.rule
        assert texts[why["reason"]] == told.decided.reason
        assert why["conditions"] == list(told.decided.lines(""))
        assert [texts[rule].split(" ")[0] for rule, *_ in why["tried"]] == [
            trial.rule for trial in told.tried
        ]
        assert [value for _, _, value, _ in why["tried"]] == [
            trial.deciding.measured_text for trial in told.tried
        ]


def test_only_of_the_surest_all_conditions_are_told(findings, monkeypatch):
    monkeypatch.setattr("mammocalc.write.html.view.TOLD_IN_FULL", 3)
    (view,) = json.loads(page_of(shown(findings)).data)["views"]
    found = view["found"]["calcifications"]
    texts = view["found"]["texts"]
    surest = sorted(found, key=lambda one: -one["score"])[:3]
    assert all(("conditions" in one["why"]) == (one in surest) for one in found)
    assert [texts[one["why"]["rule"]] for one in found] == findings.calcifications["rule"].tolist()
    reasons = {rule.name: rule.reason for rule in findings.lexicon.rules}
    assert all(texts[one["why"]["reason"]] == reasons[texts[one["why"]["rule"]]] for one in found)


@pytest.mark.parametrize(("laterality", "mirrored"), [("L", False), ("R", True)])
def test_chest_walls_are_inwards_and_outlines_on_what_they_outline(make_findings, laterality, mirrored):
    found = make_findings(laterality=laterality)
    page = page_of(shown(found))
    (view,) = json.loads(page.data)["views"]
    assert (view["side"], view["found"]["mirrored"]) == ("left" if mirrored else "right", mirrored)
    (picture,) = pictures(page)
    assert picture.shape == (view["found"]["height"], view["found"]["width"])
    # The breast is widest at its chest wall: a right one is hung at the left, its wall at the right.
    columns = (picture > 20).sum(axis=0)
    assert (columns[-20:].sum() > 3 * columns[:20].sum()) == mirrored
    for one in view["found"]["calcifications"]:
        corners = np.array([float(word) for word in re.findall(r"[\d.]+", one["path"])]).reshape(-1, 2)
        mask = np.zeros(picture.shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(corners - 0.5).astype(np.int32)], 1)
        near = cv2.dilate(mask, np.ones((15, 15))) - cv2.dilate(mask, np.ones((7, 7)))
        assert picture[mask == 1].mean() > picture[near == 1].mean() + 30
        left, top, right, bottom = one["box"]
        assert left < one["at"][0] < right
        assert top < one["at"][1] < bottom


def test_the_first_window_is_that_of_the_other_pictures(findings):
    from mammocalc.write.display import breast_bounds, display_of

    bounds = breast_bounds(findings.mammogram, findings.scene)
    rows, columns = slice(bounds[0], bounds[2]), slice(bounds[1], bounds[3])
    usual = display_of(findings.mammogram, findings.scene).grey(
        findings.mammogram.pixels[rows, columns], bounds
    )
    (picture,) = pictures(page_of(shown(findings)))
    low, high = (255 * share for share in WINDOW)
    windowed = np.clip((picture.astype(float) - low) * 255 / (high - low), 0, 255)
    assert np.abs(windowed - usual).mean() < 6


def test_views_are_hung_in_pairs_right_breast_first(make_findings):
    names = [("L", "MLO"), ("R", "CC"), ("L", "CC"), ("R", "MLO")]
    views = [shown(make_findings(laterality=side, view=view)) for side, view in names]
    page = page_of(*views)
    found = [(view["name"], view["side"]) for view in json.loads(page.data)["views"]]
    assert found == [("right CC", "left"), ("left CC", "right"), ("right MLO", "left"), ("left MLO", "right")]
    assert [one["data-view"] for one in page.all("figure")] == ["0", "1", "2", "3"]
    assert len([one for one in page.all("div") if one.get("class") == "pair"]) == 2


def test_an_image_that_failed_takes_nobodys_place(make_findings):
    right, left = make_findings(laterality="R"), make_findings(laterality="L")
    page = study_page([failed(left, path="broken.dcm"), shown(right), shown(left)], "").decode()
    first, second = re.findall(r'<div class="(pair[ a-z]*)">(.*?)</figure></div>', page, re.S)
    assert first[0] == "pair"
    assert re.findall(r"<b>(.*?)</b>", first[1]) == ["right CC, mirrored", "left CC"]
    assert second[0] == "pair unread"
    assert "broken.dcm" in second[1]
    assert "failed" in second[1]


def test_a_failed_image_and_one_without_findings_say_so(make_findings):
    none = shown(make_findings(rods=0, specks=0))
    page = page_of(none, failed(make_findings(laterality="R", view="MLO"), reason="cut <short>"))
    text = " ".join(page.text)
    assert "no calcifications found" in text
    assert "cut <short>" in text
    assert len(page.all("img")) == 1


def test_names_that_are_markup_stay_text(make_findings):
    found = make_findings(path=HOSTILE, view="CC")
    whole = shown(found)
    page = page_of(whole, failed(found, reason=HOSTILE))
    assert [one for one in page.all("img") if "onerror" in one] == []
    assert len(page.all("script")) == 2
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert json.loads(page.data)["views"][1]["reason"] == HOSTILE
    assert "</script><img" in " ".join(page.text)
    rows = [index_row(found.record(path=HOSTILE), page_name(HOSTILE), None)]
    index = Reader("".join(index_parts(rows, HOSTILE)).encode())
    assert len(index.all("script")) == 2
    assert index.all("img") == []


def test_nothing_is_loaded_and_only_our_script_may_run(findings):
    page = page_of(shown(findings))
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.all("link") == []
    assert all(one["src"].startswith("data:") for one in page.all("img"))
    assert all("src" not in one for one in page.all("script"))


def test_the_same_findings_give_the_same_bytes(make_findings):
    assert study_page([shown(make_findings())], "x") == study_page([shown(make_findings())], "x")


def test_page_names_are_safe_and_distinct():
    names = [page_name(key) for key in ("../../etc/passwd", "a/b", "a_b", "1.2.3", "x" * 300)]
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,100}\.html", name) and name[0] != "." for name in names)


def test_the_picture_is_as_good_as_its_room_allows():
    noise = np.random.default_rng(3).integers(0, 256, (600, 500)).astype(np.uint8)
    sizes = [len(_fitting(noise, most)) for most in (400_000, 120_000, 60_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] <= 120_000
    assert len(set(sizes)) == 3


def test_four_views_of_many_findings_are_small_enough(make_findings):
    page = study_page([dataclasses.replace(shown(make_findings(rods=0, specks=0)), picture=b"")], "")
    assert 4 * VIEW_BYTES + len(page) < 15_000_000
    found = make_findings(specks=60)
    with_all = len(view_of_findings(found).description)
    whole = json.loads(view_of_findings(found).description)
    for one in whole["calcifications"]:
        one["why"] = {"rule": 0, "reason": 0}
    rule_only = len(json.dumps(whole, separators=(",", ":")))
    # As many as there can be in an image, with conditions as long as the built-in rules have them.
    most = 3000 * rule_only / len(found) + TOLD_IN_FULL * max((with_all - rule_only) / len(found), 1000)
    assert most + LEAST_PICTURE_BYTES < VIEW_BYTES


def test_too_many_frames_leave_those_with_most_findings(make_findings):
    whole = shown(make_findings())
    frames = [
        dataclasses.replace(whole, image={**whole.image, "frame": k, "n_calcifications": k})
        for k in range(MOST_VIEWS + 3)
    ]
    page = page_of(*frames)
    assert sorted(view["frame"] for view in json.loads(page.data)["views"]) == list(range(3, MOST_VIEWS + 3))
    assert "3 more images" in " ".join(page.text)


class TestFile:
    def test_findings_in_hand_become_the_page_of_their_study(self, make_findings, tmp_path):
        left = make_findings(path="/home/jane/exam/left.dcm")
        right = make_findings(laterality="R", path="right.dcm", rods=2)
        written = mc.write_html([left, right], tmp_path / "new" / "study.html")
        assert written == tmp_path / "new" / "study.html"
        page = Reader(written.read_bytes())
        views = json.loads(page.data)["views"]
        assert [(view["name"], view["path"]) for view in views] == [
            ("right CC", "right.dcm"),
            ("left CC", "left.dcm"),
        ]
        assert [len(view["found"]["calcifications"]) for view in views] == [8, 7]
        assert b"jane" not in written.read_bytes()
        assert [path.name for path in written.parent.iterdir()] == ["study.html"]

    def test_one_image_is_a_page_of_one_view(self, findings, tmp_path):
        page = mc.write_html(findings, tmp_path / "one.html").read_bytes()
        row = {**findings.image_row(), "path": "one.dcm"}
        how = f"parameters {findings.parameters.hash[:16]}, rules {findings.lexicon.hash[:16]}"
        assert page == study_page([dataclasses.replace(shown(findings), image=row)], how)

    def test_a_page_is_of_one_study(self, findings, make_findings, tmp_path):
        with pytest.raises(InvalidParameter, match="of 2 studies, and a page is of one"):
            mc.write_html([findings, make_findings(study_instance_uid="9.9")], tmp_path / "page.html")
        with pytest.raises(InvalidParameter, match="there are none"):
            mc.write_html([], tmp_path / "page.html")
        assert list(tmp_path.iterdir()) == []


def test_a_page_says_what_of_the_patient_is_on_it(findings):
    for page in (
        page_of(shown(findings)),
        Reader("".join(index_parts([index_row(findings.record(), None, None)], "")).encode()),
    ):
        text = " ".join(page.text)
        assert "Not here: name, number, birth date" in text
        assert "whatever is burned into them" in text
