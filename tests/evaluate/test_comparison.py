from __future__ import annotations

import msgspec
import numpy as np
import pytest

from palio import evaluate, measure
from palio.core.errors import InputError
from palio.core.records import Comparison, Task
from palio.evaluate.comparison import in_time
from palio.measure import Answers


def test_the_better_challenger_wins_on_the_same_rows(bench, good):
    poor = bench.bundle(drop=("age",))
    got = evaluate.compare(poor, good, frame=bench.rows("validation"), part="validation")
    assert got.metric == "roc_auc" and got.difference.low > 0 and got.p_better > 0.99
    assert got.differences["log_loss"].low > 0 and "roc_auc" not in got.differences
    assert 0 < got.n_changed < got.n_rows == bench.rows("validation").height
    assert (got.champion, got.challenger) == (poor.id, good.id)


def test_the_worse_challenger_is_told_where(bench, good):
    poor = bench.bundle(drop=("age",))
    got = evaluate.compare(good, poor, frame=bench.rows("validation"), part="validation")
    assert got.difference.high < 0 and got.slices and all(s.worse and s.difference.value < 0 for s in got.slices)


def test_the_same_bundle_is_no_better(bench, good):
    got = evaluate.compare(good, good, frame=bench.rows("validation"), part="validation")
    assert (got.difference.value, got.p_better, got.n_changed, got.slices) == (0.0, 0.5, 0, ())


def test_a_challenger_that_differs_by_chance_is_worse_nowhere(bench, good):
    other = bench.bundle(bagging_fraction=0.7, bagging_freq=1)
    got = evaluate.compare(good, other, frame=bench.rows("validation"), part="validation")
    assert abs(got.difference.value) < 0.03 and len(got.slices) <= 1


def test_other_classes_are_refused_by_name(bench, good):
    third = Task(kind="classification", target="y", classes=("maybe", "no", "yes"))
    other = msgspec.structs.replace(good.manifest, task=third)
    fake = type(good)(id=good.id, manifest=other, graph=good.graph, members=good.members)
    with pytest.raises(InputError, match="new: maybe; gone: none"):
        evaluate.compare(good, fake, frame=bench.rows("validation"), part="validation")


def test_another_kind_of_task_is_refused(regression, good):
    with pytest.raises(InputError, match="regression"):
        evaluate.compare(regression.bundle(), good, frame=regression.rows("validation"), part="validation")


def test_regression_counts_the_answers_that_moved(regression):
    one, two = regression.bundle(rounds=50), regression.bundle(rounds=50, drop=("noise",))
    got = evaluate.compare(one, two, frame=regression.rows("validation"), part="validation")
    assert got.metric == "rmse" and got.n_changed > 0.9 * got.n_rows
    assert got.difference.low <= got.difference.value <= got.difference.high


def test_rows_whose_neighbours_are_alike_are_less_sure():
    rng = np.random.default_rng(0)
    task = Task(kind="classification", target="y", classes=("no", "yes"), metric="accuracy")
    n = 2000
    truth = rng.integers(0, 2, n)
    restless = rng.random(n) < 0.1
    in_runs = np.repeat(rng.random(n // 50) < 0.1, 50)
    bounds = []
    for wrong in (restless, in_runs):
        both = Answers(np.where(wrong, 1 - truth, truth)), Answers(truth)
        d = measure.paired(task, truth, *both, seed=1, names=["accuracy"])["accuracy"][0]
        found = Comparison(
            champion="a",
            challenger="b",
            part="test",
            n_rows=n,
            metric="accuracy",
            difference=d,
            p_better=1.0,
            differences={},
        )
        bounds.append((d, in_time(found, truth, both, task=task).surely))
    (loose, first), (tight, second) = bounds
    assert loose.low - 0.01 <= first <= loose.value
    assert second < tight.low - 0.01
