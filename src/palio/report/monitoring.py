"""The page of a model that is watched: put what a review says into the template."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from palio.core.monitoring import Finding, Review, WindowReview
from palio.core.records import Promotion
from palio.core.words import counted
from palio.report import histories, multiples, remedies, watched, words
from palio.report.page import keep_together, read_asset
from palio.report.rounding import clean, count, number, pair, percent, with_margin
from palio.report.timelines import marks_of

MOST_FINDINGS, MOST_SEGMENTS, MOST_WINDOWS = 60, 40, 62


def monitoring_page(
    review: Review,
    *,
    name: str,
    currency: str = "EUR",
    cases: str = "cases",
    promotions: Iterable[Promotion] = (),
) -> str:
    """Return what `monitor` saw as one HTML page that needs nothing else: no script, no font, no network.

    Args:
        review: What is told.
        name: Of the project.
        currency: Of business figures that name no unit.
        cases: What one row is, in the plural.
        promotions: Lines of the ledger; those in the time of the review are marked.

    The same arguments give the same bytes.
    """
    marks = marks_of(review, promotions)
    metrics, kpis = watched.metrics(review), watched.kpis(review)
    columns, n_more_columns = multiples.table(review)
    drawn = {
        "quality": [histories.quality(review, marks, m) for m in metrics[:1]],
        "value": histories.values(review, marks, kpis, currency),
        "columns": [histories.moved(review, marks), histories.farthest(review, marks)],
        "answers": [histories.volume(review, marks), histories.latency(review, marks)],
    }
    return _template().render(
        style=Markup(read_asset("page.css") + read_asset("monitoring.css")),  # noqa: S704 - our own files
        name=clean(name, limit=80),
        cases=clean(cases, limit=30),
        review=review,
        headline=watched.prose(review.text, limit=260),
        state=watched.STATES[review.verdict],
        watched=_watched(review),
        figures=_figures(review, currency),
        steps=remedies.next_steps(review),
        silences=remedies.silences(review),
        alerts=[_alert(review, one) for one in review.alerts],
        drawn={part: [one for one in found if one is not None] for part, found in drawn.items()},
        marks=[(watched.moment(m.at, review), clean(m.title)) for m in marks],
        metrics=[_metric_line(review, m) for m in metrics],
        kpis=[watched.worth(review, k, currency) for k in kpis],
        multiples=multiples.multiples(review),
        columns=columns,
        n_more_columns=n_more_columns,
        segments=_segments(review, currency),
        findings=[_finding(review, one) for one in review.findings[:MOST_FINDINGS]],
        n_more_findings=max(0, len(review.findings) - MOST_FINDINGS),
        trust=_trust(review),
        detectors=[watched.prose(line, limit=300) for line in review.stream.lines] if review.stream else [],
        windows=[_window_line(review, one) for one in reversed(watched.all_rows(review)[-MOST_WINDOWS:])],
        n_more_windows=max(0, len(watched.all_rows(review)) - MOST_WINDOWS),
        identities=[("Model", clean(review.model)), ("Version", str(review.version)), ("Bundle", clean(review.bundle))],
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=keep_together, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["commands"] = _commands
    return environment.from_string(read_asset("monitoring.html"))


_COMMAND = re.compile(r"\bpalio (?:retrain|monitor|feedback|serve|run)(?: --[a-z-]+(?: \d+[a-z])?| FILE)*")


def _commands(text: str) -> Markup:
    """Set what is to be typed apart, so that it can be copied and is not broken over lines."""
    shown = str(escape(keep_together(text)))
    return Markup(_COMMAND.sub(r"<code>\g<0></code>", shown))  # noqa: S704 - escaped above


# ── on top ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _watched(review: Review) -> str:
    windows = watched.all_rows(review)
    if not windows:
        return "nothing was answered"
    since, until = windows[0].since, windows[-1].until
    n_windows = len({w.since for w in windows})
    rows = counted(sum(w.n_rows for w in windows), "row")
    long = _length(dt.timedelta(seconds=review.window_s))
    ends = list(dict.fromkeys([watched.moment(since, review), watched.moment(until, review)]))
    span = " to ".join(ends)
    return f"{span}: {rows} in {counted(n_windows, 'window')} of {long}"


def _length(window: dt.timedelta) -> str:
    days, hours = window / dt.timedelta(days=1), window / dt.timedelta(hours=1)
    if days >= 1:
        return "a day" if days == 1 else f"{number(days)} days"
    minutes = window / dt.timedelta(minutes=1)
    if hours >= 1:
        return "an hour" if hours == 1 else f"{number(hours)} hours"
    return "a minute" if minutes == 1 else f"{number(minutes)} minutes" if minutes > 1 else f"{number(minutes * 60)} s"


def _figures(review: Review, currency: str) -> list[dict[str, Any]]:
    found = [_quality_card(review), *[_value_card(review, k, currency) for k in watched.kpis(review)[:1]]]
    found += [_columns_card(review), _answers_card(review)]
    return [one for one in found if one is not None]


def _quality_card(review: Review) -> dict[str, Any] | None:
    q = watched.quality(review, review.primary)
    known = q.real or q.estimate
    if known is None:
        return None
    figure, arm = pair(known.value)
    expected = f"; expected {number(q.expected)}" if q.expected is not None else ""
    how, at = ("real", q.real_at) if q.real else ("estimated", q.estimate_at)
    note = ""
    if q.real and q.estimate:
        note = f"Estimated for {q.estimate_at}: {with_margin(q.estimate.value)}."
    return {
        "value": known.value.value,
        "figure": figure,
        "of": f"± {arm}" if arm else "",
        "sentence": f"{q.title}, {how} on {at}{expected}.",
        "note": note,
        "bad": _is_hurt(review, ("quality", "estimated_quality")),
    }


def _value_card(review: Review, name: str, currency: str) -> dict[str, Any] | None:
    w = watched.worth(review, name, currency)
    known = w.newest.realised if w.realised else w.newest.estimated
    if known is None or not watched.is_known(known):
        return None
    figure, arm = pair(known)
    unit = clean(w.newest.unit or currency, limit=20)
    how = f"realised on {w.realised_at}" if w.realised else "estimated"
    n_more = len(watched.kpis(review)) - 1
    return {
        "value": known.value,
        "figure": figure,
        "of": f"{f'± {arm} ' if arm else ''}{unit} a day",
        "sentence": f"{words.quoted(name)}, {how}{f'; expected {w.expected}' if w.expected else ''}.",
        "note": f"{counted(n_more, 'more business figure')} below." if n_more else "",
        "bad": _is_hurt(review, ("value",)),
    }


def _columns_card(review: Review) -> dict[str, Any] | None:
    window = watched.newest_judged(review)
    if window is None or not watched.n_columns(window):
        return None
    worst = watched.columns(review)[0]
    n_moved = watched.n_moved(window)
    return {
        "value": n_moved,
        "figure": count(n_moved),
        "of": f"of {counted(watched.n_columns(window), 'column')}",
        "sentence": "moved away from training." if n_moved != 1 else "has moved away from training.",
        "note": f"Farthest: {worst.name}, PSI {watched.psi(worst.drift.psi)}." if worst.drift.drifted else "",
        "bad": n_moved > 0,
    }


def _answers_card(review: Review) -> dict[str, Any] | None:
    a = watched.answers(review)
    if a is None:
        return None
    asked = f"{counted(a.n_requests, 'request')}, {count(a.n_failed) if a.n_failed else 'none'} failed"
    return {
        "value": a.n_rows,
        "figure": count(a.n_rows),
        "of": "rows",
        "sentence": f"answered in the newest window: {asked}.",
        "note": f"99 of 100 answers within {number(a.p99, digits=2)} ms." if a.p99 is not None else "",
        "bad": _is_hurt(review, ("failures", "latency", "capacity")),
    }


def _is_hurt(review: Review, kinds: Sequence[str]) -> bool:
    return any(f.kind in kinds and f.severity != "note" and not f.segment for f in review.findings)


# ── lists and tables ────────────────────────────────────────────────────────────────────────────────────────────────


def _finding(review: Review, finding: Finding) -> dict[str, Any]:
    return {
        "severity": watched.SEVERITIES[finding.severity],
        "is_page": finding.severity == "page",
        "is_note": finding.severity == "note",
        "kind": watched.KINDS[finding.kind],
        "subject": watched.subject(finding),
        "effect": watched.effect(finding),
        "value": finding.effect,
        "since": watched.since_when(finding, review),
        "begun": watched.moment(finding.since, review),
        "lasting": counted(finding.n_windows, "window"),
        "reason": watched.prose(finding.reason),
        "consequence": watched.prose(finding.consequence),
        "id": clean(finding.id, limit=16),
    }


def _alert(review: Review, alert: Any) -> dict[str, Any]:
    many = f"{count(alert.n_shown)} of the newest {counted(alert.n_looked, 'window')}"
    shown = f"Seen in {'the newest window' if alert.n_looked == 1 else many}"
    told = f"open since {watched.moment(alert.at, review)}" if alert.at < review.at else "nobody has been told yet"
    return _finding(review, alert.finding) | {"at": f"{shown}; {told}."}


def _metric_line(review: Review, metric: str) -> dict[str, Any]:
    q = watched.quality(review, metric)
    return {
        "name": metric,
        "title": q.title,
        "primary": metric == review.primary,
        "real": with_margin(q.real.value) if q.real else "–",
        "real_value": q.real.value.value if q.real else None,
        "real_at": q.real_at,
        "estimate": with_margin(q.estimate.value) if q.estimate else "–",
        "expected": number(q.expected) if q.expected is not None else "–",
        "error": number(q.error, digits=2) if q.error is not None and math.isfinite(q.error) else "–",
    }


def _segments(review: Review, currency: str) -> dict[str, Any] | None:
    found = watched.in_segments(review)
    if not found:
        return None
    metrics = watched.metrics(review)
    shown = review.primary if review.primary in metrics else (metrics[0] if metrics else review.primary)
    names = watched.kpis(review)[:1]
    return {
        "metric": words.term(shown).title,
        "kpi": clean(names[0], limit=40) if names else "",
        "rows": [_segment_line(one, shown, names, currency) for one in found[:MOST_SEGMENTS]],
        "n_more": max(0, len(found) - MOST_SEGMENTS),
    }


def _segment_line(window: WindowReview, metric: str, kpis: Sequence[str], currency: str) -> dict[str, Any]:
    real, probable = watched.outcome(window, metric), watched.estimate(window, metric)
    business = watched.kpi(window, kpis[0]) if kpis else None
    known = (business.realised or business.estimated) if business else None
    worst = max(window.drift, key=lambda d: (d.drifted, d.psi if math.isfinite(d.psi) else -1.0), default=None)
    moved = f"{watched.n_moved(window)} of {watched.n_columns(window)}" if window.drift else "too few rows"
    return {
        "name": clean(window.segment, limit=60),
        "n_rows": count(window.n_rows),
        "real": with_margin(real.value) if real else "–",
        "estimate": with_margin(probable.value) if probable else "–",
        "value": watched.money(known, business.unit or currency)
        if known and business and watched.is_known(known)
        else "–",
        "moved": moved,
        "worst": clean(worst.column, limit=40) if worst is not None and worst.drifted else "",
        "has_findings": bool(window.findings),
    }


def _window_line(review: Review, window: WindowReview) -> dict[str, Any]:
    real, probable = watched.outcome(window, review.primary), watched.estimate(window, review.primary)
    return {
        "at": watched.moment(window.since, review),
        "version": window.version,
        "n_rows": count(window.n_rows),
        "failed": count(window.n_failed),
        "p99": number(window.latency_ms_p99, digits=2) if window.latency_ms_p99 is not None else "–",
        "real": with_margin(real.value) if real else "–",
        "estimate": with_margin(probable.value) if probable else "–",
        "moved": f"{watched.n_moved(window)} of {watched.n_columns(window)}" if window.drift else "–",
        "coverage": percent(window.coverage) + ("" if window.is_ripe or not window.n_labels else ", coming"),
    }


def _trust(review: Review) -> list[str]:
    found = [watched.false_alarms(review)]
    q = watched.quality(review, review.primary)
    if q.error is not None and math.isfinite(q.error):
        found.append(
            f"Where truths came, the estimate of “{q.title}” was off by {number(q.error, digits=2)} on average."
        )
    if review.min_rows:
        found.append(f"Windows with fewer than {counted(review.min_rows, 'row')} are not judged.")
    found.append(
        "A column counts as moved only if chance is ruled out over all columns together and it moved by more than its"
        " limit: how far parts of the training data are from each other."
    )
    return found
