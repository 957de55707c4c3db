"""Types that a file states become plain cells, digit by digit; what is none is passed over with the reason."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from palio import data
from palio.core.errors import InputError
from palio.store import Store
from palio.testing.source import cells


def column(folder: Path, values: list[Any], kind: Any) -> list[Any]:
    pq.write_table(pa.table({"a": pa.array(values, kind)}), folder / "t.parquet")
    return [row[0] for row in cells(data.open_source(folder / "t.parquet"))]


NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        (pa.uint64(), [1, 2**63 - 1, None], [1, 2**63 - 1, None]),
        (pa.uint64(), [2**64 - 1, 2**64 - 2], ["18446744073709551615", "18446744073709551614"]),
        (pa.decimal128(38, 0), [Decimal(10**22 + 1), Decimal(10**22)], [str(10**22 + 1), str(10**22)]),
        (pa.decimal128(38, 0), [Decimal(5), None], [5, None]),
        (pa.decimal128(38, 18), [Decimal("1.5"), None], [1.5, None]),
        (pa.decimal128(20, 2), [Decimal("123456789012345678.25")], ["123456789012345678.25"]),
        (pa.decimal256(60, 0), [Decimal(10**50)], [str(10**50)]),
        (pa.float16(), [1.5], [1.5]),
        (pa.bool_(), [True, None], ["true", None]),
        (pa.null(), [None], [None]),
        (pa.dictionary(pa.int8(), pa.string()), ["p", None], ["p", None]),
        (pa.large_string(), ["007", "1.50"], ["007", "1.50"]),
        (pa.timestamp("ns"), [NOON.replace(tzinfo=None)], [NOON]),
        (pa.timestamp("ms", tz="Europe/Rome"), [NOON, None], [NOON, None]),
        (pa.date32(), [NOON.date()], [NOON.replace(hour=0)]),
        (pa.time64("us"), [dt.time(10, 30), dt.time(10, 30, 0, 5)], ["10:30:00", "10:30:00.000005"]),
        (pa.duration("ms"), [dt.timedelta(seconds=1.5)], [1.5]),
        (pa.binary(), ["é".encode(), b"b"], ["é", "b"]),
    ],
)
def test_cells_keep_what_their_type_holds(kind: Any, values: list[Any], read: list[Any], tmp_path: Path) -> None:
    assert column(tmp_path, values, kind) == read


def test_columns_that_nobody_asks_for_refuse_nothing(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": [1, 2],
            "emb": [[1.0], [2.0]],
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "raw": [b"\xff\x00", b"\xfe"],
            "who": [{"name": "Ann", "tags": ["x"]}, None],
            "y": ["p", "q"],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    source = data.open_source(tmp_path / "t.parquet")
    assert source.columns == ("a", "who.name", "y")
    assert cells(source) == [(1, "Ann", "p"), (2, None, "q")]
    assert source.passed_over == {
        "emb": "it holds lists",
        "map": "it holds maps",
        "raw": "it holds bytes",
        "who.tags": "it holds lists",
    }
    assert any("`emb`" in note for note in source.notes)
    with pytest.raises(InputError, match="`emb` cannot be read: it holds lists"):
        data.open_source(tmp_path / "t.parquet", data.SourceOptions(target="emb"))


def test_a_parquet_file_is_known_by_its_content(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.csv")
    source = data.open_source(tmp_path / "t.csv")
    assert cells(source) == [(1,)]
    assert "the content is a Parquet file" in source.notes[0]


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (float("inf"), pa.float64()),
        (float("-inf"), pa.float64()),
        (dt.datetime(1, 1, 1, tzinfo=dt.UTC), pa.timestamp("us", "UTC")),
    ],
)
def test_many_cells_that_hold_no_value_are_missing(odd: Any, kind: Any, tmp_path: Path, store: Store) -> None:
    usual = [
        dt.datetime(2022, 1, 1 + i % 28, tzinfo=dt.UTC) if isinstance(odd, dt.datetime) else i / 2 for i in range(60)
    ]
    cells_of_a = [odd if i % 7 == 0 else value for i, value in enumerate(usual)]
    table = pa.table({"a": pa.array(cells_of_a, kind), "b": [i % 5 for i in range(60)], "y": ["no", "yes"] * 30})
    pq.write_table(table, tmp_path / "t.parquet")
    source = data.open_source(tmp_path / "t.parquet")
    snapshot = data.ingest(source, store=store, schema=data.survey(source, target="y").schema)
    held = data.read(store, snapshot)["a"]
    assert held.null_count() == 9
    assert held.max() == max(usual)


def test_whole_numbers_that_spell_days_are_days(tmp_path: Path) -> None:
    days = [20220101 + i for i in range(28)]
    pq.write_table(
        pa.table({"date": days, "b": [i % 5 for i in days], "y": ["no", "yes"] * 14}), tmp_path / "t.parquet"
    )
    found = data.survey(data.open_source(tmp_path / "t.parquet"), target="y").schema.column("date")
    assert (found.type, found.format) == ("datetime", "%Y%m%d")


def test_whole_numbers_that_spell_days_only_at_first_stay_numbers(tmp_path: Path) -> None:
    cells = [20220101 + i % 28 for i in range(30_000)] + [1 + i % 99_999 for i in range(30_000)]
    pq.write_table(pa.table({"key": cells, "b": cells[::-1], "y": ["no", "yes"] * 30_000}), tmp_path / "t.parquet")
    found = data.survey(data.open_source(tmp_path / "t.parquet"), target="y")
    assert found.schema.column("key").type == "integer"
    assert found.readings[0].n_unread == 0
