"""The lexicon: labels, thresholds and ordered rules, read from TOML and held to what can be measured."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from mammocalc.arrange.features import FEATURES as ARRANGED
from mammocalc.classify import cluster_features
from mammocalc.classify.line_index import LineIndex
from mammocalc.classify.rules import OPERATORS, Condition, Group, Rule, Threshold
from mammocalc.classify.weighing import Weighing
from mammocalc.errors import InvalidParameter
from mammocalc.measure.features import FEATURES as MEASURED
from mammocalc.measure.features import Feature

LABELS = (
    "skin", "vascular", "coarse", "large_rod_like", "round", "punctate", "rim", "dystrophic",
    "milk_of_calcium", "suture", "amorphous", "coarse_heterogeneous", "fine_pleomorphic", "fine_linear",
    "fine_linear_branching", "unclassified",
)  # fmt: skip
"""Every label, BI-RADS terms with underscores, in the order of the atlas."""
SUSPICIONS = ("typically_benign", "indeterminate", "suspicious")
"""What a rule attaches to its label, least first."""
BASES = ("atlas", "paper", "proposal")
CALCIFICATION_FEATURES: Mapping[str, Feature] = {**MEASURED, **ARRANGED}
CLUSTER_FEATURES: Mapping[str, Feature] = cluster_features.catalogue(LABELS)

_RULE_FIELDS = ("name", "label", "suspicion", "reason", "sources", "all", "any")
_USER_FIELDS = (*_RULE_FIELDS, "before", "remove")
_LABEL_FIELDS = ("term", "meaning", "code", "scheme", "code_meaning", "rate", "sources")
_THRESHOLD_FIELDS = ("value", "soft", "basis", "note")
_TABLES = ("title", "soft_edge", "sources", "labels", "thresholds", "rules", "cluster_rules")


@dataclass(frozen=True)
class Term:
    """What a label stands for.

    Attributes
    ----------
    term : str
        The atlas's name for it.
    meaning : str
        One line, after the atlas.
    code, scheme, code_meaning : str
        Code of DICOM's context group 6010, its scheme (SCT or DCM) and its meaning; empty where there is none.
    rate : str
        The published share that turned out malignant, in words; empty where there is none.
    sources : tuple of str
        Keys of ``Lexicon.sources``.
    """

    term: str
    meaning: str
    code: str
    scheme: str
    code_meaning: str
    rate: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """Rules in the order in which they are tried, and all they refer to.

    Attributes
    ----------
    title : str
        What the rules are.
    sources : mapping of str to str
        Citations by key.
    labels : mapping of str to Term
        What each label stands for.
    thresholds : mapping of str to Threshold
        Named numbers; one that a rule states directly is named after the rule and feature.
    rules, cluster_rules : tuple of Rule
        About one calcification, and about a whole cluster. The first rule whose conditions are met decides.
    """

    title: str
    sources: Mapping[str, str]
    labels: Mapping[str, Term]
    thresholds: Mapping[str, Threshold]
    rules: tuple[Rule, ...]
    cluster_rules: tuple[Rule, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain values that JSON can hold.

        Returns
        -------
        dict
            Title, sources, labels, thresholds and both lists of rules, in their order.
        """
        return {
            "title": self.title,
            "sources": dict(self.sources),
            "labels": {
                name: {**dataclasses.asdict(term), "sources": list(term.sources)}
                for name, term in self.labels.items()
            },
            "thresholds": {name: dataclasses.asdict(value) for name, value in self.thresholds.items()},
            "rules": [_rule_as_dict(rule) for rule in self.rules],
            "cluster_rules": [_rule_as_dict(rule) for rule in self.cluster_rules],
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content in canonical form, however the file was laid out."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def weighed_rules(self) -> Weighing:
        """The rules about one calcification, laid out to be weighed."""
        return Weighing(self.rules, self.thresholds)

    @cached_property
    def weighed_cluster_rules(self) -> Weighing:
        """The rules about a whole cluster, laid out to be weighed."""
        return Weighing(self.cluster_rules, self.thresholds)

    def with_threshold(self, name: str, value: float) -> Lexicon:
        """The same rules with one threshold moved.

        Parameters
        ----------
        name : str
            As it stands in `thresholds`.
        value : float
            In the unit of the features that it is compared with; the soft edge keeps its width.

        Returns
        -------
        Lexicon
            A copy; this one stays as it is.

        Raises
        ------
        InvalidParameter
            For a name that no rule uses.
        """
        if name not in self.thresholds:
            raise InvalidParameter(f"no threshold is called {name!r}{_did_you_mean(name, self.thresholds)}")
        moved = dataclasses.replace(self.thresholds[name], value=float(value))
        return dataclasses.replace(self, thresholds={**self.thresholds, name: moved})


def load_lexicon(path: str | PathLike[str] | None = None) -> Lexicon:
    """The built-in lexicon, or the same with the changes that a TOML file of the user's makes to it.

    A file may hold any part of what the built-in one holds. A threshold, source or label that exists is
    replaced field by field (``thresholds.rod_calibre_mm = 0.6`` is enough); so is a rule of the same name; a
    new rule says in ``before`` which rule it comes before; ``remove = true`` drops a rule.

    Parameters
    ----------
    path : path, optional
        A TOML file of changes; without one, the built-in lexicon.

    Returns
    -------
    Lexicon
        Checked: every rule refers to known features, thresholds, labels and sources.

    Raises
    ------
    InvalidParameter
        The text names the file, the line, what is wrong there and what would be right.
    """
    if path is None:
        return _built_in()
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{path}: the rules cannot be read: {error}") from error
    draft = _built_in_draft()
    draft.add(_Source(str(path), text, own=False))
    return draft.lexicon()


@cache
def _built_in() -> Lexicon:
    return _built_in_draft().lexicon()


def _built_in_draft() -> _Draft:
    text = resources.files("mammocalc.classify").joinpath("lexicon.toml").read_text("utf-8")
    draft = _Draft()
    draft.add(_Source("lexicon.toml", text, own=True))
    return draft


class _Source:
    """A TOML text with the means to point at a line of it."""

    def __init__(self, name: str, text: str, *, own: bool) -> None:
        self.name, self.own = name, own
        try:
            self.data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidParameter(f"{name}: not valid TOML: {error}") from error
        self.index = LineIndex(text.replace("\r\n", "\n"))

    def fail(self, line: int, what: str) -> NoReturn:
        raise InvalidParameter(f"{self.name}, line {line}: {what}")

    def line(self, table: str, key: str = "", occurrence: int = 0) -> int:
        return self.index.line(table, key, occurrence)


@dataclass
class _RawRule:
    """A rule as written, each field with the source that it was last written in."""

    fields: dict[str, Any]
    where: dict[str, tuple[_Source, int]]
    occurrence: dict[str, int]


class _Draft:
    """What the files read so far say, the later over the earlier."""

    def __init__(self) -> None:
        self.title = ""
        self.soft_edge = 0.1
        self.sources: dict[str, str] = {}
        self.labels: dict[str, dict[str, Any]] = {}
        self.thresholds: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, list[_RawRule]] = {"rules": [], "cluster_rules": []}
        self.origin: dict[tuple[str, str], tuple[_Source, int]] = {}

    def add(self, source: _Source) -> None:
        data = source.data
        for table in data:
            if table not in _TABLES:
                source.fail(
                    _top_line(source, table), f"unknown table {table!r}{_did_you_mean(table, _TABLES)}"
                )
        self.title = _typed(source, data, "title", str, self.title)
        self.soft_edge = _positive(
            source, source.line("", "soft_edge"), "soft_edge", data.get("soft_edge", self.soft_edge)
        )
        for key, text in _table(source, data, "sources").items():
            if not isinstance(text, str):
                source.fail(source.line("sources", key), f"source {key!r}: a text is needed, got {text!r}")
            self.sources[key] = text
        for name, term in _table(source, data, "labels").items():
            self._add_label(source, name, term)
        for name, threshold in _table(source, data, "thresholds").items():
            self._add_threshold(source, name, threshold)
        for kind in self.rules:
            self._add_rules(source, kind)

    def _add_label(self, source: _Source, name: str, term: Any) -> None:
        table = f"labels.{name}"
        if name not in LABELS:
            source.fail(source.line(table), f"unknown label {name!r}{_did_you_mean(name, LABELS)}")
        if not isinstance(term, dict):
            source.fail(source.line(table), f"label {name!r}: a table is needed, got {term!r}")
        for key, value in term.items():
            line = source.line(table, key)
            if key not in _LABEL_FIELDS:
                source.fail(line, f"label {name!r}: unknown field {key!r}{_did_you_mean(key, _LABEL_FIELDS)}")
            if key == "sources":
                _texts(source, line, f"label {name!r}: sources", value)
            elif not isinstance(value, str):
                source.fail(line, f"label {name!r}: {key} must be a text, got {value!r}")
        self.origin["labels", name] = (source, source.line(table))
        self.labels.setdefault(name, {}).update(term)

    def _add_threshold(self, source: _Source, name: str, threshold: Any) -> None:
        table = f"thresholds.{name}"
        line = source.line(table)
        if not isinstance(threshold, dict):
            threshold = {"value": threshold}
        if not source.own and name not in self.thresholds and "value" not in threshold:
            source.fail(line, f"threshold {name!r} has no value{_did_you_mean(name, self.thresholds)}")
        for key, value in threshold.items():
            at = source.line(table, key)
            if key not in _THRESHOLD_FIELDS:
                source.fail(
                    at, f"threshold {name!r}: unknown field {key!r}{_did_you_mean(key, _THRESHOLD_FIELDS)}"
                )
            if key == "value":
                _number(source, at, f"threshold {name!r}", value)
            elif key == "soft":
                _positive(source, at, f"threshold {name!r}: soft", value)
            elif key == "basis" and value not in BASES:
                source.fail(at, f"threshold {name!r}: basis must be one of {', '.join(BASES)}, got {value!r}")
            elif not isinstance(value, str):
                source.fail(at, f"threshold {name!r}: {key} must be a text, got {value!r}")
        if name in self.thresholds and "value" in threshold and "soft" not in threshold:
            # The edge was stated for the old value: let it keep its share of the new one.
            old = self.thresholds[name]
            if "soft" in old and old["value"]:
                threshold = {
                    **threshold,
                    "soft": abs(old["soft"] * threshold["value"] / old["value"]) or old["soft"],
                }
        self.origin["thresholds", name] = (source, line)
        self.thresholds.setdefault(name, {}).update(threshold)
        if "value" not in self.thresholds[name]:
            source.fail(line, f"threshold {name!r} has no value")

    def _add_rules(self, source: _Source, kind: str) -> None:
        written = source.data.get(kind, [])
        if not isinstance(written, list) or not all(isinstance(rule, dict) for rule in written):
            source.fail(_top_line(source, kind), f"write each rule under its own [[{kind}]]")
        seen: dict[str, int] = {}
        for i, fields in enumerate(written):
            here = source.line(kind, occurrence=i)
            name = fields.get("name")
            if not isinstance(name, str) or not name:
                source.fail(here, "a rule needs a name, as a text")
            for key in fields:
                if key not in _USER_FIELDS:
                    line = source.line(kind, key, i)
                    source.fail(
                        line, f"rule {name!r}: unknown field {key!r}{_did_you_mean(key, _USER_FIELDS)}"
                    )
            if name in seen:
                source.fail(
                    source.line(kind, "name", i),
                    f"rule {name!r} stands twice, first in line {seen[name]}; rename one",
                )
            seen[name] = here
            self._place_rule(source, kind, i, name, fields)

    def _place_rule(self, source: _Source, kind: str, i: int, name: str, fields: dict[str, Any]) -> None:
        rules = self.rules[kind]
        names = [rule.fields["name"] for rule in rules]
        where = {key: (source, source.line(kind, key, i)) for key in fields}
        where[""] = (source, source.line(kind, occurrence=i))
        known = name in names
        if fields.get("remove") is not None:
            if fields["remove"] is not True:
                source.fail(
                    where["remove"][1], f"rule {name!r}: remove can only be true, got {fields['remove']!r}"
                )
            if not known:
                source.fail(where["remove"][1], f"no rule is called {name!r}{_did_you_mean(name, names)}")
            del rules[names.index(name)]
            return
        rule = rules[names.index(name)] if known else _RawRule({}, {}, {})
        if known and ("all" in fields or "any" in fields):
            for key in ("all", "any"):
                rule.fields.pop(key, None)
        rule.fields.update({key: value for key, value in fields.items() if key != "before"})
        rule.where.update(where)
        rule.occurrence.update(dict.fromkeys(fields, i))
        if "before" in fields:
            if known:
                rules.remove(rule)
                names.remove(name)
            before = fields["before"]
            if before not in names:
                source.fail(
                    where["before"][1],
                    f"rule {name!r}: no rule is called {before!r}{_did_you_mean(before, names)}",
                )
            rules.insert(names.index(before), rule)
        elif not known:
            if not source.own:
                source.fail(
                    where[""][1],
                    f'rule {name!r} is new: say before = "RULE" for its place{_did_you_mean(name, names)}',
                )
            rules.append(rule)

    def lexicon(self) -> Lexicon:
        thresholds = {
            name: Threshold(
                float(raw["value"]),
                float(raw.get("soft", self.default_soft(raw["value"]))),
                raw.get("basis", "proposal"),
                raw.get("note", ""),
            )
            for name, raw in self.thresholds.items()
        }
        for name in thresholds:
            if name in CALCIFICATION_FEATURES:
                source, line = self.origin["thresholds", name]
                source.fail(line, f"a threshold cannot be called {name!r}: that is a feature")
        labels = {name: self._term(name, raw) for name, raw in self.labels.items()}
        rules = tuple(self._rule(raw, "rules", thresholds) for raw in self.rules["rules"])
        cluster_rules = tuple(
            self._rule(raw, "cluster_rules", thresholds) for raw in self.rules["cluster_rules"]
        )
        return Lexicon(self.title, dict(self.sources), labels, thresholds, rules, cluster_rules)

    def default_soft(self, value: float) -> float:
        return self.soft_edge * abs(value) or self.soft_edge

    def _term(self, name: str, raw: dict[str, Any]) -> Term:
        source, line = self.origin["labels", name]
        for key in _LABEL_FIELDS:
            if key not in raw and key != "rate":
                source.fail(line, f"label {name!r}: {key} is missing")
        self._check_sources(source, line, f"label {name!r}", raw["sources"])
        return Term(
            raw["term"],
            raw["meaning"],
            raw["code"],
            raw["scheme"],
            raw["code_meaning"],
            raw.get("rate", ""),
            tuple(raw["sources"]),
        )

    def _check_sources(self, source: _Source, line: int, what: str, keys: Iterable[str]) -> None:
        for key in keys:
            if key not in self.sources:
                source.fail(line, f"{what}: no source is called {key!r}{_did_you_mean(key, self.sources)}")

    def _rule(self, raw: _RawRule, kind: str, thresholds: dict[str, Threshold]) -> Rule:
        fields = raw.fields
        name = fields["name"]
        source, here = raw.where[""]
        for key in ("label", "suspicion", "reason", "sources"):
            if key not in fields:
                source.fail(here, f"rule {name!r}: {key} is missing")
        for key, allowed in (("label", tuple(self.labels)), ("suspicion", SUSPICIONS)):
            if fields[key] not in allowed:
                at, line = raw.where[key]
                guess = _did_you_mean(fields[key], allowed)
                at.fail(line, f"rule {name!r}: unknown {key} {fields[key]!r}{guess}")
        at, line = raw.where["reason"]
        if not isinstance(fields["reason"], str):
            at.fail(line, f"rule {name!r}: reason must be a text, got {fields['reason']!r}")
        at, line = raw.where["sources"]
        _texts(at, line, f"rule {name!r}: sources", fields["sources"])
        self._check_sources(at, line, f"rule {name!r}", fields["sources"])
        groups = []
        for key in ("all", "any"):
            if key in fields:
                at, line = raw.where[key]
                parser = _ConditionParser(
                    self, at, kind, raw.occurrence[key], name, thresholds, fallback_line=line
                )
                groups.append(parser.group(key, fields[key], parser.strings_before(key)))
        if len(groups) == 1:
            when = groups[0]
        elif groups:
            when = Group("all", (*groups[0].members, groups[1]))
        else:
            source.fail(here, f"rule {name!r}: no conditions: write all = [...] or any = [...]")
        return Rule(
            name, fields["label"], fields["suspicion"], fields["reason"], tuple(fields["sources"]), when
        )


