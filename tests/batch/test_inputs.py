"""Walking folders: everything once, in an order of its own."""

import os
import tracemalloc
from pathlib import Path

import pytest

from mammocalc.batch.inputs import FoundInput, order_of, walk
from mammocalc.batch.inventory import Inventory, hashed
from mammocalc.errors import InvalidParameter


def names(*roots, **options):
    return [found.name for found in walk(roots, **options)]


@pytest.fixture
def tree(folder):
    names = ("b/2", "b/1", "b/z/deep", "a.dcm", "a/x", "B", ".hidden", "ä", "a b")
    return folder(dict.fromkeys(names, "x"))


def test_all_files_in_the_order_of_their_bytes(tree):
    found = names(tree)
    assert found == [".hidden", "B", "a/x", "a b", "a.dcm", "b/1", "b/2", "b/z/deep", "ä"]
    assert found == sorted(found, key=order_of)


def test_names_do_not_depend_on_how_the_folder_is_given(tree, monkeypatch):
    monkeypatch.chdir(tree.parent)
    assert names("inputs") == names(tree) == names("inputs/../inputs/")


def test_a_single_file_and_several_roots(tree):
    assert names(tree / "b" / "1") == ["1"]
    assert names(tree / "b", tree / "a") == ["a/x", "b/1", "b/2", "b/z/deep"]
    assert names(tree / "b" / "2", tree / "b" / "1", tree / "b" / "1") == ["1", "2"]


def test_a_root_inside_another_is_not_walked_twice(tree):
    assert names(tree, tree / "b", tree / "b" / "1") == names(tree)


def test_the_output_is_left_out(tree):
    assert names(tree, exclude=[tree / "b", tree / "B"]) == [".hidden", "a/x", "a b", "a.dcm", "ä"]


def test_the_output_is_left_out_by_whatever_path_it_is_met(tree):
    (tree / "out" / "ledger").mkdir(parents=True)
    (tree / "out" / "ledger" / "entry").write_bytes(b"x")
    (tree / "log").write_bytes(b"x")
    (tree / "b" / "again").symlink_to(tree)
    (tree / "b" / "out").symlink_to(tree / "out")
    (tree / "b" / "log").symlink_to(tree / "log")
    below = names(tree / "b", exclude=[tree / "out", tree / "log"])
    assert "again/a.dcm" in below
    assert not [name for name in below if name.endswith("log") or "out" in name]


def test_names_of_any_bytes(tmp_path):
    for name in (b"new\nline", b"not\xffutf8", b"tab\t", b"'quoted\"", b"-dash"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    found = list(walk([tmp_path]))
    assert len(found) == 5
    assert all(os.path.exists(item.path) for item in found)  # noqa: PTH110


def test_links(tree):
    (tree / "b" / "loop").symlink_to(tree)
    (tree / "a" / "self").symlink_to(tree / "a" / "self")
    (tree / "a" / "gone").symlink_to("nowhere")
    (tree / "a" / "file").symlink_to(tree / "B")
    (tree / "c").symlink_to(tree / "b")
    found = {item.name: item for item in walk([tree])}
    assert found["b/loop"].reason == "a folder that is walked already under another path"
    assert found["c"].status == "skipped"
    assert found["a/self"].reason == found["a/gone"].reason == "a symbolic link that leads nowhere"
    assert found["a/gone"].status == "failed"
    assert found["a/file"].status == ""
    assert len(found) == 9 + 5


def test_a_tangle_of_links_is_walked_in_no_time(tmp_path):
    """Forty storeys with two ways up each: 2**40 paths, 40 folders."""
    for storey in range(40):
        (tmp_path / f"s{storey}").mkdir()
        for way in "ab":
            (tmp_path / f"s{storey}" / way).symlink_to(tmp_path / f"s{storey + 1}")
    assert len(list(walk([tmp_path]))) < 200


def test_depth_is_not_bounded_by_the_stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(900):
        os.mkdir("d")  # noqa: PTH102 (relative: the whole path is longer than the system takes at once)
        os.chdir("d")
    os.chdir(tmp_path)
    found = list(walk([tmp_path]))
    assert [item.status for item in found] in ([], ["failed"])


def test_a_folder_that_cannot_be_listed_is_a_row(tree, monkeypatch):
    listed = os.scandir

    def scandir(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = {item.name: item for item in walk([tree])}
    assert found["b"].reason == "the folder cannot be listed (Permission denied)"
    assert found["a.dcm"].status == ""


def test_what_cannot_be_looked_at_is_an_input_like_any_other(tree, monkeypatch):
    """A folder whose names may be listed and not more, a drive that fails: whoever reads the file will say."""
    looked_at = Path.stat

    def stat(self, **options):
        if "b" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return looked_at(self, **options)

    with monkeypatch.context() as forbidden:
        forbidden.setattr(Path, "stat", stat)
        found = {item.name: item.status for item in walk([tree])}
    assert found["b"] == found["a.dcm"] == ""


def test_a_missing_root_is_a_usage_error(tmp_path):
    with pytest.raises(InvalidParameter, match=r"no such file or folder: .*nowhere"):
        names(tmp_path / "nowhere")


@pytest.mark.parametrize("hash_paths", [False, True])
def test_an_inventory_keeps_its_inputs_on_disk(tmp_path, hash_paths):
    found = (FoundInput(f"/some/where/{k:06}", f"{k:06}") for k in range(30_000))
    tracemalloc.start()
    inventory = Inventory(found, hash_paths=hash_paths, folder=tmp_path)
    names = inventory.names()
    first = next(names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    assert inventory.count == 30_000
    every = [first, *names]
    wanted = [f"{k:06}" for k in range(30_000)]
    assert every == (sorted(map(hashed, wanted)) if hash_paths else wanted)
    assert all(item.name == (hashed(item.path[-6:]) if hash_paths else item.path[-6:]) for item in inventory)
    inventory.close()
