"""Read a day as people write it: in numbers or with the name of the month, a week, a quarter, a month, a year."""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal, NamedTuple

from palio.core.cells.calendar import MONTHS, plain

Way = Literal["ymd", "dmy", "mdy", "named", "compact", "week", "quarter", "month", "year", "clock"]
"""How the day of a moment is written; `clock` is a count of seconds."""

PIVOT = 69
"""Two-digit years from 69 on are 1969 to 1999, below 2000 to 2068. Source: POSIX.1-2017, strptime."""

_YMD = re.compile(r"(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})\.?\Z")
_SHORT = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2 ?(\d{4}|\d{2})\.?\Z")
_NAMED = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|er|\.|º|ª)?[ /-]*(?:de |of )?([^\W\d_]{3,}\.?)[ /,.-]*(?:de )?(\d{4}|'?\d{2})\Z"
)
_NAME_FIRST = re.compile(r"([^\W\d_]{3,}\.?)[ /-]*(\d{1,2})(?:st|nd|rd|th)?,?[ /-]+(\d{4}|'?\d{2})\Z")
_YEAR_NAMED = re.compile(r"(\d{4})\.?[ /-]([^\W\d_]{3,}\.?)[ /-](\d{1,2})\.?\Z")
_WEEK = re.compile(r"(\d{4})[ -]?(?:W|KW|CW|wk)[ -]?(\d{1,2})(?:-?([1-7]))?\Z", re.IGNORECASE)
_WEEK_FIRST = re.compile(r"(?:W|KW|CW|wk)[ -]?(\d{1,2})[ /-](\d{4})\Z", re.IGNORECASE)
_QUARTER = re.compile(r"(?:FY ?)?(\d{4})[ /-]?Q([1-4])\Z", re.IGNORECASE)
_QUARTER_FISCAL = re.compile(r"FY ?'?(\d{2})[ /-]?Q([1-4])\Z", re.IGNORECASE)
_QUARTER_FIRST = re.compile(r"(?:Q([1-4])|([1-4])Q)[ /-]?(?:FY ?)?(\d{4}|'?\d{2})\Z", re.IGNORECASE)
_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})\Z")
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{4})\Z")
_MONTH_NAMED = re.compile(r"([^\W\d_]{3,}\.?)[ /-]*(\d{4}|'\d{2})\Z")


class Day(NamedTuple):
    """A day as it was written."""

    year: int
    month: int
    day: int
    way: Way
    is_short: bool = False
    """Whether the year has two digits."""


def _year(text: str) -> tuple[int, bool]:
    digits = text.lstrip("'")
    if len(digits) == 4:
        return int(digits), False
    return int(digits) + (1900 if int(digits) >= PIVOT else 2000), True


def read_day(text: str, order: str) -> Day | None:
    """Read a day; None if it is none, or if `order` is needed to tell day from month and is not given.

    Example:
        >>> read_day("3. März 2022", "")[:3], read_day("FY22 Q3", "")[:4], read_day("5 stycznia 2022", "")[:3]
        ((2022, 3, 3), (2022, 7, 1, 'quarter'), (2022, 1, 5))
    """
    if found := _YMD.match(text):
        return Day(int(found[1]), int(found[3]), int(found[4]), "ymd")
    if found := _SHORT.match(text):
        return _numbers(found, order)
    if found := _NAMED.match(text):
        return _with_month(found[2], found[1], found[3])
    if found := _NAME_FIRST.match(text):
        return _with_month(found[1], found[2], found[3])
    if found := _YEAR_NAMED.match(text):
        return _with_month(found[2], found[3], found[1])
    if (found := _MONTH_NAMED.match(text)) and (month := MONTHS.get(plain(found[1]))):
        year, is_short = _year(found[2])
        return Day(year, month, 1, "month", is_short)
    return _period(text)


def _numbers(found: re.Match[str], order: str) -> Day | None:
    first, second, last = int(found[1]), int(found[3]), found[4]
    if order == "ymd" and len(last) == 2:
        year, is_short = _year(found[1].rjust(2, "0"))
        return Day(year, second, int(last), "ymd", is_short)
    year, is_short = _year(last)
    if order not in ("dmy", "mdy"):
        # of two numbers, one beyond 12 can only be the day
        order = "dmy" if first > 12 >= second else "mdy" if second > 12 >= first else ""
        if not order or is_short:
            return None
    day, month = (first, second) if order == "dmy" else (second, first)
    return Day(year, month, day, "dmy" if order == "dmy" else "mdy", is_short)


def _with_month(name: str, day: str, year: str) -> Day | None:
    month = MONTHS.get(plain(name))
    if month is None:
        return None
    full, is_short = _year(year)
    return Day(full, month, int(day), "named", is_short)


def _period(text: str) -> Day | None:
    """Read a week, a quarter or a month: its first day."""
    if found := _WEEK.match(text):
        return _week(found[1], found[2], found[3] or "1")
    if found := _WEEK_FIRST.match(text):
        return _week(found[2], found[1], "1")
    if found := _QUARTER.match(text):
        return Day(int(found[1]), 3 * int(found[2]) - 2, 1, "quarter")
    if found := _QUARTER_FISCAL.match(text):
        year, is_short = _year(found[1])
        return Day(year, 3 * int(found[2]) - 2, 1, "quarter", is_short)
    if found := _QUARTER_FIRST.match(text):
        year, is_short = _year(found[3])
        return Day(year, 3 * int(found[1] or found[2]) - 2, 1, "quarter", is_short)
    if found := _MONTH.match(text):
        return Day(int(found[1]), int(found[2]), 1, "month")
    if found := _MONTH_FIRST.match(text):
        return Day(int(found[2]), int(found[1]), 1, "month")
    return None


def _week(year: str, week: str, day: str) -> Day | None:
    try:
        first = dt.date.fromisocalendar(int(year), int(week), int(day))
    except ValueError:
        return None
    return Day(first.year, first.month, first.day, "week")
