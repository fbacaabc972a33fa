"""Everything that can be set, in one frozen, validated object that is written out with every result."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mammocalc.arrange.parameters import ArrangeParameters
from mammocalc.errors import InvalidParameter
from mammocalc.measure.parameters import MeasureParameters
from mammocalc.prepare.parameters import PrepareParameters
from mammocalc.segment.parameters import SegmentParameters


@dataclass(frozen=True)
class Parameters:
    """Parameters of every stage.

    Attributes
    ----------
    prepare : PrepareParameters
        Breast, muscle, foreign objects and noise.
    segment : SegmentParameters
        Scales, thresholds, outlines and the operating point.
    measure : MeasureParameters
        Blur and background.
    arrange : ArrangeParameters
        Chains and clusters.

    Notes
    -----
    Every length is in mm and says so in its name.

    Examples
    --------
    >>> Parameters().replace("segment", min_score=0.2).segment.min_score
    0.2
    """

    prepare: PrepareParameters = field(default_factory=PrepareParameters)
    segment: SegmentParameters = field(default_factory=SegmentParameters)
    measure: MeasureParameters = field(default_factory=MeasureParameters)
    arrange: ArrangeParameters = field(default_factory=ArrangeParameters)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Plain nested dictionaries, stage by stage, ready for JSON or TOML.

        Returns
        -------
        dict of str to dict
            Values by stage and parameter; `from_dict` takes them back.
        """
        return {
            stage.name: {
                entry.name: _plain(getattr(getattr(self, stage.name), entry.name), entry.default)
                for entry in dataclasses.fields(getattr(self, stage.name))
            }
            for stage in dataclasses.fields(self)
        }

    @property
    def hash(self) -> str:
        """SHA-256 of the values in hexadecimal, the same on every machine and for 1 and 1.0 in a real field."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "parameters") -> Parameters:
        """Build from nested dictionaries; what is not named keeps its default.

        Parameters
        ----------
        values : mapping
            As `as_dict` gives it, whole or in part.
        source : str
            Where they come from, for messages.

        Returns
        -------
        Parameters
            Checked against the bounds.

        Raises
        ------
        InvalidParameter
            Names the source, the stage, the parameter and its bounds.
        """
        stages = {stage.name: type(getattr(_DEFAULT, stage.name)) for stage in dataclasses.fields(cls)}
        built: dict[str, Any] = {}
        for name, entries in values.items():
            if name not in stages:
                raise InvalidParameter(f"{source}: no stage [{name}]{_nearest(name, stages)}")
            if not isinstance(entries, Mapping):
                raise InvalidParameter(f"{source}: [{name}] must be a table of parameters, got {entries!r}")
            built[name] = _build_stage(stages[name], entries, f"{source}: [{name}]")
        return cls(**built)

    def replace(self, stage: str, **values: Any) -> Parameters:
        """The same with some values of one stage changed.

        Parameters
        ----------
        stage : {"prepare", "segment", "measure", "arrange"}
            Whose values change.
        **values
            New values by parameter.

        Returns
        -------
        Parameters
            A copy; this one stays as it is.

        Raises
        ------
        InvalidParameter
            An unknown stage or parameter, or a value outside its bounds.
        """
        return Parameters.from_dict({**self.as_dict(), stage: {**self.as_dict().get(stage, {}), **values}})

    def as_toml(self) -> str:
        """A parameter file with these values; each has its meaning and bounds as a comment.

        Returns
        -------
        str
            TOML with a section a stage; `load_parameters` reads it back.
        """
        lines = []
        for stage in dataclasses.fields(self):
            section = getattr(self, stage.name)
            summary = (type(section).__doc__ or "").strip().splitlines()[0]
            lines += [f"# {summary}", f"[{stage.name}]"]
            for entry in dataclasses.fields(section):
                value = _plain(getattr(section, entry.name), entry.default)
                lines.append(f"{entry.name} = {json.dumps(value)}{_remark(entry)}")
            lines.append("")
        return "\n".join(lines)


def _plain(value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        return list(value)
    return float(value) if isinstance(default, float) else value


def _remark(entry: dataclasses.Field[Any]) -> str:
    if "minimum" not in entry.metadata:
        return f"  # {entry.metadata['meaning']}"
    return f"  # {entry.metadata['meaning']} ({entry.metadata['minimum']} to {entry.metadata['maximum']})"


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _build_stage(kind: type[Any], entries: Mapping[str, Any], where: str) -> Any:
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    arguments: dict[str, Any] = {}
    for name, value in entries.items():
        if name not in known:
            raise InvalidParameter(f"{where} no parameter {name}{_nearest(name, known)}")
        default = known[name].default
        if isinstance(default, tuple) and isinstance(value, list | tuple):
            arguments[name] = tuple(value)
        elif "minimum" not in known[name].metadata and not isinstance(value, type(default)):
            raise InvalidParameter(f"{where} {name}: {type(default).__name__} is needed, got {value!r}")
        else:
            arguments[name] = value
    try:
        return kind(**arguments)
    except InvalidParameter as error:
        raise InvalidParameter(f"{where} {error}") from None


_DEFAULT = Parameters()


def load_parameters(path: str | os.PathLike[str]) -> Parameters:
    """Read parameters from a TOML file with a section a stage; what is not named keeps its default.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Parameters
        Checked against the bounds.

    Raises
    ------
    InvalidParameter
        Names the file and, as far as known, the stage, the parameter and its bounds, or the line that is not TOML.
    """
    file = Path(path)
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidParameter(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidParameter(f"{file}: is not a UTF-8 text file") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(f"{file}: is not TOML: {error}") from None
    return Parameters.from_dict(values, source=str(file))
