"""How good the model was on rows that it had not seen, how much that moves by itself, and what counts as worse."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from palio.core.monitoring import Finding, FindingKind, Window
from palio.core.records import Metric, Record, Task
from palio.measure import (
    Z95,
    Answers,
    default_metric,
    figure,
    higher_is_better,
    questions,
    score,
    score_with_intervals,
)
from palio.monitor.findings import finding
from palio.monitor.quality.features import Array, Batch

FALSE_ALARM = 0.01
"""Chance of a finding where nothing is worse, over all metrics that are judged, before the margin."""
_MAX_ROWS = 5_000
"""Rows that the error of a standard is measured on: seconds less, and the same within a twentieth."""
_BLOCKS = 4
_SHARE = 0.1
_MOST = 0.01


class Standard(Record, frozen=True, kw_only=True):
    """What a metric was on the reference."""

    value: Metric
    spread: float = 0.0
    """Standard deviation between blocks of the reference, beyond what chance gives."""


def standards_of(task: Task, rows: Batch, *, names: Iterable[str] | None = None, seed: int = 0) -> dict[str, Standard]:
    """Score the rows of the reference, and its blocks.

    Args:
        task: What was asked.
        rows: `prediction`, `probability_<class>`, `truth`, and `block` if there is one.
        names: Only these metrics.
        seed: Equal seeds give equal intervals.

    Returns:
        Metric → standard; empty if no row can be scored.
    """
    question = questions.of(task)
    answers, truth = question.answers(rows), question.truth_in(rows)
    known = question.usable(answers) & question.known(truth)
    if not known.any():
        return {}
    answers, truth = answers.take(known), truth[known]
    values = score_with_intervals(task, truth, answers, names=names, seed=seed, n_resamples=200, max_rows=_MAX_ROWS)
    blocks = np.asarray(rows["block"])[known] if "block" in rows else np.zeros(len(truth))
    spread = _spread(task, truth, answers, blocks, values)
    return {name: Standard(value=value, spread=spread.get(name, 0.0)) for name, value in values.items()}


def margin_of(metric: str, reference: float) -> float:
    """Say how much worse is worth a finding.

    A twentieth more of a loss. Of what is best at 1 a tenth of what is missing to it, but not more than a hundredth:
    retraining on another sample of the same rows moves a metric as far.

    Example:
        >>> round(margin_of("roc_auc", 0.97), 4), margin_of("accuracy", 0.8), margin_of("rmse", 200.0)
        (0.003, 0.01, 10.0)
    """
    if higher_is_better(metric):
        return min(_MOST, _SHARE * max(0.0, 1.0 - reference))
    return 0.05 * abs(reference)


def loss_of(metric: str, value: float, standard: Standard) -> float:
    """Return how much worse a value is than the standard; positive is worse whatever the metric."""
    difference = standard.value.value - value
    return difference if higher_is_better(metric) else -difference


def error_of(value: Metric) -> float:
    """Return the standard error that an interval stands for."""
    return (value.high - value.low) / (2 * Z95)


def worse(
    window: Window,
    kind: FindingKind,
    figures: dict[str, Metric],
    standards: dict[str, Standard],
    names: Iterable[str],
    *,
    words: str,
    share: float = 1.0,
) -> tuple[Finding, ...]:
    """Find the metrics that are surely worse than the standard by more than the margin.

    The test is that of two values with their errors, the spread between blocks of the reference added; its level is
    divided by the number of metrics.

    Args:
        window: What the figures are of.
        kind: Of the findings.
        figures: Metric → value in the window.
        standards: Metric → value on the reference.
        names: Metrics to judge; those without figure or standard are passed over.
        words: What the figure is, such as `probably`.
        share: Of the rate of false alarms; segments share it.
    """
    from scipy.special import ndtri

    judged = [name for name in dict.fromkeys(names) if name in figures and name in standards]
    out = []
    for name in judged:
        value, standard = figures[name], standards[name]
        loss, margin = loss_of(name, value.value, standard), margin_of(name, standard.value.value)
        error = math.sqrt(error_of(value) ** 2 + error_of(standard.value) ** 2 + standard.spread**2)
        z = (loss - margin) / error if error > 0 else math.copysign(math.inf, loss - margin)
        if z > -float(ndtri(FALSE_ALARM * share / len(judged))):
            reason = (
                f"{name} {words} {figure(value.value)} ({figure(value.low)} to {figure(value.high)}), "
                f"expected {figure(standard.value.value)}"
            )
            p = math.erfc(z / math.sqrt(2)) / 2
            facts = {"effect": loss, "measure": name, "limit": margin, "p": p, "reason": reason}
            out.append(finding(window, kind, name, severity="page", **facts))
    return tuple(out)


def _spread(task: Task, truth: Array, answers: Answers, blocks: Array, values: dict[str, Metric]) -> dict[str, float]:
    """Estimate the deviation between blocks beyond chance: their variance less the one that sampling gives."""
    found = np.unique(blocks)
    if len(found) < _BLOCKS:
        return {}
    scored = []
    for block in found:
        rows = blocks == block
        scored.append(score(task, truth[rows], answers.take(rows), names=values))
    out = {}
    for name, value in values.items():
        each = np.array([one[name] for one in scored if name in one])
        if len(each) >= _BLOCKS:
            chance = error_of(value) ** 2 * len(found)
            out[name] = math.sqrt(max(0.0, float(each.var(ddof=1)) - chance))
    return out


def judged_names(task: Task) -> tuple[str, ...]:
    """List the metrics that findings are made of: the one that matters, and the share of right answers."""
    question = questions.of(task)
    return tuple(dict.fromkeys((default_metric(task), *([question.error_metric] if task.classes else []))))
