"""Time lines as inline SVG: one drawing a figure, all on the same axis of time, readable on a telephone and on paper.

A drawing follows the width of the page: what is a line or a dot is stretched with strokes that keep their size, what is
a text is placed in percent and keeps its own. Hundreds of windows cost some bytes each: dots and whiskers are one path.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

from palio.core.monitoring import Review, WindowReview
from palio.core.records import Metric, Promotion
from palio.report import watched
from palio.report.charts import Scale, label, scale_of, short, svg, ticks
from palio.report.rounding import clean, percent

ACROSS = 1000.0
HEIGHTS = {"tall": 190.0, "low": 104.0}
TOP, BOTTOM = 18.0, 22.0
MOST_NOTES = 62
"""Windows up to which each gets a note under the pointer."""
MOST_MARKS = 12
Tone = Literal["now", "before", "next"]


class Span(NamedTuple):
    """The stretch of time that all drawings share."""

    since: dt.datetime
    until: dt.datetime

    def at(self, moment: dt.datetime) -> float:
        """Place a moment, from 0 to 1."""
        length = (self.until - self.since).total_seconds()
        return min(1.0, max(0.0, (moment - self.since).total_seconds() / length)) if length > 0 else 0.5


class Mark(NamedTuple):
    """A moment at which the version changed."""

    at: dt.datetime
    text: str
    title: str


def span_of(windows: Sequence[WindowReview]) -> Span:
    """Return the stretch from the first window to the last."""
    return Span(min(w.since for w in windows), max(w.until for w in windows))


def marks_of(review: Review, promotions: Iterable[Promotion]) -> list[Mark]:
    """Return when versions changed: from the ledger where it is given, else when a version first answered."""
    windows = watched.all_rows(review)
    if not windows:
        return []
    span = span_of(windows)
    found = [
        Mark(p.at, f"v{p.version}", f"version {p.version} {'went live' if p.kind != 'rollback' else 'was put back'}")
        for p in promotions
        if span.since <= p.at <= span.until
    ]
    told = {mark.text for mark in found}
    first: dict[int, dt.datetime] = {}
    for window in windows:
        first.setdefault(window.version, window.since)
    for version, since in first.items():
        if since > span.since and f"v{version}" not in told:
            found.append(Mark(since, f"v{version}", f"version {version} began to answer"))
    return sorted(found)[-MOST_MARKS:]


def tone_of(window: WindowReview, review: Review) -> Tone:
    """Say whether a window is of the version that answers, of one before, or of one that is being tried."""
    return "now" if window.version == review.version else "before" if window.version < review.version else "next"


def runs(windows: Sequence[WindowReview], known: Callable[[WindowReview], bool]) -> list[list[WindowReview]]:
    """Divide windows into unbroken runs of one version in which something is known."""
    found: list[list[WindowReview]] = []
    for version in sorted({w.version for w in windows}):
        last: WindowReview | None = None
        for window in (w for w in windows if w.version == version):
            if known(window):
                gap = last is None or window.since - last.until > 0.5 * (window.until - window.since)
                if gap:
                    found.append([])
                found[-1].append(window)
                last = window
            else:
                last = None
    return found


class Timeline:
    """One figure through time; collects marks, then renders them."""

    def __init__(self, span: Span, y: Scale, *, height: str = "low", as_percent: bool = False) -> None:
        self.span, self.y, self.size = span, y, height
        self.height = HEIGHTS[height]
        self.as_percent = as_percent
        self.stretched: list[str] = []
        self.notes: list[str] = []

    def x(self, moment: dt.datetime) -> float:
        """Place a moment across, in stretched units."""
        return round(self.span.at(moment) * ACROSS, 1)

    def middle(self, window: WindowReview) -> float:
        """Place a window by its middle."""
        return self.x(window.since + (window.until - window.since) / 2)

    def up(self, value: float) -> float:
        """Place a value, in pixels from the top."""
        return round(TOP + (1 - self.y.at(value)) * (self.height - TOP - BOTTOM), 1)

    def path(self, d: str, css: str) -> None:
        """Add a path in stretched units."""
        if d:
            self.stretched.append(f'<path d="{d}" class="{css}"/>')

    def band(self, run: Sequence[WindowReview], metric_of: Callable[[WindowReview], Metric], css: str) -> None:
        """Add the interval as a band and the value as a line; a single window becomes a short bar."""
        upper, lower, line = [], [], []
        for window in run:
            metric = metric_of(window)
            ends = [self.x(window.since), self.x(window.until)] if len(run) == 1 else [self.middle(window)]
            for x in ends:
                line.append(f"{x:g} {self.up(metric.value):g}")
                upper.append(f"{x:g} {self.up(metric.high):g}")
                lower.append(f"{x:g} {self.up(metric.low):g}")
        if all(math.isfinite(metric_of(w).low) and math.isfinite(metric_of(w).high) for w in run):
            self.path(f"M{'L'.join([*upper, *reversed(lower)])}Z", f"area {css}")
        self.path(f"M{'L'.join(line)}", f"curve {css}")

    def points(
        self, windows: Sequence[WindowReview], metric_of: Callable[[WindowReview], Metric], css: str, *, fine: bool
    ) -> None:
        """Add a dot per window with its interval; `fine` ones where many stand close together."""
        dots, whiskers = [], []
        for window in windows:
            metric, x = metric_of(window), self.middle(window)
            dots.append(f"M{x:g} {self.up(metric.value):g}h0")
            if math.isfinite(metric.low) and math.isfinite(metric.high):
                whiskers.append(f"M{x:g} {self.up(metric.high):g}V{self.up(metric.low):g}")
        many = " many" if fine else ""
        self.path("".join(whiskers), f"arm {css}{many}")
        self.path("".join(dots), f"spot {css}{many}")

    def steps(self, windows: Sequence[WindowReview], value_of: Callable[[WindowReview], float | None]) -> None:
        """Add what was expected, as a dashed line that may change with the version."""
        parts, last, end = [], math.nan, math.nan
        for window in windows:
            value = value_of(window)
            if value is None or not math.isfinite(value):
                continue
            y, x0, x1 = self.up(value), self.x(window.since), self.x(window.until)
            joins = y == last and x0 - end < 1
            parts.append(f"H{x1:g}" if joins else f"M{x0:g} {y:g}H{x1:g}")
            last, end = y, x1
        self.path("".join(parts), "expected")

    def bars(
        self, windows: Sequence[WindowReview], value_of: Callable[[WindowReview], float], css: str, *, base: float = 0.0
    ) -> None:
        """Add a bar per window, from `base` up."""
        parts, floor = [], self.up(base)
        for window in windows:
            value, x0, x1 = value_of(window), self.x(window.since), self.x(window.until)
            if not math.isfinite(value) or value <= base:
                continue
            air = (x1 - x0) * 0.12
            top = min(self.up(value), floor - 1)
            parts.append(f"M{x0 + air:.1f} {floor:g}V{top:g}H{x1 - air:.1f}V{floor:g}Z")
        self.path("".join(parts), f"column {css}")

    def line(self, run: Sequence[WindowReview], value_of: Callable[[WindowReview], float], css: str) -> None:
        """Add a line through windows."""
        points = [f"{self.middle(w):g} {self.up(value_of(w)):g}" for w in run]
        if len(run) == 1:
            height = self.up(value_of(run[0]))
            points = [f"{self.x(at):g} {height:g}" for at in (run[0].since, run[0].until)]
        self.path(f"M{'L'.join(points)}", f"curve {css}")

    def note(self, window: WindowReview, text: str) -> None:
        """Add a text that appears under the pointer."""
        x0, x1 = self.span.at(window.since) * 100, self.span.at(window.until) * 100
        self.notes.append(
            f'<rect x="{x0:.2f}%" y="0" width="{max(x1 - x0, 0.1):.2f}%" height="{self.height:g}" class="touch">'
            f"<title>{escape(clean(text, limit=200))}</title></rect>"
        )

    def _frame(self) -> list[str]:
        parts = []
        for tick in ticks(self.y, 4 if self.size == "tall" else 2):
            y = self.up(tick)
            parts.append(f'<line x1="0" x2="100%" y1="{y}" y2="{y}" class="grid"/>')
            parts.append(label(percent(tick) if self.as_percent else short(tick), -8, y + 4, css="tick", anchor="end"))
        for moment, text in moments(self.span):
            at = self.span.at(moment) * 100
            anchor = "start" if at < 3 else "end" if at > 97 else "middle"
            parts.append(label(text, f"{at:.2f}%", self.height - 5, css="tick", anchor=anchor))
        return parts

    def render(self, marks: Sequence[Mark], *, title: str, description: str) -> Markup:
        """Draw everything."""
        parts = self._frame()
        written = -1.0
        lines = []
        for mark in marks:
            at = self.span.at(mark.at)
            lines.append(
                f'<line x1="{at * 100:.2f}%" x2="{at * 100:.2f}%" y1="4" y2="{self.height - BOTTOM:g}" class="change">'
                f"<title>{escape(mark.title)}</title></line>"
            )
            if at - written > 0.07:
                anchor, side = ("end", -4) if at > 0.9 else ("start", 4)
                lines.append(
                    f'<text x="{at * 100:.2f}%" dx="{side}" y="11" class="version" text-anchor="{anchor}">'
                    f"{escape(mark.text)}</text>"
                )
                written = at
        inner = (
            f'<svg viewBox="0 0 {ACROSS:g} {self.height:g}" width="100%" height="{self.height:g}" '
            f'preserveAspectRatio="none">{"".join(self.stretched)}</svg>'
        )
        body = "".join([*parts, *lines, inner, *self.notes])
        return svg(body, title=title, description=description, css=f"timeline {self.size}")


_STEPS = tuple(dt.timedelta(hours=h) for h in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 8736))


def moments(span: Span, most: int = 5) -> list[tuple[dt.datetime, str]]:
    """Choose round moments of a span and how to write them.

    Example:
        >>> day = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        >>> [text for _, text in moments(Span(day, day + dt.timedelta(days=8)))]
        ['1 Mar', '3 Mar', '5 Mar', '7 Mar', '9 Mar']
    """
    length = span.until - span.since
    step = next((s for s in _STEPS if length / s < most), _STEPS[-1] * max(1, math.ceil(length / (_STEPS[-1] * most))))
    midnight = span.since.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + math.ceil((span.since - midnight) / step) * step
    found = []
    while at <= span.until:
        is_day = (at.hour, at.minute) == (0, 0)
        text = f"{at.day} {at.strftime('%b')}" if is_day else at.strftime("%H:%M")
        if step >= dt.timedelta(days=300):
            text = at.strftime("%b %Y")
        found.append((at, text))
        at += step
    return found


def held(metrics: Sequence[Metric], *, include: Iterable[float] = ()) -> Scale:
    """Span all values; of the intervals as much as a typical one needs, so that one wide one flattens nothing."""
    known = [v for v in [*(m.value for m in metrics), *include] if math.isfinite(v)]
    if not known:
        return Scale(0.0, 1.0)
    low, high = min(known), max(known)
    widths = sorted(m.high - m.low for m in metrics if math.isfinite(m.high - m.low))
    room = max(high - low, widths[len(widths) // 2] if widths else 0.0) or abs(high) * 0.05 or 1.0
    ends = [min(high + room, max(low - room, e)) for m in metrics for e in (m.low, m.high) if math.isfinite(e)]
    return scale_of([*known, *ends], pad=0.06)
