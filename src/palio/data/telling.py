"""Notice columns that tell the target by themselves: a copy of it in other words, or what is known only afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from palio.core.records import Column, Schema, Task
from palio.data.cells.frame import Cells
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
"""A squared correlation beyond which two columns are one quantity in two units, but for rounding."""


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
        found = []
        for column, cells in zip(schema.features, features, strict=True):
            held = _only(cells, is_there)
            how = (_tells_number if task.kind == "regression" else _tells_class)(held, truth)
            if how:
                found.append(
                    f"`{column.name}`: {how.format(target=f'`{task.target}`')}; if it is known only afterwards, say "
                    f"--exclude {column.name}"
                )
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


def _only(cells: Cells, rows: pl.Series) -> pl.Series:
    return cells.values.filter(rows)


def _tells_class(cells: pl.Series, truth: pl.Series) -> str:
    """Say how a feature tells the class of every row; empty: it does not."""
    classes = truth.cast(pl.String)
    rest = len(classes) - int(classes.value_counts()["count"].max())  # type: ignore[arg-type]
    if rest < _LEAST_EACH:
        return ""
    n_missing = cells.null_count()
    if 0 < n_missing < len(cells) and _wrong(cells.is_null().cast(pl.String), classes) <= _ERRORS * rest:
        return "it is missing in the rows of one class of {target} and there in those of the other"
    if cells.n_unique() <= min(_FEW_VALUES, len(cells) // 10):
        wrong = _wrong(cells.cast(pl.String).fill_null(""), classes)
        is_copy = wrong <= _ERRORS * rest
        return "it alone tells {target} in nearly every row, as a copy in other words would" if is_copy else ""
    if not cells.dtype.is_numeric() or classes.n_unique() != 2:
        return ""
    values = (
        pl.DataFrame({"x": cells, "y": classes})
        .drop_nulls()
        .group_by("y")
        .agg(pl.len().alias("n"), pl.col("x").min().alias("low"), pl.col("x").max().alias("high"))
    )
    if values.height != 2 or values["n"].min() < max(_LEAST_EACH, 0.5 * rest):  # type: ignore[operator]
        return ""
    first, second = sorted(values.iter_rows(named=True), key=lambda row: row["low"])
    if first["high"] >= second["low"]:
        return ""
    return (
        f"up to {first['high']:.6g} {{target}} is `{first['y']}` and from {second['low']:.6g} on `{second['y']}`, "
        "without exception"
    )


def _wrong(cells: pl.Series, classes: pl.Series) -> int:
    """Count the rows that go wrong if each value stands for its most frequent class."""
    counts = pl.DataFrame({"x": cells, "y": classes}).group_by("x", "y").len()
    right: Any = counts.group_by("x").agg(pl.col("len").max())["len"].sum()
    return len(classes) - int(right)


def _tells_number(cells: pl.Series, truth: pl.Series) -> str:
    if not cells.dtype.is_numeric():
        return ""
    both = pl.DataFrame({"x": cells.cast(pl.Float64), "y": truth.cast(pl.Float64)}).drop_nulls()
    if both.height < _LEAST_ROWS or both["x"].n_unique() <= _FEW_VALUES:
        return ""
    x, y = both["x"].to_numpy(), both["y"].to_numpy()
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return ""
    with np.errstate(all="ignore"):
        square = float(np.corrcoef(x, y)[0, 1]) ** 2
    return "it is {target} in another unit" if square > _ALIKE else ""
