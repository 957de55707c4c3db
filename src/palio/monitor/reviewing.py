"""Review a model: judge every window that was counted, follow what was found, and say it in one sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from palio import measure, truth
from palio.core.monitoring import ColumnDrift, Estimate, Finding, Kpi, Review, Window, WindowReview
from palio.monitor.alerting import judged_kinds
from palio.monitor.counting import AnswerLog, Cell, Counted, Subject, count
from palio.monitor.drift import RATE, drift_findings, drift_of
from palio.monitor.estimates import judge_estimates, with_errors
from palio.monitor.findings import followed, worst_first
from palio.monitor.inputs import input_findings
from palio.monitor.timeline import grid

NINE_OF_TEN = 0.9
"""A window is ripe after the time in which this share of labels came."""


@dataclass(frozen=True)
class Watching:
    """What is to be watched, and how."""

    window: dt.timedelta
    since: dt.datetime
    min_rows: int
    segments: tuple[str, ...] = ()
    labels_after: dt.timedelta | None = None
    """None: the time in which nine of ten labels came so far."""
    kpis: tuple[Kpi, ...] = ()
    currency: str = ""
    n_workers: int = 1


@dataclass
class Judged:
    """One cell, judged."""

    cell: Cell
    window: Window
    review: WindowReview
    findings: list[Finding] = field(default_factory=list)
    """Of this window alone; not yet followed through time."""

    @property
    def subject(self) -> Subject:
        """The version."""
        return self.cell.subject


def review(
    log: AnswerLog, truths: truth.Truths, subjects: Sequence[Subject], watching: Watching, *, now: dt.datetime
) -> Review:
    """Review what was served.

    Memory holds one batch of the log, the labels, and the counts of each window; at most 100,000 labelled rows of each.

    Args:
        log: Of the model.
        truths: Labels that have come.
        subjects: Versions to watch, the champion first.
        watching: What is watched.
        now: The present moment.

    Raises:
        InputError: too many windows, or a segment that is no category of the champion.
    """
    stretches = grid(watching.since, now, watching.window)
    counted = count(log, truths, subjects, stretches, min_rows=watching.min_rows, segments=watching.segments)
    ripe_before = _ripe_before(counted, watching, now)
    judged: list[Judged] = []
    for cell in counted.cells:
        judged.append(_judge(cell, judged, watching, ripe_before))
    findings = _shown(judged, subjects[0], watching.min_rows)
    verdict, text = _verdict(findings, judged, subjects[0], watching)
    return Review(
        model=subjects[0].deployment.model,
        version=subjects[0].deployment.version,
        bundle=subjects[0].deployment.bundle,
        at=now,
        window_s=watching.window.total_seconds(),
        verdict=verdict,
        text=text,
        task=subjects[0].task.kind,
        primary=subjects[0].task.metric,
        windows=tuple(
            msgspec.structs.replace(one.review, findings=tuple(found.id for found in one.findings)) for one in judged
        ),
        findings=findings,
        false_alarm_rate=RATE,
        min_rows=watching.min_rows,
        has_reference=subjects[0].reference is not None,
        ripe_before=ripe_before,
    )


def _judge(cell: Cell, before: Sequence[Judged], watching: Watching, ripe_before: dt.datetime | None) -> Judged:
    """Judge one cell; `before` are those of earlier windows."""
    window, subject = cell.builder.finish(), cell.subject
    drift: tuple[ColumnDrift, ...] = ()
    found: list[Finding] = []
    if subject.reference is not None:
        drift = drift_of(subject.reference, window, min_rows=watching.min_rows)
        found += [
            *drift_findings(window, drift),
            *input_findings(subject.reference, window, min_rows=watching.min_rows),
        ]
    mine = [one for one in before if one.subject is subject and not one.cell.segment]
    estimates: tuple[Estimate, ...] = ()
    if cell.estimator is not None and cell.n_rows >= watching.min_rows:
        estimates = with_errors(cell.estimator.finish(), [(o.review.estimates, o.review.outcomes) for o in mine])
        found += judge_estimates(window, estimates, cell.estimator.standards, subject.task)
    review = WindowReview(
        since=window.since,
        until=window.until,
        version=window.version,
        bundle=window.bundle,
        segment=window.segment,
        n_rows=window.n_rows,
        n_requests=window.n_requests,
        n_failed=window.n_failed,
        latency_ms_p50=_milliseconds(window, 0.5),
        latency_ms_p99=_milliseconds(window, 0.99),
        n_labels=cell.n_labels,
        coverage=cell.n_labels / cell.n_rows if cell.n_rows else 0.0,
        is_ripe=ripe_before is not None and cell.n_labels > 0 and window.until <= ripe_before,
        drift=drift,
        estimates=estimates,
    )
    return Judged(cell, window, review, [_with_consequence(one, estimates, subject) for one in found])


def _ripe_before(counted: Counted, watching: Watching, now: dt.datetime) -> dt.datetime | None:
    """Say before which moment rows were answered whose labels have had their time; None before any label came."""
    if watching.labels_after is not None:
        return now - watching.labels_after
    delays = [
        (rows["truth_received"] - rows["at"].astype("datetime64[us]")).astype(np.int64)
        for rows in (cell.labelled() for cell in counted.cells if not cell.segment)
        if rows
    ]
    if not delays:
        return None
    return now - dt.timedelta(microseconds=float(np.quantile(np.concatenate(delays), NINE_OF_TEN)))


def _milliseconds(window: Window, share: float) -> float | None:
    seconds = measure.latency_quantile(window.latencies, share)
    return None if seconds is None else seconds * 1000


def _with_consequence(one: Finding, estimates: Iterable[Estimate], subject: Subject) -> Finding:
    """Say of a movement what it probably does to quality: what is estimated of the same window."""
    if one.consequence or one.kind not in ("drift", "answer_drift", "joint_drift", "unit", "missing", "contract"):
        return one
    metric = subject.task.metric
    estimate = next((e for e in estimates if e.metric == metric), None)
    if estimate is None:
        return one
    value, reference = measure.figure(estimate.value.value), measure.figure(estimate.reference)
    text = f"{metric} of these rows is probably {value}, {reference} on the reference"
    return msgspec.structs.replace(one, consequence=text)


def _shown(judged: Sequence[Judged], champion: Subject, min_rows: int) -> tuple[Finding, ...]:
    """Return what the newest windows of the champion show, each kind in the newest window that could show it."""
    mine = [one for one in reversed(judged) if one.subject is champion]
    found = []
    for segment in dict.fromkeys(one.cell.segment for one in mine):
        windows = [one for one in mine if one.cell.segment == segment]
        for kind in dict.fromkeys(finding.kind for one in windows for finding in one.findings):
            able = [
                one.findings
                for one in windows
                if kind in judged_kinds(one.review, min_rows) or any(finding.kind == kind for finding in one.findings)
            ]
            found += [followed(one, able[1:]) for one in able[0] if one.kind == kind]
    return worst_first(found)


def _verdict(
    findings: Sequence[Finding], judged: Sequence[Judged], champion: Subject, watching: Watching
) -> tuple[Literal["good", "look", "act", "unknown"], str]:
    version = f"Version {champion.deployment.version}"
    for severity, verdict in (("page", "act"), ("warn", "look")):
        worst = [one for one in findings if one.severity == severity]
        if worst:
            more = f" ({len(worst) - 1} more)" if len(worst) > 1 else ""
            return verdict, f"{version}: {worst[0].reason}{more}."  # type: ignore[return-value]
    windows = [one for one in judged if one.subject is champion and not one.cell.segment]
    if champion.reference is None:
        return "unknown", f"{version} was made by an older version of Palio: its bundle says nothing to compare with."
    if not windows or windows[-1].review.n_rows < watching.min_rows:
        n_rows = windows[-1].review.n_rows if windows else 0
        return "unknown", f"{version} has answered {n_rows:,} rows, too few to judge; {watching.min_rows:,} are needed."
    newest = windows[-1].review
    told = f"{version} shows nothing that needs you, over {newest.n_rows:,} rows since {newest.since:%d %B %H:%M}"
    metric = champion.task.metric
    estimate = next((one for one in newest.estimates if one.metric == metric), None)
    if estimate is not None:
        value, reference = measure.figure(estimate.value.value), measure.figure(estimate.reference)
        told += f"; {metric} is probably {value}, {reference} was measured"
    return "good", f"{told}."
