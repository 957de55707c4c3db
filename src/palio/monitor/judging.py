"""Judge one window of one version in one segment: its columns, its quality with and without labels, its worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from palio import measure
from palio.core.monitoring import ColumnDrift, Estimate, Finding, Kpi, KpiValue, Outcome, Window, WindowReview
from palio.core.records import Task
from palio.measure import questions
from palio.monitor.counting import Cell, Subject
from palio.monitor.movement.drift import drift_findings, drift_of
from palio.monitor.movement.inputs import input_findings
from palio.monitor.quality.estimates import judge_errors, judge_estimates, with_errors
from palio.monitor.quality.features import Batch
from palio.monitor.quality.kpis import Worth, judge_kpis, kpi_values, worth_of
from palio.monitor.quality.outcomes import judge_classes, judge_labels, judge_outcomes, outcomes_of, standards_from
from palio.monitor.quality.standards import Standard

NINE_OF_TEN = 0.9
"""A window is ripe after the time in which this share of labels came, or as soon as this share has come."""
_DAY = dt.timedelta(days=1)
_MOVEMENTS = ("drift", "answer_drift", "joint_drift", "unit", "missing", "contract")


class Yardstick:
    """What windows of one version are held against, worked out once.

    Args:
        subject: The version.
        kpis: Business figures; those that do not fit its task must have been refused before.
    """

    def __init__(self, subject: Subject, kpis: Sequence[Kpi]) -> None:
        self.kpis = kpis
        quality = subject.reference.quality if subject.reference else {}
        self.standards: Mapping[str, Standard] = (
            standards_from(quality) if subject.estimator is None else subject.estimator.standards
        )
        rows = subject.rows
        self.worth: dict[str, Worth] = {} if rows is None else worth_of(kpis, subject.task, rows)
        self.class_counts: dict[str, int] = {}
        if rows is not None:
            question = questions.of(subject.task)
            self.class_counts = question.counts(question.truth_in(rows))


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


def judge_cell(
    cell: Cell,
    before: Sequence[Judged],
    yardstick: Yardstick,
    *,
    min_rows: int,
    ripe_before: dt.datetime | None,
    currency: str = "",
) -> Judged:
    """Judge one cell.

    Args:
        cell: All rows of it have been counted.
        before: Cells of earlier windows, judged.
        yardstick: Of its version.
        min_rows: Below this nothing is said of columns and estimates.
        ripe_before: Rows answered before this have had the time that labels take; None before any label came.
        currency: Unit of business figures that name none.
    """
    window, task, reference = cell.builder.finish(), cell.subject.task, cell.subject.reference
    found: list[Finding] = []
    drift: tuple[ColumnDrift, ...] = ()
    if reference is not None:
        drift = drift_of(reference, window, min_rows=min_rows)
        found += drift_findings(window, drift)
        found += input_findings(reference, window, min_rows=min_rows)
    estimates: tuple[Estimate, ...] = ()
    if cell.estimator is not None and cell.n_rows >= min_rows:
        mine = [one for one in before if one.subject is cell.subject and not one.cell.segment and one.review.is_ripe]
        estimates = with_errors(cell.estimator.finish(), [(o.review.estimates, o.review.outcomes) for o in mine])
        found += judge_estimates(window, estimates, dict(yardstick.standards), task)
    labelled = cell.labelled()
    has_time = ripe_before is not None and window.until <= ripe_before
    is_ripe = cell.n_labels > 0 and (has_time or cell.n_labels >= NINE_OF_TEN * cell.n_rows)
    outcomes = outcomes_of(task, labelled, yardstick.standards)
    if is_ripe:
        found += judge_outcomes(window, outcomes, yardstick.standards, task)
        found += judge_errors(window, estimates, outcomes, task)
        found += judge_labels(window, cell.answered(), task)
    found += judge_classes(window, labelled, task, yardstick.class_counts if is_ripe else {})
    kpis = _kpis(cell, labelled, window, yardstick, currency)
    days = (window.until - window.since) / _DAY
    found += judge_kpis(window, kpis, yardstick.worth, days=days, is_ripe=is_ripe)
    told = _reviewed(cell, window, is_ripe=is_ripe, drift=drift, estimates=estimates, outcomes=outcomes, kpis=kpis)
    return Judged(cell, window, told, [_with_consequence(one, estimates, task) for one in found])


def _kpis(cell: Cell, labelled: Batch, window: Window, yardstick: Yardstick, currency: str) -> tuple[KpiValue, ...]:
    if not cell.n_rows:
        return ()
    return kpi_values(
        yardstick.kpis,
        cell.subject.task,
        n_rows=cell.n_rows,
        days=(window.until - window.since) / _DAY,
        labelled=labelled,
        estimator=cell.estimator,
        reference=yardstick.worth,
        currency=currency,
    )


def _reviewed(
    cell: Cell,
    window: Window,
    *,
    is_ripe: bool,
    drift: tuple[ColumnDrift, ...],
    estimates: tuple[Estimate, ...],
    outcomes: tuple[Outcome, ...],
    kpis: tuple[KpiValue, ...],
) -> WindowReview:
    return WindowReview(
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
        is_ripe=is_ripe,
        drift=drift,
        estimates=estimates,
        outcomes=outcomes,
        kpis=kpis,
    )


def _milliseconds(window: Window, share: float) -> float | None:
    seconds = measure.latency_quantile(window.latencies, share)
    return None if seconds is None else seconds * 1000


def _with_consequence(one: Finding, estimates: Iterable[Estimate], task: Task) -> Finding:
    """Say of a movement what it probably does to quality: what is estimated of the same window."""
    estimate = next((e for e in estimates if e.metric == measure.default_metric(task)), None)
    if one.consequence or one.kind not in _MOVEMENTS or estimate is None:
        return one
    value, reference = measure.figure(estimate.value.value), measure.figure(estimate.reference)
    text = f"{estimate.metric} of these rows is probably {value}, expected {reference}"
    return msgspec.structs.replace(one, consequence=text)
