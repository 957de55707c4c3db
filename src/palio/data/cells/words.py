"""Watch the words of a column: whether they are free text, differ only in spelling, or look like something else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from palio.core.words import counted
from palio.data.cells import unread
from palio.data.cells.evidence import Guess

TEXT_WORDS = 3.0
"""From this many words a cell on average, a column of many different values is text."""
TEXT_CHARACTERS = 40.0
LOOKS_LIKE = 0.5
"""From this share of cells on that are numbers or moments, it is told that a column is none."""
FREQUENT = 0.01
"""A mark for "missing" that stands in this share of the rows of a column of words may be one of its values."""


_CLOCK = re.compile(r"-?\d{1,3}:[0-5]\d(:[0-5]\d([.,]\d+)?)?( ?[ap]\.?m\.?)?$", re.IGNORECASE)
_SHOWN_VALUES = 200


class Words:
    """What is known about the words of a column."""

    def __init__(self) -> None:
        self.marks: Counter[str] = Counter()
        """Cells that were taken as missing, as they are written."""
        self._length = self._words = 0

    def add(self, present: pl.Series, *, counts_blanks: bool) -> None:
        """Take in more cells, none of them missing."""
        self._length += int(present.str.len_chars().sum() or 0)
        self._words += len(present)
        if counts_blanks:
            self._words += int(present.str.count_matches(" ", literal=True).sum() or 0)

    def are_text(self, counts: Mapping[str, int] | None, n: int) -> bool:
        """Tell whether the cells are free text: long, and hardly ever the same."""
        many = counts is None or len(counts) > max(20, 0.5 * n) or (len(counts) > 0.9 * n and n >= 10)
        return many and (self._words >= TEXT_WORDS * n or self._length >= TEXT_CHARACTERS * n)

    def doubts(
        self,
        counts: Mapping[str, int] | None,
        n: int,
        guess: Guess,
        values: Sequence[str] = (),
        *,
        name_rows: bool = False,
    ) -> list[str]:
        """Say what the values look like beside what they are taken for.

        Args:
            counts: The different values and how often each occurs; None: there are too many.
            n: Cells that are not missing.
            guess: What they are taken for.
            values: Some of the values.
            name_rows: Whether there is another one in every row: then nothing is learned from them.
        """
        some = sorted(counts if counts else values)
        return _looks(guess, is_text=self.are_text(counts, n)) or (
            [] if name_rows else _clocks(some) or unread.about(some)
        )

    def about_marks(self, n_rows: int, *, is_text: bool, values: Iterable[str] = ()) -> list[str]:
        """Say which words were taken for "missing" where they may be values.

        Args:
            n_rows: Of the column.
            is_text: Whether the column holds words.
            values: What is in it: a mark that is written as all of them may be one of them, however rare.
        """
        shapes = {(len(value), value.isupper(), value.isalpha()) for value in values}
        alike = shapes.pop() if len(shapes) == 1 else None
        told = {
            mark: n
            for mark, n in self.marks.items()
            if is_text
            and mark
            and (n > max(1, FREQUENT * n_rows) or (len(mark), mark.isupper(), mark.isalpha()) == alike)
        }
        if not told:
            return []
        shown = ", ".join(
            f"`{mark}` ({counted(n, 'row')})" for mark, n in sorted(told.items(), key=lambda one: -one[1])[:4]
        )
        return [
            f"{shown} {'is' if len(told) == 1 else 'are'} taken as missing; for a value of its own write missing = []"
        ]


def _looks(guess: Guess, *, is_text: bool) -> list[str]:
    numbers, dates = guess.numbers, guess.dates
    if numbers is None or not numbers.n_cells:
        return []
    if dates is not None and dates.n_read >= LOOKS_LIKE * numbers.n_cells:
        return [_mostly("moments", dates.n_read, numbers.n_cells, "")]
    if is_text:
        return []
    if numbers.is_long:
        return ["more digits than a number keeps, so read as a code, a category"]
    if numbers.is_code:
        return ["digits with leading zeros, so read as a code, a category"]
    if numbers.n_numbers >= LOOKS_LIKE * numbers.n_cells and numbers.n_different > 2:
        others = " and ".join(f"`{word}`" for word, _ in numbers.others.most_common(2))
        return [_mostly("numbers", numbers.n_numbers, numbers.n_cells, others)]
    return []


def _clocks(values: Sequence[str]) -> list[str]:
    some = values[:_SHOWN_VALUES]
    if len(some) < 2 or not all(map(_CLOCK.match, some)):
        return []
    return [f"times of day or durations, as `{some[0]}`, are read as categories; for an order write them as numbers"]


def _mostly(what: str, n: int, n_cells: int, others: str) -> str:
    share = f"{100 * n / n_cells:.0f} % of the cells look like {what}" if n < n_cells else f"the cells look like {what}"
    tail = f", others are {others}" if others else ", but not all in one way"
    return f"{share}{tail}, so read as categories; in schema.toml the type can be changed"
