"""Rows to learn from, made up: what the suite of families and other tests fit on."""

from __future__ import annotations

import numpy as np
import polars as pl

from palio.core.records import Column, Schema, Task
from palio.train import Examples

TASKS = {
    "two classes": Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="roc_auc"),
    "three classes": Task(kind="classification", target="y", classes=("a", "b", "c"), metric="log_loss"),
    "value": Task(kind="regression", target="y", metric="rmse"),
}


def examples_of(task: Task, *, n_rows: int = 400, seed: int = 0) -> Examples:
    """Make rows with numbers, categories, dates, gaps and rare values, from which `task` can be learned."""
    rng = np.random.default_rng(seed)
    size, age = rng.normal(size=n_rows), rng.gamma(2.0, 20.0, n_rows)
    colour = rng.choice(["red", "green", "blue", "teal"], n_rows, p=[0.5, 0.3, 0.19, 0.01])
    day = rng.integers(0, 700, n_rows) * 86_400.0
    signal = size + 0.03 * age + np.where(colour == "green", 1.5, 0.0) + rng.normal(scale=0.5, size=n_rows)
    if task.kind == "regression":
        target = 100.0 + 10.0 * signal
    else:
        edges = np.quantile(signal, np.arange(1, len(task.classes)) / len(task.classes))
        target = np.digitize(signal, edges).astype(np.int64)
    frame = pl.DataFrame(
        {
            "size": np.where(rng.random(n_rows) < 0.1, np.nan, size),
            "age": age,
            "colour": [None if gap else str(c) for c, gap in zip(colour, rng.random(n_rows) < 0.05, strict=True)],
            "member": rng.choice(["true", "false"], n_rows),
            "sold": pl.Series(day * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        }
    ).with_columns(pl.col("size").fill_nan(None))
    schema = Schema(
        columns=(
            Column(name="size", type="number"),
            Column(name="age", type="number"),
            Column(name="colour", type="category"),
            Column(name="member", type="boolean"),
            Column(name="sold", type="datetime"),
        ),
        target="y",
    )
    return Examples(frame, target, schema, task)


def text_examples(task: Task, *, n_rows: int = 400, seed: int = 0, alone: bool = False) -> Examples:
    """Make rows with a text that tells something of the truth, some of them missing; alone, or beside other columns."""
    rows = examples_of(task, n_rows=n_rows, seed=seed)
    rng = np.random.default_rng(seed + 1)
    level = (rows.target - rows.target.mean()) / rows.target.std() + rng.normal(scale=0.8, size=n_rows)
    filler = [
        "the",
        "flat",
        "is",
        "2nd",
        "floor",
        "İstanbul",
        "straße",
        "東京",
        "£100",
        "😀",
        "really",
        "so-so",
        "a1b2",
    ]
    texts: list[str | None] = []
    for one in level.tolist():
        said = ["bright", "lovely"] if one > 0.6 else ["dark", "damp"] if one < -0.6 else ["plain"]
        words = [*rng.choice(filler, rng.integers(0, 9)), *rng.choice(said, rng.integers(1, 3))]
        texts.append(None if rng.random() < 0.05 else " ".join(rng.permutation(words).tolist()))
    note = pl.Series("note", texts, dtype=pl.String)
    frame = pl.DataFrame([note]) if alone else rows.frame.with_columns(note)
    column = Column(name="note", type="text")
    columns = (column,) if alone else (*rows.schema.columns, column)
    return Examples(frame, rows.target, Schema(columns=columns, target="y"), task)


def plain_examples(task: Task, *, n_rows: int, n_columns: int, seed: int = 0) -> Examples:
    """Make rows of numbers, of which the first tells most and the second is always the same."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    signal = X[:, 0] + rng.normal(scale=0.3, size=n_rows)
    X[:, 1:2] = 7.0
    target = signal
    if task.kind == "classification":
        edges = np.quantile(signal, np.arange(1, len(task.classes)) / len(task.classes))
        target = np.digitize(signal, edges).astype(np.int64)
    names = [f"x{index}" for index in range(n_columns)]
    columns = tuple(Column(name=name, type="number") for name in names)
    return Examples(pl.DataFrame(X, schema=names), target, Schema(columns=columns, target="y"), task)
