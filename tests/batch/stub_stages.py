"""Stands in for reading and searching in worker processes: text files that say what is to happen.

The first line of a file is ``stub`` and then words: ``n=3`` (calcifications), ``frames=5``, ``skip``, ``fail`` and
``crash`` (``fail2``, ``crash0``: at that frame), ``empty`` (no breast), ``bug``, ``exit``, ``hang``, ``memory``,
``sleep=0.1`` and ``until=FILE`` (waits for it to appear). Everything else goes to the real stages.
"""

import ctypes
import hashlib
import os
import time
from pathlib import Path

import numpy as np

import mammocalc.pipeline
import mammocalc.read
from mammocalc.batch.work import search
from mammocalc.errors import NoBreastFound, SkippedInput, UnreadableInput
from mammocalc.read.mammogram import Mammogram
from mammocalc.write.tables import columns_of

__all__ = ["search"]

_real = {
    "read": mammocalc.read.read,
    "count_frames": mammocalc.read.count_frames,
    "detect": mammocalc.pipeline.detect,
}


def words(path):
    with Path(path).open("rb") as stream:
        line = stream.readline(500)
    if not line.startswith(b"stub"):
        return None
    pairs = (word.partition("=") for word in line.decode().split()[1:])
    return {name: value for name, _, value in pairs}


def count_frames(path, **options):
    said = words(path) if Path(path).is_file() else None
    return _real["count_frames"](path, **options) if said is None else int(said.get("frames", 1))


def read(path, *, frame=0, **options):
    said = words(path) if Path(path).is_file() else None
    if said is None:
        return _real["read"](path, frame=frame, **options)
    if "skip" in said:
        raise SkippedInput("a stub to be skipped")
    if "fail" in said or f"fail{frame}" in said:
        raise UnreadableInput("a stub that cannot be read")
    if "crash" in said or f"crash{frame}" in said:
        ctypes.string_at(0)
    if "exit" in said:
        os._exit(7)
    if "hang" in said:
        time.sleep(600)
    if "memory" in said:
        np.ones(int(said["memory"]) * 125_000)
    if "bug" in said:
        raise KeyError("PLANTED-ID-77")
    time.sleep(float(said.get("sleep", 0)))
    while "until" in said and not Path(said["until"]).exists():
        time.sleep(0.02)
    identity = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
    return Mammogram(
        np.zeros((8, 6), np.uint16), 0.07, "stub", path=str(path), frame=frame, sop_instance_uid=identity
    )


class Findings:
    def __init__(self, mammogram, said):
        self.mammogram = mammogram
        self.timings = {"prepare": 1.0}
        self._count = int(said.get("n", 2))

    def record(self, path):
        frame = self.mammogram.frame
        key = {"path": path, "frame": frame, "sop_instance_uid": self.mammogram.sop_instance_uid}
        values = np.random.default_rng(int(self.mammogram.sop_instance_uid, 16) + frame).random(self._count)
        image = {
            **key,
            "status": "ok",
            "n_calcifications": self._count,
            "n_clusters": 1,
            "seconds": time.time(),
        }
        labels = np.array(["round", "vascular", "rim"])[np.arange(self._count) % 3]
        specks = {**key, "calcification_id": np.arange(self._count), "row": values, "label": labels}
        return {
            "images": columns_of("images", image, 1),
            "calcifications": columns_of("calcifications", specks, self._count),
            "clusters": columns_of("clusters", {**key, "cluster_id": 1}, 1),
        }


def detect(mammogram, parameters=None, rules=None, *, threads=None, **options):
    if mammogram.spacing_source != "stub":
        return _real["detect"](mammogram, parameters, rules, threads=threads, **options)
    said = words(mammogram.path)
    if "empty" in said:
        raise NoBreastFound("nothing there")
    return Findings(mammogram, said)


mammocalc.read.read, mammocalc.read.count_frames, mammocalc.pipeline.detect = read, count_frames, detect
