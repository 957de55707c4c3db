"""Review a model: judge every window that was counted, follow what was found, and say it in one sentence."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec
import numpy as np

from palio import measure, truth
from palio.core.blame import blamed
from palio.core.errors import UnavailableError
from palio.core.monitoring import Finding, Kpi, Review, StreamReview, Window
from palio.core.words import counted
from palio.monitor.alerts.alerting import judged_kinds
from palio.monitor.concept.findings import concept_findings, losses_of, stream_lines
from palio.monitor.concept.streams import ErrorStream, loss_scale
from palio.monitor.counting import AnswerLog, Counted, Subject, count
from palio.monitor.findings import followed, worst_first
from palio.monitor.judging import Judged, Yardstick, judge_cell
from palio.monitor.movement.drift import RATE
from palio.monitor.movement.joint import RATE as JOINT_RATE
from palio.monitor.movement.joint import joint_drift, joint_findings
from palio.monitor.movement.skew import skew_findings
from palio.monitor.movement.traffic import traffic_findings
from palio.monitor.movement.volume import in_rows, volume_finding
from palio.monitor.quality.estimates import can_estimate
from palio.monitor.quality.features import Array, Batch
from palio.monitor.quality.outcomes import label_delay_s
from palio.monitor.timeline import grid

_LATE = ("quality", "value")
_FALLEN = {"quality": "quality has fallen: ", "estimated_quality": "quality has probably fallen: "}

Trained = Callable[[Array], Mapping[str, Array]]


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
    latency_limit_ms: float | None = None
    zone: dt.tzinfo = dt.UTC
    """Whose weekdays and hours make windows alike when volume is judged."""
    trained: Trained | None = None
    """Looks up how rows with these keys were trained: `key` and `input.<column>`; None if rows have no keys."""


def review(
    log: AnswerLog,
    truths: truth.Truths,
    subjects: Sequence[Subject],
    watching: Watching,
    *,
    now: dt.datetime,
    feedback: Callable[[], Iterable[Batch]] = tuple,
) -> Review:
    """Review what was served.

    Memory holds one batch of the log, the labels, and the counts of each window; at most 100,000 labelled rows of each.

    Args:
        log: Of the model.
        truths: Labels that have come.
        subjects: Versions to watch, the champion first.
        watching: What is watched.
        now: The present moment.
        feedback: Yields what `truths` were read from once more, to name some that met no answer.

    Raises:
        InputError: too many windows, or a segment that is no category of the champion.
    """
    stretches = grid(watching.since, now, watching.window)
    counted = count(
        log, truths, subjects, stretches, length=watching.window, min_rows=watching.min_rows, segments=watching.segments
    )
    ripe_before = _ripe_before(counted, watching, now)
    yardsticks = _Yardsticks(counted, watching)
    judged: list[Judged] = []
    for cell in counted.cells:
        judged.append(
            judge_cell(
                cell,
                judged,
                yardsticks.of(cell.subject, cell.segment),
                min_rows=watching.min_rows,
                ripe_before=ripe_before,
                currency=watching.currency,
            )
        )
    mine = [one for one in judged if one.subject is subjects[0] and not one.cell.segment]
    stream = None
    if mine:
        mine[-1].findings += _traffic(counted.traffic, watching)
        if not any(one.kind == "volume" for one in mine[-1].findings):
            mine[-1].findings += _volume_of_segments(counted, watching)
        for one in [one for one in mine if not one.cell.so_far][-1:] + [one for one in mine if one.cell.so_far]:
            one.findings += _whole_rows(one, watching.trained)
        stream = _stream([one for one in mine if not one.cell.so_far], yardsticks.of(subjects[0]))
    findings, earlier = _shown(judged, subjects[0], watching.min_rows)
    findings, earlier = blamed(findings, earlier), blamed(earlier, findings)
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
        primary=measure.default_metric(subjects[0].task),
        windows=tuple(
            msgspec.structs.replace(one.review, findings=tuple(found.id for found in one.findings)) for one in judged
        ),
        findings=findings,
        earlier=earlier,
        false_alarm_rate=_false_alarm_rate(judged, subjects[0]),
        min_rows=watching.min_rows,
        stream=stream,
        has_reference=subjects[0].reference is not None,
        n_scored=0 if subjects[0].reference is None else subjects[0].reference.n_scored,
        ripe_before=ripe_before,
        strangers=dict(counted.strangers),
        unknown_segments=yardsticks.unknown(subjects[0]),
        truths=truths.account(feedback, since=_awaited_from(stretches[0].since, ripe_before, now)),
    )


class _Yardsticks:
    """What each version is held against, and each of its segments, worked out when they are asked for."""

    def __init__(self, counted: Counted, watching: Watching) -> None:
        self._segments, self._kpis = counted.segments, watching.kpis
        self._known: dict[tuple[int, str], Yardstick] = {}

    def of(self, subject: Subject, segment: str = "") -> Yardstick:
        key = id(subject), segment
        if key not in self._known:
            where = self._segments[segment] if segment else None
            share = 1 / len(self._segments) if segment else 1.0
            self._known[key] = Yardstick(subject, self._kpis, segment=where, share=share)
        return self._known[key]

    def unknown(self, subject: Subject) -> dict[str, int]:
        """Return the segments of which too little is known, and how many rows of the reference they have."""
        return {
            segment: one.n_rows
            for (of, segment), one in self._known.items()
            if of == id(subject) and segment and one.reference is None
        }


def _ripe_before(counted: Counted, watching: Watching, now: dt.datetime) -> dt.datetime | None:
    """Say before which moment rows were answered whose labels have had their time; None before any label came."""
    if watching.labels_after is not None:
        return now - watching.labels_after
    parts = [rows for rows in (cell.labelled() for cell in counted.cells if not cell.segment) if rows]
    if not parts:
        return None
    answered, received = (np.concatenate([rows[name] for rows in parts]) for name in ("at", "truth_received"))
    delay_s = label_delay_s(answered, received, np.datetime64(now.replace(tzinfo=None), "us"))
    return None if delay_s is None else now - dt.timedelta(seconds=delay_s)


def _awaited_from(begin: dt.datetime, ripe_before: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    """Say from when on truths should meet answers since `begin`: those that came before may be about older ones."""
    return None if ripe_before is None else begin + (now - ripe_before)


def _traffic(windows: Sequence[Window], watching: Watching) -> list[Finding]:
    """Judge the newest window that is over; of the one that is still filling only what a part of it can show."""
    *earlier, newest = windows
    judge = partial(
        traffic_findings,
        n_workers=watching.n_workers,
        latency_limit_ms=watching.latency_limit_ms,
        zone=watching.zone,
    )
    found: list[Finding] = []
    if newest.until - newest.since >= watching.window:
        return list(judge(newest, earlier))
    if earlier:
        found += judge(earlier[-1], earlier[:-1])
    known = {one.id for one in found}
    now = judge(newest, earlier)
    return [*found, *(one for one in now if one.kind != "volume" and one.id not in known)]


def _volume_of_segments(counted: Counted, watching: Watching) -> list[Finding]:
    """Judge the rows of each segment in the newest window that is over, where requests as a whole are as usual."""
    found = []
    is_over = counted.traffic[-1].until - counted.traffic[-1].since >= watching.window
    for segment, n_rows in counted.rows_of_segments.items():
        windows = [
            msgspec.structs.replace(in_rows(one, n), segment=segment)
            for one, n in zip(counted.traffic, n_rows.tolist(), strict=True)
        ]
        windows = windows if is_over else windows[:-1]
        told = volume_finding(windows[-1], windows[:-1], what="rows", zone=watching.zone) if windows else None
        found += [told] if told is not None else []
    return found


def _whole_rows(newest: Judged, trained: Trained | None) -> list[Finding]:
    """Judge rows of the newest window as wholes: together against the reference, and one by one against training."""
    subject, rows = newest.subject, newest.cell.whole()
    found: list[Finding] = []
    if subject.rows is not None and subject.reference is not None:
        columns = [
            f"input.{one.name}"
            for one in subject.reference.columns
            if one.role == "feature" and one.kind != "text" and not one.statistic
            if not one.is_moment and f"input.{one.name}" in subject.rows  # time goes by: that is no drift
        ]
        joint = joint_drift(subject.rows, rows, columns=columns, in_time_order=subject.reference.in_time_order)
        if not newest.cell.so_far or (joint is not None and joint.drifted and _is_unusual(newest, rows, columns)):
            found += joint_findings(newest.window, joint)
    if trained is not None and "key" in rows and (rows["key"] != "").any():
        then = trained(rows["key"])
        logged = {name: values for name, values in rows.items() if name in then}
        found += skew_findings(newest.window, logged, then)
    return found


def _is_unusual(newest: Judged, rows: Mapping[str, Array], columns: Sequence[str]) -> bool:
    """Say whether rows of a window that is not over can be told from those of the same part of earlier windows."""
    part = newest.cell.same_part
    usual = part.rows() if part is not None and newest.review.drift else {}
    joint = joint_drift(usual, rows, columns=columns, in_time_order=True) if usual else None
    return joint is not None and joint.drifted


def _stream(mine: Sequence[Judged], yardstick: Yardstick) -> StreamReview | None:
    """Let the detectors read the losses of the champion in the order of its answers."""
    if not mine:
        return None
    task = mine[0].subject.task
    ripe = [one for one in mine if one.review.is_ripe]
    losses = losses_of(task, [one.cell.labelled() for one in ripe])
    if losses is None:
        return None
    unit = 1.0
    question = measure.questions.of(task)
    if not question.mistakes.ndim:
        standard = yardstick.standards.get(question.error_metric)
        if standard is None or standard.value.value <= 0:
            return None
        unit = loss_scale(standard.value.value)
    try:
        stream = ErrorStream(unit=unit)
    except UnavailableError:  # everything else is judged without the detectors' library
        return None
    stream.feed(*losses)
    told = stream.review()
    told = msgspec.structs.replace(told, lines=stream_lines(told))
    ripe[-1].findings += concept_findings(ripe[-1].window, told, outcomes=ripe[-1].review.outcomes, task=task)
    return told


def _false_alarm_rate(judged: Sequence[Judged], champion: Subject) -> float:
    """Add up how often all rows, segments, and rows as wholes show drift by chance; segments share one rate."""
    in_segments = any(one.cell.segment for one in judged if one.subject is champion and one.review.drift)
    return min(1.0, RATE * (1 + in_segments) + JOINT_RATE)


def _shown(
    judged: Sequence[Judged], champion: Subject, min_rows: int
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return what the newest windows of the champion show, each kind in the newest window that could show it.

    Beside it, what only earlier windows show, in its newest form.
    """
    mine = [one for one in reversed(judged) if one.subject is champion]
    newest: list[Finding] = []
    earlier: list[Finding] = []
    for segment in dict.fromkeys(one.cell.segment for one in mine):
        windows = [one for one in mine if one.cell.segment == segment]
        for kind in dict.fromkeys(finding.kind for one in windows for finding in one.findings):
            able = [
                one
                for one in windows
                if kind in judged_kinds(one.review, min_rows) or any(finding.kind == kind for finding in one.findings)
            ]
            known: set[str] = set()
            n_over = 0  # what a window shows that is not over adds to the newest one that is
            for age, one in enumerate(able):
                fresh = [found for found in one.findings if found.kind == kind and found.id not in known]
                known |= {found.id for found in fresh}
                later = [other.findings for other in able[age + 1 :]]
                (earlier if n_over else newest).extend(followed(found, later) for found in fresh)
                n_over += not one.review.so_far
    return worst_first(newest), worst_first(earlier)


