"""Watch in which order values come, and tell by it, and by numbers beyond twelve, which part of a date is the day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from palio.core.cells.days import PIVOT
from palio.core.cells.moments import read_moment
from palio.core.clock import utc_now
from palio.core.records import Column
from palio.data.cells.dates import DateEvidence
from palio.data.cells.frame import read_frame, seconds
from palio.data.cells.uniqueness import Numbers

_FAR = 10 * 365.25 * 86_400
"""So many seconds from now on, a year of two digits is doubtful."""
_PARTS = r"^\D{0,12}(\d{1,2})[-/. ](\d{1,2})[-/. ]"


class Order:
    """Whether values never go back, never go forward, or count up by one; false if neither of the first two."""

    def __init__(self) -> None:
        self.up = self.down = self.is_consecutive = True
        self._last: Any = None

    def __bool__(self) -> bool:
        """Tell whether the values are ordered."""
        return self.up or self.down

    def add(self, numbers: Numbers) -> None:
        """Take in more values, none of them missing."""
        if not (self.is_consecutive or self) or not len(numbers):
            return
        joined = numbers if self._last is None else np.concatenate([[self._last], numbers])
        self._last = numbers[-1]
        before, after = joined[:-1], joined[1:]
        self.is_consecutive = self.is_consecutive and bool((after - before == 1).all())
        self.up = self.up and bool((after >= before).all())
        self.down = self.down and bool((after <= before).all())


class DayOrder:
    """Whether the order of day, month and year that was taken from the first cells fits the whole column."""

    def __init__(self, evidence: DateEvidence, *, wished: bool = False) -> None:
        self.wants = ""
        """The order that the whole column asks for, if it is another one."""
        self._orders = evidence.orders
        self._is_wished = wished
        self._rival = None if evidence.rival is None else Column(name="0", type="datetime", format=evidence.rival)
        self._rival_order = Order()
        self._first = self._second = 0
        self._open = ""
        self._by_order = False

    def add(self, cells: pl.Series) -> None:
        """Take in more cells."""
        if self._rival is None or cells.dtype != pl.String:
            return
        frame = cells.to_frame("0")
        found = frame.select(
            (pl.col("0").str.extract(_PARTS, part).cast(pl.Int64) > 12).sum().alias(str(part)) for part in (1, 2)
        )
        self._first, self._second = self._first + found.item(0, 0), self._second + found.item(0, 1)
        if not self._open:
            self._open = next((cell for cell in cells.head(100).drop_nulls() if self._is_open(cell)), "")
        if self._rival_order:
            self._rival_order.add(seconds(read_frame(frame, [self._rival])[0].values.drop_nulls()))

    def _is_open(self, cell: str) -> bool:
        read = {found.seconds for order in self._orders if (found := read_moment(cell, order)) is not None}
        return len(read) > 1

    def settle(self, order: Order) -> bool:
        """Judge the whole column; true if it has to be read again, in the order that it `wants`.

        Args:
            order: Of the moments as they were read.
        """
        if self._rival is None:
            return False
        taken, rival = self._orders[:2]
        evident = {"dmy": self._first > self._second, "mdy": self._second > self._first}
        if {taken, rival} <= {"dmy", "mdy"} and (self._first or self._second):
            self._rival = None
            self.wants = rival if evident[rival] else ""
        elif bool(order) != bool(self._rival_order):
            self.wants = rival if self._rival_order else ""
            self._by_order = not self.wants
            self._rival = None
        return bool(self.wants)

    @property
    def taken(self) -> str:
        """The order that the column is read in."""
        return self._orders[0] if self._orders else ""

    @property
    def is_certain(self) -> bool:
        """Whether the column itself, or a person, says which part of a date is the day."""
        return self.taken in ("dmy", "mdy") and not self.is_open and not self._is_wished

    def follow(self, order: str) -> bool:
        """Take the order of other columns where this one leaves it open; true if it has to be read again."""
        if not self.is_open or order not in self._orders:
            return False
        self.wants, self._rival = ("" if order == self.taken else order), None
        return bool(self.wants)

    @property
    def is_open(self) -> bool:
        """Whether the column leaves it open which part of a date is the day."""
        return self._rival is not None

    def doubts(self) -> list[str]:
        """Say what the column leaves open."""
        if not self._open or not (self.is_open or self._by_order):
            return []
        taken, rival = (_said(order) for order in self._orders[:2])
        read = [read_moment(self._open, order) for order in self._orders[:2]]
        days = [str(np.datetime64(int(moment.seconds), "s"))[:10] for moment in read if moment is not None]
        why = "in this order the rows are sorted in time" if self._by_order else "nothing in the column tells"
        return [
            f"`{self._open}` is read as {days[0]}, {taken} ({why}); if it is {days[-1]}, {rival}, "
            f"say --date-order {self._orders[1]}"
        ]


def written_day(form: str | None, seconds: float) -> str:
    """Write a moment as the cells of its column do, or as ISO 8601 does: its day, and its time if it has one.

    Example:
        >>> written_day("%d.%m.%Y", 0.0), written_day("epoch", 86399.0)
        ('01.01.1970', '1970-01-01T23:59:59')
    """
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    if form and "%d" in form and "%Y" in form and ("%H" in form or not seconds % 86_400):
        return moment.strftime(form)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" if seconds % 86_400 else "%Y-%m-%d")


def about_far_years(form: str | None, high: float | None, *, is_told: bool) -> list[str]:
    """Say of moments that some lie more than a century ahead: another calendar, or a slip of the pen.

    Args:
        form: How they are written.
        high: The last of them.
        is_told: Whether something was said of them already.
    """
    if is_told or high is None or high < utc_now().timestamp() + 10 * _FAR:
        return []
    return [f"the last moment, {written_day(form, high)}, lies more than a century ahead"]


def about_short_years(form: str | None, high: float | None) -> list[str]:
    """Say of years of two digits that some of them lie far ahead: a year of birth may be meant.

    Args:
        form: How the moments are written.
        high: The last of them.
    """
    if not form or "%y" not in form or high is None or high < utc_now().timestamp() + _FAR:
        return []
    last = str(np.datetime64(int(high), "s"))[:10]
    return [
        f"years of two digits below {PIVOT} are read as 20…, the last moment as {last}; "
        "if the last century is meant, write years with four digits"
    ]


def _said(order: str) -> str:
    return {"dmy": "day first", "mdy": "month first", "ymd": "year first"}[order]
