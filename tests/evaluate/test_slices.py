from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from palio import measure
from palio.core.records import Column, Schema, Task
from palio.evaluate import slices as module
from palio.evaluate.slices import can_rank, find_slices
from palio.measure import Answers

TASK = Task(kind="regression", target="y")


def made(seed, n_rows=2000, *, bad=1.0):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({f"c{i}": rng.choice(list("abcde"), n_rows) for i in range(8)})
    truth = rng.normal(size=n_rows)
    error = rng.normal(size=n_rows) * np.where(frame["c0"].to_numpy() == "a", bad, 1.0)
    schema = Schema(columns=tuple(Column(name=f"c{i}", type="category") for i in range(8)))
    return frame, truth, Answers(truth + error), schema


def found(seed, **how):
    frame, truth, answers, schema = made(seed, **how)
    whole = measure.score_with_intervals(TASK, truth, answers, names=["rmse"])["rmse"]
    return find_slices(frame, truth, answers, task=TASK, schema=schema, primary="rmse", whole=whole)


@pytest.mark.parametrize("n_trials", [pytest.param(8, id="quick"), pytest.param(30, id="full", marks=pytest.mark.slow)])
def test_where_no_slice_is_worse_alarms_are_rare(n_trials):
    alarmed = sum(any(s.worse for s in found(seed)) for seed in range(n_trials))
    assert alarmed <= 1 + n_trials // 10  # 5 % are expected


def test_a_slice_that_is_worse_is_found_and_stands_first():
    first = found(1, bad=1.6)[0]
    assert (first.column, first.condition, first.worse) == ("c0", "= a", True)
    assert first.difference.value == pytest.approx(0.6, abs=0.2) and first.difference.low > 0


def test_the_interval_of_a_large_slice_is_as_wide_as_that_of_all_its_rows():
    wide = next(s for s in found(1, n_rows=30_000) if s.condition == "= a")
    half = (wide.score.high - wide.score.low) / 2
    assert half == pytest.approx(1.96 / np.sqrt(2 * wide.n_rows), rel=0.25)


def test_too_many_rows_are_sampled_the_same_way_each_time(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 500)
    one, two = found(1), found(1)
    assert one == two and max(s.n_rows for s in one) < 200


def test_a_class_with_a_handful_of_rows_cannot_be_ranked():
    two = Task(kind="classification", target="y", classes=("a", "b"))
    assert not can_rank(np.array([0] * 96 + [1] * 4), two)
    assert can_rank(np.array([0] * 95 + [1] * 5), two)
    three = Task(kind="classification", target="y", classes=("a", "b", "c"))
    assert can_rank(np.array([0] * 50 + [1] * 50), three) and not can_rank(np.array([2] * 50), three)
