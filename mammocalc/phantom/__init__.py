"""Synthetic mammograms with exact truth: benches, tests and samples are made of them."""

from mammocalc.phantom.gauge import make_gauge
from mammocalc.phantom.make import Phantom, make
from mammocalc.phantom.samples import SAMPLES, write_phantom, write_phantoms, write_samples
from mammocalc.phantom.scenes import SCENES, arterial, classic_benign, mixed, normal
from mammocalc.phantom.settings import (
    DETECTORS,
    LABELS,
    TEST_SEEDS,
    TRAINING_SEEDS,
    Detector,
    PhantomSettings,
)
from mammocalc.phantom.truth import (
    CalcificationTruth,
    ChainTruth,
    ClusterTruth,
    DistractorTruth,
    Truth,
)

__all__ = [
    "DETECTORS",
    "LABELS",
    "SAMPLES",
    "SCENES",
    "TEST_SEEDS",
    "TRAINING_SEEDS",
    "CalcificationTruth",
    "ChainTruth",
    "ClusterTruth",
    "Detector",
    "DistractorTruth",
    "Phantom",
    "PhantomSettings",
    "Truth",
    "arterial",
    "classic_benign",
    "make",
    "make_gauge",
    "mixed",
    "normal",
    "write_phantom",
    "write_phantoms",
    "write_samples",
]
