"""Say numbers so that people can read them."""

from __future__ import annotations

from palio.core.records import Metric


def number(value: float) -> str:
    """Show four digits that count, and no exponent for large numbers.

    Example:
        >>> number(48578.9), number(0.93468), number(3.0)
        ('48,579', '0.9347', '3')
    """
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def with_interval(metric: Metric) -> str:
    """Show a number and its interval.

    Example:
        >>> with_interval(Metric(value=0.5, low=0.25, high=0.75, n_rows=9))
        '0.5 (0.25 to 0.75)'
    """
    return f"{number(metric.value)} ({number(metric.low)} to {number(metric.high)})"
