from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.train import Examples
from palio.train.cutting import _some_rows, cut_rows, weighted
from palio.train.how import PLAINLY, How

TASK = Task(kind="classification", target="y", classes=("no", "yes"))


def examples(weights: list[Any], truth: list[int]) -> Examples:
    frame = pl.DataFrame({"x": np.arange(float(len(truth))), "w": weights})
    columns = (Column(name="x", type="number"), Column(name="w", type="number", feature=False))
    return Examples(frame, np.array(truth), Schema(columns=columns, target="y"), TASK)


def test_rows_count_alike_unless_something_else_is_asked_for() -> None:
    assert weighted(examples([1.0, 2.0], [0, 1]), PLAINLY).weights is None


def test_weights_are_those_of_the_column_with_a_mean_of_one() -> None:
    found = weighted(examples([1.0, 3.0, 0.0], [0, 1, 1]), How(weight="w")).weights
    assert found is not None
    np.testing.assert_allclose(found, [0.75, 2.25, 0.0])


@pytest.mark.parametrize("weight", ["", "w"])
def test_balanced_classes_weigh_the_same(weight: str) -> None:
    made = examples([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 1])
    found = weighted(made, How(weight=weight, balanced=True)).weights
    assert found is not None
    assert found[made.target == 0].sum() == pytest.approx(found[made.target == 1].sum())
    assert found.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [[1.0, None], [1.0, -1.0], [0.0, 0.0], ["much", "little"]])
def test_what_is_no_weight_is_refused_with_a_hint(bad: list[Any]) -> None:
    with pytest.raises(InputError, match="`w`") as caught:
        weighted(examples(bad, [0, 1]), How(weight="w"))
    assert caught.value.hint


def test_a_column_that_is_absent_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="no column `v`") as caught:
        weighted(examples([1.0, 1.0], [0, 1]), How(weight="v"))
    assert caught.value.hint


def test_of_many_rows_some_are_taken_evenly_and_of_rare_classes_some_more() -> None:
    truth = np.zeros(4_000, np.int64)
    truth[[7, 1_234, 3_999]] = 1
    found = _some_rows(examples([1.0] * 4_000, truth.tolist()), 4_000, 400)
    assert {7, 1_234, 3_999} <= set(found.tolist())
    assert 400 <= len(found) <= 403 and np.diff(found).max() <= 11


def test_train_and_validation_are_cut_together_and_few_rows_again_and_again(prepare: Callable[..., Any]) -> None:
    ready = prepare("wine", policy="60-20-20")
    cut = cut_rows(ready.store, ready.snapshot, ready.parts, ready.task, PLAINLY)
    counts = ready.parts.counts
    n_rows = counts["train"] + counts["validation"]
    assert len(cut.lesson.examples.target) == n_rows
    assert cut.n_train == counts["train"]
    assert cut.lesson.n_folds == 4 * cut.n_distinct
    for repeat in range(4):
        folds = range(repeat * cut.n_distinct, (repeat + 1) * cut.n_distinct)
        scored = np.concatenate([cut.lesson.rows[f"score {fold}"] for fold in folds])
        assert sorted(scored.tolist()) == list(range(n_rows))
        for fold in folds:
            assert not set(cut.lesson.rows[f"learn {fold}"]) & set(cut.lesson.rows[f"score {fold}"])
