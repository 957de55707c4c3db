"""Read `mon-fri` and `08:00-18:00`, and tell whether a moment is within. All times are UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass

from palio.core.errors import InputError, did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Hours:
    """Recurring times. A window that passes midnight belongs to the day on which it begins."""

    days: frozenset[int]
    begin: int
    """Minute of the day."""
    end: int

    def hold(self, now: float) -> bool:
        """Tell whether `now`, in seconds since 1970, is within.

        Example:
            >>> night = read_hours("fri", "22:00-06:00")
            >>> saturday_at_two = 1_700_272_800  # 2023-11-18T02:00Z
            >>> night.hold(saturday_at_two), night.hold(saturday_at_two + 5 * 3600)
            (True, False)
        """
        day, second = divmod(int(now), 86_400)
        minute = second // 60
        if self.begin < self.end:
            if not self.begin <= minute < self.end:
                return False
        elif minute < self.end:
            day -= 1
        elif minute < self.begin:
            return False
        return (day + 3) % 7 in self.days  # 1 January 1970 was a Thursday


def read_hours(days: str, hours: str, *, where: str = "rule") -> Hours | None:
    """Read the days and hours of a rule; None if it always holds.

    Raises:
        InputError: not of the form `mon-fri`, `sat,sun` or `08:00-18:00`.
    """
    if days == "*" and hours == "*":
        return None
    begin, end = (0, _MINUTES_A_DAY) if hours == "*" else _read_window(hours, where)
    return Hours(_read_days(days, where), begin, end)


def _read_days(text: str, where: str) -> frozenset[int]:
    if text == "*":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        low = _day(first, text, where)
        high = _day(last, text, where) if dash else low
        found |= {day % 7 for day in range(low, (high if high >= low else high + 7) + 1)}
    return frozenset(found)


def _day(name: str, text: str, where: str) -> int:
    if name not in DAYS:
        nearest = did_you_mean(name, DAYS) if name else "write mon-fri, or sat,sun"
        raise InputError(f"{where}: `days`: got `{text[:40]}`, `{name[:20]}` is no day", hint=nearest)
    return DAYS.index(name)


def _read_window(text: str, where: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text.replace(" ", ""))
    if match is not None:
        h1, m1, h2, m2 = (int(part) for part in match.groups())
        begin, end = h1 * 60 + m1, h2 * 60 + m2
        if m1 < 60 and m2 < 60 and begin < _MINUTES_A_DAY and end <= _MINUTES_A_DAY and begin != end:
            return begin, end
    raise InputError(
        f"{where}: `hours`: got `{text[:40]}`, allowed is a window of the day, in UTC",
        hint="write it as 08:00-18:00; 22:00-06:00 passes midnight",
    )
