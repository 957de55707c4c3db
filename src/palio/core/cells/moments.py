"""Read moments as people write them: day or month first, two-digit years, AM and PM, zones, weeks, quarters, counts.

A moment is held as seconds since 1970 in UTC; without a zone it is taken as UTC. Years from 1000 to 9999.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from typing import Any, NamedTuple

from palio.core.cells.calendar import WEEKDAYS, plain
from palio.core.cells.cell import FORM, Parsed, Parser, Plain
from palio.core.cells.clock import ahead, read_clock
from palio.core.cells.days import PIVOT, Way, read_day
from palio.core.records import Column

EPOCH, EXCEL, QUARTER, WEEK = "epoch", "excel", "%Y-Q%q", "%G-W%V"
"""Words for `Column.format` beside those of strptime: a count since 1970 (s, ms, µs or ns, by size), days as a
spreadsheet counts them, and quarters; ISO weeks are written as strptime writes them."""
_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXCEL_START = dt.datetime(1899, 12, 30, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST = (dt.datetime(1000, 1, 1, tzinfo=dt.UTC) - _START).total_seconds()
_LAST = (dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC) - _START).total_seconds()
_LONGEST = 1e11
"""A count from here on is of milliseconds or less: as seconds, it would be beyond the year 5138."""
_COUNTED = {"%Y": 4, "%Y%m": 6, "%Y%m%d": 8, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}
"""Forms that may arrive as whole numbers, and their digits."""
_SHORTEST = 1e8
"""Whole numbers below it are read in such a form, where the column has one; written among dates they are no seconds."""
_LAST_DAY = 3_000_000.0
"""Days of a spreadsheet end with the year 9999."""

_DIGITS = re.compile(r"[+-]?\d+(?:\.\d*)?\Z")
_CUT = re.compile(
    r"(?P<day>.*?\d)(?:T|t|,? +(?:at |um |à |kl\.? )?|:(?=\d{2}:\d{2}:))"
    r"(?P<time>\d{1,2}(?:[:h]\d{2}.*| ?[ap]\.?m\.?))\Z",
    re.I,
)
_YEAR_LAST = re.compile(
    r"(?P<day>[^\W\d_]{3,}\.? +\d{1,2}) +(?P<time>\d{1,2}:\d{2}\S*)(?P<zone>(?: +\S+)?) +(?P<year>\d{4})\Z"
)
"""`Jan 05 10:15:00 CET 2022`, as C's ctime and the shell write it."""
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[Tt](\d{2}):?(\d{2})(?::?(\d{2}))?(?=\D|\Z)")
_SIGNS = re.compile(r"(\d{4})[年년] ?(\d{1,2})[月월](?: ?(\d{1,2})[日일])?")
_YEAR_WORD = re.compile(r"(?<=\d{4}) ?(?:г|р|г\.|р\.)\Z")
"""Russian and Ukrainian for "year", in short, behind it."""
_MILLISECONDS = re.compile(r"/Date\((-?\d{9,14})(?:[+-]\d{4})?\)/\Z")


class Moment(NamedTuple):
    """A moment, and how it was written."""

    seconds: float
    way: Way
    is_short: bool = False
    has_time: bool = False
    has_zone: bool = False


