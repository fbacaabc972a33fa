"""The lexicon in words: labels, rules in order, thresholds, sources."""

from __future__ import annotations

from collections.abc import Iterator

from mammocalc.classify.lexicon import CALCIFICATION_FEATURES, CLUSTER_FEATURES, Lexicon
from mammocalc.classify.rules import Condition, Group, Rule


def describe(lexicon: Lexicon) -> str:
    """The whole lexicon as plain text, every threshold with where it comes from.

    Thresholds marked ``[P]`` are working proposals of this project, the others come from the source named.

    Parameters
    ----------
    lexicon : Lexicon
        See `load_lexicon`.

    Returns
    -------
    str
        Lines of text: labels, rules in order, thresholds, sources.
    """
    return "\n".join(_lines(lexicon))


def _lines(lexicon: Lexicon) -> Iterator[str]:
    yield lexicon.title
    yield f"hash {lexicon.hash}"
    yield ""
    yield "LABELS"
    for name, term in lexicon.labels.items():
        code = f"({term.code}, {term.scheme}, {term.code_meaning!r})" if term.code else "(no code)"
        yield f"  {name}: {term.term} {code}"
        yield f"      {term.meaning}"
        if term.rate:
            yield f"      malignant: {term.rate}"
        yield f"      source: {', '.join(term.sources)}"
    yield ""
    yield "RULES FOR A CALCIFICATION, the first that fits decides"
    for number, rule in enumerate(lexicon.rules, 1):
        yield from _rule_lines(number, rule, lexicon)
    yield ""
    yield "RULES FOR A CLUSTER, the first that fits decides"
    for number, rule in enumerate(lexicon.cluster_rules, 1):
        yield from _rule_lines(number, rule, lexicon)
    yield ""
    yield "THRESHOLDS"
    for name, threshold in lexicon.thresholds.items():
        mark = " [P]" if threshold.basis == "proposal" else f" [{threshold.basis}]"
        note = f"  {threshold.note}" if threshold.note else ""
        yield f"  {name} = {threshold.value:g} (soft edge {threshold.soft:g}){mark}{note}"
    yield ""
    yield "SOURCES"
    for key, text in lexicon.sources.items():
        yield f"  {key}: {text}"


def _rule_lines(number: int, rule: Rule, lexicon: Lexicon) -> Iterator[str]:
    yield f"  {number}. {rule.name} -> {rule.label}, {rule.suspicion.replace('_', ' ')}"
    yield f"      {rule.reason}"
    yield from _group_lines(rule.when, lexicon, "      ")
    yield f"      source: {', '.join(rule.sources)}"


def _group_lines(group: Group, lexicon: Lexicon, indent: str) -> Iterator[str]:
    yield f"{indent}{'all of' if group.kind == 'all' else 'any of'}:"
    for member in group.members:
        if isinstance(member, Group):
            yield from _group_lines(member, lexicon, indent + "  ")
        else:
            yield f"{indent}  {_condition_text(member, lexicon)}"


def _condition_text(condition: Condition, lexicon: Lexicon) -> str:
    if condition.is_text:
        value = condition.value if isinstance(condition.value, str) else ", ".join(condition.value)
        return f"{condition.subject} {condition.operator} {value}"
    threshold = lexicon.thresholds[str(condition.value)]
    features = {**CLUSTER_FEATURES, **CALCIFICATION_FEATURES}
    unit = "" if condition.per else features[condition.feature].unit
    mark = " [P]" if threshold.basis == "proposal" else ""
    return f"{condition.subject} {condition.operator} {threshold.value:g}{' ' + unit if unit else ''}{mark}"
