"""Pages in a headless Chromium: clicked, dragged, filtered and steered by keys, without a complaint or a request."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from mammocalc.write.html.index import index_parts, index_row
from mammocalc.write.html.study import Shown, study_page
from mammocalc.write.html.view import view_of_findings


def shown(found):
    view = view_of_findings(found)
    return Shown(found.image_row(), json.loads(view.description), view.picture)


@pytest.fixture(scope="module")
def page(make_findings, tmp_path_factory):
    """A right and a left view, a view without findings, and one that failed."""
    last = {
        **make_findings(laterality="L", view="MLO").image_row(),
        "status": "failed",
        "reason": "cut short",
    }
    views = [
        shown(make_findings(laterality="R", path="exam/<b>right</b>.dcm")),
        shown(make_findings()),
        shown(make_findings(laterality="R", view="MLO", rods=0, specks=0)),
        Shown({**last, "n_calcifications": 0}, None),
    ]
    path = tmp_path_factory.mktemp("page") / "study.html"
    path.write_bytes(study_page(views, "parameters a, rules b"))
    return path


@pytest.fixture
def opened(browser, page):
    browser.open(page)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in browser.requests if url.startswith("file:")]) == 1


STAGE = "document.querySelector('#view-1 .stage')"
VISIBLE = "[...document.querySelectorAll('.stage .mark')].filter(m => !m.hasAttribute('hidden')).length"
ROWS = "document.querySelectorAll('#list tbody tr').length"
SPOTS = "document.querySelectorAll('#plot .spot').length"
HEADING = "(document.querySelector('#detail h3') || {}).textContent || ''"


def change(browser, name, value, event):
    """Give a field a value as somebody would."""
    browser.run(
        f"(() => {{ const f = document.getElementById('{name}'); f.value = {json.dumps(value)};"
        f"f.dispatchEvent(new Event('{event}')); }})()"
    )


def centre(browser, selector):
    return browser.run(
        f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )


def scale(browser, view=1):
    return browser.run(
        f"Number(document.querySelector('#view-{view} .marks g').getAttribute('transform').match(/scale\\((.*)\\)/)[1])"
    )


def offset(browser, view=1):
    return browser.run(
        f"document.querySelector('#view-{view} .marks g').getAttribute('transform')"
        ".match(/-?\\d[\\d.e-]*/g).slice(0, 2).map(Number)"
    )


def test_it_starts_with_everything_shown_at_one_magnification(opened):
    assert (opened.run(VISIBLE), opened.run(ROWS), opened.run(SPOTS)) == (14, 14, 14)
    assert len({round(scale(opened, view), 6) for view in (0, 1, 2)}) == 1
    # Back to back: the right breast's picture ends where its pane does, the left one begins there.
    right_edge, left_edge = opened.run(
        "(() => { const s = document.querySelectorAll('.stage');"
        "const [a, b] = [s[0].getBoundingClientRect(), s[1].getBoundingClientRect()]; return [a.right, b.left]; })()"
    )
    assert right_edge == pytest.approx(left_edge, abs=1)
    width = opened.run("JSON.parse(document.getElementById('data').textContent).views[0].found.width")
    pane = opened.run("document.querySelector('#view-0 .stage').clientWidth")
    assert offset(opened, 0)[0] + width * scale(opened, 0) == pytest.approx(pane, abs=0.5)
    assert offset(opened, 1)[0] == pytest.approx(0, abs=0.5)
    drawn = opened.run(
        "(() => { const c = document.querySelector('#view-1 canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let s = 0; for (let k = 0; k < d.length; k += 4) s += d[k];"
        "return s / d.length * 4; })()"
    )
    assert drawn > 5


def test_a_click_on_a_calcification_tells_all_of_it(opened):
    opened.click(*centre(opened, "#view-1 .mark[data-id='1'] :is(path, circle)"))
    assert "large rod-like, typically benign" in opened.run(HEADING)
    text = opened.run("document.getElementById('detail').textContent")
    for words in (
        "Calcification 1, left CC",
        "elongation",
        "6 mm",
        "By the rule large_rod_like_by_elongation",
    ):
        assert words in text
    assert opened.run("document.querySelectorAll('.crop canvas').length") == 1
    assert opened.run("document.querySelectorAll('#plot .chosen').length") == 1
    assert opened.run("document.querySelectorAll('#list tr.chosen').length") == 1
    opened.click(*centre(opened, "#view-2 .stage"))
    assert opened.run(HEADING) == ""


def test_a_speck_is_shown_ten_times_as_large(opened):
    opened.run("document.querySelectorAll('#list tbody tr button')[13].click()")
    assert "punctate" in opened.run(HEADING)
    scale_text = opened.run("document.querySelector('.crop text').textContent")
    assert scale_text.endswith("10×")
    outline = opened.run(
        "(() => { const c = document.querySelector('.crop').getBoundingClientRect();"
        "const b = document.querySelector('.crop path').getBoundingClientRect();"
        "return [b.width / c.width * 360, (b.left + b.right - c.left - c.right) / 2]; })()"
    )
    # 5 px across, in the middle.
    assert outline[0] == pytest.approx(50, abs=10)
    assert outline[1] == pytest.approx(0, abs=8)


def test_everything_can_be_reached_by_keyboard(opened):
    reached = []
    for _ in range(80):
        opened.press("Tab")
        reached.append(
            opened.run(
                "(() => { const a = document.activeElement; return a.id || a.className || a.value; })()"
            )
        )
    assert set(reached) >= {
        *("theme", "help-button", "print", "large", "stage", "punctate", "suspicious", "score", "drag-pan"),
        *("draw-outlines", "draw-clusters", "draw-tracks", "window-width", "window-level", "fit", "invert"),
        *("window-reset", "all-labels", "previous", "next", "go-to"),
    }
    # From the list as well: a button with the number of each calcification.
    opened.run("document.querySelector('#list tbody button').focus()")
    opened.press("Enter")
    assert "large rod-like" in opened.run(HEADING)


def test_keys_go_through_calcifications_and_to_them(opened):
    seen = []
    for _ in range(14):
        opened.press("n")
        seen.append(opened.run("document.querySelector('#detail p').textContent"))
    assert len(set(seen)) == 14
    opened.press("n")
    opened.press("p")
    assert opened.run("document.querySelector('#detail p').textContent") == seen[-1]
    opened.press("Enter")
    assert scale(opened, 1) >= 1
    x, y = offset(opened, 1)
    box = opened.run(f"[{STAGE}.clientWidth, {STAGE}.clientHeight]")
    ring = opened.run(
        "['cx', 'cy'].map(a => Number(document.querySelector('#view-1 circle.chosen').getAttribute(a)))"
    )
    assert x + ring[0] * scale(opened) == pytest.approx(box[0] / 2, abs=3)
    assert y + ring[1] * scale(opened) == pytest.approx(box[1] / 2, abs=3)
    opened.press("Escape")
    assert opened.run(HEADING) == ""


def test_filters_by_label_suspicion_and_score(opened):
    opened.run("document.querySelector('#labels input[value=punctate]').click()")
    assert (opened.run(VISIBLE), opened.run(ROWS), opened.run(SPOTS)) == (2, 2, 2)
    assert opened.run("document.querySelectorAll('.stage .cluster:not([hidden])').length") == 0
    opened.run("document.querySelector('#suspicions input[value=typically_benign]').click()")
    assert opened.run(VISIBLE) == 0
    opened.run("document.getElementById('all-labels').click()")
    assert opened.run(VISIBLE) == 12
    change(opened, "score", 0.75, "input")
    # Scores fall from 0.9 to 0.6 in steps of 0.05; the first is the rod's.
    assert (opened.run(VISIBLE), opened.run(ROWS)) == (6, 6)
    assert opened.run("document.getElementById('shown-count').textContent") == "6 of 14 calcifications shown"
    opened.press("n")
    assert "punctate" in opened.run(HEADING)


@pytest.mark.parametrize(("key", "what"), [("o", ".mark"), ("c", ".cluster"), ("c", ".cluster-caption")])
def test_outlines_and_clusters_can_be_switched_off(opened, key, what):
    count = f"[...document.querySelectorAll('.stage {what}')].filter(m => !m.hasAttribute('hidden')).length"
    before = opened.run(count)
    assert before >= 2
    opened.press(key)
    assert opened.run(count) == 0
    opened.press(key)
    assert opened.run(count) == before


def test_wheel_and_keys_zoom_about_the_pointer_to_full_resolution(opened):
    at = centre(opened, "#view-1 .stage")
    box = opened.run(f"(() => {{ const b = {STAGE}.getBoundingClientRect(); return [b.x, b.y]; }})()")
    before, start = scale(opened), offset(opened)
    opened.wheel(at[0] + 40, at[1] + 20, -400)
    after, end = scale(opened), offset(opened)
    assert after > 1.5 * before
    for axis in (0, 1):
        point = at[axis] + (40, 20)[axis] - box[axis]
        assert (point - start[axis]) / before == pytest.approx((point - end[axis]) / after, abs=1)
    opened.run("document.querySelector('#view-1 .stage').focus()")
    opened.press("1")
    assert scale(opened) == pytest.approx(1)
    opened.press("0")
    assert scale(opened) == pytest.approx(before)


def test_dragging_moves_and_with_shift_changes_the_window(opened):
    x, y = centre(opened, "#view-1 .stage")
    before, grey = offset(opened), opened.run("document.querySelector('#view-1 canvas').style.filter")
    opened.drag((x, y), (x - 30, y + 25))
    assert offset(opened) == pytest.approx([before[0] - 30, before[1] + 25], abs=0.6)
    assert opened.run("document.querySelector('#view-1 canvas').style.filter") == grey
    opened.drag((x, y), (x - 120, y + 60), shift=True)
    assert offset(opened) == pytest.approx([before[0] - 30, before[1] + 25], abs=0.6)
    assert opened.run("document.querySelector('#view-0 canvas').style.filter") != grey
    assert opened.run("Number(document.getElementById('window-width').value)") == pytest.approx(0.6, abs=0.02)
    opened.press("r")
    assert opened.run("document.querySelector('#view-1 canvas').style.filter") == grey


def test_choosing_shows_the_crop_at_once_and_leaves_the_picture_where_it_is(opened):
    crop = (
        "(() => { const [c, s] = ['.crop', '#side'].map(q => document.querySelector(q).getBoundingClientRect());"
        "return c.top >= s.top && c.bottom <= s.bottom; })()"
    )
    at = centre(opened, "#view-1 .mark[data-id='1'] :is(path, circle)")
    opened.wheel(*at, -600)
    before = offset(opened), scale(opened), opened.run(f"{STAGE}.clientHeight")
    opened.click(*centre(opened, "#view-1 .mark[data-id='1'] :is(path, circle)"))
    assert "large rod-like" in opened.run(HEADING)
    assert (offset(opened), scale(opened), opened.run(f"{STAGE}.clientHeight")) == before
    assert opened.run(crop)
    opened.press("Escape")
    assert opened.run("document.getElementById('side').scrollTop") == 0
    # The plot stays in sight for who looks along it.
    opened.click(*centre(opened, "#plot .spot"))
    assert opened.run(HEADING)
    assert opened.run("document.getElementById('side').scrollTop") == 0


def test_another_size_of_the_window_keeps_what_is_in_the_middle(opened):
    opened.wheel(*centre(opened, "#view-1 .stage"), -900)
    middle = (
        f"(() => {{ const g = document.querySelector('#view-1 .marks g').getAttribute('transform')"
        f".match(/-?\\d[\\d.e-]*/g).map(Number); return [({STAGE}.clientWidth / 2 - g[0]) / g[2],"
        f"({STAGE}.clientHeight / 2 - g[1]) / g[2]]; }})()"
    )
    before, magnification = opened.run(middle), scale(opened)
    width = opened.run(f"{STAGE}.clientWidth")
    opened._ask(
        "Emulation.setDeviceMetricsOverride", width=1300, height=800, deviceScaleFactor=1, mobile=False
    )
    opened.settle()
    assert opened.run(f"{STAGE}.clientWidth") != width
    assert opened.run(middle) == pytest.approx(before, abs=1.5)
    assert scale(opened) == magnification


def test_plot_and_list_lead_to_the_picture(opened):
    opened.click(*centre(opened, "#plot .spot"))
    first = opened.run(HEADING)
    assert first
    opened.run("document.querySelectorAll('#list tbody tr button')[13].click()")
    assert "Calcification 7, left CC" in opened.run("document.querySelector('#detail p').textContent")
    assert not opened.run("document.querySelector('#view-1 circle.chosen').hasAttribute('hidden')")
    assert opened.run("document.querySelector('#view-0 circle.chosen').hasAttribute('hidden')")
    opened.run("document.querySelectorAll('#list thead button')[4].click()")
    lengths = opened.run(
        "[...document.querySelectorAll('#list tbody tr')].map(r => Number(r.cells[4].textContent))"
    )
    assert lengths == sorted(lengths)


def test_a_view_without_its_other_side_keeps_its_own(browser, make_findings, tmp_path):
    views = [make_findings(laterality="R"), make_findings(), make_findings(view="MLO")]
    (tmp_path / "page.html").write_bytes(study_page([shown(view) for view in views], ""))
    browser.open(tmp_path / "page.html")
    lefts = browser.run(
        "[...document.querySelectorAll('.pair')].map(p => p.lastElementChild.getBoundingClientRect().left"
        " - p.getBoundingClientRect().left - p.clientWidth / 2)"
    )
    assert lefts == pytest.approx([0, 0], abs=1)
    assert offset(browser, 2)[0] == pytest.approx(0, abs=0.5)
    # One alone stands in the middle.
    (tmp_path / "page.html").write_bytes(study_page([shown(views[0])], ""))
    browser.open(tmp_path / "page.html")
    width, pane = browser.run(
        "[JSON.parse(document.getElementById('data').textContent).views[0].found.width,"
        "document.querySelector('.stage').clientWidth]"
    )
    assert offset(browser, 0)[0] == pytest.approx((pane - width * scale(browser, 0)) / 2, abs=0.5)
    assert browser.complaints == []


def test_captions_do_not_cover_what_they_name(opened):
    marks = opened.run(
        "[...document.querySelectorAll('#view-1 .mark')].map(m => {"
        "const b = m.querySelector(m.classList.contains('near') ? 'path' : 'circle').getBoundingClientRect();"
        "return [b.left, b.top, b.right, b.bottom]; })"
    )
    captions = opened.run(CAPTIONS)
    assert len(captions) >= 2
    for _, left, top, right, bottom in captions:
        for mark_left, mark_top, mark_right, mark_bottom in marks:
            across = min(right, mark_right) - max(left, mark_left)
            down = min(bottom, mark_bottom) - max(top, mark_top)
            assert across < 1 or down < 4


CAPTIONS = (
    "[...document.querySelectorAll('#view-1 .marks text')]"
    ".filter(t => t.getAttribute('visibility') === 'visible' && !t.hasAttribute('hidden'))"
    ".map(t => { const b = t.getBoundingClientRect(); return [t.textContent, b.left, b.top, b.right, b.bottom]; })"
)


def test_captions_that_would_cover_each_other_wait_for_room(browser, make_findings, tmp_path):
    found = make_findings()
    curves = tuple(np.array([[430.0 + 3 * k, 205.0], [470.0, 230.0]]) for k in range(6))
    company = {**found.arrangement.columns, "chain_id": np.arange(7)}
    crowded = dataclasses.replace(
        found, arrangement=dataclasses.replace(found.arrangement, columns=company, chains=curves)
    )
    views = [shown(make_findings(laterality="R")), shown(crowded)]
    (tmp_path / "page.html").write_bytes(study_page(views, ""))
    browser.open(tmp_path / "page.html")
    for key in (None, "c"):
        if key:
            browser.press(key)
        boxes = browser.run(CAPTIONS)
        assert ("cluster 1: 6, grouped, punctate" in [text for text, *_ in boxes]) == (key is None)
        # The other tracks begin a third of a millimetre apart.
        assert 1 <= sum(text.startswith("track") for text, *_ in boxes) < 6
        for k, (_, left, top, right, bottom) in enumerate(boxes):
            for _, other_left, other_top, other_right, other_bottom in boxes[:k]:
                across = min(right, other_right) - max(left, other_left)
                down = min(bottom, other_bottom) - max(top, other_top)
                assert across < 1 or down < 4
    alive = "[...document.querySelectorAll('#view-1 .track')].filter(t => !t.hasAttribute('hidden')).length"
    assert browser.run(alive) == 6
    browser.press("t")
    assert browser.run(alive) == 0
    assert [text for text, *_ in browser.run(CAPTIONS)] == ["nipple"]
    assert browser.complaints == []


def test_dark_pages_are_printed_on_white(browser, page, index):
    for path in (page, index):
        browser.open(path, dark=True)
        browser._ask("Emulation.setEmulatedMedia", media="print", features=[])
        browser.run("document.documentElement.dataset.theme = 'dark'")
        ground = browser.run("getComputedStyle(document.body).backgroundColor")
        browser._ask("Emulation.setEmulatedMedia", media="", features=[])
        assert ground == "rgb(255, 255, 255)"


def test_a_view_can_have_the_page_for_itself(opened):
    widths = "[...document.querySelectorAll('.stage')].map(s => s.clientWidth)"
    before = opened.run(widths)
    opened.run("document.querySelector('#view-1 .large').click()")
    opened.settle()
    alone = opened.run(widths)
    assert alone[0] == alone[2] == 0
    assert alone[1] > 1.8 * before[1]
    opened.press("f")
    assert opened.run(widths) == before


def test_light_and_dark(browser, page):
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, dark=True)
    dark = browser.run(ground)
    browser.press("d")
    light = browser.run(ground)
    browser.open(page)
    assert (browser.run(ground), light != dark) == (light, True)
    assert browser.complaints == []


def test_it_prints_what_is_seen_and_looks_the_same_afterwards(opened):
    state = "[...document.querySelectorAll('.stage')].map(s => [s.clientWidth, s.clientHeight])"
    before = opened.run(state)
    opened.run(
        "addEventListener('beforeprint', () => {"
        "const in0 = s => document.querySelector('#view-0 ' + s);"
        "const [stage, group, canvas] = ['.stage', '.marks g', 'canvas'].map(in0);"
        "const copy = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');"
        "copy.drawImage(canvas, canvas.width - 40, canvas.height / 2, 1, 1, 0, 0, 1, 1);"
        "window.printed = [stage.clientWidth, group.getAttribute('transform'), canvas.style.filter,"
        "copy.getImageData(0, 0, 1, 1).data[0]]; })"
    )
    document = opened.pdf()
    opened.settle()
    opened.settle()
    assert document.startswith(b"%PDF")
    assert 2 <= document.count(b"/Type /Page\n") <= 5
    width, transform, grey_filter, grey = opened.run("window.printed")
    shift, zoom = float(transform.split("(")[1].split(" ")[0]), float(transform.split("scale(")[1][:-1])
    picture = opened.run("JSON.parse(document.getElementById('data').textContent).views[0].found.width")
    assert shift + picture * zoom == pytest.approx(width, abs=0.5)
    # Next to its chest wall the breast is bright; a filter would be printed cut at its edges.
    assert (grey_filter, grey > 60) == ("none", True)
    assert opened.run(state) == before
    assert "brightness" in opened.run("document.querySelector('#view-0 canvas').style.filter")
    opened.wheel(*centre(opened, "#view-1 .stage"), -700)
    zoomed = offset(opened), scale(opened)
    opened.pdf()
    opened.settle()
    opened.settle()
    assert (offset(opened), scale(opened)) == zoomed


@pytest.fixture(scope="module")
def index(make_findings, tmp_path_factory):
    rows = []
    for k in range(150):
        found = make_findings(specks=6 if k % 3 else 0, rods=1).record(path=f"case{k:03d}/<i>.dcm")
        if k % 50 == 7:
            images = {name: values.copy() for name, values in found["images"].items()}
            images["status"][0], images["reason"][0] = "failed", "cut short"
            found = {**found, "images": images}
        rows.append(index_row(found, f"page{k}.html", "thumbnails/one.jpg" if k % 50 != 7 else None))
    path = tmp_path_factory.mktemp("index") / "index.html"
    (path.parent / "thumbnails").mkdir()
    thumbnail = view_of_findings(make_findings()).thumbnail
    (path.parent / "thumbnails" / "one.jpg").write_bytes(thumbnail)
    path.write_text("".join(index_parts(rows, "parameters a, rules b")), encoding="utf-8")
    return path


def test_the_index_sorts_filters_and_turns_pages(browser, index):
    browser.open(index)
    rows = "document.querySelectorAll('#images tbody tr').length"
    paths = "[...document.querySelectorAll('#images tbody td.path')].map(c => c.textContent)"
    assert browser.run(rows) == 100
    first = "document.querySelector('#images tbody tr:nth-child({}) td.picture img')"
    assert browser.run(first.format(1) + ".decode().then(() => " + first.format(1) + ".naturalHeight)") == 220
    assert browser.run(first.format(1) + ".parentElement.getAttribute('href')") == "page0.html"
    assert browser.run(first.format(8)) is None
    browser.run("document.getElementById('on').click()")
    assert browser.run(rows) == 50
    browser.run("document.querySelector('#reasons button').click()")
    assert browser.run(paths) == ["case007/<i>.dcm", "case057/<i>.dcm", "case107/<i>.dcm"]
    assert "3 × cut short" in browser.run("document.getElementById('reasons').textContent")
    browser.run("document.getElementById('everything').click()")
    change(browser, "text", "CASE01", "input")
    assert browser.run(rows) == 10
    browser.run("document.querySelectorAll('#images thead button')[3].click()")
    counts = browser.run(
        "[...document.querySelectorAll('#images tbody tr')].map(r => Number(r.cells[4].textContent))"
    )
    assert counts == sorted(counts, reverse=True)
    assert browser.run("document.querySelector('#images tbody a').getAttribute('href')") == "page10.html"
    change(browser, "label", "punctate", "change")
    assert browser.run(rows) == len([k for k in range(10, 20) if k % 3])
    assert browser.complaints == []
