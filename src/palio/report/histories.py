"""What changed through the windows: quality, value, columns, volume, latency; each as a drawing on one axis of time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from palio.core.monitoring import Review, WindowReview
from palio.core.records import Metric
from palio.core.words import counted
from palio.report import watched, words
from palio.report.charts import Scale
from palio.report.rounding import clean, count, frequency, number, with_margin
from palio.report.timelines import MOST_NOTES, Mark, Timeline, held, runs, span_of, tone_of

MOST_KPIS = 4
_NONE = Metric(value=math.nan, low=math.nan, high=math.nan, n_rows=0)


class History(NamedTuple):
    """A drawing with its caption, what its marks mean, and what it shows in a sentence."""

    title: str
    note: str
    drawing: Markup
    legend: tuple[tuple[str, str], ...]
    """Class of the mark, and its meaning."""


class _Figures(NamedTuple):
    """How to read a figure from a window; a figure that is not known is NaN."""

    real: Callable[[WindowReview], Metric]
    probable: Callable[[WindowReview], Metric]
    expected: Callable[[WindowReview], float | None]


def quality(review: Review, marks: Sequence[Mark], metric: str) -> History | None:
    """Draw a metric: estimated as a band, real as dots with intervals, expected as a dashed line."""

    def real(w: WindowReview) -> Metric:
        found = watched.outcome(w, metric)
        return found.value if found else _NONE

    def probable(w: WindowReview) -> Metric:
        found = watched.estimate(w, metric)
        return found.value if found else _NONE

    def expected(w: WindowReview) -> float | None:
        found = watched.outcome(w, metric) or watched.estimate(w, metric)
        return found.reference if found else None

    term = words.term(metric)
    way = "Higher is better." if term.higher_is_better else "Lower is better."
    meaning = f"{term.meaning[0].upper()}{term.meaning[1:]}. " if term.meaning else ""
    return _pair(review, marks, (term.title, f"{meaning}{way}"), _Figures(real, probable, expected), "tall")


def values(review: Review, marks: Sequence[Mark], names: Sequence[str], currency: str) -> list[History | None]:
    """Draw the first business figures; the legend stands below the first."""
    height = "tall" if len(names) == 1 else "low"
    found = [value(review, marks, name, currency, height=height) for name in names[:MOST_KPIS]]
    return [one._replace(legend=()) if one is not None and i else one for i, one in enumerate(found)]


def value(review: Review, marks: Sequence[Mark], name: str, currency: str, *, height: str) -> History | None:
    """Draw a business figure per day: estimated as a band, realised as dots."""

    def real(w: WindowReview) -> Metric:
        found = watched.kpi(w, name)
        return (found.realised if found else None) or _NONE

    def probable(w: WindowReview) -> Metric:
        found = watched.kpi(w, name)
        return (found.estimated if found else None) or _NONE

    def expected(w: WindowReview) -> float | None:
        found = watched.kpi(w, name)
        return found.reference if found else None

    unit = next((k.unit for w in watched.all_rows(review) for k in w.kpis if k.name == name and k.unit), currency)
    caption = (f"{clean(name, limit=60)}, {clean(unit, limit=20)} a day", "")
    return _pair(review, marks, caption, _Figures(real, probable, expected), height)


def _pair(
    review: Review, marks: Sequence[Mark], caption: tuple[str, str], figures: _Figures, height: str
) -> History | None:
    real, probable, expected = figures
    windows = watched.all_rows(review)
    with_truth = [w for w in windows if watched.is_known(real(w))]
    guessed = runs(windows, lambda w: watched.is_known(probable(w)))
    shown = [real(w) for w in with_truth] + [probable(w) for run in guessed for w in run]
    if not shown:
        return None
    lines = [v for w in windows if (v := expected(w)) is not None]
    drawing = Timeline(span_of(windows), held(shown, include=lines), height=height)
    drawing.steps(windows, expected)
    for run in guessed:
        drawing.band(run, probable, tone_of(run[0], review))
    fine = len(windows) > MOST_NOTES
    for tone in ("before", "next", "now"):
        of_tone = [w for w in with_truth if tone_of(w, review) == tone]
        drawing.points([w for w in of_tone if w.is_ripe], real, tone, fine=fine)
        drawing.points([w for w in of_tone if not w.is_ripe], real, f"{tone} early", fine=fine)
    if len(windows) <= MOST_NOTES:
        for w in windows:
            drawing.note(w, _note(w, review, real(w), probable(w)))
    legend = []
    if any(w.is_ripe for w in with_truth):
        legend.append(("spot", "real, with its 95 % interval"))
    if any(not w.is_ripe for w in with_truth):
        legend.append(("spot early", "real so far: truths are still coming"))
    if guessed:
        legend.append(("area", "estimated without truths"))
    if lines:
        legend.append(("expected", "expected: what the model did on rows it had not seen"))
    if any(tone_of(w, review) == "next" for w in windows):
        legend.append(("next", "a challenger on trial"))
    told = [f"{watched.moment(w.since, review)}: {with_margin(real(w))}" for w in with_truth[-3:]]
    said = f"{len(with_truth)} windows with truths" + (f", the newest {'; '.join(told)}" if told else "")
    return History(*caption, drawing.render(marks, title=caption[0], description=said), tuple(legend))


def _note(w: WindowReview, review: Review, real: Metric, probable: Metric) -> str:
    parts = [f"{watched.moment(w.since, review)}, version {w.version}"]
    if watched.is_known(real):
        parts.append(f"real {with_margin(real)}{'' if w.is_ripe else ' so far'}")
    if watched.is_known(probable):
        parts.append(f"estimated {with_margin(probable)}")
    return "; ".join([*parts, counted(w.n_rows, "row")])


def moved(review: Review, marks: Sequence[Mark]) -> History | None:
    """Draw how many columns moved."""
    windows = [w for w in watched.all_rows(review) if w.drift]
    if not windows:
        return None
    most = max(watched.n_columns(w) for w in windows)
    top = max(3.0, min(float(most), 1.25 * max(watched.n_moved(w) for w in windows)))
    drawing = Timeline(span_of(watched.all_rows(review)), Scale(0.0, top))
    shown = {w.since: w for w in sorted(windows, key=lambda w: w.version == review.version)}  # one version at a time
    for tone in ("before", "next", "now"):
        drawing.bars([w for w in shown.values() if tone_of(w, review) == tone], watched.n_moved, tone)
    if len(windows) <= MOST_NOTES:
        for w in windows:
            said = f"{watched.n_moved(w)} of {counted(watched.n_columns(w), 'column')} moved"
            drawing.note(w, f"{watched.moment(w.since, review)}, version {w.version}; {said}")
    newest = windows[-1]
    title = f"Columns that moved, of {most}"
    said = f"In the newest window {watched.n_moved(newest)} of {watched.n_columns(newest)} moved."
    return History(title, "", drawing.render(marks, title=title, description=said), ())


def farthest(review: Review, marks: Sequence[Mark]) -> History | None:
    """Draw how far the column went that moved most."""
    windows = watched.all_rows(review)
    known = [w for w in windows if math.isfinite(watched.worst_psi(w))]
    if not known:
        return None
    top = max(0.15, 1.1 * max(watched.worst_psi(w) for w in known))
    drawing = Timeline(span_of(windows), Scale(0.0, top))
    for run in runs(windows, lambda w: math.isfinite(watched.worst_psi(w))):
        drawing.line(run, watched.worst_psi, tone_of(run[0], review))
    if len(known) <= MOST_NOTES:
        for w in known:
            worst = max(w.drift, key=lambda d: d.psi if math.isfinite(d.psi) else -1.0)
            told = f"{clean(worst.column, limit=40)} {watched.psi(worst.psi)}"
            drawing.note(w, f"{watched.moment(w.since, review)}, version {w.version}; farthest: {told}")
    title = "How far the worst of them went (PSI)"
    note = "0.1 is usually called a movement, 0.25 a large one; what chance does is taken off."
    said = f"Now {watched.psi(watched.worst_psi(known[-1]))}."
    return History(title, note, drawing.render(marks, title=title, description=said), ())


def volume(review: Review, marks: Sequence[Mark]) -> History | None:
    """Draw requests per window, and those that failed."""
    windows = watched.all_rows(review)
    heights = _stacked(windows, review)
    if not any(heights.values()):
        return None
    drawing = Timeline(span_of(windows), Scale(0.0, max(heights.values()) * 1.08))
    for tone in _STACK[::-1]:
        of_tone = [w for w in windows if tone_of(w, review) == tone]
        drawing.bars(of_tone, lambda w: heights[w.since, w.version], tone)
    drawing.bars([w for w in windows if w.n_failed], lambda w: float(w.n_failed), "failed")
    if len(windows) <= MOST_NOTES:
        for w in windows:
            asked = f"{counted(w.n_requests, 'request')}, {counted(w.n_rows, 'row')}"
            drawing.note(
                w, f"{watched.moment(w.since, review)}, version {w.version}; {asked}, {count(w.n_failed)} failed"
            )
    n_requests, n_failed = sum(w.n_requests for w in windows), sum(w.n_failed for w in windows)
    failed = f"{count(n_failed)} of them failed ({frequency(n_failed / n_requests)})" if n_failed else "none failed"
    said = f"{count(n_requests)} requests in all, {failed}."
    legend = (("bar", "requests"), ("failed", "failed")) if n_failed else ()
    title = "Requests in each window"
    return History(title, said, drawing.render(marks, title=title, description=said), legend)


_STACK = ("now", "before", "next")


def _stacked(windows: Sequence[WindowReview], review: Review) -> dict[tuple[dt.datetime, int], float]:
    """Say up to where the bar of each window goes when those of one time stand on each other."""
    sums: dict[dt.datetime, float] = {}
    found = {}
    for w in sorted(windows, key=lambda w: (_STACK.index(tone_of(w, review)), w.version)):
        sums[w.since] = sums.get(w.since, 0.0) + w.n_requests
        found[w.since, w.version] = sums[w.since]
    return found


def latency(review: Review, marks: Sequence[Mark]) -> History | None:
    """Draw how long answers took."""
    windows = watched.all_rows(review)

    def p99(w: WindowReview) -> float:
        return w.latency_ms_p99 if w.latency_ms_p99 is not None else math.nan

    def p50(w: WindowReview) -> float:
        return w.latency_ms_p50 if w.latency_ms_p50 is not None else math.nan

    known = [w for w in windows if math.isfinite(p99(w))]
    if not known:
        return None
    drawing = Timeline(span_of(windows), Scale(0.0, 1.1 * max(p99(w) for w in known) or 1.0))
    for run in runs(windows, lambda w: math.isfinite(p99(w))):
        drawing.line(run, p99, tone_of(run[0], review))
    for run in runs(windows, lambda w: math.isfinite(p50(w))):
        drawing.line(run, p50, f"{tone_of(run[0], review)} thin")
    if len(windows) <= MOST_NOTES:
        for w in known:
            took = f"median {number(p50(w), digits=2)} ms, 99 of 100 within {number(p99(w), digits=2)} ms"
            drawing.note(w, f"{watched.moment(w.since, review)}, version {w.version}; {took}")
    title = "Milliseconds to an answer"
    said = f"Now 99 of 100 answers come within {number(p99(known[-1]), digits=2)} ms."
    legend = (("curve", "99 of 100 answers are faster"), ("curve thin", "half are faster"))
    return History(title, said, drawing.render(marks, title=title, description=said), legend)
