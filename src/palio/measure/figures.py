"""Write figures for people."""

from __future__ import annotations

import math

from palio.core.records import Metric
from palio.core.words import UNKNOWN

SMALL = 0.01
LARGE = 1000.0
NOTHING = 1e-9
FINEST = 4
"""Decimals beyond which no figure is told, twice as many where it is small."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: float | None, *, sign: bool = False) -> str:
    """Write what was measured, to be compared: four decimals; of a large one fewer, of a small one what counts.

    Example:
        >>> figure(0.7223), figure(48578.91), figure(0.0042137), figure(-1e-14), figure(0.25, sign=True), figure(None)
        ('0.7223', '48,578.9', '0.00421', '0.0000', '+0.2500', 'not known')
    """
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size < NOTHING:  # what rounding leaves of a difference of equals
        value = 0.0
    how = ".3g" if NOTHING <= size < SMALL else ",.1f" if LARGE <= size < 1e15 else ".4f"
    return format(value, ("+" if sign else "") + how)


def decimals(arm: float, *, most: int = 12) -> int:
    """Say how many decimals a number deserves that is known to `arm`: one digit of the arm, two if it starts with 1.

    Example:
        >>> decimals(0.037), decimals(0.0142), decimals(310.0)
        (2, 3, -2)
    """
    if not math.isfinite(arm) or arm <= 0:
        return 3
    size = math.floor(math.log10(arm))
    leading = arm / 10.0**size
    return min(most, -size + (1 if leading < 1.95 else 0))


def with_error(value: float, error: float | None) -> str:
    """Write a figure with its standard error, with no more digits than that allows; alone if it is not known.

    Example:
        >>> with_error(0.08041, 0.0214), with_error(47507.3, 310.0), with_error(0.00213, 0.00031), with_error(0.5, None)
        ('0.08 ± 0.02', '47,500 ± 300', '0.0021 ± 0.0003', '0.5000')
    """
    if error is None or not math.isfinite(error):
        return figure(value)
    if error < NOTHING:
        return f"{figure(value)} ± {figure(0.0)}"
    places = decimals(error, most=FINEST if abs(value) >= SMALL else 2 * FINEST)
    return " ± ".join(f"{round(one, places) + 0.0:,.{max(0, places)}f}" for one in (value, error))


def with_interval(metric: Metric) -> str:
    """Write a figure with its interval.

    Example:
        >>> with_interval(Metric(value=0.8, low=0.75, high=0.85, n_rows=100))
        '0.8000 (95 % interval 0.7500 to 0.8500)'
    """
    return f"{figure(metric.value)} (95 % interval {figure(metric.low)} to {figure(metric.high)})"


def amount(value: float) -> str:
    """Write what something is worth with three digits that count: more are never known.

    Example:
        >>> amount(1428537.3), amount(-763949.1), amount(12.345), amount(0.0)
        ('1,430,000', '-764,000', '12.3', '0')
    """
    rounded = float(f"{value:.3g}")
    return format(rounded, ",.0f" if LARGE <= abs(rounded) < 1e15 else ".3g")


def number(value: float | None, *, digits: int = 3) -> str:
    """Write any number with so many significant digits; integers up to a million keep theirs.

    Example:
        >>> number(0.83051), number(47507.4), number(-0.00012), number(0.0), number(2e-9), number(float("nan"))
        ('0.831', '47,507', '-0.00012', '0', '2.00 × 10⁻⁹', 'not known')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 12 or size < -6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