def read_moment(text: str, order: str = "") -> Moment | None:
    """Read a moment; None if it is none, or if `order` is needed to tell day from month and is not given.

    Args:
        text: The cell, without blanks around it.
        order: `dmy`, `mdy` or `ymd`: what numbers of a date mean where they do not tell themselves.

    Example:
        >>> for text in ("2023-01-05", "05/01/23", "5 Jan 2023 10:00 PM", "2023-W05", "2023-02-30"):
        ...     found = read_moment(text, "dmy")
        ...     print(found and (dt.datetime.fromtimestamp(found.seconds, dt.UTC).isoformat()[:16], found.way))
        ('2023-01-05T00:00', 'ymd')
        ('2023-01-05T00:00', 'dmy')
        ('2023-01-05T22:00', 'named')
        ('2023-01-30T00:00', 'week')
        None
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.split())
    if len(text) > 80 or not any(c.isdigit() for c in text):
        return None
    if found := _MILLISECONDS.match(text):
        return Moment(int(found[1]) / 1000, "clock", has_time=True, has_zone=True)
    text = _usual_order(text)
    clock, day_text = dt.timedelta(), text
    cut = _CUT.match(day_text)
    zone: float | str | None = None
    if cut is not None:
        read = read_clock(cut["time"])
        if read is None:
            return None
        (clock, zone), day_text = read, cut["day"]
    # `Mar` is a month in English and a weekday in French: it is cut off only where nothing can be read with it
    day = read_day(day_text, order) or read_day(_without_weekday(day_text), order)
    if day is None:
        return None
    try:
        moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + clock
        if zone is not None:
            hours = ahead(zone, moment)
            if hours is None:
                return None
            moment -= dt.timedelta(hours=hours)
    except (ValueError, OverflowError):
        return None
    seconds = ((moment - _START) // _MICROSECOND) / 1_000_000
    if not _FIRST <= seconds <= _LAST:
        return None
    return Moment(seconds, day.way, day.is_short, cut is not None, zone is not None)


def _usual_order(text: str) -> str:
    """Write a moment whose parts stand in a way of their own as day, time, zone."""
    if text[0].isdigit():
        if "T" in text or "t" in text:
            text = _COMPACT.sub(lambda f: f"{f[1]}-{f[2]}-{f[3]}T{f[4]}:{f[5]}:{f[6] or '00'}", text)
        if text.isascii():
            return text
        text = _SIGNS.sub(lambda f: f"{f[1]}-{f[2]}" + (f"-{f[3]}" if f[3] else ""), text)
        return _YEAR_WORD.sub("", text)
    if found := _YEAR_LAST.match(text) or _YEAR_LAST.match(_without_weekday(text)):
        return f"{found['day']} {found['year']} {found['time']}{found['zone']}"
    return text


def _without_weekday(text: str) -> str:
    word, blank, rest = text.partition(" ")
    if blank and plain(word.rstrip(",")) in WEEKDAYS and rest[:1].isalnum():
        return rest
    return text


def of_number(value: float, form: str | None) -> float | None:
    """Read a count as a moment: seconds since 1970, or what `Column.format` says; None if it is no moment.

    Counts beyond the year 5138 in seconds are taken as milliseconds, and so on to nanoseconds.

    Example:
        >>> of_number(1672876800, None), of_number(1672876800000, EPOCH), of_number(44931, EXCEL)
        (1672876800.0, 1672876800.0, 1672876800.0)
        >>> of_number(20230105, "%Y%m%d"), of_number(2023, "%Y"), of_number(float("inf"), None)
        (1672876800.0, 1672531200.0, None)
    """
    if form in _COUNTED and abs(value) < 1e15 and float(value).is_integer():
        digits = str(int(value))
        if abs(value) < _SHORTEST or len(digits) == _COUNTED[form]:
            return _compact(digits, form)
    if form == EXCEL and 0 < value < _LAST_DAY:
        return (_EXCEL_START - _START).total_seconds() + round(value * 86_400, 3)
    if not abs(value) < 9e18:
        return None
    for limit, unit in ((_LONGEST, 1.0), (1e14, 1e3), (1e17, 1e6), (9e18, 1e9)):
        if abs(value) < limit:
            seconds = value / unit
            return seconds if _FIRST <= seconds <= _LAST else None
    return None


def _compact(digits: str, form: str) -> float | None:
    if len(digits) != _COUNTED[form]:
        return None
    try:
        day = int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1)
        moment = dt.datetime(*day, *(int(digits[i : i + 2] or 0) for i in (8, 10, 12)), tzinfo=dt.UTC)
    except ValueError:
        return None
    return (moment - _START).total_seconds() if moment.year >= 1000 else None


def order_of(form: str | None) -> str:
    """Tell what the numbers of a date mean by its format: `dmy`, `mdy`, `ymd`, or nothing.

    Example:
        >>> order_of("%d/%m/%y"), order_of("%b %d, %Y"), order_of("%y-%m-%d"), order_of(None)
        ('dmy', 'mdy', 'ymd', '')
    """
    if not form:
        return ""
    places = {
        letter: min(p for code in codes if (p := form.find(code)) >= 0)
        for letter, codes in (("y", ("%Y", "%y")), ("m", ("%m", "%b", "%B")), ("d", ("%d",)))
        if any(code in form for code in codes)
    }
    order = "".join(sorted(places, key=places.__getitem__))
    return order if order in ("dmy", "mdy", "ymd") else ""


_BETWEEN = re.compile(r"%[dm]([-/. ])%[dm]")


class DateTime:
    """A moment, held as seconds since 1970."""

    expected = "an ISO 8601 date or seconds since 1970"
    carries_text = False

    def parser(self, column: Column) -> Parser:
        """Make what reads the cells of a column.

        Text is read in the column's own form, as ISO 8601, or in any other form that leaves no doubt, with a flag; a
        number by `of_number`.
        """
        form, order = column.format, order_of(column.format)
        usual = _usual_way(form)
        between = _BETWEEN.search(form or "")

        def parse(cell: Any) -> Parsed | None:
            if isinstance(cell, bool) or not isinstance(cell, str | int | float):
                return None
            if not isinstance(cell, str):
                try:
                    seconds = of_number(float(cell), form)
                except OverflowError:
                    return None
                return None if seconds is None else Parsed(seconds)
            if _DIGITS.match(cell):
                seconds = of_digits(cell, form)
                return None if seconds is None else Parsed(seconds)
            found = read_moment(cell, order)
            if found is None:
                seconds = _by_format(cell, form)
                return None if seconds is None else Parsed(seconds)
            is_usual = found.way in usual and not (
                # a point or a dash where the column has a slash may stand for the other order
                found.way in ("dmy", "mdy") and between is not None and between[1] not in cell[:6]
            )
            return Parsed(found.seconds, "" if is_usual else FORM)

        return parse

    def plain(self, column: Column) -> Plain:
        """Name cells that the parser gives back as they are, without a flag: seconds that can be nothing else."""
        longest = math.nextafter(_LONGEST, 0.0)
        if column.format == EXCEL:
            return Plain(_LAST_DAY, longest)
        return Plain(_SHORTEST if column.format in _COUNTED else _FIRST, longest)

    def describe(self, column: Column) -> str:
        """Say in a few words how the cells of a column are read."""
        form, order = column.format, order_of(column.format)
        if form in (EPOCH, EXCEL):
            return "moment, counted since 1970" if form == EPOCH else "moment, days of a spreadsheet"
        words = {"dmy": ", day first", "mdy": ", month first"}.get(order, "")
        short = f", years {PIVOT}–99 are 19{PIVOT}–1999" if form and "%y" in form else ""
        return f"moment{words}{short}"

    def show(self, value: float | str) -> str:
        """Write what was read, as ISO 8601 without what is zero."""
        moment = _START + dt.timedelta(seconds=float(value))
        text = moment.replace(tzinfo=None).isoformat(sep=" ")
        return text.removesuffix(" 00:00:00")

    def hard(self, column: Column) -> tuple[Any, ...]:  # noqa: ARG002 — the same for all
        """Name cells that are easily misread."""
        numbers = (
            "03/04/2022",
            "13/04/2022",
            "04/13/2022",
            "03/04/22",
            "3.4.2022",
            "99-01-02",
            "2022/03/04",
            "20220304",
        )
        words = ("4 Mar 2022", "Mar 4, 2022", "4. März 2022", "Fri, 04 Mar 2022", "2022-W10", "2022-Q2", "2022-03")
        times = ("2022-03-04 10:00 PM", "2022-03-04T24:00:00Z", "2022-03-04T10:00:00+05:30", "2022-03-04 10:00 CET")
        wrong = ("2022-02-30", "0000-00-00", "0022-03-04", "NaT", "soon", "", "12345678901234567890")
        return (*numbers, *words, *times, *wrong, 1646352000, 1646352000000, 44624, -1, 1e30, True, float("nan"))


def _usual_way(form: str | None) -> frozenset[str]:
    """Name the ways of writing that raise no flag: the column's own, and ISO 8601."""
    own = "ymd"
    if form:
        if any(code in form for code in ("%b", "%B")):
            own = "named" if "%d" in form else "month"
        elif "%V" in form or "%q" in form:
            own = "week" if "%V" in form else "quarter"
        else:
            own = order_of(form) or ("month" if "%m" in form else "ymd")
    return frozenset(("ymd", "clock", own))


