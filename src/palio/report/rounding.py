"""Numbers for people: rounded by how sure they are, with thousands separators, never more digits than known."""

from __future__ import annotations

import math
import unicodedata

from palio import measure
from palio.core.records import Metric
from palio.core.words import UNKNOWN

_MINUS = "−"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that print nothing, or turn the direction of the text around them."""
_JOINERS = "\u200c\u200d"
"""Invisible, but part of how Persian, Indic scripts and emoji are written."""


def clean(text: object, *, limit: int = 80) -> str:
    r"""Make foreign text safe to show: one line, nothing invisible, at most `limit` characters.

    Example:
        >>> clean("tab\tand\x1b[31m colour")
        'tab and[31m colour'
    """
    one_line = " ".join(str(text).split())
    shown = "".join(c for c in one_line if unicodedata.category(c) not in _HIDDEN or c in _JOINERS).strip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def count(n: int) -> str:
    """Write a count.

    Example:
        >>> count(45211)
        '45,211'
    """
    return f"{n:,}".replace("-", _MINUS)


def number(value: float | None, *, digits: int = 3) -> str:
    """Write a number as `measure` does, with the minus of print.

    Example:
        >>> number(0.83051), number(47507.4), number(-0.00012), number(0.0), number(float("nan"))
        ('0.831', '47,507', '−0.00012', '0', 'not known')
    """
    return measure.number(value, digits=digits).replace("-", _MINUS)


def margin(metric: Metric) -> float:
    """Return the larger arm of the interval, so that ± never promises too much; NaN if the interval is not known."""
    arms = (metric.high - metric.value, metric.value - metric.low)
    return max(0.0, *arms) if all(math.isfinite(a) for a in arms) else math.nan


def decimals(arm: float, *, most: int = 12) -> int:
    """Say how many decimals a number deserves that is known to `arm`: one digit of the arm, two if it starts with 1.

    Example:
        >>> decimals(0.037), decimals(0.0142), decimals(310.0)
        (2, 3, -2)
    """
    return measure.decimals(arm, most=most)


def fixed(value: float, places: int) -> str:
    """Write a number rounded to so many decimals (negative: to tens, hundreds …).

    Example:
        >>> fixed(47507.4, -2), fixed(0.8, 3)
        ('47,500', '0.800')
    """
    if not math.isfinite(value):
        return UNKNOWN
    rounded = round(value, places)
    return f"{rounded + 0.0:,.{max(0, places)}f}".replace("-", _MINUS)


def pair(metric: Metric, *, scale: float = 1.0, most: int = 12, least: int = -12) -> tuple[str, str]:
    """Write a value and its margin, both rounded by the margin; the margin is "" when it is not known.

    Example:
        >>> pair(Metric(value=0.6132, low=0.5744, high=0.6508, n_rows=812), scale=100, most=1, least=0)
        ('61', '4')
    """
    if not math.isfinite(metric.value):
        return UNKNOWN, ""
    arm = margin(metric) * scale
    if not math.isfinite(arm) or arm == 0:
        return number(metric.value * scale), ""
    places = max(least, decimals(arm, most=most))
    shown = fixed(metric.value * scale, places)
    return shown, fixed(arm, places)


def with_margin(metric: Metric, *, scale: float = 1.0) -> str:
    """Write `value ± margin`.

    Example:
        >>> with_margin(Metric(value=0.80123, low=0.7921, high=0.8102, n_rows=9042))
        '0.801 ± 0.009'
    """
    value, arm = pair(metric, scale=scale)
    return f"{value} ± {arm}" if arm else value


def interval(metric: Metric, *, scale: float = 1.0) -> str:
    """Write the 95 % interval.

    Example:
        >>> interval(Metric(value=0.80123, low=0.7921, high=0.8102, n_rows=9042))
        '0.792 to 0.810'
    """
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return UNKNOWN
    places = decimals(margin(metric) * scale)
    return f"{fixed(metric.low * scale, places)} to {fixed(metric.high * scale, places)}"


def of_hundred(metric: Metric) -> str:
    """Write a share as a natural frequency.

    Example:
        >>> of_hundred(Metric(value=0.6132, low=0.5744, high=0.6508, n_rows=812))
        '61 ± 4'
    """
    value, arm = hundredths(metric)
    return f"{value} ± {arm}" if arm else value


def hundredths(metric: Metric) -> tuple[str, str]:
    """Write a share and its margin in hundredths: whole ones, or tenths if it is known that well.

    Example:
        >>> hundredths(Metric(value=0.8106, low=0.7965, high=0.8241, n_rows=9042))
        ('81', '1')
    """
    fine = margin(metric) < 0.0095
    return pair(metric, scale=100, most=1 if fine else 0, least=0)


def frequency(share: float) -> str:
    """Write a bare share as so many of a round number.

    Example:
        >>> frequency(0.117), frequency(0.0023), frequency(0.9991), frequency(1.0)
        ('12 of 100', '2 of 1,000', '999 of 1,000', '100 of 100')
    """
    if not math.isfinite(share):
        return UNKNOWN
    rarer = min(share, 1 - share)
    base = next((b for b in (100, 1000, 10000) if rarer <= 0 or rarer * b >= 0.75), 100000)
    return f"{count(round(share * base))} of {count(base)}"


def percent(share: float | None) -> str:
    """Write a share in percent.

    Example:
        >>> percent(0.276), percent(0.004)
        ('28 %', '0.4 %')
    """
    if share is None or not math.isfinite(share):
        return UNKNOWN
    return f"{fixed(share * 100, 1 if 0 < abs(share) < 0.01 else 0)} %"


def seconds(value: float) -> str:
    """Write a duration.

    Example:
        >>> seconds(0.042), seconds(4.21), seconds(150), seconds(7320)
        ('42 ms', '4.2 s', '2 min 30 s', '2 h 2 min')
    """
    if not math.isfinite(value):
        return UNKNOWN
    if value < 1:
        return f"{number(value * 1000, digits=2)} ms"
    if value < 60:
        return f"{number(value, digits=2)} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def per_round_number(counts: tuple[tuple[int, ...], ...], *, base: int = 0) -> tuple[tuple[tuple[int, ...], ...], int]:
    """Scale a table of counts to whole numbers that add up to `base`; 0: 100, or more where cells would vanish.

    Largest remainders get the units that rounding down left over, so the sum is exact.

    Example:
        >>> per_round_number(((700, 100), (50, 150)))
        (((70, 10), (5, 15)), 100)
    """
    total = sum(map(sum, counts))
    if total == 0:
        return counts, base or 100
    smallest = min((c for row in counts for c in row if c), default=total)
    base = base or next((b for b in (100, 1000, 10000) if smallest * b >= total * 0.75), 10000)
    flat = [c * base / total for row in counts for c in row]
    floors = [math.floor(f) for f in flat]
    order = sorted(range(len(flat)), key=lambda i: (floors[i] - flat[i], i))
    for i in order[: base - sum(floors)]:
        floors[i] += 1
    width = len(counts[0])
    return tuple(tuple(floors[i : i + width]) for i in range(0, len(flat), width)), base