def _verdict(
    findings: Sequence[Finding], judged: Sequence[Judged], champion: Subject, watching: Watching
) -> tuple[Literal["good", "look", "act", "unknown"], str]:
    version = f"Version {champion.deployment.version}"
    pages, warnings = ([one for one in findings if one.severity == severity] for severity in ("page", "warn"))
    if pages or warnings:
        return "act" if pages else "look", _worst(pages or warnings, judged, watching)
    all_windows = [one for one in judged if one.subject is champion and not one.cell.segment]
    windows = all_windows
    over = [one for one in windows if not one.cell.so_far][-1:]
    windows = windows[windows.index(over[0]) :] if over else windows
    n_rows = sum(one.review.n_rows for one in windows)
    if not n_rows:
        return "unknown", f"{version} has answered nothing in this time."
    if champion.reference is None:
        return "unknown", f"{version} was made by an older version of Palio: its bundle says nothing to compare with."
    n_distinct = sum(one.review.n_judged for one in windows)
    different = f" ({n_distinct:,} of them different)" if n_distinct < n_rows else ""
    if n_distinct < watching.min_rows:
        told = f"{version} has answered {counted(n_rows, 'row')}{different}, too few to judge"
        return "unknown", f"{told}: {watching.min_rows:,} are needed."
    told = f"Nothing needs you: version {champion.deployment.version} has answered {n_rows:,} rows{different}"
    quality = _quality(all_windows, windows, champion, watching)
    return "good", f"{told} since {_moment(windows[0].review.since, watching)}{quality}."


