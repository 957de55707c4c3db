"""Cut rows into chunks of Parquet, store and digest them, and describe them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from palio.core.errors import InputError
from palio.core.ids import short
from palio.core.records import Chunk, Column, Description, Schema, Snapshot
from palio.data.cells.scan import MAX_CATEGORIES
from palio.data.contract import Checked
from palio.data.describing import Describer
from palio.data.identity import Digester
from palio.data.row_ids import RowIds, repeats

if TYPE_CHECKING:
    from palio.store import Store

CHUNK_ROWS = 131_072
CHUNK_CELLS = 2_000_000
"""A chunk has at most this many rows and about this many cells: the working set of everything that streams."""


class ChunkWriter:
    """Cut accepted rows into chunks, store and digest them, and describe them."""

    def __init__(
        self, store: Store, schema: Schema, parent: Snapshot | None, *, seed: int = 0, id_is_declared: bool = True
    ) -> None:
        if parent is not None and [(c.name, c.type) for c in parent.schema.columns] != [
            (c.name, c.type) for c in schema.columns
        ]:
            raise InputError(
                f"snapshot {short(parent.id)}: its columns or types are others than those of the contract",
                hint="append under the same contract, or ingest all rows anew",
            )
        self.store, self.schema, self.parent = store, schema, parent
        self.n_rows = self.n_new = self.n_unlabelled = 0
        self.is_whole = True
        self._ids = RowIds(schema.id, seed=seed) if schema.id is not None else None
        self._id_is_declared, self._id_repeats = id_is_declared, False
        self._limit = max(64, min(CHUNK_ROWS, CHUNK_CELLS // max(1, len(schema.columns))))
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        self._chunks: list[Chunk] = []
        self._digester = Digester(schema)
        self._describer = Describer(schema.columns, target=schema.target)
        if parent is not None:
            for frame in read_chunks(store, parent.chunks, None):
                self._account(frame)
                if self._ids is not None:
                    self._ids.repeated(frame[self._ids.column])
            self._chunks.extend(parent.chunks)

    def held_to_ids(self, checked: Checked, *, first_row: int) -> Checked:
        """Take in the ids of a batch; reject, or only count, the rows whose id was there before."""
        if self._ids is None:
            return checked
        name = self._ids.column
        ids = pl.select(pl.when(~checked.rejected).then(checked.frame[name])).to_series()
        mask = self._ids.repeated(ids)
        if not mask.any():
            return checked
        found = repeats(ids, mask, name, first_row=first_row, rejects=self._id_is_declared)
        checked = msgspec.structs.replace(checked, violations=(*checked.violations, found))
        if not self._id_is_declared:
            self._id_repeats = True
            return checked
        return msgspec.structs.replace(
            checked, rejected=checked.rejected | mask, reasons={**checked.reasons, f"{name}: id": mask}
        )

    def knows_ids(self) -> bool:
        """Tell whether every id that looked repeated is."""
        if self._ids is None or not self.is_whole:
            return True
        self._flush()
        name = self._ids.column
        stored = (frame[name] for frame in read_chunks(self.store, self._chunks, [name]))
        return self._ids.is_exact(stored, n_times=1 if self._id_is_declared else 2)

    def add(self, frame: pl.DataFrame) -> None:
        """Take in accepted rows."""
        self.n_new += frame.height
        while frame.height:
            take = min(frame.height, self._limit - self._n_waiting)
            self._waiting.append(frame.head(take))
            self._n_waiting += take
            frame = frame.slice(take)
            if self._n_waiting == self._limit:
                self._flush()

    def finish(self) -> tuple[Schema, tuple[Chunk, ...], dict[str, str], Description]:
        """Store what is left, and describe all rows."""
        self._flush()
        chunks, uncounted = tuple(self._chunks), self._describer.uncounted
        if uncounted:
            for frame in read_chunks(self.store, chunks, uncounted):
                self._describer.fill(frame)
        description = self._describer.finish()
        known = {c.name: self._describer.known(c.name) for c in self.schema.columns}
        schema = _widened(self.schema, description, known) if self.parent is not None else self.schema
        schema = _listed(schema, known)
        if self._id_repeats:
            schema = msgspec.structs.replace(schema, id=None)
        return schema, chunks, self._digester.digests(), description

    def _flush(self) -> None:
        if not self._n_waiting:
            return
        frame = pl.concat(self._waiting, rechunk=True)
        self._waiting, self._n_waiting = [], 0
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
        blob = self.store.blobs.put(buffer.getvalue())
        self._chunks.append(Chunk(blob=blob, n_rows=frame.height, size_bytes=buffer.tell()))
        self._account(frame)

    def _account(self, frame: pl.DataFrame) -> None:
        self.n_rows += frame.height
        if self.schema.target is not None:
            self.n_unlabelled += frame[self.schema.target].null_count()
        self._digester.add(frame)
        self._describer.add(frame)


def _listed(schema: Schema, known: Mapping[str, tuple[str, ...] | None]) -> Schema:
    """Write down values, most frequent first: of categories that a person did not list, and what is in boxes."""
    columns = list(schema.columns)
    for i, column in enumerate(columns):
        if column.type == "boxes":
            columns[i] = msgspec.structs.replace(column, categories=known[column.name])
        elif column.type in ("category", "boolean") and column.categories is None:
            values = known[column.name]
            if values and len(values) <= MAX_CATEGORIES:
                columns[i] = msgspec.structs.replace(column, categories=values)
    return msgspec.structs.replace(schema, columns=tuple(columns))


def _widened(schema: Schema, description: Description, known: Mapping[str, tuple[str, ...] | None]) -> Schema:
    """Let ranges, categories and missing values cover all rows that were accepted."""
    columns: list[Column] = []
    for column, seen in zip(schema.columns, description.columns, strict=True):
        new = column
        if column.low is not None and column.high is not None and seen.low is not None and seen.high is not None:
            new = msgspec.structs.replace(new, low=min(column.low, seen.low), high=max(column.high, seen.high))
        if column.categories is not None:
            values = known[column.name]
            listed, values = set(column.categories), seen.values if values is None else values
            fresh = sorted(value for value in values if value not in listed)
            new = msgspec.structs.replace(new, categories=(*column.categories, *fresh))
        if column.on_missing == "flag" and seen.n_missing:
            new = msgspec.structs.replace(new, on_missing="accept")
        columns.append(new)
    return msgspec.structs.replace(schema, columns=tuple(columns))


def read_chunks(store: Store, chunks: Sequence[Chunk], columns: list[str] | None) -> Iterator[pl.DataFrame]:
    """Yield chunks as frames, each checked against its identity; `columns` of them, or all."""
    for chunk in chunks:
        file = io.BytesIO(store.blobs.get(chunk.blob))
        if columns is not None and any(name.startswith("^") or "*" in name for name in columns):  # patterns
            yield pl.read_parquet(file)[columns]
        else:
            yield pl.read_parquet(file, columns=columns)
