"""What is proposed helps on rows that were held out, and nothing is proposed where nothing helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from palio.core.records import Column, Schema, Task
from palio.model import PreprocessingOptions
from palio.train.examples import Examples
from palio.train.features import propose_features

BINARY = Task(kind="classification", target="y", classes=("no", "yes"))
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))
VALUE = Task(kind="regression", target="y")


def table(task: Task, *, ratio: float, n_rows: int = 5_000, seed: int = 0) -> Examples:
    """Make rows whose target depends on `debt / income`, on two numbers alone, and on a town."""
    rng = np.random.default_rng(seed)
    income, debt = rng.lognormal(3, 0.8, n_rows), rng.lognormal(2, 0.8, n_rows)
    other = rng.normal(size=(n_rows, 3))
    town = rng.integers(0, 6, n_rows)
    score = ratio * np.log(debt / income) + other[:, 0] - 0.5 * other[:, 1] ** 2 + 0.2 * town
    score += rng.normal(size=n_rows)
    if task.kind == "regression":
        target = score
    else:
        edges = np.quantile(score, np.arange(1, len(task.classes)) / len(task.classes))
        target = np.digitize(score, edges)
    cells: dict[str, Any] = {"income": income, "debt": debt, **{f"x{place}": other[:, place] for place in range(3)}}
    columns = [Column(name=name, type="number") for name in cells]
    frame = pl.DataFrame(cells | {"town": [f"town {place}" for place in town]})
    return Examples(frame, target, Schema(columns=(*columns, Column(name="town", type="category"))), task)


@pytest.mark.parametrize("style", ["tree", "linear"])
@pytest.mark.parametrize("task", [BINARY, THREE, VALUE], ids=["two classes", "three classes", "value"])
def test_a_ratio_that_matters_is_found(style: Any, task: Task) -> None:
    rng = np.random.default_rng(1)
    examples = table(task, ratio=0.0)
    income, debt = (examples.frame[name].to_numpy() for name in ("income", "debt"))
    ratio = debt / income
    kinked = 5 * np.minimum(ratio, 3.0) if style == "linear" else 6 * (ratio > 0.4) + 4 * (ratio > 1)
    score = kinked + rng.normal(size=len(debt))
    edges = np.quantile(score, np.arange(1, len(task.classes)) / max(1, len(task.classes)))
    target = score if task.kind == "regression" else np.digitize(score, edges)
    found = propose_features(Examples(examples.frame, target, examples.schema, task), seed=0, style=style)
    assert found is not None
    assert "debt / income" in {made.name for made in found.derived} | {
        " / ".join(reversed(made.columns)) for made in found.derived if made.operation == "ratio"
    }


@pytest.mark.parametrize("style", ["tree", "linear"])
def test_nothing_is_proposed_where_no_pair_matters(style: Any) -> None:
    found = [propose_features(table(BINARY, ratio=0.0, n_rows=3_000, seed=s), seed=s, style=style) for s in range(8)]
    assert sum(one is not None for one in found) <= 1


def test_what_was_asked_beside_stays() -> None:
    asked = PreprocessingOptions(encode="both", twins=False)
    found = propose_features(table(VALUE, ratio=3.0), seed=0, style="linear", options=asked)
    if found is not None:
        assert (found.encode, found.twins) == ("both", False)


def test_the_same_rows_and_seed_give_the_same_proposal() -> None:
    first, second = (propose_features(table(VALUE, ratio=2.0), seed=3) for _ in range(2))
    assert first == second


def test_a_deadline_that_has_passed_and_few_rows_propose_nothing() -> None:
    assert propose_features(table(VALUE, ratio=3.0), seed=0, deadline=0.0) is None
    assert propose_features(table(VALUE, ratio=3.0, n_rows=60), seed=0) is None


def test_rows_of_any_size_and_with_gaps_do_not_break_it() -> None:
    examples = table(VALUE, ratio=2.0, n_rows=1_000)
    frame = examples.frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise(pl.col("income") * 1e306).alias("income"),
        debt=pl.col("debt") * 1e-306,
        x0=pl.lit(0.0),
    )
    for style in ("tree", "linear"):
        propose_features(Examples(frame, examples.target, examples.schema, VALUE), seed=0, style=style)  # type: ignore[arg-type]
