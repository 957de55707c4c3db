"""Cut the beginning of a text file into rows and cells, to look at how it is written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

NUMBER = re.compile(r"'?[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?'?$")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4}|$)")


class Row(msgspec.Struct, frozen=True):
    """A row of the beginning of a file."""

    line: int
    """Lines before it."""
    end: int
    """Lines before the one that follows it."""
    cells: tuple[str, ...]

    @property
    def n_filled(self) -> int:
        """Cells that hold something."""
        return sum(bool(cell) for cell in self.cells)


def lines_of(text: str) -> list[str]:
    """Split at line feeds and carriage returns alone: other signs that end lines in Unicode stand inside cells."""
    return list(io.StringIO(text, newline=""))


def reader_of(lines: Iterable[str], separator: str, quote: str, *, escape: bool = False) -> Any:
    """Return a reader of the standard library that reads rows as the fast one does."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    how: Any = {"delimiter": separator, "quoting": quoting, "quotechar": quote or None}
    return csv.reader(lines, **how, escapechar="\\" if escape else None)


def rows_of(lines: Sequence[str], separator: str, quote: str, *, first: int = 0, escape: bool = False) -> list[Row]:
    """Read rows; blank lines are none."""
    rows: list[Row] = []
    reader = reader_of(lines[first:], separator, quote, escape=escape)
    at = first
    try:
        for cells in reader:
            end = first + reader.line_num
            if any(cells) or len(cells) > 1:
                rows.append(Row(at, end, tuple(cell.strip().lstrip("\ufeff") for cell in cells)))
            at = end
    except csv.Error:
        # a cell beyond 128 KB: what was read so far is enough to judge by
        rows = rows or [
            Row(i, i + 1, tuple(line.rstrip("\r\n").split(separator)))
            for i, line in enumerate(lines[first:], start=first)
        ]
    return rows


def usual_width(rows: Sequence[Row]) -> tuple[int, float]:
    """Return how many cells most rows have (of several the larger), and the share of the rows that have them."""
    widths = [len(row.cells) for row in rows]
    usual = max(set(widths), key=lambda width: (widths.count(width), width))
    return usual, widths.count(usual) / len(widths)


def is_plain(cell: str) -> bool:
    """Tell whether a cell is a number or a date."""
    return bool(NUMBER.match(cell) or DATE.match(cell))
