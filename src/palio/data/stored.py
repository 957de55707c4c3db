"""Read rows of a snapshot again as a source, to hold them to another contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from palio.core.ids import digest_of
from palio.core.records import Schema, Snapshot
from palio.data.snapshot import frames
from palio.data.source import Skipped

if TYPE_CHECKING:
    import pyarrow as pa

    from palio.store import Store


class StoredRows:
    """Consecutive rows of a snapshot as a source: typed cells, as their contract read them."""

    loose = False
    missing: tuple[str, ...] = ()
    decimal = "."
    notes: tuple[str, ...] = ()

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
