"""Why a calcification got its label: every rule tried, condition by condition, in words and numbers."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mammocalc.arrange.arrangement import CARDS, Arrangement, parts_of_points
from mammocalc.classify.classification import Classification
from mammocalc.classify.decide import FALLBACK, FALLBACK_SUSPICION, NO_RULE, calcification_columns, classify
from mammocalc.classify.lexicon import CALCIFICATION_FEATURES, Lexicon
from mammocalc.classify.rules import Columns, Condition, Group, Rule
from mammocalc.errors import InvalidParameter
from mammocalc.measure.measurements import Measurements


@dataclass(frozen=True)
class Finding:
    """One condition of a rule on one calcification.

    Attributes
    ----------
    subject : str
        The feature, or ``"feature / feature"``.
    value : float or str
        As measured; NaN where it could not be.
    unit : str
        Of the value and the threshold.
    operator : str
        ``>=``, ``<=``, ``>``, ``<``, ``==`` or ``in``.
    threshold : float or str
        What the value is compared with.
    threshold_name : str
        Name of the threshold in the lexicon, empty for texts.
    met : bool
    margin : float
        In soft edges, negative where not met.
    """

    subject: str
    value: float | str
    unit: str
    operator: str
    threshold: float | str
    threshold_name: str
    met: bool
    margin: float

    @property
    def deciding(self) -> Finding:
        """Itself."""
        return self

    @property
    def measured_text(self) -> str:
        """The value with its unit."""
        if isinstance(self.value, float) and np.isnan(self.value):
            return "not measurable"
        return f"{_show(self.value)} {self.unit}".strip()

    @property
    def needed_text(self) -> str:
        """The comparison with the threshold and its unit."""
        return f"{self.operator} {_show(self.threshold)} {self.unit}".strip()

    def __str__(self) -> str:
        """As in ``width_mm 0.62 mm >= 0.5 mm: met``."""
        return f"{self.subject} {self.measured_text} {self.needed_text}: {'met' if self.met else 'NOT met'}"

    def lines(self, indent: str) -> Iterator[str]:
        """Itself, indented."""
        yield f"{indent}{self}"

    def flat(self) -> Iterator[Finding]:
        """Itself."""
        yield self


@dataclass(frozen=True)
class FindingGroup:
    """Conditions of which all, or any one, had to be met.

    Attributes
    ----------
    kind : {"all", "any"}
        How many of the members are needed.
    members : tuple of Finding or FindingGroup
        In the order written.
    met : bool
        Whether enough of them were.
    margin : float
        In soft edges: that of the weakest member for "all", of the best for "any".
    """

    kind: str
    members: tuple[Finding | FindingGroup, ...]
    met: bool
    margin: float

    @property
    def deciding(self) -> Finding:
        """The condition on which the outcome hangs: the weakest of all, or the strongest of any."""
        choose = min if self.kind == "all" else max
        return choose(self.members, key=lambda member: member.margin).deciding

    def lines(self, indent: str) -> Iterator[str]:
        """One line a condition, alternatives under a heading."""
        if self.kind == "any":
            yield f"{indent}any of ({'met' if self.met else 'NOT met'}):"
            indent += "  "
        for member in self.members:
            yield from member.lines(indent)

    def flat(self) -> Iterator[Finding]:
        """Every condition, in the order written."""
        for member in self.members:
            yield from member.flat()


@dataclass(frozen=True)
class Trial:
    """One rule as it was tried.

    Attributes
    ----------
    rule, label, suspicion, reason : str
        As they stand in the lexicon.
    sources : tuple of str
        Keys of ``Lexicon.sources``.
    met : bool
        Whether its conditions were.
    findings : FindingGroup or None
        Each condition with its value; None for the fallback, which has no conditions.
    """

    rule: str
    label: str
    suspicion: str
    reason: str
    sources: tuple[str, ...]
    met: bool
    findings: FindingGroup | None

    @property
    def deciding(self) -> Finding | None:
        """The condition on which this rule's outcome hangs."""
        return self.findings.deciding if self.findings is not None else None

    def lines(self, indent: str) -> Iterator[str]:
        """Its conditions."""
        if self.findings is not None:
            yield from self.findings.lines(indent)


