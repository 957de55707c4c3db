"""The graph answers as the library does: on real tables, at thresholds, for missing, unknown and extreme values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.model import Graph, GraphBuilder, check_parity, feeds_from_frame, stress_feeds

VALUE = Task(kind="regression", target="y")

Tables = Callable[[str], pl.DataFrame]
Train = Callable[..., Any]


def assert_equal(trained: Any, *, seed: int = 0) -> None:
    graph = Graph(trained.graph)
    for feeds in (
        feeds_from_frame(trained.frame, trained.schema),
        stress_feeds(trained.frame, trained.schema, trained.graph, seed=seed),
    ):
        parity = check_parity(graph, feeds, trained.reference(feeds))
        assert parity.passed, parity
        assert parity.n_label_diffs == 0


@pytest.mark.parametrize("name", ["bank", "adult", "telco"])
@pytest.mark.parametrize("family", ["lightgbm", "forest", "linear"])
def test_a_classifier_of_a_real_table_answers_as_its_library(
    tables: Tables, train: Train, name: str, family: str
) -> None:
    assert_equal(train(tables(name).sample(6000, seed=1), "target", family))


@pytest.mark.parametrize("family", ["lightgbm", "forest", "linear"])
def test_a_regressor_of_a_real_table_answers_as_its_library(tables: Tables, train: Train, family: str) -> None:
    assert_equal(train(tables("diamonds").sample(6000, seed=1), "target", family, kind="regression"))


@pytest.mark.parametrize("family", ["lightgbm", "forest", "linear"])
def test_a_classifier_of_five_classes_answers_as_its_library(tables: Tables, train: Train, family: str) -> None:
    frame = tables("diamonds").sample(3000, seed=1).drop_nulls("cut")
    assert_equal(train(frame, "cut", family))


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "poisson"},
        {"objective": "gamma"},
        {"objective": "tweedie"},
        {"objective": "regression_l1"},
        {"objective": "huber"},
        {"objective": "quantile"},
        {"objective": "mape"},
        {"objective": "fair"},
        {"reg_sqrt": True},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"boosting": "dart"},
        {"extra_trees": True},
        {"max_cat_to_onehot": 100},
        {"min_data_in_leaf": 10_000},
    ],
    ids=str,
)
def test_every_lightgbm_setting_that_changes_trees_is_exported(
    small_frame: pl.DataFrame, train: Train, params: dict[str, Any]
) -> None:
    frame = small_frame.drop("answer").with_columns(value=pl.col("value").abs() + 1)
    assert_equal(train(frame, "value", "lightgbm", kind="regression", **params))


@pytest.mark.parametrize("kind", ["RandomForest", "ExtraTrees"])
@pytest.mark.parametrize("params", [{}, {"max_depth": 1}, {"min_samples_leaf": 7}, {"max_leaf_nodes": 2}], ids=str)
def test_every_forest_is_exported(small_frame: pl.DataFrame, train: Train, kind: str, params: dict[str, Any]) -> None:
    assert_equal(train(small_frame.drop("value"), "answer", "forest", estimator=kind, **params))


def test_a_class_that_the_rows_of_a_forest_lacked_gets_probability_zero() -> None:
    from sklearn.ensemble import RandomForestClassifier

    schema, task = _numbers(2), Task(kind="classification", target="y", classes=("a", "b", "c"))
    X = np.random.default_rng(0).normal(size=(60, 2))
    forest = RandomForestClassifier(5, random_state=0).fit(X, np.where(X[:, 0] > 0, 2, 0))
    builder = GraphBuilder(schema)
    model.emit_answers(builder, model.emit_forest(builder, builder.concat(["x0", "x1"]), forest, task), task)
    outputs = Graph(builder.build()).predict({"x0": X[:, :1], "x1": X[:, 1:]})
    assert outputs.probabilities is not None
    np.testing.assert_allclose(outputs.probabilities[:, [0, 2]], forest.predict_proba(X), atol=1e-12)
    assert (outputs.probabilities[:, 1] == 0).all()


def test_a_forest_that_was_trained_with_missing_values_sends_them_the_same_way() -> None:
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + 3 * X[:, 1]
    X[rng.random(X.shape) < 0.3] = np.nan
    forest = RandomForestRegressor(5, random_state=0).fit(X, y)
    builder = GraphBuilder(_numbers(2))
    model.emit_answers(
        builder,
        model.emit_forest(builder, builder.concat(["x0", "x1"]), forest, Task(kind="regression", target="y")),
        Task(kind="regression", target="y"),
    )
    outputs = Graph(builder.build()).predict({"x0": X[:, :1], "x1": X[:, 1:]})
    np.testing.assert_allclose(outputs.prediction, forest.predict(X), atol=1e-12)


def test_codes_of_many_categories_never_seen_negative_or_missing_go_the_same_way() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 180, 4000).astype(float), rng.normal(size=4000)])
    y = np.isin(X[:, 0], rng.integers(0, 180, 60)) + 0.1 * X[:, 1]
    booster = lightgbm.train(
        {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_per_group": 5, "cat_smooth": 1},
        lightgbm.Dataset(X, y, categorical_feature=[0]),
        20,
    )
    builder = GraphBuilder(_numbers(2))
    model.emit_answers(
        builder,
        model.emit_lightgbm(builder, builder.concat(["x0", "x1"]), booster, Task(kind="regression", target="y")),
        Task(kind="regression", target="y"),
    )
    codes = np.concatenate([np.arange(-5.0, 400.0), [np.nan, 2.0**31 - 1, -(2.0**31)]])
    X = np.column_stack([codes, np.zeros(len(codes))])
    outputs = Graph(builder.build()).predict({"x0": X[:, :1], "x1": X[:, 1:]})
    np.testing.assert_allclose(outputs.prediction, booster.predict(X), atol=1e-12)


def _numbers(n: int) -> Schema:
    return Schema(columns=tuple(Column(name=f"x{i}", type="number") for i in range(n)))


_BOOSTERS: dict[tuple[bool, bool], tuple[lightgbm.Booster, Graph, list[float]]] = {}


def _booster(missing: bool, zero: bool) -> tuple[lightgbm.Booster, Graph, list[float]]:
    """A booster over three numbers around zero, with or without missing values when it was trained."""
    if (missing, zero) not in _BOOSTERS:
        rng = np.random.default_rng(7)
        X = np.round(rng.normal(size=(1500, 3)), 2)
        y = X[:, 0] * X[:, 1] + (X[:, 2] > 0)
        if missing:
            X[rng.random(X.shape) < 0.2] = np.nan
        params = {"objective": "regression", "verbose": -1, "num_threads": 1, "zero_as_missing": zero}
        booster = lightgbm.train(params, lightgbm.Dataset(X, y), 20)
        builder = GraphBuilder(_numbers(3))
        model.emit_answers(
            builder,
            model.emit_lightgbm(
                builder, builder.concat(["x0", "x1", "x2"]), booster, Task(kind="regression", target="y")
            ),
            Task(kind="regression", target="y"),
        )
        graph = builder.build()
        from palio.model.cells.stress import neighbours, tree_thresholds

        near = neighbours(np.array(sorted({t for splits in tree_thresholds(graph).values() for t in splits})))
        if zero:
            near = np.array([*X[:200].ravel(), 0.0])
        _BOOSTERS[missing, zero] = booster, Graph(graph), near.tolist()
    return _BOOSTERS[missing, zero]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), missing=st.booleans(), zero=st.booleans())
def test_any_number_goes_the_same_way_as_in_lightgbm(data: st.DataObject, missing: bool, zero: bool) -> None:
    booster, graph, near = _booster(missing, zero)
    number = st.one_of(
        st.sampled_from(near),
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, -0.0, 1e-35, -1e-35, 1.0000001e-35, 1e-36, 5e-324, float("nan")]),
    )
    X = np.array([data.draw(st.tuples(number, number, number)) for _ in range(4)])
    outputs = graph.predict({f"x{i}": X[:, i : i + 1] for i in range(3)})
    np.testing.assert_allclose(outputs.prediction, booster.predict(X), atol=1e-12)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"linear_tree": True}, "linear trees"),
        ({"objective": "none"}, "objective"),
        ({"objective": "binary"}, "objective"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_hint(params: dict[str, Any], match: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    settings_ = {"objective": "regression", "verbose": -1, "num_threads": 1, **params}
    if settings_["objective"] == "none":
        settings_["objective"] = lambda prediction, data: (prediction - data.get_label(), np.ones(len(prediction)))
    booster = lightgbm.train(settings_, lightgbm.Dataset(X, (X[:, 0] > 0).astype(float)), 3)
    builder = GraphBuilder(_numbers(2))
    with pytest.raises(InputError, match=match) as caught:
        model.emit_answers(
            builder,
            model.emit_lightgbm(builder, builder.concat(["x0", "x1"]), booster, Task(kind="regression", target="y")),
            Task(kind="regression", target="y"),
        )
    assert caught.value.hint
