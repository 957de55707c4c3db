"""Write streams of Arrow record batches, without a library that weighs on the server (`arrow_reading` reads them).

A stream is a schema and then batches; one that was cut off is whole up to its last whole batch. The frame of a batch is
the same for all batches of a schema but for its numbers, so it is written once and then only filled in: for 42 columns
that costs 23 µs a batch where nanoarrow takes 340 µs (benchmarks/serving/journal.py).

Source: Arrow columnar format, "Serialization and Interprocess Communication (IPC)"; `Message.fbs`, `Schema.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import flatbuffers
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Buffer = bytes | Array

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""Ends a stream; what comes behind it does not belong to it."""
MARK = b"\xff\xff\xff\xff"
VERSION, SCHEMA, BATCH = 4, 1, 3
NULL, INT, FLOAT, UTF8, BOOL, TIMESTAMP, FIXED_LIST = 1, 2, 3, 5, 6, 10, 16
_MICROSECONDS = 2
_PADDING = tuple(bytes(n) for n in range(8))
ARROW_NUMBERS = {
    **{f"int{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "timestamp": np.dtype("<i8"),
}
_PRECISIONS = {"float16": 0, "float32": 1, "float64": 2}


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name and what a cell holds."""

    name: str
    type: str
    """`float64`, `int16`, …; `bool`, `text`, `timestamp` (microseconds, UTC), or `null` (no cell has a value)."""
    size: int = 0
    """Values per cell if a cell is a list of fixed size; 0 if it is one value."""


class BatchLayout:
    """The columns of a stream, and how its batches lie in bytes."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self.schema = _framed(_schema(self.fields))
        self._kinds = [field.type for field in self.fields]
        nodes: list[tuple[int, int]] = []
        self._validities: list[list[Buffer]] = []
        for field in self.fields:
            nodes.append((1, 1 if field.type == "null" else 0))
            if field.size:
                nodes.append((field.size, 0))
            self._validities.append([] if field.type == "null" else [b""] * (2 if field.size else 1))
        self._per_row = np.array(nodes, np.int64).reshape(-1, 2)
        n_buffers = sum(len(v) + n_data(kind) for v, kind in zip(self._validities, self._kinds, strict=True))
        self._frame = _Frame(len(nodes), n_buffers)

    def encode(self, n_rows: int, columns: Sequence[Sequence[Buffer]]) -> bytes:
        """Write one batch.

        Args:
            n_rows: Number of rows.
            columns: Per field what `values_of` or `text_of` gives; nothing for `null`.
        """
        buffers: list[Buffer] = []
        for validity, column in zip(self._validities, columns, strict=True):
            buffers += validity
            buffers += column
        sizes = [len(b) if isinstance(b, bytes) else b.nbytes for b in buffers]
        pieces: list[Buffer] = [b"", b""]
        for buffer, size in zip(buffers, sizes, strict=True):
            if size:
                pieces.append(buffer)
                if size & 7:
                    pieces.append(_PADDING[-size & 7])
        pieces[0], pieces[1] = MARK, self._frame.fill(n_rows, self._per_row, sizes)
        return b"".join(cast("list[bytes]", pieces))


class _Frame:
    """The metadata of a batch. Positions are those of a flatbuffer whose tables are laid out by hand."""

    LENGTH, BODY, NODES = 4 + 64, 4 + 24, 4 + 88

    def __init__(self, n_nodes: int, n_buffers: int) -> None:
        self._n_nodes, self._n_buffers = n_nodes, n_buffers
        buffers_at = 88 + 16 * n_nodes
        size = buffers_at + 8 + 16 * n_buffers
        frame = bytearray(4 + size)
        put = struct.pack_into
        put("<i", frame, 0, size)
        # the message: where its table begins; where in it version, kind, header and body length stand
        put("<I6H", frame, 4, 16, 12, 24, 16, 18, 4, 8)
        put("<iIqhB", frame, 4 + 16, 12, 56 - 20, 0, VERSION, BATCH)
        # the record batch: length, nodes, buffers
        put("<5H", frame, 4 + 44, 10, 24, 8, 4, 16)
        put("<iIqI", frame, 4 + 56, 12, 84 - 60, 0, buffers_at + 4 - 72)
        put("<I", frame, 4 + 84, n_nodes)
        put("<I", frame, 4 + buffers_at + 4, n_buffers)
        self._buffers_at = 4 + buffers_at + 8
        self._template = bytes(frame)

    def fill(self, n_rows: int, per_row: Array, sizes: list[int]) -> bytes:
        frame = bytearray(self._template)
        lengths = np.array(sizes, np.int64)
        ends = np.cumsum((lengths + 7) & ~7)
        places = np.frombuffer(frame, np.int64, 2 * self._n_buffers, self._buffers_at)
        places[2::2] = ends[:-1]
        places[1::2] = lengths
        nodes = np.frombuffer(frame, np.int64, 2 * self._n_nodes, self.NODES)
        nodes[:] = per_row.ravel() * n_rows
        struct.pack_into("<q", frame, self.LENGTH, n_rows)
        struct.pack_into("<q", frame, self.BODY, int(ends[-1]) if len(ends) else 0)
        return bytes(frame)


def values_of(values: Array, kind: str) -> list[Buffer]:
    """Write numbers, booleans or times (int64 microseconds); a matrix fills cells that are lists."""
    if kind == "bool":
        return [np.packbits(np.ascontiguousarray(values, bool).ravel(), bitorder="little")]
    return [np.ascontiguousarray(values, ARROW_NUMBERS[kind]).ravel()]


def text_of(values: Sequence[str]) -> list[Buffer]:
    """Write texts; what is no Unicode (half a surrogate pair) becomes `?`."""
    joined = "".join(values)
    offsets = np.zeros(len(values) + 1, np.int32)
    if joined.isascii():
        np.cumsum(np.fromiter(map(len, values), np.int32, len(values)), out=offsets[1:])
        return [offsets, joined.encode("ascii")]
    encoded = [value.encode("utf-8", "replace") for value in values]
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(encoded)), out=offsets[1:])
    return [offsets, b"".join(encoded)]


