"""Read the time in one place, so that a test can hold it still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Return the present moment, in UTC, with microseconds."""
    return dt.datetime.now(dt.UTC)
