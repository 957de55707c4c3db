"""Draw what quality costs: each candidate by the time that one row takes, its score, and the size of its graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from palio.report.charts import BOTTOM, HEIGHT, LEFT, WIDTH, Plot, Scale, label, scale_of
from palio.report.rounding import number

SMALLEST, LARGEST = 3.5, 11.0
"""Radii of a graph that weighs nothing and of the heaviest; areas follow the megabytes."""
LINE = 13.0
"""Height of a name."""
LETTER = 6.2
"""Width of a letter, on average: enough to see where a name fits."""
AIR = 0.06
"""Share of the range of times that is left free at both ends."""


class Dot(NamedTuple):
    """A candidate in the chart."""

    name: str
    latency_ms: float
    quality: float
    size_mb: float
    is_unbeaten: bool
    is_chosen: bool


def chart(dots: Sequence[Dot], *, quality: str) -> Markup | None:
    """Draw candidates; those that nothing beats are coloured and named. `None` if there are not two to compare.

    Args:
        dots: The candidates.
        quality: What the scores are, for the axis.
    """
    known = [dot for dot in dots if math.isfinite(dot.quality) and 0 < dot.latency_ms < math.inf]
    if len(known) < 2:
        return None
    times = [math.log10(dot.latency_ms) for dot in known]
    air = AIR * max(max(times) - min(times), 0.5)
    across = Scale(10 ** (min(times) - air), 10 ** (max(times) + air))
    plot = Plot(
        across,
        scale_of((dot.quality for dot in known), pad=0.1),
        x_title="One row, ms",
        y_title=quality,
        is_logarithmic=True,
    )
    heaviest = max(dot.size_mb for dot in known) or 1.0
    for dot in sorted(known, key=lambda dot: -dot.size_mb):  # small ones on top
        css = "dot accent" if dot.is_chosen else "dot pale-accent" if dot.is_unbeaten else "dot faint"
        plot.dots([(dot.latency_ms, dot.quality)], css, _radius(dot, heaviest))
    named = [dot for dot in known if dot.is_unbeaten or dot.is_chosen]
    plot.marks += _labels(plot, known, heaviest)
    said = "; ".join(
        f"{dot.name}: {number(dot.quality)}, {number(dot.latency_ms, digits=2)} ms, {number(dot.size_mb, digits=2)} MB"
        for dot in named
    )
    return plot.render(title="What quality costs", description=f"Not beaten: {said}")


def _radius(dot: Dot, heaviest: float) -> float:
    return math.sqrt(SMALLEST**2 + (LARGEST**2 - SMALLEST**2) * max(0.0, dot.size_mb) / heaviest)


class _Box(NamedTuple):
    """A rectangle of the drawing."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        """Tell whether two share a place."""
        is_beside = self.right <= other.left or other.right <= self.left
        return not (is_beside or self.bottom <= other.top or other.bottom <= self.top)


FRAME = _Box(LEFT, WIDTH, 0.0, HEIGHT - BOTTOM)


def _labels(plot: Plot, dots: Sequence[Dot], heaviest: float) -> list[str]:
    """Set each name to the right of its dot, to the left, above or below, wherever it meets no dot and no other name.

    What nothing beats is named first, and in any case; of the others those that there is a free place for.
    """
    taken = [_around(plot, dot, heaviest) for dot in dots]
    made: list[str] = []
    for dot in sorted(dots, key=lambda dot: (not dot.is_chosen, not dot.is_unbeaten, -dot.quality)):
        places = _places(plot, dot, heaviest)
        free = [place for place in places if place.left >= FRAME.left and place.right <= FRAME.right]
        free = [place for place in free if place.top >= FRAME.top and place.bottom <= FRAME.bottom]
        free = [place for place in free if not any(place.meets(other) for other in taken)]
        if not free and not dot.is_unbeaten and not dot.is_chosen:
            continue
        box = free[0] if free else places[0]
        taken.append(box)
        css = "dot-name chosen" if dot.is_chosen else "dot-name" if dot.is_unbeaten else "dot-name beaten"
        middle = (box.left + box.right) / 2
        made.append(label(dot.name, round(middle, 2), round(box.bottom - 3, 2), css=css, anchor="middle"))
    return made


def _around(plot: Plot, dot: Dot, heaviest: float) -> _Box:
    (x, y), radius = plot.at(dot.latency_ms, dot.quality), _radius(dot, heaviest)
    return _Box(x - radius, x + radius, y - radius, y + radius)


def _places(plot: Plot, dot: Dot, heaviest: float) -> list[_Box]:
    """Return where the name of a dot may stand, the best place first."""
    x, y = plot.at(dot.latency_ms, dot.quality)
    away, half = _radius(dot, heaviest) + 4, LETTER * len(dot.name) / 2
    beside = [(x + away + half, y), (x - away - half, y)]
    stacked = [(x, y - away - 4), (x, y + away + 4)]
    slanted = [(x + way * (half + 4), y + down * (away + 4)) for down in (-1, 1) for way in (1, -1)]
    return [_Box(at - half, at + half, down - LINE / 2, down + LINE / 2) for at, down in beside + stacked + slanted]
