"""Real tables, and real models of real libraries trained on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.model import GraphBuilder, Outputs, Preprocessing


def schema_of(frame: pl.DataFrame, target: str) -> Schema:
    """Say what each column of `frame` holds, as ingest would."""
    columns = []
    for name, kind in frame.schema.items():
        series = frame.get_column(name)
        if str(kind).startswith("Datetime"):
            column = Column(name=name, type="datetime", feature=name != target)
        elif kind.is_numeric():
            low, high = (float(v) for v in (series.min(), series.max()))
            column = Column(
                name=name, type="integer" if kind.is_integer() else "number", feature=name != target, low=low, high=high
            )
        else:
            values = series.drop_nulls().value_counts(sort=True).get_column(name).to_list()
            column = Column(name=name, type="category", feature=name != target, categories=tuple(values))
        columns.append(column)
    return Schema(columns=tuple(columns), target=target)


def with_holes(frame: pl.DataFrame, target: str, share: float = 0.05) -> pl.DataFrame:
    """Take values out of the feature columns of `frame`, at random."""
    rng = np.random.default_rng(0)
    return frame.with_columns(
        pl.when(pl.Series(rng.random(frame.height) < share)).then(None).otherwise(pl.col(name)).alias(name)
        for name in frame.columns
        if name != target
    )


@dataclass(frozen=True)
class Trained:
    """A model of a library, and what Palio made of it."""

    frame: pl.DataFrame
    schema: Schema
    task: Task
    target: np.ndarray[Any, Any]
    preprocessing: Preprocessing
    graph: bytes
    reference: Callable[[Any], Outputs]
    """Frame or feeds → the library's own answers."""


def train_and_export(
    frame: pl.DataFrame, target: str, family: str, *, kind: str = "classification", **params: Any
) -> Trained:
    """Train `family` (`lightgbm`, `forest`, `linear`) and export it."""
    schema = schema_of(frame, target)
    if kind == "classification":
        classes = tuple(sorted(frame.get_column(target).unique()))
        task = Task(kind="classification", target=target, classes=classes)
        truth = np.array([classes.index(value) for value in frame.get_column(target)])
    else:
        task = Task(kind="regression", target=target)
        truth = frame.get_column(target).cast(float).to_numpy()
    style = {"lightgbm": "tree", "forest": "forest", "linear": "linear"}[family]
    preprocessing = model.fit_preprocessing(frame, schema, task=task, target=truth, style=style)  # type: ignore[arg-type]
    features = preprocessing.transform(frame)
    builder = GraphBuilder(schema)
    tensor = preprocessing.emit(builder)
    answer = _FITS[family](builder, tensor, features, truth, task, preprocessing, params)

    def reference(rows: Any) -> Outputs:
        numbers = answer(preprocessing.transform(rows))
        if task.kind == "regression":
            return Outputs(prediction=numbers)
        shares = np.column_stack([1 - numbers, numbers]) if numbers.ndim == 1 else numbers
        return Outputs(prediction=np.array(task.classes, dtype=object)[shares.argmax(axis=1)], probabilities=shares)

    return Trained(frame, schema, task, truth, preprocessing, builder.build(), reference)


def _lightgbm(
    builder: GraphBuilder, tensor: str, X: Any, y: Any, task: Task, prep: Preprocessing, params: dict[str, Any]
) -> Any:
    import lightgbm

    objective = "regression" if task.kind == "regression" else "binary" if len(task.classes) == 2 else "multiclass"
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, "n_trees": 30, **params}
    n_trees = settings.pop("n_trees")
    if objective == "multiclass":
        settings["num_class"] = len(task.classes)
    data = lightgbm.Dataset(X, y, categorical_feature=list(prep.categorical), params={"verbose": -1})
    booster = lightgbm.train(settings, data, n_trees)
    model.emit_answers(builder, model.emit_lightgbm(builder, tensor, booster, task), task)
    return lambda features: booster.predict(features, num_threads=1)


def _forest(
    builder: GraphBuilder, tensor: str, X: Any, y: Any, task: Task, prep: Preprocessing, params: dict[str, Any]
) -> Any:
    from sklearn import ensemble

    kind = params.pop("estimator", "RandomForest") + ("Regressor" if task.kind == "regression" else "Classifier")
    forest = getattr(ensemble, kind)(**{"n_estimators": 15, "random_state": 0, **params}).fit(X, y)
    model.emit_answers(builder, model.emit_forest(builder, tensor, forest, task), task)
    if task.kind == "regression":
        return forest.predict
    return forest.predict_proba


