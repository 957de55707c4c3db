"""Say what reading a cell gives, and what every kind of cell must be able to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from palio.core.records import Column

UNKNOWN, RANGE, MISSING_VALUE = "unknown category", "out of range", "missing"
FRACTION, FORM = "not whole", "unusual form"
"""What a flag says of a cell that is answered all the same."""

Problem = Literal["", "type", "missing", "range", "category"]


class Read(NamedTuple):
    """What a cell says under its contract."""

    value: float | str | None
    """The number, the seconds since 1970 (UTC), or the text; None: missing, or not to be read."""
    flags: tuple[str, ...] = ()
    """What is unusual about it."""
    problem: Problem = ""
    """The rule for which the cell is refused; empty: it is answered."""


class Parsed(NamedTuple):
    """What a cell says, before it is held to range and known values."""

    value: float | str
    flag: str = ""


Parser = Callable[[Any], Parsed | None]
"""Reads a cell that is not missing (text without blanks around it, number or truth value); None: it cannot be read."""


class Plain(NamedTuple):
    """Cells that are as they travel into a graph already: reading gives them back, without a flag.

    Whoever reads in a hurry takes these, and leaves all others to the reader. There may be more than are named here.
    """

    low: float = math.inf
    high: float = -math.inf
    """Numbers from `low` to `high`, both finite; none if `low` is larger."""
    is_whole: bool = False
    """Only the whole ones of them."""
    texts: frozenset[str] | None = frozenset()
    """These texts; None: any that is not missing and has no blanks around it."""


class Kind(Protocol):
    """One kind of cell: all that anybody must know about reading it.

    `palio.testing.CellContract` holds an implementation to what the doors rely on.
    """

    expected: str
    """What a person is asked to send: `a finite number`."""
    carries_text: bool
    """Whether it travels into a graph as text (missing is empty) rather than as float64 (missing is NaN)."""

    def parser(self, column: Column) -> Parser:
        """Make what reads the cells of a column."""

    def plain(self, column: Column) -> Plain:
        """Name cells that the parser gives back as they are, without a flag."""

    def describe(self, column: Column) -> str:
        """Say in a few words how the cells of a column are read, for people."""

    def show(self, value: float | str) -> str:
        """Write what was read, for people."""

    def hard(self, column: Column) -> tuple[Any, ...]:
        """Name cells that are easily misread."""