def of_digits(text: str, form: str | None) -> float | None:
    """Read plain digits, maybe with a point: a compact date such as `20230105`, else a count as `of_number`."""
    if text.isdigit() and (length := len(text)) in (8, 12, 14):
        wanted = next(f for f, n in _COUNTED.items() if n == length)
        seconds = _by_format(text, wanted)
        if seconds is not None and _FIRST <= seconds <= _LAST and (form not in (EPOCH, EXCEL)):
            return seconds
    if len(text) >= 25 or (form != EPOCH and form != EXCEL and form not in _COUNTED and abs(float(text)) < _SHORTEST):
        return None  # among dates, 44593 is the day of a spreadsheet rather than half a day in 1970
    return of_number(float(text), form)


def _by_format(text: str, form: str | None) -> float | None:
    """Read a moment in the column's own form, where a person wrote one into the contract that nothing else reads."""
    if not form or form in (EPOCH, EXCEL, QUARTER) or "%" not in form:
        return None
    try:
        moment = dt.datetime.strptime(text, form)
    except (ValueError, re.error):  # re: a form that names a part twice
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    try:
        seconds = ((moment - _START) // _MICROSECOND) / 1_000_000
    except OverflowError:
        return None
    return seconds if _FIRST <= seconds <= _LAST else None
