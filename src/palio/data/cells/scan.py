"""Watch one column go by: how it is written, its range, its categories, whether its values are all different."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from palio.core.cells import MISSING, label
from palio.core.records import Column, ColumnType
from palio.data.cells.dates import DateEvidence, date_evidence
from palio.data.cells.evidence import (
    MIXED_SHARE,
    Guess,
    NumberEvidence,
    Votes,
    guess,
    number_evidence,
    of_type,
    replace_column,
)
from palio.data.cells.frame import Cells, read_frame
from palio.data.cells.order import DayOrder, Order, about_far_years, about_short_years, written_day
from palio.data.cells.sentinels import Sentinels
from palio.data.cells.specimens import specimens
from palio.data.cells.uniqueness import Numbers, Uniqueness
from palio.data.cells.words import Words
from palio.data.classes import look_alike, together
from palio.measure import MAX_DISTINCT

MAX_CATEGORIES = 1_000
"""A column with more known values has no list of them in its contract."""
SAMPLE_CELLS = 20_000
"""Cells that a column is judged by before the others are read."""
SAMPLE_VALUES = 2_000
MAX_TRIES = 3
"""How often a column that turns out to be written in another way than its first cells is read again."""
KEPT_WRONG = 1_000
FREQUENT_CLASS = 0.05
"""A class that is called `None` stands in more than this share of the rows."""
HUGE = r"^[+-]?\d{19,}$"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person said of how cells are written; empty: find out."""

    decimal: str = ""
    order: str = ""


