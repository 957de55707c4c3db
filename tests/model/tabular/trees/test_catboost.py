"""The graph of a CatBoost model answers as the library does, whatever the number."""

from __future__ import annotations

from typing import Any

import catboost
import numpy as np
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.model import CatboostModel, Graph, GraphBuilder
from palio.model.cells.stress import EXTREMES, neighbours

VALUE = Task(kind="regression", target="y")
NAMES = ["x0", "x1"]


def rows(n: int = 1200) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=n), rng.gamma(1.0, 1e6, n)])
    y = np.abs(2 * X[:, 0] + 1e-6 * X[:, 1]).round()
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def train(X: Any, y: Any, **params: Any) -> Any:
    settings = {"loss_function": "RMSE", "thread_count": 1, "depth": 4, "iterations": 12, "logging_level": "Silent"}
    return catboost.CatBoost({**settings, "allow_writing_files": False, **params}).fit(X, y)


def emitted(booster: Any, task: Task, **options: Any) -> Graph:
    builder = GraphBuilder(Schema(columns=tuple(Column(name=name, type="number") for name in NAMES)))
    learned = CatboostModel.of(booster)
    model.emit_answers(builder, model.emit_catboost(builder, builder.concat(NAMES), learned, task, **options), task)
    return Graph(builder.build())


def feeds(X: Any) -> dict[str, Any]:
    return {name: X[:, index : index + 1] for index, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"nan_mode": "Max"},
        {"loss_function": "MAE"},
        {"loss_function": "Quantile:alpha=0.3"},
        {"loss_function": "Huber:delta=2"},
        {"depth": 1},
        {"depth": 9},
        {"boost_from_average": False},
        {"boosting_type": "Ordered"},
        {"bootstrap_type": "Bernoulli", "subsample": 0.5},
        {"l2_leaf_reg": 1e12},
    ],
    ids=str,
)
def test_any_number_goes_the_same_way_as_in_the_library(params: dict[str, Any]) -> None:
    X, y = rows()
    booster = train(X, y, **params)
    borders = [border for tree in CatboostModel.of(booster).trees for _, border in tree.splits]
    near = np.concatenate([neighbours(np.array([0.0, *borders])), EXTREMES, [np.nan]])
    hard = np.concatenate([X, np.random.default_rng(0).choice(near, (5_000, 2))])
    with np.errstate(over="ignore"):
        single = hard.astype(np.float32)
    found = emitted(booster, VALUE).predict(feeds(hard)).prediction
    np.testing.assert_allclose(found, booster.predict(single), atol=1e-12)
    early = emitted(booster, VALUE, rounds=5).predict(feeds(hard)).prediction
    np.testing.assert_allclose(early, booster.predict(single, ntree_end=5), atol=1e-12)


def test_counts_are_exponentials() -> None:
    X, y = rows()
    booster = train(X, y, loss_function="Poisson")
    found = emitted(booster, VALUE, exponential=True).predict(feeds(X)).prediction
    np.testing.assert_allclose(found, booster.predict(X, prediction_type="Exponent"), rtol=1e-12)


def test_trees_that_ask_nothing_are_exported() -> None:
    X, y = rows()
    booster = train(X, y, rsm=0.01)
    assert not all(tree.splits for tree in CatboostModel.of(booster).trees)
    found = emitted(booster, VALUE).predict(feeds(X)).prediction
    np.testing.assert_allclose(found, booster.predict(X), atol=1e-12)


@pytest.mark.parametrize("seen", [(0, 1), (0, 1, 2), (0, 2, 3)], ids=str)
def test_probabilities_are_exported_and_those_of_unseen_classes_are_zero(seen: tuple[int, ...]) -> None:
    X, y = rows()
    is_binary = len(seen) == 2
    booster = train(X, np.minimum(y, len(seen) - 1), loss_function="Logloss" if is_binary else "MultiClass")
    task = Task(kind="classification", target="y", classes=("a", "b") if is_binary else ("a", "b", "c", "d"))
    answer = emitted(booster, task, seen=() if is_binary else seen).predict(feeds(X)).probabilities
    assert answer is not None
    np.testing.assert_allclose(answer[:, list(seen)], booster.predict(X, prediction_type="Probability"), atol=1e-12)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize(
    ("params", "match"), [({"grow_policy": "Depthwise"}, "symmetric"), ({"cat_features": [0]}, "categories")]
)
def test_what_cannot_be_exported_is_refused_with_a_hint(params: dict[str, Any], match: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (300, 2))
    with pytest.raises(InputError, match=match) as caught:
        CatboostModel.of(train(X, (X[:, 0] % 2) * 1.0, one_hot_max_size=2, **params))
    assert caught.value.hint
