"""Read rows of a snapshot again as a source, to hold them to another contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from palio.core.ids import digest_of
from palio.core.records import Form, Schema, Snapshot
from palio.data.row_ids import RowIds
from palio.data.snapshot import frames
from palio.data.source import Skipped

if TYPE_CHECKING:
    import pyarrow as pa

    from palio.store import Store


class StoredRows:
    """Consecutive rows of a snapshot as a source: typed cells, as their contract read them."""

    loose = False
    missing: tuple[str, ...] = ()
    form = Form(kind="rows")
    notes: tuple[str, ...] = ()
    passed_over: Mapping[str, str] = {}

    def __init__(self, store: Store, snapshot: Snapshot, *, name: str, first_row: int, n_rows: int) -> None:
        self.name = name
        self.columns = tuple(column.name for column in snapshot.schema.columns)
        self.fingerprint = digest_of([snapshot.id, first_row, n_rows])
        self.skipped = Skipped()
        self._store, self._snapshot = store, snapshot
        self._first, self._end = first_row, first_row + n_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, chunk by chunk."""
        start = 0
        for frame in frames(self._store, self._snapshot):
            low, high = max(self._first - start, 0), min(self._end - start, frame.height)
            start += frame.height
            if high > low:
                part = frame.slice(low, high - low)
                yield from part.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def obstacle(old: Schema, new: Schema) -> str:
    """Say why rows that were stored under `old` cannot stand for their file under `new`; empty if they can.

    A text is kept as it was written, so it can be read as anything; a number or a moment is only what it was read as.
    """
    was = {column.name: column for column in old.columns}
    for column in new.columns:
        before = was.get(column.name)
        if before is None:
            return f"they have no column `{column.name}`"
        same = before.type == column.type and (column.type != "datetime" or before.format == column.format)
        if not (same or before.type in ("category", "text") or {before.type, column.type} == {"integer", "number"}):
            change = f"{before.type} {before.format or ''}".strip(), f"{column.type} {column.format or ''}".strip()
            return f"column `{column.name}` was read as {change[0]}, and is {change[1]} now"
    return ""


def holds(store: Store, new: Snapshot, old: Snapshot, *, first_row: int, n_rows: int) -> bool:
    """Tell whether `new` has every one of these rows of `old` as often as `old` has it up to the last of them.

    So rows that were appended to a source are recognised in a later reading of the source itself. Rows are compared by
    64-bit hashes of all cells; the columns must have the same types, else the answer is no.
    """
    if {c.name: c.type for c in new.schema.columns} != {c.name: c.type for c in old.schema.columns}:
        return False
    names = [c.name for c in new.schema.columns]
    end = first_row + n_rows
    wanted = np.unique(np.concatenate(list(_hashes(store, old, names, first_row, end))))
    before = _counts(_hashes(store, old, names, 0, end), wanted)
    return bool((_counts(_hashes(store, new, names, 0, new.n_rows), wanted) >= before).all())


def known_ids(store: Store, snapshot: Snapshot) -> RowIds | None:
    """Take in the ids of all rows as texts, at eight bytes a row; None if rows have no id."""
    name = snapshot.schema.id
    if name is None:
        return None
    found = RowIds(name)
    for frame in frames(store, snapshot, columns=[name]):
        found.repeated(frame[name].cast(pl.String))
    return found


def _hashes(store: Store, snapshot: Snapshot, names: list[str], first: int, end: int) -> Iterator[np.ndarray[Any, Any]]:
    start = 0
    for frame in frames(store, snapshot, columns=names):
        low, high = max(first - start, 0), min(end - start, frame.height)
        start += frame.height
        if high > low:
            yield frame.slice(low, high - low).hash_rows(seed=0).to_numpy()


def _counts(parts: Iterator[np.ndarray[Any, Any]], wanted: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    counts = np.zeros(len(wanted), np.int64)
    for hashes in parts:
        places = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
        counts += np.bincount(places[wanted[places] == hashes], minlength=len(wanted))
    return counts
