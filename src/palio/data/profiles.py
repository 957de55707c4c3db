"""Describe what rows look like, column by column, in two passes: where the bins are, then how much is in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from palio.core.cells import label
from palio.core.records import Column, ColumnProfile, Profile, Schema
from palio.data.cells.scan import MAX_DISTINCT

N_BINS = 64
SAMPLE_ROWS = 65_536
"""Rows whose quantiles set the bin edges. The counts in the bins are exact."""
N_TOP = 100
N_TOP_TARGET = 1_000
_NUMERIC = ("number", "integer", "datetime")


def profile_of(rows: pl.DataFrame | Callable[[], Iterable[pl.DataFrame]], schema: Schema) -> Profile:
    """Describe a frame, or rows that come in frames and can be asked for twice.

    Args:
        rows: A frame, or a function that gives the same frames at each call. The bin edges depend on the rows alone,
            the last digits of mean and deviation also on where the frames end.
        schema: The columns to describe; those absent from the rows are left out.

    Example:
        >>> schema = Schema(columns=(Column(name="x", type="number"),))
        >>> profile_of(pl.DataFrame({"x": [1.0, 2.0, None]}), schema).columns[0].mean
        1.5
    """
    frames: Callable[[], Iterable[pl.DataFrame]] = (lambda: (rows,)) if isinstance(rows, pl.DataFrame) else rows
    profiler: Profiler | None = None
    for frame in frames():
        held = frame.schema
        profiler = profiler or Profiler([c for c in schema.columns if c.name in held], target=schema.target)
        profiler.add(frame)
    profiler = profiler or Profiler([], target=None)
    for frame in frames():
        profiler.fill(frame)
    return profiler.finish()


class Profiler:
    """Describe rows that stream by: first `add` all of them, then `fill` the bins with all of them, then `finish`."""

    def __init__(self, columns: list[Column], *, target: str | None) -> None:
        self._n_rows = 0
        self._step = 1
        self._columns = {
            c.name: (_Numbers(c) if c.type in _NUMERIC else _Texts(c, N_TOP_TARGET if c.name == target else N_TOP))
            for c in columns
        }

    def add(self, frame: pl.DataFrame) -> None:
        """Take in rows: counts, moments, categories, and a sample for the bin edges."""
        # every step-th row of all, whatever the frames: the sample depends on the rows alone
        first = -self._n_rows % self._step
        picks = np.arange(first, frame.height, self._step)
        for name, column in self._columns.items():
            column.add(frame[name], picks)
        self._n_rows += frame.height
        while self._n_rows > SAMPLE_ROWS * self._step:
            self._step *= 2
            for column in self._columns.values():
                column.thin()

    def fill(self, frame: pl.DataFrame) -> None:
        """Count the same rows into the bins."""
        for name, column in self._columns.items():
            column.fill(frame[name])

    def finish(self) -> Profile:
        """Return the description."""
        return Profile(n_rows=self._n_rows, columns=tuple(c.finish() for c in self._columns.values()))


class _Numbers:
    def __init__(self, column: Column) -> None:
        self.column = column
        self.n_rows = self.n_missing = 0
        self.mean = self.squares = 0.0
        self.low, self.high = np.inf, -np.inf
        self.sample: list[np.ndarray] = []
        self.counts: Counter[float] | None = Counter()
        self.edges: np.ndarray | None = None
        self.bins = np.zeros(0, np.int64)

    @staticmethod
    def _floats(cells: pl.Series) -> np.ndarray:
        if isinstance(cells.dtype, pl.Datetime):
            return cells.to_physical().cast(pl.Float64).to_numpy() / 1e6
        return cells.cast(pl.Float64).to_numpy()  # a missing cell becomes NaN

    def add(self, cells: pl.Series, picks: np.ndarray) -> None:
        numbers = self._floats(cells)
        self.sample.append(numbers[picks])
        present = numbers[~np.isnan(numbers)]
        n_before = self.n_rows - self.n_missing
        self.n_rows += len(numbers)
        self.n_missing += len(numbers) - len(present)
        if not len(present):
            return
        self.low, self.high = min(self.low, float(present.min())), max(self.high, float(present.max()))
        # Chan, Golub and LeVeque 1983, The American Statistician 37(3): merge means and sums of squares
        mean = float(present.mean())
        n = n_before + len(present)
        delta = mean - self.mean
        self.squares += float(((present - mean) ** 2).sum()) + delta**2 * n_before * len(present) / n
        self.mean += delta * len(present) / n
        if self.counts is not None:
            for value, count in zip(*(part.tolist() for part in np.unique(present, return_counts=True)), strict=True):
                self.counts[value] += count
            if len(self.counts) > MAX_DISTINCT:
                self.counts = None

    def thin(self) -> None:
        kept = np.concatenate(self.sample) if self.sample else np.empty(0)
        self.sample = [kept[::2].copy()]

    def _cut(self) -> np.ndarray:
        if self.counts is not None and len(self.counts) <= N_BINS:
            values = np.array(sorted(self.counts))
            # each value has a bin of its own; a single value has one without width
            inner = (values[1:] + values[:-1]) / 2
            return np.concatenate([values[:1], inner, values[-1:]]) if len(values) else np.empty(0)
        sample = np.concatenate(self.sample)
        inner = np.quantile(sample[~np.isnan(sample)], np.linspace(0, 1, N_BINS + 1)[1:-1], method="lower")
        inner = np.unique(inner)
        inner = inner[(inner > self.low) & (inner < self.high)]
        return np.concatenate([[self.low], inner, [self.high]])

    def fill(self, cells: pl.Series) -> None:
        if self.edges is None:
            self.edges = self._cut() if self.n_rows > self.n_missing else np.empty(0)
            self.bins = np.zeros(max(0, len(self.edges) - 1), np.int64)
        if not len(self.bins):
            return
        numbers = self._floats(cells)
        place = np.searchsorted(self.edges[1:-1], numbers[~np.isnan(numbers)], side="right")
        self.bins += np.bincount(place, minlength=len(self.bins))

    def finish(self) -> ColumnProfile:
        n = self.n_rows - self.n_missing
        edges = self.edges if self.edges is not None else np.empty(0)
        top: tuple[tuple[str, int], ...] = ()
        if self.counts is not None and len(self.counts) <= N_BINS:
            ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
            top = tuple((label(value), count) for value, count in ranked)
        return ColumnProfile(
            name=self.column.name,
            type=self.column.type,
            n_rows=self.n_rows,
            n_missing=self.n_missing,
            n_distinct=None if self.counts is None else len(self.counts),
            low=self.low if n else None,
            high=self.high if n else None,
            mean=self.mean if n else None,
            standard_deviation=float(np.sqrt(self.squares / (n - 1))) if n > 1 else None,
            edges=tuple(float(e) for e in edges),
            counts=tuple(int(b) for b in self.bins),
            top=top,
            n_other=0 if top else n,
        )


class _Texts:
    def __init__(self, column: Column, n_top: int) -> None:
        self.column = column
        self.n_top = n_top
        self.n_rows = self.n_missing = 0
        self.counts: Counter[str] = Counter()
        self.is_whole = True

    def add(self, cells: pl.Series, picks: np.ndarray) -> None:  # noqa: ARG002 — texts need no sample
        self.n_rows += len(cells)
        self.n_missing += cells.null_count()
        if not self.is_whole and self.column.type == "text":
            return
        for value, count in cells.drop_nulls().value_counts().iter_rows():
            # once full, values that are already known are still counted, exactly since they were known early
            if self.is_whole or value in self.counts:
                self.counts[value] += count
        if self.is_whole and len(self.counts) > MAX_DISTINCT:
            self.is_whole = False
            self.counts = Counter(dict(self.counts.most_common(MAX_DISTINCT)))

    def thin(self) -> None:
        pass

    def fill(self, cells: pl.Series) -> None:
        pass

    def finish(self) -> ColumnProfile:
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        top = tuple(ranked[: self.n_top]) if self.is_whole or self.column.type != "text" else ()
        return ColumnProfile(
            name=self.column.name,
            type=self.column.type,
            n_rows=self.n_rows,
            n_missing=self.n_missing,
            n_distinct=len(self.counts) if self.is_whole else None,
            top=top,
            n_other=self.n_rows - self.n_missing - sum(count for _, count in top),
        )
