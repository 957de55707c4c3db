"""A snapshot is its content: the same rows are the same snapshot, from any file, in any pieces."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data
from palio.core.errors import ConflictError, ContractError, InputError, IntegrityError
from palio.core.records import Column, Schema, Snapshot, Task
from palio.data import chunks as module
from palio.data.identity import snapshot_id
from palio.store import Store


def table(n: int = 300, start: int = 0) -> pl.DataFrame:
    rows = range(start, start + n)
    return pl.DataFrame(
        {
            "code": [f"k{i * 7919 % 5}" if i % 11 else None for i in rows],
            "n": [i * 37 % 101 if i % 7 else None for i in rows],
            "x": [(i * 31 % 97) / 8 if i % 13 else None for i in rows],
            "at": [f"2020-01-{1 + i % 28:02} 10:{i % 60:02}:00" for i in rows],
            "ok": ["true" if i % 3 else "false" for i in rows],
            "y": ["yes" if i % 4 == 0 else "no" if i % 17 else None for i in rows],
        }
    )


def csv(frame: pl.DataFrame, path: Path, **options: str) -> data.Source:
    frame.write_csv(path, **options)  # type: ignore[arg-type]
    return data.open_source(path)


def test_what_was_stored_reads_back(tmp_path: Path, store: Store) -> None:
    frame = table()
    snapshot = data.ingest(csv(frame, tmp_path / "t.csv"), store=store, target="y")
    moments = pl.col("at").str.to_datetime(time_unit="us").dt.replace_time_zone("UTC")
    expected = frame.with_columns(moments)
    assert data.read(store, snapshot).equals(expected)
    assert (snapshot.n_rows, snapshot.version, snapshot.parent) == (300, 1, None)
    assert snapshot.n_unlabelled == frame["y"].null_count()
    assert store.records.get(Snapshot, snapshot.id) == snapshot


def test_the_form_of_the_file_is_not_part_of_the_identity(tmp_path: Path, store: Store) -> None:
    frame = table()
    typed = frame.with_columns(pl.col("at").str.to_datetime(), pl.col("ok") == "true")
    typed.write_parquet(tmp_path / "t.parquet", row_group_size=70)
    frame.write_ndjson(tmp_path / "t.jsonl")
    sources = [
        csv(frame, tmp_path / "a.csv"),
        csv(frame, tmp_path / "b.csv", separator=";", null_value="NA", quote_style="always"),
        data.open_source(tmp_path / "t.parquet"),
        data.open_source(tmp_path / "t.jsonl"),
    ]
    snapshots = [data.ingest(source, store=store, target="y") for source in sources]
    assert len({s.id for s in snapshots}) == 1
    assert len(store.records.all(Snapshot)) == 1
    assert len(store.ledger.events(kind="data.ingest")) == 1


def test_the_size_of_chunks_is_not_part_of_the_identity(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = csv(table(1_000), tmp_path / "t.csv")
    schema = data.survey(source, target="y").schema
    whole = module.ChunkWriter(store, schema, None)
    frame = data.read(store, data.ingest(source, store=store, schema=schema))
    whole.add(frame)
    monkeypatch.setattr(module, "CHUNK_ROWS", 64)
    pieces = module.ChunkWriter(store, schema, None)
    place, chance = 0, random.Random(0)
    while place < frame.height:
        n = chance.randrange(1, 90)
        pieces.add(frame.slice(place, n))
        place += n
    assert len(pieces.finish()[1]) == 16
    assert pieces.finish()[2] == whole.finish()[2]


@pytest.mark.parametrize("name", ["code", "n", "x", "at", "ok", "y"])
def test_every_cell_counts(name: str, tmp_path: Path, store: Store) -> None:
    schema = data.survey(csv(table(), tmp_path / "t.csv"), target="y").schema
    first = data.ingest(csv(table(), tmp_path / "t.csv"), store=store, schema=schema)
    changed = table().with_columns(
        pl.when(pl.int_range(pl.len()) == 299).then(pl.col(name).first()).otherwise(pl.col(name)).alias(name)
    )
    changed = changed if not changed.equals(table()) else changed.with_columns(pl.col(name).reverse())
    second = data.ingest(csv(changed, tmp_path / "t.csv"), store=store, schema=schema)
    others = {c: d for c, d in first.column_digests.items() if c != name}
    assert second.id != first.id
    assert second.column_digests[name] != first.column_digests[name]
    assert others == {c: d for c, d in second.column_digests.items() if c != name}


def test_a_missing_cell_is_not_an_empty_one_nor_zero(tmp_path: Path, store: Store) -> None:
    one = pl.DataFrame({"n": [0, None] * 20, "m": [1, 2, 3, 4] * 10, "y": [0, 1] * 20})
    two = pl.DataFrame({"n": [None, 0] * 20, "m": [1, 2, 3, 4] * 10, "y": [0, 1] * 20})
    digests = [
        data.ingest(csv(f, tmp_path / f"{i}.csv"), store=store, schema=None, target="y").column_digests["n"]
        for i, f in enumerate((one, two))
    ]
    assert digests[0] != digests[1]


def test_appending_gives_what_all_rows_at_once_give(tmp_path: Path, store: Store) -> None:
    schema = data.survey(csv(table(600), tmp_path / "all.csv"), target="y").schema
    first = data.ingest(csv(table(400), tmp_path / "a.csv"), store=store, schema=schema)
    second = data.ingest(csv(table(200, 400), tmp_path / "b.csv"), store=store, parent=first)
    whole = data.ingest(csv(table(600), tmp_path / "all.csv"), store=store, schema=schema)
    assert (second.version, second.parent, second.n_rows) == (2, first.id, 600)
    assert second.chunks[: len(first.chunks)] == first.chunks
    assert second.id == whole.id
    assert data.description(store, second).n_rows == 600


def test_appended_rows_widen_ranges_and_categories(tmp_path: Path, store: Store) -> None:
    first = data.ingest(csv(table(), tmp_path / "a.csv"), store=store, target="y")
    new = table(20).with_columns(pl.lit("new").alias("code"), pl.lit(5_000).alias("n"))
    second = data.ingest(csv(new, tmp_path / "b.csv"), store=store, parent=first)
    assert {(v.column, v.rule, v.n_rows) for v in second.violations} == {("code", "category", 20), ("n", "range", 20)}
    assert second.schema.column("n").high == 5_000.0
    assert (second.schema.column("code").categories or ())[-1] == "new"


def test_rows_that_break_the_contract_are_refused_by_column_with_counts(tmp_path: Path, store: Store) -> None:
    first = data.ingest(csv(table(), tmp_path / "a.csv"), store=store, target="y")
    bad = table(30).cast({"n": pl.String}).with_columns(pl.lit("x").alias("n")).drop("at")
    with pytest.raises(ContractError, match="absent: `at`"):
        data.ingest(csv(bad, tmp_path / "b.csv"), store=store, parent=first)
    bad = bad.with_columns(table(30)["at"])
    with pytest.raises(ContractError, match=r"column `n`: 30 cells cannot be read") as caught:
        data.ingest(csv(bad, tmp_path / "b.csv"), store=store, parent=first)
    assert caught.value.facts["violations"][0] | {"examples": []} == {
        "column": "n", "rule": "type", "n_rows": 30, "examples": [], "action": "reject",
    }  # fmt: skip
    assert store.records.all(Snapshot) == [first]


def test_rows_that_break_the_contract_can_be_set_aside(tmp_path: Path, store: Store) -> None:
    text = table().write_csv()
    lines = text.splitlines()
    lines[10:10] = ["k1,oops,1.5,2020-01-02 10:00:00,true,yes", "k1,1,inf,2020-01-02 10:00:00,true,=1+1", "only,two"]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    schema = data.survey(csv(table(), tmp_path / "good.csv"), target="y").schema
    source = data.open_source(tmp_path / "t.csv")
    snapshot = data.ingest(source, store=store, schema=schema, on_violation="quarantine")
    assert (snapshot.n_rows, snapshot.n_quarantined) == (300, 3)
    event = store.ledger.events(kind="data.ingest")[-1]
    rows = [msgspec.json.decode(line) for line in store.blobs.get(event.payload["quarantine"]).splitlines()]
    assert [row["reasons"] for row in rows] == [["n: type"], ["x: type"], ["2 cells"]]
    assert rows[0]["cells"]["n"] == "oops"
    assert rows[2]["text"] == "only,two"


def test_a_rule_of_the_contract_may_reject(tmp_path: Path, store: Store) -> None:
    schema = data.survey(csv(table(), tmp_path / "t.csv"), target="y").schema
    strict = msgspec.structs.replace(
        schema,
        columns=tuple(
            msgspec.structs.replace(c, high=50.0, on_out_of_range="reject") if c.name == "n"
            else msgspec.structs.replace(c, missing_allowed=False) if c.name in ("code", "y") else c
            for c in schema.columns
        ),
    )  # fmt: skip
    snapshot = data.ingest(csv(table(), tmp_path / "t.csv"), store=store, schema=strict, on_violation="quarantine")
    frame = data.read(store, snapshot)
    assert frame["n"].max() <= 50  # type: ignore[operator]
    assert frame["code"].null_count() == 0
    assert frame["y"].null_count() > 0  # rows without a target are kept
    assert snapshot.n_rows + snapshot.n_quarantined == 300


def test_rows_and_columns_are_read_as_asked(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 64)
    snapshot = data.ingest(csv(table(), tmp_path / "t.csv"), store=store, target="y")
    assert len(snapshot.chunks) == 5
    everything = data.read(store, snapshot)
    positions = np.array([299, 0, 64, 63, 0])
    assert data.read(store, snapshot, rows=positions).equals(everything[positions])
    mask = np.arange(300) % 7 == 3
    assert data.read(store, snapshot, rows=mask, columns=["y", "n"]).equals(everything.filter(mask).select("y", "n"))
    assert data.read(store, snapshot, rows=np.zeros(300, bool)).schema == everything.schema
    streamed = pl.concat([pl.from_arrow(b) for b in data.batches(store, snapshot, columns=["x"])])  # type: ignore[type-var]
    assert streamed.to_series().equals(everything["x"])  # type: ignore[union-attr]
    for rows in (np.zeros(299, bool), [300], [-1]):
        with pytest.raises(InputError, match="rows:"):
            data.read(store, snapshot, rows=rows)
    with pytest.raises(InputError, match="no column `z`"):
        data.read(store, snapshot, columns=["z"])


def test_a_changed_chunk_is_refused(tmp_path: Path, store: Store) -> None:
    snapshot = data.ingest(csv(table(), tmp_path / "t.csv"), store=store, target="y")
    path = store.blobs.local_path(snapshot.chunks[0].blob)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises((IntegrityError, ConflictError)):
        data.read(store, snapshot)


def test_the_task_of_a_snapshot_is_that_of_the_survey(tmp_path: Path, store: Store) -> None:
    source = csv(table(), tmp_path / "t.csv")
    found = data.survey(source, target="y")
    assert data.infer_task(store, data.ingest(source, store=store, schema=found.schema)) == found.task


def test_the_truth_is_an_index_or_a_number() -> None:
    task = Task(kind="classification", target="y", classes=("0", "1"))
    for cells in ([1, None, 0, 7], [1.0, None, 0.0, 7.0], ["1", None, "0", "7"]):
        assert data.target_array(pl.DataFrame({"y": cells}), task).tolist() == [1, -1, 0, -2]
    numbers = data.target_array(pl.DataFrame({"y": [1, None]}), Task(kind="regression", target="y"))
    assert numbers.dtype == np.float64
    assert np.isnan(numbers).tolist() == [False, True]


def test_a_file_to_be_scored_keeps_every_row_in_order(tmp_path: Path, store: Store) -> None:
    schema = data.survey(csv(table(), tmp_path / "t.csv"), target="y").schema
    frames = [one.frame for one in data.scan(csv(table(50).drop("y"), tmp_path / "new.csv"), schema)]
    assert pl.concat(frames).equals(next(data.scan(csv(table(50), tmp_path / "n2.csv"), schema)).frame)
    odd = table(4).with_columns(pl.lit("new").alias("code"))
    assert next(data.scan(csv(odd, tmp_path / "odd.csv"), schema)).flags == {("code", "unknown category"): 4}
    with pytest.raises(ContractError, match="absent: `x`"):
        next(data.scan(csv(table(9).drop("x"), tmp_path / "less.csv"), schema))


def test_a_row_that_cannot_be_answered_keeps_its_place(tmp_path: Path) -> None:
    schema = data.survey(csv(table(), tmp_path / "t.csv"), target="y").schema
    lines = table(20).write_csv().splitlines()
    at = lines[0].split(",").index("x")
    lines[5] = ",".join("oops" if i == at else cell for i, cell in enumerate(lines[5].split(",")))
    lines.insert(3, "1,2")
    (tmp_path / "new.csv").write_text("\n".join([*lines, "3"]) + "\n")
    found = list(data.scan(data.open_source(tmp_path / "new.csv"), schema))
    problems = {i + 1: why for i, why in enumerate(why for one in found for why in one.problems) if why}
    assert problems == {3: "2 cells, not 6", 6: "`x`: `oops` is not a finite number", 22: "1 cell, not 6"}
    whole = pl.concat([one.frame for one in found])
    expected = next(data.scan(csv(table(20), tmp_path / "whole.csv"), schema)).frame
    kept = [i for i in range(22) if i + 1 not in problems]
    assert whole[kept].equals(expected[[i for i in range(20) if i != 4]])
    for strict in (True,):
        with pytest.raises(ContractError):
            list(data.scan(data.open_source(tmp_path / "new.csv"), schema, strict=strict))


def test_an_example_tells_its_row_with_those_counted_that_are_left_out(tmp_path: Path) -> None:
    schema = data.survey(csv(table(), tmp_path / "t.csv"), target="y").schema
    lines = table(20).write_csv().splitlines()
    at = lines[0].split(",").index("code")
    lines[7] = ",".join("new" if i == at else cell for i, cell in enumerate(lines[7].split(",")))
    for place in (9, 5, 2):
        lines.insert(place, "1,2")
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    (found,) = data.scan(data.open_source(tmp_path / "new.csv"), schema)
    assert found.examples["code", "unknown category"] == "new (row 9)"


@pytest.mark.parametrize("name", ["bank.csv", "adult-train.csv", "beijing-pm25.csv", "telco-churn.csv"])
def test_real_tables_have_one_identity_as_csv_and_as_parquet(
    name: str, shared_data: Path, tmp_path: Path, store: Store
) -> None:
    target = {"beijing-pm25.csv": "pm2.5"}.get(name, -1)
    first = data.ingest(data.open_source(shared_data / "tabular" / name), store=store, target=target)
    data.read(store, first).write_parquet(tmp_path / "t.parquet")
    second = data.ingest(data.open_source(tmp_path / "t.parquet"), store=store, target=first.schema.target)
    assert second.id == first.id
    assert first.violations == ()


def test_a_missing_value_is_flagged_until_rows_that_miss_it_were_appended(tmp_path: Path, store: Store) -> None:
    survey = data.survey(csv(table(), tmp_path / "t.csv"), target="y")
    found = {c.name: c.on_missing for c in survey.schema.columns}
    assert found == {"code": "accept", "n": "accept", "x": "accept", "at": "flag", "ok": "flag", "y": "accept"}
    first = data.ingest(csv(table(), tmp_path / "t.csv"), store=store, schema=survey.schema)
    more = table(20, 300).with_columns(pl.when(pl.col("n") > 50).then("ok").alias("ok"))
    second = data.ingest(csv(more, tmp_path / "more.csv"), store=store, parent=first)
    n_missing = more["ok"].null_count()
    assert [(v.column, v.n_rows, v.action) for v in second.violations if v.rule == "missing"] == [
        ("ok", n_missing, "flag")
    ]
    assert (second.schema.column("ok").on_missing, second.schema.column("at").on_missing) == ("accept", "flag")
    strict = msgspec.structs.replace(
        first.schema,
        columns=tuple(
            msgspec.structs.replace(c, on_missing="reject") if c.name == "ok" else c for c in first.schema.columns
        ),
    )
    with pytest.raises(ContractError, match=r"`ok`.* are missing, but may not be") as caught:
        data.ingest(csv(more, tmp_path / "more.csv"), store=store, schema=strict)
    assert 'on_missing = "flag" for `ok`' in str(caught.value.hint)


def test_a_contract_without_a_policy_for_missing_values_keeps_its_name() -> None:
    column = Column(name="x", type="number")
    digests = {"x": "0"}
    accepts = snapshot_id(Schema(columns=(column,)), 1, digests)
    flags = snapshot_id(Schema(columns=(msgspec.structs.replace(column, on_missing="flag"),)), 1, digests)
    assert accepts.startswith("58be56752e2c")
    assert accepts != flags
