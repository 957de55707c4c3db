"""What a review says, in words and rounded figures: the same for the page and for the terminal."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from palio.core.monitoring import ColumnDrift, Estimate, Finding, KpiValue, Outcome, Review, WindowReview
from palio.core.records import Metric
from palio.core.words import counted
from palio.measure import METRICS
from palio.report import words
from palio.report.rounding import clean, count, fixed, number, percent, with_margin

STATES = {"good": "Good", "look": "Have a look", "act": "Act now", "unknown": "Cannot be told"}
SEVERITIES = {"page": "Act", "warn": "Look", "note": "Explains"}
PSI_FAR, PSI_MOVED = 0.25, 0.1
"""The usual reading of the index: Siddiqi 2006, Credit Risk Scorecards, chapter 8."""


class Quality(NamedTuple):
    """A metric now: as it really was where the truths have come, and as it probably is."""

    name: str
    title: str
    real: Outcome | None
    real_at: str
    estimate: Estimate | None
    estimate_at: str
    expected: float | None
    error: float | None
    """How far estimates were off so far."""


class Worth(NamedTuple):
    """A business figure a day."""

    name: str
    realised: str
    realised_at: str
    estimated: str
    expected: str
    newest: KpiValue


class Moved(NamedTuple):
    """A column beside what it was in training."""

    name: str
    drift: ColumnDrift
    since: str
    """When it began; empty if it has not moved."""
    sentence: str
    """Where its rows went, in plain words."""


class Answers(NamedTuple):
    """What was answered in a window."""

    at: str
    n_rows: int
    n_requests: int
    per_day: float
    n_failed: int
    p50: float | None
    p99: float | None


# ── which windows ───────────────────────────────────────────────────────────────────────────────────────────────────


def all_rows(review: Review) -> list[WindowReview]:
    """Return the windows of all rows, every version, oldest first."""
    return sorted((w for w in review.windows if not w.segment), key=lambda w: (w.since, w.version))


def in_charge(review: Review) -> list[WindowReview]:
    """Return the windows of all rows of the version that answers; of all versions if it has none yet."""
    found = all_rows(review)
    return [w for w in found if w.version == review.version] or found


def whole(windows: list[WindowReview]) -> list[WindowReview]:
    """Leave out the window that is not over, if there are others."""
    return [w for w in windows if not w.so_far] or windows


def newest_judged(review: Review) -> WindowReview | None:
    """Return the newest window of which anything is said."""
    known = [w for w in whole(in_charge(review)) if w.drift or w.estimates or w.outcomes]
    return known[-1] if known else None


def in_segments(review: Review) -> list[WindowReview]:
    """Return the newest window of each segment, those with findings first, then the largest."""
    newest: dict[str, WindowReview] = {}
    for one in sorted((w for w in review.windows if w.segment), key=lambda w: w.since):
        newest[one.segment] = one
    return sorted(newest.values(), key=lambda w: (not w.findings, -w.n_rows, w.segment))


def moment(at: dt.datetime, review: Review) -> str:
    """Say when: the day, and the time where windows are shorter than a day."""
    day = f"{at.day} {at.strftime('%B')}"
    if at.year != review.at.year:
        day += f" {at.year}"
    return day if review.window_s >= 86_400 else f"{day}, {at.strftime('%H:%M')}"


# ── quality and value ───────────────────────────────────────────────────────────────────────────────────────────────


def is_known(metric: Metric | None) -> bool:
    """Whether there is a figure."""
    return metric is not None and math.isfinite(metric.value)


def outcome(window: WindowReview, metric: str) -> Outcome | None:
    """Return what a metric really was."""
    return next((o for o in window.outcomes if o.metric == metric and is_known(o.value)), None)


def estimate(window: WindowReview, metric: str) -> Estimate | None:
    """Return what a metric probably is."""
    return next((e for e in window.estimates if e.metric == metric and is_known(e.value)), None)


def kpi(window: WindowReview, name: str) -> KpiValue | None:
    """Return a business figure."""
    return next((k for k in window.kpis if k.name == name), None)


def metrics(review: Review) -> list[str]:
    """Name the metrics that are judged, the one that matters first."""
    named = [[o.metric for o in w.outcomes] + [e.metric for e in w.estimates] for w in all_rows(review)]
    found = dict.fromkeys(name for names in named for name in names)
    return sorted(found, key=lambda name: name != review.primary)


def kpis(review: Review) -> list[str]:
    """Name the business figures, in the order in which the user named them."""
    return list({one.name: None for w in all_rows(review) for one in w.kpis})


def quality(review: Review, metric: str) -> Quality:
    """Say how a metric stands: the newest window whose truths are ripe (else the newest with any), and the estimate."""
    windows = whole(in_charge(review))
    real = [w for w in windows if w.is_ripe and outcome(w, metric)] or [w for w in windows if outcome(w, metric)]
    probable = [w for w in windows if estimate(w, metric)]
    truth = outcome(real[-1], metric) if real else None
    guess = estimate(probable[-1], metric) if probable else None
    known = truth or guess
    return Quality(
        name=metric,
        title=words.term(metric).title,
        real=truth,
        real_at=moment(real[-1].since, review) if real else "",
        estimate=guess,
        estimate_at=moment(probable[-1].since, review) if probable else "",
        expected=known.reference if known is not None and math.isfinite(known.reference) else None,
        error=guess.error if guess is not None else None,
    )


def worth(review: Review, name: str, currency: str) -> Worth:
    """Say what a business figure is a day."""
    windows = [(w, found) for w in whole(in_charge(review)) if (found := kpi(w, name)) is not None]
    real = [(w, k) for w, k in windows if w.is_ripe and is_known(k.realised)]
    newest = (real or windows)[-1][1]
    probable = [k.estimated for _, k in windows if k.estimated is not None and is_known(k.estimated)]
    unit = newest.unit or currency
    return Worth(
        name=clean(name, limit=60),
        realised=money(newest.realised, unit) if real else "",
        realised_at=moment(real[-1][0].since, review) if real else "",
        estimated=money(probable[-1], unit) if probable else "",
        expected=f"{clean(unit, limit=20)} {number(newest.reference)}"
        if newest.reference is not None and math.isfinite(newest.reference)
        else "",
        newest=newest,
    )


def money(value: Metric | None, unit: str) -> str:
    """Write a business figure with its unit and margin."""
    return f"{clean(unit, limit=20)} {with_margin(value)}".strip() if value is not None else ""


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def columns(review: Review, window: WindowReview | None = None) -> list[Moved]:
    """Return all columns of a window (default: the newest judged), the one that moved farthest first."""
    window = window or newest_judged(review)
    if window is None:
        return []
    since = {f.subject: f.since for f in reversed(review.findings) if not f.segment}

    def rank(drift: ColumnDrift) -> tuple[bool, float]:
        return not drift.drifted, -drift.psi if math.isfinite(drift.psi) else math.inf

    return [
        Moved(
            name=clean(drift.column, limit=60),
            drift=drift,
            since=moment(since.get(drift.column, window.since), review) if drift.drifted else "",
            sentence=where_it_went(drift),
        )
        for drift in sorted(window.drift, key=rank)
    ]


def where_it_went(drift: ColumnDrift) -> str:
    """Say which bin of a column changed most.

    Example:
        >>> where_it_went(ColumnDrift(column="age", n_rows=900, p=0.0, psi=0.4, js=0.2, limit=0.1, drifted=True,
        ...                           labels=("below 40", "40 and above"), reference=(0.7, 0.3), current=(0.4, 0.6)))
        '“40 and above”: 60 % now, 30 % in training'
    """
    at = telling_bin(drift)
    if at is None:
        return ""
    label = words.quoted(drift.labels[at], limit=32)
    return f"{label}: {percent(drift.current[at])} now, {percent(drift.reference[at])} in training"


def telling_bin(drift: ColumnDrift) -> int | None:
    """Return the bin that gained most; None if bins do not fit."""
    if not drift.labels or not len(drift.labels) == len(drift.reference) == len(drift.current):
        return None
    gains = [c - r if math.isfinite(c - r) else 0.0 for c, r in zip(drift.current, drift.reference, strict=True)]
    return max(range(len(gains)), key=lambda i: gains[i])


def psi(value: float) -> str:
    """Write an index with two decimals: more are chance.

    Example:
        >>> psi(0.6214), psi(-0.0004)
        ('0.62', '0.00')
    """
    return fixed(value, 2)


def how_far(drift: ColumnDrift) -> str:
    """Say how far a column moved."""
    if not drift.drifted:
        return "as in training"
    return "moved far" if drift.psi >= PSI_FAR else "moved" if drift.psi >= PSI_MOVED else "moved a little"


def n_moved(window: WindowReview) -> int:
    """Count the input columns that moved."""
    return sum(d.drifted for d in window.drift if d.role == "feature")


def n_columns(window: WindowReview) -> int:
    """Count the input columns that are watched."""
    return sum(d.role == "feature" for d in window.drift)


def worst_psi(window: WindowReview) -> float:
    """Return how far the worst column is, answers included; NaN if nothing is said."""
    return max((d.psi for d in window.drift if math.isfinite(d.psi)), default=math.nan)


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(review: Review) -> Answers | None:
    """Return what was answered in the newest window, all versions together."""
    windows = all_rows(review)
    if not windows:
        return None
    newest = [w for w in windows if w.since == windows[-1].since]
    days = max(1e-9, (newest[-1].until - newest[-1].since).total_seconds() / 86_400)
    n_rows, n_requests = sum(w.n_rows for w in newest), sum(w.n_requests for w in newest)
    return Answers(
        at=moment(newest[-1].since, review),
        n_rows=n_rows,
        n_requests=n_requests,
        per_day=n_rows / days,
        n_failed=sum(w.n_failed for w in newest),
        p50=_largest(w.latency_ms_p50 for w in newest),
        p99=_largest(w.latency_ms_p99 for w in newest),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((v for v in values if v is not None and math.isfinite(v)), default=None)


# ── findings ────────────────────────────────────────────────────────────────────────────────────────────────────────

KINDS = {
    "drift": "Column moved",
    "answer_drift": "Answers moved",
    "joint_drift": "Columns moved together",
    "skew": "Served otherwise than trained",
    "unit": "Unit changed",
    "contract": "Broken contract",
    "missing": "Missing values",
    "volume": "Volume",
    "latency": "Latency",
    "failures": "Failures",
    "capacity": "Capacity",
    "estimated_quality": "Quality, estimated",
    "quality": "Quality",
    "concept_drift": "What was learned no longer holds",
    "estimate_off": "Estimate was off",
    "selective_labels": "Truths are picked",
    "classes": "Classes changed",
    "value": "Value",
}


def subject(finding: Finding) -> str:
    """Name what a finding is about."""
    if finding.kind in ("quality", "estimated_quality"):
        name = words.term(finding.subject).title
    else:
        name = clean(finding.subject, limit=60)
    return f"{name}, where {clean(finding.segment, limit=60)}" if finding.segment else name


def effect(finding: Finding) -> str:
    """Write how far a finding goes, in its own measure."""
    measure = {"psi": "PSI", "share": "of the rows", "factor": "times"}.get(
        finding.measure, clean(finding.measure, limit=24)
    )
    if finding.measure in METRICS:
        measure = ""
    shown = percent(finding.effect) if finding.measure == "share" else number(finding.effect, digits=2)
    if finding.measure == "psi":
        shown = psi(finding.effect)
    return f"{measure} {shown}".strip() if measure == "PSI" else f"{shown} {measure}".strip()


def since_when(finding: Finding, review: Review) -> str:
    """Say since when a finding is there, and in how many windows."""
    return f"since {moment(finding.since, review)}, {counted(finding.n_windows, 'window')}"


_METRICS = re.compile(rf"(?<![“\w.])({'|'.join(name for name in METRICS if '_' in name)})(?![”\w])")
"""Names that are no words of a language."""


def prose(text: str, *, limit: int = 300) -> str:
    """Make a sentence of the monitor fit to be shown: cleaned, with names in quotes and a full stop.

    Metrics are called as in reports.

    Example:
        >>> prose("`age` has moved"), prose("box_mistakes was 1.2")
        ('“age” has moved.', '“Mistakes” was 1.2.')
    """
    shown = re.sub(r"`([^`]*)`", r"“\1”", clean(text, limit=limit))
    shown = _METRICS.sub(lambda found: words.quoted(words.term(found.group()).title), shown)
    return f"{shown}." if shown and shown[-1] not in ".…!?" else shown


def false_alarms(review: Review) -> str:
    """Say how often a page like this alarms although nothing is wrong."""
    if not math.isfinite(review.false_alarm_rate):
        return "How often such a page alarms by chance is not known."
    share = max(review.false_alarm_rate, 1e-5)
    base = next(b for b in (100, 1000, 10_000, 100_000) if share * b >= 0.95)
    said = f"If nothing were wrong, at most {count(round(share * base))} of {count(base)} such looks would show that a"
    said += " column moved."
    rates = [a.expected_false_per_month for a in review.alerts if math.isfinite(a.expected_false_per_month)]
    if rates:
        said += f" An alert like those open now comes by chance {_how_often(max(rates))}."
    return said


def _how_often(per_month: float) -> str:
    if per_month >= 1:
        return f"about {counted(round(per_month), 'time')} a month"
    months = 1 / max(per_month, 1e-4)
    return f"about once in {counted(round(months), 'month') if months < 24 else f'{round(months / 12)} years'}"
