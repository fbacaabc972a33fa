"""Why each calcification of an image has its label, in words, with every text that recurs kept once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mammocalc.classify.explanation import Explanation, explain_each
from mammocalc.write.palette import words

if TYPE_CHECKING:
    from mammocalc.findings import Findings


class Texts:
    """Numbers for texts, in the order in which they first came."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        return self._number.setdefault(text, len(self._number))

    def all(self) -> list[str]:
        """The texts by their number."""
        return list(self._number)


def traces(findings: Findings, texts: Texts, most: int) -> list[dict[str, Any]]:
    """One a calcification: the rule that decided with its conditions, and what each rule before it failed by.

    Parameters
    ----------
    findings : Findings
    texts : Texts
        Takes what recurs.
    most : int
        So many, the surest, are told of in full; of the others only the rule.
    """
    sources = findings.lexicon.sources
    surest = np.argsort(-findings.measurements.columns["score"], kind="stable")[:most].tolist()
    each = explain_each(surest, findings.measurements, findings.arrangement, findings.lexicon)
    told = {explanation.index: _trace(explanation, sources, texts) for explanation in each}
    return [told[k] if k in told else _rule_only(findings, k, texts) for k in range(len(findings))]


def _rule_only(findings: Findings, k: int, texts: Texts) -> dict[str, Any]:
    name = str(findings.classification.rule[k])
    reason = next((rule.reason for rule in findings.lexicon.rules if rule.name == name), "no rule fits")
    return {"rule": texts.number(name), "reason": texts.number(reason)}


def _trace(explanation: Explanation, sources: Any, texts: Texts) -> dict[str, Any]:
    decided = explanation.decided
    return {
        "rule": texts.number(decided.rule),
        "reason": texts.number(decided.reason),
        "sources": [texts.number(str(sources[name])) for name in decided.sources if name in sources],
        "conditions": list(decided.lines("")),
        "by": str(decided.deciding) if decided.deciding is not None else "",
        "next": (
            f"{words(explanation.runner_up)}, {explanation.margin:.2g} soft edges away"
            if explanation.runner_up
            else ""
        ),
        "tried": [
            [
                texts.number(f"{trial.rule} ({words(trial.label)})"),
                texts.number(trial.deciding.subject),
                trial.deciding.measured_text,
                texts.number(trial.deciding.needed_text),
            ]
            for trial in explanation.tried
            if trial.deciding is not None
        ],
    }
