"""Read a time of day as people write it: AM and PM, fractions of a second, zones by name or by hours."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

from palio.core.cells.calendar import ZONES

_TIME = re.compile(
    r"(?P<h>\d{1,2})[:h](?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9})\d*)?)?(?: uhr| ?h)? ?(?P<ap>[ap]\.?m\.?)?"
    r" ?(?P<zone>z|[a-z]{3,4}|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2})?|[a-z_]+/[a-z_/]+)?"
    r"(?: ?\[[\w/]+\]| ?\([\w ]+\))?\Z",
    re.IGNORECASE,
)
_HOUR = re.compile(r"(?P<h>\d{1,2}) ?(?P<ap>[ap]\.?m\.?)\Z", re.IGNORECASE)


def read_clock(text: str) -> tuple[dt.timedelta, float | str | None] | None:
    """Read a time of day and its zone, in hours ahead of UTC (None: it says none); None if it is no time of day.

    A zone by its place, as `Europe/Berlin`, stays a name: how far ahead it is depends on the day.

    Example:
        >>> read_clock("10:00 PM"), read_clock("24:00:00Z"), read_clock("10:00+05:30")
        ((datetime.timedelta(seconds=79200), None), (datetime.timedelta(days=1), 0.0),
         (datetime.timedelta(seconds=36000), 5.5))
    """
    found = _TIME.match(text)
    if found is None:
        found = _HOUR.match(text)
        if found is None:
            return None
    parts = found.groupdict()
    hour, minute, second = int(parts["h"]), int(parts.get("m") or 0), int(parts.get("s") or 0)
    if half := parts["ap"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    zone = _zone(parts["zone"]) if parts.get("zone") else None
    if parts.get("zone") and zone is None:
        return None
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and (minute or second)):
        return None
    micros = int((parts.get("f") or "0")[:6].ljust(6, "0"))
    return dt.timedelta(hours=hour, minutes=minute, seconds=min(second, 59), microseconds=micros), zone


def ahead(zone: float | str | None, moment: dt.datetime) -> float | None:
    """Return how many hours a zone is ahead of UTC at a moment of its own clocks; None: nobody knows the place.

    Example:
        >>> ahead(None, dt.datetime(2022, 7, 1)), ahead(5.5, dt.datetime(2022, 7, 1))
        (0.0, 5.5)
    """
    if not isinstance(zone, str):
        return zone or 0.0
    try:
        offset = zoneinfo.ZoneInfo(zone).utcoffset(moment.replace(tzinfo=None))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return None if offset is None else offset.total_seconds() / 3600


def _zone(text: str) -> float | str | None:
    if "/" in text:
        return text
    name = text.upper()
    if name in ZONES:
        return ZONES[name]
    name = name.removeprefix("UTC").removeprefix("GMT")
    if name[:1] not in ("+", "-"):
        return None
    digits = name[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    if hours > 15 or minutes > 59:
        return None
    return (hours + minutes / 60) * (-1 if name[0] == "-" else 1)