class _ConditionParser:
    """Turns what stands under ``all`` or ``any`` of one rule into conditions, with the line of each."""

    def __init__(
        self,
        draft: _Draft,
        source: _Source,
        kind: str,
        occurrence: int,
        rule: str,
        thresholds: dict[str, Threshold],
        *,
        fallback_line: int,
    ) -> None:
        self.draft, self.source, self.rule, self.thresholds = draft, source, rule, thresholds
        self.features = CALCIFICATION_FEATURES if kind == "rules" else CLUSTER_FEATURES
        self.written = source.data[kind][occurrence]
        section = source.index.find(kind, occurrence)
        self.lines = section.strings if section is not None else []
        self.fallback_line = fallback_line

    def strings_before(self, key: str) -> int:
        before = 0
        for other, value in self.written.items():
            if other == key:
                break
            before += _count_strings(value)
        return before

    def _line(self, string: int) -> int:
        return self.lines[string] if string < len(self.lines) else self.fallback_line

    def fail(self, string: int, what: str) -> NoReturn:
        self.source.fail(self._line(string), f"rule {self.rule!r}: {what}")

    def group(self, kind: Any, members: Any, string: int) -> Group:
        if not isinstance(members, list) or not members:
            self.fail(string, f'{kind} needs conditions such as [["width_mm", ">=", 0.5]], got {members!r}')
        parsed: list[Condition | Group] = []
        for member in members:
            if isinstance(member, dict):
                if len(member) != 1 or next(iter(member)) not in ("all", "any"):
                    self.fail(string, f"a group is {{ all = [...] }} or {{ any = [...] }}, got {member!r}")
                inner = next(iter(member))
                parsed.append(self.group(inner, member[inner], string))
            else:
                parsed.append(self.condition(member, string))
            string += _count_strings(member)
        return Group(kind, tuple(parsed))

    def condition(self, raw: Any, string: int) -> Condition:
        if not isinstance(raw, list) or len(raw) != 3:
            self.fail(string, f'a condition is ["feature", "operator", threshold], got {raw!r}')
        subject, operator, value = raw
        if not isinstance(subject, str):
            self.fail(string, f"a condition starts with a feature, got {subject!r}")
        feature, _, per = (part.strip() for part in subject.partition(" / "))
        for name in (feature, per):
            if name and name not in self.features:
                self.fail(string, f"unknown feature {name!r}{_did_you_mean(name, self.features)}")
        if operator not in OPERATORS:
            self.fail(
                string, f"unknown operator {operator!r} after {subject!r}; use one of {' '.join(OPERATORS)}"
            )
        if self.features[feature].unit == "text":
            return self._text_condition(feature, per, operator, value, string)
        if operator == "in" or (per and self.features[per].unit == "text"):
            self.fail(string, f"{subject!r} is a number: compare it with >=, <=, >, < or ==")
        return Condition(feature, operator, self._threshold(subject, operator, value, string), per)

    def _text_condition(self, feature: str, per: str, operator: str, value: Any, string: int) -> Condition:
        if per or operator not in ("==", "in"):
            self.fail(string, f"{feature!r} is a text: compare it with == or in")
        if operator == "==" and isinstance(value, str):
            return Condition(feature, operator, value, is_text=True)
        texts = isinstance(value, list) and value and all(isinstance(text, str) for text in value)
        if operator == "==" or not texts:
            wanted = "a text" if operator == "==" else 'a list of texts such as ["linear", "segmental"]'
            self.fail(string, f"{feature} {operator}: {wanted} is needed, got {value!r}")
        return Condition(feature, operator, tuple(value), is_text=True)

    def _threshold(self, subject: str, operator: str, value: Any, string: int) -> str:
        if isinstance(value, str):
            if value not in self.thresholds:
                hint = _did_you_mean(value, self.thresholds)
                self._fail_threshold(subject, operator, value, string, hint)
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._fail_threshold(subject, operator, value, string, "")
        name = f"{self.rule}: {subject} {operator} {value}"
        self.thresholds[name] = Threshold(float(value), self.draft.default_soft(value), "proposal")
        return name

    def _fail_threshold(self, subject: str, operator: str, value: Any, string: int, hint: str) -> NoReturn:
        what = "a number or the name of a threshold is needed"
        self.fail(string, f"{subject} {operator}: {what}, got {value!r}{hint}")


