"""Notice columns that tell the target by themselves: a copy of it in other words, or what is known only afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from palio.core.records import Column, Schema, Task
from palio.data.contract import read_batch
from palio.data.pictures.layout import PART_WORDS

_MOST_ROWS = 4_000
_MOST_CELLS = 2_000_000
_LEAST_ROWS = 50
_LEAST_EACH = 5
"""Rows of every class but the most frequent, together: fewer are told apart by chance."""
_FEW_VALUES = 20
_ERRORS = 0.02
"""A column tells classes if with it at most this share of the rows outside of the most frequent class goes wrong."""
_ALIKE = 1 - 1e-5
"""A squared correlation beyond which two columns are one quantity in two units, but for rounding, …"""
_IN_ORDER = 0.98
"""… if that of their ranks is beyond this: a few values far from all others, such as -999 in both, make the former."""


class Sample:
    """Some rows from all parts of a source, as they are written."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._step, self._n_seen, self._n_kept = 1, 0, 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in more rows: each of them at first, then one of two, of four, and so on."""
        first = -self._n_seen % self._step
        self._n_seen += batch.num_rows
        self._keep(batch, first)
        most = max(1, min(_MOST_ROWS, _MOST_CELLS // max(1, batch.num_columns)))
        while self._n_kept > most:
            before, self._batches, self._n_kept, at = self._batches, [], 0, 0
            for kept in before:
                self._keep(kept, at % 2, step=2)
                at += kept.num_rows
            self._step *= 2

    def _keep(self, batch: pa.RecordBatch, first: int, *, step: int = 0) -> None:
        places = np.arange(first, batch.num_rows, step or self._step)
        if len(places):
            self._batches.append(batch if len(places) == batch.num_rows else batch.take(pa.array(places)))
            self._n_kept += len(places)

    def doubts(self, schema: Schema, task: Task) -> list[str]:
        """Say which features tell the target, one sentence each."""
        if self._n_kept < _LEAST_ROWS or task.kind not in ("classification", "regression"):
            return []
        columns = [schema.column(task.target), *schema.features]
        batch = pa.Table.from_batches(self._batches).combine_chunks().to_batches()[0]
        target, *features = read_batch(batch, columns)
        is_there = target.values.is_not_null()
        if int(is_there.sum()) < _LEAST_ROWS:
            return []
        truth = target.values.filter(is_there)
        tells: Callable[..., str]
        if task.kind == "classification":
            tells = partial(_tells_class, labels=_Labels(truth.cast(pl.String)))
        else:
            tells = partial(_tells_number, truth=truth.cast(pl.Float64).to_numpy())
        found = []
        for column, cells in zip(schema.features, features, strict=True):
            if how := tells(cells.values.filter(is_there), target=f"`{task.target}`"):
                found.append(f"`{column.name}`: {how}; if it is known only afterwards, say --exclude {column.name}")
        return found


def given_cuts(features: Sequence[Column]) -> list[str]:
    """Say which features cut the rows into train and test, as somebody before has done."""
    found = []
    for column in features:
        words = {value.casefold() for value in column.categories or ()}
        if len(words) > 1 and words <= PART_WORDS.keys():
            found.append(
                f"`{column.name}`: its values cut the rows into parts; to keep that cut say --exclude {column.name}, "
                f'and write method = "given" and by = "{column.name}" under [split] in palio.toml'
            )
    return found


class _Labels:
    """The labels of some rows, as numbers."""

    def __init__(self, labels: pl.Series) -> None:
        self.names, self.codes = np.unique(labels.to_numpy(), return_inverse=True)
        self.n_rest = len(self.codes) - int(np.bincount(self.codes).max())

    def n_wrong(self, values: npt.NDArray[np.int64]) -> int:
        """Count the rows that go wrong if each value stands for its most frequent class."""
        counts = np.zeros((int(values.max()) + 1, len(self.names)), dtype=np.int64)
        np.add.at(counts, (values, self.codes), 1)
        return len(values) - int(counts.max(axis=1).sum())


def _tells_class(cells: pl.Series, labels: _Labels, *, target: str) -> str:
    """Say how a feature tells the class of every row; empty: it does not."""
    most = _ERRORS * labels.n_rest
    if labels.n_rest < _LEAST_EACH:
        return ""
    is_missing = cells.is_null().to_numpy()
    if is_missing.any() and not is_missing.all() and labels.n_wrong(is_missing.astype(np.int64)) <= most:
        return f"it is missing in the rows of one class of {target} and there in those of the other"
    is_number = cells.dtype.is_numeric()
    held = cells.cast(pl.Float64).to_numpy() if is_number else cells.cast(pl.String).fill_null("").to_numpy()
    different, values = np.unique(held, return_inverse=True)
    if len(different) <= min(_FEW_VALUES, len(held) // 10):
        is_copy = labels.n_wrong(values) <= most
        return f"it alone tells {target} in nearly every row, as a copy in other words would" if is_copy else ""
    if not is_number or len(labels.names) != 2:
        return ""
    first, second = ((held[~is_missing & (labels.codes == code)], labels.names[code]) for code in (0, 1))
    if min(len(first[0]), len(second[0])) < max(_LEAST_EACH, 0.5 * labels.n_rest):
        return ""
    (low, below), (high, above) = sorted((first, second), key=lambda one: float(one[0].min()))
    if low.max() >= high.min():
        return ""
    return f"up to {low.max():.15g} {target} is `{below}` and from {high.min():.15g} on `{above}`, without exception"


def _tells_number(cells: pl.Series, truth: npt.NDArray[np.float64], *, target: str) -> str:
    """Say that a feature goes with the target as another unit of it would; empty: it does not."""
    if not cells.dtype.is_numeric():
        return ""
    held = cells.cast(pl.Float64).to_numpy()
    both = np.isfinite(held) & np.isfinite(truth)
    x, y = held[both], truth[both]
    if len(x) < _LEAST_ROWS or len(np.unique(x)) <= _FEW_VALUES or np.ptp(y) == 0:
        return ""
    if _square(x, y) <= _ALIKE or _square(pl.Series(x).rank().to_numpy(), pl.Series(y).rank().to_numpy()) <= _IN_ORDER:
        return ""
    return f"it goes with {target} as {target} in another unit would"


def _square(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    with np.errstate(all="ignore"):
        return float(np.corrcoef(x, y)[0, 1]) ** 2
