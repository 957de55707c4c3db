"""Read streams of Arrow record batches that `arrow` wrote, up to the last whole batch of one that was cut off."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from palio.core.errors import IntegrityError
from palio.store.arrow import (
    ARROW_NUMBERS,
    BATCH,
    BOOL,
    FIXED_LIST,
    FLOAT,
    INT,
    MARK,
    NULL,
    SCHEMA,
    TIMESTAMP,
    UTF8,
    Array,
    Field,
    n_data,
)
from palio.store.arrow_texts import read_texts

_MAX_FRAME = 1 << 26
_TOGETHER_ROWS = 4_096
_TOGETHER_BYTES = 1 << 22


class Batch(Mapping[str, Array]):
    """One batch: column name → values. A column is decoded when it is asked for.

    Numbers and booleans are arrays of their type (two-dimensional if a cell is a list), times `datetime64[us]`, texts
    objects of type `str`, and a column without values is full of None.
    """

    def __init__(self, fields: Sequence[Field], message: Message, body: bytes, where: str = "") -> None:
        self.fields, self.where = tuple(fields), where
        self.n_rows, self._buffers = _batch_frame(message.frame, where)
        self._body = body
        self._places, n_buffers = _places_of(self.fields)
        if (
            len(self._buffers) != n_buffers
            or not 0 <= self.n_rows <= 8 * message.body_size
            or any(start < 0 or size < 0 or start + size > message.body_size for start, size in self._buffers)
        ):
            raise _damaged(self.where)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places  # that of Mapping would decode the column

    def __getitem__(self, name: str) -> Array:
        field, at = self._places[name]
        n_values = self.n_rows * (field.size or 1)
        if field.type == "null":
            return np.full(self.n_rows, None)
        if n_values > 8 * len(self._body):
            raise _damaged(self.where)
        try:
            values = self._values(field, at, n_values)
        except ValueError:
            raise _damaged(self.where) from None
        return values.reshape(self.n_rows, field.size) if field.size else values

    def _values(self, field: Field, at: int, n_values: int) -> Array:
        if field.type == "text":
            return self._text(at, n_values)
        if field.type == "bool":
            bits = np.frombuffer(self._buffer(at), np.uint8, (n_values + 7) // 8)
            return np.unpackbits(bits, count=n_values, bitorder="little").astype(bool)
        values = np.frombuffer(self._buffer(at), ARROW_NUMBERS[field.type], n_values)
        return values.view("datetime64[us]") if field.type == "timestamp" else values

    def buffers(self, name: str) -> list[bytes]:
        """Return the values of a column as they lie in the file, for `BatchLayout.encode`."""
        field, at = self._places[name]
        return [self._buffer(at + i) for i in range(n_data(field.type))]

    def _buffer(self, index: int) -> bytes:
        start, size = self._buffers[index]
        return self._body[start : start + size]

    def _text(self, at: int, n_values: int) -> Array:
        places = np.frombuffer(self._buffer(at), np.int32, n_values + 1)
        data = self._buffer(at + 1)
        if places[0] < 0 or places[-1] > len(data) or (places[1:] < places[:-1]).any():
            raise _damaged(self.where)
        return read_texts(places, data)


@functools.lru_cache(maxsize=32)
def _places_of(fields: tuple[Field, ...]) -> tuple[dict[str, tuple[Field, int]], int]:
    """Return the number of the first buffer of each column, and that of all buffers."""
    places, at = dict[str, tuple[Field, int]](), 0
    for field in fields:
        places[field.name] = (field, at + (2 if field.size else 1))
        at += 0 if field.type == "null" else (2 if field.size else 1) + n_data(field.type)
    return places, at


class JoinedBatch(Mapping[str, Array]):
    """Small batches of the same columns that are read as one; a column is joined when it is asked for.

    A server that writes some rows five times a second leaves batches whose every column costs more to decode than to
    count: joined they cost a fifth.
    """

    def __init__(self, parts: Sequence[Batch]) -> None:
        self._parts = parts
        self.fields = parts[0].fields
        self.n_rows = sum(part.n_rows for part in parts)
        self._fields = {field.name: field for field in self.fields}

    def __len__(self) -> int:
        return len(self._fields)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __getitem__(self, name: str) -> Array:
        field = self._fields[name]
        if field.type == "text" and not field.size:
            return self._text(name)
        if field.size or field.type not in (*ARROW_NUMBERS, "timestamp"):
            return np.concatenate([part[name] for part in self._parts])
        kind = np.dtype(ARROW_NUMBERS[field.type])
        cells = [part.buffers(name)[0][: part.n_rows * kind.itemsize] for part in self._parts]
        if sum(map(len, cells)) != self.n_rows * kind.itemsize:
            raise _damaged(self._parts[0].where)
        values = np.frombuffer(b"".join(cells), kind)
        return values.view("datetime64[us]") if field.type == "timestamp" else values

    def _text(self, name: str) -> Array:
        found = [part.buffers(name) for part in self._parts]
        lengths = np.array([part.n_rows + 1 for part in self._parts], np.int64)
        cells = [places[: 4 * length] for (places, _), length in zip(found, lengths.tolist(), strict=True)]
        if sum(map(len, cells)) != 4 * int(lengths.sum()):
            raise _damaged(self._parts[0].where)
        places = np.frombuffer(b"".join(cells), np.int32)
        last = np.cumsum(lengths) - 1
        begins, ends = places[last - lengths + 1], places[last]
        sizes = np.delete(np.diff(places), last[:-1])
        held = np.array([len(data) for _, data in found], np.int64)
        if (sizes < 0).any() or (begins < 0).any() or (ends > held).any():
            raise _damaged(self._parts[0].where)
        pairs = zip(found, begins.tolist(), ends.tolist(), strict=True)
        data = b"".join(part[begin:end] for (_, part), begin, end in pairs)
        if len(data) > np.iinfo(np.int32).max:
            raise _damaged(self._parts[0].where)
        return read_texts(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32), data)


@dataclass(frozen=True, slots=True)
class Message:
    """Where a whole message lies in a file."""

    frame: bytes
    body_at: int
    body_size: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.body_at + self.body_size


def messages(file: BinaryIO, *, start: int = 0) -> Iterator[Message]:
    """Walk over the messages of a stream, up to its end or to the last whole one. Bodies are not read."""
    size = file.seek(0, 2)
    at = start
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little", signed=True)
        if head[:4] != MARK or not 0 < length <= _MAX_FRAME or at + 8 + length > size:
            return
        frame = file.read(length)
        try:
            message = Message(frame, at + 8 + length, _message_table(frame).int64(3))
        except (struct.error, IndexError, ValueError):
            return
        if message.body_size < 0 or message.end > size:
            return
        yield message
        at = message.end


def fields_of(message: Message, *, where: str = "") -> tuple[Field, ...]:
    """Read a schema.

    Raises:
        IntegrityError: it is none, or has columns of types that Palio does not write.
    """
    try:
        table = _message_table(message.frame)
        if table.uint8(1) != SCHEMA:
            raise ValueError("not a schema")
        return tuple(_read_field(field) for field in table.table(2).tables(1))
    except (struct.error, IndexError, ValueError, KeyError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"{where or 'stream'}: Palio did not write it: {error}"[:400],
            hint="remove the file from the folder of the log",
        ) from None


def read_batch(file: BinaryIO, fields: Sequence[Field], message: Message) -> Batch:
    """Read one batch."""
    file.seek(message.body_at)
    return Batch(fields, message, file.read(message.body_size), str(getattr(file, "name", "")))


def read_together(file: BinaryIO, fields: Sequence[Field], found: Iterable[Message]) -> Iterator[Batch | JoinedBatch]:
    """Read batches; small ones that follow each other come as one."""
    waiting: list[Batch] = []
    n_rows = size = 0
    for message in found:
        waiting.append(read_batch(file, fields, message))
        n_rows, size = n_rows + waiting[-1].n_rows, size + message.body_size
        if n_rows >= _TOGETHER_ROWS or size >= _TOGETHER_BYTES:
            yield waiting[0] if len(waiting) == 1 else JoinedBatch(waiting)
            waiting, n_rows, size = [], 0, 0
    if waiting:
        yield waiting[0] if len(waiting) == 1 else JoinedBatch(waiting)


def read_stream(file: BinaryIO) -> Iterator[Batch]:
    """Read a whole stream, batch by batch, up to its last whole batch.

    Raises:
        IntegrityError: it is none, or has columns of types that Palio does not write.
    """
    walk = messages(file)
    schema = next(walk, None)
    if schema is None:
        raise _damaged()
    fields = fields_of(schema)
    for message in walk:
        yield read_batch(file, fields, message)


class _Table:
    """Read a flatbuffer table: slot by slot, every position checked by the buffer that it is read from."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._slots = at - self._get("<i", at)

    def _get(self, form: str, at: int) -> int:
        if at < 0:
            raise ValueError("a position lies before its buffer")
        return int(struct.unpack_from(form, self._data, at)[0])

    def _slot(self, slot: int) -> int:
        place = 4 + 2 * slot
        if place >= self._get("<H", self._slots):
            return 0
        offset = self._get("<H", self._slots + place)
        return self._at + offset if offset else 0

    def number(self, slot: int, form: str) -> int:
        at = self._slot(slot)
        return self._get(form, at) if at else 0

    def uint8(self, slot: int) -> int:
        return self.number(slot, "<B")

    def int64(self, slot: int) -> int:
        return self.number(slot, "<q")

    def _follow(self, slot: int) -> int:
        at = self._slot(slot)
        return at + self._get("<I", at) if at else 0

    def table(self, slot: int) -> _Table:
        return _Table(self._data, self._follow(slot))

    def tables(self, slot: int) -> list[_Table]:
        at = self._follow(slot)
        count = self._get("<I", at) if at else 0
        if 4 * count > len(self._data):
            raise ValueError("a list is longer than its buffer")
        places = [at + 4 + 4 * i for i in range(count)]
        return [_Table(self._data, place + self._get("<I", place)) for place in places]

    def text(self, slot: int) -> str:
        at = self._follow(slot)
        return self._data[at + 4 : at + 4 + self._get("<I", at)].decode("utf-8") if at else ""

    def pairs(self, slot: int) -> list[list[int]]:
        at = self._follow(slot)
        count = self._get("<I", at) if at else 0
        return np.frombuffer(self._data, np.int64, 2 * count, at + 4).reshape(-1, 2).tolist()


