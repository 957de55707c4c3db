"""The graph of an XGBoost model falls into the leaves that the library falls into, whatever the number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.model import MAX_FLOAT32, Graph, GraphBuilder, XgboostModel
from palio.model.cells.stress import EXTREMES, neighbours, tree_thresholds

VALUE = Task(kind="regression", target="y")
TYPES = ["q", "q", "c"]
NAMES = ["x0", "x1", "x2"]


def rows(n: int = 1200) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=n), rng.gamma(1.0, 1e6, n), rng.integers(1, 40, n)])
    y = np.abs(X[:, 0] + (X[:, 2] % 3) + 1e-6 * X[:, 1]).round()
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def train(X: Any, y: Any, **params: Any) -> Any:
    data = xgboost.DMatrix(X, y, feature_types=TYPES, enable_categorical=True)
    settings = {"objective": "reg:squarederror", "nthread": 1, "max_depth": 5, "learning_rate": 0.3, **params}
    return xgboost.train(settings, data, 12)


def emitted(booster: Any, task: Task, rounds: int | None = None) -> bytes:
    builder = GraphBuilder(Schema(columns=tuple(Column(name=name, type="number") for name in NAMES)))
    learned = XgboostModel.of(booster)
    model.emit_answers(builder, model.emit_xgboost(builder, builder.concat(NAMES), learned, task, rounds=rounds), task)
    return builder.build()


def feeds(X: Any) -> dict[str, Any]:
    return {name: X[:, index : index + 1] for index, name in enumerate(NAMES)}


def library(booster: Any, X: Any, rounds: int = 0) -> Any:
    data = xgboost.DMatrix(np.clip(X, -MAX_FLOAT32, MAX_FLOAT32), feature_types=TYPES, enable_categorical=True)
    return booster.predict(data, iteration_range=(0, rounds))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"objective": "reg:absoluteerror"},
        {"objective": "reg:quantileerror", "quantile_alpha": 0.3},
        {"objective": "reg:pseudohubererror", "huber_slope": 2.0},
        {"objective": "count:poisson"},
        {"objective": "reg:tweedie"},
        {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
        {"max_cat_to_onehot": 100},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"min_child_weight": 1e9},
        {"base_score": 0.25},
    ],
    ids=str,
)
def test_every_setting_that_changes_trees_is_exported(params: dict[str, Any]) -> None:
    X, y = rows()
    booster = train(X, y, **params)
    graph = Graph(emitted(booster, VALUE))
    np.testing.assert_allclose(graph.predict(feeds(X)).prediction, library(booster, X), rtol=2e-5, atol=2e-5)
    early = Graph(emitted(booster, VALUE, 5))
    np.testing.assert_allclose(early.predict(feeds(X)).prediction, library(booster, X, 5), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c", "d")], ids=len)
def test_probabilities_are_exported(classes: tuple[str, ...]) -> None:
    X, y = rows()
    labels = np.minimum(y, len(classes) - 1)
    kind = {"objective": "binary:logistic"} if len(classes) == 2 else {"objective": "multi:softprob", "num_class": 4}
    booster = train(X, labels, **kind)
    task = Task(kind="classification", target="y", classes=classes)
    answer = Graph(emitted(booster, task)).predict(feeds(X)).probabilities
    assert answer is not None
    raw = library(booster, X)
    np.testing.assert_allclose(answer, raw if raw.ndim == 2 else np.column_stack([1 - raw, raw]), atol=1e-6)


def test_any_number_and_any_code_falls_into_the_same_leaves() -> None:
    X, y = rows()
    booster = train(X, y)
    graph, learned = emitted(booster, VALUE), XgboostModel.of(booster)
    cuts = np.array([-0.0, 0.0, *(t for one in learned.trees for t in one["split_conditions"])])
    assert set(tree_thresholds(graph)) == {"x0", "x1"}  # so that the suite of families meets them, too
    near = np.concatenate([neighbours(cuts), EXTREMES, [np.nan, np.inf, -np.inf]])
    rng = np.random.default_rng(0)
    codes = np.array([*range(60), 1e4, 2.0**24 - 1, np.nan])
    hard = np.column_stack([rng.choice(near, 20_000), rng.choice(near, 20_000), rng.choice(codes, 20_000)])
    found = Graph(graph).predict(feeds(hard)).prediction
    np.testing.assert_allclose(found, learned.scores(booster, hard)[:, 0], atol=1e-12)
    np.testing.assert_allclose(found, library(booster, hard), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"booster": "gblinear"}, "gblinear"),
        ({"objective": "reg:squaredlogerror"}, "objective"),
        ({"objective": "binary:logistic"}, "objective"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_hint(params: dict[str, Any], match: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    booster = xgboost.train({"nthread": 1, "verbosity": 0, **params}, xgboost.DMatrix(X, (X[:, 0] > 0) * 1.0), 3)
    with pytest.raises(InputError, match=match) as caught:
        emitted(booster, VALUE)
    assert caught.value.hint
