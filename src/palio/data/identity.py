"""Name rows by their content: the same cells in the same order have the same digest, however they are stored."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import polars as pl
import pyarrow as pa

from palio.core.ids import digest_of
from palio.core.records import Schema

_NO_IDENTITY = frozenset(("note", "format", "on_missing", "decimal", "unit", "missing", "fold"))
_DATA_OF = {"number", "integer", "datetime"}


class Digester:
    """Digest columns piece by piece; the pieces may be cut anywhere.

    A number counts as its eight little-endian bytes, a moment as its microseconds, a text as its length and its UTF-8
    bytes, and each cell adds whether it is there. Three streams a column keep the result free of where batches end.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._streams = {c.name: (hashlib.sha256(), hashlib.sha256(), hashlib.sha256()) for c in schema.columns}
        self._n_rows = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take in more rows, in the types of the contract."""
        self._n_rows += frame.height
        for column in self._schema.columns:
            cells = frame[column.name]
            validity, data, lengths = self._streams[column.name]
            has_gaps = cells.null_count() > 0
            present = cells.is_not_null().to_numpy() if has_gaps else np.ones(len(cells), bool)
            validity.update(present.view(np.uint8).data)
            if column.type in _DATA_OF:
                cells = cells.to_physical() if column.type == "datetime" else cells
                numbers = (cells.fill_null(0) if has_gaps else cells).to_numpy()
                numbers = numbers if sys.byteorder == "little" else numbers.byteswap()
                data.update(np.ascontiguousarray(numbers).data)
                continue
            text = (cells.fill_null("") if has_gaps else cells).to_arrow(compat_level=pl.CompatLevel.oldest())
            for chunk in text.chunks if isinstance(text, pa.ChunkedArray) else [text]:
                offsets = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
                lengths.update(np.diff(offsets).astype("<i8").data)
                if chunk.buffers()[2] is not None and len(chunk):
                    data.update(memoryview(chunk.buffers()[2])[int(offsets[0]) : int(offsets[-1])])

    def digests(self) -> dict[str, str]:
        """Return the digest of each column."""
        return {
            column.name: digest_of([column.type, self._n_rows, *(s.hexdigest() for s in self._streams[column.name])])
            for column in self._schema.columns
        }


def snapshot_id(schema: Schema, n_rows: int, column_digests: dict[str, str]) -> str:
    """Return the identity of rows under a contract: every cell, in order, and what the contract says about them.

    The notes for people, and how a cell was written in the file, are not part of it.
    """
    columns = [
        {field: getattr(c, field) for field in c.__struct_fields__ if field not in _NO_IDENTITY}
        # what `missing_allowed` says already is left out, so that snapshots of older contracts keep their names
        | ({"on_missing": "flag"} if c.on_missing == "flag" else {})
        for c in schema.columns
    ]
    return digest_of(
        {
            "columns": columns,
            "target": schema.target,
            "id": schema.id,
            "group": schema.group,
            "time": schema.time,
            "n_rows": n_rows,
            "digests": [column_digests[c.name] for c in schema.columns],
        }
    )
