"""Tell whether whole numbers count or spell moments: seconds since 1970, days of a spreadsheet, `20230105`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import NamedTuple

from palio.core.cells.moments import EPOCH, EXCEL

_DAY_NAME = re.compile(
    r"(date|datum|fecha|data|jour|day|dia|giorno|tag|dag|time|zeit|stamp|epoch|when|_at|_ts)\b|^(ts|dt)$", re.IGNORECASE
)
_SHEET_DAY_NAME = re.compile(
    r"((?<!candi)(?<!man)date|datetime|datum|fecha|jour|day|giorno|tag|dag|stamp|when|_at)\b|\b(data|dia|dt)\b"
    r"|_(data|dia|dt)\b",
    re.IGNORECASE,
)
"""Numbers of that size are more often something else: where the name speaks of a time, seconds that something took."""
_MONTH_NAME = re.compile(
    r"(^|[\W_])(month|monat|mois|mes|mese|maand|period|periode|yearmonth|yyyymm|ym|date|datum)$", re.IGNORECASE
)
_FROM, _TO = 946_684_800, 4_102_444_800
"""2000 to 2100, in seconds since 1970."""
_UNITS = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}
_SPELT = {
    14: ("%Y%m%d%H%M%S", "moments as YYYYMMDDhhmmss"),
    12: ("%Y%m%d%H%M", "moments as YYYYMMDDhhmm"),
    8: ("%Y%m%d", "days as YYYYMMDD"),
    6: ("%Y%m", "months as YYYYMM"),
}
_FEW = 9
"""From more different days on, spelt ones need no name that says so."""


class Counted(NamedTuple):
    """What whole numbers say as moments."""

    format: str
    doubt: str


def counted_moment(sample: Mapping[str, int], name: str, share: float) -> Counted | None:
    """Tell what moments the cells of a column count or spell; None: they are other numbers.

    Args:
        sample: Some of its cells, and how often each was seen.
        name: Of the column.
        share: So many of the cells may be something else.

    Example:
        >>> counted_moment({"20230105": 1, "20230220": 1}, "day", 0.0)[0]
        '%Y%m%d'
        >>> counted_moment({"1650000000000000": 1}, "timestamp", 0.0)[1][:47]
        'the numbers are read as microseconds since 1970'
    """
    counts = [cell for cell in sample if _is_count(cell)]
    if not counts or sum(sample[cell] for cell in counts) < (1 - share) * sum(sample.values()):
        return None
    form, what = _spelt(counts, name) or _counted(counts, name)
    if not form:
        return None
    return Counted(form, f'the numbers are read as {what}; if they are plain numbers, make the type "integer"')


def _spelt(counts: list[str], name: str) -> tuple[str, str] | None:
    n_digits = len(counts[0])
    if n_digits not in _SPELT or any(len(cell) != n_digits for cell in counts):
        return None
    form, what = _SPELT[n_digits]
    named = (_MONTH_NAME if form == "%Y%m" else _DAY_NAME).search(name)
    if not named and (len(counts) <= _FEW or form == "%Y%m"):
        return None
    return (form, what) if all(_spells(cell, form) for cell in counts) else None


def _counted(counts: list[str], name: str) -> tuple[str, str]:
    values = [float(cell) for cell in counts]
    low, high = min(values), max(values)
    if not _DAY_NAME.search(name):
        return "", ""
    for unit, called in _UNITS.items():
        if _FROM * unit <= low <= high <= _TO * unit:
            return EPOCH, f"{called} since 1970"
    if _SHEET_DAY_NAME.search(name) and 20_000 <= low <= high <= 80_000 and len(counts) > 4 and high - low < 40_000:
        return EXCEL, "days as a spreadsheet counts them"
    return "", ""


def _is_count(cell: str) -> bool:
    return cell.replace(".", "", 1).isdecimal() and cell.isascii()


def _spells(cell: str, form: str) -> bool:
    if not cell.isdecimal() or not 1900 <= int(cell[:4]) <= 2100:
        return False
    if form == "%Y%m%d":  # an impossible day such as 20230230 is none of many, no other number
        return 1 <= int(cell[4:6]) <= 12 and 1 <= int(cell[6:]) <= 31
    try:
        dt.datetime.strptime(cell, form)
    except ValueError:
        return False
    return True
