"""A description counts exactly what a whole look at the column counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from palio import data, measure
from palio.core.records import Column, Schema
from palio.data.describing import describe
from palio.measure import decode_description
from palio.store import Store

SCHEMA = Schema(
    columns=(
        Column(name="x", type="number"),
        Column(name="few", type="integer"),
        Column(name="word", type="category"),
        Column(name="at", type="datetime"),
        Column(name="none", type="number"),
        Column(name="same", type="number"),
    )
)


def frame(n: int = 200_000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(n) < 0.3, 0.0, rng.lognormal(size=n))
    return pl.DataFrame(
        {
            "x": pl.Series(x).set(pl.Series(rng.random(n) < 0.1), None),
            "few": rng.integers(0, 9, n),
            "word": rng.choice(["a", "b", "c"], n, p=[0.7, 0.2, 0.1]),
            "at": pl.Series(np.arange(n) * 60_000_000).cast(pl.Datetime("us", "UTC")),
            "none": pl.Series([None] * n, dtype=pl.Float64),
            "same": np.full(n, 3.5),
        }
    )


def test_moments_and_counts_are_those_of_the_whole_column() -> None:
    rows = frame()
    x, few, word, at, none, same = describe(rows, SCHEMA).columns
    assert (x.n_rows, x.n_missing) == (200_000, rows["x"].null_count())
    assert (x.low, x.high) == (rows["x"].min(), rows["x"].max())
    assert x.mean == pytest.approx(rows["x"].mean(), rel=1e-12)
    assert x.standard_deviation == pytest.approx(rows["x"].std(), rel=1e-12)
    assert (x.n_distinct, few.n_distinct, word.n_distinct) == (None, 9, 3)
    assert dict(word.top) == dict(rows["word"].value_counts().iter_rows())
    assert (at.low, at.high) == (0.0, 60.0 * 199_999)
    assert (none.low, none.mean, none.edges, none.counts) == (None, None, (), (0, 200_000))
    assert (same.edges, same.values, same.counts) == ((), ("3.5",), (200_000, 0))


def test_bins_hold_every_row_that_is_not_missing() -> None:
    rows = frame()
    for column in describe(rows, SCHEMA).columns:
        assert sum(column.counts) == column.n_rows == rows.height
        if column.edges and column.low is not None and column.high is not None:
            assert list(column.edges) == sorted(set(column.edges))
            values = rows[column.name].drop_nulls().to_physical().cast(pl.Float64).to_numpy()
            values = values / 1e6 if column.is_moment else values
            edges = np.array([min(column.low, column.edges[0]), *column.edges, column.high])
            assert list(column.counts[:-1]) == np.histogram(values, edges)[0].tolist()


def test_a_snapshot_and_a_reference_are_cut_by_the_same_code() -> None:
    rows = frame(50_000)
    for column in describe(rows, SCHEMA).columns:
        if column.kind == "number" and not column.is_moment:
            cells = rows[column.name].cast(pl.Float64).to_numpy()
            mine = measure.number_column(column.name, cells)
            assert (mine.edges, mine.values, mine.counts) == (column.edges, column.values, column.counts)
            assert (mine.low, mine.high, mine.decimals) == (column.low, column.high, column.decimals)


def test_the_description_of_an_old_snapshot_is_read() -> None:
    old = decode_description((Path(__file__).parent / "profile-of-old.json").read_bytes())
    by_name = {column.name: column for column in old.columns}
    assert [column.kind for column in old.columns] == [
        "number",
        "number",
        "category",
        "text",
        "number",
        "number",
        "number",
    ]
    assert {column.n_rows for column in old.columns} == {old.n_rows} == {500}
    assert len(by_name["x"].counts) == len(by_name["x"].edges) + 2 == 65
    assert by_name["x"].n_missing > 0
    assert by_name["few"].values == tuple("012345678")
    assert by_name["word"].top[0][0] == "a"
    assert (by_name["none"].low, by_name["none"].counts) == (None, (0, 500))
    assert (by_name["same"].values, by_name["same"].counts) == (("3.5",), (500, 0))
    assert by_name["at"].is_moment


def test_values_that_are_few_have_a_bin_each() -> None:
    rows = frame()
    few = describe(rows, SCHEMA).columns[1]
    assert dict(zip(map(int, few.values), few.counts, strict=False)) == {
        int(v): n for v, n in rows["few"].value_counts().sort("few").iter_rows()
    }


def test_bins_hold_about_as_many_rows_each() -> None:
    at = describe(frame(), SCHEMA).columns[3]
    assert max(at.counts[:-1]) < 1.2 * min(at.counts[:-1])


def test_the_pieces_in_which_rows_come_do_not_matter() -> None:
    rows = frame()
    whole = describe(rows, SCHEMA)
    pieces = describe(lambda: (rows.slice(i, 7_777) for i in range(0, rows.height, 7_777)), SCHEMA)
    for one, two in zip(whole.columns, pieces.columns, strict=True):
        assert one.edges == two.edges
        assert one.counts == two.counts
        assert one.values == two.values
        assert one.mean == (None if two.mean is None else pytest.approx(two.mean, rel=1e-12))


def test_every_category_that_appended_rows_bring_is_listed(tmp_path: Path, store: Store) -> None:
    def rows(names: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"code": names, "y": [i % 2 for i in range(len(names))]})

    known = [f"c{i}" for i in range(150)] * 4
    rows(known).write_csv(tmp_path / "a.csv")
    rows([f"new {i}" for i in range(30)]).write_csv(tmp_path / "b.csv")
    schema = Schema(
        columns=(Column(name="code", type="category"), Column(name="y", type="integer", feature=False)), target="y"
    )
    first = data.ingest(data.open_source(tmp_path / "a.csv"), store=store, schema=schema)
    second = data.ingest(data.open_source(tmp_path / "b.csv"), store=store, parent=first)
    listed = second.schema.column("code").categories
    assert listed is not None and set(listed) == {*known, *(f"new {i}" for i in range(30))}
