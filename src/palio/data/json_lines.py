"""Read JSON lines: one object a line, its keys are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.data import text_stream
from palio.data.source import Skipped, SourceOptions, check_names

_BATCH_CELLS = 500_000


class JsonLinesSource:
    """A file of JSON objects, every cell as text; a key that is absent is a missing cell."""

    loose = True
    decimal = "."
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.name = path.name
        self.missing = options.missing
        self.skipped = Skipped()
        self._path = path
        self._scan = text_stream.scan(path, options.encoding)
        names: dict[str, None] = {}
        for row in self._objects():
            if row.keys() - names.keys():
                names.update(dict.fromkeys(row))
        self.columns = tuple(names)
        check_names(self.columns, path.name)
        self.fingerprint = digest_of([self._scan.digest, options.missing])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text.

        Raises:
            InputError: a line is not a JSON object.
        """
        step = max(64, min(50_000, _BATCH_CELLS // len(self.columns)))
        rows: list[dict[str, Any]] = []
        for row in self._objects():
            rows.append(row)
            if len(rows) == step:
                yield self._batch(rows)
                rows = []
        if rows:
            yield self._batch(rows)

    def _batch(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        columns = [pa.array([as_text(row.get(name)) for row in rows], pa.string()) for name in self.columns]
        return pa.RecordBatch.from_arrays(columns, names=list(self.columns))

    def _objects(self) -> Iterator[dict[str, Any]]:
        decoder = msgspec.json.Decoder(dict[str, Any])
        for number, line in enumerate(_lines(self._path, self._scan.encoding), start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise InputError(
                    f"{self.name}: line {number:,} is not a JSON object: {error}",
                    hint="write one object in braces a line",
                    facts={"line": number},
                ) from None


def as_text(value: Any) -> str | None:
    """Write a cell as text, so that the same value has the same text from every source.

    Example:
        >>> as_text(True), as_text(1.5), as_text(None), as_text([1, 2])
        ('true', '1.5', None, '[1,2]')
    """
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, float):
        return repr(value)
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _lines(path: Path, encoding: str) -> Iterator[bytes]:
    rest = b""
    for block in text_stream.utf8_blocks(path, encoding):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest
