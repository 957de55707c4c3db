"""The verdict in one or two sentences: what came out, and what speaks against it."""

from __future__ import annotations

from typing import NamedTuple

from palio.core.records import Comparison, Evaluation
from palio.core.words import counted
from palio.report import words
from palio.report.facts import ReportFacts
from palio.report.rounding import number, of_hundred, with_margin

COUNTS = ("box_mistakes", "accuracy", "mae")
"""Metrics that count what is wrong with the answers as they are given, whatever the model was chosen by."""


class Headline(NamedTuple):
    """What came out, in one sentence."""

    said: str
    however: str = ""
    """What speaks against it, in another; empty if nothing does."""

    @property
    def text(self) -> str:
        """Both."""
        return f"{self.said} {self.however}".rstrip()


def headline(facts: ReportFacts) -> Headline:
    """Say what came out, and what speaks against it."""
    decision, comparison = facts.decision, facts.comparison
    version = facts.promotion.version if facts.promotion else 0
    if decision is not None and decision.verdict == "no":
        failed = [c for c in decision.checks if not c.passed]
        why = f": {len(failed)} of {counted(len(decision.checks), 'check')} failed" if decision.checks else ""
        return Headline(
            f"The new model should not {'replace the one in use' if decision.champion else 'go live'}{why}."
        )
    however = counts_against(facts.evaluation, comparison)
    if comparison is None:
        said = against_baseline(facts.evaluation, "The model")
    else:
        said = against_champion(comparison, champion_of(facts))
        if however and comparison.difference.low > 0:
            said = f"By “{words.term(comparison.metric).title}”, {said[:1].lower()}{said[1:]}"
    if decision is not None and decision.verdict == "needs_approval":
        return Headline(f"{said}; it passed every check and waits for a person’s approval.", however)
    return Headline(f"{said}, and is now live as version {version}." if version else f"{said}.", however)


def champion_of(facts: ReportFacts) -> str:
    """Name the model that the new one was held against."""
    return "the one before" if facts.promotion is not None else "the one in use"


def against_baseline(evaluation: Evaluation, subject: str, rule: str = f"a simple {words.RULE_OF_THUMB}") -> str:
    """Say how the model stands to the rule of thumb."""
    name = evaluation.primary
    mine, simple = evaluation.metrics.get(name), evaluation.baseline.get(name)
    if mine is None or simple is None:
        return f"{subject} has been tested on data it never saw"
    if counts_against(evaluation):
        subject = f"By “{words.term(name).title}”, {subject[:1].lower()}{subject[1:]}"
    return {
        2: f"{subject} is clearly better than {rule}",
        1: f"{subject} looks better than {rule}, though not beyond doubt",
        0: f"{subject} is no better than {rule}",
    }.get(words.better(name, mine, simple), f"{subject} is worse than {rule}")


def counts_against(evaluation: Evaluation, comparison: Comparison | None = None) -> str:
    """Say what speaks against a model that is not worse by its metric: that its answers, counted plainly, are worse.

    A metric of ranks, or of every threshold, does not see what comes of the one threshold that counts. Classes are
    left alone where the threshold was chosen for what errors cost, or for the metric.

    Returns:
        A sentence; empty where nothing speaks against it, or where its metric says so itself.
    """
    by_choice = "accuracy" if evaluation.task.threshold else ""
    return _worse_than_simplest(evaluation, by_choice) or _worse_than_champion(comparison, by_choice)


def _worse_than_simplest(evaluation: Evaluation, by_choice: str) -> str:
    primary = evaluation.primary
    name = next((one for one in COUNTS if one in evaluation.metrics and one in evaluation.baseline), "")
    if name in ("", primary, by_choice) or primary not in evaluation.baseline:
        return ""
    if words.better(primary, evaluation.metrics[primary], evaluation.baseline[primary]) <= 0:
        return ""
    mine, simple = evaluation.metrics[name], evaluation.baseline[name]
    if name == "box_mistakes" and mine.value >= simple.value:
        made, silent = (number(100 * one.value, digits=3) for one in (mine, simple))
        more = "more" if made != silent else "no fewer"
        return (
            f"But from its threshold on it makes {more} mistakes than one that never shows a box: missed and false"
            f" alarms together are {made} in 100 pictures, against {silent}."
        )
    if name == "accuracy" and words.better(name, mine, simple) == -2:
        return (
            f"But it gives fewer right answers than one that always says the same: {of_hundred(mine)} of 100, against"
            f" {of_hundred(simple)}."
        )
    if name == "mae" and words.better(name, mine, simple) == -2:
        return f"But on average it is further off: by {with_margin(mine)}, against {with_margin(simple)}."
    return ""


def _worse_than_champion(comparison: Comparison | None, by_choice: str) -> str:
    if comparison is None or comparison.difference.high < 0:
        return ""
    worse = {name: d for name, d in comparison.differences.items() if d.high < 0 and name != comparison.metric}
    name = next((one for one in COUNTS if one in worse and one != by_choice), "")
    more = number(100 * abs(worse[name].value), digits=2) if name else ""
    return {
        "box_mistakes": f"But from its threshold on it makes {more} more mistakes in 100 pictures.",
        "accuracy": f"But of 100 answers {more} fewer are right.",
        "mae": "But on average it is further off.",
    }.get(name, "")


def against_champion(comparison: Comparison, champion: str = "the one in use") -> str:
    """Say how the challenger stands to the champion."""
    d = comparison.difference
    if d.low > 0:
        return f"The new model is clearly better than {champion}"
    if d.high < 0:
        return f"The new model is clearly worse than {champion}"
    return f"The new model is as good as {champion}, as far as the test can tell"
