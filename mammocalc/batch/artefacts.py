"""The further files of a frame: which were asked for, where they are, and which could not be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammocalc.errors import MammocalcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mammocalc.batch.work import Settings
    from mammocalc.findings import Findings

Tables = Mapping[str, Mapping[str, NDArray[Any]]]

OF_A_STUDY = ("cad-sr",)
DICOM_OF_AN_IMAGE = ("sr", "seg", "pr")
DICOM = (*OF_A_STUDY, *DICOM_OF_AN_IMAGE)
WRITERS = ("overlay", "html", *DICOM)
# What also says of an image that it could not be searched.
OF_FAILURES = (*OF_A_STUDY, "html")
# Folder of the pages for a browser.
PAGES = "html"
# Of these there is none where nothing was found.
_OF_FINDINGS = ("seg", "pr")


class Made(NamedTuple):
    """What was made of a frame.

    Attributes
    ----------
    files : mapping of str to bytes
        By path relative to the output.
    tables : mapping
        Further tables of its record: what the objects of its study are made of.
    unwritten : mapping of str to str
        Why, for each kind that was asked for and could not be made.
    """

    files: Mapping[str, bytes]
    tables: Tables
    unwritten: Mapping[str, str]

    def and_also(self, other: Made) -> Made:
        """Both."""
        return Made(
            {**self.files, **other.files},
            {**self.tables, **other.tables},
            {**self.unwritten, **other.unwritten},
        )


def kind_of(path: str) -> str:
    """The kind of a further file by its path relative to the output."""
    folders = path.split("/")
    return {"dicom": folders[1], "html": "html"}.get(folders[0], "overlay")


def study_path(study_instance_uid: str, kind: str) -> str:
    """Where an object of a whole study is, relative to the output."""
    return f"dicom/{kind}/{study_instance_uid}.dcm"


def configuration(settings: Settings) -> str:
    """What tells this way of making an object from others."""
    from mammocalc.write.dicom.study import configuration_of

    return configuration_of(settings.parameters.hash, settings.lexicon.hash)


def made_of_findings(findings: Findings, record: Tables, path: str, name: str, settings: Settings) -> Made:
    """The further files of a frame that was searched.

    Parameters
    ----------
    findings : Findings
    record : mapping
        Its rows, as they are to stand in the tables.
    path, name : str
        Where the input is, and what it is called in the tables.
    settings : Settings
    """
    made = _objects_of_findings(findings, record, path, name, settings)
    return made.and_also(_page_of_findings(findings, name)) if "html" in settings.write else made


def _objects_of_findings(
    findings: Findings, record: Tables, path: str, name: str, settings: Settings
) -> Made:
    files: dict[str, bytes] = {}
    if "overlay" in settings.write:
        from mammocalc.write.overlay import overlay_name, overlay_png

        files[f"overlays/{overlay_name(name, findings.mammogram.frame)}"] = overlay_png(findings)
    wanted = [kind for kind in DICOM if kind in settings.write]
    if not wanted:
        return Made(files, {}, {})
    source = _source(path, settings)
    if isinstance(source, str):
        return Made(files, {}, dict.fromkeys(wanted, source))
    from mammocalc.write.dicom.report import outlines_as_columns

    outlines = outlines_as_columns(findings.outlines())
    writers = _writers(findings, {**record, "outlines": outlines}, source, settings)
    unwritten: dict[str, str] = {}
    for kind in wanted:
        if kind not in writers or (kind in _OF_FINDINGS and not len(findings)):
            continue
        try:
            files[_image_path(name, findings.mammogram.frame, kind)] = writers[kind]()
        except MammocalcError as error:
            unwritten[kind] = str(error)
        except MemoryError:
            raise
        except Exception as error:
            # A header may hold anything, and what it does to one object is not to cost the others, or the row.
            unwritten[kind] = f"an internal error ({type(error).__name__}); please report it"
    of_study = set(wanted) & set(OF_A_STUDY)
    return Made(files, {"outlines": outlines, "source": _source_table(source)} if of_study else {}, unwritten)


def _page_of_findings(findings: Findings, name: str) -> Made:
    """What the page of its study shows of an image."""
    from mammocalc.write.html.view import view_of_findings
    from mammocalc.write.overlay import overlay_name
    from mammocalc.write.tables import text

    image = findings.mammogram
    key = text(image.study_instance_uid or name)
    file = overlay_name(name, image.frame).removesuffix(".png")
    picture, thumbnail = f"{PAGES}/pictures/{file}.jpg", f"{PAGES}/thumbnails/{file}.jpg"
    try:
        view = view_of_findings(findings)
    except MemoryError:
        raise
    except Exception as error:
        # What a page cannot show is not to cost the row.
        return Made({}, {}, {"html": f"an internal error ({type(error).__name__}); please report it"})
    return Made(
        {picture: view.picture, thumbnail: view.thumbnail},
        {"page": _page_table(key, picture, thumbnail, view.description)},
        {},
    )


def _page_table(
    key: str,
    picture: str = "",
    thumbnail: str = "",
    description: bytes = b"",
    known: Mapping[str, str] | None = None,
) -> dict[str, NDArray[Any]]:
    """Which page a frame is on, its files, what was found, and what its header says where that is all there is."""
    texts = {"key": key, "picture": picture, "thumbnail": thumbnail, "known": json.dumps(known or {})}
    table: dict[str, NDArray[Any]] = {}
    for name, text in texts.items():
        table[name] = np.empty(1, object)
        table[name][0] = text
    return {**table, "description": np.frombuffer(description, np.uint8)}


def made_of_failure(path: str, settings: Settings) -> Made:
    """What the objects and the page of its study have to know of a frame that could not be searched."""
    wanted = [kind for kind in OF_FAILURES if kind in settings.write]
    if not wanted:
        return Made({}, {}, {})
    source = _source(path, settings)
    if isinstance(source, str):
        # Nothing was found in it that could be missing from an object.
        return Made({}, {}, {})
    from mammocalc.read.header import Header
    from mammocalc.read.view import laterality_of, view_of
    from mammocalc.write.dicom.report import outlines_as_columns

    made = Made({}, {}, {})
    if set(wanted) & set(OF_A_STUDY):
        tables = {"outlines": outlines_as_columns([]), "source": _source_table(source)}
        made = made.and_also(Made({}, tables, {}))
    if "html" in wanted:
        header = Header(source)
        study = header.uid("StudyInstanceUID")
        known = {"study_instance_uid": study, "laterality": laterality_of(header), "view": view_of(header)}
        made = made.and_also(Made({}, {"page": _page_table(study, known=known)}, {}))
    return made


def _source(path: str, settings: Settings) -> Any | str:
    """The header of an image, or why there is none."""
    from mammocalc.write.dicom.source import read_source

    try:
        return read_source(path, settings.limits.read)
    except MammocalcError as error:
        return str(error)


def _source_table(source: Any) -> dict[str, NDArray[Any]]:
    from mammocalc.write.dicom.source import pack_source

    study = np.empty(1, object)
    study[0] = str(source.StudyInstanceUID)
    return {"study_instance_uid": study, "header": np.frombuffer(pack_source(source), np.uint8)}


def _writers(
    findings: Findings, record: Tables, source: Any, settings: Settings
) -> dict[str, Callable[[], bytes]]:
    from mammocalc.write.dicom.measurement_report import measurement_report
    from mammocalc.write.dicom.presentation_state import presentation_state
    from mammocalc.write.dicom.segmentation import segmentation
    from mammocalc.write.dicom.study import reported_image

    how = configuration(settings)
    return {
        "sr": lambda: measurement_report(reported_image(record, source), source, how),
        "seg": lambda: segmentation(findings, source, how),
        "pr": lambda: presentation_state(findings, source, how),
    }


def _image_path(name: str, frame: int, kind: str) -> str:
    from mammocalc.write.overlay import overlay_name

    return f"dicom/{kind}/{overlay_name(name, frame).removesuffix('.png')}.dcm"
