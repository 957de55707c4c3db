"""Read a snapshot once, in streams, and keep per row only what a cut needs: two hashes, the target, the moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from palio import data
from palio.core.progress import Progress
from palio.core.records import Snapshot, Task
from palio.split import things
from palio.split.hashing import Hashes, cell_hashes, is_missing, row_hashes
from palio.split.moments import Moments, moments

if TYPE_CHECKING:
    from palio.store import Store


@dataclass
class Scan:
    """What a cut knows of the rows, each of shape (n_rows,); the rows themselves are not kept."""

    keys: Hashes
    features: Hashes
    target: npt.NDArray[Any]
    """Class index (int32, -1 missing) or value (float64, NaN missing)."""
    truth: Hashes | None
    """Hash of the target's cell, where it says more than `target`."""
    moments: Moments | None
    pairs: things.Pairs | None = None
    """Row and class of each thing that is in a picture; None: classes are not asked of things."""
    n_without_key: int = 0
    """Labelled rows without id or group, where that is one column."""

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Tell which rows have a target."""
        return self.target >= 0 if self.target.dtype == np.int32 else ~np.isnan(self.target)


def scan(
    store: Store,
    snapshot: Snapshot,
    *,
    task: Task,
    key_columns: Sequence[str],
    in_time: bool,
    progress: Progress,
) -> Scan:
    """Hash every row of the snapshot by `key_columns` and by its features, in one pass."""
    schema, n_rows = snapshot.schema, snapshot.n_rows
    feature_columns = sorted(column.name for column in schema.features if column.name != task.target)
    same = feature_columns == sorted(key_columns)
    keys = np.empty(n_rows, np.uint64)
    features = keys if same else np.empty(n_rows, np.uint64)
    target = np.empty(n_rows, np.int32 if task.classes else np.float64)
    when = np.empty(n_rows, np.float64) if in_time else None
    wanted = dict.fromkeys([*key_columns, *feature_columns, *(schema.time if in_time else ()), task.target])
    without = np.zeros(n_rows, bool)
    pairs: list[things.Pairs] = [np.empty((0, 2), np.int64)]
    truth = np.empty(n_rows, np.uint64) if things.are_asked(task) else None
    for start, batch in _numbered(data.batches(store, snapshot, columns=list(wanted))):
        rows = slice(start, start + batch.num_rows)
        keys[rows], without[rows] = _keys(batch, key_columns, task)
        if not same:
            features[rows] = row_hashes(batch, feature_columns)
        if truth is not None:
            held, there = things.pairs_of(_frame(batch, [task.target])[task.target], task, first_row=start)
            pairs.append(held)
            truth[rows], target[rows] = cell_hashes(batch.column(task.target)), np.where(there, 0, -1)
        else:
            target[rows] = data.target_array(_frame(batch, [task.target]), task)
        if when is not None:
            when[rows] = moments(_frame(batch, schema.time), schema)
        progress.step("split", rows.stop, n_rows)
    found = Scan(keys=keys, features=features, target=target, truth=truth, moments=when)
    found.pairs = None if truth is None else np.concatenate(pairs)
    found.n_without_key = int((without & found.labelled).sum())
    return found


def keys_of(
    store: Store, snapshot: Snapshot, *, task: Task, key_columns: Sequence[str], others: Sequence[str]
) -> Hashes:
    """Hash the key of every row, as `scan` does; `others` are what a row without a key is known by."""
    names = {column.name for column in snapshot.schema.columns}
    columns = [name for name in dict.fromkeys([*key_columns, *others]) if name in names]
    found = [_keys(batch, key_columns, task)[0] for batch in data.batches(store, snapshot, columns=columns)]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _keys(batch: Any, key_columns: Sequence[str], task: Task) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Hash the key, and mark where it is missing; a row without id or group is known by all its columns instead."""
    keys, missing = row_hashes(batch, key_columns), np.zeros(batch.num_rows, bool)
    if len(key_columns) == 1:
        missing = is_missing(batch.column(key_columns[0]), nan_is_null=True)
        others = [name for name in batch.schema.names if name not in (task.target, *key_columns)]
        if missing.any() and others:
            keys[missing] = row_hashes(batch, others)[missing]
    return keys, missing


def _frame(batch: Any, columns: Sequence[str]) -> pl.DataFrame:
    frame = pl.from_arrow(batch.select(list(columns)))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (a batch of columns is always a frame)
    return frame


def _numbered(batches: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    start = 0
    for batch in batches:
        yield start, batch
        start += batch.num_rows