def _rule_as_dict(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "label": rule.label,
        "suspicion": rule.suspicion,
        "reason": rule.reason,
        "sources": list(rule.sources),
        "when": _group_as_dict(rule.when),
    }


def _group_as_dict(group: Group) -> dict[str, Any]:
    return {
        group.kind: [
            [
                member.subject,
                member.operator,
                list(member.value) if isinstance(member.value, tuple) else member.value,
            ]
            if isinstance(member, Condition)
            else _group_as_dict(member)
            for member in group.members
        ]
    }


def _table(source: _Source, data: dict[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        source.fail(_top_line(source, name), f"{name} must be a table, got {table!r}")
    return table


def _top_line(source: _Source, name: str) -> int:
    """Line of a top-level table or key, or of the first table below it."""
    for section in source.index.sections:
        if section.name == name or section.name.startswith(name + "."):
            return section.line
    return source.line("", name)


def _typed(source: _Source, data: dict[str, Any], name: str, kind: type[str], default: str) -> str:
    value = data.get(name, default)
    if not isinstance(value, kind):
        source.fail(source.line("", name), f"{name} must be a text, got {value!r}")
    return value


def _number(source: _Source, line: int, what: str, value: Any) -> float:
    finite = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    if not finite:
        source.fail(line, f"{what}: a number is needed, got {value!r}")
    return float(value)


def _positive(source: _Source, line: int, what: str, value: Any) -> float:
    number = _number(source, line, what, value)
    if number <= 0:
        source.fail(line, f"{what}: a number above 0 is needed, got {value!r}")
    return number


def _texts(source: _Source, line: int, what: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        source.fail(line, f"{what}: a list of texts is needed, got {value!r}")


def _count_strings(value: Any) -> int:
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return sum(_count_strings(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_count_strings(inner) for inner in value)
    return 0


def _did_you_mean(name: Any, known: Iterable[str]) -> str:
    close: Sequence[str] = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
