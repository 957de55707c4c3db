"""Streams of Arrow batches: what other libraries read in them, and what is left of one that was cut off."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio.core.errors import IntegrityError
from palio.store.arrow import END, BatchLayout, Field, same_text, text_of, values_of
from palio.store.arrow_reading import fields_of, messages, read_batch, read_stream, read_together

KINDS = ("float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FIELDS = [
    *(Field(kind, kind) for kind in KINDS),
    Field("yes", "bool"),
    Field("text", "text"),
    Field("same", "text"),
    Field("nothing", "null"),
    Field("at", "timestamp"),
    Field("list", "float32", 3),
    Field("bits", "bool", 3),
    Field("words", "text", 2),
]
LAYOUT = BatchLayout(FIELDS)


def columns(n_rows: int) -> list[Any]:
    numbers = np.arange(n_rows)
    return [
        *(values_of(numbers, kind) for kind in KINDS),
        values_of(numbers % 3 == 0, "bool"),
        text_of([f"ü{i}" if i % 2 else "" for i in range(n_rows)]),
        same_text("é", n_rows),
        [],
        values_of(numbers * 1_000_001, "timestamp"),
        values_of(np.arange(3 * n_rows).reshape(n_rows, 3), "float32"),
        values_of(np.arange(3 * n_rows) % 2 == 0, "bool"),
        text_of([f"w{i}" for i in range(2 * n_rows)]),
    ]


def stream(*sizes: int, end: bytes = END) -> bytes:
    return LAYOUT.schema + b"".join(LAYOUT.encode(n, columns(n)) for n in sizes) + end


def read(data: bytes) -> list[dict[str, Any]]:
    file = io.BytesIO(data)
    schema, *rest = messages(file)
    return [{name: v.tolist() for name, v in read_batch(file, fields_of(schema), m).items()} for m in rest]


@pytest.mark.parametrize("end", [END, b""])
def test_pyarrow_finds_no_fault_in_any_type(end: bytes) -> None:
    table = pa.ipc.open_stream(stream(5, 1, 0, 17, end=end)).read_all()
    table.validate(full=True)
    assert table.num_rows == 23
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert [str(field.type) for field in table.schema][:3] == ["double", "float", "halffloat"]
    assert table.column("list").to_pylist()[4] == [12, 13, 14]
    assert table.column("text").to_pylist()[:2] == ["", "ü1"]
    assert table.column("nothing").null_count == 23


@pytest.mark.parametrize("end", [END, b""])
def test_polars_reads_what_our_own_reader_reads(end: bytes) -> None:
    data = stream(9, end=end)
    (ours,) = read(data)
    theirs = pl.read_ipc_stream(io.BytesIO(data)).with_columns(pl.col("at").dt.replace_time_zone(None))
    assert theirs.to_dict(as_series=False) == ours


def test_a_schema_comes_back_as_it_was_written() -> None:
    (schema,) = messages(io.BytesIO(LAYOUT.schema))
    assert fields_of(schema) == tuple(FIELDS)


def test_a_stream_that_is_cut_at_any_byte_is_read_up_to_its_last_whole_batch() -> None:
    whole = stream(3, 2, 4, end=b"")
    ends = [m.end for m in messages(io.BytesIO(whole))]
    for size in range(ends[0], len(whole) + 1):
        n_batches = sum(end <= size for end in ends) - 1
        assert len(read(whole[:size])) == n_batches
    assert [len(batch["text"]) for batch in read(whole + b"\xff\xff")] == [3, 2, 4]


def test_what_lies_behind_the_end_or_is_no_message_is_left_alone() -> None:
    assert len(read(stream(2) + stream(2))) == 1
    assert len(read(stream(2, end=b"\0" * 64))) == 1
    assert len(read(stream(2, end=b"\xff\xff\xff\xff" + b"\x10\0\0\0" + b"\xff" * 80))) == 1


def test_a_file_of_somebody_else_is_refused_by_name() -> None:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([("d", pa.decimal128(5, 2))])):
        pass
    (schema,) = messages(io.BytesIO(sink.getvalue()))
    with pytest.raises(IntegrityError, match="Palio did not write it"):
        fields_of(schema)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=8), max_size=30))
def test_any_text_survives(texts: list[str]) -> None:
    layout = BatchLayout([Field("t", "text")])
    data = layout.schema + layout.encode(len(texts), [text_of(texts)])
    assert pl.read_ipc_stream(io.BytesIO(data))["t"].to_list() == texts
    assert read(data)[0]["t"] == texts


def test_half_a_surrogate_pair_does_not_make_a_file_unreadable() -> None:
    layout = BatchLayout([Field("t", "text")])
    data = layout.schema + layout.encode(2, [text_of(["a\ud800b", "c"])])
    assert pl.read_ipc_stream(io.BytesIO(data))["t"].to_list() == ["a?b", "c"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_stream_never_raises_anything_unexpected(data: st.DataObject) -> None:
    whole = bytearray(stream(3, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(bytes(whole))
    found = list(messages(file))
    with contextlib.suppress(IntegrityError):
        for message in found[1:]:
            for values in read_batch(file, fields_of(found[0]), message).values():
                values.tolist()


def test_a_whole_stream_is_read_batch_by_batch() -> None:
    batches = list(read_stream(io.BytesIO(stream(3, 2))))
    assert [batch.n_rows for batch in batches] == [3, 2]
    assert batches[0].fields == tuple(FIELDS)
    with pytest.raises(IntegrityError):
        list(read_stream(io.BytesIO(b"")))


def test_texts_that_lie_over_each_other_are_refused() -> None:
    """A few bytes could else become texts that fill the memory."""
    layout = BatchLayout([Field("t", "text"), Field("n", "int8")])
    offsets, data = text_of(["x" * 1_000] * 3)
    offsets[:] = [0, 3_000, 0, 3_000]
    damaged = layout.schema + layout.encode(3, [[offsets, data], values_of(np.zeros(3), "int8")])
    (batch,) = read_stream(io.BytesIO(damaged))
    assert batch["n"].tolist() == [0, 0, 0]
    with pytest.raises(IntegrityError):
        batch["t"]


def test_a_segment_of_the_first_format_is_still_read() -> None:
    data = (Path(__file__).parent / "log-format-1.arrows").read_bytes()
    first, second = read(data)
    assert first["id"] + second["id"] == ["r-1.0", "r-3.0", "r-3.1", "r-3.2"]
    assert second["input.age"] == pl.read_ipc_stream(io.BytesIO(data))["input.age"].to_list()[1:]
    assert (second["input.level"], second["prediction"]) == ([None] * 3, ["no", "yes", "no"])


@settings(max_examples=60, deadline=None)
@given(
    few=st.lists(st.text(max_size=45), min_size=1, max_size=40),
    n_rows=st.integers(min_value=500, max_value=3_000),
    seed=st.integers(0, 9),
)
def test_texts_that_repeat_survive(few: list[str], n_rows: int, seed: int) -> None:
    few = [text.encode("utf-8", "replace").decode("utf-8") for text in few]
    texts = [few[k] for k in np.random.default_rng(seed).integers(0, len(few), n_rows).tolist()]
    layout = BatchLayout([Field("text", "text")])
    (batch,) = read_stream(io.BytesIO(layout.schema + layout.encode(n_rows, [text_of(texts)]) + END))
    assert batch["text"].tolist() == texts


def test_a_column_is_not_decoded_to_see_whether_it_is_there() -> None:
    layout = BatchLayout([Field("text", "text")])
    (batch,) = read_stream(io.BytesIO(layout.schema + layout.encode(2, [text_of(["a", "b"])]) + END))
    assert "text" in batch
    assert "other" not in batch


@pytest.mark.parametrize("sizes", [(1, 20, 0, 7), (3,), (600, 600, 4_000, 5, 5)])
def test_small_batches_that_are_read_together_hold_the_same_cells(sizes: tuple[int, ...]) -> None:
    file = io.BytesIO(stream(*sizes))
    schema, *rest = messages(file)
    together = list(read_together(file, fields_of(schema), rest))
    assert len(together) == (2 if len(sizes) == 5 else 1)
    assert sum(batch.n_rows for batch in together) == sum(sizes)
    parts = read(file.getvalue())
    assert list(together[0]) == list(parts[0])
    for name in parts[0]:
        assert [cell for batch in together for cell in batch[name].tolist()] == [
            c for part in parts for c in part[name]
        ]
        assert {batch[name].dtype for batch in together} == {
            batch[name].dtype for batch in read_stream(io.BytesIO(file.getvalue()))
        }


@given(data=st.data())
def test_damaged_batches_that_are_read_together_never_raise_anything_unexpected(data: st.DataObject) -> None:
    damaged = bytearray(stream(4, 5, 6))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(bytes(damaged))
    try:
        schema, *rest = messages(file)
        for batch in read_together(file, fields_of(schema), rest):
            for name in batch:
                assert len(batch[name]) == batch.n_rows
    except (IntegrityError, ValueError) as error:
        assert isinstance(error, IntegrityError) or "unpack" in str(error)