def same_text(value: str, n_rows: int) -> list[Buffer]:
    """Write one text `n_rows` times."""
    encoded = value.encode("utf-8", "replace")
    return [np.arange(n_rows + 1, dtype=np.int32) * np.int32(len(encoded)), encoded * n_rows]


def n_data(kind: str) -> int:
    """Return how many buffers hold the values of a column."""
    return {"null": 0, "text": 2}.get(kind, 1)


def _framed(metadata: bytes) -> bytes:
    size = (len(metadata) + 7) & ~7
    return MARK + struct.pack("<i", size) + metadata.ljust(size, b"\0")


def _schema(fields: Sequence[Field]) -> bytes:
    builder = flatbuffers.Builder(1024)
    written = [_write_field(builder, field) for field in fields]
    vector = _vector(builder, written)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    schema = builder.EndObject()
    builder.StartObject(5)
    builder.PrependInt16Slot(0, VERSION, 0)
    builder.PrependUint8Slot(1, SCHEMA, 0)
    builder.PrependUOffsetTRelativeSlot(2, schema, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _write_field(builder: Any, field: Field) -> int:
    children = [_write_field(builder, Field("item", field.type))] if field.size else []
    name = builder.CreateString(field.name)
    below = _vector(builder, children)
    code, kind = _write_type(builder, field)
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependBoolSlot(1, True, False)
    builder.PrependUint8Slot(2, code, 0)
    builder.PrependUOffsetTRelativeSlot(3, kind, 0)
    builder.PrependUOffsetTRelativeSlot(5, below, 0)
    return cast("int", builder.EndObject())


def _write_type(builder: Any, field: Field) -> tuple[int, int]:
    name = field.type
    zone = builder.CreateString("UTC") if name == "timestamp" and not field.size else 0
    builder.StartObject(2)
    if field.size:
        code = FIXED_LIST
        builder.PrependInt32Slot(0, field.size, 0)
    elif name == "timestamp":
        code = TIMESTAMP
        builder.PrependInt16Slot(0, _MICROSECONDS, 0)
        builder.PrependUOffsetTRelativeSlot(1, zone, 0)
    elif name in _PRECISIONS:
        code = FLOAT
        builder.PrependInt16Slot(0, _PRECISIONS[name], 0)
    elif name in ARROW_NUMBERS:
        code = INT
        builder.PrependInt32Slot(0, ARROW_NUMBERS[name].itemsize * 8, 0)
        builder.PrependBoolSlot(1, name.startswith("int"), False)
    else:
        code = {"null": NULL, "bool": BOOL, "text": UTF8}[name]
    return code, cast("int", builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return cast("int", builder.EndVector())
