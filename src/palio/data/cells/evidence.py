"""Tell from some cells of a column how it is written: what kind they are, which marks they use, and what stays open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import polars as pl

from palio.core.cells import MISSING, truth_of
from palio.core.cells.moments import read_moment
from palio.core.cells.numbers import parts_of, read_text, value_of
from palio.core.records import Column
from palio.data.cells.codes import CODE_NAME, about_codes
from palio.data.cells.counts import counted_moment
from palio.data.cells.dates import DateEvidence, date_evidence

MIXED_SHARE = 0.05
"""A column with at most this share of other cells is still numbers, or moments; the others count as missing."""
MARKED_SHARE = 0.5
"""A column with less than this share of other cells, all of them one of few words, has numbers and marks."""
MAX_MARKS = 3
FEW_NUMBERS = 20
"""Up to so many different numbers beside words are rather categories, as `1`, `2`, `3+`."""
CODE_SHARE = 0.1
"""From this share of whole numbers with a leading zero on, they are codes, whose zeros must not be lost."""
FIXED_SHARE = 0.98
_SCALE_WORDS = "% ‰ k m t b mn bn mio mrd tsd mill thousand million billion 千 万 億 亿"
_SCALES = frozenset(_SCALE_WORDS.split())
"""Words and signs that change what a number says: beside them a bare number may mean either."""
_THREE = re.compile(r"[1-9]\d{0,2}([.,])\d{3}\Z")
Sample = Mapping[str, int]
"""Cells, without blanks and marks, and how often each was seen."""


@dataclass(frozen=True, slots=True)
class NumberEvidence:
    """What the cells say of the numbers in them."""

    n_cells: int
    n_numbers: int
    """Cells that are a number in one way of writing or another."""
    unit: str
    n_bare: int
    """Numbers without a unit."""
    points: int
    """Cells in which the point can only stand before decimals."""
    commas: int
    open_cell: str
    """A cell that is read differently by decimal point and by decimal comma; empty: there is none."""
    is_code: bool
    is_long: bool
    """Whether most have more digits than a number keeps."""
    others: Counter[str]
    """Cells that are no number."""
    n_different: int


def number_evidence(sample: Sample, name: str = "") -> NumberEvidence:
    """Look at cells as numbers."""
    units: Counter[str] = Counter()
    others: Counter[str] = Counter()
    widths: Counter[int] = Counter()
    points = commas = n_numbers = n_zero = n_digits = n_long = n_different = 0
    open_cell = ""
    for cell, n in sample.items():
        found = parts_of(cell)
        if found is None or all(value_of(found[1], mark) is None for mark in ".,"):
            others[cell] += n
            continue
        n_numbers += n
        n_different += 1
        _, digits, unit = found
        units[unit] += n
        mark = _decimal_of(digits)
        points, commas = points + n * (mark == "."), commas + n * (mark == ",")
        open_cell = open_cell or (cell if mark == "?" else "")
        if digits.isdecimal():
            n_digits += n
            widths[len(digits)] += n
            n_zero += n * (digits[0] == "0" and len(digits) > 1)
            n_long += n * (len(digits) > 18)
    unit = max((u for u in units if u), key=lambda u: units[u], default="")
    usual = max(widths.values(), default=0)
    is_fixed = len(widths) == 1 or usual >= FIXED_SHARE * n_digits
    is_code = n_zero > 0 and n_digits >= FIXED_SHARE * n_numbers and not unit
    is_code = is_code and (n_zero >= CODE_SHARE * n_digits or is_fixed or bool(CODE_NAME.search(name)))
    return NumberEvidence(
        n_cells=sum(sample.values()),
        n_numbers=n_numbers,
        unit=unit,
        n_bare=units[""],
        points=points,
        commas=commas,
        open_cell=open_cell,
        is_code=is_code or n_long > n_numbers / 2,  # nothing is measured to nineteen digits: these are names
        is_long=n_long > n_numbers / 2,
        others=others,
        n_different=n_different,
    )


def _decimal_of(digits: str) -> str:
    """Tell which mark stands before decimals: `.` or `,`; `?`: either may, empty: none is there, or none can be.

    Example:
        >>> [_decimal_of(cell) for cell in ("1,234.5", "1.5", "0.123", "1.234", "1.234.567", "12")]
        ['.', '.', '.', '?', ',', '']
    """
    body = digits.partition("e")[0].partition("E")[0]
    n_points, n_commas = body.count("."), body.count(",")
    if n_points + n_commas == 1 and body != digits:
        return "." if n_points else ","  # thousands and a power of ten do not go together
    if n_points and n_commas:
        last = max(".,", key=body.rfind)
        return last if body.count(last) == 1 else ""
    if not n_points and not n_commas:
        return ""
    mark, n = (".", n_points) if n_points else (",", n_commas)
    if n > 1:
        return "," if mark == "." else "."
    return "?" if _THREE.match(body) else mark


Kind = Literal["number", "datetime", "boolean", "string"]


@dataclass(frozen=True, slots=True)
class Guess:
    """How a column seems to be written."""

    kind: Kind
    column: Column
    """What to read further cells by."""
    numbers: NumberEvidence | None = None
    dates: DateEvidence | None = None
    doubts: tuple[str, ...] = ()
    """What a person should know, each the end of a sentence that begins with the column."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What other columns of the file say about what one column leaves open."""

    decimal: str = ""
    order: str = ""


