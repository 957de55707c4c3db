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
from palio.monitor.movement.drift import RATE, drift_findings, drift_of
from palio.monitor.movement.inputs import RATE as INPUT_RATE
from palio.monitor.movement.inputs import input_findings
from palio.monitor.movement.units import has_grown
from palio.monitor.quality.estimates import judge_errors, judge_estimates, with_errors
from palio.monitor.quality.features import Batch
from palio.monitor.quality.kpis import Worth, judge_kpis, kpi_values, worth_of
from palio.monitor.quality.leaning import Leans, leans_of
from palio.monitor.quality.outcomes import (
    judge_classes,
    judge_labels,
    judge_outcomes,
    one_sided,
    outcomes_of,
    standards_from,
)
from palio.monitor.quality.standards import Standard, standards_of
from palio.monitor.segments import LEAST_ROWS, reference_in, rows_in
from palio.monitor.so_far import still_moved

NINE_OF_TEN = 0.9
"""A window is ripe after the time in which this share of labels came, or as soon as this share has come."""
_DAY = dt.timedelta(days=1)
_BY_THE_HOUR = ("estimated_quality", "quality", "estimate_off", "selective_labels", "value", "classes")
"""Not said of a window that is not over: what is asked at night is harder or easier than what is asked by day."""
FAR_OUT = 0.05
"""Share of rows that the reference does not know from which on estimates are doubted."""
_MOVEMENTS = ("drift", "answer_drift", "joint_drift", "unit", "missing", "contract")


class Yardstick:
    """What windows of one version are held against, worked out once; a segment is held against itself.

    Args:
        subject: The version.
        kpis: Business figures; those that do not fit its task must have been refused before.
        segment: The log's column and the value that make a segment; None is all rows. Of a segment of which the
            reference has too few rows nothing is known (`n_rows` says how many there are).
        share: Of the rates of false alarms; several segments share them.
    """

    def __init__(
        self, subject: Subject, kpis: Sequence[Kpi], *, segment: tuple[str, str] | None = None, share: float = 1.0
    ) -> None:
        self.kpis, self.share = kpis, share
        self.reference, self.n_rows, self.leans = subject.reference, 0, Leans()
        self.standards: Mapping[str, Standard] = {}
        rows = subject.rows
        if segment is not None:
            rows = rows_in(rows, segment) if rows is not None and segment[0] in rows else None
            self.n_rows = 0 if rows is None else len(rows["truth"])
            is_known = rows is not None and subject.reference is not None and self.n_rows >= LEAST_ROWS
            rows = rows if is_known else None
            self.reference = None
        elif subject.estimator is not None:
            self.standards = subject.estimator.standards
        elif subject.reference is not None:
            self.standards = standards_from(subject.reference.quality)
        self.worth: dict[str, Worth] = {} if rows is None else worth_of(kpis, subject.task, rows)
        self.class_counts: dict[str, int] = {}
        if rows is not None:
            question = questions.of(subject.task)
            self.class_counts = question.counts(question.truth_in(rows))
        if segment is not None and rows is not None and subject.reference is not None:
            self.reference = reference_in(subject.reference, rows, segment[0])
            self.standards = standards_of(subject.task, rows)
            self.leans = leans_of(subject, rows, self.standards, self.worth, kpis)


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
    window, task, share = cell.builder.finish(), cell.subject.task, yardstick.share
    found: list[Finding] = []
    drift = _drift(cell, window, yardstick, min_rows)
    found += drift_findings(window, drift)
    if yardstick.reference is not None:
        told = input_findings(yardstick.reference, window, min_rows=min_rows, rate=INPUT_RATE * share)
        told = _without_growth(told, window, [one.window for one in before if _is_alike(one, cell)])
        found += [one for one in told if one.kind != "missing" or not cell.so_far]
    estimates: tuple[Estimate, ...] = ()
    if cell.estimator is not None and yardstick.standards and cell.n_distinct >= min_rows:
        mine = [one for one in before if _is_alike(one, cell)]
        ripe = [(one.review.estimates, one.review.outcomes) for one in mine if one.review.is_ripe]
        estimates = with_errors(yardstick.leans.applied(cell.estimator.finish()), ripe)
        found += judge_estimates(window, estimates, dict(yardstick.standards), task, share=share)
    labelled = cell.labelled()
    has_time = ripe_before is not None and window.until <= ripe_before
    is_ripe = cell.n_labels > 0 and (has_time or cell.n_labels >= NINE_OF_TEN * cell.n_rows)
    outcomes = outcomes_of(task, labelled, yardstick.standards)
    classes = judge_classes(window, labelled, task, yardstick.class_counts if is_ripe else {})
    if is_ripe and cell.n_labels < NINE_OF_TEN * cell.n_rows:
        picked = one_sided(window, classes, task, n_labels=cell.n_labels, n_rows=cell.n_rows)
        if picked is not None:
            is_ripe, classes = False, (*(one for one in classes if one.effect >= 0), picked)
    found += classes
    if is_ripe:
        found += judge_outcomes(window, outcomes, yardstick.standards, task, share=share)
        found += judge_errors(window, estimates, outcomes, task)
        found += judge_labels(window, cell.answered(), task)
    kpis = _kpis(cell, labelled, window, yardstick, currency)
    days = (window.until - window.since) / _DAY
    found += judge_kpis(window, kpis, yardstick.worth, days=days, is_ripe=is_ripe, share=share)
    if cell.so_far:  # a night is not worse than days because it is a night
        found = [one for one in found if one.kind not in _BY_THE_HOUR]
    review = _reviewed(cell, window, is_ripe=is_ripe, drift=drift, estimates=estimates, outcomes=outcomes, kpis=kpis)
    return Judged(cell, window, review, [_with_consequence(one, estimates, task) for one in found])


