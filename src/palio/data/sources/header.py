"""Find the line that names the columns: below titles and comments, and among numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

import msgspec

from palio.core.words import listed
from palio.data.sources.rows import Row, is_plain, usual_width

_LOOK_AT_ROWS = 50
_MAX_HEADERS = 4
"""Rows of names that a table has at most."""
_MOST_DESCRIPTIONS = 3
_LEAST_BELOW = 3
"""Rows that tell what a column holds."""
_UNIT = re.compile(r"[\[({<].*[\])}>]$")
_YEAR = re.compile(r"(1[89]|20)\d\d$")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where the table begins."""

    first: int
    """Position of its first row: the header, or the first cells."""
    header: bool
    n_titles: int = 0
    """Rows before it that are none of the table."""


def find(rows: Sequence[Row], wanted: str, *, marks: frozenset[str], names: Iterable[str]) -> Found:
    """Find where the table begins, and whether with a header.

    Args:
        rows: The beginning of the file.
        wanted: `yes` or `no` if somebody knows, else `auto`.
        marks: Cells that mean "not known".
        names: Columns that should be there: a row that holds them is the header.
    """
    full = max(row.n_filled for row in rows[:_LOOK_AT_ROWS])
    if wanted != "no":
        at = _named(rows, frozenset(names) - {""})
        if at is not None:
            return Found(first=at, header=True, n_titles=at)
    first = _below_titles(rows, full)
    if first and usual_width(rows)[0] == 2 and not has_header(rows[first:], marks):
        first = 0  # a narrow table under a single cell: rather a short row than a title
    if wanted != "auto":
        return Found(first=first, header=wanted == "yes", n_titles=first)
    if has_header(rows[first:], marks):
        lower = _lower_header(rows, first, full, marks)
        return Found(first=lower, header=True, n_titles=lower)
    lower = _lower_header(rows, first, full, marks)
    if lower == first:  # without a header, an almost empty row may be a row as any other
        width = usual_width(rows)[0]
        lower = first = next((i for i, row in enumerate(rows[:first]) if len(row.cells) == width), first)
    return Found(first=lower, header=lower != first, n_titles=lower)


def is_evidence(target: str, width: int) -> bool:
    """Tell whether `target` is a name rather than a position among `width` columns."""
    text = target.strip()
    return bool(text) and not (text.lstrip("-").isdecimal() and len(text) < 8 and 0 < abs(int(text)) <= width)


def has_header(rows: Sequence[Row], marks: frozenset[str]) -> bool:
    """Tell from the cells alone whether the first row names the columns."""
    others = [row for row in rows[1:] if row.cells != rows[0].cells]
    if len(others) < len(rows) - 1 and _stands_above_numbers(rows[0].cells, others, marks):
        return True  # the header is repeated further down
    first = rows[0].cells
    width = len(first)
    if first == tuple(str(i) for i in range(width)) and width > 1:
        return True  # a table written with numbered columns
    body = [row.cells for row in rows[1:] if len(row.cells) >= width]
    columns = [[cells[i] for cells in body if cells[i] not in marks] for i in range(width)]
    is_typed = [bool(cells) and all(map(is_plain, cells)) for cells in columns]
    odd = [i for i, name in enumerate(first) if is_plain(name) or (name and name in marks)]
    if not odd:
        if not body or any(is_typed):
            return True
        # all text: a name is not at the same time a value of its column
        return not any(name in cells for name, cells in zip(first, columns, strict=True))
    words = [i for i in range(width) if first[i] and i not in odd]
    if not body or not words or not _are_names([first[i] for i in odd], [columns[i] for i in odd], marks):
        return False
    if len(body) > 2 and any(is_typed[i] for i in words):
        return True
    is_count = any(first[i].isdecimal() and not _YEAR.match(first[i]) for i in odd)
    return not is_count and not any(first[i] in columns[i] for i in range(width))


def descriptions(rows: Sequence[Row], marks: frozenset[str]) -> int:
    """Count the rows below a header that describe its columns: units, questions, other names; words above numbers.

    Two columns or more are numbers or days from there on, and each that is has other words there, or none.
    """
    for n in range(min(_MOST_DESCRIPTIONS, len(rows) - _LEAST_BELOW), 0, -1):
        below = rows[n : n + _LOOK_AT_ROWS]
        width = usual_width(below)[0]
        columns = [[row.cells[i] for row in below if len(row.cells) > i] for i in range(width)]
        known = [[cell for cell in cells if cell and cell not in marks] for cells in columns]
        typed = [i for i, cells in enumerate(known) if len(cells) >= _LEAST_BELOW and all(map(is_plain, cells))]
        if all(_describes(row, typed, marks) for row in rows[:n]):
            return n
    return 0


