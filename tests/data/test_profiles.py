"""A profile counts exactly what a whole look at the column counts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from palio import data
from palio.core.records import Column, Schema

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
    x, few, word, at, none, same = data.profile_of(rows, SCHEMA).columns
    assert (x.n_rows, x.n_missing) == (200_000, rows["x"].null_count())
    assert (x.low, x.high) == (rows["x"].min(), rows["x"].max())
    assert x.mean == pytest.approx(rows["x"].mean(), rel=1e-12)
    assert x.standard_deviation == pytest.approx(rows["x"].std(), rel=1e-12)
    assert (x.n_distinct, few.n_distinct, word.n_distinct) == (None, 9, 3)
    assert dict(word.top) == dict(rows["word"].value_counts().iter_rows())
    assert (at.low, at.high) == (0.0, 60.0 * 199_999)
    assert (none.low, none.mean, none.edges, none.counts) == (None, None, (), ())
    assert (same.edges, same.counts) == ((3.5, 3.5), (200_000,))


def test_bins_hold_every_row_that_is_not_missing() -> None:
    rows = frame()
    for column in data.profile_of(rows, SCHEMA).columns:
        if column.edges and column.low != column.high:
            assert list(column.edges) == sorted(set(column.edges))
            assert len(column.counts) == len(column.edges) - 1
            values = rows[column.name].drop_nulls().to_physical().cast(pl.Float64).to_numpy()
            values = values / 1e6 if column.type == "datetime" else values
            assert list(column.counts) == np.histogram(values, np.array(column.edges))[0].tolist()


def test_values_that_are_few_have_a_bin_each() -> None:
    rows = frame()
    few = data.profile_of(rows, SCHEMA).columns[1]
    assert dict(enumerate(few.counts)) == {int(v): n for v, n in rows["few"].value_counts().sort("few").iter_rows()}


def test_bins_hold_about_as_many_rows_each() -> None:
    at = data.profile_of(frame(), SCHEMA).columns[3]
    assert max(at.counts) < 1.1 * min(at.counts)


def test_the_pieces_in_which_rows_come_do_not_matter() -> None:
    rows = frame()
    whole = data.profile_of(rows, SCHEMA)
    pieces = data.profile_of(lambda: (rows.slice(i, 7_777) for i in range(0, rows.height, 7_777)), SCHEMA)
    for one, two in zip(whole.columns, pieces.columns, strict=True):
        assert one.edges == two.edges
        assert one.counts == two.counts
        assert one.top == two.top
        assert one.mean == (None if two.mean is None else pytest.approx(two.mean, rel=1e-12))
