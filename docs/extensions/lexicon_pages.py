"""The lexicon as pages: labels, rules with every threshold and source, thresholds, sources."""

from __future__ import annotations

from collections.abc import Iterator

from markup import heading, listed, literal, plain

from mammocalc.classify import load_lexicon
from mammocalc.classify.lexicon import CALCIFICATION_FEATURES, CLUSTER_FEATURES
from mammocalc.classify.rules import Condition, Group, Rule
from mammocalc.write.dicom.codes import CALCIFICATION_TYPES
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal

SIGNS = {">=": "≥", "<=": "≤"}


def content_hash(_: str) -> list[str]:
    """What identifies the rules of this page."""
    lexicon = load_lexicon()
    return [f"{lexicon.title}, {literal(lexicon.hash)}."]


def labels(_: str) -> list[str]:
    """What each label stands for."""
    rows = []
    for name, term in load_lexicon().labels.items():
        written = CALCIFICATION_TYPES[name]
        code = f"{written.value} ({written.scheme_designator})"
        rows.append(
            (f":swatch:`{hexadecimal(LABEL_COLOURS[name])}` {literal(name)}", plain(f"{term.term}. {term.meaning}"),
             code, plain(term.rate), cited(term.sources))
        )  # fmt: skip
    return listed(("label", "what it stands for", "DICOM code", "rate", "source"), rows, (20, 42, 14, 12, 12))


def rules(kind: str) -> list[str]:
    """Every rule about a calcification, or with ``clusters`` about a whole cluster, in order."""
    lexicon = load_lexicon()
    lines = []
    for number, rule in enumerate(lexicon.cluster_rules if kind == "clusters" else lexicon.rules, 1):
        lines += list(_rule(number, rule))
    return lines


def _rule(number: int, rule: Rule) -> Iterator[str]:
    yield f".. _rule-{rule.name}:"
    yield ""
    yield from heading(f"{number}. {rule.name}", "~")
    yield f"→ {literal(rule.label)}, *{rule.suspicion.replace('_', ' ')}*: {plain(rule.reason)}."
    yield ""
    yield from _group(rule.when, "")
    yield f"Source: {cited(rule.sources)}."
    yield ""


def _group(group: Group, indent: str) -> Iterator[str]:
    yield f"{indent}{'All of' if group.kind == 'all' else 'Any of'}:"
    yield ""
    for member in group.members:
        if isinstance(member, Group):
            inner = list(_group(member, f"{indent}  "))
            yield f"{indent}* {inner[0].strip()}"
            yield from inner[1:]
        else:
            yield f"{indent}* {_condition(member)}"
    yield ""


def _condition(condition: Condition) -> str:
    subject = literal(condition.subject)
    if condition.is_text:
        words = (condition.value,) if isinstance(condition.value, str) else condition.value
        return f"{subject} is {' or '.join(literal(word) for word in words)}"
    threshold = load_lexicon().thresholds[str(condition.value)]
    sign = SIGNS.get(condition.operator, condition.operator)
    features = {**CLUSTER_FEATURES, **CALCIFICATION_FEATURES}
    unit = "" if condition.per else features[condition.feature].unit
    value = f"{subject} {sign} {threshold.value:g} {unit}".rstrip()
    if ": " in str(condition.value):
        return f"{value} [{threshold.basis}]"
    note = f": {plain(threshold.note)}" if threshold.note else ""
    return (
        f"{value} ({literal(str(condition.value))}, soft edge {threshold.soft:g}) [{threshold.basis}]{note}"
    )


def thresholds(_: str) -> list[str]:
    """Every named threshold, and the rules that use it."""
    lexicon = load_lexicon()
    users: dict[str, list[str]] = {}
    for rule in (*lexicon.rules, *lexicon.cluster_rules):
        for condition in rule.when.conditions():
            if not condition.is_text and rule.name not in users.setdefault(str(condition.value), []):
                users[str(condition.value)].append(rule.name)
    rows = [
        (literal(name), f"{threshold.value:g}", f"{threshold.soft:g}", threshold.basis, plain(threshold.note),
         ", ".join(f":ref:`{rule} <rule-{rule}>`" for rule in users.get(name, ())))
        for name, threshold in lexicon.thresholds.items()
        if ": " not in name
    ]  # fmt: skip
    return listed(
        ("threshold", "value", "soft edge", "basis", "note", "used by"), rows, (24, 7, 7, 10, 26, 26)
    )


def sources(_: str) -> list[str]:
    """What is cited."""
    lines = []
    for key, text in load_lexicon().sources.items():
        lines += [f".. _source-{key}:", "", *heading(key, "~"), plain(text) + ".", ""]
    return lines


def cited(keys: tuple[str, ...]) -> str:
    """Links to sources."""
    return ", ".join(f":ref:`{key} <source-{key}>`" for key in keys)