def _linear(
    builder: GraphBuilder, tensor: str, X: Any, y: Any, task: Task, prep: Preprocessing, params: dict[str, Any]
) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.kind == "regression":
        ridge = Ridge().fit(X, y)
        model.emit_answers(builder, model.emit_linear(builder, tensor, ridge.coef_, ridge.intercept_, task), task)
        return ridge.predict
    logistic = LogisticRegression(max_iter=2000, tol=1e-3).fit(X, y)
    model.emit_answers(builder, model.emit_linear(builder, tensor, logistic.coef_, logistic.intercept_, task), task)
    return logistic.predict_proba


_FITS = {"lightgbm": _lightgbm, "forest": _forest, "linear": _linear}


@pytest.fixture(scope="session")
def small_frame() -> pl.DataFrame:
    """A small made-up table with every type of column, and holes."""
    rng = np.random.default_rng(3)
    n = 400
    frame = pl.DataFrame(
        {
            "amount": rng.lognormal(3, 2, n),
            "count": rng.integers(0, 9, n),
            "when": (np.datetime64("2019-01-01T00:00:00", "us") + rng.integers(0, 3 * 365 * 86400, n) * 10**6),
            "colour": rng.choice(["red", "green", "blue", "grey"], n, p=[0.5, 0.3, 0.19, 0.01]),
            "town": [f"town {i}" for i in np.minimum(rng.zipf(1.6, n), 60)],
        }
    ).with_columns(pl.col("when").dt.replace_time_zone("UTC"))
    score = np.log(frame["amount"].to_numpy()) + (frame["colour"] == "red").to_numpy() + rng.normal(size=n)
    return with_holes(frame, "").with_columns(
        answer=pl.Series(np.where(score > np.median(score), "yes", "no")), value=pl.Series(score * 100)
    )


@pytest.fixture(scope="session")
def tables(shared_data: Path) -> Callable[[str], pl.DataFrame]:
    """Read a real table, with holes in its features."""
    tabular = shared_data / "tabular"

    def read(name: str) -> pl.DataFrame:
        if name == "adult":
            columns = [f"column_{i}" for i in range(15)]
            frame = pl.read_csv(tabular / "adult-train.csv", has_header=False, new_columns=columns)
            frame = frame.with_columns(pl.col(pl.String).str.strip_chars()).rename({"column_14": "target"})
        else:
            names = {
                "bank": ("bank.csv", "y"),
                "telco": ("telco-churn.csv", "Churn"),
                "diamonds": ("diamonds.csv", "price"),
            }
            file, target = names[name]
            frame = pl.read_csv(tabular / file, null_values=["", " "]).rename({target: "target"})
        return with_holes(frame.drop_nulls("target"), "target")

    return read


@pytest.fixture(scope="session", name="train")
def train_fixture() -> Callable[..., Trained]:
    """Train and export: `train(frame, target, family, kind="classification", **params)`."""
    return train_and_export


@pytest.fixture(scope="session")
def champion(small_frame: pl.DataFrame) -> Trained:
    """A small LightGBM classifier."""
    return train_and_export(small_frame.drop("value"), "answer", "lightgbm", n_trees=8)


@pytest.fixture(scope="session")
def facts(champion: Trained) -> dict[str, Any]:
    """What `pack` wants to know about the champion."""
    graph = model.Graph(champion.graph)
    return {
        "reference": model.make_reference(
            model.feeds_from_frame(champion.frame, champion.schema), champion.schema, champion.task
        ),
        "golden": model.make_golden(graph, champion.frame, champion.schema),
        "task": champion.task,
        "schema": champion.schema,
        "family": "lightgbm",
        "params": {"n_trees": 8},
        "seed": 0,
        "n_parameters": 120,
        "snapshot": "5" * 64,
        "parts": "6" * 64,
        "trained_on": ("train",),
        "metrics": {"validation": {"roc_auc": 0.75}},
        "parity": (),
        "versions": model.versions(),
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """An empty store."""
    from palio.store import open_store

    with open_store(tmp_path / "project") as opened:
        yield opened
