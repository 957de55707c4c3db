"""Hold a measured time against a limit, so that the answer does not change from one measurement to the next."""

from __future__ import annotations

TIMING_MARGIN = 0.1
"""Share by which a time must be over a limit to count as over: equal work differs by as much on a quiet machine."""


def is_clearly_over(time_ms: float, limit_ms: float) -> bool:
    """Tell whether a time is over a limit by more than the machine's own unrest.

    Example:
        >>> is_clearly_over(21.0, 20.0), is_clearly_over(23.0, 20.0)
        (False, True)
    """
    return time_ms > limit_ms * (1.0 + TIMING_MARGIN)
