"""The graph of a LightGBM model, read from its text, answers as the library does."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.model import Graph, GraphBuilder

NAMES = ["x0", "x1", "x2"]


def rows(n: int = 900) -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.normal(size=n), rng.gamma(1.0, 1e6, n), rng.integers(0, 40, n).astype(float)])
    y = (X[:, 0] + np.isin(X[:, 2], [3, 33, 39]) + 1e-6 * X[:, 1]).round().astype(int) % 3
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def train(X: Any, y: Any, rounds: int = 12, **params: Any) -> lightgbm.Booster:
    settings = {"verbose": -1, "num_threads": 1, "min_data_per_group": 5, **params}
    return lightgbm.train(settings, lightgbm.Dataset(X, y, categorical_feature=[2], params=settings), rounds)


def emitted(booster: Any, task: Task, rounds: int | None = None) -> Graph:
    builder = GraphBuilder(Schema(columns=tuple(Column(name=name, type="number") for name in NAMES)))
    tensor = model.emit_lightgbm(builder, builder.concat(NAMES), booster, task, rounds=rounds)
    model.emit_answers(builder, tensor, task)
    return Graph(builder.build())


def feeds(X: Any) -> dict[str, Any]:
    return {name: X[:, index : index + 1] for index, name in enumerate(NAMES)}


THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))


@pytest.mark.parametrize("rounds", [1, 5, 12, 40])
def test_of_the_text_of_all_rounds_the_first_are_taken(rounds: int) -> None:
    X, y = rows()
    booster = train(X, y, objective="multiclass", num_class=3)
    for told in (booster, booster.model_to_string(num_iteration=-1)):
        outputs = emitted(told, THREE, rounds).predict(feeds(X))
        np.testing.assert_allclose(outputs.probabilities, booster.predict(X, num_iteration=rounds), atol=1e-12)


def test_trees_that_are_one_leaf_stand_beside_others() -> None:
    X, y = rows()
    booster = train(X, y, rounds=40, objective="multiclass", num_class=3, min_gain_to_split=25.0, learning_rate=0.5)
    assert "num_leaves=1\n" in booster.model_to_string() and "num_leaves=2\n" in booster.model_to_string()
    np.testing.assert_allclose(emitted(booster, THREE).predict(feeds(X)).probabilities, booster.predict(X), atol=1e-12)


def test_a_forest_of_boosting_is_averaged() -> None:
    X, y = rows()
    booster = train(X, y, objective="multiclass", num_class=3, boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    np.testing.assert_allclose(emitted(booster, THREE).predict(feeds(X)).probabilities, booster.predict(X), atol=1e-12)


def test_values_with_a_root_as_their_scale() -> None:
    X, y = rows()
    booster = train(X, y.astype(float), objective="regression", reg_sqrt=True)
    outputs = emitted(booster, Task(kind="regression", target="y")).predict(feeds(X))
    np.testing.assert_allclose(outputs.prediction, booster.predict(X), atol=1e-12)
