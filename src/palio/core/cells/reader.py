"""Read a cell and hold it to its column: missing, readable, in range, known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from palio.core.cells.cell import MISSING_VALUE, RANGE, UNKNOWN, Parser, Plain, Read
from palio.core.cells.numbers import is_plain
from palio.core.cells.table import kind_of
from palio.core.records import Column, OnViolation

MISSING = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "#NULL!", "NaN", "nan", "NAN", "-nan", "NaT"),
    *("null", "NULL", "Null", "(null)", "None", "none", "NONE", "-", "--", "\\N", "nil"),
    *("#N/A N/A", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    *("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!"),
)
"""Cells that usually mean "not known". Older bundles are read by it, too: a mark may be added, none taken away."""
_USUAL = frozenset(MISSING)
BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What counts for nothing around a cell. Source: Unicode 16, property White_Space."""


def marks_of(column: Column) -> frozenset[str]:
    """Return the cells of a column that mean "not known"; the empty one always does.

    What the contract lists as a category is none of the usual marks: a column of `none`, `low` and `high` has three
    values. Marks of the column's own hold in any case.

    Example:
        >>> "none" in marks_of(Column(name="alcohol", type="category", categories=("none", "low", "high")))
        False
    """
    if column.missing is not None:
        return frozenset((*column.missing, ""))
    return _USUAL.difference(text for text in column.categories or () if text)


def missing_in(cell: Any, marks: frozenset[str]) -> bool:
    """Tell whether a cell, without blanks around it, says nothing."""
    return cell is None or (cell in marks if isinstance(cell, str) else isinstance(cell, float) and math.isnan(cell))


def numbers_in(marks: Iterable[str]) -> frozenset[float]:
    """Return the marks that are numbers: `-999` means "not known" as text and as number, and so does `inf`.

    Example:
        >>> numbers_in(["", "?", "-999"])
        frozenset({-999.0})
    """
    return frozenset(float(mark) for mark in marks if is_plain(mark) or mark in ("inf", "-inf"))


def moments_in(column: Column) -> frozenset[float]:
    """Return the moments that mean "not known" in a column, however a cell writes them: seconds since 1970.

    Example:
        >>> moments_in(Column(name="end", type="datetime", missing=("NA", "1970-01-02")))
        frozenset({86400.0})
    """
    if column.type != "datetime" or not column.missing:
        return frozenset()
    parse = kind_of(column).parser(column)
    found = (parse(mark) for mark in column.missing if not is_plain(mark))
    return frozenset(float(one.value) for one in found if one is not None)


class CellReader:
    """Read the cells of one column.

    Example:
        >>> reader = CellReader(Column(name="age", type="integer", low=18, high=90))
        >>> reader.read(" 33 "), reader.read(40.5), reader.read("99"), reader.read("old").problem
        (Read(value=33.0, flags=(), problem=''), Read(value=40.5, flags=('not whole',), problem=''),
         Read(value=99.0, flags=('out of range',), problem=''), 'type')
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.kind = kind_of(column)
        self._marks = marks_of(column)
        if column.categories is not None and not self._marks.isdisjoint(column.categories):
            known = tuple(text for text in column.categories if text not in self._marks)
            column = msgspec.structs.replace(column, categories=known)
        self.parse: Parser = self.kind.parser(column)
        """Reads what is not missing, before range and known values are looked at."""
        self._numbers, moments = numbers_in(self._marks), moments_in(column)
        self.counts = self._numbers | moments
        """Cells that mean "not known" though they are numbers, such as -999; moments as seconds since 1970."""
        self._none = moments if column.type == "datetime" else frozenset() if self.kind.carries_text else self._numbers
        """Values that mean so, however a cell writes them."""
        is_closed = column.type in ("category", "boolean") and column.categories is not None
        self._known = frozenset(column.categories or ()) if is_closed else None
        self._low = -math.inf if column.low is None else column.low
        self._high = math.inf if column.high is None else column.high

    def read(self, cell: Any) -> Read:
        """Read one cell: text (blanks around it count for nothing), number, truth value or None."""
        if isinstance(cell, str):
            cell = cell.strip(BLANKS)
        if missing_in(cell, self._marks) or (self._numbers and self._is_mark(cell)):
            return self._judged(None, (), MISSING_VALUE, self.column.on_missing)
        parsed = self.parse(cell)
        if parsed is None:
            return Read(None, (), "type")
        value, flags = parsed.value, (parsed.flag,) if parsed.flag else ()
        if self._none and value in self._none:
            return self._judged(None, (), MISSING_VALUE, self.column.on_missing)
        if self._known is not None:
            if value not in self._known:
                return self._judged(value, flags, UNKNOWN, self.column.on_unknown)
        elif not self.kind.carries_text and not self._low <= float(value) <= self._high:
            return self._judged(value, flags, RANGE, self.column.on_out_of_range)
        return Read(value, flags)

    def is_missing(self, cell: Any) -> bool:
        """Tell whether a cell says nothing."""
        found = self.read(cell)
        return found.value is None and found.problem != "type"

    def _is_mark(self, cell: Any) -> bool:
        """Tell whether a number says "not known": a mark such as `-999` is the same as `-999.0` and as number."""
        if isinstance(cell, str):
            is_code = self.column.type == "category" and is_plain(cell) and cell not in (self._known or ())
            return is_code and float(cell) in self._numbers
        return isinstance(cell, int | float) and not isinstance(cell, bool) and cell in self._numbers

    def plain(self) -> Plain:
        """Name cells that `read` gives back as they are, without a flag; see `Plain`."""
        plain = self.kind.plain(self.column)
        if self.kind.carries_text:
            if plain.texts is None:
                return plain
            return Plain(texts=frozenset(text for text in plain.texts if self.read(text) == Read(text)))
        low, high = plain.low, plain.high
        if self.column.on_out_of_range != "accept":
            low, high = max(low, self._low), min(high, self._high)
        return plain._replace(low=low, high=high)

    def is_plain(self) -> Callable[[Any], bool]:
        """Make the test of one cell, float or text: true only for those that `plain` names; costs a comparison or two.

        Example:
            >>> test = CellReader(Column(name="age", type="integer", low=18, high=90)).is_plain()
            >>> test(20.0), test(20.5), test(101.0)
            (True, False, False)
        """
        low, high, whole, texts = self.plain()
        counts, marks = self.counts, self._marks
        if texts is not None and self.kind.carries_text:
            return texts.__contains__
        if self.kind.carries_text and counts:
            return lambda cell: cell not in marks and cell.strip(BLANKS) == cell and not self._is_mark(cell)
        if self.kind.carries_text:
            return lambda cell: cell not in marks and cell.strip(BLANKS) == cell
        if counts:
            return lambda cell: low <= cell <= high and cell not in counts and (not whole or cell.is_integer())
        if whole:
            return lambda cell: low <= cell <= high and cell.is_integer()
        return lambda cell: low <= cell <= high

    @staticmethod
    def _judged(value: float | str | None, flags: tuple[str, ...], what: str, policy: OnViolation) -> Read:
        if policy == "accept":
            return Read(value, flags)
        if policy == "flag":
            return Read(value, (*flags, what))
        return Read(value, flags, "missing" if what == MISSING_VALUE else "category" if what == UNKNOWN else "range")
