from __future__ import annotations

import datetime as dt

import polars as pl

from palio.core.records import Column, Schema
from palio.evaluate.segmenting import segments


def cut(values, kind, **column):
    frame = pl.DataFrame({"x": values})
    return [
        (s.condition, int(s.rows.sum()))
        for s in segments(frame, Schema(columns=(Column(name="x", type=kind, **column),)))
    ]


def test_ranges_share_out_all_rows_and_missing_is_its_own_slice():
    numbers = [float(i) for i in range(400)] + [None] * 50
    assert cut(numbers, "number") == [
        ("from 0 to below 99.75", 100),
        ("from 99.75 to below 199.5", 100),
        ("from 199.5 to below 299.2", 100),
        ("from 299.2 up to 399", 100),
        ("is missing", 50),
    ]


def test_few_distinct_numbers_are_values():
    assert cut([1] * 40 + [2] * 60, "integer") == [("= 2", 60), ("= 1", 40)]


def test_only_the_most_frequent_values_and_no_small_ones_become_slices():
    labels = [f"v{i:02d}" for i in range(12) for _ in range(40 + i)] + ["rare"] * 29
    found = cut(labels, "category")
    assert len(found) == 8 and found[0] == ("= v11", 51)
    assert cut(["a"] * 29 + ["b"] * 29, "category") == []


def test_a_slice_that_leaves_too_few_others_is_none():
    assert cut(["a"] * 1000 + ["b"] * 10, "category") == []


def test_days_and_lengths_are_said_in_words():
    days = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=i) for i in range(200)]
    assert cut(days, "datetime")[0] == ("from 2024-01-01 to below 2024-02-19", 50)
    texts = ["x" * (i % 100 + 1) for i in range(400)]
    assert cut(texts, "text")[-1][0].endswith("100 letters")


def test_columns_that_are_no_features_are_not_cut():
    assert cut(["a"] * 50 + ["b"] * 50, "category", feature=False) == []


def test_all_missing_gives_nothing():
    assert cut(pl.Series([None] * 100, dtype=pl.Float64), "number") == []
