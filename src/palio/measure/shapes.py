"""Say what a column looks like: of cells that are all at hand, or of cells that stream by.

A stream is described in two passes: a sample of the first sets the edges, the second counts every row into them.
Columns with up to `MAX_DISTINCT` different values are counted by value, and need no second pass.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.cells import label
from palio.core.records import ColumnShape
from palio.measure.bins import (
    AT_ONCE,
    EDGE_ROWS,
    N_CATEGORIES,
    N_FINE,
    bins_of,
    count,
    count_numbers,
    cut,
    decimals_of,
    ranked,
    tally,
    thin_rows,
)

Array = npt.NDArray[Any]
Rows = slice | Array

MAX_DISTINCT = 10_000
"""Different values are counted exactly up to here."""
Role = Literal["feature", "answer"]


class Moments:
    """Number, range, mean and standard deviation of the finite numbers that were added.

    Source: Chan, Golub and LeVeque 1983, The American Statistician 37(3): merge means and sums of squares.
    """

    def __init__(self) -> None:
        self.n = 0
        self._mean = self._squares = 0.0
        self._low, self._high = math.inf, -math.inf

    def add(self, numbers: Array) -> None:
        """Take in numbers, shape (n,), all finite."""
        if not len(numbers):
            return
        n_before, self.n = self.n, self.n + len(numbers)
        self._low, self._high = min(self._low, float(numbers.min())), max(self._high, float(numbers.max()))
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(numbers.mean())
            delta = np.float64(mean - self._mean)
            self._squares += float(((numbers - mean) ** 2).sum()) + float(delta**2) * n_before * len(numbers) / self.n
            self._mean += float(delta) * len(numbers) / self.n

    @property
    def low(self) -> float | None:
        """The smallest number; None if there was none."""
        return self._low if self.n else None

    @property
    def high(self) -> float | None:
        """The largest number; None if there was none."""
        return self._high if self.n else None

    def write(self, column: ColumnShape) -> ColumnShape:
        """Write range, mean and standard deviation down; None where there is none, or it is too large for a float."""
        mean = self._mean if self.n and math.isfinite(self._mean) else None
        spread = None
        if mean is not None and self.n > 1 and math.isfinite(self._squares):
            spread = math.sqrt(self._squares / (self.n - 1))
        return msgspec.structs.replace(column, low=self.low, high=self.high, mean=mean, standard_deviation=spread)


class NumberDescriber:
    """Describe numbers that stream by: first `add` all; then, unless `is_counted`, `fill` with all; then `finish`."""

    def __init__(self, name: str, *, is_moment: bool = False) -> None:
        self._name, self._is_moment = name, is_moment
        self._moments = Moments()
        self._n_missing = 0
        self._sample: list[Array] = []
        self._values: Counter[float] | None = Counter()
        self._edges: tuple[float, ...] | None = None
        self._counts: Array | None = None

    @property
    def is_counted(self) -> bool:
        """Whether the rows need not be seen again."""
        return self._values is not None

    def add(self, numbers: Array, picks: Array) -> None:
        """Take in numbers, shape (n_rows,), NaN for missing; those at `picks` belong to the sample of the edges."""
        self._sample.append(numbers[picks])
        present = numbers[~np.isnan(numbers)]
        self._n_missing += len(numbers) - len(present)
        self._moments.add(present)
        if self._values is None:
            return
        values, counts = np.unique(present, return_counts=True)
        if len(values) > MAX_DISTINCT:  # counting each of them would cost more than all else
            self._values = None
            return
        for value, n in zip(values.tolist(), counts.tolist(), strict=True):
            self._values[value] += n
        if len(self._values) > MAX_DISTINCT:
            self._values = None

    def thin(self) -> None:
        """Keep every other row of the sample."""
        kept = np.concatenate(self._sample) if self._sample else np.empty(0)
        self._sample = [kept[::2].copy()]

    def _cut(self) -> tuple[float, ...]:
        if self._edges is None:
            values = self._values
            is_few = values is not None and len(values) <= N_FINE
            self._edges, _ = cut(np.array(list(values or ())) if is_few else np.concatenate(self._sample))
        return self._edges

    def fill(self, numbers: Array) -> None:
        """Count the same numbers into the bins."""
        found, _, _ = count_numbers(self._cut(), numbers)
        self._counts = found if self._counts is None else self._counts + found

    def finish(self) -> ColumnShape:
        """Return the description."""
        edges, values = self._cut(), self._values
        if values is not None:
            places = np.searchsorted(np.array(edges), np.array(list(values)), side="right")
            counts = np.bincount(places, np.array(list(values.values())), len(edges) + 2).astype(np.int64)
            counts[-1] = self._n_missing
        else:
            counts = np.zeros(len(edges) + 2, np.int64) if self._counts is None else self._counts
        sample = np.concatenate(self._sample) if self._sample else np.empty(0)
        column = ColumnShape(
            name=self._name,
            source=self._name,
            kind="number",
            edges=edges,
            values=_one_a_bin(sorted(values or ()), edges),
            counts=tuple(counts.tolist()),
            n_distinct=None if values is None else len(values),
            decimals=() if self._is_moment else decimals_of(sample),
            is_moment=self._is_moment,
        )
        return self._moments.write(column)


class ValueDescriber:
    """Describe texts that stream by, counted value by value: `add` all, then `finish`."""

    def __init__(self, name: str, *, kind: Literal["category", "text"], n_values: int = N_CATEGORIES) -> None:
        self._name, self._n_values = name, n_values
        self._kind: Literal["category", "text"] = kind
        self._n_rows = self._n_missing = 0
        self._counts: Counter[str] = Counter()
        self.is_whole = True
        """Whether every different value is known."""

    def add(self, counted: Iterable[tuple[str, int]], *, n_rows: int, n_missing: int) -> None:
        """Take in rows, by value and its rows."""
        self._n_rows += n_rows
        self._n_missing += n_missing
        if not self.is_whole and self._kind == "text":
            return
        for value, n in counted:
            # once full, values that are already known are still counted, exactly since they were known early
            if self.is_whole or value in self._counts:
                self._counts[value] += n
        if self.is_whole and len(self._counts) > MAX_DISTINCT:
            self.is_whole = False
            self._counts = Counter(dict(self._counts.most_common(MAX_DISTINCT)))

    def known(self) -> tuple[str, ...]:
        """List the values that were seen, the most frequent first; not all of them if `is_whole` is not."""
        return ranked(self._counts)

    def finish(self) -> ColumnShape:
        """Return the description."""
        values = self.known()[: self._n_values] if self.is_whole or self._kind == "category" else ()
        counts = [self._counts[value] for value in values]
        return ColumnShape(
            name=self._name,
            source=self._name,
            kind=self._kind,
            values=values,
            counts=(*counts, self._n_rows - self._n_missing - sum(counts), self._n_missing),
            n_distinct=len(self._counts) if self.is_whole else None,
        )


def number_column(
    name: str,
    values: Array,
    *,
    blocks: Sequence[Rows] = (slice(None),),
    source: str = "",
    statistic: str = "",
    role: Role = "feature",
    is_moment: bool = False,
    vocabulary: bytes = b"",
    like: ColumnShape | None = None,
) -> ColumnShape:
    """Make the bins of a number and fill them.

    Args:
        name: Of the column.
        values: Shape (n_rows,).
        blocks: Runs of rows that are counted apart; together all rows, each once.
        source: Column that it is computed from; empty is the column itself.
        statistic: What is computed of it.
        role: Whose column it is.
        is_moment: Whether the numbers are seconds since 1970.
        vocabulary: Of the statistic `unseen_tokens`.
        like: Takes the edges of this column, as far as they part these numbers; None: makes its own.
    """
    numbers = np.asarray(values, np.float64)
    moments = Moments()
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        moments.add(some[np.isfinite(some)])
    edges, known, n_distinct = _like(like, moments) if like is not None else _own(numbers)
    column = ColumnShape(
        name=name,
        role=role,
        source=source or name,
        statistic=statistic,
        kind="number",
        edges=edges,
        values=known,
        counts=(0,) * (len(edges) + 2),
        n_distinct=n_distinct,
        decimals=() if statistic or role == "answer" or is_moment else decimals_of(numbers),
        is_moment=is_moment,
        vocabulary=vocabulary,
    )
    return _filled(moments.write(column), numbers, blocks)


def category_column(
    name: str,
    values: Array,
    *,
    blocks: Sequence[Rows] = (slice(None),),
    source: str = "",
    role: Role = "feature",
    known: Sequence[str] = (),
    kind: Literal["category", "text"] = "category",
    like: ColumnShape | None = None,
) -> ColumnShape:
    """Make the bins of a category and fill them; arguments as for numbers.

    Args:
        known: Values that have a bin even if no row holds them.
        kind: `text` if nearly every row has another value; then there are bins only if it is not so.
        like: Has a bin for each of the values of this column, as far as there is room.
    """
    counts = tally(values)
    is_whole = len(values) <= EDGE_ROWS and len(counts) <= MAX_DISTINCT
    seen = ranked(counts) if kind == "category" or len(counts) <= MAX_DISTINCT else ()
    wanted = (*(like.values if like is not None else ()), *seen, *known)
    chosen = tuple(dict.fromkeys(value for value in wanted if value))[:N_CATEGORIES]
    column = ColumnShape(
        name=name,
        role=role,
        source=source or name,
        kind=kind,
        values=chosen,
        counts=(0,) * (len(chosen) + 2),
        n_distinct=len(counts) if is_whole else None,
    )
    return _filled(column, values, blocks)


def _own(numbers: Array) -> tuple[tuple[float, ...], tuple[str, ...], int | None]:
    """Cut numbers at their own quantiles: edges, the value of each bin, different values."""
    edges, different = cut(numbers[thin_rows(len(numbers), EDGE_ROWS)])
    if len(numbers) > EDGE_ROWS:  # only a sample was looked at
        return edges, (), None
    return edges, _one_a_bin(different.tolist(), edges), len(different) if len(different) <= MAX_DISTINCT else None


def _like(column: ColumnShape, moments: Moments) -> tuple[tuple[float, ...], tuple[str, ...], int | None]:
    """Take the edges of a column that lie among the numbers, and the values between them."""
    low, high = moments.low, moments.high
    if low is None or high is None:
        return (), (), 0
    edges = tuple(edge for edge in column.edges if low < edge <= high)
    values = tuple(value for value in column.values if low <= float(value) <= high)
    return edges, values if len(values) == len(edges) + 1 else (), None


def _one_a_bin(different: Sequence[float], edges: Sequence[float]) -> tuple[str, ...]:
    return tuple(map(label, different)) if len(different) == len(edges) + 1 else ()


def _filled(column: ColumnShape, values: Array, blocks: Sequence[Rows]) -> ColumnShape:
    if column.kind != "number" or len(values) <= AT_ONCE:  # few rows: looking all up at once costs least
        places = bins_of(column, values)
        found = [tuple(np.bincount(places[rows], minlength=len(column.counts)).tolist()) for rows in blocks]
    else:
        found = [count(column, values[rows]).counts for rows in blocks]
    total: Array = np.asarray(found, np.int64).sum(axis=0)
    return msgspec.structs.replace(column, counts=tuple(total.tolist()), blocks=tuple(found) if len(found) > 1 else ())
