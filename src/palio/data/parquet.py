"""Read Parquet files, with the types that they state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.data.source import Skipped, SourceOptions, check_names

BATCH_ROWS = 65_536


class ParquetSource:
    """A Parquet file; cells arrive as int64, float64, text, or a moment in UTC."""

    loose = False
    decimal = "."
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.name = path.name
        self.missing = options.missing
        self.skipped = Skipped()
        self._path = path
        if path.stat().st_size == 0:
            raise InputError(f"{path.name}: the file is empty", hint="name a file with rows")
        try:
            with pa.parquet.ParquetFile(path) as file:
                schema, self._n_rows = file.schema_arrow, file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _broken(path, error) from None
        self.columns = tuple(schema.names)
        check_names(self.columns, path.name)
        self._types = {field.name: _plain_type(field, path.name) for field in schema}
        if self._n_rows == 0:
            raise InputError(f"{path.name}: the file holds no rows", hint="name a file with rows")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.fingerprint = digest_of([digest, options.missing])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows.

        Raises:
            InputError: the file is broken further down.
        """
        step = max(64, min(BATCH_ROWS, 4_000_000 // len(self.columns)))
        try:
            with pa.parquet.ParquetFile(self._path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=step, use_threads=False):
                    columns = [_plain(batch.column(i), self._types[n]) for i, n in enumerate(self.columns)]
                    yield pa.RecordBatch.from_arrays(columns, names=list(self.columns))
        except (pa.ArrowException, OSError) as error:
            raise _broken(self._path, error) from None


def _broken(path: Path, error: BaseException) -> InputError:
    return InputError(
        f"{path.name}: not a readable Parquet file: {str(error).splitlines()[0][:160]}",
        hint="write it again, or give it its true ending",
    )


def _plain_type(field: Any, where: str) -> Any:
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        return pa.float64() if kind == pa.uint64() else pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.timestamp("us", tz="UTC")
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_boolean)
    if any(test(kind) for test in (*text, pa.types.is_null, pa.types.is_time)):
        return pa.string()
    raise InputError(
        f"{where}: column `{field.name}` has the type {field.type}, allowed are numbers, text, dates and booleans",
        hint="leave the column out, or flatten it",
    )


def _plain(column: Any, wanted: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        column = column.cast(pa.timestamp(column.type.unit, tz="UTC"))  # a moment without a zone is taken as UTC
    return column.cast(wanted, safe=False) if column.type != wanted else column