def votes_of(numbers: list[NumberEvidence], dates: list[DateEvidence]) -> Votes:
    """Add up what columns say by themselves: most of them decide, none where they are even."""
    decimals = Counter("," if e.commas > e.points else "." for e in numbers if e.commas != e.points)
    orders = Counter(e.orders[0] for e in dates if len(e.orders) == 1)
    return Votes(decimal=_most(decimals), order=_most(orders))


def _most(votes: Counter[str]) -> str:
    ranked = votes.most_common(2)
    return ranked[0][0] if ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1]) else ""


def guess(
    sample: Sample, column: Column, numbers: NumberEvidence, dates: DateEvidence | None, *, votes: Votes, decimal: str
) -> Guess:
    """Say how a column is written.

    Args:
        sample: Some of its cells.
        column: Its name, and the marks that mean "not known".
        numbers: What they say as numbers.
        dates: What they say as moments.
        votes: What the other columns of the file say.
        decimal: `.` or `,` where a person said so, else empty.
    """
    if not sample:
        return Guess("string", column)
    if numbers.is_long and (counted := as_moments(sample, Guess("number", column, numbers))) is not None:
        return counted
    if not numbers.is_code:
        found = _as_numbers(sample, column, numbers, votes.decimal, decimal)
        if found is not None:
            return as_moments(sample, found) or found
    if dates is not None and votes.order in dates.orders[1:]:
        dates = date_evidence(sample, order=votes.order)
    if dates is not None and dates.n_read >= (1 - MIXED_SHARE) * numbers.n_cells:
        column = replace_column(column, type="datetime", format=dates.format)
        return Guess("datetime", column, numbers, dates, dates.doubts)
    if dates is not None and (marked := _marked_moments(sample, column, numbers, dates)) is not None:
        return marked
    words = {cell.casefold() for cell in sample}
    if words <= {"true", "false"} or (len(words) > 2 and all(truth_of(w) is not None for w in words)):
        return Guess("boolean", replace_column(column, type="boolean"), numbers)
    return Guess("string", column, numbers, dates)


def replace_column(column: Column, **changes: object) -> Column:
    """Return a column with other fields."""
    return msgspec.structs.replace(column, **changes)