def _worst(findings: Sequence[Finding], judged: Sequence[Judged], watching: Watching) -> str:
    """Say the worst finding, without its small print, of when it is, and how many others weigh as much."""
    worst, n_more = findings[0], len(findings) - 1
    said = re.sub(r" \([^()]*\)$", "", worst.reason.rstrip("."))
    said = _FALLEN.get(worst.kind, "") + said
    said = f"Where {worst.segment}: {said}" if worst.segment else f"{said[:1].upper()}{said[1:]}"
    if worst.kind in _LATE and any(one.window.since >= worst.until and not one.cell.so_far for one in judged):
        said += f" (until {_moment(worst.until, watching)}; truths of later windows are still coming)"
    return f"{said}." if not n_more else f"{said} (and {counted(n_more, 'more finding')})."


def _quality(windows: Sequence[Judged], newest: Sequence[Judged], champion: Subject, watching: Watching) -> str:
    """Say how the metric that matters stands: as it really was where labels are ripe, else as it probably is."""
    metric = measure.default_metric(champion.task)
    ripe = [one.review for one in windows if one.review.is_ripe][-1:]
    real = [(one, review.since) for review in ripe for one in review.outcomes if one.metric == metric]
    if real:
        known, since = real[0]
        at = "" if since == newest[0].review.since else f" on {_moment(since, watching)}"
        return f"; {metric}{at} was {measure.figure(known.value.value)}, expected {measure.figure(known.reference)}"
    for probable in newest[0].review.estimates:
        if probable.metric == metric:
            value, expected = measure.figure(probable.value.value), measure.figure(probable.reference)
            return f"; {metric} is probably {value}, expected {expected}"
    return "" if can_estimate(champion.task) else "; how good the answers are cannot be told without truths"


def _moment(at: dt.datetime, watching: Watching) -> str:
    return f"{at.day} {at:%B}" if watching.window >= dt.timedelta(days=1) else f"{at.day} {at:%B %H:%M}"