def _is_alike(one: Judged, cell: Cell) -> bool:
    return one.subject is cell.subject and one.cell.segment == cell.segment


def _without_growth(told: Iterable[Finding], window: Window, before: Sequence[Window]) -> tuple[Finding, ...]:
    """Leave out changes of units that came slowly, over windows: a price that rises is no other currency."""
    return tuple(one for one in told if not (one.kind == "unit" and _has_grown(one, window, before)))


def _has_grown(one: Finding, window: Window, before: Sequence[Window]) -> bool:
    now = next((column for column in window.columns if column.name == one.subject), None)
    if now is None or one.measure != "factor":
        return False
    return has_grown(one.effect, now, [c for w in before for c in w.columns if c.name == one.subject])


def _drift(cell: Cell, window: Window, yardstick: Yardstick, min_rows: int) -> tuple[ColumnDrift, ...]:
    """Say how far columns are from the reference; of a window that is not over if the same part of others tells."""
    if yardstick.reference is None:
        return ()
    if not cell.so_far:
        return drift_of(yardstick.reference, window, min_rows=min_rows, rate=RATE * yardstick.share)
    usual = None if cell.same_part is None else cell.same_part.reference(min_rows=min_rows)
    if usual is None:
        return ()
    drift = drift_of(yardstick.reference, window, min_rows=min_rows, rate=RATE)
    return still_moved(drift, drift_of(usual, window, min_rows=min_rows, rate=RATE))


def _kpis(cell: Cell, labelled: Batch, window: Window, yardstick: Yardstick, currency: str) -> tuple[KpiValue, ...]:
    if not cell.n_rows:
        return ()
    leans = yardstick.leans.worth
    return kpi_values(
        yardstick.kpis,
        cell.subject.task,
        n_rows=cell.n_distinct,
        days=(window.until - window.since) / _DAY,
        labelled=labelled,
        estimator=cell.estimator,
        reference=yardstick.worth,
        currency=currency,
        leans=leans,
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
        so_far=cell.so_far,
        n_rows=window.n_rows,
        n_distinct=window.n_distinct,
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
    if estimate.outside >= FAR_OUT:
        text = (
            f"What that does to {estimate.metric} can only be told by truths: "
            f"{estimate.outside:.0%} of the rows are of a kind that the reference does not know"
        )
    return msgspec.structs.replace(one, consequence=text)
