from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.train.bounded import Bounds, bounded, bounds_of
from palio.train.examples import Examples
from palio.train.family import graph_of
from palio.train.table import load_family
from palio.train.work import check

SCHEMA = Schema(columns=(Column(name="x", type="number"),))
TASK = Task(kind="regression", target="y")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("target", "bounds"),
    [
        (RNG.poisson(3, 200), Bounds(0.0)),
        (RNG.beta(1, 1, 500), Bounds(0.0, 1.0)),
        (RNG.integers(0, 101, 500), Bounds(0.0, 100.0)),
        (np.where(RNG.random(200) < 0.6, 0.0, RNG.lognormal(3, 1, 200)), Bounds(0.0)),
        (RNG.lognormal(3, 2, 300), Bounds(0.0)),
        (RNG.normal(0, 1, 200), Bounds()),
        (RNG.normal(180, 8, 200), Bounds()),  # heights: nothing says where they end
        (RNG.beta(2, 8, 500) * 0.5, Bounds(0.0)),
        (np.zeros(200), Bounds(0.0)),
        (RNG.integers(0, 2, 200), Bounds(0.0)),
        (RNG.poisson(3, 20), Bounds()),
    ],
)
def test_where_truths_end_so_do_answers(target: Any, bounds: Bounds) -> None:
    assert bounds_of(target.astype(np.float64)) == bounds


def learned(target: Any) -> tuple[Examples, Any]:
    x = np.linspace(-3, 3, len(target))
    examples = Examples(pl.DataFrame({"x": x}), target, SCHEMA, TASK)
    family = load_family("linear")
    return examples, family.fit(examples, params=family.defaults(examples.shape, TASK)[0], seed=0)


@pytest.mark.parametrize("high", [None, 1.0])
def test_graph_and_library_are_cut_alike_on_any_row(high: float | None) -> None:
    x = np.linspace(-3, 3, 300)
    target = np.maximum(x, 0) if high is None else np.clip(0.5 + 0.4 * x, 0, 1)
    examples, plain = learned(target)
    cut = bounded(plain, examples)
    far = {"x": np.array([[-50.0], [0.1], [50.0]])}
    graph = graph_of(cut, SCHEMA, TASK)
    assert all(parity.passed for parity in check(graph, cut, examples))
    said = model.Graph(graph).predict(far).prediction
    assert said[0] == 0.0
    assert said[2] == pytest.approx(high if high is not None else plain.reference(far).prediction[2], rel=1e-12)
    np.testing.assert_allclose(said, cut.reference(far).prediction, rtol=1e-12)
    assert cut.notes[-1].startswith("Answers lie between 0 and 1" if high else "Answers are never below 0")


def test_what_has_no_end_and_classes_stay_as_they_were() -> None:
    examples, plain = learned(RNG.normal(size=100))
    assert bounded(plain, examples) is plain
    classes = Task(kind="classification", target="y", classes=("a", "b"))
    assert bounded(plain, Examples(examples.frame, RNG.integers(0, 2, 100), SCHEMA, classes)) is plain