@dataclass(frozen=True)
class Explanation:
    """The decision about one calcification.

    Attributes
    ----------
    index : int
        Row of the calcification, 0-based.
    label, suspicion, runner_up : str
        See `Classification`.
    margin : float
        See `Classification`.
    decided : Trial
        The rule that gave the label.
    tried : tuple of Trial
        The rules before it, in order, none of which was met.
    points : tuple of str
        What each feature of the chain adds to the points for a vessel, where the rule asks for them.
    """

    index: int
    label: str
    suspicion: str
    margin: float
    runner_up: str
    decided: Trial
    tried: tuple[Trial, ...]
    points: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Plain words, line by line."""
        return "\n".join(self._lines(whole=True))

    def brief(self) -> str:
        """The same with one line for each rule that was tried before: the condition that it failed by.

        Returns
        -------
        str
            Lines of plain text.
        """
        return "\n".join(self._lines(whole=False))

    def _lines(self, whole: bool) -> Iterator[str]:
        decision = f"{_words(self.label)} ({_words(self.suspicion)}), by the rule {self.decided.rule}"
        yield f"{decision}: {self.decided.reason}"
        yield from self.decided.lines("    ")
        yield from (f"      {line}" for line in self.points)
        if self.decided.deciding is not None:
            yield f"  Decided by {self.decided.deciding}."
        if self.runner_up:
            yield f"  Next in line: {_words(self.runner_up)}, {self.margin:.2g} soft edges away."
        else:
            yield "  No other label is near."
        if self.tried:
            yield "  Tried before, in this order:"
        for trial in self.tried:
            yield f"  - {trial.rule} ({_words(trial.label)}), failed by {trial.deciding}"
            if whole:
                yield from trial.lines("      ")

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        rows = []
        for trial in (self.decided, *self.tried):
            verdict = "decided" if trial is self.decided else "not met"
            rows.append(
                f'<tr><th colspan="4" style="text-align:left">{html.escape(trial.rule)} → '
                f"{_words(trial.label)} ({verdict})</th></tr>"
            )
            for finding in trial.findings.flat() if trial.findings is not None else ():
                cells = (
                    finding.subject,
                    finding.measured_text,
                    finding.needed_text,
                    "✓" if finding.met else "✗",
                )
                rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        heading = f"{_words(self.label)} ({_words(self.suspicion)}): {self.decided.reason}"
        return (
            f"<p><b>{html.escape(heading)}</b></p><table><thead><tr><th>feature</th><th>measured</th>"
            f"<th>needed</th><th></th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
            + "".join(f"<p>{html.escape(line)}</p>" for line in self.points)
        )


def explain(k: int, measurements: Measurements, arrangement: Arrangement, lexicon: Lexicon) -> Explanation:
    """Say which rule decided about calcification `k`, and why each rule before it did not.

    Parameters
    ----------
    k : int
        Row of the calcification, 0-based.
    measurements : Measurements
        Of one image, n rows.
    arrangement : Arrangement
        Of the same image, n rows.
    lexicon : Lexicon
        The rules, see `load_lexicon`.

    Returns
    -------
    Explanation
        Prints as text; a notebook shows it as a table.

    Raises
    ------
    InvalidParameter
        Where there is no row `k`.
    """
    if not 0 <= k < len(measurements):
        raise InvalidParameter(f"there is no calcification {k}: rows are 0 to {len(measurements) - 1}")
    result = classify(measurements, arrangement, lexicon)
    return _explanation(k, calcification_columns(measurements, arrangement), result, lexicon)


def explain_each(
    rows: Iterable[int], measurements: Measurements, arrangement: Arrangement, lexicon: Lexicon
) -> Iterator[Explanation]:
    """What `explain` says of each of `rows`; all are classified once."""
    result = classify(measurements, arrangement, lexicon)
    columns = calcification_columns(measurements, arrangement)
    for k in rows:
        yield _explanation(k, columns, result, lexicon)


def _explanation(k: int, everyone: Columns, result: Classification, lexicon: Lexicon) -> Explanation:
    columns = {name: column[k : k + 1] for name, column in everyone.items()}
    tried = []
    decided = Trial(NO_RULE, FALLBACK, FALLBACK_SUSPICION, "no rule fits", (), True, None)
    for rule in lexicon.rules:
        trial = _try(rule, columns, lexicon)
        if trial.met:
            decided = trial
            break
        tried.append(trial)
    return Explanation(
        k,
        decided.label,
        decided.suspicion,
        float(result.margin[k]),
        str(result.runner_up[k]),
        decided,
        tuple(tried),
        tuple(_points_of(decided, columns)),
    )


def _points_of(trial: Trial, columns: Columns) -> Iterator[str]:
    """What adds up to the points for a vessel or a thread, if the rule asks for them."""
    asked = trial.findings.flat() if trial.findings is not None else ()
    subjects = {finding.subject for finding in asked}
    for name in (name for name in CARDS if name in subjects):
        begin, added = parts_of_points(name, columns, 0)
        yield f"{name} begin at {begin:+.2f}"
        for feature, points in added.items():
            value = f"{_show(float(columns[feature][0]))} {CALCIFICATION_FEATURES[feature].unit}".strip()
            yield f"{feature} {value}: {points:+.2f}"


def _try(rule: Rule, columns: Columns, lexicon: Lexicon) -> Trial:
    findings = _group(rule.when, columns, lexicon)
    return Trial(rule.name, rule.label, rule.suspicion, rule.reason, rule.sources, findings.met, findings)


def _group(group: Group, columns: Columns, lexicon: Lexicon) -> FindingGroup:
    met, margin = group.weigh(columns, lexicon.thresholds, 1)
    members = tuple(
        _group(member, columns, lexicon) if isinstance(member, Group) else _finding(member, columns, lexicon)
        for member in group.members
    )
    return FindingGroup(group.kind, members, bool(met[0]), float(margin[0]))


def _finding(condition: Condition, columns: Columns, lexicon: Lexicon) -> Finding:
    met, margin = condition.weigh(columns, lexicon.thresholds)
    measured = condition.measured(columns)[0]
    unit = CALCIFICATION_FEATURES[condition.feature].unit
    if condition.is_text:
        threshold: float | str = (
            condition.value if isinstance(condition.value, str) else ", ".join(condition.value)
        )
        return Finding(
            condition.subject,
            str(measured),
            "",
            condition.operator,
            threshold,
            "",
            bool(met[0]),
            float(margin[0]),
        )
    if condition.per:
        other = CALCIFICATION_FEATURES[condition.per].unit
        unit = "" if unit == other else f"{unit}/{other}".rstrip("/")
    name = str(condition.value)
    return Finding(
        condition.subject,
        float(measured),
        unit,
        condition.operator,
        lexicon.thresholds[name].value,
        name,
        bool(met[0]),
        float(margin[0]),
    )


def _show(value: float | str) -> str:
    if isinstance(value, str):
        return value or "none"
    return "–" if np.isnan(value) else f"{value:.3g}"


def _words(name: str) -> str:
    return name.replace("_", " ")
