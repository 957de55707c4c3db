"""Read Arrow files and streams (`.feather`, `.arrow`, `.arrows`), with the types that they state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from palio.core.records import Form
from palio.data.sources.parquet import ParquetSource

MAGIC = b"ARROW1"


class ArrowSource(ParquetSource):
    """An Arrow file or stream; cells arrive as those of a Parquet file."""

    form = Form(kind="arrow")
    called = "Arrow"

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with pa.OSFile(str(self._path)) as file:
            yield _File(file, is_stream=not self._content.head.startswith(MAGIC))


class _File:
    """What a Parquet file is asked."""

    def __init__(self, file: Any, *, is_stream: bool) -> None:
        self._file, self._open = file, pa.ipc.open_stream if is_stream else pa.ipc.open_file
        self.schema_arrow = self._begin().schema

    def _begin(self) -> Any:
        self._file.seek(0)
        return self._open(self._file)

    def iter_batches(self, *, batch_size: int, columns: Sequence[str] | None = None, **_: Any) -> Iterator[Any]:
        reader = self._begin()
        if hasattr(reader, "num_record_batches"):
            found = (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            found = iter(reader)
        for batch in found:
            batch.validate(full=True)  # else a broken one may end the process
            for first in range(0, batch.num_rows, batch_size):
                part = batch.slice(first, batch_size)
                yield part if columns is None else part.select(columns)