def about_descriptions(rows: Sequence[Row], name: str) -> str:
    """Say that rows below the header are passed over."""
    cells = listed((f"`{cell[:40]}`" for row in rows for cell in row.cells if cell), at_most=4)
    n = len(rows)
    lines = "the line below the header describes" if n == 1 else f"{n} lines below the header describe"
    return f"{name}: {lines} the columns and {'is' if n == 1 else 'are'} passed over: {cells}"


def _describes(row: Row, typed: Sequence[int], marks: frozenset[str]) -> bool:
    cells = [row.cells[i] for i in typed if len(row.cells) > i]
    said = [cell for cell in cells if cell]
    if len(said) < 2 or any(is_plain(cell) or cell in marks for cell in said):
        return False
    # one word in all of them may stand for a value that is not known
    return len(set(said)) > 1 or all(_UNIT.match(cell) for cell in said)


def _stands_above_numbers(first: Sequence[str], below: Sequence[Row], marks: frozenset[str]) -> bool:
    if len(below) < 2 or any(map(is_plain, first)):
        return False
    return any(
        name and name not in marks and cells and all(map(is_plain, cells))
        for i, name in enumerate(first)
        if (cells := [row.cells[i] for row in below if len(row.cells) > i and row.cells[i] not in marks])
    )


def _are_names(odd: list[str], columns: list[list[str]], marks: frozenset[str]) -> bool:
    """Tell whether numbers, dates and marks in a first row may be names: years, counts, days above other cells."""
    whole = [int(name) for name in odd if name.isdecimal() and len(name) < 8]
    counted = len(whole) > 1 and all(b - a == 1 for a, b in itertools.pairwise(whole))
    for name, cells in zip(odd, columns, strict=True):
        if name in marks:
            continue
        if _YEAR.match(name):
            if cells and all(map(_YEAR.match, cells)):
                return False
        elif name.isdecimal():
            if not counted:
                return False
        elif "-" in name[1:] or "/" in name or name.count(".") > 1:  # a day
            if any(cell.count("-") > 1 or "/" in cell for cell in cells):
                return False
        else:
            return False
    return True


def _named(rows: Sequence[Row], names: frozenset[str]) -> int | None:
    """Find the row that holds the names that are asked for, below nothing but rows that are emptier, or headers too."""
    best, most, filled_before = None, 0, 0
    for i, row in enumerate(rows[:_LOOK_AT_ROWS]):
        n = len(names.intersection(row.cells))
        if n > most and (not i or row.n_filled > filled_before or _are_headers(rows, i)):
            best, most = i, n
        filled_before = max(filled_before, row.n_filled)
    return best


def _are_headers(rows: Sequence[Row], last: int) -> bool:
    """Tell whether the rows down to `last` are all names, of groups above those of columns: words above numbers."""
    heads = rows[: last + 1]
    if last > _MAX_HEADERS - 1 or any(is_plain(cell) for row in heads for cell in row.cells):
        return False
    below = [row.cells for row in rows[last + 1 :]]
    return any(
        cells and all(map(is_plain, cells))
        for i in range(len(rows[last].cells))
        if (cells := [row[i] for row in below if len(row) > i and row[i]])
    )


def _below_titles(rows: Sequence[Row], full: int) -> int:
    """Return the position of the first row that is no title, of which all cells but one are empty."""
    alone = 1 if full > 2 else 0
    for i, row in enumerate(rows[:_LOOK_AT_ROWS]):
        if row.n_filled > alone and not (full == 2 and len(row.cells) == 1):
            return i
    return 0


def _lower_header(rows: Sequence[Row], first: int, full: int, marks: frozenset[str]) -> int:
    """Return the position of a header below rows that are emptier than it, as a line of groups or of facts."""
    filled_before = rows[first].n_filled
    if filled_before >= full:
        return first
    for i in range(first + 1, min(len(rows), first + 20)):
        row = rows[i]
        if row.n_filled == full and filled_before < full and not any(map(is_plain, row.cells)):
            above_numbers = any(
                row.cells[j] and cells and all(map(is_plain, cells))
                for j in range(len(row.cells))
                if (cells := [r.cells[j] for r in rows[i + 1 :] if len(r.cells) > j and r.cells[j] not in marks])
            )
            return i if above_numbers else first
        filled_before = max(filled_before, row.n_filled)
        if filled_before >= full:
            break
    return first
