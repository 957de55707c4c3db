"""Folds: complete, even, and as careful as the cut itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from palio import split
from palio.core.errors import InputError
from palio.core.records import Column, Parts, Schema, Task

from .conftest import Rows, without

SCHEMA = Schema(
    columns=(Column(name="x", type="number"), Column(name="c", type="category"), Column(name="y", type="category")),
    target="y",
)


def parts(**changes: object) -> Parts:
    base = Parts(id="", snapshot="", policy="cv", method="random", seed=0, n_folds=5, counts={}, assignment="",
                 test_id="", look_budget=1)  # fmt: skip
    return without(base, **changes)


def test_folds_hold_every_row_once_and_their_share_of_every_class(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    cuts = split.folds(frame, parts(), yes_no, schema=SCHEMA)
    assert len(cuts) == 5
    assert sorted(np.concatenate([valid for _, valid in cuts]).tolist()) == list(range(1_000))
    positive = (frame["y"] == "yes").to_numpy()
    shares = [positive[valid].sum() for _, valid in cuts]
    assert max(shares) - min(shares) <= 1
    for train, valid in cuts:
        assert not set(train) & set(valid)
        assert train.size + valid.size == 1_000


def test_folds_follow_the_rows_not_their_order(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(300)
    first = split.folds(frame, parts(), yes_no, schema=SCHEMA)
    turned = split.folds(frame.reverse(), parts(), yes_no, schema=SCHEMA)
    for (_, valid), (_, other) in zip(first, turned, strict=True):
        assert sorted((299 - other).tolist()) == valid.tolist()


def test_equal_rows_stay_in_one_fold_whatever_their_label(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(300)
    double = pl.concat([frame, frame.with_columns(y=pl.lit("yes"))])
    for _, valid in split.folds(double, parts(), yes_no, schema=SCHEMA):
        assert {row % 300 for row in valid} == {row for row in valid if row < 300}


def test_rows_that_repeat_by_coincidence_are_dealt_evenly(yes_no: Task) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0] * 250, "y": ["no", "yes", "yes", "no"] * 125})
    schema = Schema(columns=(Column(name="x", type="number"), Column(name="y", type="category")), target="y")
    sizes = [valid.size for _, valid in split.folds(frame, parts(), yes_no, schema=schema)]
    assert sizes == [100] * 5


def test_groups_stay_in_one_fold(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(600).with_columns(g=pl.int_range(600) % 23)
    cuts = split.folds(frame, parts(method="grouped", key_columns=("g",)), yes_no, schema=SCHEMA)
    groups = frame["g"].to_numpy()
    for train, valid in cuts:
        assert not set(groups[train]) & set(groups[valid])


def test_rows_without_a_group_do_not_make_one_fold(make_rows: Rows, yes_no: Task) -> None:
    group = pl.when(pl.int_range(600) % 2 == 0).then(pl.int_range(600) % 23)
    frame = make_rows(600).with_columns(g=group)
    cuts = split.folds(frame, parts(method="grouped", key_columns=("g",)), yes_no, schema=SCHEMA)
    alone = frame["g"].is_null().to_numpy()
    assert all(30 < alone[valid].sum() < 90 for _, valid in cuts)


def test_folds_in_time_are_validated_on_what_follows(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(600).with_columns(t=(pl.int_range(600) * 7 % 600) // 4)
    schema = Schema(columns=SCHEMA.columns, target="y", time=("t",))
    cuts = split.folds(frame, parts(method="time"), yes_no, schema=schema)
    assert len(cuts) == 5
    when = frame["t"].to_numpy()
    for train, valid in cuts:
        assert when[train].max() < when[valid].min()
    assert [train.size for train, _ in cuts] == sorted(train.size for train, _ in cuts)
    assert min(valid.size for _, valid in cuts) > 80


def test_regression_folds_have_equal_means(number: Task) -> None:
    y = np.random.default_rng(0).lognormal(size=2_000)
    schema = Schema(columns=(Column(name="x", type="number"), Column(name="y", type="number")), target="y")
    cuts = split.folds(pl.DataFrame({"x": y, "y": y}), parts(), number, schema=schema)
    counts = [(y[valid] > np.quantile(y, 0.8)).sum() for _, valid in cuts]
    assert max(counts) - min(counts) <= 1


def test_one_group_or_one_moment_cannot_be_folded(make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(50).with_columns(g=pl.lit(1), t=pl.lit(1))
    with pytest.raises(InputError, match="too few different groups"):
        split.folds(frame, parts(method="grouped", key_columns=("g",)), yes_no, schema=SCHEMA)
    with pytest.raises(InputError, match="share one moment"):
        schema = Schema(columns=SCHEMA.columns, target="y", time=("t",))
        split.folds(frame, parts(method="time"), yes_no, schema=schema)


def test_a_column_that_is_needed_is_named(make_rows: Rows, yes_no: Task) -> None:
    with pytest.raises(InputError, match="lacks the group column `g`"):
        split.folds(make_rows(50), parts(method="grouped", key_columns=("g",)), yes_no, schema=SCHEMA)
