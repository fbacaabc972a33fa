"""Parts of a run, made apart and joined."""

import json

import pytest

from mammocalc.batch import merge
from mammocalc.batch.inventory import in_shard
from mammocalc.errors import InvalidParameter, MammocalcError


@pytest.fixture
def inputs(folder):
    files = {f"{'abc'[k % 3]}/{k}": f"stub n={k}" for k in range(30)}
    return folder(files | {"tomo": "stub frames=4", "x/fail": "stub fail", "x.txt": "text"})


def test_every_input_is_in_exactly_one_part():
    names = [f"folder/{k}" for k in range(2000)]
    for parts in (1, 2, 7):
        members = [sum(in_shard(name, (part, parts)) for name in names) for part in range(1, parts + 1)]
        assert sum(members) == len(names)
        assert min(members) > len(names) / parts / 2


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_parts_joined_are_the_whole(detect, inputs, tmp_path, tables, shared, format):
    whole = detect(inputs, tmp_path / "whole", format=format)
    outs = [tmp_path / ("parts" if shared else f"part{k}") for k in (1, 2, 3)]
    parts = [detect(inputs, out, shard=(k, 3), format=format) for k, out in enumerate(outs, 1)]
    assert sum(part.inputs for part in parts) == whole.inputs
    joined = merge(outs[0] if shared else outs, tmp_path / "joined", format=format)
    assert tables(tmp_path / "joined") == tables(tmp_path / "whole")
    assert (joined.images, joined.failed, joined.labels) == (whole.images, whole.failed, whole.labels)
    manifests = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("joined", "whole")]
    assert manifests[0] == manifests[1]


def test_a_part_has_its_own_tables(detect, inputs, tmp_path, tables):
    summary = detect(inputs, tmp_path / "out", shard=(2, 3))
    assert len(tables(tmp_path / "out" / "shards" / "2-of-3")) == 3
    assert not (tmp_path / "out" / "images.parquet").exists()
    assert 0 < summary.inputs < 33


def test_merging_into_the_folder_of_the_parts(detect, inputs, tmp_path, tables):
    for k in (1, 2):
        detect(inputs, tmp_path / "out", shard=(k, 2))
    merge(tmp_path / "out")
    detect(inputs, tmp_path / "whole")
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_a_missing_part_is_named(detect, inputs, tmp_path):
    for k in (1, 3):
        detect(inputs, tmp_path / "out", shard=(k, 4))
    with pytest.raises(MammocalcError, match="2 of 4 shards are missing: 2, 4"):
        merge(tmp_path / "out")
    assert not (tmp_path / "out" / "images.parquet").exists()


def test_an_unfinished_part_is_named(detect, inputs, tmp_path):
    for k in (1, 2):
        detect(inputs, tmp_path / "out", shard=(k, 2))
    next((tmp_path / "out" / "ledger").glob("*/*.entry")).unlink()
    with pytest.raises(MammocalcError, match=r"shard [12] of 2 is not finished"):
        merge(tmp_path / "out")


def test_parts_of_different_runs_are_refused(detect, inputs, tmp_path):
    detect(inputs, tmp_path / "a", shard=(1, 2))
    detect(inputs, tmp_path / "b", shard=(2, 2), min_score=0.9)
    with pytest.raises(InvalidParameter, match="not parts of one run"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    with pytest.raises(InvalidParameter, match="shard 1 of 2 is there twice"):
        merge([tmp_path / "a", tmp_path / "a"], tmp_path / "joined")
    with pytest.raises(InvalidParameter, match="holds no shards"):
        merge(tmp_path / "nowhere")


def test_hashed_parts_joined_are_the_whole(detect, inputs, tmp_path, tables):
    detect(inputs, tmp_path / "whole", hash_paths=True)
    for k in (1, 2):
        detect(inputs, tmp_path / "parts", shard=(k, 2), hash_paths=True)
    merge(tmp_path / "parts")
    assert tables(tmp_path / "parts") == tables(tmp_path / "whole")
