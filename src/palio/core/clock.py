"""Read the time in one place, so that a test can hold it still."""

from __future__ import annotations

import datetime as dt
import os
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path

from palio.core.errors import ConfigError

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Return the present moment, in UTC, with microseconds."""
    return dt.datetime.now(dt.UTC)


def zone_of(name: str) -> dt.tzinfo:
    """Find a zone by its name, `UTC` or `Europe/Berlin`.

    Raises:
        ConfigError: there is none, or this machine has no list of zones.
    """
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"palio.toml [log]: `zone`: got `{name[:60]}`, which is no zone that this machine knows",
            hint='write it as in the list of the IANA, zone = "Europe/Berlin"; install tzdata if there is none',
        ) from None


def process_started() -> float:
    """Return when this process began, on `time.monotonic`: a budget counts from there. Now, where that is not known."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic()
    return time.monotonic() - max(0.0, age)
