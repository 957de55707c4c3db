"""Recognise a number that comes in another unit than it was learned in: °F for °C, metres for kilometres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from palio.core.monitoring import ColumnCounts
from palio.core.records import ColumnShape
from palio.monitor.windows import LEVELS

Array = np.ndarray[Any, np.dtype[Any]]


class Change(NamedTuple):
    """A value is now `factor` × what it was, plus `offset`."""

    factor: float
    offset: float
    example: str
    share: float = 1.0
    """Of the values that look so."""

    @property
    def text(self) -> str:
        """Words for a sentence."""
        times = f"{self.factor:,.6g} times" if self.factor >= 1 else f"1/{1 / self.factor:,.6g} of"
        plus = f" plus {self.offset:g}" if self.offset else ""
        like = f", as {self.example} would be" if self.example else ""
        if self.factor == 1:
            return f"what it was in training{plus}{like}"
        return f"{times} what it was in training{plus}{like}"


_FACTORS = (
    (10.0, "", ""),
    (100.0, "per cent instead of shares, or cents instead of whole ones", "shares instead of per cent"),
    (1e3, "metres instead of kilometres, or grams instead of kilograms", "kilometres instead of metres"),
    (1e6, "", ""),
    (1e9, "", ""),
    (60.0, "minutes instead of hours", "hours instead of minutes"),
    (3_600.0, "seconds instead of hours", "hours instead of seconds"),
    (24.0, "hours instead of days", "days instead of hours"),
    (7.0, "days instead of weeks", "weeks instead of days"),
    (12.0, "months instead of years", "years instead of months"),
    (365.25, "days instead of years", "years instead of days"),
    (86_400.0, "seconds instead of days", "days instead of seconds"),
    (3.6, "km/h instead of m/s", "m/s instead of km/h"),
    (1.609344, "kilometres instead of miles", "miles instead of kilometres"),
    (2.2046226, "pounds instead of kilograms", "kilograms instead of pounds"),
    (2.54, "centimetres instead of inches", "inches instead of centimetres"),
    (25.4, "millimetres instead of inches", "inches instead of millimetres"),
    (3.2808399, "feet instead of metres", "metres instead of feet"),
    (3.7854118, "litres instead of gallons", "gallons instead of litres"),
    (28.349523, "grams instead of ounces", "ounces instead of grams"),
)
KNOWN = (
    *(Change(factor, 0.0, forth) for factor, forth, _ in _FACTORS),
    *(Change(1 / factor, 0.0, back) for factor, _, back in _FACTORS),
    Change(1.8, 32.0, "°F instead of °C"),
    Change(1 / 1.8, -32 / 1.8, "°C instead of °F"),
    Change(1.0, 273.15, "kelvin instead of °C"),
    Change(1.0, -273.15, "°C instead of kelvin"),
)
_FEWEST_EDGES = 8
"""A column with fewer different values fits every unit."""
_FEWEST_ROWS = 100
_APART = 0.15
"""Mean distance of the shares below a value, from which on a column does not look like its reference …"""
_ALIKE = 0.02
"""… and up to which it does; sampling is added to it."""
_PRECISE = 0.01
"""The factor that fits best may be this far from a known one; sampling is added to it."""
_COARSE = 0.1
"""Added for parts, which have few quantiles."""
_UNKNOWN_FROM = 8.0
"""A factor that no unit explains is told from here on; smaller ones may be growth."""
_PART = 0.05
_DOMINANT = 0.3
"""A value that so many rows have stands for something (none, never), and rows that leave it change no unit."""
_BETWEEN, _FEWEST_BETWEEN = 0.25, 3
"""So far from either end, and in so many windows, a column is on its way: it grows."""


def changed_unit(column: ColumnShape, counted: ColumnCounts) -> Change | None:
    """Say which change of unit turns the reference of a column into what was served; None if none does.

    The quantiles of the window are turned back by each known change and compared with the reference. If no change fits
    all values, those outside of the range of the reference are tried on their own: one of several senders may have
    changed.
    """
    values, n_rows = np.asarray(counted.quantiles), sum(counted.counts[:-1])
    if len(column.edges) < _FEWEST_EDGES or column.low is None or column.high is None or n_rows < _FEWEST_ROWS:
        return None
    if column.statistic or column.is_moment or len(values) != len(LEVELS):
        return None
    if max(column.counts[:-1]) > _DOMINANT * sum(column.counts[:-1]):
        return None
    curve = _Curve(column)
    levels = np.asarray(LEVELS)
    if curve.gap(values, levels) >= _APART:
        found = _fit(curve, values, levels, n_rows)
        if found is not None:
            return found
    outside = values[(values < column.low) | (values > column.high)]
    share = len(outside) / len(values)
    if not _PART <= share < 1:
        return None
    part = _fit(curve, outside, (np.arange(len(outside)) + 0.5) / len(outside), int(n_rows * share), vague=_COARSE)
    return None if part is None or len(outside) < 5 else part._replace(share=share)


def has_grown(factor: float, now: ColumnCounts, earlier: Iterable[ColumnCounts]) -> bool:
    """Say whether a column went slowly to where it is: a unit changes at once.

    Args:
        factor: It is now so many times what it was in training.
        now: In the window that is judged.
        earlier: The same column in windows before it.

    Example:
        >>> days = [ColumnCounts(name="x", counts=(), quantiles=(1.1**day, 2 * 1.1**day)) for day in range(11)]
        >>> has_grown(1.1**10, days[-1], days[:-1]), has_grown(1.1**10, days[-1], [days[0]] * 5)
        (True, False)
    """
    if factor <= 0 or factor == 1:
        return False
    after, n_between = np.asarray(now.quantiles), 0
    for one in earlier:
        since = _slope(np.asarray(one.quantiles), after) if len(one.quantiles) == len(after) else 0.0
        way = 1 - np.log(since) / np.log(factor) if since > 0 else 0.0
        n_between += _BETWEEN <= way <= 1 - _BETWEEN
    return bool(n_between >= _FEWEST_BETWEEN)


class _Curve:
    """Shares of the reference below a value, as far as its bins tell."""

    def __init__(self, column: ColumnShape) -> None:
        counts = np.asarray(column.counts[:-1], float)
        self.edges = np.asarray(column.edges)
        self.low, self.high = float(column.low or 0.0), float(column.high or 0.0)
        self.variation = (column.standard_deviation or 0.0) / max(abs(column.mean or 0.0), 1e-300)
        self.slack = 0.02 * (column.standard_deviation or 0.0)
        self.below = np.concatenate([[0.0], np.cumsum(counts) / max(counts.sum(), 1.0)])

    def gap(self, values: Array, levels: Array) -> float:
        """Return the mean distance of levels from the reference's shares below the values."""
        low = self.below[np.searchsorted(self.edges, values - self.slack, side="right")]
        high = self.below[np.searchsorted(self.edges, values + self.slack, side="right") + 1]
        low = np.where(values > self.high + self.slack, 1.0, low)
        high = np.where(values < self.low - self.slack, 0.0, high)
        return float(np.maximum(0.0, np.maximum(low - levels, levels - high)).mean())

    def quantiles(self, levels: Array) -> Array:
        values: Array = np.interp(levels, self.below, [self.low, *self.edges, self.high])
        return values


def _fit(curve: _Curve, values: Array, levels: Array, n_rows: int, *, vague: float = 0.0) -> Change | None:
    limit = _ALIKE + 0.5 / np.sqrt(n_rows)
    before = curve.quantiles(levels)
    gaps = [curve.gap((values - one.offset) / one.factor, levels) for one in KNOWN]
    best = KNOWN[int(np.argmin(gaps))]
    vague += _PRECISE + 1.5 * min(curve.variation, 2.0) / np.sqrt(n_rows)
    if min(gaps) <= limit and abs(_slope(before, values - best.offset) / best.factor - 1) <= vague:
        return best
    slope = _slope(before, values)
    is_strange = slope >= _UNKNOWN_FROM or 0 < slope <= 1 / _UNKNOWN_FROM
    if is_strange and curve.gap(values / slope, levels) <= limit:
        return Change(float(f"{slope:.2g}"), 0.0, "")
    return None


def _slope(before: Array, after: Array) -> float:
    """Return the median ratio of quantiles; 0 if there is none."""
    large = np.abs(before) > 1e-3 * np.abs(before).max(initial=0.0)
    return float(np.median(after[large] / before[large])) if large.any() else 0.0