class ColumnScan:
    """What is known about a column so far. `look` at the first cells, then `add` all of them, then ask for `column`."""

    def __init__(self, column: Column, *, target: bool = False, wishes: Wishes | None = None) -> None:
        self.name = column.name
        self.n_rows = self.n_missing = self.n_wrong = 0
        self.low: float | None = None
        self.high: float | None = None
        self.has_fraction = self.has_huge = False
        self.order = Order()
        self.unique = Uniqueness()
        self.sentinels = Sentinels()
        self.counts: Counter[Any] | None = Counter()
        self.wrong: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.is_contradicted = False
        self.evidence: NumberEvidence | None = None
        self.dates: DateEvidence | None = None
        self.days: DayOrder | None = None
        self.words = Words()
        self.kept: tuple[str, ...] = ()
        self._given = self._column = column
        self._target = target
        self._wishes = wishes or Wishes()
        self._sample: Counter[str] = Counter()
        self._guess: Guess | None = None
        self._unread: Counter[str] = Counter()
        self._tries = 0

    # ── what roles ask ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def n_present(self) -> int:
        """Cells that are not missing."""
        return self.n_rows - self.n_missing

    @property
    def n_gaps(self) -> int:
        """Cells that are missing, or count as missing because they cannot be read."""
        return self.n_missing + self.n_wrong

    @property
    def is_consecutive(self) -> bool:
        """Whether each whole number is one more than the one before."""
        return self.order.is_consecutive

    @property
    def is_constant(self) -> bool:
        """Whether the column says the same in every row (or nothing)."""
        if self.n_present == 0:
            return True
        if self._is_text:
            return self.counts is not None and len(self.counts) == 1 and self.n_missing == 0
        return self.low == self.high and self.n_missing == 0 and self.n_wrong == 0

    @property
    def _is_text(self) -> bool:
        return self._guess is not None and self._guess.kind in ("string", "boolean")

    def label_counts(self) -> dict[str, int] | None:
        """Return how often each value occurs; None if there are more than 10,000."""
        if self.counts is None:
            return None
        labels: Counter[str] = Counter()
        for value, n in self.counts.items():
            labels[label(value)] += n
        return together(labels) if self._column.fold else dict(labels)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, cells: pl.Series) -> bool:
        """Take the first cells that are there as a sample; tell whether this was the first time that any were."""
        if self._guess is not None or self.evidence is not None or cells.null_count() == len(cells):
            return False
        is_whole = cells.dtype == pl.Int64
        if cells.dtype == pl.String or is_whole:
            present = cells.head(SAMPLE_CELLS).drop_nulls()
            present = present if len(present) else cells.drop_nulls().head(SAMPLE_CELLS)
            present = present.cast(pl.String) if is_whole else present
            # in the order of the file: what is guessed must not depend on chance
            counted = present.to_frame("0").group_by("0", maintain_order=True).len().head(SAMPLE_VALUES)
            self._sample.update(dict(counted.iter_rows()))
        self._weigh()
        return True

    def _weigh(self) -> None:
        self.evidence = number_evidence(self._sample, self.name)
        may_be_dates = self._sample and 2 * self.evidence.n_numbers < self.evidence.n_cells
        self.dates = date_evidence(self._sample, wanted=self._wishes.order) if may_be_dates else None

    def begin(self, votes: Votes, held: Any) -> None:
        """Settle how the column is written, once the other columns have been looked at, too."""
        if self._guess is not None or self.evidence is None:
            return
        if held == pl.String and self._tries < MAX_TRIES:
            self._guess = guess(
                self._sample,
                self._column,
                self.evidence,
                self.dates,
                votes=votes,
                decimal=self._wishes.decimal,
            )
            if self._guess.kind == "boolean" and self._target:
                truths = {c.casefold() for c in self._sample} <= {"true", "false"}
                self._guess = self._guess if truths else Guess("string", self._column, self.evidence)
        else:
            self._guess = of_type(held, self._column, self._sample)
        self._column = self._guess.column
        if self._guess.kind == "number" and held in (pl.String, pl.Int64):
            self._column = replace_column(self._column, type="integer")
        self.sentinels = Sentinels(of_moments=self._column.type == "datetime")
        if self._guess.dates is not None and self._guess.kind == "datetime":
            self.days = DayOrder(self._guess.dates, wished=bool(self._wishes.order))

    def add(self, cells: pl.Series, first_row: int, *, marks: Counter[str] | None = None) -> None:
        """Take in more cells: blanks cut, missing marks null.

        Args:
            cells: The cells.
            first_row: Position of the first in the source.
            marks: Missing marks that were made null, and how often each was there.
        """
        if self.is_contradicted:
            return
        self.words.marks.update(marks or ())
        self.n_rows += len(cells)
        n_missing = cells.null_count()
        if self._guess is None or n_missing == len(cells):
            self.n_missing += n_missing
            return
        if cells.dtype == pl.String and self._column.missing is not None:
            own = cells.is_in(sorted(self._column.missing)).fill_null(value=False)
            if own.any():
                cells = cells.zip_with(~own, pl.Series([None], dtype=pl.String).new_from_index(0, len(cells)))
                n_missing = cells.null_count()
        self.n_missing += n_missing
        if self._guess.kind == "string":
            self._add_text(cells.drop_nulls() if n_missing else cells)
            return
        read = self._read(cells)
        if self.days is not None:
            self.days.add(cells)
        if read.unread is not None and not self._bear(read, first_row):
            return
        self._show(read)
        if self._guess.kind == "boolean":
            self._count(read.values.drop_nulls())
            return
        self._add_values(read.values)

    def _read(self, cells: pl.Series) -> Cells:
        if self._column.type == "integer" and self._has_decimals(cells):
            self._column = replace_column(self._column, type="number")
            self.order.is_consecutive = False
        read = read_frame(cells.to_frame("0"), [self._column])[0]
        if read.unread is None or self._column.type != "integer":
            return read
        self.has_huge |= cells.dtype == pl.String and bool(cells.str.contains(HUGE).any())
        wider = replace_column(self._column, type="number")
        again = read_frame(cells.to_frame("0"), [wider])[0]
        if again.values.null_count() < read.values.null_count():
            self._column = wider
            self.order.is_consecutive = False
            return again
        return read

    def _has_decimals(self, cells: pl.Series) -> bool:
        """Tell whether numbers are written with decimals or a power, though they may be whole."""
        if cells.dtype != pl.String:
            return False
        rest = cells.filter(cells.cast(pl.Int64, strict=False).is_null() & cells.is_not_null())
        pattern = r"^[+-]?\d*\.\d*$|\d[eE]" if self._column.decimal == "." else r"^[+-]?\d*,\d*$|\d[eE]"
        return bool(len(rest) and rest.str.contains(pattern).any())

    def _bear(self, read: Cells, first_row: int) -> bool:
        """Count cells that cannot be read; tell whether they are few enough."""
        assert read.unread is not None  # noqa: S101 — asked only where some are
        places = read.unread.arg_true()
        self.n_wrong += len(places)
        for row, cell in zip(places.head(10).to_list(), read.raw.gather(places.head(10)).to_list(), strict=True):
            if len(self.wrong) < 10:
                self.wrong.setdefault(str(cell)[:80], first_row + row)
        if len(self._unread) < KEPT_WRONG:
            self._unread.update(str(cell) for cell in read.raw.gather(places.head(KEPT_WRONG)).to_list())
        # judged on all cells so far, so that one bad stretch decides nothing
        if self.n_wrong <= MIXED_SHARE * self.n_present:
            return True
        was_guessed = self._guess is not None and self._guess.kind == "datetime" and read.raw.dtype == pl.Int64
        if read.raw.dtype != pl.String and not (was_guessed and self._tries < MAX_TRIES):
            # what the source says that it is, it is; infinities then mean "not known"
            usual = MISSING if self._column.missing is None else self._column.missing
            self._column = replace_column(self._column, missing=tuple(dict.fromkeys((*usual, *self._unread))))
            return True
        self.is_contradicted = True
        return False

    def wider(self) -> ColumnScan:
        """Begin again with what contradicted the first cells as evidence, too; after three times as text."""
        wanted = self._wishes.order or (self.days.wants if self.days is not None else "")
        again = ColumnScan(self._given, target=self._target, wishes=Wishes(self._wishes.decimal, wanted))
        again._tries = self._tries + 1
        # the cells that could not be read weigh as much as they did among all
        scale = max(
            1, round(sum(self._sample.values()) * self.n_wrong / max(1, self.n_present * sum(self._unread.values())))
        )
        again._sample = self._sample + Counter({cell: n * scale for cell, n in self._unread.items()})
        again._weigh()
        return again

    def _add_text(self, present: pl.Series) -> None:
        present = present if present.dtype == pl.String else present.cast(pl.String)
        self.unique.add(present)
        self._count(present)
        self.words.add(present, counts_blanks=self.counts is None or len(self.counts) > 20)

    def _add_values(self, values: pl.Series) -> None:
        values = values.drop_nulls()
        if not len(values):
            return
        if isinstance(values.dtype, pl.Datetime):
            numbers: Numbers = values.to_physical().to_numpy() / 1e6
        else:
            numbers = values.to_numpy()
        self.sentinels.add(numbers)
        self._widen(numbers)
        if self._column.type != "number":
            self.order.add(numbers)
            self.unique.add(numbers)
        if self._target:
            self._count(pl.Series(numbers))

    def _show(self, read: Cells) -> None:
        if len(self.examples) < 3:
            for cell, shown in specimens(read, self._column)[: 3 - len(self.examples)]:
                self.examples.setdefault(cell, shown)

    def _widen(self, numbers: Numbers) -> None:
        low, high = float(numbers.min()), float(numbers.max())
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        if numbers.dtype == np.float64 and not self.has_fraction:
            self.has_fraction = bool((numbers != np.floor(numbers)).any())

    def _count(self, present: pl.Series) -> None:
        if self.counts is None:
            return
        for value, n in present.value_counts().iter_rows():
            self.counts[value] += n
        if len(self.counts) > MAX_DISTINCT:
            self.counts = None

    # ── what was found ──────────────────────────────────────────────────────────────────────────────────────────────

    def finish(self) -> None:
        """Judge what only the whole file can tell: whether another order of day and month fits it better."""
        if self.days is not None and not self.is_contradicted and self.days.settle(self.order):
            self.is_contradicted = True

    def keep_class_of_marks(self) -> None:
        """Take `None` for a class of the target where it looks like one: frequent, and no other mark beside it.

        Or where without it there would be one class alone.
        """
        marks = self.words.marks
        named = {mark: n for mark, n in marks.items() if mark.lower() in ("none", "nil")}
        is_class = (
            bool(named)
            and sum(named.values()) > FREQUENT_CLASS * self.n_rows
            and sum(marks.values()) == sum(named.values())
        )
        alone = self.counts is not None and len(self.counts) < 2 and bool(marks)
        if not self._is_text or self.counts is None or self.n_missing != sum(marks.values()) or not (is_class or alone):
            return
        kept = {mark: n for mark, n in (marks if alone else named).items() if mark}
        if not kept:
            return
        self.counts.update(kept)
        self.n_missing -= sum(kept.values())
        self.kept = tuple(kept)
        for mark in kept:
            del marks[mark]
        usual = MISSING if self._column.missing is None else self._column.missing
        self._column = replace_column(self._column, missing=tuple(m for m in usual if m not in kept))

    def column(self) -> Column:
        """Write down the contract of the column."""
        kind, note = self._type()
        categories = None
        counts = self.label_counts() if kind in ("category", "boolean") else None
        if counts is not None and len(counts) <= MAX_CATEGORIES:
            categories = tuple(sorted(counts, key=lambda v: (-counts[v], v)))
        ranged = kind in ("number", "integer", "datetime")
        return replace_column(
            self._column,
            type=kind,
            low=self.low if ranged else None,
            high=self.high if ranged else None,
            categories=categories,
            note=note,
        )

    def _type(self) -> tuple[ColumnType, str]:
        if self._guess is None:
            return "category", "every cell is missing"
        if self._guess.kind in ("number", "datetime"):
            what = "numbers" if self._guess.kind == "number" else "moments"
            note = ""
            if self.n_wrong:
                shown = ", ".join(f"`{value}` (data row {row + 1:,})" for value, row in list(self.wrong.items())[:3])
                cells = f"cell is no {what[:-1]}" if self.n_wrong == 1 else f"cells are no {what}"
                note = f"{self.n_wrong:,} {cells} and taken as missing: {shown}"
            elif self.has_huge:
                note = "holds integers beyond 64 bits: read as numbers with 15 digits"
            return self._column.type, note
        if self._guess.kind == "boolean":
            return "boolean", ""
        if self.words.are_text(self.counts, self.n_present):
            return "text", "long and hardly ever the same"
        return "category", ""

    def doubts(self) -> list[str]:
        """Say what a person should look at, one sentence each."""
        if self._guess is None:
            return []
        found = list(self._guess.doubts)
        if self.days is not None:
            found += self.days.doubts() + about_short_years(self._column.format, self.high)
        form, is_moment = self._column.format, self._column.type == "datetime"
        written = partial(written_day, form) if is_moment else "{:.12g}".format
        far = self.sentinels.doubts(self.words.marks, written)
        found += far + (about_far_years(form, self.high, is_told=bool(found or far)) if is_moment else [])
        if self._guess.kind == "string":
            some, is_name = list(self._sample), self.unique.holds
            found += self.words.doubts(self.label_counts(), self.n_present, self._guess, some, name_rows=is_name)
        if self.kept:
            shown = " and ".join(f"`{mark}`" for mark in self.kept)
            found.append(f"{shown} is taken for a class, not for a missing value")
        found += self.words.about_marks(self.n_rows, is_text=self._is_text, values=self.label_counts() or ())
        told = [f"`{self.name}`: {doubt}" for doubt in found]
        counts = self.label_counts() if self._guess.kind == "string" and not self._target else None
        if counts is not None and len(counts) <= MAX_CATEGORIES:  # of the target it is told with its classes
            told += look_alike(self.name, counts, what="value")
        return told
