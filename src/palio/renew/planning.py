"""Decide whether a challenger is to be trained now, and why. Pure: records in, a request or the reason for none out."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import TYPE_CHECKING, Literal, NamedTuple

from palio.core.blame import broken_meanwhile
from palio.core.durations import read_duration
from palio.core.errors import InputError
from palio.core.monitoring import Finding, FindingKind, Review, WindowReview
from palio.core.records import Deployment, Metric, Promotion, Record
from palio.core.renewal import RetrainRequest

if TYPE_CHECKING:
    from palio.renew.renewals import RenewalStanding

BROKEN: tuple[FindingKind, ...] = ("unit", "skew")
"""While one of these is open, only a person begins a renewal."""
PERSISTS = 2
"""A finding that so many windows in a row show persists, whether people are told of it or not."""
CHANGED = frozenset({"concept_drift", "quality"})
"""Findings that say that the world answers otherwise than it did: then rows of before may be answered worse."""
_PERIODS = {"daily": 1, "weekly": 7}


class RenewalPolicy(Record, frozen=True, kw_only=True):
    """When a challenger is trained, and what that may cost: the tables `[retrain]` and `[value]`."""

    schedule: str = "never"
    on: tuple[FindingKind, ...] = ()
    new_labels: int = 0
    min_labels: int = 500
    cooldown: dt.timedelta = dt.timedelta(days=1)
    budget_s: float = 300.0
    cost_per_hour: float = 0.0
    horizon_days: float = 30.0
    release: Literal["promote", "canary"] = "promote"
    error_cost: float = 0.0
    requests_per_day: float = 0.0
    currency: str = "EUR"


class FreshLabels(Record, frozen=True, kw_only=True):
    """Labelled rows that no renewal has learned from."""

    n_rows: int
    until: dt.datetime
    """Labels received before this …"""
    answered_before: dt.datetime | None = None
    """… about rows answered before this."""
    hindrance: str = ""
    """Why no row of the log can be learned from, whatever labels come; empty if they can."""
    only: str = ""
    """The class that all of them are of; empty if there are several, or values."""


class Occasion(NamedTuple):
    """What asks for a renewal."""

    reasons: tuple[str, ...]
    """One sentence each; empty: nothing does."""
    findings: tuple[Finding, ...] = ()


class Planned(NamedTuple):
    """A request, or why there is none."""

    request: RetrainRequest | None
    reason: str


def occasion(
    review: Review | None,
    policy: RenewalPolicy,
    *,
    champion: Promotion,
    last: RenewalStanding | None,
    now: dt.datetime,
    n_labels: int = 0,
) -> Occasion:
    """Find what asks for a renewal: findings that persist, the schedule, the number of new labels.

    Args:
        review: The newest one, if there is any; findings about another version than the champion's do not count.
        policy: What is to be acted on.
        champion: That is live.
        last: The newest renewal.
        now: The present moment.
        n_labels: Labelled rows that no renewal has learned from.
    """
    told = {alert.finding.id for alert in review.alerts} if review else set()
    findings = tuple(
        finding
        for finding in (review.findings if review else ())
        if finding.kind in policy.on
        and finding.version == champion.version
        and (finding.id in told or finding.n_windows >= PERSISTS)
    )
    reasons = [_reason(finding) for finding in findings]
    begun = champion.at if last is None else max(champion.at, last.request.at)
    begun = now - abs(now - begun)  # a clock that was ahead holds nothing up for longer than it was ahead
    due = next_due(policy.schedule, begun)
    if due is not None and now >= due:
        reasons.append(f"The schedule ({policy.schedule}) asks for it: the last model or plan is of {_day(begun)}.")
    if policy.new_labels and n_labels >= policy.new_labels:
        reasons.append(f"{n_labels:,} new labelled rows have come; {policy.new_labels:,} ask for a renewal.")
    return Occasion(tuple(reasons), findings)


def _reason(finding: Finding) -> str:
    said = finding.reason.rstrip(".")
    if finding.segment:
        return f"Where {finding.segment}: {said}."
    return f"{said}." if said.startswith(finding.subject) else f"{said[:1].upper()}{said[1:]}."  # `roc_auc` is a name


def plan(
    review: Review | None,
    policy: RenewalPolicy,
    *,
    champion: Promotion | None,
    labels: FreshLabels,
    last: RenewalStanding | None,
    now: dt.datetime,
    why: str | None = None,
) -> Planned:
    """Decide whether a challenger is to be trained now.

    Args:
        review: What was seen of the champion, if anything.
        policy: See `RenewalPolicy`.
        champion: That is live; without one there is nothing to renew.
        labels: What there is to learn from.
        last: The newest renewal: one at a time, and the cooldown counts from its end.
        now: The present moment.
        why: A person asks, and says why: schedule, findings, cooldown, minimum and cost do not hold that up; that there
            must be something new to learn from, and one at a time, do.

    Raises:
        InputError: the schedule is not understood.
    """
    if champion is None:
        return Planned(None, "There is no champion to renew: palio run makes the first.")
    if last is not None and not last.is_over:
        return Planned(None, f"Renewal {last.request.id} is under way ({last.renewal.status}): one at a time.")
    found = occasion(review, policy, champion=champion, last=last, now=now, n_labels=labels.n_rows)
    reasons = found.reasons
    if why is not None:
        reasons = (f"A person asked for it: {why.strip().rstrip('.') or 'no reason given'}.", *reasons)
    if why is None:
        obstacle = _obstacle(policy, reasons, labels, last, now) or (
            _broken(review, champion, found) if reasons else ""
        )
    else:
        obstacle = _nothing_new(labels)
    if obstacle:
        return Planned(None, obstacle)
    cost = policy.cost_per_hour * policy.budget_s / 3600
    gain = expected_gain(review, policy, version=champion.version)
    weighed = _weighed(gain, cost, policy)
    if why is None and gain is not None and cost > 0 and gain.value < cost:
        return Planned(None, f"{weighed} So it is not worth it: {' '.join(reasons)}")
    has_other_classes = review is not None and any(
        finding.kind == "classes" and finding.version == champion.version for finding in review.findings
    )
    return Planned(
        RetrainRequest(
            id="",
            model=champion.model,
            champion=Deployment(model=champion.model, version=champion.version, bundle=champion.bundle),
            at=now,
            by="policy" if why is None else "person",
            kind="classes" if has_other_classes else "refresh",
            reasons=(*reasons, weighed),
            findings=tuple(finding.id for finding in found.findings),
            labels_until=labels.until,
            answered_before=labels.answered_before,
            n_labels=labels.n_rows,
            expected_gain=gain,
            cost=cost,
            budget_s=policy.budget_s,
            may_lose_earlier=any(finding.kind in CHANGED for finding in found.findings),
            release=policy.release,
        ),
        " ".join(reasons),
    )


def next_due(schedule: str, since: dt.datetime) -> dt.datetime | None:
    """Say when a schedule asks for the next renewal; None: never.

    Raises:
        InputError: the schedule is not understood.

    Example:
        >>> next_due("monthly", dt.datetime(2026, 1, 31, tzinfo=dt.UTC)).isoformat()
        '2026-02-28T00:00:00+00:00'
    """
    if schedule == "never":
        return None
    if schedule == "monthly":
        year, month = since.year + since.month // 12, since.month % 12 + 1
        return since.replace(year=year, month=month, day=min(since.day, calendar.monthrange(year, month)[1]))
    if schedule in _PERIODS:
        return since + dt.timedelta(days=_PERIODS[schedule])
    try:
        return since + read_duration(schedule)
    except InputError:
        raise InputError(
            f"got `{schedule[:20]}`, allowed are daily, weekly, monthly, a duration, or never",
            hint='write schedule = "weekly", or "10d"',
        ) from None


def expected_gain(review: Review | None, policy: RenewalPolicy, *, version: int) -> Metric | None:
    """Say what the quality that the champion has lost would be worth over the horizon, if a new model won it back.

    Lost accuracy (or mean absolute error) × cost of an error × requests; without a cost of errors, what the business
    figures fell short of their reference. From the newest window whose labels have come, else from the estimates.

    Returns:
        In the currency; None if no value is named, or nothing of the kind was measured.
    """
    windows = [w for w in (review.windows if review else ()) if w.version == version and not w.segment]
    if policy.error_cost <= 0:
        return _from_kpis(windows, policy)
    for window in sorted(windows, key=lambda w: (w.is_ripe and bool(w.outcomes), w.until), reverse=True):
        lost = _lost(window)
        if lost is not None:
            scale = policy.error_cost * (policy.requests_per_day or _per_day(window)) * policy.horizon_days
            return _scaled(lost, scale)
    return None


def _lost(window: WindowReview) -> Metric | None:
    """Return how many more errors a request has (or units of error) than on the reference."""
    for found in (window.outcomes if window.is_ripe else (), window.estimates):
        for one in found:
            now, was = one.value, one.reference
            if one.metric == "accuracy":
                return Metric(value=was - now.value, low=was - now.high, high=was - now.low, n_rows=now.n_rows)
            if one.metric == "mae":
                return Metric(value=now.value - was, low=now.low - was, high=now.high - was, n_rows=now.n_rows)
    return None


def _from_kpis(windows: list[WindowReview], policy: RenewalPolicy) -> Metric | None:
    def is_real(window: WindowReview) -> bool:
        return window.is_ripe and any(kpi.realised is not None for kpi in window.kpis)

    for window in sorted(windows, key=lambda w: (is_real(w), w.until), reverse=True):
        total = None
        for kpi in window.kpis:
            now = kpi.realised or kpi.estimated
            if kpi.unit not in ("", policy.currency) or now is None or kpi.reference is None:
                continue
            short = (kpi.reference - now.value, kpi.reference - now.high, kpi.reference - now.low)
            before = (0.0, 0.0, 0.0) if total is None else (total.value, total.low, total.high)
            value, low, high = (a + b for a, b in zip(before, short, strict=True))
            total = Metric(value=value, low=low, high=high, n_rows=now.n_rows)
        if total is not None:
            return _scaled(total, policy.horizon_days)
    return None


def _scaled(metric: Metric, factor: float) -> Metric:
    return Metric(value=metric.value * factor, low=metric.low * factor, high=metric.high * factor, n_rows=metric.n_rows)


def _per_day(window: WindowReview) -> float:
    return window.n_rows / max((window.until - window.since) / dt.timedelta(days=1), 1e-9)


def _weighed(gain: Metric | None, cost: float, policy: RenewalPolicy) -> str:
    """Say what it may bring and what it costs."""
    spent = f"the training costs at most {cost:,.2f} {policy.currency}" if cost else "no cost of training is named"
    if gain is None:
        named = policy.error_cost > 0
        why = "No loss of quality was measured" if named else "No value of quality is named"
        return f"{why}, so gain and cost were not compared."
    span = f"95 % interval {gain.low:,.0f} to {gain.high:,.0f}"
    if gain.value <= 0:
        return f"By the figures that are watched nothing was lost ({span} {policy.currency} to win back); {spent}."
    return (
        f"To win back what was lost is worth about {gain.value:,.0f} {policy.currency} in {policy.horizon_days:g} days "
        f"({span}); {spent}."
    )


def _nothing_new(labels: FreshLabels) -> str:
    if labels.n_rows > 0:
        return ""
    if labels.hindrance:
        return f"Nothing can be learned from what was served: {labels.hindrance}."
    return "No labelled rows have come that no renewal has learned from: there is nothing new to learn."


def _obstacle(
    policy: RenewalPolicy,
    reasons: tuple[str, ...],
    labels: FreshLabels,
    last: RenewalStanding | None,
    now: dt.datetime,
) -> str:
    """Say what stands against a plan by policy; empty if nothing does."""
    if not reasons:
        due = "" if policy.schedule == "never" else f", and by the schedule ({policy.schedule}) none is due yet"
        return f"Nothing asks for a renewal: no finding that would lead to one persists{due}."
    if last is not None and abs(now - last.renewal.since) < policy.cooldown:
        end = last.renewal.since + policy.cooldown
        return f"The cooldown after renewal {last.request.id} holds until {_minute(end)}: {' '.join(reasons)}"
    if labels.hindrance and not labels.n_rows:
        return f"Nothing can be learned from what was served: {labels.hindrance}. {' '.join(reasons)}"
    if labels.n_rows < policy.min_labels:
        return (
            f"Only {labels.n_rows:,} labelled rows have come that no renewal has learned from; "
            f"{policy.min_labels:,} are needed: {' '.join(reasons)}"
        )
    if labels.only:
        return (
            f"All {labels.n_rows:,} new truths say `{labels.only}`: what became of the other rows is not known, and a "
            f"model would learn that there are none. palio retrain learns from them all the same. {' '.join(reasons)}"
        )
    return ""


def _broken(review: Review | None, champion: Promotion, found: Occasion) -> str:
    """Say which input is broken, or was while what asks for a renewal was seen: a model would learn the break."""
    if review is None:
        return ""
    for finding in review.findings:
        if finding.version == champion.version and finding.kind in BROKEN and finding.severity != "note":
            return (
                f"Nothing is learned while an input looks broken: {_reason(finding)} "
                "Mend it, or say with palio retrain that it is right."
            )
    for asking in found.findings:
        for finding in broken_meanwhile(asking, review.earlier):
            if finding.kind in BROKEN:
                return (
                    f"Nothing is learned from a time in which an input was broken ({_minute(finding.since)} to "
                    f"{_minute(finding.until)}): {_reason(finding)} Say with palio retrain that it was right; else "
                    "wait for truths of answers since then."
                )
    return ""


def _day(moment: dt.datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _minute(moment: dt.datetime) -> str:
    return f"{_day(moment)}, {moment:%H:%M}"
