"""The notebooks of the documentation run from the first cell to the last, and show what is stored in them."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_500_000
LONGEST_SECONDS = 1800
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*[a-z_])")
# Sums in another order, as another processor's arithmetic has them.
TOLERANCE = 0.02

needs_kernel = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nbclient", "ipykernel")),
    reason="nbclient and ipykernel (mammocalc[test]) are not installed",
)


def shown(notebook):
    """What each cell of code shows: the texts of its outputs, and which pictures."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        texts, kinds = [], []
        for output in cell["outputs"]:
            assert output["output_type"] != "error", output
            kinds += sorted(output.get("data", {"stream": ""}))
            text = output.get("text", output.get("data", {}).get("text/plain", ""))
            # Where an object lies in memory is another place each time.
            texts.append(re.sub(r"0x[0-9a-f]+", "0x", "".join(text)))
        yield "\n".join(texts), kinds


def words_and_numbers(text):
    numbers = [float(word) for word in NUMBER.findall(text)]
    # Of a table that is as wide as its numbers, the words alone.
    return " ".join(NUMBER.sub("#", text).split()), numbers


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def stored(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_they_are_there():
    assert {path.stem for path in NOTEBOOKS} >= {"first_image", "tuning_rules", "folder_to_figure"}


def test_they_are_small_and_say_nothing_of_the_machine_they_ran_on(path):
    assert path.stat().st_size < MOST_BYTES
    notebook = stored(path)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(not cell["metadata"] for cell in notebook["cells"])
    text = "\n".join(text for text, _ in shown(notebook))
    assert not re.search(r"/(tmp|home|root|work|Users|private|var)/|[A-Z]:\\", text)
    assert not re.search(r"\d(\.\d+)? ?(s|ms|seconds)\b", text)
    assert all(cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")


@needs_kernel
def test_they_run_and_show_what_is_stored(path, tmp_path):
    done = subprocess.run(
        [sys.executable, DOCS / "refresh_notebooks.py", path, "--to", tmp_path],
        capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    before, now = stored(path), stored(tmp_path / path.name)
    assert [cell["source"] for cell in before["cells"]] == [cell["source"] for cell in now["cells"]]
    advice = "what it shows has changed: python docs/refresh_notebooks.py"
    for (text, kinds), (text_now, kinds_now) in zip(shown(before), shown(now), strict=True):
        assert kinds == kinds_now, advice
        words, numbers = words_and_numbers(text)
        words_now, numbers_now = words_and_numbers(text_now)
        assert words == words_now, advice
        assert numbers == pytest.approx(numbers_now, rel=TOLERANCE, abs=TOLERANCE), advice


def test_a_change_would_be_seen():
    before, now = "  label  n\n0 round  12", "  label   n\n0 round  120"
    assert words_and_numbers(before)[0] == words_and_numbers(now)[0]
    assert words_and_numbers(before)[1] == [0, 12] != words_and_numbers(now)[1]
    assert words_and_numbers("1 round")[0] != words_and_numbers("1 rim")[0]
    assert words_and_numbers("case30/LCC.dcm 0.5 mm2 -1.5e-3")[1] == [0.5, -0.0015]
