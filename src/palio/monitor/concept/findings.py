"""Say what the stream of losses means: a finding if what is right to answer has changed, and what detectors did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from palio import measure
from palio.core.monitoring import Change, Finding, Outcome, StreamReview, Window
from palio.core.records import Task
from palio.measure import Answers, questions
from palio.monitor.findings import finding
from palio.monitor.quality.features import Array, Batch

MOST_ROWS = 100_000
"""Labelled rows that the detectors read: 4 s of one core."""
_OF_CLASSES = "error rate"
_OF_NUMBERS = "absolute error"
_OF_BOXES = "mistakes in a picture"


def losses_of(task: Task, labelled: Sequence[Batch]) -> tuple[Array, Array, Array] | None:
    """Return the losses of labelled rows in the order of their answers, when that was, and what no change would lose.

    Args:
        task: What was asked.
        labelled: Rows whose label has come: `prediction`, `truth` or `truth_number`, and `at`; of ripe windows, for of
            younger ones only the labels that come early have come.

    Returns:
        Losses (0 or 1 for classes, absolute errors for numbers, mistakes for boxes), moments, and losses of the answer
        `as the last truth`; at most the newest 100,000 rows. None if there is none.
    """
    parts = [rows for rows in labelled if "prediction" in rows]
    if not parts:
        return None
    question = questions.of(task)
    answers = Answers.joined([question.answers(rows) for rows in parts])
    truth = np.concatenate([question.truth_in(rows) for rows in parts])
    at = np.concatenate([np.asarray(rows["at"]).astype("datetime64[us]") for rows in parts])
    known = question.known(answers.prediction) & question.labelled(truth)
    if question.described_as:  # of boxes none can be compared with one that is of no class
        known &= question.known(truth)
    order = np.flatnonzero(known)[np.argsort(at[known], kind="stable")][-MOST_ROWS:]
    if not len(order):
        return None
    truth = truth[order]
    last = Answers(np.concatenate([truth[:1], truth[:-1]]))
    return question.errors(truth, answers.take(order)), at[order], question.errors(truth, last)


def concept_findings(
    window: Window, stream: StreamReview, *, outcomes: Iterable[Outcome] = (), task: Task | None = None
) -> tuple[Finding, ...]:
    """Find concept drift: losses rose at some moment, the rows after it confirm it, and nothing has made it good since.

    Args:
        window: Judged now; a change that was confirmed later is not seen.
        stream: Of all losses of the version and segment of that window, and of no other.
        outcomes: Real quality in the window; if any metric is surely worse than on the reference, the finding pages.
        task: What was asked; None: classes or numbers, as the unit of losses tells.

    Returns:
        One finding or none; `since` is the moment of the detection that was confirmed.
    """
    known = [change for change in stream.changes if change.confirmed_at <= window.until]
    if not known or known[-1].kind != "worse":
        return ()
    change = known[-1]
    is_hurt = any(_is_surely_worse(outcome) for outcome in outcomes)
    numbers = stream.unit != 1.0
    of_boxes = task is not None and bool(questions.of(task).described_as)
    subject = _OF_BOXES if of_boxes else _OF_NUMBERS if numbers else _OF_CLASSES
    found = finding(
        window,
        "concept_drift",
        subject,
        severity="page" if is_hurt else "warn",
        n_rows=change.n_after,
        effect=(change.after - change.before) * stream.unit,
        measure=f"mean {subject}" if numbers else subject,
        p=change.p,
        reason=_reason(change, stream.unit, "Mistakes" if of_boxes else "Absolute errors"),
        consequence="What is right to answer has changed, so the model stays worse until it learns from rows since "
        "then." + (" Its quality is already surely lower than on the reference." if is_hurt else ""),
    )
    return (msgspec.structs.replace(found, since=change.at),)


def stream_lines(stream: StreamReview) -> tuple[str, ...]:
    """Print every detector beside as many evenly spaced alarms, and the model beside the answer that never changes.

    Losses are told in their own unit. What a detector is worth is how much more losses rise at its alarms than at
    evenly spaced ones; and a model with a greater loss than `as the last truth` has learned nothing that lasts.
    """
    first = f"{stream.n_rows:,} rows, mean loss {measure.figure(stream.loss * stream.unit)}"
    if stream.no_change_loss is not None:
        first += f"; of the answer `as the last truth` {measure.figure(stream.no_change_loss * stream.unit)}"
    lines = [f"{first}."]
    for one in stream.detectors:
        line = f"{one.name}: {one.n_alarms:,} alarms, {one.n_confirmed:,} confirmed"
        if one.rise is not None and one.periodic_rise is not None:
            rise, periodic = (measure.figure(x * stream.unit, sign=True) for x in (one.rise, one.periodic_rise))
            line += f"; loss {rise} at them, {periodic} at as many evenly spaced moments"
        lines.append(f"{line}.")
    return tuple(lines)


def _reason(change: Change, unit: float, what: str) -> str:
    if unit == 1.0:
        figures = f"Wrong answers rose from {change.before:.1%} to {change.after:.1%}".replace("%", " %")
    else:
        before, after = (measure.figure(x * unit) for x in (change.before, change.after))
        figures = f"{what} rose from {before} to {after} on average"
    return (
        f"{figures} since {change.at:%Y-%m-%d %H:%M} (suspected by {change.detector} after {change.n_before:,} calmer "
        f"rows, confirmed by {change.n_after:,} rows after it)."
    )


def _is_surely_worse(outcome: Outcome) -> bool:
    if measure.higher_is_better(outcome.metric):
        return outcome.value.high < outcome.reference
    return outcome.value.low > outcome.reference