def _damaged(where: str = "") -> IntegrityError:
    at = f"{where}: " if where else ""
    return IntegrityError(f"{at}a batch of the log is damaged", hint="remove the file that holds it, or restore it")


def _message_table(frame: bytes) -> _Table:
    return _Table(frame, struct.unpack_from("<I", frame, 0)[0])


def _batch_frame(frame: bytes, where: str) -> tuple[int, list[list[int]]]:
    """Return the number of rows of a batch, and where its buffers lie."""
    try:
        table = _message_table(frame)
        if table.uint8(1) == BATCH:
            batch = table.table(2)
            return batch.int64(0), batch.pairs(2)
    except (struct.error, ValueError):
        pass
    raise _damaged(where)


def _read_field(table: _Table) -> Field:
    name, code = table.text(0), table.uint8(2)
    if code == FIXED_LIST:
        (child,) = table.tables(5)
        size = table.table(3).number(0, "<i")
        if size < 1 or child.uint8(2) == FIXED_LIST:
            raise ValueError(f"column `{name[:60]}` is of an unknown type")
        return Field(name, _read_field(child).type, size)
    if code in (NULL, BOOL, UTF8, TIMESTAMP):
        return Field(name, {NULL: "null", BOOL: "bool", UTF8: "text", TIMESTAMP: "timestamp"}[code])
    kind = ""
    if code == FLOAT:
        kind = f"float{16 << table.table(3).number(0, '<h')}"
    elif code == INT:
        about = table.table(3)
        kind = f"{'int' if about.number(1, '<B') else 'uint'}{about.number(0, '<i')}"
    if kind not in ARROW_NUMBERS:
        raise ValueError(f"column `{name[:60]}` is of an unknown type")
    return Field(name, kind)
