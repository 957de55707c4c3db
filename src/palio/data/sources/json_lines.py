"""Read JSON lines: one object a line, its keys are the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Form
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import names, objects, text_stream
from palio.data.sources.content import Content

_BATCH_CELLS = 500_000
_LOOK_FOR_DOUBLE_KEYS = 1_000


class JsonLinesSource:
    """A file of JSON objects, every cell as text; a key that is absent is a missing cell."""

    loose = True

    def __init__(self, content: Content, options: SourceOptions) -> None:
        self.name = content.name
        self.missing = options.missing
        self.skipped = Skipped()
        self.remarks: tuple[str, ...] = ()
        self._content = content
        self._scan = text_stream.scan(content, options.encoding, may_be_empty=True)
        self._found = objects.Unfolder(content.name)
        for row in self._objects(look_for_double_keys=True):
            self._found.see(row)
        self._tidied = columns_of(self._found, options)
        self.columns, self.passed_over = self._tidied.columns, self._found.passed_over()
        self.form = Form(kind="lines", encoding=self._scan.encoding.removesuffix("-sig"))
        self.fingerprint = digest_of([self._scan.digest, options.missing])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the file."""
        about_text = [f"{self.name}: {remark}" for remark in self._scan.remarks]
        return (*self.remarks, *about_text, *self._found.notes(), *self._tidied.notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text.

        Raises:
            InputError: a line is not a JSON object.
        """
        yield from batches(self._objects(), self._found, self._tidied, self.name)

    def _objects(self, *, look_for_double_keys: bool = False) -> Iterator[Mapping[str, Any]]:
        n_looked_at = 0 if look_for_double_keys else _LOOK_FOR_DOUBLE_KEYS
        for number, line in enumerate(_lines(self._content, self._scan), start=1):
            if not line or line.isspace():
                continue
            try:
                if n_looked_at < _LOOK_FOR_DOUBLE_KEYS:
                    n_looked_at += 1
                    if double := objects.doubles(line):
                        self._found.double.setdefault(double[0], n_looked_at)
                yield objects.LINES.decode(line)
            except (msgspec.DecodeError, RecursionError, ValueError) as error:
                yield self._tolerated(line, number, error)

    def _tolerated(self, line: bytes, number: int, error: Exception) -> Mapping[str, Any]:
        """Read what is not quite JSON but written by many: NaN, Infinity, control characters in texts."""
        try:
            value = objects.decode(line.strip().removesuffix(b",").decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InputError(
                f"{self.name}: line {number:,} is not a JSON object: {str(error).splitlines()[0][:200]}",
                hint="write one object in braces a line",
                facts={"line": number},
            ) from None
        return value


def columns_of(found: objects.Unfolder, options: SourceOptions) -> names.Names:
    """Name the columns that hold plain cells.

    Raises:
        InputError: there are none, or the target is not among them.
    """
    names.refuse_if_passed_over(options.target, found.passed_over(), found._where)
    raw = found.columns()
    if not raw and not found.n_rows:  # no row, so no key: the columns are those that are known from elsewhere
        return names.Names(columns=options.expected, positions=(), passed_over={}, notes=())
    return names.tidy(raw, found._where, target=options.target, expected=options.expected)


def batches(
    rows: Iterator[Mapping[str, Any]], found: objects.Unfolder, tidied: names.Names, where: str
) -> Iterator[pa.RecordBatch]:
    """Put objects into batches, under the tidied names."""
    raw = [found.columns()[i] for i in tidied.positions]
    step = max(64, min(50_000, _BATCH_CELLS // max(len(raw), 1)))
    reader, is_flat = objects.Unfolder(where), not (found.nested or found.lists)
    held: list[Mapping[str, Any]] = []
    for row in rows:
        held.append(row if is_flat else reader.row(row))
        if len(held) == step:
            yield objects.batch_of(held, raw).rename_columns(list(tidied.columns))
            held = []
    if held:
        yield objects.batch_of(held, raw).rename_columns(list(tidied.columns))


def _lines(content: Content, scan: text_stream.Scan) -> Iterator[bytes]:
    rest = b""
    for block in text_stream.utf8_blocks(content, scan.encoding, scan.errors):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest
