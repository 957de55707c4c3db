"""Charts as inline SVG: no script, no font, no image; colours come from the page's style sheet, also in the dark.

Two kinds. *Rows* (`interval_row`, `bar_row`, `axis_row`) place their marks in percent of their width, so that they
follow any screen while strokes and text keep their size. *Plots* (`calibration`, `curve`, `scatter`) have a fixed
drawing area of 340 units, about the width of a telephone, so that text is never scaled to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

from palio.core.records import CalibrationBin, ColumnShape, Metric
from palio.measure import fold
from palio.report.rounding import clean, number, percent

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 340.0, 290.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 12.0, 44.0
MOST_TICKS = 6
"""Of a logarithmic axis that has finer ones than powers of ten."""
N_BARS = 64
"""Of the histogram of a number, at most."""


class Scale(NamedTuple):
    """A range of values laid out from 0 to 1."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Place a value, held inside the range; the middle if it is not a number."""
        if not math.isfinite(value) or self.high <= self.low:
            return 0.5
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def logarithmic_at(self, value: float) -> float:
        """Place a value by its logarithm; both ends of the range are more than 0."""
        return Scale(math.log10(self.low), math.log10(self.high)).at(math.log10(value) if value > 0 else -math.inf)


def scale_of(values: Iterable[float], *, include: Iterable[float] = (), pad: float = 0.08) -> Scale:
    """Span all finite values, with some air at both ends."""
    known = [v for v in [*values, *include] if math.isfinite(v)]
    if not known:
        return Scale(0.0, 1.0)
    low, high = min(known), max(known)
    air = (high - low) * pad or abs(high) * 0.1 or 1.0
    return Scale(low - air, high + air)


def ticks(scale: Scale, n: int = 4) -> list[float]:
    """Choose round numbers inside a scale.

    Example:
        >>> ticks(Scale(0.03, 0.97), 4)
        [0.25, 0.5, 0.75]
    """
    span = scale.high - scale.low
    if not math.isfinite(span) or span <= 0:
        return []
    raw = span / max(1, n)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def logarithmic_ticks(scale: Scale) -> list[float]:
    """Choose round numbers inside a scale whose ends are more than 0: 1, 2 and 5 of each power of ten, or every tenth.

    Example:
        >>> logarithmic_ticks(Scale(0.03, 0.6)), logarithmic_ticks(Scale(0.03, 60.0))
        ([0.05, 0.1, 0.2, 0.5], [0.1, 1.0, 10.0])
    """
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    fine = [float(f"{step}e{power}") for power in powers for step in (1, 2, 5)]
    inside = [value for value in fine if scale.low <= value <= scale.high]
    return inside if len(inside) <= MOST_TICKS else [value for value in inside if f"{value:e}".startswith("1.0")]


def svg(body: str, *, title: str, description: str, view: tuple[float, float] | None = None, css: str = "") -> Markup:
    """Wrap marks into an accessible drawing; `view` fixes its coordinates, without it they are percentages."""
    box = f' viewBox="0 0 {view[0]:g} {view[1]:g}"' if view else ' width="100%"'
    words = f"<title>{escape(clean(title, limit=120))}</title><desc>{escape(clean(description, limit=300))}</desc>"
    return Markup(  # noqa: S704 - every text in `body` is escaped where it is made
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="{css}"{box}>{words}{body}</svg>'
    )


def label(text: object, x: str | float, y: str | float, *, css: str = "", anchor: str = "start") -> str:
    """Set a text."""
    return f'<text x="{x}" y="{y}" class="{css}" text-anchor="{anchor}">{escape(clean(text, limit=60))}</text>'


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def interval_row(
    metric: Metric, scale: Scale, *, title: str, tone: str = "accent", zero: float | None = None
) -> Markup:
    """Draw a value as a dot and its 95 % interval as a line; `zero` marks a place of reference."""
    return _whisker_row(metric, scale, title=title, tone=tone, zero=zero, span="95 % interval")


def spread_row(metric: Metric, scale: Scale, *, title: str, tone: str = "accent") -> Markup:
    """Draw a value as a dot and one standard error to either side as a line."""
    return _whisker_row(metric, scale, title=title, tone=tone, zero=None, span="one standard error:")


def _whisker_row(metric: Metric, scale: Scale, *, title: str, tone: str, zero: float | None, span: str) -> Markup:
    marks = [_rule("0%", "100%", "rail")]
    if zero is not None:
        x = _percent(scale.at(zero))
        marks.append(f'<line x1="{x}" x2="{x}" y1="0" y2="100%" class="zero"/>')
    if math.isfinite(metric.low) and math.isfinite(metric.high):
        marks.append(_rule(_percent(scale.at(metric.low)), _percent(scale.at(metric.high)), f"whisker {tone}"))
    if math.isfinite(metric.value):
        marks.append(f'<circle cx="{_percent(scale.at(metric.value))}" cy="50%" r="5.5" class="dot {tone}"/>')
    said = f"{number(metric.value)}, {span} {number(metric.low)} to {number(metric.high)}"
    return svg("".join(marks), title=title, description=said, css="row")


def _rule(x1: str, x2: str, css: str) -> str:
    return f'<line x1="{x1}" x2="{x2}" y1="50%" y2="50%" class="{css}"/>'


def bar_row(metric: Metric, scale: Scale, *, title: str, tone: str = "accent") -> Markup:
    """Draw a value as a bar that starts at zero, with its interval as a thin line."""
    start, end = sorted((scale.at(0.0), scale.at(metric.value)))
    marks = (
        f'<rect x="{_percent(start)}" y="20%" width="{_percent(max(end - start, 0.003))}" height="60%" rx="2" '
        f'class="bar {tone}"/>'
    )
    if math.isfinite(metric.low) and math.isfinite(metric.high):
        marks += _rule(_percent(scale.at(metric.low)), _percent(scale.at(metric.high)), "error")
    said = f"{number(metric.value)}, 95 % interval {number(metric.low)} to {number(metric.high)}"
    return svg(marks, title=title, description=said, css="row")


def axis_row(scale: Scale, *, title: str, as_percent: bool = False) -> Markup:
    """Draw the numbers under a stack of rows."""
    parts = []
    for tick in ticks(scale, 4):
        at = scale.at(tick)
        anchor = "start" if at < 0.06 else "end" if at > 0.94 else "middle"
        parts.append(label(percent(tick) if as_percent else number(tick), _percent(at), 13, css="tick", anchor=anchor))
    return svg("".join(parts), title=title, description="Axis of the rows above.", css="axis")


def hundred(metric: Metric, *, title: str) -> Markup:
    """Draw a share as a hundred dots: full up to the interval's low end, pale up to its high end, the rest empty."""
    sure = math.floor(metric.low * 100 + 0.5) if math.isfinite(metric.low) else 0
    maybe = math.ceil(metric.high * 100 - 0.5) if math.isfinite(metric.high) else 0
    if not math.isfinite(metric.low) and math.isfinite(metric.value):
        sure = maybe = round(metric.value * 100)
    dots = []
    for i in range(100):
        row, column = divmod(i, 20)
        css = "full" if i < sure else "pale" if i < maybe else "empty"
        dots.append(f'<circle cx="{column * 10 + 5}" cy="{row * 10 + 5}" r="3.9" class="{css}"/>')
    said = f"A hundred dots: {sure} are full, {max(0, maybe - sure)} are pale because of chance, the rest are empty."
    return svg("".join(dots), title=title, description=said, view=(200, 50), css="hundred")


def histogram(column: ColumnShape) -> Markup | None:
    """Draw how a column's values are spread, as small as a line of text; `None` if its shape does not say."""
    bars = _density_bars(column)
    said = f"From {number(column.low)} to {number(column.high)}, mean {number(column.mean)}."
    if column.top and not bars:
        counts = [n for _, n in column.top[:12]] + ([column.n_other] if column.n_other else [])
        heights = [n / max(1, *counts) for n in counts]
        bars = [(i / len(counts), (i + 0.82) / len(counts), h) for i, h in enumerate(heights)]
        said = "Most frequent values, " + ", ".join(f"{clean(v, limit=20)}: {n}" for v, n in column.top[:5])
    if not bars:
        return None
    marks = "".join(
        f'<rect x="{a * 90:.2f}" y="{22 - 20 * h:.2f}" width="{max((b - a) * 90, 0.6):.2f}" height="{20 * h:.2f}"/>'
        for a, b, h in bars
    )
    return svg(marks, title=f"How {column.name} is spread", description=said, view=(90, 22), css="spark")


