"""Watch the words of a column: whether they are free text, differ only in spelling, or look like something else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from palio.core.records import WordReading
from palio.core.scripts import A_WORD, SPACELESS_CLASS
from palio.core.words import counted
from palio.data.cells import unread
from palio.data.cells.evidence import Guess

TEXT_WORDS = 3.0
"""From this many words a cell on average, a column of many different values is text."""
TEXT_CHARACTERS = 40.0
SEEN_ONCE, FEWEST = 0.2, 20
"""From this share of the cells on that hold what no other cell holds, and more than so many, they are hardly ever the
same, though most of the others may say one thing (`ok`, `thanks`)."""
LOOKS_LIKE = 0.5
"""From this share of cells on that are numbers or moments, it is told that a column is none."""
FREQUENT = 0.01
"""A mark for "missing" that stands in this share of the rows of a column of words may be one of its values."""


MOST_CHARACTERS = WordReading(input="").most_characters
"""Of a text that are read at most; networks read less, which is told once it is known how much."""
_CLOCK = re.compile(r"-?\d{1,3}:[0-5]\d(:[0-5]\d([.,]\d+)?)?( ?[ap]\.?m\.?)?$", re.IGNORECASE)
_SHOWN_VALUES = 200


class Words:
    """What is known about the words of a column."""

    def __init__(self) -> None:
        self.marks: Counter[str] = Counter()
        """Cells that were taken as missing, as they are written."""
        self._length = self._words = 0.0
        self._n_longer = 0

    def add(self, present: pl.Series, *, counts_blanks: bool) -> None:
        """Take in more cells, none of them missing."""
        lengths = present.str.len_chars()
        self._length += int(lengths.sum() or 0)
        self._n_longer += int((lengths > MOST_CHARACTERS).sum())
        self._words += len(present)
        if counts_blanks:
            self._words += int(present.str.count_matches(" ", literal=True).sum() or 0)
            if int(present.str.len_bytes().sum() or 0) > int(lengths.sum() or 0):
                self._words += int(present.str.count_matches(f"[{SPACELESS_CLASS}]").sum() or 0) / A_WORD

    def are_text(self, counts: Mapping[str, int] | None, n: int) -> bool:
        """Tell whether the cells are free text: long, and hardly ever the same."""
        is_long = self._words >= TEXT_WORDS * n or self._length >= TEXT_CHARACTERS * n
        return is_long and are_many(counts, n)

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
        looks = _looks(guess, is_text=self.are_text(counts, n))
        return (looks or ([] if name_rows else _clocks(some) or unread.about(some))) + self._about_length(n)

    def _about_length(self, n: int) -> list[str]:
        """Say how many of `n` texts are longer than what a model reads of them."""
        if not self._n_longer:
            return []
        goes = "goes" if self._n_longer == 1 else "go"
        return [
            f"{self._n_longer:,} of {counted(n, 'text')} {goes} on behind {MOST_CHARACTERS:,} characters: models read "
            "no further; where what counts stands behind, cut the texts into rows"
        ]

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


def are_many(counts: Mapping[str, int] | None, n: int) -> bool:
    """Tell whether values are hardly ever the same; `counts`: how often each occurs, None: there are too many.

    Example:
        >>> are_many({"a": 30, "b": 30}, 60), are_many({str(row): 1 for row in range(30)} | {"ok": 70}, 100)
        (False, True)
    """
    if counts is None or len(counts) > max(FEWEST, 0.5 * n) or (len(counts) > 0.9 * n and n >= 10):
        return True
    return sum(times == 1 for times in counts.values()) > max(FEWEST, SEEN_ONCE * n)


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
