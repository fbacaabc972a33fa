"""Findings in hand as a page for a browser."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mammocalc.errors import InvalidParameter
from mammocalc.write.html.study import Shown, study_page
from mammocalc.write.html.view import view_of_findings

if TYPE_CHECKING:
    from mammocalc.findings import Findings


def write_html(findings: Findings | Iterable[Findings], path: str | os.PathLike[str]) -> Path:
    """Write the page of a study: one file that needs no network, the same as ``--write html`` leaves for it.

    It states the names of the images' files, the study's identifier and the pictures; nothing else of the patient.

    Parameters
    ----------
    findings : Findings or iterable of Findings
        The images of one study; they are hung right breast left, CC above MLO, whatever their order.
    path : path
        Of the page, e.g. ``study.html``. Its folder is made where it does not exist; a file of this name is replaced.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InvalidParameter
        No findings, or findings of several studies.
    """
    from mammocalc.write.dicom.study import configuration_of

    several = list(findings) if isinstance(findings, Iterable) else [findings]
    if not several:
        raise InvalidParameter("findings: there are none")
    studies = {found.mammogram.study_instance_uid for found in several}
    if len(studies) > 1:
        raise InvalidParameter(f"findings: of {len(studies)} studies, and a page is of one")
    first = several[0]
    page = study_page(
        [_shown(found) for found in several], configuration_of(first.parameters.hash, first.lexicon.hash)
    )
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(page)
    return out


def _shown(found: Findings) -> Shown:
    view = view_of_findings(found)
    # Folders on this machine are nobody's business.
    image = {**found.image_row(), "path": Path(found.mammogram.path).name}
    return Shown(image, json.loads(view.description), view.picture)