def _density_bars(column: ColumnShape) -> list[tuple[float, float, float]]:
    """Turn counts between quantile edges into bars whose area is the count; a spike is cut at four times the median."""
    if column.kind != "number" or column.low is None or column.high is None or not column.high > column.low:
        return []
    folded = fold(column, n_bins=N_BARS + 1)
    places, counts = folded.places.tolist(), folded.of(column.counts)[:-1].tolist()
    inner = [edge for edge, (one, other) in zip(column.edges, pairwise(places), strict=False) if one != other]
    edges = [min(column.low, *inner), *inner, max(column.high, *inner)] if inner else [column.low, column.high]
    low, span = edges[0], edges[-1] - edges[0]
    least = span / 60
    densities = [n / max(b - a, least) for (a, b), n in zip(pairwise(edges), counts, strict=True)]
    positive = sorted(d for d in densities if d > 0)
    if not positive:
        return []
    top = min(positive[-1], 4 * positive[len(positive) // 2])
    return [
        ((a - low) / span, (b - low) / span, min(1.0, d / top))
        for (a, b), d in zip(pairwise(edges), densities, strict=True)
    ]


# ── plots ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Plot:
    """A drawing area with two axes; collects marks, then renders them."""

    def __init__(
        self,
        x: Scale,
        y: Scale,
        *,
        x_title: str,
        y_title: str,
        as_percent: bool = False,
        is_logarithmic: bool = False,
    ) -> None:
        self.x, self.y = x, y
        self.as_percent = as_percent
        self.is_logarithmic = is_logarithmic
        self.marks: list[str] = []
        self._frame(x_title, y_title)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place a point, in drawing units."""
        across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        share = self.x.logarithmic_at(x) if self.is_logarithmic else self.x.at(x)
        return round(LEFT + share * across, 2), round(TOP + (1 - self.y.at(y)) * up, 2)

    def _frame(self, x_title: str, y_title: str) -> None:
        def written(value: float) -> str:
            return percent(value) if self.as_percent else short(value)

        for tick in ticks(self.y):
            x, y = self.at(self.x.low, tick)
            self.marks.append(f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="grid"/>')
            self.marks.append(label(written(tick), x - 6, y + 4, css="tick", anchor="end"))
        for tick in logarithmic_ticks(self.x) if self.is_logarithmic else ticks(self.x):
            x, y = self.at(tick, self.y.low)
            self.marks.append(label(written(tick), x, y + 16, css="tick", anchor="middle"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        self.marks.append(label(x_title, middle, HEIGHT - 8, css="axis-title", anchor="middle"))
        self.y_title = y_title

    def line(self, points: Points, css: str) -> None:
        """Add a line through points; those that are not finite are left out."""
        known = [self.at(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        if len(known) > 1:
            path = " ".join(f"{x:g},{y:g}" for x, y in known)
            self.marks.append(f'<polyline points="{path}" class="{css}"/>')

    def dots(self, points: Points, css: str, radius: float = 3.0) -> None:
        """Add dots."""
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                across, down = self.at(x, y)
                self.marks.append(f'<circle cx="{across:g}" cy="{down:g}" r="{radius:g}" class="{css}"/>')

    def render(self, *, title: str, description: str) -> Markup:
        """Draw everything."""
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turned = (
            f'<text transform="translate(11 {middle:g}) rotate(-90)" class="axis-title" text-anchor="middle">'
            f"{escape(clean(self.y_title, limit=44))}</text>"
        )
        return svg("".join(self.marks) + turned, title=title, description=description, view=(WIDTH, HEIGHT), css="plot")


def short(value: float) -> str:
    """Write a tick in few letters.

    Example:
        >>> short(250000.0), short(0.25), short(1500000.0)
        ('250k', '0.25', '1.5M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{number(value / (1e3 if letter == 'k' else size))}{letter}"
    return number(value)


def calibration(bins: Sequence[CalibrationBin], *, x_title: str, y_title: str) -> Markup | None:
    """Draw what was said against what came: dots on the diagonal are honest. `None` without bins."""
    known = [b for b in bins if b.n_rows > 0 and math.isfinite(b.observed)]
    if not known:
        return None
    top = min(1.0, max(max(b.high, b.predicted) for b in known) * 1.08)
    plot = Plot(Scale(0, top), Scale(0, top), x_title=x_title, y_title=y_title, as_percent=True)
    plot.line([(0, 0), (top, top)], "diagonal")
    for b in known:
        plot.line([(b.predicted, b.low), (b.predicted, b.high)], "whisker accent")
    plot.line([(b.predicted, b.observed) for b in known], "path accent")
    plot.dots([(b.predicted, b.observed) for b in known], "dot accent", 4)
    said = "; ".join(f"said {percent(b.predicted)}, came {percent(b.observed)}" for b in known)
    return plot.render(title="Calibration", description=said)


def curve(points: Points, *, title: str, x_title: str, y_title: str, reference: Points = ()) -> Markup | None:
    """Draw a curve in the unit square (ROC, precision and recall). `None` with fewer than two points."""
    if len(points) < 2:
        return None
    plot = Plot(Scale(0, 1), Scale(0, 1), x_title=x_title, y_title=y_title, as_percent=True)
    plot.line(reference, "diagonal")
    plot.line(points, "path accent")
    return plot.render(title=title, description=f"{y_title} against {x_title}, {len(points)} points.")


def scatter(points: Points, *, title: str, x_title: str, y_title: str, line: str = "diagonal") -> Markup | None:
    """Draw points with the line on which a perfect model's would lie: the `diagonal`, or `zero`. `None` if empty."""
    known = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not known:
        return None
    across, up = scale_of((x for x, _ in known), pad=0.03), scale_of((y for _, y in known), pad=0.05)
    if line == "diagonal":
        across = up = scale_of([v for point in known for v in point], pad=0.03)
    plot = Plot(across, up, x_title=x_title, y_title=y_title)
    plot.dots(known, "point", 2.2)
    ends = [(across.low, across.low), (across.high, across.high)]
    plot.line(ends if line == "diagonal" else [(across.low, 0.0), (across.high, 0.0)], "diagonal")
    return plot.render(title=title, description=f"{y_title} against {x_title}, {len(known)} cases.")
