"""Finds, measures and labels calcifications on mammograms. Research software, not a medical device.

>>> import mammocalc as mc
>>> findings = mc.detect("image.dcm")  # doctest: +SKIP
>>> findings.calcifications, findings.clusters, findings.plot(), findings.explain(3)  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mammocalc.batch import BatchSummary, detect_folder
    from mammocalc.classify import Lexicon, load_lexicon
    from mammocalc.errors import (
        InvalidParameter,
        MammocalcError,
        NoBreastFound,
        SkippedInput,
        UnreadableInput,
        UnwritableObject,
    )
    from mammocalc.findings import Findings
    from mammocalc.parameters import Parameters, load_parameters
    from mammocalc.pipeline import detect
    from mammocalc.read import Mammogram, read, read_frames
    from mammocalc.write.dicom.cad_sr_reader import read_cad_sr
    from mammocalc.write.dicom.files import write_dicom
    from mammocalc.write.html.files import write_html
    from mammocalc.write.tables import read_tables

    __version__: str

# Where each public name lives. It is imported when it is first used: the command line and a script that only reads
# tables do not wait for the compiler and the plotting library.
_HOME = {
    "BatchSummary": "mammocalc.batch",
    "Findings": "mammocalc.findings",
    "InvalidParameter": "mammocalc.errors",
    "Lexicon": "mammocalc.classify",
    "MammocalcError": "mammocalc.errors",
    "Mammogram": "mammocalc.read",
    "NoBreastFound": "mammocalc.errors",
    "Parameters": "mammocalc.parameters",
    "SkippedInput": "mammocalc.errors",
    "UnreadableInput": "mammocalc.errors",
    "UnwritableObject": "mammocalc.errors",
    "detect": "mammocalc.pipeline",
    "detect_folder": "mammocalc.batch",
    "load_lexicon": "mammocalc.classify",
    "load_parameters": "mammocalc.parameters",
    "read": "mammocalc.read",
    "read_cad_sr": "mammocalc.write.dicom.cad_sr_reader",
    "read_frames": "mammocalc.read",
    "read_tables": "mammocalc.write.tables",
    "write_dicom": "mammocalc.write.dicom.files",
    "write_html": "mammocalc.write.html.files",
}

__all__ = [
    "BatchSummary",
    "Findings",
    "InvalidParameter",
    "Lexicon",
    "MammocalcError",
    "Mammogram",
    "NoBreastFound",
    "Parameters",
    "SkippedInput",
    "UnreadableInput",
    "UnwritableObject",
    "__version__",
    "detect",
    "detect_folder",
    "load_lexicon",
    "load_parameters",
    "read",
    "read_cad_sr",
    "read_frames",
    "read_tables",
    "write_dicom",
    "write_html",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("mammocalc")
    elif name in _HOME:
        from importlib import import_module

        home = import_module(_HOME[name])
        value = home if name == "read" else getattr(home, name)
    else:
        raise AttributeError(f"module 'mammocalc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _ReadStage(ModuleType):
    """The package ``mammocalc.read``, which reads a file when it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.read(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(self.read)


class _Package(ModuleType):
    """``mammocalc.read`` names a function of the public API and a package; whichever comes first, it can be called."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "read" and type(value) is ModuleType:
            value.__class__ = _ReadStage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
