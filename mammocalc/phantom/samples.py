"""Phantoms as files: DICOM beside truth, and the few that ship as samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mammocalc.phantom.make import Phantom, make
from mammocalc.phantom.scenes import NO_CALCIUM, SCENES, Size
from mammocalc.phantom.settings import DETECTORS, PhantomSettings


@dataclass(frozen=True)
class Sample:
    """How one of the shipped samples is made."""

    seed: int
    settings: PhantomSettings
    transfer_syntax: str


def _settings(**values: object) -> PhantomSettings:
    return PhantomSettings(**{**NO_CALCIUM, **values})  # type: ignore[arg-type]


SAMPLES: Mapping[str, Sample] = {
    "classic_benign_left_cc": Sample(
        21,
        _settings(
            detector="selenium_70",
            density=0.30,
            difficulty=0.3,
            large_rod_like=9,
            vascular=2,
            round=3,
            punctate=0,
        ),
        "jpeg-lossless",
    ),
    "mixed_right_mlo": Sample(
        7,
        _settings(
            detector="selenium_85",
            rows=1200,
            columns=860,
            laterality="R",
            view="MLO",
            density=0.5,
            difficulty=0.4,
            large_rod_like=2,
            vascular=1,
            round=4,
            punctate=1,
            rim=2,
            coarse=1,
            fine_linear=1,
            skin=1,
        ),
        "jpeg-2000",
    ),
    "suspicious_left_cc_raw": Sample(
        11,
        _settings(
            detector="selenium_70",
            intent="FOR PROCESSING",
            rows=1300,
            density=0.45,
            difficulty=0.4,
            fine_linear=1,
            fine_linear_branching=1,
            fine_pleomorphic=1,
            amorphous=1,
            punctate=1,
            hot_pixels=3,
        ),
        "jpeg-ls",
    ),
    "film_right_cc": Sample(
        13,
        _settings(
            detector="film_100",
            rows=1000,
            columns=760,
            laterality="R",
            dense_is_bright=False,
            density=0.25,
            difficulty=0.3,
            rim=2,
            coarse=1,
            round=3,
            vascular=1,
            dystrophic=1,
            dust=8,
            lint=2,
            scratches=1,
        ),
        "rle",
    ),
    "no_calcifications_left_mlo": Sample(
        17,
        _settings(
            detector="caesium_100",
            rows=1100,
            columns=760,
            view="MLO",
            density=0.6,
            fibres_per_cm2=4.0,
            ligaments_per_cm2=0.5,
            vessels=5,
            skin_folds=1,
            bb_marker=True,
        ),
        "htj2k",
    ),
}
"""The samples by name; every label that the first rules tell apart is among them."""


def write_samples(folder: str | Path) -> list[Path]:
    """Write the shipped samples, the same bytes each time: ``<name>.dcm`` and ``<name>.truth.json``.

    Parameters
    ----------
    folder : path
        Made where it does not exist.

    Returns
    -------
    list of Path
        The DICOM files.
    """
    return [
        write_phantom(make(sample.seed, settings=sample.settings), Path(folder), name, sample.transfer_syntax)
        for name, sample in SAMPLES.items()
    ]


def write_phantoms(
    folder: str | Path,
    seeds: Iterable[int],
    scene: str = "mixed",
    *,
    size: Size = "small",
    transfer_syntax: str = "jpeg-lossless",
) -> list[Path]:
    """Write one phantom a seed as ``<scene>_<seed>.dcm`` and ``<scene>_<seed>.truth.json``.

    Parameters
    ----------
    folder : path-like
        Created if it is not there.
    seeds : iterable of int
        See `TRAINING_SEEDS` and `TEST_SEEDS`.
    scene : str
        One of `SCENES`.
    size : {"small", "full"}
        A small breast (98 x 70 mm) or a full field (232 x 178 mm).
    transfer_syntax : str
        One of `mammocalc.write.dicom.TRANSFER_SYNTAXES`.

    Returns
    -------
    list of Path
        The DICOM files.

    Raises
    ------
    ValueError
        If the scene is unknown.
    """
    if scene not in SCENES:
        raise ValueError(f"scene {scene!r} is none of {', '.join(SCENES)}")
    return [
        write_phantom(
            make(seed, settings=SCENES[scene](seed, size)),
            Path(folder),
            f"{scene}_{seed:05d}",
            transfer_syntax,
        )
        for seed in seeds
    ]


def write_phantom(phantom: Phantom, folder: Path, name: str, transfer_syntax: str) -> Path:
    """Write one phantom as DICOM, ``<name>.dcm``, and its truth as JSON, ``<name>.truth.json``.

    Parameters
    ----------
    phantom : Phantom
        See `make`.
    folder : pathlib.Path
        Made where it does not exist.
    name : str
        Of the files.
    transfer_syntax : str
        One of `mammocalc.write.dicom.TRANSFER_SYNTAXES`.

    Returns
    -------
    pathlib.Path
        The DICOM file.
    """
    from mammocalc.write.dicom import Origin, write_mammogram

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dcm"
    detector = DETECTORS[str(phantom.truth.settings["detector"])]
    origin = Origin(
        patient_id=f"PHANTOM-{phantom.truth.seed}",
        description="Synthetic mammogram",
        detector_type=detector.detector_type,
    )
    write_mammogram(phantom.mammogram, path, transfer_syntax=transfer_syntax, origin=origin)
    path.with_name(f"{name}.truth.json").write_text(phantom.truth.to_json() + "\n", encoding="utf-8")
    return path