def _as_numbers(sample: Sample, column: Column, found: NumberEvidence, vote: str, wanted: str) -> Guess | None:
    if not found.n_numbers:
        return None
    decimal = wanted or ("," if found.commas > found.points else "." if found.points else vote or ".")
    doubts: list[str] = []
    is_mixed = bool(found.unit) and MIXED_SHARE * found.n_numbers < found.n_bare
    is_scaled = found.unit.casefold().rstrip(".") in _SCALES
    if is_mixed and is_scaled:
        return None
    if is_mixed or (is_scaled and found.n_bare):
        have = "has" if found.n_bare == 1 else "have"
        are = "is" if found.n_bare == 1 else "are"
        doubts.append(
            f"{found.n_bare:,} of {found.n_numbers:,} numbers {have} no unit and {are} read as {found.unit}, too"
        )
    if found.open_cell and not wanted and not (found.points or found.commas):
        value = read_text(found.open_cell, decimal, found.unit)
        why = "as other columns have it" if vote else "nothing in the file tells"
        cell = f"`{found.open_cell}` is read as {value:.12g} ({why})"
        doubts.append(f'{cell}; if that is wrong, write decimal = "{_other(decimal)}" in schema.toml')
    doubts += about_codes(column.name, sample)
    read = {cell: n for cell, n in sample.items() if read_text(cell, decimal, found.unit) is not None}
    rest = {cell: n for cell, n in sample.items() if cell not in read}
    n_rest = sum(rest.values())
    column = replace_column(column, type="number", decimal=decimal, unit=found.unit)
    if n_rest <= MIXED_SHARE * found.n_cells:
        return Guess("number", column, found, None, tuple(doubts))
    if _are_marks(rest, n_rest, found.n_cells, len(read)):
        shown = " and ".join(f"`{word}`" for word in rest)
        doubts.append(f'{shown} beside numbers is read as missing; if it is a value, make the type "category"')
        column = replace_column(column, missing=(*(MISSING if column.missing is None else column.missing), *rest))
        return Guess("number", column, found, None, tuple(doubts))
    return None


def as_moments(sample: Sample, found: Guess) -> Guess | None:
    """Take whole numbers for moments where they count or spell some; None: they do not."""
    counted = None if found.column.unit else counted_moment(sample, found.column.name, MIXED_SHARE)
    if counted is None:
        return None
    column = replace_column(found.column, type="datetime", format=counted.format)
    return replace(found, kind="datetime", column=column, doubts=(counted.doubt,))


def _marked_moments(sample: Sample, column: Column, numbers: NumberEvidence, dates: DateEvidence) -> Guess | None:
    """Read moments beside few words, or days that are none as `0000-00-00`, which stand for "not known"."""
    order = dates.orders[0] if dates.orders else ""
    rest = {cell: n for cell, n in sample.items() if read_moment(cell, order) is None}
    is_told = all(c in "09" for cell in rest for c in cell if c.isdigit())
    n_rest = sum(rest.values())
    if not is_told or len(rest) > MAX_MARKS or n_rest >= MARKED_SHARE * numbers.n_cells:
        return None
    shown = " and ".join(f"`{word}`" for word in rest)
    doubt = f'{shown} beside moments is read as missing; if it is a value, make the type "category"'
    marks = (*(MISSING if column.missing is None else column.missing), *rest)
    column = replace_column(column, type="datetime", format=dates.format, missing=marks)
    return Guess("datetime", column, numbers, dates, (doubt, *dates.doubts))


def _are_marks(rest: Sample, n_rest: int, n_cells: int, n_different: int) -> bool:
    few = len(rest) <= MAX_MARKS and n_rest < MARKED_SHARE * n_cells
    return few and n_different > FEW_NUMBERS and not any(c.isdigit() for cell in rest for c in cell)


def _other(decimal: str) -> str:
    return "," if decimal == "." else "."


def of_type(held: Any, column: Column, sample: Sample) -> Guess:
    """Say how a column is held whose source states its type; whole numbers may count moments there, too."""
    if held == pl.Int64 or held == pl.Float64:
        found = Guess("number", replace_column(column, type="integer" if held == pl.Int64 else "number"))
        return (as_moments(sample, found) if sample and held == pl.Int64 else None) or found
    if isinstance(held, pl.Datetime):
        return Guess("datetime", replace_column(column, type="datetime"))
    return Guess("string", column)
