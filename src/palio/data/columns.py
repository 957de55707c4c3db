"""Watch one column go by: what type it can have, its range, its categories, whether its values are all different."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import numpy as np
import polars as pl

from palio.core.records import Column, ColumnType
from palio.data.values import DATE_FORMATS, label, moments, with_point

MAX_DISTINCT = 10_000
"""Distinct values are counted exactly up to here."""
MAX_CATEGORIES = 1_000
"""A column with more known values has no list of them in its contract."""
MIXED_SHARE = 0.05
"""A column with at most this share of other cells is still numbers; the others break its contract."""
MARKED_SHARE = 0.5
"""A column of texts with less than this share of other cells may be numbers with a mark for "no value"."""
MAX_MARKS = 2
FEW_NUMBERS = 20
"""Up to so many different numbers are rather categories, as `1`, `2`, `3+`."""
LOOK_AT_CELLS = 10_000
TEXT_WORDS = 3.0
"""From this many words a cell on average, a column of many different values is text."""
TEXT_CHARACTERS = 40.0
UNIQUE_SAMPLE = 1 << 18
"""Hashes kept to see whether values repeat."""

Numbers = np.ndarray[Any, Any]
"""Shape (n,), int64 or float64."""
Kind = Literal["", "integer", "number", "datetime", "string"]


class Uniqueness:
    """Tell whether all values differ, within bounded memory.

    Exact up to 262,144 values. Beyond, only values whose hash falls in a share (a half, a quarter, …) of all hashes
    are watched, but each of these at every occurrence: a column in which one value in a thousand repeats is found out.
    """

    def __init__(self) -> None:
        self.holds = True
        self._kept = np.empty(0, np.uint64)
        self._mask = 0

    def add(self, values: pl.Series | Numbers) -> None:
        """Watch more values, none of them missing."""
        if not self.holds:
            return
        hashes = values.hash(seed=0).to_numpy() if isinstance(values, pl.Series) else mixed(values)
        merged = np.concatenate([self._kept, hashes[(hashes & np.uint64(self._mask)) == 0]])
        merged.sort()
        if len(merged) > 1 and bool((merged[1:] == merged[:-1]).any()):
            self.holds = False
            self._kept = np.empty(0, np.uint64)
            return
        while len(merged) > UNIQUE_SAMPLE:
            self._mask = (self._mask << 1) | 1
            merged = merged[(merged & np.uint64(self._mask)) == 0]
        self._kept = merged


class ColumnScan:
    """What is known about a column so far. `add` cleaned cells, then ask for `column`."""

    def __init__(self, name: str, *, loose: bool, target: bool = False, decimal: str = ".") -> None:
        self.name = name
        self.n_rows = self.n_missing = self.n_wrong = 0
        self.low: float | None = None
        self.high: float | None = None
        self.has_fraction = self.has_huge = False
        self.is_consecutive = True
        self.order: set[str] = {"up", "down"}
        self.unique = Uniqueness()
        self.counts: Counter[Any] | None = Counter()
        self.wrong: dict[str, int] = {}
        self.formats: tuple[str, ...] = DATE_FORMATS
        self.is_contradicted = False
        self._loose = loose
        self._target = target
        self._decimal = decimal
        self._kind: Kind = ""
        self._only_text = False
        self._last: Any = None
        self._length = self._words = 0
        self._n_looked_at = 0
        self._no_numbers: Counter[str] = Counter()

    @property
    def kind(self) -> Kind:
        """What the cells are so far; empty while all are missing."""
        return self._kind

    @property
    def n_present(self) -> int:
        """Cells that are not missing."""
        return self.n_rows - self.n_missing

    @property
    def is_constant(self) -> bool:
        """Whether the column says the same in every row (or nothing)."""
        if self.n_present == 0:
            return True
        if self._kind == "string":
            return self.counts is not None and len(self.counts) == 1 and self.n_missing == 0
        return self.low == self.high and self.n_missing == 0 and self.n_wrong == 0

    def add(self, cells: pl.Series, first_row: int, *, has_codes: bool = False) -> None:
        """Take in more cells, cleaned: blanks cut, missing marks null.

        Args:
            cells: The cells.
            first_row: Position of the first in the source.
            has_codes: Whether some are digits with a leading zero: codes, whose zeros must not be lost.
        """
        n_missing = cells.null_count()
        self.n_rows += len(cells)
        self.n_missing += n_missing
        if self.is_contradicted or n_missing == len(cells):
            return
        present = cells.drop_nulls() if n_missing else cells
        if not self._kind:
            self._kind = self._first_guess(present, has_codes=has_codes)
        if self._kind == "string":
            self._add_text(present)
        elif self._kind == "datetime":
            self._add_moments(present)
        elif has_codes:
            self.is_contradicted = True
        else:
            self._add_numbers(cells, present, first_row)

    def wider(self) -> ColumnScan:
        """Begin again, as text, after the column contradicted its first cells."""
        again = ColumnScan(self.name, loose=self._loose, target=self._target, decimal=self._decimal)
        again._only_text = True
        return again

    def label_counts(self) -> dict[str, int] | None:
        """Return how often each value occurs; None if there are more than 10,000."""
        if self.counts is None:
            return None
        labels: Counter[str] = Counter()
        lower = self._is_boolean()
        for value, n in self.counts.items():
            labels[label(value).lower() if lower else label(value)] += n
        return dict(labels)

    def column(self) -> Column:
        """Write down the contract of the column."""
        kind, note = self._type()
        categories = None
        counts = self.label_counts() if kind in ("category", "boolean") else None
        if counts is not None and len(counts) <= MAX_CATEGORIES:
            categories = tuple(sorted(counts, key=lambda v: (-counts[v], v)))
        ranged = kind in ("number", "integer", "datetime") and self._kind != "string"
        return Column(
            name=self.name,
            type=kind,
            low=self.low if ranged else None,
            high=self.high if ranged else None,
            categories=categories,
            format=self.formats[0] if kind == "datetime" and self._loose_moments() else None,
            note=note,
        )

    def _loose_moments(self) -> bool:
        return self._kind == "datetime" and len(self.formats) < len(DATE_FORMATS)

    def _type(self) -> tuple[ColumnType, str]:
        if not self._kind:
            return "category", "every cell is missing"
        if self._kind in ("integer", "number", "datetime"):
            note = ""
            if self.n_wrong:
                shown = ", ".join(f"`{value}` (row {row + 1:,})" for value, row in list(self.wrong.items())[:3])
                note = f"{self.n_wrong:,} cells are not numbers: {shown}"
            elif self.has_huge:
                note = "holds integers beyond 64 bits: read as numbers with 15 digits"
            return self._kind, note
        if self._is_boolean():
            return "boolean", ""
        if self._is_text():
            return "text", "long and hardly ever the same"
        return "category", self._hidden_mark()

    def _hidden_mark(self) -> str:
        """Say so if texts are numbers but for one or two words: these may mean "no value" here."""
        n_others = self._no_numbers.total()
        is_mark = 0 < len(self._no_numbers) <= MAX_MARKS and n_others < MARKED_SHARE * self._n_looked_at
        if not is_mark or (self.counts is not None and len(self.counts) <= MAX_MARKS + FEW_NUMBERS):
            return ""
        marks = " and ".join(f"`{word}`" for word, _ in self._no_numbers.most_common())
        return f"numbers beside {marks}, so read as categories"

    def _is_boolean(self) -> bool:
        if self._kind != "string" or not self.counts:
            return False
        return {str(v).lower() for v in self.counts} <= {"true", "false"}

    def _is_text(self) -> bool:
        n = self.n_present
        many = self.counts is None or len(self.counts) > max(20, 0.5 * n) or (len(self.counts) > 0.9 * n and n >= 10)
        return many and (self._words >= TEXT_WORDS * n or self._length >= TEXT_CHARACTERS * n)

    def _first_guess(self, present: pl.Series, *, has_codes: bool) -> Kind:
        if present.dtype == pl.Int64:
            return "integer"
        if present.dtype == pl.Float64:
            return "number"
        if isinstance(present.dtype, pl.Datetime):
            return "datetime"
        if self._only_text:
            return "string"
        if self._loose and not has_codes:
            numbers = self._pointed(present).cast(pl.Float64, strict=False)
            if numbers.null_count() <= MIXED_SHARE * len(present):
                return "integer"
        if self._fitting(present.head(50), DATE_FORMATS):
            return "datetime"
        return "string"

    def _look_for_numbers(self, present: pl.Series) -> None:
        some = present.head(LOOK_AT_CELLS - self._n_looked_at)
        self._n_looked_at += len(some)
        others = some.filter(self._pointed(some).cast(pl.Float64, strict=False).is_null())
        self._no_numbers.update(others.to_list())

    def _add_text(self, present: pl.Series) -> None:
        if self._loose and self._n_looked_at < LOOK_AT_CELLS:
            self._look_for_numbers(present)
        self._length += int(present.str.len_chars().sum() or 0)
        self._words += len(present)
        self.unique.add(present)
        self._count(present)
        if self.counts is None or len(self.counts) > 20:
            self._words += int(present.str.count_matches(" ", literal=True).sum() or 0)

    def _add_moments(self, present: pl.Series) -> None:
        if present.dtype == pl.String:
            self.formats = self._fitting(present, self.formats)
            if not self.formats:
                self.is_contradicted = True
                return
            present = pl.select(moments(pl.lit(present), self.formats[0])).to_series()
        seconds = present.cast(pl.Datetime("us", "UTC")).to_physical().to_numpy() / 1e6
        self._widen(seconds)
        self._follow(seconds)
        self.unique.add(seconds)

    def _fitting(self, present: pl.Series, formats: tuple[str, ...]) -> tuple[str, ...]:
        if not present.str.contains(r"\d").all():
            return ()
        frame = pl.DataFrame({"cell": present})
        some = frame.head(20)
        fits = []
        for candidate in formats:
            expression = moments(pl.col("cell"), candidate).null_count()
            if some.select(expression).item() == 0 and frame.select(expression).item() == 0:
                fits.append(candidate)
        return tuple(fits)

    def _add_numbers(self, cells: pl.Series, present: pl.Series, first_row: int) -> None:
        numbers = self._read_numbers(cells, present, first_row) if present.dtype == pl.String else present.to_numpy()
        if numbers is None or not len(numbers):
            return
        self._widen(numbers)
        if self._kind == "integer":
            self._follow(numbers)
            self.unique.add(numbers)
        if self._target:
            self._count(pl.Series(numbers))

    def _pointed(self, cells: pl.Series) -> pl.Series:
        return cells if self._decimal == "." else pl.select(with_point(pl.lit(cells))).to_series()

    def _read_numbers(self, cells: pl.Series, present: pl.Series, first_row: int) -> Numbers | None:
        present = self._pointed(present)
        whole = present.cast(pl.Int64, strict=False) if self._kind == "integer" else None
        if whole is not None and whole.null_count() == 0:
            return whole.to_numpy()
        floats: Numbers = present.cast(pl.Float64, strict=False).to_numpy()  # what is no number becomes NaN
        if np.isfinite(floats).all():
            wrong = np.zeros(len(floats), bool)
        else:
            unread = present.cast(pl.Float64, strict=False).is_null().to_numpy()
            wrong = unread | np.isinf(floats)
        n_wrong = int(wrong.sum())
        if n_wrong:
            self._keep_wrong(cells, first_row)
            self.n_wrong += n_wrong
            # judged on all cells so far, so that one bad stretch decides nothing
            if self.n_wrong > MIXED_SHARE * self.n_present:
                self.is_contradicted = True
                return None
        right: Numbers = floats[~wrong & ~np.isnan(floats)]
        if whole is None:
            return right
        if whole.null_count() <= n_wrong:
            return right.astype(np.int64)
        huge = np.abs(right) >= 1e18
        n_huge = int(present.str.contains(r"^[+-]?\d{19,}$").sum() or 0) if huge.any() else 0
        if n_huge > len(right) / 2:  # nothing is measured to nineteen digits: these are names
            self.is_contradicted = True
            return None
        self.has_huge |= n_huge > 0
        self._kind = "number"
        self.is_consecutive = False
        return right

    def _keep_wrong(self, cells: pl.Series, first_row: int) -> None:
        numbers = self._pointed(cells).cast(pl.Float64, strict=False)
        bad = cells.is_not_null() & (numbers.is_null() | numbers.is_infinite())
        for i in bad.arg_true().head(10).to_list():
            if len(self.wrong) < 10:
                self.wrong.setdefault(str(cells[i])[:80], first_row + i)

    def _widen(self, numbers: Numbers) -> None:
        numbers = numbers if numbers.dtype != np.float64 else numbers[~np.isnan(numbers)]
        if not len(numbers):
            return
        low, high = float(numbers.min()), float(numbers.max())
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        if numbers.dtype == np.float64 and not self.has_fraction:
            self.has_fraction = bool((numbers != np.floor(numbers)).any())

    def _follow(self, numbers: Numbers) -> None:
        if not (self.is_consecutive or self.order):
            return
        joined = numbers if self._last is None else np.concatenate([[self._last], numbers])
        self._last = numbers[-1]
        before, after = joined[:-1], joined[1:]
        self.is_consecutive = self.is_consecutive and bool((after - before == 1).all())
        if not (after >= before).all():
            self.order.discard("up")
        if not (after <= before).all():
            self.order.discard("down")

    def _count(self, present: pl.Series) -> None:
        if self.counts is None:
            return
        for value, n in present.value_counts().iter_rows():
            self.counts[value] += n
        if len(self.counts) > MAX_DISTINCT:
            self.counts = None


def mixed(values: Numbers) -> Any:
    """Hash numbers to 64 bits, all of which depend on all of theirs.

    Source: Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators (the finalizer of splitmix64).
    """
    bits = np.ascontiguousarray(values).view(np.uint64).copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
